//! The figures of one audit that are followed over time.

use super::inventory::Entry;
use super::memory::Observed;
use crate::model::{Quantity, scope::Capability};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Figures of an audit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Trend {
    /// Median lifetime in seconds by type of token, of the clients that are registered; null when it has no end.
    pub lifetimes: BTreeMap<String, Option<i64>>,
    /// The widest scope that a client may ask for or a token holds.
    pub widest_scope: Option<String>,
    /// Waivers that hide findings, by VO.
    pub waivers: BTreeMap<String, u64>,
    /// Findings that nothing suppresses, by severity.
    pub findings: BTreeMap<String, u64>,
    /// Suppressed findings.
    pub suppressed: u64,
    /// What the inventory holds, by kind.
    pub inventory: BTreeMap<String, u64>,
}

/// The figures of one audit of the past.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Point {
    /// When (RFC 3339, UTC).
    pub at: String,
    /// The figures.
    #[serde(flatten)]
    pub trend: Trend,
}

/// The lifetimes that are followed, with the type of token they belong to.
const LIFETIMES: [(&str, &str); 4] = [
    ("lifetimes.access_token", "access_token"),
    ("lifetimes.refresh_token", "refresh_token"),
    ("lifetimes.id_token", "id_token"),
    ("lifetimes.device_code", "device_code"),
];

impl Trend {
    pub(super) fn of<'a>(
        inventory: &'a [Entry],
        findings: impl Iterator<Item = &'a Observed>,
        waivers: &BTreeMap<String, u64>,
    ) -> Self {
        let mut trend = Trend { waivers: waivers.clone(), ..Trend::default() };
        trend.findings = ["error", "note", "warning"].map(|severity| (severity.to_string(), 0)).into();
        for finding in findings {
            match finding.suppressed {
                true => trend.suppressed += 1,
                false => *trend.findings.entry(finding.severity.name().to_string()).or_default() += 1,
            }
        }
        let clients = || inventory.iter().filter(|entry| entry.kind == "client");
        for (field, token) in LIFETIMES {
            let mut known: Vec<Quantity> = clients().filter_map(|client| client.quantity(field)).collect();
            known.sort_unstable();
            if let Some(median) = known.get(known.len().saturating_sub(1) / 2) {
                trend.lifetimes.insert(token.to_string(), median.number());
            }
        }
        let scopes = inventory.iter().flat_map(|entry| match entry.kind.as_str() {
            "client" => entry.texts("scopes"),
            _ => entry.texts("scope"),
        });
        let ranked = scopes.filter_map(|scope| Some((rank(scope)?, scope)));
        trend.widest_scope = ranked.max().map(|(_, scope)| scope.to_string());
        for entry in inventory.iter().filter(|entry| entry.lasts()) {
            *trend.inventory.entry(entry.kind.clone()).or_default() += 1;
        }
        trend
    }
}

/// What makes a storage scope wide: first what it permits, then how much of the name space.
fn rank(scope: &str) -> Option<(bool, bool, Reverse<usize>)> {
    let scope = Capability::parse(scope)?;
    Some((scope.permits_modifying(), scope.acts_on_storage(), Reverse(scope.depth())))
}
