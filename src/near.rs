//! Names that are nearly another name: "did you mean", and issuers a slip of the pen away from a known one.

/// How many characters have to be put in, taken out or replaced to make one of the other. Takes time in proportion to both
/// lengths, so callers bound what files bring.
pub(crate) use strsim::levenshtein as distance;

/// The known name nearest to `wanted`; `None` when none is near.
pub(crate) fn nearest<'k>(wanted: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let wanted: String = wanted.chars().take(100).collect();
    let (edits, name) = known.map(|name| (distance(name, &wanted), name)).min()?;
    (edits <= (wanted.chars().count() / 2).max(2)).then_some(name)
}

/// `; did you mean ...?` for the known name nearest to `wanted`, empty when none is near.
pub(crate) fn did_you_mean<'k>(wanted: &str, known: impl Iterator<Item = &'k str>) -> String {
    nearest(wanted, known).map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_near_names_are_proposed() {
        let known = || ["client-idle", "token-without-kid"].into_iter();
        assert_eq!(did_you_mean("token-witout-kid", known()), "; did you mean `token-without-kid`?");
        assert_eq!(did_you_mean("nonsense-rule", known()), "");
        assert_eq!(did_you_mean("x", std::iter::empty()), "");
    }
}
