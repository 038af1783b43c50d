//! Mints the tokens: keys are made at run time by the `openssl` command and are gone with the run.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The clock of the tokens, in seconds since 1970; a constant, because some verdicts depend on the year.
pub(crate) const NOW: i64 = 1_795_305_694;
/// The port of the issuer, in the network of its own that every driver runs in.
const PORT: u16 = 19443;
/// The audience of the service that the verifiers play.
pub(crate) const AUDIENCE: &str = "https://localhost:1094";
const ANY: &str = "https://wlcg.cern.ch/jwt/v1/any";

/// A pair of keys: its name is its `kid`.
struct KeySpec {
    name: &'static str,
    algorithm: &'static str,
    /// What `openssl genpkey` is told.
    make: &'static [&'static str],
    published: bool,
    /// Whether the published key names its algorithm.
    tells_algorithm: bool,
}

const KEYS: [KeySpec; 8] = [
    rsa("rsa1", "rsa_keygen_bits:2048", true, true),
    rsa("rsa2", "rsa_keygen_bits:2048", true, false),
    rsa("rsa1024", "rsa_keygen_bits:1024", true, true),
    ec("ec1", "ES256", &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
    ec("ec384", "ES384", &["EC", "-pkeyopt", "ec_paramgen_curve:P-384"]),
    ec("ec521", "ES512", &["EC", "-pkeyopt", "ec_paramgen_curve:P-521"]),
    ec("ed1", "EdDSA", &["ED25519"]),
    rsa("evil", "rsa_keygen_bits:2048", false, true),
];

const fn rsa(name: &'static str, bits: &'static str, published: bool, tells_algorithm: bool) -> KeySpec {
    let make: &[&str] = match bits.as_bytes()[16] {
        b'1' => &["RSA", "-pkeyopt", "rsa_keygen_bits:1024"],
        _ => &["RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    };
    KeySpec { name, algorithm: "RS256", make, published, tells_algorithm }
}

const fn ec(name: &'static str, algorithm: &'static str, make: &'static [&'static str]) -> KeySpec {
    KeySpec { name, algorithm, make, published: true, tells_algorithm: true }
}

/// The keys of one run and the places their tokens speak of.
pub(crate) struct Mint {
    directory: PathBuf,
    jwks: BTreeMap<&'static str, serde_json::Value>,
}

/// How a token is signed and wrapped; what its header says is another matter.
#[derive(Clone, Debug)]
pub(crate) struct Signing {
    /// Name of the key.
    pub(crate) key: String,
    /// Algorithm of the signature.
    pub(crate) algorithm: String,
    /// What is done to the signature: see `!sig` in cases.txt; empty: nothing.
    pub(crate) damage: String,
    /// How the three parts are put together: see `!form` in cases.txt; empty: as they should.
    pub(crate) form: String,
}

/// A token as it was minted.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) header: Vec<u8>,
    pub(crate) payload: Vec<u8>,
    pub(crate) signing: Signing,
    pub(crate) token: Vec<u8>,
}

impl Mint {
    /// Makes the keys in `directory`, which should not outlive the run.
    pub(crate) fn new(directory: &Path) -> Mint {
        let mut mint = Mint { directory: directory.to_path_buf(), jwks: BTreeMap::new() };
        for key in &KEYS {
            let path = mint.pem(key.name);
            let mut command = openssl();
            command.args(["genpkey", "-quiet", "-algorithm"]).args(key.make).arg("-out").arg(&path);
            output(command, b"");
            let jwk = mint.jwk(key);
            mint.jwks.insert(key.name, jwk);
        }
        mint
    }

    /// What the issuer publishes.
    pub(crate) fn key_set(&self) -> String {
        let keys: Vec<_> = KEYS.iter().filter(|key| key.published).map(|key| &self.jwks[key.name]).collect();
        serde_json::json!({ "keys": keys }).to_string()
    }

    fn pem(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.pem"))
    }

    fn public(&self, name: &str, form: &str) -> Vec<u8> {
        let mut command = openssl();
        command.args(["pkey", "-pubout", "-outform", form, "-in"]).arg(self.pem(name));
        output(command, b"")
    }

    fn jwk(&self, key: &KeySpec) -> serde_json::Value {
        let mut jwk = serde_json::json!({ "kid": key.name, "use": "sig" });
        let der = self.public(key.name, "DER");
        let tail = |length: usize| &der[der.len() - length..];
        let mut set = |name: &str, value: &str| jwk[name] = value.into();
        match key.algorithm {
            "EdDSA" => {
                set("kty", "OKP");
                set("crv", "Ed25519");
                set("x", &URL_SAFE_NO_PAD.encode(tail(32)));
            }
            "RS256" => {
                let mut command = openssl();
                command.args(["rsa", "-noout", "-modulus", "-in"]).arg(self.pem(key.name));
                let said = String::from_utf8(output(command, b"")).expect("openssl prints ASCII");
                let modulus = bytes_of_hex(said.trim().trim_start_matches("Modulus="));
                set("kty", "RSA");
                set("e", "AQAB");
                set("n", &URL_SAFE_NO_PAD.encode(modulus));
            }
            _ => {
                let size = field_size(key.algorithm);
                let curve = if size == 66 { "P-521".to_string() } else { format!("P-{}", size * 8) };
                set("kty", "EC");
                set("crv", &curve);
                set("x", &URL_SAFE_NO_PAD.encode(&tail(2 * size)[..size]));
                set("y", &URL_SAFE_NO_PAD.encode(tail(size)));
            }
        }
        if key.tells_algorithm {
            set("alg", key.algorithm);
        }
        jwk
    }

    /// Signs header and payload and puts the token together.
    pub(crate) fn sign(&self, name: &str, header: Vec<u8>, payload: Vec<u8>, signing: Signing) -> Case {
        let encode = |bytes: &[u8]| match signing.form.as_str() {
            "padded" => URL_SAFE.encode(bytes),
            "standard-base64" => STANDARD.encode(bytes).trim_end_matches('=').to_string(),
            _ => URL_SAFE_NO_PAD.encode(bytes),
        };
        let signed = format!("{}.{}", encode(&header), encode(&payload));
        let signature = encode(&self.damaged(&signing, signed.as_bytes()));
        let token = match signing.form.as_str() {
            "" | "padded" | "standard-base64" => format!("{signed}.{signature}"),
            "newline" => format!("{signed}.{signature}\n"),
            "crlf" => format!("{signed}.{signature}\r\n"),
            "leading-space" => format!(" {signed}.{signature}"),
            "trailing-space" => format!("{signed}.{signature} "),
            "tab" => format!("{signed}.\t{signature}"),
            "quoted" => format!("\"{signed}.{signature}\""),
            "twice" => format!("{signed}.{signature},{signed}.{signature}"),
            "bearer" => format!("Bearer {signed}.{signature}"),
            "2seg" => signed,
            "4seg" => format!("{signed}.{signature}.{signature}"),
            "empty" => String::new(),
            "dots" => "..".to_string(),
            other => panic!("{name}: no form is called {other}"),
        };
        Case { name: name.to_string(), header, payload, signing, token: token.into_bytes() }
    }

    fn damaged(&self, signing: &Signing, signed: &[u8]) -> Vec<u8> {
        let mut signature = match signing.damage.as_str() {
            "empty" => Vec::new(),
            "der" => self.raw_signature(signing, signed),
            _ => self.signature(signing, signed),
        };
        match signing.damage.as_str() {
            "" | "empty" | "der" => {}
            "flip" => {
                let middle = signature.len() / 2;
                signature[middle] ^= 1;
            }
            "zero" => signature.fill(0),
            "short" => drop(signature.pop()),
            "long" => signature.push(0),
            other => panic!("nothing done to a signature is called {other}"),
        }
        signature
    }

    fn signature(&self, signing: &Signing, signed: &[u8]) -> Vec<u8> {
        let signature = self.raw_signature(signing, signed);
        if signing.algorithm.starts_with("ES") {
            concatenated(&signature, field_size(&signing.algorithm))
        } else {
            signature
        }
    }

    /// As `openssl` gives it: elliptic curves in DER.
    fn raw_signature(&self, signing: &Signing, signed: &[u8]) -> Vec<u8> {
        let digest = format!("-sha{}", signing.algorithm.get(2..).unwrap_or_default());
        let mut command = openssl();
        match signing.algorithm.get(..2) {
            Some("RS" | "ES") => command.args(["dgst", &digest, "-sign"]).arg(self.pem(&signing.key)),
            Some("PS") => command
                .args([
                    "dgst",
                    &digest,
                    "-sigopt",
                    "rsa_padding_mode:pss",
                    "-sigopt",
                    "rsa_pss_saltlen:digest",
                    "-sign",
                ])
                .arg(self.pem(&signing.key)),
            Some("HS") => {
                // The classic confusion: the public key, as a text, taken for a shared secret.
                let key = hex_of(&self.public(&signing.key, "PEM"));
                command.args(["dgst", &digest, "-binary", "-mac", "HMAC", "-macopt", &format!("hexkey:{key}")])
            }
            Some("Ed") => {
                let message = self.directory.join("message");
                std::fs::write(&message, signed).expect("written");
                command
                    .args(["pkeyutl", "-sign", "-rawin", "-inkey"])
                    .arg(self.pem(&signing.key))
                    .arg("-in")
                    .arg(message)
            }
            _ => panic!("no signature is called {}", signing.algorithm),
        };
        output(command, signed)
    }

    /// The public key of that name, as the issuer publishes it or would.
    pub(crate) fn public_key(&self, name: &str) -> &serde_json::Value {
        &self.jwks[name]
    }

    /// A certificate authority, `ca.pem`, and a certificate for localhost by it, `host.pem` and `host.key`, in `to`.
    pub(crate) fn certificates(&self, to: &Path) {
        let ca_key = self.directory.join("ca.key");
        let make = |name: &str, arguments: &[&str], key: &Path| {
            // The certificates are valid by the tokens' clock and by the real one.
            let mut command = Command::new("faketime");
            command.args(["-f", "2026-11-21 00:00:00", "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes"]);
            command.args(["-days", "36500", "-out"]).arg(to.join(name)).arg("-keyout").arg(key).args(arguments);
            output(command, b"");
        };
        make("ca.pem", &["-subj", "/CN=oracle test authority"], &ca_key);
        let (ca, ca_key) = (to.join("ca.pem").display().to_string(), ca_key.display().to_string());
        let host = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-CA", &ca, "-CAkey", &ca_key];
        make("host.pem", &host, &to.join("host.key"));
    }

    /// The cases of a text in the form that cases.txt describes.
    pub(crate) fn cases(&self, text: &str) -> Vec<Case> {
        text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| self.case(line)).collect()
    }

    fn case(&self, line: &str) -> Case {
        let (name, edits) = line.split_once(' ').unwrap_or((line, ""));
        let mut draft = Draft::base(self);
        for edit in edits.trim_start().split(" | ") {
            draft.edit(self, edit);
        }
        let (header, payload) = (draft.header.bytes(), draft.payload.bytes());
        self.sign(name, header, payload, draft.signing)
    }

    /// Fills in what stands for a time, a place or many times the same.
    fn fill(&self, text: &str, key: &str) -> Vec<u8> {
        let mut out = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(['@', '<']) {
            out.extend_from_slice(&rest.as_bytes()[..at]);
            rest = &rest[at..];
            if let Some(after) = rest.strip_prefix('@') {
                let sign = usize::from(after.starts_with(['+', '-']));
                let digits = after[sign..].bytes().take_while(u8::is_ascii_digit).count();
                let length = if digits == 0 { 0 } else { sign + digits };
                let offset: i64 = after[..length].parse().unwrap_or(0);
                // `evil@localhost` is no time.
                let is_time = length > 0 || !after.starts_with(|next: char| next.is_ascii_alphabetic());
                if is_time {
                    out.extend(format!("{}", NOW + offset).bytes())
                } else {
                    out.push(b'@')
                }
                rest = &after[length..];
            } else {
                let end = rest.find('>').expect("a < ends with >");
                out.extend(self.named(&rest[1..end], key));
                rest = &rest[end + 1..];
            }
        }
        out.extend_from_slice(rest.as_bytes());
        out
    }

    fn named(&self, name: &str, key: &str) -> Vec<u8> {
        match name {
            "iss" => issuer().into_bytes(),
            "port" => PORT.to_string().into_bytes(),
            "aud" => AUDIENCE.into(),
            "any" => ANY.into(),
            "closed" => format!("https://localhost:{}", PORT + 1).into_bytes(),
            "jwk" => self.jwks[key].to_string().into_bytes(),
            repeated => times(repeated),
        }
    }
}

