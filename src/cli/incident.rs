//! `tokenvet incident`: one page about a token in the wrong hands.

use super::exit::{Exit, Failure};
use super::trace::{Files, Site as Declarations};
use super::{output, problem};
use crate::compat::Model;
use crate::discover::walk::{self, Input};
use crate::incident::book::Book;
use crate::incident::others::{self, Elsewhere, Snapshot};
use crate::incident::page::{self, DeclaredIssuer, Incident, Page, SCHEMA_VERSION, Site, Tlp};
use crate::incident::service::Declared;
use crate::incident::suspect::{FoundAt, Identity, Suspect};
use crate::incident::{Macaroon, show};
use crate::policy::{self, Workflows};
use crate::report::Tool;
use crate::report::text::counted;
use crate::rule::RuleBook;
use crate::scan::find::{Finder, Form};
use crate::scan::fingerprint::Fingerprints;
use crate::scan::member::{self, Note, Text, Visit};
use crate::scan::stream::Scanner;
use crate::scan::tally::{self, Kept, Tally};
use crate::source::Source;
use crate::trace::answers::{self, Answers};
use crate::trace::book::Book as Formats;
use crate::trace::raw::Field;
use crate::trace::read::{self, Limits};
use crate::trace::search::Reading;
use crate::trace::site;
use crate::trace::time::Clock;
use clap::{Args as ClapArgs, ValueEnum};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Tokens that get a page of their own.
const PAGES: usize = 3;
/// The same with `--all`.
const ALL_PAGES: usize = 100;
/// Fingerprints that are listed of the others.
const LISTED: usize = 100;
/// Macaroons whose limits are kept.
const MACAROONS: usize = 1_000;
/// Largest file that is taken for claims or for a client registration, in bytes.
const SMALL: u64 = 64 << 20;

#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Without the token: --iss, --sub, --client, --jti or --fingerprint say which one is meant, and every PATH is looked \
                        through for it. Nothing that could be used of a token is printed."
)]
pub(super) struct IncidentArgs {
    /// First the file that holds the token, or what is left of it: a token, a log line, a redacted token, decoded claims; `-` is
    /// standard input. Further files and folders are logs and client exports, in which others with the same subject or client are looked for
    #[arg(value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,

    /// The issuer of the token
    #[arg(long, value_name = "URL", help_heading = "What is known")]
    pub(super) iss: Option<String>,
    /// Its subject
    #[arg(long, value_name = "SUB", allow_hyphen_values = true, help_heading = "What is known")]
    pub(super) sub: Option<String>,
    /// The client that got it
    #[arg(long, value_name = "CLIENT_ID", help_heading = "What is known")]
    pub(super) client: Option<String>,
    /// Its identifier
    #[arg(long, value_name = "JTI", allow_hyphen_values = true, help_heading = "What is known")]
    pub(super) jti: Option<String>,
    /// Its fingerprint, as `tokenvet scan` shows it
    #[arg(long, value_name = "HEX", help_heading = "What is known")]
    pub(super) fingerprint: Option<String>,

    /// The policy whose `services`, `issuers` and `workflows` are asked. Default: `tokenvet.yaml` in this folder
    #[arg(long, value_name = "FILE", help_heading = "What is asked")]
    pub(super) config: Option<PathBuf>,
    /// The zone of log times that name none: `UTC`, or an offset such as `+01:00`
    #[arg(long, value_name = "ZONE", default_value = "UTC", help_heading = "What is asked")]
    pub(super) timezone: String,
    /// Look as if this were now (RFC 3339)
    #[arg(long, value_name = "RFC3339", help_heading = "What is asked")]
    pub(super) now: Option<String>,

    /// Output format
    #[arg(long, short, value_enum, default_value_t = IncidentFormat::Human, help_heading = "Output")]
    pub(super) format: IncidentFormat,
    /// Mark of the text for others (Traffic Light Protocol)
    #[arg(long, value_enum, default_value_t = Tlp::Amber, help_heading = "Output")]
    pub(super) tlp: Tlp,
    /// Show everything, with the source of each statement, and a page for each of up to 100 tokens (3 without)
    #[arg(long, help_heading = "Output")]
    pub(super) all: bool,
    /// Colours
    #[arg(long, value_enum, default_value_t = super::args::Color::Auto, help_heading = "Output")]
    pub(super) color: super::args::Color,
}

/// Output formats of `incident`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum IncidentFormat {
    /// For a person at a terminal
    Human,
    /// For a ticket or a wiki
    Markdown,
    /// One JSON object (`tokenvet schema incident`)
    Json,
    /// Only the text for a mailing list
    Broadcast,
}

