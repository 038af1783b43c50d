//! What a shard of a scan found: its share of the inputs, and every distinct token in it with its places and with what
//! findings need of it.

use super::Trouble;
use super::finding::Carried;
use crate::evaluate::Plan;
use crate::hex::{self, hex};
use crate::rule::RuleBook;
use crate::scan::find::{Finder, Form, State};
use crate::scan::fingerprint::Fingerprints;
use crate::scan::judge::{Evidence, Expiry, Judge};
use crate::scan::member;
use crate::scan::sketch::Sketch;
use crate::scan::stream::{Extent, Place as Found, Scanner};
use crate::scan::tally::{self, CARRIERS, Kept, Kinds, Limits, PLACES, Seen, Shared, Standing, Tally};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

/// What a shard found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Work {
    /// The inputs of which it read something, in order.
    pub inputs: Vec<Input>,
    /// Texts that tokens stand in; tokens name them by their place in this list, from 0.
    pub texts: Vec<String>,
    /// Distinct tokens, those that matter most first.
    pub tokens: Vec<Token>,
    /// How many tokens stand in what it read.
    pub found: u64,
    /// Where there were more distinct tokens than are told apart: the first that was dropped, and all that matter less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<(Standing, String)>,
    /// The smallest hashes of tokens, of identifiers (`iss` and `jti`) and of subjects (`iss` and `sub`), from which their
    /// numbers are estimated.
    pub sketches: [Vec<u64>; 3],
}

/// What was read of one input.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Its place among all inputs of the run, from 0.
    pub index: u64,
    /// Its name in reports.
    pub name: String,
    /// The user named it, as opposed to a folder that it lies in.
    pub named: bool,
    /// What it came to.
    pub scanned: Scanned,
}

/// What one input, or the pieces of it that a shard read, came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scanned {
    /// Tokens in it.
    pub found: u64,
    /// Why it could not be read at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Gap>,
    /// What could not be read of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
    /// Files and their bytes, and bytes of lines in other files, that are older than was asked for.
    #[serde(default)]
    pub left_out: LeftOut,
    /// The input as a whole was left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub whole: bool,
    /// The pieces that were read of it, in order; empty when it was read as a whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pieces: Vec<Piece>,
}

/// What `--since` left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// Files.
    pub files: u64,
    /// Bytes of those files as they lie there.
    pub bytes_of_files: u64,
    /// Bytes of lines in other files.
    pub bytes_of_lines: u64,
}

impl LeftOut {
    /// Adds what was left out elsewhere.
    pub fn add(&mut self, other: &LeftOut) {
        self.files = self.files.saturating_add(other.files);
        self.bytes_of_files = self.bytes_of_files.saturating_add(other.bytes_of_files);
        self.bytes_of_lines = self.bytes_of_lines.saturating_add(other.bytes_of_lines);
    }
}

/// Something that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// The input or text.
    pub name: String,
    /// What is wrong and what to do.
    pub message: String,
    /// It could be read, but is of a kind that is not opened.
    pub foreign: bool,
}

/// One piece of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Piece {
    /// Offset of its first byte, which begins a line.
    pub start: u64,
    /// Offset of the first byte behind it.
    pub end: u64,
    /// Line breaks in it.
    pub lines: u64,
    /// Length of the file in bytes when it was read.
    pub length: u64,
}

/// One distinct token. Its signature, and whatever else makes it usable, is not here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// What tells it from others: SHA-256 of the token, or HMAC-SHA-256 with a key of the user's, in hexadecimal digits.
    pub id: String,
    /// What it is.
    pub form: Form,
    /// How much of it there is.
    pub state: State,
    /// How much it matters.
    pub standing: Standing,
    /// The name before it at its first place; empty when there is none.
    pub carrier: String,
    /// How often it was found.
    pub count: u64,
    /// In how many texts that were read as a whole.
    pub files: u64,
    /// The texts of which pieces were read that it stands in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cut_files: Vec<u64>,
    /// Bytes that it takes in memory, about.
    pub weight: u64,
    /// Places, the first one before all: text, offset, length, line (counted from 1 within a piece), characters before it in that line, line
    /// and character of its end.
    pub places: Vec<(u64, u64, u32, u32, u32, u32, u32)>,
    /// What findings need of it.
    pub said: Said,
}

