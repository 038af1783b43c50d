//! The text for others: what a mailing list may know of a token.

use super::page::{Broadcast, Facts, Incident, TimeState, Tlp};
use crate::report::text;
use crate::rule::message;
use crate::shell;

/// Characters of a line, as mail programs leave them alone.
const WIDTH: usize = 72;
/// Longest value that is passed on, in characters.
const LONGEST: usize = 200;

/// Printable ASCII, cut: everything else is written as its code, so that no mail program shows something else.
fn plain(value: &str) -> String {
    let mut out = String::new();
    for c in value.chars().take(LONGEST) {
        match c {
            ' '..='~' => out.push(c),
            c => out.extend(format!("\\u{{{:x}}}", u32::from(c)).chars()),
        }
    }
    out
}

fn field(out: &mut String, name: &str, value: Option<&str>) {
    let value = value.map_or_else(|| "not known".to_string(), plain);
    // A value alone on its line cannot be taken for the text around it.
    out.push_str(&format!("  {name:<12} {value}\n"));
}

fn paragraph(out: &mut String, words: &str) {
    for line in text::wrapped(&plain_all(words), WIDTH) {
        out.push_str(&line);
        out.push('\n');
    }
    out.push('\n');
}

fn plain_all(words: &str) -> String {
    words.split(' ').map(plain).collect::<Vec<_>>().join(" ")
}

/// By what others find the token in their logs, else those it belongs to. Values that a shell or a mail program could take
/// for more are left to the list above.
fn searches(facts: &Facts) -> Vec<String> {
    let identity = &facts.identity;
    let by = |name: &str, value: &Option<String>| {
        let value = value.as_deref().filter(|value| shell::is_plain(value) && value.len() <= LONGEST)?;
        Some(shell::option(name, value))
    };
    let token: Vec<String> =
        [by("--fingerprint", &facts.fingerprint), by("--jti", &identity.jti)].into_iter().flatten().collect();
    match token.is_empty() {
        true => by("--sub", &identity.subject).or_else(|| by("--vo", &identity.issuer)).into_iter().collect(),
        false => token,
    }
}

/// Makes the text.
pub(super) fn text(incident: &Incident, tlp: Tlp, now: i64) -> Broadcast {
    let facts = &incident.facts;
    let mark = tlp.mark();
    let kind = facts.kind.replace('-', " ");
    let name = facts.fingerprint.clone().map(|print| format!("fingerprint {print}"));
    let name = name.or(facts.identity.jti.as_deref().map(|jti| format!("jti {}", plain(jti))));
    let name = name.unwrap_or_else(|| "of which the identifiers below are known".into());
    let subject = format!("[{mark}] {kind} in the wrong hands: {name}");
    let mut out = format!("{mark}\n\n");
    let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "An" } else { "A" };
    paragraph(
        &mut out,
        &format!(
            "{article} {kind} must be taken for stolen. It is identified by what follows; the token itself is in nobody's mail, and must not be sent around."
        ),
    );
    field(&mut out, "issuer", facts.identity.issuer.as_deref());
    field(&mut out, "subject", facts.identity.subject.as_deref());
    field(&mut out, "client", facts.identity.client.as_deref());
    field(&mut out, "jti", facts.identity.jti.as_deref());
    field(&mut out, "fingerprint", facts.fingerprint.as_deref());
    let until = match incident.time.state {
        TimeState::NeverExpires => Some("never"),
        TimeState::Valid | TimeState::NotYetValid | TimeState::Expired | TimeState::Unknown => {
            incident.time.until.as_deref()
        }
    };
    field(&mut out, "valid from", incident.time.from.as_deref());
    field(&mut out, "valid until", until);
    out.push('\n');
    paragraph(&mut out, &format!("Whoever has it can: {}.", incident.power.summary));
    match incident.time.state {
        TimeState::Expired => paragraph(&mut out, "It has expired. Please look for uses of it before that time."),
        TimeState::Valid | TimeState::NotYetValid | TimeState::NeverExpires | TimeState::Unknown => paragraph(
            &mut out,
            "Please refuse it where you can, by the narrowest of jti, subject, client and account that your service knows. Ask before \
             you ban a subject or client: others may share it. Revoking it at the issuer does not stop services that check tokens \
             offline.",
        ),
    }
    let from = incident.evidence.from.as_deref().unwrap_or("its first use, which is not known,");
    let searches = searches(facts);
    let by = match (&facts.fingerprint, &facts.fingerprint_of_rest) {
        (Some(_), _) => {
            " The fingerprint is the beginning of the SHA-256 of the token; tokenvet scan and tokenvet trace show it"
        }
        (None, Some(_)) => {
            " Its fingerprint is not known, as not all of the token was found. Search by what is known of it"
        }
        (None, None) => " Search by what is known of it",
    };
    let end = if searches.is_empty() { "." } else { ":" };
    paragraph(
        &mut out,
        &format!("Please search your logs from {from} to {}, and keep them.{by}{end}", incident.evidence.to),
    );
    if !searches.is_empty() {
        searches.iter().for_each(|search| out.push_str(&format!("  tokenvet trace LOGS {search}\n")));
        out.push('\n');
    }
    paragraph(
        &mut out,
        "Please answer with: whether it was used, by which addresses, when and for what; and what you have banned. Do not send the token, nor logs that were not redacted (tokenvet redact).",
    );
    out.push_str(&format!("Written at {}. {mark}\n", message::time(now)));
    Broadcast { tlp: mark.into(), subject, text: out }
}
