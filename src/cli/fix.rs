//! `tokenvet fix`: the safe fixes of rules, as a difference or written.

use super::args::CheckArgs;
use super::check::error_of;
use super::exit::{Exit, Failure};
use super::policy::Governance;
use super::staged::Staged;
use super::{collect, output};
use crate::check::secrets;
use crate::discover;
use crate::discover::walk::{self, Input};
use crate::edit::{Edit, apply};
use crate::evaluate::Plan;
use crate::fix;
use crate::parse::Document;
use crate::report::{Finding, View, text};
use crate::source::{Source, Span};
use crate::whatif::Difference;
use clap::Args as ClapArgs;
use similar::TextDiff;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

#[derive(Debug, ClapArgs)]
pub(super) struct FixArgs {
    /// Write the fixed files; without it the differences are shown and nothing is written
    #[arg(long)]
    pub(super) apply: bool,
    #[command(flatten)]
    pub(super) check: CheckArgs,
}

/// A file with what would become of it.
struct Fixed {
    input: Input,
    plan: Arc<Plan>,
    before: Arc<Source>,
    after: Arc<str>,
    /// The findings that go.
    findings: Vec<Finding>,
}

/// Runs the command.
pub(super) fn run(args: &FixArgs) -> Result<Exit, Failure> {
    if !(args.check.format.is_empty() && args.check.output.is_empty() && args.check.write_baseline.is_none()) {
        return Err(Failure::Usage(
            "fix writes differences, and with --apply the files; see `check` for reports".into(),
        ));
    }
    let now = super::clock(args.check.now.as_deref())?;
    let governance = Governance::load(&args.check)?;
    let found = walk::walk(&args.check.paths, &|path, _| governance.ignores(path)).configuration();
    let mut lines: Vec<String> =
        found.unreadable.into_iter().map(error_of).map(|error| format!("{}: {}", error.path, error.message)).collect();
    let mut broken = !lines.is_empty();
    let first = collect::run(&args.check, now, governance, found.inputs.clone(), BTreeMap::new())?;
    let mut fixed = fixes(&first.governance, &found.inputs, &first.findings);
    // Every fix is tried before it is shown: the finding has to go, and nothing new may come.
    while !fixed.is_empty() {
        let texts = fixed.iter().map(|file| (file.input.name().to_string(), Arc::clone(&file.after))).collect();
        let again = Governance::load(&args.check)?;
        let second = collect::run(&args.check, now, again, found.inputs.clone(), texts)?;
        let bad = bad(&fixed, &first.findings, second.findings);
        if bad.is_empty() {
            break;
        }
        lines.extend(bad.iter().map(|path| format!("{path}: its fixes do not fit as it is written; mend it by hand")));
        fixed.retain(|file| !bad.contains(file.input.name()));
    }
    let count: usize = fixed.iter().map(|file| file.findings.len()).sum();
    for file in &fixed {
        match args.apply {
            false => output::print(&difference(file))?,
            true => match write(file) {
                Ok(()) => lines.extend(file.findings.iter().map(|finding| fixed_line(finding, "fixed"))),
                Err(why) => {
                    broken = true;
                    lines.push(format!("{}: not written: {why}", file.input.name()));
                }
            },
        }
    }
    let files = text::counted(fixed.len() as u64, "file");
    let fixes = if count == 1 { "1 fix".to_string() } else { format!("{count} fixes") };
    lines.push(match (count, args.apply) {
        (0, _) => "nothing that can be fixed safely".into(),
        (_, false) => format!("{fixes} in {files}; --apply writes them"),
        (_, true) => format!("{fixes} in {files}"),
    });
    for line in lines {
        let _ = writeln!(std::io::stderr(), "{}", super::printable(&line));
    }
    Ok(match first.exit {
        Exit::Usage => Exit::Usage,
        Exit::Nothing if fixed.is_empty() => Exit::Nothing,
        _ if broken => Exit::Usage,
        _ if count > 0 && !args.apply => Exit::Findings,
        _ => Exit::Clean,
    })
}

fn fixed_line(finding: &Finding, what: &str) -> String {
    format!("{}:{}: {what} {}: {}", finding.path, finding.region.start_line, finding.rule, finding.message)
}

