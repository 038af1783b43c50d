//! Rule files that users write.

use super::RawRule;
use crate::parse::{Document, ParseError, typed};
use crate::source::{Source, Span};
use std::sync::Arc;

/// A rule file with the place of everything in it.
#[derive(Debug)]
pub struct RuleFile {
    /// The rule as written.
    pub raw: RawRule,
    document: Document,
}

impl RuleFile {
    /// Reads one rule.
    pub fn read(source: &Arc<Source>) -> Result<Self, ParseError> {
        let (raw, document) = typed::read(source)?;
        Ok(RuleFile { raw, document })
    }

    /// Points a defect at the member it is about: defects begin with the member's name or quote a field.
    pub fn locate(&self, defect: String) -> ParseError {
        let root = self.document.root();
        let first = defect.split(':').next().unwrap_or_default().trim_matches('`');
        let quoted = defect.split('`').nth(1);
        let mut place = root.get(first);
        if let Some(name) = quoted {
            let within = place.or_else(|| root.get("check"));
            let inside = within.and_then(|member| {
                let element = || member.items().find(|item| item.as_str() == quoted);
                member.get(name).or_else(element)
            });
            place = inside.or(place).or_else(|| root.get(name));
        }
        // `each: no_such_field` quotes the value of a member.
        let place = place.or_else(|| root.items().find(|member| quoted.is_some() && member.as_str() == quoted));
        let place = place.or_else(|| root.get("check")).or_else(|| root.get("id"));
        let span = place.map_or(Span::default(), |cursor| cursor.key_span().unwrap_or(cursor.span()));
        ParseError { message: defect, span }
    }

    /// The place of an example, by its position.
    pub fn example_span(&self, index: usize) -> Span {
        let example = self.document.root().get("examples").and_then(|list| list.items().nth(index));
        example.map_or(Span::default(), |cursor| cursor.get("name").map_or(cursor.span(), |name| name.span()))
    }
}
