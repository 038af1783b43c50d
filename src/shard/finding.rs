//! Findings on their way from where something was judged to where it is reported. What the rules say themselves does not
//! travel: both sides have the same rules.

use crate::policy::Mitigation;
use crate::report::{Deviation, Finding, Measure, Region, Related, Suppressed, SuppressionKind, TargetRef};
use crate::rule::{RuleBook, Severity};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// Lifetime and allowance in seconds, and the mitigations that are not true, each with the reason.
type Deviating = (Option<i64>, i64, Option<Vec<(Mitigation, String)>>);

/// A finding without what its rule says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Carried {
    /// Rule.
    pub rule: SmolStr,
    /// Profile.
    pub profile: SmolStr,
    /// Severity after policy.
    pub severity: Severity,
    /// Severity the profile gives.
    pub default_severity: Severity,
    /// What was found.
    pub message: String,
    /// File; empty where that is told elsewhere.
    #[serde(default, skip_serializing_if = "SmolStr::is_empty")]
    pub path: SmolStr,
    /// Place; null where that is told elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// First and last line of what is at fault.
    #[serde(default, skip_serializing_if = "is_nowhere")]
    pub fault: (u32, u32),
    /// JSON Pointer in the file's document.
    #[serde(default, skip_serializing_if = "SmolStr::is_empty")]
    pub pointer: SmolStr,
    /// JSON Pointer in a document decoded from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inner_pointer: Option<SmolStr>,
    /// What it is about.
    pub target: TargetRef,
    /// Requirements of the profile that the rule rests on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requirements: Vec<SmolStr>,
    /// Further places.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<Related>,
    /// What identifies the target across runs.
    #[serde(default, skip_serializing_if = "SmolStr::is_empty")]
    pub identity: SmolStr,
    /// Identity across runs.
    pub fingerprint: String,
    /// Reason and line of the comment that suppresses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<(String, u32)>,
    /// What an agreed waiver looks at: lifetime and allowance in seconds, and which mitigations are not true, with the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deviation: Option<Deviating>,
    /// A number and the bound that it misses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measure: Option<(Option<i64>, i64)>,
}

fn is_nowhere(lines: &(u32, u32)) -> bool {
    *lines == (0, 0)
}

/// What stands for a place that is told elsewhere.
const NOWHERE: Region =
    Region { start_line: 0, start_column: 0, end_line: 0, end_column: 0, byte_offset: 0, byte_length: 0 };

impl Carried {
    /// A finding with its place.
    pub fn placed(finding: Finding) -> Self {
        let comment = finding.suppressed.map(|suppressed| (suppressed.reason, suppressed.line));
        let deviation = finding.deviation.map(|known| (known.lifetime, known.allowance, known.untrue));
        Carried {
            rule: finding.rule,
            profile: finding.profile,
            severity: finding.severity,
            default_severity: finding.default_severity,
            message: finding.message,
            path: finding.path,
            region: Some(finding.region),
            fault: finding.fault,
            pointer: finding.pointer,
            inner_pointer: finding.inner_pointer,
            target: finding.target,
            requirements: finding.requirements,
            related: finding.related,
            identity: finding.identity,
            fingerprint: finding.fingerprint,
            allowed: comment,
            deviation,
            measure: finding.measure.map(|measure| (measure.value.number(), measure.bound)),
        }
    }

    /// A finding whose place is told elsewhere.
    pub fn anywhere(finding: Finding) -> Self {
        let nowhere = (SmolStr::default(), SmolStr::default(), None, (0, 0));
        let carried = Carried::placed(finding);
        let (path, pointer, region, fault) = nowhere;
        Carried { path, pointer, region, fault, ..carried }
    }

    /// The finding again; `None` when there is no such rule.
    pub fn finding(self, book: &RuleBook) -> Option<Finding> {
        let rule = book.rule(&self.rule)?;
        let suppressed = self.allowed.map(|(reason, line)| Suppressed {
            kind: SuppressionKind::Inline,
            reason,
            owner: None,
            expires: None,
            mitigations: vec![],
            line,
        });
        let deviation =
            self.deviation.map(|(lifetime, allowance, untrue)| Box::new(Deviation { lifetime, allowance, untrue }));
        Some(Finding {
            requirements: self.requirements,
            help: rule.help(),
            rule: self.rule,
            profile: self.profile,
            severity: self.severity,
            default_severity: self.default_severity,
            message: self.message,
            path: self.path,
            region: self.region.unwrap_or(NOWHERE),
            fault: self.fault,
            pointer: self.pointer,
            inner_pointer: self.inner_pointer,
            target: self.target,
            related: self.related,
            identity: self.identity,
            fingerprint: self.fingerprint,
            suppressed,
            deviation,
            measure: self.measure.map(|(value, bound)| Measure { value: value.into(), bound }),
        })
    }
}
