//! JSON Schemas of the files people write and the report machines read; `schemas/` holds them as committed files.

use schemars::Schema;

/// What a schema describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A rule file.
    Rule,
    /// A profile file.
    Profile,
    /// A requirement ledger.
    Ledger,
    /// A table of lifetimes.
    Lifetimes,
    /// A policy file.
    Policy,
    /// A waiver file.
    Waivers,
    /// The JSON report.
    Report,
    /// The JSON form of an audit.
    Audit,
    /// The JSON form of an inspected token.
    Inspect,
    /// The JSON form of two compared tokens.
    Compare,
    /// The JSON form of two compared profiles.
    ProfileDiff,
    /// The JSON form of a table of tokens and services.
    Compat,
    /// Expectations of such a table.
    CompatExpectations,
    /// The compatibility model of one software.
    CompatModel,
    /// How a software reads tokens.
    CompatReader,
    /// The JSON form of a change that was tried.
    Whatif,
    /// A file of changes to try.
    WhatifPatch,
    /// The JSON form of traced tokens.
    Trace,
    /// The JSON form of what logs can answer.
    TraceAnswers,
    /// A log format.
    LogFormat,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 20] = [
        Kind::Rule,
        Kind::Profile,
        Kind::Ledger,
        Kind::Lifetimes,
        Kind::Policy,
        Kind::Waivers,
        Kind::Report,
        Kind::Audit,
        Kind::Inspect,
        Kind::Compare,
        Kind::ProfileDiff,
        Kind::Compat,
        Kind::CompatExpectations,
        Kind::CompatModel,
        Kind::CompatReader,
        Kind::Whatif,
        Kind::WhatifPatch,
        Kind::Trace,
        Kind::TraceAnswers,
        Kind::LogFormat,
    ];

    /// File name below `schemas/`.
    pub fn file_name(self) -> &'static str {
        match self {
            Kind::Rule => "rule.schema.json",
            Kind::Profile => "profile.schema.json",
            Kind::Ledger => "ledger.schema.json",
            Kind::Lifetimes => "lifetimes.schema.json",
            Kind::Policy => "policy.schema.json",
            Kind::Waivers => "waivers.schema.json",
            Kind::Report => "report.schema.json",
            Kind::Audit => "audit.schema.json",
            Kind::Inspect => "inspect.schema.json",
            Kind::Compare => "compare.schema.json",
            Kind::ProfileDiff => "profile-diff.schema.json",
            Kind::Compat => "compat.schema.json",
            Kind::CompatExpectations => "compat-expectations.schema.json",
            Kind::CompatModel => "compat-model.schema.json",
            Kind::CompatReader => "compat-reader.schema.json",
            Kind::Whatif => "whatif.schema.json",
            Kind::WhatifPatch => "whatif-patch.schema.json",
            Kind::Trace => "trace.schema.json",
            Kind::TraceAnswers => "trace-answers.schema.json",
            Kind::LogFormat => "log-format.schema.json",
        }
    }
}

/// The schema.
pub fn schema(kind: Kind) -> Schema {
    match kind {
        Kind::Rule => schemars::schema_for!(crate::rule::RawRule),
        Kind::Profile => schemars::schema_for!(crate::profile::RawProfile),
        Kind::Ledger => schemars::schema_for!(crate::profile::RawLedger),
        Kind::Lifetimes => schemars::schema_for!(crate::profile::RawLifetimes),
        Kind::Policy => schemars::schema_for!(crate::policy::RawPolicy),
        Kind::Waivers => schemars::schema_for!(crate::policy::RawWaivers),
        Kind::Audit => written::<crate::audit::Report>(),
        Kind::Inspect => written::<crate::inspect::Inspection>(),
        Kind::Compare => written::<crate::compare::Comparison>(),
        Kind::ProfileDiff => written::<crate::diff::ProfileDiff>(),
        Kind::Compat => written::<crate::compat::Table>(),
        Kind::CompatExpectations => schemars::schema_for!(crate::compat::Expectations),
        Kind::CompatModel => schemars::schema_for!(crate::compat::RawSoftware),
        Kind::CompatReader => schemars::schema_for!(crate::compat::RawReader),
        Kind::Whatif => written::<crate::whatif::WhatIf>(),
        Kind::WhatifPatch => schemars::schema_for!(crate::whatif::Patch),
        Kind::Trace => written::<crate::trace::page::Traced>(),
        Kind::TraceAnswers => written::<crate::trace::answers::Answers>(),
        Kind::LogFormat => schemars::schema_for!(crate::trace::raw::RawFormat),
        Kind::Report => written::<crate::report::JsonReport<'static>>(),
    }
}

/// What we write: members that are always there are required.
fn written<T: schemars::JsonSchema>() -> Schema {
    schemars::generate::SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>()
}

/// The schema as text, with a final newline.
pub fn text(kind: Kind) -> String {
    let mut text = serde_json::to_string_pretty(&schema(kind)).unwrap_or_default();
    text.push('\n');
    text
}
