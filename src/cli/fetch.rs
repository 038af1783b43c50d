//! `tokenvet fetch`: a snapshot of an issuer.

use super::args::first_given;
use super::exit::{Exit, Failure};
use super::output;
use crate::fetch::{Api, Event, MAX_TOKEN, Request, Resume, Snapshot, Timeouts, Token, Trust, fetch, holds_clients};
use clap::Args as ClapArgs;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Read, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Variables that name a proxy, which is not used.
const PROXIES: [&str; 6] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "http_proxy", "HTTP_PROXY"];

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Without a token what everybody can read is fetched: metadata, key set, certificates. With one:
  INDIGO IAM  clients, scope and exchange policies   needs the scope iam:admin.read
  Keycloak    the realm and its clients              needs the roles view-realm and view-clients
Every request is a GET. Secrets are dropped before anything is written. Then: tokenvet check DIR")]
pub(super) struct FetchArgs {
    /// The issuer, spelt as in its tokens (`https://iam.example.org/`)
    #[arg(value_name = "ISSUER")]
    issuer: String,
    /// The folder of the snapshot; one that holds a snapshot is replaced when the new one is complete
    #[arg(long, value_name = "DIR")]
    into: PathBuf,

    /// A file with the bearer token for the administration API; `-` is standard input
    #[arg(long, value_name = "FILE", help_heading = "Administration API")]
    token_file: Option<PathBuf>,
    /// The environment variable that holds the token. Without either option no token is looked for
    #[arg(long, value_name = "NAME", help_heading = "Administration API", conflicts_with = "token_file")]
    token_env: Option<String>,
    /// Which API it is. Default: what the metadata shows
    #[arg(long, value_enum, help_heading = "Administration API")]
    api: Option<Api>,
    /// Go on with a list of clients that the last run did not finish
    #[arg(long, help_heading = "Administration API")]
    resume: bool,

    #[command(flatten)]
    connections: Connections,
}

/// How servers are connected to.
#[derive(Debug, ClapArgs)]
pub(super) struct Connections {
    /// Also trust the CA certificates of this PEM file; repeats
    #[arg(long, value_name = "FILE", help_heading = "Connections")]
    ca_file: Vec<PathBuf>,
    /// Also trust the CAs of this folder. Default: /etc/grid-security/certificates, where it exists
    #[arg(long, value_name = "DIR", help_heading = "Connections")]
    igtf: Option<PathBuf>,
    /// Let the issuer's host have a loopback, private or link-local address; on this machine also without TLS
    #[arg(long, help_heading = "Connections")]
    allow_private: bool,
    /// Longest time for one answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600), help_heading = "Connections")]
    timeout: u64,
    /// Longest time for one connection, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600), help_heading = "Connections")]
    connect_timeout: u64,
}

impl Connections {
    /// Whom TLS trusts.
    pub(super) fn trust(&self) -> Result<Trust, Failure> {
        Ok(Trust::load(&self.ca_file, self.igtf.as_deref()).map_err(|error| error.to_string())?)
    }

    /// What is fetched so by default: from this issuer into this folder, without a token.
    pub(super) fn request<'a>(&self, issuer: &'a str, into: &'a Path, trust: &'a Trust) -> Request<'a> {
        Request {
            issuer,
            into,
            trust,
            allow_private: self.allow_private,
            timeouts: Timeouts {
                connect: Duration::from_secs(self.connect_timeout),
                total: Duration::from_secs(self.timeout),
            },
            token: None,
            api: None,
            resume: Resume::No,
        }
    }

    /// An option that means nothing where nothing is fetched.
    pub(super) fn given(&self) -> Option<&'static str> {
        first_given(&[
            ("--ca-file", !self.ca_file.is_empty()),
            ("--igtf", self.igtf.is_some()),
            ("--allow-private", self.allow_private),
        ])
    }
}

/// Runs the command.
pub(super) fn run(args: &FetchArgs) -> Result<Exit, Failure> {
    let token = token(args.token_file.as_deref(), args.token_env.as_deref())?;
    if token.is_none() && (args.api.is_some() || args.resume) {
        return Err(Failure::Usage(
            "--api and --resume are about what a token shows: pass --token-file or --token-env".into(),
        ));
    }
    if token.is_none() && holds_clients(&args.into) {
        let into = crate::discover::walk::name_of(&args.into);
        return Err(Failure::Usage(format!(
            "{into}: this snapshot holds clients, which only a token shows: pass --token-file or --token-env, name another \
             folder with --into, or move it away"
        )));
    }
    warn_of_proxy();
    let trust = args.connections.trust()?;
    let request = Request {
        token,
        api: args.api,
        resume: if args.resume { Resume::Asked } else { Resume::No },
        ..args.connections.request(&args.issuer, &args.into, &trust)
    };
    let mut progress = Progress::default();
    let taken = fetch(&request, &mut |event| progress.hear(event));
    progress.end();
    let snapshot = taken.map_err(|error| error.to_string())?;
    output::print(&summary(args, &snapshot))?;
    Ok(Exit::Clean)
}

