//! The domain operators of the rule language: `url`, `scope`, `group`, `registry`, `urn`. They hold no policy of their own, only what the
//! rule asks for; reasons are short ends of a sentence whose subject is the checked text.

use super::{GroupGrammar, RegistryShape, ScopeShape, UrlShape, UrnKind, UrnShape};
use crate::model::group;
use crate::model::scope::{Capability, Family, covered_by, path_defect};
use crate::model::url::Url;
use crate::model::urn::{self, Class};
use crate::profile::Registry;

/// Checks a text against a URL shape; the error says what is wrong, for people, without quoting the text.
pub(crate) fn check_url(shape: &UrlShape, text: &str) -> Result<(), String> {
    // First, because `*` alone is no URL and the wildcard is what has to be said about it.
    if shape.wildcard == Some(false) && text.contains('*') {
        return Err("holds a wildcard".into());
    }
    let url = Url::parse(text)?;
    if let Some(allowed) = &shape.scheme
        && !allowed.iter().any(|scheme| url.has_scheme(scheme))
    {
        return Err(format!("does not have the scheme {}", allowed.join(" or ")));
    }
    if let Some(scheme) = shape.not_scheme.iter().flatten().find(|scheme| url.has_scheme(scheme)) {
        return Err(format!("has the scheme {scheme}"));
    }
    let forbidden = [
        (shape.userinfo, url.userinfo.is_some(), "carries user information before the host"),
        (shape.fragment, url.fragment.is_some(), "has a fragment"),
        (shape.query, url.query.is_some(), "has a query"),
        (shape.loopback, url.is_loopback(), "is a loopback address"),
        (shape.private, url.is_private(), "has a host that only its own site can reach"),
        (shape.default_port, url.has_default_port(), "names the default port of its scheme"),
        (shape.denormalised, url.is_denormalised(), "is not normalised (upper-case scheme or host, or dot segments)"),
        (shape.empty_segment, url.has_empty_segment(), "has an empty path segment (`//`)"),
        (shape.trailing_slash, url.path.ends_with('/'), "ends with a slash"),
    ];
    match forbidden.into_iter().find(|(allowed, found, _)| *found && *allowed == Some(false)) {
        Some((.., reason)) => Err(reason.into()),
        None => Ok(()),
    }
}

/// Checks one scope of a list against a scope shape; the error says what is wrong. Scopes that are no capability, and
/// capabilities that `of` does not name, pass.
pub(crate) fn check_scope(shape: &ScopeShape, list: &[&str], index: usize) -> Result<(), String> {
    let Some(scope) = list.get(index).and_then(|text| Capability::parse(text)) else { return Ok(()) };
    if shape.of.as_ref().is_some_and(|of| !of.iter().any(|operation| operation == scope.operation)) {
        return Ok(());
    }
    if shape.known == Some(true) && !scope.is_known() {
        return Err(unknown_operation(scope));
    }
    match (shape.path, scope.path) {
        (Some(true), None | Some("")) => return Err("has no path".into()),
        (Some(false), Some(_)) => return Err("has a path, which has no meaning for this operation".into()),
        _ => {}
    }
    if let Some(path) = scope.path {
        // That there is none is another demand.
        if shape.absolute == Some(true) && !path.is_empty() && !path.starts_with('/') {
            return Err("has a path that does not start with `/`".into());
        }
        if shape.normalised == Some(true)
            && let Some(defect) = path_defect(path)
        {
            return Err(format!("has a path that {defect}"));
        }
    }
    if shape.root == Some(false) && grants_root(scope) {
        return Err("covers the root `/`".into());
    }
    if shape.redundant == Some(false)
        && let Some(other) = covered_by(list, index).and_then(|position| list.get(position))
    {
        return Err(format!("is already covered by {other}"));
    }
    Ok(())
}

fn unknown_operation(scope: Capability<'_>) -> String {
    let lower = scope.operation.to_ascii_lowercase();
    match scope.family.operations().iter().find(|known| **known == lower) {
        Some(known) => format!("is spelt with capitals; the operation is {known}"),
        None => {
            let part = |operation: &str| operation.split_once('.').map(|(part, _)| part.to_string());
            let (all, own) = (scope.family.operations(), part(scope.operation));
            let near: Vec<&str> = all.iter().copied().filter(|known| own.is_some() && part(known) == own).collect();
            format!("is none of {}", if near.is_empty() { all.join(", ") } else { near.join(", ") })
        }
    }
}

