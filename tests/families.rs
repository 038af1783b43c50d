//! Which families a token shows by itself, and what is said of one that shows two or breaks the one it claims.

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};
use tokenvet::check::{Outcome, check};
use tokenvet::evaluate::{Adjustments, Plan, Selection};
use tokenvet::rule::RuleBook;
use tokenvet::source::Source;
use tokenvet::trial::NOW;

static PLAN: LazyLock<Plan> = LazyLock::new(|| {
    let book = Arc::new(RuleBook::builtin().expect("the built-in rules load"));
    Plan::new(book, Selection::Auto, &Adjustments::default())
});

/// Judges a decoded token by the profiles it shows. `claims` are added to a plain one, null takes a claim away.
fn judge(header: Value, claims: Value) -> Outcome {
    let mut payload = json!({
        "iss": "https://issuer.example.org", "sub": "a1b2c3", "aud": "https://service.example.org",
        "iat": NOW - 60, "nbf": NOW - 60, "exp": NOW + 3000, "jti": "0b1c8a4e"
    });
    for (name, value) in claims.as_object().into_iter().flatten() {
        payload[name.as_str()] = value.clone();
    }
    if let Some(payload) = payload.as_object_mut() {
        payload.retain(|_, value| !value.is_null());
    }
    let document = json!({ "header": header, "payload": payload });
    let outcome = check(&PLAN, &Arc::new(Source::from_text("token", document.to_string())), NOW);
    assert!(outcome.recognised && outcome.errors.is_empty() && outcome.defects.is_empty(), "{document}");
    outcome
}

#[test]
fn tokens_show_the_families_they_claim() {
    let plain = json!({ "alg": "RS256", "kid": "k1" });
    let typed = json!({ "alg": "RS256", "kid": "k1", "typ": "at+jwt" });
    for (header, claims, families, remark) in [
        (&plain, json!({"scope": "openid"}), &[][..], "nothing but the RFCs"),
        (&plain, json!({"ver": "scitoken:2.0", "scope": "read:/"}), &["scitokens@2.0"], "ver in the singular"),
        (&plain, json!({"ver": "scitokens:2.0", "scope": "read:/"}), &["scitokens@2.0"], "and in the plural"),
        (&plain, json!({"ver": "scitokens:1.0", "scope": "read:/"}), &["scitokens@1.0"], "the version ver names"),
        (&plain, json!({"ver": "scitoken:3.0", "scope": "read:/"}), &["scitokens@2.0"], "unknown: the newest"),
        (&plain, json!({"ver": "1.0", "scope": "openid"}), &[], "a ver of something else"),
        (&plain, json!({"wlcg.ver": "1.0", "scope": "storage.read:/"}), &["wlcg@1.3"], "wlcg.ver chooses no version"),
        (&typed, json!({"scope": "openid"}), &["rfc9068@1"], "by typ"),
        (
            &typed,
            json!({"wlcg.ver": "1.0", "scope": "storage.read:/"}),
            &["rfc9068@1", "wlcg@1.3"],
            "two families that agree",
        ),
        (
            &plain,
            json!({"scope": "openid", "entitlements": ["urn:geant:example.org:group:vo"]}),
            &["aarc-g069@1"],
            "group URNs",
        ),
        (
            &plain,
            json!({"scope": "openid", "entitlements": ["urn:mace:dir:entitlement:common-lib-terms"]}),
            &[],
            "a library's entitlement",
        ),
        (&plain, json!({"scope": "openid", "voperson_id": "a1@example.org"}), &["aarc-g026@1"], "an identifier"),
        (
            &plain,
            json!({"scope": "openid", "eduperson_assurance": ["https://refeds.org/assurance"]}),
            &["aarc-g056@1"],
            "assurance",
        ),
    ] {
        let outcome = judge(header.clone(), claims.clone());
        let shown: BTreeSet<&str> = outcome.profiles.iter().map(|profile| profile.id.as_str()).collect();
        let generic =
            |id: &&&str| !["general", "oidc-", "rfc8725", "rfc9700"].iter().any(|start| id.starts_with(start));
        let shown: Vec<&str> = shown.iter().filter(generic).copied().collect();
        assert_eq!(shown, families, "{claims}: {remark}");
    }
}

#[test]
fn a_token_that_mixes_or_breaks_what_it_claims_is_told_so() {
    let plain = json!({ "alg": "RS256", "kid": "k1" });
    let typed = json!({ "alg": "RS256", "kid": "k1", "typ": "at+jwt" });
    let wlcg = "storage.read:/data";
    for (header, claims, rule, remark) in [
        (&plain, json!({"wlcg.ver": "1.0", "ver": "scitoken:2.0", "scope": wlcg}), "token-of-two-profiles", ""),
        (&plain, json!({"ver": "scitoken:2.0", "scope": wlcg}), "scitoken-in-wlcg-clothes", "scopes of the other"),
        (&plain, json!({"wlcg.ver": "1.0", "scope": "read:/data"}), "unprefixed-storage-scope", "and the reverse"),
        (
            &plain,
            json!({"ver": "scitoken:2.0", "scope": "read:/", "aud": "https://wlcg.cern.ch/jwt/v1/any"}),
            "scitoken-with-wlcg-audience",
            "",
        ),
        (&plain, json!({"wlcg.ver": "1.0", "scope": wlcg, "aud": "ANY"}), "audience-of-other-profile", ""),
        (&typed, json!({"scope": "openid", "nonce": "n"}), "access-token-with-id-token-claims", ""),
        (&plain, json!({"scope": "openid", "at_hash": "h"}), "token-of-two-kinds", "neither is said"),
        (&typed, json!({"scope": "openid"}), "token-without-client-id", "at+jwt without client_id"),
        (&plain, json!({"ver": "scitoken:2.0", "scope": "read:/", "aud": null}), "token-without-aud", "2.0 wants aud"),
        (&plain, json!({"ver": "scitoken:1.0", "scope": "read:/"}), "scitoken-of-unknown-version", ""),
    ] {
        let outcome = judge(header.clone(), claims.clone());
        let found: Vec<&str> = outcome.findings.iter().map(|finding| finding.rule.as_str()).collect();
        assert!(found.contains(&rule), "{claims}: {found:?} {remark}");
    }
}

#[test]
fn scitokens_1_0_needs_no_audience() {
    let header = json!({ "alg": "RS256", "kid": "k1" });
    let outcome = judge(header, json!({"ver": "scitokens:1.0", "scope": "read:/", "aud": null}));
    let found: Vec<&str> = outcome.findings.iter().map(|finding| finding.rule.as_str()).collect();
    assert!(!found.contains(&"token-without-aud"), "{found:?}");
}