/// Who says to have issued the tokens.
pub(crate) fn issuer() -> String {
    format!("https://localhost:{PORT}")
}

/// A token in the making.
struct Draft {
    header: Part,
    payload: Part,
    signing: Signing,
}

/// An object whose members are raw JSON, and what is done to its bytes.
#[derive(Default)]
struct Part {
    members: Vec<(Vec<u8>, Vec<u8>)>,
    body: String,
}

impl Draft {
    fn base(mint: &Mint) -> Draft {
        let mut draft = Draft {
            header: Part::default(),
            payload: Part::default(),
            signing: Signing {
                key: "rsa1".to_string(),
                algorithm: "RS256".to_string(),
                damage: String::new(),
                form: String::new(),
            },
        };
        for edit in ["h:alg=\"RS256\"", "h:kid=\"rsa1\"", "h:typ=\"JWT\""] {
            draft.edit(mint, edit);
        }
        for edit in [
            "wlcg.ver=\"1.0\"",
            "iss=\"<iss>\"",
            "sub=\"8a1b2c3d-0000-4000-8000-00000000beef\"",
            "aud=\"<any>\"",
            "iat=@",
            "nbf=@",
            "exp=@+1200",
            "jti=\"7c0e3ac2-8f2b-4f8c-9d1a-000000000001\"",
            "scope=\"storage.read:/ storage.modify:/data compute.read\"",
        ] {
            draft.edit(mint, edit);
        }
        draft
    }

