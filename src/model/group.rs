//! Group names of the WLCG profile (`/cms/uscms`).

/// What is wrong with a group name, as the end of the sentence "the group …"; `None` when it follows the grammar of
/// the WLCG profile (all versions): one or more segments, each a slash, an ASCII letter or digit, then any number of
/// letters, digits, `_`, `.` and `-`.
pub fn wlcg_defect(name: &str) -> Option<&'static str> {
    let Some(segments) = name.strip_prefix('/') else {
        return Some("does not start with a slash");
    };
    for segment in segments.split('/') {
        match segment.bytes().next() {
            None => return Some("has an empty segment"),
            Some(first) if !first.is_ascii_alphanumeric() => {
                return Some("has a segment that starts with neither a letter nor a digit");
            }
            Some(_) => {}
        }
        // VOMS names with a role are the usual mistake and deserve their own words.
        if segment.starts_with("Role=") || segment.starts_with("Capability=") {
            return Some("is a VOMS name with a role; the profile has groups only");
        }
        if !segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-')) {
            return Some("holds a character other than letters, digits, `_`, `.` and `-`");
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::wlcg_defect;

    #[test]
    fn the_grammar_is_followed() {
        for (name, defect) in [
            ("/cms", ""),
            ("/atlas/calib-muon", ""),
            ("/vo.example.org/x_1", ""),
            ("/1", ""),
            ("cms", "slash"),
            ("", "slash"),
            ("/", "empty"),
            ("/cms/", "empty"),
            ("/cms//x", "empty"),
            ("/cms/_x", "neither"),
            ("/cms/Role=pilot", "role"),
            ("/cms/a b", "character"),
            ("/cms\n", "character"),
            ("/čms", "neither"),
        ] {
            let got = wlcg_defect(name);
            assert_eq!(got.is_none(), defect.is_empty(), "{name:?}: {got:?}");
            assert!(got.unwrap_or("").contains(defect), "{name:?}: {got:?}");
        }
    }
}
