"""tokenvet vets a token trust fabric: tokens, clients, issuers and the services that accept them.

>>> import tokenvet
>>> findings = tokenvet.scan_batch(open("access.log", errors="surrogateescape"))
>>> report = tokenvet.check({"clients.json": open("clients.json").read()})

Other threads run meanwhile. The command line of the same name comes with the package: ``tokenvet --help``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime

from tokenvet import _arguments, _model, _native
from tokenvet._arguments import Text as _Text
from tokenvet._distributed import DistributedScan
from tokenvet._model import Error, Finding, NotJudged, Region, Related, Report, Severity, Suppressed, Target

__all__ = [
    "DistributedScan",
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
    called = None if names is None else _arguments.names(names)
    listed = list(_arguments.texts(texts, "texts"))
    found = json.loads(_native.scan(listed, called, _arguments.seconds(now), fingerprint_key))
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
    named = [(_arguments.name(name), text) for name, text in texts.items()]
    return _model.report(json.loads(_native.check(named, _arguments.seconds(now), list(profiles))))
