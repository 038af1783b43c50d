//! The page for people: one model of sections, rendered for a terminal and for a page.

use super::others::Use;
use super::page::{Incident, Page, Step};
use super::raw::Can;
use super::service::{Act, ServicePart, Takes};
use crate::inspect::span;
use crate::report::{Options, markdown_escaped, text};
use std::fmt::Write as _;

/// Items of a list that are shown without `--all`.
const LISTED: usize = 12;
/// Longest line to copy, in characters.
const LONGEST: usize = 2000;

/// One line of a section.
enum Line {
    /// A name and its value.
    Pair(String, String),
    /// An item of a list.
    Item(String),
    /// What belongs to the item before.
    More(String),
    /// A numbered step.
    Step(usize, String),
    /// Lines to copy, as they are.
    Code(Vec<String>),
}

/// A title and its lines.
struct Section {
    title: String,
    lines: Vec<Line>,
}

/// One incident, ready to be rendered.
struct Shown {
    title: String,
    first: Vec<Line>,
    sections: Vec<Section>,
}

fn pair(name: &str, value: impl Into<String>) -> Line {
    Line::Pair(name.into(), value.into())
}

fn list(values: &[String]) -> String {
    if values.is_empty() { "none".into() } else { values.join(", ") }
}

fn or_unknown(value: Option<&String>) -> String {
    value.cloned().unwrap_or_else(|| "not known".into())
}

fn shown(incident: &Incident, options: Options) -> Shown {
    let facts = &incident.facts;
    let kind = facts.kind.replace('-', " ");
    let name = match (&facts.fingerprint, &facts.identity.jti, &facts.fingerprint_of_rest) {
        (Some(print), ..) => format!(" {print}"),
        (None, Some(jti), _) => format!(" with jti {jti}"),
        (None, None, Some(rest)) => format!(", of which {rest} is left"),
        (None, None, None) => String::new(),
    };
    Shown {
        title: format!("Incident: {kind}{name}"),
        first: first(incident),
        sections: vec![
            steps(incident, options),
            services(incident, options),
            what_it_can_do(incident, options),
            who_stops(incident, options),
            time_to_stop(incident),
            facts_of(incident, options),
            contacts(incident),
            evidence(incident),
            unknown(incident),
            broadcast(incident),
        ]
        .into_iter()
        .filter(|section| !section.lines.is_empty())
        .collect(),
    }
}

/// What matters first.
fn first(incident: &Incident) -> Vec<Line> {
    let mut lines = vec![pair("valid", &incident.time.words), pair("power", &incident.power.summary)];
    let named = |takes: Takes| -> Vec<&str> {
        incident.services.iter().filter(|part| part.takes == takes).map(|part| part.name.as_str()).collect()
    };
    let said: Vec<String> = [Takes::Yes, Takes::Unknown, Takes::No]
        .into_iter()
        .map(|takes| (takes, named(takes)))
        .filter(|(_, names)| !names.is_empty())
        .map(|(takes, names)| match takes {
            Takes::Yes => format!("taken by {}", names.join(", ")),
            Takes::Unknown => format!("not known for {}", names.join(", ")),
            Takes::No => format!("refused by {}", names.join(", ")),
        })
        .collect();
    let place = if said.is_empty() { "not known: no services are listed (--config)".into() } else { said.join("; ") };
    lines.push(pair("where", place));
    lines.extend(where_used(incident).map(|words| pair("used", words)));
    lines.push(pair("stops", incident.who_stops.first().cloned().unwrap_or_default()));
    lines.push(pair("over", &incident.neutralise.words));
    if let Some(step) = incident.steps.first() {
        let place = step.place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default();
        lines.push(pair("first step", format!("{place}{}", step.what)));
    }
    if let Some(known) = incident.facts.known_issuer.as_ref().filter(|known| known.class != "production") {
        lines.push(pair(
            "issuer",
            format!("{} is a {} issuer: services for real users should not trust it", known.name, known.class),
        ));
    }
    if let Some(near) = &incident.facts.issuer_near {
        lines.push(pair("issuer", format!("its name is nearly that of {near}: perhaps a forgery")));
    }
    lines
}

