"""Processes of embedded services: a command enters, one running child that Ctrl-C does not reach leaves.

Each child leads a session of its own, so the terminal's signals go to the supervisor alone and services end in the
order that it chooses. A file keeps the child's number: a supervisor that was killed finds what it left behind.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals

from cli.embedded.access import ServiceUser
from core import logging
from core.clock import Clock
from core.errors import Misconfigured

log = logging.get(__name__)

POLL_SECONDS = 0.02
LOG_TAIL_CHARS = 800
LOG_BYTES_MAX = 8 * 1024 * 1024


class ServiceProcess:
    """One child process of an embedded service."""

    def __init__(self, name: str, pid_file: Path, log_file: Path, clock: Clock, *, marker: str) -> None:
        """marker: a text that the command line of this service, and of no other program, contains."""
        self.name = name
        self.log_file = log_file
        self._pid_file = pid_file
        self._clock = clock
        self._marker = marker
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The child's number while it runs."""
        return self._child.pid if self._child is not None and self._child.poll() is None else None

    @property
    def is_running(self) -> bool:
        return self.pid is not None

    @property
    def ended_well(self) -> bool:
        """Whether the child ended by itself, with exit code 0."""
        return self._child is not None and self._child.poll() == 0

    def spawn(
        self,
        command: Sequence[str],
        *,
        user: ServiceUser | None = None,
        tied: bool = False,
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        """Start the child. tied: it reads from a pipe of ours and so notices when we are gone.

        environment: what it gets beside PATH, locale and time zone; nothing else is inherited.
        """
        self.end_leftover()
        with contextlib.suppress(OSError):
            if self.log_file.stat().st_size > LOG_BYTES_MAX:
                self.log_file.replace(self.log_file.with_suffix(".old.log"))
        base = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
        base |= {"LC_ALL": "C", "TZ": "UTC"}
        with self.log_file.open("ab") as output:
            self._child = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE if tied else subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=base | dict(environment or {}),
                cwd=cwd or self.log_file.parent,
                start_new_session=True,
                umask=0o077,
                user=user.uid if user else None,
                group=user.gid if user else None,
                extra_groups=[] if user else None,
            )
        self._pid_file.write_text(f"{self._child.pid}\n{self._marker}\n")

    def signal(self, number: Signals) -> None:
        """Send a signal to the child, if it runs."""
        if self._child is not None and self._child.poll() is None:
            self._child.send_signal(number)

    def stop(self, ladder: Sequence[tuple[Signals, float]]) -> None:
        """Send each signal in turn and wait its seconds, until the child has ended; then SIGKILL. Safe to repeat."""
        child, self._child = self._child, None
        if child is None:
            return
        for number, seconds in ladder:
            if child.poll() is not None:
                break
            child.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(seconds)
        if child.poll() is None:
            log.warning("a service did not stop and is killed", service=self.name, pid=child.pid)
            child.kill()
            child.wait()
        if child.stdin is not None:
            child.stdin.close()
        self._pid_file.unlink(missing_ok=True)

    def end_leftover(self) -> None:
        """End a process that an earlier, killed supervisor left behind. Raises Misconfigured if it will not end."""
        end_recorded(self._pid_file, self._clock)

    def log_tail(self) -> str:
        """The end of what the child wrote, for messages."""
        try:
            return self.log_file.read_text(errors="replace")[-LOG_TAIL_CHARS:].strip()
        except OSError:
            return ""


def end_recorded(pid_file: Path, clock: Clock) -> None:
    """End the process that a file names, if that is still the same program; then remove the file.

    Raises Misconfigured if the process will not end.
    """
    try:
        number, marker = pid_file.read_text().splitlines()[:2]
        pid = int(number)
    except (OSError, ValueError):
        return
    if marker and marker in command_line(pid):
        log.info("ending a service left by an earlier run", service=pid_file.stem, pid=pid)
        end_process(pid, clock, marker)
    pid_file.unlink(missing_ok=True)


def command_line(pid: int) -> str:
    """The command line of a process of this machine; empty when there is none."""
    proc = Path("/proc")
    if (proc / "self").exists():
        try:
            return (proc / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    done = subprocess.run(["ps", "-p", str(pid), "-o", "args="], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def end_process(pid: int, clock: Clock, marker: str, *, first: Signals = SIGTERM) -> None:
    """End a process that is no child of ours: `first`, then SIGKILL. Raises Misconfigured if it stays."""
    for number, seconds in ((first, 5.0), (SIGKILL, 2.0)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = clock.monotonic() + seconds
        while clock.monotonic() < deadline:
            if marker not in command_line(pid):
                return
            clock.sleep(POLL_SECONDS)
    raise Misconfigured(f"process {pid} of an earlier run does not end. End it: kill -9 {pid}")
