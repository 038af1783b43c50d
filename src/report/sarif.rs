//! `sarif`: SARIF 2.1.0 (OASIS), as code scanning services read it.
//!
//! Positions are lines, columns in Unicode code points, and bytes; SARIF's character offsets are left out because
//! readers disagree on their unit. Files below the working directory are named relative to `%SRCROOT%`.

use super::json::{Collected, Tool, write};
use super::{
    Checked, FileError, Finding, OnlyChanged, PolicyFrom, ProfileRef, Region, Reporter, RuleBook, RuleInfo, Run,
    Summary, Suppressed, SuppressionKind, TargetRef,
};
use crate::rule::Severity;
use serde::{Serialize, Serializer};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;

/// Name of the directory that relative paths start from.
const ROOT: &str = "%SRCROOT%";

/// Key of our fingerprint; its number is the version of how the fingerprint is made.
const FINGERPRINT: &str = "tokenvet/v1";

/// Writes `sarif`.
pub struct Sarif<'a, W: io::Write> {
    out: W,
    rules: &'a dyn RuleBook,
    collected: Collected,
}

impl<'a, W: io::Write> Sarif<'a, W> {
    /// A report to this writer; `rules` gives the prose of the rules that found something.
    pub fn new(out: W, rules: &'a dyn RuleBook) -> Self {
        Sarif { out, rules, collected: Collected::default() }
    }
}

impl<W: io::Write> Reporter for Sarif<'_, W> {
    fn file(&mut self, checked: &Checked<'_>) -> io::Result<()> {
        self.collected.add(checked);
        Ok(())
    }

    fn finish(&mut self, run: &Run) -> io::Result<()> {
        self.collected.close(run);
        let log = Log {
            schema: "https://json.schemastore.org/sarif-2.1.0.json",
            version: "2.1.0",
            runs: [run_object(&self.collected, run, self.rules)],
        };
        write(&mut self.out, &log, 4)?;
        self.out.flush()
    }

    fn quotes(&self) -> bool {
        false
    }
}

#[derive(Serialize)]
struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [RunObject<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RunObject<'a> {
    tool: BTreeMap<&'static str, Driver>,
    invocations: [Invocation; 1],
    column_kind: &'static str,
    results: Results<'a>,
    properties: RunProperties<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: String,
    semantic_version: String,
    rules: Vec<Rule>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: String,
    short_description: Message,
    full_description: Message,
    help: Message,
    #[serde(skip_serializing_if = "Option::is_none")]
    help_uri: Option<String>,
    default_configuration: Configuration,
}

#[derive(Serialize)]
struct Configuration {
    level: &'static str,
}

#[derive(Serialize)]
struct Message {
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
    tool_execution_notifications: Vec<Notification>,
}

#[derive(Serialize)]
struct Notification {
    level: &'static str,
    message: Message,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locations: Vec<Location>,
}

/// The results, made one by one while they are written: a second copy of every finding would double the memory.
struct Results<'a> {
    findings: &'a [Finding],
    rules: BTreeMap<&'a str, usize>,
}

