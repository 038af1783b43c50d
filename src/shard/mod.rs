//! One run by several machines: each does a share of the work and writes a *shard report*; merged, these give the report of
//! a single run, byte for byte.
//!
//! A shard report ([`Part`]) is a set of shards: merging is the union of sets, so that order, grouping and repetition do not
//! matter. What a shard found stays apart from what others found until a report is made of all of them, which is done by
//! the same code as for a run that was never shared out. Nothing in a shard report makes a token usable.
//!
//! [`cut`] says where large texts may be cut, [`plan`] who reads what, [`scan`] and [`check`] what a shard of these commands
//! found.

pub mod check;
pub mod cut;
pub mod fact;
pub mod finding;
pub mod plan;
pub mod scan;
#[cfg(test)]
mod tests;

use crate::hex::hex;
use crate::report::FileError;
use crate::report::Tool;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Version of shard reports; grows when they change their meaning.
pub const VERSION: u32 = 1;
/// Shards that one run may have.
pub const MOST: u32 = 100_000;

/// One of several shards: `3/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Its number, from 1.
    pub number: u32,
    /// How many there are.
    pub of: u32,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fail = || format!("{text}: write the number of the shard and how many there are, for example 3/8");
        let (number, of) = text.split_once('/').ok_or_else(fail)?;
        let shard = Shard { number: number.parse().map_err(|_| fail())?, of: of.parse().map_err(|_| fail())? };
        match (1..=MOST).contains(&shard.of) && (1..=shard.of).contains(&shard.number) {
            true => Ok(shard),
            false => {
                Err(format!("{text}: shards are numbered from 1 to their number, of which there are at most {MOST}"))
            }
        }
    }
}

/// A shard report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "tokenvet shard report")]
pub struct Part {
    /// Version of this format, `1`.
    pub tokenvet_part: u32,
    /// The program that wrote it.
    pub tool: Tool<'static>,
    /// What all shards of the run have in common.
    pub run: Terms,
    /// What each shard came to, by its number.
    pub shards: BTreeMap<u32, Done>,
}

/// What all shards of a run have in common. A shard of which any of this differs belongs to another run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// `scan` or `check`.
    pub command: String,
    /// How many shards there are.
    pub shards: u32,
    /// The clock (RFC 3339, UTC).
    pub now: String,
    /// What was named on the command line.
    pub paths: Vec<String>,
    /// Options that decide what is found, as they were given.
    pub options: BTreeMap<String, Vec<String>>,
    /// SHA-256 of the effective policy in hexadecimal digits, null without one.
    pub policy_digest: Option<String>,
    /// Number of inputs.
    pub inputs: u64,
    /// SHA-256 over the names of all inputs, in order, in hexadecimal digits.
    pub listing: String,
    /// Files met while walking that are left alone.
    pub skipped: u64,
    /// Paths that could not be walked or followed.
    pub lost: Vec<FileError>,
}

/// What a shard came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Done {
    /// SHA-256 of `work` as it is written here without any white space, in hexadecimal digits.
    pub sha256: String,
    /// What it found.
    pub work: Work,
}

/// What a shard found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Work {
    /// By `tokenvet scan`.
    Scan(scan::Work),
    /// By `tokenvet check`.
    Check(check::Work),
}

/// Why shard reports do not make one report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// A report that is cut off, was changed, or is none.
    Corrupt(String),
    /// It belongs to another run; the text says in what they differ.
    Foreign(String),
    /// A shard stands in two reports that differ.
    Twofold(u32),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Corrupt(why) => write!(f, "no whole shard report: {why}; run the shard again"),
            Trouble::Foreign(what) => write!(f, "of another run: {what}"),
            Trouble::Twofold(number) => write!(
                f,
                "both hold shard {number}, and not the same: its files were changed between the two runs; run all shards \
                 again on files that stay as they are"
            ),
        }
    }
}

impl Done {
    fn new(work: Work) -> Self {
        Done { sha256: digest(&work), work }
    }
}

