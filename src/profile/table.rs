//! Tables of token lifetimes (`rules/tables/*.yaml`): the figures of a guideline as it prints them, a row per token type,
//! validation model and level. A profile takes its limits from one by naming it, so a new edition changes one file.

use super::{RawBound, RawCell, RawLifetime, RawLifetimes, TokenType, ValidationModel};

impl RawLifetimes {
    /// The limits of the table by the names rules use, each with the row's bound. Rows for a level are left out: no file
    /// shows the level of a token, so such a figure can be read but not applied. The error names what is stated twice.
    pub(crate) fn limits(&self) -> Result<Vec<(String, &RawBound)>, String> {
        let mut found: Vec<(String, &RawBound)> = Vec::new();
        for row in self.rows.iter().filter(|row| row.level.is_none()) {
            let model = match row.validation {
                // What holds when nothing is known of the services, so it needs no word in the name.
                ValidationModel::Any | ValidationModel::Offline => "",
                ValidationModel::Online => "online_",
            };
            for (cell, word) in [(&row.minimum, "min"), (&row.maximum, "max")] {
                let Some(RawCell::Known(bound)) = cell else { continue };
                let name = format!("{}.lifetime.{model}{word}", row.token.name());
                if found.iter().any(|(known, _)| *known == name) {
                    return Err(format!("two rows give {name}"));
                }
                found.push((name, bound));
            }
        }
        Ok(found)
    }
}

impl RawLifetime {
    /// Every figure of the row.
    pub(crate) fn bounds(&self) -> impl Iterator<Item = &RawBound> {
        [&self.minimum, &self.recommended, &self.maximum].into_iter().flatten().filter_map(|cell| match cell {
            RawCell::Known(bound) => Some(bound),
            RawCell::Unknown(_) => None,
        })
    }
}

impl TokenType {
    /// The word in tables and in names of limits.
    pub fn name(self) -> &'static str {
        match self {
            TokenType::AccessToken => "access_token",
            TokenType::IdToken => "id_token",
            TokenType::RefreshToken => "refresh_token",
        }
    }
}

impl ValidationModel {
    /// The word in tables.
    pub fn name(self) -> &'static str {
        match self {
            ValidationModel::Any => "any",
            ValidationModel::Offline => "offline",
            ValidationModel::Online => "online",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn limits(rows: Value) -> Result<Vec<(String, i64)>, String> {
        let table = json!({"title": "A table", "edition": "first", "rows": rows});
        let table: RawLifetimes = serde_json::from_value(table).expect("a table");
        Ok(table.limits()?.into_iter().map(|(name, bound)| (name, bound.seconds)).collect())
    }

    fn row(token: &str, validation: &str, cells: Value) -> Value {
        let mut row = json!({"token": token, "validation": validation, "basis": "test"});
        let cells = cells.as_object().expect("cells").clone();
        row.as_object_mut().expect("a row").extend(cells);
        row
    }

    #[test]
    fn rows_become_limits_and_what_is_unknown_none() {
        let bound = |seconds: i64| json!({"seconds": seconds, "requirements": ["X-001"]});
        for (rows, expected) in [
            (
                json!([row("access_token", "any", json!({"minimum": bound(900)}))]),
                vec![("access_token.lifetime.min", 900)],
            ),
            (json!([row("id_token", "offline", json!({"maximum": bound(6)}))]), vec![("id_token.lifetime.max", 6)]),
            // The longer life of tokens that are always checked with the issuer is a limit of its own.
            (
                json!([
                    row("access_token", "offline", json!({"maximum": bound(6)})),
                    row("access_token", "online", json!({"maximum": bound(25)})),
                ]),
                vec![("access_token.lifetime.max", 6), ("access_token.lifetime.online_max", 25)],
            ),
            (json!([row("id_token", "any", json!({"minimum": "unknown"}))]), vec![]),
            // What is recommended is shown to people; a life beside it breaks nothing.
            (json!([row("refresh_token", "any", json!({"recommended": bound(30)}))]), vec![]),
            (json!([row("access_token", "any", json!({"level": "low", "maximum": bound(9)}))]), vec![]),
        ] {
            let expected: Vec<(String, i64)> = expected.into_iter().map(|(name, value)| (name.into(), value)).collect();
            assert_eq!(limits(rows.clone()), Ok(expected), "{rows}");
        }
    }

    #[test]
    fn one_bound_has_one_row() {
        let bound = json!({"maximum": {"seconds": 1, "requirements": ["X-001"]}});
        let twice = json!([row("id_token", "any", bound.clone()), row("id_token", "offline", bound)]);
        assert_eq!(limits(twice), Err("two rows give id_token.lifetime.max".into()));
    }
}
