//! Deterministic workloads: client files as INDIGO IAM's management API returns them, one large export of the same
//! clients, and files of tokens. Names, secrets and signatures are random letters; nothing here was ever issued.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// A small generator of pseudo-random numbers (SplitMix64): the same numbers everywhere, from the seed alone.
pub(crate) struct Dice(u64);

impl Dice {
    /// A generator; equal seeds give equal numbers.
    pub(crate) fn new(seed: u64) -> Self {
        Dice(seed)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.roll() % bound as u64) as usize
    }

    /// True in `percent` of 100 cases.
    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn letters(&mut self, alphabet: &[u8], length: usize) -> String {
        (0..length).map(|_| char::from(self.pick(alphabet))).collect()
    }
}

const HEX: &[u8] = b"0123456789abcdef";
const URL_SAFE: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
const SERVICES: &[&str] = &["transfer", "webdav", "jobs", "notebook", "catalogue", "monitor", "archive", "portal"];
const SITES: &[&str] = &["north", "lake", "harbour", "summit", "valley", "meadow", "delta"];
const SCOPES: &[&str] = &[
    "openid",
    "profile",
    "email",
    "offline_access",
    "wlcg.groups",
    "storage.read:/",
    "storage.create:/scratch",
    "storage.modify:/scratch",
    "storage.stage:/",
    "compute.read",
    "compute.create",
];

fn quoted(items: &[String]) -> String {
    items.iter().map(|item| format!("\"{item}\"")).collect::<Vec<_>>().join(", ")
}

fn uuid(dice: &mut Dice) -> String {
    [8, 4, 4, 4, 12].map(|length| dice.letters(HEX, length)).join("-")
}

fn owner(dice: &mut Dice, issuer: &str) -> String {
    let id = uuid(dice);
    format!(
        "    {{\n      \"display\": \"{} operator\",\n      \"value\": \"{id}\",\n      \"$ref\": \"{issuer}/scim/Users/{id}\"\n    }}",
        dice.pick(SERVICES)
    )
}

/// One client, about 2 KB. Of 100 clients 8 redirect to plain http, 3 to a wildcard, 8 use the implicit and 5 the
/// password grant, 10 are public, 20 have access tokens that live for days, 12 have no contact.
pub(crate) fn client(dice: &mut Dice, number: usize) -> String {
    let (service, site) = (dice.pick(SERVICES), dice.pick(SITES));
    let host = format!("{service}{}.{site}.example.org", dice.below(90));
    let issuer = format!("https://iam.{site}.example.org");
    let mut redirects: Vec<String> =
        (0..1 + dice.below(4)).map(|n| format!("https://{host}/{service}/login/{n}/callback")).collect();
    if dice.chance(8) {
        redirects[0] = format!("http://{host}/callback");
    }
    if dice.chance(3) {
        redirects.push(format!("https://{host}/*"));
    }
    let mut grants = vec!["authorization_code".to_string()];
    for (grant, percent) in [("refresh_token", 40), ("client_credentials", 30), ("implicit", 8), ("password", 5)] {
        if dice.chance(percent) {
            grants.push(grant.into());
        }
    }
    let mut scopes: Vec<&str> = SCOPES.iter().copied().filter(|_| dice.chance(40)).collect();
    if dice.chance(2) {
        scopes.push("storage.modify:/");
    }
    let method = match dice.below(10) {
        0 => "none",
        1..=2 => "client_secret_post",
        _ => "client_secret_basic",
    };
    let contacts = if dice.chance(12) { vec![] } else { vec![format!("{service}-operators@{site}.example.org")] };
    let lifetime = if dice.chance(20) { 604_800 } else { 3600 };
    let owners: Vec<String> = (0..1 + dice.below(3)).map(|_| owner(dice, &issuer)).collect();
    let (id, secret) = (uuid(dice), dice.letters(URL_SAFE, 86));
    let scheme = if dice.chance(15) { "http" } else { "https" };
    format!(
        r#"{{
  "client_id": "{id}",
  "client_secret": "{secret}",
  "client_name": "{site}-{service}-{number}",
  "client_description": "The {service} service of {site}, run by the operators there since 20{year}.",
  "redirect_uris": [
    {redirects}
  ],
  "grant_types": [{grants}],
  "response_types": ["code"],
  "scope": "{scopes}",
  "token_endpoint_auth_method": "{method}",
  "contacts": [{contacts}],
  "policy_uri": "{scheme}://{host}/policy",
  "tos_uri": "https://{host}/terms",
  "logo_uri": "https://{host}/static/logo.svg",
  "jwks_uri": null,
  "access_token_validity_seconds": {lifetime},
  "refresh_token_validity_seconds": 1209600,
  "id_token_validity_seconds": 600,
  "device_code_validity_seconds": 600,
  "code_challenge_method": "S256",
  "reuse_refresh_token": true,
  "clear_access_tokens_on_refresh": false,
  "require_auth_time": false,
  "dynamically_registered": {dynamic},
  "allow_introspection": true,
  "default_max_age": 60000,
  "registration_access_token": null,
  "registration_client_uri": "{issuer}/iam/api/client-registration/{id}",
  "created_at": {created},
  "active": true,
  "status": "ENABLED",
  "status_changed_on": null,
  "status_changed_by": null,
  "owners": [
{owners}
  ]
}}"#,
        year = 15 + dice.below(10),
        redirects = quoted(&redirects).replace(", ", ",\n    "),
        grants = quoted(&grants),
        scopes = scopes.join(" "),
        contacts = quoted(&contacts),
        dynamic = dice.chance(10),
        created = 1_500_000_000_000 + dice.below(200_000_000_000),
        owners = owners.join(",\n"),
    )
}

