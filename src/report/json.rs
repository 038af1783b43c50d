//! `json`: one object with everything, described by `schemas/report.schema.json`.

use super::{
    Checked, DocumentRef, FileError, Finding, NotJudged, OnlyChanged, PolicyFrom, ProfileRef, Reporter, Run, Summary,
    WorkflowRef, text,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::ser::{CharEscape, Formatter};
use std::borrow::Cow;
use std::io;

/// Version of the json report; grows when a member changes its meaning or goes away, not when one is added.
pub const SCHEMA_VERSION: &str = "1";

/// The report of a run as `--format json` writes it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "tokenvet report")]
pub struct JsonReport<'a> {
    /// Version of this format, `1`.
    pub schema_version: Cow<'a, str>,
    /// The program that wrote the report.
    pub tool: Tool<'a>,
    /// The clock the run judged by (RFC 3339, UTC).
    pub now: Cow<'a, str>,
    /// SHA-256 of the effective policy in hexadecimal digits, null without one.
    pub policy_digest: Option<Cow<'a, str>>,
    /// Where policy, waivers, baseline and rule files were read (`--policy-from`); absent when from disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_from: Option<Cow<'a, PolicyFrom>>,
    /// What became of `--only-changed`, `--changed-since` or `--diff`; absent without them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only_changed: Option<Cow<'a, OnlyChanged>>,
    /// What else was left out because somebody asked for that (`scan --since`), one sentence each; absent when nothing was.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub notes: Cow<'a, [String]>,
    /// Profiles that were applied to at least one target.
    pub profiles: Cow<'a, [ProfileRef]>,
    /// The policy's workflows, in its order, with the number of clients and tokens judged as belonging to them.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub workflows: Cow<'a, [WorkflowRef]>,
    /// Documents that were judged, in path order.
    pub documents: Cow<'a, [DocumentRef]>,
    /// Findings, sorted by path, offset, length, rule, profile, pointer. Suppressed ones are among them.
    pub findings: Cow<'a, [Finding]>,
    /// What could not be judged, in path order.
    pub not_judged: Cow<'a, [NotJudged]>,
    /// Files that could not be read, parsed or recognised.
    pub errors: Cow<'a, [FileError]>,
    /// Files met while walking that nothing recognised.
    pub skipped: u64,
    /// Counts.
    pub summary: Cow<'a, Summary>,
}

/// Name and version of the program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tool<'a> {
    /// `tokenvet`.
    pub name: Cow<'a, str>,
    /// Its version.
    pub version: Cow<'a, str>,
}

impl Tool<'static> {
    /// This program.
    pub fn this() -> Self {
        Tool { name: env!("CARGO_PKG_NAME").into(), version: env!("CARGO_PKG_VERSION").into() }
    }
}

/// What formats that cannot stream keep until the run is finished.
#[derive(Debug, Default)]
pub(super) struct Collected {
    pub(super) documents: Vec<DocumentRef>,
    pub(super) findings: Vec<Finding>,
    pub(super) not_judged: Vec<NotJudged>,
    pub(super) errors: Vec<FileError>,
}

impl Collected {
    /// Keeps one file.
    pub(super) fn add(&mut self, checked: &Checked<'_>) {
        self.documents.extend_from_slice(&checked.documents);
        self.findings.extend_from_slice(&checked.findings);
        self.not_judged.extend_from_slice(&checked.not_judged);
        self.errors.extend_from_slice(&checked.errors);
    }

    /// Adds what belongs to the run and brings findings and errors into report order.
    pub(super) fn close(&mut self, run: &Run) {
        self.findings.extend_from_slice(&run.findings);
        self.findings.sort_by(|a, b| a.order().cmp(&b.order()));
        self.errors.extend_from_slice(&run.errors);
        self.errors.sort_by(|a, b| (&a.path, a.region, &a.message).cmp(&(&b.path, b.region, &b.message)));
    }
}

/// Writes `json`.
#[derive(Debug)]
pub struct Json<W: io::Write> {
    out: W,
    collected: Collected,
}

