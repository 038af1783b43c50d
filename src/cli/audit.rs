//! `tokenvet audit`: check and scan what a policy lists, and say what changed since the last time.

use super::args::{CheckArgs, Color, Unrecognised};
use super::check::Job;
use super::collect::{Collector, Gathered};
use super::exit::{Exit, Failure};
use super::output::{self, ReportFile};
use super::policy::Governance;
use super::{rules, scan};
use crate::audit::{
    self, Key, Observed, Outcome, Part, Report, Role, Seen, Settings, Snapshot, Source, Verdict, Waiver,
};
use crate::discover::is_no_configuration;
use crate::discover::listed::listed;
use crate::discover::walk::{Input, name_of};
use crate::evaluate::Plan;
use crate::policy::{self, FailOn, RawPolicy, RawService};
use crate::report::{FileError, Finding, HtmlPage, Reporter, SuppressionKind};
use crate::rule::RuleBook;
use crate::state::State;
use clap::{Args as ClapArgs, ValueEnum};
use jiff::Timestamp;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::rc::Rc;

#[derive(Debug, ClapArgs)]
pub(super) struct AuditArgs {
    /// The policy, whose `services`, `issuers` and `audit` say what is looked at
    #[arg(value_name = "POLICY")]
    pub(super) policy: PathBuf,
    /// The folder that keeps what audits remember; made when it is not there
    #[arg(long, value_name = "DIR")]
    pub(super) state: PathBuf,
    /// First take new snapshots of the policy's issuers, where it names a folder for them. An issuer that cannot be fetched
    /// keeps its old one
    #[arg(long, conflicts_with = "last")]
    pub(super) fetch: bool,
    /// Judge nothing: report the last audit again
    #[arg(long)]
    pub(super) last: bool,
    /// With --last: it is an error when that audit is older than this (`26h`, `2d`)
    #[arg(long, value_name = "DURATION", requires = "last")]
    pub(super) max_age: Option<String>,
    /// Go on after audits of a clock that was ahead: what they left in the state counts as of now
    #[arg(long, conflicts_with = "last")]
    pub(super) clock_was_ahead: bool,
    /// Tell what ends within this time
    #[arg(long, value_name = "DURATION", default_value = "30d")]
    pub(super) expiring: String,
    /// Forget findings that are gone, lost files and audits after this time
    #[arg(long, value_name = "DURATION", default_value = "400d")]
    pub(super) keep: String,
    /// Judge as if this were now (RFC 3339), for repeatable runs
    #[arg(long, value_name = "RFC3339")]
    pub(super) now: Option<String>,

    /// Output format on standard output [default: human]
    #[arg(long, short, value_enum, help_heading = "Output")]
    pub(super) format: Option<AuditFormat>,
    /// Also write a report to a file (`prometheus=/var/lib/node_exporter/tokenvet.prom`); repeats
    #[arg(long, short, value_name = "FORMAT=PATH", help_heading = "Output")]
    pub(super) output: Vec<String>,
    /// Write a mail, headers and text, to a file or (`-`) to standard output; nothing is sent
    #[arg(long, value_name = "PATH", help_heading = "Output")]
    pub(super) notify: Option<PathBuf>,
    /// Be a Nagios plugin: its line on standard output, and its exit codes 0 to 3
    #[arg(long, help_heading = "Output", conflicts_with = "format")]
    pub(super) nagios: bool,
    /// Show everything, however long
    #[arg(long, help_heading = "Output")]
    pub(super) all: bool,
    /// Colours
    #[arg(long, value_enum, default_value_t = Color::Auto, help_heading = "Output")]
    pub(super) color: Color,

    /// Exit 1 when a new or worse finding is at least this bad [default: the policy's, or warning]
    #[arg(long, value_enum, help_heading = "Exit code")]
    pub(super) fail_on: Option<FailOn>,

    /// Worker threads; 0 takes one per core
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(super) threads: usize,