    fn edit(&mut self, mint: &Mint, edit: &str) {
        if let Some(order) = edit.strip_prefix('!') {
            return self.order(mint, order);
        }
        let (part, edit) = match edit.strip_prefix("h:") {
            Some(edit) => (&mut self.header, edit),
            None => (&mut self.payload, edit),
        };
        if let Some(body) = edit.strip_prefix("!body ") {
            part.body = body.to_string();
            return;
        }
        if let Some(name) = edit.strip_prefix('-') {
            part.members.retain(|member| member.0 != name.as_bytes());
            return;
        }
        let (name, value) = edit.split_once('=').unwrap_or_else(|| panic!("no edit: {edit}"));
        let value = mint.fill(value, &self.signing.key);
        match (name.strip_prefix('^'), name.strip_prefix('+')) {
            (Some(name), _) => part.members.insert(0, (name.into(), value)),
            (None, Some(name)) => part.members.push((name.into(), value)),
            (None, None) => match part.members.iter_mut().find(|member| member.0 == name.as_bytes()) {
                Some(member) => member.1 = value,
                None => part.members.push((name.into(), value)),
            },
        }
    }

    fn order(&mut self, mint: &Mint, order: &str) {
        let (what, argument) = order.split_once(' ').unwrap_or((order, ""));
        match what {
            "key" => {
                let key = KEYS.iter().find(|key| key.name == argument).expect("a key of that name");
                self.signing.key = argument.to_string();
                self.edit(mint, &format!("h:kid=\"{argument}\""));
                self.order(mint, &format!("alg {}", key.algorithm));
            }
            "alg" => {
                self.signing.algorithm = argument.to_string();
                self.edit(mint, &format!("h:alg=\"{argument}\""));
            }
            "sign" => self.signing.algorithm = argument.to_string(),
            "sig" => self.signing.damage = argument.to_string(),
            "form" => self.signing.form = argument.to_string(),
            "body" => self.payload.body = argument.to_string(),
            _ => panic!("no order is called {what}"),
        }
    }
}

