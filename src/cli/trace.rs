//! `tokenvet trace`: who used which token where, from the logs of several services.

use super::exit::{Exit, Failure};
use super::{output, problem};
use crate::discover::several;
use crate::discover::walk::{self, Input};
use crate::evaluate::{Adjustments, Plan, Selection};
use crate::policy::{Fitting, PolicyFile, RawService, glob};
use crate::profile::Registry;
use crate::report::text::counted;
use crate::rule::RuleBook;
use crate::scan::member::{self, Note, Text, Visit};
use crate::scan::since::Since;
use crate::scan::when;
use crate::source::Source;
use crate::trace::answers::{self, SiteService};
use crate::trace::book::Book;
use crate::trace::judge;
use crate::trace::page::{self, Context};
use crate::trace::question::{Condition, Known, Question, is_one_address};
use crate::trace::read::{self, Extent, Limits, Record};
use crate::trace::search::{self, Logs, Origin, Reading};
use crate::trace::site;
use crate::trace::time::Clock;
use clap::{Args as ClapArgs, ValueEnum};
use globset::GlobSet;
use std::collections::{BTreeMap, HashSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of standard input that are kept to be read several times.
const MAX_STDIN: u64 = 256 << 20;

#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Several values are asked for together: each must hold for a record, or for its token or connection."
)]
pub(super) struct TraceArgs {
    /// Logs: files and folders; `-` is standard input. Default: the `logs` of the policy's `services`
    #[arg(value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
    /// Also read the rotated siblings of the named files: `x.log.1`, `x.log-20261101.gz`
    #[arg(long)]
    pub(super) rotated: bool,
    /// Leave out what is certainly older: files by their modification time, lines by their timestamp. A time
    /// (2026-01-31T12:00:00Z), a date (2026-01-31) or a duration (7d, 1h30m)
    #[arg(long, value_name = "WHEN")]
    pub(super) since: Option<String>,

    /// The identifier of a token
    #[arg(long, value_name = "JTI", allow_hyphen_values = true, help_heading = "What is known")]
    pub(super) jti: Option<String>,
    /// The subject of a token
    #[arg(long, value_name = "SUB", allow_hyphen_values = true, help_heading = "What is known")]
    pub(super) sub: Option<String>,
    /// The client that got the token
    #[arg(long, value_name = "CLIENT_ID", help_heading = "What is known")]
    pub(super) client: Option<String>,
    /// The fingerprint of a token, as `tokenvet scan` shows it
    #[arg(long, value_name = "HEX", help_heading = "What is known")]
    pub(super) fingerprint: Option<String>,
    /// A person or account: subject, local account or distinguished name
    #[arg(long, value_name = "USER", help_heading = "What is known")]
    pub(super) user: Option<String>,
    /// An IP address or host name; networks are not searched
    #[arg(long, value_name = "ADDRESS", help_heading = "What is known")]
    pub(super) address: Option<String>,
    /// A file, or a folder with everything in it
    #[arg(long, value_name = "PATH", help_heading = "What is known")]
    pub(super) path: Option<String>,
    /// A job or transfer
    #[arg(long, value_name = "ID", help_heading = "What is known")]
    pub(super) job: Option<String>,
    /// A VO: its name in groups and records, or its issuer
    #[arg(long, value_name = "VO", help_heading = "What is known")]
    pub(super) vo: Option<String>,
    /// When it happened (RFC 3339)
    #[arg(long, value_name = "RFC3339", help_heading = "What is known")]
    pub(super) time: Option<String>,
    /// How far from that moment records may be, and from each other when they are joined by time
    #[arg(long, value_name = "DURATION", default_value = "10m", help_heading = "What is known")]
    pub(super) within: String,
    /// The zone of logs that name none: UTC, +02:00, or a POSIX rule (CET-1CEST,M3.5.0,M10.5.0/3)
    #[arg(
        long,
        value_name = "ZONE",
        default_value = "UTC",
        allow_hyphen_values = true,
        help_heading = "What is known"
    )]
    pub(super) timezone: String,
    /// The latest moment of times that name no year (RFC 3339)
    #[arg(long, value_name = "RFC3339", help_heading = "What is known")]
    pub(super) now: Option<String>,

    /// The policy file, whose `services` name their logs. Default: `tokenvet.yaml` here
    #[arg(long, value_name = "FILE", help_heading = "Services")]
    pub(super) config: Option<PathBuf>,
    /// Read no logs: say which questions the logs of the policy's services can answer, by their configuration
    #[arg(long, help_heading = "Services", conflicts_with_all = [
        "paths", "jti", "sub", "client", "fingerprint", "user", "address", "path", "job", "vo", "time",
    ])]
    pub(super) can_answer: bool,

    /// Output format
    #[arg(long, short, value_enum, default_value_t = TraceFormat::Human, help_heading = "Output")]
    pub(super) format: TraceFormat,
    /// Show every record
    #[arg(long, help_heading = "Output")]
    pub(super) all: bool,
    /// Colours
    #[arg(long, value_enum, default_value_t = super::args::Color::Auto, help_heading = "Output")]
    pub(super) color: super::args::Color,
}