    #[cfg(feature = "fetch")]
    #[command(flatten)]
    pub(super) connections: super::fetch::Connections,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum AuditFormat {
    /// For people
    Human,
    /// One object, see `tokenvet schema audit`
    Json,
    /// For the textfile collector of node_exporter
    Prometheus,
    /// The line of a Nagios plugin
    Nagios,
    /// A page to look at, print or pass on
    Html,
}

/// Runs the command.
pub(super) fn run(args: &AuditArgs) -> Result<Exit, Failure> {
    let result = audit(args);
    if !args.nagios {
        return result;
    }
    let message = match result {
        Ok(exit) => return Ok(exit),
        Err(Failure::BrokenPipe(exit)) => return Ok(exit),
        Err(Failure::Usage(message) | Failure::Reported(message)) => message,
    };
    unknown(&message)
}

/// The answer of a plugin that cannot tell.
fn unknown(message: &str) -> Result<Exit, Failure> {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "/");
    output::print(&format!("TOKENVET UNKNOWN - {}\n", super::printable(&line)))?;
    // A plugin's 3.
    Ok(Exit::Nothing)
}

/// The same for arguments that cannot be read, where they ask for a plugin: elsewhere such an error has the code that a plugin
/// has for what is critical.
pub(super) fn misused(arguments: &[OsString], error: &clap::Error) -> Option<Result<Exit, Failure>> {
    let names = |name: &str| arguments.iter().any(|argument| argument == name);
    if !(error.use_stderr() && names("audit") && names("--nagios")) {
        return None;
    }
    let text = error.render().to_string();
    let message = text.split("\n\n").next().unwrap_or_default();
    Some(unknown(message.strip_prefix("error: ").unwrap_or(message)))
}

fn audit(args: &AuditArgs) -> Result<Exit, Failure> {
    let now = super::clock(args.now.as_deref())?;
    let (expiring, keep) = (super::duration("--expiring", &args.expiring)?, super::duration("--keep", &args.keep)?);
    #[cfg(feature = "fetch")]
    if let Some(option) = args.connections.given().filter(|_| !args.fetch) {
        return Err(Failure::Usage(format!("{option}: this is about taking snapshots; add --fetch, or leave it out")));
    }
    let outputs = Outputs::create(args)?;
    let policy = std::path::absolute(&args.policy)?;
    let (Some(folder), Some(name)) = (policy.parent(), policy.file_name()) else {
        return Err(Failure::Usage(format!("{}: this is no policy file", args.policy.display())));
    };
    // Whoever asks for the last audit wants nothing to be made.
    if args.last && !args.state.join(crate::state::FILE).exists() {
        return Err(none_yet(args));
    }
    let mut state = State::open(&std::path::absolute(&args.state)?, &holder()).map_err(failure)?;
    if args.last {
        let report = last(args, &state, now)?;
        let page = || HtmlPage::default().text(&BTreeMap::new(), Some(&report));
        return outputs.write(args, &report, &page).map(|()| exit(args, &report));
    }
    // Names in the state must not depend on where cron starts us.
    std::env::set_current_dir(folder)
        .map_err(|error| Failure::Usage(format!("{}: cannot be entered: {error}", folder.display())))?;
    let check = CheckArgs {
        config: Some(PathBuf::from(name)),
        threads: args.threads,
        unrecognised: Unrecognised::Skip,
        ..CheckArgs::default()
    };
    let mut memory = state.memory().map_err(failure)?;
    memory.accepted.look_for_files(|path| Path::new(path).exists());
    let ahead = memory.runs.last().filter(|last| last.at > now.as_second() && !args.clock_was_ahead);
    if let Some(last) = ahead {
        return Err(Failure::Usage(format!(
            "the last audit in this state is of {}, after this one ({now}); look at the clock of this machine or at --now, \
             and if that audit's clock was ahead, give --clock-was-ahead once, which keeps what the state remembers",
            crate::rule::message::time(last.at)
        )));
    }
    let past = memory.as_of(now.as_second());
    let mut governance = Governance::load(&check)?;
    governance.audit(memory.accepted.clone());
    let snapshots = super::refresh::snapshots(args, governance.raw().map_or(&[], |raw| &raw.issuers))?;
    let settings = Settings {
        policy: name_of(Path::new(name)),
        digest: governance.digest.clone(),
        now: now.as_second(),
        expiring,
        keep,
        fail_on: args.fail_on.or(governance.raw().and_then(|raw| raw.fail_on)).unwrap_or(FailOn::Warning),
    };
    let page = Rc::new(RefCell::new(HtmlPage::new(super::look(args.color, args.all))));
    let shown = outputs.wants(args, AuditFormat::Html).then_some(&page);
    let (seen, judge) = judge(&check, governance, now, &settings.policy, (snapshots, shown))?;
    let (report, next) = audit::compare(&past, seen, &settings, &judge);
    // On the disk before it is told, so that a full disk is known; it counts only after it was told, so that nothing is
    // lost when this process is killed in between.
    let pending = state.write(&memory, &next, &report).map_err(failure)?;
    let page = || page.borrow().text(&rules::Lookup(&judge.governance.book), Some(&report));
    let told = outputs.write(args, &report, &page);
    if !matches!(told, Ok(()) | Err(Failure::BrokenPipe(_))) {
        return told.map(|()| Exit::Usage);
    }
    pending.commit().map_err(failure)?;
    state.shrink();
    Ok(exit(args, &report))
}

