//! INDIGO IAM listings and OPA files that are recognised, so that nobody wonders, but hold nothing to judge.

use super::{Adapter, Kind, Sink};
use crate::parse::{Cursor, Data, Document};

/// Adapter for these documents.
pub(super) struct IndigoIamOther;

const TOKENS: &str = "indigo-iam-token-list";
const SCOPES: &str = "indigo-iam-system-scopes";
const OPA_INPUT: &str = "opa-iam-input";
const OPA_CONFIG: &str = "opa-config";

impl Adapter for IndigoIamOther {
    fn kinds(&self) -> &'static [Kind] {
        &[
            Kind {
                name: TOKENS,
                doc: "INDIGO IAM token listing (/iam/api/access-tokens, /iam/api/refresh-tokens); token values are \
                      masked and not judged: their lifetime follows the client's, and a listing is a page of many",
                targets: &[],
            },
            Kind {
                name: SCOPES,
                doc: "rows of INDIGO IAM's table system_scope; what a scope grants is judged where a client may have it",
                targets: &[],
            },
            Kind {
                name: OPA_INPUT,
                doc: "input of one OPA decision about INDIGO IAM scopes: a question to the policies, not a policy",
                targets: &[],
            },
            Kind {
                name: OPA_CONFIG,
                doc: "configuration of an OPA server: where it fetches policies; the policies are other documents",
                targets: &[],
            },
        ]
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        let root = document.root();
        if let Some(list) = token_list(root) {
            // Refresh tokens are listed without scopes.
            let token = |item: Cursor| {
                item.has("value") && item.has("client") && (item.has("scopes") || item.has("expiration"))
            };
            let empty = root.has("totalResults") && list.items().next().is_none();
            return (!empty && list.items().next().is_some_and(token)).then_some(TOKENS);
        }
        if root.is_seq() {
            let row = |item: Cursor| item.has("scope") && item.has("restricted") && item.has("default_scope");
            return root.items().next().is_some_and(row).then_some(SCOPES);
        }
        let scopes = root.get("scopes").is_some_and(Cursor::is_seq);
        if scopes && root.path(&["user", "groups"]).is_some_and(Cursor::is_seq) {
            return Some(OPA_INPUT);
        }
        let bundles = root.get("bundles").filter(|bundles| bundles.is_map());
        let resource = bundles.and_then(|bundles| bundles.items().next()).is_some_and(|bundle| bundle.has("resource"));
        (resource && (root.has("services") || root.has("default_decision"))).then_some(OPA_CONFIG)
    }

    fn adapt(&self, document: &Document, kind: &'static str, sink: &mut dyn Sink) {
        let Some(list) = token_list(document.root()).filter(|_| kind == TOKENS) else { return };
        // Only administrators get this listing; token values are what it is made of.
        sink.secrets_expected();
        let mut shown = 0;
        for entry in list.items() {
            shown += 1;
            if *entry.data() == Data::Skipped {
                // The whole element: reading it for its one secret would not tell more.
                sink.secret(document, entry.id);
            } else if let Some(value) = entry.get("value") {
                sink.secret(document, value.id);
            }
        }
        if let Some((total, at)) =
            document.root().get("totalResults").and_then(|total| Some((total.as_i64()?, total.id)))
        {
            sink.paging(list.id, shown, (at, total));
        }
    }
}

/// The list of a paged answer. IAM writes `Resources`, its documentation `resources`.
fn token_list(root: Cursor<'_>) -> Option<Cursor<'_>> {
    root.get("Resources").or_else(|| root.get("resources")).filter(|list| list.is_seq())
}

#[cfg(test)]
mod tests {
    use crate::adapt::testing::collect;
    use crate::parse::Syntax;

    #[test]
    fn token_listings_are_masked_and_counted() {
        for member in ["Resources", "resources"] {
            let json = format!(
                r#"{{"totalResults":7,"itemsPerPage":1,"startIndex":1,"{member}":[{{"id":6,"value":"test","scopes":[],"client":{{}}}}]}}"#
            );
            let collected = collect(&json, Syntax::Json);
            assert_eq!(collected.kinds, ["indigo-iam-token-list"]);
            assert_eq!(collected.secrets, [format!("/{member}/0/value")]);
            assert_eq!(collected.paging, Some((1, 7)));
            assert!(collected.targets.is_empty());
        }
    }

    #[test]
    fn documents_without_anything_to_judge_are_named() {
        for (json, expected) in [
            (r#"[{"id":1,"scope":"openid","restricted":0,"default_scope":1}]"#, Some("indigo-iam-system-scopes")),
            (r#"{"user":{"id":"u","groups":["g"]},"scopes":["openid"]}"#, Some("opa-iam-input")),
            (r#"{"services":{"g":{"url":"u"}},"bundles":{"iam":{"resource":"r"}}}"#, Some("opa-config")),
            (r#"{"services":{"web":{"image":"nginx"}}}"#, None),
            (r#"{"Resources":[{"id":1,"value":"t","expiration":"2026","client":{}}]}"#, Some("indigo-iam-token-list")),
            (r#"{"Resources":[],"totalResults":0}"#, None),
            (r#"{"Resources":[{"client_id":"a","scope":"openid"}]}"#, None),
        ] {
            assert_eq!(collect(json, Syntax::Json).kinds.first().copied(), expected, "{json}");
        }
    }
}
