//! JSON Web Tokens: compact ones in files, token responses and introspection answers, and decoded ones.
//!
//! A target of a compact token has three documents: the file, the header and the payload. Decoded forms have one.
//! What a token is for is decided by evidence, and the evidence is reported; where it does not settle the question the
//! token stays unclassified, since rules for access tokens would be wrong on ID tokens and the other way round.

use super::list::for_each_element;
use super::read::{Reader, is_placeholder, type_name};
use super::{Adapter, Kind, Sink};
use crate::model::{At, Field, State, Target, TargetKind, Token, scope};
use crate::parse::jwt::{Compact, Segment, decode_segment};
use crate::parse::{Cursor, Data, Document, NodeId, Syntax};
use std::borrow::Cow;
use std::collections::HashSet;

/// The adapter for tokens in every form.
pub(super) struct Tokens;

pub(super) const JWT: &str = "jwt";
const RESPONSE: &str = "token-response";
const INTROSPECTION: &str = "introspection-response";
const DECODED: &str = "decoded-jwt";
const CLAIMS: &str = "jwt-claims";

const ALL_TOKENS: &[TargetKind] = &[
    TargetKind::AccessToken,
    TargetKind::IdToken,
    TargetKind::RefreshToken,
    TargetKind::RegistrationToken,
    TargetKind::Token,
];

impl Adapter for Tokens {
    fn kinds(&self) -> &'static [Kind] {
        &[
            Kind { name: JWT, doc: "Compact JWTs, one or one per line; bearer token files", targets: ALL_TOKENS },
            Kind { name: RESPONSE, doc: "Answer of a token endpoint (RFC 6749 section 5.1)", targets: ALL_TOKENS },
            Kind {
                name: INTROSPECTION,
                doc: "Answer of an introspection endpoint (RFC 7662); one that says inactive holds nothing to judge",
                targets: ALL_TOKENS,
            },
            Kind {
                name: DECODED,
                doc: "Decoded header and payload (or claims) of a JWT, one object or a list of them",
                targets: ALL_TOKENS,
            },
            Kind { name: CLAIMS, doc: "Decoded claims of a JWT without its header", targets: ALL_TOKENS },
        ]
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        if document.syntax == Syntax::Jwt {
            return Some(JWT);
        }
        let root = document.root();
        if root.is_seq() {
            return root.items().next().filter(|item| is_decoded(*item)).map(|_| DECODED);
        }
        if !root.is_map() {
            return None;
        }
        if is_token_response(root) {
            Some(RESPONSE)
        } else if is_introspection(root) {
            Some(INTROSPECTION)
        } else if is_decoded(root) {
            Some(DECODED)
        } else if is_claims(root) {
            Some(CLAIMS)
        } else {
            None
        }
    }

    fn adapt(&self, document: &Document, kind: &'static str, sink: &mut dyn Sink) {
        let root = document.root();
        match kind {
            JWT => root.items().for_each(|item| compact(document, item, None, sink)),
            RESPONSE => response(document, sink),
            INTROSPECTION => introspection(document, sink),
            DECODED if root.is_seq() => list(document, sink),
            DECODED => decoded(document, root, sink),
            _ => claims(document, root, sink),
        }
    }
}

/// Members of a token endpoint's answer that hold tokens, and what they then are.
const MEMBERS: [(&str, TargetKind, &str); 3] = [
    ("access_token", TargetKind::AccessToken, "access token: stands as access_token in a token response"),
    ("id_token", TargetKind::IdToken, "ID token: stands as id_token in a token response"),
    ("refresh_token", TargetKind::RefreshToken, "refresh token: stands as refresh_token in a token response"),
];

fn is_token_response(root: Cursor<'_>) -> bool {
    let text = |name: &str| root.get(name).and_then(Cursor::as_str);
    let tokens = MEMBERS.iter().filter(|(name, ..)| text(name).is_some()).count();
    let registration = root.has("redirect_uris") || root.has("client_secret");
    !registration
        && tokens > 0
        && (tokens > 1
            || root.has("token_type")
            || root.has("expires_in")
            || MEMBERS.iter().any(|(name, ..)| text(name).is_some_and(is_compact)))
}

/// INDIGO IAM's client registrations have `active`, `client_id` and `scope` as well.
fn is_introspection(root: Cursor<'_>) -> bool {
    const CLIENT: [&str; 7] = [
        "client_name",
        "redirect_uris",
        "grant_types",
        "client_secret",
        "token_endpoint_auth_method",
        "contacts",
        "created_at",
    ];
    const TOKEN: [&str; 8] = ["sub", "exp", "iat", "iss", "jti", "token_type", "username", "aud"];
    let known = |name: &str| {
        matches!(name, "active" | "scope" | "client_id" | "nbf" | "error" | "error_description")
            || TOKEN.contains(&name)
    };
    match root.get("active").and_then(Cursor::as_bool) {
        None => false,
        Some(_) if CLIENT.iter().any(|name| root.has(name)) => false,
        Some(true) => TOKEN.iter().any(|name| root.has(name)),
        Some(false) => root.entries().all(|(name, _)| known(name)),
    }
}

fn is_decoded(at: Cursor<'_>) -> bool {
    let map = |name: &str| at.get(name).filter(|member| member.is_map());
    let claims = map("payload").or_else(|| map("claims"));
    match (map("header"), claims) {
        (Some(header), Some(claims)) => {
            ["alg", "kid", "typ"].iter().any(|name| header.has(name)) || registered_claims(claims) > 0
        }
        _ => false,
    }
}

const REGISTERED: [&str; 7] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"];

fn registered_claims(at: Cursor<'_>) -> usize {
    REGISTERED.iter().filter(|name| at.has(name)).count()
}

fn is_claims(root: Cursor<'_>) -> bool {
    const NOT_CLAIMS: [&str; 4] = ["redirect_uris", "client_secret", "token_endpoint", "jwks_uri"];
    const TELLING: [&str; 5] = ["scope", "scp", "client_id", "wlcg.ver", "wlcg.groups"];
    let telling = TELLING.iter().filter(|name| root.has(name)).count();
    let wlcg = root.has("wlcg.ver") || root.has("wlcg.groups");
    let registered = registered_claims(root);
    !NOT_CLAIMS.iter().any(|name| root.has(name)) && (wlcg || registered >= 2 || (registered == 1 && telling > 0))
}

/// True for text with the outline of a compact JWS: it starts like an encoded JSON object and has two dots.
fn is_compact(text: &str) -> bool {
    text.starts_with("ey") && memchr::memchr_iter(b'.', text.as_bytes()).count() == 2
}

/// A list of decoded tokens; large lists keep their later elements unread until asked for.
fn list(document: &Document, sink: &mut dyn Sink) {
    for_each_element(document.root(), sink, |item, sink| decoded_or_error(item.document, item, sink));
}

fn decoded_or_error(document: &Document, item: Cursor<'_>, sink: &mut dyn Sink) {
    if is_decoded(item) {
        decoded(document, item, sink);
    } else {
        sink.error(document, item.id, "a decoded token with header and payload is expected here".into());
    }
}