fn failure(error: crate::state::StateError) -> Failure {
    Failure::Usage(error.to_string())
}

/// What others are told who find the state locked.
fn holder() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() { "this host" } else { host.trim() };
    let since = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ");
    format!("process {} on {host} since {since}", std::process::id())
}

fn none_yet(args: &AuditArgs) -> Failure {
    Failure::Usage(format!("{}: there was no audit yet", args.state.display()))
}

/// The report of the last audit.
fn last(args: &AuditArgs, state: &State, now: Timestamp) -> Result<Report, Failure> {
    let Some(report) = state.last_report().map_err(failure)? else {
        return Err(none_yet(args));
    };
    if let Some(text) = &args.max_age {
        let age = now.as_second() - clock_of(&report);
        if age < 0 {
            return Err(Failure::Usage(format!(
                "the last audit is of {}, after now ({now}), so nobody can say how old it is; look at the clock of this machine",
                report.now
            )));
        }
        if age > super::duration("--max-age", text)? {
            let since = crate::rule::message::duration(age);
            return Err(Failure::Usage(format!(
                "the last audit was {} ago, at {}; is its timer running?",
                since, report.now
            )));
        }
    }
    Ok(report)
}

fn clock_of(report: &Report) -> i64 {
    report.now.parse::<Timestamp>().map_or(0, Timestamp::as_second)
}

fn exit(args: &AuditArgs, report: &Report) -> Exit {
    if args.nagios {
        // The codes of a plugin, whatever these mean elsewhere.
        return match audit::nagios(report).1 {
            Verdict::Ok => Exit::Clean,
            Verdict::Warning => Exit::Findings,
            Verdict::Critical => Exit::Usage,
            Verdict::Unknown => Exit::Nothing,
        };
    }
    match (report.errors.is_empty(), report.outcome) {
        (false, _) => Exit::Usage,
        (true, Outcome::Worse) => Exit::Findings,
        (true, Outcome::First | Outcome::Steady) => Exit::Clean,
    }
}

/// Where the reports go. Files are opened before anything is judged.
struct Outputs {
    files: Vec<(AuditFormat, ReportFile)>,
    mail: Option<ReportFile>,
}

impl Outputs {
    fn create(args: &AuditArgs) -> Result<Self, Failure> {
        // This process enters another folder before it writes.
        let create = |path: &Path| -> Result<ReportFile, Failure> {
            if path.as_os_str() == "-" {
                ReportFile::create(path)
            } else {
                ReportFile::create(&std::path::absolute(path)?)
            }
        };
        let open = |text: &String| -> Result<_, Failure> {
            let (format, path) = text.split_once('=').ok_or_else(|| {
                Failure::Usage(format!("--output {text}: write FORMAT=PATH, for example prometheus=tokenvet.prom"))
            })?;
            let format = AuditFormat::from_str(format, false).map_err(|_| {
                Failure::Usage(format!(
                    "--output {text}: unknown format; use one of human, json, prometheus, nagios, html"
                ))
            })?;
            Ok((format, create(Path::new(path))?))
        };
        let files: Vec<_> = args.output.iter().map(open).collect::<Result<_, _>>()?;
        let mail = args.notify.as_deref().filter(|path| path.as_os_str() != "-");
        let mail = mail.map(create).transpose()?;
        output::distinct(&files.iter().map(|(_, file)| file).chain(&mail).collect::<Vec<_>>())?;
        Ok(Outputs { files, mail })
    }