impl Serialize for Results<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.findings.iter().map(|finding| self.result(finding)))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResultObject<'a> {
    rule_id: &'a str,
    rule_index: usize,
    level: &'static str,
    message: Message,
    locations: [Location; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Location>,
    partial_fingerprints: BTreeMap<&'static str, &'a str>,
    /// Empty when the finding is live: the standard then knows that suppression was looked for.
    suppressions: Vec<Suppression<'a>>,
    properties: ResultProperties<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<usize>,
    physical_location: PhysicalLocation,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logical_locations: Vec<LogicalLocation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<RegionObject>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactLocation {
    uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    uri_base_id: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RegionObject {
    start_line: u32,
    start_column: u32,
    end_line: u32,
    end_column: u32,
    byte_offset: u64,
    byte_length: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogicalLocation {
    fully_qualified_name: String,
}

#[derive(Serialize)]
struct Suppression<'a> {
    kind: &'static str,
    status: &'static str,
    justification: &'a str,
    properties: &'a Suppressed,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResultProperties<'a> {
    profile: &'a str,
    requirements: &'a [SmolStr],
    target: &'a TargetRef,
    pointer: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    inner_pointer: Option<&'a str>,
    default_severity: Severity,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RunProperties<'a> {
    now: &'a str,
    policy_digest: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_from: Option<&'a PolicyFrom>,
    #[serde(skip_serializing_if = "Option::is_none")]
    only_changed: Option<&'a OnlyChanged>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    notes: &'a [String],
    profiles: &'a [ProfileRef],
    skipped: u64,
    summary: &'a Summary,
}

fn run_object<'a>(collected: &'a Collected, run: &'a Run, rules: &dyn RuleBook) -> RunObject<'a> {
    // A rule's own level is the worst its findings have by default; every result carries its own.
    let mut levels: BTreeMap<&str, Severity> = BTreeMap::new();
    for finding in &collected.findings {
        let level = levels.entry(&finding.rule).or_insert(finding.default_severity);
        *level = (*level).max(finding.default_severity);
    }
    let index = levels.keys().enumerate().map(|(index, &id)| (id, index)).collect();
    let Tool { name, version } = Tool::this();
    let driver = Driver {
        name: name.into_owned(),
        semantic_version: version.into_owned(),
        rules: levels.iter().map(|(&id, &level)| rule(id, level, rules.info(id))).collect(),
    };
    RunObject {
        tool: BTreeMap::from([("driver", driver)]),
        invocations: [Invocation {
            execution_successful: collected.errors.is_empty(),
            tool_execution_notifications: collected.errors.iter().map(notification).collect(),
        }],
        column_kind: "unicodeCodePoints",
        results: Results { findings: &collected.findings, rules: index },
        properties: RunProperties {
            now: &run.now,
            policy_digest: run.policy_digest.as_deref(),
            policy_from: run.policy_from.as_ref(),
            only_changed: run.only_changed.as_ref(),
            notes: &run.notes,
            profiles: &run.profiles,
            skipped: run.skipped,
            summary: &run.summary,
        },
    }
}

fn rule(id: &str, level: Severity, info: Option<RuleInfo>) -> Rule {
    let info = info.unwrap_or_default();
    let or_id = |text: &str| message(if text.is_empty() { id } else { text });
    let mut help = info.help.clone();
    for reference in &info.references {
        help.push_str("\nSee ");
        help.push_str(reference);
    }
    Rule {
        id: id.to_owned(),
        short_description: or_id(&info.title),
        full_description: or_id(if info.rationale.is_empty() { &info.title } else { &info.rationale }),
        help: or_id(&help),
        help_uri: info.references.into_iter().find(|reference| is_web_address(reference)),
        default_configuration: Configuration { level: level.name() },
    }
}

/// A reference that can stand where SARIF wants a URI.
fn is_web_address(reference: &str) -> bool {
    reference.strip_prefix("https://").is_some_and(|rest| {
        !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric() || "-._~:/?#@!$&'()*+,;=%".contains(c))
    })
}

fn notification(error: &FileError) -> Notification {
    let location = Location { message: None, ..location(&error.path, error.region.as_ref(), None) };
    let locations = if error.path.is_empty() { Vec::new() } else { vec![location] };
    Notification { level: "error", message: message(&error.message), locations }
}

impl<'a> Results<'a> {
    fn result(&self, finding: &'a Finding) -> ResultObject<'a> {
        ResultObject {
            rule_id: &finding.rule,
            rule_index: self.rules.get(finding.rule.as_str()).copied().unwrap_or_default(),
            level: finding.severity.name(),
            message: message(&finding.message),
            locations: [location(&finding.path, Some(&finding.region), Some(&finding.pointer))],
            related_locations: (0..)
                .zip(&finding.related)
                .map(|(id, related)| Location {
                    id: Some(id),
                    message: Some(message(&related.message)),
                    ..location(&related.path, Some(&related.region), Some(&related.pointer))
                })
                .collect(),
            partial_fingerprints: BTreeMap::from([(FINGERPRINT, finding.fingerprint.as_str())]),
            suppressions: finding.suppressed.iter().map(suppression).collect(),
            properties: ResultProperties {
                profile: &finding.profile,
                requirements: &finding.requirements,
                target: &finding.target,
                pointer: &finding.pointer,
                inner_pointer: finding.inner_pointer.as_deref(),
                default_severity: finding.default_severity,
            },
        }
    }
}

fn suppression(suppressed: &Suppressed) -> Suppression<'_> {
    let kind = match suppressed.kind {
        SuppressionKind::Inline => "inSource",
        SuppressionKind::Waiver | SuppressionKind::Baseline => "external",
    };
    Suppression { kind, status: "accepted", justification: &suppressed.reason, properties: suppressed }
}

fn location(path: &str, region: Option<&Region>, pointer: Option<&str>) -> Location {
    let named = pointer.filter(|pointer| !pointer.is_empty());
    Location {
        id: None,
        physical_location: PhysicalLocation {
            artifact_location: artifact(path),
            region: region.map(|region| RegionObject {
                start_line: region.start_line,
                start_column: region.start_column,
                end_line: region.end_line,
                end_column: region.end_column,
                byte_offset: region.byte_offset,
                byte_length: region.byte_length,
            }),
        },
        logical_locations: named
            .map(|pointer| LogicalLocation { fully_qualified_name: pointer.to_owned() })
            .into_iter()
            .collect(),
        message: None,
    }
}

/// A path as SARIF names files: relative ones under the root, absolute ones as `file` URI; all bytes but the
/// unreserved ones of RFC 3986 and `/` percent-encoded.
fn artifact(path: &str) -> ArtifactLocation {
    let absolute = path.starts_with('/');
    let mut uri = String::from(if absolute { "file://" } else { "" });
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            write!(uri, "%{byte:02X}").unwrap_or_else(|_| unreachable!("a String takes every write"));
        }
    }
    ArtifactLocation { uri, uri_base_id: (!absolute).then_some(ROOT) }
}