/// The files with fixable findings, as they would be.
fn fixes(governance: &Governance, inputs: &[Input], findings: &[Finding]) -> Vec<Fixed> {
    let mut files = Vec::new();
    for input in inputs {
        let of_file = findings.iter().filter(|finding| finding.path == input.name() && finding.suppressed.is_none());
        let rule = |finding: &&Finding| governance.book.rule(&finding.rule).and_then(|rule| rule.prose().fix);
        let fixable: Vec<_> = of_file.filter_map(|finding| Some((finding, rule(&finding)?))).collect();
        // What is read now may differ from what was judged: trying the fixes shows it.
        let (false, Ok(source)) = (fixable.is_empty() || input.is_stdin(), walk::read(input)) else {
            continue;
        };
        let before = Arc::new(source);
        let recognised = discover::recognise(&before);
        let documents: Vec<&Document> = recognised.documents.iter().map(|(document, _)| document).collect();
        let (mut all, mut done): (Vec<Edit>, Vec<Finding>) = (vec![], vec![]);
        for (finding, fix) in fixable {
            let Some(edits) = fix::edits(&before, &documents, finding.region.span(), fix) else { continue };
            let clear = |edit: &Edit| all.iter().all(|other| other == edit || apart(other.span, edit.span));
            if edits.iter().all(clear) {
                all.extend(edits);
                done.push(finding.clone());
            }
        }
        if let Some(text) = apply(before.text(), all).filter(|text| text != before.text()) {
            let plan = governance.plan_for(&governance.relative(input.path()));
            files.push(Fixed { input: input.clone(), plan, before, after: text.into(), findings: done });
        }
    }
    files
}

/// Do two edits have nothing to do with each other?
fn apart(a: Span, b: Span) -> bool {
    a.end < b.start || b.end < a.start
}

/// The files whose fixes do not bring about what they are for.
fn bad(fixed: &[Fixed], before: &[Finding], after: Vec<Finding>) -> BTreeSet<String> {
    let left = |finding: &&Finding| {
        after.iter().any(|other| other.fingerprint == finding.fingerprint && other.rule == finding.rule)
    };
    let stays = fixed.iter().filter(|file| file.findings.iter().any(|finding| left(&finding)));
    let mut bad: BTreeSet<String> = stays.map(|file| file.input.name().to_string()).collect();
    for finding in Difference::new(before.to_vec(), after.clone()).added {
        match fixed.iter().any(|file| file.input.name() == finding.path) {
            true => bad.insert(finding.path.to_string()),
            // What comes elsewhere may come from any of them.
            false => return fixed.iter().map(|file| file.input.name().to_string()).collect(),
        };
    }
    bad
}

/// The change as `diff -u` writes it, without anybody's secrets.
fn difference(file: &Fixed) -> String {
    let after = Arc::new(Source::from_text(file.input.name(), &*file.after));
    let shown = |source: &Arc<Source>| {
        let secrets = secrets(&file.plan, source);
        let text = View::new(source, &secrets).text(0..source.text().len());
        text.split_inclusive('\n').map(|line| line.replace('\r', "^M")).collect::<String>()
    };
    let (before, after) = (shown(&file.before), shown(&after));
    let diff = TextDiff::from_lines(before.as_str(), after.as_str());
    let name = text::visible(file.input.name());
    let mut out = String::new();
    let _ = write!(out, "{}", diff.unified_diff().context_radius(2).header(&name, &name));
    let lines = out.split_inclusive('\n').map(|line| {
        let end = if line.ends_with('\n') { "\n" } else { "" };
        format!("{}{end}", text::visible(line.trim_end_matches('\n')))
    });
    text::without_commands(&lines.collect::<String>()).into_owned()
}

/// Puts the fixed text in the place of the file, with its mode, when nobody else changed it meanwhile.
fn write(file: &Fixed) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    let path: &Path = file.input.path();
    let now = walk::read(&file.input).map_err(|unreadable| unreadable.message)?;
    if now.text() != file.before.text() {
        return Err("it changed while it was looked at; run fix again".into());
    }
    let metadata = std::fs::symlink_metadata(path).map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("it is a link; name the file it leads to".into());
    }
    let mode = metadata.permissions().mode() & 0o7777;
    let write = || {
        let staged = Staged::beside(path, mode)?;
        staged.file().write_all(file.after.as_bytes())?;
        staged.file().set_permissions(std::fs::Permissions::from_mode(mode))?;
        staged.publish(path, true)
    };
    write().map_err(|error| error.to_string())
}