/// Writes `files` client files into folders of a hundred; does nothing when the folder is there already.
pub(crate) fn client_files(folder: &Path, files: usize) -> io::Result<()> {
    if folder.exists() {
        return Ok(());
    }
    let mut dice = Dice::new(1);
    for number in 0..files {
        let below = folder.join(format!("vo-{:03}", number / 100));
        if number % 100 == 0 {
            fs::create_dir_all(&below)?;
        }
        fs::write(below.join(format!("client-{number:05}.json")), client(&mut dice, number))?;
    }
    Ok(())
}

/// Writes one export of at least `bytes` bytes: a page of the management API, a client a line when `lines`, else
/// printed over many lines.
pub(crate) fn export(path: &Path, bytes: u64, lines: bool) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let mut out = BufWriter::new(File::create(path)?);
    out.write_all(b"{\"Resources\": [\n")?;
    let count = elements(&mut out, bytes, lines)?;
    write!(out, "\n], \"itemsPerPage\": {count}, \"startIndex\": 1, \"totalResults\": {count}}}\n")?;
    out.flush()
}

/// Writes the same clients as a bare list, a client a line.
pub(crate) fn list(path: &Path, bytes: u64) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let mut out = BufWriter::new(File::create(path)?);
    out.write_all(b"[\n")?;
    elements(&mut out, bytes, true)?;
    out.write_all(b"\n]\n")?;
    out.flush()
}

fn elements(out: &mut impl Write, bytes: u64, lines: bool) -> io::Result<usize> {
    let mut dice = Dice::new(2);
    let (mut written, mut count) = (0, 0);
    while written < bytes {
        let mut text = client(&mut dice, count);
        if lines {
            text = text.replace('\n', " ").replace("  ", "");
        }
        let separator: &[u8] = if count == 0 { b"" } else { b",\n" };
        out.write_all(separator)?;
        out.write_all(text.as_bytes())?;
        written += text.len() as u64;
        count += 1;
    }
    Ok(count)
}

