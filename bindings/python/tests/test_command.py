"""`pip install tokenvet` is the command line, too."""

from __future__ import annotations

import importlib.metadata
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import tokenvet
from conftest import NOW, token


def run(*arguments: Any, **more: Any) -> subprocess.CompletedProcess[str]:
    more.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120, **more)


def test_one_version(command: str, pytestconfig: pytest.Config) -> None:
    version = tokenvet.__version__
    assert importlib.metadata.version("tokenvet") == version
    assert run(command, "--version").stdout == f"tokenvet {version}\n"
    manifest = (pytestconfig.rootpath.parents[1] / "Cargo.toml").read_text()
    assert f'[workspace.package]\nversion = "{version}"' in manifest


def test_exit_codes_are_those_of_the_program(tmp_path: Path, command: str) -> None:
    usable, clean = tmp_path / "usable.log", tmp_path / "clean.log"
    usable.write_text(f"Bearer {token()}\n")
    clean.write_text("nothing\n")
    (tmp_path / "empty").mkdir()
    at = ["--now", NOW.isoformat(), "--no-config"]
    for arguments, code, remark in [
        (["scan", clean, *at], 0, "nothing found"),
        (["scan", usable, *at], 1, "a token that can be used"),
        (["scan", tmp_path / "missing", *at], 2, "a named file is not there"),
        (["scan", "--no-such-option"], 2, "usage"),
        (["check", tmp_path / "empty", *at], 3, "nothing to check"),
        (["--help"], 0, "help"),
    ]:
        assert run(command, *arguments).returncode == code, remark
        assert run(sys.executable, "-m", "tokenvet", *arguments).returncode == code, remark


def test_usage_names_the_command(command: str) -> None:
    assert "Usage: tokenvet" in run(sys.executable, "-m", "tokenvet", "scan", "--help").stdout


def test_standard_input_and_paths_of_any_bytes(tmp_path: Path, command: str) -> None:
    found = run(command, "scan", "-", "--format", "json", input=f"Bearer {token()}", stdin=None)
    assert json.loads(found.stdout)["findings"][0]["path"] == "<stdin>"
    name = os.fsencode(tmp_path) + b"/\xff.log"
    try:
        with open(name, "w") as log:
            log.write("nothing\n")
    except OSError:
        pytest.skip("the file system takes only names in UTF-8")
    assert run(command, "scan", name, "--no-config").returncode == 0


def test_a_reader_that_goes_away_is_no_error(command: str) -> None:
    script = f'set -o pipefail; "{command}" rules | head -n 1 >/dev/null; echo "${{PIPESTATUS[0]}}"'
    ended = run("bash", "-c", script)
    assert (ended.stdout, ended.stderr) == ("0\n", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_as_they_end_the_program(number: signal.Signals, command: str) -> None:
    waiting = subprocess.Popen(
        [command, "scan", "-", "--no-config"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert waiting.stdin
    waiting.stdin.write(b"x\n")
    waiting.stdin.flush()
    until_it_reads(waiting.pid)
    waiting.send_signal(number)
    out, err = waiting.communicate(timeout=60)
    assert (waiting.returncode, err) == (-number, b""), "neither a traceback nor an exit code of Python's"


def test_following_ends_with_the_summary(tmp_path: Path, command: str) -> None:
    log = tmp_path / "x.log"
    log.write_text(f"Bearer {token()}\n")
    arguments = ["scan", "--follow", "--no-config", "--format", "jsonl", "--now", NOW.isoformat(), log]
    follower = subprocess.Popen([command, *arguments], stdout=subprocess.PIPE, text=True)
    assert follower.stdout
    assert json.loads(follower.stdout.readline())["type"] in ("finding", "document")
    follower.send_signal(signal.SIGINT)
    out, _ = follower.communicate(timeout=60)
    assert follower.returncode == 1 and json.loads(out.splitlines()[-1])["type"] == "run"


def until_it_reads(pid: int) -> None:
    """Waits until the process is past Python's start and blocked on its standard input."""
    for _ in range(400):
        position = Path(f"/proc/{pid}/fdinfo/0")
        queue = subprocess.run(["cat", f"/proc/{pid}/wchan"], capture_output=True, text=True).stdout
        if position.exists() and "pipe" in queue:
            return
        time.sleep(0.05)
