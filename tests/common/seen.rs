//! What the tests over the shared corpus share: what adapters say about one file.

use tokenvet::adapt::Sink;
use tokenvet::model::{Target, TargetKind};
use tokenvet::parse::{Document, NodeId};

/// What the adapters said about one file.
#[derive(Default)]
pub(crate) struct Seen {
    /// Kinds of the targets, in document order.
    pub(crate) kinds: Vec<TargetKind>,
    /// How many there are.
    pub(crate) targets: usize,
    /// What could not be read.
    pub(crate) errors: Vec<String>,
}

impl Sink for Seen {
    fn target(&mut self, documents: &[&Document], target: Target<'_>) {
        self.kinds.push(target.kind);
        self.targets += 1;
        // Every place that a finding could point at exists.
        for index in 0..target.kind.fields().len() {
            if let Some(at) = target.record.field(index).at {
                documents[usize::from(at.document)].pointer(at.node);
            }
        }
    }

    fn secret(&mut self, document: &Document, node: NodeId) {
        document.pointer(node);
    }

    fn error(&mut self, _document: &Document, _node: NodeId, message: String) {
        self.errors.push(message);
    }

    fn paging(&mut self, _shown: NodeId, _shown_count: i64, _total: (NodeId, i64)) {}

    fn secrets_expected(&mut self) {}
}
