//! Globs as policies, waivers and their documentation understand them.

use globset::{GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};

/// Longest glob, in bytes.
const MAX_GLOB: usize = 1_000;

fn builder(text: &str, separated: bool) -> Result<globset::Glob, String> {
    if text.is_empty() {
        return Err("an empty glob covers nothing; write `**` for everything".into());
    }
    if text.len() > MAX_GLOB {
        return Err(format!("the glob is longer than {MAX_GLOB} bytes"));
    }
    let built = GlobBuilder::new(text).literal_separator(separated).backslash_escape(true).build();
    built.map_err(|error| format!("no valid glob: {}", error.kind()))
}

/// A glob over names (`separated: false`) or pointers (`true`: `*` stays within one step).
pub fn matcher(text: &str, separated: bool) -> Result<GlobMatcher, String> {
    Ok(builder(text, separated)?.compile_matcher())
}

/// Globs over paths relative to the policy's folder. Without a slash a glob fits at any depth (`*.json`), with one it
/// starts at the folder; a glob that fits a folder covers everything below. The error names the glob's position.
pub fn paths(globs: &[String]) -> Result<GlobSet, (usize, String)> {
    let mut set = GlobSetBuilder::new();
    for (index, text) in globs.iter().enumerate() {
        let trimmed = text.strip_prefix("./").unwrap_or(text).trim_end_matches('/');
        let rooted = match trimmed.strip_prefix('/') {
            Some(rooted) => rooted.to_string(),
            None if trimmed.contains('/') || trimmed == "**" || trimmed.is_empty() => trimmed.to_string(),
            None => format!("**/{trimmed}"),
        };
        let add = |pattern: &str| builder(pattern, true).map_err(|message| (index, message));
        set.add(add(&rooted)?);
        set.add(add(&format!("{rooted}/**"))?);
    }
    set.build().map_err(|_| (0, "the globs are too large together".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_globs_fit_what_the_documentation_says() {
        for (glob, path, fits, remark) in [
            ("*.json", "a/b/c.json", true, "no slash: any depth"),
            ("a/*.json", "a/c.json", true, "from the folder"),
            ("a/*.json", "x/a/c.json", false, "only from the folder"),
            ("a/*.json", "a/b/c.json", false, "`*` stays in one folder"),
            ("a/**", "a/b/c.json", true, "everything below"),
            ("a", "a/b/c.json", true, "a folder"),
            ("a/", "x/a/c.json", true, "a folder at any depth"),
            ("/a", "x/a/c.json", false, "rooted"),
            ("./a/c.json", "a/c.json", true, "a leading dot"),
            ("**", "c.json", true, "everything"),
            ("{a,b}/*.json", "b/c.json", true, "alternatives"),
            ("a?.json", "a/.json", false, "`?` is no slash"),
        ] {
            let set = paths(&[glob.to_string()]).unwrap();
            assert_eq!(set.is_match(path), fits, "{glob} {path}: {remark}");
        }
    }

    #[test]
    fn bad_globs_are_errors() {
        for glob in ["", "/", "[", "{a", &"a".repeat(1001)] {
            assert_eq!(paths(&["ok".into(), glob.to_string()]).unwrap_err().0, 1, "{glob}");
        }
    }
}
