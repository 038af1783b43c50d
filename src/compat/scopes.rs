//! From the `scope` claim to permissions, and from permissions to what a request may do.

use super::raw::{Matching, RawGives, Restricted, ScopePaths};
use crate::percent;
use std::borrow::Cow;
use std::collections::HashSet;

/// Rounds of percent-decoding that the strict reading makes.
const DECODE_ROUNDS: usize = 4;

/// A permission as the library hands it out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Permission {
    /// Its name on the service.
    pub(super) name: String,
    /// Where it holds.
    pub(super) path: String,
}

/// Why a scope ends the matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bad {
    /// The whole token is refused.
    Refused,
    /// The process ends.
    Crash,
}

/// The scopes of a claim with their paths: blanks alone separate, and what follows the last blank counts even when it is
/// empty.
pub(super) fn split(claim: &str) -> Vec<&str> {
    let mut scopes = Vec::new();
    let mut rest = claim;
    while !rest.is_empty() {
        rest = rest.trim_start_matches(' ');
        let end = rest.find(' ').unwrap_or(rest.len());
        scopes.push(&rest[..end]);
        rest = &rest[end..];
    }
    scopes
}

/// The path of a scope, normalised.
pub(super) fn normalised(path: &str, how: ScopePaths) -> Result<String, Bad> {
    let mut kept: Vec<String> = Vec::new();
    for component in path.split('/') {
        let component = match how {
            ScopePaths::Lexical => component.to_string(),
            ScopePaths::Strict => strict(component)?,
        };
        match component.as_str() {
            "" | "." => {}
            ".." if kept.pop().is_none() => return Err(Bad::Crash),
            ".." => {}
            _ => kept.push(component),
        }
    }
    Ok(if kept.is_empty() { "/".into() } else { format!("/{}", kept.join("/")) })
}