fn response(document: &Document, sink: &mut dyn Sink) {
    for (name, member) in document.root().entries() {
        let Some((_, kind, why)) = MEMBERS.iter().find(|(member, ..)| *member == name) else { continue };
        let Some(text) = member.as_str().filter(|text| !is_placeholder(text)) else { continue };
        // Opaque and encrypted tokens are legitimate and show nothing to judge.
        if is_compact(text) {
            compact(document, member, Some((*kind, why)), sink);
        } else {
            sink.secret(document, member.id);
        }
    }
}

/// Decodes and hands over the compact token at a node. `place` is what its place says it is.
fn compact(document: &Document, at: Cursor<'_>, place: Option<(TargetKind, &'static str)>, sink: &mut dyn Sink) {
    let decode = |segment| decode_segment(document, at.id, segment);
    let split = at.as_str().map(Compact::split);
    let (header, payload, split) = match (decode(Segment::Header), decode(Segment::Payload), split) {
        (Ok(header), Ok(payload), Some(Ok(split))) => (header, payload, split),
        (Err(error), ..) | (_, Err(error), _) | (.., Some(Err(error))) => {
            // What cannot be read may still be a live token.
            sink.secret(document, at.id);
            return sink.error(document, at.id, error.message);
        }
        (.., None) => return,
    };
    let (signed, size) = (split.signed, at.as_str().map_or(0, str::len));
    token([document, &header, &payload], at.id, (signed, size), place, sink);
}

/// Hands over a token of which the outer document, the header and the payload are known, whether it has a signature, and how
/// many bytes it has in compact form.
fn token(
    documents: [&Document; 3],
    node: NodeId,
    (signed, size): (bool, usize),
    place: Option<(TargetKind, &'static str)>,
    sink: &mut dyn Sink,
) {
    let whole = At::node(node);
    let [document, header, payload] = documents;
    let header = Some(Reader::of_document(header.root(), 1));
    let parts = Parts {
        size: Field::int(size as i64, whole),
        ..Parts::new(header, Reader::of_document(payload.root(), 2), Field::bool(signed, whole))
    };
    let purpose = place.map_or_else(|| parts.classify(), |(kind, why)| (kind, why.into()));
    if purpose.0 == TargetKind::RefreshToken {
        sink.secret(document, node);
    }
    parts.hand_over(&documents, purpose, whole, sink);
}

/// A token that was decoded already.
pub(crate) struct Opened<'t> {
    /// Its header, read of the place where the token stands.
    pub(crate) header: &'t Document,
    /// Its claims, likewise.
    pub(crate) payload: &'t Document,
    /// Characters of its signature.
    pub(crate) signature: usize,
}

/// Hands over a token that stands at this place, in any form.
pub(crate) fn opened(at: Cursor<'_>, token: &Opened<'_>, sink: &mut dyn Sink) {
    let Opened { header, payload, signature } = *token;
    let encoded = |part: &Document| (part.source.text().len() * 4).div_ceil(3);
    let size = encoded(header) + encoded(payload) + signature + 2;
    self::token([at.document, header, payload], at.id, (signature > 0, size), None, sink);
}

const NO_HEADER: &str = "the header is not shown";
const NO_SIGNATURE: &str = "the signature is not shown";

fn decoded(document: &Document, at: Cursor<'_>, sink: &mut dyn Sink) {
    let reader = Reader::new(at);
    let Some(payload) = reader.map("payload").or_else(|| reader.map("claims")) else { return };
    for (_, member) in at.entries().filter(|(name, _)| *name == "signature") {
        sink.secret(document, member.id);
    }
    let signature = at.get("signature").and_then(|member| Some((member, member.as_str()?)));
    let signed = match signature {
        Some((member, text)) => Field::bool(!text.is_empty(), At::node(member.id)),
        None => Field::unknown(NO_SIGNATURE, None),
    };
    one_document(document, Parts::new(reader.map("header"), payload, signed), None, at.id, sink);
}

fn claims(document: &Document, at: Cursor<'_>, sink: &mut dyn Sink) {
    let parts = Parts::new(None, Reader::new(at), Field::unknown(NO_SIGNATURE, None));
    one_document(document, parts, None, at.id, sink);
}

fn introspection(document: &Document, sink: &mut dyn Sink) {
    let root = document.root();
    // RFC 7662 section 2.2: an inactive token shows nothing, and there is nothing to judge about it.
    if root.get("active").and_then(Cursor::as_bool) != Some(true) {
        return;
    }
    let parts = Parts {
        absent: Some("an introspection answer need not show every claim"),
        ..Parts::new(None, Reader::new(root), Field::unknown(NO_SIGNATURE, None))
    };
    let token_type = text(root.get("token_type")).to_ascii_lowercase();
    let kind = parts.by_declaration().unwrap_or_else(|| match token_type.as_str() {
        "bearer" | "dpop" => (TargetKind::AccessToken, "access token: token_type says how to present it".into()),
        _ => (TargetKind::Token, "not classified: such an answer describes access and refresh tokens alike".into()),
    });
    one_document(document, parts, Some(kind), NodeId::ROOT, sink);
}

/// Hands over a token whose header and payload are nodes of the one document.
fn one_document(document: &Document, parts: Parts<'_>, purpose: Option<Purpose>, node: NodeId, sink: &mut dyn Sink) {
    let purpose = purpose.unwrap_or_else(|| parts.classify());
    if purpose.0 == TargetKind::RefreshToken
        && let Some(jti) = parts.payload.cursor().get("jti")
    {
        sink.secret(document, jti.id);
    }
    parts.hand_over(&[document], purpose, At::node(node), sink);
}

