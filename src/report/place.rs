//! Findings as people count them: what several profiles say about one place is one thing to mend.

use super::Finding;

/// What several profiles say about one place: the finding with the highest severity first.
pub(super) struct Place<'f> {
    /// One at least.
    pub(super) findings: Vec<&'f Finding>,
}

/// Live findings, those of one rule on one place together.
pub(super) fn places(findings: &[Finding]) -> Vec<Place<'_>> {
    fn key(finding: &Finding) -> (u64, u64, &str, &str) {
        (finding.region.byte_offset, finding.region.byte_length, &finding.rule, &finding.path)
    }
    let live: Vec<&Finding> = findings.iter().filter(|finding| finding.suppressed.is_none()).collect();
    let mut places: Vec<Place<'_>> = Vec::new();
    for run in live.chunk_by(|a, b| key(a) == key(b)) {
        let start = places.len();
        for &finding in run {
            let same = |place: &&mut Place<'_>| {
                let other = place.findings[0];
                (&other.pointer, &other.inner_pointer, &other.target)
                    == (&finding.pointer, &finding.inner_pointer, &finding.target)
                    && place.findings.iter().all(|judged| judged.profile != finding.profile)
            };
            match places[start..].iter_mut().find(same) {
                Some(place) => place.findings.push(finding),
                None => places.push(Place { findings: vec![finding] }),
            }
        }
    }
    for place in &mut places {
        place.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    }
    places
}
