//! What header members and claims mean: the table behind `tokenvet inspect`.

/// What one header member or claim means.
#[derive(Debug)]
pub(super) struct Meaning {
    /// Its name, case included.
    pub(super) name: &'static str,
    /// One line: what it says, and what the profile families make of it.
    pub(super) meaning: &'static str,
    /// Where the ledger speaks of it; empty when only the cited document or product defines it.
    pub(super) requirements: &'static [&'static str],
}

const fn of(name: &'static str, meaning: &'static str, requirements: &'static [&'static str]) -> Meaning {
    Meaning { name, meaning, requirements }
}

/// The meaning of a header member.
pub(super) fn header(name: &str) -> Option<&'static Meaning> {
    HEADER.iter().find(|known| known.name == name)
}

/// The meaning of a claim.
pub(super) fn claim(name: &str) -> Option<&'static Meaning> {
    CLAIMS.iter().find(|known| known.name == name)
}

/// Members of the JOSE header (RFC 7515 section 4.1, RFC 7516, RFC 7797).
pub(super) static HEADER: &[Meaning] = &[
    of(
        "alg",
        "signature algorithm; WLCG wants RS256 or ES256, no profile accepts none",
        &["WLCG-TOK-002", "WLCG-TOK-004", "RFC9068-002", "SCITOK-018"],
    ),
    of(
        "kid",
        "names the key in the issuer's key set that verifies the token; WLCG demands it",
        &["WLCG-TOK-006", "RFC7515-003", "SCITOK-030"],
    ),
    of("typ", "kind of token; RFC 9068 demands at+jwt, INDIGO IAM leaves it out", &["RFC9068-001", "RFC8725-014"]),
    of("cty", "type of the content; says JWT when another token is inside", &[]),
    of("crit", "extensions the reader must understand, else refuse the token", &["RFC7515-001"]),
    of("jku", "address of a key set; a verifier must not fetch what the token itself names", &["RFC8725-012"]),
    of("jwk", "the key itself; a verifier must not trust a key the token brings along", &["OIDCCORE-006"]),
    of("x5u", "address of a certificate; a verifier must not fetch what the token itself names", &["RFC8725-012"]),
    of("x5c", "certificate chain; a verifier must not trust a key the token brings along", &["OIDCCORE-006"]),
    of("x5t", "SHA-1 thumbprint of the signing certificate", &[]),
    of("x5t#S256", "SHA-256 thumbprint of the signing certificate", &[]),
    of("enc", "content encryption of an encrypted token (JWE)", &[]),
    of("zip", "compression of an encrypted token (JWE)", &[]),
    of("b64", "false when the payload is not base64url (RFC 7797); no profile here allows it", &[]),
];

