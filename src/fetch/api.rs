//! The administration APIs of INDIGO IAM and Keycloak: what is asked, what each call needs, and lists page by page.
//!
//! Paths, paging and scopes after INDIGO IAM 1.12 (its controllers for clients and scope policies) and Keycloak's admin
//! REST API. Every call is a GET.

use super::folder::{CLIENTS, EXCHANGE_POLICIES, Entry, Paging, REALM, SCOPE_POLICIES};
use super::web::{Ask, LARGE, address};
use super::withhold::{Clean, withhold};
use super::{Error, Event, Resume, Run};
use crate::parse::{Cursor, Data, Document, Syntax, parse};
use crate::policy::RawApi;
use crate::source::Source;
use std::collections::HashSet;
use std::fs;
use std::sync::Arc;

/// Entries asked for at a time: INDIGO IAM gives no more than 100.
const PAGE: u64 = 100;
/// Most clients an issuer may have.
const MAX_CLIENTS: u64 = 200_000;
/// How long a later run may go on with the pages of an interrupted one, in seconds: a day.
const MAX_PAUSE: i64 = 86_400;

/// An administration API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Api {
    /// INDIGO IAM: clients, scope policies and exchange policies
    IndigoIam,
    /// Keycloak: the realm with its clients
    Keycloak,
}

impl From<RawApi> for Api {
    fn from(api: RawApi) -> Self {
        match api {
            RawApi::IndigoIam => Api::IndigoIam,
            RawApi::Keycloak => Api::Keycloak,
        }
    }
}

const IAM_CLIENTS: &str = "the scope iam:admin.read (or a user who is an administrator)";
const IAM_POLICIES: &str = "the scope iam:admin.read (or a user who is an administrator)";
/// Read in the source of 2019; what later versions ask for was not read.
const IAM_EXCHANGE: &str = "a user who is an administrator (in some versions the scope iam:admin.read may do)";
const KEYCLOAK_REALM: &str = "the role view-realm of the realm's client realm-management";
const KEYCLOAK_CLIENTS: &str = "the role view-clients of the realm's client realm-management";

impl Api {
    /// The name on the command line and in the manifest.
    pub fn name(self) -> &'static str {
        match self {
            Api::IndigoIam => "indigo-iam",
            Api::Keycloak => "keycloak",
        }
    }

    /// The API of a product, by its name in the model.
    pub(super) fn of_product(product: &str) -> Option<Self> {
        [Api::IndigoIam, Api::Keycloak].into_iter().find(|api| api.name() == product)
    }
}

/// Reads what the API shows.
pub(super) fn fetch(run: &mut Run<'_>, api: Api, metadata: &Document) -> Result<(), Error> {
    match api {
        Api::IndigoIam => indigo_iam(run, metadata),
        Api::Keycloak => keycloak(run),
    }
}

