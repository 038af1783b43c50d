//! URNs and other identifiers of the AARC guidelines: group entitlements (AARC-G069, and AARC-G002 before it), capabilities
//! (AARC-G027), community user identifiers (AARC-G026) and assurance values (AARC-G021 and the REFEDS framework).
//!
//! A value is valid, or legacy (what an older edition wanted), or malformed; whatever is no value of the kind at all
//! is foreign, since one claim carries values of many kinds. A text that breaks RFC 8141 is malformed as a URN and foreign to
//! the grammars above it, so that one defect is told once. The guidelines could not be read when this was written: the
//! grammars are those of parsers and test suites that follow them.

/// What a value is under one grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Follows the current edition.
    Valid,
    /// Follows an older edition; the text says how, as the end of the sentence "the value …".
    Legacy(&'static str),
    /// Means to be of the kind and breaks its grammar; the text says how.
    Malformed(&'static str),
    /// Is of another kind, about which the grammar says nothing.
    Foreign,
}

/// A URN taken apart (RFC 8141 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Urn<'t> {
    /// Namespace identifier (`geant`, `mace`), as written.
    pub nid: &'t str,
    /// Namespace-specific string, without r-, q- and f-component.
    pub nss: &'t str,
    /// What stands after `#`; entitlements name an authority there. `None` without `#`, empty for a bare one.
    pub fragment: Option<&'t str>,
}

impl<'t> Urn<'t> {
    /// Takes a URN apart. `None` when the text does not start with `urn:`; the error says what breaks RFC 8141, as the
    /// end of the sentence "the value …".
    pub fn parse(text: &'t str) -> Option<Result<Self, &'static str>> {
        let rest = text.get(..4).filter(|scheme| scheme.eq_ignore_ascii_case("urn:")).map(|_| &text[4..])?;
        Some(Urn::parse_rest(rest))
    }

    fn parse_rest(rest: &'t str) -> Result<Self, &'static str> {
        let (body, fragment) = match rest.split_once('#') {
            Some((body, fragment)) => (body, Some(fragment)),
            None => (rest, None),
        };
        let (nid, body) = body.split_once(':').ok_or("is a URN without a name after its namespace")?;
        let hyphen = nid.starts_with('-') || nid.ends_with('-');
        let letters = nid.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !(2..=32).contains(&nid.len()) || hyphen || !letters {
            return Err("has a URN namespace that is not 2 to 32 letters, digits and inner hyphens");
        }
        let (nss, components) = match body.split_once('?') {
            Some((nss, components)) => (nss, Some(components)),
            None => (body, None),
        };
        if components.is_some_and(|text| !text.starts_with(['+', '='])) {
            return Err("has a question mark that is not followed by `+` or `=`");
        }
        if nss.is_empty() || nss.starts_with('/') {
            return Err("is a URN without a name after its namespace");
        }
        let texts = [(nss, false), (components.unwrap_or(""), true), (fragment.unwrap_or(""), true)];
        texts.into_iter().try_for_each(|(text, query)| allowed(text, query))?;
        Ok(Urn { nid, nss, fragment })
    }
}

/// Characters of a URN's parts: RFC 3986 `pchar` and `/`, in the parts after the name also `?`.
fn allowed(text: &str, query: bool) -> Result<(), &'static str> {
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        let fits = match byte {
            b'%' => bytes.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)),
            b'?' => query,
            other => other.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(other),
        };
        if !fits && *byte == b'%' {
            return Err("has a percent sign that is not followed by two hexadecimal digits");
        }
        if !fits {
            return Err("holds a character that a URN may not hold");
        }
    }
    Ok(())
}

/// Any URN; texts without `urn:` are foreign.
pub fn urn(text: &str) -> Class {
    match Urn::parse(text) {
        None => Class::Foreign,
        Some(Ok(_)) => Class::Valid,
        Some(Err(reason)) => Class::Malformed(reason),
    }
}

/// The reserved words that say what an entitlement is.
const GROUP: &str = "group";
const RESOURCE: &str = "res";

/// The parts after the reserved word, when that is the first reserved word of the value and a delegated namespace
/// stands before it.
fn parts_after<'t>(urn: &Urn<'t>, word: &str) -> Option<Vec<&'t str>> {
    let parts: Vec<&str> = urn.nss.split(':').collect();
    let reserved = parts.iter().skip(1).position(|part| matches!(*part, GROUP | RESOURCE))? + 1;
    (parts[reserved] == word).then(|| parts[reserved + 1..].to_vec())
}

