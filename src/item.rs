//! What a to-do item is, and what its parts accept.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use rocket::form::{self, FromFormField, ValueField};
use rocket::request::FromParam;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// The longest title, in characters (Unicode scalar values).
pub const TITLE_MAX: usize = 200;
/// The longest description, in characters (Unicode scalar values).
pub const DESCRIPTION_MAX: usize = 5_000;

/// One thing to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Given by the store, and never changed.
    pub id: ItemId,
    /// What is to be done.
    pub title: Title,
    /// More about it; may be empty.
    pub description: Description,
    /// The last day to do it.
    pub due: Option<Date>,
    /// How far it is.
    pub status: Status,
    /// Where it stands on the list: lower comes first, equal ones by id.
    pub position: f64,
    /// When it was added.
    pub created: Timestamp,
    /// When anything of it last changed.
    pub changed: Timestamp,
    /// When it became [`Status::Done`]; none while it is not.
    pub done: Option<Timestamp>,
}

impl Item {
    /// What an editor has seen, to find out whether somebody else changed the item since.
    pub fn version(&self) -> Version {
        Version(self.changed.as_microsecond())
    }
}

/// What a person gives to add an item; the store adds the rest.
#[derive(Debug, Clone)]
pub struct NewItem {
    /// What is to be done.
    pub title: Title,
    /// More about it; may be empty.
    pub description: Description,
    /// The last day to do it.
    pub due: Option<Date>,
    /// How far it is.
    pub status: Status,
    /// Where it stands; none puts it on top.
    pub position: Option<f64>,
}

/// What to change of an item; `None` leaves as it is.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// The new title.
    pub title: Option<Title>,
    /// The new description.
    pub description: Option<Description>,
    /// The new due date; `Some(None)` takes it away.
    pub due: Option<Option<Date>>,
    /// The new status.
    pub status: Option<Status>,
    /// The new position.
    pub position: Option<Position>,
}

/// Where an item goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Position {
    /// Before all others, if its status changes too; else it stays.
    TopOfNewSection,
    /// At this number.
    At(f64),
}

/// When an item last changed, in microseconds since 1970: opaque to all but the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version(pub i64);

impl Version {
    /// What an editor has seen who does not say: no item has it, so nothing is overwritten.
    pub const NEVER: Self = Self(0);
}

impl FromStr for Version {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// How far an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, rocket::UriDisplayQuery)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Not begun.
    #[field(value = "todo")]
    Todo,
    /// Begun.
    #[field(value = "doing")]
    Doing,
    /// Finished.
    #[field(value = "done")]
    Done,
}

impl Status {
    /// All of them, in the order in which an item goes through them.
    pub const ALL: [Self; 3] = [Self::Todo, Self::Doing, Self::Done];

    /// Its name in addresses, forms, JSON and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Todo => "todo",
            Self::Doing => "doing",
            Self::Done => "done",
        }
    }

    /// Its name on pages.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Todo => "To Do",
            Self::Doing => "Doing",
            Self::Done => "Done",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(UnknownStatus)
    }
}

/// A status that is none of [`Status::ALL`].
#[derive(Debug, thiserror::Error)]
#[error("A status is one of todo, doing, done.")]
pub struct UnknownStatus;

/// A title: 1 to [`TITLE_MAX`] characters after trimming, on one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Title(String);

impl Title {
    /// Trims and checks what a person typed.
    ///
    /// # Errors
    /// [`TextError`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let text = checked("title", text.trim(), TITLE_MAX, |_| false)?;
        if text.is_empty() { Err(TextError::Blank) } else { Ok(Self(text)) }
    }
}

/// A description: up to [`DESCRIPTION_MAX`] characters after trimming, line breaks and tabs among them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Description(String);

impl Description {
    /// Trims and checks what a person typed; the line breaks of HTML forms (CR LF) become LF.
    ///
    /// # Errors
    /// [`TextError`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let text = text.replace("\r\n", "\n");
        checked("description", text.trim(), DESCRIPTION_MAX, |c| matches!(c, '\n' | '\t')).map(Self)
    }
}

/// Why a text cannot be kept; the message is for the person who typed it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing but white space.
    #[error("A title is needed.")]
    Blank,
    /// Longer than its field takes.
    #[error("The {field} has {length} characters; at most {max} fit.")]
    TooLong {
        /// Which field.
        field: &'static str,
        /// Its length in characters, after trimming.
        length: usize,
        /// How many fit.
        max: usize,
    },
    /// A character that cannot be seen and would garble its neighbours, or that was not readable.
    #[error("The {field} contains a character that cannot be kept (U+{:04X}).", u32::from(*.character))]
    Character {
        /// Which field.
        field: &'static str,
        /// The first such character.
        character: char,
    },
}

fn checked(field: &'static str, text: &str, max: usize, allowed: fn(char) -> bool) -> Result<String, TextError> {
    if let Some(character) = text.chars().find(|c| is_unsafe(*c) && !allowed(*c)) {
        return Err(TextError::Character { field, character });
    }
    match text.chars().count() {
        length if length > max => Err(TextError::TooLong { field, length, max }),
        _ => Ok(text.to_owned()),
    }
}

/// Control characters; those that reverse the text around them (Unicode's bidirectional
/// embeddings, overrides and isolates); and U+FFFD, which stands for bytes that were not UTF-8.
fn is_unsafe(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffd}')
}

