//! The subcommands and, for those that have no file of their own for it, their arguments.

#[cfg(feature = "state")]
use super::audit;
use super::changed::ChangeArgs;
#[cfg(feature = "fetch")]
use super::fetch;
use super::{fix, incident, man, merge, redact, scan, shard, trace, whatif};
use crate::near::did_you_mean;
use crate::parse::jwt;
use crate::policy::FailOn;
use crate::report::Format;
use clap::error::ErrorKind;
use clap::{Args as ClapArgs, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Vets a token trust fabric: tokens, clients, issuers and the services that accept them.
#[derive(Debug, Parser)]
#[command(name = "tokenvet", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Only paths? Then `check` is meant: tokenvet clients.json")]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check files and trees (the default when only paths are given)
    Check(Box<shard::CheckCommand>),
    /// Audit a site: what is new, fixed, worse or about to end since the last time
    #[cfg(feature = "state")]
    Audit(Box<audit::AuditArgs>),
    /// Find tokens in logs, dumps and other text
    Scan(Box<scan::ScanArgs>),
    /// Make one report of what the shards of a run found
    Merge(Box<merge::MergeArgs>),
    /// Say who used which token where, from the logs of several services
    Trace(Box<trace::TraceArgs>),
    /// Say what a stolen token can do and where, and how to stop it: one page for a security officer
    Incident(Box<incident::IncidentArgs>),
    /// Copy logs without what makes the tokens in them usable
    Redact(redact::RedactArgs),
    /// Decode and explain one token, with every profile's verdict
    Inspect(InspectArgs),
    /// Compare two tokens: which is more powerful, and in what
    Compare(CompareArgs),
    /// Say what services make of tokens: accepted, refused, accepted without being checked
    Compat(Box<CompatArgs>),
    /// Mend what can be mended safely, as a difference or in the files
    Fix(Box<fix::FixArgs>),
    /// Try a change of a client or a limit before it is made: which findings come and go
    Whatif(Box<whatif::WhatifArgs>),
    /// Take a snapshot of an issuer over the network, for `check`
    #[cfg(feature = "fetch")]
    Fetch(Box<fetch::FetchArgs>),
    /// Explain a rule, a requirement, a limit or a profile
    Explain(ExplainArgs),
    /// List rules and document kinds
    Rules(RulesArgs),
    /// List and show profiles
    Profile(ProfileArgs),
    /// Run the examples of rule files
    Test(TestArgs),
    /// Print a JSON Schema for editors
    Schema(SchemaArgs),
    /// Print shell completions
    Completions(CompletionsArgs),
    /// Print or write manual pages
    Man(man::ManArgs),
}

