//! INDIGO IAM scope policies (also in the form OPA evaluates) and token-exchange policies.
//!
//! Sources: `GET /iam/scope_policies`, `GET /iam/api/exchange/policies` (bare arrays) and the data files of opa-iam
//! (an array or `{"policies": []}`).

use super::list::for_each_element;
use super::{Adapter, Kind, Reader, Sink};
use crate::model::{At, ExchangePolicy, Field, ScopePolicy, Target, TargetKind};
use crate::parse::{Cursor, Document};
use std::collections::BTreeSet;

/// Adapter for both kinds of policies.
pub(super) struct IndigoIamPolicies;

const SCOPE: &str = "indigo-iam-scope-policies";
const EXCHANGE: &str = "indigo-iam-exchange-policies";

const EMPTY_SCOPES: &str = "whether an empty list covers every scope or none is not documented";
/// Longest scope that is looked up with all its paths, in bytes.
const LONGEST_SCOPE: usize = 512;

const ONLY_DENIED: &str = "only refused scopes are listed";

impl Adapter for IndigoIamPolicies {
    fn kinds(&self) -> &'static [Kind] {
        &[
            Kind {
                name: SCOPE,
                doc: "INDIGO IAM scope policies, as its API lists them or as OPA data",
                targets: &[TargetKind::ScopePolicy],
            },
            Kind { name: EXCHANGE, doc: "INDIGO IAM token-exchange policies", targets: &[TargetKind::ExchangePolicy] },
        ]
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        let first = list(document.root()).next()?;
        if !first.is_map() || !first.has("rule") {
            None
        } else if first.has("originClient") && first.has("destinationClient") {
            Some(EXCHANGE)
        } else {
            (first.has("matchingPolicy") && (first.has("scopes") || first.has("actor") || first.has("account")))
                .then_some(SCOPE)
        }
    }

    fn adapt(&self, document: &Document, kind: &'static str, sink: &mut dyn Sink) {
        let file = if kind == SCOPE { File::of(document.root()) } else { File::default() };
        match listed(document.root()) {
            Some(list) => {
                for_each_element(list, sink, |entry, sink| policy(entry.document, entry, kind, &file, sink));
            }
            None => policy(document, document.root(), kind, &file, sink),
        }
    }
}

fn listed(root: Cursor<'_>) -> Option<Cursor<'_>> {
    if root.is_seq() { Some(root) } else { root.get("policies").filter(|policies| policies.is_seq()) }
}

/// The policies of a document: the elements of the list, or the one object.
fn list(root: Cursor<'_>) -> impl Iterator<Item = Cursor<'_>> {
    let list = listed(root);
    let alone = list.is_none().then_some(root);
    list.into_iter().flat_map(Cursor::items).chain(alone)
}

/// What all policies of a file say together.
#[derive(Default)]
struct File {
    exempt: Exempt,
    /// Scopes that are denied to everybody with all paths below theirs.
    denied_below: BTreeSet<String>,
}

impl File {
    fn of(root: Cursor<'_>) -> Self {
        let mut denied_below = BTreeSet::new();
        for reader in list(root).filter(|entry| entry.is_map()).map(Reader::new) {
            let says = [rule(&reader), matching(&reader), subject(&reader)];
            if says.iter().map(Field::as_text).eq(["DENY", "PATH", "everybody"].map(Some)) {
                denied_below.extend(scopes(&reader).items().iter().filter_map(Field::as_text).map(str::to_string));
            }
        }
        File { exempt: Exempt::of(root), denied_below }
    }

    /// See [`ScopePolicy::denied_below`].
    fn denied_below<'d>(&self, policy: &ScopePolicy<'d>) -> Field<'d> {
        let covered = |scope: &&Field<'d>| {
            let Some(text) = scope.as_text().filter(|text| text.len() <= LONGEST_SCOPE) else { return false };
            let path = text.find(':').map_or(text.len(), |colon| colon + 1);
            let slashes = text.match_indices('/').flat_map(|(at, _)| [at, at + 1]).filter(|end| *end > path);
            slashes.chain([text.len()]).any(|end| self.denied_below.contains(&text[..end]))
        };
        let covered: Vec<Field<'d>> = policy.scopes.items().iter().filter(covered).cloned().collect();
        if covered.is_empty() { Field::default() } else { Field::list(covered, policy.scopes.at) }
    }
}

