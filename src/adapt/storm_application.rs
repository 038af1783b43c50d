//! `application.yml` of StoRM WebDAV: trusted issuers, policies, the built-in token issuer.
//!
//! Read from its sources: audiences are compared only with `enforce-audience-checks`, and a token without audience passes
//! even then; an issuer is compared as it stands; its keys are looked for in its metadata, never at `jwk-uri`; a policy with
//! an unknown type, action or effect keeps the service from starting; unknown names are ignored.

use super::storm::{ISSUED_SECONDS, PRODUCT, boolean, find, relaxed, seconds, text, texts};
use super::traps::Found;
use super::{Adapter, Kind, Sink, is_placeholder};
use crate::model::{At, Field, Service, Target, TargetKind, Trust};
use crate::parse::{Cursor, Document, Syntax};

/// The adapter.
pub(super) struct StormApplication;

const KIND: &str = "storm-application.yml";

pub(super) const UNKNOWN_KEY: &str = "storm-unknown-key";
const POLICY_REFUSED: &str = "storm-policy-refused";
const POLICY_OPEN: &str = "storm-policy-open-to-all";
const AUDIENCES_UNUSED: &str = "storm-audiences-unused";
const AUDIENCES_MISSING: &str = "storm-audiences-missing";
const CERTIFICATE_NEEDED: &str = "storm-certificate-needed";
const AUTHORIZATION_OFF: &str = "storm-authorization-off";

const ANY: &str = "https://wlcg.cern.ch/jwt/v1/any";
const UNSET: &str = "it is not set here; another file, the environment or the default (60 minutes) decide";

const OAUTH: [&str; 4] = ["enable-oidc", "issuers", "refresh-period-minutes", "refresh-timeout-seconds"];
const ISSUER: [&str; 5] = ["name", "issuer", "jwk-uri", "enforce-audience-checks", "audiences"];
const POLICY: [&str; 6] = ["sa", "actions", "paths", "effect", "description", "principals"];
const ACTIONS: [&str; 5] = ["list", "read", "write", "delete", "all"];
const EFFECTS: [&str; 2] = ["permit", "deny"];
/// Types of principals with the parameters they need.
const PRINCIPALS: [(&str, &[&str]); 12] = [
    ("anonymous", &[]),
    ("any-authenticated-user", &[]),
    ("anyone", &[]),
    ("jwt-group", &["iss", "group"]),
    ("jwt-scope", &["iss", "scope"]),
    ("jwt-issuer", &["iss"]),
    ("jwt-subject", &["iss", "sub"]),
    ("jwt-client", &["iss", "id"]),
    ("vo", &["vo"]),
    ("fqan", &["fqan"]),
    ("vo-map", &["vo"]),
    ("x509-subject", &["subject"]),
];
/// Names in the README that no release reads.
const README: [(&str, &str); 3] =
    [("oauthgroup", "jwt-group"), ("oauthscope", "jwt-scope"), ("oidcsubject", "jwt-subject")];
/// Members of `storm` by which the file is known.
const OURS: [&[&str]; 9] = [
    &["storm", "authz", "policies"],
    &["storm", "authz", "disabled"],
    &["storm", "authzserver"],
    &["storm", "sa", "configdir"],
    &["storm", "vomapfiles"],
    &["storm", "macaroonfilter"],
    &["storm", "redirector"],
    &["oauth", "refreshperiodminutes"],
    &["oauth", "enableoidc"],
];