/// Output formats of `trace`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum TraceFormat {
    /// A timeline by service
    Human,
    /// One JSON object (`tokenvet schema trace`)
    Json,
}

/// Runs the command.
pub(super) fn run(args: &TraceArgs) -> Result<Exit, Failure> {
    let now = super::clock(args.now.as_deref())?;
    let site = Site::load(args.config.as_deref())?;
    if args.can_answer {
        return can_answer(args, &site, now.as_second());
    }
    let question = question(args)?;
    if question.conditions.is_empty() && question.time.is_none() {
        return Err(Failure::Usage(
            "what is known? Give at least one of --jti, --sub, --client, --fingerprint, --user, \
             --address, --path, --job, --vo and --time"
                .into(),
        ));
    }
    let clock = Clock { zone: Clock::zone(&args.timezone)?, now };
    let since = args.since.as_deref().map(|since| when::since(since, now.as_second())).transpose();
    let since = since.map_err(|error| Failure::Usage(format!("--since {error}")))?;
    let mut files = Files::find(&args.paths, &site, args.rotated)?;
    files.recent = since.map(|since| Recent { since, now: now.as_second(), files: 0 });
    if files.inputs.is_empty() && files.problems.is_empty() {
        return Err(Failure::Usage(
            "no logs: give their paths, or a policy (--config) whose services name their `logs`".into(),
        ));
    }
    let book = Book::builtin()?;
    let reading = Reading { book: &book, clock: &clock, limits: Limits::default() };
    let found = search::search(&mut files, &reading, &question);
    let rules = Arc::new(RuleBook::builtin()?);
    let context = Context { book: &book, registry: registry(&rules), clock: &clock, timezone: args.timezone.as_str() };
    let plan = site.plan(&rules)?;
    let findings = judge::of_logs(&plan, &book, &found.services, now.as_second());
    let mut traced = page::traced(&context, &question, &found, findings);
    traced.notes.extend(files.recent.as_ref().and_then(Recent::note));
    traced.notes.extend(files.problems.iter().map(|(name, message)| format!("{name}: {message}")));
    let exit = match (files.problems.is_empty(), found.hits.is_empty()) {
        (false, _) => Exit::Usage,
        (true, true) => Exit::Nothing,
        (true, false) => Exit::Clean,
    };
    let text = match args.format {
        TraceFormat::Human => page::human(&traced, super::look(args.color, args.all)),
        TraceFormat::Json => page::json(&traced),
    };
    output::print(&text).map_err(|failure| match failure {
        Failure::BrokenPipe(_) => Failure::BrokenPipe(exit),
        other => other,
    })?;
    Ok(exit)
}

/// Which questions the configured logs can answer.
fn can_answer(args: &TraceArgs, site: &Site, now: i64) -> Result<Exit, Failure> {
    if site.services.is_empty() {
        return Err(Failure::Usage("no services: give a policy (--config) whose `services` name their files".into()));
    }
    let book = Book::builtin()?;
    let services = site.configured()?;
    let mut answers = answers::answers(&book, &services);
    let plan = site.plan(&Arc::new(RuleBook::builtin()?))?;
    answers.findings = judge::of_answers(&plan, &answers, &services, &site.name_of_file(), now);
    let text = match args.format {
        TraceFormat::Human => answers::human(&answers, super::look(args.color, args.all)),
        TraceFormat::Json => answers::json(&answers),
    };
    output::print(&text)?;
    Ok(Exit::Clean)
}

fn registry(rules: &RuleBook) -> &Registry {
    &rules.registry
}