/// What policies for accounts and groups may permit, whatever is denied to everybody: INDIGO IAM asks them first.
#[derive(Default)]
enum Exempt {
    /// Perhaps everything.
    #[default]
    All,
    /// These scopes.
    Scopes(BTreeSet<String>),
}

impl Exempt {
    /// What the policies of a document say; all when one of them cannot be read, or permits by more than equality.
    fn of(root: Cursor<'_>) -> Self {
        // The service leaves `openid` out of its filter.
        let mut exempt = BTreeSet::from(["openid".to_string()]);
        for entry in list(root) {
            if !entry.is_map() {
                return Exempt::All;
            }
            let reader = Reader::new(entry);
            let (rule, subject) = (rule(&reader), subject(&reader));
            match (rule.as_text(), subject.as_text()) {
                (Some("DENY"), Some(_)) | (Some("PERMIT"), Some("everybody")) => {}
                (Some("PERMIT"), Some(_)) if matching(&reader).as_text() == Some("EQ") => {
                    let scopes = scopes(&reader);
                    let texts: Option<Vec<&str>> = scopes.items().iter().map(Field::as_text).collect();
                    match texts {
                        Some(texts) if !texts.is_empty() => exempt.extend(texts.into_iter().map(str::to_string)),
                        Some(_) | None => return Exempt::All,
                    }
                }
                _ => return Exempt::All,
            }
        }
        Exempt::Scopes(exempt)
    }

    /// See [`ScopePolicy::denied_to_all`].
    fn denied<'d>(&self, policy: &ScopePolicy<'d>) -> Field<'d> {
        let by_equality = policy.matching.as_text() == Some("EQ") && policy.rule.as_text() == Some("DENY");
        let Exempt::Scopes(exempt) = self else { return Field::default() };
        if !by_equality || policy.subject.as_text() != Some("everybody") {
            return Field::default();
        }
        let denied = |scope: &&Field<'d>| scope.as_text().is_some_and(|text| !exempt.contains(text));
        let denied: Vec<Field<'d>> = policy.scopes.items().iter().filter(denied).cloned().collect();
        if denied.is_empty() { Field::default() } else { Field::list(denied, policy.scopes.at) }
    }
}

fn policy(document: &Document, entry: Cursor<'_>, kind: &str, file: &File, sink: &mut dyn Sink) {
    let reader = Reader::new(entry);
    let (id, description) = (reader.any_text("id"), reader.text("description"));
    let identity = id.as_text().unwrap_or_default().to_string();
    let name = match description.as_text() {
        Some(text) => text.to_string(),
        None if identity.is_empty() => "policy".to_string(),
        None => format!("policy {identity}"),
    };
    let target = if kind == EXCHANGE {
        let policy = ExchangePolicy {
            id,
            description,
            rule: rule(&reader),
            origin: client(&reader, "originClient"),
            destination: client(&reader, "destinationClient"),
            scopes: exchanged_scopes(&reader),
        };
        Target::new(TargetKind::ExchangePolicy, name, policy)
    } else {
        let mut policy = ScopePolicy {
            id,
            description,
            rule: rule(&reader),
            matching: matching(&reader),
            scopes: scopes(&reader),
            subject: subject(&reader),
            ..ScopePolicy::default()
        };
        policy.denied_to_all = file.exempt.denied(&policy);
        policy.denied_below = file.denied_below(&policy);
        Target::new(TargetKind::ScopePolicy, name, policy)
    };
    sink.target(&[document], Target { identity: identity.into(), at: At::node(entry.id), ..target });
}

/// The field when it holds one of these words, else malformed.
fn one_of<'d>(field: Field<'d>, words: &[&str]) -> Field<'d> {
    match field.as_text() {
        Some(text) if !words.contains(&text) => {
            Field::malformed(format!("one of {} is expected", words.join(", ")), field.at)
        }
        _ => field,
    }
}

