//! `tokenvet whatif`: a change to clients or limits, tried on a copy in memory before anybody makes it.
//!
//! A [`Request`] says what shall change; [`edit`] makes it in a text, and reads the result again to see that it came about.
//! [`Difference`] is what two runs of the same rules found, before and after.

mod human;
mod read;

pub use human::human;

use crate::adapt::Sink;
use crate::discover;
use crate::edit::{Edit, apply, value};
use crate::inspect::scope_in_words;
use crate::model::{At, Target, TargetKind};
use crate::parse::{Cursor, Document, NodeId, ParseError};
use crate::policy::Amount;
use crate::report::{FileError, Finding, Tool, json_text};
use crate::source::{Source, mask, secret_names};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Version of the json output; grows when a member changes its meaning or goes away, not when one is added.
pub const SCHEMA_VERSION: &str = "1";

/// A patch file (`whatif --apply`).
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[schemars(title = "tokenvet whatif patch")]
pub struct Patch {
    /// Limits by name (`access_token.lifetime.max`), in place of the profile's, as in a policy.
    pub limits: BTreeMap<String, Amount>,
    /// What changes at clients.
    pub clients: Vec<Request>,
}

/// What shall change at one client, or in the one document that is given.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Request {
    /// Its client id. Without it, `set` counts from the root of the document.
    pub client: Option<String>,
    /// Scopes it may ask for from then on.
    pub add_scopes: Vec<String>,
    /// Scopes it may no longer ask for.
    pub remove_scopes: Vec<String>,
    /// New values by member, in the product's own words (`access_token_validity_seconds`); `/` leads to inner members.
    pub set: BTreeMap<String, Value>,
}

/// What `tokenvet whatif --format json` writes.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "tokenvet whatif")]
pub struct WhatIf {
    /// Version of this format, `1`.
    pub schema_version: &'static str,
    /// The program that wrote it.
    pub tool: Tool<'static>,
    /// The clock of both runs (RFC 3339, UTC).
    pub now: String,
    /// The changes that were tried, one sentence each.
    pub changes: Vec<String>,
    /// What scopes that are new allow, by scope; null where no known profile defines it.
    pub gained: BTreeMap<String, Option<String>>,
    /// Findings that only the run after the change has.
    pub added: Vec<Finding>,
    /// Findings that only the run before the change has.
    pub removed: Vec<Finding>,
    /// Findings that say something else.
    pub changed: Vec<Changed>,
    /// Findings that stay as they are.
    pub unchanged: u64,
    /// What could not be read or judged, in either run.
    pub errors: Vec<FileError>,
}

/// A finding that says something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Changed {
    /// As it is.
    pub before: Finding,
    /// As it would be.
    pub after: Finding,
}

/// What two runs found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// See [`WhatIf::added`].
    pub added: Vec<Finding>,
    /// See [`WhatIf::removed`].
    pub removed: Vec<Finding>,
    /// See [`WhatIf::changed`].
    pub changed: Vec<Changed>,
    /// See [`WhatIf::unchanged`].
    pub unchanged: u64,
}

impl Difference {
    /// Compares what counts: suppressed findings are left out on both sides.
    pub fn new(before: Vec<Finding>, after: Vec<Finding>) -> Self {
        let mut difference = Difference::default();
        let live = |findings: Vec<Finding>| findings.into_iter().filter(|finding| finding.suppressed.is_none());
        let mut old: BTreeMap<_, Vec<Finding>> = BTreeMap::new();
        live(before).for_each(|finding| old.entry(says(&finding)).or_default().push(finding));
        let mut fresh = Vec::new();
        for finding in live(after) {
            match old.get_mut(&says(&finding)).and_then(Vec::pop) {
                Some(_) => difference.unchanged += 1,
                None => fresh.push(finding),
            }
        }
        // What is the same thing with other words.
        let mut rest: Vec<Finding> = old.into_values().flatten().collect();
        for after in fresh {
            match rest.iter().position(|before| before.fingerprint == after.fingerprint) {
                Some(index) => difference.changed.push(Changed { before: rest.remove(index), after }),
                None => difference.added.push(after),
            }
        }
        difference.removed = rest;
        crate::check::sort(&mut difference.added);
        crate::check::sort(&mut difference.removed);
        difference
    }

