//! Verdicts that are known already. What a rule says of a target follows from the fields it reads, and those repeat:
//! tokens of one issuer, clients of one template. Rules that read the same fields are looked up together.
//!
//! This is a shortcut and never an answer of its own: what is remembered is what was judged for the same plan, clock,
//! profiles and contents of those fields. Places are not remembered, but the fields that have them.

use super::plan::{Plan, Reads};
use super::target::{Judgement, Said};
use crate::keyed::{ByHash, Keyed};
use crate::model::{At, Field, Record, State, Value};
use siphasher::sip128::SipHasher13;
use std::cell::RefCell;
use std::hash::{Hash as _, Hasher as _};

/// Answers that are remembered; when there are more, all are forgotten.
const MOST: usize = 1 << 12;
/// Plans whose answers are remembered at a time: one, and those of the overrides in force beside it.
const PLANS: usize = 4;
/// Judgements of one rule on one target that are remembered; what says more is judged again.
const LOUDEST: usize = 8;
/// Elements of the fields of a group among which places are looked for.
const LONGEST: usize = 64;
/// Questions after which a group shows whether remembering its answers helps.
const TRIALS: u32 = 64;

/// Contents of some fields, profiles and the rules that read them, as a number that nobody outside can aim at.
type Key = u128;

/// What some rules say.
#[derive(Debug)]
pub(super) struct Answer {
    /// Judgements of all but the following rules that found nothing wrong.
    pub(super) passed: u64,
    /// Rules with something to say, by their index in the group.
    pub(super) speaking: Box<[Speaking]>,
}

/// A rule with something to say.
#[derive(Debug)]
pub(super) struct Speaking {
    pub(super) entry: usize,
    /// Its judgements that found nothing wrong.
    pub(super) passed: u64,
    /// What it says; `None` when it has to be judged again to know that.
    said: Option<Box<[Remembered]>>,
}

/// A judgement without its places, and the fields that have them: for each place all that have the same.
#[derive(Debug)]
struct Remembered {
    said: Said,
    places: Box<[Box<[Origin]>]>,
}

/// A field that was read, or one of its elements.
#[derive(Debug, Clone, Copy)]
struct Origin {
    field: usize,
    item: Option<usize>,
}

impl Origin {
    fn place(self, record: &dyn Record<'_>) -> Option<At> {
        let field = record.field(self.field);
        match self.item {
            Some(item) => field.items().get(item)?.at,
            None => field.at,
        }
    }
}

/// What one thread remembers of one plan at one time.
#[derive(Debug)]
pub(super) struct Memory {
    plan: u64,
    now: i64,
    keyed: Keyed,
    known: ByHash<Answer>,
    /// By target kind and group.
    trials: Vec<Vec<Trial>>,
    /// Room for [`Contents`].
    parts: Vec<[Key; 3]>,
}

/// How often a group was asked, how often the answer was known, and its part of the keys.
#[derive(Debug, Clone, Copy)]
struct Trial {
    asked: u32,
    known: u32,
    key: Key,
}

/// What is looked at of a field.
#[derive(Debug, Clone, Copy)]
enum Aspect {
    Contents,
    State,
    /// Whether it has a place.
    Place,
}

/// Works with what this thread remembers of a plan.
pub(super) fn with<T>(plan: &Plan, now: i64, work: impl FnOnce(&mut Memory) -> T) -> T {
    thread_local! {
        static MEMORIES: RefCell<Vec<Memory>> = const { RefCell::new(Vec::new()) };
    }
    let new = || Memory::new(plan.number, now);
    MEMORIES.with(|all| match all.try_borrow_mut() {
        Ok(mut all) => {
            match all.iter().position(|memory| memory.plan == plan.number && memory.now == now) {
                Some(index) => all[..=index].rotate_right(1),
                None => {
                    all.truncate(PLANS - 1);
                    all.insert(0, new());
                }
            }
            work(&mut all[0])
        }
        // Whoever judges within another judgement has one of its own.
        Err(_) => work(&mut new()),
    })
}

impl Memory {
    fn new(plan: u64, now: i64) -> Self {
        Memory { plan, now, keyed: Keyed::new(), known: ByHash::default(), trials: Vec::new(), parts: Vec::new() }
    }

    /// The part of a group in its keys; `None` when its answers are not worth asking for, since they did not repeat so far.
    pub(super) fn asks(&mut self, kind: usize, group: usize) -> Option<Key> {
        if self.trials.len() <= kind {
            self.trials.resize_with(kind + 1, Vec::new);
        }
        while self.trials[kind].len() <= group {
            let number = self.trials[kind].len();
            let key = self.keyed.hash(|hasher| hasher.write_usize(number));
            self.trials[kind].push(Trial { asked: 0, known: 0, key });
        }
        let trial = &mut self.trials[kind][group];
        // Whoever passed stays: what comes later is rarely of another kind.
        let helps = trial.asked < TRIALS || trial.known >= trial.asked / 2;
        trial.asked += u32::from(trial.asked < TRIALS);
        helps.then_some(trial.key)
    }