impl IncidentArgs {
    fn identity(&self) -> Identity {
        Identity {
            issuer: self.iss.clone(),
            subject: self.sub.clone(),
            client: self.client.clone(),
            jti: self.jti.clone(),
        }
    }

    /// Is the token told by its identifiers rather than by the first path?
    fn is_told(&self) -> bool {
        !self.identity().is_empty() || self.fingerprint.is_some()
    }

    fn checked(&self) -> Result<(), Failure> {
        let given = [&self.iss, &self.sub, &self.client, &self.jti, &self.fingerprint].into_iter().flatten();
        for value in given {
            if value.trim().is_empty() {
                return Err(Failure::Usage("an identifier is empty; leave the option out when it is not known".into()));
            }
            if crate::parse::jwt::looks_like_jwt(value) {
                return Err(Failure::Usage(
                    "a token as an argument can be seen by every user of this machine (ps); give it on standard input: tokenvet \
                     incident -"
                        .into(),
                ));
            }
        }
        self.fingerprint.as_deref().map_or(Ok(()), super::whole_fingerprint)?;
        if let Some(first) = self.paths.first()
            && !first.exists()
            && first.to_str().is_some_and(crate::parse::jwt::looks_like_jwt)
        {
            return Err(Failure::Usage(
                "a token as an argument can be seen by every user of this machine (ps), and stays in the shell's history; give it on \
                 standard input: tokenvet incident -"
                    .into(),
            ));
        }
        match self.paths.is_empty() && !self.is_told() {
            true => Err(Failure::Usage(
                "which token? Give a file that holds it or what is left of it, `-` for standard input, or at least one of --jti, \
                 --sub, --client, --iss and --fingerprint"
                    .into(),
            )),
            false => Ok(()),
        }
    }
}

/// Runs the command.
pub(super) fn run(args: &IncidentArgs) -> Result<Exit, Failure> {
    args.checked()?;
    let now = super::clock(args.now.as_deref())?;
    let declared = Declarations::load(args.config.as_deref())?;
    let clock = Clock { zone: Clock::zone(&args.timezone)?, now };
    let formats = Formats::builtin()?;
    let reading = Reading { book: &formats, clock: &clock, limits: Limits::default() };
    let mut files = Files::default();
    if !args.paths.is_empty() {
        files = Files::find(&args.paths, &declared, false)?;
    }
    let mut found = Found { fingerprints: Fingerprints::default(), now: now.as_second(), ..Found::default() };
    let suspects = suspects(args, &mut files, &reading, &declared, &mut found)?;
    if suspects.is_empty() {
        let problem = files.problems.iter().map(|(name, message)| format!("{name}: {message}")).next();
        return match problem {
            Some(problem) => Err(Failure::Usage(problem)),
            None => {
                let _ = writeln!(
                    std::io::stderr(),
                    "tokenvet: no token, no claims and no log line that names one; say what is known: --jti, --sub, --client, --iss"
                );
                Ok(Exit::Nothing)
            }
        };
    }
    let mut snapshot = Snapshot::default();
    files.inputs.retain(|(input, _)| !is_export(input, &mut snapshot));
    let issuers = issuers(&declared, &mut snapshot, &mut files.problems)?;
    with_logs_of(&declared, &mut files)?;
    let page = page(args, suspects, &mut files, &reading, &declared, &snapshot, &issuers, found.notes)?;
    let exit = if files.problems.is_empty() { Exit::Clean } else { Exit::Usage };
    output::print(&render(args, &page)).map_err(|failure| match failure {
        Failure::BrokenPipe(_) => Failure::BrokenPipe(exit),
        other => other,
    })?;
    Ok(exit)
}

fn render(args: &IncidentArgs, page: &Page) -> String {
    let look = super::look(args.color, args.all);
    match args.format {
        IncidentFormat::Human => show::human(page, look),
        IncidentFormat::Markdown => show::markdown(page, look),
        IncidentFormat::Json => page::json(page),
        IncidentFormat::Broadcast => show::broadcasts(page),
    }
}

