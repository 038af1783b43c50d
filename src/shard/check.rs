//! What a shard of a check found.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a shard found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Work {}
