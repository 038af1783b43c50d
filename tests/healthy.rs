//! What is healthy stays quiet: a false alarm costs more than a miss. Every row is a document that a naive check would
//! complain about; judged by the profiles it shows itself, nothing above a note may come out.

use serde_json::{Value, json};
use std::sync::Arc;
use tokenvet::check::check;
use tokenvet::evaluate::{Adjustments, Plan, Selection};
use tokenvet::rule::{RuleBook, Severity};
use tokenvet::source::Source;
use tokenvet::trial;

/// A document, what it is recognised as, and why it is fine.
struct Healthy {
    why: &'static str,
    kind: &'static str,
    text: String,
}

fn healthy(why: &'static str, kind: &'static str, document: Value) -> Healthy {
    Healthy { why, kind, text: trial::document_text(&document) }
}

/// Changes members of an object; `null` as a change takes the member away.
fn with(mut base: Value, changes: Value) -> Value {
    if let (Value::Object(base), Value::Object(changes)) = (&mut base, changes) {
        for (name, value) in changes {
            match value {
                Value::Null => base.remove(&name),
                value => base.insert(name, value),
            };
        }
    }
    base
}

/// A confidential INDIGO IAM client in the management view.
fn client(changes: Value) -> Value {
    let base = json!({
        "client_id": "5f1d7c1e-9a0b-4d52-8f3a-1b7c0e6a2d10",
        "client_name": "portal",
        "redirect_uris": ["https://portal.example.org/cb"],
        "contacts": ["portal@example.org"],
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_basic",
        "scope": "openid profile",
        "access_token_validity_seconds": 3600,
        "refresh_token_validity_seconds": 2_592_000,
        "id_token_validity_seconds": 600,
        "device_code_validity_seconds": 600,
        "reuse_refresh_token": false,
        "dynamically_registered": false,
        "active": true,
        "created_at": 1_741_600_800_000_i64,
    });
    with(base, changes)
}

/// An access token of the WLCG profile, an hour long, issued shortly before the clock of the test.
fn token(changes: Value) -> Value {
    let base = json!({
        "wlcg.ver": "1.0",
        "sub": "a4c1e0d2-5b7f-4c38-9d61-2f0b8e7c3a55",
        "aud": "https://se.example.org",
        "iss": "https://iam.example.org/",
        "scope": "storage.read:/data",
        "iat": trial::NOW - 120,
        "nbf": trial::NOW - 180,
        "exp": trial::NOW + 3420,
        "jti": "6e1b0f52-0c0d-4f0b-8b35-0b8d3f1f5f60",
        "client_id": "7d0c9b8a-6f5e-4d3c-b2a1-0f9e8d7c6b13",
    });
    json!({ "header": { "kid": "key-1", "alg": "RS256" }, "payload": with(base, changes) })
}