    /// Is there a report of this format?
    fn wants(&self, args: &AuditArgs, format: AuditFormat) -> bool {
        args.format == Some(format) || self.files.iter().any(|(known, _)| *known == format)
    }

    /// Writes every report; the files first, since a reader of standard output may go away. `page` makes the HTML page.
    fn write(self, args: &AuditArgs, report: &Report, page: &dyn Fn() -> String) -> Result<(), Failure> {
        for (format, file) in self.files {
            file.writer()?.write_all(text(format, report, args, page, false)?.as_bytes())?;
            file.publish()?;
        }
        if let Some(file) = self.mail {
            file.writer()?.write_all(audit::mail(report).as_bytes())?;
            file.publish()?;
        }
        let to_stdout = args.notify.as_deref().is_some_and(|path| path.as_os_str() == "-");
        let mut out = String::new();
        if to_stdout {
            out.push_str(&audit::mail(report));
        }
        match args.format {
            _ if args.nagios => out.push_str(&audit::nagios(report).0),
            Some(format) => out.push_str(&text(format, report, args, page, true)?),
            None if to_stdout => {}
            None => out.push_str(&text(AuditFormat::Human, report, args, page, true)?),
        }
        output::print(&out)
    }
}

fn text(
    format: AuditFormat,
    report: &Report,
    args: &AuditArgs,
    page: &dyn Fn() -> String,
    stdout: bool,
) -> Result<String, Failure> {
    let look = super::look(args.color, args.all);
    let options = crate::report::Options { color: look.color && (stdout || args.color == Color::Always), ..look };
    Ok(match format {
        AuditFormat::Human => audit::human(report, options),
        AuditFormat::Prometheus => audit::prometheus(report, clock_of(report)),
        AuditFormat::Nagios => audit::nagios(report).0,
        AuditFormat::Html => page(),
        AuditFormat::Json => crate::report::json_text(report),
    })
}

/// What a policy lists.
#[derive(Default)]
struct Listed {
    files: Vec<Input>,
    logs: Vec<Input>,
    /// The service that each file belongs to.
    services: HashMap<String, String>,
    /// The service whose log each log is.
    logs_of: HashMap<String, String>,
    /// Services whose logs are not all there.
    gaps: BTreeSet<String>,
    /// Folders in which snapshots are in the making.
    partial: Vec<PathBuf>,
    errors: Vec<FileError>,
}

/// What people call a service.
fn service_name(index: usize, service: &RawService) -> String {
    service.name.clone().unwrap_or_else(|| format!("{} {}", service.product, index + 1))
}

/// What audits call the logs of a service.
fn logs_name(service: &str) -> String {
    format!("logs of {service}")
}

impl Listed {
    fn of(raw: &RawPolicy, governance: &Governance) -> Result<Self, Failure> {
        let mut all = Listed::default();
        let snapshots = raw.issuers.iter().filter_map(|issuer| issuer.snapshot.as_ref());
        all.partial = snapshots.map(|snapshot| format!("{}.partial", snapshot.trim_end_matches('/')).into()).collect();
        for (index, service) in raw.services.iter().enumerate() {
            let name = service_name(index, service);
            for glob in &service.files {
                all.add_files(glob, Some(&name), governance)?;
            }
            for glob in &service.logs {
                all.add_logs(glob, &name)?;
            }
        }
        for issuer in &raw.issuers {
            if let Some(snapshot) = &issuer.snapshot {
                policy::inside(snapshot).map_err(|message| refused(snapshot, &message))?;
                all.add_files(snapshot, None, governance)?;
            }
        }
        for glob in &raw.audit.paths {
            all.add_files(glob, None, governance)?;
        }
        for list in [&mut all.files, &mut all.logs] {
            list.sort_by(Input::by_name);
            list.dedup_by(|a, b| a.name() == b.name());
        }
        if all.files.is_empty() && all.logs.is_empty() && all.errors.is_empty() {
            return Err(Failure::Usage(
                "the policy lists nothing to audit; add `services` with `files` and `logs`, `issuers` with `snapshot`, or \
                 `audit: {paths: [...]}`"
                    .into(),
            ));
        }
        Ok(all)
    }

