//! JSON Web Keys and key sets (RFC 7517, RFC 7518 section 6, RFC 8037), as issuers publish them and as clients register
//! them inline.

use super::read::{Reader, is_placeholder};
use super::withheld::is_withheld;
use super::{Adapter, Kind, Sink};
use crate::model::{Field, Key, KeySet, State, Target, TargetKind};
use crate::parse::der::{Validity, validity};
use crate::parse::{Cursor, Document, NodeId};
use crate::source::mask::is_private_jwk_member;
use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

/// The adapter for files that are a key set or one key.
pub(super) struct Jwks;

const JWKS: &str = "jwks";
const JWK: &str = "jwk";

impl Adapter for Jwks {
    fn kinds(&self) -> &'static [Kind] {
        &[
            Kind {
                name: JWKS,
                doc: "JSON Web Key Set: what an issuer serves at its jwks_uri, or a server's keystore file",
                targets: &[TargetKind::KeySet, TargetKind::Key],
            },
            Kind { name: JWK, doc: "One JSON Web Key", targets: &[TargetKind::Key] },
        ]
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        let root = document.root();
        if is_jwk(root) {
            Some(JWK)
        } else if is_jwks(root) {
            Some(JWKS)
        } else {
            None
        }
    }

    fn adapt(&self, document: &Document, _kind: &'static str, sink: &mut dyn Sink) {
        key_targets(document, NodeId::ROOT, sink);
    }
}

fn is_jwk(at: Cursor<'_>) -> bool {
    at.get("kty").is_some_and(|kty| kty.as_str().is_some())
}

/// An empty set, or one whose first key has a `kty` (or at least key members without it).
fn is_jwks(at: Cursor<'_>) -> bool {
    let Some(keys) = at.get("keys").filter(|keys| keys.is_seq()) else { return false };
    match keys.items().next() {
        None => at.items().count() == 1,
        Some(key) => is_jwk(key) || (key.has("kid") && (key.has("n") || key.has("x") || key.has("x5c"))),
    }
}

/// Yields the keys at a node, which holds a key set or a single key, and marks private members as secret. The
/// document may be one decoded from another (INDIGO IAM's `jwk` string).
pub(super) fn key_targets(document: &Document, node: NodeId, sink: &mut dyn Sink) {
    let at = document.cursor(node);
    let Some(keys) = at.get("keys").filter(|keys| keys.is_seq()) else {
        one_key(document, at, 1, sink);
        return;
    };
    let mut target = Target::new(TargetKind::KeySet, "key set", key_set(keys));
    target.at = Reader::new(at).place(at);
    sink.target(&[document], target);
    for (index, key) in keys.items().enumerate() {
        one_key(document, key, index + 1, sink);
    }
}

fn one_key(document: &Document, at: Cursor<'_>, number: usize, sink: &mut dyn Sink) {
    if !at.is_map() {
        sink.error(document, at.id, "a JSON Web Key is expected, no object stands here".into());
        return;
    }
    for (_, member) in private_members(at) {
        // A snapshot says that the issuer shows it and does not repeat it.
        if !member.as_str().is_some_and(is_withheld) {
            sink.secret(document, member.id);
        }
    }
    let record = key(at);
    let text = |field: &Field<'_>| field.as_text().unwrap_or("").to_string();
    let kid = text(&record.kid);
    let mut target = Target::new(TargetKind::Key, "", record.clone());
    target.identity = if kid.is_empty() { text(&record.thumbprint).into() } else { kid.clone().into() };
    target.name = if kid.is_empty() { format!("key {number}").into() } else { kid.into() };
    target.at = Reader::new(at).place(at);
    sink.target(&[document], target);
}

fn key_set<'d>(keys: Cursor<'d>) -> KeySet<'d> {
    let reader = Reader::new(keys);
    let texts = |name: &str| -> Vec<(&'d str, Cursor<'d>)> {
        keys.items().filter_map(|key| key.get(name)).filter_map(|value| Some((value.as_str()?, value))).collect()
    };
    let list = |items: &[(&'d str, Cursor<'d>)]| {
        let items = items.iter().map(|(text, value)| Field::text(*text, reader.place(*value))).collect();
        Field::list(items, reader.place(keys))
    };
    let kids = texts("kid");
    let mut seen = std::collections::HashSet::new();
    let duplicates: Vec<_> = kids.iter().filter(|(kid, _)| !seen.insert(*kid)).copied().collect();
    let mut types = texts("kty");
    let mut seen = std::collections::HashSet::new();
    types.retain(|(kty, _)| seen.insert(*kty));
    KeySet {
        issuer: Field::default(),
        kids: list(&kids),
        duplicate_kids: if duplicates.is_empty() { Field::default() } else { list(&duplicates) },
        count: Field::int(i64::try_from(keys.items().count()).unwrap_or(i64::MAX), reader.place(keys)),
        uses: list(&texts("use")),
        key_types: list(&types),
    }
}