    /// What a group says to these contents.
    pub(super) fn answer(&mut self, kind: usize, group: usize, key: Key) -> Option<&Answer> {
        let answer = self.known.get(&key)?;
        let trial = &mut self.trials[kind][group];
        trial.known += u32::from(trial.known < TRIALS);
        Some(answer)
    }

    pub(super) fn remember(&mut self, key: Key, answer: Answer) {
        if self.known.len() >= MOST {
            self.known.clear();
        }
        self.known.insert(key, answer);
    }
}

/// Contents of a target's fields, hashed when first asked for.
pub(super) struct Contents<'c, 'd> {
    record: &'c dyn Record<'d>,
    /// The target's kind and profiles.
    common: Key,
    /// By field and aspect, where they are known; the rest is of other targets.
    parts: Vec<[Key; 3]>,
    /// The fields whose part is known, by aspect.
    known: [u128; 3],
}

impl<'c, 'd> Contents<'c, 'd> {
    pub(super) fn new(
        memory: &mut Memory,
        record: &'c dyn Record<'d>,
        fields: usize,
        kind: usize,
        profiles: u64,
    ) -> Self {
        let common = memory.keyed.hash(|hasher| {
            hasher.write_usize(kind);
            hasher.write_u64(profiles);
        });
        let mut parts = std::mem::take(&mut memory.parts);
        parts.resize(fields.max(parts.len()), [0; 3]);
        Contents { record, common, parts, known: [0; 3] }
    }

    /// The key for a group of rules that reads these fields; `group` is the group's part.
    pub(super) fn key(&mut self, memory: &Memory, group: Key, reads: Reads) -> Key {
        // Every part is hashed with what it is, so that parts may simply be put over each other.
        let mut key = self.common ^ group;
        for (aspect, bits) in
            [(Aspect::Contents, reads.contents), (Aspect::State, reads.states), (Aspect::Place, reads.places)]
        {
            for index in fields(bits & !self.known[aspect as usize]) {
                let part = memory.keyed.hash(|hasher| write(aspect, index, self.record.field(index), hasher));
                self.parts[index][aspect as usize] = part;
            }
            self.known[aspect as usize] |= bits;
            key = fields(bits).fold(key, |key, index| key ^ self.parts[index][aspect as usize]);
        }
        key
    }

    /// Leaves the room for the next target.
    pub(super) fn done(self, memory: &mut Memory) {
        memory.parts = self.parts;
    }
}

impl Speaking {
    /// Keeps what a rule said of a record, if it follows from what its group reads.
    pub(super) fn new(entry: usize, passed: u64, said: &[Said], reads: Option<Reads>, record: &dyn Record<'_>) -> Self {
        let reads = reads.filter(|_| said.len() <= LOUDEST);
        let said = reads.and_then(|reads| said.iter().map(|said| Remembered::new(said, reads, record)).collect());
        Speaking { entry, passed, said }
    }

    /// Says the same of a record with the same contents and gives the number of judgements that found nothing wrong;
    /// `None` when it has to be judged again.
    pub(super) fn say(&self, record: &dyn Record<'_>, out: &mut Vec<Said>) -> Option<u64> {
        let before = out.len();
        for remembered in self.said.as_deref()? {
            match remembered.on(record) {
                Some(said) => out.push(said),
                None => {
                    out.truncate(before);
                    return None;
                }
            }
        }
        Some(self.passed)
    }
}

impl Remembered {
    /// `None` when it is not certain where its places come from.
    fn new(said: &Said, reads: Reads, record: &dyn Record<'_>) -> Option<Self> {
        let mut said = said.clone();
        let places = match &mut said.judgement {
            Judgement::Fail { at, .. } => std::mem::take(at),
            Judgement::Pass | Judgement::NotApplicable | Judgement::NotJudged { .. } | Judgement::Error(_) => vec![],
        };
        let places = places.into_iter().map(|at| origins(at, reads, record)).collect::<Option<_>>()?;
        Some(Remembered { said, places })
    }

    /// The same of a record with the same contents; `None` when its places are arranged otherwise.
    fn on(&self, record: &dyn Record<'_>) -> Option<Said> {
        let place = |origins: &[Origin]| {
            let place = origins[0].place(record)?;
            origins[1..].iter().all(|other| other.place(record) == Some(place)).then_some(place)
        };
        let places = self.places.iter().map(|origins| place(origins)).collect::<Option<Vec<At>>>()?;
        let mut said = self.said.clone();
        if let Judgement::Fail { at, .. } = &mut said.judgement {
            *at = places;
        }
        Some(said)
    }
}

/// All that have this place among the fields that were read.
fn origins(at: At, reads: Reads, record: &dyn Record<'_>) -> Option<Box<[Origin]>> {
    let mut found = Vec::new();
    for field in fields(reads.contents | reads.states | reads.places) {
        let items = record.field(field).items();
        if items.len() > LONGEST {
            return None;
        }
        let all = std::iter::once(None).chain((0..items.len()).map(Some)).map(|item| Origin { field, item });
        found.extend(all.filter(|origin| origin.place(record) == Some(at)));
    }
    (!found.is_empty()).then(|| found.into())
}

