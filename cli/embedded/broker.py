"""The embedded brokers: a directory and the users enter, a listening MQTT broker leaves.

    RumqttdBroker    from the wheel `iotcore`; always there. Sessions live in memory, topics are open to every user.
    MosquittoBroker  an installed Mosquitto 2; sessions survive a restart, topics are limited per user.

What each keeps over a restart and how much it queues was measured: docs/embedded.md.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Protocol

from cli.embedded.access import ServiceUser, allow_passage, give_file, own_directory, service_user
from cli.embedded.process import POLL_SECONDS, ServiceProcess
from core.broker import BrokerAddress
from core.clock import Clock
from core.errors import Misconfigured, Unavailable
from core.limits import INFLIGHT_MESSAGES_MAX
from devices.accounts.control import Control
from devices.accounts.reconcile import reconcile, unique
from devices.accounts.rights import KEEPER_USER, BrokerUser
from devices.accounts.seed import seed_text, write_seed

START_SECONDS_MAX: Final = 30.0
# Well above PAYLOAD_BYTES_MAX: what is too large shall reach ingest and become a rejection that somebody sees.
PACKET_BYTES_MAX: Final = 1024 * 1024
CONNECTIONS_MAX: Final = 10_000
PLUGIN: Final = "mosquitto_dynamic_security.so"


class Broker(Protocol):
    """What the supervisor knows of a broker."""

    @property
    def kind(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def pid(self) -> int | None: ...
    @property
    def is_running(self) -> bool: ...
    def start(self, users: Iterable[BrokerUser]) -> None:
        """Start; returns when it accepts connections. Raises Misconfigured or Unavailable."""
        ...

    def reload(self, users: Iterable[BrokerUser]) -> bool:
        """Let exactly these users in from now on. Whether the broker had to be restarted for it."""
        ...

    def stop(self, timeout: float = 5.0) -> None: ...


class RumqttdBroker:
    """rumqttd 0.20 in a process of its own. It ends with its starter and keeps nothing on disk."""

    kind = "rumqttd"
    # A subscription's log is bounded by bytes of topic and payload and is always kept up to that bound, also of what
    # was delivered: the oldest eighth goes when it is full, unread or not.
    SEGMENT_BYTES: Final = 8 * 1024 * 1024
    SEGMENTS: Final = 8

    def __init__(self, data_dir: Path, clock: Clock, *, host: str = "127.0.0.1", port: int = 1883) -> None:
        self.host = host
        self.port = port
        self._clock = clock
        self._root = data_dir.resolve() / "broker"
        self._config = self._root / "rumqttd.toml"
        self._process = ServiceProcess(
            "rumqttd", self._root / "rumqttd.pid", self._root / "rumqttd.log", clock, marker=str(self._config)
        )

    @property
    def pid(self) -> int | None:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.is_running

    def start(self, users: Iterable[BrokerUser]) -> None:
        if self.is_running:
            return
        own_directory(self._root, None)
        self._write(self._text(users))
        self._serve()

    def reload(self, users: Iterable[BrokerUser]) -> bool:
        """Restarts the broker when the users changed; sessions, queued and retained messages are lost then."""
        text = self._text(users)
        if self.is_running and text == self._config.read_text(encoding="utf-8"):
            return False
        self.stop()
        self._write(text)
        self._serve()
        return True

    def stop(self, timeout: float = 5.0) -> None:
        self._process.stop([(signal.SIGTERM, timeout)])

    def _serve(self) -> None:
        # -P: the runner's own directory is no place to import from.
        runner = Path(__file__).with_name("rumqttd.py")
        self._process.spawn([sys.executable, "-P", str(runner), str(self._config)], tied=True)
        _await_port(self._process, self.host, self.port, self._clock)

    def _write(self, text: str) -> None:
        write_seed(self._config, text)

    def _text(self, users: Iterable[BrokerUser]) -> str:
        listen = f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        # A JSON string without control characters is a TOML basic string.
        logins = "".join(f"{json.dumps(u.username)} = {json.dumps(u.password)}\n" for u in unique(users).values())
        return f"""# Written at every start.
