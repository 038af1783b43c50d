//! JSON Schemas of the files people write and the report machines read; `schemas/` holds them as committed files.

use schemars::Schema;

/// What a schema describes.
// The texts are those of `tokenvet schema --help`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Kind {
    /// Rule files
    Rule,
    /// `--format json`
    Report,
    /// `audit --format json`
    Audit,
    /// `inspect --format json`
    Inspect,
    /// `compare --format json`
    Compare,
    /// `profile diff --format json`
    ProfileDiff,
    /// `compat --format json`
    Compat,
    /// Files of `compat --expect`
    CompatExpectations,
    /// Files of the compatibility model, one per software
    CompatModel,
    /// Files of the compatibility model that say how tokens are read
    CompatReader,
    /// `whatif --format json`
    Whatif,
    /// Files of `whatif --apply`
    WhatifPatch,
    /// `trace --format json`
    Trace,
    /// `trace --can-answer --format json`
    TraceAnswers,
    /// Log formats (`rules/logs/`)
    LogFormat,
    /// `incident --format json`
    Incident,
    /// What products can do in an incident (`rules/incident/`)
    IncidentProduct,
    /// Profiles
    Profile,
    /// Requirement ledgers
    Ledger,
    /// Tables of token lifetimes
    Lifetimes,
    /// Policy files (`tokenvet.yaml`)
    Policy,
    /// Waiver files
    Waivers,
    /// Shard reports (`scan --shard`, `check --shard`)
    ShardReport,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 23] = [
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
        Kind::ShardReport,
        Kind::Incident,
        Kind::IncidentProduct,
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
            Kind::ShardReport => "shard-report.schema.json",
            Kind::Incident => "incident.schema.json",
            Kind::IncidentProduct => "incident-product.schema.json",
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
        Kind::ShardReport => written::<crate::shard::Part>(),
        Kind::Incident => written::<crate::incident::page::Page>(),
        Kind::IncidentProduct => schemars::schema_for!(crate::incident::raw::RawProduct),
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