    fn add_files(&mut self, glob: &str, service: Option<&str>, governance: &Governance) -> Result<(), Failure> {
        let found = listed(Path::new("."), glob).map_err(|message| refused(glob, &message))?;
        self.errors.extend(found.unreadable.into_iter().map(super::check::error_of));
        let ignored = |input: &Input| !input.is_named() && governance.ignores(input.path());
        let prose = |input: &Input| is_no_configuration(input.name()) && !is_no_configuration(glob);
        for input in found.inputs.into_iter().filter(|input| !ignored(input) && !prose(input)) {
            if self.partial.iter().any(|folder| Path::new(input.name()).starts_with(folder)) {
                continue;
            }
            if let Some(service) = service {
                // As with rules: the first service that fits a file counts.
                self.services.entry(input.name().to_string()).or_insert_with(|| service.to_string());
            }
            self.files.push(input);
        }
        Ok(())
    }

    fn add_logs(&mut self, glob: &str, service: &str) -> Result<(), Failure> {
        let found = listed(Path::new("."), glob).map_err(|message| refused(glob, &message))?;
        if !found.unreadable.is_empty() {
            self.gaps.insert(service.to_string());
        }
        self.errors.extend(found.unreadable.into_iter().map(super::check::error_of));
        for input in found.inputs {
            self.logs_of.entry(input.name().to_string()).or_insert_with(|| service.to_string());
            self.logs.push(input);
        }
        Ok(())
    }
}

pub(super) fn refused(glob: &str, message: &str) -> Failure {
    Failure::Usage(format!("the policy lists {glob}: {message}"))
}

/// Checks and scans what the policy lists.
fn judge(
    check: &CheckArgs,
    governance: Governance,
    now: Timestamp,
    policy: &str,
    (snapshots, page): (Vec<Snapshot>, Option<&Rc<RefCell<HtmlPage>>>),
) -> Result<(Seen, Bench), Failure> {
    let raw = governance.raw().cloned().unwrap_or_default();
    let listed = Listed::of(&raw, &governance)?;
    let gathered = Collector::default();
    let mut reporters: Vec<Box<dyn Reporter>> = vec![Box::new(gathered.clone())];
    reporters.extend(page.map(|page| Box::new(Rc::clone(page)) as Box<dyn Reporter>));
    let mut job = Job::new(check, now, governance, reporters)?;
    job.lose(listed.errors);
    let files = listed.files.clone();
    job.check(listed.files)?;
    scan::search(&mut job, &listed.logs, &scan::Reading::default())?;
    job.settle()?;
    job.finish()?;
    let gathered = gathered.take();
    let mut waivers = Vec::new();
    for (raw, path, ends, used) in job.governance.waivers.list() {
        let (rule, owner) = (raw.rule.clone(), raw.owner.clone());
        waivers.push(Waiver { rule, owner, path: path.to_string(), ends, used });
    }
    let files: BTreeSet<String> = files.into_iter().map(|input| input.name().to_string()).collect();
    let errors = gathered.errors.iter().map(|error| (error.path.clone(), error.message.clone())).collect();
    let bench = Bench { governance: job.governance, files, errors };
    let places = Places {
        policy,
        services: &listed.services,
        logs_of: &listed.logs_of,
        gaps: &listed.gaps,
        snapshots: &snapshots,
    };
    let contacts = contacts(&raw, &places, &gathered.documents);
    let seen = gathered.seen(&places, waivers, &bench.governance.book);
    Ok((Seen { contacts, snapshots, ..seen }, bench))
}

/// What comparing asks.
struct Bench {
    governance: Governance,
    /// The files that the policy lists now.
    files: BTreeSet<String>,
    /// What is wrong with which file.
    errors: HashMap<String, String>,
}

