//! What is known of products, ready to be asked, and the values that go into commands.

use super::raw::{Can, Handle, Part, RawProduct};
use crate::source::mask;
use regex::Regex;
use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

/// All products.
#[derive(Debug)]
pub struct Book {
    /// By name.
    pub products: Vec<RawProduct>,
}

/// The product that stands for issuers of which nothing is known.
pub const ANY_ISSUER: &str = "oauth";

impl Book {
    /// The built-in products. The error is a defect of our data.
    pub fn builtin() -> Result<Arc<Book>, String> {
        static BOOK: LazyLock<Result<Arc<Book>, String>> = LazyLock::new(|| {
            let json = include_str!(concat!(env!("OUT_DIR"), "/incident.json"));
            let products: Vec<RawProduct> =
                serde_json::from_str(json).map_err(|error| format!("incident products: {error}"))?;
            let book = Book { products };
            book.products.iter().try_for_each(complete)?;
            match book.find(ANY_ISSUER, Part::Issuer) {
                Some(_) => Ok(Arc::new(book)),
                None => Err(format!("incident products: {ANY_ISSUER} is missing")),
            }
        });
        BOOK.clone()
    }

    /// The product of this name.
    pub fn find(&self, product: &str, role: Part) -> Option<&RawProduct> {
        self.products.iter().find(|known| known.product == product && known.role == role)
    }

    /// What is known of an issuer's product; of others what holds for every OAuth server.
    pub fn issuer(&self, product: Option<&str>) -> &RawProduct {
        let known = product.and_then(|product| self.find(product, Part::Issuer));
        let any = || self.products.iter().find(|known| known.product == ANY_ISSUER);
        known.or_else(any).expect("loading made sure of it")
    }
}

/// Nothing is missing that a page needs.
fn complete(product: &RawProduct) -> Result<(), String> {
    let name = &product.product;
    let fail = |what: &str| Err(format!("incident product {name}: {what}"));
    if product.sources.is_empty() || product.evidence.is_empty() || product.title.is_empty() {
        return fail("title, sources and evidence are needed");
    }
    match product.role {
        Part::Service => {
            let handles: Vec<Handle> = product.handles.iter().map(|one| one.handle).collect();
            if handles != Handle::ALL {
                return fail("each handle is needed once, in order");
            }
            if product.verifies.is_none() || product.verifies_why.is_none() || product.keys.is_none() {
                return fail("verifies, verifies-why and keys are needed");
            }
            for one in &product.handles {
                let unstated = one.sources.is_empty() || one.why.is_empty();
                let idle = one.can == Can::Enforceable && (one.act.is_empty() || one.hits.is_none());
                let unreasoned = one.effect.is_some() != one.effect_why.is_some();
                if unstated || idle || unreasoned || one.when.is_some() != one.otherwise.is_some() {
                    return fail(&format!("the handle {} is not complete", one.handle.name()));
                }
            }
            match product.keys.as_ref().is_some_and(|keys| keys.why.is_empty() || keys.sources.is_empty()) {
                true => fail("keys need a reason and a source"),
                false => Ok(()),
            }
        }
        Part::Issuer => {
            let stated = |step: &super::raw::RawStep| !step.sources.is_empty() && !step.act.is_empty();
            match product.steps.is_empty() || product.introspection.is_none() || !product.steps.iter().all(stated) {
                true => fail("steps with sources, and introspection, are needed"),
                false => Ok(()),
            }
        }
    }
}

/// Values for commands and configuration lines. What is not known, or could be taken for more than a value, stays a
/// placeholder: nobody pastes it by accident.
#[derive(Clone, Debug, Default)]
pub struct Values {
    /// The issuer.
    pub iss: Option<String>,
    /// The subject.
    pub sub: Option<String>,
    /// The client.
    pub client: Option<String>,
    /// The token's identifier.
    pub jti: Option<String>,
    /// The service's name for the issuer.
    pub alias: Option<String>,
    /// Where the issuer takes revocations (RFC 7009).
    pub revocation: Option<String>,
}

impl Values {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        let own = |value: &Option<String>| value.clone().map(Cow::Owned);
        match name {
            "iss" => own(&self.iss),
            "sub" => own(&self.sub),
            "client" => own(&self.client),
            "jti" => own(&self.jti),
            "alias" => own(&self.alias),
            "revocation" => own(&self.revocation),
            "base" => self.iss.as_deref().map(|iss| iss.trim_end_matches('/').to_string().into()),
            "admin" => self.iss.as_deref().and_then(keycloak_admin).map(Cow::Owned),
            "ban" => {
                let sub = self.sub.as_deref().filter(|sub| is_plain_text(sub))?;
                Some(serde_json::json!({ "user_dn": sub, "message": "incident" }).to_string().into())
            }
            _ => None,
        }
    }

    /// The text with its values.
    pub fn fill(&self, text: &str) -> String {
        static PLACE: LazyLock<Option<Regex>> = LazyLock::new(|| {
            Regex::new(r"\{(iss|sub|client|jti|alias|base|admin|revocation|ban)(?::(shell|regex|json|url))?\}").ok()
        });
        let Some(place) = PLACE.as_ref() else { return text.to_string() };
        let filled = place.replace_all(text, |found: &regex::Captures<'_>| {
            let name = found.get(1).map_or("", |name| name.as_str());
            let value = self.get(name).filter(|value| is_plain_text(value) && mask::redact(value) == **value);
            let form = found.get(2).map(|form| form.as_str());
            value.and_then(|value| formed(&value, form)).unwrap_or_else(|| placeholder(name))
        });
        filled.into_owned()
    }
}

