//! A small server on loopback that replays recorded shapes of answers: made-up data in the forms that INDIGO IAM and
//! Keycloak give. It is no such product, and what it says of them is what their sources were read to say.

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A request that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Path and query.
    pub(crate) path: String,
    pub(crate) method: String,
    pub(crate) authorization: Option<String>,
}

/// What is answered.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    /// How the body is sent.
    pub(crate) manner: Manner,
}

pub(crate) enum Manner {
    Whole,
    /// A byte now and then.
    Trickle,
    /// The length is announced, half of it is sent.
    Half,
}

impl Reply {
    pub(crate) fn json(body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("Content-Type", "application/json".to_string())];
        Reply { status: 200, headers, body: body.into(), manner: Manner::Whole }
    }

    pub(crate) fn status(status: u16) -> Self {
        Reply { status, ..Reply::json("{}") }
    }

    pub(crate) fn redirect(to: &str) -> Self {
        Reply::status(302).with("Location", to)
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value.to_string()));
        self
    }

    pub(crate) fn sent(self, manner: Manner) -> Self {
        Reply { manner, ..self }
    }
}

type Handler = Box<dyn Fn(&Seen) -> Reply + Send + Sync>;

/// A running server; it ends with the test.
pub(crate) struct Server {
    /// `http://127.0.0.1:PORT` or `https://localhost:PORT`.
    pub(crate) base: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Starts one; the handler is made for its address.
    pub(crate) fn start(identity: Option<&Identity>, handler: impl FnOnce(&str) -> Handler) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let base = match identity {
            Some(_) => format!("https://localhost:{port}"),
            None => format!("http://127.0.0.1:{port}"),
        };
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (handler, log) = (Arc::new(handler(&base)), Arc::clone(&seen));
        let config = identity.map(Identity::config);
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (handler, log, config) = (Arc::clone(&handler), Arc::clone(&log), config.clone());
                std::thread::spawn(move || {
                    let _ = socket.set_read_timeout(Some(Duration::from_secs(20)));
                    match config {
                        None => answer(socket, &handler, &log),
                        Some(config) => {
                            let connection = ServerConnection::new(config).expect("a connection");
                            answer(StreamOwned::new(connection, socket), &handler, &log);
                        }
                    }
                });
            }
        });
        Server { base, seen }
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("not poisoned").clone()
    }
}

fn answer(mut stream: impl Read + Write, handler: &Handler, log: &Mutex<Vec<Seen>>) {
    let Some(seen) = read(&mut stream) else { return };
    log.lock().expect("not poisoned").push(seen.clone());
    let reply = handler(&seen);
    let mut head = format!("HTTP/1.1 {} Replayed\r\nConnection: close\r\n", reply.status);
    head.push_str(&format!("Content-Length: {}\r\n", reply.body.len()));
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let _ = stream.write_all((head + "\r\n").as_bytes());
    match reply.manner {
        Manner::Whole => drop(stream.write_all(&reply.body)),
        Manner::Half => drop(stream.write_all(&reply.body[..reply.body.len() / 2])),
        Manner::Trickle => {
            for byte in &reply.body {
                if stream.write_all(&[*byte]).and_then(|()| stream.flush()).is_err() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(200));
            }
        }
    }
    let _ = stream.flush();
}

fn read(stream: &mut impl Read) -> Option<Seen> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 || head.len() > 1 << 20 {
            return None;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let (method, path) = (words.next()?.to_string(), words.next()?.to_string());
    let authorization = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("authorization").then(|| value.trim().to_string())
    });
    Some(Seen { path, method, authorization })
}

/// A server's certificate and the CA that signed it, made for the test.
pub(crate) struct Identity {
    ca: String,
    chain: Vec<rustls::pki_types::CertificateDer<'static>>,
    key: Vec<u8>,
}

impl Identity {
    /// A certificate for these names by a CA of its own.
    pub(crate) fn new(names: &[&str], expired: bool) -> Self {
        let until = if expired { (2021, 1, 1) } else { (4096, 1, 1) };
        Identity::until(names, until.0, until.1, until.2)
    }

    /// The same, valid from 2020 to this day.
    pub(crate) fn until(names: &[&str], year: i32, month: u8, day: u8) -> Self {
        use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
        let mut params = CertificateParams::new(Vec::new()).expect("no name is needed");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Test CA of tokenvet");
        let key = KeyPair::generate().expect("a key");
        let ca = params.self_signed(&key).expect("a CA").pem();
        let issuer = Issuer::new(params, key);
        let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_string()).collect::<Vec<_>>())
            .expect("names for a certificate");
        params.distinguished_name.push(DnType::CommonName, "iam.example.org");
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(year, month, day);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &issuer).expect("a certificate");
        Identity { ca, chain: vec![certificate.der().clone()], key: key.serialize_der() }
    }

    /// Writes the CA's certificate.
    pub(crate) fn write_ca(&self, path: &Path) {
        std::fs::write(path, &self.ca).expect("written");
    }

    fn config(&self) -> Arc<ServerConfig> {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("TLS versions")
            .with_no_client_auth()
            .with_single_cert(self.chain.clone(), key)
            .expect("a certificate and its key");
        Arc::new(config)
    }
}

/// Takes connections and never says a word.
pub(crate) fn silent() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        let open: Vec<TcpStream> = listener.incoming().flatten().collect();
        drop(open);
    });
    base
}