/// Where it was used, or that nobody saw it; `None` where nothing was read that could say.
fn where_used(incident: &Incident) -> Option<String> {
    let (facts, elsewhere) = (&incident.facts, &incident.elsewhere);
    let is_named = facts.identity.jti.is_some() || facts.fingerprint.is_some() || facts.fingerprint_of_rest.is_some();
    // Where a token was found is no use of it.
    let has_read_more = facts.count == 0 && elsewhere.records > 0;
    match () {
        () if !elsewhere.used.is_empty() => {
            let used = elsewhere.used.iter().map(|one| one.service.as_str()).collect::<Vec<_>>().join(", ");
            Some(format!("in the logs of {used}"))
        }
        () if !is_named => None,
        () if elsewhere.in_text > 0 => {
            let records = text::counted(elsewhere.in_text, "record");
            let format = "whose format does not say what it is there; tokenvet trace shows them";
            Some(format!("not for certain: its jti stands in the text of {records} {format}"))
        }
        () if elsewhere.logs_read => Some("no log that was read names it (not every log names tokens)".into()),
        () => has_read_more.then(|| "not known: nothing that was read is a log of a format that is known".into()),
    }
}

fn section(title: &str, lines: Vec<Line>) -> Section {
    Section { title: title.into(), lines }
}

fn acts(lines: &mut Vec<Line>, all: &[Act]) {
    for act in all {
        if let Some(file) = &act.file {
            lines.push(Line::More(format!("in {file}:")));
        }
        if let Some(on) = &act.on {
            lines.push(Line::More(format!("{on}:")));
        }
        if let Some(words) = &act.text {
            lines.push(Line::More(words.clone()));
        }
        let code: Vec<String> = act.lines.iter().chain(&act.shell).cloned().collect();
        if !code.is_empty() {
            lines.push(Line::Code(code));
        }
    }
}

fn steps(incident: &Incident, options: Options) -> Section {
    let mut lines = Vec::new();
    for Step { number, what, place, cautions, acts: how, sources } in &incident.steps {
        let place = place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default();
        lines.push(Line::Step(*number, format!("{place}{what}")));
        lines.extend(cautions.iter().map(|caution| Line::More(caution.clone())));
        acts(&mut lines, how);
        if !sources.is_empty() && options.all {
            lines.push(Line::More(format!("stated in: {}", sources.join("; "))));
        }
    }
    section("What to do, in this order", lines)
}

fn services(incident: &Incident, options: Options) -> Section {
    let mut lines = Vec::new();
    for part in &incident.services {
        lines.push(Line::Item(format!("{} ({}) {}: {}", part.name, part.product, part.takes.words(), part.reason)));
        if let Some(place) = &part.place {
            lines.push(Line::More(format!("decided at {}:{}", place.path, place.line)));
        }
        if options.all {
            lines.extend(part.known_by.iter().map(|known| Line::More(known.clone())));
        }
        if !part.rights.is_empty() {
            lines.push(Line::More(format!("it permits {}", part.rights.join("; "))));
        }
        if part.takes != Takes::No || options.all {
            lines.extend(handles(part, options));
        }
    }
    section("Where it works, and what each service can refuse it by", lines)
}

fn handles(part: &ServicePart, options: Options) -> Vec<Line> {
    let mut lines = Vec::new();
    if part.handles.is_empty() {
        lines.push(Line::More("what it can refuse tokens by is not known here".into()));
        return lines;
    }
    lines.push(Line::More(match (part.only_whole_vo, part.narrowest) {
        (Some(true), Some(handle)) => {
            format!("nothing narrower than the VO can be refused there, only by {}", handle.name())
        }
        (Some(true), None) => "nothing narrower than the VO can be refused there".into(),
        (_, Some(handle)) => {
            let open = if part.only_whole_vo.is_none() { " for certain" } else { "" };
            format!("narrowest handle{open}: {}", handle.name())
        }
        (_, None) => "no handle is known that fits what is known of the token".into(),
    }));
    let named = |can: Can| -> Vec<&str> {
        part.handles.iter().filter(|one| one.can == can).map(|one| one.handle.name()).collect()
    };
    let said: Vec<String> = [(Can::Enforceable, "can"), (Can::Impossible, "cannot"), (Can::Unknown, "not known")]
        .into_iter()
        .map(|(can, word)| (word, named(can)))
        .filter(|(_, names)| !names.is_empty())
        .map(|(word, names)| format!("{word}: {}", names.join(" ")))
        .collect();
    lines.push(Line::More(said.join("; ")));
    if options.all {
        for one in &part.handles {
            let stated = one.sources.join("; ");
            lines.push(Line::More(format!("{}: {} ({stated})", one.handle.name(), one.why)));
        }
    }
    for way in &part.ways {
        let when = way
            .seconds
            .map_or_else(|| "time not known".to_string(), |seconds| format!("in {} at the latest", span(seconds)));
        lines.push(Line::More(format!("{}: {when} ({})", way.what, way.source)));
    }
    lines
}

