"""A scan that several processes share, on one machine or many."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone

from tokenvet import _arguments, _native
from tokenvet._arguments import Text

#: Lines that are handed over at a time.
_LINES = 4096


class DistributedScan:
    """A scan of many texts, each of which some process scans: the part it returns is a shard report of one shard.

    Parts are merged in any order and grouping; a part that comes twice counts once, so tasks may be repeated. When all
    texts were scanned, ``tokenvet merge`` makes the report of the merged part, byte for byte that of a single run.
    Parts hold no token.

    names: what reports call the texts, in any order; at most 100,000.
    now: judge as if this were now; a ``datetime`` with a time zone.

    Objects of it can be pickled, and every process needs the same one.
    """

    def __init__(self, names: Iterable[str], *, now: datetime | None = None) -> None:
        self._now = _arguments.seconds(now)
        ordered = sorted(set(_arguments.names(names)))
        clock = datetime.fromtimestamp(self._now, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._terms = _native.terms(ordered, clock)
        self._numbers = {name: number for number, name in enumerate(ordered)}

    def lines(self, name: str, lines: Iterable[Text | None]) -> bytes:
        """Scan all lines of one text, in their order, and return its part; ``None`` counts as an empty line."""
        return self._part(name, _joined(_arguments.texts(lines, "lines")), False)

    def file(self, name: str, content: bytes) -> bytes:
        """Scan the content of one file, which may be compressed or an archive, and return its part."""
        return self._part(name, iter([content]), True)

    def merge(self, parts: Iterable[bytes]) -> bytes:
        """Make one part of several.

        Raises ``ValueError`` for a part that is cut off, was changed, or belongs to another scan.
        """
        return _native.merge_parts(self._terms, list(parts))

    def _part(self, name: str, chunks: Iterator[bytes], packed: bool) -> bytes:
        name = _arguments.name(name)
        if name not in self._numbers:
            raise ValueError("name: it was not among the names of this scan")
        return _native.scan_part(self._terms, self._numbers[name], name, chunks, packed, self._now)


def _joined(lines: Iterable[Text | None]) -> Iterator[bytes]:
    rest = iter(lines)
    while chunk := list(itertools.islice(rest, _LINES)):
        yield b"".join(map(_line, chunk))


def _line(line: Text | None) -> bytes:
    if line is None:
        return b"\n"
    if isinstance(line, str):
        return line.encode("utf-8", "surrogatepass") + b"\n"
    if isinstance(line, bytes):
        return line + b"\n"
    raise TypeError(f"a line is a str or bytes, not {type(line).__name__}")
