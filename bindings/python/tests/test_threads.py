"""Other Python threads run while texts are searched or judged."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import tokenvet
from conftest import NOW, token


@pytest.fixture
def no_switching() -> Iterator[None]:
    """A thread runs until it gives the interpreter's lock away of its own accord."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(3600)
    yield
    sys.setswitchinterval(before)


def steps_of_another_thread_during(work: Callable[[], Any]) -> int:
    go, done = threading.Lock(), []
    go.acquire()

    def count() -> None:
        with go:
            for step in range(1000):
                done.append(step)

    thread = threading.Thread(target=count)
    thread.start()
    go.release()
    work()
    steps = len(done)
    thread.join()
    return steps


LOG = f"2026-01-01 a line without a token\nGET /x?authz={token()}\n" * 20_000


@pytest.mark.parametrize(
    ("work", "remark"),
    [
        (lambda: tokenvet.scan_batch([LOG]), "one long text"),
        (lambda: tokenvet.scan_batch(LOG.splitlines()), "many short ones"),
        (lambda: tokenvet.check({f"{n}.jwt": token(str(n)) for n in range(300)}), "judging"),
    ],
)
def test_another_thread_makes_progress(no_switching: None, work: Callable[[], Any], remark: str) -> None:
    assert steps_of_another_thread_during(work) > 0, remark


def test_a_call_that_keeps_the_lock_would_be_noticed(no_switching: None) -> None:
    assert steps_of_another_thread_during(lambda: sorted(range(2_000_000), key=str)) == 0


def test_threads_do_not_mix_their_findings() -> None:
    def scan(name: int) -> list[tokenvet.Finding]:
        return tokenvet.scan_batch([token(str(name))] * 50, names=[str(name)] * 50, now=NOW)

    with ThreadPoolExecutor(8) as pool:
        for name, found in enumerate(pool.map(scan, range(40))):
            assert found == scan(name) and {one.path for one in found} == {str(name)}
