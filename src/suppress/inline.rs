//! Suppressions in comments: `# tokenvet: allow RULE[, RULE] -- reason`.
//!
//! A comment behind a value holds for its line; one that stands alone holds for the next line that is no comment.
//! Without a reason it holds for nothing.

use crate::check::Outcome;
use crate::evaluate::Plan;
use crate::model::{At, Field, Suppression, Target, TargetKind};
use crate::parse::{Data, Document, NodeId, Syntax, Text, TreeBuilder};
use crate::report::{Finding, Suppressed, SuppressionKind};
use crate::source::{Source, Span};
use smol_str::SmolStr;
use std::collections::HashMap;
use std::sync::Arc;

/// Most rules that the comments of one file may name.
const MAX_ALLOWED: usize = 1_000;
/// Most comment lines between a comment and the line it holds for.
const MAX_BETWEEN: u32 = 100;

/// One rule allowed by one comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow {
    /// The rule, as written.
    pub rule: String,
    /// Where the rule's name stands.
    pub span: Span,
    /// The reason; `None` when there is none.
    pub reason: Option<String>,
    /// The line it holds for, from 1.
    pub line: u32,
    /// The line of the comment, from 1.
    pub stands_on: u32,
}

impl Allow {
    /// Is it meant for this finding of its file?
    pub fn covers(&self, finding: &Finding) -> bool {
        self.line == finding.region.start_line && self.rule == finding.rule
    }

    /// How a finding is suppressed by it; `None` without a reason.
    pub fn suppressed(&self) -> Option<Suppressed> {
        let reason = self.reason.clone()?;
        let (kind, line) = (SuppressionKind::Inline, self.stands_on);
        Some(Suppressed { kind, reason, owner: None, expires: None, mitigations: vec![], line })
    }
}

/// The suppressions in the comments of a source.
pub fn read(source: &Source, comments: &[Span]) -> Vec<Allow> {
    let mut found = Vec::new();
    for &comment in comments {
        if found.len() >= MAX_ALLOWED {
            break;
        }
        let Some((rules, reason)) = directive(source.slice(comment)) else { continue };
        let line = line_it_holds_for(source, comment);
        let stands_on = source.position(comment.start as usize).line;
        let text = source.slice(comment);
        for part in rules.split(',') {
            let rule = part.trim();
            if rule.is_empty() {
                continue;
            }
            let offset = comment.start as usize + (rule.as_ptr() as usize - text.as_ptr() as usize);
            let span = Span::new(offset, offset + rule.len());
            found.push(Allow { rule: rule.to_string(), span, reason: reason.map(str::to_string), line, stands_on });
        }
    }
    found
}

/// Rules and reason of a comment that suppresses something.
fn directive(comment: &str) -> Option<(&str, Option<&str>)> {
    let body = comment.strip_prefix("<!--").map(|body| body.strip_suffix("-->").unwrap_or(body)).unwrap_or(comment);
    let body = body.trim_start_matches(['#', ';', ' ', '\t']);
    let rest = body.strip_prefix("tokenvet:")?.trim_start().strip_prefix("allow")?;
    if !rest.starts_with([' ', '\t']) {
        return None;
    }
    match rest.split_once("--") {
        Some((rules, reason)) => Some((rules, Some(reason.trim()).filter(|reason| !reason.is_empty()))),
        None => Some((rest, None)),
    }
}

fn line_it_holds_for(source: &Source, comment: Span) -> u32 {
    let text = source.text();
    let line = source.position(comment.end as usize).line;
    let before = &text[..comment.start as usize];
    let alone = before[before.rfind('\n').map_or(0, |at| at + 1)..].trim_start_matches('\u{feff}').trim().is_empty();
    if !alone {
        return line;
    }
    let index = source.line_index();
    let is_comment = |line: u32| {
        let range = index.line(text, line);
        range.is_some_and(|range| {
            ["#", ";", "<!--"].iter().any(|mark| text[range.clone()].trim_start().starts_with(mark))
        })
    };
    let last = line + MAX_BETWEEN;
    (line + 1..last).find(|&line| !is_comment(line)).unwrap_or(last)
}

