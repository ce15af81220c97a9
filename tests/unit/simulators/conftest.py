"""A real Mosquitto on a free port for tests that publish; skipped, saying so, where it is not installed."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

T0 = 1_764_000_000.0 - 1_764_000_000.0 % 3600.0
SUBSCRIBER = ("watcher", "watching")
SHARED = ("fleet", "fleet-word")


@dataclass
class Mosquitto:
    """A broker that only knows its accounts, and lets a device's account publish below its client id only."""

    folder: Path
    program: str
    port: int
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        self.process = subprocess.Popen([self.program, "-c", str(self.folder / "mosquitto.conf")])
        deadline = time.monotonic() + 10.0
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1.0).close()
                return
            except OSError:
                time.sleep(0.02)
        raise AssertionError("mosquitto did not open its port")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10.0)
            self.process = None

    def configure(self, accounts: dict[str, str]) -> None:
        passwords = self.folder / "passwords"
        passwords.write_text("".join(f"{name}:{word}\n" for name, word in accounts.items()))
        passwords.chmod(0o600)
        subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True)
        acl = ["pattern write anhu/v1/+/%c/#", "pattern read anhu/v1/+/%c/command"]
        acl += [f"user {SUBSCRIBER[0]}", "topic readwrite anhu/v1/#", f"user {SHARED[0]}", "topic write anhu/v1/#"]
        (self.folder / "acl").write_text("\n".join(acl) + "\n")
        (self.folder / "acl").chmod(0o600)
        lines = [
            f"listener {self.port} 127.0.0.1", "allow_anonymous false", f"password_file {passwords}",
            f"acl_file {self.folder / 'acl'}", "max_queued_messages 100000", "log_dest none", "user root",
            "persistence false",
        ]  # fmt: skip
        (self.folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin:/opt/homebrew/sbin")
    if program is None or shutil.which("mosquitto_passwd") is None:
        pytest.skip("mosquitto is not installed (Debian: apt install mosquitto); publishing was not tried")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    broker = Mosquitto(tmp_path, program, port)
    yield broker
    broker.stop()