/// The token, from where the user says it is and from nowhere else.
pub(super) fn token(file: Option<&Path>, variable: Option<&str>) -> Result<Option<Token>, Failure> {
    let read = |reader: &mut dyn Read, place: &str| {
        let mut text = String::new();
        let limit = MAX_TOKEN as u64 + 16;
        match reader.take(limit).read_to_string(&mut text) {
            Ok(_) => Ok(text),
            Err(_) => Err(Failure::Usage(format!("{place}: cannot be read as text; put the token there"))),
        }
    };
    let (place, text) = match (file, variable) {
        (None, None) => return Ok(None),
        (Some(path), _) if path.as_os_str() == "-" => {
            ("standard input".to_string(), read(&mut io::stdin().lock(), "standard input")?)
        }
        (Some(path), _) => {
            let place = crate::discover::walk::name_of(path);
            let opened = crate::discover::walk::stream(&crate::discover::walk::Input::named(path));
            let mut file = opened.map_err(|error| format!("{}: {}", error.name, error.message))?;
            let text = read(&mut file, &place)?;
            (place, text)
        }
        (None, Some(name)) => match std::env::var(name) {
            Ok(text) => (name.to_string(), text),
            Err(_) => {
                return Err(Failure::Usage(format!(
                    "{name}: there is no such environment variable; export the token in it"
                )));
            }
        },
    };
    Token::new(&text).map(Some).map_err(|why| Failure::Usage(format!("{place}: {why}")))
}

/// Says that a proxy is not used.
pub(super) fn warn_of_proxy() {
    let set = |name: &&&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if let Some(name) = PROXIES.iter().find(set) {
        note(&format!("{name} is set and not used: behind a proxy nobody could tell which address is talked to"));
    }
}

/// A line on standard error.
pub(super) fn note(text: &str) {
    let _ = writeln!(io::stderr(), "note: {}", super::printable(text));
}

/// What was taken, and what to do with it.
fn summary(args: &FetchArgs, snapshot: &Snapshot) -> String {
    let into = super::printable(&crate::discover::walk::name_of(&args.into));
    let mut text = format!("Snapshot of {} in {into}\n", super::printable(&args.issuer));
    for file in &snapshot.files {
        let _ = write!(text, "  {:<26}", file.file);
        let mut facts = Vec::new();
        match (file.entries, file.file) {
            (Some(count), "scope-policies.json" | "exchange-policies.json") => facts.push(format!("{count} policies")),
            (Some(count), _) => facts.push(format!("{count} clients")),
            (None, "certificates.json") => facts.extend(snapshot.class.map(str::to_string)),
            (None, _) => {}
        }
        if file.withheld > 0 {
            facts.push(format!("{} secrets withheld", file.withheld));
        }
        facts.extend(file.needs.map(|needs| format!("needed {needs}")));
        let _ = writeln!(text, "{}", facts.join(", "));
    }
    let trimmed: Vec<&str> = text.lines().map(str::trim_end).collect();
    let mut text = trimmed.join("\n") + "\n";
    if snapshot.api.is_none() {
        text.push_str("Clients and policies need a token: see --token-file.\n");
    }
    let _ = writeln!(text, "Next: tokenvet check {}", crate::shell::path(&into));
    text
}

/// The line that shows how far a list is, on a terminal only.
#[derive(Default)]
pub(super) struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    pub(super) fn hear(&mut self, event: Event) {
        match (event, &self.bar) {
            (Event::Note(text), Some(bar)) => bar.suspend(|| note(&text)),
            (Event::Note(text), None) => note(&text),
            (Event::Page { done, total }, _) => {
                if !io::stderr().is_terminal() {
                    return;
                }
                let bar = self.bar.get_or_insert_with(|| {
                    let style = ProgressStyle::with_template("{pos}/{len} clients, {per_sec}, {elapsed}");
                    ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr())
                        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
                });
                if let Some(total) = total {
                    bar.set_length(total);
                }
                bar.set_position(done);
            }
        }
    }

    pub(super) fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
