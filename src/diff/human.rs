//! The difference of two profiles for a person at a terminal.

use super::{CorpusDiff, Direction, FindingChange, LimitView, ProfileDiff, RuleView, TargetChange};
use crate::report::{Options, text};
use crate::rule::Severity;
use crate::rule::message::duration;
use std::fmt::Write as _;

/// Targets shown of one direction, unless all are asked for.
const MAX_TARGETS: usize = 20;

/// The whole difference as text: `+` is added, `-` taken away, `~` changed.
pub fn human(diff: &ProfileDiff, options: Options) -> String {
    let mut page = Page { out: String::new(), options };
    let _ = writeln!(page.out, "{} → {}", diff.from.profile, diff.to.profile);
    let _ = writeln!(page.out, "{} → {}", diff.from.title, diff.to.title);
    page.limits(diff);
    page.rules(diff);
    page.requirements(diff);
    if let Some(corpus) = &diff.corpus {
        page.corpus(corpus);
    }
    text::without_commands(&page.out).into_owned()
}

struct Page {
    out: String,
    options: Options,
}

impl Page {
    fn heading(&mut self, title: &str) {
        let title = if self.options.color { format!("\x1b[1m{title}\x1b[0m") } else { title.to_string() };
        let _ = writeln!(self.out, "\n{title}");
    }

    /// A line whose continuation is indented below its text.
    fn line(&mut self, indent: usize, sign: char, value: &str) {
        let width = self.options.width.max(60) - indent - 2;
        for (at, line) in text::wrapped(value, width).iter().enumerate() {
            let sign = if at == 0 { sign } else { ' ' };
            let _ = writeln!(self.out, "{:indent$}{sign} {line}", "");
        }
    }

    fn limits(&mut self, diff: &ProfileDiff) {
        self.heading(&format!("Limits: {}", changes(diff.limits.len())));
        for limit in &diff.limits {
            let words = |view: &LimitView| limit_words(&limit.name, view);
            let (sign, value) = before_after(limit.from.as_ref(), limit.to.as_ref(), words);
            self.line(2, sign, &format!("{}: {value}", limit.name));
        }
    }

    fn rules(&mut self, diff: &ProfileDiff) {
        self.heading(&format!("Rules: {}", changes(diff.rules.len())));
        for rule in &diff.rules {
            let (sign, value) = match (&rule.from, &rule.to) {
                (Some(from), Some(to)) if from == to => ('~', "another value of its limit".to_string()),
                (from, to) => before_after(from.as_ref(), to.as_ref(), rule_words),
            };
            self.line(2, sign, &format!("{}: {value}", text::visible(&rule.rule)));
        }
    }

    fn requirements(&mut self, diff: &ProfileDiff) {
        self.heading(&format!("Requirements: {}", changes(diff.requirements.len())));
        for requirement in &diff.requirements {
            let sign = if requirement.added { '+' } else { '-' };
            self.line(2, sign, &format!("{} {}: {}", requirement.id, requirement.level, requirement.statement));
        }
    }

    fn corpus(&mut self, corpus: &CorpusDiff) {
        let of = |direction| corpus.changes.iter().filter(move |change| change.direction == direction);
        let targets = corpus.targets.values().sum();
        self.heading(&format!("{} in {}", text::counted(targets, "target"), text::counted(corpus.files, "file")));
        let directions = [
            (Direction::Stricter, "stricter"),
            (Direction::Milder, "milder"),
            (Direction::Same, "as bad as before, with other findings"),
        ];
        let counts: Vec<String> =
            directions.iter().map(|(direction, name)| format!("{} {name}", of(*direction).count())).collect();
        let _ = writeln!(self.out, "  {}; the others keep their verdict", counts.join(", "));
        for (direction, _) in directions {
            let count = of(direction).count();
            let shown = if self.options.all { count } else { MAX_TARGETS };
            of(direction).take(shown).for_each(|change| self.target(change));
            if count > shown {
                let _ = writeln!(self.out, "  … {} more (--all)", count - shown);
            }
        }
        for error in &corpus.errors {
            self.line(2, '!', &text::shown(&format!("{}: {}", error.path, error.message)));
        }
    }

    fn target(&mut self, change: &TargetChange) {
        let line = format!(
            "{} → {}: {} {} ({})",
            change.from.name(),
            change.to.name(),
            change.kind.replace('-', " "),
            change.name,
            change.path
        );
        self.line(2, '~', &text::shown(&line));
        for finding in &change.findings {
            let (sign, severities) =
                before_after(finding.from.as_ref(), finding.to.as_ref(), |it: &Severity| it.name().to_string());
            let line = format!("{severities} {}: {} ({})", finding.rule, finding.message, place(finding));
            self.line(6, sign, &text::shown(&line));
        }
    }
}

fn changes(count: usize) -> String {
    if count == 0 { "no difference".to_string() } else { text::counted(count as u64, "difference") }
}

/// Sign and words of something under the first and the second profile.
fn before_after<T>(from: Option<&T>, to: Option<&T>, words: impl Fn(&T) -> String) -> (char, String) {
    match (from, to) {
        (Some(from), Some(to)) => ('~', format!("{} → {}", words(from), words(to))),
        (None, Some(to)) => ('+', words(to)),
        (Some(from), None) => ('-', words(from)),
        (None, None) => (' ', String::new()),
    }
}

fn limit_words(name: &str, limit: &LimitView) -> String {
    let value = if name.contains("bits") { format!("{} bits", limit.value) } else { duration(limit.value) };
    let mut words = format!("{value}, {}", limit.severity.name());
    if limit.exclusive {
        words.push_str(", bound excluded");
    }
    if limit.allowance > 0 {
        let _ = write!(words, ", + {} s for a backdated nbf", limit.allowance);
    }
    if limit.waivable {
        words.push_str(", waivable");
    }
    format!("{words} ({})", limit.requirements.join(", "))
}

fn rule_words(rule: &RuleView) -> String {
    format!("{} ({})", rule.severity.name(), rule.requirements.join(", "))
}

/// `line:column`, and the pointer where it says more.
fn place(finding: &FindingChange) -> String {
    let place = format!("line {}, column {}", finding.region.start_line, finding.region.start_column);
    match finding.inner_pointer.as_deref().unwrap_or(&finding.pointer) {
        "" => place,
        pointer => format!("{place}, {}", text::shortened(pointer, 80)),
    }
}