/// What the pages are about, the most urgent first.
fn suspects(
    args: &IncidentArgs,
    files: &mut Files,
    reading: &Reading<'_>,
    declared: &Declarations,
    found: &mut Found,
) -> Result<Vec<Suspect>, Failure> {
    let told = args.identity();
    if !args.is_told() {
        // The first path is the token's, whatever else it leads to.
        let own: Vec<Input> =
            files.inputs.iter().map(|(input, _)| input.clone()).filter(|input| holds(args, input)).collect();
        found.scan(files, &own)?;
        let mut suspects = found.suspects();
        if suspects.is_empty() {
            suspects = claims(files, &own, found.now);
        }
        if suspects.is_empty() {
            suspects = named_in_logs(files, &own, reading);
        }
        return Ok(suspects);
    }
    let mut all: Vec<Input> = files.inputs.iter().map(|(input, _)| input.clone()).collect();
    let logs = Files::find(&[], declared, false)?;
    all.extend(logs.inputs.into_iter().map(|(input, _)| input));
    found.scan(files, &all)?;
    let print = args.fingerprint.as_deref().map(str::to_ascii_lowercase);
    let by_print = |suspect: &Suspect| print.as_deref().is_none_or(|print| suspect.is_shown_as(print));
    let all: Vec<Suspect> = found.suspects().into_iter().filter(by_print).collect();
    let meant = |fits: Option<bool>| -> Vec<Suspect> {
        all.iter().filter(|suspect| told.fits(&suspect.identity) == fits).cloned().collect()
    };
    let mut suspects: Vec<Suspect> = meant(Some(true));
    // A token that says nothing of itself can be told more about, when it is the only one.
    if suspects.is_empty() && all.len() == 1 {
        suspects = meant(None);
    }
    suspects.iter_mut().for_each(|suspect| suspect.identity.learn(&told));
    // A subject or client has many tokens: it is meant as such, and its tokens are what else carries it.
    let one = told.jti.is_some() || print.is_some();
    if suspects.is_empty() || (!one && suspects.len() > 1) {
        let more = suspects.len();
        let mut suspect = Suspect::told(told);
        suspect.fingerprint = print;
        if more > 1 {
            let tokens = counted(more as u64, "token");
            found
                .notes
                .push(format!("{tokens} in the files fit; give --jti or --fingerprint for the page of one of them"));
        }
        suspects = vec![suspect];
    }
    Ok(suspects)
}

/// Does an input lie at the first path?
fn holds(args: &IncidentArgs, input: &Input) -> bool {
    args.paths
        .first()
        .is_some_and(|first| input.path() == *first || (first.is_dir() && input.path().starts_with(first)))
}

/// Tokens that were found.
#[derive(Default)]
struct Found {
    fingerprints: Fingerprints,
    now: i64,
    tokens: Vec<Kept>,
    macaroons: HashMap<[u8; 32], Macaroon>,
    notes: Vec<String>,
}

impl Found {
    fn scan(&mut self, files: &mut Files, inputs: &[Input]) -> Result<(), Failure> {
        let finder = Finder::new().map_err(Failure::Usage)?;
        let limits = tally::Limits::of(tally::Limits::TOKENS, self.now);
        let mut taker = Tokens {
            scanner: Scanner::new(&finder),
            tally: Tally::new(limits),
            macaroons: std::mem::take(&mut self.macaroons),
            problems: BTreeMap::new(),
        };
        each_text(files, inputs, &mut taker);
        files.problems.append(&mut taker.problems);
        self.macaroons = taker.macaroons;
        let account = taker.tally.finish();
        self.notes.extend(account.notes());
        self.tokens = account.tokens;
        Ok(())
    }

    fn suspects(&self) -> Vec<Suspect> {
        let one = |seen: &Kept| {
            let macaroon = self.macaroons.get(seen.digest()).cloned();
            Suspect::found(seen, &self.fingerprints, macaroon, self.now)
        };
        let mut all: Vec<Suspect> = self.tokens.iter().map(one).collect();
        // Macaroons only show their end when they are read.
        all.sort_by_key(|suspect| suspect.standing);
        all
    }
}

/// Hands over the texts of some inputs.
fn each_text(files: &mut Files, inputs: &[Input], visit: &mut dyn Visit) {
    for input in inputs {
        let limits = member::Limits::default();
        match (&files.stdin, input.is_stdin()) {
            (Some(bytes), true) => member::texts(input.name(), None, bytes.as_slice(), limits, visit),
            _ => match walk::opened(input) {
                Ok(opened) => member::texts(input.name(), opened.modified, opened.bytes, limits, visit),
                Err(unreadable) => {
                    files.problems.insert(unreadable.name, unreadable.message);
                }
            },
        }
    }
}

/// Collects tokens.
struct Tokens<'f> {
    scanner: Scanner<'f>,
    tally: Tally,
    macaroons: HashMap<[u8; 32], Macaroon>,
    problems: BTreeMap<String, String>,
}