fn question(args: &TraceArgs) -> Result<Question, Failure> {
    let given = [
        (Known::Jti, &args.jti),
        (Known::Sub, &args.sub),
        (Known::Client, &args.client),
        (Known::Fingerprint, &args.fingerprint),
        (Known::User, &args.user),
        (Known::Address, &args.address),
        (Known::Path, &args.path),
        (Known::Job, &args.job),
        (Known::Vo, &args.vo),
    ];
    let conditions = given.into_iter().filter_map(|(known, value)| Some(Condition { known, value: value.clone()? }));
    let conditions: Vec<Condition> = conditions.collect();
    if let Some(empty) = conditions.iter().find(|condition| condition.value.trim().is_empty()) {
        return Err(Failure::Usage(format!("the {} is empty", empty.known.words())));
    }
    args.fingerprint.as_deref().map_or(Ok(()), super::whole_fingerprint)?;
    if let Some(address) = args.address.as_deref().filter(|address| !is_one_address(address)) {
        return Err(Failure::Usage(format!(
            "--address {}: write one IP address or host name; networks and patterns are not searched",
            crate::report::text::shown(address)
        )));
    }
    if conditions.iter().any(|condition| crate::parse::jwt::looks_like_jwt(&condition.value)) {
        return Err(Failure::Usage(
            "a token as an argument can be seen by every user of this machine (ps); ask by its \
             fingerprint (tokenvet scan) or its jti"
                .into(),
        ));
    }
    let time = args.time.as_deref().map(|text| {
        text.parse::<jiff::Timestamp>().map_err(|_| {
            Failure::Usage(format!("--time {text}: write RFC 3339 with a zone, for example 2026-01-31T12:00:00Z"))
        })
    });
    let within = super::duration("--within", &args.within)?;
    Ok(Question { conditions, time: time.transpose()?, within })
}

/// What the policy says of services.
pub(super) struct Site {
    pub(super) services: Vec<RawService>,
    pub(super) folder: PathBuf,
    /// The policy file, as read.
    pub(super) file: Option<(Arc<Source>, PolicyFile)>,
}

impl Site {
    /// Reads the policy that is named, or the one of this folder; without any there are no services.
    pub(super) fn load(config: Option<&Path>) -> Result<Site, Failure> {
        let own = Path::new("tokenvet.yaml");
        let path = match config {
            Some(path) => path,
            None if own.is_file() => own,
            None => return Ok(Site { services: Vec::new(), folder: PathBuf::from("."), file: None }),
        };
        let source: Arc<Source> =
            Arc::new(problem::read_small(path, crate::policy::MAX_FILE).map_err(Failure::Reported)?);
        let file = PolicyFile::read(&source).map_err(|error| Failure::Reported(problem::render(&source, &error)))?;
        let folder = walk::folder_of(path).to_path_buf();
        Ok(Site { services: file.raw.services.clone(), folder, file: Some((source, file)) })
    }

    /// By what logs are judged: the built-in rules, as the policy adjusts them.
    fn plan(&self, rules: &Arc<RuleBook>) -> Result<Plan, Failure> {
        let (selection, adjustments) = match &self.file {
            None => (Selection::Auto, Adjustments::default()),
            Some((source, file)) => {
                let failure = |error| Failure::Reported(problem::render(source, &error));
                file.compile(rules).map_err(failure)?.adjustments(&Fitting::default())
            }
        };
        Ok(Plan::new(Arc::clone(rules), selection, &adjustments))
    }

    /// The policy file, as users named it.
    fn name_of_file(&self) -> String {
        self.file.as_ref().map(|(source, _)| source.name().to_string()).unwrap_or_default()
    }

    /// The services with what their configuration says of logs.
    pub(super) fn configured(&self) -> Result<Vec<SiteService>, Failure> {
        let files = self.files()?;
        let service = |(index, files): (usize, Vec<Arc<Source>>)| {
            let product = &self.services[index].product;
            Ok(site::service(&self.name(index), product, &files, self.retention(index)?))
        };
        files.into_iter().enumerate().map(service).collect()
    }

    /// How long a service's logs are kept, in seconds.
    pub(super) fn retention(&self, index: usize) -> Result<Option<i64>, Failure> {
        let service = &self.services[index];
        let retention = service.log_retention.as_ref().map(crate::policy::lifetime).transpose();
        retention.map_err(|message| Failure::Usage(format!("log-retention of {}: {message}", service.product)))
    }

