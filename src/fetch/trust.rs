//! Whom TLS trusts, and what the certificates of a server are.

use super::Error;
use super::address::{Guard, Origin};
use super::web::{Timeouts, tls};
use crate::adapt::snapshot::{CERTIFICATES_PART, NO_END};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;

/// Where grid machines keep the CAs of the Interoperable Global Trust Federation.
pub const IGTF_FOLDER: &str = "/etc/grid-security/certificates";

/// Most certificates a server may send.
const MAX_CHAIN: usize = 16;
/// Largest file of CA certificates, in bytes.
const MAX_CA_FILE: u64 = 16 << 20;

/// A kind of CA, told by who trusts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// In the system's store.
    Public,
    /// In the folder of IGTF's CAs.
    Igtf,
    /// In a file that the user named.
    Private,
}

impl Class {
    /// The words of the description.
    pub fn name(self) -> &'static str {
        match self {
            Class::Public => "public CA",
            Class::Igtf => "IGTF",
            Class::Private => "private CA",
        }
    }
}

/// The trust stores; a server is trusted when one of them vouches for it.
#[derive(Debug)]
pub struct Trust {
    stores: [(Class, Vec<CertificateDer<'static>>); 3],
}

impl Trust {
    /// The system's store, the CAs of a folder in IGTF's layout, and those of files. A folder that is not named is
    /// [`IGTF_FOLDER`], where it exists. What is named must be readable and hold certificates.
    pub fn load(ca_files: &[PathBuf], igtf: Option<&Path>) -> Result<Self, Error> {
        let system = rustls_native_certs::load_native_certs().certs;
        let igtf = match igtf {
            Some(folder) => folder_certificates(folder)?,
            None if Path::new(IGTF_FOLDER).is_dir() => folder_certificates(Path::new(IGTF_FOLDER)).unwrap_or_default(),
            None => Vec::new(),
        };
        let mut own = Vec::new();
        for path in ca_files {
            own.extend(file_certificates(path)?);
        }
        // A machine without any CA can still be this machine's own client; others are then not trusted, and TLS says so.
        Ok(Trust { stores: [(Class::Public, system), (Class::Igtf, igtf), (Class::Private, own)] })
    }

    /// Every root.
    pub(super) fn roots(&self) -> impl Iterator<Item = &[u8]> {
        self.stores.iter().flat_map(|(_, roots)| roots.iter().map(AsRef::as_ref))
    }

    /// The certificates a server shows, with the stores that vouch for them.
    pub(super) fn certificates(
        &self,
        guard: &Guard,
        origin: &Origin,
        timeouts: Timeouts,
    ) -> Result<Description, String> {
        let name = ServerName::try_from(origin.host.clone()).map_err(|_| "is no name that a certificate can be for")?;
        let mut store = RootCertStore::empty();
        for (_, roots) in &self.stores {
            store.add_parsable_certificates(roots.iter().cloned());
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| tls(&error))?
            .with_root_certificates(store)
            .with_no_client_auth();
        let deadline = Instant::now() + timeouts.total;
        let mut connection = ClientConnection::new(Arc::new(config), name.clone()).map_err(|error| tls(&error))?;
        let mut socket = connect(&guard.addresses(origin)?, timeouts.connect)?;
        shake_hands(&mut connection, &mut socket, deadline)?;
        let chain = connection.peer_certificates().unwrap_or_default();
        if chain.len() > MAX_CHAIN {
            return Err(format!("the server shows more than {MAX_CHAIN} certificates; check the address"));
        }
        let classes: Vec<Class> =
            self.stores.iter().filter(|(_, roots)| vouches(roots, chain, &name)).map(|(class, _)| *class).collect();
        let certificates = chain.iter().map(describe).collect::<Result<_, _>>()?;
        Ok(Description { part: CERTIFICATES_PART, server: origin.to_string(), classes, certificates })
    }
}

fn connect(addresses: &[SocketAddr], timeout: Duration) -> Result<TcpStream, String> {
    let opened = addresses.iter().find_map(|address| TcpStream::connect_timeout(address, timeout).ok());
    opened.ok_or_else(|| "the certificates could not be read: no connection; try again".to_string())
}

/// The handshake alone, and no longer than it may take: a server that sends a byte now and then ends it, too.
fn shake_hands(connection: &mut ClientConnection, socket: &mut TcpStream, deadline: Instant) -> Result<(), String> {
    let broken = |_| "the certificates could not be read: the connection ended; try again".to_string();
    while connection.is_handshaking() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err("the certificates could not be read in time; try again, or raise --timeout".into());
        }
        socket.set_read_timeout(Some(left)).map_err(broken)?;
        socket.set_write_timeout(Some(left)).map_err(broken)?;
        if connection.wants_write() {
            connection.write_tls(socket).map_err(broken)?;
        } else if connection.read_tls(socket).map_err(broken)? == 0 {
            return Err("the certificates could not be read: the connection ended; try again".into());
        } else {
            connection.process_new_packets().map_err(|error| tls(&error))?;
        }
    }
    Ok(())
}

