//! A service that is asked: a software, its version, and what its configuration settles.

use super::admission::Admission;
use super::model::{Model, Software, version};
use serde::Serialize;

/// A place in a configuration file that decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Place {
    /// The file.
    pub path: String,
    /// Line, counted from 1.
    pub line: usize,
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed<T> {
    /// The value.
    pub value: T,
    /// Where; `None` for values of the command line and defaults.
    pub place: Option<Place>,
}

impl<T> Placed<T> {
    /// A value that stands nowhere.
    pub fn nowhere(value: T) -> Self {
        Placed { value, place: None }
    }
}

/// An issuer that the service trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedIssuer {
    /// As tokens must write it.
    pub issuer: Placed<String>,
    /// Where its permissions count from; canonical paths. Empty: nowhere.
    pub base_paths: Placed<Vec<String>>,
    /// Paths that its permissions are limited to; empty: no limit.
    pub restricted_paths: Placed<Vec<String>>,
    /// False when the configuration takes all effect from scopes.
    pub capabilities: Placed<bool>,
    /// Audiences for this issuer's tokens, in place of the service's.
    pub audiences: Option<Placed<Vec<String>>>,
    /// False when the audience of this issuer's tokens is not compared; `None` when the configuration does not say.
    pub audience_checked: Option<Placed<bool>>,
    /// The way its tokens are read, in place of the service's: a mode of the software.
    pub mode: Option<Placed<String>>,
}

impl TrustedIssuer {
    /// Trust of the command line: the whole name space, by scopes.
    pub fn everywhere(issuer: &str) -> Self {
        TrustedIssuer {
            issuer: Placed::nowhere(issuer.into()),
            base_paths: Placed::nowhere(vec!["/".into()]),
            restricted_paths: Placed::nowhere(Vec::new()),
            capabilities: Placed::nowhere(true),
            audiences: None,
            audience_checked: None,
            mode: None,
        }
    }
}

/// What happens to a request without a usable token; what lets in more is greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum OnMissing {
    /// Nothing is permitted.
    #[default]
    Refused,
    /// The configuration does not say what is permitted to one without a token.
    Open,
    /// One without a token may read.
    Reading,
    /// Everything is permitted to one without a token; one with a token that is not usable is refused.
    WithoutToken,
    /// Everything is permitted.
    Allowed,
}

/// A service.
#[derive(Clone, Debug)]
pub struct Service {
    /// How it is named in the table.
    pub label: String,
    /// Its software.
    pub software: String,
    /// Its version.
    pub version: String,
    /// The way it is asked.
    pub mode: String,
    /// Libraries it carries, where the command line says.
    pub parts: Vec<(String, String)>,
    /// Audiences it answers to; `None` when that is not known.
    pub audiences: Option<Placed<Vec<String>>>,
    /// Scopes that every token has to have; `None` when that is not known.
    pub scopes: Option<Placed<Vec<String>>>,
    /// Issuers it trusts; `None` when that is not known, and every issuer is taken to be trusted.
    pub issuers: Option<Vec<TrustedIssuer>>,
    /// An entry whose issuer is not certain, so that `issuers` may not be all.
    pub open_issuer: Option<Placed<()>>,
    /// Where issuers would stand, when there are some or none.
    pub issuers_place: Option<Place>,
    /// Requests without a usable token.
    pub on_missing: Placed<OnMissing>,
    /// Why it does not start.
    pub refuses_to_start: Option<Placed<String>>,
    /// Why it takes no token at all, although it runs.
    pub takes_no_tokens: Option<Placed<String>>,
    /// Rules that decide over valid tokens; `None` where there are none or they are not known.
    pub admission: Option<Admission>,
}