/// Writes a file of compact JWS, one a line, with claims of the WLCG profile and made-up signatures. One in twenty
/// lacks `nbf`, one in ten lives for days; three in ten have several audiences, and as many name groups.
pub(crate) fn tokens(path: &Path, count: usize) -> io::Result<()> {
    use base64::Engine;
    let base64 = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let mut out = BufWriter::new(File::create(path)?);
    let mut dice = Dice::new(3);
    for _ in 0..count {
        let header = format!(r#"{{"kid":"key-{}","typ":"at+jwt","alg":"RS256"}}"#, dice.below(4));
        let now = 1_760_000_000 + dice.below(1_000_000);
        let lifetime = if dice.chance(10) { 600_000 } else { 3600 };
        let nbf = if dice.chance(5) { String::new() } else { format!(r#""nbf":{now},"#) };
        let several = if dice.chance(30) { 2 + dice.below(2) } else { 1 };
        let audiences: Vec<String> =
            (0..several).map(|_| format!("https://{}.example.org", dice.pick(SERVICES))).collect();
        let audience = if several > 1 { format!("[{}]", quoted(&audiences)) } else { quoted(&audiences) };
        let scopes: Vec<&str> = SCOPES.iter().copied().filter(|_| dice.chance(25)).collect();
        let groups: Vec<String> =
            (0..1 + dice.below(3)).map(|_| format!("/{}/{}", dice.pick(SITES), dice.pick(SERVICES))).collect();
        let groups = if dice.chance(30) { format!(r#","wlcg.groups":[{}]"#, quoted(&groups)) } else { String::new() };
        let claims = format!(
            r#"{{"wlcg.ver":"1.0","sub":"{}","aud":{audience},{nbf}"scope":"{}","iss":"https://iam.{}.example.org/","exp":{},"iat":{now},"jti":"{}","client_id":"{}"{groups}}}"#,
            uuid(&mut dice),
            scopes.join(" "),
            dice.pick(SITES),
            now + lifetime,
            uuid(&mut dice),
            uuid(&mut dice),
        );
        // 256 bytes: the last letter stands for two bits.
        let signature = dice.letters(URL_SAFE, 341) + "A";
        writeln!(out, "{}.{}.{signature}", base64.encode(header), base64.encode(claims))?;
    }
    out.flush()
}

/// A service log of this many bytes: requests, one in twenty with a token of `tokens` in one of the ways they are written,
/// the same tokens again and again.
pub(crate) fn log(path: &Path, bytes: u64, tokens: &Path) -> io::Result<()> {
    let tokens = std::fs::read_to_string(tokens)?;
    let tokens: Vec<&str> = tokens.lines().collect();
    let mut dice = Dice::new(11);
    let mut out = BufWriter::new(File::create(path)?);
    let mut written = 0;
    while written < bytes {
        let (time, size, address) = (dice.below(86_400), dice.below(1 << 30), dice.below(254));
        let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
        let who = uuid(&mut dice);
        let line = match dice.below(60) {
            number @ 0..3 => {
                let token = tokens[dice.below(tokens.len())];
                let carried = match number {
                    0 => format!("?authz=Bearer%20{token}"),
                    1 => format!(" Authorization: Bearer {token}"),
                    _ => format!(" token {}", token.replace('.', "%2E")),
                };
                format!(
                    "2026-01-01T{hour:02}:{minute:02}:{second:02}Z 192.0.2.{address} GET /vo/data/{who}{carried} 200 {size}\n"
                )
            }
            _ => format!(
                "2026-01-01T{hour:02}:{minute:02}:{second:02}Z 192.0.2.{address} GET /vo/data/{who} 200 {size}\n"
            ),
        };
        written += line.len() as u64;
        out.write_all(line.as_bytes())?;
    }
    out.flush()
}

/// Writes `count` user rules whose conditions name a field that no client of the workload has.
pub(crate) fn idle_rules(folder: &Path, count: usize) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    for number in 0..count {
        let rule = format!(
            "id: idle-{number}\ntitle: A rule that meets no client\ntarget: client\nseverity: note\ncheck:\n  \
             client_uri:\n    not_pattern: '^http://host-{number}\\.'\nmessage: never\nhelp: nothing\n\
             rationale: It measures what a rule costs that does not apply.\n"
        );
        fs::write(folder.join(format!("idle-{number}.yaml")), rule)?;
    }
    Ok(folder.to_path_buf())
}

/// Ids of the rules in `benches/parity/`, ten everyday conditions on clients.
pub(crate) const PARITY: [&str; 10] = [
    "parity-implicit-grant",
    "parity-long-lifetime",
    "parity-no-authentication",
    "parity-no-contact",
    "parity-password-grant",
    "parity-policy-plain",
    "parity-redirect-plain",
    "parity-redirect-wildcard",
    "parity-short-name",
    "parity-write-everywhere",
];

/// Writes `count` rules, a multiple of ten: the ten of `benches/parity/` over and over with other constants, which cost the
/// same and, lifetimes apart, are next to never broken. Ids end in the number of the round, the first in `-0`.
pub(crate) fn parity_rules(folder: &Path, count: usize) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/parity");
    for id in PARITY {
        let text = fs::read_to_string(from.join(format!("{id}.yaml")))?;
        for round in 0..count / PARITY.len() {
            let mut rule = text.replace(&format!("id: {id}"), &format!("id: {id}-{round}"));
            let changed = [
                ("'^http://'", format!("'^http://v{round}\\.'")),
                ("'\\*'", format!("'\\*\\.v{round}'")),
                ("[implicit]", format!("[implicit{round}]")),
                ("[password]", format!("[password{round}]")),
                ("not_equals: none", format!("not_equals: none{round}")),
                ("max: 21600", format!("max: {}", 21_600 + round)),
                ("min: 1 ", format!("max: {} ", 20 + round)),
                ("min: 3 ", "min: 1 ".to_string()),
                ("modify:/$", format!("modify:/v{round}$")),
            ];
            if round > 0 {
                changed.iter().for_each(|(from, to)| rule = rule.replace(from, to));
            }
            fs::write(folder.join(format!("{id}-{round}.yaml")), rule)?;
        }
    }
    Ok(folder.to_path_buf())
}
