//! From a service's configuration file to what its token decisions depend on, by the targets that its adapter yields.

use super::admission::Admission;
use super::model::{Model, Software, fits, version};
use super::raw::Configuration;
use super::scopes::canonical;
use super::service::{OnMissing, Place, Placed, Service, TrustedIssuer};
use crate::adapt::{self, Sink};
use crate::discover;
use crate::model::{At, Field, State, Target, TargetKind};
use crate::parse::ini::IniDialect;
use crate::parse::{Document, NodeId, Syntax, parse};
use crate::source::Source;
use std::io;
use std::sync::Arc;

/// What a file says about one service.
#[derive(Default)]
struct Read {
    services: Vec<Row>,
    trusts: Vec<Row>,
    mappings: Vec<Row>,
    traps: Vec<Row>,
    errors: Vec<Placed<String>>,
}

/// A target's fields, on their own.
pub(crate) struct Row {
    fields: Vec<(&'static str, Known)>,
}

/// A field on its own.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// Texts of a text, a number or a list; `None` when it is not known.
    pub(crate) texts: Option<Vec<String>>,
    pub(crate) absent: bool,
    /// Anything will do.
    pub(super) unlimited: bool,
    malformed: Option<String>,
    pub(crate) place: Option<Place>,
}

impl Row {
    pub(crate) fn of(documents: &[&Document], target: &Target<'_>) -> Row {
        let fields = target.kind.fields().iter().enumerate();
        let known = |field: &Field<'_>| Known {
            texts: texts(field),
            absent: field.is_absent(),
            unlimited: matches!(field.state, State::Unlimited),
            malformed: match &field.state {
                State::Malformed(why) => Some(why.to_string()),
                State::Absent | State::Unknown(_) | State::Unlimited | State::Value(_) => None,
            },
            place: field.at.and_then(|at| place(documents, at)),
        };
        Row { fields: fields.map(|(index, spec)| (spec.name, known(target.record.field(index)))).collect() }
    }

    pub(crate) fn get(&self, name: &str) -> Known {
        let found = self.fields.iter().find(|(known, _)| *known == name).map(|(_, known)| known.clone());
        found.unwrap_or(Known { texts: Some(Vec::new()), absent: true, unlimited: false, malformed: None, place: None })
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(known, _)| *known == name)
    }

    pub(crate) fn first(&self, name: &str) -> Option<String> {
        self.get(name).first()
    }

    /// False for an entry that the service drops.
    pub(super) fn is_active(&self) -> bool {
        self.get("active").flag() != Some(false)
    }
}

impl Known {
    /// The first of its texts, or the only one.
    pub(super) fn first(&self) -> Option<String> {
        self.texts.as_ref().and_then(|texts| texts.first().cloned())
    }

    /// Its texts and where they stand.
    fn placed(self) -> Option<Placed<Vec<String>>> {
        Some(Placed { value: self.texts?, place: self.place })
    }

    /// A yes or no; `None` when it says neither, or that is not known.
    pub(super) fn flag(&self) -> Option<bool> {
        Some(self.texts.as_ref()?.first()? == "true")
    }
}

/// A yes or no of a service that several rows speak of: some say yes, or all that speak say no; `None` when nobody does, or
/// one does not know.
pub(crate) fn said(rows: &[Row], name: &str) -> Option<bool> {
    let rows = rows.iter().map(|row| row.get(name)).filter(|known| !known.absent);
    let said: Vec<Option<bool>> = rows.map(|known| known.flag()).collect();
    match () {
        () if said.contains(&Some(true)) => Some(true),
        () if said.is_empty() || said.contains(&None) => None,
        () => Some(false),
    }
}

fn texts(field: &Field<'_>) -> Option<Vec<String>> {
    match &field.state {
        State::Absent => Some(Vec::new()),
        State::Unknown(_) | State::Malformed(_) | State::Unlimited => None,
        State::Value(_) => match (field.as_text(), field.as_bool(), field.as_int()) {
            (Some(text), _, _) => Some(vec![text.to_string()]),
            (None, Some(value), _) => Some(vec![value.to_string()]),
            (None, None, Some(number)) => Some(vec![number.to_string()]),
            (None, None, None) => field.items().iter().map(|item| item.as_text().map(str::to_string)).collect(),
        },
    }
}

fn place(documents: &[&Document], at: At) -> Option<Place> {
    let document = documents.get(usize::from(at.document))?;
    Some(of_node(document, at.node))
}

fn of_node(document: &Document, node: NodeId) -> Place {
    let cursor = document.cursor(node);
    let span = cursor.key_span().unwrap_or(cursor.span());
    Place {
        path: document.source.name().to_string(),
        line: document.source.position(span.start as usize).line as usize,
    }
}

