//! What targets leave behind for rules that span documents, on its way to where all of it is known. Tokens and keys stay where
//! they were read; what became of a signature travels.

use crate::adapt;
use crate::evaluate::{Fact, Home, Kept, ProfileSet};
use crate::model::{Field, PRODUCTS, Spot, State, TargetKind, Value};
use crate::report::Region;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// A fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Carried {
    /// Kind of the target.
    pub kind: TargetKind,
    /// What users call it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its identity across runs.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub identity: String,
    /// The file it came from.
    pub path: String,
    /// What a fingerprint tells it by.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub anchor: String,
    /// Native kind of the document.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub document: String,
    /// A key that the user gave to verify tokens with.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub given: bool,
    /// The policy's workflow it was judged as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// Where it stands.
    pub spot: Place,
    /// Profiles that apply to it, a bit for each by its index among the rules.
    pub profiles: u64,
    /// The entry of the policy's `services` that names the file, and the software.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<(Option<usize>, String)>,
    /// What rules may ask for: index of the field, value, place, and places of its elements.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Member>,
    /// What became of the signature: whether it is valid (null when that stays open), the thumbprint of the key, and why it
    /// stays open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<(Option<bool>, String, String)>,
}

/// What rules may ask for: index of the field, value, place, and places of its elements.
pub type Member = (usize, Known, Option<Place>, Vec<Option<Place>>);

/// Where something stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Place in the file.
    pub region: Region,
    /// Last line of what stands there.
    pub last_line: u32,
    /// JSON Pointer in the file's document.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pointer: String,
    /// JSON Pointer in a document decoded from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inner_pointer: Option<String>,
}

/// What is known of a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Known {
    /// Not there.
    Absent,
    /// Not shown, with the reason.
    Unknown(String),
    /// A value that its type forbids, and what is wrong with it.
    Malformed(String),
    /// No limit.
    Unlimited,
    /// Text.
    Text(String),
    /// A whole number.
    Int(i64),
    /// Yes or no.
    Bool(bool),
    /// Several values.
    List(Vec<Known>),
}

impl Known {
    fn of(field: Field<'static>) -> Self {
        match field.state {
            State::Absent => Known::Absent,
            State::Unknown(why) => Known::Unknown(why.into_owned()),
            State::Malformed(why) => Known::Malformed(why.into_owned()),
            State::Unlimited => Known::Unlimited,
            State::Value(Value::Text(text)) => Known::Text(text.into_owned()),
            State::Value(Value::Int(number)) => Known::Int(number),
            State::Value(Value::Bool(value)) => Known::Bool(value),
            State::Value(Value::List(items)) => Known::List(items.into_iter().map(Known::of).collect()),
        }
    }

    /// The field; it stands nowhere, as places in a fact mean nothing.
    fn field(self) -> Field<'static> {
        match self {
            Known::Absent => Field::default(),
            Known::Unknown(why) => Field::unknown(why, None),
            Known::Malformed(why) => Field::malformed(why, None),
            Known::Unlimited => Field::unlimited(None),
            Known::Text(text) => Field::text(text, None),
            Known::Int(number) => Field::int(number, None),
            Known::Bool(value) => Field::bool(value, None),
            Known::List(items) => Field::list(items.into_iter().map(Known::field).collect(), None),
        }
    }
}

impl From<Spot> for Place {
    fn from(spot: Spot) -> Self {
        let Spot { region, last_line, pointer, inner_pointer } = spot;
        Place { region, last_line, pointer: pointer.into(), inner_pointer: inner_pointer.map(String::from) }
    }
}

impl From<Place> for Spot {
    fn from(place: Place) -> Self {
        let Place { region, last_line, pointer, inner_pointer } = place;
        Spot { region, last_line, pointer: pointer.into(), inner_pointer: inner_pointer.map(SmolStr::from) }
    }
}

impl Carried {
    /// Of a fact; what became of its token is added by [`Carried::settle`].
    pub fn of(fact: Fact) -> Self {
        let field = |kept: Kept| {
            let items = kept.items.into_iter().map(|item| item.map(Place::from)).collect();
            (kept.index, Known::of(kept.field), kept.spot.map(Place::from), items)
        };
        Carried {
            kind: fact.kind,
            name: fact.name.to_string(),
            identity: fact.identity.to_string(),
            path: fact.path.to_string(),
            anchor: fact.anchor.to_string(),
            document: fact.document.to_string(),
            given: fact.given,
            workflow: fact.workflow.map(String::from),
            spot: fact.spot.into(),
            profiles: fact.profiles.bits(),
            home: fact.home.map(|home| (home.declared, home.product.to_string())),
            fields: fact.fields.into_iter().map(field).collect(),
            verdict: None,
        }
    }

    /// Adds what became of the token.
    pub fn settle(&mut self, fact: &Fact) {
        #[cfg(feature = "verify")]
        if let Some(crate::verify::Proof::Settled(verdict)) = &fact.proof {
            self.verdict = Some((verdict.valid, verdict.key.clone(), verdict.why.to_string()));
        }
        #[cfg(not(feature = "verify"))]
        let _ = fact;
    }

    /// The fact again; `None` when there are no such document and software.
    pub fn fact(self) -> Option<Fact> {
        let document = match self.document.as_str() {
            "" => "",
            name => adapt::kinds().find(|kind| kind.name == name)?.name,
        };
        let home = self.home.map(|(declared, product)| {
            let product = PRODUCTS.iter().find(|known| **known == product)?;
            Some(Home { declared, product })
        });
        let field = |(index, known, spot, items): Member| Kept {
            index,
            field: known.field(),
            spot: spot.map(Spot::from),
            items: items.into_iter().map(|item| item.map(Spot::from)).collect(),
        };
        #[cfg(feature = "verify")]
        let proof = self.verdict.map(|(valid, key, why)| {
            crate::verify::Proof::Settled(crate::verify::Verdict { valid, key, why: why.into() })
        });
        Some(Fact {
            kind: self.kind,
            name: self.name.into(),
            identity: self.identity.into(),
            path: self.path.into(),
            anchor: self.anchor.into(),
            document,
            given: self.given,
            workflow: self.workflow.map(SmolStr::from),
            spot: self.spot.into(),
            profiles: ProfileSet::of_bits(self.profiles),
            home: match home {
                Some(known) => Some(known?),
                None => None,
            },
            service: None,
            fields: self.fields.into_iter().map(field).collect(),
            #[cfg(feature = "verify")]
            proof,
        })
    }

    /// Every place of it.
    pub fn places(&self) -> impl Iterator<Item = &Region> {
        let of_fields = self.fields.iter().flat_map(|(_, _, spot, items)| spot.iter().chain(items.iter().flatten()));
        std::iter::once(&self.spot).chain(of_fields).map(|place| &place.region)
    }
}
