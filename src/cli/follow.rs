//! `tokenvet scan --follow`: tokens as they are written.

use super::check::{Job, Keys};
use super::exit::Failure;
use super::scan::{KIND, Reading, input_of};
use crate::discover::grow::{Log, Part, Stream};
use crate::discover::walk::{self, Input, Unreadable};
use crate::report::Finding;
use crate::scan::find::Finder;
use crate::scan::fingerprint::Fingerprints;
use crate::scan::judge::Judge;
use crate::scan::member::{self, Note, Text, Visit};
use crate::scan::stream::{Growing, Place, Scanner};
use crate::scan::tally::{self, Tally};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often logs are looked at.
const INTERVAL: Duration = Duration::from_millis(250);
/// Distinct tokens that are told apart in a run without an end.
const MOST: usize = 1_000_000;

/// Reports every distinct token of the inputs as it is found, until the user or the system ends it.
pub(super) fn follow(job: &mut Job<'_>, inputs: &[Input], reading: &Reading, fixed_clock: bool) -> Result<(), Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        let flag = signal_hook::flag::register(signal, Arc::clone(&stop));
        flag.map_err(|error| Failure::Usage(format!("signals cannot be caught: {error}")))?;
    }
    let finder = Finder::new().map_err(Failure::Usage)?;
    let judged = Judged { seen: HashSet::new(), keys: job.take_keys(), fingerprints: reading.fingerprints.clone() };
    let mut watcher = Watcher { job, inputs, scanner: Scanner::new(&finder), judged, found: HashMap::new() };
    let mut logs = watcher.open(reading)?;
    let stdin = inputs.iter().find(|input| input.is_stdin());
    let mut stdin = stdin.map(|input| Listened::new(input.name()));
    let ended = || stop.load(Ordering::Relaxed);
    while !ended() && (stdin.is_some() || !logs.is_empty()) && watcher.job.is_heard() {
        if !fixed_clock {
            watcher.job.now = jiff::Timestamp::now().as_second();
        }
        let mut more = false;
        for log in &mut logs {
            more |= log.look(&mut watcher)?;
        }
        let pause = if more { Duration::ZERO } else { INTERVAL };
        match &mut stdin {
            Some(listened) => {
                if listened.listen(pause, &mut watcher)? {
                    stdin = None;
                }
            }
            None => std::thread::sleep(pause),
        }
    }
    for log in &mut logs {
        log.end(&mut watcher)?;
    }
    if let Some(mut listened) = stdin {
        watcher.settle(listened.name, &mut listened.text)?;
    }
    let Watcher { job, found, .. } = watcher;
    inputs.iter().try_for_each(|input| match found.get(input.name()) {
        Some(found) => job.document(input.name(), KIND, *found),
        None => Ok(()),
    })
}

/// Reports what is new.
struct Watcher<'w, 'j, 'f> {
    job: &'w mut Job<'j>,
    inputs: &'w [Input],
    scanner: Scanner<'f>,
    judged: Judged,
    /// Tokens by input.
    found: HashMap<&'w str, u64>,
}

/// How tokens are judged, and which were.
struct Judged {
    /// Digests of the tokens that were reported.
    seen: HashSet<[u8; 32]>,
    /// Keys that the user vouches for.
    keys: Keys,
    fingerprints: Fingerprints,
}

/// What is found about each token, with the path that policies know its file by; reported when nothing borrows the text any
/// more.
type Fresh = Vec<(String, Vec<Finding>)>;

impl<'w> Watcher<'w, '_, '_> {
    /// Logs to be followed. What is compressed or an archive does not grow and is scanned at once.
    fn open(&mut self, reading: &Reading) -> Result<Vec<Watched<'w>>, Failure> {
        let mut logs = Vec::new();
        for input in self.inputs.iter().filter(|input| !input.is_stdin()) {
            let opened = match walk::opened(input) {
                Ok(opened) => opened,
                Err(unreadable) => {
                    self.job.refuse(input, unreadable)?;
                    continue;
                }
            };
            self.found.insert(input.name(), 0);
            if !member::is_packed(opened.bytes) {
                logs.push(Watched { input, log: Log::new(input.path()), texts: HashMap::new() });
                continue;
            }
            let bytes = walk::stream(input);
            let mut packed = Packed { watcher: self, input, result: Ok(()) };
            if let Ok(bytes) = bytes {
                member::texts(input.name(), opened.modified, bytes, reading.limits, &mut packed);
            }
            packed.result?;
        }
        Ok(logs)
    }

    /// Reads more of a text; the text is at rest where `piece` is `None`.
    fn read(&mut self, name: &str, input: &'w str, text: &mut Growing, piece: Option<&[u8]>) -> Result<(), Failure> {
        let Watcher { job, inputs, scanner, judged, found } = self;
        let count = found.entry(input).or_default();
        let mut fresh = Fresh::new();
        let mut take = |place: Place<'_>| {
            *count += 1;
            fresh.extend(findings(job, inputs, judged, name, &place));
        };
        match piece {
            Some(piece) => text.push(scanner, piece, &mut take),
            None => text.settle(scanner, &mut take),
        }
        self.report(fresh)
    }

    fn settle(&mut self, name: &'w str, text: &mut Growing) -> Result<(), Failure> {
        self.read(name, name, text, None)
    }

    fn report(&mut self, fresh: Fresh) -> Result<(), Failure> {
        fresh.into_iter().try_for_each(|(relative, findings)| self.job.at_once(&relative, findings))
    }

    fn note(&mut self, name: &str, message: String) -> Result<(), Failure> {
        let input = Input::told(name, true);
        self.job.refuse(&input, Unreadable { name: name.into(), message, content: false })
    }
}

