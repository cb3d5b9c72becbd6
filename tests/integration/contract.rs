//! What every store does, asked of each of them.

use std::sync::Arc;

use jiff::Timestamp;
use secrecy::SecretString;
use tempfile::TempDir;
use todo_app::app::AnyStore;
use todo_app::item::{Changes, Description, Item, ItemId, NewItem, Position, Status, Title, Version};
use todo_app::store::{BoardQuery, Error, Place, Which, sql::Sql, trello::Trello};

use crate::app;
use crate::support::postgres;

macro_rules! every_store_does {
    ($($does:ident)*) => {
        mod in_sqlite {
            $(#[rocket::async_test]
            async fn $does() {
                let (store, _folder) = super::sqlite().await;
                super::$does(&store).await;
            })*
        }
        mod on_trello {
            $(#[rocket::async_test]
            async fn $does() {
                let fake = crate::trello::Fake::start().await;
                let store = super::Trello::open(&fake.access()).await.unwrap();
                super::$does(&(super::Arc::new(store) as super::AnyStore)).await;
            })*
        }
        mod in_postgres {
            $(#[rocket::async_test]
            #[ignore = "needs PostgreSQL"]
            async fn $does() {
                super::$does(&super::postgres().await).await;
            })*
        }
    };
}

every_store_does! {
    keeps_what_is_added
    puts_what_is_added_on_top
    changes_only_what_is_said
    lists_by_position_in_parts
    moves_an_item_next_to_another
    moves_an_item_to_the_top_of_its_new_section
    finds_text_of_any_script
    shows_done_items_latest_first_and_older_ones_when_asked
    brings_back_what_was_deleted
    knows_no_item_that_is_not_there
    tells_the_second_of_two_editors
    loses_nothing_when_many_write_at_once
    makes_room_between_two_items_as_often_as_asked
}

async fn sqlite() -> (AnyStore, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (Arc::new(Sql::open(&app::sqlite(folder.path())).await.unwrap()), folder)
}

async fn postgres() -> AnyStore {
    Arc::new(Sql::open(&SecretString::from(postgres::database().await)).await.unwrap())
}

/// An item to add that has but a title.
pub fn new_item(title: &str) -> NewItem {
    NewItem {
        title: Title::parse(title).unwrap(),
        description: Description::parse("").unwrap(),
        due: None,
        status: Status::Todo,
        position: None,
    }
}

async fn add(store: &AnyStore, title: &str, status: Status) -> Item {
    store.add(NewItem { status, ..new_item(title) }).await.unwrap()
}

fn titles(items: &[Item]) -> Vec<&str> {
    items.iter().map(|item| item.title.as_str()).collect()
}

async fn all(store: &AnyStore) -> Vec<Item> {
    store.list(None, 1_000).await.unwrap()
}

fn whole_board() -> BoardQuery {
    BoardQuery { today: Timestamp::UNIX_EPOCH, limit: 30, ..BoardQuery::default() }
}

async fn keeps_what_is_added(store: &AnyStore) {
    let new = NewItem {
        title: Title::parse("Größe 🥛 'quoted' \"; drop table items").unwrap(),
        description: Description::parse("Zwei\nZeilen").unwrap(),
        due: Some("2030-01-31".parse().unwrap()),
        status: Status::Doing,
        position: Some(7.5),
    };
    let item = store.add(new.clone()).await.unwrap();
    assert_eq!((&item.title, &item.description, item.due), (&new.title, &new.description, new.due));
    assert_eq!((item.status, item.position, item.done), (Status::Doing, 7.5, None));
    assert_eq!(store.get(&item.id).await.unwrap(), item);
    store.ready().await.unwrap();
}

async fn puts_what_is_added_on_top(store: &AnyStore) {
    for title in ["a", "b", "c"] {
        add(store, title, Status::Todo).await;
    }
    assert_eq!(titles(&all(store).await), ["c", "b", "a"]);
}

async fn changes_only_what_is_said(store: &AnyStore) {
    let item = add(store, "Milk", Status::Todo).await;
    let due = Some("2030-01-31".parse().unwrap());
    let changed = store.update(&item.id, Changes { due: Some(due), ..Changes::default() }, None).await.unwrap();
    assert_eq!((changed.title.as_str(), changed.due, changed.status), ("Milk", due, Status::Todo));
    assert!(changed.changed > item.changed && changed.created == item.created);
    let done = Changes { status: Some(Status::Done), due: Some(None), ..Changes::default() };
    let done = store.update(&item.id, done, None).await.unwrap();
    assert!(done.done.is_some() && done.due.is_none() && done.title.as_str() == "Milk");
    let undone = Changes { status: Some(Status::Doing), ..Changes::default() };
    assert_eq!(store.update(&item.id, undone, None).await.unwrap().done, None);
}