fn strict(component: &str) -> Result<String, Bad> {
    let mut bytes = component.as_bytes().to_vec();
    for _ in 0..DECODE_ROUNDS {
        let Cow::Owned(decoded) = percent::decoded(&bytes) else { break };
        bytes = decoded;
    }
    match bytes == b".." || bytes.iter().any(|byte| matches!(byte, b'%' | b'/' | b'\\' | 0)) {
        true => Err(Bad::Refused),
        false => Ok(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

/// A path of a configuration or of a service: components without empty ones, `.` and `..` taken away; `None` for what is
/// not absolute.
pub(super) fn canonical(path: &str) -> Option<String> {
    if !path.starts_with('/') {
        return None;
    }
    let mut kept: Vec<&str> = Vec::new();
    for component in path.split('/') {
        match component {
            "" | "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(component),
        }
    }
    Some(format!("/{}", kept.join("/")))
}

/// Paths at which a permission stays after an issuer's restricted paths.
pub(super) fn narrowed(path: &str, restricted: &[String], how: Restricted) -> Vec<String> {
    if restricted.is_empty() {
        return vec![path.to_string()];
    }
    let mut kept = Vec::new();
    for limit in restricted {
        match how {
            Restricted::BelowOnly if path.starts_with(limit.as_str()) => return vec![path.to_string()],
            Restricted::BelowOnly => {}
            Restricted::Narrowed => {
                if path.starts_with(limit.as_str()) {
                    if path.len() > limit.len() && path.as_bytes().get(limit.len()) != Some(&b'/') {
                        continue;
                    }
                    kept.push(path.to_string());
                    break;
                }
                let boundary = limit.as_bytes().get(path.len()).is_none_or(|byte| *byte == b'/') || path.len() == 1;
                if limit.starts_with(path) && boundary {
                    kept.push(limit.clone());
                }
            }
        }
    }
    kept
}

/// An operation that is permitted below a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Right {
    pub(super) operation: String,
    pub(super) path: String,
}

/// Rights that permissions give on a service with these base paths.
pub(super) fn rights(
    permissions: &[Permission],
    gives: &[&RawGives],
    bases: &[String],
    restricted: &[String],
    how: Restricted,
) -> Vec<Right> {
    let mut placed: Vec<(&str, String)> = Vec::new();
    for permission in permissions {
        // C strings end at the first NUL.
        let path = permission.path.split('\0').next().unwrap_or_default();
        let name = permission.name.split('\0').next().unwrap_or_default();
        for path in narrowed(path, restricted, how) {
            for base in bases {
                placed.extend(canonical(&format!("{base}{path}")).map(|path| (name, path)));
            }
        }
    }
    let there: HashSet<(&str, &str)> = placed.iter().map(|(name, path)| (*name, path.as_str())).collect();
    let mut rights: Vec<Right> = Vec::new();
    for (name, path) in &placed {
        for rule in gives.iter().filter(|rule| rule.permission == *name) {
            if rule.unless.iter().any(|unless| there.contains(&(unless.as_str(), path.as_str()))) {
                continue;
            }
            for operation in &rule.operations {
                rights.push(Right { operation: operation.clone(), path: path.clone() });
            }
        }
    }
    rights
}

/// True when a right covers a path.
pub(super) fn covers(right: &Right, operation: &str, path: &str, how: Matching) -> bool {
    if right.operation != operation {
        return false;
    }
    let below = |dir: &str, inner: &str| {
        inner.strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || dir.ends_with('/'))
    };
    let parents = matches!(operation, "stat" | "mkdir");
    match how {
        Matching::Prefix => path.starts_with(&right.path),
        Matching::ComponentsBelowRoot if right.path == "/" => path == "/" || path.starts_with("//"),
        Matching::ComponentsBelowRoot | Matching::Components => {
            below(&right.path, path) || (parents && below(path, &right.path))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalised_as_the_release_does_it() {
        for (path, lexical, strict) in [
            ("", Ok("/"), Ok("/")),
            ("data", Ok("/data"), Ok("/data")),
            ("//data///x/", Ok("/data/x"), Ok("/data/x")),
            ("/data/../etc", Ok("/etc"), Err(Bad::Refused)),
            ("/..", Err(Bad::Crash), Err(Bad::Refused)),
            ("/d%61ta", Ok("/d%61ta"), Ok("/data")),
            ("/a%2fb", Ok("/a%2fb"), Err(Bad::Refused)),
            ("/%25252561", Ok("/%25252561"), Ok("/a")),
            ("/50%", Ok("/50%"), Err(Bad::Refused)),
            ("/a\\b", Ok("/a\\b"), Err(Bad::Refused)),
            ("/..data", Ok("/..data"), Ok("/..data")),
        ] {
            assert_eq!(normalised(path, ScopePaths::Lexical), lexical.map(str::to_string), "{path}");
            assert_eq!(normalised(path, ScopePaths::Strict), strict.map(str::to_string), "{path}");
        }
    }

    #[test]
    fn what_is_covered_depends_on_the_release() {
        let right = |path: &str| Right { operation: "read".into(), path: path.into() };
        for (granted, asked, prefix, below_root, components) in [
            ("/data", "/data/f", true, true, true),
            ("/data", "/data", true, true, true),
            ("/dat", "/data/f", true, false, false),
            ("/", "/data", true, false, true),
            ("/data", "/other", false, false, false),
        ] {
            let found = [Matching::Prefix, Matching::ComponentsBelowRoot, Matching::Components]
                .map(|how| covers(&right(granted), "read", asked, how));
            assert_eq!(found, [prefix, below_root, components], "{granted} {asked}");
        }
        assert!(!covers(&right("/data"), "delete", "/data/f", Matching::Components));
    }

    #[test]
    fn restricted_paths_narrow_and_old_releases_drop() {
        let limits = ["/raw".to_string(), "/user/x".to_string()];
        for (path, old, new) in [
            ("/raw/run7", vec!["/raw/run7"], vec!["/raw/run7"]),
            ("/", vec![], vec!["/raw", "/user/x"]),
            ("/user", vec![], vec!["/user/x"]),
            ("/rawhide", vec!["/rawhide"], vec![]),
            ("/other", vec![], vec![]),
        ] {
            assert_eq!(narrowed(path, &limits, Restricted::BelowOnly), old, "{path}");
            assert_eq!(narrowed(path, &limits, Restricted::Narrowed), new, "{path}");
        }
    }

    #[test]
    fn blanks_alone_separate_scopes() {
        assert_eq!(split("a  b"), ["a", "b"]);
        assert_eq!(split("a "), ["a", ""]);
        assert_eq!(split(""), Vec::<&str>::new());
        assert_eq!(split("a\nb"), ["a\nb"]);
    }
}
