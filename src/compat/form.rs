//! The outside of a token: its parts and their base64, as some software takes them apart.

use super::json::Refusal;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, Engine};
use schemars::JsonSchema;
use serde::Deserialize;

/// How a compact token is taken apart.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// White space around the token.
    #[serde(default)]
    pub trim: Trim,
    /// What a third dot is.
    #[serde(default)]
    pub parts: Parts,
    /// How the parts are decoded.
    pub base64: Base64,
}

/// White space around a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Trim {
    /// It belongs to the token.
    #[default]
    No,
    /// It is taken off at the front.
    Front,
    /// It is taken off at both ends.
    Both,
}

/// What dots behind the second are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Parts {
    /// A token with more or fewer than two dots is refused.
    #[default]
    Three,
    /// They belong to the signature.
    Rest,
}

/// How base64url is read. Bits that are left over at the end are ignored by all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Base64 {
    /// Letters, digits, `-` and `_`; nothing else, no padding.
    Url,
    /// The same, with or without padding.
    UrlPadded,
    /// Whatever is not of the alphabet is passed over.
    SkipsGarbage,
    /// Python's `urlsafe_b64decode` behind a padding computed from the length: what is not of the alphabet is passed
    /// over afterwards.
    Python,
}

/// A token in its parts. Nothing here is ever shown.
pub(super) struct Parted<'t> {
    /// Header, a dot, payload: what the signature is made over.
    pub(super) signed: &'t str,
    /// The decoded header.
    pub(super) header: Vec<u8>,
    /// The decoded payload.
    pub(super) payload: Vec<u8>,
    /// The decoded signature; `None` when the software could not decode it and does not mind yet.
    pub(super) signature: Vec<u8>,
}

/// Takes a token apart; the error completes "the token …".
pub(super) fn part<'t>(token: &'t str, form: &Form) -> Result<Parted<'t>, Refusal> {
    let token = match form.trim {
        Trim::No => token,
        Trim::Front => token.trim_ascii_start(),
        Trim::Both => token.trim_ascii(),
    };
    const NOT_THREE: Refusal = "has not three parts";
    let (header, rest) = token.split_once('.').ok_or(NOT_THREE)?;
    let (payload, signature) = rest.split_once('.').ok_or(NOT_THREE)?;
    if form.parts == Parts::Three && signature.contains('.') {
        return Err(NOT_THREE);
    }
    Ok(Parted {
        signed: &token[..header.len() + 1 + payload.len()],
        header: decode(header, form.base64)?,
        payload: decode(payload, form.base64)?,
        signature: decode(signature, form.base64)?,
    })
}

fn engine(padding: DecodePaddingMode) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true).with_decode_padding_mode(padding);
    GeneralPurpose::new(&base64::alphabet::URL_SAFE, config)
}

fn decode(part: &str, how: Base64) -> Result<Vec<u8>, Refusal> {
    const BAD: Refusal = "is no base64url to its reader";
    let known = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let kept = || -> Vec<u8> { part.bytes().filter(known).collect() };
    match how {
        Base64::Url => engine(DecodePaddingMode::RequireNone).decode(part).map_err(|_| BAD),
        Base64::UrlPadded => engine(DecodePaddingMode::Indifferent).decode(part).map_err(|_| BAD),
        Base64::SkipsGarbage => {
            let mut text = kept();
            // One character alone holds no whole byte; this reader still makes one of it.
            if text.len() % 4 == 1 {
                text.push(b'A');
            }
            engine(DecodePaddingMode::RequireNone).decode(text).map_err(|_| BAD)
        }
        Base64::Python => {
            let padding = (4 - part.len() % 4) % 4;
            let given = part.bytes().filter(|byte| *byte == b'=').count();
            let text = kept();
            // Too much padding does no harm, too little does.
            match (text.len() % 4, padding + given) {
                (1, _) => Err(BAD),
                (2, pads) if pads < 2 => Err(BAD),
                (3, 0) => Err(BAD),
                _ => engine(DecodePaddingMode::RequireNone).decode(text).map_err(|_| BAD),
            }
        }
    }
}
