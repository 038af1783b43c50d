//! What is known about one property of a target.

use super::Quantity;
use crate::parse::NodeId;
use std::borrow::Cow;

/// Where a field was read: a node of one of the target's documents.
///
/// Targets usually have one document (index 0); a token has three: the file, its header and its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    /// Index into the documents handed over with the target.
    pub document: u8,
    /// The node.
    pub node: NodeId,
    /// Which word of a space-separated string, from 1; 0 is the whole value.
    pub word: u16,
}

impl At {
    /// The root of the first document.
    pub const ROOT: At = At { document: 0, node: NodeId::ROOT, word: 0 };

    /// A node of the first document.
    pub fn node(node: NodeId) -> Self {
        At { document: 0, node, word: 0 }
    }

    /// The word at this position (from 0) of the node's text; positions beyond 65,534 stay the whole value.
    pub fn word(self, index: usize) -> Self {
        At { word: u16::try_from(index + 1).unwrap_or(0), ..self }
    }

    /// The same node in another document of the target.
    pub fn of_document(self, document: u8) -> Self {
        At { document, ..self }
    }
}

/// A value of a known field.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'d> {
    /// Text.
    Text(Cow<'d, str>),
    /// A whole number: a duration in seconds, a NumericDate in seconds since 1970, bits or a count, as the
    /// field's [`FieldType`] says.
    Int(i64),
    /// Yes or no.
    Bool(bool),
    /// Several values, each with its own place.
    List(Vec<Field<'d>>),
}

/// What is known. `unknown` is not `0`, `0` is not `unlimited`.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum State<'d> {
    /// Not there, and the format says nothing else about it.
    #[default]
    Absent,
    /// There may be a value, but this input does not show it (a limited view, a template placeholder). The text
    /// completes the sentence "not judged: …".
    Unknown(Cow<'static, str>),
    /// A value that its type forbids; rules on malformed fields report it, others do not judge it. The text says
    /// what is wrong.
    Malformed(Cow<'static, str>),
    /// The product reads the setting as "no limit"; exceeds every maximum.
    Unlimited,
    /// A value.
    Value(Value<'d>),
}

/// State and place of one property.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Field<'d> {
    /// What is known.
    pub state: State<'d>,
    /// Where it was read; `None` when nothing was read (absent, or a default the product fills in).
    pub at: Option<At>,
}

/// Type of a field: how operators compare it and messages print it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// Free text.
    Text,
    /// An absolute URL, as written.
    Url,
    /// A duration in seconds.
    Seconds,
    /// Seconds since 1970-01-01T00:00:00Z.
    Time,
    /// A count, or a number of bits.
    Int,
    /// Yes or no.
    Bool,
    /// A list of texts.
    Texts,
    /// A list of URLs.
    Urls,
}

/// Declaration of one field.
#[derive(Debug, Clone, Copy)]
pub struct FieldSpec {
    /// The name rules use; dots nest (`lifetimes.access_token`).
    pub name: &'static str,
    /// Its type.
    pub ty: FieldType,
    /// What it means, its unit, and what absent, zero and negative mean.
    pub doc: &'static str,
}

/// A target's fields by index into its kind's `FIELDS`.
pub trait Record<'d>: Sync {
    /// The field at this index; absent when out of range.
    fn field(&self, index: usize) -> &Field<'d>;

    /// Which of the first fields, so many, are there: a bit for each by its index, and none for those beyond 128.
    fn present(&self, fields: usize) -> u128 {
        let is_there = |index: &u32| !self.field(*index as usize).is_absent();
        (0..u128::BITS).take(fields).filter(is_there).fold(0, |bits, index| bits | 1 << index)
    }
}

static ABSENT: Field<'static> = Field { state: State::Absent, at: None };

impl<'d> Field<'d> {
    /// The absent field.
    pub fn absent() -> &'static Field<'d> {
        // `Field` is covariant in its lifetime, so the one absent field serves all.
        &ABSENT
    }

    /// A value read at a place.
    pub fn value(value: Value<'d>, at: impl Into<Option<At>>) -> Self {
        Field { state: State::Value(value), at: at.into() }
    }

    /// Text read at a place.
    pub fn text(text: impl Into<Cow<'d, str>>, at: impl Into<Option<At>>) -> Self {
        Field::value(Value::Text(text.into()), at)
    }

