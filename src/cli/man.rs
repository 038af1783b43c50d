//! `tokenvet man`: manual pages, made from the same words as `--help`, with exit codes, environment and examples.

use super::args::Args;
use super::exit::{Exit, Failure};
use super::output::{self, ReportFile};
use clap::{Args as ClapArgs, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use std::io::Write;
use std::path::PathBuf;

#[derive(Debug, ClapArgs)]
pub(super) struct ManArgs {
    /// The subcommand whose page is printed, for subcommands of subcommands with a hyphen (`profile-diff`); without one
    /// the page of tokenvet itself
    #[arg(value_name = "COMMAND", conflicts_with = "into")]
    command: Option<String>,
    /// Write every page to this folder, which is made if it is not there
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
}

/// Runs the command.
pub(super) fn run(args: &ManArgs) -> Result<Exit, Failure> {
    let pages = pages()?;
    if let Some(folder) = &args.into {
        std::fs::create_dir_all(folder)
            .map_err(|error| Failure::Usage(format!("cannot make {}: {error}", folder.display())))?;
        for (name, text) in pages {
            let file = ReportFile::create(&folder.join(format!("{name}.1")))?;
            file.writer()?.write_all(&text)?;
            file.publish()?;
        }
        return Ok(Exit::Clean);
    }
    let name = args.command.as_ref().map_or("tokenvet".to_string(), |command| format!("tokenvet-{command}"));
    let page = pages.into_iter().find(|(page, _)| *page == name);
    let (_, text) = page.ok_or_else(|| Failure::Usage(format!("there is no page {name}; see `tokenvet help`")))?;
    output::print(&String::from_utf8_lossy(&text))?;
    Ok(Exit::Clean)
}

/// Every page by its name, without the section.
fn pages() -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let mut root = Args::command().disable_help_subcommand(true);
    root.build();
    let mut pages = Vec::new();
    collect(&root, &mut pages)?;
    Ok(pages)
}

fn collect(command: &clap::Command, pages: &mut Vec<(String, Vec<u8>)>) -> Result<(), Failure> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_string();
    let version = concat!("tokenvet ", env!("CARGO_PKG_VERSION"));
    // No date: the same program writes the same page.
    // Its own synopsis would list the options without their values.
    let usage = command.clone().render_usage().to_string();
    let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage).to_string();
    let man = Man::new(command.clone().override_usage(usage))
        .title(name.to_uppercase())
        .date("")
        .source(version)
        .manual("tokenvet");
    let mut text = Vec::new();
    man.render(&mut text)?;
    let topic = name.strip_prefix("tokenvet-").unwrap_or_default();
    closing(topic).to_writer(&mut text)?;
    pages.push((name, text));
    command.get_subcommands().filter(|sub| !sub.is_hide_set()).try_for_each(|sub| collect(sub, pages))
}

/// The sections that `--help` has no room for.
fn closing(topic: &str) -> Roff {
    let mut roff = Roff::new();
    let list = |roff: &mut Roff, title: &str, entries: &[(&str, &str)]| {
        roff.control("SH", [title]);
        for (term, text) in entries {
            roff.control("TP", []);
            roff.text([bold(*term)]);
            roff.text([roman(*text)]);
        }
    };
    list(&mut roff, "EXIT STATUS", exit_codes(topic));
    list(&mut roff, "ENVIRONMENT", ENVIRONMENT);
    if matches!(topic, "" | "inspect" | "compare") {
        list(&mut roff, "TOKENS", TOKEN_ENVIRONMENT);
    }
    if matches!(topic, "" | "check" | "scan") {
        list(&mut roff, "CI SERVICES", CI_ENVIRONMENT);
        list(&mut roff, "FILES", FILES);
    }
    let examples = examples(topic);
    if !examples.is_empty() {
        roff.control("SH", ["EXAMPLES"]);
    }
    for (text, command) in examples {
        roff.control("PP", []);
        roff.text([roman(*text)]);
        roff.control("PP", []);
        roff.control("RS", ["4"]);
        roff.control("nf", []);
        roff.text([bold(*command)]);
        roff.control("fi", []);
        roff.control("RE", []);
    }
    roff
}

const ENVIRONMENT: &[(&str, &str)] = &[
    ("NO_COLOR", "no colours, unless --color always"),
    ("CLICOLOR_FORCE", "colours also where standard output is no terminal"),
    ("COLUMNS", "width of the output; 100 when it is not set"),
];

