//! What rules say of logs: those that were read, and those that are configured.

use super::answers::{Answers, SiteService, Verdict};
use super::book::Book;
use super::search::ServiceLogs;
use crate::check::check_targets;
use crate::evaluate::Plan;
use crate::model::{Field, Logging, Target, TargetKind};
use crate::parse::{Data, Document, Syntax, TreeBuilder};
use crate::report::{Finding, Region};
use crate::source::Source;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is wrong with logs that were read, each finding at the first record that shows it.
pub fn of_logs(plan: &Plan, book: &Book, services: &BTreeMap<String, ServiceLogs>, now: i64) -> Vec<Finding> {
    let mut found = Vec::new();
    for (service, logs) in services {
        for (kind, unjoined) in &logs.unjoined {
            let format = kind.map(|(format, _)| &book.formats[format].raw);
            let says =
                format.zip(kind.and_then(|(_, line)| line)).map(|(format, line)| format.lines[line].says.clone());
            let text = |value: Option<String>| value.map_or_else(Field::default, |value| Field::text(value, None));
            let record = Logging {
                service: Field::text(service.clone(), None),
                product: text(format.map(|format| format.product.clone())),
                format: text(format.map(|format| format.format.clone())),
                kind: Field::text(says.unwrap_or_else(|| "a kind that is not known".into()), None),
                without_jti: Field::int(i64::try_from(unjoined.records).unwrap_or(i64::MAX), None),
                ..Logging::default()
            };
            let line = u32::try_from(unjoined.line).unwrap_or(u32::MAX);
            found.extend(judged(plan, record, &unjoined.path, line, now));
        }
    }
    found
}

/// What is wrong with logs as they are configured; `policy` is the file that declares the services.
pub fn of_answers(plan: &Plan, answers: &Answers, services: &[SiteService], policy: &str, now: i64) -> Vec<Finding> {
    let mut found = Vec::new();
    for (service, told) in services.iter().zip(&answers.services) {
        let known = !(told.written.is_empty() && told.not_written.is_empty() && told.perhaps.is_empty());
        let record = Logging {
            service: Field::text(service.name.clone(), None),
            product: Field::text(service.product.clone(), None),
            names_tokens: match told.identity {
                _ if !known => Field::unknown("no log format of this software is known", None),
                Verdict::Answerable => Field::bool(true, None),
                Verdict::CannotAnswer => Field::bool(false, None),
                Verdict::Unknown => Field::unknown("settings or releases decide that the files do not show", None),
            },
            retention: service.retention.map_or_else(Field::default, |seconds| Field::int(seconds, None)),
            ..Logging::default()
        };
        found.extend(judged(plan, record, policy, 1, now));
    }
    let asked = answers.questions.iter().filter(|judged| judged.asked_of == "site");
    let unanswered = asked.clone().filter(|judged| judged.verdict == Verdict::CannotAnswer).count();
    let number = |number: usize| Field::int(i64::try_from(number).unwrap_or(i64::MAX), None);
    let record = Logging { asked: number(asked.count()), unanswered: number(unanswered), ..Logging::default() };
    found.extend(judged(plan, record, policy, 1, now));
    found
}

fn judged(plan: &Plan, record: Logging<'static>, path: &str, line: u32, now: i64) -> Vec<Finding> {
    let mut builder = TreeBuilder::new();
    builder.leaf(Data::Null, Default::default());
    let document = Document::new(Arc::new(Source::from_text(path, "")), Syntax::Json, builder.finish());
    let name = record.service.as_text().unwrap_or("site").to_string();
    let kind = record.kind.as_text().unwrap_or_default().to_string();
    let mut target = Target::new(TargetKind::Logging, name.clone(), record);
    target.identity = format!("{name} {kind}").trim_end().to_string().into();
    let region =
        Region { start_line: line, start_column: 1, end_line: line, end_column: 1, byte_offset: 0, byte_length: 0 };
    let found = check_targets(plan, &document, &[target], now).findings.into_iter();
    let own = found.filter(|finding| finding.target.kind == TargetKind::Logging.name());
    own.map(|finding| Finding { path: path.into(), region, pointer: SmolStr::default(), ..finding }).collect()
}
