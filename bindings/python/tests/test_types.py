"""The types are those of the module, and examples pass a strict checker."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

pytest.importorskip("mypy", reason="mypy is not installed")


def mypy(module: str, *arguments: object) -> None:
    # Its cache would land in the project.
    environment = {**os.environ, "MYPY_CACHE_DIR": os.devnull}
    command = [sys.executable, "-m", module, *map(str, arguments)]
    run = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_stubs_are_those_of_the_module() -> None:
    mypy("mypy.stubtest", "tokenvet._native")


def test_the_package_is_typed() -> None:
    assert resources.files("tokenvet").joinpath("py.typed").is_file()
    mypy("mypy", "--strict", "-p", "tokenvet")


def test_users_see_the_types(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text("import tokenvet\nx: int = tokenvet.scan_batch(['a'])[0].message\n")
    with pytest.raises(AssertionError, match="Incompatible types"):
        mypy("mypy", "--strict", wrong)
    right = tmp_path / "right.py"
    right.write_text("import tokenvet\nx: str = tokenvet.scan_batch([b'a', None, 'b'])[0].message\n")
    mypy("mypy", "--strict", right)