/// What findings need of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// What it is for.
    pub purpose: Cow<'static, str>,
    /// `iss`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<Cow<'static, str>>,
    /// `jti`, unless that is what makes it usable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<Cow<'static, str>>,
    /// `client_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<Cow<'static, str>>,
    /// Scopes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<Cow<'static, str>>,
    /// When it expires.
    pub expiry: Expiry,
    /// When it begins to be valid, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begin: Option<i64>,
    /// Whether its signature is valid; absent when no key at hand could tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<bool>,
    /// What is wrong with its claims.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<Carried>,
}

impl Said {
    fn of(evidence: Evidence<'static>) -> Self {
        let Evidence { claims, purpose, issuer, jti, client_id, scopes, expiry, begin, signature } = evidence;
        let claims = claims.into_iter().map(Carried::anywhere).collect();
        Said { purpose, issuer, jti, client_id, scopes, expiry, begin, signature, claims }
    }

    fn evidence(self, book: &RuleBook) -> Option<Evidence<'static>> {
        let Said { purpose, issuer, jti, client_id, scopes, expiry, begin, signature, claims } = self;
        let claims = claims.into_iter().map(|carried| carried.finding(book)).collect::<Option<_>>()?;
        Some(Evidence { claims, purpose, issuer, jti, client_id, scopes, expiry, begin, signature })
    }
}

impl Work {
    /// What a tally holds. `plan_for` tells the plan for a text, by its name.
    pub fn new(inputs: Vec<Input>, tally: Tally, judge: &Judge<'_>, plan_for: &dyn Fn(&str) -> Arc<Plan>) -> Self {
        let Shared { tokens, bound, found, kinds } = tally.into_shared();
        let places = tokens.iter().flat_map(|seen| seen.places.iter().map(|place| &place.path));
        let texts: BTreeSet<&Arc<str>> = places.chain(tokens.iter().flat_map(|seen| &seen.stretches)).collect();
        let numbers: BTreeMap<Arc<str>, u64> = texts.into_iter().cloned().zip(0..).collect();
        let texts = numbers.keys().map(|text| text.to_string()).collect();
        let token = |seen: Kept| {
            let plan = plan_for(seen.places.first().map_or("", |place| &*place.path));
            let evidence = seen.evidence.clone().map_or_else(|| judge.evidence(&plan, &seen), |known| *known);
            Token::new(*seen, evidence, &numbers)
        };
        let tokens = tokens.into_iter().map(token).collect();
        let hashes = |sketch: &Sketch| sketch.hashes().collect();
        Work {
            inputs,
            texts,
            tokens,
            found,
            bound: bound.map(|(standing, digest)| (standing, hex(&digest))),
            sketches: [hashes(&kinds.tokens), hashes(&kinds.identifiers), hashes(&kinds.subjects)],
        }
    }

    /// The tally again, and the inputs. An error says that no shard writes such a report.
    pub fn open(self, limits: Limits, book: &RuleBook) -> Result<(Tally, Vec<Input>), Trouble> {
        let corrupt = |what: &str| Trouble::Corrupt(what.into());
        let texts: Vec<Arc<str>> = self.texts.iter().map(|text| Arc::from(text.as_str())).collect();
        let tokens = self.tokens.into_iter().map(|token| token.seen(&texts, book)).collect::<Option<Vec<_>>>();
        let tokens = tokens.ok_or_else(|| corrupt("a token that is not described as tokens are"))?;
        let mut different = HashSet::new();
        let counted = tokens.iter().fold(0u64, |sum, seen| sum.saturating_add(seen.count));
        if !tokens.iter().all(|seen| different.insert(seen.digest)) || counted > self.found {
            return Err(corrupt("its counts do not fit"));
        }
        let bound = self.bound.map(|(standing, id)| Some((standing, hex::bytes(id.as_bytes())?)));
        let bound = bound.map(|known| known.ok_or_else(|| corrupt("a bound that is no hash"))).transpose()?;
        let [of_tokens, identifiers, subjects] = self.sketches.map(Sketch::of);
        let kinds = Kinds { tokens: of_tokens, identifiers, subjects };
        let tally = Tally::of_shared(limits, Shared { tokens, bound, found: self.found, kinds });
        Ok((tally, self.inputs))
    }
}