impl Sink for Read {
    fn target(&mut self, documents: &[&Document], target: Target<'_>) {
        match target.kind {
            TargetKind::Service => self.services.push(Row::of(documents, &target)),
            TargetKind::Trust => self.trusts.push(Row::of(documents, &target)),
            TargetKind::Mapping => self.mappings.push(Row::of(documents, &target)),
            TargetKind::Trap => self.traps.push(Row::of(documents, &target)),
            _ => {}
        }
    }

    fn secret(&mut self, _: &Document, _: NodeId) {}

    fn error(&mut self, document: &Document, node: NodeId, message: String) {
        self.errors.push(Placed { value: message, place: Some(of_node(document, node)) });
    }

    fn paging(&mut self, _: NodeId, _: i64, _: (NodeId, i64)) {}

    fn secrets_expected(&mut self) {}
}

impl Read {
    /// Why a service with this configuration takes no token at all.
    fn closed(&self, software: Option<&Software>) -> Option<Placed<String>> {
        let known = software.map_or(&[][..], |software| software.raw.closed_by.as_slice());
        // What is wrong in one section says nothing of the services in others.
        let one = self.services.iter().filter(|row| !row.get("tokens").absent).count() < 2;
        let everywhere = |trap: &&Row| one || trap.first("section").is_none_or(|section| section.is_empty());
        let mut trapped = self.traps.iter().filter(everywhere).filter_map(|trap| {
            let code = trap.get("code");
            let closing = known.iter().find(|one| code.texts.as_deref() == Some(std::slice::from_ref(&one.trap)))?;
            let fill =
                |text: String, name: &str| text.replace(&format!("{{{name}}}"), &trap.first(name).unwrap_or_default());
            Some(Placed { value: fill(fill(closing.reason.clone(), "effect"), "name"), place: code.place })
        });
        let off = || {
            let place = self.services.iter().find_map(|row| row.get("tokens").place);
            (said(&self.services, "tokens") == Some(false))
                .then(|| Placed { value: "its configuration takes no tokens".to_string(), place })
        };
        trapped.next().or_else(off)
    }

    /// What becomes of requests without a usable token: of several doors the widest counts.
    fn without_token(&self) -> Placed<OnMissing> {
        let said = self.services.iter().filter(|part| !part.get("without_token").absent);
        said.map(without_token).max_by_key(|said| said.value).unwrap_or(Placed::nowhere(OnMissing::Open))
    }
}

/// What one part of a service says of requests without a usable token.
fn without_token(part: &Row) -> Placed<OnMissing> {
    let known = part.get("without_token");
    let value = match known.first().as_deref() {
        // XRootD's plug-in, which EOS has as well, does not tell them from requests with a token that is not usable.
        Some("allow") if part.first("product").as_deref() == Some("xrootd") => OnMissing::Allowed,
        Some("allow") => OnMissing::WithoutToken,
        Some("read") => OnMissing::Reading,
        Some("deny" | "passthrough") => OnMissing::Refused,
        Some(_) | None => OnMissing::Open,
    };
    Placed { value, place: known.place }
}

/// The software that a configuration file is for, when it is recognised.
pub fn product_of(source: &Arc<Source>) -> Option<String> {
    let read = read(source, None);
    read.services.iter().chain(&read.trusts).find_map(|row| row.first("product"))
}

fn read(source: &Arc<Source>, syntax: Option<Syntax>) -> Read {
    let mut found = Read::default();
    let at_line =
        |offset: usize| Place { path: source.name().to_string(), line: source.position(offset).line as usize };
    match syntax {
        Some(syntax) => {
            let (documents, errors) = parse(source, syntax);
            for error in errors {
                found.errors.push(Placed { value: error.message, place: Some(at_line(error.span.start as usize)) });
            }
            for document in &documents {
                if let Some((adapter, kind)) = adapt::recognise(document) {
                    adapter.adapt(document, kind, &mut found);
                }
            }
        }
        None => {
            for (document, known) in &discover::recognise(source).documents {
                if let Some((adapter, kind)) = known {
                    adapter.adapt(document, kind, &mut found);
                }
            }
        }
    }
    found
}

/// Reads a file by the path by which a configuration names it.
pub type Files<'f> = &'f dyn Fn(&str) -> io::Result<Vec<u8>>;

impl Service {
    /// Takes over what a configuration file says. `files` reads the files that it names, by their absolute paths; without
    /// it their absence cannot be noticed.
    ///
    /// The error says what the file is not.
    pub fn configured(self, source: &Arc<Source>, files: Option<Files<'_>>) -> Result<Service, String> {
        let model = Model::builtin()?;
        let software = model.find(&self.software);
        match software.map(|known| known.raw.configuration).unwrap_or_default() {
            Configuration::ScitokensCfg => Ok(self.xrootd(source, files)),
            kind => self.general(source, software, kind),
        }
    }

