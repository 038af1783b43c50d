//! What a user decided not to hear about.

super::record! {
    /// One suppression: a rule named in a comment, an entry of a waiver file or of a baseline.
    pub struct Suppression {
        /// Where it stands: `inline`, `waiver` or `baseline`.
        by "by": Text,
        /// The rule it names.
        rule "rule": Text,
        /// True when there is a rule of that name.
        known "known": Bool,
        /// The rule whose name is most like it.
        nearest "nearest": Text,
        /// The reason given.
        reason "reason": Text,
        /// Who answers for it (waivers).
        owner "owner": Text,
        /// The last day it holds, as written (waivers).
        expires "expires": Text,
        /// The moment it ends: the end of that day in UTC.
        ends "ends": Time,
        /// True when the rule reports exposures as errors: with what it finds, someone can gain access now (waivers).
        exposure "exposure": Bool,
        /// True when it hides a finding of this run; absent when the run cannot tell (the rule did not run, the
        /// file was not among the inputs or could not be judged, the suppression does not hold).
        used "used": Bool,
    }
}
