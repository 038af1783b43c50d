//! What a token's scopes allow, level by level.

use crate::model::power::{Grant, Operation, Power, ServiceLevel, refused_for};
use crate::model::scope::{Capability, Family};
use schemars::JsonSchema;
use serde::Serialize;

/// What the scopes allow at services of some releases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PowerView {
    /// The releases that services implement, as profiles, oldest first.
    pub levels: Vec<&'static str>,
    /// What every such service allows, within the area of the issuer's VO.
    pub allowed: Vec<GrantView>,
    /// What these releases leave to the service.
    pub left_to_service: Vec<GrantView>,
    /// The scope for which conforming services refuse the whole token: a WLCG storage scope without a path. Services
    /// that do not refuse it read the path as the root.
    pub refused_for: Option<String>,
}

/// An operation and where it is granted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct GrantView {
    /// The operation.
    pub operation: Operation,
    /// The path, with all below it; a trailing slash says that only a directory is meant. Null for operations on jobs.
    pub path: Option<String>,
}

impl GrantView {
    fn of(grant: &Grant) -> Self {
        let path = (!grant.operation.is_on_jobs()).then(|| grant.path());
        GrantView { operation: grant.operation, path }
    }

    /// `read /store`, `submit jobs`.
    pub(crate) fn words(&self) -> String {
        match &self.path {
            Some(path) => format!("{} {path}", self.operation.verb()),
            None => self.operation.verb().to_string(),
        }
    }
}

/// The powers of a list of scopes, the newest level of each family first.
pub(super) fn views(scopes: &[String]) -> Vec<PowerView> {
    let has = |family| scopes.iter().filter_map(|text| Capability::parse(text)).any(|scope| scope.family == family);
    let texts = || scopes.iter().map(String::as_str);
    let mut groups: Vec<(Power, Vec<&'static str>)> = Vec::new();
    for level in ServiceLevel::ALL.into_iter().rev().filter(|level| has(level.family())) {
        let power = Power::of(texts(), level);
        match groups.last_mut() {
            Some((last, levels)) if last.level().family() == level.family() && last.is_same(&power) => {
                levels.insert(0, level.profile());
            }
            _ => groups.push((power, vec![level.profile()])),
        }
    }
    // The family most scopes are written for is of no matter: WLCG first, as everywhere.
    groups.sort_by_key(|(power, _)| power.level().family());
    let view = |(power, levels): (Power, Vec<&'static str>)| PowerView {
        levels,
        allowed: power.allowed().map(GrantView::of).collect(),
        left_to_service: power.left_to_service().map(GrantView::of).collect(),
        refused_for: refused_for(texts()).filter(|_| power.level().family() == Family::Wlcg).map(str::to_string),
    };
    groups.into_iter().map(view).collect()
}