    /// Any format with the targets that say it: issuers, audiences, profiles.
    fn general(
        mut self,
        source: &Arc<Source>,
        software: Option<&Software>,
        kind: Configuration,
    ) -> Result<Service, String> {
        let found = read(source, None);
        if found.services.is_empty() && found.trusts.is_empty() {
            return Err(format!("{}: no configuration that says whom {} trusts", source.name(), self.software));
        }
        let said = |name: &str| {
            let mut rows = found.services.iter().map(|row| row.get(name));
            rows.find(|known| !known.absent).and_then(Known::placed)
        };
        // What it does not say may be known from elsewhere.
        self.audiences = said("audiences").or(self.audiences);
        self.scopes = said("scopes");
        self.takes_no_tokens = found.closed(software);
        self.on_missing = found.without_token();
        match kind {
            Configuration::Issuers | Configuration::ScitokensCfg => {}
            Configuration::Rules => {
                self.admission = Some(Admission::of(&found.services, &found.mappings));
                return Ok(self);
            }
            Configuration::Patterns => return Ok(self),
        }
        let modes = software.map_or(&[][..], |software| software.raw.modes.as_slice());
        let (active, dropped): (Vec<&Row>, Vec<&Row>) = found.trusts.iter().partition(|trust| trust.is_active());
        let issuers = active.iter().filter_map(|trust| {
            let (profile, checked, audiences) =
                (trust.get("profile"), trust.get("audience_checked"), trust.get("audiences"));
            let mode = profile.first().filter(|mode| modes.iter().any(|known| known.mode == *mode));
            let compared = checked.flag();
            let own = if audiences.absent { None } else { audiences.placed() };
            Some(TrustedIssuer {
                audiences: own,
                audience_checked: compared.map(|value| Placed { value, place: checked.place }),
                mode: mode.map(|value| Placed { value, place: profile.place }),
                ..issuer(trust)?
            })
        });
        let issuers: Vec<TrustedIssuer> = issuers.collect();
        if let (true, Some(first)) = (active.is_empty(), dropped.first()) {
            let place = first.get("issuer").place;
            self.issuers_place = place.clone();
            self.issuers = Some(Vec::new());
            let none =
                || Placed { value: "none of the issuers that its configuration names takes effect".into(), place };
            self.takes_no_tokens.get_or_insert_with(none);
            return Ok(self);
        }
        let issuers = self.all_issuers(&active, issuers);
        let opens = software.map_or(&[][..], |software| software.raw.opened_by.as_slice());
        let mut codes = found.traps.iter().map(|trap| trap.get("code"));
        if let Some(trap) = codes.find(|code| code.first().is_some_and(|code| opens.contains(&code))) {
            self.open_issuer.get_or_insert(Placed { value: (), place: trap.place });
        }
        if let Some(first) = issuers.first() {
            self.issuers_place = first.issuer.place.clone();
            self.issuers = Some(issuers);
        }
        Ok(self)
    }

    /// These issuers, and those that are known from elsewhere when an entry does not show its own.
    fn all_issuers(&mut self, entries: &[&Row], mut issuers: Vec<TrustedIssuer>) -> Vec<TrustedIssuer> {
        let hidden = |known: &Known| known.texts.is_none() && known.malformed.is_none() && !known.unlimited;
        match (entries.iter().map(|trust| trust.get("issuer")).find(hidden), &mut self.issuers) {
            (Some(_), Some(known)) => issuers.append(known),
            (Some(open), None) => self.open_issuer = Some(Placed { value: (), place: open.place }),
            (None, _) => {}
        }
        issuers
    }

    fn xrootd(self, source: &Arc<Source>, files: Option<Files<'_>>) -> Service {
        // Releases before 5.6.2 read lines of 199 bytes and take the rest of a longer one for a line of its own.
        let old = version(&self.version).is_some_and(|version| fits(Some(&"<5.6.2".into()), &version));
        match old.then(|| cut(source.text(), 199)).flatten() {
            None => self.read_xrootd(source, files),
            Some((text, lines)) => {
                let rewritten = Arc::new(Source::from_text(source.name().clone(), text));
                let mut service = self.read_xrootd(&rewritten, files);
                service.each_place(|place| place.line = lines.get(place.line - 1).copied().unwrap_or(place.line));
                service
            }
        }
    }