impl Part {
    fn bytes(&self) -> Vec<u8> {
        let mut text = b"{".to_vec();
        for (at, (name, value)) in self.members.iter().enumerate() {
            text.extend_from_slice(if at == 0 { b"\"" } else { b",\"" });
            text.extend_from_slice(name);
            text.extend_from_slice(b"\":");
            text.extend_from_slice(value);
        }
        let inner = text[1..].to_vec();
        text.push(b'}');
        let around = |before: &[u8], after: &[u8]| [before, &text, after].concat();
        let inside = |before: &[u8], after: &[u8]| [before, &inner, after].concat();
        match self.body.as_str() {
            "" => text,
            "bom" => around(b"\xEF\xBB\xBF", b""),
            "space" => around(b" \r\n\t", b" \n"),
            "latin1" => inside(b"{\"x\":\"\xE4\",", b"}"),
            "utf16" => String::from_utf8_lossy(&around("\u{FEFF}".as_bytes(), b""))
                .encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect(),
            "=comma" => inside(b"{", b",}"),
            "=comment" => inside(b"{/* x */", b"}"),
            "=open" => inside(b"{", b""),
            "=array" => around(b"[", b"]"),
            "=single" => text.iter().map(|byte| if *byte == b'"' { b'\'' } else { *byte }).collect(),
            other => match (other.strip_prefix(';'), other.strip_prefix('=')) {
                (Some(more), _) => around(b"", &unescape(more)),
                (None, Some(instead)) => unescape(instead),
                (None, None) => panic!("no body is called {other}"),
            },
        }
    }
}