/// The indexes of fields that are given as bits.
fn fields(bits: u128) -> impl Iterator<Item = usize> {
    // In halves, since hardly any kind has fields beyond the first.
    let (mut low, mut high) = (bits as u64, (bits >> 64) as u64);
    std::iter::from_fn(move || {
        let (half, first) = if low != 0 { (&mut low, 0) } else { (&mut high, 64) };
        let index = (*half != 0).then(|| first + half.trailing_zeros() as usize);
        *half &= half.wrapping_sub(1);
        index
    })
}

fn write(aspect: Aspect, index: usize, field: &Field<'_>, hasher: &mut SipHasher13) {
    hasher.write_u16((index as u16) << 2 | aspect as u16);
    match aspect {
        Aspect::Contents => write_contents(field, hasher),
        Aspect::State => {
            (std::mem::discriminant(&field.state), field.at.is_some()).hash(hasher);
            // What is not known is said with its reason.
            if let State::Unknown(why) | State::Malformed(why) = &field.state {
                why.hash(hasher);
            }
        }
        Aspect::Place => field.at.is_some().hash(hasher),
    }
}

/// What is there, and whether it has a place: what has none cannot be pointed at.
fn write_contents(field: &Field<'_>, hasher: &mut SipHasher13) {
    field.at.is_some().hash(hasher);
    match &field.state {
        State::Absent => hasher.write_u8(0),
        State::Unknown(why) => (1u8, why).hash(hasher),
        State::Malformed(why) => (2u8, why).hash(hasher),
        State::Unlimited => hasher.write_u8(3),
        State::Value(Value::Text(text)) => (4u8, text).hash(hasher),
        State::Value(Value::Int(number)) => (5u8, number).hash(hasher),
        State::Value(Value::Bool(value)) => (6u8, value).hash(hasher),
        State::Value(Value::List(items)) => {
            (7u8, items.len()).hash(hasher);
            items.iter().for_each(|item| write_contents(item, hasher));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::{Outcome, check};
    use crate::evaluate::{Adjustments, Plan, Selection};
    use crate::rule::RuleBook;
    use crate::source::Source;
    use crate::trial;
    use std::sync::Arc;

    /// Clients that differ in a few members, in what order these stand, and in whether they have a place at all.
    fn clients() -> Vec<String> {
        let scopes = ["openid", "openid offline_access storage.modify:/", "storage.read:/a storage.read:/a/b"];
        let grants = [r#"["implicit"]"#, r#"["client_credentials", "password"]"#];
        let urls = ["http://h.example.org/a", "https://h.example.org/*", "https://h.example.org/b"];
        let lifetimes =
            [r#""access_token_validity_seconds": 9000000,"#, r#""access_token_validity_seconds": 3600,"#, ""];
        let mut clients = Vec::new();
        for (at, scope) in scopes.iter().enumerate() {
            for grant in grants {
                for url in urls {
                    for lifetime in lifetimes {
                        let id = format!("c{}", clients.len());
                        let (before, behind) = if at == 1 { (lifetime, "") } else { ("", lifetime) };
                        clients.push(format!(
                            r#"{{{before} "client_id": "{id}", "redirect_uris": ["{url}", "http://{id}.example.org/"],
                            "grant_types": {grant}, {behind} "scope": "{scope}", "active": true,
                            "reuse_refresh_token": true, "token_endpoint_auth_method": "none"}}"#
                        ));
                    }
                }
            }
        }
        clients
    }

    /// What the examples of the rules are judged on.
    fn examples(book: &RuleBook) -> Vec<String> {
        let all = book.rules.iter().flat_map(|rule| rule.examples());
        let documents = all.filter_map(|example| trial::expectation(example).ok());
        documents.map(|(_, document)| trial::document_text(document)).collect()
    }

    #[test]
    fn what_is_remembered_says_what_judging_says() {
        let book = Arc::new(RuleBook::builtin().expect("built in"));
        let plan = || Plan::new(Arc::clone(&book), Selection::Auto, &Adjustments::default());
        let texts = clients().into_iter().chain(examples(&book));
        let sources: Vec<Arc<Source>> = texts.map(|text| Arc::new(Source::from_text("example", text))).collect();
        // Plans that follow each other have memories of their own.
        let anew: Vec<Outcome> = sources.iter().map(|source| check(&plan(), source, 0)).collect();
        assert!(anew.iter().map(|outcome| outcome.findings.len()).sum::<usize>() > 1000, "there is something to say");
        let plan = plan();
        // Nothing is remembered that did not come back.
        for _ in 0..3 {
            for (source, anew) in sources.iter().zip(&anew) {
                let again = check(&plan, source, 0);
                assert_eq!(again.findings, anew.findings, "{}", source.text());
                assert_eq!((again.passed, &again.not_judged), (anew.passed, &anew.not_judged), "{}", source.text());
            }
        }
    }
}
