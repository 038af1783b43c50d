//! What the configuration of a site's services says of their logs.

use super::answers::{Set, SiteService};
use super::page::TracePlace;
use crate::adapt::Sink;
use crate::discover;
use crate::model::{Field, Target, TargetKind};
use crate::parse::{Document, NodeId};
use crate::source::Source;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The settings that configuration files of one service show; `None` when none of them is recognised.
pub fn settings(files: &[Arc<Source>]) -> Option<BTreeMap<String, Set>> {
    let mut found = Found::default();
    for source in files {
        for (document, known) in &discover::recognise(source).documents {
            if let Some((adapter, kind)) = known {
                adapter.adapt(document, kind, &mut found);
            }
        }
    }
    found.service.then_some(found.settings)
}

/// A service with what its files show.
pub fn service(name: &str, product: &str, files: &[Arc<Source>], retention: Option<i64>) -> SiteService {
    SiteService { name: name.into(), product: product.into(), settings: settings(files), retention }
}

#[derive(Default)]
struct Found {
    /// A file says something of the service.
    service: bool,
    settings: BTreeMap<String, Set>,
}

impl Sink for Found {
    fn target(&mut self, documents: &[&Document], target: Target<'_>) {
        self.service |= matches!(target.kind, TargetKind::Service | TargetKind::Trust | TargetKind::Mapping);
        if target.kind != TargetKind::Service {
            return;
        }
        let index = target.kind.fields().iter().position(|spec| spec.name == "log_settings");
        let Some(field) = index.map(|index| target.record.field(index)) else { return };
        for item in field.items() {
            self.setting(documents, item);
        }
    }

    fn secret(&mut self, _: &Document, _: NodeId) {}

    fn error(&mut self, _: &Document, _: NodeId, _: String) {}

    fn paging(&mut self, _: NodeId, _: i64, _: (NodeId, i64)) {}

    fn secrets_expected(&mut self) {}
}

impl Found {
    /// Several files of one service: the later one counts, as in folders of parts.
    fn setting(&mut self, documents: &[&Document], item: &Field<'_>) {
        let Some((name, value)) = item.as_text().and_then(|text| text.split_once('=')) else { return };
        let words = value.split([' ', '\t', ',']).filter(|word| !word.is_empty()).map(str::to_string).collect();
        let place = item.at.and_then(|at| {
            let document = documents.get(usize::from(at.document))?;
            let span = document.cursor(at.node).span();
            let line = document.source.position(span.start as usize).line;
            Some(TracePlace { path: document.source.name().to_string(), line: u64::from(line) })
        });
        self.settings.insert(name.to_string(), Set { words: (value != "?").then_some(words), place });
    }
}
