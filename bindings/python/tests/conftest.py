"""What the tests share: tokens that nobody ever signed."""

from __future__ import annotations

import base64
import json
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
#: Never in any output: it stands where a signature does.
SIGNATURE = ("TESTCANARY" * 40)[:341] + "g"


def token(jti: str = "t-1", **claims: Any) -> str:
    """A token that is valid for an hour, with a made-up signature."""

    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    usual = {"iss": "https://vo.example.org/", "jti": jti, "sub": "s", "exp": int(NOW.timestamp()) + 3600}
    return f"{part({'alg': 'RS256', 'kid': 'k'})}.{part({**usual, **claims})}.{SIGNATURE}"


@pytest.fixture(autouse=True)
def no_canary(capfd: pytest.CaptureFixture[str]) -> Any:
    """No test makes the module or the command write a secret to standard output or error."""
    yield
    written = capfd.readouterr()
    assert "CANARY" not in written.out + written.err


@pytest.fixture(scope="session")
def command() -> str:
    """The installed command."""
    return str(Path(sys.executable).parent / "tokenvet")