impl Adapter for StormApplication {
    fn kinds(&self) -> &'static [Kind] {
        &[Kind {
            name: KIND,
            doc: "application.yml of StoRM WebDAV: the token issuers it trusts, and its policies",
            targets: &[TargetKind::Service, TargetKind::Trust, TargetKind::Trap],
        }]
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        let root = document.root();
        if document.syntax != Syntax::Yaml || !root.is_map() {
            return None;
        }
        let issuer = |item: Cursor<'_>| find(item, &["issuer"]).is_some() && find(item, &["name"]).is_some();
        let mut issuers = find(root, &["oauth", "issuers"]).into_iter().flat_map(Cursor::items);
        (OURS.iter().any(|path| find(root, path).is_some()) || issuers.any(issuer)).then_some(KIND)
    }

    fn traps(&self) -> &'static [&'static str] {
        &[
            UNKNOWN_KEY,
            POLICY_REFUSED,
            POLICY_OPEN,
            AUDIENCES_UNUSED,
            AUDIENCES_MISSING,
            CERTIFICATE_NEEDED,
            AUTHORIZATION_OFF,
        ]
    }

    fn adapt(&self, document: &Document, _kind: &'static str, sink: &mut dyn Sink) {
        let root = document.root();
        let secret = find(root, &["storm", "authzserver", "secret"]);
        let registrations = find(root, &["spring", "security", "oauth2", "client", "registration"]);
        let clients = registrations.into_iter().flat_map(Cursor::items).filter_map(|one| find(one, &["clientsecret"]));
        for secret in secret.into_iter().chain(clients) {
            if secret.scalar_text().is_some_and(|text| !text.is_empty() && !is_placeholder(text)) {
                sink.secret(document, secret.id);
            }
        }
        let issuers = find(root, &["oauth", "issuers"]).filter(|issuers| issuers.is_seq());
        let service = service(root, issuers);
        let refresh = service.key_refresh.clone();
        sink.target(&[document], Target::new(TargetKind::Service, "StoRM WebDAV", service));
        service_traps(root, issuers, sink);
        for issuer in issuers.into_iter().flat_map(Cursor::items).filter(|issuer| issuer.is_map()) {
            let trust = trust(issuer, &refresh);
            let identity = trust.issuer.as_text().unwrap_or_default().to_string();
            let name = trust.alias.as_text().unwrap_or(&identity).to_string();
            let target = Target::new(TargetKind::Trust, name, trust);
            sink.target(&[document], Target { identity: identity.into(), at: At::node(issuer.id), ..target });
            issuer_traps(issuer, sink);
        }
        let policies = find(root, &["storm", "authz", "policies"]);
        for policy in policies.into_iter().flat_map(Cursor::items).filter(|policy| policy.is_map()) {
            policy_traps(policy, sink);
        }
        open_policies(policies, sink);
    }
}

fn same(known: &str, key: &str) -> bool {
    relaxed(known) == relaxed(key)
}

fn service<'d>(root: Cursor<'d>, issuers: Option<Cursor<'d>>) -> Service<'d> {
    let tokens = issuers.filter(|issuers| issuers.items().next().is_some());
    let refresh = seconds(find(root, &["oauth", "refreshperiodminutes"]), 60);
    let refresh = refresh.or(if tokens.is_some() { Field::unknown(UNSET, None) } else { Field::default() });
    let off = boolean(find(root, &["storm", "authz", "disabled"]));
    let issues = boolean(find(root, &["storm", "authzserver", "enabled"])).as_bool() == Some(true);
    let lifetime = seconds(find(root, &["storm", "authzserver", "maxtokenlifetimesec"]), 1);
    Service {
        product: Field::text(PRODUCT, None),
        tokens: tokens.map_or_else(Field::default, |issuers| Field::bool(true, At::node(issuers.id))),
        any_issuer: Field::bool(false, None),
        without_token: match off.as_bool() {
            Some(true) => Field::text("allow", off.at),
            _ => Field::default(),
        },
        ca_store: if tokens.is_some() { Field::text("java", None) } else { Field::default() },
        key_cache: refresh.clone(),
        key_refresh: refresh,
        issued_lifetime: if issues { lifetime.or(Field::int(ISSUED_SECONDS, None)) } else { Field::default() },
        ..Service::default()
    }
}

fn trust<'d>(issuer: Cursor<'d>, refresh: &Field<'d>) -> Trust<'d> {
    let checked = boolean(find(issuer, &["enforceaudiencechecks"])).or(Field::bool(false, None));
    let audiences = texts(find(issuer, &["audiences"]));
    let any = audiences.items().iter().find(|audience| audience.as_text() == Some(ANY));
    Trust {
        product: Field::text(PRODUCT, None),
        issuer: text(find(issuer, &["issuer"])),
        alias: text(find(issuer, &["name"])),
        any_audience: match (checked.as_bool(), any) {
            (Some(false), _) => Field::bool(true, checked.at),
            (Some(true), Some(any)) => Field::bool(true, any.at),
            (Some(true), None) => Field::bool(false, audiences.at),
            (None, _) => checked.clone(),
        },
        missing_audience: Field::bool(true, None),
        audience_checked: checked,
        audiences,
        key_cache: refresh.clone(),
        active: Field::bool(true, None),
        ..Trust::default()
    }
}

