"""What test_spark.py submits: contrib/spark/tokenvet_scan.py, one of whose tasks kills the executor that it runs on."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from pyspark import cloudpickle

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "contrib" / "spark"))

import tokenvet_scan as job  # noqa: E402

#: The first task that makes this file kills its executor.
MARKER = os.environ["TOKENVET_TEST_MARKER"]
scan_rows = job.scan_rows


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def kill_executor_once() -> None:
    try:
        marker = os.open(MARKER, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        return
    # Above this worker is the daemon that forked it, and above that the executor.
    executor = parent(os.getppid())
    while executor > 1 and b"CoarseGrainedExecutorBackend" not in Path(f"/proc/{executor}/cmdline").read_bytes():
        executor = parent(executor)
    assert executor > 1, "the task runs below no executor"
    os.write(marker, str(executor).encode())
    os.kill(executor, signal.SIGKILL)
    time.sleep(60)


def dying(scan: job.tokenvet.DistributedScan, batches: job.Batches) -> job.Batches:
    for part in scan_rows(scan, batches):
        # The work is done, and its result was not handed over.
        kill_executor_once()
        yield part


job.scan_rows = dying
cloudpickle.register_pickle_by_value(job)
sys.exit(job.main())
