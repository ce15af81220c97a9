"""A bench that is ended on its way leaves nothing behind: no database, no role, no browser, no files."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.database import private_directory
from tests.fixtures.processes import until

ROOT = Path(__file__).parents[2]


def _alive(directory: Path) -> list[str]:
    """The command lines of all processes that live in this directory, by their environment or their arguments."""
    mark = f"HOME={directory}\0".encode()
    found = []
    for one in Path("/proc").iterdir():
        try:
            if not one.name.isdigit():
                continue
            line = (one / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if str(directory) in line or mark in (one / "environ").read_bytes() + b"\0":
                found.append(line)
        except OSError:
            continue  # it ended while we looked, or is not ours to look at
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_bench_that_is_ended_leaves_nothing_behind(number: signal.Signals) -> None:
    if shutil.which("chromium") is None:
        pytest.skip("chromium is not installed")
    command = [sys.executable, "-m", "cli", "bench", "console", "--residents", "10", "--minutes", "5"]
    with private_directory() as directory:
        log = directory / "out"
        with log.open("wb") as out:
            given = {**os.environ, "HOME": str(directory), "TMPDIR": str(directory), "PYTHONPATH": str(ROOT)}
            bench = subprocess.Popen(command, cwd=ROOT, env=given, stdout=out, stderr=out)
        try:
            until(lambda: bench.poll() is not None or _runs(directory, "chromium"), "the browser", 180)
            assert _runs(directory, "postgres"), log.read_text()
            assert _runs(directory, "cli run console"), log.read_text()
            bench.send_signal(number)
            assert bench.wait(40) == 128 + number, log.read_text()
            until(lambda: not _alive(directory), "the end of all that it started", 10)
            assert [one.name for one in directory.iterdir() if one.name.startswith("anhu-bench")] == []
        finally:
            bench.kill()


def _runs(directory: Path, word: str) -> bool:
    return any(word in one for one in _alive(directory))