    /// The configuration files of each service.
    pub(super) fn files(&self) -> Result<Vec<Vec<Arc<Source>>>, Failure> {
        let found = walk::walk(std::slice::from_ref(&self.folder), &|_, _| false);
        let mut globs = Vec::new();
        for service in &self.services {
            let set = glob::paths(&service.files);
            globs.push(set.map_err(|(_, message)| Failure::Usage(format!("files of {}: {message}", service.product)))?);
        }
        let mut files: Vec<Vec<Arc<Source>>> = vec![Vec::new(); globs.len()];
        for input in &found.inputs {
            let relative = input.path().strip_prefix(&self.folder).unwrap_or(input.path());
            let Some(index) = globs.iter().position(|set| set.is_match(relative)) else { continue };
            if let Ok(source) = walk::read(input) {
                files[index].push(Arc::new(source));
            }
        }
        Ok(files)
    }

    /// How a service is called.
    pub(super) fn name(&self, index: usize) -> String {
        let service = &self.services[index];
        service.name.clone().unwrap_or_else(|| format!("{} {}", service.product, index + 1))
    }
}

/// The files to read, with the service each belongs to.
#[derive(Default)]
pub(super) struct Files {
    pub(super) inputs: Vec<(Input, Option<String>)>,
    /// Standard input, kept to be read again.
    pub(super) stdin: Option<Vec<u8>>,
    /// What could not be read, by name.
    pub(super) problems: BTreeMap<String, String>,
    /// What is left out.
    recent: Option<Recent>,
}

/// What `--since` leaves out.
#[derive(Clone, Copy, Debug)]
struct Recent {
    /// In seconds since 1970.
    since: i64,
    now: i64,
    /// Files that were left out, in the reading that left out most.
    files: u64,
}

impl Recent {
    fn note(&self) -> Option<String> {
        let since =
            jiff::Timestamp::from_second(self.since).map_or_else(|_| self.since.to_string(), |at| at.to_string());
        (self.files > 0).then(|| format!("older than {since} and left out: {} (--since)", counted(self.files, "file")))
    }
}

impl Files {
    pub(super) fn find(paths: &[PathBuf], site: &Site, rotated: bool) -> Result<Files, Failure> {
        let mut files = Files { inputs: Vec::new(), stdin: None, problems: BTreeMap::new(), recent: None };
        let sets = site.services.iter().map(|service| logs_of(service, site)).collect::<Result<Vec<_>, _>>()?;
        let found = match paths.is_empty() {
            false => walk::walk(paths, &|_, _| false),
            true => {
                let mut roots: Vec<PathBuf> = site.services.iter().flat_map(|service| roots(service, site)).collect();
                roots.sort();
                roots.dedup();
                walk::walk(&roots, &|_, _| false)
            }
        };
        files.problems.extend(found.unreadable.into_iter().map(|one| (one.name, one.message)));
        for input in found.inputs {
            let absolute = std::path::absolute(input.path()).unwrap_or_else(|_| input.path().to_path_buf());
            let service = sets.iter().position(|set| set.is_match(&absolute));
            if !paths.is_empty() || service.is_some() {
                files.inputs.push((input, service.map(|index| site.name(index))));
            }
        }
        if rotated {
            files.add_rotated();
        }
        if files.inputs.iter().any(|(input, _)| input.is_stdin()) {
            files.read_stdin();
        }
        Ok(files)
    }

    /// Adds the rotated siblings of files that are named; they belong to the same service.
    fn add_rotated(&mut self) {
        let known: HashSet<&Path> = self.inputs.iter().map(|(input, _)| input.path()).collect();
        let named = self.inputs.iter().filter(|(input, _)| input.is_named());
        let siblings = named.flat_map(|(input, service)| {
            several::rotated(input.path()).into_iter().map(move |path| {
                let input = Input::named(path);
                (input, service.clone())
            })
        });
        let siblings: Vec<_> = siblings.filter(|(input, _)| !known.contains(input.path())).collect();
        self.inputs.extend(siblings);
        self.inputs.sort_by(|(a, _), (b, _)| a.name().cmp(b.name()));
        self.inputs.dedup_by(|(a, _), (b, _)| a.path() == b.path());
    }

    fn read_stdin(&mut self) {
        let mut bytes = Vec::new();
        match std::io::stdin().lock().take(MAX_STDIN + 1).read_to_end(&mut bytes) {
            Ok(_) => {}
            Err(error) => {
                self.problems.insert("<stdin>".into(), format!("reading it ended early: {error}"));
            }
        }
        if bytes.len() as u64 > MAX_STDIN {
            bytes.truncate(MAX_STDIN as usize);
            let message = format!("only its first {} MiB were read; write it to a file", MAX_STDIN >> 20);
            self.problems.insert("<stdin>".into(), message);
        }
        self.stdin = Some(bytes);
    }
}

