//! CEL expressions over a token as some software sees it: the conditions of the model.
//!
//! They come from our own data files, never from users, so nothing here bounds their size. What they may name is
//! listed in `docs/compat.md`.

use super::json::Value;
use cel::{Context, Program, Value as Cel};
use std::collections::HashMap;
use std::sync::Arc;

/// An expression, ready to run.
pub(super) struct Formula {
    source: String,
    program: Program,
}

impl std::fmt::Debug for Formula {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Formula").field(&self.source).finish()
    }
}

impl Formula {
    /// Parses; the error names the expression.
    pub(super) fn new(source: &str) -> Result<Self, String> {
        // The parser keeps line breaks in its messages.
        let program = Program::compile(source).map_err(|_| format!("`{source}` is no CEL expression"))?;
        Ok(Formula { source: source.to_string(), program })
    }

    /// True or false; the error names the expression and says what went wrong, without any value.
    pub(super) fn holds(&self, names: &Names) -> Result<bool, String> {
        match self.program.execute(&names.0) {
            Ok(Cel::Bool(value)) => Ok(value),
            Ok(_) => Err(format!("`{}` is neither true nor false", self.source)),
            Err(_) => Err(format!("`{}` cannot be evaluated on this token", self.source)),
        }
    }

    /// The text it gives.
    pub(super) fn text(&self, names: &Names) -> Result<String, String> {
        match self.program.execute(&names.0) {
            Ok(Cel::String(text)) => Ok(text.to_string()),
            Ok(_) => Err(format!("`{}` is no text", self.source)),
            Err(_) => Err(format!("`{}` cannot be evaluated on this token", self.source)),
        }
    }
}

/// What expressions may name.
pub(super) struct Names(Context<'static, 'static>);

impl Names {
    /// None but the standard functions.
    pub(super) fn new() -> Self {
        Names(Context::default())
    }

    /// Gives a name a value, in place of the one it had.
    pub(super) fn set(&mut self, name: &str, value: &Value) {
        self.0.add_variable_from_value(name, converted(value));
    }
}

fn converted(value: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(value) => Cel::Bool(*value),
        Value::Int(number) => Cel::Int(*number),
        Value::Float(number) => Cel::Float(*number),
        Value::Text(text) => Cel::String(Arc::new(text.clone())),
        Value::List(items) => Cel::List(Arc::new(items.iter().map(converted).collect())),
        Value::Map(members) => {
            let map: HashMap<String, Cel> =
                members.iter().map(|(key, value)| (key.clone(), converted(value))).collect();
            Cel::from(map)
        }
    }
}
