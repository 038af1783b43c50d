"""DistributedScan: parts in any order, grouping and number make the report of a single run."""

from __future__ import annotations

import gzip
import pickle
import random
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import NOW, token
from tokenvet import DistributedScan

TEXTS = {
    "a.log": ["nothing", f"authz=Bearer%20{token('1')}", f"Bearer {token('2')}"],
    "b/c.log": [f"Bearer {token('1')[:90]}", token("1")[90:], "end"],
    "d.log": [],
    "é.log": ["é " + token("3", exp=1), "x" * 100_000, token("2")],
    "z.log": [f"{number} {token(str(number))}" for number in range(60)],
}


def parts(scan: DistributedScan) -> list[bytes]:
    return [scan.lines(name, lines) for name, lines in TEXTS.items()]


def report(command: str, folder: Path, *arguments: Any) -> tuple[int, bytes]:
    run = subprocess.run([command, *arguments, "--format", "json"], cwd=folder, stdout=subprocess.PIPE)
    return run.returncode, run.stdout


def single(command: str, folder: Path) -> tuple[int, bytes]:
    for name, lines in TEXTS.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("".join(f"{line}\n" for line in lines))
    return report(command, folder, "scan", ".", "--no-config", "--now", NOW.isoformat())


def test_any_order_grouping_and_repetition_gives_the_bytes_of_one_run(tmp_path: Path, command: str) -> None:
    (tmp_path / "logs").mkdir()
    expected = single(command, tmp_path / "logs")
    scan = DistributedScan(TEXTS, now=NOW)
    whole, dice = scan.merge(parts(scan)), random.Random(7)
    (tmp_path / "whole").write_bytes(whole)
    assert report(command, tmp_path, "merge", "whole") == expected and expected[0] == 1
    for turn in range(20):
        # Another process with the same scan, some tasks of which ran twice.
        other: DistributedScan = pickle.loads(pickle.dumps(scan))
        some = parts(other) + dice.choices(parts(scan), k=turn % 4)
        dice.shuffle(some)
        while len(some) > 1:
            taken = [some.pop() for _ in range(min(len(some), dice.randrange(2, 4)))]
            some.append(other.merge(taken))
            dice.shuffle(some)
        assert some == [whole]
    assert b"CANARY" not in whole


def test_files_may_be_packed(tmp_path: Path, command: str) -> None:
    content = gzip.compress("".join(f"{line}\n" for line in TEXTS["z.log"]).encode())
    logs = tmp_path / "logs"
    logs.mkdir()
    for name, bytes_of in (("z.log.gz", content), ("cut.gz", content[:-20]), ("plain", b"Bearer " + token().encode())):
        (logs / name).write_bytes(bytes_of)
    expected = report(command, logs, "scan", ".", "--no-config", "--now", NOW.isoformat())
    files = sorted(logs.iterdir())
    scan = DistributedScan([file.name for file in files], now=NOW)
    (tmp_path / "part").write_bytes(scan.merge(scan.file(file.name, file.read_bytes()) for file in files))
    assert report(command, tmp_path, "merge", "part") == expected
    assert expected[0] == 2, "one is cut off, and that is said"


def test_what_is_missing_is_told(tmp_path: Path, command: str) -> None:
    scan = DistributedScan(TEXTS, now=NOW)
    (tmp_path / "part").write_bytes(scan.merge(parts(scan)[1:]))
    run = subprocess.run([command, "merge", "part"], cwd=tmp_path, capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (2, "") and "missing" in run.stderr


def test_parts_that_do_not_belong_together_are_refused() -> None:
    scan = DistributedScan(TEXTS, now=NOW)
    good = scan.lines("a.log", TEXTS["a.log"])
    others = DistributedScan(TEXTS, now=datetime.fromisoformat("2026-01-02T00:00:00+00:00"))
    for wrong, remark in [
        (good[:-20], "cut off"),
        (b"", "empty"),
        (b"\xff\xfe", "no text"),
        (good.replace(b'"count":1', b'"count":2'), "changed"),
        (others.lines("a.log", []), "another clock"),
        (DistributedScan(["a.log"], now=NOW).lines("a.log", []), "other texts"),
        (scan.lines("a.log", ["other lines"]), "the text was changed between two tasks"),
    ]:
        with pytest.raises(ValueError) as caught:
            scan.merge([good, wrong])
        assert "CANARY" not in str(caught.value), remark


def test_what_is_wrong_is_refused() -> None:
    scan = DistributedScan(["a"], now=NOW)
    wrong: Any
    for wrong, error in [("one text", TypeError), ([1], TypeError), (1, TypeError)]:
        with pytest.raises(error):
            scan.lines("a", wrong)
    with pytest.raises(ValueError, match="names"):
        scan.lines("b", [])
    with pytest.raises(TypeError):
        DistributedScan("abc")
    with pytest.raises(ValueError, match="zone"):
        DistributedScan(["a"], now=datetime(2026, 1, 1))
    with pytest.raises(ValueError, match="100000"):
        DistributedScan(map(str, range(100_001)))


def test_what_the_lines_raise_is_raised() -> None:
    def lines() -> Iterator[str]:
        yield token()
        raise OSError("the storage is gone")

    with pytest.raises(OSError, match="the storage is gone"):
        DistributedScan(["a"], now=NOW).lines("a", lines())