fn indigo_iam(run: &mut Run<'_>, metadata: &Document) -> Result<(), Error> {
    const REGISTRATION: &str = "/iam/api/client-registration";
    let registration = metadata.root().get("registration_endpoint").and_then(Cursor::as_str).unwrap_or_default();
    let base = registration.trim_end_matches('/').strip_suffix(REGISTRATION);
    let base = base.unwrap_or(run.request.issuer.trim_end_matches('/')).to_string();
    let url = format!("{base}/iam/scope_policies");
    let policies = run.call(&url, IAM_POLICIES)?;
    run.policies(SCOPE_POLICIES, &url, IAM_POLICIES, &policies)?;
    // A token that may read the rest may not be enough for these.
    let url = format!("{base}/iam/api/exchange/policies");
    match run.call(&url, IAM_EXCHANGE) {
        Ok(policies) => run.policies(EXCHANGE_POLICIES, &url, IAM_EXCHANGE, &policies)?,
        Err(error) if error.status.is_some_and(|status| (300..500).contains(&status) && status != 429) => {
            run.tell(Event::Note(format!("{error}; the snapshot is without exchange policies")));
        }
        Err(error) => return Err(error),
    }
    let listing = Listing { api: Api::IndigoIam, url: format!("{base}/iam/api/clients"), needs: IAM_CLIENTS };
    let pages = listing.read(run)?;
    let count = pages.count;
    let entry = listing.entry(run, CLIENTS, &pages);
    let mut file = run.staging.create(CLIENTS)?;
    file.write(&format!(r#"{{"totalResults":{count},"itemsPerPage":{count},"startIndex":1,"Resources":["#))?;
    listing.copy(run, &mut |text| file.write(text))?;
    file.write("\n]}\n")?;
    run.finish(file, entry)
}

/// The realm and its clients make one file in the form of a realm export: clients inherit from the realm.
fn keycloak(run: &mut Run<'_>) -> Result<(), Error> {
    let url = keycloak_admin(run.request.issuer)?;
    let realm = run.call(&url, KEYCLOAK_REALM)?;
    let broken = || Error::new(&url, "the answer is no realm; is this Keycloak?");
    let document = document(&realm.text).ok_or_else(broken)?;
    let root = document.root();
    if !root.is_map() || !root.has("realm") || root.has("clients") {
        return Err(broken());
    }
    // Without the role Keycloak answers with little more than the name.
    if !root.has("accessTokenLifespan") {
        return Err(Error::new(
            &url,
            format!("the answer shows nothing of the realm; this call needs {KEYCLOAK_REALM}"),
        ));
    }
    let listing = Listing { api: Api::Keycloak, url: format!("{url}/clients"), needs: KEYCLOAK_CLIENTS };
    let pages = listing.read(run)?;
    let entry = listing.entry(run, REALM, &pages);
    let mut file = run.staging.create(REALM)?;
    let text = realm.text.trim_end().strip_suffix('}').ok_or_else(broken)?;
    file.write(text.trim_end())?;
    file.write(",\"clients\":[")?;
    listing.copy(run, &mut |text| file.write(text))?;
    file.write("\n]}\n")?;
    run.finish(file, Entry { withheld: entry.withheld + realm.withheld, url, ..entry })
}

/// `https://host/admin/realms/NAME` for the issuer `https://host/realms/NAME`; older versions have `/auth` before both.
fn keycloak_admin(issuer: &str) -> Result<String, Error> {
    let issuer = issuer.trim_end_matches('/');
    let (server, realm) = issuer.rsplit_once("/realms/").unwrap_or_default();
    match server.is_empty() || realm.is_empty() || realm.contains('/') {
        true => Err(Error::new(issuer, "is no issuer of Keycloak, which ends in /realms/NAME; pass --api indigo-iam?")),
        false => Ok(format!("{server}/admin/realms/{realm}")),
    }
}

/// A list that comes in pages.
struct Listing {
    api: Api,
    url: String,
    needs: &'static str,
}

/// What is known of a list once it is read.
struct Pages {
    count: u64,
    withheld: usize,
    started: i64,
}

/// The list changed while it was read: an entry came twice, or the total is another.
struct Changed;

/// What the pages so far add up to.
#[derive(Default)]
struct Tally {
    ids: HashSet<String>,
    total: Option<u64>,
    withheld: usize,
    complete: bool,
}

impl Listing {
    /// Reads the list to its end. Pages that an interrupted run left are taken; a list that changes meanwhile is read once
    /// more from its beginning.
    fn read(&self, run: &mut Run<'_>) -> Result<Pages, Error> {
        let mut started = self.resume(run)?;
        for _ in 0..2 {
            match self.attempt(run)? {
                Ok(tally) => {
                    return Ok(Pages { count: tally.ids.len() as u64, withheld: tally.withheld, started });
                }
                Err(Changed) => {
                    run.tell(Event::Note("the list of clients changed while it was read: starting over".into()));
                    run.staging.forget_pages()?;
                    started = self.begin(run)?;
                }
            }
        }
        Err(Error::new(&self.url, "the list of clients changes faster than it can be read; try again at a quiet time"))
    }

    /// When the list was begun: by the run that is resumed, else now.
    fn resume(&self, run: &mut Run<'_>) -> Result<i64, Error> {
        let fits = |paging: &Paging| {
            paging.issuer == run.request.issuer
                && paging.api == self.api.name()
                && (0..MAX_PAUSE).contains(&(run.now() - paging.started))
        };
        match run.staging.paging().filter(fits) {
            Some(paging) => Ok(paging.started),
            None => {
                if run.request.resume == Resume::Asked {
                    let message = "there is nothing of the last day to resume: starting from the beginning";
                    run.tell(Event::Note(message.into()));
                }
                run.staging.forget_pages()?;
                self.begin(run)
            }
        }
    }

    fn begin(&self, run: &Run<'_>) -> Result<i64, Error> {
        let started = run.now();
        let (issuer, api) = (run.request.issuer.to_string(), self.api.name().to_string());
        run.staging.begin(&Paging { issuer, api, started })?;
        Ok(started)
    }

    fn attempt(&self, run: &mut Run<'_>) -> Result<Result<Tally, Changed>, Error> {
        let mut tally = Tally::default();
        for (start, path) in run.staging.pages()? {
            let text = fs::read_to_string(&path).unwrap_or_default();
            // A page that does not follow on the one before it is of no use.
            if start != tally.ids.len() as u64 || self.take(&text, &mut tally)?.is_err() {
                return Ok(Err(Changed));
            }
        }
        while !tally.complete {
            let start = tally.ids.len() as u64;
            run.tell(Event::Page { done: start, total: tally.total });
            let url = match self.api {
                Api::IndigoIam => format!("{}?count={PAGE}&startIndex={}", self.url, start + 1),
                Api::Keycloak => format!("{}?first={start}&max={PAGE}", self.url),
            };
            let page = run.call(&url, self.needs).map_err(|error| error.resumable(start))?;
            if self.take(&page.text, &mut tally)?.is_err() {
                return Ok(Err(Changed));
            }
            run.staging.page(start, &page.text)?;
        }
        run.tell(Event::Page { done: tally.ids.len() as u64, total: Some(tally.ids.len() as u64) });
        Ok(Ok(tally))
    }

    /// Counts a page in.
    fn take(&self, text: &str, tally: &mut Tally) -> Result<Result<(), Changed>, Error> {
        let broken = |what: &str| Error::new(&self.url, format!("the answer is no page of clients: {what}"));
        let document = document(text).ok_or_else(|| broken("it is no JSON"))?;
        let entries = self.entries(document.root()).ok_or_else(|| broken("it holds no list"))?;
        let name = if self.api == Api::IndigoIam { "client_id" } else { "clientId" };
        let mut count = 0u64;
        for entry in entries.items() {
            let entry = whole(entry).ok_or_else(|| broken("an entry cannot be read"))?;
            let at = entry.as_ref().map_or_else(|cursor| *cursor, |document| document.root());
            let id = at.get(name).and_then(Cursor::as_str).ok_or_else(|| broken("an entry has no client id"))?;
            // Without the role Keycloak shows little more than the id.
            if self.api == Api::Keycloak && !at.has("protocol") && !at.has("publicClient") {
                return Err(broken(&format!("entries show ids only; this call needs {KEYCLOAK_CLIENTS}")));
            }
            if !tally.ids.insert(id.to_string()) {
                return Ok(Err(Changed));
            }
            count += 1;
        }
        tally.withheld += text.matches(crate::adapt::withheld::WITHHELD).count();
        let seen = tally.ids.len() as u64;
        if seen > MAX_CLIENTS {
            return Err(broken(&format!("there are more than {MAX_CLIENTS}; tell the operator of the server")));
        }
        match self.api {
            // Versions that do not page ignore the question and give all at once.
            Api::Keycloak => tally.complete = count != PAGE,
            Api::IndigoIam => {
                let total = document.root().get("totalResults").and_then(Cursor::as_i64);
                let total =
                    total.and_then(|total| u64::try_from(total).ok()).ok_or_else(|| broken("it has no total"))?;
                if total > MAX_CLIENTS {
                    return Err(broken(&format!("there are more than {MAX_CLIENTS}; tell the operator of the server")));
                }
                if tally.total.is_some_and(|earlier| earlier != total) || seen > total {
                    return Ok(Err(Changed));
                }
                tally.total = Some(total);
                tally.complete = seen == total;
                if count == 0 && !tally.complete {
                    return Err(broken("it is empty though the list goes on; tell the operator of the server"));
                }
            }
        }
        Ok(Ok(()))
    }

    fn entries<'d>(&self, root: Cursor<'d>) -> Option<Cursor<'d>> {
        let list = match self.api {
            Api::IndigoIam => root.get("Resources").or_else(|| root.get("resources"))?,
            Api::Keycloak => root,
        };
        list.is_seq().then_some(list)
    }

    /// Copies the entries of all pages, a line each where they came in one.
    fn copy(&self, run: &Run<'_>, write: &mut dyn FnMut(&str) -> Result<(), Error>) -> Result<(), Error> {
        let mut first = true;
        for (_, path) in run.staging.pages()? {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let entries = list(&text, |root| self.entries(root));
            let gone = || Error::new(&path.display().to_string(), "was changed by somebody else; fetch again");
            for entry in entries.ok_or_else(gone)? {
                write(if first { "\n" } else { ",\n" })?;
                write(&entry)?;
                first = false;
            }
        }
        Ok(())
    }

    fn entry(&self, run: &Run<'_>, file: &'static str, pages: &Pages) -> Entry {
        let fetched = jiff::Timestamp::from_second(pages.started).map_or_else(|_| String::new(), |at| at.to_string());
        let entry = run.entry(file, &self.url, Some(self.needs));
        Entry { fetched, withheld: pages.withheld, entries: Some(pages.count), ..entry }
    }
}