fn empty_part(urn: &Urn<'_>) -> bool {
    urn.nss.split(':').any(str::is_empty)
}

/// A group entitlement (AARC-G069): `urn:<nid>:<namespace>:group:<group>[:<subgroup>…][:role=<role>]`. With `#<authority>`,
/// as AARC-G002 wanted it, it is legacy; so is EGI's oldest form `urn:mace:egi.eu:<service>:<role>@<vo>`.
pub fn group_entitlement(text: &str) -> Class {
    let Some(Ok(urn)) = Urn::parse(text) else { return Class::Foreign };
    let Some(parts) = parts_after(&urn, GROUP) else {
        let egi = urn.nid.eq_ignore_ascii_case("mace") && urn.nss.starts_with("egi.eu:");
        return match egi && urn.nss.rsplit(':').next().is_some_and(|last| last.contains('@')) {
            true => Class::Legacy("has the form role@vo, older than AARC-G002"),
            false => Class::Foreign,
        };
    };
    let roles = parts.iter().filter(|part| part.starts_with("role=")).count();
    match parts.as_slice() {
        [] => Class::Malformed("names no group"),
        _ if empty_part(&urn) => Class::Malformed("has an empty part between two colons"),
        [first, ..] if first.starts_with("role=") => Class::Malformed("names a role but no group"),
        _ if roles > 1 => Class::Malformed("has more than one role"),
        [.., last] if roles == 1 && !last.starts_with("role=") => Class::Malformed("has a part after its role"),
        [.., "role="] => Class::Malformed("has an empty role"),
        _ => match urn.fragment {
            Some("") => Class::Malformed("ends with `#` and no authority"),
            Some(_) => Class::Legacy("names an authority, as AARC-G002 wanted it"),
            None => Class::Valid,
        },
    }
}

/// A capability (AARC-G027): `urn:<nid>:<namespace>:res:<resource>[:<child>…][:act:<action>[,<action>…]]#<authority>`. Whether
/// the authority is there is asked apart, since many leave it out.
pub fn capability(text: &str) -> Class {
    let Some(Ok(urn)) = Urn::parse(text) else { return Class::Foreign };
    let Some(parts) = parts_after(&urn, RESOURCE) else { return Class::Foreign };
    if parts.is_empty() || parts[0] == "act" {
        return Class::Malformed("names no resource");
    }
    if empty_part(&urn) {
        return Class::Malformed("has an empty part between two colons");
    }
    let actions = parts.iter().position(|part| *part == "act").map(|at| &parts[at + 1..]);
    match actions {
        None => {}
        Some([]) => return Class::Malformed("has `act` and no action after it"),
        Some([list]) if list.split(',').any(str::is_empty) => {
            return Class::Malformed("has an empty action between two commas");
        }
        Some([_]) => {}
        Some(_) => return Class::Malformed("has a part after its actions"),
    }
    if parts.contains(&GROUP) {
        return Class::Malformed("is a resource and a group at once");
    }
    match urn.fragment {
        Some("") => Class::Malformed("ends with `#` and no authority"),
        Some(_) | None => Class::Valid,
    }
}

/// True when a group entitlement or capability names an authority after `#`.
pub fn has_authority(text: &str) -> bool {
    text.split_once('#').is_some_and(|(_, authority)| !authority.is_empty())
}

/// Longest unique part and longest scope of a community user identifier, in characters (eduPersonUniqueId).
const UNIQUE_PART: usize = 64;
const SCOPE: usize = 256;

/// A community user identifier (AARC-G026: `voperson_id`, eduPersonUniqueId): up to 64 letters and digits, `@`, the scope of
/// the AAI. An eduPersonTargetedID (`idp!sp!id`) is legacy.
pub fn subject(text: &str) -> Class {
    if text.split('!').filter(|part| !part.is_empty()).count() == 3 {
        return Class::Legacy("is an eduPersonTargetedID");
    }
    let Some((unique, scope)) = text.split_once('@') else { return Class::Malformed("has no `@` before its scope") };
    if unique.is_empty() || !unique.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Class::Malformed("has a unique part that is not of letters and digits alone");
    }
    if unique.len() > UNIQUE_PART {
        return Class::Malformed("has a unique part of more than 64 characters");
    }
    let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let inner = scope.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    match edge(scope.bytes().next()) && edge(scope.bytes().last()) && inner && scope.len() <= SCOPE {
        true => Class::Valid,
        false => Class::Malformed("has a scope that is no domain name"),
    }
}

