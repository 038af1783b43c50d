//! How much of something there is, where there may be no limit.

/// A number in the unit of its field, or no limit, which is above all numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quantity {
    /// So much.
    Of(i64),
    /// Without limit; of a duration, without end.
    Unlimited,
}

impl Quantity {
    /// The number; `None` stands for no limit.
    pub fn number(self) -> Option<i64> {
        match self {
            Quantity::Of(number) => Some(number),
            Quantity::Unlimited => None,
        }
    }
}

impl From<i64> for Quantity {
    fn from(number: i64) -> Self {
        Quantity::Of(number)
    }
}

impl From<Option<i64>> for Quantity {
    /// `None` stands for no limit.
    fn from(number: Option<i64>) -> Self {
        number.map_or(Quantity::Unlimited, Quantity::Of)
    }
}
