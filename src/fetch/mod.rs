//! Snapshots of issuers over the network: the only code of tokenvet that opens a connection.
//!
//! A snapshot is a folder of plain files that `check` reads: what the issuer serves, without secrets, and a manifest. It
//! is asked for by GET requests alone. Servers are not trusted: every answer is bounded in size and time, addresses are
//! checked where they are connected to, and nothing that a server says leads elsewhere than its own host, but for the key
//! set, which its metadata may name anywhere in public.

mod address;
mod api;
mod folder;
mod token;
mod trust;
mod web;
mod withhold;

pub use api::Api;
pub use folder::{Entry, holds_clients};
pub use token::{MAX_TOKEN, Token};
pub use trust::{Class, IGTF_FOLDER, Trust};
pub use web::Timeouts;

use crate::adapt::snapshot::HEADERS_PART;
use crate::model::url::same_issuer;
use crate::parse::{Cursor, Document, ParseError};
use address::{Guard, Origin};
use folder::{Hashed, Staging};
use jiff::Timestamp;
use std::path::Path;
use web::{Answer, Ask, Web};

/// What went wrong, where, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {message}")]
pub struct Error {
    /// The URL or path.
    pub place: String,
    /// What is wrong and what to do next; never text of a server.
    pub message: String,
    /// The HTTP status, when that is what is wrong.
    status: Option<u16>,
    /// Entries of a list that were read before it broke off.
    read: Option<u64>,
}

impl Error {
    fn new(place: &str, message: impl Into<String>) -> Self {
        Error { place: place.to_string(), message: message.into(), status: None, read: None }
    }

    /// An answer that is no JSON.
    fn json(url: &str, error: &ParseError) -> Self {
        let at = error.span.start;
        Error::new(url, format!("the answer is no JSON that can be read, at byte {at}: {}", error.message))
    }

    /// The failure of a page after this many entries were read.
    fn resumable(self, read: u64) -> Self {
        Error { read: (read > 0).then_some(read), ..self }
    }
}

/// What to fetch, from whom, and where to.
#[derive(Debug)]
pub struct Request<'a> {
    /// The issuer, as the `iss` of its tokens has it.
    pub issuer: &'a str,
    /// The folder of the snapshot; it is made, or replaced when it holds a snapshot.
    pub into: &'a Path,
    /// Whom TLS trusts.
    pub trust: &'a Trust,
    /// Whether the issuer's host may have a loopback, private or link-local address, and be spoken to over plain http when
    /// it is this machine.
    pub allow_private: bool,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// The token for the administration API; without one only what is public is fetched.
    pub token: Option<Token>,
    /// Which administration API it is; `None` tells by the metadata.
    pub api: Option<Api>,
    /// Whether to go on with a list of clients that an earlier run did not finish.
    pub resume: Resume,
}

/// What happens to the pages of a list that an earlier run did not finish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// They are thrown away.
    No,
    /// They are used; it is told when there are none.
    Asked,
    /// They are used where there are some.
    IfThere,
}

/// What happens meanwhile.
#[derive(Debug)]
pub enum Event {
    /// Entries of a list that were read, of how many where that is known.
    Page {
        /// Read so far.
        done: u64,
        /// All there are.
        total: Option<u64>,
    },
    /// Something the user should know.
    Note(String),
}

/// A snapshot that was taken.
#[derive(Debug)]
pub struct Snapshot {
    /// Its files, without the manifest.
    pub files: Vec<Entry>,
    /// The API that was asked.
    pub api: Option<Api>,
    /// What kind of CA vouches for the server; `None` without TLS.
    pub class: Option<&'static str>,
}

