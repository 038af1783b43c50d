//! Workflows: what the tokens and clients of a policy's world are for, and which workflow each belongs to.

use super::raw::{Mitigation, RawWorkflow};
use super::{glob, lifetime};
use crate::model::{Field, Held, Record, Target, TargetKind, url};
use globset::{GlobMatcher, GlobSet};
use std::collections::BTreeSet;

/// Most workflows in a policy: each target is compared with each of them.
const MAX_WORKFLOWS: usize = 1_000;

/// The workflows of a policy, in its order.
#[derive(Debug, Default)]
pub struct Workflows {
    list: Vec<Workflow>,
}

/// One workflow with its globs compiled.
#[derive(Debug)]
pub struct Workflow {
    /// As written.
    pub raw: RawWorkflow,
    /// Longest transfer in seconds; `None` when nobody said.
    pub max_transfer_time: Option<i64>,
    client_id: Vec<GlobMatcher>,
    /// As [`url::issuer_form`] spells them.
    issuer: Vec<String>,
    scope: Vec<GlobMatcher>,
    target: Vec<GlobMatcher>,
    path: Option<GlobSet>,
}

/// What is wrong with which workflow: its index, the member, a sentence.
type Mistake = (usize, Vec<&'static str>, String);

impl Workflows {
    /// Checks and compiles them.
    pub fn new(raw: &[RawWorkflow]) -> Result<Self, Mistake> {
        if raw.len() > MAX_WORKFLOWS {
            return Err((MAX_WORKFLOWS, vec![], format!("more than {MAX_WORKFLOWS} workflows; merge some")));
        }
        let mut names = BTreeSet::new();
        let mut list = Vec::new();
        for (index, raw) in raw.iter().enumerate() {
            let workflow = Workflow::new(raw).map_err(|(member, message)| (index, member, message))?;
            if !names.insert(raw.name.as_str()) {
                return Err((index, vec!["name"], "another workflow has this name".into()));
            }
            list.push(workflow);
        }
        Ok(Workflows { list })
    }

    /// In the policy's order.
    pub fn all(&self) -> &[Workflow] {
        &self.list
    }

    /// The workflow of this name.
    pub fn named(&self, name: &str) -> Option<&Workflow> {
        self.list.iter().find(|workflow| workflow.raw.name == name)
    }

    /// The indexes of the workflows that a target fits, in their order. `path` is relative to the policy's folder.
    pub fn fitting(&self, path: &str, target: &Target<'_>) -> Vec<usize> {
        if !has_workflow(target.kind) {
            return vec![];
        }
        let fits = self.list.iter().enumerate().filter(|(_, workflow)| workflow.fits(path, target));
        fits.map(|(index, _)| index).collect()
    }
}

/// Do targets of this kind belong to workflows?
pub fn has_workflow(kind: TargetKind) -> bool {
    use TargetKind::{AccessToken, Client, IdToken, RefreshToken, Token};
    matches!(kind, Client | AccessToken | IdToken | RefreshToken | Token)
}

impl Workflow {
    fn new(raw: &RawWorkflow) -> Result<Self, (Vec<&'static str>, String)> {
        if raw.name.trim().is_empty() || raw.name.chars().any(char::is_control) {
            return Err((vec!["name"], "a name in one line is expected".into()));
        }
        let covers = &raw.covers;
        let lists = [&covers.client_id, &covers.issuer, &covers.scope, &covers.target, &covers.path];
        if lists.iter().all(|list| list.is_empty()) {
            let message = "say what belongs to the workflow: `client-id`, `issuer`, `scope`, `target` or `path`";
            return Err((vec!["match"], message.into()));
        }
        let globs = |list: &[String], name: &'static str| {
            let compiled: Result<Vec<GlobMatcher>, String> =
                list.iter().map(|text| glob::matcher(text, false)).collect();
            compiled.map_err(|message| (vec!["match", name], message))
        };
        let path = (!covers.path.is_empty()).then(|| glob::paths(&covers.path)).transpose();
        let max_transfer_time = raw.max_transfer_time.as_ref().map(lifetime).transpose();
        Ok(Workflow {
            max_transfer_time: max_transfer_time.map_err(|message| (vec!["max-transfer-time"], message))?,
            client_id: globs(&covers.client_id, "client-id")?,
            issuer: covers.issuer.iter().map(|issuer| url::issuer_form(issuer)).collect(),
            scope: globs(&covers.scope, "scope")?,
            target: globs(&covers.target, "target")?,
            path: path.map_err(|(_, message)| (vec!["match", "path"], message))?,
            raw: raw.clone(),
        })
    }

    /// Does the workflow claim this mitigation?
    pub fn declares(&self, mitigation: Mitigation) -> bool {
        self.raw.mitigations.contains(&mitigation)
    }

    fn fits(&self, path: &str, target: &Target<'_>) -> bool {
        let is_client = target.kind == TargetKind::Client;
        let field = |name: &str| field(target, name);
        let (issuer, scope) = if is_client { ("issuer", "scopes") } else { ("iss", "scope") };
        let client_id = || field("client_id").as_text().is_some_and(|id| any(&self.client_id, id));
        let issuer = || match field(issuer).as_text() {
            Some(issuer) => self.issuer.contains(&url::issuer_form(issuer)),
            // Exports of clients seldom name their issuer; then the other members have to tell.
            None => is_client && field(issuer).is_absent() && self.has_more_than_issuer(),
        };
        let scope =
            || field(scope).items().iter().any(|item| item.as_text().is_some_and(|text| any(&self.scope, text)));
        let named =
            || any(&self.target, &target.name) || (!target.identity.is_empty() && any(&self.target, &target.identity));
        (self.client_id.is_empty() || client_id())
            && (self.issuer.is_empty() || issuer())
            && (self.scope.is_empty() || scope())
            && (self.target.is_empty() || named())
            && self.path.as_ref().is_none_or(|globs| globs.is_match(path))
    }

    /// Does a client belong to the workflow? `None` when its name and its issuer fit, as far as they are known, and something
    /// else has to as well: its issuer, its scopes, the path of its file.
    pub fn of_client(&self, client: &str, issuer: Option<&str>) -> Option<bool> {
        let of_issuer = match issuer {
            _ if self.issuer.is_empty() => Some(true),
            Some(issuer) => Some(self.issuer.contains(&url::issuer_form(issuer))),
            None => None,
        };
        let named = self.client_id.is_empty() || any(&self.client_id, client);
        let more = !(self.scope.is_empty() && self.target.is_empty() && self.path.is_none());
        match (named, of_issuer) {
            (false, _) | (_, Some(false)) => Some(false),
            (true, Some(true)) if !more => Some(true),
            (true, _) => None,
        }
    }

    fn has_more_than_issuer(&self) -> bool {
        !(self.client_id.is_empty() && self.scope.is_empty() && self.target.is_empty() && self.path.is_none())
    }
}