impl<W: io::Write> Json<W> {
    /// A report to this writer.
    pub fn new(out: W) -> Self {
        Json { out, collected: Collected::default() }
    }
}

impl<W: io::Write> Reporter for Json<W> {
    fn file(&mut self, checked: &Checked<'_>) -> io::Result<()> {
        self.collected.add(checked);
        Ok(())
    }

    fn finish(&mut self, run: &Run) -> io::Result<()> {
        self.collected.close(run);
        let report = JsonReport {
            schema_version: SCHEMA_VERSION.into(),
            tool: Tool::this(),
            now: run.now.as_str().into(),
            policy_digest: run.policy_digest.as_deref().map(Cow::from),
            policy_from: run.policy_from.as_ref().map(Cow::Borrowed),
            only_changed: run.only_changed.as_ref().map(Cow::Borrowed),
            notes: run.notes.as_slice().into(),
            profiles: run.profiles.as_slice().into(),
            workflows: run.workflows.as_slice().into(),
            documents: self.collected.documents.as_slice().into(),
            findings: self.collected.findings.as_slice().into(),
            not_judged: self.collected.not_judged.as_slice().into(),
            errors: self.collected.errors.as_slice().into(),
            skipped: run.skipped,
            summary: Cow::Borrowed(&run.summary),
        };
        write(&mut self.out, &report, 2)?;
        self.out.flush()
    }

    fn quotes(&self) -> bool {
        false
    }
}

/// Writes a value and a line feed. Arrays down to this level get a line per element, and the objects around them a
/// line per member, so that a report of a thousand findings can be searched by line and compared; `0` writes one line.
pub(crate) fn write(out: &mut impl io::Write, value: &impl Serialize, levels: usize) -> io::Result<()> {
    let formatter = SafeJson { depth: 0, levels, filled: false };
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut *out, formatter))?;
    out.write_all(b"\n")
}

/// The same in one line, for many values; `room` is memory for one. Nearly every value needs no escapes but those of JSON, and
/// to see that in a whole line costs less than in each of its strings.
pub(super) fn write_line(out: &mut impl io::Write, room: &mut Vec<u8>, value: &impl Serialize) -> io::Result<()> {
    room.clear();
    serde_json::to_writer(&mut *room, value)?;
    if !is_plain(room) {
        return write(out, value, 0);
    }
    room.push(b'\n');
    out.write_all(room)
}

/// The JSON of a whole answer as text.
pub(crate) fn text_of(value: &impl Serialize) -> String {
    let mut out = Vec::new();
    // Writing to memory cannot fail, and every member has a JSON form.
    let _ = write(&mut out, value, 4);
    String::from_utf8_lossy(&out).into_owned()
}

/// True for bytes that may stand as they are: what is printable, and what begins no command.
fn is_plain(bytes: &[u8]) -> bool {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGH: u64 = ONES << 7;
    // Eight bytes at a time, since most strings are short: in `HIGH` a bit for every byte that is odd.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let control = |word: u64| word.wrapping_sub(ONES * u64::from(b' ')) & !word;
    let is = |word: u64, byte: u8| zero(word ^ (ONES * u64::from(byte)));
    let odd = |word: u64| (word | control(word) | is(word, b'\x7f') | is(word, b'#')) & HIGH;
    let (words, rest) = bytes.as_chunks::<8>();
    // Filled up with spaces.
    let last = rest.iter().fold(ONES * u64::from(b' '), |word, byte| word << 8 | u64::from(*byte));
    words.iter().fold(odd(last), |any, word| any | odd(u64::from_ne_bytes(*word))) == 0
}

/// JSON whose strings hold no unsafe character as it is: `\u001b` and `\u202e` instead, so that nothing is lost.
struct SafeJson {
    depth: usize,
    levels: usize,
    /// Does the innermost array or object hold something already?
    filled: bool,
}

impl SafeJson {
    fn open<W: io::Write + ?Sized>(&mut self, out: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth += 1;
        self.filled = false;
        out.write_all(bracket)
    }