    /// The findings that somebody who makes the change would have to answer for.
    pub fn worse(&self) -> impl Iterator<Item = &Finding> {
        let changed = self.changed.iter().filter(|pair| pair.after.severity > pair.before.severity);
        self.added.iter().chain(changed.map(|pair| &pair.after))
    }
}

/// What a finding says, wherever its line moved.
fn says(finding: &Finding) -> (String, String, String, String, String, u8) {
    let Finding { rule, profile, path, message, target, .. } = finding;
    (
        rule.to_string(),
        profile.to_string(),
        path.to_string(),
        target.name.to_string(),
        message.clone(),
        finding.severity as u8,
    )
}

/// What was changed in one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// The text afterwards.
    pub text: String,
    /// What was done, one sentence each.
    pub done: Vec<String>,
}

/// Makes a change in a text; `None` when the client is not in it. An error says why the change cannot be made.
pub fn edit(source: &Arc<Source>, request: &Request) -> Result<Option<Edited>, String> {
    let mut editor = Editor::new(request);
    match &request.client {
        Some(_) => drop(editor.look(source)),
        None => match discover::recognise(source).documents.as_slice() {
            [(document, _)] => editor.found(document.root(), None),
            _ => return Err("name the client with --client: this is not one document".into()),
        },
    }
    if let Some(refusal) = editor.refusal {
        return Err(refusal);
    }
    match editor.clients {
        0 => return Ok(None),
        1 => {}
        number => return Err(format!("{number} registrations have this client id; which one is meant cannot be told")),
    }
    let text =
        apply(source.text(), editor.edits).ok_or("two of the changes touch the same place; make them one by one")?;
    verify(source, request, &text)?;
    Ok(Some(Edited { text, done: editor.done }))
}

/// Reads the changed text again: a change that a reader does not see was none.
fn verify(source: &Arc<Source>, request: &Request, text: &str) -> Result<(), String> {
    let Some(id) = &request.client else { return Ok(()) };
    let again = Arc::new(Source::from_text(source.name().clone(), text));
    let nothing = Request { client: Some(id.clone()), ..Request::default() };
    let mut editor = Editor::new(&nothing);
    let errors = editor.look(&again);
    let has = |scope: &String| editor.scopes.contains(scope);
    let came = editor.clients == 1 && request.add_scopes.iter().all(has) && !request.remove_scopes.iter().any(has);
    match came && errors.is_empty() {
        true => Ok(()),
        false => Err("the file is written in a way that this change does not fit; edit a copy and check that".into()),
    }
}

/// Finds the client and collects what to change.
struct Editor<'r> {
    request: &'r Request,
    clients: usize,
    scopes: Vec<String>,
    edits: Vec<Edit>,
    done: Vec<String>,
    refusal: Option<String>,
}

impl<'r> Editor<'r> {
    fn new(request: &'r Request) -> Self {
        Editor { request, clients: 0, scopes: vec![], edits: vec![], done: vec![], refusal: None }
    }

    /// Goes through the targets of a text; what its reader could not read.
    fn look(&mut self, source: &Arc<Source>) -> Vec<ParseError> {
        let recognised = discover::recognise(source);
        for (document, known) in &recognised.documents {
            if let Some((adapter, kind)) = known {
                adapter.adapt(document, kind, self);
            }
        }
        recognised.errors
    }

    /// Takes the place of the client, and of its scopes where it has any.
    fn found(&mut self, root: Cursor<'_>, scopes: Option<Cursor<'_>>) {
        self.clients += 1;
        if let Err(refusal) = self.change(root, scopes) {
            self.refusal.get_or_insert(refusal);
        }
    }