    fn read_xrootd(mut self, source: &Arc<Source>, files: Option<Files<'_>>) -> Service {
        let found = read(source, Some(Syntax::Ini(IniDialect::ScitokensCfg)));
        let first = found.errors.into_iter().next();
        let refused = |why: String, place| Some(Placed { value: format!("it does not start: {why}"), place });
        if let Some(error) = first {
            self.refuses_to_start = refused(error.value, error.place);
            return self;
        }
        if let Some(service) = found.services.first() {
            let audiences = service.get("audiences");
            let missing = service.get("without_token");
            if let Some(why) = &audiences.malformed {
                self.refuses_to_start = refused(why.clone(), audiences.place.clone());
            }
            self.audiences = audiences.placed().or(self.audiences);
            match missing.first().as_deref() {
                Some("allow") => self.on_missing = Placed { value: OnMissing::Allowed, place: missing.place },
                None | Some("deny" | "passthrough") => {}
                Some(other) => {
                    self.refuses_to_start = refused(format!("onmissing has no value {other:?}"), missing.place);
                }
            }
        }
        if let Some(files) = files {
            let named = found.trusts.iter().map(|trust| trust.get("map_file"));
            let mut broken = named.filter_map(|file| Some((broken_map(files(&file.first()?))?, file.place)));
            if let Some((why, place)) = broken.next() {
                self.refuses_to_start = refused(format!("the name_mapfile {why}"), place);
            }
        }
        // Releases before 5.7.0 do not know the key.
        let knows_strategy = version(&self.version).is_some_and(|version| fits(Some(&">=5.7.0".into()), &version));
        let active: Vec<&Row> = found.trusts.iter().filter(|trust| trust.is_active()).collect();
        let issuers = active.iter().filter_map(|trust| issuer(trust)).map(|issuer| TrustedIssuer {
            capabilities: if knows_strategy { issuer.capabilities } else { Placed::nowhere(true) },
            ..issuer
        });
        self.issuers = Some(self.all_issuers(&active, issuers.collect()));
        self.issuers_place = Some(Place { path: source.name().to_string(), line: 1 });
        self
    }
}

/// Lines no longer than a limit in bytes (their end included), and the line of the original each belongs to; `None` when
/// nothing is that long.
fn cut(text: &str, limit: usize) -> Option<(String, Vec<usize>)> {
    if text.split_inclusive('\n').all(|line| line.len() <= limit) {
        return None;
    }
    let (mut out, mut lines) = (String::new(), Vec::new());
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let mut rest = line;
        while !rest.is_empty() {
            // A character that would be cut in two goes to the next line, which changes nothing that is compared.
            let end = (0..=limit.min(rest.len())).rev().find(|at| rest.is_char_boundary(*at)).unwrap_or(rest.len());
            let (piece, after) = rest.split_at(end);
            out.push_str(piece);
            if !after.is_empty() {
                out.push('\n');
            }
            lines.push(number + 1);
            rest = after;
        }
    }
    Some((out, lines))
}

/// Why XRootD cannot take a map file; the text completes "the name_mapfile …". What only we cannot read says nothing.
fn broken_map(read: io::Result<Vec<u8>>) -> Option<&'static str> {
    let bytes = match read {
        Ok(bytes) => bytes,
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => return Some("is not there"),
            io::ErrorKind::IsADirectory => return Some("is no JSON list"),
            _ => return None,
        },
    };
    // XRootD takes bytes as they are, whether they are UTF-8 or not. What follows the list does not matter.
    let Some(Ok(rules)) = serde_json::Deserializer::from_str(&String::from_utf8_lossy(&bytes))
        .into_iter::<Vec<serde_json::Value>>()
        .next()
    else {
        return Some("is no JSON list");
    };
    for rule in rules {
        let Some(rule) = rule.as_object() else { return Some("has a rule that is no object") };
        let texts = ["sub", "path", "group", "result"].iter().filter_map(|name| rule.get(*name));
        if texts.into_iter().any(|value| !value.is_string()) {
            return Some("has a rule with a value that is no text");
        }
        let text = |name: &str| rule.get(name).and_then(serde_json::Value::as_str);
        if text("path").is_some_and(|path| !path.starts_with('/')) {
            return Some("has a path that is not absolute");
        }
        if text("ignore").is_none() && text("result").is_none_or(str::is_empty) {
            return Some("has a rule without result");
        }
    }
    None
}

/// An issuer of an entry that the service does not drop.
fn issuer(trust: &Row) -> Option<TrustedIssuer> {
    let (iss, bases, limits) = (trust.get("issuer"), trust.get("base_paths"), trust.get("restricted_paths"));
    let strategy = trust.get("strategy");
    let paths =
        |known: &Known| -> Vec<String> { known.texts.iter().flatten().filter_map(|path| canonical(path)).collect() };
    let capable = |words: &Vec<String>| words.iter().any(|word| word.eq_ignore_ascii_case("capability"));
    let capabilities = strategy.absent || strategy.texts.as_ref().is_none_or(capable);
    Some(TrustedIssuer {
        issuer: Placed { value: iss.first()?, place: iss.place },
        base_paths: Placed { value: paths(&bases), place: bases.place },
        restricted_paths: Placed { value: paths(&limits), place: limits.place },
        capabilities: Placed { value: capabilities, place: strategy.place },
        audiences: None,
        audience_checked: None,
        mode: None,
    })
}
