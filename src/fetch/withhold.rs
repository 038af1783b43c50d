//! Secrets are dropped on arrival: what is kept of an answer has a marker in their places and is the same otherwise, byte
//! for byte.

use crate::adapt::has_seeded_secret;
use crate::adapt::is_placeholder;
use crate::adapt::withheld::{WITHHELD, WITHHELD_DEFAULT};
use crate::parse::{Cursor, Data, Document, NodeId, ParseError, Syntax, parse};
use crate::source::{Source, Span, mask, secret_names};
use std::sync::Arc;

/// How deep JSON may be nested in strings of JSON; real answers hold one level (INDIGO IAM's `jwk`).
const MAX_NESTED: usize = 4;

/// An answer without its secrets.
#[derive(Debug)]
pub(super) struct Clean {
    /// The text.
    pub(super) text: String,
    /// How many values were withheld.
    pub(super) withheld: usize,
}

/// Takes the secrets out of JSON text. Text that cannot be read is an error and is not kept.
pub(super) fn withhold(text: String) -> Result<Clean, ParseError> {
    clean(text, 0)
}

fn clean(text: String, nested: usize) -> Result<Clean, ParseError> {
    let source = Arc::new(Source::from_text("answer", text));
    let (documents, errors) = parse(&source, Syntax::Json);
    if let Some(error) = errors.into_iter().next() {
        return Err(error);
    }
    let mut edits = Edits { nested, found: Vec::new() };
    for document in &documents {
        edits.document(document)?;
    }
    let mut found = edits.found;
    found.sort_by_key(|(span, _)| span.start);
    let mut text = String::with_capacity(source.text().len());
    let mut from = 0;
    for (span, replacement) in &found {
        let range = span.range();
        text.push_str(&source.text()[from..range.start]);
        text.push_str(replacement);
        from = range.end;
    }
    text.push_str(&source.text()[from..]);
    Ok(Clean { text, withheld: found.len() })
}

/// What is to be replaced, and by what JSON text.
struct Edits {
    nested: usize,
    found: Vec<(Span, String)>,
}

impl Edits {
    /// Goes through a document; elements of large lists are read one at a time.
    fn document(&mut self, document: &Document) -> Result<(), ParseError> {
        // Node, whether it is a secret by the name of something around it, and that name.
        let mut open: Vec<(NodeId, Option<&str>)> = vec![(NodeId::ROOT, None)];
        while let Some((id, secret)) = open.pop() {
            let at = document.cursor(id);
            match at.data() {
                Data::Skipped => self.document(&document.element_at(id, String::new())?)?,
                Data::Seq => open.extend(at.items().map(|item| (item.id, secret))),
                Data::Map => {
                    let key = is_key(at);
                    let seeded = has_seeded_secret(at);
                    for (name, member) in at.entries() {
                        if seeded && name == "client_secret" {
                            self.replace(member, WITHHELD_DEFAULT);
                            continue;
                        }
                        let own = secret_names::is_secret_key(name) || (key && mask::is_private_jwk_member(name));
                        open.push((member.id, if own { Some(name) } else { secret }));
                    }
                }
                Data::Null | Data::Bool(_) => {}
                Data::Number if secret.is_some() => self.replace(at, WITHHELD),
                Data::Number => {}
                Data::Text(_) => self.text(at, secret),
            }
        }
        Ok(())
    }

    fn text(&mut self, at: Cursor<'_>, secret: Option<&str>) {
        let Some(text) = at.as_str() else { return };
        if let Some(name) = secret {
            // Switches and lifetimes of tokens have names that sound like the tokens'.
            let harmless = matches!(text, "" | "true" | "false") || mask::is_token_lifetime(name, text);
            if !harmless && !is_placeholder(text) {
                self.replace(at, WITHHELD);
            }
            return;
        }
        if text.trim_start().starts_with(['{', '[']) {
            if self.nested + 1 >= MAX_NESTED {
                return self.replace(at, WITHHELD);
            }
            if let Ok(inner) = clean(text.to_string(), self.nested + 1) {
                if inner.withheld > 0 {
                    self.replace(at, &inner.text);
                }
                return;
            }
        }
        let shown = mask::redact(text);
        if shown != text {
            self.replace(at, &shown);
        }
    }

    fn replace(&mut self, at: Cursor<'_>, text: &str) {
        self.found.push((at.span(), serde_json::Value::from(text).to_string()));
    }
}