/// Takes a snapshot. `tell` hears what happens meanwhile. On failure the folder is what it was before.
pub fn fetch(request: &Request<'_>, tell: &mut dyn FnMut(Event)) -> Result<Snapshot, Error> {
    let issuer = request.issuer;
    let (_, origin) = web::address(issuer).map_err(|why| Error::new(issuer, why))?;
    if issuer.contains('?') {
        return Err(Error::new(issuer, "has a query (?…), which no issuer has; leave that out"));
    }
    if let Some(token) = &request.token {
        token.fits(&origin).map_err(|why| Error::new(issuer, why))?;
    }
    let guard =
        Guard { private_host: request.allow_private.then(|| origin.host.clone()), timeout: request.timeouts.connect };
    let web = Web::new(request.trust, guard, request.timeouts);
    let staging = Staging::open(request.into, request.resume != Resume::No)?;
    let mut run = Run { request, web, origin, staging, tell };
    match run.all() {
        Ok((api, class)) => {
            let taken = Timestamp::now();
            let files = run.staging.publish(issuer, api.map(Api::name), seconds(taken))?;
            Ok(Snapshot { files, api, class })
        }
        Err(error) => {
            let kept = error.read.filter(|_| run.staging.pages().is_ok_and(|pages| !pages.is_empty()));
            match kept {
                Some(read) => {
                    let message = format!("{}; {read} clients are kept: go on with --resume", error.message);
                    Err(Error { message, ..error })
                }
                None => {
                    run.staging.discard();
                    Err(error)
                }
            }
        }
    }
}

/// One run.
struct Run<'a> {
    request: &'a Request<'a>,
    web: Web,
    /// The issuer's.
    origin: Origin,
    staging: Staging,
    tell: &'a mut dyn FnMut(Event),
}