impl Service {
    /// Changes every place in its configuration.
    pub(super) fn each_place(&mut self, change: impl Fn(&mut Place)) {
        let mut places: Vec<&mut Option<Place>> = vec![&mut self.issuers_place, &mut self.on_missing.place];
        places.extend([&mut self.audiences, &mut self.scopes].into_iter().flatten().map(|one| &mut one.place));
        places.extend(
            [&mut self.refuses_to_start, &mut self.takes_no_tokens].into_iter().flatten().map(|one| &mut one.place),
        );
        places.extend(self.open_issuer.as_mut().map(|one| &mut one.place));
        for issuer in self.issuers.iter_mut().flatten() {
            places.extend([&mut issuer.issuer.place, &mut issuer.base_paths.place]);
            places.extend([&mut issuer.restricted_paths.place, &mut issuer.capabilities.place]);
            places.extend(issuer.audiences.as_mut().map(|one| &mut one.place));
            places.extend(issuer.audience_checked.as_mut().map(|one| &mut one.place));
            places.extend(issuer.mode.as_mut().map(|one| &mut one.place));
        }
        places.into_iter().flatten().for_each(change);
    }

    /// Reads `xrootd@5.5.3`, `xrootd@6.2.1+scitokens-cpp@1.4.1`, `arc@6.17.0/https-key`; without a version the newest
    /// that was seen. The error says what is known.
    pub fn parse(text: &str, model: &Model) -> Result<Service, String> {
        let (main, mode) = match text.split_once('/') {
            Some((main, mode)) => (main, Some(mode)),
            None => (text, None),
        };
        let mut names = main.split('+');
        let (software, number) = named(names.next().unwrap_or_default(), model)?;
        let parts = names.map(|part| named(part, model).map(|(part, number)| (part.raw.software.clone(), number)));
        let parts = parts.collect::<Result<Vec<_>, _>>()?;
        let modes = &software.raw.modes;
        let mode = match mode {
            None => modes.first().map(|mode| mode.mode.clone()).unwrap_or_default(),
            Some(mode) if modes.iter().any(|known| known.mode == mode) => mode.to_string(),
            Some(mode) => {
                let known: Vec<&str> = modes.iter().map(|mode| mode.mode.as_str()).collect();
                return Err(format!("{text}: no way {mode} of asking; known: {}", known.join(", ")));
            }
        };
        let shown = if modes.len() > 1 { format!("/{mode}") } else { String::new() };
        let carried: String = parts.iter().map(|(part, number)| format!("+{part}@{number}")).collect();
        Ok(Service {
            label: format!("{}@{number}{carried}{shown}", software.raw.software),
            software: software.raw.software.clone(),
            version: number,
            mode,
            parts,
            audiences: None,
            scopes: None,
            issuers: None,
            open_issuer: None,
            issuers_place: None,
            on_missing: Placed::nowhere(OnMissing::Refused),
            refuses_to_start: None,
            takes_no_tokens: None,
            admission: None,
        })
    }
}

fn named<'m>(text: &str, model: &'m Model) -> Result<(&'m Software, String), String> {
    let (name, number) = match text.split_once('@') {
        Some((name, number)) => (name, Some(number)),
        None => (text, None),
    };
    let software = model.find(name).ok_or_else(|| {
        let known: Vec<&str> = model.softwares.iter().map(|software| software.raw.software.as_str()).collect();
        format!("no software {name:?} is known; known: {}", known.join(", "))
    })?;
    let number = number.unwrap_or(software.newest());
    version(number).ok_or_else(|| format!("{text}: a version is numbers and dots, for example {name}@1.2.3"))?;
    Ok((software, number.to_string()))
}

/// What is asked of the service beside the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// As named in the model (`read`, `write`).
    pub operation: String,
    /// Absolute path.
    pub path: String,
}

impl Request {
    /// Reads `read:/data/file`. The error says which operations are known.
    pub fn parse(text: &str, model: &Model) -> Result<Request, String> {
        match text.split_once(':') {
            Some((operation, path)) if path.starts_with('/') && !operation.is_empty() => {
                match model.operations().any(|known| known.request == operation) {
                    true => Ok(Request { operation: operation.into(), path: path.into() }),
                    false => Err(format!("{text}: no operation {operation:?} is known; {}", model.known_operations())),
                }
            }
            Some(_) | None => {
                Err(format!("{text}: write an operation, a colon and an absolute path, as in read:/data"))
            }
        }
    }
}