fn any(globs: &[GlobMatcher], text: &str) -> bool {
    globs.iter().any(|glob| glob.is_match(text))
}

/// A field by its name; absent when the kind has no such field.
fn field<'t, 'd>(target: &'t Target<'d>, name: &str) -> &'t Field<'d> {
    let index = target.kind.fields().iter().position(|spec| spec.name == name);
    index.map_or(Field::absent(), |index| target.record.field(index))
}

/// A target's record with its workflow in the fields `workflow.…`.
pub(crate) struct Assigned<'d> {
    record: Held<'d>,
    first: usize,
    fields: [Field<'d>; 5],
}

impl<'d> Record<'d> for Assigned<'d> {
    fn field(&self, index: usize) -> &Field<'d> {
        match index.checked_sub(self.first).and_then(|own| self.fields.get(own)) {
            Some(field) => field,
            None => self.record.field(index),
        }
    }
}

impl Workflows {
    /// Writes the workflow a target belongs to into its fields; the workflow, when exactly one fits.
    pub(crate) fn assign<'d>(&self, path: &str, target: Target<'d>) -> (Target<'d>, Option<usize>) {
        if self.list.is_empty() || !has_workflow(target.kind) {
            return (target, None);
        }
        let Some(first) = target.kind.fields().iter().position(|spec| spec.name == "workflow.name") else {
            return (target, None);
        };
        let fitting = self.fitting(path, &target);
        let one = match fitting.as_slice() {
            [one] => Some(*one),
            _ => None,
        };
        let names = fitting.iter().map(|&index| Field::text(self.list[index].raw.name.clone(), None));
        let of = |read: &dyn Fn(&Workflow) -> Option<Field<'d>>| {
            one.and_then(|index| read(&self.list[index])).unwrap_or_default()
        };
        // In the order in which the records declare them.
        let fields = [
            of(&|workflow| Some(Field::text(workflow.raw.name.clone(), None))),
            of(&|workflow| Some(Field::text(workflow.raw.class.name(), None))),
            of(&|workflow| Some(Field::text(workflow.raw.user_class.name(), None))),
            of(&|workflow| workflow.max_transfer_time.map(|seconds| Field::int(seconds, None))),
            Field::list(names.collect(), None),
        ];
        let record = Held::Own(Box::new(Assigned { record: target.record, first, fields }));
        (Target { record, ..target }, one)
    }
}

#[cfg(test)]
mod tests {
    use super::Workflows;
    use serde_json::json;

    #[test]
    fn a_client_is_told_by_name_and_issuer_where_nothing_else_counts() {
        let of_client = |matching: serde_json::Value, client: &str, issuer: Option<&str>| {
            let raw =
                json!([{"name": "transfers", "class": "fts-long", "user-class": "production", "match": matching}]);
            let raw: Vec<_> = serde_json::from_value(raw).expect("a workflow");
            Workflows::new(&raw).expect("in order").all()[0].of_client(client, issuer)
        };
        let (vo, other) = (Some("https://VO.example.org:443/"), Some("https://other.example.org"));
        let both = || json!({"client-id": ["fts-*"], "issuer": ["https://vo.example.org"]});
        for (matching, client, issuer, expected, remark) in [
            (both(), "fts-1", vo, Some(true), "another spelling of the issuer"),
            (both(), "fts-1", other, Some(false), "another issuer"),
            (both(), "rucio", vo, Some(false), "another client"),
            (both(), "fts-1", None, None, "whose client it is, is not known"),
            (json!({"client-id": ["fts-*"]}), "fts-1", None, Some(true), "any issuer"),
            (json!({"issuer": ["https://vo.example.org/"]}), "any", vo, Some(true), "any client"),
            (json!({"client-id": ["fts-*"], "scope": ["storage.*"]}), "fts-1", vo, None, "its scopes are not known"),
            (json!({"client-id": ["fts-*"], "path": ["iam/**"]}), "fts-1", vo, None, "nor is its file"),
            (json!({"client-id": ["fts-*"], "scope": ["storage.*"]}), "rucio", vo, Some(false), "another client"),
        ] {
            assert_eq!(of_client(matching, client, issuer), expected, "{remark}");
        }
    }
}