fn service_traps<'d>(root: Cursor<'d>, issuers: Option<Cursor<'d>>, sink: &mut dyn Sink) {
    for (key, member) in find(root, &["oauth"]).into_iter().flat_map(Cursor::entries) {
        unknown_key(key, member, "oauth", &OAUTH, sink);
    }
    let certificate = find(root, &["storm", "tls", "requireclientcert"]);
    if let Some(at) = certificate.filter(|at| issuers.is_some() && boolean(Some(*at)).as_bool() == Some(true)) {
        Found::new(PRODUCT, CERTIFICATE_NEEDED, at, "require-client-cert").section("storm.tls").tell(sink);
    }
    let off = find(root, &["storm", "authz", "disabled"]);
    if let Some(at) = off.filter(|at| boolean(Some(*at)).as_bool() == Some(true)) {
        Found::new(PRODUCT, AUTHORIZATION_OFF, at, "disabled").section("storm.authz").tell(sink);
    }
}

fn unknown_key<'d>(key: &'d str, member: Cursor<'d>, section: &str, known: &[&str], sink: &mut dyn Sink) {
    // Names with dots are paths, and [0] are elements of lists.
    if !known.iter().any(|name| same(name, key)) && !key.contains(['.', '[']) {
        Found::new(PRODUCT, UNKNOWN_KEY, member, key).section(section).nearest(known).tell(sink);
    }
}

fn issuer_traps(issuer: Cursor<'_>, sink: &mut dyn Sink) {
    let name = text(find(issuer, &["name"])).as_text().unwrap_or_default().to_string();
    let found = |code, at| Found::new(PRODUCT, code, at, name.as_str());
    for (key, member) in issuer.entries() {
        match relaxed(key).as_str() {
            "jwkuri" => Found::new(PRODUCT, UNKNOWN_KEY, member, key)
                .section("oauth.issuers")
                .effect("; keys are always taken from the address in the issuer's metadata")
                .tell(sink),
            _ => unknown_key(key, member, "oauth.issuers", &ISSUER, sink),
        }
    }
    let checked = find(issuer, &["enforceaudiencechecks"]);
    let audiences = find(issuer, &["audiences"]);
    let some = audiences.filter(|audiences| !texts(Some(*audiences)).items().is_empty());
    // A placeholder may stand for a list.
    let none = audiences.is_none_or(|audiences| audiences.is_null() || audiences.is_seq()) && some.is_none();
    match (boolean(checked).or(Field::bool(false, None)).as_bool(), checked, some) {
        (Some(false), _, Some(at)) => found(AUDIENCES_UNUSED, at).tell(sink),
        (Some(true), Some(at), None) if none => found(AUDIENCES_MISSING, at).tell(sink),
        _ => {}
    }
}

fn policy_traps(policy: Cursor<'_>, sink: &mut dyn Sink) {
    let area = text(find(policy, &["sa"])).as_text().unwrap_or_default().to_string();
    for (key, member) in policy.entries() {
        unknown_key(key, member, "storm.authz.policies", &POLICY, sink);
    }
    for name in ["sa", "actions", "principals"] {
        let member = find(policy, &[name]);
        if member.is_none_or(|member| member.is_null() || (member.is_seq() && member.items().next().is_none())) {
            refuse(&area, member.unwrap_or(policy), name, format!("{name} is missing"), sink);
        }
    }
    one_of(&area, find(policy, &["actions"]), &ACTIONS, sink);
    one_of(&area, find(policy, &["effect"]), &EFFECTS, sink);
    let principals = find(policy, &["principals"]).into_iter().flat_map(Cursor::items);
    for principal in principals.filter(|principal| principal.is_map()) {
        principal_traps(&area, principal, sink);
    }
}

/// Policies by which a request that shows nothing may write or delete. The first that fits decides, so that one behind a
/// policy of the area that denies everybody something opens less than it says, and is left alone.
fn open_policies(policies: Option<Cursor<'_>>, sink: &mut dyn Sink) {
    let mut denied = Vec::new();
    for policy in policies.into_iter().flat_map(Cursor::items).filter(|policy| policy.is_map()) {
        let area = text(find(policy, &["sa"]));
        let effect = text(find(policy, &["effect"])).or(Field::text("deny", None));
        let principals = find(policy, &["principals"]).into_iter().flat_map(Cursor::items);
        let everybody = principals
            .filter_map(|principal| find(principal, &["type"]))
            .find(|kind| kind.as_str().is_some_and(|kind| same("anyone", kind) || same("anonymous", kind)));
        let (Some(area), Some(effect), Some(everybody)) = (area.as_text(), effect.as_text(), everybody) else {
            continue;
        };
        if !same("permit", effect) {
            denied.push(area.to_string());
            continue;
        }
        let actions = texts(find(policy, &["actions"]));
        let may = |name: &str| {
            actions.items().iter().filter_map(Field::as_text).any(|action| same("all", action) || same(name, action))
        };
        if (may("write") || may("delete")) && !denied.iter().any(|denied| denied == area) {
            let allowed: Vec<&str> = ACTIONS[..4].iter().copied().filter(|name| may(name)).collect();
            let effect = match allowed.split_last() {
                Some((last, [])) => (*last).to_string(),
                Some((last, others)) => format!("{} and {last}", others.join(", ")),
                None => continue,
            };
            Found::new(PRODUCT, POLICY_OPEN, everybody, "principals").section(area).effect(effect).tell(sink);
        }
    }
}

