//! The facts of a run, as long as a joining rule may use them: a tree of many thousand client registrations leaves next
//! to nothing when no issuer's metadata lies beside them.

use super::fact::{Fact, folder};
use super::plan::Plan;
use crate::model::{Record, TargetKind};
use std::collections::HashMap;

/// Collects what targets leave behind.
#[derive(Debug, Default)]
pub struct Facts {
    /// In the order they came in, which the numbers tell.
    kept: Vec<(u64, Fact)>,
    next: u64,
    /// Paths of files of which nothing but their being there matters.
    files: Vec<Box<str>>,
    folders: HashMap<Box<str>, Folder>,
}

/// What is known of one folder.
#[derive(Debug, Default)]
struct Folder {
    /// Its files that are still to be judged.
    open: usize,
    /// An issuer's metadata lies in it.
    issuer: bool,
    /// Clients that name no issuer: theirs is the one whose metadata lies beside them.
    clients: Vec<(u64, Fact)>,
}

impl Facts {
    /// Says that a file will be judged; [`Facts::done`] follows. Without it facts are kept longer, nothing else.
    pub fn expect(&mut self, path: &str) {
        let at = folder(path);
        match self.folders.get_mut(at) {
            Some(known) => known.open += 1,
            None => {
                self.folders.insert(at.into(), Folder { open: 1, ..Folder::default() });
            }
        }
    }

    /// Takes what a file, or a part of one, left behind. `plan` is the one that joins.
    pub fn take(&mut self, plan: &Plan, facts: Vec<Fact>) {
        let issuer = TargetKind::Client.fields().iter().position(|spec| spec.name == "issuer");
        for fact in facts {
            let number = self.next;
            self.next += 1;
            match fact.kind {
                TargetKind::Document if plan.only_names_documents => {
                    if self.files.last().is_none_or(|last| **last != *fact.path) {
                        self.files.push(fact.path.as_str().into());
                    }
                }
                TargetKind::Client
                    if plan.joins_clients_by_issuer && issuer.is_some_and(|index| fact.field(index).is_absent()) =>
                {
                    self.folder(&fact.path).clients.push((number, fact));
                }
                kind => {
                    if kind == TargetKind::Issuer {
                        self.folder(&fact.path).issuer = true;
                    }
                    self.kept.push((number, fact));
                }
            }
        }
    }

    fn folder(&mut self, path: &str) -> &mut Folder {
        self.folders.entry(folder(path).into()).or_default()
    }

    /// Says that a file was judged. Behind the last one of a folder it is known whether its clients have an issuer.
    pub fn done(&mut self, path: &str) {
        let Some(known) = self.folders.get_mut(folder(path)) else { return };
        known.open = known.open.saturating_sub(1);
        if known.open == 0 {
            self.settle(folder(path));
        }
    }

    /// Drops what clients left that nothing can be said of: for a file of clients alone, the last of its folder.
    pub fn done_but_for_clients(&mut self, path: &str) {
        if let Some(known) = self.folders.get_mut(folder(path))
            && known.open == 1
            && !known.issuer
        {
            known.clients.clear();
        }
    }

    fn settle(&mut self, folder: &str) {
        let Some(known) = self.folders.get_mut(folder) else { return };
        let clients = std::mem::take(&mut known.clients);
        if known.issuer {
            self.kept.extend(clients);
        }
    }

    /// True when nothing that could be joined was taken.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.folders.values().all(|folder| folder.clients.is_empty())
    }

    /// All that is left, in the order it came in.
    pub fn finish(mut self) -> Vec<Fact> {
        let folders: Vec<Box<str>> = self.folders.keys().cloned().collect();
        folders.iter().for_each(|folder| self.settle(folder));
        self.kept.sort_by_key(|(number, _)| *number);
        let mut facts: Vec<Fact> = self.kept.into_iter().map(|(_, fact)| fact).collect();
        // Only services ask whether a file is there.
        if facts.iter().any(|fact| fact.kind == TargetKind::Service) {
            facts.extend(self.files.iter().map(|path| Fact::of_file(path)));
        }
        facts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::{Adjustments, Selection};
    use crate::rule::RuleBook;
    use std::sync::Arc;

    fn fact(kind: TargetKind, path: &str) -> Fact {
        Fact { kind, ..Fact::of_file(path) }
    }

    #[test]
    fn clients_stay_where_an_issuer_lies_beside_them() {
        let plan =
            Plan::new(Arc::new(RuleBook::builtin().expect("built in")), Selection::Auto, &Adjustments::default());
        assert!(plan.joins_clients_by_issuer && plan.only_names_documents);
        let files = ["a/1", "a/2", "b/1", "b/2", "c/1", "d/1"];
        for told in [true, false] {
            let mut facts = Facts::default();
            if told {
                files.iter().for_each(|path| facts.expect(path));
            }
            for (path, kind) in [
                ("a/1", TargetKind::Client),
                ("b/1", TargetKind::Client),
                ("a/2", TargetKind::Client),
                ("b/2", TargetKind::Issuer),
                ("c/1", TargetKind::Service),
                ("d/1", TargetKind::Client),
            ] {
                facts.take(&plan, vec![fact(TargetKind::Document, path), fact(kind, path)]);
                if path == "d/1" && told {
                    facts.done_but_for_clients(path);
                    assert!(facts.folders["d"].clients.is_empty(), "dropped before the file ends");
                }
                if told {
                    facts.done(path);
                }
            }
            assert!(!told || facts.folders.values().all(|folder| folder.clients.is_empty()));
            let left = facts.finish();
            let of = |kind: TargetKind| -> Vec<&str> {
                left.iter().filter(|fact| fact.kind == kind).map(|fact| fact.path.as_str()).collect()
            };
            assert_eq!(of(TargetKind::Client), ["b/1"], "the others have no issuer");
            assert_eq!(of(TargetKind::Document), ["a/1", "b/1", "a/2", "b/2", "c/1", "d/1"]);
            let order: Vec<TargetKind> = left.iter().map(|fact| fact.kind).take(3).collect();
            assert_eq!(order, [TargetKind::Client, TargetKind::Issuer, TargetKind::Service], "as they came");
        }
    }

    #[test]
    fn without_services_nobody_asks_which_files_there_are() {
        let book = Arc::new(RuleBook::builtin().expect("built in"));
        let plan = Plan::new(book, Selection::Auto, &Adjustments::default());
        let mut facts = Facts::default();
        facts.take(&plan, vec![fact(TargetKind::Document, "a/1"), fact(TargetKind::Client, "a/1")]);
        assert!(facts.finish().is_empty());
    }
}