/// The prefix of the REFEDS Assurance Framework, a value of its own.
const REFEDS: &str = "https://refeds.org/assurance";

/// What the REFEDS Assurance Framework defines below its prefix; versions are numbers.
const REFEDS_VALUES: [&str; 11] = [
    "/ID/unique",
    "/ID/eppn-unique-no-reassign",
    "/ID/eppn-unique-reassign-1y",
    "/IAP/low",
    "/IAP/medium",
    "/IAP/high",
    "/IAP/local-enterprise",
    "/ATP/ePA-1m",
    "/ATP/ePA-1d",
    "/profile/cappuccino",
    "/profile/espresso",
];

/// A value of `eduperson_assurance`. Only the REFEDS framework is known by heart; values of others (IGTF, EGI) are foreign.
pub fn assurance(text: &str) -> Class {
    let lower = text.to_ascii_lowercase();
    let meant = ["https://", "http://"].iter().any(|scheme| {
        let rest = lower.strip_prefix(scheme).map(|rest| rest.strip_prefix("www.").unwrap_or(rest));
        rest.is_some_and(|rest| rest.starts_with("refeds.org/assurance"))
    });
    if !meant {
        return Class::Foreign;
    }
    match text.strip_prefix(REFEDS) {
        Some("") => Class::Valid,
        Some(value) if REFEDS_VALUES.contains(&value) => Class::Valid,
        Some(value) if is_version(value) => Class::Valid,
        Some(_) => Class::Malformed("is none of the values that the REFEDS framework defines"),
        None => {
            Class::Malformed("is spelt differently from the REFEDS values, which are compared character by character")
        }
    }
}

