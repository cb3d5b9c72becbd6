//! Values of every kind that a person looks at while debugging. The tests stop here.

use std::collections::HashMap;
use std::hint::black_box;

use jiff::Timestamp;
use todo_app::item::{Description, Item, Status, Title};

/// Run by hand or by a debugger, under which its locals are read.
#[tokio::test]
#[ignore = "there is nothing to see without a debugger"]
async fn to_look_at() {
    let text = String::from("Größe 🥛");
    let some = Some(String::from("milk"));
    // LLDB before 20 takes None of an Option<String> for Some(""); CodeLLDB has a newer one.
    let none: Option<u64> = None;
    let list = vec![String::from("a"), String::from("b")];
    let map = HashMap::from([(1, String::from("one"))]);
    let item = Item {
        id: "1".parse().unwrap(),
        title: Title::parse("Buy milk").unwrap(),
        description: Description::parse("Two bottles").unwrap(),
        due: None,
        status: Status::Doing,
        position: 1.0,
        created: Timestamp::UNIX_EPOCH,
        changed: Timestamp::UNIX_EPOCH,
        done: None,
    };
    let (title, status) = (item.title.clone(), item.status);
    let number = 42_u64;
    let future = std::future::ready(7);
    let first = future.await;
    let second = first + 1;
    black_box((text, some, none, list, map, item, title, status, number, second));
}