fn what_it_can_do(incident: &Incident, options: Options) -> Section {
    let details = &incident.power.details;
    let most = if options.all { usize::MAX } else { LISTED };
    let mut lines: Vec<Line> = details.iter().take(most).map(|one| Line::Item(one.clone())).collect();
    if details.len() > most {
        lines.push(Line::Item(format!("{} more; --all shows them", details.len() - most)));
    }
    section("What a thief can do with it", lines)
}

fn used(one: &Use) -> String {
    let records = text::counted(one.records, "record");
    let time = match (&one.first, &one.last) {
        (Some(first), Some(last)) => format!(", {first} to {last}"),
        _ => ", no times".into(),
    };
    let more = one.addresses.distinct.saturating_sub(one.addresses.some.len());
    let from = match one.addresses.some.as_slice() {
        [] => String::new(),
        some => format!(", from {}{}", some.join(" "), text::and_more(more)),
    };
    let place = one.place.as_ref().map(|place| format!(" ({}:{})", place.path, place.line)).unwrap_or_default();
    format!("{}: {records}{time}{from}{place}", one.service)
}

fn who_stops(incident: &Incident, options: Options) -> Section {
    let mut lines: Vec<Line> = incident.who_stops.iter().map(|one| Line::Item(one.clone())).collect();
    let elsewhere = &incident.elsewhere;
    for (what, crowd) in [("subject", &elsewhere.subject), ("client", &elsewhere.client)] {
        let Some(crowd) = crowd.as_ref().filter(|crowd| crowd.records > 0) else { continue };
        let others = if what == "subject" { "clients" } else { "subjects" };
        lines.push(Line::Item(format!("{what} {}", crowd.value)));
        for (name, names) in [(others, &crowd.with), ("accounts", &crowd.accounts)] {
            if !names.some.is_empty() {
                let more = text::and_more(names.distinct - names.some.len());
                lines.push(Line::More(format!("{name}: {}{more}", names.some.join(", "))));
            }
        }
        if options.all {
            lines.extend(crowd.services.iter().map(|one| Line::More(used(one))));
        }
    }
    for one in &elsewhere.used {
        lines.push(Line::Item(format!("this token was used: {}", used(one))));
    }
    section("If I ban this, who stops?", lines)
}

fn time_to_stop(incident: &Incident) -> Section {
    let mut lines = vec![Line::Item(format!("over {}", incident.neutralise.words))];
    lines.extend(incident.revocation.words.iter().map(|one| Line::Item(one.clone())));
    section("Revocation, and how long it takes", lines)
}

