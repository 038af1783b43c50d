//! Accounts: what a run knows and no file of a product says, as the examples of rules about it write it. Each is a list
//! below one member, whose name is the kind.

use super::{Adapter, Kind, Reader, Sink};
use crate::model::Target;
use crate::parse::Document;

/// An account of one kind.
pub(super) struct Account {
    /// Its kind.
    pub(super) kind: &'static [Kind; 1],
    /// One element of the list as a target; its place is filled in.
    pub(super) read: for<'d> fn(&Reader<'d>) -> Target<'d>,
}

impl Adapter for Account {
    fn kinds(&self) -> &'static [Kind] {
        self.kind
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        let [kind] = self.kind;
        document.root().get(kind.name).filter(|list| list.is_seq()).map(|_| kind.name)
    }

    fn adapt(&self, document: &Document, kind: &'static str, sink: &mut dyn Sink) {
        let Some(list) = document.root().get(kind) else { return };
        for item in list.items() {
            let reader = Reader::new(item);
            sink.target(&[document], Target { at: reader.place(item), ..(self.read)(&reader) });
        }
    }
}
