//! Docker compose files that run INDIGO IAM or Keycloak.

use super::placeholder::{Dialect, resolve};
use super::workload::{Variable, Workload};
use super::{Adapter, Kind, Sink};
use crate::model::TargetKind;
use crate::parse::{Cursor, Document};
use std::borrow::Cow;

/// Adapter for compose files.
pub(super) struct Compose;

const KIND: &str = "compose-file";

const ENV_FILE: &str = "it is not set here, and the service also reads an env file";
const MOUNTED: &str = "it is not set here, and a configuration file is mounted into the service";

impl Adapter for Compose {
    fn kinds(&self) -> &'static [Kind] {
        &[Kind {
            name: KIND,
            doc: "docker compose file with a service that runs INDIGO IAM or Keycloak",
            targets: &[TargetKind::Settings],
        }]
    }

    fn recognise(&self, document: &Document) -> Option<&'static str> {
        services(document).any(|service| service.product().is_some()).then_some(KIND)
    }

    fn adapt(&self, document: &Document, _kind: &'static str, sink: &mut dyn Sink) {
        for service in services(document) {
            service.adapt(document, sink);
        }
    }
}

fn services(document: &Document) -> impl Iterator<Item = Workload<'_>> {
    let services = document.root().get("services").filter(|services| services.is_map());
    services.into_iter().flat_map(Cursor::entries).filter(|(_, service)| service.is_map()).map(|(name, service)| {
        let elsewhere = if service.has("env_file") || service.has("extends") {
            Some(ENV_FILE)
        } else {
            service.get("volumes").filter(|volumes| mounts_configuration(*volumes)).map(|_| MOUNTED)
        };
        Workload {
            name,
            image: service.get("image"),
            command: service.get("command"),
            env: service.get("environment").map(environment).unwrap_or_default(),
            dialect: Dialect::Shell,
            elsewhere,
            at: service.id,
        }
    })
}

/// `environment` as a mapping or as a list of `NAME=value`.
fn environment(environment: Cursor<'_>) -> Vec<Variable<'_>> {
    let value = |text| resolve(text, Dialect::Shell, &|_| None);
    if environment.is_seq() {
        return environment
            .items()
            .filter_map(|item| {
                let text = item.as_str()?;
                let (name, text) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
                Some(Variable { name, value: text.and_then(value), at: item.id, unnamed: true })
            })
            .collect();
    }
    environment
        .entries()
        .map(|(name, member)| {
            let value: Option<Cow<'_, str>> = member.scalar_text().and_then(value);
            Variable { name, value, at: member.id, unnamed: false }
        })
        .collect()
}

/// True when something is mounted where IAM looks for its own configuration files.
fn mounts_configuration(volumes: Cursor<'_>) -> bool {
    let ours = |text: &str| text.contains("/indigo-iam/config") || text.contains("application");
    volumes.items().any(|volume| match volume.as_str() {
        Some(text) => ours(text),
        None => volume.get("target").and_then(Cursor::as_str).is_some_and(ours),
    })
}