fn facts_of(incident: &Incident, options: Options) -> Section {
    let facts = &incident.facts;
    let identity = &facts.identity;
    let mut lines = vec![
        pair("kind", format!("{} ({})", facts.kind.replace('-', " "), facts.kind_because)),
        pair("known by", facts.origin.words()),
        pair("issuer", or_unknown(identity.issuer.as_ref())),
    ];
    if let Some(known) = &facts.known_issuer {
        let vo = known.vo.as_ref().map(|vo| format!(", VO {vo}")).unwrap_or_default();
        lines.push(pair("", format!("{}{vo}, {}", known.name, known.class)));
    }
    lines.extend(facts.issuer_product.iter().map(|product| pair("software", product)));
    lines.push(pair("subject", or_unknown(identity.subject.as_ref())));
    lines.push(pair("client", or_unknown(identity.client.as_ref())));
    lines.push(pair("jti", or_unknown(identity.jti.as_ref())));
    lines.push(pair("fingerprint", or_unknown(facts.fingerprint.as_ref())));
    if let Some(whole) = &incident.elsewhere.whole {
        let place = format!("{}:{}", whole.place.path, whole.place.line);
        lines.push(pair("", format!("that of the whole token with this header and these claims, at {place}")));
    }
    if let Some(rest) = &facts.fingerprint_of_rest {
        lines.push(pair("", format!("that of what is left is {rest}; it finds only what was cut in the same way")));
    }
    if facts.claims_known {
        lines.push(pair("audience", list(&facts.audiences)));
        let most = if options.all { usize::MAX } else { LISTED };
        let more = facts.scopes.len().saturating_sub(most);
        let scopes: Vec<String> = facts.scopes.iter().take(most).cloned().collect();
        let more = if more > 0 { format!(" and {more} more (--all)") } else { String::new() };
        lines.push(pair("scopes", list(&scopes) + &more));
        lines.push(pair("groups", list(&facts.groups)));
    }
    lines.push(pair("valid from", or_unknown(incident.time.from.as_ref())));
    if facts.count > 0 {
        let times = text::counted(facts.count, "time");
        let files = text::counted(facts.files, "file");
        lines.push(pair("found", format!("{times} in {files}")));
        lines.extend(facts.places.iter().map(|place| pair("", format!("{}:{}", place.path, place.line))));
        lines.extend(facts.carrier.iter().map(|name| pair("", format!("under the name {name}"))));
    }
    let learned = &incident.elsewhere.learned;
    let told = [
        ("issuer", &learned.issuer),
        ("subject", &learned.subject),
        ("client", &learned.client),
        ("jti", &learned.jti),
    ];
    let told: Vec<&str> = told.iter().filter(|(_, value)| value.is_some()).map(|(name, _)| *name).collect();
    if !told.is_empty() {
        lines.push(pair("from logs", told.join(", ")));
    }
    section("Facts", lines)
}

fn contacts(incident: &Incident) -> Section {
    let line = |one: &super::page::Contact| match &one.contact {
        Some(contact) => Line::Item(format!("{}: {contact} ({})", one.who, one.source)),
        None => Line::Item(format!("{}: not known ({})", one.who, one.source)),
    };
    section("Whom to call", incident.contacts.iter().map(line).collect())
}

fn evidence(incident: &Incident) -> Section {
    let all = &incident.evidence;
    let mut lines = vec![Line::Item(format!("from {} to {}", all.from.as_deref().unwrap_or("not known"), all.to))];
    for item in &all.items {
        let logs = if item.logs.is_empty() { String::new() } else { format!(": {}", item.logs.join(", ")) };
        let kept = match (item.retention, &item.deleted_from) {
            (Some(kept), Some(gone)) => format!("kept for {}, so the first of it is deleted at {gone}", span(kept)),
            (Some(kept), None) => format!("kept for {}", span(kept)),
            (None, _) => "how long it is kept is not known".into(),
        };
        lines.push(Line::Item(format!("{}{logs}; {kept}", item.place)));
        lines.extend(item.names_jti.map(|names| {
            Line::More(if names {
                "its log names tokens by jti".into()
            } else {
                "its log does not name tokens by jti".into()
            })
        }));
        lines.extend(item.what.iter().map(|what| Line::More(what.clone())));
    }
    section("Evidence to collect", lines)
}

fn unknown(incident: &Incident) -> Section {
    section("Not known, and it would matter", incident.unknown.iter().map(|one| Line::Item(one.clone())).collect())
}

fn broadcast(incident: &Incident) -> Section {
    let subject = Line::Item(format!("Subject: {}", incident.broadcast.subject));
    let body: Vec<String> = incident.broadcast.text.lines().map(str::to_string).collect();
    section("Text for a mailing list", vec![subject, Line::Code(body)])
}

/// The page for a terminal.
pub fn human(page: &Page, options: Options) -> String {
    let mut out = String::new();
    let bold = |text: &str| if options.color { format!("\x1b[1m{text}\x1b[0m") } else { text.to_string() };
    for (at, incident) in page.incidents.iter().enumerate() {
        if at > 0 {
            let _ = writeln!(out, "\n{}\n", "=".repeat(options.width.min(72)));
        }
        let shown = shown(incident, options);
        let _ = writeln!(out, "{}", bold(&text::shown(&shown.title)));
        human_lines(&mut out, &shown.first, options);
        for section in &shown.sections {
            let _ = writeln!(out, "\n{}", bold(&section.title));
            human_lines(&mut out, &section.lines, options);
        }
    }
    closing(page, &mut |line| {
        for (at, part) in text::wrapped(&text::shown(line), options.width.saturating_sub(4)).iter().enumerate() {
            let _ = writeln!(out, "{}{part}", if at == 0 { "\n  - " } else { "    " });
        }
    });
    text::without_commands(&out).into_owned()
}

