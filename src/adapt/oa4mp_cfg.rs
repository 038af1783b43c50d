//! OA4MP: a client's `cfg` on its own (`tokens.access`, `tokens.refresh`, `tokens.identity`).
//!
//! Lifetimes are milliseconds. A handler with `qdl` scripts decides lifetime and scopes when it runs, so these are
//! unknown here; a lifetime that is not set is the server's default, which this file does not show either. Scopes
//! come from `templates`: operation and path, an empty path meaning anywhere.

use super::{Adapter, Kind, Reader, Sink};
use crate::model::{Client, Field, State, Target, TargetKind, duration};
use crate::parse::{Cursor, Document};

/// The adapter.
pub(super) struct Oa4mpCfg;

const KIND: &str = "oa4mp-client-cfg";
const SCRIPT: &str = "a QDL script decides it when the token is made";
const SERVER_DEFAULT: &str = "the server's default holds, which is not in this file";
const HANDLERS: [&str; 3] = ["access", "refresh", "identity"];

impl Adapter for Oa4mpCfg {
    fn kinds(&self) -> &'static [Kind] {
        &[Kind {
            name: KIND,
            doc: "OA4MP client configuration (the cfg member of a client, kept in a file of its own)",
            targets: &[TargetKind::Client],
        }]
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        let tokens = document.root().get("tokens").filter(|tokens| tokens.is_map())?;
        let known = tokens.entries().all(|(name, handler)| HANDLERS.contains(&name) && handler.is_map());
        let own = ["type", "qdl", "templates", "lifetime"];
        let shaped = tokens.items().any(|handler| own.iter().any(|name| handler.has(name)));
        // A registration that carries its cfg along is read as a registration.
        (known && shaped && !document.root().has("client_id")).then_some(KIND)
    }

    fn adapt(&self, document: &Document, _kind: &'static str, sink: &mut dyn Sink) {
        let Some(tokens) = Reader::new(document.root()).map("tokens") else { return };
        let access = tokens.map("access");
        let text = |name: &str| access.map(|access| access.text(name)).unwrap_or_default();
        let lifetime = |handler: &str| tokens.map(handler).map(|handler| lifetime(&handler)).unwrap_or_default();
        let record = Client {
            issuer: text("issuer"),
            product: Field::text("oa4mp", None),
            scopes: access.map(|access| scopes(&access)).unwrap_or_default(),
            audience: access.map(|access| access.text_or_texts("audience")).unwrap_or_default(),
            token_profile: text("type"),
            lifetime_access_token: lifetime("access"),
            lifetime_refresh_token: lifetime("refresh"),
            lifetime_id_token: lifetime("identity"),
            active: Field::bool(true, None),
            ..Client::default()
        };
        let kind = text("type");
        let target = Target {
            evidence: match kind.as_text() {
                Some(kind @ ("wlcg" | "sci_token" | "default" | "rfc9068")) => {
                    format!("access tokens of type {kind}").into()
                }
                _ => String::new().into(),
            },
            ..Target::new(TargetKind::Client, "OA4MP client configuration", record)
        };
        sink.target(&[document], target);
    }
}

/// The scripts of a handler, which decide over whatever else it says.
pub(super) fn scripted(handler: &Reader<'_>) -> Option<crate::model::At> {
    handler.at("qdl").or(handler.at("script"))
}

/// The lifetime a handler sets: milliseconds, as a number or (in newer versions) a text with a unit.
pub(super) fn lifetime<'d>(handler: &Reader<'d>) -> Field<'d> {
    if let Some(at) = scripted(handler) {
        return Field::unknown(SCRIPT, at);
    }
    let field = duration::field(
        handler.any_text("lifetime"),
        |text| duration::with_unit(text, duration::BareUnit::Milliseconds),
        "a number of milliseconds is expected",
    );
    match (&field.state, field.as_int()) {
        (State::Absent, _) => Field::unknown(SERVER_DEFAULT, field.at),
        (_, Some(number)) if number < 0 => Field::unknown(SERVER_DEFAULT, field.at),
        _ => field,
    }
}