async fn lists_by_position_in_parts(store: &AnyStore) {
    for number in 0..25 {
        store.add(NewItem { position: Some(f64::from(number / 2)), ..new_item(&number.to_string()) }).await.unwrap();
    }
    let whole = all(store).await;
    assert!(whole.is_sorted_by(|a, b| (a.position, a.id.as_str()) < (b.position, b.id.as_str())));
    let (mut parts, mut after) = (Vec::new(), None::<ItemId>);
    loop {
        let part = store.list(after.as_ref(), 4).await.unwrap();
        let Some(last) = part.last() else { break };
        after = Some(last.id.clone());
        parts.extend(part);
    }
    assert_eq!(parts, whole);
}

async fn moves_an_item_next_to_another(store: &AnyStore) {
    let (a, b) = (add(store, "a", Status::Todo).await, add(store, "b", Status::Todo).await);
    let c = add(store, "c", Status::Todo).await;
    store.place(&c.id, &Place::After(a.id.clone())).await.unwrap();
    assert_eq!(titles(&all(store).await), ["b", "a", "c"]);
    store.place(&c.id, &Place::Before(a.id.clone())).await.unwrap();
    assert_eq!(titles(&all(store).await), ["b", "c", "a"]);
    store.place(&c.id, &Place::Before(b.id)).await.unwrap();
    assert_eq!(titles(&all(store).await), ["c", "b", "a"]);
}

async fn moves_an_item_to_the_top_of_its_new_section(store: &AnyStore) {
    let item = add(store, "first", Status::Todo).await;
    add(store, "second", Status::Doing).await;
    let status =
        |status| Changes { status: Some(status), position: Some(Position::TopOfNewSection), ..Changes::default() };
    store.update(&item.id, status(Status::Doing), None).await.unwrap();
    let board = store.board(&whole_board()).await.unwrap();
    assert_eq!(titles(&board.sections[1].items), ["first", "second"]);
    assert_eq!(board.counts, [0, 2, 0]);
    // A replay leaves it where it is by then.
    add(store, "third", Status::Doing).await;
    store.update(&item.id, status(Status::Doing), None).await.unwrap();
    let board = store.board(&whole_board()).await.unwrap();
    assert_eq!(titles(&board.sections[1].items), ["third", "first", "second"]);
}

async fn finds_text_of_any_script(store: &AnyStore) {
    for title in ["GRÖSSE", "größer", "Молоко", "100 % %_", "milk"] {
        add(store, title, Status::Todo).await;
    }
    for (search, found) in [("größe", vec!["größer"]), ("МОЛ", vec!["Молоко"]), ("%_", vec!["100 % %_"]), ("x", vec![])]
    {
        let query = BoardQuery { search: search.to_owned(), ..whole_board() };
        let board = store.board(&query).await.unwrap();
        assert_eq!(titles(&board.sections[0].items), found, "{search}");
        assert_eq!(board.counts[0] as usize, found.len(), "{search}");
    }
}

async fn shows_done_items_latest_first_and_older_ones_when_asked(store: &AnyStore) {
    for title in ["a", "b", "c", "d", "e"] {
        let item = add(store, title, Status::Todo).await;
        let done = Changes { status: Some(Status::Done), ..Changes::default() };
        store.update(&item.id, done, None).await.unwrap();
    }
    let board = store.board(&whole_board()).await.unwrap();
    assert_eq!(titles(&board.sections[2].items), ["e", "d", "c", "b", "a"]);
    let tomorrow = Timestamp::now() + jiff::Span::new().hours(24);
    let query = BoardQuery { today: tomorrow, ..whole_board() };
    let board = store.board(&query).await.unwrap();
    assert_eq!((board.sections[2].items.len(), board.older), (0, 5));
    let board = store.board(&BoardQuery { older: true, limit: 3, ..query }).await.unwrap();
    assert_eq!((titles(&board.sections[2].items), board.sections[2].more), (vec!["e", "d", "c"], true));
}