/// What is said after all incidents.
fn closing(page: &Page, say: &mut dyn FnMut(&str)) {
    if !page.beyond.is_empty() {
        let more = text::counted(page.beyond.len() as u64, "further token");
        say(&format!("{more} without a page, by fingerprint (--all makes one for each): {}", page.beyond.join(" ")));
    }
    page.notes.iter().for_each(|note| say(note));
}

fn human_lines(out: &mut String, lines: &[Line], options: Options) {
    let width = lines.iter().map(|line| if let Line::Pair(name, _) = line { name.len() } else { 0 }).max().unwrap_or(0);
    for line in lines {
        let (lead, rest, words) = match line {
            Line::Pair(name, value) => (format!("  {name:<width$}  "), width + 4, value),
            Line::Item(words) => ("  - ".into(), 4, words),
            Line::More(words) => ("      ".into(), 6, words),
            Line::Step(number, words) => (format!("{number:>3}. "), 5, words),
            Line::Code(code) => {
                // Never wrapped: it is to be copied.
                for one in code {
                    let _ = writeln!(out, "{}", format!("        {}", text::shortened(one, LONGEST)).trim_end());
                }
                continue;
            }
        };
        let indent = " ".repeat(rest);
        let room = options.width.saturating_sub(rest);
        for (at, part) in text::wrapped(&text::shown(words), room).iter().enumerate() {
            let _ = writeln!(out, "{}{part}", if at == 0 { &lead } else { &indent });
        }
    }
}

/// The page for a ticket or a wiki.
pub fn markdown(page: &Page, options: Options) -> String {
    let mut out = String::new();
    for incident in &page.incidents {
        let shown = shown(incident, options);
        let _ = writeln!(out, "# {}\n", markdown_escaped(&shown.title));
        markdown_lines(&mut out, &shown.first);
        for section in &shown.sections {
            let _ = writeln!(out, "\n## {}\n", section.title);
            markdown_lines(&mut out, &section.lines);
        }
        out.push('\n');
    }
    closing(page, &mut |line| {
        let _ = writeln!(out, "- {}", markdown_escaped(line));
    });
    text::without_commands(&out).into_owned()
}

fn markdown_lines(out: &mut String, lines: &[Line]) {
    for line in lines {
        match line {
            Line::Pair(name, value) if name.is_empty() => {
                let _ = writeln!(out, "  - {}", markdown_escaped(value));
            }
            Line::Pair(name, value) => {
                let _ = writeln!(out, "- **{}**: {}", markdown_escaped(name), markdown_escaped(value));
            }
            Line::Item(words) => {
                let _ = writeln!(out, "- {}", markdown_escaped(words));
            }
            Line::Step(number, words) => {
                // A list of its own: what belongs to the step stands below it.
                let _ = writeln!(out, "- **{number}.** {}", markdown_escaped(words));
            }
            Line::More(words) => {
                let _ = writeln!(out, "  - {}", markdown_escaped(words));
            }
            Line::Code(code) => {
                let code: Vec<String> = code.iter().map(|line| text::shortened(line, LONGEST)).collect();
                let fence = "`".repeat(longest_run(&code).max(2) + 1);
                let _ = writeln!(out, "\n    {fence}text");
                for line in code {
                    let _ = writeln!(out, "    {line}");
                }
                let _ = writeln!(out, "    {fence}\n");
            }
        }
    }
}

/// The longest run of backticks.
fn longest_run(lines: &[String]) -> usize {
    lines.iter().flat_map(|line| line.split(|c| c != '`')).map(str::len).max().unwrap_or(0)
}

/// Only the texts for a mailing list, each with its subject, as a mail has it.
pub fn broadcasts(page: &Page) -> String {
    let one = |incident: &Incident| format!("Subject: {}\n\n{}", incident.broadcast.subject, incident.broadcast.text);
    let all: Vec<String> = page.incidents.iter().map(one).collect();
    text::without_commands(&all.join("\n")).into_owned()
}