/// The scopes of the templates, `operation:path`; a path with variables is decided for each user.
fn scopes<'d>(access: &Reader<'d>) -> Field<'d> {
    if let Some(at) = scripted(access) {
        return Field::unknown(SCRIPT, at);
    }
    let Some(templates) = access.cursor().get("templates") else { return Field::default() };
    let paths = templates.items().filter_map(|template| template.get("paths")).flat_map(Cursor::items);
    let scope = |entry: Cursor<'d>| {
        let entry = Reader::new(entry);
        let (operation, path) = (entry.text("op"), entry.text("path"));
        let Some(op) = operation.as_text() else { return operation };
        match (&path.state, path.as_text()) {
            (State::Absent, _) | (_, Some("")) => Field::text(op.to_string(), operation.at),
            (_, Some(under)) => Field::text(format!("{op}:{under}"), path.at),
            _ => path,
        }
    };
    Field::list(paths.filter(|entry| entry.is_map()).map(scope).collect(), access.place(templates))
}

#[cfg(test)]
mod tests {
    use crate::adapt::testing::collect;
    use crate::parse::Syntax;

    #[test]
    fn milliseconds_become_seconds_and_templates_scopes() {
        let got = collect(
            r#"{"tokens": {
                "access": {"type": "wlcg", "issuer": "https://issuer.test", "audience": ["ANY"], "lifetime": 750019,
                    "templates": [{"aud": "ANY", "paths": [
                        {"op": "storage.read", "path": "/home/${sub}"}, {"op": "storage.stage", "path": "/data"},
                        {"op": "compute.create", "path": ""}]}]},
                "refresh": {"lifetime": "30 days"},
                "identity": {"type": "identity"}}}"#,
            Syntax::Json,
        );
        assert_eq!(got.kinds, ["oa4mp-client-cfg"]);
        let client = &got.targets[0];
        assert_eq!(client.get("lifetimes.access_token"), "751");
        assert_eq!(client.get("lifetimes.refresh_token"), "2592000");
        assert_eq!(client.pointers["lifetimes.access_token"], "/tokens/access/lifetime");
        assert!(client.get("lifetimes.id_token").starts_with("unknown: the server's default"));
        assert_eq!(client.get("audience"), "ANY");
        assert_eq!(
            client.get("scopes"),
            "unknown: a template placeholder stands in its place storage.stage:/data compute.create"
        );
        assert_eq!(client.get("token_profile"), "wlcg");
        assert_eq!(client.evidence, "access tokens of type wlcg");
    }

    #[test]
    fn scripts_make_lifetime_and_scopes_unknown() {
        let got = collect(
            r#"{"tokens": {"access": {"type": "sci_token", "audience": "https://a.test", "lifetime": 900000,
                "qdl": [{"load": "at.qdl"}]}}}"#,
            Syntax::Json,
        );
        let client = &got.targets[0];
        assert!(client.get("lifetimes.access_token").starts_with("unknown: a QDL script"));
        assert!(client.get("scopes").starts_with("unknown: a QDL script"));
        assert_eq!(client.get("lifetimes.refresh_token"), "", "no refresh handler, nothing said");
    }

    #[test]
    fn similar_files_are_left_alone() {
        for (text, remark) in [
            (r#"{"client_id": "a", "tokens": {"access": {"type": "wlcg"}}}"#, "a registration"),
            (r#"{"tokens": {"access": "abc"}}"#, "tokens themselves"),
            (r#"{"tokens": {"access": {"type": "wlcg"}, "other": {}}}"#, "another handler"),
            (r#"{"tokens": [{"type": "access"}]}"#, "a list"),
            (r#"{"tokens": {}}"#, "empty"),
        ] {
            assert!(collect(text, Syntax::Json).kinds.iter().all(|kind| *kind != super::KIND), "{remark}");
        }
    }
}
