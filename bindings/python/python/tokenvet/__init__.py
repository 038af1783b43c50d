"""tokenvet vets a token trust fabric: tokens, clients, issuers and the services that accept them.

>>> import tokenvet
>>> findings = tokenvet.scan_batch(open("access.log", errors="surrogateescape"))
>>> report = tokenvet.check({"clients.json": open("clients.json").read()})

Other threads run meanwhile. The command line of the same name comes with the package: ``tokenvet --help``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Union

from tokenvet import _model, _native
from tokenvet._model import Error, Finding, NotJudged, Region, Related, Report, Severity, Suppressed, Target

__all__ = [
    "Error",
    "Finding",
    "NotJudged",
    "Region",
    "Related",
    "Report",
    "Severity",
    "Suppressed",
    "Target",
    "check",
    "scan_batch",
]

__version__: str = _native.__version__

_Text = Union[str, bytes]


def scan_batch(
    texts: Iterable[_Text | None],
    *,
    names: Iterable[str] | None = None,
    now: datetime | None = None,
    fingerprint_key: bytes | None = None,
) -> list[Finding]:
    """Find the tokens in texts: lines of a log, or whole logs.

    Each distinct token is judged once, at the first place where it stands in the batch (``Finding.index`` is the number
    of its text); those that matter most come first. No finding shows a token. A token that is wrapped over several texts
    is found as a part; bytes need not be UTF-8, and are not decompressed. ``None`` stands for a row without a text.

    names: what findings call the texts, in their order; ``texts[0]``, ``texts[1]``, … without it.
    now: judge as if this were now; a ``datetime`` with a time zone.
    fingerprint_key: at least 16 bytes; only who holds them can confirm that a fingerprint is that of a token.

    Raises ``TypeError`` for what is no text and ``ValueError`` for the other arguments.
    """
    found = json.loads(_native.scan(_listed(texts), _names(names), _seconds(now), fingerprint_key))
    return [_model.finding(raw) for raw in found]


def check(
    texts: Mapping[str, _Text], *, now: datetime | None = None, profiles: Iterable[str] = ()
) -> Report:
    """Judge configuration, registrations, metadata and tokens, together as the files of one folder.

    texts: contents by name; a name is a path as users would write it, and some formats are told apart by it.
    now: judge as if this were now; a ``datetime`` with a time zone.
    profiles: judge by these (``wlcg@1.3``, ``wlcg@^1``); without them each target is judged by those it shows.

    Raises ``Error`` when a text cannot be read, parsed or recognised; ``Error.report`` is what was found all the same.
    Policies, waivers and rules of one's own are the command line's.
    """
    if isinstance(profiles, str):
        raise TypeError("profiles: give a list")
    named = [(_name(name), text) for name, text in texts.items()]
    return _model.report(json.loads(_native.check(named, _seconds(now), list(profiles))))


def _listed(texts: Iterable[_Text | None]) -> list[_Text | None]:
    if isinstance(texts, (str, bytes)):
        raise TypeError("texts: give a list of texts, not a single one")
    return list(texts)


def _names(names: Iterable[str] | None) -> list[str] | None:
    if isinstance(names, str):
        raise TypeError("names: give a list of names, not a single one")
    return None if names is None else [_name(name) for name in names]


def _name(name: str) -> str:
    # File names may hold lone surrogates, which no report can write.
    return str(name).encode("utf-8", "replace").decode()


def _seconds(now: datetime | None) -> int:
    if now is None:
        return int(time.time())
    if now.tzinfo is None:
        raise ValueError("now: give a datetime with a time zone, for example datetime.now(timezone.utc)")
    return int(now.timestamp())
