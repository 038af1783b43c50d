//! `tokenvet fix`: the safe fixes of rules, as a difference or written.

use super::args::CheckArgs;
use super::check::error_of;
use super::collect::Found;
use super::exit::{Exit, Failure};
use super::policy::Governance;
use super::staged::Staged;
use super::{collect, output};
use crate::check::secrets;
use crate::discover::walk::{self, Input};
use crate::discover::{self, Recognised};
use crate::edit::{Edit, apply};
use crate::evaluate::Plan;
use crate::fix::{self, Fix};
use crate::parse::Document;
use crate::report::{FileError, Finding, View, text};
use crate::source::{Source, Span};
use crate::whatif::Difference;
use clap::Args as ClapArgs;
use similar::TextDiff;
use std::collections::BTreeMap;
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

/// A place that a rule knows how to mend, with what was found there.
#[derive(Clone)]
struct Place {
    at: Span,
    fix: Fix,
    /// More than one where several profiles say the same.
    findings: Vec<Finding>,
}

/// A file with what would become of it.
struct Fixed {
    input: Input,
    plan: Arc<Plan>,
    before: Arc<Source>,
    recognised: Recognised,
    /// Places whose fixes were tried and fit.
    kept: Vec<Place>,
    /// Places that are still to be tried, in groups; the last comes next.
    open: Vec<Vec<Place>>,
    /// With all of `kept`, and the group that is being tried.
    after: Arc<str>,
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
    let judge = |texts| collect::run(&args.check, now, Governance::load(&args.check)?, found.inputs.clone(), texts);
    lines.extend(settle(&mut fixed, &first, judge)?);
    fixed.retain(|file| !file.kept.is_empty());
    let (mut count, mut files) = (0, 0);
    for file in &fixed {
        let findings = || file.kept.iter().flat_map(|place| &place.findings);
        match args.apply {
            false => output::print(&difference(file))?,
            true => match write(file) {
                Ok(()) => lines.extend(findings().map(|finding| fixed_line(finding, "fixed"))),
                Err(why) => {
                    broken = true;
                    lines.push(format!("{}: not written: {why}", file.input.name()));
                    continue;
                }
            },
        }
        count += findings().count();
        files += 1;
    }
    let files = text::counted(files, "file");
    let fixes = if count == 1 { "1 fix".to_string() } else { format!("{count} fixes") };
    lines.push(match (count, args.apply) {
        (0, _) if fixed.is_empty() => "nothing that can be fixed safely".into(),
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

/// The files with fixable findings, nothing of which was tried yet.
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
        let mut places: Vec<Place> = Vec::new();
        for (finding, fix) in fixable {
            let at = finding.region.span();
            match places.iter_mut().find(|place| place.at == at && place.fix == fix) {
                Some(place) => place.findings.push(finding.clone()),
                None => places.push(Place { at, fix, findings: vec![finding.clone()] }),
            }
        }
        let after = before.text().into();
        let plan = governance.plan_for(&governance.relative(input.path()));
        let mut file = Fixed { input: input.clone(), plan, before, recognised, kept: vec![], open: vec![], after };
        places.retain(|place| file.with(std::slice::from_ref(place)).is_some_and(|text| text != file.before.text()));
        if !places.is_empty() {
            file.open.push(places);
            files.push(file);
        }
    }
    files
}

impl Fixed {
    /// The text with what was kept and these places mended; `None` when that cannot be done together.
    fn with(&self, places: &[Place]) -> Option<String> {
        let documents: Vec<&Document> = self.recognised.documents.iter().map(|(document, _)| document).collect();
        let all = || self.kept.iter().chain(places);
        let removed: Vec<Span> = all().filter(|place| place.fix == Fix::RemoveMember).map(|place| place.at).collect();
        let edits: Option<Vec<Vec<Edit>>> =
            all().map(|place| fix::edits(&self.before, &documents, place.at, place.fix, &removed)).collect();
        apply(self.before.text(), edits?.concat())
    }

