"""What functions make of their arguments."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime
from typing import Union

Text = Union[str, bytes]


def texts(given: Iterable[Text | None], what: str) -> Iterable[Text | None]:
    """The texts of a list; a single text is none."""
    if isinstance(given, (str, bytes)):
        raise TypeError(f"{what}: give a list, not a single text")
    return given


def names(given: Iterable[str]) -> list[str]:
    """Names as reports can write them."""
    if isinstance(given, str):
        raise TypeError("names: give a list of names, not a single one")
    return [name(one) for one in given]


def name(given: str) -> str:
    """A name as reports can write it; those of files may hold lone surrogates."""
    return str(given).encode("utf-8", "replace").decode()


def seconds(now: datetime | None) -> int:
    """A moment in seconds since 1970; the present without one."""
    if now is None:
        return int(time.time())
    if now.tzinfo is None:
        raise ValueError("now: give a datetime with a time zone, for example datetime.now(timezone.utc)")
    return int(now.timestamp())