impl Run<'_> {
    fn all(&mut self) -> Result<(Option<Api>, Option<&'static str>), Error> {
        let metadata = self.metadata()?;
        self.keys(&metadata)?;
        let class = self.certificates()?;
        if self.request.token.is_none() {
            return Ok((None, class));
        }
        let product = crate::adapt::issuer_product(metadata.root()).and_then(|(name, ..)| Api::of_product(name));
        let api = self.request.api.or(product).ok_or_else(|| {
            let message =
                "its metadata does not show which administration API it has: pass --api, or leave the token out";
            Error::new(self.request.issuer, message)
        })?;
        api::fetch(self, api, &metadata)?;
        Ok((Some(api), class))
    }

    /// The metadata, at the address of OpenID Connect Discovery, else of RFC 8414.
    fn metadata(&mut self) -> Result<Document, Error> {
        let issuer = self.request.issuer;
        let base = issuer.trim_end_matches('/');
        let (server, path) = split(base);
        let first = format!("{base}/.well-known/openid-configuration");
        let second = format!("{server}/.well-known/oauth-authorization-server{path}");
        let answer = match self.public(&first) {
            Err(error) if error.status.is_some_and(|status| (400..500).contains(&status) && status != 429) => {
                self.public(&second).map_err(|other| {
                    let message = format!("{}; and {second}: {}", error.message, other.message);
                    Error::new(&first, message)
                })?
            }
            other => other?,
        };
        let clean = withhold::withhold(answer.text).map_err(|error| Error::json(&answer.url, &error))?;
        let broken = |message: &str| Error::new(&answer.url, message.to_string());
        let document = api::document(&clean.text).filter(|document| document.root().is_map());
        let document = document.ok_or_else(|| broken("the answer is no metadata of an issuer; check the address"))?;
        match document.root().get("issuer").and_then(Cursor::as_str) {
            Some(theirs) if theirs == issuer => {}
            Some(theirs) if same_issuer(theirs, issuer) => {
                let message = format!(
                    "the issuer calls itself {theirs}, and its tokens are refused under another spelling: ask for that"
                );
                return Err(broken(&message));
            }
            Some(_) => {
                let message = "the metadata is of another issuer than the one that was asked for: software that is told \
                               to trust this address would trust somebody else; check the address";
                return Err(broken(message));
            }
            None => return Err(broken("the metadata names no issuer; check the address")),
        }
        let entry = self.entry(folder::METADATA, &answer.url, None);
        self.add(&clean.text, Entry { withheld: clean.withheld, ..entry })?;
        Ok(document)
    }

    /// The key set and the headers it came with.
    fn keys(&mut self, metadata: &Document) -> Result<(), Error> {
        let Some(url) = metadata.root().get("jwks_uri").and_then(Cursor::as_str) else {
            let message = format!("{} names no jwks_uri, so there is no key set", self.request.issuer);
            (self.tell)(Event::Note(message));
            return Ok(());
        };
        let (_, origin) = web::address(url).map_err(|why| Error::new(url, format!("the metadata's jwks_uri {why}")))?;
        if self.origin.tls && !origin.tls {
            let message = "the metadata names a jwks_uri over http, where anybody on the way could answer with keys of \
                           their own; the operator of the issuer must change it to https";
            return Err(Error::new(url, message));
        }
        let answer = self.public(url)?;
        let clean = withhold::withhold(answer.text).map_err(|error| Error::json(&answer.url, &error))?;
        let keys = api::document(&clean.text).filter(|keys| keys.root().get("keys").is_some_and(Cursor::is_seq));
        if keys.is_none() {
            return Err(Error::new(&answer.url, "the answer is no key set; check the metadata's jwks_uri"));
        }
        if clean.withheld > 0 {
            let message = format!("{url} shows {} private members of keys: see `tokenvet check`", clean.withheld);
            (self.tell)(Event::Note(message));
        }
        let entry = self.entry(folder::KEYS, &answer.url, None);
        self.add(&clean.text, Entry { withheld: clean.withheld, ..entry.clone() })?;
        let headers: serde_json::Map<_, _> =
            answer.caching.into_iter().map(|(name, value)| (name.to_string(), value.into())).collect();
        let text = pretty(&Headers { part: HEADERS_PART, issuer: self.request.issuer, url: &answer.url, headers });
        self.add(&text, Entry { file: folder::KEY_HEADERS, ..entry })
    }

    fn certificates(&mut self) -> Result<Option<&'static str>, Error> {
        if !self.origin.tls {
            return Ok(None);
        }
        let place = format!("https://{}/", self.origin);
        let found = self.request.trust.certificates(self.web.guard(), &self.origin, self.request.timeouts);
        let found = found.map_err(|message| Error::new(&place, message))?;
        let class = found.class();
        let entry = Entry { status: None, ..self.entry(folder::CERTIFICATES, &place, None) };
        self.add(&pretty(&found), entry)?;
        Ok(Some(class))
    }

    fn public(&self, url: &str) -> Result<Answer, Error> {
        self.web.get(&Ask { url, token: None, limit: web::SMALL, needs: None })
    }

    fn tell(&mut self, event: Event) {
        (self.tell)(event);
    }

    /// Seconds since 1970.
    fn now(&self) -> i64 {
        Timestamp::now().as_second()
    }

    /// An entry of the manifest for something that is there since now.
    fn entry(&self, file: &'static str, url: &str, needs: Option<&'static str>) -> Entry {
        Entry {
            file,
            url: url.to_string(),
            fetched: seconds(Timestamp::now()),
            status: Some(200),
            needs,
            entries: None,
            withheld: 0,
            bytes: 0,
            sha256: String::new(),
        }
    }

    fn add(&mut self, text: &str, entry: Entry) -> Result<(), Error> {
        self.staging.add(text, entry)
    }

    fn finish(&mut self, file: Hashed, entry: Entry) -> Result<(), Error> {
        self.staging.finish(file, entry)
    }
}

/// Caching headers as the snapshot keeps them.
#[derive(serde::Serialize)]
struct Headers<'a> {
    #[serde(rename = "tokenvet_snapshot")]
    part: &'static str,
    issuer: &'a str,
    url: &'a str,
    headers: serde_json::Map<String, serde_json::Value>,
}

fn pretty(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

/// A time to the second.
fn seconds(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second()).unwrap_or(time).to_string()
}

/// A URL's server and path.
fn split(url: &str) -> (&str, &str) {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find('/').map_or(url.len(), |at| start + at);
    url.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_addresses_are_made_of_server_and_path() {
        for (url, server, path) in [
            ("https://iam.example.org", "https://iam.example.org", ""),
            ("https://iam.example.org:8443/realms/vo", "https://iam.example.org:8443", "/realms/vo"),
        ] {
            assert_eq!(split(url), (server, path));
        }
    }
}