/// Marks the findings that comments allow and adds findings about the comments themselves.
pub fn apply(plan: &Plan, source: &Arc<Source>, allowed: &[Allow], outcome: &mut Outcome, now: i64) {
    let mut used = vec![false; allowed.len()];
    let mut by_place: HashMap<(u32, &str), usize> = HashMap::new();
    for (index, allow) in allowed.iter().enumerate().filter(|(_, allow)| allow.reason.is_some()) {
        by_place.entry((allow.line, &allow.rule)).or_insert(index);
    }
    for finding in &mut outcome.findings {
        let Some(&index) = by_place.get(&(finding.region.start_line, finding.rule.as_str())) else { continue };
        used[index] = true;
        finding.suppressed = allowed[index].suppressed();
    }
    // What could not be judged may yet turn out to need its suppression.
    let open = |rule: &str| !outcome.errors.is_empty() || outcome.not_judged.iter().any(|entry| entry.rule == rule);
    let mut builder = TreeBuilder::new();
    builder.open(Data::Seq, 0);
    let places: Vec<NodeId> =
        allowed.iter().map(|allow| builder.leaf(Data::Text(Text::Raw(allow.span)), allow.span)).collect();
    builder.close(0, source.text());
    let document = Document::new(Arc::clone(source), Syntax::Yaml, builder.finish());
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let mut targets = Vec::new();
    for ((allow, place), used) in allowed.iter().zip(places).zip(used) {
        let at = At::node(place);
        let known = plan.book.rule(&allow.rule).is_some();
        let runs_now = plan.runs(&allow.rule) && !plan.joins(&allow.rule);
        let told = allow.reason.is_some() && runs_now && !open(&allow.rule);
        let record = Suppression {
            by: Field::text("inline", None),
            rule: Field::text(allow.rule.as_str(), at),
            known: Field::bool(known, at),
            nearest: match plan.book.nearest(&allow.rule).filter(|_| !known) {
                Some(near) => Field::text(near, None),
                None => Field::default(),
            },
            reason: allow.reason.as_deref().map_or_else(Field::default, |reason| Field::text(reason, at)),
            used: if told { Field::bool(used, at) } else { Field::default() },
            ..Suppression::default()
        };
        let nth = seen.entry(&allow.rule).or_default();
        *nth += 1;
        let mut target = Target::new(TargetKind::Suppression, allow.rule.clone(), record);
        target.identity = format!("{}\0{}\0{nth}", source.anchor(), allow.rule).into();
        target.at = at;
        targets.push(target);
    }
    // A comment has a place but no pointer.
    let own = super::judge(plan, &document, &targets, now);
    outcome.findings.extend(own.into_iter().map(|finding| Finding { pointer: SmolStr::default(), ..finding }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;

    fn allowed(text: &str, syntax: Syntax) -> Vec<(String, Option<String>, u32)> {
        let source = Arc::new(Source::from_text("a", text));
        let (documents, errors) = parse(&source, syntax);
        assert!(errors.is_empty(), "{errors:?}");
        let found = read(&source, &documents[0].tree.comments);
        found.iter().for_each(|allow| assert_eq!(source.slice(allow.span), allow.rule));
        found.into_iter().map(|allow| (allow.rule, allow.reason, allow.line)).collect()
    }

    #[test]
    fn comments_are_read_where_they_stand() {
        let one = |rule: &str, reason: Option<&str>, line| vec![(rule.to_string(), reason.map(str::to_string), line)];
        for (text, syntax, expected, remark) in [
            ("a: 1 # tokenvet: allow x -- y\n", Syntax::Yaml, one("x", Some("y"), 1), "behind a value"),
            ("# tokenvet: allow x -- y\na: 1\n", Syntax::Yaml, one("x", Some("y"), 2), "above"),
            ("# tokenvet: allow x -- y\n# and more\na: 1\n", Syntax::Yaml, one("x", Some("y"), 3), "comments between"),
            ("# tokenvet:allow x\na: 1\n", Syntax::Yaml, one("x", None, 2), "no reason"),
            ("# tokenvet: allow x -- \na: 1\n", Syntax::Yaml, one("x", None, 2), "an empty reason"),
            ("# tokenvet: allow x -- a -- b\na: 1\n", Syntax::Yaml, one("x", Some("a -- b"), 2), "hyphens in it"),
            ("## tokenvet: allow x -- y\r\na: 1\r\n", Syntax::Yaml, one("x", Some("y"), 2), "CRLF"),
            ("# tokenvet: allowed x -- y\na: 1\n", Syntax::Yaml, vec![], "another word"),
            ("# see tokenvet: allow x -- y\na: 1\n", Syntax::Yaml, vec![], "in the middle of a sentence"),
            ("a: '# tokenvet: allow x -- y'\n", Syntax::Yaml, vec![], "a value"),
            ("; tokenvet: allow x -- y\nA=1\n", Syntax::Env, one("x", Some("y"), 2), "env file"),
        ] {
            assert_eq!(allowed(text, syntax), expected, "{remark}");
        }
        let two = allowed("a: 1 # tokenvet: allow x, y-z -- why\n", Syntax::Yaml);
        assert_eq!(two.iter().map(|allow| allow.0.as_str()).collect::<Vec<_>>(), ["x", "y-z"]);
    }
}