/// Claims of the payload: RFC 7519, RFC 9068, OpenID Connect, WLCG, SciTokens, AARC, and what the products add.
pub(super) static CLAIMS: &[Meaning] = &[
    of(
        "iss",
        "who issued the token; its keys are found below this URL, which stands for one VO in WLCG",
        &["WLCG-TOK-017", "WLCG-TOK-018", "RFC9068-005", "OIDCCORE-003", "SCITOK-015"],
    ),
    of(
        "sub",
        "whom the token is about: a person, or the client itself; means something only together with iss",
        &["WLCG-TOK-010", "WLCG-TOK-014", "RFC7519-008", "RFC9068-006"],
    ),
    of(
        "aud",
        "who may accept the token; a service that is not named must refuse it",
        &["WLCG-TOK-020", "WLCG-TOK-023", "RFC9068-005", "OIDCCORE-004", "SCITOK-005"],
    ),
    of(
        "exp",
        "when the token ends; required everywhere, WLCG and AARC-G081 limit how late it may be",
        &["WLCG-TOK-015", "WLCG-LIF-005", "AARC-G081-001", "RFC7519-002"],
    ),
    of(
        "nbf",
        "when the token begins; optional in WLCG, where its life runs from here; SciTokens demand it",
        &["WLCG-TOK-029", "WLCG-LIF-029", "SCITOK-013", "RFC7519-003"],
    ),
    of("iat", "when the token was made", &["WLCG-TOK-028", "RFC9068-005", "SCITOK-014"]),
    of("jti", "identifier of this one token, for logs and revocation", &["WLCG-TOK-030", "RFC7519-005"]),
    of(
        "scope",
        "what the token allows; one text with spaces between the items",
        &["WLCG-SCP-001", "WLCG-TOK-050", "RFC9068-007", "SCITOK-008"],
    ),
    of("scp", "what the token allows, as a list; products outside WLCG write it so", &["WLCG-SCP-002"]),
    of("client_id", "the client that obtained the token; RFC 9068 demands it", &["RFC9068-005", "RFC8693-003"]),
    of("azp", "the client the token was issued to", &["OIDCCORE-008"]),
    of("cid", "the client that obtained the token, in Okta's spelling", &[]),
    of(
        "wlcg.ver",
        "says that the token follows the WLCG profile; stays 1.0 under every later release",
        &["WLCG-VER-001", "WLCG-VER-003", "WLCG-VER-005"],
    ),
    of(
        "wlcg.groups",
        "groups of the subject in the VO, in the order that was asked for",
        &["WLCG-GRP-002", "WLCG-GRP-004", "WLCG-GRP-006"],
    ),
    of("ver", "version of SciTokens (scitoken:2.0); WLCG does not define it", &["SCITOK-002", "SCITOK-003"]),
    of("auth_time", "when the person logged in", &["WLCG-TOK-040", "OIDCCORE-007"]),
    of("acr", "how strongly the person logged in", &["WLCG-TOK-034", "OIDCCORE-017"]),
    of("amr", "by which means the person logged in (RFC 8176)", &[]),
    of("nonce", "ties an ID token to the request of its client", &["WLCG-TOK-047", "OIDCCORE-007"]),
    of("at_hash", "ties an ID token to the access token issued with it", &[]),
    of("c_hash", "ties an ID token to the authorization code issued with it", &[]),
    of("s_hash", "ties an ID token to the state of the request", &[]),
    of("sid", "session at the issuer, for logging out", &[]),
    of("session_state", "session at the issuer, as Keycloak writes it", &[]),
    of("typ", "what the token is for, as Keycloak writes it among the claims", &[]),
    of("kid", "the signing key among the claims, as INDIGO IAM writes it in ID tokens; it belongs in the header", &[]),
    of("groups", "groups of the subject; WLCG services read wlcg.groups instead", &["RFC9068-009"]),
    of("roles", "roles of the subject", &["RFC9068-009"]),
    of("entitlements", "rights of the subject as AARC-G069 URNs", &["RFC9068-009", "WLCG-TOK-037"]),
    of("eduperson_entitlement", "rights of the subject as AARC-G069 URNs, in the older spelling", &["WLCG-TOK-037"]),
    of("eduperson_assurance", "how well the identity was checked (REFEDS)", &["WLCG-TOK-033", "WLCG-TOK-035"]),
    of("eduperson_unique_id", "lasting identifier of the person (eduPerson)", &[]),
    of("eduperson_principal_name", "name of the person at the home organisation (eduPerson)", &[]),
    of("eduperson_affiliation", "role at the home organisation (eduPerson)", &[]),
    of("eduperson_scoped_affiliation", "role at the home organisation, with its domain (eduPerson)", &[]),
    of("voperson_id", "lasting identifier of the person in the community (voPerson)", &[]),
    of("voperson_external_affiliation", "role outside the community (voPerson)", &[]),
    of("voperson_verified_email", "addresses that were checked (voPerson)", &[]),
    of("schac_home_organization", "home organisation of the person (SCHAC)", &[]),
    of("organisation_name", "name of the INDIGO IAM instance, that is of the VO", &[]),
    of("external_authn", "how the person logged in at INDIGO IAM from outside", &[]),
    of("ssh_keys", "public SSH keys of the person, as INDIGO IAM writes them", &[]),
    of("name", "full name; personal data, at home in ID tokens", &["WLCG-TOK-042", "WLCG-TOK-043"]),
    of("given_name", "first name; personal data", &["WLCG-TOK-042", "WLCG-TOK-043"]),
    of("family_name", "last name; personal data", &["WLCG-TOK-042", "WLCG-TOK-043"]),
    of("middle_name", "middle name; personal data", &["WLCG-TOK-042"]),
    of("nickname", "nickname; personal data", &["WLCG-TOK-042"]),
    of("preferred_username", "login name; personal data", &["WLCG-TOK-042", "WLCG-TOK-043"]),
    of("profile", "page about the person; personal data", &["WLCG-TOK-042"]),
    of("picture", "picture of the person; personal data", &["WLCG-TOK-042"]),
    of("website", "web site of the person; personal data", &["WLCG-TOK-042"]),
    of("email", "mail address; personal data", &["WLCG-TOK-042", "WLCG-TOK-043"]),
    of("email_verified", "whether the mail address was checked", &["WLCG-TOK-042"]),
    of("gender", "gender; personal data", &["WLCG-TOK-042"]),
    of("birthdate", "date of birth; personal data", &["WLCG-TOK-042"]),
    of("zoneinfo", "time zone of the person", &["WLCG-TOK-042"]),
    of("locale", "language of the person", &["WLCG-TOK-042"]),
    of("phone_number", "telephone number; personal data", &["WLCG-TOK-042"]),
    of("phone_number_verified", "whether the telephone number was checked", &["WLCG-TOK-042"]),
    of("address", "postal address; personal data", &["WLCG-TOK-042"]),
    of("updated_at", "when the data about the person last changed", &["WLCG-TOK-042"]),
    of("act", "who acts for the subject, after a token exchange (RFC 8693)", &[]),
    of("may_act", "who may act for the subject by token exchange (RFC 8693)", &[]),
    of("cnf", "key the holder must prove to have (RFC 7800), so that a stolen token is of no use", &["AARC-G081-019"]),
    of("authorization_details", "rights in structured form (RFC 9396)", &[]),
    of("realm_access", "roles in the whole realm, as Keycloak writes them", &[]),
    of("resource_access", "roles by client, as Keycloak writes them", &[]),
    of("allowed-origins", "origins of web applications, as Keycloak writes them", &[]),
    of("active", "introspection: whether the issuer accepts the token (RFC 7662)", &[]),
    of("token_type", "introspection: how to present the token (RFC 7662)", &[]),
    of("username", "introspection: login name (RFC 7662); personal data", &[]),
    of("user_id", "introspection: user, as MITREid and INDIGO IAM write it", &[]),
    of("expires_at", "introspection: end as a date, as MITREid and INDIGO IAM write it", &[]),
];

#[cfg(test)]
mod tests {
    use super::{CLAIMS, HEADER, Meaning};
    use crate::profile::Requirement;
    use std::collections::BTreeSet;

    #[test]
    fn every_meaning_stands_once_and_rests_on_the_ledger() {
        for table in [HEADER, CLAIMS] {
            let names: BTreeSet<&str> = table.iter().map(|known| known.name).collect();
            assert_eq!(names.len(), table.len(), "a name stands twice");
            for Meaning { name, meaning, requirements } in table {
                assert!(meaning.chars().count() <= 110, "{name}: one short line");
                for id in *requirements {
                    assert!(Requirement::find(id).is_some(), "{name}: {id} is not in the ledger");
                }
            }
        }
    }
}
