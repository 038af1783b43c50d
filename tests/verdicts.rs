//! The same token, client or server under the four versions of the WLCG profile: what changes its verdict and what does
//! not. The rows are those of the working group's own comparison of the versions.

// The note tells whoever runs the test what it could not judge.
#![allow(clippy::print_stdout)]

mod judge;

use judge::{book, judge, judge_by, plan};
use serde_json::{Value, json};
use std::sync::Arc;
use tokenvet::evaluate::Adjustments;
use tokenvet::policy::Workflows;
use tokenvet::report::Finding;
use tokenvet::rule::Severity;
use tokenvet::source::Source;
use tokenvet::suppress::waiver::{Held, Waivers};
use tokenvet::trial::NOW;

const VERSIONS: [&str; 4] = ["wlcg@1.0", "wlcg@1.1", "wlcg@1.2", "wlcg@1.3"];

/// What shows a row.
enum Shown {
    /// Documents, all with the same verdict.
    By(Vec<Value>),
    /// Only a service's behaviour or settings.
    ByService,
    /// Documents that an agreed waiver on long lives of transfers covers.
    ByWaiver(Vec<Value>),
}

/// One row: `table` has a word per version, `ok`, `warn`, `ERR`, or `n.a.` where the version leaves it undefined.
struct Row {
    what: &'static str,
    shown: Shown,
    table: &'static str,
    /// Our verdicts where they differ on purpose, and why.
    ours: Option<(&'static str, &'static str)>,
}

fn row(what: &'static str, documents: Vec<Value>, table: &'static str) -> Row {
    Row { what, shown: Shown::By(documents), table, ours: None }
}

fn service(what: &'static str, table: &'static str) -> Row {
    Row { what, shown: Shown::ByService, table, ours: None }
}

fn waived(what: &'static str, documents: Vec<Value>, table: &'static str) -> Row {
    Row { what, shown: Shown::ByWaiver(documents), table, ours: None }
}

impl Row {
    fn but(self, ours: &'static str, reason: &'static str) -> Self {
        Row { ours: Some((ours, reason)), ..self }
    }
}

/// A token that every version finds in order, with some claims changed; `null` takes a claim away. Lives 1200 s.
fn token(changes: &[(&str, Value)]) -> Value {
    signed_by(json!({"alg": "RS256", "kid": "key-1"}), changes)
}

fn signed_by(header: Value, changes: &[(&str, Value)]) -> Value {
    let mut payload = json!({
        "wlcg.ver": "1.0", "iss": "https://dteam.example.org/", "sub": "6d3fb4a7-52cb-4f47-8f4e-1c1f2f0d9b11",
        "aud": "https://se.example.org", "iat": 1_767_225_000, "nbf": 1_767_225_000, "exp": 1_767_226_200,
        "jti": "0b1c8a4e-9d57-4a2b-9a39-6f1c3f7e2d10", "client_id": "85e6f7a5-580b-4a1c-a6d2-39055143063d",
        "scope": "storage.read:/dteam",
    });
    for (claim, value) in changes {
        match value {
            Value::Null => drop(payload.as_object_mut().and_then(|payload| payload.remove(*claim))),
            value => payload[*claim] = value.clone(),
        }
    }
    json!({"header": header, "payload": payload})
}

/// A token that is valid for so many seconds.
fn lives(seconds: i64) -> Value {
    token(&[("exp", json!(1_767_225_000 + seconds))])
}

/// A token of four days for a transfer.
fn transfer(scope: &str) -> Value {
    token(&[("exp", json!(1_767_225_000 + 345_600)), ("scope", json!(scope))])
}

/// A client of INDIGO IAM that every version finds in order, with one member changed.
fn client(member: &str, value: Value) -> Value {
    let mut client = json!({
        "client_id": "0f6b4b1e-transfer", "client_name": "Transfer agent", "contacts": ["ops@example.org"],
        "token_endpoint_auth_method": "client_secret_basic", "access_token_validity_seconds": 1200,
        "refresh_token_validity_seconds": 864_000, "active": true, "scope": "openid offline_access wlcg",
        "redirect_uris": ["https://fts.example.org/callback"],
        "grant_types": ["authorization_code", "refresh_token"],
    });
    client[member] = value;
    client
}

