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
        /// The workflow it is for (waivers of maxima that may be lifted).
        workflow "workflow": Text,
        /// True when the policy declares that workflow.
        workflow_known "workflow_known": Bool,
        /// The day by which it is looked at again, as written (waivers).
        review_by "review_by": Text,
        /// The end of that day in UTC.
        review_ends "review_ends": Time,
        /// What its agreement lacks (waivers of maxima that may be lifted); empty when it is complete.
        missing "missing": Texts,
        /// What would be covered if it lived no longer than the waiver permits, a sentence each.
        exceeded "exceeded": Texts,
        /// Which mitigation is not true of what, a sentence each; with any, the waiver holds for nothing.
        untrue "untrue": Texts,
        /// True when it hides a finding of this run; absent when the run cannot tell (the rule did not run, the
        /// file was not among the inputs or could not be judged, the suppression does not hold).
        used "used": Bool,
    }
}
