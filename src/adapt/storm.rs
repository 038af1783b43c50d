//! What StoRM WebDAV's files have in common: names as Spring Boot reads them, and environment variables.

use super::is_placeholder;
use crate::model::{At, Field, Service};
use crate::parse::Cursor;
use crate::source::secret_names::is_secret_key;

pub(super) const PRODUCT: &str = "storm-webdav";
/// Prefix of all its environment variables.
pub(super) const VARIABLES: &str = "STORM_WEBDAV_";

pub(super) const TEMPLATE: &str = "a template placeholder stands in its place";

/// A name as Spring Boot compares it: `refresh-period-minutes` and `refreshPeriodMinutes` are one.
pub(super) fn relaxed(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '-' | '_')).flat_map(char::to_lowercase).collect()
}

/// The value at a path of relaxed names, whether it is nested or written with dots.
pub(super) fn find<'d>(at: Cursor<'d>, path: &[&str]) -> Option<Cursor<'d>> {
    if path.is_empty() {
        return Some(at);
    }
    let found = at.entries().filter_map(|(key, member)| {
        let steps = key.split('.').count();
        let same = steps <= path.len() && key.split('.').zip(path).all(|(step, name)| relaxed(step) == *name);
        same.then(|| find(member, &path[steps..]))?
    });
    found.last()
}

/// A text; numbers and booleans are taken as they are written.
pub(super) fn text<'d>(cursor: Option<Cursor<'d>>) -> Field<'d> {
    let Some(cursor) = cursor else { return Field::default() };
    let at = At::node(cursor.id);
    match cursor.scalar_text().map(str::trim) {
        None | Some("") => Field { at: Some(at), ..Field::default() },
        Some(text) if is_placeholder(text) => Field::unknown(TEMPLATE, at),
        Some(text) => Field::text(text, at),
    }
}

/// A yes or no in any form that Spring takes.
pub(super) fn boolean<'d>(cursor: Option<Cursor<'d>>) -> Field<'d> {
    let field = text(cursor);
    match field.as_text().map(str::to_ascii_lowercase).as_deref() {
        None => field,
        Some("true" | "on" | "yes" | "1") => Field::bool(true, field.at),
        Some("false" | "off" | "no" | "0") => Field::bool(false, field.at),
        Some(_) => Field::malformed("true or false is expected", field.at),
    }
}

/// A number of units of so many seconds.
pub(super) fn seconds<'d>(cursor: Option<Cursor<'d>>, unit: i64) -> Field<'d> {
    let field = text(cursor);
    match field.as_text().map(str::parse::<i64>) {
        None => field,
        Some(Ok(number)) => Field::int(number.saturating_mul(unit), field.at),
        Some(Err(_)) => Field::malformed("a whole number is expected", field.at),
    }
}

/// A list of texts: items of a list, or words between commas.
pub(super) fn texts<'d>(cursor: Option<Cursor<'d>>) -> Field<'d> {
    let Some(cursor) = cursor else { return Field::default() };
    if cursor.is_seq() {
        return Field::list(cursor.items().map(|item| text(Some(item))).collect(), At::node(cursor.id));
    }
    let whole = text(Some(cursor));
    let (Some(_), Some(at)) = (whole.as_text(), whole.at) else { return whole };
    let words = cursor.scalar_text().unwrap_or_default().split(',').map(str::trim).filter(|word| !word.is_empty());
    Field::list(words.enumerate().map(|(index, word)| Field::text(word, at.word(index))).collect(), at)
}

/// One environment variable: name, value and place.
pub(super) type Variable<'d> = (&'d str, &'d str, At);

/// The service, as far as environment variables set it; `None` where none of them is StoRM WebDAV's.
pub(super) fn environment<'d>(variables: &[Variable<'d>]) -> Option<Service<'d>> {
    let get = |name: &str| {
        let found = variables.iter().rev().find(|(known, _, _)| known.strip_prefix(VARIABLES) == Some(name));
        found.map(|(_, value, at)| match value.trim() {
            "" => Field { at: Some(*at), ..Field::default() },
            value if is_placeholder(value) => Field::unknown(TEMPLATE, *at),
            value => Field::text(value, *at),
        })
    };
    variables.iter().any(|(name, _, _)| name.starts_with(VARIABLES)).then(|| {
        let number = |name: &str, unit: i64| {
            let field = get(name).unwrap_or_default();
            match field.as_text().map(str::parse::<i64>) {
                None => field,
                Some(Ok(number)) => Field::int(number.saturating_mul(unit), field.at),
                Some(Err(_)) => Field::malformed("a whole number is expected", field.at),
            }
        };
        let refresh = number("OAUTH_REFRESH_PERIOD_MINUTES", 60);
        Service {
            product: Field::text(PRODUCT, None),
            key_cache: refresh.clone(),
            key_refresh: refresh,
            issued_lifetime: match get("AUTHZ_SERVER_ENABLE").as_ref().and_then(Field::as_text) {
                Some("true") => number("AUTHZ_SERVER_MAX_TOKEN_LIFETIME_SEC", 1).or(Field::int(ISSUED_SECONDS, None)),
                _ => Field::default(),
            },
            ..Service::default()
        }
    })
}

/// Lifetime of the tokens that StoRM WebDAV gives VOMS users, in seconds, where nothing else is set.
pub(super) const ISSUED_SECONDS: i64 = 43_200;

/// True for a variable of StoRM WebDAV whose value is a secret that stands in clear.
pub(super) fn is_secret(name: &str, value: &str) -> bool {
    name.starts_with(VARIABLES) && is_secret_key(name) && !value.trim().is_empty() && !is_placeholder(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{Syntax, parse};
    use crate::source::Source;
    use std::sync::Arc;

    #[test]
    fn names_are_compared_as_spring_compares_them() {
        for (yaml, expected, remark) in [
            ("oauth: {refresh-period-minutes: 5}", Some(300), "kebab"),
            ("oauth: {refreshPeriodMinutes: '5'}", Some(300), "camel, as text"),
            ("oauth.refresh_period_minutes: 5", Some(300), "dots and underscores"),
            ("oauth: {refresh-period: 5}", None, "another name"),
        ] {
            let (documents, _) = parse(&Arc::new(Source::from_text("t", yaml)), Syntax::Yaml);
            let found = find(documents[0].root(), &["oauth", "refreshperiodminutes"]);
            assert_eq!(seconds(found, 60).as_int(), expected, "{remark}");
        }
    }

    #[test]
    fn the_last_variable_counts() {
        let at = At::ROOT;
        let service = environment(&[
            ("STORM_WEBDAV_OAUTH_REFRESH_PERIOD_MINUTES", "1", at),
            ("STORM_WEBDAV_OAUTH_REFRESH_PERIOD_MINUTES", "2", at),
            ("STORM_WEBDAV_AUTHZ_SERVER_ENABLE", "true", at),
        ]);
        let service = service.expect("its variables");
        assert_eq!((service.key_refresh.as_int(), service.issued_lifetime.as_int()), (Some(120), Some(43_200)));
        assert!(environment(&[("JAVA_OPTS", "x", at)]).is_none());
    }
}