/// A server whose key set may be cached for so many seconds.
fn key_cache(seconds: i64) -> Value {
    json!({"services": {"iam": {"image": "indigoiam/iam-login-service:v1.12.0", "environment": {
        "IAM_ISSUER": "https://iam.example.org/", "IAM_BASE_URL": "https://iam.example.org",
        "IAM_KEY_STORE_LOCATION": "file:///keys/keystore.jwks", "IAM_JAVA_OPTS": "-Dspring.profiles.active=prod",
        "IAM_CLIENT_REGISTRATION_ALLOW_FOR": "ADMINISTRATORS", "IAM_DEFAULT_ACCESS_TOKEN_VALIDITY_SECONDS": "1200",
        "IAM_DEFAULT_REFRESH_TOKEN_VALIDITY_SECONDS": "864000",
        "IAM_ACTUATOR_USER_PASSWORD": "${ACTUATOR_PASSWORD}",
        "IAM_JWK_CACHE_LIFETIME": seconds.to_string(),
    }}}})
}

fn lifetimes() -> Vec<Row> {
    vec![
        row("exp - nbf = 21600 exactly", vec![lives(21600)], "ERR ok ok ok"),
        row("exp - nbf = 345600, no waiver", vec![lives(345_600)], "ERR ERR ERR ERR"),
        waived(
            "exp - nbf = 345600, waiver on file, narrow",
            vec![transfer("storage.create:/dteam/run7")],
            "ERR ok ok ok",
        ),
        row("exp - nbf = 3600", vec![lives(3600)], "warn ok ok ok"),
        row("exp - nbf = 600", vec![lives(600)], "ok warn warn warn"),
        service("expired 30 s ago, accepted", "ok warn warn warn"),
        row("nbf = iat - 3600", vec![token(&[("nbf", json!(1_767_221_400))])], "ok warn warn warn").but(
            "warn warn warn warn",
            "a token backdated by an hour is valid for more than an hour, and 1.0 wanted 1200 s: the row on 3600 s",
        ),
        row(
            "refresh token of 90 days",
            vec![client("refresh_token_validity_seconds", json!(7_776_000))],
            "warn ok ok ok",
        ),
        row("keys fetched once per 86400 s", vec![key_cache(86400)], "ok warn warn warn"),
        service("keys kept for 345600 s during an outage", "warn ok ok ok"),
    ]
}

fn identity() -> Vec<Row> {
    let of = |iss: &str, groups: Value| vec![token(&[("iss", json!(iss)), ("wlcg.groups", groups)])];
    let host = [
        ("sub", json!("host:ce1.example.org")),
        ("client_id", json!("host:ce1.example.org")),
        ("scope", json!("host.auth")),
    ];
    vec![
        service("wlcg.ver 1.1 seen by a service", "ERR ok ok ok"),
        row(
            "wlcg.ver 1.2 written by an issuer, services at 1.0 around",
            vec![token(&[("wlcg.ver", json!("1.2"))])],
            "ERR ERR ERR ERR",
        )
        .but("warn warn warn warn", "whether services at 1.0 are around is not in the token"),
        row("wlcg.ver 2.0", vec![token(&[("wlcg.ver", json!("2.0"))])], "ERR ERR ERR ERR"),
        row(
            "a group of CMS from the issuer of ATLAS",
            of("https://atlas-auth.cern.ch/", json!(["/cms"])),
            "ok ERR ERR ERR",
        ),
        row(
            "one issuer, groups of two VOs",
            of("https://iam.example.org/", json!(["/cms", "/atlas"])),
            "n.a. ERR ERR ERR",
        ),
        service("a service counts /cms for /cms/uscms", "ok ERR ERR ERR"),
        row("aud is a site name", vec![token(&[("aud", json!("SITE_FOO"))])], "ok warn warn warn"),
        row(
            "aud ends in a slash or names the default port",
            vec![
                token(&[("aud", json!("https://se.example.org/"))]),
                token(&[("aud", json!("https://se.example.org:443"))]),
            ],
            "ok warn warn warn",
        ),
        row("sub is host:ce1.example.org, scope host.auth", vec![token(&host)], "warn warn warn ok").but(
            "ok ok ok ok",
            "an opaque sub is there to hide people, and a host is none; whether services at 1.2 or earlier would take \
             host.auth for anything does not depend on the token",
        ),
        row("sub joe", vec![token(&[("sub", json!("joe"))])], "warn warn warn warn"),
    ]
}