/// A message text. Viewers turn `[text](target)` into links and `{0}` into arguments; texts that hold such a thing
/// come from data, and are escaped as SARIF 2.1.0 sections 3.11.5 and 3.11.6 say.
fn message(text: &str) -> Message {
    let link = text.contains("](");
    let placeholder = text.as_bytes().windows(2).any(|pair| pair[0] == b'{' && pair[1].is_ascii_digit());
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '[' | ']' if link => escaped.extend(['\\', c]),
            '{' | '}' if placeholder => escaped.extend([c, c]),
            _ => escaped.push(c),
        }
    }
    Message { text: escaped }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_files_by_uri() {
        for (path, uri, relative) in [
            ("iam/clients.json", "iam/clients.json", true),
            ("a b/ü#1?.json", "a%20b/%C3%BC%231%3F.json", true),
            ("<stdin>", "%3Cstdin%3E", true),
            ("c:x%41", "c%3Ax%2541", true),
            ("/etc/iam.yaml", "file:///etc/iam.yaml", false),
        ] {
            let location = artifact(path);
            assert_eq!((location.uri.as_str(), location.uri_base_id.is_some()), (uri, relative), "{path}");
        }
    }

    #[test]
    fn messages_hold_no_link_and_no_placeholder_from_data() {
        for (text, escaped) in [
            ("lives {x}, [a] allowed", "lives {x}, [a] allowed"),
            ("[x](http://evil)", "\\[x\\](http://evil)"),
            ("{0} of {n}", "{{0}} of {{n}}"),
        ] {
            assert_eq!(message(text).text, escaped);
        }
    }
}
