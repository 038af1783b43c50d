"""The examples of docs/python.md run as they stand there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import NOW, token


def blocks(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def test_examples_run(
    pytestconfig: pytest.Config,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    project = pytestconfig.rootpath.parents[1]
    examples = blocks(project / "docs" / "python.md")
    assert len(examples) >= 6
    shutil.copytree(project / "testdata" / "demo" / "iam", tmp_path / "iam")
    monkeypatch.chdir(tmp_path)
    lines = ["nothing", f"GET /x?authz={token()}", f"Bearer {token('old', exp=1)}"]
    names: dict[str, Any] = {"lines": lines, "names": ["a", "b", "c"], "hosts": ["h1", "h2", "h3"], "now": NOW}
    ran = set()
    for number, example in enumerate(examples):
        try:
            exec(compile(example, f"example {number}", "exec"), names)
            ran.add(number)
        except ModuleNotFoundError as missing:
            if missing.name not in ("pandas", "polars"):
                raise
            print(f"example {number} is not run: {missing.name} is not installed")
    shown = capfd.readouterr().out
    assert "CANARY" not in shown
    assert "b:1:14: error: " in shown and "clients.json 1 14 " in shown and "judgements are open" in shown
    if 1 in ran:
        assert "leaked-token-usable" in shown and re.search(r"^1 +h2$", shown, re.MULTILINE)


def test_a_scan_can_be_shared_out(pytestconfig: pytest.Config) -> None:
    (example,) = blocks(pytestconfig.rootpath.parents[1] / "docs" / "distributed.md")
    names: dict[str, Any] = {"texts": {"a": ["x"], "b": [token()]}, "now": NOW}
    exec(compile(example, "example", "exec"), names)
    assert names["whole"] == names["scan"].merge(reversed(names["parts"]))
