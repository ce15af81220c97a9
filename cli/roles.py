"""Roles as child processes: a role and its environment enter, a process that is started again when it dies leaves."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from cli.embedded.process import ServiceProcess
from core.clock import Clock

RESTART_SECONDS_MIN = 0.5
RESTART_SECONDS_MAX = 15.0
STEADY_SECONDS = 30.0
ONCE_RESTARTS_MAX = 4
"""What is done once and fails again and again is left until the next start."""


class RoleProcess:
    """One `anhu run ROLE`, kept alive; one that does its work `once` may end well."""

    def __init__(
        self,
        name: str,
        arguments: list[str],
        environment: Mapping[str, str],
        data_dir: Path,
        clock: Clock,
        *,
        once: bool = False,
    ) -> None:
        self.name = name
        self._once = once
        self._is_done = False
        self.restarts = 0
        self._command = [sys.executable, "-m", "cli", *arguments]
        self._environment = dict(environment)
        self._clock = clock
        run, logs = data_dir / "run", data_dir / "logs"
        run.mkdir(mode=0o700, exist_ok=True)
        logs.mkdir(mode=0o700, exist_ok=True)
        marker = " ".join(["-m", "cli", *arguments[:2]])
        self._process = ServiceProcess(name, run / f"{name}.pid", logs / f"{name}.log", clock, marker=marker)
        self._started_at = 0.0
        self._delay = RESTART_SECONDS_MIN
        self._not_before = 0.0

    @property
    def pid(self) -> int | None:
        return self._process.pid

    @property
    def log_file(self) -> Path:
        return self._process.log_file

    def start(self) -> None:
        """Start it now."""
        self._process.spawn(self._command, environment=self._environment, cwd=Path.cwd())
        self._started_at = self._clock.monotonic()

    def tend(self) -> str | None:
        """Start it again if it died, with growing pauses; what to tell the operator, if anything happened."""
        if self._is_done:
            return None
        now = self._clock.monotonic()
        if self._process.is_running:
            if now - self._started_at > STEADY_SECONDS:
                self._delay = RESTART_SECONDS_MIN
            return None
        if self._once and (self._process.ended_well or self.restarts >= ONCE_RESTARTS_MAX):
            self._is_done = True
            how = "done" if self._process.ended_well else "given up until the next start"
            return f"{how}. Last words: {self._last_line()}"
        if self._not_before == 0.0:
            self._not_before = now + self._delay
            return f"stopped; starting again in {self._delay:.1f} s. Last words: {self._last_line()}"
        if now < self._not_before:
            return None
        self._not_before = 0.0
        self._delay = min(self._delay * 2, RESTART_SECONDS_MAX)
        self.restarts += 1
        self.start()
        return f"started again (pid {self.pid})"

    def ask_to_stop(self) -> None:
        """SIGTERM, without waiting."""
        self._process.signal(signal.SIGTERM)

    def stop(self, timeout: float) -> None:
        """Wait for its end, at most `timeout` seconds, then kill."""
        self._process.stop([(signal.SIGTERM, timeout)])

    def _last_line(self) -> str:
        lines = self._process.log_tail().splitlines()
        return lines[-1][:300] if lines else "none"