/// A text in which `<T*N>` stands for T N times.
pub(crate) fn repeated(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        let (inside, after) = after.split_once('>').expect("a < ends with >");
        out.extend_from_slice(before.as_bytes());
        out.extend(times(inside));
        rest = after;
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

fn times(inside: &str) -> Vec<u8> {
    let (text, times) = inside.rsplit_once('*').expect("<text*times>");
    unescape(text).repeat(times.parse().expect("a number after *"))
}

/// `\xHH`, `\n`, `\r` and `\t` as bytes.
pub(crate) fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        (rest, _) = match (first, after) {
            (b'\\', [b'n', after @ ..]) => (after, out.push(b'\n')),
            (b'\\', [b'r', after @ ..]) => (after, out.push(b'\r')),
            (b'\\', [b't', after @ ..]) => (after, out.push(b'\t')),
            (b'\\', [b'x', digits @ ..]) => {
                let digits = digits.split_at_checked(2).expect("\\xHH");
                (digits.1, out.extend(bytes_of_hex(std::str::from_utf8(digits.0).expect("ASCII"))))
            }
            _ => (after, out.push(*first)),
        };
    }
    out
}

/// Bytes of one coordinate.
fn field_size(algorithm: &str) -> usize {
    match algorithm {
        "ES256" => 32,
        "ES384" => 48,
        _ => 66,
    }
}

/// The two numbers of a DER signature, each of `size` bytes, one after the other.
fn concatenated(der: &[u8], size: usize) -> Vec<u8> {
    // SEQUENCE, its length (one byte, or 0x81 and one), then INTEGER, length, bytes, twice.
    let mut at = if der[1] == 0x81 { 3 } else { 2 };
    let mut out = Vec::new();
    for _ in 0..2 {
        let length = usize::from(der[at + 1]);
        let number = &der[at + 2..at + 2 + length];
        let digits = &number[number.iter().take_while(|byte| **byte == 0).count()..];
        out.resize(out.len() + size - digits.len(), 0);
        out.extend_from_slice(digits);
        at += 2 + length;
    }
    out
}

fn bytes_of_hex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal digits");
    (0..text.len()).step_by(2).map(digit).collect()
}

fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn openssl() -> Command {
    Command::new("openssl")
}

/// What a command prints when it is given `input`; it must succeed.
fn output(mut command: Command, input: &[u8]) -> Vec<u8> {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("openssl starts");
    // A command that reads no input has closed it: that is no error.
    let _ = child.stdin.take().expect("piped").write_all(input);
    let ended = child.wait_with_output().expect("openssl ends");
    assert!(ended.status.success(), "{command:?}: {}", String::from_utf8_lossy(&ended.stderr));
    ended.stdout
}
