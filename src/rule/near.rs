//! Names that are nearly another name: "did you mean", and issuers a slip of the pen away from a known one.

/// Levenshtein distance. Takes time in proportion to both lengths, so callers bound what files bring.
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut previous = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substituted = previous + usize::from(ca != *cb);
            previous = row[j + 1];
            row[j + 1] = substituted.min(previous + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

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
