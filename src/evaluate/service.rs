//! Which files make one service, and what only a whole service or the whole run can tell of it.

use super::audience;
use super::fact::{Fact, Kept, field_of, folder};
use crate::model::{Field, PRODUCTS, State, TargetKind, scope, url};
use crate::profile::Registry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Base paths times restricted paths that are looked at for one issuer.
const MAX_AREAS: usize = 200;

/// What tells the service of a target, apart from the path of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Home {
    /// The entry of the policy's `services` that names the file.
    pub declared: Option<usize>,
    /// The software, under the name that its relatives share.
    pub product: &'static str,
}

impl Home {
    /// The home of a target of this product; `None` for software that is not known.
    pub fn new(product: &str, declared: Option<usize>) -> Option<Self> {
        let known = PRODUCTS.iter().find(|known| **known == product)?;
        // These read the same files, or name each other's.
        let product = match *known {
            "eos" => "xrootd",
            "htcondor-ce" => "htcondor",
            own => own,
        };
        Some(Home { declared, product })
    }
}

/// Numbers the services of the run, and tells services and trusts what only the run can tell of them.
pub(super) fn settle(facts: &mut Vec<Fact>, registry: &Registry) {
    number(facts);
    audience::settle(facts);
    let missing: Vec<(usize, Kept)> = {
        let inputs = Inputs::new(facts);
        facts.iter().enumerate().filter_map(|(at, fact)| Some((at, inputs.missing(fact)?))).collect()
    };
    for (at, kept) in missing {
        facts[at].fields.push(kept);
    }
    for fact in facts.iter_mut().filter(|fact| fact.kind == TargetKind::Trust) {
        let told = [("areas", areas(fact)), ("vo", vo(fact, registry)), ("issuer_class", class(fact, registry))];
        for (name, field) in told {
            if let (Some(index), false) = (field_of(fact.kind, name), field.is_absent()) {
                fact.fields.push(Kept::derived(index, field));
            }
        }
    }
}

/// What makes files one service; the path where a file stands alone.
type Key<'f> = (Home, &'f str, Option<&'f str>);

fn number(facts: &mut [Fact]) {
    let mut wholes: BTreeMap<(Home, &str, &str), BTreeSet<&str>> = BTreeMap::new();
    for fact in facts.iter().filter(|fact| fact.kind == TargetKind::Service) {
        let Some(home) = fact.home.filter(|_| !is_drop_in(folder(&fact.path))) else { continue };
        let of_kind = wholes.entry((home, place(&home, &fact.path), fact.document)).or_default();
        of_kind.insert(&fact.path);
    }
    let mut numbers: HashMap<Key<'_>, usize> = HashMap::new();
    let services: Vec<Option<usize>> = facts
        .iter()
        .map(|fact| {
            let home = fact.home?;
            let place = place(&home, &fact.path);
            // Two files of this kind describe two services.
            let several = wholes.get(&(home, place, fact.document)).is_some_and(|paths| paths.len() > 1);
            let alone = several && !is_drop_in(folder(&fact.path));
            let next = numbers.len();
            Some(*numbers.entry((home, place, alone.then_some(fact.path.as_str()))).or_insert(next))
        })
        .collect();
    facts.iter_mut().zip(services).for_each(|(fact, service)| fact.service = service);
}

/// The folder that stands for the whole service; what the policy declares needs none.
fn place<'p>(home: &Home, path: &'p str) -> &'p str {
    if home.declared.is_some() { "" } else { trunk(path) }
}

/// The folder of a file, without folders that hold parts of a configuration.
fn trunk(path: &str) -> &str {
    let mut at = folder(path);
    while is_drop_in(at) || is_named(at, "config") {
        at = folder(at);
    }
    at
}

/// Do the files in a folder each hold a part of one configuration?
fn is_drop_in(folder: &str) -> bool {
    folder.ends_with(".d") || is_named(folder, "layouts")
}

fn is_named(folder: &str, name: &str) -> bool {
    base(folder) == name
}

fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// The files of the run.
struct Inputs<'f> {
    all: BTreeSet<&'f str>,
    /// Folders of files (and files) by their own name.
    by_name: HashMap<&'f str, Vec<&'f str>>,
    /// Files by service.
    trees: HashMap<usize, BTreeSet<&'f str>>,
}

impl<'f> Inputs<'f> {
    fn new(facts: &'f [Fact]) -> Self {
        let documents = facts.iter().filter(|fact| fact.kind == TargetKind::Document);
        let all: BTreeSet<&str> = documents.map(|fact| fact.path.as_str()).collect();
        let mut by_name: HashMap<&str, Vec<&str>> = HashMap::new();
        let folders: BTreeSet<&str> = all.iter().map(|path| folder(path)).collect();
        for path in all.iter().chain(&folders) {
            by_name.entry(base(path)).or_default().push(path);
        }
        let mut trees: HashMap<usize, BTreeSet<&str>> = HashMap::new();
        for fact in facts {
            if let Some(service) = fact.service {
                trees.entry(service).or_default().insert(&fact.path);
            }
        }
        Inputs { all, by_name, trees }
    }

