//! `tokenvet redact`: copies of logs without what makes their tokens usable.

use super::args::InspectFormat;
use super::exit::{Exit, Failure};
use super::printable;
use super::staged::Staged;
use crate::discover::walk::{self, Input};
use crate::redact::{CopyError, Mode, Redactor, Summary};
use crate::report::text::{count, counted, visible};
#[cfg(feature = "archives")]
use crate::scan::member::codec::Encoder;
use crate::scan::member::{self, Limits, Note, Text, Visit, Wrap};
use clap::{Args as ClapArgs, ValueEnum};
use serde_json::{Value, json};
use std::fs::{self, File, Metadata};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Version of the JSON summary.
const SCHEMA_VERSION: u32 = 1;
/// Bytes that tell archives from text.
const MAGIC: usize = 512;
/// Bytes that are written at once.
const HELD: usize = 256 << 10;
/// What to do with an archive.
const TAR: &str = "a tar archive; unpack it, redact the folder (--in-place --recursive), and pack it";

#[derive(Debug, ClapArgs)]
pub(super) struct RedactArgs {
    /// The file to redact; `-` is standard input. With --in-place several, and folders with --recursive
    #[arg(required = true, value_name = "IN")]
    paths: Vec<PathBuf>,
    /// Write the redacted copy to this file; `-` is standard output, which is the default
    #[arg(long, short, value_name = "OUT", conflicts_with = "in_place", help_heading = "Output")]
    output: Option<PathBuf>,
    /// Replace each file by its redacted copy
    #[arg(long, help_heading = "Output")]
    in_place: bool,
    /// Take folders with everything below them
    #[arg(long, short, requires = "in_place")]
    recursive: bool,
    /// Replace OUT when it is there already; with --in-place, also files that have other names (hard links)
    #[arg(long, help_heading = "Output")]
    force: bool,
    /// How the summary on standard error looks
    #[arg(long, short, value_enum, default_value_t = InspectFormat::Human, help_heading = "Output")]
    format: InspectFormat,