fn key<'d>(at: Cursor<'d>) -> Key<'d> {
    let reader = Reader::new(at);
    let names = |members: Vec<(&'d str, Cursor<'d>)>| match members.is_empty() {
        true => Field::default(),
        false => {
            let items = members.into_iter().map(|(name, value)| Field::text(name, reader.place(value))).collect();
            Field::list(items, reader.place(at))
        }
    };
    let thumbprint = thumbprint(at);
    let known = thumbprint.as_deref().and_then(known_test_key);
    let certificates = at.entries().filter(|(name, value)| matches!(*name, "x5c" | "x5u") && !value.is_null());
    Key {
        issuer: Field::default(),
        kty: reader.text("kty"),
        kid: reader.text("kid"),
        key_use: reader.text("use"),
        alg: reader.text("alg"),
        crv: reader.text("crv"),
        key_ops: reader.texts("key_ops"),
        bits: bits(reader),
        exponent: exponent(reader),
        private_members: names(private_members(at)),
        padded_members: names(padded_members(at)),
        missing_members: Field::list(missing_members(at), reader.place(at)),
        short_coordinates: Field::list(short_coordinates(at, reader), reader.place(at)),
        known_test_key: known.map_or_else(Field::default, |name| Field::text(name, reader.place(at))),
        thumbprint: thumbprint.map_or_else(Field::default, |text| Field::text(text, reader.place(at))),
        certificates: names(certificates.collect()),
        not_before: reader.int("nbf"),
        expires: reader.int("exp"),
        certificate_ends: certificate_ends(reader),
    }
}

/// When the key's own certificate ends; absent without `x5c`, unknown where that cannot be read.
fn certificate_ends<'d>(reader: Reader<'d>) -> Field<'d> {
    let Some(first) = reader.cursor().get("x5c").and_then(|chain| chain.items().next()) else {
        return Field::default();
    };
    let at = reader.place(first);
    let read = first.as_str().filter(|text| !is_placeholder(text)).and_then(decode).and_then(|der| validity(&der));
    match read {
        Some(Validity { not_after: Some(end), .. }) => Field::int(end, at),
        Some(Validity { not_after: None, .. }) => Field { state: State::Unlimited, at: Some(at) },
        None => Field::unknown("the certificate of the key cannot be read", at),
    }
}

/// Members that hold private or symmetric key material in clear, or held it where a snapshot was taken: not null, not cut
/// out, no placeholder.
fn private_members<'d>(key: Cursor<'d>) -> Vec<(&'d str, Cursor<'d>)> {
    key.entries()
        .filter(|(name, value)| {
            let hidden = value.as_str().is_some_and(|text| text.is_empty() || is_placeholder(text));
            is_private_jwk_member(name) && !value.is_null() && !hidden
        })
        .collect()
}

/// Members that RFC 7518 wants in unpadded base64url and that are written otherwise.
fn padded_members<'d>(key: Cursor<'d>) -> Vec<(&'d str, Cursor<'d>)> {
    let binary = |name: &str| matches!(name, "n" | "e" | "x" | "y" | "x5t" | "x5t#S256") || is_private_jwk_member(name);
    let odd = |text: &str| text.bytes().any(|byte| matches!(byte, b'=' | b'+' | b'/'));
    key.entries().filter(|(name, value)| binary(name) && value.as_str().is_some_and(odd)).collect()
}

/// What RFC 7518 section 6 and RFC 8037 section 2 demand of a public key.
fn missing_members<'d>(key: Cursor<'d>) -> Vec<Field<'d>> {
    let demanded: &[&'static str] = match key.get("kty").and_then(Cursor::as_str) {
        Some("RSA") => &["n", "e"],
        Some("EC") => &["crv", "x", "y"],
        Some("OKP") => &["crv", "x"],
        _ => &[],
    };
    demanded.iter().filter(|name| !key.has(name)).map(|name| Field::text(*name, None)).collect()
}

