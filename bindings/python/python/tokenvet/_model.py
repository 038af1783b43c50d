"""Findings as objects. Their members are those of the command's json report (``tokenvet schema report``)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]


def _visible(text: str) -> str:
    # Names in hostile files may hold what terminals obey, or what turns the direction of writing around.
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@dataclass(frozen=True)
class Region:
    """A place in a text. Lines and columns count from 1, columns in code points; the end is exclusive."""

    start_line: int
    start_column: int
    end_line: int
    end_column: int
    #: First byte, from 0. A ``str`` counts as its UTF-8.
    byte_offset: int
    byte_length: int


@dataclass(frozen=True)
class Target:
    """The thing a finding is about."""

    #: ``client``, ``access-token``, ``leak``, …
    kind: str
    #: What users call it; of a leaked token its fingerprint.
    name: str
    #: The policy's workflow it was judged as.
    workflow: str | None = None


@dataclass(frozen=True)
class Related:
    """A further place that belongs to a finding."""

    message: str
    path: str
    region: Region
    pointer: str


@dataclass(frozen=True)
class Suppressed:
    """Why a finding does not count: a comment beside it allows it."""

    kind: str
    reason: str
    owner: str | None = None
    expires: str | None = None
    mitigations: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """Something that is wrong, and where. It holds no secret and nothing that makes a token usable."""

    #: Rule id; ``tokenvet explain RULE`` tells the rest.
    rule: str
    #: The profile it was judged by, such as ``wlcg@1.3``.
    profile: str
    severity: Severity
    #: What the profile gives, before any policy.
    default_severity: Severity
    message: str
    #: Name of the text.
    path: str
    region: Region
    #: JSON Pointer in the document; empty for tokens in text.
    pointer: str
    #: JSON Pointer in the document that is encoded there, such as the payload of a token.
    inner_pointer: str | None
    target: Target
    #: Requirements that the rule rests on.
    requirements: tuple[str, ...]
    related: tuple[Related, ...]
    #: What to do, and who can do it.
    help: str
    #: Stable identity of the finding across runs.
    fingerprint: str
    suppressed: Suppressed | None = None
    #: Number of the text in the batch that was scanned, from 0; ``None`` for findings of ``check``.
    index: int | None = None

    def __str__(self) -> str:
        place = f"{self.path}:{self.region.start_line}:{self.region.start_column}"
        return _visible(f"{place}: {self.severity}: {self.message} ({self.rule})")

    def to_dict(self) -> dict[str, Any]:
        """The finding as the command's json report writes it, with ``index`` besides."""
        return asdict(self)


@dataclass(frozen=True)
class NotJudged:
    """A rule that could not judge a target, because a field is missing or malformed."""

    rule: str
    path: str
    target: Target
    field: str
    why: str


@dataclass(frozen=True)
class Report:
    """What judging texts came to."""

    findings: tuple[Finding, ...]
    #: Never taken for good: what the texts do not show.
    not_judged: tuple[NotJudged, ...]


class Error(Exception):
    """A text that cannot be read, parsed or recognised. It says where and never quotes the text."""

    def __init__(
        self,
        message: str,
        path: str = "",
        line: int | None = None,
        column: int | None = None,
        report: Report | None = None,
    ) -> None:
        super().__init__(message, path, line, column, report)
        #: What is wrong and what to do next.
        self.message = message
        #: Name of the text.
        self.path = path
        #: From 1; ``None`` where the text as a whole is wrong.
        self.line = line
        self.column = column
        #: What was found all the same, in this text and in others.
        self.report = report

    def __str__(self) -> str:
        place = "" if self.line is None else f":{self.line}:{self.column}"
        return _visible(f"{self.path}{place}: {self.message}")


def finding(raw: dict[str, Any]) -> Finding:
    """Make a finding of its JSON."""
    raw["region"] = Region(**raw["region"])
    raw["target"] = Target(**raw["target"])
    raw["requirements"] = tuple(raw["requirements"])
    raw["related"] = tuple(Related(**{**also, "region": Region(**also["region"])}) for also in raw["related"])
    if raw["suppressed"] is not None:
        mitigations = tuple(raw["suppressed"].pop("mitigations", ()))
        raw["suppressed"] = Suppressed(**raw["suppressed"], mitigations=mitigations)
    return Finding(**raw)


def report(raw: dict[str, Any]) -> Report:
    """Make a report of its JSON; errors in it are raised, the first in the words of its message."""
    gaps = (NotJudged(**{**gap, "target": Target(**gap["target"])}) for gap in raw["not_judged"])
    whole = Report(tuple(map(finding, raw["findings"])), tuple(gaps))
    if not raw["errors"]:
        return whole
    first, *others = raw["errors"]
    region = first["region"] or {}
    also = f" (and {len(others)} more)" if others else ""
    place = (region.get("start_line"), region.get("start_column"))
    raise Error(first["message"] + also, first["path"], *place, whole)
