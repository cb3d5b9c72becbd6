//! The pages: server-rendered, and whole without JavaScript. A form is answered with 303 to the
//! page that shows what it did, or with the page again and a message (422, 409).

use std::sync::{Arc, PoisonError, RwLock};

use jiff::civil::Date;
use jiff::{Timestamp, ZonedDateTime};
use rocket::form::{self, Form, FromFormField, ValueField};
use rocket::http::Status as Http;
use rocket::response::Redirect;
use rocket::response::content::RawHtml;
use rocket::{FromForm, Route, State, UriDisplayQuery, get, post, routes, uri};
use rocket_dyn_templates::context;
use rocket_dyn_templates::minijinja::Environment;
use serde::Serialize;

use crate::app::AnyStore;
use crate::coalesce::Coalesced;
use crate::error::{Failure, default_detail};
use crate::item::{
    Changes, DeletionId, Description, Item, ItemId, NewItem, Position, Status, Title, Version, parse_due,
};
use crate::security::SameOrigin;
use crate::store::{self, Board, BoardQuery, COUNT_MAX, FEW_DONE, Place, Section, Which};

/// The most items of one section on a page.
const SECTION_MAX: usize = 30;

/// What a page's address says: which part of the list is shown. Every form carries it along, so
/// that its answer shows the same part.
#[derive(Debug, Clone, Default, FromForm, UriDisplayQuery)]
struct View {
    status: Option<Status>,
    q: Option<Search>,
    older: Option<bool>,
    after: Option<ItemId>,
    undo: Option<DeletionId>,
}

/// What to search for; a blank is no search.
#[derive(Debug, Clone, UriDisplayQuery)]
struct Search(String);

impl<'r> FromFormField<'r> for Search {
    fn from_value(field: ValueField<'r>) -> form::Result<'r, Self> {
        // No item has a control character, and PostgreSQL takes no NUL.
        let text = field.value.replace(char::is_control, " ").trim().to_owned();
        if text.is_empty() { Err(form::Error::validation("blank").into()) } else { Ok(Self(text)) }
    }
}

impl View {
    /// The same part of the list, from its start and without a notice.
    fn start(&self) -> Self {
        Self { after: None, undo: None, ..self.clone() }
    }

    /// `/` with this in the query.
    fn href(&self) -> String {
        uri!(list(self)).to_string()
    }

    /// The query alone, to be added to a form's address.
    fn query(&self) -> String {
        self.href().split_once('?').map_or_else(String::new, |(_, query)| format!("?{query}"))
    }

    fn redirect(&self) -> Redirect {
        Redirect::to(self.href())
    }

    /// Back to the list, at this item if it is still shown.
    fn redirect_to(&self, id: &ItemId) -> Redirect {
        Redirect::to(format!("{}#item-{id}", self.href()))
    }
}

/// What a person typed into an item's form; nothing is refused before we can show it again.
#[derive(Debug, Default, FromForm)]
struct Typed<'r> {
    #[field(default = "")]
    title: &'r str,
    #[field(default = "")]
    description: &'r str,
    #[field(default = "")]
    due: &'r str,
    /// What the editor has seen; a new item has none.
    version: Option<Version>,
}

impl Typed<'_> {
    /// The three fields, or the messages to show beside them.
    fn parse(&self) -> Result<(Title, Description, Option<Date>), Errors> {
        match (Title::parse(self.title), Description::parse(self.description), parse_due(self.due)) {
            (Ok(title), Ok(description), Ok(due)) => Ok((title, description, due)),
            (title, description, due) => Err(Errors {
                title: title.err().map(|e| e.to_string()),
                description: description.err().map(|e| e.to_string()),
                due: due.err().map(|e| e.to_string()),
            }),
        }
    }
}

/// The messages beside a form's fields.
#[derive(Debug, Default, Serialize)]
struct Errors {
    title: Option<String>,
    description: Option<String>,
    due: Option<String>,
}

/// A form's fields as a template shows them.
#[derive(Debug, Default, Serialize)]
struct Fields {
    title: String,
    description: String,
    due: String,
    errors: Errors,
}

impl Fields {
    fn typed(typed: &Typed<'_>, errors: Errors) -> Self {
        let [title, description, due] = [typed.title, typed.description, typed.due].map(str::to_owned);
        Self { title, description, due, errors }
    }

    fn of(item: &Item) -> Self {
        Self {
            title: item.title.to_string(),
            description: item.description.to_string(),
            due: item.due.map(|due| due.to_string()).unwrap_or_default(),
            errors: Errors::default(),
        }
    }
}