fn is_version(value: &str) -> bool {
    value
        .strip_prefix("/version/")
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::Class::{Foreign, Valid};
    use super::*;

    /// `legacy: …` and `malformed: …` pin a word of the reason.
    fn check(grammar: fn(&str) -> Class, rows: &[(&str, &str, &str)]) {
        for (text, expected, remark) in rows {
            let got = match grammar(text) {
                Valid => "valid".to_string(),
                Foreign => "foreign".to_string(),
                Class::Legacy(reason) => format!("legacy: {reason}"),
                Class::Malformed(reason) => format!("malformed: {reason}"),
            };
            let (class, word) = expected.split_once(": ").unwrap_or((expected, ""));
            assert!(got.starts_with(class) && got.contains(word), "{text}: {got}, {remark}");
        }
    }

    #[test]
    fn urns_follow_rfc_8141() {
        check(
            urn,
            &[
                ("urn:geant:example.org:group:vo", "valid", ""),
                ("URN:Mace:x", "valid", "scheme and namespace in any case"),
                ("urn:ab:c?+r?=q#f", "valid", "all components"),
                ("https://example.org/x", "foreign", "entitlements may be URLs"),
                ("", "foreign", ""),
                ("urn:x:y", "malformed: namespace", "one letter"),
                ("urn:-ab:y", "malformed: namespace", "hyphen at the edge"),
                ("urn:a.b:y", "malformed: namespace", "dot"),
                ("urn:geant", "malformed: without a name", ""),
                ("urn:geant:", "malformed: without a name", ""),
                ("urn:geant:/x", "malformed: without a name", "the name starts with no slash"),
                ("urn:geant:x?y", "malformed: question mark", ""),
                ("urn:geant:a b", "malformed: character", "space"),
                ("urn:geant:a%4", "malformed: percent", ""),
                ("urn:geant:ä", "malformed: character", "not ASCII"),
                ("urn:geant:x#a#b", "malformed: character", "two fragments"),
                ("urn:é", "malformed: without", "a boundary within a character"),
                ("ur\u{e9}", "foreign", ""),
            ],
        );
    }

    #[test]
    fn groups_are_valid_legacy_or_malformed() {
        check(
            group_entitlement,
            &[
                ("urn:geant:example.org:group:vo", "valid", ""),
                ("urn:geant:example.org:group:vo:sub:role=manager", "valid", ""),
                ("urn:geant:a:b:group:vo%20x", "valid", "escapes stay as they are"),
                ("urn:geant:example.org:group:vo:role=m#aai.example.org", "legacy: authority", "G002"),
                ("urn:mace:egi.eu:group:vo.example.org:role=member#aai.egi.eu", "legacy: authority", "EGI"),
                ("urn:mace:egi.eu:www.egi.eu:member@vo.example.org", "legacy: role@vo", "older than G002"),
                ("urn:mace:dir:entitlement:common-lib-terms", "foreign", "a library's"),
                ("urn:geant:group:vo", "foreign", "no delegated namespace: `group` is one"),
                ("urn:geant:example.org:res:storage:group:x", "foreign", "a capability first"),
                ("urn:geant:example.org:group", "malformed: no group", ""),
                ("urn:geant:example.org:group:", "malformed: empty part", ""),
                ("urn:geant:example.org:group:vo::sub", "malformed: empty part", ""),
                ("urn:geant:example.org:group:role=m", "malformed: no group", ""),
                ("urn:geant:example.org:group:vo:role=a:role=b", "malformed: more than one", ""),
                ("urn:geant:example.org:group:vo:role=a:sub", "malformed: after its role", ""),
                ("urn:geant:example.org:group:vo:role=", "malformed: empty role", ""),
                ("urn:geant:example.org:group:vo#", "malformed: no authority", ""),
                ("urn:geant:example.org:group:my vo", "foreign", "broken as a URN, for `urn` to say"),
                ("vo.example.org", "foreign", "a plain name"),
            ],
        );
    }

    #[test]
    fn capabilities_are_valid_or_malformed() {
        check(
            capability,
            &[
                ("urn:geant:example.org:res:storage:act:read,write#aai.example.org", "valid", ""),
                ("urn:geant:example.org:res:storage:vol1#aai.example.org", "valid", "no actions"),
                ("urn:geant:example.org:res:storage", "valid", "the authority is asked for apart"),
                ("urn:geant:example.org:group:vo#a", "foreign", "a group"),
                ("urn:geant:example.org:res", "malformed: no resource", ""),
                ("urn:geant:example.org:res:act:read#a", "malformed: no resource", ""),
                ("urn:geant:example.org:res:storage:act#a", "malformed: no action", ""),
                ("urn:geant:example.org:res:storage:act:read,#a", "malformed: empty action", ""),
                ("urn:geant:example.org:res:storage:act:read:x#a", "malformed: after its actions", ""),
                ("urn:geant:example.org:res:storage:group:x#a", "malformed: at once", ""),
                ("urn:geant:example.org:res::x#a", "malformed: empty part", ""),
                ("urn:geant:example.org:res:x#", "malformed: no authority", ""),
                ("urn:geant:example.org:res:x?y", "foreign", "broken as a URN, for `urn` to say"),
            ],
        );
        assert!(has_authority("urn:geant:a:res:x#b") && !has_authority("urn:geant:a:res:x#"));
    }

    #[test]
    fn subjects_are_an_opaque_part_and_a_scope() {
        let long = format!("{}@example.org", "a".repeat(65));
        check(
            subject,
            &[
                ("0123456789abcdef@egi.eu", "valid", ""),
                ("f@x", "valid", "a scope without a dot is none of our business"),
                ("https://idp.example.org!https://sp.example.org!abc", "legacy: TargetedID", ""),
                ("abc", "malformed: no `@`", ""),
                ("@egi.eu", "malformed: unique part", ""),
                ("j.doe@egi.eu", "malformed: unique part", "a name, not opaque"),
                (&long, "malformed: 64", ""),
                ("abc@", "malformed: scope", ""),
                ("abc@egi.eu.", "malformed: scope", ""),
                ("abc@a@b", "malformed: scope", ""),
            ],
        );
    }

    #[test]
    fn assurance_values_are_compared_character_by_character() {
        check(
            assurance,
            &[
                ("https://refeds.org/assurance", "valid", "the prefix"),
                ("https://refeds.org/assurance/IAP/medium", "valid", ""),
                ("https://refeds.org/assurance/version/2", "valid", ""),
                ("https://refeds.org/assurance/", "malformed: none of the values", "a slash too many"),
                ("https://refeds.org/assurance/IAP/Medium", "malformed: none of the values", "case counts"),
                ("http://refeds.org/assurance/IAP/low", "malformed: spelt", "http"),
                ("https://www.refeds.org/assurance/IAP/low", "malformed: spelt", ""),
                ("https://aai.egi.eu/LoA#Substantial", "foreign", "EGI's own"),
                ("https://igtf.net/ap/authn-assurance/birch", "foreign", "another framework"),
                ("https://refeds.org/profile/mfa", "foreign", "an authentication context"),
            ],
        );
    }
}