/// True when these roots alone vouch for the server.
fn vouches(roots: &[CertificateDer<'static>], chain: &[CertificateDer<'_>], name: &ServerName<'_>) -> bool {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(roots.iter().cloned());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let Ok(verifier) = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider).build() else {
        return false; // an empty store
    };
    let [end, above @ ..] = chain else { return false };
    verifier.verify_server_cert(end, above, name, &[], UnixTime::now()).is_ok()
}

/// The certificates of a server as the snapshot keeps them.
#[derive(Debug, serde::Serialize)]
pub(super) struct Description {
    #[serde(rename = "tokenvet_snapshot")]
    part: &'static str,
    /// Host and port.
    server: String,
    /// Kinds of the CAs that vouch for it: the first is what people call it.
    #[serde(serialize_with = "names")]
    classes: Vec<Class>,
    /// The chain as the server sends it, its own certificate first.
    certificates: Vec<Certificate>,
}

impl Description {
    /// What kind of CA vouches for the server.
    pub(super) fn class(&self) -> &'static str {
        self.classes.first().map_or("no CA", |class| class.name())
    }
}

fn names<S: serde::Serializer>(classes: &[Class], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(classes.iter().map(|class| class.name()))
}

#[derive(Debug, serde::Serialize)]
struct Certificate {
    subject: String,
    issuer: String,
    not_before: String,
    not_after: String,
    /// DNS names and addresses of the subject's alternative names.
    names: Vec<String>,
    sha256: String,
    pem: String,
}

fn describe(der: &CertificateDer<'_>) -> Result<Certificate, String> {
    let unreadable = "the server shows a certificate that cannot be read; tell its operator";
    let (_, certificate) = X509Certificate::from_der(der).map_err(|_| unreadable)?;
    let time = |seconds: i64| match jiff::Timestamp::from_second(seconds) {
        Ok(time) => time.to_string(),
        // The year 9999 goes on for longer than times of ours do.
        Err(_) if seconds > 0 => NO_END.into(),
        Err(_) => "?".into(),
    };
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names.map(|names| names.value.general_names.iter().filter_map(name_of).collect()).unwrap_or_default();
    let encoded = STANDARD.encode(der);
    let lines: Vec<&str> =
        encoded.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap_or_default()).collect();
    Ok(Certificate {
        subject: certificate.subject().to_string(),
        issuer: certificate.issuer().to_string(),
        not_before: time(certificate.validity().not_before.timestamp()),
        not_after: time(certificate.validity().not_after.timestamp()),
        names,
        sha256: crate::hex::hex(&Sha256::digest(der)),
        pem: format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n")),
    })
}

fn name_of(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_string()),
        GeneralName::IPAddress(bytes) => match *bytes {
            [a, b, c, d] => Some(std::net::Ipv4Addr::new(*a, *b, *c, *d).to_string()),
            bytes => <[u8; 16]>::try_from(bytes).ok().map(|bytes| std::net::Ipv6Addr::from(bytes).to_string()),
        },
        _ => None,
    }
}

/// The certificates of one PEM file.
fn file_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let place = path.display().to_string();
    let found = read(path).map_err(|message| Error::new(&place, message))?;
    match found.is_empty() {
        true => Err(Error::new(&place, "holds no certificate in PEM form; name the file of a CA")),
        false => Ok(found),
    }
}

fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let metadata = fs::metadata(path).map_err(|error| crate::discover::walk::describe(&error, path))?;
    if !metadata.is_file() || metadata.len() > MAX_CA_FILE {
        return Err("is no file of CA certificates; name one in PEM form".into());
    }
    let text = fs::read(path).map_err(|error| crate::discover::walk::describe(&error, path))?;
    Ok(CertificateDer::pem_slice_iter(&text).filter_map(Result::ok).collect())
}

/// The certificates of a folder in IGTF's layout: `NAME.pem`, and links `HASH.0` to them.
fn folder_certificates(folder: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let place = folder.display().to_string();
    let entries =
        fs::read_dir(folder).map_err(|error| Error::new(&place, crate::discover::walk::describe(&error, folder)))?;
    let wanted = |path: &PathBuf| {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        matches!(extension, "pem" | "crt") || (!extension.is_empty() && extension.bytes().all(|b| b.is_ascii_digit()))
    };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(wanted).collect();
    paths.sort();
    let mut found: Vec<CertificateDer<'static>> =
        paths.iter().flat_map(|path| read(path).unwrap_or_default()).collect();
    found.sort_by(|one, other| one.as_ref().cmp(other.as_ref()));
    found.dedup();
    match found.is_empty() {
        true => Err(Error::new(&place, "holds no CA certificates; name the folder of IGTF's CAs")),
        false => Ok(found),
    }
}