    /// What is left of a token
    #[arg(long, value_enum, default_value_t = ModeArg::Signature, help_heading = "What is replaced")]
    mode: ModeArg,
    /// Leave other secrets (client secrets, passwords, credentials in headers, private keys) where they are
    #[arg(long, help_heading = "What is replaced")]
    tokens_only: bool,
    /// Make the fingerprints of markers with the key in this file (HMAC-SHA-256), as `scan` does with the same key
    #[arg(long, value_name = "FILE", help_heading = "What is replaced")]
    fingerprint_key: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ModeArg {
    /// Header and payload: who may do what until when can still be read
    Signature,
    /// A marker with the fingerprint that `scan` reports
    Token,
    /// The same with jti, sub and exp
    Claims,
}

/// What became of one input.
struct Done {
    name: String,
    summary: Summary,
    notes: Vec<String>,
    error: Option<String>,
}

/// Runs the command.
pub(super) fn run(args: &RedactArgs) -> Result<Exit, Failure> {
    let mode = match args.mode {
        ModeArg::Signature => Mode::Signature,
        ModeArg::Token => Mode::Token,
        ModeArg::Claims => Mode::Claims,
    };
    let fingerprints = args.fingerprint_key.as_deref().map(super::scan::fingerprints).transpose()?.unwrap_or_default();
    let redactor = Redactor::new(mode, !args.tokens_only)?.fingerprinting(fingerprints);
    let done = if args.in_place { in_place(args, &redactor)? } else { vec![one(args, &redactor)?] };
    report(args.format, &done)?;
    Ok(if done.iter().any(|done| done.error.is_some()) { Exit::Usage } else { Exit::Clean })
}

/// One input to one output.
fn one(args: &RedactArgs, redactor: &Redactor) -> Result<Done, Failure> {
    let [path] = args.paths.as_slice() else {
        let message = "several inputs need --in-place; else redact them one by one";
        return Err(Failure::Usage(message.into()));
    };
    let input = Input::named(path);
    let mut done = Done { name: input.name().to_string(), summary: Summary::default(), notes: vec![], error: None };
    let outcome = match args.output.as_deref() {
        None => to_stdout(&input, redactor, &mut done.notes),
        Some(out) if out.as_os_str() == "-" => to_stdout(&input, redactor, &mut done.notes),
        Some(out) => to_file(&input, out, args.force, redactor, &mut done.notes),
    };
    match outcome {
        Ok(summary) => done.summary = summary,
        Err(Stop::Pipe) => return Err(Failure::BrokenPipe(Exit::Clean)),
        Err(Stop::Message(message)) => done.error = Some(message),
    }
    Ok(done)
}

/// Why there is no copy.
enum Stop {
    /// Who read it went away.
    Pipe,
    /// What is wrong and what to do.
    Message(String),
}

impl From<String> for Stop {
    fn from(message: String) -> Self {
        Stop::Message(message)
    }
}

/// An input that is open.
struct Opened {
    reader: Box<dyn Read>,
    /// The file, unless it is a pipe, and what it was like when it was opened.
    file: Option<(File, Metadata)>,
}

fn open(input: &Input) -> Result<Opened, Stop> {
    if input.is_stdin() {
        let stdin = io::stdin();
        return Ok(Opened { reader: readable(Box::new(stdin.lock()))?, file: None });
    }
    if input.path().is_dir() {
        let message = "a folder; copy it, and redact the files of the copy with --in-place --recursive";
        return Err(Stop::Message(message.into()));
    }
    let (file, _) = walk::regular(input).map_err(|unreadable| unreadable.message)?;
    let fail = |error: io::Error| Stop::Message(format!("cannot be read: {error}"));
    let metadata = file.metadata().map_err(fail)?;
    let reader = readable(Box::new(file.try_clone().map_err(fail)?))?;
    Ok(Opened { reader, file: Some((file, metadata)) })
}

/// A reader of what is no archive: that would be copied with its tokens in it.
fn readable(mut reader: Box<dyn Read>) -> Result<Box<dyn Read>, Stop> {
    let mut head = Vec::with_capacity(MAGIC);
    let read = Read::by_ref(&mut reader).take(MAGIC as u64).read_to_end(&mut head);
    read.map_err(|error| Stop::Message(format!("cannot be read: {error}")))?;
    match packed(&head) {
        Some(message) => Err(Stop::Message(message.to_string())),
        None => Ok(Box::new(io::Cursor::new(head).chain(reader))),
    }
}

/// What to do with a file that is no text, by its first bytes.
fn packed(head: &[u8]) -> Option<&'static str> {
    if head.get(257..262) == Some(b"ustar") {
        return Some(TAR);
    }
    match head {
        [b'P', b'K', 3, 4, ..] => {
            Some("a zip archive; unpack it, redact the folder (--in-place --recursive), and pack it")
        }
        [b'L', b'P', b'K', b'S', b'H', b'H', b'R', b'H', ..] => {
            Some("a journal; export it: journalctl --file IN -o short-iso-precise | tokenvet redact -")
        }
        _ => None,
    }
}

/// Copies what an input holds, in the compression it comes in.
struct Copier<'c> {
    redactor: &'c Redactor,
    out: &'c mut dyn Write,
    /// What the output is called.
    to: &'c str,
    outcome: Option<Result<Summary, Stop>>,
}

impl Visit for Copier<'_> {
    fn text(&mut self, text: Text<'_>) {
        // What failed once has failed.
        if !matches!(self.outcome, Some(Err(_))) {
            self.outcome = Some(self.copy(text));
        }
    }

    fn note(&mut self, note: Note) {
        if !matches!(self.outcome, Some(Err(_))) {
            self.outcome = Some(Err(Stop::Message(note.message)));
        }
    }
}