/// A WLCG scope without a path is another defect (`path`), and the normal form of `compute.*`; in SciTokens it is how
/// the root is written.
fn grants_root(scope: Capability<'_>) -> bool {
    match (scope.family, scope.path) {
        (Family::Wlcg, None) => false,
        (Family::SciTokens, None) => matches!(scope.operation, "read" | "write"),
        (Family::Wlcg | Family::SciTokens, Some(_)) => scope.is_root(),
    }
}

/// Checks a group name against a grammar; the error says what is wrong.
pub(crate) fn check_group(grammar: GroupGrammar, name: &str) -> Result<(), String> {
    match grammar {
        GroupGrammar::Wlcg => group::wlcg_defect(name).map_or(Ok(()), |defect| Err(defect.into())),
    }
}

/// What the registry of known issuers says against a URL.
pub(crate) fn check_registry(shape: &RegistryShape, registry: &Registry, text: &str) -> Result<(), String> {
    if shape.near_miss == Some(false)
        && let Some(known) = registry.near_miss(text)
    {
        return Err(format!("is nearly the name of {} ({})", known.issuer, known.name));
    }
    if shape.spelled == Some(true)
        && let Some(known) = registry.find(text).filter(|known| known.issuer != text)
    {
        return Err(format!("is written {} in its tokens", known.issuer));
    }
    let class = registry
        .find(text)
        .filter(|known| shape.not_class.as_ref().is_some_and(|classes| classes.contains(&known.class)));
    class.map_or(Ok(()), |known| Err(format!("is a {} issuer: {}", known.class.name(), known.name)))
}

