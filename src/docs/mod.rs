//! Pages about rules, requirements, profiles, fields and document kinds. One content, two renderings: plain text for
//! `tokenvet explain` and the lists of the command line, Markdown for `docs/`.

mod markdown;
mod pages;
mod plain;

pub use markdown::markdown;
pub use pages::{field_page, kind_page, limit_page, profile_page, requirement_page, rule_index, rule_page};
pub use plain::plain;

/// A page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// What the page is about, as its heading.
    pub title: String,
    /// One or two sentences under the heading.
    pub lead: String,
    /// The parts, in order.
    pub sections: Vec<Section>,
}

/// A part of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Heading.
    pub title: String,
    /// Content, in order.
    pub blocks: Vec<Block>,
}

/// A piece of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// Running text; an empty line separates paragraphs.
    Text(String),
    /// Items of equal standing.
    List(Vec<String>),
    /// Rows under headings; every row has as many cells as there are headings.
    Table(Vec<&'static str>, Vec<Vec<Cell>>),
    /// A file, as it is.
    File(String),
}

/// A cell of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Words.
    Text(String),
    /// A name as it is written in files.
    Code(String),
    /// The id of a rule, which has a page of its own.
    Rule(String),
}

impl Cell {
    /// The characters of the cell.
    fn text(&self) -> &str {
        match self {
            Cell::Text(text) | Cell::Code(text) | Cell::Rule(text) => text,
        }
    }
}
