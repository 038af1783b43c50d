//! `tokenvet compat`: what services make of tokens.

use super::args::{CompatArgs, CompatFormat};
use super::exit::{Exit, Failure};
use super::{inspect, output, problem};
use crate::compat::{
    self, Expectations, Files, Given, KeySet, Model, Placed, Question, Request, Sent, Service, Table, TrustedIssuer,
    Wanted,
};
use crate::inspect::{Piece, find};
use crate::source::Source;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::ExposeSecret as _;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Largest expectation file, key set or configuration, in bytes.
const MAX_FILE: u64 = 4 << 20;

/// Runs the command.
pub(super) fn run(args: &CompatArgs) -> Result<Exit, Failure> {
    let now = super::clock(args.now.as_deref())?;
    let model = Model::builtin()?;
    let mut tokens = Vec::new();
    for word in &args.tokens {
        tokens.extend(given(word)?);
    }
    if args.no_token {
        tokens.push(Given { name: "(no token)".into(), sent: Sent::Nothing, condition: None });
    }
    if tokens.is_empty() {
        return Ok(Exit::Nothing);
    }
    let services = services(args, &model)?;
    let requests = args.request.iter().map(|text| Request::parse(text, &model)).collect::<Result<Vec<_>, _>>()?;
    let (expectations, expected_in) = expectations(args, &model)?;
    let keys = keys(args)?;
    let question = Question {
        tokens: &tokens,
        services: &services,
        requests: &requests,
        expectations: &expectations,
        keys: keys.as_ref(),
        now,
    };
    let table = compat::table(&model, &question);
    let unused = expectations.unused(&table);
    let exit = match table.summary.unmet {
        _ if !unused.is_empty() => Exit::Usage,
        0 => Exit::Clean,
        _ => Exit::Findings,
    };
    print(args, &table).map_err(|failure| match failure {
        Failure::BrokenPipe(_) => Failure::BrokenPipe(exit),
        other => other,
    })?;
    match expected_in {
        Some(source) if !unused.is_empty() => {
            Err(Failure::Reported(unused.iter().map(|error| problem::render(&source, error)).collect()))
        }
        Some(_) | None => Ok(exit),
    }
}

fn print(args: &CompatArgs, table: &Table) -> Result<(), Failure> {
    let look = super::look(args.color, args.all);
    match args.format {
        CompatFormat::Human => output::print(&compat::human(table, look)),
        CompatFormat::Json => output::print(&compat::json(table)),
        CompatFormat::Markdown => output::print(&compat::markdown(table, look)),
    }
}

fn keys(args: &CompatArgs) -> Result<Option<KeySet>, Failure> {
    #[cfg(feature = "verify")]
    if let Some(path) = &args.keys {
        let source = problem::read_small(path, MAX_FILE).map_err(Failure::Reported)?;
        let keys = KeySet::read(source.text());
        return keys.map(Some).map_err(|error| Failure::Usage(format!("{}: {error}", source.name())));
    }
    let _ = args;
    Ok(None)
}

/// What is expected, and the file it stands in.
fn expectations(args: &CompatArgs, model: &Model) -> Result<(Expectations, Option<Arc<Source>>), Failure> {
    let Some(word) = &args.expect else { return Ok((Expectations { expect: Vec::new() }, None)) };
    for wanted in [Wanted::Accept, Wanted::Refuse] {
        if word == wanted.name() {
            return Ok((Expectations::all(wanted), None));
        }
    }
    let source = Arc::new(problem::read_small(Path::new(word), MAX_FILE).map_err(Failure::Reported)?);
    match Expectations::read(&source, model) {
        Ok(read) => Ok((read, Some(source))),
        Err(error) => Err(Failure::Reported(problem::render(&source, &error))),
    }
}

/// The services of the command line.
fn services(args: &CompatArgs, model: &Model) -> Result<Vec<Service>, Failure> {
    if args.service.is_empty() {
        let names = model.softwares.iter().map(|software| software.raw.software.as_str());
        let services = names.map(|name| Service::parse(name, model).map(|service| settled(args, service)));
        return services.collect::<Result<_, _>>().map_err(Failure::Usage);
    }
    args.service.iter().map(|word| service(args, word, model)).collect()
}