    /// Why the text as it would be is no file of this kind any more; `None` when it is.
    fn broken(&self) -> Option<String> {
        let kinds = |recognised: &Recognised| -> Vec<Option<&str>> {
            recognised.documents.iter().map(|(_, format)| format.map(|(_, kind)| kind)).collect()
        };
        let after = discover::recognise(&Arc::new(Source::from_text(self.input.name(), &*self.after)));
        if after.errors.len() > self.recognised.errors.len() {
            return Some("the file could not be read any more".into());
        }
        (kinds(&after) != kinds(&self.recognised)).then(|| "the file would not be taken for what it is".into())
    }
}

/// Tries every fix before it is shown: the finding has to go, nothing new may come, and the file stays what it is. What does
/// not fit is left out, and said; of a group that does not, its halves are tried.
fn settle(
    files: &mut [Fixed],
    first: &Found,
    judge: impl Fn(BTreeMap<String, Arc<str>>) -> Result<Found, Failure>,
) -> Result<Vec<String>, Failure> {
    let mut lines = Vec::new();
    // One file after the other, once the fixes of one brought something in another.
    let mut alone = false;
    let mut sure = true;
    loop {
        let waiting = files.iter().enumerate().filter(|(_, file)| !file.open.is_empty()).map(|(index, _)| index);
        let tried: Vec<usize> = waiting.take(if alone { 1 } else { usize::MAX }).collect();
        if tried.is_empty() && sure {
            return Ok(lines);
        }
        let mut why: BTreeMap<usize, String> = BTreeMap::new();
        for (index, file) in files.iter_mut().enumerate() {
            let group = file.open.last().filter(|_| tried.contains(&index));
            match file.with(group.map_or(&[], |group| group)) {
                Some(text) => file.after = text.into(),
                None => {
                    file.after = file.before.text().into();
                    why.insert(index, "another fix changes the same bytes".into());
                    continue;
                }
            }
            if let Some(broken) = file.broken() {
                why.insert(index, broken);
            }
        }
        let texts = files.iter().map(|file| (file.input.name().to_string(), Arc::clone(&file.after))).collect();
        let elsewhere = unfit(files, &tried, first, judge(texts)?, &mut why);
        let foreign =
            elsewhere.or_else(|| why.iter().find(|(index, _)| !tried.contains(index)).map(|(_, why)| why.clone()));
        if let Some(foreign) = foreign.filter(|_| !tried.is_empty()) {
            match tried.as_slice() {
                [only] => _ = why.entry(*only).or_insert(foreign),
                _ => {
                    alone = true;
                    continue;
                }
            }
        }
        // What is wrong without any fix is not for this to mend.
        sure = why.keys().all(|index| tried.is_empty() && files[*index].kept.is_empty());
        for (index, file) in files.iter_mut().enumerate() {
            let group = if tried.contains(&index) { file.open.pop() } else { None };
            match (why.get(&index), group) {
                (None, group) => file.kept.extend(group.into_iter().flatten()),
                (Some(_), Some(mut group)) if group.len() > 1 => {
                    let rest = group.split_off(group.len() / 2);
                    file.open.extend([rest, group]);
                }
                (Some(why), Some(group)) => lines.extend(group.iter().flat_map(|place| left(place, why))),
                // What fitted before does not fit together.
                (Some(why), None) if tried.is_empty() => {
                    lines.extend(std::mem::take(&mut file.kept).iter().flat_map(|place| left(place, why)));
                }
                (Some(_), None) => {}
            }
        }
    }
}

/// Says that a place stays as it is.
fn left<'p>(place: &'p Place, why: &'p str) -> impl Iterator<Item = String> + use<'p> {
    let first = place.findings.first().into_iter();
    first.map(move |finding| {
        let Finding { path, rule, region, .. } = finding;
        format!("{path}:{}: not fixed {rule}; mend it by hand: {why}", region.start_line)
    })
}

/// Adds why the fixes of files do not bring about what they are for. What comes in a file that has no fixes is handed back.
fn unfit(
    files: &[Fixed],
    tried: &[usize],
    first: &Found,
    second: Found,
    why: &mut BTreeMap<usize, String>,
) -> Option<String> {
    let number = |findings: &[Finding], one: &Finding| {
        let same = |other: &&Finding| {
            other.suppressed.is_none()
                && (&other.path, &other.rule, &other.profile) == (&one.path, &one.rule, &one.profile)
        };
        findings.iter().filter(same).count()
    };
    for (index, file) in files.iter().enumerate() {
        let group = file.open.last().filter(|_| tried.contains(&index)).into_iter().flatten();
        let mended: Vec<&Finding> = file.kept.iter().chain(group).flat_map(|place| &place.findings).collect();
        let stays = mended.iter().any(|finding| {
            let gone = mended.iter().filter(|other| (&other.rule, &other.profile) == (&finding.rule, &finding.profile));
            number(&second.findings, finding) + gone.count() > number(&first.findings, finding)
        });
        if stays {
            why.entry(index).or_insert_with(|| "the finding would stay".into());
        }
    }
    let of = |path: &str| files.iter().position(|file| file.input.name() == path);
    let known = |error: &&FileError| {
        !first.errors.iter().any(|other| (&other.path, &other.message) == (&error.path, &error.message))
    };
    let errors = second.errors.iter().filter(known).map(|error| (of(&error.path), error.message.clone()));
    let mut elsewhere = None;
    let added = Difference::new(first.findings.clone(), second.findings).added;
    let added = added
        .iter()
        .map(|finding| (of(&finding.path), format!("it would bring {}: {}", finding.rule, finding.message)));
    for (index, message) in errors.chain(added) {
        match index {
            Some(index) => _ = why.entry(index).or_insert(message),
            None => _ = elsewhere.get_or_insert(message),
        }
    }
    elsewhere
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