impl Copier<'_> {
    fn copy(&mut self, text: Text<'_>) -> Result<Summary, Stop> {
        match text.wraps {
            [] => {
                let mut out = BufWriter::with_capacity(HELD, &mut *self.out);
                copied(self.redactor.copy(text.bytes, &mut out), self.to)
            }
            #[cfg(feature = "archives")]
            [Wrap::Compressed(codec)] => {
                let fail = |error| copied(Err(CopyError::Write(error)), self.to);
                let out = BufWriter::with_capacity(HELD, &mut *self.out);
                let mut packed = match Encoder::new(*codec, out) {
                    Ok(packed) => packed,
                    Err(error) => return fail(error),
                };
                let summary = copied(self.redactor.copy(text.bytes, &mut packed), self.to)?;
                match packed.finish().and_then(|mut out| out.flush()) {
                    Ok(()) => Ok(summary),
                    Err(error) => fail(error),
                }
            }
            wraps if wraps.contains(&Wrap::Archived) => Err(Stop::Message(TAR.into())),
            _ => Err(Stop::Message("compressed more than once; unpack it first".into())),
        }
    }
}

/// Copies an input to `out`, which messages call `to`.
fn copy(
    input: &Input,
    opened: Box<dyn Read>,
    redactor: &Redactor,
    out: &mut dyn Write,
    to: &str,
) -> Result<Summary, Stop> {
    let mut copier = Copier { redactor, out, to, outcome: None };
    member::texts(input.name(), None, opened, Limits::default(), &mut copier);
    copier.outcome.unwrap_or_else(|| Err(Stop::Message("it holds nothing that can be read".into())))
}

fn copied(outcome: Result<Summary, CopyError>, to: &str) -> Result<Summary, Stop> {
    outcome.map_err(|error| match error {
        CopyError::Write(error) if error.kind() == io::ErrorKind::BrokenPipe => Stop::Pipe,
        CopyError::Write(error) => Stop::Message(format!("cannot write {to}: {error}")),
        CopyError::Read(_) => Stop::Message(error.to_string()),
    })
}

fn to_stdout(input: &Input, redactor: &Redactor, notes: &mut Vec<String>) -> Result<Summary, Stop> {
    let opened = open(input)?;
    let read = match &opened.file {
        Some((file, _)) => rustix::fs::fstat(file),
        None => rustix::fs::fstat(io::stdin()),
    };
    let same = |(a, b): (rustix::fs::Stat, rustix::fs::Stat)| {
        (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino) && rustix::fs::FileType::from_raw_mode(a.st_mode).is_file()
    };
    if read.and_then(|read| Ok((read, rustix::fs::fstat(io::stdout())?))).is_ok_and(same) {
        return Err(Stop::Message("standard output goes to the same file; use --in-place".into()));
    }
    // The standard library's handle would flush every line.
    let out = rustix::io::dup(io::stdout()).map_err(|error| format!("cannot write standard output: {error}"))?;
    let summary = copy(input, opened.reader, redactor, &mut File::from(out), "standard output")?;
    notes.extend(opened.file.and_then(|(file, before)| changed(&file, &before)));
    Ok(summary)
}

/// What to say of a file that something wrote to while it was read.
fn changed(file: &File, before: &Metadata) -> Option<String> {
    let after = file.metadata().ok()?;
    let same =
        after.len() == before.len() && after.mtime() == before.mtime() && after.mtime_nsec() == before.mtime_nsec();
    (!same).then(|| "it changed while it was read: the copy may miss what was written last".to_string())
}