/// INDIGO IAM's metadata with the lists that are constants of the software.
fn metadata() -> Value {
    json!({
        "issuer": "https://iam.example.org/",
        "authorization_endpoint": "https://iam.example.org/authorize",
        "token_endpoint": "https://iam.example.org/token",
        "userinfo_endpoint": "https://iam.example.org/userinfo",
        "jwks_uri": "https://iam.example.org/jwk",
        "registration_endpoint": "https://iam.example.org/iam/api/client-registration",
        "introspection_endpoint": "https://iam.example.org/introspect",
        "revocation_endpoint": "https://iam.example.org/revoke",
        "device_authorization_endpoint": "https://iam.example.org/devicecode",
        "scopes_supported": ["openid", "profile", "email", "offline_access", "wlcg", "storage.read:/"],
        "response_types_supported": ["code", "token"],
        "grant_types_supported": ["authorization_code", "implicit", "refresh_token", "client_credentials", "password",
            "urn:ietf:params:oauth:grant-type:token-exchange", "urn:ietf:params:oauth:grant-type:device_code"],
        "subject_types_supported": ["public", "pairwise"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256", "none"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "private_key_jwt", "none"],
        "token_endpoint_auth_signing_alg_values_supported": ["RS256", "ES256", "HS256"],
        "claims_supported": ["sub", "name", "email", "organisation_name", "groups"],
        "code_challenge_methods_supported": ["plain", "S256"],
        "request_parameter_supported": true,
        "op_policy_uri": "https://iam.example.org/about",
        "op_tos_uri": "https://iam.example.org/about",
    })
}

fn clients() -> Vec<Healthy> {
    let one = |why, changes| healthy(why, "indigo-iam-client", client(changes));
    vec![
        one(
            "a refresh lifetime of 0 means nothing where none are issued",
            json!({"refresh_token_validity_seconds": 0}),
        ),
        one("so does an absent one", json!({"refresh_token_validity_seconds": null})),
        one(
            "a suspended client cannot do what its registration says",
            json!({"active": false, "grant_types": ["implicit", "password"], "redirect_uris": ["http://*"],
                   "access_token_validity_seconds": 31_536_000}),
        ),
        one("a confidential client has its secret; PKCE need not be demanded", json!({"code_challenge_method": null})),
        one(
            "the device flow has no code that PKCE would protect",
            json!({"grant_types": ["urn:ietf:params:oauth:grant-type:device_code"], "redirect_uris": [],
                   "response_types": [], "token_endpoint_auth_method": "none"}),
        ),
        one(
            "a native client: its own scheme, and loopback by http",
            json!({"redirect_uris": ["edu.kit.data.oidc-agent:/redirect", "http://localhost:8080",
                   "http://127.0.0.1:4242/cb", "http://[::1]:4242/cb"], "token_endpoint_auth_method": "none",
                   "application_type": "native", "code_challenge_method": "S256"}),
        ),
        one("an administrator's export holds live secrets", json!({"client_secret": "TEST-ONLY-not-a-secret"})),
        healthy(
            "the 'my clients' view shows no lifetimes: unknown is not 'for ever'",
            "indigo-iam-client",
            json!({"client_id": "5f1d7c1e-9a0b-4d52-8f3a-1b7c0e6a2d10", "client_name": "portal", "active": true,
                   "redirect_uris": ["https://portal.example.org/cb"], "contacts": ["portal@example.org"],
                   "scope": "openid profile", "created_at": 1_741_600_800_000_i64}),
        ),
    ]
}

fn tokens() -> Vec<Healthy> {
    let one = |why, changes| healthy(why, "decoded-jwt", token(changes));
    let days = |count: i64| trial::NOW + count * 86_400;
    vec![
        one(
            "60 s of backdating at the limit of six hours",
            json!({"iat": trial::NOW - 120, "nbf": trial::NOW - 180, "exp": trial::NOW - 120 + 21_600}),
        ),
        one("INDIGO IAM writes no typ", json!({})),
        one("T1: a VO may let its members read everything", json!({"scope": "storage.read:/"})),
        one(
            "T3: polling widely and for long is what the scope is for",
            json!({"scope": "storage.poll:/", "exp": days(14)}),
        ),
        one("T4: wlcg.ver stays 1.0 whatever the profile's release", json!({"wlcg.ver": "1.0"})),
        one("T5: dteam is meant to be accepted in production", json!({"iss": "https://dteam-auth.cern.ch/"})),
        one(
            "T6: a central service may write for the whole VO",
            json!({"sub": "7d0c9b8a-6f5e-4d3c-b2a1-0f9e8d7c6b13", "scope": "storage.read:/ storage.create:/"}),
        ),
        one(
            "T8: a job's token names the client, not the user",
            json!({"sub": "7d0c9b8a-6f5e-4d3c-b2a1-0f9e8d7c6b13", "aud": "ce.example.org:9619",
                   "scope": "compute.create compute.read compute.cancel compute.modify"}),
        ),
        one(
            "T9: one experiment works with groups",
            json!({"scope": "openid wlcg.groups", "wlcg.groups": ["/northsky"]}),
        ),
        one("T9: another with several audiences", json!({"aud": ["https://a.example.org", "https://b.example.org"]})),
        healthy(
            "T7: refresh tokens that were used and not revoked",
            "indigo-iam-token-list",
            json!({"totalResults": 1, "itemsPerPage": 1, "startIndex": 1, "Resources": [
                {"id": 7, "value": "TEST-ONLY-not-a-token", "expiration": "2026-02-01T00:00:00.000+00:00",
                 "client": {"id": 3, "clientId": "portal", "ref": "https://iam.example.org/api/clients/3"},
                 "user": {"id": "u", "userName": "user", "ref": "https://iam.example.org/scim/Users/u"}}]}),
        ),
    ]
}

#[test]
fn healthy_documents_get_no_error_and_no_warning() {
    let book = Arc::new(RuleBook::builtin().expect("the built-in rules load"));
    let plan = Plan::new(book, Selection::Auto, &Adjustments::default());
    let mut alarms = Vec::new();
    let issuers = [healthy("INDIGO IAM lists what it could do, whatever is configured", "oidc-discovery", metadata())];
    for case in clients().into_iter().chain(tokens()).chain(issuers) {
        let outcome = check(&plan, &Arc::new(Source::from_text("case", case.text)), trial::NOW);
        let kinds: Vec<&str> = outcome.documents.iter().map(|document| document.kind.as_str()).collect();
        assert_eq!(kinds, [case.kind], "{}", case.why);
        assert!(outcome.errors.is_empty() && outcome.defects.is_empty(), "{}: {:?}", case.why, outcome.errors);
        let loud = outcome.findings.iter().filter(|finding| finding.severity > Severity::Note);
        alarms.extend(loud.map(|found| format!("{}: {} ({}): {}", case.why, found.rule, found.profile, found.message)));
    }
    assert!(alarms.is_empty(), "{}", alarms.join("\n"));
}

#[test]
fn the_healthy_bases_are_judged_at_all() {
    let book = Arc::new(RuleBook::builtin().expect("the built-in rules load"));
    let plan = Plan::new(book, Selection::Auto, &Adjustments::default());
    // One change each that must be noticed, or the rows above would say nothing.
    for (rule, document) in [
        ("client-password-grant", client(json!({"grant_types": ["password"]}))),
        ("client-redirect-not-https", client(json!({"redirect_uris": ["http://portal.example.org/cb"]}))),
        ("token-outlives-maximum", token(json!({"exp": trial::NOW + 86_400}))),
        ("token-without-jti", token(json!({"jti": null}))),
        ("issuer-keys-not-https", with(metadata(), json!({"jwks_uri": "http://iam.example.org/jwk"}))),
    ] {
        let source = Source::from_text("case", trial::document_text(&document));
        let outcome = check(&plan, &Arc::new(source), trial::NOW);
        assert!(outcome.findings.iter().any(|finding| finding.rule == rule), "{rule}");
    }
}