    fn change(&mut self, root: Cursor<'_>, scopes: Option<Cursor<'_>>) -> Result<(), String> {
        let request = self.request;
        let who = request.client.as_deref().map_or(String::new(), |id| format!(" of client {id}"));
        let (mut gone, mut more) = (Vec::new(), Vec::new());
        let removed = request.remove_scopes.iter().map(|scope| (false, scope));
        for (add, scope) in removed.chain(request.add_scopes.iter().map(|scope| (true, scope))) {
            if scope.is_empty() || !scope.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)) {
                return Err(format!("{scope:?} is no scope: no blanks, quotes or backslashes (RFC 6749, section 3.3)"));
            }
            let what = match (add, self.scopes.contains(scope) || more.contains(scope)) {
                (true, true) => "is there already",
                (false, false) => "is not there",
                (true, false) => {
                    more.push(scope.clone());
                    "is added"
                }
                (false, true) => {
                    gone.push(scope.clone());
                    "is removed"
                }
            };
            self.done.push(format!("scope {scope}{who} {what}"));
        }
        if !(request.add_scopes.is_empty() && request.remove_scopes.is_empty()) {
            let place = scopes
                .ok_or("its scopes do not stand in this file; name the product's own member with --set MEMBER=VALUE")?;
            if !(gone.is_empty() && more.is_empty()) {
                self.edits.extend(value::change(place, &gone, &more)?);
            }
        }
        for (path, new) in &request.set {
            self.edits.push(set(root, path, new)?);
            let last = path.rsplit('/').next().unwrap_or_default();
            let value = new.to_string();
            let shown = if secret_names::is_secret_key(last) { "a secret".into() } else { mask::redact(&value) };
            self.done.push(format!("{path}{who} is set to {shown}"));
        }
        Ok(())
    }
}

/// A new value for a member of `root`, which may be new itself.
fn set(root: Cursor<'_>, path: &str, new: &Value) -> Result<Edit, String> {
    let steps: Vec<&str> = path.split('/').filter(|step| !step.is_empty()).collect();
    let Some((last, above)) = steps.split_last() else { return Err("--set: name a member".into()) };
    let step = |at: Cursor<'_>, name: &str| match at.is_seq() {
        true => name.parse().ok().and_then(|index: usize| at.items().nth(index)).map(|found| found.id),
        false => at.get(name).map(|found| found.id),
    };
    let mut at = root;
    for name in above {
        let id = step(at, name).ok_or_else(|| format!("there is no member {name:?} on the way to {path}"))?;
        at = root.document.cursor(id);
    }
    match step(at, last) {
        Some(id) => value::set(root.document.cursor(id), new),
        None => {
            let edit = value::insert(at, last, new)?;
            read::demand(at, last, new)?;
            Ok(edit)
        }
    }
}

impl Sink for Editor<'_> {
    fn target(&mut self, documents: &[&Document], target: Target<'_>) {
        let field = |name: &str| {
            let index = TargetKind::Client.fields().iter().position(|spec| spec.name == name)?;
            Some(target.record.field(index))
        };
        let id = field("client_id").and_then(|field| field.as_text());
        if target.kind != TargetKind::Client || id.is_none() || id != self.request.client.as_deref() {
            return;
        }
        let cursor = |at: At| documents.get(usize::from(at.document)).map(|document| document.cursor(at.node));
        let Some(root) = cursor(target.at) else { return };
        let scopes = field("scopes");
        let items = scopes.map_or(&[][..], |field| field.items());
        self.scopes = items.iter().filter_map(|item| item.as_text()).map(str::to_string).collect();
        self.found(root, scopes.and_then(|field| field.at).and_then(cursor));
    }

    fn secret(&mut self, _document: &Document, _node: NodeId) {}

    fn error(&mut self, _document: &Document, _node: NodeId, _message: String) {}

    fn paging(&mut self, _shown: NodeId, _shown_count: i64, _total: (NodeId, i64)) {}

    fn secrets_expected(&mut self) {}
}