    fn close<W: io::Write + ?Sized>(&mut self, out: &mut W, bracket: &[u8], levels: usize) -> io::Result<()> {
        if self.filled && self.depth <= levels {
            out.write_all(b"\n")?;
        }
        self.depth -= 1;
        out.write_all(bracket)
    }

    fn element<W: io::Write + ?Sized>(&self, out: &mut W, first: bool, levels: usize) -> io::Result<()> {
        if !first {
            out.write_all(b",")?;
        }
        if self.depth <= levels { out.write_all(b"\n") } else { Ok(()) }
    }
}

impl Formatter for SafeJson {
    fn begin_array<W: io::Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.open(out, b"[")
    }

    fn end_array<W: io::Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.close(out, b"]", self.levels)
    }

    fn begin_array_value<W: io::Write + ?Sized>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.element(out, first, self.levels)
    }

    fn end_array_value<W: io::Write + ?Sized>(&mut self, _: &mut W) -> io::Result<()> {
        self.filled = true;
        Ok(())
    }

    fn begin_object<W: io::Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.open(out, b"{")
    }

    fn end_object<W: io::Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.close(out, b"}", self.levels.saturating_sub(1))
    }

    fn begin_object_key<W: io::Write + ?Sized>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.element(out, first, self.levels.saturating_sub(1))
    }

    fn end_object_value<W: io::Write + ?Sized>(&mut self, _: &mut W) -> io::Result<()> {
        self.filled = true;
        Ok(())
    }

    fn write_string_fragment<W: io::Write + ?Sized>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        if is_plain(fragment.as_bytes()) {
            return out.write_all(fragment.as_bytes());
        }
        let mut written = 0;
        for (at, c) in fragment.char_indices() {
            // `##[` is a command to CI log readers wherever it stands in a line.
            let command = c == '[' && fragment[..at].ends_with("##");
            if !text::is_unsafe(c) && !command {
                continue;
            }
            out.write_all(&fragment.as_bytes()[written..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            written = at + c.len_utf8();
        }
        out.write_all(&fragment.as_bytes()[written..])
    }

    fn write_char_escape<W: io::Write + ?Sized>(&mut self, out: &mut W, escape: CharEscape) -> io::Result<()> {
        let text: &[u8] = match escape {
            CharEscape::Quote => b"\\\"",
            CharEscape::ReverseSolidus => b"\\\\",
            CharEscape::Solidus => b"\\/",
            CharEscape::Backspace => b"\\b",
            CharEscape::FormFeed => b"\\f",
            CharEscape::LineFeed => b"\\n",
            CharEscape::CarriageReturn => b"\\r",
            CharEscape::Tab => b"\\t",
            CharEscape::AsciiControl(byte) => return write!(out, "\\u{byte:04x}"),
        };
        out.write_all(text)
    }
}

#[cfg(test)]
mod tests {
    use super::{is_plain, write, write_line};

    #[test]
    fn odd_bytes_are_noticed_wherever_they_stand() {
        for byte in 0..=u8::MAX {
            let plain = (b' '..=b'~').contains(&byte) && byte != b'#';
            for length in [1, 7, 8, 9, 20] {
                for at in 0..length {
                    let mut text = vec![b'~'; length];
                    text[at] = byte;
                    assert_eq!(is_plain(&text), plain, "{byte} at {at} of {length}");
                }
            }
        }
        assert!(is_plain(b""));
    }

    proptest::proptest! {
        #[test]
        fn a_line_is_what_is_written_in_one_line(
            texts in proptest::collection::vec("[a-z#\\[\"\\\\/\u{0}-\u{1f}\u{7f}é\u{202e}\u{feff}]{0,6}", 0..6),
            number in -9_i64..9,
        ) {
            let value = serde_json::json!({"a": texts, "b": {"c": number, "d": []}, "e": null});
            let (mut line, mut expected, mut room) = (Vec::new(), Vec::new(), b"before".to_vec());
            write_line(&mut line, &mut room, &value).expect("memory takes every write");
            write(&mut expected, &value, 0).expect("memory takes every write");
            proptest::prop_assert_eq!(String::from_utf8_lossy(&line), String::from_utf8_lossy(&expected));
        }
    }
}