const TOKEN_ENVIRONMENT: &[(&str, &str)] = &[
    ("BEARER_TOKEN, BEARER_TOKEN_FILE", "the token, or a file that holds it, where inspect is given none"),
    ("XDG_RUNTIME_DIR", "the folder where a file bt_u$UID is looked for next; then /tmp"),
];

const CI_ENVIRONMENT: &[(&str, &str)] = &[
    ("GITHUB_BASE_REF, GITHUB_REF", "with --only-changed: the branch that a pull request is made for"),
    ("CI_MERGE_REQUEST_DIFF_BASE_SHA", "the same in GitLab"),
    ("CHANGE_TARGET", "the same in Jenkins"),
];

const FILES: &[(&str, &str)] =
    &[("tokenvet.yaml", "the policy, in the folder of the first path or the nearest one above it in its repository")];

fn exit_codes(topic: &str) -> &'static [(&'static str, &'static str)] {
    match topic {
        "" | "check" | "scan" => &[
            ("0", "nothing at or above --fail-on"),
            ("1", "findings at or above --fail-on"),
            (
                "2",
                "wrong usage, a broken policy or rule, a file that cannot be read or parsed, or a named one that is not recognised",
            ),
            ("3", "nothing to check"),
        ],
        "inspect" => &[
            ("0", "nothing at or above --fail-on"),
            ("1", "findings at or above --fail-on"),
            ("2", "wrong usage, or no token that can be read"),
        ],
        "compat" => &[
            ("0", "every verdict is the expected one, or none was expected"),
            ("1", "some verdict is another"),
            ("2", "wrong usage, a file that cannot be read, or an expectation that fits nothing"),
        ],
        "incident" => &[
            ("0", "a page was written"),
            ("2", "wrong usage, or something could not be read; the page says what, if there is one"),
            ("3", "there is no token, no claims and no log line that names one"),
        ],
        "test" => &[
            ("0", "every example of every rule holds"),
            ("1", "some example does not"),
            ("2", "wrong usage, or a rule that cannot be read"),
        ],
        _ => &[
            ("0", "done"),
            ("1", "something was found that the options say to fail for"),
            ("2", "wrong usage, or a file that cannot be read"),
        ],
    }
}

fn examples(topic: &str) -> &'static [(&'static str, &'static str)] {
    match topic {
        "" | "check" => &[
            ("Everything in a repository of configuration:", "tokenvet check ."),
            (
                "What a pull request touches, judged by the policy of the branch it is made for, with reports for people and \
              machines:",
                "tokenvet check . --changed-since origin/main --policy-from origin/main --format github --output sarif=tokenvet.sarif",
            ),
            ("An export of a token issuer by the WLCG profile 1.3:", "tokenvet check clients.json --profile wlcg@1.3"),
            ("Accept what is there and fail for what is new:", "tokenvet check . --write-baseline known.json"),
        ],
        "scan" => &[("Tokens in logs, however they are encoded:", "tokenvet scan /var/log/xrootd")],
        "incident" => &[
            (
                "A token in a mail, asked of the services that a policy lists:",
                "tokenvet incident mail.txt --config site.yaml",
            ),
            ("Only its identifier is known:", "tokenvet incident --jti 5b1c-0001 --config site.yaml"),
        ],
        "inspect" => &[("The token that a tool would use here:", "tokenvet inspect")],
        "compare" => &[("Which of two tokens may do more:", "tokenvet compare old.jwt new.jwt")],
        "compat" => &[(
            "Does a service of that release take the token?",
            "tokenvet compat token.jwt --service xrootd@6.2.1=/etc/xrootd/scitokens.cfg",
        )],
        "explain" => &[("A rule, with what it rests on:", "tokenvet explain client-access-token-over-maximum")],
        "profile" => &[("What one profile asks for:", "tokenvet profile show wlcg@1.3")],
        "profile-diff" => &[(
            "What a new version changes for these files:",
            "tokenvet profile diff wlcg@1.1 wlcg@1.2 --corpus exports",
        )],
        "test" => &[("Run the examples of own rules:", "tokenvet test rules")],
        "schema" => &[("The schema of policy files, for an editor:", "tokenvet schema policy > policy.schema.json")],
        "completions" => &[("Completions for bash:", "tokenvet completions bash > /etc/bash_completion.d/tokenvet")],
        "man" => &[("Install every page:", "tokenvet man --into /usr/local/share/man/man1")],
        _ => &[],
    }
}
