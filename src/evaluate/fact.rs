//! What targets leave behind for the rules that span documents.

use super::ProfileSet;
use super::service::Home;
use crate::model::{Field, Record, Spot, TargetKind};
use crate::source::{Position, Region};
use smol_str::SmolStr;

/// What a target leaves behind for the rules that join: the fields they read, and where those stand.
#[derive(Clone, Debug)]
pub struct Fact {
    /// Kind of the target.
    pub kind: TargetKind,
    /// What users call it.
    pub name: SmolStr,
    /// Its identity across runs; may be empty.
    pub identity: SmolStr,
    /// The file it came from.
    pub path: SmolStr,
    /// What a fingerprint tells it by: its identity, or where it stands.
    pub anchor: SmolStr,
    /// Native kind of the document (`jwks`).
    pub document: &'static str,
    /// True for keys the user gave to verify tokens with: they are nobody's target.
    pub given: bool,
    /// The policy's workflow it was judged as.
    pub workflow: Option<SmolStr>,
    /// Where the target stands.
    pub spot: Spot,
    /// Profiles that apply to it, by index into the rule book.
    pub profiles: ProfileSet,
    /// What tells its service, for services, trusts and mappings.
    pub home: Option<Home>,
    /// Its service, by number; `None` before [`super::link`] and for what belongs to no service.
    pub service: Option<usize>,
    /// Kept fields.
    pub fields: Vec<Kept>,
    /// What verification needs of it; tokens are taken away when that is done.
    #[cfg(feature = "verify")]
    pub proof: Option<crate::verify::Proof>,
}

/// A field that a fact keeps.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Its index among the fields of the kind.
    pub index: usize,
    /// The field; places in it mean nothing any more.
    pub field: Field<'static>,
    /// Where it stands, when a finding may show it.
    pub spot: Option<Spot>,
    /// Where the elements of a list stand, when they are judged one by one; else empty.
    pub items: Vec<Option<Spot>>,
}

impl Kept {
    /// A field that stands nowhere.
    pub fn derived(index: usize, field: Field<'static>) -> Self {
        Kept { index, field, spot: None, items: vec![] }
    }
}

impl Record<'static> for Fact {
    fn field(&self, index: usize) -> &Field<'static> {
        self.kept(index).map_or(Field::absent(), |kept| &kept.field)
    }
}

impl Fact {
    /// That the run holds a file.
    pub fn of_file(path: &str) -> Self {
        let region = Region::new(Position { line: 1, column: 1 }, Position { line: 1, column: 1 }, 0, 0);
        Fact {
            kind: TargetKind::Document,
            name: SmolStr::default(),
            identity: SmolStr::default(),
            path: path.into(),
            anchor: SmolStr::default(),
            document: "",
            given: false,
            workflow: None,
            spot: Spot { region, last_line: 1, pointer: SmolStr::default(), inner_pointer: None },
            profiles: ProfileSet::default(),
            home: None,
            service: None,
            fields: vec![],
            #[cfg(feature = "verify")]
            proof: None,
        }
    }

    /// A kept field; absent when it was not kept.
    pub fn known(&self, index: usize) -> &Field<'static> {
        self.field(index)
    }

    /// A field by its name; absent when it was not kept.
    pub(crate) fn named(&self, name: &str) -> &Field<'static> {
        field_of(self.kind, name).map_or(Field::absent(), |index| self.field(index))
    }

    pub(crate) fn kept(&self, index: usize) -> Option<&Kept> {
        self.fields.iter().find(|kept| kept.index == index)
    }

    /// Puts a field in the place of what was kept; an absent one changes nothing.
    pub(super) fn put(&mut self, index: usize, field: Field<'static>) {
        if !field.is_absent() {
            self.fields.retain(|kept| kept.index != index);
            self.fields.push(Kept::derived(index, field));
        }
    }

    pub(super) fn spot_of(&self, index: usize) -> Option<&Spot> {
        self.kept(index).and_then(|kept| kept.spot.as_ref())
    }
}

pub(super) fn field_of(kind: TargetKind, name: &str) -> Option<usize> {
    kind.fields().iter().position(|spec| spec.name == name)
}

/// The folder of a path; empty for a file in the current one.
pub(super) fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}