impl audit::Judge for Bench {
    fn runs(&self, rule: &str, profile: &str) -> bool {
        let family = profile.split_once('@').map_or(profile, |(family, _)| family);
        self.governance.plans().iter().any(|plan: &std::sync::Arc<Plan>| plan.judges(rule, family))
    }

    fn joins(&self, rule: &str) -> bool {
        self.governance.plan.joins(rule)
    }

    fn why_lost(&self, name: &str, source: &Source) -> String {
        if let Some(message) = self.errors.get(name) {
            return message.clone();
        }
        match source.role {
            Role::Logs => "no log of it could be read".into(),
            Role::File if self.files.contains(name) => "nothing in it is recognised any more".into(),
            Role::File if Path::new(name).exists() => "the policy does not list it any more".into(),
            Role::File => "it is gone".into(),
        }
    }
}

/// What belongs to which service.
struct Places<'a> {
    /// Name of the policy file, which findings belong to that are in no audited file: about waivers, baseline, workflows.
    policy: &'a str,
    services: &'a HashMap<String, String>,
    logs_of: &'a HashMap<String, String>,
    gaps: &'a BTreeSet<String>,
    /// The snapshots that the policy names.
    snapshots: &'a [Snapshot],
}

impl Places<'_> {
    /// The snapshot that a file is part of.
    fn snapshot_of(&self, path: &str) -> Option<(usize, &Snapshot)> {
        let holds = |snapshot: &Snapshot| path.strip_prefix(&snapshot.path).is_some_and(|rest| rest.starts_with('/'));
        self.snapshots.iter().enumerate().find(|(_, snapshot)| holds(snapshot))
    }

    /// The service whose log a path is; what lies in an archive is a log as the archive is.
    fn log_of(&self, path: &str) -> Option<&String> {
        let outer = || path.match_indices('!').find_map(|(at, _)| self.logs_of.get(&path[..at]));
        self.logs_of.get(path).or_else(outer)
    }

    fn source<'p>(&'p self, path: &'p str, known: &BTreeMap<String, Part>) -> String {
        match self.log_of(path) {
            Some(service) => logs_name(service),
            None if known.contains_key(path) => path.to_string(),
            None => self.policy.to_string(),
        }
    }
}

impl Gathered {
    fn seen(self, places: &Places<'_>, waivers: Vec<Waiver>, book: &RuleBook) -> Seen {
        let broken: BTreeSet<&str> = self.errors.iter().map(|error| error.path.as_str()).collect();
        let mut sources: BTreeMap<String, Part> = BTreeMap::new();
        for path in &self.documents {
            let complete = !broken.contains(path.as_str()) && !self.partial.contains(path);
            let (name, part) = match places.log_of(path) {
                Some(service) => {
                    let complete = complete && !places.gaps.contains(service);
                    (logs_name(service), Part { role: Role::Logs, service: Some(service.clone()), complete })
                }
                None => {
                    let service = places.services.get(path).cloned();
                    (path.clone(), Part { role: Role::File, service, complete })
                }
            };
            sources.entry(name).and_modify(|known| known.complete &= part.complete).or_insert(part);
        }
        for service in broken.iter().filter_map(|path| places.log_of(path)) {
            if let Some(part) = sources.get_mut(&logs_name(service)) {
                part.complete = false;
            }
        }
        sources.insert(places.policy.to_string(), Part { role: Role::File, service: None, complete: true });
        let waived = waived(&self.findings, &self.inventory, places, book);
        let mut findings: BTreeMap<Key, Observed> = BTreeMap::new();
        for finding in self.findings {
            let source = places.source(&finding.path, &sources);
            let (key, observed) = observed(finding, source);
            // Two of one identity in one source: the worse one counts.
            let worse =
                |known: &Observed| (known.suppressed, observed.severity) < (observed.suppressed, known.severity);
            match findings.get(&key) {
                Some(known) if worse(known) => {}
                Some(_) | None => {
                    findings.insert(key, observed);
                }
            }
        }
        let errors: BTreeSet<(String, String)> =
            self.errors.into_iter().map(|error| (error.path, error.message)).collect();
        Seen {
            findings,
            sources,
            inventory: self.inventory,
            waivers,
            waived,
            not_judged: self.not_judged,
            errors: errors.into_iter().collect(),
            ..Seen::default()
        }
    }
}

