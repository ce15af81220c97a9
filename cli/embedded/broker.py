"""The embedded brokers: a directory and the users enter, a listening MQTT broker leaves.

    RumqttdBroker    from the wheel `iotcore`; always there. Sessions live in memory, topics are open to every user.
    MosquittoBroker  an installed Mosquitto 2; sessions survive a restart, topics are limited per user.

What each keeps over a restart and how much it queues was measured: docs/embedded.md.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

from cli.embedded.access import ServiceUser, allow_passage, give_file, own_directory, service_user
from cli.embedded.process import POLL_SECONDS, ServiceProcess
from core.clock import Clock
from core.errors import BadInput, Misconfigured, Unavailable
from core.ids import device_id, site_code
from core.limits import INFLIGHT_MESSAGES_MAX

START_SECONDS_MAX: Final = 30.0
# Well above PAYLOAD_BYTES_MAX: what is too large shall reach ingest and become a rejection that somebody sees.
PACKET_BYTES_MAX: Final = 1024 * 1024
CONNECTIONS_MAX: Final = 10_000

_NAME = re.compile(r"[A-Za-z0-9_.@-]{1,100}")


@dataclass(frozen=True, slots=True)
class BrokerUser:
    """Somebody who may sign in: a device below its own topic, or a service of ours."""

    username: str
    password: str
    kind: Literal["device", "service"]
    site: str | None = None
    device: str | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.username):
            raise BadInput(f"broker user name must match {_NAME.pattern}, got {self.username[:80]!r}")
        if not self.password or not self.password.isprintable():
            raise BadInput(f"the password of broker user {self.username} is empty or has unprintable characters")
        if self.kind == "device":
            site_code(self.site or "")
            device_id(self.device or "")


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
        _write_secret(self._config, text, None)

    def _text(self, users: Iterable[BrokerUser]) -> str:
        listen = f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        # A JSON string without control characters is a TOML basic string.
        logins = "".join(f"{json.dumps(u.username)} = {json.dumps(u.password)}\n" for u in _unique(users))
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
    """An installed Mosquitto 2. Sessions, queued and retained messages are on disk; each user has its own topics."""

    kind = "mosquitto"
    QUEUE_MESSAGES_MAX: Final = 1_000_000
    QUEUE_BYTES_MAX: Final = 1024 * 1024 * 1024
    # A crash loses what was queued since the last save. Saving writes everything: 100,000 queued messages take 0.2 s.
    AUTOSAVE_SECONDS: Final = 10
    # Passwords here are random, so that iterations add nothing but work at every sign-in and reload.
    HASH_ITERATIONS: Final = 101

    def __init__(self, data_dir: Path, clock: Clock, *, host: str = "127.0.0.1", port: int = 1883) -> None:
        """Raises Misconfigured where no mosquitto is installed."""
        self.host = host
        self.port = port
        self._clock = clock
        self._program = find_mosquitto()
        self._root = data_dir.resolve() / "broker"
        self._config = self._root / "mosquitto.conf"
        self._process = ServiceProcess(
            "mosquitto", self._root / "mosquitto.pid", self._root / "mosquitto.log", clock, marker=str(self._config)
        )
        self._user: ServiceUser | None = None
        self._hashes: dict[tuple[str, str], str] = {}

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
        self._write_users(users)
        _write_secret(self._config, self._text(), self._user)
        self._process.spawn([self._program, "-c", str(self._config)])
        _await_port(self._process, self.host, self.port, self._clock)

    def reload(self, users: Iterable[BrokerUser]) -> bool:
        """Rewrites the users and tells Mosquitto; who stays connected notices nothing, who is gone is cut off."""
        self._write_users(users)
        if not self.is_running:
            raise Unavailable("mosquitto is not running")
        self._process.signal(signal.SIGHUP)
        return False

    def stop(self, timeout: float = 5.0) -> None:
        """Stop; Mosquitto writes its sessions to disk first."""
        self._process.stop([(signal.SIGTERM, timeout)])

    def _write_users(self, users: Iterable[BrokerUser]) -> None:
        known = _unique(users)
        logins = "".join(f"{user.username}:{self._hash(user)}\n" for user in known)
        _write_secret(self._root / "passwords", logins, self._user)
        _write_secret(self._root / "acl", "".join(map(access_rules, known)), self._user)

    def _hash(self, user: BrokerUser) -> str:
        """Remembered while we run: a reload for one new device does not hash thousands again."""
        key = (user.username, user.password)
        if key not in self._hashes:
            self._hashes[key] = mosquitto_hash(user.password, secrets.token_bytes(12), self.HASH_ITERATIONS)
        return self._hashes[key]

    def _text(self) -> str:
        lines = [
            "# Written at every start.",
            f"listener {self.port} {self.host}",
            "allow_anonymous false",
            f"password_file {self._root / 'passwords'}",
            f"acl_file {self._root / 'acl'}",
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


def mosquitto_hash(password: str, salt: bytes, iterations: int) -> str:
    """A line's second half in Mosquitto's password file: `$7$`, PBKDF2 with SHA-512 (mosquitto_passwd(1))."""
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, iterations)
    return f"$7${iterations}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def access_rules(user: BrokerUser) -> str:
    """This user's part of Mosquitto's access file. A device may not write its own commands."""
    if user.kind == "service":
        rules = ["read anhu/v1/#", "write anhu/v1/+/+/command"]
    else:
        below = f"anhu/v1/{user.site}/{user.device}"
        channels = ("telemetry", "event", "motion", "status", "command/ack", "x/#")
        rules = [*(f"write {below}/{channel}" for channel in channels), f"read {below}/command"]
    return f"user {user.username}\n" + "".join(f"topic {rule}\n" for rule in rules) + "\n"


def make_broker(kind: str, data_dir: Path, clock: Clock, *, host: str = "127.0.0.1", port: int = 1883) -> Broker:
    """The broker of that kind: `rumqttd` or `mosquitto`. Raises Misconfigured."""
    if kind == "rumqttd":
        return RumqttdBroker(data_dir, clock, host=host, port=port)
    if kind == "mosquitto":
        return MosquittoBroker(data_dir, clock, host=host, port=port)
    raise Misconfigured(f"there is no embedded broker {kind!r}; choose rumqttd or mosquitto")


def _unique(users: Iterable[BrokerUser]) -> Sequence[BrokerUser]:
    by_name: dict[str, BrokerUser] = {}
    for user in users:
        if user.username in by_name:
            raise BadInput(f"broker user {user.username} stands twice")
        by_name[user.username] = user
    return [by_name[name] for name in sorted(by_name)]


def _write_secret(path: Path, text: str, user: ServiceUser | None) -> None:
    """Replace a file in one step, readable by its service alone at every moment."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    give_file(fresh, user)
    fresh.replace(path)


def _await_port(process: ServiceProcess, host: str, port: int, clock: Clock) -> None:
    target = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 -- compared, not bound
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