/// What a token is for, and why it is taken for that.
type Purpose = (TargetKind, Cow<'static, str>);

/// Declares the members of a mapping that are read one by one, by their names, and lists of the names of all members that
/// something is true of. A mapping is walked once for all of them.
macro_rules! members {
    ($(#[$meta:meta])* struct $of:ident { $($ident:ident $name:literal,)* } lists { $($list:ident $is:ident,)* }) => {
        $(#[$meta])*
        #[derive(Default)]
        struct $of<'d> {
            $($ident: Option<Cursor<'d>>,)*
            $($list: Vec<Field<'d>>,)*
        }

        impl<'d> $of<'d> {
            fn of(reader: Reader<'d>) -> Self {
                let mut members = Self::default();
                for (name, member) in reader.cursor().entries() {
                    $(if $is(name, member) {
                        members.$list.push(Field::text(name, reader.place(member)));
                    })*
                    let place = match name {
                        $($name => &mut members.$ident,)*
                        _ => continue,
                    };
                    *place = Some(member);
                }
                members
            }
        }
    };
}

members! {
    /// Where members of the JOSE header stand; the last of several with one name, as most readers take it.
    struct Header { alg "alg", crit "crit", kid "kid", typ "typ", }
    lists { key_references is_key_reference, }
}

members! {
    /// Where claims stand; the last of several with one name, as RFC 7519 section 4 has it. Those that most tokens have are
    /// looked for first.
    struct Claims {
        iss "iss",
        sub "sub",
        aud "aud",
        exp "exp",
        nbf "nbf",
        iat "iat",
        jti "jti",
        scope "scope",
        client_id "client_id",
        wlcg_ver "wlcg.ver",
        wlcg_groups "wlcg.groups",
        acr "acr",
        at_hash "at_hash",
        auth_time "auth_time",
        azp "azp",
        c_hash "c_hash",
        cid "cid",
        cnf "cnf",
        eduperson_assurance "eduperson_assurance",
        eduperson_entitlement "eduperson_entitlement",
        eduperson_scoped_affiliation "eduperson_scoped_affiliation",
        eduperson_unique_id "eduperson_unique_id",
        entitlements "entitlements",
        groups "groups",
        kid "kid",
        nonce "nonce",
        roles "roles",
        scp "scp",
        typ "typ",
        ver "ver",
        voperson_external_affiliation "voperson_external_affiliation",
        voperson_id "voperson_id",
    }
    lists {
        empty is_empty,
        entitlement_claims is_entitlement,
        mistyped is_mistyped,
        personal is_personal,
    }
}

/// Is there a member that is not null?
fn is_there(member: Option<Cursor<'_>>) -> bool {
    member.is_some_and(|value| !value.is_null())
}

/// The text of a member; empty when there is none.
fn text<'d>(member: Option<Cursor<'d>>) -> &'d str {
    member.and_then(Cursor::as_str).unwrap_or("")
}

/// One token, ready to be read.
struct Parts<'d> {
    /// The JOSE header, where it is shown.
    header: Option<(Reader<'d>, Header<'d>)>,
    payload: Reader<'d>,
    claims: Claims<'d>,
    /// Why a claim that is missing here may still be in the token.
    absent: Option<&'static str>,
    signed: Field<'d>,
    size: Field<'d>,
}

impl<'d> Parts<'d> {
    /// A token in a form that shows all of its claims, and does not show how long it is.
    fn new(header: Option<Reader<'d>>, payload: Reader<'d>, signed: Field<'d>) -> Self {
        let header = header.map(|header| (header, Header::of(header)));
        Parts { header, payload, claims: Claims::of(payload), absent: None, signed, size: Field::default() }
    }

    fn only(&self, claims: &[&str]) -> bool {
        self.payload.cursor().entries().all(|(name, _)| claims.contains(&name))
    }

    fn header_text(&self, member: impl FnOnce(&Header<'d>) -> Option<Cursor<'d>>) -> &'d str {
        text(self.header.as_ref().and_then(|(_, header)| member(header)))
    }

    /// What the token is for, and why it is taken for that.
    fn classify(&self) -> Purpose {
        self.by_declaration().or_else(|| self.by_bare_shape()).unwrap_or_else(|| self.by_claims())
    }

    fn is_proof(&self) -> bool {
        self.header.as_ref().is_some_and(|(_, header)| is_proof(header.typ))
    }

    /// Header types (RFC 9068) and Keycloak's `typ` claim say it outright.
    fn by_declaration(&self) -> Option<Purpose> {
        if self.is_proof() {
            return Some((TargetKind::Token, PROOF.into()));
        }
        let typ = self.header_text(|header| header.typ);
        if ["at+jwt", "application/at+jwt"].iter().any(|access| typ.eq_ignore_ascii_case(access)) {
            return Some((TargetKind::AccessToken, "access token: typ is at+jwt".into()));
        }
        let typ = text(self.claims.typ);
        let (kind, what) = match typ {
            "Bearer" | "DPoP" => (TargetKind::AccessToken, "access token"),
            "ID" => (TargetKind::IdToken, "ID token"),
            "Refresh" | "Offline" => (TargetKind::RefreshToken, "refresh token"),
            "RegistrationAccessToken" => (TargetKind::RegistrationToken, "registration token"),
            _ => return None,
        };
        Some((kind, [what, ": its typ claim says ", typ].concat().into()))
    }

    /// INDIGO IAM's refresh and registration tokens have next to no claims.
    fn by_bare_shape(&self) -> Option<Purpose> {
        let claims = &self.claims;
        if is_there(claims.jti) && self.only(&["jti", "exp"]) && self.header_text(|header| header.alg) == "none" {
            let why = "refresh token: unsigned with jti alone, as INDIGO IAM makes them";
            return Some((TargetKind::RefreshToken, why.into()));
        }
        let registration = [claims.iss, claims.aud, claims.iat, claims.jti];
        if registration.into_iter().all(is_there) && self.only(&["iss", "aud", "iat", "jti"]) {
            let why = "registration token: only iss, aud, iat and jti, as INDIGO IAM makes them";
            return Some((TargetKind::RegistrationToken, why.into()));
        }
        None
    }

    fn by_claims(&self) -> Purpose {
        let claims = &self.claims;
        let access =
            [("scope", claims.scope), ("scp", claims.scp), ("client_id", claims.client_id), ("cid", claims.cid)];
        let hashes = [("at_hash", claims.at_hash), ("c_hash", claims.c_hash), ("nonce", claims.nonce)];
        let unclear = |why: &'static str| (TargetKind::Token, why.into());
        let any = |claims: &[(&str, Option<Cursor<'_>>)]| claims.iter().any(|(_, claim)| is_there(*claim));
        match (any(&access), any(&hashes)) {
            (false, false) => {}
            (true, false) => return (TargetKind::AccessToken, with_list("access token: has ", &access).into()),
            (false, true) => return (TargetKind::IdToken, with_list("ID token: has ", &hashes).into()),
            (true, true) => {
                let why = with_list("not classified: has ", &access) + &with_list(" and also ", &hashes);
                return (TargetKind::Token, why.into());
            }
        }
        let azp = text(claims.azp);
        if !azp.is_empty() && azp == text(claims.aud) {
            return (TargetKind::IdToken, "ID token: azp equals aud, and there is neither scope nor client_id".into());
        }
        if is_there(claims.kid) {
            let why = "ID token: has a kid claim, as INDIGO IAM writes it, and neither scope nor client_id";
            return (TargetKind::IdToken, why.into());
        }
        if text(claims.ver).starts_with("scitoken") {
            return (TargetKind::AccessToken, "access token: ver names SciTokens".into());
        }
        let audience = self.payload.field(claims.aud, Reader::text_or_texts_of);
        if audience.contains(WLCG_ANY) || audience.contains(SCITOKENS_ANY) {
            return (TargetKind::AccessToken, "access token: aud is a wildcard for services".into());
        }
        let issuer = text(claims.iss);
        if !issuer.is_empty() && issuer == text(claims.sub) {
            return unclear("not classified: iss equals sub, as in a client assertion");
        }
        match is_there(claims.wlcg_ver) {
            true => unclear("not classified: wlcg.ver stands in access and ID tokens alike, and nothing else tells"),
            false => unclear("not classified: neither scope or client_id nor at_hash or nonce"),
        }
    }

    /// Hands the token over, which stands at this place of the first document.
    fn hand_over(self, documents: &[&Document], (kind, evidence): Purpose, at: At, sink: &mut dyn Sink) {
        let said = |claim: Option<Cursor<'d>>| Some(text(claim)).filter(|text| !text.is_empty());
        let Claims { client_id, iss, jti, sub, .. } = &self.claims;
        let (issuer, subject, jti) = (said(*iss), said(*sub), said(*jti));
        // The identifier of an unsigned refresh token is all there is to it: whoever knows it has the token.
        let jti = jti.filter(|_| kind != TargetKind::RefreshToken);
        let name = subject.or_else(|| said(*client_id)).or(jti).unwrap_or(kind.name());
        let identity = match (jti, issuer, subject) {
            (Some(jti), ..) => jti.into(),
            (None, Some(issuer), Some(subject)) => [issuer, subject].join(" ").into(),
            (None, ..) => Cow::default(),
        };
        let record = self.record(kind);
        sink.target(documents, Target { identity, evidence, at, ..Target::of(kind, name, &record) });
    }

    fn header_field(&self, read: impl FnOnce(Reader<'d>, &Header<'d>) -> Field<'d>) -> Field<'d> {
        match &self.header {
            Some((reader, header)) => read(*reader, header),
            None => Field::unknown(NO_HEADER, None),
        }
    }

    fn record(self, kind: TargetKind) -> Token<'d> {
        let Parts { payload, ref claims, .. } = self;
        let text = |claim| payload.field(claim, Reader::text_of);
        let texts = |claim| payload.field(claim, Reader::texts_of);
        let text_or_texts = |claim| payload.field(claim, Reader::text_or_texts_of);
        let shown = |field: Field<'d>| match self.absent {
            Some(why) => field.or(Field::unknown(why, None)),
            None => field,
        };
        let (exp, nbf, iat) = (time(payload, claims.exp), time(payload, claims.nbf), time(payload, claims.iat));
        let (exp, nbf, iat) = (shown(exp), shown(nbf), shown(iat));
        let exp = if self.is_proof() { exp.or(Field::unknown(PROOF_ENDS, None)) } else { exp };
        let (scopes, scope_form) = scopes(payload, claims);
        let (storage_depth, storage_paths) = storage(&scopes);
        let groups = texts(claims.wlcg_groups);
        let jti = match claims.jti {
            Some(jti) if kind == TargetKind::RefreshToken && !jti.is_null() => {
                Field::unknown(SECRET_JTI, payload.place(jti))
            }
            jti => text(jti),
        };
        let of_cnf = |name| text(claims.cnf.and_then(|cnf| cnf.get(name)));
        Token {
            alg: self.header_field(|reader, header| reader.field(header.alg, Reader::text_of)),
            kid: self.header_field(|reader, header| reader.field(header.kid, Reader::text_of)),
            typ: self.header_field(|reader, header| reader.field(header.typ, Reader::text_of)),
            crit: self.header_field(|reader, header| reader.field(header.crit, Reader::texts_of)),
            key_references: self.header_field(|reader, header| {
                // What a proof proves is that its maker has the key in it.
                let proven = |name: &Field<'_>| is_proof(header.typ) && name.as_text() == Some("jwk");
                let named: Vec<_> = header.key_references.iter().filter(|name| !proven(name)).cloned().collect();
                names(reader, &named)
            }),
            kid_claim: text(claims.kid),
            iss: shown(text(claims.iss)),
            sub: shown(text(claims.sub)),
            aud: shown(text_or_texts(claims.aud)),
            lifetime: lifetime(&exp, &nbf, &iat),
            backdating: backdating(&nbf, &iat),
            exp,
            nbf,
            iat,
            jti: shown(jti),
            scope_form: shown(scope_form),
            client_id: shown(text(claims.client_id).or_else(|| text(claims.azp)).or_else(|| text(claims.cid))),
            azp: shown(text(claims.azp)),
            wlcg_ver: shown(text(claims.wlcg_ver)),
            vo: vo(&groups),
            wlcg_roots: shown(roots(&groups)),
            wlcg_groups: shown(groups),
            ver: shown(text(claims.ver)),
            auth_time: shown(time(payload, claims.auth_time)),
            acr: shown(text(claims.acr)),
            nonce: shown(text(claims.nonce)),
            at_hash: shown(text(claims.at_hash)),
            assurance: shown(text_or_texts(claims.eduperson_assurance)),
            entitlements: shown(joined(
                text_or_texts(claims.entitlements),
                text_or_texts(claims.eduperson_entitlement),
            )),
            entitlement_claims: names(payload, &claims.entitlement_claims),
            voperson_id: shown(text_or_texts(claims.voperson_id)),
            unique_id: shown(text(claims.eduperson_unique_id)),
            affiliations: shown(joined(
                text_or_texts(claims.eduperson_scoped_affiliation),
                text_or_texts(claims.voperson_external_affiliation),
            )),
            // Introspection answers show the binding whenever there is one (RFC 8705 section 3.2, RFC 9449 section 6.2).
            bound_key: of_cnf("jkt"),
            bound_certificate: of_cnf("x5t#S256"),
            empty_claims: names(payload, &claims.empty),
            groups: shown(text_or_texts(claims.groups)),
            roles: shown(text_or_texts(claims.roles)),
            personal_claims: names(payload, &claims.personal),
            mistyped_claims: names(payload, &claims.mistyped),
            signature_valid: Field::default(),
            verifying_key: Field::default(),
            signed: self.signed,
            storage_depth: shown(storage_depth),
            storage_paths: shown(storage_paths),
            scopes: shown(scopes),
            size: self.size,
            // The workflow is the policy's to say.
            workflow: Field::default(),
            workflow_class: Field::default(),
            workflow_user_class: Field::default(),
            workflow_max_transfer_time: Field::default(),
            workflow_fitting: Field::default(),
        }
    }
}

/// The claims among these that are there, as a sentence names them, behind `lead`.
fn with_list(lead: &str, claims: &[(&str, Option<Cursor<'_>>)]) -> String {
    let mut text = String::with_capacity(64);
    text.push_str(lead);
    for (name, _) in claims.iter().filter(|(_, claim)| is_there(*claim)) {
        text.push_str(if text.len() == lead.len() { "" } else { " and " });
        text.push_str(name);
    }
    text
}

/// The audience that every WLCG service accepts.
const WLCG_ANY: &str = "https://wlcg.cern.ch/jwt/v1/any";

/// The audience that every SciTokens service accepts.
const SCITOKENS_ANY: &str = "ANY";

const PROOF: &str = "not classified: typ is dpop+jwt, a proof that goes with one request and grants nothing by itself";

const PROOF_ENDS: &str = "a DPoP proof is good for one request, and services take it for minutes at most";

/// Is this the type of a DPoP proof (RFC 9449 section 4.2)?
fn is_proof(typ: Option<Cursor<'_>>) -> bool {
    ["dpop+jwt", "application/dpop+jwt"].iter().any(|proof| text(typ).eq_ignore_ascii_case(proof))
}

/// Is a token of this header a DPoP proof, and so none that anybody could use?
pub(crate) fn is_dpop_proof(header: &Document) -> bool {
    is_proof(header.root().get("typ"))
}

const SECRET_JTI: &str = "the identifier of a refresh token can be the token itself and is not read";

/// Is it a claim of OpenID Connect Core section 5.1 that names or describes a person, or what products add?
fn is_personal(name: &str, value: Cursor<'_>) -> bool {
    let personal = matches!(
        name,
        "name"
            | "given_name"
            | "family_name"
            | "middle_name"
            | "nickname"
            | "preferred_username"
            | "profile"
            | "picture"
            | "website"
            | "email"
            | "gender"
            | "birthdate"
            | "phone_number"
            | "address"
            | "upn"
            | "unique_name"
            | "eduperson_principal_name"
    );
    personal && !value.is_null()
}

fn is_entitlement(name: &str, value: Cursor<'_>) -> bool {
    matches!(name, "entitlements" | "eduperson_entitlement") && !value.is_null()
}

/// Is it a header member that names a key of the token's own choice?
fn is_key_reference(name: &str, value: Cursor<'_>) -> bool {
    matches!(name, "jku" | "x5u" | "jwk" | "x5c") && !value.is_null()
}

/// Is the claim there without a value?
fn is_empty(_: &str, value: Cursor<'_>) -> bool {
    match value.data() {
        Data::Null => true,
        Data::Seq | Data::Map => value.entries().next().is_none() && value.items().next().is_none(),
        _ => value.as_str() == Some(""),
    }
}

/// Is it a registered claim with a JSON type that RFC 7519 section 4.1 or RFC 8693 section 4 forbids? Null is forbidden too.
fn is_mistyped(name: &str, value: Cursor<'_>) -> bool {
    match name {
        "iss" | "sub" | "jti" | "client_id" => value.as_str().is_none(),
        "act" | "may_act" => !value.is_map(),
        "exp" | "nbf" | "iat" => *value.data() != Data::Number && !is_open(value),
        "aud" => match value.is_seq() {
            true => value.items().any(|item| item.as_str().is_none()),
            false => value.as_str().is_none(),
        },
        _ => false,
    }
}

/// Names of members of a mapping, as a field. Empty, not absent, when there is none: that was looked for and not found.
fn names<'d>(reader: Reader<'d>, names: &[Field<'d>]) -> Field<'d> {
    Field::list(names.to_vec(), reader.place(reader.cursor()))
}

/// The first segment that all groups share (`/cms/uscms` is of `cms`).
fn vo<'d>(groups: &Field<'d>) -> Field<'d> {
    fn first<'f>(group: &'f Field<'_>) -> Option<&'f str> {
        group.as_text()?.strip_prefix('/')?.split('/').next().filter(|name| !name.is_empty())
    }
    let mut names = groups.items().iter().map(first);
    match names.next().flatten() {
        Some(name) if names.all(|other| other == Some(name)) => Field::text(name.to_string(), groups.at),
        Some(_) | None => Field::default(),
    }
}

fn is_open(value: Cursor<'_>) -> bool {
    value.as_str().is_some_and(is_placeholder)
}

/// Largest NumericDate taken for seconds: the year 5138. Milliseconds of any date after March 1973 are larger.
const LAST_SECOND: i64 = 100_000_000_000;

/// What the milliseconds of a token's life look like: the years 2000 to 5138.
const MILLISECONDS: std::ops::RangeInclusive<i64> = 946_684_800_000..=LAST_SECOND * 1000;

/// What a number in the place of a NumericDate (RFC 7519 section 2) is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NumericDate {
    /// Seconds since 1970, rounded down.
    Seconds(i64),
    /// It looks like milliseconds.
    Milliseconds(i64),
    /// It is too large for a date in seconds.
    Beyond,
}

impl NumericDate {
    /// `None` for what is no number.
    pub(crate) fn of(value: Cursor<'_>) -> Option<Self> {
        if *value.data() != Data::Number {
            return None;
        }
        Some(match value.as_i64().or_else(|| floor(value)) {
            Some(seconds) if (-LAST_SECOND..=LAST_SECOND).contains(&seconds) => NumericDate::Seconds(seconds),
            Some(number) if MILLISECONDS.contains(&number) => NumericDate::Milliseconds(number),
            _ => NumericDate::Beyond,
        })
    }

    /// The seconds since 1970, where it counts those.
    pub(crate) fn seconds(self) -> Option<i64> {
        match self {
            NumericDate::Seconds(seconds) => Some(seconds),
            NumericDate::Milliseconds(_) | NumericDate::Beyond => None,
        }
    }
}

/// A NumericDate, rounded down to whole seconds.
fn time<'d>(reader: Reader<'d>, claim: Option<Cursor<'d>>) -> Field<'d> {
    let Some(value) = claim else { return Field::default() };
    let at = reader.place(value);
    if is_open(value) {
        return reader.field(claim, Reader::text_of);
    }
    match NumericDate::of(value) {
        Some(NumericDate::Seconds(seconds)) => Field::int(seconds, at),
        Some(NumericDate::Milliseconds(_)) => {
            Field::malformed("the number looks like milliseconds; a NumericDate counts seconds", at)
        }
        Some(NumericDate::Beyond) => Field::malformed("the number is too large for a date in seconds", at),
        None => Field::malformed(format!("a number of seconds is expected, {} stands there", type_name(value)), at),
    }
}

/// Whole part of a number with a fraction; `None` when it lies beyond 2^53, where fractions cannot be told.
fn floor(value: Cursor<'_>) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let number: f64 = value.scalar_text()?.parse().ok()?;
    (number.abs() < EXACT).then(|| number.floor() as i64)
}

/// The scopes and the spelling they stand in.
fn scopes<'d>(payload: Reader<'d>, claims: &Claims<'d>) -> (Field<'d>, Field<'d>) {
    let standing = |claim: Option<Cursor<'d>>| claim.filter(|value| !value.is_null());
    let spelt = |how: &'static str, value| Field::text(how, payload.place(value));
    let (words, texts) =
        (|claim| payload.field(claim, Reader::words_of), |claim| payload.field(claim, Reader::texts_of));
    match (standing(claims.scope), standing(claims.scp)) {
        (Some(scope), _) if scope.is_seq() => (texts(claims.scope), spelt("array", scope)),
        (Some(scope), _) if scope.as_str().is_some() => (words(claims.scope), spelt("string", scope)),
        (None, Some(scp)) if scp.is_seq() => (texts(claims.scp), spelt("scp", scp)),
        (None, Some(scp)) => (words(claims.scp), spelt("scp", scp)),
        (Some(_) | None, _) => (words(claims.scope), Field::default()),
    }
}

/// Two lists as one; what is not readable in either stays visible.
fn joined<'d>(one: Field<'d>, other: Field<'d>) -> Field<'d> {
    match (&one.state, &other.state) {
        (State::Absent, _) => other,
        (_, State::Absent) => one,
        (State::Value(_), State::Value(_)) => Field::list([one.items(), other.items()].concat(), one.at),
        (State::Value(_), _) => other,
        (State::Unknown(_) | State::Malformed(_) | State::Unlimited, _) => one,
    }
}

/// The first segments of groups, each once.
fn roots<'d>(groups: &Field<'d>) -> Field<'d> {
    let State::Value(_) = &groups.state else { return groups.clone() };
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    for group in groups.items() {
        let root = group.as_text().and_then(|name| name.strip_prefix('/')).and_then(|name| name.split('/').next());
        if let Some(root) = root.filter(|root| !root.is_empty() && seen.insert(*root)) {
            found.push(Field::text(root.to_string(), group.at));
        }
    }
    let at = found.get(1).map_or(groups.at, |second| second.at);
    Field::list(found, at)
}