/// Coordinates whose octets are fewer or more than the curve's (RFC 7518 section 6.2.1.2).
fn short_coordinates<'d>(key: Cursor<'d>, reader: Reader<'d>) -> Vec<Field<'d>> {
    let octets = match key.get("crv").and_then(Cursor::as_str) {
        Some("P-256") => 32,
        Some("P-384") => 48,
        Some("P-521") => 66,
        _ => return vec![],
    };
    let odd = |text: &str| !is_placeholder(text) && decode(text).is_some_and(|bytes| bytes.len() != octets);
    key.entries()
        .filter(|(name, value)| matches!(*name, "x" | "y") && value.as_str().is_some_and(odd))
        .map(|(name, value)| Field::text(name, reader.place(value)))
        .collect()
}

/// Decodes base64 of either alphabet, padded or not: what deployed verifiers read.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &URL_SAFE,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    let url_safe: String = text
        .chars()
        .map(|c| {
            if c == '+' {
                '-'
            } else if c == '/' {
                '_'
            } else {
                c
            }
        })
        .collect();
    LENIENT.decode(url_safe).ok()
}

/// Number of significant bits of a big-endian number.
pub(crate) fn bit_length(bytes: &[u8]) -> i64 {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    match bytes[start..] {
        [] => 0,
        [first, ..] => (bytes.len() - start) as i64 * 8 - i64::from(first.leading_zeros()),
    }
}

fn bits<'d>(reader: Reader<'d>) -> Field<'d> {
    let decoded = |name: &str| match (reader.cursor().get(name), reader.text(name).as_text().map(decode)) {
        (None, _) => Err(Field::default()),
        (Some(value), Some(Some(bytes))) => Ok((bytes, reader.place(value))),
        (Some(value), Some(None)) => Err(Field::malformed(format!("{name} is no base64url"), reader.place(value))),
        // Null, a placeholder or another type: as the reader of text says.
        (Some(_), None) => Err(reader.text(name)),
    };
    let text = |name: &str| reader.cursor().get(name).and_then(Cursor::as_str).unwrap_or("");
    let from = |name: &str, size: fn(&[u8]) -> i64| match decoded(name) {
        Ok((bytes, at)) => Field::int(size(&bytes), at),
        Err(field) => field,
    };
    match (text("kty"), text("crv")) {
        ("RSA", _) => from("n", bit_length),
        ("oct", _) if is_withheld(text("k")) => {
            Field::unknown("the key was withheld from the snapshot", reader.at("k"))
        }
        ("oct", _) => from("k", |bytes| bytes.len() as i64 * 8),
        ("EC" | "OKP", crv) => match curve_bits(crv) {
            Some(size) => Field::int(size, reader.at("crv")),
            None => Field::default(),
        },
        _ => Field::default(),
    }
}

/// Field size of a curve (SEC 2, RFC 7748, rounded up to the key size for Edwards and Montgomery curves).
fn curve_bits(crv: &str) -> Option<i64> {
    Some(match crv {
        "P-256" | "secp256k1" | "Ed25519" | "X25519" => 256,
        "P-384" => 384,
        "Ed448" | "X448" => 448,
        "P-521" => 521,
        _ => return None,
    })
}

fn exponent<'d>(reader: Reader<'d>) -> Field<'d> {
    let field = reader.text("e");
    let Some(text) = field.as_text() else { return field };
    let Some(bytes) = decode(text) else { return Field::malformed("e is no base64url", field.at) };
    match bit_length(&bytes) {
        0..=63 => Field::int(bytes.iter().fold(0, |value, byte| value << 8 | i64::from(*byte)), field.at),
        _ => Field { at: field.at, ..Field::default() },
    }
}

/// The RFC 7638 thumbprint. `None` when a required member is missing or unreadable, and for symmetric keys, whose
/// hash would help to guess a weak one.
fn thumbprint(key: Cursor<'_>) -> Option<String> {
    let kty = key.get("kty")?.as_str()?;
    let members: &[&str] = match kty {
        "RSA" => &["e", "kty", "n"],
        "EC" => &["crv", "kty", "x", "y"],
        "OKP" => &["crv", "kty", "x"],
        _ => return None,
    };
    let mut canonical = serde_json::Map::new(); // filled in the order of names, as the RFC wants it
    for &name in members {
        let text = key.get(name)?.as_str()?;
        let text = match name {
            "kty" | "crv" => text.to_string(),
            // Padding is no part of the canonical form.
            _ => URL_SAFE_NO_PAD.encode(decode(text)?),
        };
        canonical.insert(name.into(), text.into());
    }
    let text = serde_json::Value::Object(canonical).to_string();
    Some(URL_SAFE_NO_PAD.encode(Sha256::digest(text.as_bytes())))
}

