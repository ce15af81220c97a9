"""A directory enters; a real PostgreSQL, a real broker with accounts, registered devices and `anhu run ingest` leave.

Everything that a bench measures on, started and stopped here; nothing of it is a stand-in.
"""

from __future__ import annotations

import os
import platform
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import psycopg
from psycopg import conninfo

from bench.publisher import Target
from cli.embedded.broker import Broker, MosquittoBroker, RumqttdBroker, find_mosquitto
from cli.embedded.postgres import EmbeddedPostgres
from core.clock import Clock
from core.errors import Misconfigured
from core.ids import new_id
from db.migrate import migrate
from db.pool import connect
from devices.accounts.rights import BrokerUser

INGEST_USER = "anhu-ingest"
LOAD_USER = "anhu-load"


def end_on_signals() -> None:
    """SIGTERM and Ctrl-C end a bench as an error would: what it started is stopped on the way out, in peace."""

    def end(number: int, _frame: FrameType | None) -> None:
        for one in (signal.SIGTERM, signal.SIGINT):
            signal.signal(one, signal.SIG_IGN)
        raise SystemExit(128 + number)

    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, end)


class Rig:
    """The parts of one bench, as a context manager; what it made in temporary places is removed at the end."""

    def __init__(
        self,
        clock: Clock,
        *,
        broker: str,
        database_url: str | None,
        data_dir: Path | None,
        mosquitto: type[MosquittoBroker] = MosquittoBroker,
    ) -> None:
        self.clock = clock
        self.notes: list[str] = []
        self.site = f"bench-{secrets.token_hex(4)}"
        self.password = secrets.token_urlsafe(18)
        self._given_url = database_url
        self._mosquitto = mosquitto
        self._temporary = data_dir is None
        self.data_dir = Path(tempfile.mkdtemp(prefix="anhu-bench-")) if data_dir is None else data_dir.resolve()
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.postgres = None if database_url else EmbeddedPostgres(self.data_dir, clock)
        self.broker = self._make_broker(broker)
        self.users: list[BrokerUser] = [BrokerUser(INGEST_USER, self.password, "service")]
        self.roles: list[RoleUnderTest] = []

    def __enter__(self) -> Rig:
        try:
            if self.postgres is not None:
                self.postgres.start()
            migrate(self.database_url)
            self.start_broker()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop everything that was started."""
        for role in self.roles:
            role.stop()
        self.broker.stop()
        if self.postgres is not None:
            self.postgres.stop()
        if self._temporary:
            shutil.rmtree(self.data_dir, ignore_errors=True)

    @property
    def database_url(self) -> str:
        if self._given_url is not None:
            return self._given_url
        assert self.postgres is not None
        return self.postgres.url

    @property
    def mqtt_url(self) -> str:
        return f"mqtt://{INGEST_USER}:{self.password}@127.0.0.1:{self.broker.port}"

    @property
    def load_target(self) -> Target:
        return Target("127.0.0.1", self.broker.port, LOAD_USER, self.password)

    def start_broker(self) -> None:
        """Start it with ingest's account and the load generator's, which may speak for every device."""
        load = BrokerUser(LOAD_USER, self.password, "device", self.site, "x", writes=("anhu/v1/#",))
        self.broker.start([*self.users, load])

    def register(self, devices: int) -> dict[str, int]:
        """Make an institution with devices d000000, d000001, …; their keys by id."""
        now = self.clock.now()
        institution = new_id(self.clock)
        with connect(self.database_url, "admin") as connection, connection.transaction():
            connection.execute(
                "INSERT INTO institutions (id, code, name_zh, name_en, created_at)"
                " VALUES (%s, %s, '测试', 'Bench', %s)",
                (institution, self.site, now),
            )
            connection.execute("INSERT INTO institution_streams (institution_id) VALUES (%s)", (institution,))
            rows = connection.execute(
                "INSERT INTO devices (institution_id, id, kind, credential_salt, password_hash, credential_rotated_at,"
                " supervision_seconds, created_at, updated_at)"
                " SELECT %(institution)s, 'd' || lpad(n::text, 6, '0'), 'wristband', 'salt', 'hash', %(now)s, 900,"
                " %(now)s, %(now)s FROM generate_series(0, %(count)s - 1) AS n RETURNING id, key",
                {"institution": institution, "now": now, "count": devices},
            ).fetchall()
            connection.execute(
                "INSERT INTO device_status (device_key, institution_id)"
                " SELECT key, institution_id FROM devices WHERE institution_id = %s",
                (institution,),
            )
        return {row["id"]: row["key"] for row in rows}

    def role(self, name: str, **environment: str) -> RoleUnderTest:
        """One `anhu run NAME` on this rig, not yet started."""
        given = {"ANHU_DATABASE_URL": self.database_url, "ANHU_MQTT_URL": self.mqtt_url, **environment}
        made = RoleUnderTest(name, given, self.data_dir / f"{name}-{len(self.roles)}.log")
        self.roles.append(made)
        return made

    def _make_broker(self, kind: str) -> Broker:
        if kind == "mosquitto":
            try:
                find_mosquitto()
            except Misconfigured:
                self.notes.append("mosquitto is not installed: measured with the built-in rumqttd instead")
            else:
                return self._mosquitto(self.data_dir, self.clock, port=free_port())
        elif kind != "rumqttd":
            raise Misconfigured(f"there is no broker {kind!r}; choose mosquitto or rumqttd")
        return RumqttdBroker(self.data_dir, self.clock, port=free_port())


@contextmanager
def fresh_database(server_url: str | None, clock: Clock) -> Iterator[str]:
    """An empty database on a server of yours, or on an embedded one; its URL. Removed at the end."""
    if server_url is None:
        with tempfile.TemporaryDirectory(prefix="anhu-bench-") as directory:
            server = EmbeddedPostgres(Path(directory), clock)
            try:
                server.start()
                yield server.url
            finally:
                server.stop()
        return
    name = f"anhu_bench_{secrets.token_hex(4)}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield conninfo.make_conninfo(server_url, dbname=name)
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


class RoleUnderTest:
    """One `anhu run ROLE` as a process that may be killed, stopped and started again."""

    def __init__(self, role: str, environment: dict[str, str], log: Path) -> None:
        self._command = [sys.executable, "-m", "cli", "run", role]
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
        self._environment = {**kept, **environment}
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdout=output, stderr=output, start_new_session=True
            )

    def signal(self, number: int) -> None:
        if self.pid is not None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """kill -9, without a word."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()

    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def machine() -> dict[str, Any]:
    """What a figure must be read beside."""
    model = ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else ""
    return {
        "cores": os.cpu_count(),
        "processor": model,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def rss_mib(pid: int) -> float | None:
    """The resident set of a process, MiB; None where the system does not say."""
    return _memory_mib(pid, "VmRSS:")


def rss_mib_max(pid: int) -> float | None:
    """The highest resident set of a process so far, MiB; None where the system does not say."""
    return _memory_mib(pid, "VmHWM:")


def _memory_mib(pid: int, name: str) -> float | None:
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return None
    for line in status.read_text().splitlines():
        if line.startswith(name):
            return round(int(line.split()[1]) / 1024, 1)
    return None


def cpu_seconds(pid: int | None, *, with_children: bool = False) -> float:
    """User and system time of a process, seconds; of its living children too where wanted. 0 where unknown."""
    if pid is None or not Path("/proc").is_dir():
        return 0.0
    wanted = {pid}
    if with_children:
        wanted |= {int(p.name) for p in Path("/proc").glob("[0-9]*") if _stat(int(p.name))[1:2] == [str(pid)]}
    ticks = sum(int(fields[11]) + int(fields[12]) for one in wanted if len(fields := _stat(one)) > 12)
    return ticks / os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the state on (proc(5))."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return []