fn scopes() -> Vec<Row> {
    let of = |scope: &str| vec![token(&[("scope", json!(scope))])];
    vec![
        service("storage.stage:/t, the service lets it read", "ok ok ERR ERR"),
        service("storage.stage:/t, the service refuses to read", "warn warn ok ok"),
        row("storage.poll:/t", of("storage.poll:/t"), "n.a. n.a. ok ok"),
        service("a checksum is asked for under storage.create", "n.a. ok ok ok"),
        row("compute.create:/", of("compute.create:/"), "ok warn warn warn").but(
            "ok ok ok ok",
            "no version gives the path a meaning and none forbids it: a note, as for everything the documents leave open",
        ),
        service("compute.read and a group at a storage that knows both, access by group", "ok warn warn warn"),
        service("rename to a free name outside the create paths", "n.a. ERR ERR ERR"),
        service("storage.create:/foo/bar lets /foo/bargain be made", "n.a. ERR ERR ERR"),
        service("storage.create:/foo/bar/ lets the file /foo/bar be made", "n.a. ERR ERR ERR"),
        row("a client may ask for a capability set",
            vec![client("scope", json!("openid offline_access wlcg wlcg.capabilityset:/dune"))], "n.a. ok ok ok"),
    ]
}

/// What is bad under every version alike.
fn never_differs() -> Vec<Row> {
    const ERROR: &str = "ERR ERR ERR ERR";
    let without = |claim| vec![token(&[(claim, Value::Null)])];
    let header = |header| vec![signed_by(header, &[])];
    vec![
        row("no sub", without("sub"), ERROR),
        row("no exp", without("exp"), ERROR),
        row("no iss", without("iss"), ERROR),
        row("no aud", without("aud"), ERROR),
        row("no iat", without("iat"), ERROR),
        row("no jti", without("jti"), ERROR),
        row("no wlcg.ver", without("wlcg.ver"), ERROR),
        row("no kid", header(json!({"alg": "RS256"})), ERROR),
        row("a shared secret", header(json!({"alg": "HS256", "kid": "key-1"})), ERROR),
        row("unsigned", header(json!({"alg": "none", "kid": "key-1"})), ERROR),
        row("a storage scope without a path", vec![token(&[("scope", json!("storage.read"))])], ERROR),
        row("a malformed group", vec![token(&[("wlcg.groups", json!(["/cms/Role=pilot"]))])], ERROR),
        waived("345600 s with a waiver whose mitigation is not true", vec![transfer("storage.modify:/")], ERROR),
        row("an issuer without TLS", vec![token(&[("iss", json!("http://dteam.example.org/"))])], ERROR),
    ]
}

/// The verdict on a document: the worst finding, notes apart.
fn verdict(profile: &str, document: &Value) -> (&'static str, Vec<String>) {
    word(&judge(profile, document).findings)
}

fn word(findings: &[Finding]) -> (&'static str, Vec<String>) {
    let word = match findings.iter().map(|finding| finding.severity).max() {
        Some(Severity::Error) => "ERR",
        Some(Severity::Warning) => "warn",
        Some(Severity::Note) | None => "ok",
    };
    (word, findings.iter().map(|finding| format!("{} {}", finding.severity, finding.rule)).collect())
}