/// Standard input.
struct Listened<'w> {
    name: &'w str,
    from: Stream,
    text: Growing,
    /// The last line that came ends.
    complete: bool,
}

impl<'w> Listened<'w> {
    fn new(name: &'w str) -> Self {
        Listened { name, from: Stream::stdin(), text: Growing::default(), complete: false }
    }

    /// Takes what comes within a time; true at the end.
    fn listen(&mut self, time: Duration, watcher: &mut Watcher<'w, '_, '_>) -> Result<bool, Failure> {
        let Listened { name, from, text, complete } = self;
        match from.within(time) {
            // What writes in blocks stops in the middle of a line.
            None if !*complete => {}
            None => watcher.settle(name, text)?,
            Some(Ok(bytes)) if bytes.is_empty() => return watcher.settle(name, text).map(|()| true),
            Some(Ok(bytes)) => {
                *complete = bytes.ends_with(b"\n");
                watcher.read(name, name, text, Some(&bytes))?;
            }
            Some(Err(error)) => {
                watcher.settle(name, text)?;
                return watcher.note(name, format!("reading it ended early: {error}")).map(|()| true);
            }
        }
        Ok(false)
    }
}

/// What is wrong with a token that was not seen before.
fn findings(
    job: &Job<'_>,
    inputs: &[Input],
    judged: &mut Judged,
    name: &str,
    place: &Place<'_>,
) -> Option<(String, Vec<Finding>)> {
    let seen = &mut judged.seen;
    if seen.len() >= MOST {
        // What was reported long ago may be reported again, rather than anything be missed.
        seen.clear();
    }
    if !seen.insert(tally::digest(place.hit, place.window)) {
        return None;
    }
    let mut tally = Tally::new(tally::Limits::of(1, job.now)).named_by(judged.fingerprints.clone());
    tally.begin(name);
    tally.add(place);
    let relative = job.governance.relative(Path::new(input_of(name, inputs)));
    let plan = job.governance.plan_for(&relative);
    let account = tally.finish();
    judged.keys.with_verifier(|verifier| {
        let judge = Judge::new(job.now, verifier);
        Some((relative, account.tokens.iter().flat_map(|token| judge.findings(&plan, token)).collect()))
    })
}

/// A log that is followed.
struct Watched<'w> {
    input: &'w Input,
    log: Log,
    /// Its files, by their number.
    texts: HashMap<u64, Growing>,
}

impl<'w> Watched<'w> {
    fn look(&mut self, watcher: &mut Watcher<'w, '_, '_>) -> Result<bool, Failure> {
        let mut result = Ok(());
        let Watched { input, log, texts } = self;
        let more = log.look(&mut |part| {
            if result.is_ok() {
                result = take(input, texts, watcher, part);
            }
        });
        result.map(|()| more)
    }

    fn end(&mut self, watcher: &mut Watcher<'w, '_, '_>) -> Result<(), Failure> {
        let mut result = Ok(());
        let Watched { input, log, texts } = self;
        log.end(&mut |part| {
            if result.is_ok() {
                result = take(input, texts, watcher, part);
            }
        });
        result
    }
}

/// Takes one part of a log.
fn take<'w>(
    input: &'w Input,
    texts: &mut HashMap<u64, Growing>,
    watcher: &mut Watcher<'w, '_, '_>,
    part: Part<'_>,
) -> Result<(), Failure> {
    let name = input.name();
    match part {
        Part::Bytes(number, bytes) => watcher.read(name, name, texts.entry(number).or_default(), Some(bytes)),
        Part::Quiet(number) => texts.get_mut(&number).map_or(Ok(()), |text| watcher.settle(name, text)),
        Part::End(number) => texts.remove(&number).map_or(Ok(()), |mut text| watcher.settle(name, &mut text)),
        Part::Note(message) => watcher.note(name, message),
    }
}

/// Takes the texts of an input that does not grow.
struct Packed<'p, 'w, 'j, 'f> {
    watcher: &'p mut Watcher<'w, 'j, 'f>,
    input: &'w Input,
    result: Result<(), Failure>,
}

impl Visit for Packed<'_, '_, '_, '_> {
    fn text(&mut self, text: Text<'_>) {
        let mut growing = Growing::default();
        let mut chunk = vec![0; 256 << 10];
        while self.result.is_ok() {
            match text.bytes.read(&mut chunk) {
                Ok(read @ 1..) => {
                    self.result = self.watcher.read(text.name, self.input.name(), &mut growing, Some(&chunk[..read]));
                }
                Ok(0) | Err(_) => break,
            }
        }
        if self.result.is_ok() {
            self.result = self.watcher.read(text.name, self.input.name(), &mut growing, None);
        }
    }

    fn note(&mut self, note: Note) {
        let Note { name, message, foreign } = note;
        if self.result.is_ok() {
            self.result = self.watcher.job.refuse(self.input, Unreadable { name, message, content: foreign });
        }
    }
}
