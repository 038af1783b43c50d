//! Whether a token is as harmless as a waiver for its long life claims.
//!
//! - `narrow_scope`: every storage scope that permits more than reading and polling has a path of at least so many
//!   components (the limit `narrow_scope.depth.min`, our definition). Reading and polling may be wide: within a VO they
//!   reveal little and change nothing.
//! - `no_modify`: no scope permits changing or deleting what is there.
//! - `specific_audience`: there is an audience, and none of them stands for every service.
//!
//! A token that has no storage scope but groups gets its rights from the services' own tables, which shows neither of
//! the first two.

use crate::model::{Field, State, Target, TargetKind, scope};
use crate::policy::Mitigation;
use crate::rule::message::quote;

/// The verifiable mitigations that are not true of a target, each with the reason. `None` for registrations and for
/// tokens whose scopes and audience do not decide what they are good for.
pub fn untrue(target: &Target<'_>, narrow_depth: i64) -> Option<Vec<(Mitigation, String)>> {
    if !matches!(target.kind, TargetKind::AccessToken | TargetKind::Token) {
        return None;
    }
    let field = |name: &str| {
        let index = target.kind.fields().iter().position(|spec| spec.name == name);
        index.map_or(Field::absent(), |index| target.record.field(index))
    };
    let (scopes, groups) = (field("scope"), field("wlcg.groups"));
    let checks = [
        (Mitigation::NarrowScope, not_narrow(scopes, groups, narrow_depth)),
        (Mitigation::NoModify, modifies(scopes, groups)),
        (Mitigation::SpecificAudience, not_specific(field("aud"))),
    ];
    Some(checks.into_iter().filter_map(|(mitigation, why)| Some((mitigation, why?))).collect())
}

/// The scopes as texts; the reason why they do not tell what the token permits.
fn texts<'f>(scopes: &'f Field<'_>, groups: &Field<'_>) -> Result<Vec<&'f str>, String> {
    if let State::Unknown(_) | State::Malformed(_) = &scopes.state {
        return Err("its scopes cannot be read".into());
    }
    let texts: Vec<&str> = scopes.items().iter().map(|item| item.as_text().unwrap_or_default()).collect();
    let has_capability = texts.iter().any(|text| scope::Capability::parse(text).is_some());
    if !has_capability && !groups.items().is_empty() {
        return Err("its rights come from groups".into());
    }
    Ok(texts)
}

fn not_narrow(scopes: &Field<'_>, groups: &Field<'_>, depth: i64) -> Option<String> {
    let texts = match texts(scopes, groups) {
        Ok(texts) => texts,
        Err(why) => return Some(why),
    };
    let (index, found) = scope::shallowest(&texts)?;
    let narrow = i64::try_from(found).is_ok_and(|found| found >= depth);
    (!narrow).then(|| format!("scope {} reaches {found} deep, and {depth} is the least", quote(texts[index])))
}

fn modifies(scopes: &Field<'_>, groups: &Field<'_>) -> Option<String> {
    let texts = match texts(scopes, groups) {
        Ok(texts) => texts,
        Err(why) => return Some(why),
    };
    let modifying = |text: &&&str| scope::Capability::parse(text).is_some_and(|scope| scope.permits_modifying());
    texts.iter().find(modifying).map(|text| format!("scope {} permits deleting", quote(text)))
}

fn not_specific(audience: &Field<'_>) -> Option<String> {
    if audience.items().is_empty() {
        return Some("it names no audience".into());
    }
    // Every spelling that some service or library takes for "everybody".
    let everybody = |text: &str| {
        let text = text.trim_end_matches('/').to_ascii_lowercase();
        text.is_empty() || text == "any" || text == "all" || text.ends_with("/jwt/v1/any") || text.contains('*')
    };
    let wide = audience.items().iter().find(|item| item.as_text().is_none_or(everybody))?;
    Some(match wide.as_text() {
        Some(text) => format!("audience {} stands for every service", quote(text)),
        None => "an audience cannot be read".into(),
    })
}