/// The verdict on a document whose workflow has an agreed waiver of five days.
fn verdict_with_waiver(profile: &str, document: &Value) -> (&'static str, Vec<String>) {
    const WAIVER: &str = "
- rule: token-outlives-maximum
  workflow: transfers
  limit: 5 d
  reason: transfers wait for tapes
  owner: vo@example.org
  agreed: { by: VO security and sites, on: 2025-10-01, risk: TR-4 }
  review-by: 2026-10-01
  requires: [narrow_scope, no_modify, specific_audience]
";
    let flow = json!([{"name": "transfers", "class": "fts-long", "user-class": "production",
        "match": {"issuer": ["https://dteam.example.org/"]}}]);
    let workflows = Workflows::new(&serde_json::from_value::<Vec<_>>(flow).expect("a workflow")).expect("in order");
    let adjustments = Adjustments { workflows: Arc::new(workflows), ..Adjustments::default() };
    let plan = plan(profile, &adjustments);
    let mut waivers = Waivers::default();
    waivers.add(&Arc::new(Source::from_text("waivers.yaml", WAIVER)), &book()).expect("in order");
    let findings = judge_by(&plan, document).findings;
    let (held, decided): (Vec<Finding>, Vec<Finding>) =
        findings.into_iter().partition(|finding| waivers.holds_back("document", finding));
    let mut held: Vec<Held> = held.into_iter().map(|finding| ("document".to_string(), finding)).collect();
    waivers.decide(&mut held, &plan.workflows, NOW);
    let live = held.into_iter().map(|(_, finding)| finding).filter(|finding| finding.suppressed.is_none());
    word(&live.chain(decided).collect::<Vec<_>>())
}

/// Judges the rows and says where a verdict is not the one given.
fn wrong(rows: &[Row]) -> Vec<String> {
    let mut wrong = Vec::new();
    for row in rows {
        type Verdict = fn(&str, &Value) -> (&'static str, Vec<String>);
        let (documents, verdict): (_, Verdict) = match &row.shown {
            Shown::By(documents) => (documents, verdict),
            Shown::ByWaiver(documents) => (documents, verdict_with_waiver),
            Shown::ByService => continue,
        };
        let expected = row.ours.map_or(row.table, |(ours, _)| ours);
        assert!(row.ours.is_none_or(|(ours, why)| ours != row.table && !why.is_empty()), "{}: no difference", row.what);
        assert_eq!(expected.split(' ').count(), VERSIONS.len(), "{}", row.what);
        for (profile, expected) in VERSIONS.iter().zip(expected.split(' ')) {
            // What a version leaves undefined is nothing to complain about.
            let expected = if expected == "n.a." { "ok" } else { expected };
            for document in documents {
                let (got, findings) = verdict(profile, document);
                if got != expected {
                    wrong.push(format!("{} under {profile}: {got}, not {expected}: {findings:?}", row.what));
                }
            }
        }
    }
    wrong
}

#[test]
fn what_the_rows_change_is_in_order_everywhere() {
    for profile in VERSIONS {
        for document in [token(&[]), client("active", json!(true)), key_cache(21600)] {
            assert_eq!(verdict(profile, &document).0, "ok", "{profile}: {:?}", verdict(profile, &document).1);
        }
    }
}

#[test]
fn the_same_document_gets_the_verdict_of_each_version() {
    let rows: Vec<Row> = [lifetimes(), identity(), scopes()].into_iter().flatten().collect();
    assert_eq!(wrong(&rows), Vec::<String>::new());
    let count = |wanted: fn(&Shown) -> bool| rows.iter().filter(|row| wanted(&row.shown)).count();
    let shown = [
        count(|shown| matches!(shown, Shown::By(_))),
        count(|shown| matches!(shown, Shown::ByService)),
        count(|shown| matches!(shown, Shown::ByWaiver(_))),
    ];
    assert_eq!((rows.len(), shown), (30, [18, 11, 1]), "every row is accounted for");
    println!("{} rows are about what a service does: no file shows them", shown[1]);
}

#[test]
fn some_things_are_bad_under_every_version() {
    assert_eq!(wrong(&never_differs()), Vec::<String>::new());
}