/// Keys whose private half is published, by thumbprint.
fn known_test_key(thumbprint: &str) -> Option<&'static str> {
    Some(match thumbprint {
        "CxvlQFQuw2ba1LeUO-uATD3G1d1T_rnRQmwPxbCbgT8" => "the key that INDIGO IAM's packages ship",
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" => "the RSA example key of RFC 7517",
        "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s" => "the EC example key of RFC 7517",
        "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U" => "the EC example key of RFC 7515",
        "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" => "the Ed25519 example key of RFC 8037",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Collected, collect};
    use crate::model::TargetKind;
    use crate::parse::Syntax;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    /// The public halves of published example keys (RFC 7517 appendix A.1, RFC 8037 appendix A.2).
    const RSA: &str = concat!(
        r#"{"kty":"RSA","e":"AQAB","kid":"2011-04-29","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbf"#,
        "AAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ",
        "5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6",
        r#"WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"}"#
    );
    const OKP: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

    fn read(text: &str) -> Collected {
        collect(text, Syntax::Json)
    }

    #[test]
    fn missing_and_cut_members_are_named() {
        let full = format!("g{}", "A".repeat(42));
        for (key, missing, short, remark) in [
            (format!(r#"{{"kty":"EC","crv":"P-256","x":"{full}","y":"{full}"}}"#), "", "", "32 octets each"),
            (format!(r#"{{"kty":"EC","crv":"P-256","x":"{full}","y":"gAAA"}}"#), "", "y", "3 octets"),
            (
                format!(r#"{{"kty":"EC","crv":"secp256k1","x":"{full}","y":"gAAA"}}"#),
                "",
                "",
                "a curve we do not measure",
            ),
            (r#"{"kty":"EC","crv":"P-256","x":"REDACTED"}"#.to_string(), "y", "", "cut out by a person"),
            (r#"{"kty":"OKP","crv":"Ed25519"}"#.to_string(), "x", "", ""),
            (r#"{"kty":"RSA","n":"gAAA"}"#.to_string(), "e", "", ""),
        ] {
            let got = read(&key);
            let of = |name: &str| got.targets[0].get(name).to_string();
            assert_eq!(
                (of("missing_members"), of("short_coordinates")),
                (missing.into(), short.into()),
                "{key} {remark}"
            );
        }
    }

    #[test]
    fn a_key_is_measured() {
        let got = read(RSA);
        assert_eq!(got.kinds, ["jwk"]);
        let key = &got.targets[0];
        assert_eq!((key.kind, key.name.as_str(), key.identity.as_str()), (TargetKind::Key, "2011-04-29", "2011-04-29"));
        assert_eq!((key.get("bits"), key.get("exponent")), ("2048", "65537"));
        assert_eq!(key.get("thumbprint"), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        assert_eq!(key.get("known_test_key"), "the RSA example key of RFC 7517");
        assert_eq!((key.get("private_members"), key.get("padded_members")), ("", ""));
        assert_eq!(key.pointers["bits"], "/n");

        let got = read(OKP);
        let key = &got.targets[0];
        assert_eq!((key.name.as_str(), key.get("bits")), ("key 1", "256"));
        assert_eq!(key.identity, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "the thumbprint, without a kid");
    }

    #[test]
    fn sizes_do_not_count_leading_zeros() {
        for (n, bits, remark) in [
            ("AIAA", "16", "a leading zero byte"),
            ("gAA", "16", ""),
            ("fw", "7", "the top bit is not set"),
            ("gAA=", "16", "padding"),
            ("+/8", "16", "the other alphabet"),
            ("", "0", "empty"),
            ("AAAA", "0", "zero"),
            ("!!", "malformed: n is no base64url", "no base64"),
            ("${N}", "unknown: a template placeholder stands in its place", "a template"),
        ] {
            let got = read(&format!(r#"{{"kty":"RSA","e":"AQAB","n":"{n}"}}"#));
            assert_eq!(got.targets[0].get("bits"), bits, "{n} {remark}");
        }
        for (key, field, value) in [
            (r#"{"kty":"EC","crv":"P-521"}"#, "bits", "521"),
            (r#"{"kty":"EC","crv":"P-192"}"#, "bits", ""),
            (r#"{"kty":"oct","k":"AAAAAA"}"#, "bits", "32"),
            (r#"{"kty":"RSA","n":1}"#, "bits", "malformed: a string is expected, a number stands there"),
            (r#"{"kty":"RSA","e":"Aw"}"#, "exponent", "3"),
            (r#"{"kty":"RSA","e":"____________"}"#, "exponent", ""),
        ] {
            assert_eq!(read(key).targets[0].get(field), value, "{key}");
        }
    }

    #[test]
    fn private_members_are_secret_and_named() {
        let got =
            read(r#"{"keys":[{"kty":"EC","kid":"a","d":"dGVzdC1vbmx5","x":"eA=="},{"kty":"oct","k":"REDACTED"}]}"#);
        assert_eq!(got.kinds, ["jwks"]);
        assert_eq!(got.secrets, ["/keys/0/d"]);
        assert_eq!(got.targets[1].get("private_members"), "d");
        assert_eq!(got.targets[1].get("padded_members"), "x");
        assert_eq!(got.targets[2].get("private_members"), "", "cut out already");
        assert_eq!(got.targets[2].get("thumbprint"), "", "the hash of a symmetric key would tell about it");
        assert!(!format!("{got:?}").contains("dGVzdC1vbmx5"));
    }

    #[test]
    fn what_a_snapshot_withheld_is_named_and_no_secret() {
        let got = read(
            r#"{"keys":[{"kty":"EC","kid":"a","d":"withheld by tokenvet"},{"kty":"oct","k":"withheld by tokenvet"}]}"#,
        );
        assert!(got.secrets.is_empty(), "{:?}", got.secrets);
        assert_eq!(got.targets[1].get("private_members"), "d");
        assert_eq!(got.targets[2].get("private_members"), "k");
        assert_eq!(got.targets[2].get("bits"), "unknown: the key was withheld from the snapshot");
    }

    #[test]
    fn what_says_when_a_key_ends_is_read_and_nothing_else() {
        // A made-up certificate: nothing in it but its validity, to 2027 and to the end of time.
        let made_up = |end: &[u8]| {
            let tagged = |tag: u8, content: &[u8]| [&[tag, content.len() as u8], content].concat();
            let validity = [tagged(0x17, b"260101000000Z"), end.to_vec()].concat();
            let parts = [tagged(2, &[1]), tagged(0x30, &[]), tagged(0x30, &[]), tagged(0x30, &validity)].concat();
            STANDARD.encode(tagged(0x30, &tagged(0x30, &parts)))
        };
        let (to_2027, endless) = (made_up(b"\x17\x0d270101000000Z"), made_up(b"\x18\x0f99991231235959Z"));
        for (members, nbf, exp, certificate, remark) in [
            (r#""nbf":1,"exp":2"#.to_string(), "1", "2", "", "the set says it"),
            (r#""nbf":"1","exp":1.5"#.into(), "malformed: ", "malformed: ", "", "no numbers"),
            (format!(r#""x5c":["{to_2027}","x"]"#), "", "", "1798761600", "the first certificate is the key's"),
            (format!(r#""x5c":["{endless}"]"#), "", "", "unlimited", "without end"),
            (r#""x5c":["bm8gY2VydGlmaWNhdGU="]"#.into(), "", "", "unknown: ", "no certificate"),
            (r#""x5c":[7]"#.into(), "", "", "unknown: ", "no text"),
            (r#""x5c":[]"#.into(), "", "", "", "none"),
            (r#""x5c":"x""#.into(), "", "", "", "no list"),
            (r#""x5u":"https://iam.example.org/c.pem""#.into(), "", "", "", "it is not looked at"),
        ] {
            let got = read(&format!(r#"{{"keys":[{{"kty":"RSA","kid":"a",{members}}}]}}"#));
            let key = &got.targets[1];
            for (name, expected) in [("nbf", nbf), ("exp", exp), ("x5c_not_after", certificate)] {
                let shown = key.get(name);
                let fits = if expected.ends_with(": ") { shown.starts_with(expected) } else { shown == expected };
                assert!(fits, "{remark}: {name} is {shown}");
            }
        }
    }

    #[test]
    fn a_set_is_summed_up() {
        let got = read(r#"{"keys":[{"kty":"RSA","kid":"a"},{"kty":"EC","kid":"a"},{"kty":"EC"},7]}"#);
        let set = &got.targets[0];
        assert_eq!(set.kind, TargetKind::KeySet);
        assert_eq!((set.get("kids"), set.get("duplicate_kids"), set.get("count")), ("a a", "a", "4"));
        assert_eq!(set.get("key_types"), "RSA EC");
        assert_eq!(got.targets.len(), 4);
        assert_eq!(got.errors, ["/keys/3: a JSON Web Key is expected, no object stands here"]);
    }

    #[test]
    fn other_documents_are_left_alone() {
        for text in ["{}", r#"{"keys":[{"name":"x"}]}"#, r#"{"keys":[],"users":[]}"#, r#"{"keys":["a"]}"#, "[]", "1"] {
            assert!(read(text).kinds.is_empty(), "{text}");
        }
        assert_eq!(read(r#"{"keys":[]}"#).kinds, ["jwks"], "an empty set is one");
    }
}
