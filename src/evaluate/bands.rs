//! What the profiles of a run say of lifetimes, for reports that draw them.

use super::plan::Plan;
use crate::profile::{RawCell, TokenType};
use crate::report::{Band, ProfileRef};

impl Plan {
    /// The bounds on lifetimes of these profiles, after the policy; nothing for a type of token that a profile does not
    /// speak of.
    pub fn bands(&self, applied: &[ProfileRef]) -> Vec<Band> {
        let mut bands = Vec::new();
        for (index, profile) in self.book.profiles.iter().enumerate() {
            if !applied.iter().any(|known| known.id == profile.id) {
                continue;
            }
            for token in [TokenType::AccessToken, TokenType::RefreshToken, TokenType::IdToken] {
                let bound = |word: &str| {
                    let name = format!("{}.lifetime.{word}", token.name());
                    let limit = profile.limits.get(&name)?;
                    Some((self.changed(index, &name), limit.value, limit.allowance))
                };
                let (min, max) = (bound("min"), bound("max"));
                let rows = profile.table.iter().flat_map(|table| &table.rows);
                let rows = rows.filter(|row| row.token == token && row.level.is_none());
                let recommended = rows.filter_map(|row| match &row.recommended {
                    Some(RawCell::Known(bound)) => Some(bound.seconds),
                    Some(RawCell::Unknown(_)) | None => None,
                });
                let band = Band {
                    token: token.name().to_string(),
                    profile: profile.id.to_string(),
                    min: min.map(|(changed, value, _)| changed.unwrap_or(value)),
                    recommended: recommended.min(),
                    max: max.map(|(changed, value, _)| changed.unwrap_or(value)),
                    allowance: max.map_or(0, |(_, _, allowance)| allowance),
                    by_policy: [min, max].iter().flatten().any(|(changed, ..)| changed.is_some()),
                };
                if band.min.is_some() || band.recommended.is_some() || band.max.is_some() {
                    bands.push(band);
                }
            }
        }
        bands.sort();
        bands
    }

    /// The bound that the policy put in the place of a profile's.
    fn changed(&self, profile: usize, limit: &str) -> Option<i64> {
        let of_limit =
            self.on_targets().filter(|entry| self.book.rules[entry.rule].logic.limit.as_deref() == Some(limit));
        let planned = of_limit.flat_map(|entry| &entry.planned);
        let mut changed = planned.filter(|planned| planned.profile == profile && planned.limit_changed);
        changed.find_map(|planned| Some(planned.limit?.value))
    }
}