fn matching<'d>(reader: &Reader<'d>) -> Field<'d> {
    one_of(reader.text("matchingPolicy").or(Field::text("EQ", None)), &["EQ", "REGEXP", "PATH"])
}

fn rule<'d>(reader: &Reader<'d>) -> Field<'d> {
    one_of(reader.text("rule"), &["PERMIT", "DENY"])
}

/// Without scopes, or with `null`, a policy covers every scope.
fn scopes<'d>(reader: &Reader<'d>) -> Field<'d> {
    let scopes = reader.texts("scopes");
    if scopes.is_absent() {
        Field::unlimited(scopes.at)
    } else if scopes == Field::list(Vec::new(), scopes.at) {
        Field::unknown(EMPTY_SCOPES, scopes.at)
    } else {
        scopes
    }
}

fn subject<'d>(reader: &Reader<'d>) -> Field<'d> {
    if let Some(actor) = reader.map("actor") {
        return one_of(actor.text("type"), &["account", "group"]);
    }
    let given = |name: &str| reader.cursor().get(name).filter(|member| !member.is_null()).map(|at| reader.place(at));
    match (given("account"), given("group")) {
        (Some(_), Some(at)) => Field::malformed("a policy is for an account or for a group, not for both", at),
        (Some(at), None) => Field::text("account", at),
        (None, Some(at)) => Field::text("group", at),
        (None, None) => Field::text("everybody", reader.at("account").or(reader.at("group"))),
    }
}

fn client<'d>(reader: &Reader<'d>, name: &str) -> Field<'d> {
    match reader.map(name) {
        Some(client) => one_of(client.text("type"), &["ANY", "BY_ID", "BY_SCOPE"]),
        None => Field::malformed("an object with a match type is expected", reader.at(name)),
    }
}

/// Scopes that the policy's inner rules permit; without inner rules every scope passes.
fn exchanged_scopes<'d>(reader: &Reader<'d>) -> Field<'d> {
    let Some(list) = reader.cursor().get("scopePolicies").filter(|list| !list.is_null()) else {
        return Field::unlimited(reader.at("scopePolicies"));
    };
    let at = reader.place(list);
    if !list.is_seq() {
        return Field::malformed("a list of scope rules is expected", at);
    }
    let rules: Vec<Reader<'d>> = list.items().map(Reader::new).collect();
    let permits = rules.iter().filter(|inner| inner.text("rule").as_text() == Some("PERMIT"));
    let permitted: Vec<Field<'d>> = permits.map(|inner| inner.text("matchParam")).collect();
    match (rules.is_empty(), permitted.is_empty()) {
        (true, _) => Field::unlimited(at),
        (false, true) => Field::unknown(ONLY_DENIED, at),
        (false, false) => Field::list(permitted, at),
    }
}

#[cfg(test)]
mod tests {
    use crate::adapt::testing::collect;
    use crate::parse::Syntax;

    #[test]
    fn scope_policies_of_every_form() {
        for (json, expected, remark) in [
            (
                r#"{"id":1,"description":"all","rule":"PERMIT","matchingPolicy":"EQ","account":null,"group":null,"scopes":null}"#,
                ["PERMIT", "EQ", "unlimited", "everybody"],
                "null scopes cover every scope, null account and group everybody",
            ),
            (
                r#"[{"id":2,"rule":"DENY","matchingPolicy":"PATH","account":null,"group":{"name":"x/pilots"},"scopes":["storage.read:/"]}]"#,
                ["DENY", "PATH", "storage.read:/", "group"],
                "bare array, for a group",
            ),
            (
                r#"{"policies":[{"actor":{"id":"1","type":"account"},"rule":"PERMIT","matchingPolicy":"EQ","scopes":["a","b"]}]}"#,
                ["PERMIT", "EQ", "a b", "account"],
                "OPA data",
            ),
            (
                r#"{"rule":"DENY","matchingPolicy":"EQ","scopes":"openid"}"#,
                ["DENY", "EQ", "malformed: a list is expected, a string stands there", "everybody"],
                "a string of scopes",
            ),
            (
                r#"{"rule":"permit","matchingPolicy":"GLOB","account":{},"group":{},"scopes":[]}"#,
                [
                    "malformed: one of PERMIT, DENY is expected",
                    "malformed: one of EQ, REGEXP, PATH is expected",
                    "unknown: whether an empty list covers every scope or none is not documented",
                    "malformed: a policy is for an account or for a group, not for both",
                ],
                "wrong words",
            ),
        ] {
            let collected = collect(json, Syntax::Json);
            assert_eq!(collected.kinds, ["indigo-iam-scope-policies"], "{remark}");
            let [got] = &collected.targets[..] else { panic!("{remark}: {collected:?}") };
            let fields = ["rule", "matching_policy", "scopes", "subject"].map(|name| got.get(name));
            assert_eq!(fields, expected, "{remark}");
        }
    }