fn observed(finding: Finding, source: String) -> (Key, Observed) {
    let observed = Observed {
        rule: finding.rule.to_string(),
        profile: finding.profile.to_string(),
        severity: finding.severity,
        path: finding.path.to_string(),
        line: finding.region.start_line,
        kind: finding.target.kind.to_string(),
        name: finding.target.name.to_string(),
        message: finding.message,
        measure: finding.measure.map(|measure| (measure.value, measure.bound)),
        suppressed: finding.suppressed.is_some(),
    };
    ((finding.fingerprint, source), observed)
}

/// Whom the policy names for the files of services and for the snapshots of issuers.
fn contacts(raw: &RawPolicy, places: &Places<'_>, documents: &[String]) -> BTreeMap<String, String> {
    let services = raw.services.iter().enumerate();
    let services: HashMap<String, &String> = services
        .filter_map(|(index, service)| Some((service_name(index, service), service.contact.as_ref()?)))
        .collect();
    let issuers: Vec<_> = raw.issuers.iter().filter(|issuer| issuer.snapshot.is_some()).collect();
    let contact = |path: &String| {
        let service = places.services.get(path).and_then(|service| services.get(service).copied());
        let issuer = || {
            let (index, snapshot) = places.snapshot_of(path)?;
            Some(issuers.get(index)?.contact.as_ref().unwrap_or(&snapshot.issuer))
        };
        Some((path.clone(), service.or_else(issuer)?.clone()))
    };
    documents.iter().filter_map(contact).collect()
}

/// The folder of a path.
fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Waivers that hide something, by the VO of what they hide.
fn waived(
    findings: &[Finding],
    inventory: &[audit::inventory::Entry],
    places: &Places<'_>,
    book: &RuleBook,
) -> BTreeMap<String, u64> {
    let hidden = findings.iter().filter_map(|finding| {
        let by = finding.suppressed.as_ref().filter(|by| by.kind == SuppressionKind::Waiver)?;
        Some((finding, (&finding.rule, &by.reason, &by.owner, &by.expires)))
    });
    let hidden: Vec<_> = hidden.collect();
    if hidden.is_empty() {
        return BTreeMap::new();
    }
    let named = inventory.iter().filter_map(|entry| {
        let issuer = entry.text("issuer").or_else(|| entry.text("iss"))?;
        Some(((entry.path.as_str(), entry.name.as_str()), issuer))
    });
    let issuers: HashMap<(&str, &str), &str> = named.collect();
    // Exports name no issuer; whose they are shows where its metadata lies beside them.
    let mut beside: HashMap<&str, BTreeSet<&str>> = HashMap::new();
    for entry in inventory.iter().filter(|entry| entry.kind == "issuer") {
        if let Some(issuer) = entry.text("issuer") {
            beside.entry(folder(&entry.path)).or_default().insert(issuer);
        }
    }
    let of_file = |path: &str| {
        let alone = beside.get(folder(path)).filter(|issuers| issuers.len() == 1).and_then(BTreeSet::first).copied();
        places.snapshot_of(path).map(|(_, snapshot)| snapshot.issuer.as_str()).or(alone)
    };
    let mut by_vo: BTreeMap<String, BTreeSet<_>> = BTreeMap::new();
    for (finding, waiver) in hidden {
        let named = issuers.get(&(finding.path.as_str(), finding.target.name.as_str())).copied();
        let issuer = named.or_else(|| of_file(&finding.path));
        let known = issuer.and_then(|issuer| book.registry.find(issuer)).and_then(|known| known.vo.clone());
        // Of an issuer that no registry knows, its own name says most.
        let vo = known.or(issuer.map(str::to_string)).unwrap_or_else(|| "unknown".into());
        by_vo.entry(vo).or_default().insert(waiver);
    }
    by_vo.into_iter().map(|(vo, waivers)| (vo, waivers.len() as u64)).collect()
}