    /// The files that a service's configuration names and the run does not hold. Absent for a configuration of which the
    /// run has one file only: that somebody checks a single file is no mistake.
    fn missing(&self, fact: &Fact) -> Option<Kept> {
        let files = field_of(TargetKind::Service, "files").filter(|_| fact.kind == TargetKind::Service)?;
        let missing = field_of(TargetKind::Service, "missing_files")?;
        let named = fact.known(files).items();
        let here = |named: &Field<'_>| named.as_text().is_none_or(|named| self.holds(named, &fact.path));
        let gone: Vec<Field<'static>> = named.iter().filter(|named| !here(named)).cloned().collect();
        let beside = fact.service.and_then(|service| self.trees.get(&service)).map_or(0, BTreeSet::len) > 1;
        (!named.is_empty() && (beside || gone.len() < named.len()))
            .then(|| Kept::derived(missing, Field::list(gone, None)))
    }

    /// Does the run hold a file (or files of a folder) that the configuration at `from` names?
    fn holds(&self, named: &str, from: &str) -> bool {
        let plain = named.trim_end_matches('/');
        if plain.is_empty() || plain.contains(['*', '?', '$', '%']) {
            return true;
        }
        if let Some(expected) = beside(plain, from)
            && self.has(&expected)
        {
            return true;
        }
        // Copies of a service's files often lie flat in one folder.
        let trunk = trunk(from);
        let below =
            |path: &&&str| trunk.is_empty() || path.strip_prefix(trunk).is_some_and(|rest| rest.starts_with('/'));
        self.by_name.get(base(plain)).is_some_and(|paths| paths.iter().any(|path| below(&path)))
    }

    fn has(&self, path: &str) -> bool {
        let below = format!("{path}/");
        self.all.contains(path) || self.all.range(below.as_str()..).next().is_some_and(|next| next.starts_with(&below))
    }
}

/// Where a named file lies when `from` lies in a copy of the machine's tree: `se1/etc/x/map` for `/etc/x/map` named in
/// `se1/etc/x.cfg`.
fn beside(named: &str, from: &str) -> Option<String> {
    let Some(rest) = named.strip_prefix('/') else {
        let here = folder(from);
        let named = named.strip_prefix("./").unwrap_or(named);
        return Some(if here.is_empty() { named.to_string() } else { format!("{here}/{named}") });
    };
    if from.starts_with('/') {
        return Some(named.to_string());
    }
    let top = rest.split('/').next()?;
    let folders: Vec<&str> = folder(from).split('/').collect();
    let root = folders.iter().rposition(|folder| *folder == top)?;
    let root: Vec<&str> = folders[..root].to_vec();
    Some(root.into_iter().chain([rest]).collect::<Vec<_>>().join("/"))
}

/// What the tokens of an issuer can reach: every base path with every restricted path below it.
fn areas(fact: &Fact) -> Field<'static> {
    let (bases, restricted) = (fact.named("base_paths"), fact.named("restricted_paths"));
    for field in [bases, restricted] {
        match &field.state {
            State::Unknown(_) | State::Malformed(_) => return field.clone(),
            State::Absent | State::Unlimited | State::Value(_) => {}
        }
    }
    let texts = |field: &'_ Field<'static>| -> Vec<String> {
        field.items().iter().filter_map(|item| item.as_text().map(str::to_string)).collect()
    };
    let (bases, restricted) = (texts(bases), texts(restricted));
    if bases.is_empty() {
        return Field::default();
    }
    let restricted = if restricted.is_empty() { vec![String::new()] } else { restricted };
    if bases.len() * restricted.len() > MAX_AREAS {
        return Field::unknown(format!("more than {MAX_AREAS} base and restricted paths together"), None);
    }
    let area = |base: &String, inner: &String| Field::text(scope::normal_path(&format!("{base}/{inner}")), None);
    Field::list(bases.iter().flat_map(|base| restricted.iter().map(move |inner| area(base, inner))).collect(), None)
}

/// The VO of an issuer by the registry; of an issuer that it does not know, the issuer itself.
fn vo(fact: &Fact, registry: &Registry) -> Field<'static> {
    let field = fact.named("issuer");
    let Some(issuer) = field.as_text() else { return field.clone() };
    let known = registry.find(issuer).and_then(|known| known.vo.clone());
    Field::text(known.unwrap_or_else(|| url::comparable(issuer)), None)
}

fn class(fact: &Fact, registry: &Registry) -> Field<'static> {
    let field = fact.named("issuer");
    let known = field.as_text().and_then(|issuer| registry.find(issuer));
    known.map_or_else(Field::default, |known| Field::text(known.class.name(), None))
}