impl Token {
    fn new(seen: Seen, evidence: Evidence<'static>, numbers: &BTreeMap<Arc<str>, u64>) -> Self {
        let number = |text: &Arc<str>| numbers.get(text).copied().unwrap_or(0);
        let place = |place: &tally::Place| {
            let tally::Place { path, offset, length, line, column, end } = place;
            (number(path), *offset, *length, *line, *column, end.0, end.1)
        };
        Token {
            id: hex(&seen.digest),
            form: seen.form,
            state: seen.state,
            standing: seen.standing,
            carrier: seen.carrier.to_string(),
            count: seen.count,
            files: seen.files,
            cut_files: seen.stretches.iter().map(number).collect(),
            weight: seen.weight as u64,
            places: seen.places.iter().map(place).collect(),
            said: Said::of(evidence),
        }
    }

    fn seen(self, texts: &[Arc<str>], book: &RuleBook) -> Option<Kept> {
        let text = |number: u64| texts.get(usize::try_from(number).ok()?).cloned();
        let places = self.places.into_iter().map(|(path, offset, length, line, column, end_line, end_column)| {
            Some(tally::Place { path: text(path)?, offset, length, line, column, end: (end_line, end_column) })
        });
        let places = places.collect::<Option<Vec<_>>>()?;
        if places.is_empty() || places.len() > PLACES || !places.is_sorted() {
            return None;
        }
        let carrier = match self.carrier.as_str() {
            "" => "",
            name => CARRIERS.into_iter().find(|known| *known == name)?,
        };
        Some(Kept::new(Seen {
            form: self.form,
            state: self.state,
            carrier,
            places,
            count: self.count,
            files: self.files,
            stretches: self.cut_files.into_iter().map(text).collect::<Option<_>>()?,
            last_text: 0,
            digest: hex::bytes(self.id.as_bytes())?,
            header: Arc::default(),
            payload: Box::default(),
            signature: 0,
            sealed: None,
            standing: self.standing,
            weight: usize::try_from(self.weight).ok()?,
            evidence: Some(Box::new(self.said.evidence(book)?)),
        }))
    }
}

/// All inputs of a run from what its shards read of them.
#[derive(Debug, Default)]
pub struct Inputs(BTreeMap<u64, Input>);

impl Inputs {
    /// Takes what one shard read.
    pub fn add(&mut self, inputs: Vec<Input>) -> Result<(), Trouble> {
        for mut input in inputs {
            let known = match self.0.entry(input.index) {
                std::collections::btree_map::Entry::Vacant(place) => {
                    place.insert(input);
                    continue;
                }
                std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
            };
            let (ours, theirs) = (&mut known.scanned, &mut input.scanned);
            if known.name != input.name || (ours.pieces.is_empty() && ours.refused.is_none()) {
                return Err(Trouble::Foreign(format!("{} was read by another shard as well", input.name)));
            }
            ours.found = ours.found.saturating_add(theirs.found);
            ours.left_out.add(&theirs.left_out);
            // Each shard that reads a piece meets the same trouble.
            for gap in theirs.gaps.drain(..) {
                if !ours.gaps.contains(&gap) {
                    ours.gaps.push(gap);
                }
            }
            ours.refused = ours.refused.take().or(theirs.refused.take());
            ours.pieces.append(&mut theirs.pieces);
        }
        Ok(())
    }

    /// Those that were read, in order.
    pub fn into_vec(self) -> Vec<Input> {
        self.0.into_values().collect()
    }