fn refuse(area: &str, at: Cursor<'_>, name: &str, why: String, sink: &mut dyn Sink) {
    Found::new(PRODUCT, POLICY_REFUSED, at, name).section(area).effect(why).tell(sink);
}

/// A word, or a list of words, each of which must be one of a few.
fn one_of(area: &str, member: Option<Cursor<'_>>, known: &[&str], sink: &mut dyn Sink) {
    let Some(member) = member else { return };
    for item in member.items().chain((!member.is_seq()).then_some(member)) {
        let Some(word) = item.as_str().filter(|word| !word.is_empty() && !is_placeholder(word)) else { continue };
        for part in word.split(',').map(str::trim).filter(|part| !known.iter().any(|name| same(name, part))) {
            refuse(area, item, part, format!("{part} is none of {}", known.join(", ")), sink);
        }
    }
}

fn principal_traps(area: &str, principal: Cursor<'_>, sink: &mut dyn Sink) {
    let Some(at) = find(principal, &["type"]) else { return };
    let Some(kind) = at.as_str().filter(|kind| !kind.is_empty() && !is_placeholder(kind)) else { return };
    let Some((_, needed)) = PRINCIPALS.iter().find(|(known, _)| same(known, kind)) else {
        let readme = README.iter().find(|(old, _)| *old == relaxed(kind)).map(|(_, new)| *new);
        let near = readme.or_else(|| crate::near::nearest(kind, PRINCIPALS.iter().map(|(name, _)| *name)));
        let near = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
        return refuse(area, at, kind, format!("there is no principal of type {kind}{near}"), sink);
    };
    let params = find(principal, &["params"]);
    for name in *needed {
        let given = params.and_then(|params| find(params, &[name]));
        if given.is_none_or(|given| given.scalar_text().is_none_or(|text| text.trim().is_empty())) {
            let why = format!("a principal of type {kind} needs the parameter {name}");
            refuse(area, given.unwrap_or(at), kind, why, sink);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapt::testing::{Collected, Got, collect};

    fn of(collected: &Collected, kind: TargetKind) -> Vec<&Got> {
        collected.targets.iter().filter(|got| got.kind == kind).collect()
    }

    fn issuer(lines: &str) -> String {
        format!("oauth:\n  issuers:\n    - name: vo\n      issuer: https://vo.example.org/\n{lines}")
    }

    #[test]
    fn issuers_are_trusted_as_the_service_does() {
        const ANY_LISTED: &str =
            "      enforce-audience-checks: true\n      audiences: [https://wlcg.cern.ch/jwt/v1/any]\n";
        for (lines, field, expected, remark) in [
            ("", "audience_checked", "false", "the default"),
            ("", "any_audience", "true", "so any audience passes"),
            ("", "key_cache", "unknown: it is not set here", "or in the environment"),
            ("      enforceAudienceChecks: true\n      audiences: [a, b]\n", "audience_checked", "true", "camel case"),
            ("      enforceAudienceChecks: 'yes'\n      audiences: a,b\n", "audiences", "a b", "a list in one text"),
            ("      enforce-audience-checks: true\n      audiences: [a]\n", "any_audience", "false", "not listed"),
            (ANY_LISTED, "any_audience", "true", "listed"),
            (ANY_LISTED, "missing_audience", "true", "no audience at all passes"),
            ("  refresh-period-minutes: 5\n", "key_cache", "300", "in seconds"),
        ] {
            let collected = collect(&issuer(lines), Syntax::Yaml);
            assert_eq!(collected.kinds, [KIND], "{remark}");
            let got = of(&collected, TargetKind::Trust)[0];
            assert!(got.get(field).starts_with(expected), "{remark}: {}", got.get(field));
            assert_eq!((got.name.as_str(), got.identity.as_str()), ("vo", "https://vo.example.org/"));
        }
        let defaults = collect("oauth:\n  refresh-period-minutes: ${X:60}\n  issuers:\n", Syntax::Yaml);
        assert!(defaults.targets[0].get("key_refresh").starts_with("unknown"), "the environment decides");
    }

    #[test]
    fn the_service_tells_what_it_is_told() {
        let collected = collect(
            "storm:\n  authz: {disabled: true}\n  authz-server: {enabled: true, secret: example, max-token-lifetime-sec: 600}\n\
             spring.security.oauth2.client.registration:\n  vo: {client-secret: example2}\n",
            Syntax::Yaml,
        );
        let service = &collected.targets[0];
        assert_eq!((service.get("without_token"), service.get("issued_lifetime")), ("allow", "600"));
        assert_eq!(collected.secrets.len(), 2, "{:?}", collected.secrets);
    }

    #[test]
    fn what_the_service_reads_otherwise_is_a_trap() {
        let policy = |lines: &str| format!("storm:\n  authz:\n    policies:\n      - sa: vo\n{lines}");
        const REST: &str = "        actions: [read]\n        effect: permit\n        description: x\n";
        let principal = |text: &str| policy(&format!("{REST}        principals: [{text}]\n"));
        for (yaml, code, name, remark) in [
            (issuer("      audience: [a]\n"), UNKNOWN_KEY, "audience", "a letter is missing"),
            (issuer("      jwk-uri: https://vo.example.org/jwk\n"), UNKNOWN_KEY, "jwk-uri", "declared and never read"),
            (issuer("  refresh-minutes: 5\n"), UNKNOWN_KEY, "refresh-minutes", "unknown"),
            (issuer("      audiences: [a]\n"), AUDIENCES_UNUSED, "vo", "not enforced"),
            (issuer("      enforce-audience-checks: true\n"), AUDIENCES_MISSING, "vo", "nothing to compare with"),
            (issuer("storm: {tls: {require-client-cert: true}}\n"), CERTIFICATE_NEEDED, "require-client-cert", "both"),
            ("storm: {authz: {disabled: true}}\n".into(), AUTHORIZATION_OFF, "disabled", "everything is allowed"),
            (principal("{type: oauth-group, params: {iss: a, group: /b}}"), POLICY_REFUSED, "oauth-group", "README"),
            (principal("{type: jwt-group, params: {iss: a}}"), POLICY_REFUSED, "jwt-group", "a parameter is missing"),
            (
                policy(&REST.replace("read", "modify")) + "        principals: [{type: anyone}]\n",
                POLICY_REFUSED,
                "modify",
                "action",
            ),
            (policy(REST), POLICY_REFUSED, "principals", "nobody"),
            (
                policy(&REST.replace("[read]", "delete, list")) + "        principals: [{type: ANYONE}]\n",
                POLICY_OPEN,
                "principals",
                "everybody may delete",
            ),
        ] {
            let collected = collect(&yaml, Syntax::Yaml);
            let traps: Vec<(&str, &str)> =
                of(&collected, TargetKind::Trap).iter().map(|got| (got.get("code"), got.get("name"))).collect();
            assert_eq!(traps, [(code, name)], "{remark}");
        }
        let healthy = principal("{type: JWT_GROUP, params: {iss: a, group: /b}}, {type: anyone}");
        assert!(of(&collect(&healthy, Syntax::Yaml), TargetKind::Trap).is_empty());
        let entry = |area: &str, effect: &str| {
            format!(
                "      - {{sa: {area}, description: x, actions: [write], effect: {effect}, principals: [{{type: anyone}}]}}\n"
            )
        };
        for (first, open, remark) in [("vo", 0, "the denial decides"), ("other", 1, "another area's denial does not")] {
            let yaml = format!("storm:\n  authz:\n    policies:\n{}{}", entry(first, "deny"), entry("vo", "permit"));
            assert_eq!(of(&collect(&yaml, Syntax::Yaml), TargetKind::Trap).len(), open, "{remark}");
        }
    }

    #[test]
    fn other_spring_applications_are_not_taken() {
        for yaml in [
            "server: {port: 8080}\nspring: {application: {name: x}}\n",
            "oauth:\n  issuers: [https://a.example]\n",
            "oauth:\n  issuers: [{issuer: https://a.example, scopes: [a]}]\n",
            "storm: {topology: x}\n",
        ] {
            assert!(!collect(yaml, Syntax::Yaml).kinds.contains(&KIND), "{yaml}");
        }
    }
}
