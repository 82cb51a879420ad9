"""Children live as long as their supervisor wants, and never longer than it does."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.kt.processes import Running, lives, running, until


@contextmanager
def supervising(folder: Path, *modes: str) -> Iterator[Running]:
    command = (sys.executable, "-m", "tests.kt.supervised", "supervise", str(folder), *modes)
    with running(*command, cwd=folder) as supervisor:
        yield supervisor


def pids(folder: Path, *modes: str) -> list[int]:
    return [int(pid) for mode in modes for pid in (folder / mode).read_text().split()]


def gone(processes: list[int]) -> bool:
    return not any(lives(pid) for pid in processes)


def test_sigterm_stops_every_child_and_what_it_started(tmp_path: Path) -> None:
    with supervising(tmp_path, "steady", "family", "stubborn") as supervisor:
        supervisor.until_says("ready")
        started = pids(tmp_path, "steady", "family", "stubborn")
        assert len(started) == 4
        assert supervisor.stop(signal.SIGTERM) == 0
    assert gone(started)


def test_sigint_stops_it_too(tmp_path: Path) -> None:
    with supervising(tmp_path, "steady") as supervisor:
        supervisor.until_says("ready")
        assert supervisor.stop(signal.SIGINT) == 0
        assert "stopping " in supervisor.text()
    assert gone(pids(tmp_path, "steady"))


def test_children_die_with_a_killed_supervisor(tmp_path: Path) -> None:
    with supervising(tmp_path, "steady", "family", "stubborn") as supervisor:
        supervisor.until_says("ready")
        started = pids(tmp_path, "steady", "stubborn")
        assert supervisor.stop(signal.SIGKILL) == -signal.SIGKILL
        until(lambda: gone(started), "the children of a killed supervisor end")
    os.kill(pids(tmp_path, "family")[1], signal.SIGKILL)


def test_a_killed_child_is_started_again(tmp_path: Path) -> None:
    with supervising(tmp_path, "steady") as supervisor:
        supervisor.until_says("ready")
        (first,) = pids(tmp_path, "steady")
        os.kill(first, signal.SIGKILL)
        until(lambda: len(pids(tmp_path, "steady")) == 2, "a second child")
        second = pids(tmp_path, "steady")[1]
        assert lives(second)
        supervisor.until_says("steady was ended by SIGKILL; starting it again")


def test_what_a_killed_child_started_does_not_meet_its_successor(tmp_path: Path) -> None:
    with supervising(tmp_path, "family") as supervisor:
        supervisor.until_says("ready")
        first, grandchild = pids(tmp_path, "family")
        os.kill(first, signal.SIGKILL)
        until(lambda: len(pids(tmp_path, "family")) == 4, "a second child")
        assert not lives(grandchild)


def test_a_child_that_crashes_again_and_again_ends_everything(tmp_path: Path) -> None:
    (tmp_path / "crashing").touch()
    with supervising(tmp_path, "steady", "crashing") as supervisor:
        supervisor.until_says("failed: ")
        assert supervisor.process.wait(timeout=30) == 1
    assert "crashing" in supervisor.text()
    assert gone(pids(tmp_path, "steady"))


def test_a_child_that_ends_while_starting_is_no_success(tmp_path: Path) -> None:
    with supervising(tmp_path, "steady", "failing") as supervisor:
        supervisor.until_says("failed: ")
        assert supervisor.process.wait(timeout=30) == 1
    assert "failed: failing ended with exit code 3 while starting (see " in supervisor.text()


def test_output_of_a_child_is_in_its_log(tmp_path: Path) -> None:
    (tmp_path / "steady").mkdir()  # the child cannot write its process id there
    with supervising(tmp_path, "steady") as supervisor:
        supervisor.until_says("failed: steady ended with exit code 1")
    assert "IsADirectoryError" in (tmp_path / "logs" / "steady.log").read_text()
    assert f"starting (see {tmp_path}/logs/steady.log): IsADirectoryError: " in supervisor.text()
