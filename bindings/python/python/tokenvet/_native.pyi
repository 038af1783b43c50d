"""What the package is made of; use the package."""

from collections.abc import Sequence

__all__ = ["__version__", "check", "run", "scan"]

__version__: str

def run(arguments: Sequence[str]) -> int: ...
def scan(
    texts: Sequence[str | bytes | None],
    names: Sequence[str] | None,
    now: int,
    fingerprint_key: bytes | None,
) -> str: ...
def check(texts: Sequence[tuple[str, str | bytes]], now: int, profiles: Sequence[str]) -> str: ...