fn placeholder(name: &str) -> String {
    match name {
        "iss" | "base" => "ISSUER",
        "sub" => "SUBJECT",
        "client" => "CLIENT",
        "jti" => "JTI",
        "alias" => "NAME",
        "revocation" => "REVOCATION-ENDPOINT",
        "admin" => "https://KEYCLOAK/admin/realms/REALM",
        _ => "VALUE",
    }
    .into()
}

/// One line, of a usual length, that a terminal shows as it is.
fn is_plain_text(value: &str) -> bool {
    !value.is_empty() && value.chars().count() <= 300 && !value.contains(crate::report::text::is_unsafe)
}

fn formed(value: &str, form: Option<&str>) -> Option<String> {
    let simple = |c: char| c.is_ascii_alphanumeric() || "._:/@+=-".contains(c);
    match form {
        // Quotes do not keep it from being an option.
        Some("shell") if value.starts_with('-') => None,
        Some("shell") => Some(crate::shell::quoted(value)),
        Some("json") => Some(serde_json::Value::from(value).to_string()),
        Some("regex") => {
            // The map file takes blanks and quotes for its own.
            let taken = value.contains([' ', '\t', '"', '\'', '\\']);
            (!taken).then(|| regex::escape(value).replace('/', r"\/"))
        }
        // These two would be steps up the path.
        Some("url") if value == "." || value == ".." => None,
        Some("url") => Some(
            value
                .bytes()
                .map(|byte| match byte {
                    b if b.is_ascii_alphanumeric() || b"-._~".contains(&b) => char::from(b).to_string(),
                    b => format!("%{b:02X}"),
                })
                .collect(),
        ),
        _ => value.chars().all(simple).then(|| value.to_string()),
    }
}

/// Where Keycloak's Admin REST API of a realm is.
fn keycloak_admin(iss: &str) -> Option<String> {
    let (host, realm) = iss.trim_end_matches('/').split_once("/realms/")?;
    let fits = !realm.is_empty() && !realm.contains(['/', '?', '#']);
    fits.then(|| format!("{host}/admin/realms/{realm}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_product_is_complete() {
        let book = Book::builtin().expect("the data is complete");
        for product in crate::model::PRODUCTS {
            assert!(book.find(product, Part::Service).is_some(), "rules/incident/{product}.yaml is missing");
        }
        for product in &book.products {
            let service = product.role == Part::Service;
            assert!(!service || crate::model::PRODUCTS.contains(&product.product.as_str()), "{}", product.product);
        }
    }

    #[test]
    fn what_could_be_more_than_a_value_stays_a_placeholder() {
        let with = |sub: &str| Values {
            iss: Some("https://vo.example.org/".into()),
            sub: Some(sub.into()),
            ..Values::default()
        };
        for (sub, template, filled, remark) in [
            ("a-1", "x {sub} {iss}", "x a-1 https://vo.example.org/", "plain"),
            ("a b", "authtokens = {sub}", "authtokens = SUBJECT", "a blank would begin another field"),
            ("a;rm -rf /", "ban {sub}", "ban SUBJECT", "not for a shell"),
            ("a'; rm -rf /", "ban {sub:shell}", r"ban 'a'\''; rm -rf /'", "quoted"),
            ("-rf", "ban {sub:shell}", "ban SUBJECT", "no option"),
            ("a\nban all", "ban {sub:shell}", "ban SUBJECT", "never two lines"),
            ("a\u{202e}b", "ban {sub:json}", "ban SUBJECT", "not what it looks like"),
            (r#"a"b"#, "{ \"sub\": {sub:json} }", r#"{ "sub": "a\"b" }"#, "JSON, other braces stay"),
            ("a.b/c", "/^{iss:regex},{sub:regex}$/", r"/^https:\/\/vo\.example\.org\/,a\.b\/c$/", "a map file"),
            ("a b", "/{sub:regex}/", "/SUBJECT/", "a map file has blanks between fields"),
            ("ä/?", "/x/{sub:url}", "/x/%C3%A4%2F%3F", "a step of a path"),
            ("..", "/x/{sub:url}/disable", "/x/SUBJECT/disable", "not the step above"),
            ("a", "{client:url} {jti} {alias}", "CLIENT JTI NAME", "not known"),
            ("a\"b", "{ban:shell}", r#"'{"message":"incident","user_dn":"a\"b"}'"#, "JSON within quotes"),
        ] {
            assert_eq!(with(sub).fill(template), filled, "{remark}");
        }
        let realm = Values { iss: Some("https://k.example.org/auth/realms/vo".into()), ..Values::default() };
        assert_eq!(realm.fill("{admin:shell}/users"), "https://k.example.org/auth/admin/realms/vo/users");
    }
}