impl Visit for Tokens<'_> {
    fn text(&mut self, text: Text<'_>) {
        let Tokens { scanner, tally, macaroons, problems } = self;
        tally.begin(text.name);
        let read = scanner.tokens(text.bytes, &mut |place| {
            tally.add(&place);
            if place.hit.form == Form::Macaroon && macaroons.len() < MACAROONS {
                let digest = tally::digest(place.hit, place.window);
                let encoded = &place.window[place.hit.span.clone()];
                macaroons.entry(digest).or_insert_with(|| Macaroon::read(encoded));
            }
        });
        if let Err(error) = read {
            problems.insert(text.name.to_string(), format!("reading it ended early: {error}"));
        }
    }

    fn note(&mut self, note: Note) {
        self.problems.insert(note.name, note.message);
    }
}

/// The text of a small input.
fn small(files: &Files, input: &Input) -> Option<Arc<Source>> {
    match (&files.stdin, input.is_stdin()) {
        (Some(bytes), true) => Source::from_bytes(input.name().to_string(), bytes.clone()).ok().map(Arc::new),
        _ if walk::length_of(input) > SMALL => None,
        _ => walk::read(input).ok().map(Arc::new),
    }
}

/// Decoded claims.
fn claims(files: &Files, inputs: &[Input], now: i64) -> Vec<Suspect> {
    let mut all = Vec::new();
    for input in inputs {
        let Some(source) = small(files, input) else { continue };
        let Ok(json) = serde_json::from_str::<serde_json::Value>(source.text()) else { continue };
        let items = json.as_array().map_or(std::slice::from_ref(&json), Vec::as_slice);
        for suspect in items.iter().filter_map(|item| Suspect::claims(item, now)) {
            let place = FoundAt { path: source.name().to_string(), line: 1 };
            all.push(Suspect { places: vec![place], count: (1, 1), ..suspect });
        }
    }
    all.sort_by_key(|suspect| suspect.standing);
    all
}

/// Tokens that log lines only name.
fn named_in_logs(files: &mut Files, inputs: &[Input], reading: &Reading<'_>) -> Vec<Suspect> {
    struct Lines<'r> {
        reading: &'r Reading<'r>,
        found: Vec<Suspect>,
        problems: BTreeMap<String, String>,
    }
    impl Visit for Lines<'_> {
        fn text(&mut self, text: Text<'_>) {
            let Lines { reading, found, problems } = self;
            let Reading { book, clock, limits } = **reading;
            let read = read::records(book, text.bytes, clock, limits, &mut |record| {
                let value = |field| record.content.first(field).map(str::to_string);
                let identity = Identity {
                    issuer: value(Field::Iss),
                    subject: value(Field::Sub),
                    client: value(Field::Client),
                    jti: value(Field::Jti),
                };
                let named = identity.jti.is_some() || identity.subject.is_some() || identity.client.is_some();
                if named && found.len() < ALL_PAGES && !found.iter().any(|known| known.identity == identity) {
                    let place = FoundAt { path: text.name.to_string(), line: record.line };
                    let because = "a log line names it".into();
                    let told = Suspect::told(identity);
                    found.push(Suspect { places: vec![place], count: (1, 1), kind_because: because, ..told });
                }
            });
            if let Err(error) = read {
                problems.insert(text.name.to_string(), format!("reading it ended early: {error}"));
            }
        }

        fn note(&mut self, note: Note) {
            self.problems.insert(note.name, note.message);
        }
    }
    let mut lines = Lines { reading, found: Vec::new(), problems: BTreeMap::new() };
    each_text(files, inputs, &mut lines);
    files.problems.append(&mut lines.problems);
    lines.found
}

/// Is this an export of clients or metadata of an issuer? Then it is no log.
fn is_export(input: &Input, snapshot: &mut Snapshot) -> bool {
    if input.is_stdin() || walk::length_of(input) > SMALL {
        return false;
    }
    // Whatever is packed or no text is left to those who read logs.
    walk::read(input).is_ok_and(|source| snapshot.read(&Arc::new(source)))
}

