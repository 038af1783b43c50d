//! Values in words: times relative to the clock, scopes, audiences.

use crate::adapt::jwt_token::NumericDate;
use crate::model::scope::{Capability, Family};
use crate::parse::Cursor;
use crate::rule::message;

/// `3 h 12 min`: a span of time in its two largest units, for people; never negative.
pub(crate) fn span(seconds: i64) -> String {
    let seconds = seconds.unsigned_abs();
    let units = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let Some(largest) = units.iter().position(|(size, _)| seconds >= *size) else { return "0 s".into() };
    let (size, name) = units[largest];
    let mut text = format!("{} {name}", seconds / size);
    // Beyond 30 days hours are noise, and below two minutes there is nothing smaller worth saying.
    if let Some((next, next_name)) = units.get(largest + 1)
        && seconds < 30 * 86_400
        && seconds % size >= *next
    {
        text.push_str(&format!(" {} {next_name}", seconds % size / next));
    }
    text
}

/// What a claim's number means as a time, as a date and relative to `now`; `None` for claims that are no times.
pub(super) fn time(name: &str, value: Cursor<'_>, now: i64) -> Option<(Option<String>, String)> {
    let sentence: fn(i64) -> String = match name {
        "exp" => {
            |left| if left > 0 { format!("expires in {}", span(left)) } else { format!("expired {} ago", span(left)) }
        }
        "nbf" => |left| {
            if left > 0 {
                format!("begins in {}: not valid yet", span(left))
            } else {
                format!("began {} ago", span(left))
            }
        },
        "iat" => |left| {
            if left > 0 { format!("issued {} in the future", span(left)) } else { format!("issued {} ago", span(left)) }
        },
        "auth_time" => {
            |left| if left > 0 { format!("in {}", span(left)) } else { format!("logged in {} ago", span(left)) }
        }
        "updated_at" => |left| if left > 0 { format!("in {}", span(left)) } else { format!("{} ago", span(left)) },
        _ => return None,
    };
    Some(match NumericDate::of(value) {
        Some(NumericDate::Seconds(seconds)) => (Some(message::time(seconds)), sentence(seconds - now)),
        Some(NumericDate::Milliseconds(number)) => {
            let read = message::time(number / 1000);
            (None, format!("looks like milliseconds ({read}); read as seconds it lies beyond the year 5138"))
        }
        Some(NumericDate::Beyond) => (None, "too large for a date in seconds".into()),
        None => (None, "no time: a number of seconds since 1970 is expected here".into()),
    })
}

/// What a scope allows, as the end of "the token may …" or a statement of its own. `None` when no known profile
/// defines it.
pub(crate) fn scope(text: &str) -> Option<String> {
    if let Some(capability) = Capability::parse(text) {
        return Some(capability_words(capability));
    }
    let words = match text {
        "openid" => "asks for an ID token (OpenID Connect)",
        "profile" => "read the name and other data of the person",
        "email" => "read the mail address of the person",
        "phone" => "read the telephone number of the person",
        "address" => "read the postal address of the person",
        "offline_access" => "get new tokens while the person is away (refresh token)",
        "wlcg" => "asks for a token of the WLCG profile",
        "wlcg.groups" => "asks for the default groups of the person",
        "host.auth" => "be accepted for its subject alone, as a host (WLCG 1.3)",
        "eduperson_entitlement" | "entitlements" => "read the entitlements of the person",
        "eduperson_assurance" => "read how well the identity was checked",
        "eduperson_scoped_affiliation" => "read the role at the home organisation",
        "voperson_id" => "read the community identifier of the person",
        "scim:read" => "read users and groups of the issuer (SCIM)",
        "scim:write" => "change users and groups of the issuer (SCIM)",
        "iam:admin.read" => "read everything at INDIGO IAM as an administrator",
        "iam:admin.write" => "change everything at INDIGO IAM as an administrator",
        "proxy:generate" => "have INDIGO IAM make an X.509 proxy",
        "registration:read" => "read registration requests at INDIGO IAM",
        "registration:write" => "decide on registration requests at INDIGO IAM",
        "registration-token" => "manage the registration of its client",
        _ => {
            return match text.split_once(':')? {
                ("wlcg.groups", group) => Some(format!("asks for the group {group}")),
                ("wlcg.capabilityset", set) => Some(format!("asks for the capability set {set}")),
                _ => None,
            };
        }
    };
    Some(words.into())
}

