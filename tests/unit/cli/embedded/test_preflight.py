"""Preflight: each obstacle is named, with the variable or command that removes it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.embedded.preflight import LOCK_NAME, check_disk, check_ports, hold_directory, preflight
from cli.embedded.process import command_line
from core.clock import SystemClock
from core.errors import Misconfigured
from tests.fixtures.processes import until

CLOCK = SystemClock()


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def run(data_dir: Path, **ports: int) -> None:
    with preflight(data_dir, clock=CLOCK, ports=ports):
        pass


def test_preflight_makes_a_private_directory_and_names_the_holder(tmp_path: Path) -> None:
    data_dir = tmp_path / "new" / "anhu"
    with preflight(data_dir, clock=CLOCK, ports={"ANHU_API_PORT": 0}):
        assert data_dir.stat().st_mode & 0o777 == 0o700
        assert (data_dir / LOCK_NAME).read_text().strip() == str(os.getpid())
    run(data_dir)  # it can be taken again


@pytest.mark.parametrize("variable", ["ANHU_API_PORT", "ANHU_MQTT_PORT"])
def test_preflight_taken_port_names_port_and_variable(tmp_path: Path, taken_port: int, variable: str) -> None:
    with pytest.raises(Misconfigured, match=rf"port {taken_port} is taken.*{variable}=\d+"):
        run(tmp_path, **{variable: taken_port})


def test_check_ports_two_parts_on_one_port_are_refused() -> None:
    with pytest.raises(Misconfigured, match="ANHU_API_PORT and ANHU_MQTT_PORT are both 9999"):
        check_ports({"ANHU_API_PORT": 9999, "ANHU_MQTT_PORT": 9999})


def test_preflight_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(Misconfigured, match=r"a file is in the way.*--data-dir"):
            run(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere; see the next test")
def test_preflight_directory_without_write_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(Misconfigured, match=r"cannot be written to.*chown"):
        run(tmp_path)


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="needs Linux's /proc, where nobody can write")
def test_preflight_directory_on_a_file_system_that_cannot_be_written() -> None:
    with pytest.raises(Misconfigured, match=r"cannot be (made|written to).*--data-dir"):
        run(Path("/proc/anhu"))
    with pytest.raises(Misconfigured, match=r"cannot be written to.*--data-dir"):
        run(Path("/proc"))


def test_check_disk_nearly_full_says_how_much_is_missing(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    check_disk(tmp_path, free_bytes_min=free // 2)
    with pytest.raises(Misconfigured, match=rf"nearly full: \d+ MB free, {free * 2 // 2**20} MB are needed"):
        check_disk(tmp_path, free_bytes_min=free * 2)


def test_preflight_second_instance_names_the_first(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from cli.embedded.preflight import hold_directory\n"
        "with hold_directory(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(Misconfigured, match=rf"another anhu \(process {other.pid}\).*kill {other.pid}"):
            run(tmp_path)
        other.kill()
        other.wait()
        run(tmp_path)  # the lock went with the process, though nobody removed the file


def test_preflight_data_of_a_newer_postgresql(tmp_path: Path) -> None:
    cluster = tmp_path / "postgres" / "data"
    cluster.mkdir(parents=True)
    (cluster / "PG_VERSION").write_text("19\n")
    with pytest.raises(Misconfigured, match=r"made by PostgreSQL 19; this release runs 18.*newer one"):
        run(tmp_path)
    (cluster / "PG_VERSION").write_text("16\n")
    with pytest.raises(Misconfigured, match=r"made by PostgreSQL 16.*pg_upgrade"):
        run(tmp_path)


def test_preflight_failure_lets_go_of_the_directory(tmp_path: Path, taken_port: int) -> None:
    with pytest.raises(Misconfigured):
        run(tmp_path, ANHU_API_PORT=taken_port)
    with hold_directory(tmp_path):
        pass


def test_preflight_ends_what_a_killed_supervisor_left(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)  # anhu-left-behind"])
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        # A process that was just started shows an empty command line for a moment.
        until(lambda: "anhu-left-behind" in command_line(left.pid), "the command line of the child")
        (tmp_path / "run" / "api.pid").write_text(f"{left.pid}\nanhu-left-behind\n")
        (tmp_path / "run" / "jobs.pid").write_text(f"{bystander.pid}\nanhu-left-behind\n")
        run(tmp_path)
        assert left.wait(5) != 0
        assert bystander.poll() is None, "a process that merely has the number is left alone"
        assert not list(tmp_path.glob("run/*.pid"))
    finally:
        for process in (left, bystander):
            process.kill()
            process.wait()
