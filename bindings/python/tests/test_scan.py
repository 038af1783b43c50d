"""scan_batch: what it finds, what it takes, and what it refuses."""

from __future__ import annotations

import json
import pickle
import subprocess
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import tokenvet
from conftest import NOW, SIGNATURE, token


def leaks(texts: Any, **more: Any) -> list[tokenvet.Finding]:
    return [found for found in tokenvet.scan_batch(texts, now=NOW, **more) if found.target.kind == "leak"]


def test_a_token_is_found_where_it_stands() -> None:
    (found,) = leaks(["nothing", f"GET /x?authz=Bearer%20{token()} 200"])
    assert (found.index, found.path, found.rule) == (1, "texts[1]", "leaked-token-usable")
    assert (found.region.start_line, found.region.start_column, found.region.byte_offset) == (1, 23, 22)
    assert found.region.byte_length == len(token())
    assert found.severity == "error" and "60 min" in found.message


def test_a_distinct_token_is_reported_once_at_its_first_text() -> None:
    texts = ["x"] * 12
    for index in (11, 2, 10):
        texts[index] = f"Bearer {token()}"
    (found,) = leaks(texts)
    assert found.index == 2, "numbers count, not their digits"
    assert [also.path for also in found.related] == ["texts[10]", "texts[11]"]
    assert "3 times" in found.message


def test_those_that_matter_most_come_first() -> None:
    expired = token("old", exp=int(NOW.timestamp()) - 1)
    found = leaks([f"Bearer {expired}", f"Bearer {token('new')}"])
    assert [one.index for one in found] == [1, 0]


@pytest.mark.parametrize(
    ("text", "column", "remark"),
    [
        (f"é {token()}", 3, "columns count code points"),
        (f"\udcff {token()}", 3, "a byte that was no UTF-8, as surrogateescape reads it"),
        (f"\ud800 {token()}", 3, "half a pair of surrogates"),
        (b"\xff " + token().encode(), 3, "bytes that are no UTF-8"),
        (b"\x00\x00 " + token().encode(), 4, "NUL bytes"),
        (f"\x1b[2J {token()}", 6, "what a terminal obeys"),
    ],
)
def test_any_text_is_searched(text: str | bytes, column: int, remark: str) -> None:
    (found,) = leaks([text])
    assert found.region.start_column == column, remark


def test_rows_without_a_text_keep_their_numbers() -> None:
    (found,) = leaks([None, "", b"", token()])
    assert found.index == 3
    assert leaks([]) == []


def test_the_texts_may_come_from_anything_that_can_be_iterated(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(b"\xff\n" * 3 + token().encode() + b"\n")
    with log.open(errors="surrogateescape") as lines:
        (found,) = leaks(lines)
    assert found.index == 3
    (found,) = leaks((line for line in ["x", token()]), names=iter(["a", "b"]))
    assert found.path == "b"


@pytest.mark.parametrize(
    ("texts", "more", "error", "remark"),
    [
        ("a text", {}, TypeError, "one text is no list of texts"),
        (b"a text", {}, TypeError, "nor are bytes"),
        ([1], {}, TypeError, "a number is no text"),
        ([["x"]], {}, TypeError, "nor is a list"),
        (["x"], {"names": []}, ValueError, "as many names as texts"),
        (["x"], {"names": "x"}, TypeError, "one name is no list of names"),
        (["x"], {"now": datetime(2026, 1, 1)}, ValueError, "a time without zone is no moment"),
        (["x"], {"fingerprint_key": b"short"}, ValueError, "anybody could guess it"),
    ],
)
def test_what_is_wrong_is_refused(texts: Any, more: dict[str, Any], error: type[Exception], remark: str) -> None:
    with pytest.raises(error):
        tokenvet.scan_batch(texts, **more)


def test_a_key_makes_fingerprints_that_only_its_holders_can_confirm() -> None:
    (plain,), (keyed,) = leaks([token()]), leaks([token()], fingerprint_key=b"0123456789abcdef")
    (again,) = leaks(["elsewhere", token()], fingerprint_key=b"0123456789abcdef")
    assert keyed.target.name == again.target.name != plain.target.name


def test_the_clock_decides_whether_a_token_can_be_used() -> None:
    later = datetime(2026, 1, 2, tzinfo=timezone.utc)
    (found,) = [one for one in tokenvet.scan_batch([token()], now=later) if one.target.kind == "leak"]
    assert found.rule != "leaked-token-usable"


def test_the_command_finds_the_same(tmp_path: Path, command: str) -> None:
    texts = {f"{name}.log": f"line\nBearer {token(name)}\nauthz={token('everywhere')}\n" for name in "abc"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    run = subprocess.run(
        [command, "scan", ".", "--no-config", "--format", "jsonl", "--now", NOW.isoformat()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    expected = [line for line in lines if line.pop("type") == "finding"]
    for line in expected:
        assert line["suppressed"] is None
        line["requirements"] = tuple(line["requirements"])
        line["related"] = tuple(line["related"])
        line["target"].setdefault("workflow", None)
    found = [one.to_dict() for one in tokenvet.scan_batch(texts.values(), names=texts, now=NOW)]
    for one in found:
        del one["index"]
    assert found == expected and len(found) == 4


def test_findings_are_values() -> None:
    found = tokenvet.scan_batch([token(), token("t-2")], now=NOW)
    assert pickle.loads(pickle.dumps(found)) == found
    assert len(set(found)) == len(found)
    with pytest.raises(AttributeError):
        found[0].message = "changed"  # type: ignore[misc]
    json.dumps([one.to_dict() for one in found])


def test_nothing_of_a_finding_makes_a_token_usable() -> None:
    texts = [f"Bearer {token()}", f"x {token('t-2')[:-40]}...", token(client_secret=SIGNATURE)]
    found = tokenvet.scan_batch(texts, names=[f"{SIGNATURE}/{token()}"] * 3, now=NOW)
    assert found
    for one in found:
        # Names of files are the caller's own; everything else is the module's.
        shown = {**one.to_dict(), "path": "", "related": [{**vars(also), "path": ""} for also in one.related]}
        assert "CANARY" not in repr(shown)


def test_what_is_printed_obeys_no_text() -> None:
    hostile = "\x1b]0;x\x07\u202e\n::error::x"
    (found,) = leaks([token()], names=[hostile])
    assert found.path == hostile, "the object holds what was given"
    assert str(found).isprintable() and repr(found).isprintable()