/// Of the storage scopes that permit more than reading and polling, fewest path components and paths, each once.
fn storage<'d>(scopes: &Field<'d>) -> (Field<'d>, Field<'d>) {
    if let State::Unknown(_) | State::Malformed(_) = &scopes.state {
        return (scopes.clone(), scopes.clone());
    }
    let (mut seen, mut paths) = (HashSet::new(), Vec::new());
    let mut shallowest: Option<(usize, Option<At>)> = None;
    for item in scopes.items() {
        let capability = item.as_text().and_then(scope::Capability::parse).filter(|scope| scope.acts_on_storage());
        let Some(capability) = capability else { continue };
        let path = capability.path.unwrap_or("/");
        if !seen.insert(path) {
            continue;
        }
        paths.push(Field::text(path.to_string(), item.at));
        let depth = capability.depth();
        if shallowest.is_none_or(|(least, _)| depth < least) {
            shallowest = Some((depth, item.at));
        }
    }
    match shallowest {
        Some((depth, at)) => (Field::int(depth as i64, at), Field::list(paths, scopes.at)),
        None => Default::default(),
    }
}

/// From the start of validity to `exp`.
fn lifetime<'d>(exp: &Field<'d>, nbf: &Field<'d>, iat: &Field<'d>) -> Field<'d> {
    let start = if nbf.is_absent() { iat } else { nbf };
    match (&exp.state, &start.state) {
        (State::Absent, _) => Field::unlimited(exp.at),
        (State::Unknown(_) | State::Malformed(_), _) => exp.clone(),
        (_, State::Unknown(_) | State::Malformed(_)) => start.clone(),
        (_, State::Absent) => Field::unknown("neither nbf nor iat says when the token becomes valid", exp.at),
        _ => difference(exp, start, exp.at),
    }
}