id = 0
[router]
id = 0
max_connections = {CONNECTIONS_MAX}
max_outgoing_packet_count = 200
max_segment_size = {self.SEGMENT_BYTES}
max_segment_count = {self.SEGMENTS}
[v4.1]
name = "mqtt"
listen = {json.dumps(listen)}
next_connection_delay_ms = 0
[v4.1.connections]
connection_timeout_ms = 10000
max_payload_size = {PACKET_BYTES_MAX}
max_inflight_count = 100
dynamic_filters = true
[v4.1.connections.auth]
{logins}"""


class MosquittoBroker:
    """An installed Mosquitto 2. Sessions, queued and retained messages are on disk; each user has its own topics.

    Accounts and rights are those of its dynamic-security plugin, as in production: written before it starts, changed by
    commands while it runs.
    """

    kind = "mosquitto"
    QUEUE_MESSAGES_MAX: Final = 1_000_000
    QUEUE_BYTES_MAX: Final = 1024 * 1024 * 1024
    # A crash loses nothing while ingest keeps up, otherwise what was queued since the last save. Saving writes
    # everything: 100,000 queued messages take 0.2 s.
    AUTOSAVE_SECONDS: Final = 10

    def __init__(self, data_dir: Path, clock: Clock, *, host: str = "127.0.0.1", port: int = 1883) -> None:
        """Raises Misconfigured where no mosquitto is installed, or its plugin is not."""
        self.host = host
        self.port = port
        self._clock = clock
        self._program = find_mosquitto()
        self._plugin = find_plugin()
        self._root = data_dir.resolve() / "broker"
        self._config = self._root / "mosquitto.conf"
        self._process = ServiceProcess(
            "mosquitto", self._root / "mosquitto.pid", self._root / "mosquitto.log", clock, marker=str(self._config)
        )
        self._user: ServiceUser | None = None
        # Fresh for each start, in nobody's hands but ours.
        self._keeper_password = ""

    @property
    def pid(self) -> int | None:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.is_running

    def start(self, users: Iterable[BrokerUser]) -> None:
        if self.is_running:
            return
        # Started as root, Mosquitto becomes the user of its package; the directory is that user's, and only its.
        self._user = service_user("mosquitto")
        own_directory(self._root, self._user)
        allow_passage(self._root, self._user)
        with contextlib.suppress(FileNotFoundError):
            give_file(self._root / "mosquitto.db", self._user)
        self._keeper_password = secrets.token_urlsafe(36)
        self._write("dynamic-security.json", seed_text(users, self._keeper_password))
        self._write(self._config.name, self._text())
        self._process.spawn([self._program, "-c", str(self._config)])
        _await_port(self._process, self.host, self.port, self._clock)

    def reload(self, users: Iterable[BrokerUser]) -> bool:
        """Tells Mosquitto what changed; who stays notices nothing, who is gone or has a new password is cut off."""
        if not self.is_running:
            raise Unavailable("mosquitto is not running")
        host = reachable(self.host)
        address = BrokerAddress(host, self.port, KEEPER_USER, self._keeper_password, tls=False)
        with Control(address, self._clock) as control:
            # Its registry is that of the same data directory: whatever is gone there is meant to be.
            reconcile(control, users, allow_removals=True)
        return False

    def stop(self, timeout: float = 5.0) -> None:
        """Stop; Mosquitto writes its sessions to disk first."""
        self._process.stop([(signal.SIGTERM, timeout)])

    def _write(self, name: str, text: str) -> None:
        write_seed(self._root / name, text, lambda path: give_file(path, self._user))

    def _text(self) -> str:
        lines = [
            "# Written at every start.",
            f"listener {self.port} {self.host}",
            "allow_anonymous false",
            f"plugin {self._plugin}",
            f"plugin_opt_config_file {self._root / 'dynamic-security.json'}",
            "persistence true",
            f"persistence_location {self._root}/",
            "autosave_on_changes false",
            f"autosave_interval {self.AUTOSAVE_SECONDS}",
            "persistent_client_expiration 30d",
            f"max_connections {CONNECTIONS_MAX}",
            f"max_inflight_messages {INFLIGHT_MESSAGES_MAX}",
            f"max_queued_messages {self.QUEUE_MESSAGES_MAX}",
            f"max_queued_bytes {self.QUEUE_BYTES_MAX}",
            "queue_qos0_messages false",
            f"max_packet_size {PACKET_BYTES_MAX}",
            "max_keepalive 65535",
            "set_tcp_nodelay true",
            "log_dest stderr",
            "log_type error",
            "log_type warning",
            "connection_messages false",
            *([f"user {self._user.name}"] if self._user else []),
        ]
        return "\n".join(lines) + "\n"


def find_mosquitto() -> str:
    """The installed program. Raises Misconfigured."""
    found = shutil.which("mosquitto", path=os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin")))
    if found is None:
        raise Misconfigured(
            "mosquitto is not installed. Install it (Debian: apt-get install mosquitto), "
            "or leave the broker at its default."
        )
    return found


def find_plugin() -> Path:
    """Mosquitto's dynamic-security plugin, which comes with it. Raises Misconfigured."""
    places = [Path("/usr/lib"), Path("/usr/local/lib"), Path("/opt/homebrew/lib")]
    found = sorted(path for place in places for path in (*place.glob(PLUGIN), *place.glob(f"*/{PLUGIN}")))
    if not found:
        raise Misconfigured(
            f"mosquitto is installed without {PLUGIN}, which limits devices to their topics. Install Mosquitto 2 with "
            "its plugins, or leave the broker at its default."
        )
    return found[0]


def reachable(host: str) -> str:
    """Where to find what listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 -- compared, not bound


def make_broker(kind: str, data_dir: Path, clock: Clock, *, host: str = "127.0.0.1", port: int = 1883) -> Broker:
    """The broker of that kind: `rumqttd` or `mosquitto`. Raises Misconfigured."""
    if kind == "rumqttd":
        return RumqttdBroker(data_dir, clock, host=host, port=port)
    if kind == "mosquitto":
        return MosquittoBroker(data_dir, clock, host=host, port=port)
    raise Misconfigured(f"there is no embedded broker {kind!r}; choose rumqttd or mosquitto")


def _await_port(process: ServiceProcess, host: str, port: int, clock: Clock) -> None:
    target = reachable(host)
    deadline = clock.monotonic() + START_SECONDS_MAX
    while clock.monotonic() < deadline:
        if not process.is_running:
            reason = process.log_tail()
            process.stop([])
            raise Misconfigured(f"the broker {process.name} did not start: {reason or 'no reason given'}")
        with contextlib.suppress(OSError), socket.create_connection((target, port), timeout=0.5):
            return
        clock.sleep(POLL_SECONDS)
    process.stop([(signal.SIGTERM, 1.0)])
    raise Unavailable(f"the broker {process.name} did not listen on port {port} within {START_SECONDS_MAX:.0f} s")