async fn brings_back_what_was_deleted(store: &AnyStore) {
    let item = add(store, "Milk", Status::Todo).await;
    let deletion = store.delete(Which::One(&item.id)).await.unwrap();
    assert!(all(store).await.is_empty());
    let deleted = store.deleted(&deletion).await.unwrap();
    assert_eq!((deleted.count, deleted.title.as_deref()), (1, Some("Milk")));
    for _ in 0..2 {
        store.restore(&deletion).await.unwrap();
        assert_eq!(titles(&all(store).await), ["Milk"]);
    }
    assert_eq!(store.deleted(&deletion).await.unwrap().count, 0);

    add(store, "Bread", Status::Done).await;
    let deletion = store.delete(Which::Done).await.unwrap();
    assert_eq!(titles(&all(store).await), ["Milk"]);
    store.restore(&deletion).await.unwrap();
    let deletion = store.delete(Which::All).await.unwrap();
    assert_eq!((all(store).await.len(), store.deleted(&deletion).await.unwrap().count), (0, 2));
}

async fn knows_no_item_that_is_not_there(store: &AnyStore) {
    let item = add(store, "Milk", Status::Todo).await;
    let gone = add(store, "Bread", Status::Todo).await.id;
    store.delete(Which::One(&gone)).await.unwrap();
    let is_not_found = |result: Result<(), Error>| assert!(matches!(result, Err(Error::NotFound)), "{result:?}");
    is_not_found(store.get(&gone).await.map(|_| ()));
    is_not_found(store.update(&gone, Changes::default(), None).await.map(|_| ()));
    is_not_found(store.delete(Which::One(&gone)).await.map(|_| ()));
    is_not_found(store.place(&gone, &Place::Before(item.id.clone())).await);
    is_not_found(store.place(&item.id, &Place::Before(gone)).await);
    assert_eq!(all(store).await, [item]);
}

async fn tells_the_second_of_two_editors(store: &AnyStore) {
    let item = add(store, "Milk", Status::Todo).await;
    let title = |title| Changes { title: Some(Title::parse(title).unwrap()), ..Changes::default() };
    let seen = Some(item.version());
    let (one, other) = rocket::tokio::join!(
        store.update(&item.id, title("Oat milk"), seen),
        store.update(&item.id, title("Soy milk"), seen),
    );
    let (kept, told) = if one.is_ok() { (one, other) } else { (other, one) };
    assert!(matches!(told, Err(Error::Conflict)), "{told:?}");
    assert_eq!(store.get(&item.id).await.unwrap(), kept.unwrap());
    let never = store.update(&item.id, title("Water"), Some(Version::NEVER)).await;
    assert!(matches!(never, Err(Error::Conflict)), "{never:?}");
}

async fn loses_nothing_when_many_write_at_once(store: &AnyStore) {
    let adds = (0..40).map(|number: u32| async move { add(store, &number.to_string(), Status::Todo).await });
    let added = rocket::futures::future::join_all(adds).await;
    let listed = all(store).await;
    assert_eq!(listed.len(), 40);
    let acts = added.iter().enumerate().map(|(number, item)| {
        let neighbour = added[(number + 1) % 40].id.clone();
        async move {
            match number % 3 {
                0 => store.place(&item.id, &Place::After(neighbour)).await.unwrap(),
                1 => drop(store.delete(Which::One(&item.id)).await.unwrap()),
                _ => {
                    let status = Changes { status: Some(Status::Done), ..Changes::default() };
                    store.update(&item.id, status, None).await.unwrap();
                }
            }
        }
    });
    // A neighbour may be deleted meanwhile, so moving goes first in every third of them.
    let (moves, others): (Vec<_>, Vec<_>) = acts.enumerate().partition(|(number, _)| number % 3 == 0);
    rocket::futures::future::join_all(moves.into_iter().map(|(_, act)| act)).await;
    rocket::futures::future::join_all(others.into_iter().map(|(_, act)| act)).await;
    let board = store.board(&whole_board()).await.unwrap();
    assert_eq!(board.counts, [14, 0, 13]);
}

async fn makes_room_between_two_items_as_often_as_asked(store: &AnyStore) {
    let (a, b) = (add(store, "a", Status::Todo).await, add(store, "b", Status::Todo).await);
    let c = add(store, "c", Status::Todo).await;
    // Each halves the distance; a number has room for some fifty of them.
    for _ in 0..60 {
        store.place(&a.id, &Place::After(c.id.clone())).await.unwrap();
        store.place(&b.id, &Place::After(c.id.clone())).await.unwrap();
    }
    assert_eq!(titles(&all(store).await), ["c", "b", "a"]);
}