/// What a form is answered with.
#[derive(rocket::Responder)]
enum Reply {
    Done(Box<Redirect>),
    Again((Http, Page)),
}

/// A page as it is sent.
pub type Page = RawHtml<Arc<str>>;

/// The templates, as Rocket has read them last. A page is rendered from here, since a `Template` copies all that
/// it shows twice before.
#[derive(Clone, Default)]
pub struct Templates(Arc<RwLock<Environment<'static>>>);

impl Templates {
    /// To be called when they were read.
    pub fn set(&self, read: &Environment<'static>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = read.clone();
    }

    fn render(&self, name: &str, context: impl Serialize) -> Result<Page, Failure> {
        let templates = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let rendered = templates.get_template(name).and_then(|template| template.render(context));
        rendered.map(|text| RawHtml(text.into())).map_err(|error| {
            tracing::error!("the template {name} cannot be rendered: {error:#}");
            Failure::new(Http::InternalServerError, default_detail(Http::InternalServerError))
        })
    }
}

/// The pages of the list that are made right now.
pub type ListPages = Coalesced<Page, Failure>;

/// The list.
#[get("/?<view..>")]
async fn list(
    store: &State<AnyStore>,
    pages: &State<ListPages>,
    templates: &State<Templates>,
    view: View,
) -> Result<Page, Failure> {
    pages.get(&view.href(), list_page(store, templates, &view, Fields::default())).await
}

/// Adds an item; what cannot be kept shows the list again with what was typed.
#[post("/items?<view..>", data = "<typed>")]
async fn add(
    _ours: SameOrigin,
    store: &State<AnyStore>,
    templates: &State<Templates>,
    view: View,
    typed: Form<Typed<'_>>,
) -> Result<Reply, Failure> {
    match typed.parse() {
        Ok((title, description, due)) => {
            let new = NewItem { title, description, due, status: Status::Todo, position: None };
            store.add(new).await?;
            Ok(Reply::Done(view.start().redirect().into()))
        }
        Err(errors) => {
            let page = list_page(store, templates, &view, Fields::typed(&typed, errors)).await?;
            Ok(Reply::Again((Http::UnprocessableEntity, page)))
        }
    }
}

/// The page on which an item is edited.
#[get("/items/<id>?<view..>")]
async fn item(store: &State<AnyStore>, templates: &State<Templates>, id: ItemId, view: View) -> Result<Page, Failure> {
    let item = store.get(&id).await?;
    item_page(templates, &view, &item, Fields::of(&item), item.version(), Told::Nothing)
}

/// Keeps what was edited, unless somebody else changed the item meanwhile.
#[post("/items/<id>?<view..>", data = "<typed>")]
async fn edit(
    _ours: SameOrigin,
    store: &State<AnyStore>,
    templates: &State<Templates>,
    id: ItemId,
    view: View,
    typed: Form<Typed<'_>>,
) -> Result<Reply, Failure> {
    let (title, description, due) = match typed.parse() {
        Ok(fields) => fields,
        Err(errors) => {
            let item = store.get(&id).await?;
            let version = typed.version.unwrap_or(item.version());
            let page = item_page(templates, &view, &item, Fields::typed(&typed, errors), version, Told::Nothing)?;
            return Ok(Reply::Again((Http::UnprocessableEntity, page)));
        }
    };
    let changes = Changes { title: Some(title), description: Some(description), due: Some(due), ..Changes::default() };
    match store.update(&id, changes, typed.version.or(Some(Version::NEVER))).await {
        Ok(item) => Ok(Reply::Done(view.redirect_to(&item.id).into())),
        Err(store::Error::Conflict) => {
            let item = store.get(&id).await?;
            let fields = Fields::typed(&typed, Errors::default());
            let page = item_page(templates, &view, &item, fields, item.version(), Told::ChangedMeanwhile)?;
            Ok(Reply::Again((Http::Conflict, page)))
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(FromForm)]
struct NewStatus {
    status: Status,
}

/// Sets an item's status, so that doing it twice does no harm.
#[post("/items/<id>/status?<view..>", data = "<form>")]
async fn set_status(
    _ours: SameOrigin,
    store: &State<AnyStore>,
    id: ItemId,
    view: View,
    form: Form<NewStatus>,
) -> Result<Redirect, Failure> {
    let changes =
        Changes { status: Some(form.status), position: Some(Position::TopOfNewSection), ..Changes::default() };
    store.update(&id, changes, None).await?;
    Ok(view.redirect_to(&id))
}

#[derive(FromForm)]
struct Neighbour {
    before: Option<ItemId>,
    after: Option<ItemId>,
}

/// Puts an item before or after another one, so that doing it twice does no harm.
#[post("/items/<id>/place?<view..>", data = "<form>")]
async fn place(
    _ours: SameOrigin,
    store: &State<AnyStore>,
    id: ItemId,
    view: View,
    form: Form<Neighbour>,
) -> Result<Redirect, Failure> {
    let place = match form.into_inner() {
        Neighbour { before: Some(item), after: None } => Place::Before(item),
        Neighbour { before: None, after: Some(item) } => Place::After(item),
        _ => return Err(Failure::new(Http::UnprocessableEntity, "An item goes before or after another one.")),
    };
    store.place(&id, &place).await?;
    Ok(view.redirect_to(&id))
}

/// Deletes an item; the page that follows can undo it.
#[post("/items/<id>/delete?<view..>")]
async fn delete(_ours: SameOrigin, store: &State<AnyStore>, id: ItemId, view: View) -> Result<Redirect, Failure> {
    let undo = Some(store.delete(Which::One(&id)).await?);
    Ok(View { undo, ..view }.redirect())
}

/// Deletes all that is done; the page that follows can undo it.
#[post("/done/clear?<view..>")]
async fn clear_done(_ours: SameOrigin, store: &State<AnyStore>, view: View) -> Result<Redirect, Failure> {
    let undo = Some(store.delete(Which::Done).await?);
    Ok(View { undo, ..view.start() }.redirect())
}

/// Brings back what was deleted.
#[post("/deletions/<deletion>/restore?<view..>")]
async fn restore(
    _ours: SameOrigin,
    store: &State<AnyStore>,
    deletion: DeletionId,
    view: View,
) -> Result<Redirect, Failure> {
    store.restore(&deletion).await?;
    Ok(view.start().redirect())
}

/// What an item's page tells besides the item.
enum Told {
    Nothing,
    ChangedMeanwhile,
}

fn item_page(
    templates: &Templates,
    view: &View,
    item: &Item,
    form: Fields,
    version: Version,
    told: Told,
) -> Result<Page, Failure> {
    let conflict = match told {
        Told::Nothing => None,
        Told::ChangedMeanwhile => Some(context! {
            title: &item.title, description: &item.description,
            due: item.due.map(|due| due.strftime("%-d %b %Y").to_string()), changed: shown_time(item.changed),
        }),
    };
    templates.render(
        "item",
        context! {
            query: view.query(),
            action: uri!(item(&item.id, view)).to_string(),
            id: &item.id,
            version: version.0.to_string(),
            status_label: item.status.label(),
            created: shown_time(item.created),
            changed: shown_time(item.changed),
            form,
            conflict,
        },
    )
}

/// A time as the pages show it, in the time zone here.
fn shown_time(at: Timestamp) -> String {
    at.to_zoned_datetime(jiff::tz::TimeZone::system()).strftime("%-d %b %Y, %H:%M").to_string()
}

async fn list_page(store: &AnyStore, templates: &Templates, view: &View, form: Fields) -> Result<Page, Failure> {
    let now = ZonedDateTime::now();
    let query = BoardQuery {
        status: view.status,
        search: view.q.as_ref().map_or_else(String::new, |search| search.0.clone()),
        // Without a status there is no order in which one item could come after another.
        after: view.after.clone().filter(|_| view.status.is_some()),
        older: view.older == Some(true),
        today: now.start_of_day().map_or_else(|_| now.timestamp(), |midnight| midnight.timestamp()),
        limit: SECTION_MAX,
    };
    let board = store.board(&query).await?;
    let notice = match &view.undo {
        Some(deletion) if board.stale.is_none() => notice(store, view, deletion).await?,
        _ => None,
    };
    let sections: Vec<_> =
        board.sections.iter().map(|section| SectionShown::new(view, &board, section, now.date())).collect();
    templates.render(
        "list",
        context! {
            query: view.query(),
            q: &query.search,
            status: view.status,
            filters: filters(view, &board),
            stale: board.stale.map(shown_time),
            sections,
            form,
            notice,
        },
    )
}

#[derive(Serialize)]
struct Notice {
    text: String,
    restore: String,
}

async fn notice(store: &AnyStore, view: &View, deletion: &DeletionId) -> Result<Option<Notice>, Failure> {
    let deleted = store.deleted(deletion).await?;
    let text = match (deleted.count, deleted.title) {
        (0, _) => return Ok(None),
        (1, Some(title)) => format!("Deleted “{title}”."),
        (count, _) => format!("Deleted {count} items."),
    };
    Ok(Some(Notice { text, restore: uri!(restore(deletion, view.start())).to_string() }))
}

/// A link to a part of the list.
#[derive(Serialize)]
struct Filter {
    label: &'static str,
    href: String,
    current: bool,
    count: Option<String>,
}

fn filters(view: &View, board: &Board) -> Vec<Filter> {
    let filter = |status: Option<Status>| Filter {
        label: status.map_or("All", Status::label),
        href: View { status, older: None, ..view.start() }.href(),
        current: view.status == status,
        count: status.map(|status| count(board.counts[status as usize])),
    };
    [None].into_iter().chain(Status::ALL.map(Some)).map(filter).collect()
}

/// A number of items as it is shown: a store does not count beyond [`COUNT_MAX`].
fn count(number: u32) -> String {
    if number < COUNT_MAX { number.to_string() } else { format!("{}+", COUNT_MAX - 1) }
}

#[derive(Serialize)]
struct SectionShown<'a> {
    status: Status,
    label: &'static str,
    count: String,
    items: Vec<ItemShown<'a>>,
    more: Option<String>,
    older: Option<Link>,
    clearable: bool,
    empty: &'static str,
}

#[derive(Serialize)]
struct Link {
    label: String,
    href: String,
}

impl<'a> SectionShown<'a> {
    fn new(view: &View, board: &Board, section: &'a Section, today: Date) -> Self {
        let status = section.status;
        let total = board.counts[status as usize];
        let ids: Vec<_> = section.items.iter().map(|item| &item.id).collect();
        let items = section.items.iter().enumerate().map(|(at, item)| ItemShown {
            // Those done stand in the order in which they were finished.
            before: if status == Status::Done || at == 0 { None } else { ids.get(at - 1).copied() },
            after: if status == Status::Done { None } else { ids.get(at + 1).copied() },
            ..ItemShown::new(item, today)
        });
        let last = section.items.last().filter(|_| section.more).map(|item| item.id.clone());
        let folds = status == Status::Done && view.after.is_none() && total >= FEW_DONE && board.older > 0;
        let shown = view.older == Some(true);
        let older = folds.then(|| Link {
            label: if shown { "Hide older".to_owned() } else { format!("Show older ({})", count(board.older)) },
            href: View { older: (!shown).then_some(true), ..view.start() }.href(),
        });
        let empty = match (status, view.q.is_some()) {
            (_, true) => "Nothing here matches the search.",
            (Status::Todo, _) => "Nothing to do.",
            (Status::Doing, _) => "Nothing begun.",
            (Status::Done, _) if total > 0 => "Nothing finished today.",
            (Status::Done, _) => "Nothing finished yet.",
        };
        Self {
            status,
            label: status.label(),
            count: count(total),
            items: items.collect(),
            more: last.map(|after| View { status: Some(status), after: Some(after), ..view.start() }.href()),
            older,
            clearable: status == Status::Done && total > 0,
            empty,
        }
    }
}

#[derive(Serialize)]
struct ItemShown<'a> {
    id: &'a ItemId,
    title: &'a Title,
    description: &'a Description,
    due: Option<DueShown>,
    moves: [Move; 2],
    before: Option<&'a ItemId>,
    after: Option<&'a ItemId>,
}

#[derive(Serialize)]
struct DueShown {
    date: String,
    text: String,
    overdue: bool,
}

/// A button that sets a status.
#[derive(Serialize)]
struct Move {
    status: Status,
    label: &'static str,
}

impl<'a> ItemShown<'a> {
    fn new(item: &'a Item, today: Date) -> Self {
        let to = |status, label| Move { status, label };
        Self {
            id: &item.id,
            title: &item.title,
            description: &item.description,
            due: item.due.map(|due| DueShown {
                date: due.to_string(),
                text: due.strftime(if due.year() == today.year() { "%-d %b" } else { "%-d %b %Y" }).to_string(),
                overdue: due < today && item.status != Status::Done,
            }),
            moves: match item.status {
                Status::Todo => [to(Status::Doing, "Start"), to(Status::Done, "Done")],
                Status::Doing => [to(Status::Todo, "To Do"), to(Status::Done, "Done")],
                Status::Done => [to(Status::Todo, "To Do"), to(Status::Doing, "Doing")],
            },
            before: None,
            after: None,
        }
    }
}

/// The routes to mount at `/`.
pub fn routes() -> Vec<Route> {
    routes![list, add, item, edit, set_status, place, delete, clear_done, restore]
}