    /// A number read at a place.
    pub fn int(number: i64, at: impl Into<Option<At>>) -> Self {
        Field::value(Value::Int(number), at)
    }

    /// A boolean read at a place.
    pub fn bool(value: bool, at: impl Into<Option<At>>) -> Self {
        Field::value(Value::Bool(value), at)
    }

    /// A list of fields, the list itself read at a place.
    pub fn list(items: Vec<Field<'d>>, at: impl Into<Option<At>>) -> Self {
        Field::value(Value::List(items), at)
    }

    /// Not shown by this input; `why` completes "not judged: …".
    pub fn unknown(why: impl Into<Cow<'static, str>>, at: impl Into<Option<At>>) -> Self {
        Field { state: State::Unknown(why.into()), at: at.into() }
    }

    /// Of a forbidden type or form; `why` says what is wrong, without quoting the value.
    pub fn malformed(why: impl Into<Cow<'static, str>>, at: impl Into<Option<At>>) -> Self {
        Field { state: State::Malformed(why.into()), at: at.into() }
    }

    /// No limit.
    pub fn unlimited(at: impl Into<Option<At>>) -> Self {
        Field { state: State::Unlimited, at: at.into() }
    }

    /// The same without borrowing from a document.
    pub fn to_owned_field(&self) -> Field<'static> {
        let value = |value: &Value<'d>| match value {
            Value::Text(text) => Value::Text(Cow::Owned(text.to_string())),
            Value::Int(number) => Value::Int(*number),
            Value::Bool(value) => Value::Bool(*value),
            Value::List(items) => Value::List(items.iter().map(Field::to_owned_field).collect()),
        };
        let state = match &self.state {
            State::Absent => State::Absent,
            State::Unknown(why) => State::Unknown(why.clone()),
            State::Malformed(why) => State::Malformed(why.clone()),
            State::Unlimited => State::Unlimited,
            State::Value(known) => State::Value(value(known)),
        };
        Field { state, at: self.at }
    }

    /// True when nothing was there.
    pub fn is_absent(&self) -> bool {
        matches!(self.state, State::Absent)
    }

    /// The text, when the field holds one.
    pub fn as_text(&self) -> Option<&str> {
        match &self.state {
            State::Value(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The number, when the field holds one.
    pub fn as_int(&self) -> Option<i64> {
        match &self.state {
            State::Value(Value::Int(number)) => Some(*number),
            _ => None,
        }
    }

    /// How much it allows; `None` when nothing says it.
    pub fn quantity(&self) -> Option<Quantity> {
        match self.state {
            State::Unlimited => Some(Quantity::Unlimited),
            State::Absent | State::Unknown(_) | State::Malformed(_) | State::Value(_) => {
                self.as_int().map(Quantity::Of)
            }
        }
    }

    /// The boolean, when the field holds one.
    pub fn as_bool(&self) -> Option<bool> {
        match &self.state {
            State::Value(Value::Bool(value)) => Some(*value),
            _ => None,
        }
    }

    /// The items of a list; empty for everything else.
    pub fn items(&self) -> &[Field<'d>] {
        match &self.state {
            State::Value(Value::List(items)) => items,
            _ => &[],
        }
    }

    /// True when the list holds this text.
    pub fn contains(&self, text: &str) -> bool {
        self.items().iter().any(|item| item.as_text() == Some(text))
    }

    /// Replaces a number by what the product means by it; every other state stays.
    pub fn map_int(self, read: impl FnOnce(i64, Option<At>) -> Field<'d>) -> Self {
        match self.as_int() {
            Some(number) => read(number, self.at),
            None => self,
        }
    }

    /// Replaces a yes or no by what it means here; every other state stays.
    pub fn map_bool(self, read: impl FnOnce(bool) -> bool) -> Self {
        match self.as_bool() {
            Some(value) => Field::bool(read(value), self.at),
            None => self,
        }
    }

    /// This field when it is present in any form, else `default`.
    pub fn or(self, default: Field<'d>) -> Self {
        if self.is_absent() { default } else { self }
    }

    /// The same for what is dear to make.
    pub fn or_else(self, default: impl FnOnce() -> Field<'d>) -> Self {
        if self.is_absent() { default() } else { self }
    }
}