/// Checks a value of the AARC guidelines; the error says what is wrong.
pub(crate) fn check_urn(shape: &UrnShape, text: &str) -> Result<(), String> {
    let class = match shape.kind {
        UrnKind::Urn => urn::urn(text),
        UrnKind::Entitlement => urn::group_entitlement(text),
        UrnKind::Capability => urn::capability(text),
        UrnKind::Subject => urn::subject(text),
        UrnKind::Assurance => urn::assurance(text),
    };
    match class {
        Class::Foreign => Ok(()),
        Class::Malformed(reason) if shape.malformed == Some(false) => Err(reason.into()),
        Class::Legacy(reason) if shape.legacy == Some(false) => Err(reason.into()),
        Class::Valid | Class::Legacy(_) if shape.authority == Some(true) && !urn::has_authority(text) => {
            Err("names no authority after `#`".into())
        }
        Class::Valid | Class::Legacy(_) | Class::Malformed(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(yaml: serde_json::Value, text: &str) -> String {
        let shape: UrlShape = serde_json::from_value(yaml).expect("a shape");
        check_url(&shape, text).err().unwrap_or_default()
    }

    #[test]
    fn urls_are_held_to_what_the_rule_asks() {
        use serde_json::json;
        for (shape, text, reason, remark) in [
            (json!({}), "https://h.example/", "", "any absolute URL"),
            (json!({}), "callback", "not absolute", "no URL fails every demand"),
            (json!({"scheme": ["https"]}), "http://h.example/", "scheme https", "wrong scheme"),
            (json!({"scheme": ["https"]}), "HTTPS://h.example/", "", "case of the scheme does not count"),
            (json!({"scheme": ["https"]}), "edu.kit.data.oidc-agent:/redirect", "scheme https", "a native scheme"),
            (json!({"not_scheme": ["http"]}), "edu.kit.data.oidc-agent:/redirect", "", "a native scheme"),
            (json!({"not_scheme": ["javascript"]}), "javascript:alert(1)", "has the scheme javascript", ""),
            (json!({"wildcard": false}), "*", "wildcard", "no URL, but the wildcard is the point"),
            (json!({"wildcard": false}), "https://*.example.org/", "wildcard", "in the host"),
            (json!({"wildcard": true}), "https://h.example/*", "", "allowed"),
            (json!({"query": false}), "https://h.example/?a", "query", ""),
            (json!({"query": false}), "https://h.example/#?a", "", "a question mark inside the fragment"),
            (json!({"fragment": false}), "https://h.example/#", "fragment", "an empty one counts"),
            (json!({"userinfo": false}), "https://a@h.example/", "user information", ""),
            (json!({"trailing_slash": false}), "https://h.example/", "slash", ""),
            (json!({"trailing_slash": false}), "https://h.example", "", ""),
            (json!({"loopback": false}), "http://127.0.0.1:1234/cb", "loopback", ""),
            (json!({"private": false}), "https://10.0.0.1/", "own site", ""),
            (json!({"default_port": false}), "https://h.example:443/", "default port", ""),
            (json!({"denormalised": false}), "https://H.example/", "normalised", ""),
            (json!({"empty_segment": false}), "https://h.example//x", "empty", ""),
        ] {
            let got = url(shape.clone(), text);
            assert_eq!(got.is_empty(), reason.is_empty(), "{shape} {text}: {got} {remark}");
            assert!(got.contains(reason), "{shape} {text}: {got} {remark}");
        }
    }

    #[test]
    fn scopes_are_held_to_what_the_rule_asks() {
        use serde_json::json;
        for (shape, list, index, reason, remark) in [
            (json!({"path": true}), &["openid"][..], 0, "", "no capability"),
            (json!({"path": true}), &["storage.read"], 0, "no path", ""),
            (json!({"path": true}), &["storage.read:"], 0, "no path", "an empty one is none"),
            (json!({"path": true, "of": ["storage.read"]}), &["compute.read"], 0, "", "not asked about"),
            (json!({"path": false, "of": ["compute.read"]}), &["compute.read:/"], 0, "no meaning", ""),
            (json!({"absolute": true}), &["storage.read:data"], 0, "start with", ""),
            (json!({"absolute": true}), &["storage.read"], 0, "", "no path is another demand"),
            (json!({"absolute": true}), &["storage.read:"], 0, "", "an empty one is none"),
            (json!({"normalised": true}), &["storage.read:/a/../b"], 0, "`..`", ""),
            (json!({"normalised": true}), &["storage.read:/a/"], 0, "", "a trailing slash has a meaning"),
            (json!({"root": false}), &["storage.modify:/"], 0, "root", ""),
            (json!({"root": false}), &["storage.modify:/a/.."], 0, "root", "in disguise"),
            (json!({"root": false}), &["compute.create"], 0, "", "has no path"),
            (json!({"root": false}), &["write"], 0, "root", "SciTokens"),
            (json!({"known": true}), &["storage.write:/"], 0, "none of storage.read", ""),
            (json!({"known": true}), &["Storage.Read:/"], 0, "capitals", ""),
            (json!({"known": true}), &["some.other:/"], 0, "", "communities may add scopes"),
            (
                json!({"redundant": false}),
                &["storage.read:/a/b", "storage.read:/a"],
                0,
                "covered by storage.read:/a",
                "",
            ),
            (json!({"redundant": false}), &["storage.read:/a/b", "storage.read:/a"], 1, "", ""),
        ] {
            let parsed: ScopeShape = serde_json::from_value(shape.clone()).expect("a shape");
            let got = check_scope(&parsed, list, index).err().unwrap_or_default();
            assert_eq!(got.is_empty(), reason.is_empty(), "{shape} {list:?}: {got} {remark}");
            assert!(got.contains(reason), "{shape} {list:?}: {got} {remark}");
        }
    }

    #[test]
    fn urns_are_held_to_what_the_rule_asks() {
        use serde_json::json;
        for (shape, text, reason, remark) in [
            (json!({"kind": "entitlement", "malformed": false}), "urn:geant:x:group:", "empty", ""),
            (
                json!({"kind": "entitlement", "malformed": false}),
                "urn:geant:x:group:v#a",
                "",
                "legacy is not malformed",
            ),
            (json!({"kind": "entitlement", "legacy": false}), "urn:geant:x:group:v#a", "authority", ""),
            (json!({"kind": "entitlement", "legacy": false}), "urn:geant:x:group:", "", "malformed is not legacy"),
            (json!({"kind": "entitlement", "authority": true}), "urn:geant:x:group:v", "no authority", ""),
            (json!({"kind": "entitlement", "authority": true}), "urn:geant:x:res:v", "", "another kind"),
            (json!({"kind": "capability", "authority": true}), "urn:geant:x:res:v", "no authority", ""),
            (json!({"kind": "urn", "malformed": false}), "urn:x:y", "namespace", ""),
            (json!({"kind": "subject", "malformed": false}), "abc", "`@`", ""),
            (json!({"kind": "assurance", "malformed": false}), "https://refeds.org/assurance/x", "none", ""),
        ] {
            let parsed: UrnShape = serde_json::from_value(shape.clone()).expect("a shape");
            let got = check_urn(&parsed, text).err().unwrap_or_default();
            assert_eq!(got.is_empty(), reason.is_empty(), "{shape} {text}: {got} {remark}");
            assert!(got.contains(reason), "{shape} {text}: {got} {remark}");
        }
    }

    #[test]
    fn groups_are_held_to_the_grammar() {
        assert_eq!(check_group(GroupGrammar::Wlcg, "/cms"), Ok(()));
        assert!(check_group(GroupGrammar::Wlcg, "cms").is_err());
    }
}