    #[test]
    fn what_nobody_gets_is_denied_to_everybody_and_permitted_to_none() {
        const DENY: &str = r#"{"id":1,"rule":"DENY","account":null,"group":null,"scopes":["a","b","openid"]}"#;
        for (others, expected, remark) in [
            ("", "a b", "openid is never left out"),
            (r#",{"id":2,"rule":"PERMIT","account":null,"group":null,"scopes":["a"]}"#, "a b", "to deny wins"),
            (r#",{"id":2,"rule":"PERMIT","group":{"name":"g"},"scopes":["a"]}"#, "b", "one group gets a"),
            (r#",{"id":2,"rule":"DENY","group":{"name":"g"},"scopes":["a"]}"#, "a b", "one group is denied it again"),
            (r#",{"id":2,"rule":"PERMIT","group":{"name":"g"},"scopes":null}"#, "", "one group gets everything"),
            (r#",{"id":2,"rule":"PERMIT","group":{"name":"g"},"scopes":[]}"#, "", "perhaps everything"),
            (
                r#",{"id":2,"rule":"PERMIT","matchingPolicy":"REGEXP","account":{},"scopes":["x"]}"#,
                "",
                "an account gets what a pattern matches",
            ),
            (r#",{"id":2,"rule":"permit","group":{"name":"g"},"scopes":["x"]}"#, "", "a policy that cannot be read"),
            (r#",7"#, "", "no policy at all"),
        ] {
            let json = format!(r#"[{}{others}]"#, DENY.replace(r#""account""#, r#""matchingPolicy":"EQ","account""#));
            let collected = collect(&json, Syntax::Json);
            assert_eq!(collected.targets[0].get("denied_to_all"), expected, "{remark}");
        }
    }

    #[test]
    fn exchange_policies_say_whose_tokens_and_which_scopes() {
        for (inner, expected, remark) in [
            ("", "unlimited", "no inner rule"),
            (r#","scopePolicies":[]"#, "unlimited", "no inner rule either"),
            (
                r#","scopePolicies":[{"rule":"PERMIT","type":"EQ","matchParam":"openid"},{"rule":"DENY","type":"EQ","matchParam":"x"}]"#,
                "openid",
                "permitted scopes",
            ),
            (
                r#","scopePolicies":[{"rule":"DENY","type":"EQ","matchParam":"x"}]"#,
                "unknown: only refused scopes are listed",
                "refused scopes",
            ),
        ] {
            let json = format!(
                r#"[{{"id":2,"rule":"PERMIT","originClient":{{"type":"ANY"}},"destinationClient":{{"type":"BY_ID","matchParam":"B"}}{inner}}}]"#
            );
            let collected = collect(&json, Syntax::Json);
            assert_eq!(collected.kinds, ["indigo-iam-exchange-policies"], "{remark}");
            let [got] = &collected.targets[..] else { panic!("{remark}: {collected:?}") };
            let fields = ["rule", "origin", "destination", "scopes"].map(|name| got.get(name));
            assert_eq!(fields, ["PERMIT", "ANY", "BY_ID", expected], "{remark}");
            assert_eq!((got.name.as_str(), got.identity.as_str()), ("policy 2", "2"), "{remark}");
        }
    }
}