fn backdating<'d>(nbf: &Field<'d>, iat: &Field<'d>) -> Field<'d> {
    match (&nbf.state, &iat.state) {
        (State::Absent, _) | (_, State::Absent) => Field::default(),
        (State::Unknown(_) | State::Malformed(_), _) => nbf.clone(),
        (_, State::Unknown(_) | State::Malformed(_)) => iat.clone(),
        _ => difference(iat, nbf, nbf.at),
    }
}

fn difference<'d>(later: &Field<'d>, earlier: &Field<'d>, at: Option<At>) -> Field<'d> {
    match (later.as_int(), earlier.as_int()) {
        // Both lie within ±LAST_SECOND.
        (Some(later), Some(earlier)) => Field::int(later - earlier, at),
        _ => Field::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Collected, Got, collect};
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    /// A compact token with a signature that is none.
    fn token(header: &str, payload: &str) -> String {
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.{}", encode(header), encode(payload), encode("test signature, not real"))
    }

    fn json(text: &str) -> Collected {
        collect(text, Syntax::Json)
    }

    fn only(mut collected: Collected) -> Got {
        assert_eq!(collected.targets.len(), 1, "{collected:?}");
        collected.targets.remove(0)
    }

    const WLCG: &str = r#"{"wlcg.ver":"1.0","iss":"https://iam.example.org/","sub":"user-1","aud":"https://se.example.org",
        "iat":1700000060,"nbf":1700000000,"exp":1700003600,"jti":"id-1","scope":"storage.read:/ storage.modify:/a"}"#;

    #[test]
    fn a_compact_token_is_read_with_its_places() {
        let jwt = token(r#"{"alg":"RS256","kid":"k1","jku":"https://h.example"}"#, WLCG);
        let got = collect(&format!("{jwt}\n{jwt}\n"), Syntax::Jwt);
        assert_eq!((got.kinds.as_slice(), got.targets.len()), (&["jwt"][..], 2));
        let token = &got.targets[1];
        assert_eq!(token.kind, TargetKind::AccessToken);
        assert_eq!(token.evidence, "access token: has scope");
        assert_eq!((token.name.as_str(), token.identity.as_str()), ("user-1", "id-1"));
        for (field, value, pointer) in [
            ("header.alg", "RS256", "(1)/alg"),
            ("header.kid", "k1", "(1)/kid"),
            ("header.key_references", "jku", "(1)"),
            ("iss", "https://iam.example.org/", "(2)/iss"),
            ("aud", "https://se.example.org", "(2)/aud"),
            ("exp", "1700003600", "(2)/exp"),
            ("lifetime", "3600", "(2)/exp"),
            ("backdating", "60", "(2)/nbf"),
            ("scope", "storage.read:/ storage.modify:/a", "(2)/scope"),
            ("scope_form", "string", "(2)/scope"),
            ("wlcg.ver", "1.0", "(2)/wlcg.ver"),
            ("signed", "true", "/1"),
            ("size", jwt.len().to_string().as_str(), "/1"),
        ] {
            assert_eq!((token.get(field), token.pointers[field].as_str()), (value, pointer), "{field}");
        }
        for field in ["header.typ", "mistyped_claims", "personal_claims", "groups"] {
            assert_eq!(token.get(field), "", "{field}");
        }
    }

    #[test]
    fn tokens_are_classified_by_evidence() {
        use TargetKind::{AccessToken, IdToken, RefreshToken, RegistrationToken, Token};
        for (header, payload, kind, why) in [
            (r#"{"alg":"RS256"}"#, r#"{"iss":"i","sub":"s","client_id":"c"}"#, AccessToken, "client_id"),
            (r#"{"alg":"RS256"}"#, r#"{"iss":"i","sub":"s","scope":"a"}"#, AccessToken, "scope"),
            (r#"{"alg":"ES256","typ":"dpop+jwt"}"#, r#"{"htu":"https://a/","scope":"a"}"#, Token, "one request"),
            (r#"{"alg":"RS256","typ":"at+jwt"}"#, r#"{"iss":"i","nonce":"n"}"#, AccessToken, "at+jwt"),
            (r#"{"alg":"RS256","typ":"application/AT+JWT"}"#, r#"{"iss":"i"}"#, AccessToken, "at+jwt"),
            (r#"{"alg":"RS256","typ":"JWT"}"#, r#"{"iss":"i","typ":"ID","scope":"openid"}"#, IdToken, "typ claim"),
            (r#"{"alg":"HS512"}"#, r#"{"iss":"i","typ":"Offline","scope":"a"}"#, RefreshToken, "typ claim"),
            (r#"{"alg":"RS256"}"#, r#"{"iss":"i","sub":"s","aud":"c","at_hash":"h"}"#, IdToken, "at_hash"),
            (r#"{"alg":"RS256"}"#, r#"{"iss":"i","sub":"s","aud":"c","nonce":"n"}"#, IdToken, "nonce"),
            (r#"{"alg":"RS256"}"#, r#"{"iss":"i","sub":"s","aud":"c","azp":"c"}"#, IdToken, "azp"),
            (r#"{"alg":"RS256"}"#, r#"{"iss":"i","sub":"s","aud":"https://a","azp":"c"}"#, Token, "not classified"),
            (r#"{"alg":"RS256"}"#, r#"{"iss":"i","sub":"s","aud":"c","kid":"k"}"#, IdToken, "kid claim"),
            (r#"{"alg":"RS256"}"#, r#"{"iss":"i","nonce":"n","scope":"a"}"#, Token, "scope and also nonce"),
            (r#"{"alg":"RS256"}"#, r#"{"iss":"i","sub":"s","wlcg.ver":"1.0"}"#, Token, "wlcg.ver"),
            (
                r#"{"alg":"RS256"}"#,
                r#"{"iss":"i","sub":"s","wlcg.ver":"1.0","aud":"https://wlcg.cern.ch/jwt/v1/any"}"#,
                AccessToken,
                "wildcard",
            ),
            (r#"{"alg":"RS256"}"#, r#"{"iss":"c","sub":"c","aud":"https://i/token"}"#, Token, "client assertion"),
            (r#"{"alg":"none"}"#, r#"{"jti":"x"}"#, RefreshToken, "unsigned"),
            (r#"{"alg":"RS256"}"#, r#"{"jti":"x"}"#, Token, "not classified"),
            (r#"{"alg":"RS256"}"#, r#"{"iss":"i","aud":"c","iat":1,"jti":"x"}"#, RegistrationToken, "only iss"),
            (r#"{"alg":"RS256"}"#, r#"{"iss":"i","sub":"s","scope":null}"#, Token, "not classified"),
        ] {
            let got = only(collect(&token(header, payload), Syntax::Jwt));
            assert_eq!(got.kind, kind, "{header} {payload}: {}", got.evidence);
            assert!(got.evidence.contains(why), "{header} {payload}: {}", got.evidence);
        }
    }

    #[test]
    fn times_are_seconds_or_malformed() {
        for (exp, value, lifetime) in [
            ("1700003600", "1700003600", "3600"),
            ("1700003600.9", "1700003600", "3600"),
            ("1.7000036e9", "1700003600", "3600"),
            ("-1.5", "-2", "-1700000002"),
            ("100000000000", "100000000000", "98300000000"),
            ("1700003600000", "milliseconds", "milliseconds"),
            ("253402300800", "too large", "too large"),
            ("9223372036854775808", "too large", "too large"),
            ("1e400", "too large", "too large"),
            ("\"1700003600\"", "a string stands there", "a string stands there"),
            ("\"${EXP}\"", "template", "template"),
            ("null", "null stands there", "null stands there"),
            ("true", "a boolean stands there", "a boolean"),
        ] {
            let got = only(json(&format!(r#"{{"iss":"i","nbf":1700000000,"exp":{exp}}}"#)));
            assert!(got.get("exp").contains(value), "{exp}: {}", got.get("exp"));
            assert!(got.get("lifetime").contains(lifetime), "{exp}: {}", got.get("lifetime"));
        }
    }

    #[test]
    fn lifetime_starts_at_nbf_else_at_iat() {
        for (claims, lifetime, backdating) in [
            (r#""nbf":100,"iat":160,"exp":400"#, "300", "60"),
            (r#""nbf":200,"iat":160,"exp":400"#, "200", "-40"),
            (r#""iat":160,"exp":400"#, "240", ""),
            (r#""iat":160"#, "unlimited", ""),
            (r#""exp":400"#, "unknown: neither nbf nor iat says when the token becomes valid", ""),
            (r#""iat":"160","exp":400"#, "malformed: a number of seconds is expected, a string stands there", ""),
        ] {
            let got = only(json(&format!(r#"{{"iss":"i","sub":"s",{claims}}}"#)));
            assert_eq!((got.get("lifetime"), got.get("backdating")), (lifetime, backdating), "{claims}");
        }
    }

    #[test]
    fn identifiers_bindings_and_bare_claims_are_read() {
        let got = only(json(
            r#"{"iss":"i","sub":"s","voperson_id":"a@b","eduperson_entitlement":"urn:geant:x:group:v",
                "eduperson_scoped_affiliation":"member@b","voperson_external_affiliation":["staff@c"],
                "cnf":{"jkt":"thumb","x5t#S256":"hash"},"email":"","groups":[],"address":{},"nonce":null,"act":"x"}"#,
        ));
        for (field, value) in [
            ("voperson_id", "a@b"),
            ("entitlements", "urn:geant:x:group:v"),
            ("entitlement_claims", "eduperson_entitlement"),
            ("affiliations", "member@b staff@c"),
            ("cnf.jkt", "thumb"),
            ("cnf.x5t_s256", "hash"),
            ("empty_claims", "email groups address nonce"),
            ("mistyped_claims", "act"),
        ] {
            assert_eq!(got.get(field), value, "{field}");
        }
    }

    #[test]
    fn claims_of_wrong_type_are_named() {
        let got = only(json(r#"{"iss":7,"sub":"s","aud":["a",1],"exp":"1","nbf":null,"iat":1.5,"jti":{}}"#));
        assert_eq!(got.get("mistyped_claims"), "iss aud exp nbf jti");
        let got = only(json(r#"{"iss":"i","sub":"s","aud":["a"],"exp":1,"jti":"j"}"#));
        assert_eq!(got.get("mistyped_claims"), "");
    }

    #[test]
    fn groups_have_roots() {
        for (groups, roots, pointer) in [
            (r#"["/cms","/cms/uscms"]"#, "cms", "/wlcg.groups"),
            (r#"["/cms/uscms","/cms","/atlas/x"]"#, "cms atlas", "/wlcg.groups/2"),
            (r#"["cms","/",""]"#, "", "/wlcg.groups"),
            ("[]", "", "/wlcg.groups"),
        ] {
            let got = only(json(&format!(r#"{{"iss":"i","sub":"s","scope":"a","wlcg.groups":{groups}}}"#)));
            assert_eq!((got.get("wlcg.roots"), got.pointers["wlcg.roots"].as_str()), (roots, pointer), "{groups}");
        }
        let got = only(json(r#"{"iss":"i","sub":"s","scope":"a","wlcg.groups":"/cms"}"#));
        assert!(got.get("wlcg.roots").starts_with("malformed"), "a text is no list");
    }

    #[test]
    fn scopes_are_read_in_every_spelling() {
        for (claims, scopes, form) in [
            (r#""scope":"a b""#, "a b", "string"),
            (r#""scope":["a","b"]"#, "a b", "array"),
            (r#""scp":["a","b"]"#, "a b", "scp"),
            (r#""scp":"a b""#, "a b", "scp"),
            (r#""scope":"""#, "", "string"),
            (r#""scope":null,"scp":["a"]"#, "a", "scp"),
            (r#""scope":5"#, "malformed: a space-separated string is expected, a number stands there", ""),
        ] {
            let got = only(json(&format!(r#"{{"iss":"i","sub":"s",{claims}}}"#)));
            assert_eq!((got.get("scope"), got.get("scope_form")), (scopes, form), "{claims}");
        }
    }

    #[test]
    fn what_a_decoded_form_hides_is_unknown() {
        let got = json(WLCG);
        assert_eq!(got.kinds, ["jwt-claims"]);
        let got = only(got);
        assert_eq!(got.get("header.alg"), "unknown: the header is not shown");
        assert_eq!(got.get("signed"), "unknown: the signature is not shown");
        assert_eq!((got.get("size"), got.pointers["exp"].as_str()), ("", "/exp"));

        let got = json(r#"{"header":{"alg":"RS256"},"payload":{"sub":"s","scope":"a"},"signature":"dGVzdA"}"#);
        assert_eq!(
            (got.kinds.as_slice(), got.secrets.as_slice()),
            (&["decoded-jwt"][..], &["/signature".to_string()][..])
        );
        let got = only(got);
        assert_eq!((got.get("header.alg"), got.get("signed")), ("RS256", "true"));
        assert_eq!(
            (got.pointers["header.alg"].as_str(), got.pointers["sub"].as_str()),
            ("/header/alg", "/payload/sub")
        );
    }

    #[test]
    fn lists_of_decoded_tokens_are_read_to_the_end() {
        let one = r#"{"db":{"id":1},"header":{"alg":"RS256"},"claims":{"sub":"s","scope":"a"}}"#;
        let filler = " ".repeat(1 << 20);
        let got = json(&format!("[{}{filler},{{\"x\":1}},7]", [one; 12].join(",")));
        assert_eq!((got.kinds.as_slice(), got.targets.len()), (&["decoded-jwt"][..], 12));
        assert_eq!(got.targets[11].pointers["sub"], "/11/claims/sub");
        assert_eq!(got.errors.len(), 2, "{:?}", got.errors);
    }

    #[test]
    fn a_token_response_names_its_tokens() {
        let access = token(r#"{"alg":"RS256"}"#, r#"{"iss":"i","sub":"s"}"#);
        let id = token(r#"{"alg":"RS256"}"#, r#"{"iss":"i","sub":"s","aud":"c"}"#);
        let refresh = token(r#"{"alg":"none"}"#, r#"{"jti":"test-refresh-id"}"#);
        let got = json(&format!(
            r#"{{"access_token":"{access}","id_token":"{id}","refresh_token":"{refresh}","token_type":"Bearer"}}"#
        ));
        assert_eq!(got.kinds, ["token-response"]);
        let kinds: Vec<_> = got.targets.iter().map(|target| target.kind).collect();
        assert_eq!(kinds, [TargetKind::AccessToken, TargetKind::IdToken, TargetKind::RefreshToken]);
        assert_eq!(got.targets[0].evidence, "access token: stands as access_token in a token response");
        assert_eq!(got.targets[0].pointers["sub"], "(2)/sub");
        assert_eq!(got.secrets, ["/refresh_token"]);
        assert!(!format!("{got:?}").contains("test-refresh-id"), "an unsigned refresh token is its jti");

        let got = json(r#"{"access_token":"opaque","refresh_token":"ey.a.b.c.d","token_type":"Bearer"}"#);
        assert!(got.targets.is_empty() && got.errors.is_empty(), "opaque and encrypted tokens are no errors");
        assert_eq!(got.secrets, ["/access_token", "/refresh_token"]);

        let got = json(r#"{"access_token":"eyJ.e30.AAAA","token_type":"Bearer"}"#);
        assert_eq!((got.targets.len(), got.errors.len(), got.secrets.len()), (0, 1, 1), "{got:?}");
    }

    #[test]
    fn an_introspection_answer_need_not_show_everything() {
        let got = json(r#"{"active":true,"sub":"s","scope":"a b","token_type":"Bearer"}"#);
        assert_eq!(got.kinds, ["introspection-response"]);
        let got = only(got);
        assert_eq!((got.kind, got.get("scope")), (TargetKind::AccessToken, "a b"));
        for field in ["exp", "lifetime", "aud", "wlcg.ver", "header.alg"] {
            assert!(got.get(field).starts_with("unknown: "), "{field}: {}", got.get(field));
        }
        assert_eq!(only(json(r#"{"active":true,"sub":"s","scope":"a"}"#)).kind, TargetKind::Token);
        let got = json(r#"{"active":false}"#);
        assert_eq!((got.kinds.as_slice(), got.targets.len()), (&["introspection-response"][..], 0));
    }

    #[test]
    fn other_documents_are_left_alone() {
        for (text, remark) in [
            (r#"{"client_id":"c","client_name":"n","active":true,"scope":"a","redirect_uris":[]}"#, "an IAM client"),
            (r#"{"client_id":"c","client_secret":"x","access_token":"a","id_token":"b"}"#, "a registration"),
            (r#"{"sub":"s","name":"n"}"#, "userinfo"),
            (r#"{"active":true}"#, "anything"),
            (r#"{"active":false,"name":"n"}"#, "anything"),
            (r#"{"header":{},"payload":{}}"#, "a message"),
            (r#"[{"iss":"a"}]"#, "a list"),
            (r#"{"access_token":"x"}"#, "settings"),
            ("7", "a number"),
        ] {
            let own = |kind: &&str| Tokens.kinds().iter().any(|own| own.name == *kind);
            assert!(!json(text).kinds.iter().any(own), "{remark}: {text}");
        }
    }

    #[test]
    fn a_token_whose_payload_is_no_object_is_an_error() {
        let got = collect(&token(r#"{"alg":"RS256"}"#, "[1]"), Syntax::Jwt);
        assert!(got.targets.is_empty());
        assert_eq!((got.errors.len(), got.secrets.as_slice()), (1, &["/0".to_string()][..]));
    }

    proptest::proptest! {
        #[test]
        fn any_claims_are_read_without_panic(
            values in proptest::collection::vec(
                proptest::sample::select(vec![
                    "0", "-1", "1e999", "-0.5", "9223372036854775807", "1700000000", "null", "true", "[]", "[1,\"a\"]",
                    "{}", "\"\"", "\"a b\"", "\"none\"", "\"\\ud800\"", "\"${X}\"",
                ]),
                14,
            ),
        ) {
            let names = [
                "iss", "sub", "aud", "exp", "nbf", "iat", "jti", "scope", "scp", "typ", "azp", "nonce", "entitlements",
                "eduperson_entitlement",
            ];
            let members: Vec<_> = names.iter().zip(&values).map(|(name, value)| format!("{name:?}:{value}")).collect();
            let got = only(json(&format!("{{{}}}", members.join(","))));
            proptest::prop_assert!(!got.evidence.is_empty());
        }
    }

    #[test]
    #[expect(clippy::print_stderr, reason = "says that a test did not run")]
    fn recorded_tokens_are_read_without_loss() {
        let shared = std::env::var("TOKENVET_SHARED")
            .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared").into());
        let Ok(files) = std::fs::read_dir(format!("{shared}/oracles/tokens")) else {
            eprintln!("skipped: no recorded tokens beside the project");
            return;
        };
        let mut read = 0;
        for file in files {
            let path = file.expect("a directory entry").path();
            let Ok(text) = String::from_utf8(std::fs::read(&path).expect("readable")) else { continue };
            let got = collect(&text, Syntax::Jwt);
            assert!(got.targets.len() == 1 || !got.errors.is_empty(), "{}: neither read nor refused", path.display());
            read += got.targets.len();
        }
        assert!(read > 150, "only {read} tokens were read");
    }
}