/// True for a JSON Web Key, also for a broken one without its type.
fn is_key(at: Cursor<'_>) -> bool {
    ["kty", "n", "crv", "x5c"].iter().any(|name| at.has(name)) || (at.has("k") && (at.has("kid") || at.has("alg")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(text: &str) -> String {
        withhold(text.to_string()).expect("JSON").text
    }

    #[test]
    fn secrets_are_replaced_and_nothing_else_is_touched() {
        for (text, expected, remark) in [
            (
                r#"{ "client_id" : "a",  "client_secret":"geheim", "x": 1 }"#,
                r#"{ "client_id" : "a",  "client_secret":"withheld by tokenvet", "x": 1 }"#,
                "blanks and order stay",
            ),
            (
                r#"{"client_secret":"geheim","client_secret":"geheim"}"#,
                r#"{"client_secret":"withheld by tokenvet","client_secret":"withheld by tokenvet"}"#,
                "both of a repeated key",
            ),
            (
                r#"{"registration_access_token":12345}"#,
                r#"{"registration_access_token":"withheld by tokenvet"}"#,
                "a number",
            ),
            (
                r#"{"client_id":"client","client_secret":"secret"}"#,
                r#"{"client_id":"client","client_secret":"withheld by tokenvet: known to everybody"}"#,
                "the seeded client",
            ),
            (
                r#"{"client_id":"other","client_secret":"secret"}"#,
                r#"{"client_id":"other","client_secret":"withheld by tokenvet"}"#,
                "another client",
            ),
            (
                r#"{"client_secret":null,"secret":"","password":"**********"}"#,
                r#"{"client_secret":null,"secret":"","password":"**********"}"#,
                "nothing there, or masked already",
            ),
            (
                r#"{"keys":[{"kty":"EC","x":"AA","d":"geheim"},{"n":"AA","p":"geheim","oth":[{"r":"geheim"}]}]}"#,
                r#"{"keys":[{"kty":"EC","x":"AA","d":"withheld by tokenvet"},{"n":"AA","p":"withheld by tokenvet","oth":[{"r":"withheld by tokenvet"}]}]}"#,
                "private members of keys",
            ),
            (r#"{"d":"1 day","k":"v"}"#, r#"{"d":"1 day","k":"v"}"#, "the same names elsewhere"),
            (
                r#"{"config":{"privateKey":["geheim"],"keySize":["2048"]}}"#,
                r#"{"config":{"privateKey":["withheld by tokenvet"],"keySize":["2048"]}}"#,
                "lists of values",
            ),
            (
                r#"{"attributes":{"client_credentials.use_refresh_token":"true"}}"#,
                r#"{"attributes":{"client_credentials.use_refresh_token":"true"}}"#,
                "a switch",
            ),
            (
                r#"{"accessTokenLifespan":300,"reuse_refresh_token":true}"#,
                r#"{"accessTokenLifespan":300,"reuse_refresh_token":true}"#,
                "settings",
            ),
            (
                r#"{"jwk":"{\"keys\":[{\"kty\":\"oct\",\"k\":\"geheim\"}]}"}"#,
                r#"{"jwk":"{\"keys\":[{\"kty\":\"oct\",\"k\":\"withheld by tokenvet\"}]}"}"#,
                "JSON in a string",
            ),
            (r#"{"jwk":"{\"keys\":[]}"}"#, r#"{"jwk":"{\"keys\":[]}"}"#, "JSON in a string without any"),
            (
                r#"{"uri":"https://user:geheim@h.example/"}"#,
                r#"{"uri":"https://user:******@h.example/"}"#,
                "the password of a URL",
            ),
            (
                r#"{"note":"-----BEGIN PRIVATE KEY-----\ngeheim\n-----END PRIVATE KEY-----"}"#,
                r#"{"note":"-----BEGIN PRIVATE KEY-----\n******\n-----END PRIVATE KEY-----"}"#,
                "a key in a text",
            ),
            (
                r#"{"credentials":{"a":{"b":["geheim"]}}}"#,
                r#"{"credentials":{"a":{"b":["withheld by tokenvet"]}}}"#,
                "all below a secret's name",
            ),
        ] {
            assert_eq!(cleaned(text), expected, "{remark}");
        }
    }

    #[test]
    fn large_lists_are_cleaned_to_the_end() {
        let filler = "x".repeat(3000);
        let client = |n: usize| format!(r#"{{"client_id":"c{n}","client_secret":"geheim-{n}","f":"{filler}"}}"#);
        let clients: Vec<String> = (0..500).map(client).collect();
        let text = format!(r#"{{"Resources":[{}]}}"#, clients.join(","));
        let clean = withhold(text).expect("JSON");
        assert!(!clean.text.contains("geheim"));
        assert_eq!(clean.withheld, 500);
    }

    #[test]
    fn json_in_json_in_json_hides_nothing() {
        let mut text = r#"{"client_secret":"geheim"}"#.to_string();
        for _ in 0..8 {
            text = format!(r#"{{"a":{}}}"#, serde_json::Value::from(text));
            assert!(!cleaned(&text).contains("geheim"));
        }
    }

    #[test]
    fn broken_text_is_refused() {
        for text in ["", "{", "<html>", &"[".repeat(100_000)] {
            assert!(withhold(text.to_string()).is_err());
        }
    }
}