/// The first of these options that was given.
pub(super) fn first_given(options: &[(&'static str, bool)]) -> Option<&'static str> {
    options.iter().find(|(_, given)| *given).map(|(name, _)| *name)
}

impl Args {
    /// Reads arguments. The subcommand is `check` when the first is neither one nor a request for help or version;
    /// `inspect` when it is a token, which no report may show as the path of a missing file. A slip of the pen in a command's
    /// name is no path: what stands behind it was not meant to be checked.
    pub(super) fn read(arguments: impl Iterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut arguments: Vec<OsString> = arguments.collect();
        let command = Args::command();
        let known = |text: &str| text == "help" || command.get_subcommands().any(|sub| sub.get_name() == text);
        let asks = |text: &str| matches!(text, "-h" | "--help" | "-V" | "--version");
        if let Some(first) = arguments.get(1)
            && !first.to_str().is_some_and(|text| known(text) || asks(text))
        {
            let missing = first.to_str().filter(|_| !Path::new(first).exists());
            let token = missing.is_some_and(jwt::looks_like_jwt);
            if let Some(word) = missing.filter(|word| word.bytes().all(|byte| byte.is_ascii_alphabetic())) {
                let near =
                    did_you_mean(&word.to_ascii_lowercase(), command.get_subcommands().map(clap::Command::get_name));
                if !near.is_empty() {
                    let message = format!("there is no command `{word}`, and no file of that name{near}");
                    return Err(Args::command().error(ErrorKind::InvalidSubcommand, message));
                }
            }
            arguments.insert(1, if token { "inspect" } else { "check" }.into());
        }
        let mut matches = command.try_get_matches_from(arguments)?;
        Args::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut Args::command()))
    }
}

#[derive(Debug, Default, ClapArgs)]
pub(super) struct CheckArgs {
    /// Files and folders; `-` is standard input
    #[arg(required = true, value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
    /// Also check the files that configurations name: includes, map files. Without it nothing but PATH is opened
    #[arg(long)]
    pub(super) follow_includes: bool,
    /// The folder that stands for `/` where configurations name absolute paths; nothing outside of it and of PATH is opened
    #[arg(long, value_name = "DIR", requires = "follow_includes")]
    pub(super) root: Option<PathBuf>,

    /// Judge by this profile (`wlcg@1.3`, `wlcg@^1`); repeats. Default: what each target shows
    #[arg(long, short, value_name = "PROFILE", help_heading = "What to judge by")]
    pub(super) profile: Vec<String>,
    /// Additional rule files or folders
    #[arg(long, value_name = "PATH", help_heading = "What to judge by")]
    pub(super) rules: Vec<PathBuf>,
    /// Run only this rule, or those a pattern fits (`site-*`); repeats
    #[arg(long, value_name = "RULE", help_heading = "What to judge by")]
    pub(super) only: Vec<String>,
    /// Leave this rule out, or those a pattern fits; repeats
    #[arg(long, value_name = "RULE", help_heading = "What to judge by")]
    pub(super) ignore: Vec<String>,
    /// Verify signatures with the keys of this JSON Web Key Set, whoever issued the tokens; repeats. Keys that lie
    /// beside their issuer's metadata are used without it
    #[cfg(feature = "verify")]
    #[arg(long, value_name = "FILE", help_heading = "What to judge by")]
    pub(super) keys: Vec<PathBuf>,
    /// More known issuers (see rules/tables/issuers.yaml); an entry replaces the built-in one of the same name
    #[arg(long, value_name = "FILE", help_heading = "What to judge by")]
    pub(super) issuers: Vec<PathBuf>,
    /// Judge as if this were now (RFC 3339), for repeatable runs
    #[arg(long, value_name = "RFC3339", help_heading = "What to judge by")]
    pub(super) now: Option<String>,

    /// The policy file. Default: `tokenvet.yaml` in the folder of the first path or above it
    #[arg(long, value_name = "FILE", help_heading = "Policy and suppressions", conflicts_with = "no_config")]
    pub(super) config: Option<PathBuf>,
    /// Look for no policy file
    #[arg(long, help_heading = "Policy and suppressions")]
    pub(super) no_config: bool,
    /// Refuse to run under another policy than the one a report named in `policy_digest`
    #[arg(long, value_name = "SHA256", help_heading = "Policy and suppressions")]
    pub(super) policy_digest: Option<String>,
    /// Waiver file, in place of the policy's; repeats
    #[arg(long, value_name = "FILE", help_heading = "Policy and suppressions")]
    pub(super) waivers: Vec<PathBuf>,
    /// Baseline file, in place of the policy's
    #[arg(long, value_name = "FILE", help_heading = "Policy and suppressions")]
    pub(super) baseline: Option<PathBuf>,
    /// Write every finding that nothing else suppresses to a baseline file, and do not fail because of them
    #[arg(long, value_name = "FILE", help_heading = "Policy and suppressions")]
    pub(super) write_baseline: Option<PathBuf>,

    #[command(flatten)]
    pub(super) change: ChangeArgs,

    /// Output format on standard output
    #[arg(long, short, value_name = "FORMAT", help_heading = "Output", value_parser = parse_format)]
    pub(super) format: Vec<Format>,
    /// Also write a report to a file (`sarif=out.sarif`); repeats
    #[arg(long, short, value_name = "FORMAT=PATH", help_heading = "Output")]
    pub(super) output: Vec<String>,
    /// Show every finding with its snippet
    #[arg(long, help_heading = "Output")]
    pub(super) all: bool,
    /// Colours
    #[arg(long, value_enum, default_value_t = Color::Auto, help_heading = "Output")]
    pub(super) color: Color,

    /// Exit 1 when a finding is at least this bad [default: the policy's, or error]
    #[arg(long, value_enum, help_heading = "Exit code")]
    pub(super) fail_on: Option<FailOn>,
    /// Exit 1 also when something could not be judged
    #[arg(long, help_heading = "Exit code")]
    pub(super) fail_on_unknown: bool,
    /// What a named file is that nothing recognises
    #[arg(long, value_enum, default_value_t = Unrecognised::Error, help_heading = "Exit code")]
    pub(super) unrecognised: Unrecognised,

    /// Worker threads; 0 takes one per core
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(super) threads: usize,

    /// Reports hold nothing back; set by commands without an end.
    #[arg(skip)]
    pub(super) at_once: bool,
}

fn parse_format(text: &str) -> Result<Format, String> {
    text.parse().map_err(|error: crate::report::UnknownFormat| error.to_string())
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// When standard output is a terminal and NO_COLOR is not set
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Unrecognised {
    /// An error (exit code 2)
    #[default]
    Error,
    /// Counted as skipped
    Skip,
}

#[derive(Debug, ClapArgs)]
pub(super) struct InspectArgs {
    /// A file with a token, `-` for standard input, or the token itself (which `ps` then shows). Without it: BEARER_TOKEN,
    /// BEARER_TOKEN_FILE, $XDG_RUNTIME_DIR/bt_u$UID, /tmp/bt_u$UID
    #[arg(value_name = "TOKEN|FILE", num_args = 0..)]
    pub(super) token: Vec<OsString>,

    /// Judge by this profile only (`wlcg@1.3`, `wlcg@^1`); repeats. Default: every profile, with the exit code of what
    /// the token shows
    #[arg(long, short, value_name = "PROFILE", help_heading = "What to judge by")]
    pub(super) profile: Vec<String>,
    /// Additional rule files or folders
    #[arg(long, value_name = "PATH", help_heading = "What to judge by")]
    pub(super) rules: Vec<PathBuf>,
    /// Look as if this were now (RFC 3339)
    #[arg(long, value_name = "RFC3339", help_heading = "What to judge by")]
    pub(super) now: Option<String>,
    /// Of several tokens show this one only, counted from 1
    #[arg(long, value_name = "N")]
    pub(super) nth: Option<usize>,

    /// Output format
    #[arg(long, short, value_enum, default_value_t = InspectFormat::Human, help_heading = "Output")]
    pub(super) format: InspectFormat,
    /// Show every scope and finding, however many
    #[arg(long, help_heading = "Output")]
    pub(super) all: bool,
    /// Colours
    #[arg(long, value_enum, default_value_t = Color::Auto, help_heading = "Output")]
    pub(super) color: Color,

    /// Exit 1 when a finding under the profiles the token shows is at least this bad
    #[arg(long, value_enum, default_value_t = FailOn::Error, help_heading = "Exit code")]
    pub(super) fail_on: FailOn,
}

#[derive(Debug, ClapArgs)]
pub(super) struct CompareArgs {
    /// A file with a token, `-` for standard input, or the token itself (which `ps` then shows)
    #[arg(value_name = "A")]
    pub(super) a: OsString,
    /// The token to compare it with
    #[arg(value_name = "B")]
    pub(super) b: OsString,
    /// Compare as if this were now (RFC 3339)
    #[arg(long, value_name = "RFC3339")]
    pub(super) now: Option<String>,

    /// Output format
    #[arg(long, short, value_enum, default_value_t = InspectFormat::Human, help_heading = "Output")]
    pub(super) format: InspectFormat,
    /// Show everything that one token has more than the other
    #[arg(long, help_heading = "Output")]
    pub(super) all: bool,
    /// Colours
    #[arg(long, value_enum, default_value_t = Color::Auto, help_heading = "Output")]
    pub(super) color: Color,
}

#[derive(Debug, ClapArgs)]
pub(super) struct CompatArgs {
    /// Files with tokens, with claims, or with client registrations; `-` is standard input
    #[arg(value_name = "TOKEN|FILE", required_unless_present = "no_token")]
    pub(super) tokens: Vec<OsString>,

    /// A service: `xrootd@5.5.3`, `arc@6.17.0/jwse`, a configuration file, or both (`xrootd@6.2.1=scitokens.cfg`); repeats.
    /// Default: every software of the model at its newest version
    #[arg(long, short, value_name = "SERVICE", help_heading = "What is asked")]
    pub(super) service: Vec<String>,
    /// An audience the services answer to, where no configuration says; repeats
    #[arg(long, value_name = "AUDIENCE", help_heading = "What is asked")]
    pub(super) audience: Vec<String>,
    /// An issuer the services trust, where no configuration says, or does not say all; repeats. Default: every issuer
    #[arg(long, value_name = "URL", help_heading = "What is asked")]
    pub(super) issuer: Vec<String>,
    /// What is to be done there (`read:/data/file`): read, list, stat, write, create, mkdir, delete or stage, and an absolute
    /// path; repeats
    #[arg(long, value_name = "OPERATION:PATH", help_heading = "What is asked")]
    pub(super) request: Vec<String>,
    /// Also ask for a request without a token
    #[arg(long, help_heading = "What is asked")]
    pub(super) no_token: bool,
    /// Verify signatures with the keys of this JSON Web Key Set
    #[cfg(feature = "verify")]
    #[arg(long, value_name = "FILE", help_heading = "What is asked")]
    pub(super) keys: Option<PathBuf>,
    /// Look for files that configurations name below this folder (`/` on the service's host)
    #[arg(long, value_name = "FOLDER", help_heading = "What is asked")]
    pub(super) root: Option<PathBuf>,
    /// Judge as if this were now (RFC 3339)
    #[arg(long, value_name = "RFC3339", help_heading = "What is asked")]
    pub(super) now: Option<String>,

    /// Output format
    #[arg(long, short, value_enum, default_value_t = CompatFormat::Human, help_heading = "Output")]
    pub(super) format: CompatFormat,
    /// Show all evidence
    #[arg(long, help_heading = "Output")]
    pub(super) all: bool,
    /// Colours
    #[arg(long, value_enum, default_value_t = Color::Auto, help_heading = "Output")]
    pub(super) color: Color,

    /// Exit 1 when a verdict is another: `accept`, `refuse`, or a file of expectations
    #[arg(long, value_name = "accept|refuse|FILE", help_heading = "Exit code")]
    pub(super) expect: Option<OsString>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum CompatFormat {
    /// For a person at a terminal
    Human,
    /// One object, described by `tokenvet schema compat`
    Json,
    /// A table for a page
    Markdown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum InspectFormat {
    /// For a person at a terminal
    Human,
    /// One object, described by `tokenvet schema`
    Json,
}

#[derive(Debug, ClapArgs)]
pub(super) struct ExplainArgs {
    /// A rule (`token-without-kid`), requirement (`WLCG-TOK-006`), limit (`access_token.lifetime.max`) or profile (`wlcg@1.3`)
    pub(super) id: String,
    /// Additional rule files or folders
    #[arg(long, value_name = "PATH")]
    pub(super) rules: Vec<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct RulesArgs {
    #[command(subcommand)]
    pub(super) what: Option<RulesCommand>,
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(super) enum RulesCommand {
    /// Every rule with its targets, profiles and severity
    List,
    /// Every document kind that is recognised, and what it yields
    Kinds,
    /// Every target kind with its fields
    Fields,
}

#[derive(Debug, ClapArgs)]
pub(super) struct ProfileArgs {
    #[command(subcommand)]
    pub(super) what: Option<ProfileCommand>,
}

#[derive(Clone, Debug, Subcommand)]
pub(super) enum ProfileCommand {
    /// Every profile
    List,
    /// One profile: limits, rules, requirements
    Show {
        /// `wlcg@1.3`, a range, or a family for its newest version
        profile: String,
    },
    /// Two profiles side by side, and which of the given files' targets change verdict
    Diff(DiffArgs),
}

#[derive(Clone, Debug, ClapArgs)]
pub(super) struct DiffArgs {
    /// `wlcg@1.0`, a range, or a family for its newest version
    pub(super) from: String,
    /// The profile to compare it with
    pub(super) to: String,
    /// Files and folders to judge by both; `-` is standard input; repeats
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub(super) corpus: Vec<PathBuf>,
    /// Judge as if this were now (RFC 3339)
    #[arg(long, value_name = "RFC3339")]
    pub(super) now: Option<String>,

    /// Output format
    #[arg(long, short, value_enum, default_value_t = InspectFormat::Human, help_heading = "Output")]
    pub(super) format: InspectFormat,
    /// Show every target that changes
    #[arg(long, help_heading = "Output")]
    pub(super) all: bool,
    /// Colours
    #[arg(long, value_enum, default_value_t = Color::Auto, help_heading = "Output")]
    pub(super) color: Color,
}

#[derive(Debug, ClapArgs)]
pub(super) struct TestArgs {
    /// Rule files or folders
    #[arg(required = true, value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct SchemaArgs {
    /// Which file the schema describes
    #[arg(value_enum)]
    pub(super) what: crate::schema::Kind,
}

#[derive(Debug, ClapArgs)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(super) shell: clap_complete::Shell,
}
