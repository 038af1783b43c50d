//! Files that a string of another document holds: ConfigMaps and Helm values.

use super::indigo_iam_application::IndigoIamApplication;
use super::storm_application::StormApplication;
use super::{Adapter, Sample, Sink};
use crate::model::TargetKind;
use crate::parse::{Cursor, Document, ParseError, Syntax};

/// Such a file, with the documents in it that are of a known format.
pub(super) struct Embedded<'d> {
    member: Cursor<'d>,
    documents: Vec<(Document, &'static dyn Adapter, &'static str)>,
    errors: Vec<ParseError>,
}

/// Reads a member with a name as a file: one that an adapter claims by its text, an `application.yml`, or the JSON of an
/// issuer (a realm, clients). `None` when it is none of them.
pub(super) fn read<'d>(document: &'d Document, member: Cursor<'d>, name: &str) -> Option<Embedded<'d>> {
    let text = member.as_str()?;
    let by_name = || {
        let yaml = name.ends_with(".yml") || name.ends_with(".yaml") || name.starts_with("application");
        let json = name.ends_with(".json") && text.trim_start().starts_with(['{', '[']);
        match json {
            true => Some(Syntax::Json),
            false => (yaml && text.contains(':')).then_some(Syntax::Yaml),
        }
    };
    let syntax = super::syntax(&Sample::new(name, text)).or_else(by_name)?;
    let (documents, errors) = document.nested(member.id, syntax);
    let documents: Vec<_> = documents
        .into_iter()
        .filter_map(|inner| {
            let (adapter, kind) = match syntax {
                Syntax::Yaml => spring(&inner)?,
                Syntax::Json => super::recognise(&inner).filter(|(adapter, kind)| is_of_issuer(*adapter, kind))?,
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

/// Does this kind tell of an issuer?
fn is_of_issuer(adapter: &dyn Adapter, kind: &str) -> bool {
    let targets = adapter.kinds().iter().filter(|known| known.name == kind).flat_map(|known| known.targets);
    targets.into_iter().any(|target| matches!(target, TargetKind::Settings | TargetKind::Client))
}

impl Embedded<'_> {
    /// True for the configuration of an issuer.
    pub(super) fn is_issuer(&self) -> bool {
        self.documents.iter().any(|(_, adapter, kind)| is_of_issuer(*adapter, kind))
    }

    /// Yields what is in it, and what could not be read.
    pub(super) fn adapt(self, document: &Document, sink: &mut dyn Sink) {
        self.documents.iter().for_each(|(inner, adapter, kind)| adapter.adapt(inner, kind, sink));
        self.errors.into_iter().for_each(|error| sink.error(document, self.member.id, error.message));
    }
}
