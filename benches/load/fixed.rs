//! The framework's limit: a route that answers with a fixed text, as large as the list page. Only for
//! comparison.

use rocket::response::content::RawHtml;
use rocket::{State, get, routes};

/// The size of the answer in bytes.
const SIZE: &str = "SIZE";

#[get("/")]
fn index(text: &State<String>) -> RawHtml<&str> {
    RawHtml(text)
}

#[rocket::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let text = "x".repeat(std::env::var(SIZE)?.parse()?);
    rocket::build().manage(text).mount("/", routes![index]).launch().await?;
    Ok(())
}
