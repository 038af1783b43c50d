//! Files that a string of another document holds: ConfigMaps and Helm values.

use super::indigo_iam_application::IndigoIamApplication;
use super::storm_application::StormApplication;
use super::{Adapter, Sample, Sink};
use crate::parse::{Cursor, Document, ParseError, Syntax};

/// Such a file, with the documents in it that are of a known format.
pub(super) struct Embedded<'d> {
    member: Cursor<'d>,
    documents: Vec<(Document, &'static dyn Adapter, &'static str)>,
    errors: Vec<ParseError>,
}

/// Reads a member with a name as a file: one that an adapter claims by its text, or an `application.yml`. `None` when it is
/// neither.
pub(super) fn read<'d>(document: &'d Document, member: Cursor<'d>, name: &str) -> Option<Embedded<'d>> {
    let text = member.as_str()?;
    let yaml = || {
        let file = name.ends_with(".yml") || name.ends_with(".yaml") || name.starts_with("application");
        (file && text.contains(':')).then_some(Syntax::Yaml)
    };
    let syntax = super::syntax(&Sample::new(name, text)).or_else(yaml)?;
    let (documents, errors) = document.nested(member.id, syntax);
    let documents: Vec<_> = documents
        .into_iter()
        .filter_map(|inner| {
            let (adapter, kind) = match syntax {
                Syntax::Yaml => spring(&inner)?,
                _ => super::recognise(&inner)?,
            };
            Some((inner, adapter, kind))
        })
        .collect();
    (!documents.is_empty()).then_some(Embedded { member, documents, errors })
}

/// Products that Spring Boot configures.
fn spring(document: &Document) -> Option<(&'static dyn Adapter, &'static str)> {
    let known: [&'static dyn Adapter; 2] = [&IndigoIamApplication, &StormApplication];
    known.into_iter().find_map(|adapter| adapter.recognise(document).map(|kind| (adapter, kind)))
}

impl Embedded<'_> {
    /// True for the configuration of an issuer.
    pub(super) fn is_issuer(&self) -> bool {
        self.documents.iter().any(|(document, _, _)| IndigoIamApplication.recognise(document).is_some())
    }

    /// Yields what is in it, and what could not be read.
    pub(super) fn adapt(self, document: &Document, sink: &mut dyn Sink) {
        self.documents.iter().for_each(|(inner, adapter, kind)| adapter.adapt(inner, kind, sink));
        self.errors.into_iter().for_each(|error| sink.error(document, self.member.id, error.message));
    }
}