/// SHA-256 in hexadecimal digits of a value in JSON without white space.
fn digest(value: &impl Serialize) -> String {
    struct Hashed(Sha256);
    impl std::io::Write for Hashed {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.update(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut hashed = Hashed(Sha256::new());
    // Hashing does not fail, and every member has a JSON form.
    let _ = serde_json::to_writer(&mut hashed, value);
    hex(&hashed.0.finalize())
}

impl Part {
    /// The report of one shard.
    pub fn new(run: Terms, shard: u32, work: Work) -> Self {
        let shards = BTreeMap::from([(shard, Done::new(work))]);
        Part { tokenvet_part: VERSION, tool: Tool::this(), run, shards }
    }

    /// A report without shards.
    pub fn empty(run: &Terms) -> Self {
        Part { tokenvet_part: VERSION, tool: Tool::this(), run: run.clone(), shards: BTreeMap::new() }
    }

    /// Reads a shard report, and makes sure that it is whole.
    pub fn read(text: &[u8]) -> Result<Self, Trouble> {
        /// What is looked at first: another version has other members.
        #[derive(Deserialize)]
        struct Version {
            tokenvet_part: u32,
            tool: Tool<'static>,
        }
        let corrupt = |error: serde_json::Error| {
            // The message may quote what stands there.
            let what = match error.classify() {
                serde_json::error::Category::Eof => "it ends too early",
                serde_json::error::Category::Syntax => "it is no JSON",
                serde_json::error::Category::Data | serde_json::error::Category::Io => "a member is not as expected",
            };
            Trouble::Corrupt(format!("{what} (line {}, column {})", error.line(), error.column()))
        };
        let version: Version = serde_json::from_slice(text).map_err(corrupt)?;
        let this = Tool::this();
        if version.tokenvet_part != VERSION || version.tool != this {
            let (name, of) = (&version.tool.name, &version.tool.version);
            let known = of.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-+".contains(&byte)) && of.len() < 40;
            let of = if known && *name == this.name { of } else { "another program" };
            return Err(Trouble::Foreign(format!("written by {of}, and this is {}", this.version)));
        }
        let part: Part = serde_json::from_slice(text).map_err(corrupt)?;
        for (number, done) in &part.shards {
            let is_own =
                matches!((part.run.command.as_str(), &done.work), ("scan", Work::Scan(_)) | ("check", Work::Check(_)));
            if !(1..=part.run.shards).contains(number) || !is_own || part.run.shards > MOST {
                return Err(Trouble::Corrupt("a shard that the run cannot have".into()));
            }
            if digest(&done.work) != done.sha256 {
                return Err(Trouble::Corrupt(format!("shard {number} was changed after it was written")));
            }
        }
        Ok(part)
    }

    /// As it is written.
    pub fn text(&self) -> String {
        crate::report::json_text(self)
    }

    /// Both together: commutative, associative and idempotent.
    pub fn merge(&mut self, other: Part) -> Result<(), Trouble> {
        self.run.same(&other.run)?;
        for (number, done) in other.shards {
            match self.shards.get(&number) {
                Some(known) if known.sha256 != done.sha256 => return Err(Trouble::Twofold(number)),
                Some(_) => {}
                None => _ = self.shards.insert(number, done),
            }
        }
        Ok(())
    }
}

impl Terms {
    /// Those of a scan of texts that are no files, under the built-in rules: `names` are those of all texts of the run in
    /// their order, `now` is RFC 3339.
    pub fn of_texts<'n>(shards: u32, now: &str, names: impl ExactSizeIterator<Item = &'n str>) -> Self {
        Terms {
            command: "scan".into(),
            shards,
            now: now.into(),
            paths: vec![".".into()],
            options: BTreeMap::from([("no-config".into(), vec![String::new()])]),
            policy_digest: None,
            inputs: names.len() as u64,
            listing: plan::listing(names),
            skipped: 0,
            lost: vec![],
        }
    }

    /// Are both of one run?
    pub fn same(&self, other: &Terms) -> Result<(), Trouble> {
        let foreign = |what: String| Err(Trouble::Foreign(what));
        if self.command != other.command {
            return foreign("one is of `scan`, the other of `check`".into());
        }
        if self.shards != other.shards {
            return foreign(format!("one of {} shards, the other of {}", self.shards, other.shards));
        }
        if self.now != other.now {
            return foreign("they judged by different clocks; give all shards the same --now".into());
        }
        if self.policy_digest != other.policy_digest {
            return foreign("they judged by different policies".into());
        }
        let differs = |name: &&String| self.options.get(*name) != other.options.get(*name);
        if let Some(name) = self.options.keys().chain(other.options.keys()).find(differs) {
            return foreign(format!("they differ in --{}", name.escape_default()));
        }
        if self != other {
            return foreign(
                "they had different files before them: give all shards the same paths, and files that stay".into(),
            );
        }
        Ok(())
    }
}