/// An entry that was left out when its page was read, or the entry itself.
fn whole(entry: Cursor<'_>) -> Option<Result<Document, Cursor<'_>>> {
    match entry.data() {
        Data::Skipped => entry.document.element_at(entry.id, String::new()).ok().map(Ok),
        _ => Some(Err(entry)),
    }
}

/// The entries of a list in JSON text, as they stand there.
fn list(text: &str, find: impl for<'d> Fn(Cursor<'d>) -> Option<Cursor<'d>>) -> Option<Vec<String>> {
    let document = document(text)?;
    let list = find(document.root())?;
    Some(list.items().map(|entry| document.source.slice(entry.span()).to_string()).collect())
}

/// The one document of JSON text.
pub(super) fn document(text: &str) -> Option<Document> {
    let source = Arc::new(Source::from_text("answer", text));
    let (mut documents, errors) = parse(&source, Syntax::Json);
    if errors.is_empty() { documents.pop() } else { None }
}

impl Run<'_> {
    /// Keeps a list of policies.
    fn policies(&mut self, file: &'static str, url: &str, needs: &'static str, found: &Clean) -> Result<(), Error> {
        let entries = list(&found.text, |root| root.is_seq().then_some(root))
            .ok_or_else(|| Error::new(url, "the answer is no list of policies; is this INDIGO IAM?"))?;
        let entry = self.entry(file, url, Some(needs));
        self.add(&found.text, Entry { withheld: found.withheld, entries: Some(entries.len() as u64), ..entry })
    }

    /// A call with the token; the answer without its secrets.
    fn call(&mut self, url: &str, needs: &'static str) -> Result<Clean, Error> {
        let (_, origin) = address(url).map_err(|why| Error::new(url, why))?;
        if origin != self.origin {
            let message = format!("is not on the issuer's own server {}; the token is not sent there", self.origin);
            return Err(Error::new(url, message));
        }
        let ask = Ask { url, token: self.request.token.as_ref(), limit: LARGE, needs: Some(needs) };
        let answer = self.web.get(&ask)?;
        withhold(answer.text).map_err(|error| Error::json(url, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keycloak_keeps_its_api_beside_the_realm() {
        for (issuer, expected) in [
            ("https://sso.example.org/realms/vo", Some("https://sso.example.org/admin/realms/vo")),
            ("https://sso.example.org/auth/realms/vo", Some("https://sso.example.org/auth/admin/realms/vo")),
            ("https://sso.example.org/realms/", None),
            ("https://sso.example.org/realms/vo/x", None),
            ("https://sso.example.org/", None),
        ] {
            assert_eq!(keycloak_admin(issuer).ok().as_deref(), expected, "{issuer}");
        }
    }

    fn page(total: u64, ids: &[&str]) -> String {
        let entries: Vec<String> = ids.iter().map(|id| format!(r#"{{"client_id":"{id}"}}"#)).collect();
        format!(
            r#"{{"totalResults":{total},"itemsPerPage":{},"startIndex":1,"Resources":[{}]}}"#,
            ids.len(),
            entries.join(",")
        )
    }

    #[test]
    fn pages_are_counted_and_changes_noticed() {
        let listing = Listing { api: Api::IndigoIam, url: "u".into(), needs: IAM_CLIENTS };
        for (pages, expected, remark) in [
            (vec![page(3, &["a", "b"]), page(3, &["c"])], "complete 3", "two pages"),
            (vec![page(0, &[])], "complete 0", "nobody"),
            (vec![page(3, &["a", "b"])], "open 2", "one page of two"),
            (vec![page(3, &["a", "b"]), page(4, &["c"])], "changed", "one more client than before"),
            (vec![page(3, &["a", "b"]), page(3, &["b"])], "changed", "the same client twice"),
            (vec![page(1, &["a", "b"])], "changed", "more than there are"),
            (vec![page(3, &["a", "b"]), page(3, &[])], "empty though", "no end"),
            (vec![page(u64::from(u32::MAX), &["a"])], "more than", "more than anybody has"),
            (vec!["[]".into()], "holds no list", "another answer"),
            (
                vec![r#"{"totalResults":1,"Resources":[{"id":"a"}]}"#.into()],
                "no client id",
                "entries of something else",
            ),
            (vec![r#"{"totalResults":1,"Resources":[7]}"#.into()], "no client id", "numbers"),
            (vec![r#"{"Resources":[]}"#.into()], "no total", "no total"),
        ] {
            let mut tally = Tally::default();
            let mut got = String::new();
            for page in &pages {
                got = match listing.take(page, &mut tally) {
                    Ok(Ok(())) if tally.complete => format!("complete {}", tally.ids.len()),
                    Ok(Ok(())) => format!("open {}", tally.ids.len()),
                    Ok(Err(Changed)) => "changed".into(),
                    Err(error) => error.to_string(),
                };
            }
            assert!(got.contains(expected), "{remark}: {got}");
        }
    }
}