fn service(args: &CompatArgs, word: &str, model: &Model) -> Result<Service, Failure> {
    let (name, path) = match word.split_once('=') {
        Some((name, path)) => (Some(name), Some(path)),
        None if Path::new(word).is_file() => (None, Some(word)),
        None => (Some(word), None),
    };
    let Some(path) = path else { return Ok(settled(args, Service::parse(word, model)?)) };
    let source = Arc::new(problem::read_small(Path::new(path), MAX_FILE).map_err(Failure::Reported)?);
    let name = match name {
        Some(name) => name.to_string(),
        None => compat::product_of(&source).ok_or_else(|| {
            Failure::Usage(format!(
                "{}: which software it is for is not recognised; write SOFTWARE@VERSION={path}",
                source.name()
            ))
        })?,
    };
    let service = settled(args, Service::parse(&name, model)?);
    let label = format!("{} {}", service.label, source.name());
    let read = args.root.as_deref().map(|root| move |path: &str| named(root, path));
    let files = read.as_ref().map(|read| read as Files<'_>);
    Ok(Service { label, ..service.configured(&source, files)? })
}

/// Reads a file that a configuration names, below a folder that stands for `/`.
fn named(root: &Path, path: &str) -> io::Result<Vec<u8>> {
    let path = root.join(path.trim_start_matches('/'));
    let metadata = path.metadata()?;
    match () {
        () if metadata.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        () if !metadata.is_file() || metadata.len() > MAX_FILE => Err(io::ErrorKind::Unsupported.into()),
        () => std::fs::read(path),
    }
}

/// What the command line says for services without configuration.
fn settled(args: &CompatArgs, mut service: Service) -> Service {
    if !args.audience.is_empty() {
        service.audiences = Some(Placed::nowhere(args.audience.clone()));
    }
    if !args.issuer.is_empty() {
        service.issuers = Some(args.issuer.iter().map(|issuer| TrustedIssuer::everywhere(issuer)).collect());
    }
    service
}

/// The tokens an argument names.
fn given(word: &OsString) -> Result<Vec<Given>, Failure> {
    let (source, is_token) = inspect::named(word)?;
    let source = Arc::new(source);
    let found = find(&source, is_token);
    let name = source.name();
    let several = found.pieces.len() > 1;
    let label = |nth: usize| if several { format!("{name} #{nth}") } else { name.to_string() };
    let tokens: Vec<Given> = found.pieces.iter().zip(1..).map(|(piece, nth)| of_piece(piece, label(nth))).collect();
    let clients = if tokens.is_empty() { compat::clients(&source) } else { Vec::new() };
    match tokens.is_empty() {
        false => Ok(tokens),
        true if !clients.is_empty() => Ok(clients),
        true => Err(Failure::Usage(format!(
            "{name}: no token in it; give a JWT, claims, client registrations, or a file that holds them"
        ))),
    }
}

fn of_piece(piece: &Piece, name: String) -> Given {
    let text = match piece {
        Piece::Whole(source) => source.text(),
        Piece::Broken(secret) => secret.expose_secret(),
    };
    let bare = text.trim();
    match bare.starts_with('{') {
        false => Given { name, sent: Sent::Token(bare.to_string()), condition: None },
        true => {
            let condition =
                Some("claims without a signature are taken to be signed with RS256 under a published key".into());
            Given { name, sent: Sent::Token(signed(bare)), condition }
        }
    }
}

/// A compact form of decoded claims, as their issuer would probably send them. Claims alone are taken as they are
/// written, repeated keys included.
fn signed(text: &str) -> String {
    let json: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let inner = json.get("access_token").and_then(serde_json::Value::as_str);
    if let Some(token) = inner {
        return token.to_string();
    }
    let payload = json.get("payload").or(json.get("claims")).map(ToString::to_string).unwrap_or(text.to_string());
    let mut header = serde_json::json!({ "alg": "RS256", "kid": "published", "typ": "JWT" });
    if let Some(given) = json.get("header").and_then(serde_json::Value::as_object) {
        header = serde_json::Value::Object(given.clone());
    }
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.{}", encode(&header.to_string()), encode(&payload), encode(&"-".repeat(256)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_help_names_every_operation() {
        let model = Model::builtin().expect("the model loads");
        let command = super::super::args::Args::command();
        let compat = command.find_subcommand("compat").expect("the command is there");
        let request = compat.get_arguments().find(|arg| arg.get_id() == "request").expect("the option is there");
        let help = request.get_help().expect("it has a help").to_string();
        let (_, listed) = help.split_once(": ").expect("it lists operations");
        let (listed, _) = listed.split_once(", and an absolute path").expect("it lists operations");
        let listed: Vec<&str> = listed.split([',', ' ']).filter(|word| !["", "or"].contains(word)).collect();
        let known: Vec<&str> = model.operations().map(|known| known.request.as_str()).collect();
        assert_eq!(listed, known);
    }
}