/// What the scopes of requests allow, in words.
pub fn gained(requests: &[Request]) -> BTreeMap<String, Option<String>> {
    let scopes = requests.iter().flat_map(|request| &request.add_scopes);
    scopes.map(|scope| (scope.clone(), scope_in_words(scope))).collect()
}

/// The json output.
pub fn json(whatif: &WhatIf) -> String {
    json_text(whatif)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const IAM: &str = r#"[
  {"client_id": "a", "client_name": "one", "scope": "openid storage.read:/", "redirect_uris": [],
   "grant_types": ["client_credentials"], "access_token_validity_seconds": 3600, "reuse_refresh_token": true},
  {"client_id": "b", "client_name": "two", "scope": "openid", "redirect_uris": [],
   "grant_types": ["client_credentials"], "access_token_validity_seconds": 3600, "reuse_refresh_token": true}
]"#;

    fn request(client: &str) -> Request {
        Request { client: Some(client.into()), ..Request::default() }
    }

    fn changed(text: &str, request: &Request) -> Result<Option<String>, String> {
        let source = Arc::new(Source::from_text("clients.json", text));
        Ok(edit(&source, request)?.map(|edited| edited.text))
    }

    #[test]
    fn the_client_that_is_asked_for_changes_and_no_other() {
        let add = |scopes: &[&str]| scopes.iter().map(|scope| scope.to_string()).collect::<Vec<_>>();
        let old: Value = serde_json::from_str(IAM).expect("valid");
        for (request, pointer, expected, remark) in [
            (Request { add_scopes: add(&["x:/"]), ..request("b") }, "/1/scope", json!("openid x:/"), "a scope more"),
            (
                Request { add_scopes: add(&["x"]), remove_scopes: add(&["openid"]), ..request("a") },
                "/0/scope",
                json!("storage.read:/ x"),
                "one more and one less",
            ),
            (
                Request { set: [("access_token_validity_seconds".into(), json!(60))].into(), ..request("a") },
                "/0/access_token_validity_seconds",
                json!(60),
                "another lifetime",
            ),
            (
                Request { set: [("contacts".into(), json!(["x"]))].into(), ..request("b") },
                "/1/contacts",
                json!(["x"]),
                "a member",
            ),
            (
                Request { set: [("/0/client_name".into(), json!("three"))].into(), ..Request::default() },
                "/0/client_name",
                json!("three"),
                "by pointer",
            ),
        ] {
            let text = changed(IAM, &request).expect("possible").expect("found");
            let mut new: Value = serde_json::from_str(&text).expect("valid");
            assert_eq!(new.pointer(pointer), Some(&expected), "{remark}");
            match old.pointer(pointer) {
                Some(before) => *new.pointer_mut(pointer).expect("there") = before.clone(),
                None => {
                    new[1].as_object_mut().expect("object").remove("contacts");
                }
            }
            assert_eq!(new, old, "{remark}: nothing else changes");
        }
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        let scope = |scope: &str| Request { add_scopes: vec![scope.into()], ..request("a") };
        assert_eq!(changed(IAM, &Request { ..request("c") }), Ok(None), "not there");
        for (text, request, expected) in [
            (IAM.to_string(), scope("a b"), "is no scope"),
            (IAM.to_string(), scope("a\"b"), "is no scope"),
            (IAM.replace("\"b\"", "\"a\""), scope("x"), "2 registrations"),
            (IAM.to_string(), Request { set: [("a/b".into(), json!(1))].into(), ..request("a") }, "on the way"),
            (
                IAM.to_string(),
                Request { set: [("acces_token_validity_seconds".into(), json!(1))].into(), ..request("a") },
                "did you mean `access_token_validity_seconds`?",
            ),
            (
                IAM.to_string(),
                Request { set: [("/0/colour".into(), json!("red"))].into(), ..Request::default() },
                "no field is read from one of that name",
            ),
        ] {
            let error = changed(&text, &request).expect_err(expected);
            assert!(error.contains(expected), "{error}");
        }
    }
}
