"""Scans on a Spark cluster: a master and two workers on loopback, one of whose executors is killed while it works."""

from __future__ import annotations

import gzip
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import NOW, token

pyspark = pytest.importorskip("pyspark", reason="pyspark is not installed")
arrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is built without parquet")
pytest.importorskip("pandas", reason="pandas, which pyspark needs, is not installed")
pytestmark = pytest.mark.skipif(shutil.which("java") is None, reason="there is no Java")

HOME = Path(pyspark.__file__).parent
HERE = Path(__file__).parent
#: Seconds; a busy machine takes its time.
PATIENCE = 600


def environment(folder: Path) -> dict[str, str]:
    known = {name: os.environ[name] for name in ("PATH", "HOME", "JAVA_HOME", "LANG") if name in os.environ}
    return {
        **known,
        "SPARK_HOME": str(HOME),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_DIRS": str(folder / "local"),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
    }


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a master with two workers of one core each."""
    folder = tmp_path_factory.mktemp("spark")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    address = f"spark://127.0.0.1:{port}"
    common = ["--host", "127.0.0.1", "--webui-port", "0"]
    worker = [*common, "--cores", "1", "--memory", "1g"]
    roles = {
        "master": ["org.apache.spark.deploy.master.Master", *common, "--port", port],
        "worker1": ["org.apache.spark.deploy.worker.Worker", *worker, "--work-dir", str(folder / "1"), address],
        "worker2": ["org.apache.spark.deploy.worker.Worker", *worker, "--work-dir", str(folder / "2"), address],
    }
    processes, log = [], folder / "master.log"
    try:
        for role, arguments in roles.items():
            with (folder / f"{role}.log").open("wb") as out:
                command = [str(HOME / "bin" / "spark-class"), *arguments]
                processes.append(
                    subprocess.Popen(command, stdout=out, stderr=out, env=environment(folder), start_new_session=True)
                )
        end = time.monotonic() + PATIENCE
        while log.read_text().count("Registering worker") < 2:
            if time.monotonic() > end or any(process.poll() is not None for process in processes):
                pytest.skip(f"the cluster does not start here: {log.read_text()[-500:]}")
            time.sleep(0.2)
        yield address
    finally:
        for process in reversed(processes):
            process.terminate()
        for process in processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Logs with tokens that stand in several of them, and one that is wrapped over lines."""
    folder = tmp_path_factory.mktemp("logs")
    dice = random.Random(7)
    expired = int(NOW.timestamp()) - 1
    for name in ("a", "b", "c", "d", "e", "f", "g"):
        lines = []
        for number in range(300):
            shown = token(str(dice.randrange(40)), **({"exp": expired} if dice.randrange(3) else {}))
            lines.append(
                dice.choice([f"{number} nothing é", f"GET /x?authz=Bearer%20{shown} 200", f"Bearer {shown[:-60]}..."])
            )
        wrapped = token(f"wrapped-{name}")
        lines[200:202] = [f"Bearer {wrapped[:70]}", wrapped[70:]]
        (folder / f"{name}.log").write_text("\n".join(lines) + "\n")
    return folder


def single(command: str, folder: Path) -> bytes:
    arguments = [command, "scan", ".", "--no-config", "--now", NOW.isoformat(), "--format", "json"]
    run = subprocess.run(arguments, cwd=folder, stdout=subprocess.PIPE)
    assert run.returncode == 1
    return run.stdout


def merge(command: str, part: Path) -> bytes:
    run = subprocess.run([command, "merge", part, "--format", "json"], stdout=subprocess.PIPE)
    assert run.returncode == 1
    return run.stdout


def submit(cluster: str, script: Path, folder: Path, *arguments: Any, **more: str) -> str:
    options = ["--master", cluster, "--conf", "spark.ui.enabled=false", "--conf", "spark.sql.shuffle.partitions=5"]
    command = [HOME / "bin" / "spark-submit", *options, script, *arguments, "--now", NOW.isoformat()]
    run = subprocess.run(
        list(map(str, command)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**environment(folder), **more},
        timeout=PATIENCE,
    )
    assert run.returncode == 0, run.stdout[-4000:]
    return run.stdout


def test_a_killed_executor_changes_nothing(cluster: str, logs: Path, tmp_path: Path, command: str) -> None:
    rows = [
        {"file": log.name, "number": number, "message": line}
        for log in logs.glob("*.log")
        for number, line in enumerate(log.read_text().splitlines())
    ]
    random.Random(1).shuffle(rows)
    for number in range(4):
        table = arrow.Table.from_pylist(rows[number::4])
        parquet.write_table(table, tmp_path / f"{number}.parquet")
    marker, part = tmp_path / "killed", tmp_path / "logs.part"
    columns = ["--name", "file", "--order", "number", "--text", "message"]
    arguments = ["--parquet", tmp_path / "*.parquet", *columns, "--part", part]
    told = submit(cluster, HERE / "spark_driver.py", tmp_path, *arguments, TOKENVET_TEST_MARKER=str(marker))
    assert marker.read_text().isdecimal() and "Lost executor" in told, "an executor was killed"
    assert "CANARY" not in told and b"CANARY" not in part.read_bytes()
    assert merge(command, part) == single(command, logs)


def test_files_are_read_as_the_command_reads_them(cluster: str, logs: Path, tmp_path: Path, command: str) -> None:
    packed = tmp_path / "packed"
    packed.mkdir()
    for name in ("a", "b"):
        (packed / f"{name}.log.gz").write_bytes(gzip.compress((logs / f"{name}.log").read_bytes()))
    shutil.copy(logs / "c.log", packed)
    shutil.make_archive(str(packed / "rest"), "gztar", logs, "d.log")
    part = tmp_path / "files.part"
    script = HERE.parents[2] / "contrib" / "spark" / "tokenvet_scan.py"
    submit(cluster, script, tmp_path, "--files", packed, "--base", f"file:{packed}/", "--part", part)
    assert merge(command, part) == single(command, packed)