fn to_file(
    input: &Input,
    out: &Path,
    force: bool,
    redactor: &Redactor,
    notes: &mut Vec<String>,
) -> Result<Summary, Stop> {
    let opened = open(input)?;
    let name = walk::name_of(out);
    let unwritable = |error: io::Error| Stop::Message(format!("cannot write {name}: {}", reason(&error)));
    if let Ok(there) = fs::symlink_metadata(out) {
        let target = fs::metadata(out).ok();
        let is_input = |meta: &Metadata| opened.file.as_ref().is_some_and(|(_, read)| same(read, meta));
        match target {
            Some(meta) if is_input(&meta) => {
                return Err(Stop::Message(format!("{name} is the same file; use --in-place")));
            }
            Some(meta) if meta.is_dir() => {
                return Err(Stop::Message(format!("{name} is a folder; name the file to write in it")));
            }
            Some(meta) if !meta.is_file() => {
                return Err(Stop::Message(format!("{name} is no regular file; write to standard output (`-o -`)")));
            }
            _ if !force && there.is_symlink() => {
                return Err(Stop::Message(format!("{name} is a link; with --force it is replaced by the copy")));
            }
            _ if !force => {
                return Err(Stop::Message(format!("{name} is there already; with --force it is replaced")));
            }
            _ => {}
        }
    }
    // A copy is open to nobody who could not read the original.
    let mode = opened.file.as_ref().map_or(0o666, |_| 0o600);
    let staged = Staged::beside(out, mode).map_err(unwritable)?;
    let summary = copy(input, opened.reader, redactor, &mut staged.file(), &name)?;
    if let Some((file, before)) = &opened.file {
        let mode = fs::Permissions::from_mode(before.mode() & 0o777);
        staged.file().set_permissions(mode).map_err(unwritable)?;
        notes.extend(changed(file, before));
    }
    staged.publish(out, force).map_err(unwritable)?;
    Ok(summary)
}

fn same(a: &Metadata, b: &Metadata) -> bool {
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "its folder does not exist".into(),
        io::ErrorKind::PermissionDenied => "no permission to write there".into(),
        io::ErrorKind::AlreadyExists => "another file of this name appeared meanwhile".into(),
        _ => error.to_string(),
    }
}

/// Every input by its redacted copy.
fn in_place(args: &RedactArgs, redactor: &Redactor) -> Result<Vec<Done>, Failure> {
    if args.paths.iter().any(|path| path.as_os_str() == "-") {
        return Err(Failure::Usage("standard input cannot be redacted in place; leave --in-place out".into()));
    }
    let mut done = Vec::new();
    for path in &args.paths {
        match path.is_dir() {
            true if !args.recursive => {
                let error = "a folder; with --recursive everything below it is redacted".to_string();
                let name = walk::name_of(path);
                done.push(Done { name, summary: Summary::default(), notes: vec![], error: Some(error) });
            }
            true => below(path, &mut |path| done.push(replaced(path, args.force, redactor))),
            false => done.push(replaced(path, args.force, redactor)),
        }
    }
    Ok(done)
}

/// Everything below a folder but folders, in the order of names. Links to folders are not followed.
fn below(folder: &Path, each: &mut dyn FnMut(&Path)) {
    let entries = fs::read_dir(folder).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
    // The error of a folder that cannot be read shows when it is opened as a file.
    let Ok(mut entries) = entries else { return each(folder) };
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => below(&entry.path(), each),
            _ => each(&entry.path()),
        }
    }
}

fn replaced(path: &Path, force: bool, redactor: &Redactor) -> Done {
    let input = Input::named(path);
    let mut done = Done { name: input.name().to_string(), summary: Summary::default(), notes: vec![], error: None };
    match replace(&input, force, redactor, &mut done.notes) {
        Ok(summary) => done.summary = summary,
        Err(Stop::Message(message)) => done.error = Some(message),
        Err(Stop::Pipe) => done.error = Some("the file went away while it was written".into()),
    }
    done
}

