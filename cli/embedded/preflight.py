"""Checks before the start: a data directory and ports enter; the locked directory, or what to do about it, leaves."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cli.embedded.postgres import check_version
from cli.embedded.process import end_recorded
from core.clock import Clock
from core.errors import Misconfigured

DISK_FREE_BYTES_MIN: Final = 500 * 1024 * 1024
LOCK_NAME: Final = "anhu.lock"


@contextmanager
def preflight(data_dir: Path, *, clock: Clock, ports: Mapping[str, int], host: str = "127.0.0.1") -> Iterator[None]:
    """Check everything that a start needs, and hold the directory for the time of the `with` block.

    ports: variable that sets it -> port; 0 is any free one. host: where they will be listened on.

    Raises Misconfigured with a sentence that says what to do.
    """
    check_directory(data_dir)
    with hold_directory(data_dir):
        check_disk(data_dir)
        check_version(data_dir / "postgres" / "data")
        # What a killed supervisor left running holds our ports. The database is left to EmbeddedPostgres.
        for pid_file in sorted([*data_dir.glob("run/*.pid"), *data_dir.glob("broker/*.pid")]):
            end_recorded(pid_file, clock)
        check_ports(ports, host)
        yield


def check_directory(data_dir: Path) -> None:
    """Make the data directory, private to its user, or say why it cannot be used. Raises Misconfigured."""
    choose = "Choose another with --data-dir DIR."
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise Misconfigured(f"{data_dir} cannot be the data directory: a file is in the way. {choose}") from None
    except OSError as error:
        raise Misconfigured(f"the data directory {data_dir} cannot be made: {error.strerror}. {choose}") from error
    probe = data_dir / ".writable"
    try:
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno == errno.ENOSPC:
            raise Misconfigured(_disk_message(data_dir, 0)) from error
        raise Misconfigured(
            f"the data directory {data_dir} cannot be written to: {reason}. "
            f"Give it to this user (chown -R {os.geteuid()} {data_dir}), or choose another with --data-dir DIR."
        ) from error


@contextmanager
def hold_directory(data_dir: Path) -> Iterator[None]:
    """Hold the directory for one instance; the lock ends with the process, however that ends. Raises Misconfigured."""
    with (data_dir / LOCK_NAME).open("a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise Misconfigured(
                f"another anhu (process {holder}) already runs on {data_dir}. "
                f"Stop it (kill {holder}), or choose another directory with --data-dir DIR."
            ) from None
        lock.seek(0)
        lock.truncate()
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                lock.seek(0)
                lock.truncate()
                lock.flush()


def check_disk(data_dir: Path, *, free_bytes_min: int = DISK_FREE_BYTES_MIN) -> None:
    """Refuse to start on a nearly full disk: a database that cannot write stops everything. Raises Misconfigured."""
    free = shutil.disk_usage(data_dir).free
    if free < free_bytes_min:
        raise Misconfigured(_disk_message(data_dir, free, free_bytes_min))


def check_ports(ports: Mapping[str, int], host: str = "127.0.0.1") -> None:
    """Refuse ports that are taken, that two parts share, or that this user may not open. Raises Misconfigured."""
    seen: dict[int, str] = {}
    for variable, port in ports.items():
        if port == 0:
            continue
        if port in seen:
            raise Misconfigured(f"{seen[port]} and {variable} are both {port}. Set one of them to another port.")
        seen[port] = variable
        _check_port(variable, port, host)


def _check_port(variable: str, port: int, host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the servers do: connections that are just closing do not count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except PermissionError:
            raise Misconfigured(
                f"this user may not open port {port}. Set {variable} to a port of 1024 or more, e.g. {variable}=18080."
            ) from None
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                other = port + 10_000 if port < 50_000 else port - 10_000
                raise Misconfigured(
                    f"port {port} is taken by another program. Stop that program, or set another port: "
                    f"{variable}={other}"
                ) from None
            raise Misconfigured(f"cannot listen on {host}:{port} ({variable}): {error.strerror}") from error


def _disk_message(data_dir: Path, free: int, free_bytes_min: int = DISK_FREE_BYTES_MIN) -> str:
    return (
        f"the disk of {data_dir} is nearly full: {free // 2**20} MB free, {free_bytes_min // 2**20} MB are needed. "
        "Free some space, or choose a directory on another disk with --data-dir DIR."
    )