    /// All of them, in order, when nothing is missing.
    pub fn complete(mut self, number: u64, listing: &str) -> Result<Vec<Input>, Trouble> {
        let names = super::plan::listing(self.0.values().map(|input| input.name.as_str()));
        if self.0.len() as u64 != number || names != listing {
            return Err(Trouble::Foreign(format!("{} of {number} inputs were read", self.0.len())));
        }
        for input in self.0.values_mut() {
            let scanned = &mut input.scanned;
            if scanned.refused.is_some() {
                continue;
            }
            scanned.pieces.sort();
            let mut at = 0;
            for piece in &scanned.pieces {
                if piece.start != at || piece.end < piece.start {
                    let (from, to) = (at.min(piece.start), at.max(piece.start));
                    return Err(Trouble::Foreign(format!(
                        "{}: the bytes from {from} to {to} were read by no shard or by two: the file changed meanwhile; give \
                         all shards a file that stays as it is",
                        input.name
                    )));
                }
                at = piece.end;
            }
            if scanned.pieces.last().is_some_and(|last| last.end != last.length) {
                return Err(Trouble::Foreign(format!(
                    "{}: no shard read what is behind byte {at}: the file grew meanwhile; give all shards a file that stays \
                     as it is",
                    input.name
                )));
            }
        }
        Ok(self.0.into_values().collect())
    }
}

/// How many lines there are before each piece.
#[derive(Debug, Default)]
pub struct Lines(BTreeMap<String, Vec<(u64, u64)>>);

impl Lines {
    /// Of inputs that are complete.
    pub fn of(inputs: &[Input]) -> Self {
        let cut = inputs.iter().filter(|input| !input.scanned.pieces.is_empty());
        let starts = |input: &Input| {
            let before = input.scanned.pieces.iter().scan(0u64, |lines, piece| {
                let before = *lines;
                *lines = lines.saturating_add(piece.lines);
                Some((piece.start, before))
            });
            (input.name.clone(), before.collect())
        };
        Lines(cut.map(starts).collect())
    }

    /// Lines before the piece that holds an offset; `None` for a text that was read as a whole.
    pub fn before(&self, path: &str, offset: u64) -> Option<u64> {
        let pieces = self.0.get(path)?;
        let at = pieces.partition_point(|(start, _)| *start <= offset);
        pieces.get(at.checked_sub(1)?).map(|(_, lines)| *lines)
    }
}

/// Puts together what the shards of a run found.
#[derive(Debug)]
pub struct Gather {
    limits: Limits,
    tally: Tally,
    inputs: Inputs,
}

impl Gather {
    /// Nothing yet; the limits are those of the shards.
    pub fn new(limits: Limits) -> Self {
        Gather { limits, tally: Tally::new(limits), inputs: Inputs::default() }
    }

    /// Takes what one shard found. No shard may be given twice.
    pub fn add(&mut self, work: Work, book: &RuleBook) -> Result<(), Trouble> {
        let (tally, inputs) = work.open(self.limits, book)?;
        self.inputs.add(inputs)?;
        self.tally.merge(tally);
        Ok(())
    }

    /// All inputs of the run in order, and what was found in them, when nothing is missing.
    pub fn finish(self, terms: &super::Terms) -> Result<(Vec<Input>, Tally), Trouble> {
        Ok((self.inputs.complete(terms.inputs, &terms.listing)?, self.tally))
    }
}

/// Searches the lines that begin in a block of a plain text of `length` bytes, and tells how many tokens are in them; `None`
/// when no line begins there. The tally counts lines from the piece's beginning.
pub fn piece(
    (finder, scanner, tally): (&Finder, &mut Scanner<'_>, &mut Tally),
    name: &str,
    text: &mut (impl Read + Seek),
    length: u64,
    block: Range<u64>,
) -> io::Result<Option<(Piece, u64)>> {
    let start = super::cut::place(finder, text, length, block.start)?;
    let end = super::cut::place(finder, text, length, block.end)?;
    if start >= end {
        return Ok(None);
    }
    text.seek(SeekFrom::Start(start))?;
    tally.begin_stretch(name, start);
    let mut found = 0;
    let extent = scanner.tokens_before(end - start, text.take(length - start), &mut |place: Found<'_>| {
        found += 1;
        tally.add(&place);
    })?;
    Ok(Some((Piece { start, end: start + extent.bytes, lines: extent.lines, length }, found)))
}