fn replace(input: &Input, force: bool, redactor: &Redactor, notes: &mut Vec<String>) -> Result<Summary, Stop> {
    let path = input.path();
    let there = fs::symlink_metadata(path).ok();
    if there.as_ref().is_some_and(Metadata::is_symlink) {
        return Err(Stop::Message("a link; name the file that it leads to".into()));
    }
    let Opened { reader, file: Some((file, before)) } = open(input)? else {
        return Err(Stop::Message("not a file".into()));
    };
    if !there.is_some_and(|there| same(&there, &before)) {
        return Err(Stop::Message("another file took its place just now; try again".into()));
    }
    if before.nlink() > 1 && !force {
        let others = counted(before.nlink() - 1, "other name");
        return Err(Stop::Message(format!(
            "it has {others} (hard links), under which the tokens would stay; redact a copy (-o), or this name alone with --force"
        )));
    }
    let unwritable = |error: io::Error| Stop::Message(format!("cannot be replaced: {}", reason(&error)));
    let staged = Staged::beside(path, 0o600).map_err(unwritable)?;
    let summary = copy(input, reader, redactor, &mut staged.file(), "the copy beside it")?;
    if !summary.changed() {
        return Ok(summary);
    }
    if changed(&file, &before).is_some() {
        return Err(Stop::Message(
            "something still writes to it; nothing was changed. Rotate it first, or redact a copy (-o)".into(),
        ));
    }
    let new = staged.file();
    if std::os::unix::fs::fchown(new, Some(before.uid()), Some(before.gid())).is_err() {
        notes.push("its owner could not be kept; it belongs to you now".into());
    }
    new.set_permissions(fs::Permissions::from_mode(before.mode() & 0o7777)).map_err(unwritable)?;
    if let Ok(time) = before.modified() {
        new.set_modified(time).map_err(unwritable)?;
    }
    staged.publish(path, true).map_err(unwritable)?;
    Ok(summary)
}

/// The summary, on standard error: standard output may be the copy.
fn report(format: InspectFormat, done: &[Done]) -> Result<(), Failure> {
    let mut text = String::new();
    match format {
        InspectFormat::Human => done.iter().for_each(|done| text += &human(done)),
        InspectFormat::Json => {
            let mut total = Summary::default();
            done.iter().for_each(|done| total.add(&done.summary));
            let files: Vec<Value> = done.iter().map(file_json).collect();
            let all = json!({ "schema_version": SCHEMA_VERSION, "files": files, "total": summary_json(&total) });
            text = format!("{all:#}\n");
        }
    }
    Ok(io::stderr().write_all(text.as_bytes())?)
}

fn human(done: &Done) -> String {
    let name = visible(&done.name);
    let line = |message: &str| format!("{}\n", printable(&format!("{name}: {message}")));
    let mut text = match &done.error {
        Some(error) => format!("tokenvet: {}", line(error)),
        None => line(&sentence(&done.summary)),
    };
    done.notes.iter().for_each(|note| text += &line(&format!("note: {note}")));
    text
}

fn sentence(summary: &Summary) -> String {
    let list = |kinds: Vec<String>| if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
    let forms = summary.tokens.iter().map(|(form, number)| format!("{} {}", count(*number), form.name())).collect();
    let kinds = summary.secrets.iter().map(|(kind, number)| counted(*number, kind.name())).collect();
    let mut text = match summary.changed() {
        true => format!("replaced {}{}", counted(summary.tokens.values().sum(), "token"), list(forms)),
        false => "nothing to replace".to_string(),
    };
    let secrets: u64 = summary.secrets.values().sum();
    if secrets > 0 {
        text += &format!(" and {}{}", counted(secrets, "other secret"), list(kinds));
    }
    if summary.redacted > 0 {
        text += &format!("; {} had no signature any more", counted(summary.redacted, "token"));
    }
    if summary.cut > 0 {
        text += &format!("; {} had been cut off before the signature", counted(summary.cut, "token"));
    }
    text
}

fn file_json(done: &Done) -> Value {
    let mut file = json!({ "path": done.name, "notes": done.notes });
    match &done.error {
        Some(error) => file["error"] = json!(error),
        None => file["summary"] = summary_json(&done.summary),
    }
    file
}

fn summary_json(summary: &Summary) -> Value {
    let tokens: serde_json::Map<String, Value> =
        summary.tokens.iter().map(|(form, number)| (form.name().into(), json!(number))).collect();
    let secrets: serde_json::Map<String, Value> =
        summary.secrets.iter().map(|(kind, number)| (kind.name().replace(' ', "-"), json!(number))).collect();
    json!({
        "tokens": tokens,
        "secrets": secrets,
        "already_redacted": summary.redacted,
        "cut_off": summary.cut,
        "bytes_read": summary.read,
        "bytes_written": summary.written,
        "changed": summary.changed(),
    })
}
