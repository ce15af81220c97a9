"""The embedded PostgreSQL: started, stopped, killed and found again with everything that it had acknowledged."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from cli.embedded.postgres import SOCKET_PATH_BYTES_MAX, EmbeddedPostgres
from cli.embedded.process import command_line
from core.clock import SystemClock
from db.migrate import migrate

CLOCK = SystemClock()


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("embedded")


@pytest.fixture
def server(data_dir: Path) -> Iterator[EmbeddedPostgres]:
    """A running server; the cluster is the same one for every test here."""
    started = EmbeddedPostgres(data_dir, CLOCK)
    started.start()
    yield started
    started.stop()


def value(url: str, query: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def test_start_gives_a_durable_private_server(server: EmbeddedPostgres, data_dir: Path) -> None:
    for name, expected in {
        "listen_addresses": "",
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "data_checksums": "on",
        "shared_buffers": "256MB",
        "jit": "off",
        "TimeZone": "UTC",
        "max_connections": "100",
    }.items():
        assert value(server.url, f"SHOW {name}") == expected, name
    assert value(server.url, "SELECT current_user") == "postgres"
    assert (data_dir / "postgres" / "data").stat().st_mode & 0o777 == 0o700
    assert server.socket_dir.stat().st_mode & 0o777 == 0o700
    assert value(server.url, "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method <> 'peer'") == 0
    assert value(server.url, "SELECT count(*) FROM pg_hba_file_rules WHERE type <> 'local'") == 0


def test_server_leads_its_own_session_and_never_runs_as_root(server: EmbeddedPostgres) -> None:
    assert server.pid is not None
    assert os.getsid(server.pid) == server.pid
    assert Path(f"/proc/{server.pid}").stat().st_uid != 0


def test_role_url_can_become_its_role_and_no_other(server: EmbeddedPostgres) -> None:
    migrate(server.url)
    server.ensure_logins()
    server.ensure_logins()
    with psycopg.connect(server.role_url("ingest"), autocommit=True) as connection:
        connection.execute("SET ROLE anhu_ingest")
        for forbidden in ("postgres", "anhu_admin", "anhu_api"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"SET ROLE {forbidden}")
        connection.execute("RESET ROLE")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM public.residents")


def test_stop_is_fast_with_a_session_in_the_middle_of_a_query(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.url) as connection:
        connection.execute("SELECT 1")
        began = CLOCK.monotonic()
        server.stop(5.0)
        assert CLOCK.monotonic() - began < 5.0
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    assert server.pid is None
    server.stop()  # again does nothing


WRITER = """
import os, signal, sys
from pathlib import Path
import psycopg
from cli.embedded.postgres import EmbeddedPostgres
from core.clock import SystemClock
server = EmbeddedPostgres(Path(sys.argv[1]), SystemClock())
server.start()
with psycopg.connect(server.url, autocommit=True) as connection:
    connection.execute("CREATE TABLE IF NOT EXISTS kept (n integer)")
    for n in range(50):
        connection.execute("INSERT INTO kept VALUES (%s)", (n,))
    print(server.pid, flush=True)
    if sys.argv[2] == "everything":
        os.kill(server.pid, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("killed", ["everything", "supervisor"])
def test_start_after_kill_has_every_committed_row(tmp_path: Path, killed: str) -> None:
    done = subprocess.run([sys.executable, "-c", WRITER, str(tmp_path), killed], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert (tmp_path / "postgres" / "data" / "postmaster.pid").exists()
    server = EmbeddedPostgres(tmp_path, CLOCK)
    server.start()
    try:
        assert server.pid != int(done.stdout.split()[-1])
        assert "postgres" not in command_line(int(done.stdout.split()[-1])), "the server left behind was ended"
        assert value(server.url, "SELECT count(*) FROM kept") == 50
    finally:
        server.stop()


def test_start_with_a_lock_file_whose_number_went_to_another_program(server: EmbeddedPostgres, data_dir: Path) -> None:
    server.stop()
    lock = data_dir / "postgres" / "data" / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n{lock.parent}\n1764000000\n5432\n{server.socket_dir}\n\n\nready\n")
    server.start()
    assert value(server.url, "SELECT 1") == 1


def test_start_after_a_half_made_cluster_makes_it_anew(tmp_path: Path) -> None:
    unfinished = tmp_path / "postgres" / "data.new"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    server = EmbeddedPostgres(tmp_path, CLOCK)
    server.start()
    try:
        assert value(server.url, "SELECT 1") == 1
        assert not unfinished.exists()
    finally:
        server.stop()


def test_socket_of_a_long_path_moves_to_a_short_private_directory(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / ("long" * 30), CLOCK)
    server.start()
    try:
        assert len(os.fsencode(server.socket_dir)) < SOCKET_PATH_BYTES_MAX - 15
        assert server.socket_dir.stat().st_mode & 0o777 == 0o700
        assert value(server.url, "SELECT 1") == 1
    finally:
        server.stop()
        server.socket_dir.rmdir()