fn capability_words(capability: Capability<'_>) -> String {
    let path = capability.path;
    let storage = |verb: &str, everything: &str| match path {
        Some(path) if !capability.is_root() => format!("{verb} below {path} of this VO"),
        Some(_) => everything.to_string(),
        None => format!("{everything} (no path; some services read that as the root, others refuse it)"),
    };
    let plain = |verb: &str| match path {
        None | Some("") => verb.to_string(),
        Some(path) => format!("{verb} (the path {path} has no defined meaning)"),
    };
    match (capability.family, capability.operation) {
        (Family::Wlcg, "storage.read") => storage("read files", "read everything of this VO"),
        (Family::Wlcg, "storage.create") => {
            storage("create files and folders", "create files and folders anywhere in this VO's space")
        }
        (Family::Wlcg, "storage.modify") => storage(
            "create, change, overwrite, rename and delete files",
            "create, change, overwrite, rename and delete everything of this VO",
        ),
        (Family::Wlcg, "storage.stage") => storage("bring files from tape to disk", "bring any file from tape to disk"),
        (Family::Wlcg, "storage.poll") => {
            storage("ask whether files are on disk or tape", "ask whether any file is on disk or tape")
        }
        (Family::Wlcg, "compute.read") => plain("see the state of jobs"),
        (Family::Wlcg, "compute.modify") => plain("change jobs"),
        (Family::Wlcg, "compute.create") => plain("submit jobs"),
        (Family::Wlcg, "compute.cancel") => plain("remove jobs"),
        (Family::SciTokens, "read") => scitoken("read files", path, capability.is_root()),
        (Family::SciTokens, "write") => {
            scitoken("write files, at most services delete them as well,", path, capability.is_root())
        }
        (Family::SciTokens, "queue") => "see and submit jobs in a queue (SciTokens)".into(),
        (Family::SciTokens, "execute") => "run jobs (SciTokens)".into(),
        (Family::SciTokens, "condor") => match path {
            Some(path) => format!("use HTCondor at the level {} (SciTokens)", path.trim_start_matches('/')),
            None => "use HTCondor (SciTokens)".into(),
        },
        (Family::Wlcg, _) => "no operation that WLCG defines, perhaps a misspelling; grants nothing".into(),
        (Family::SciTokens, _) => "no operation that SciTokens define; grants nothing".into(),
    }
}

fn scitoken(verb: &str, path: Option<&str>, root: bool) -> String {
    match path {
        Some(path) if !root => format!("{verb} below {path} (SciTokens)"),
        _ => format!("{verb} anywhere (SciTokens)"),
    }
}

/// What an audience means when it is more than a name; `None` for names.
pub(super) fn audience(text: &str) -> Option<&'static str> {
    match text {
        "https://wlcg.cern.ch/jwt/v1/any" => Some("any service: every WLCG service accepts it"),
        "ANY" => Some("any service: every service with the SciTokens library accepts it, WLCG ones do not"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (61, "1 min 1 s"),
            (3600, "1 h"),
            (11_520, "3 h 12 min"),
            (-345_600, "4 d"),
            (90_000, "1 d 1 h"),
            (34_560_000, "400 d"),
            (i64::MIN, "106751991167300 d"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }

    #[test]
    fn scopes_read_as_rights() {
        for (text, words, remark) in [
            ("storage.create:/data", "create files and folders below /data of this VO", "the profile's example"),
            ("storage.read:/", "read everything of this VO", "the root"),
            ("storage.read:/.", "read everything of this VO", "another spelling of the root"),
            (
                "storage.read",
                "read everything of this VO (no path; some services read that as the root, others refuse it)",
                "",
            ),
            ("storage.modify:/a", "create, change, overwrite, rename and delete files below /a of this VO", ""),
            (
                "storage.write:/a",
                "no operation that WLCG defines, perhaps a misspelling; grants nothing",
                "a SciTokens word",
            ),
            ("compute.create", "submit jobs", ""),
            ("write:/x", "write files, at most services delete them as well, below /x (SciTokens)", ""),
            ("condor:/READ", "use HTCondor at the level READ (SciTokens)", ""),
            ("wlcg.groups:/cms/uscms", "asks for the group /cms/uscms", ""),
        ] {
            assert_eq!(scope(text).as_deref(), Some(words), "{text}: {remark}");
        }
        for unknown in ["", "colour", "eduteams:x", ":"] {
            assert_eq!(scope(unknown), None, "{unknown}");
        }
    }
}