/// Scans texts that are in memory, or come from anywhere, as a shard does.
#[derive(Debug)]
pub struct Scan<'f> {
    finder: &'f Finder,
    scanner: Scanner<'f>,
    tally: Tally,
    inputs: Inputs,
}

impl<'f> Scan<'f> {
    /// Nothing scanned yet.
    pub fn new(finder: &'f Finder, limits: Limits, fingerprints: Fingerprints) -> Self {
        Scan {
            finder,
            scanner: Scanner::new(finder),
            tally: Tally::new(limits).named_by(fingerprints),
            inputs: Inputs::default(),
        }
    }

    /// Scans one text. `index` is its place among all texts of the run, `name` what reports call it; no two texts of a run
    /// share either.
    pub fn text(&mut self, index: u64, name: &str, text: impl Read) -> io::Result<Extent> {
        self.tally.begin(name);
        let tally = &mut self.tally;
        let mut found = 0;
        let read = self.scanner.tokens(text, &mut |place: Found<'_>| {
            found += 1;
            tally.add(&place);
        });
        self.note(index, name, Scanned { found, ..Scanned::default() })?;
        read
    }

    /// Scans one input as it lies on disk: a text, compressed, or an archive of texts. What cannot be read of it is said in
    /// the report.
    pub fn input(&mut self, index: u64, name: &str, input: impl Read) -> io::Result<()> {
        let scanned = Scanned::default();
        let mut texts = Texts { scanner: &mut self.scanner, tally: &mut self.tally, scanned };
        member::texts(name, None, input, member::Limits::default(), &mut texts);
        let scanned = texts.scanned;
        self.note(index, name, scanned)
    }

    /// Scans the lines that begin in a block of a text of `length` bytes; other shards scan the others.
    pub fn block(
        &mut self,
        index: u64,
        name: &str,
        text: &mut (impl Read + Seek),
        length: u64,
        block: Range<u64>,
    ) -> io::Result<()> {
        let found = piece((self.finder, &mut self.scanner, &mut self.tally), name, text, length, block)?;
        found.map_or(Ok(()), |(piece, found)| {
            self.note(index, name, Scanned { found, pieces: vec![piece], ..Scanned::default() })
        })
    }

    fn note(&mut self, index: u64, name: &str, scanned: Scanned) -> io::Result<()> {
        let input = Input { index, name: name.to_string(), named: true, scanned };
        self.inputs.add(vec![input]).map_err(|trouble| io::Error::other(trouble.to_string()))
    }

    /// What was found, as a shard reports it.
    pub fn into_work(self, judge: &Judge<'_>, plan: &Arc<Plan>) -> Work {
        Work::new(self.inputs.into_vec(), self.tally, judge, &|_| Arc::clone(plan))
    }
}

/// Takes the texts of one input.
struct Texts<'t, 'f> {
    scanner: &'t mut Scanner<'f>,
    tally: &'t mut Tally,
    scanned: Scanned,
}

impl member::Visit for Texts<'_, '_> {
    fn text(&mut self, text: member::Text<'_>) {
        let Texts { scanner, tally, scanned } = self;
        tally.begin(text.name);
        // Such a text ends where it cannot be read any further; a note says so.
        let _ = scanner.tokens(text.bytes, &mut |place: Found<'_>| {
            scanned.found += 1;
            tally.add(&place);
        });
    }

    fn note(&mut self, note: member::Note) {
        let member::Note { name, message, foreign } = note;
        self.scanned.gaps.push(Gap { name, message, foreign });
    }
}