/// The issuers of the policy; their snapshots are read.
fn issuers(
    declared: &Declarations,
    snapshot: &mut Snapshot,
    problems: &mut BTreeMap<String, String>,
) -> Result<Vec<DeclaredIssuer>, Failure> {
    let Some((_, file)) = &declared.file else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    for issuer in &file.raw.issuers {
        if let Some(folder) = &issuer.snapshot {
            policy::inside(folder)
                .map_err(|message| Failure::Usage(format!("the policy lists {folder}: {message}")))?;
            let found = walk::walk(&[declared.folder.join(folder)], &|_, _| false);
            problems.extend(found.unreadable.into_iter().map(|one| (one.name, one.message)));
            let before = snapshot.clients.len();
            for input in &found.inputs {
                match walk::read(input) {
                    Ok(source) => {
                        snapshot.read(&Arc::new(source));
                    }
                    Err(unreadable) => {
                        problems.insert(unreadable.name, unreadable.message);
                    }
                }
            }
            // Exports of clients do not say whose they are; the policy does.
            for (own, _) in &mut snapshot.clients[before..] {
                own.get_or_insert_with(|| issuer.issuer.clone());
            }
        }
        all.push(DeclaredIssuer {
            issuer: issuer.issuer.clone(),
            product: issuer.api.map(|api| api.product().to_string()),
            contact: issuer.contact.clone(),
        });
    }
    Ok(all)
}

/// Adds the logs of the policy's services to those that were named.
fn with_logs_of(declared: &Declarations, files: &mut Files) -> Result<(), Failure> {
    let logs = Files::find(&[], declared, false)?;
    files.problems.extend(logs.problems);
    let place = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let mut known: HashSet<PathBuf> = files.inputs.iter().map(|(input, _)| place(input.path())).collect();
    files.inputs.extend(logs.inputs.into_iter().filter(|(input, _)| known.insert(place(input.path()))));
    Ok(())
}

#[allow(clippy::too_many_arguments)] // each of them is read by the caller as well
fn page(
    args: &IncidentArgs,
    suspects: Vec<Suspect>,
    files: &mut Files,
    reading: &Reading<'_>,
    declared: &Declarations,
    snapshot: &Snapshot,
    issuers: &[DeclaredIssuer],
    mut notes: Vec<String>,
) -> Result<Page, Failure> {
    let now = reading.clock.now;
    let (book, model, rules) = (Book::builtin()?, Model::builtin()?, RuleBook::builtin()?);
    let (services, answers) = services(declared, reading)?;
    let policy = declared.file.as_ref().map(|(source, _)| source.name().to_string());
    let workflows = match &declared.file {
        Some((source, file)) => file.workflows().map_err(|error| Failure::Reported(problem::render(source, &error)))?,
        None => Workflows::default(),
    };
    let site = Site {
        book: &book,
        model: &model,
        registry: &rules.registry,
        services: &services,
        issuers,
        snapshot,
        workflows: &workflows,
        answers: answers.as_ref(),
        policy: policy.as_deref(),
        tlp: args.tlp,
        now: now.as_second(),
    };
    let pages = if args.all { ALL_PAGES } else { PAGES };
    let beyond = suspects.iter().skip(pages).filter_map(|suspect| suspect.fingerprint.clone().or(suspect.rest.clone()));
    let beyond: Vec<String> = beyond.take(LISTED).collect();
    if suspects.len() > pages {
        let all = counted(suspects.len() as u64, "token");
        notes.push(format!("{all} were found; the {pages} most urgent have a page"));
    }
    let mut incidents: Vec<Incident> = Vec::new();
    for suspect in suspects.into_iter().take(pages) {
        let elsewhere = match files.inputs.is_empty() {
            true => Elsewhere::default(),
            false => others::survey(files, reading, &suspect),
        };
        incidents.push(page::incident(&site, suspect, elsewhere));
    }
    notes.extend(files.problems.iter().map(|(name, message)| format!("{name}: {message}")));
    Ok(Page { schema_version: SCHEMA_VERSION, tool: Tool::this(), now: now.to_string(), incidents, beyond, notes })
}

/// The services of the policy with their files, and what their logs hold.
fn services(declared: &Declarations, reading: &Reading<'_>) -> Result<(Vec<Declared>, Option<Answers>), Failure> {
    if declared.services.is_empty() {
        return Ok((Vec::new(), None));
    }
    let mut services = Vec::new();
    let mut logging = Vec::new();
    for (index, files) in declared.files()?.into_iter().enumerate() {
        let raw = &declared.services[index];
        let (name, retention) = (declared.name(index), declared.retention(index)?);
        logging.push(site::service(&name, &raw.product, &files, retention));
        services.push(Declared {
            name,
            product: raw.product.clone(),
            version: raw.version.clone(),
            files,
            logs: raw.logs.clone(),
            retention,
            contact: raw.contact.clone(),
        });
    }
    let answers = answers::answers(reading.book, &logging);
    Ok((services, Some(answers)))
}