/// Reads what a form's field for a date holds: as [`parse_day`], but blank is none.
///
/// # Errors
/// [`DueError`] if it is not such a date.
pub fn parse_due(text: &str) -> Result<Option<Date>, DueError> {
    Some(text.trim()).filter(|text| !text.is_empty()).map(parse_day).transpose()
}

/// Reads a calendar date: `YYYY-MM-DD`.
///
/// # Errors
/// [`DueError`] if it is not such a date.
pub fn parse_day(text: &str) -> Result<Date, DueError> {
    let date = if text.len() == "YYYY-MM-DD".len() { text.parse().ok() } else { None };
    date.ok_or_else(|| DueError(text.chars().take(20).collect()))
}

/// A due date that is no calendar date.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The due date “{0}” is no calendar date such as 2026-01-31.")]
pub struct DueError(String);

/// An id or a text of the store's, seen as text.
macro_rules! as_text {
    ($($name:ident),+) => {$(
        impl $name {
            /// Its text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

as_text!(Title, Description, ItemId, DeletionId);

/// What a store has kept is shown as it is, whatever today's rules are.
macro_rules! stored {
    ($($name:ident),+) => {$(
        impl $name {
            pub(crate) fn stored(text: String) -> Self {
                Self(text)
            }
        }
    )+};
}

stored!(Title, Description, ItemId);

/// Names an item: 1 to 64 ASCII letters, digits and hyphens. Our own stores make UUIDv7s.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, rocket::UriDisplayPath, rocket::UriDisplayQuery)]
pub struct ItemId(String);

/// Names an act of deleting, to undo it; made like an [`ItemId`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, rocket::UriDisplayPath, rocket::UriDisplayQuery)]
pub struct DeletionId(String);

/// A text that cannot be an id.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("not an id")]
pub struct NotAnId;

/// What both ids can do: be made, be read from a path, a query or a form.
macro_rules! id {
    ($($name:ident),+) => {$(
        impl $name {
            /// A new one, later than all before it in the order of texts.
            pub fn generate() -> Self {
                Self(Uuid::now_v7().to_string())
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                let fits = (1..=64).contains(&text.len())
                    && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
                if fits { Ok(Self(text.to_owned())) } else { Err(NotAnId) }
            }
        }

        impl<'r> FromParam<'r> for $name {
            type Error = NotAnId;

            fn from_param(param: &'r str) -> Result<Self, NotAnId> {
                param.parse()
            }
        }

        form_field!($name);
    )+};
}

/// Reads a type from a form field or a query parameter by its `FromStr`.
macro_rules! form_field {
    ($($name:ident),+) => {$(
        impl<'r> FromFormField<'r> for $name {
            fn from_value(field: ValueField<'r>) -> form::Result<'r, Self> {
                field.value.parse().map_err(|e| form::Error::validation(format!("{e}")).into())
            }
        }
    )+};
}

id!(ItemId, DeletionId);
form_field!(Status, Version);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_trimmed_and_may_be_200_characters_of_any_script() {
        assert_eq!(Title::parse("  Buy milk\n").map(|t| t.0), Ok("Buy milk".into()));
        assert!(Title::parse(&"🦀".repeat(200)).is_ok());
        assert!(Title::parse("לקנות חלב").is_ok());
    }

    #[test]
    fn a_title_of_spaces_or_201_characters_is_refused_with_its_length() {
        assert_eq!(Title::parse(" \t\u{a0} "), Err(TextError::Blank));
        let error = Title::parse(&"x".repeat(201)).map_err(|e| e.to_string());
        assert_eq!(error, Err("The title has 201 characters; at most 200 fit.".into()));
    }

    #[test]
    fn characters_that_garble_a_page_are_refused_by_their_number() {
        for (text, number) in
            [("a\0b", "U+0000"), ("a\u{202e}b", "U+202E"), ("a\nb", "U+000A"), ("a\u{fffd}", "U+FFFD")]
        {
            let message = Title::parse(text).map_err(|e| e.to_string()).expect_err("refused");
            assert!(message.contains(number), "{message}");
        }
    }

    #[test]
    fn a_description_keeps_line_breaks_and_tabs_but_no_other_control_character() {
        assert_eq!(Description::parse("one\r\n\ttwo ").map(|d| d.0), Ok("one\n\ttwo".into()));
        assert!(Description::parse("bell\u{7}").is_err());
        assert!(Description::parse(&"x".repeat(5_001)).is_err());
    }

    #[test]
    fn a_due_date_is_a_day_of_the_calendar() {
        assert_eq!(parse_due(""), Ok(None));
        assert_eq!(parse_due("2028-02-29"), Ok(Some(jiff::civil::date(2028, 2, 29))));
        for wrong in ["2027-02-29", "tomorrow", "2027-1-1", "2027-01-01T00:00", "-009999-01-01"] {
            assert_eq!(parse_due(wrong), Err(DueError(wrong.into())), "{wrong}");
        }
    }

    #[test]
    fn an_id_is_short_plain_text() {
        assert!(ItemId::generate().as_str().parse::<ItemId>().is_ok());
        for wrong in ["", "a/b", "ünïcode", "a b", &"x".repeat(65)] {
            assert!(wrong.parse::<ItemId>().is_err(), "{wrong}");
        }
    }
}