impl Logs for Files {
    fn each(&mut self, reading: &Reading<'_>, sink: &mut dyn FnMut(&Origin<'_>, &Record)) -> Extent {
        let recent = self.recent.map(|recent| Recent { files: 0, ..recent });
        let (extent, problems) = (Extent::default(), BTreeMap::new());
        let mut taker = Taker { reading, sink, service: None, texts: 0, extent, problems, recent };
        for (input, service) in &self.inputs {
            taker.service = service.as_deref();
            let limits = member::Limits::default();
            match (&self.stdin, input.is_stdin()) {
                (Some(bytes), true) => member::texts(input.name(), None, bytes.as_slice(), limits, &mut taker),
                _ => match walk::opened(input) {
                    Ok(opened) => member::texts(input.name(), opened.modified, opened.bytes, limits, &mut taker),
                    Err(unreadable) => {
                        taker.problems.insert(unreadable.name, unreadable.message);
                    }
                },
            }
        }
        let Taker { extent, problems, recent, .. } = taker;
        if let (Some(known), Some(recent)) = (&mut self.recent, recent) {
            known.files = known.files.max(recent.files);
        }
        self.problems.extend(problems);
        extent
    }
}

/// Takes the texts of all inputs, in an order that does not change.
struct Taker<'t> {
    reading: &'t Reading<'t>,
    sink: &'t mut dyn FnMut(&Origin<'_>, &Record),
    service: Option<&'t str>,
    texts: u32,
    extent: Extent,
    problems: BTreeMap<String, String>,
    recent: Option<Recent>,
}

impl Visit for Taker<'_> {
    fn text(&mut self, text: Text<'_>) {
        let origin = Origin { file: self.texts, path: text.name, service: self.service };
        self.texts = self.texts.saturating_add(1);
        let Reading { book, clock, limits } = *self.reading;
        let mut recent = None;
        if let Some(known) = &mut self.recent {
            if text.modified.is_some_and(|modified| modified < known.since) {
                known.files += 1;
                return;
            }
            recent = Some((known.since, known.now));
        }
        let mut lines;
        let bytes: &mut dyn Read = match recent {
            Some((since, now)) => {
                lines = Since::new(text.bytes, text.form, since, now);
                &mut lines
            }
            None => text.bytes,
        };
        match read::records(book, bytes, clock, limits, &mut |record| (self.sink)(&origin, record)) {
            Ok(extent) => {
                self.extent.records += extent.records;
                self.extent.long_lines += extent.long_lines;
                self.extent.long_records += extent.long_records;
            }
            Err(error) => {
                self.problems.insert(text.name.to_string(), format!("reading it ended early: {error}"));
            }
        }
    }

    fn note(&mut self, note: Note) {
        self.problems.insert(note.name, note.message);
    }
}

/// A log's glob as an absolute one.
fn absolute(glob: &str, site: &Site) -> PathBuf {
    let path = site.folder.join(glob);
    std::path::absolute(&path).unwrap_or(path)
}

/// The logs of a service, as globs over absolute paths.
fn logs_of(service: &RawService, site: &Site) -> Result<GlobSet, Failure> {
    let globs: Vec<String> =
        service.logs.iter().map(|glob| absolute(glob, site).to_string_lossy().into_owned()).collect();
    let mut set = globset::GlobSetBuilder::new();
    for text in &globs {
        let bad = |message| Failure::Usage(format!("logs of {}: {message}", service.product));
        glob::matcher(text, true).map_err(bad)?;
        for pattern in [text.clone(), format!("{text}/**")] {
            let built = globset::GlobBuilder::new(&pattern).literal_separator(true).backslash_escape(true).build();
            set.add(built.map_err(|error| Failure::Usage(format!("{text}: {error}")))?);
        }
    }
    set.build().map_err(|error| Failure::Usage(error.to_string()))
}

/// The folders (and files) under which a service's logs can lie.
fn roots(service: &RawService, site: &Site) -> Vec<PathBuf> {
    let root = |glob: &String| {
        let path = site.folder.join(glob);
        let plain =
            path.components().take_while(|part| !part.as_os_str().to_string_lossy().contains(['*', '?', '[', '{']));
        plain.collect::<PathBuf>()
    };
    service.logs.iter().map(root).collect()
}
