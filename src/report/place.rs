//! Findings as people count them: what several profiles say about one place is one thing to mend.

use super::{Finding, text};

/// What several profiles say about one place: the finding with the highest severity first.
pub(super) struct Place<'f> {
    /// One at least.
    pub(super) findings: Vec<&'f Finding>,
}

/// How many live findings there are, as every format counts them, and how many of them are not shown apart.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    /// By severity: note, warning, error.
    pub(super) by_severity: [u64; 3],
    repeated: u64,
}

impl Counts {
    /// Takes what is shown together.
    pub(super) fn add(&mut self, place: &Place<'_>) {
        place.findings.iter().for_each(|finding| self.by_severity[finding.severity as usize] += 1);
        self.repeated += place.findings.len().saturating_sub(1) as u64;
    }

    /// Why fewer are shown, if so.
    pub(super) fn repeated_words(&self) -> Option<String> {
        (self.repeated > 0)
            .then(|| format!("{} shown with what another profile says of the same place", text::count(self.repeated)))
    }
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
