"""MQTT clients of the devices: a message enters, and stays until the broker has acknowledged it.

paho keeps unacknowledged messages and sends them again after a reconnect; what is added here is a bound on them,
backoff with jitter, the last will, and answers to commands.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from core import logging
from core.clock import Clock
from core.errors import BadInput, Misconfigured
from simulators import wire
from simulators.faults import Message
from simulators.rng import keyed

log = logging.get(__name__)

CLIENTS_MAX = 600
UNACKNOWLEDGED_MAX = 2_000
BACKOFF_SECONDS_MIN, BACKOFF_SECONDS_MAX = 0.5, 30.0
# A connection that broke sooner than this counts as a failed attempt, so two clients of one id do not fight fast.
STEADY_SECONDS = 20.0
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Account:
    """A name and password at the broker."""

    username: str
    password: str


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is. The account is the one in its URL, if any."""

    host: str
    port: int = 1883
    tls: bool = False
    ca_file: Path | None = None
    account: Account | None = None

    @classmethod
    def from_url(cls, url: str, ca_file: Path | None = None) -> Broker:
        """mqtt://[user:password@]host[:port], or mqtts://. Raises BadInput."""
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError as error:
            raise BadInput("the MQTT URL's port is not a number between 0 and 65535") from error
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
            raise BadInput("the MQTT URL must look like mqtt://host:1883 or mqtts://host:8883")
        account = None
        if parts.username is not None:
            account = Account(unquote(parts.username), unquote(parts.password or ""))
        tls = parts.scheme == "mqtts"
        return cls(parts.hostname, port or (8883 if tls else 1883), tls, ca_file, account)


@dataclass(slots=True)
class Report:
    """What became of the messages. dropped: could not be handed in because the broker refuses the device's account."""

    published: int = 0
    acknowledged: int = 0
    dropped: int = 0
    connections: int = 0
    commands: int = 0


class DeviceClient:
    """One paho client, of one device or shared by all."""

    def __init__(
        self,
        broker: Broker,
        client_id: str,
        account: Account | None,
        clock: Clock,
        *,
        own_topic: str | None = None,
    ) -> None:
        """`own_topic` is `anhu/v1/{site}/{device}` for a device's own client: it gets a last will and commands."""
        self.refused = False
        self.published = self.acknowledged = self.connections = self.commands = 0
        self._id = client_id
        self._clock = clock
        self._own_topic = own_topic
        self._changed = threading.Condition()
        self._rng = keyed(client_id, "backoff")
        self._failures = 0
        self._connected_at: float | None = None
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=True)
        client.max_inflight_messages_set(20 if own_topic else 1_000)
        if account is not None:
            client.username_pw_set(account.username, account.password)
        if broker.tls:
            client.tls_set(ca_certs=str(broker.ca_file) if broker.ca_file else None)
        if own_topic is not None:
            client.will_set(f"{own_topic}/status", wire.last_will(), qos=wire.QOS, retain=True)
            client.on_message = self._on_message
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        self._client = client
        self._next_delay()
        client.connect_async(broker.host, broker.port, keepalive=60)
        client.loop_start()

    @property
    def unacknowledged(self) -> int:
        return self.published - self.acknowledged

    def publish(self, topic: str, payload: bytes, qos: int, *, retain: bool, stop: threading.Event) -> bool:
        """Hand over one message, waiting for room; False when refused, or stopped while waiting."""
        with self._changed:
            while self.unacknowledged >= UNACKNOWLEDGED_MAX:
                if stop.is_set() or self.refused:
                    return False
                self._changed.wait(_POLL_SECONDS)
            self.published += 1
        self._client.publish(topic, payload, qos=qos, retain=retain)
        return True

    def drain(self, seconds: float) -> bool:
        """Wait until everything is acknowledged; False when that took too long or can never be."""
        with self._changed:
            self._changed.wait_for(lambda: self.refused or self.unacknowledged == 0, seconds)
            return self.unacknowledged == 0

    def sign_off(self) -> None:
        """Leave properly, which cancels the last will; `join` waits for the network thread to end."""
        self._client.disconnect()

    def join(self) -> None:
        self._client.loop_stop()

    def _on_connect(
        self, client: mqtt.Client, _userdata: object, _flags: mqtt.ConnectFlags, reason: ReasonCode, _props: object
    ) -> None:
        self.refused = reason.is_failure
        if reason.is_failure:
            log.error("broker refuses the account", device=self._id, reason=str(reason))
            return
        self._connected_at = self._clock.monotonic()
        self.connections += 1
        if self._own_topic is not None:
            client.subscribe(f"{self._own_topic}/command", qos=wire.QOS)

    def _on_connect_fail(self, _client: mqtt.Client, _userdata: object) -> None:
        self._failures += 1
        self._next_delay()

    def _on_disconnect(
        self, _client: mqtt.Client, _userdata: object, _flags: object, _reason: ReasonCode, _props: object
    ) -> None:
        steady = self._connected_at is not None and self._clock.monotonic() - self._connected_at >= STEADY_SECONDS
        self._failures = 0 if steady else self._failures + 1
        self._connected_at = None
        self._next_delay()

    def _next_delay(self) -> None:
        """Exponential, capped, and spread by a half either way so that a fleet does not return as one."""
        ceiling = min(BACKOFF_SECONDS_MAX, BACKOFF_SECONDS_MIN * 2.0 ** min(self._failures, 10))
        delay = ceiling * float(self._rng.uniform(0.5, 1.0))
        self._client.reconnect_delay_set(delay, delay)  # type: ignore[arg-type]  # paho only adds and waits

    def _on_publish(self, _client: mqtt.Client, _userdata: object, _mid: int, _reason: object, _props: object) -> None:
        with self._changed:
            self.acknowledged += 1
            self._changed.notify_all()

    def _on_message(self, client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage) -> None:
        try:
            command: Any = json.loads(message.payload)
            identifier, expires = str(command["id"]), float(command.get("expires") or float("inf"))
        except (ValueError, TypeError, KeyError, AttributeError):
            log.warning("a command cannot be read", device=self._id)
            return
        self.commands += 1
        ok = expires >= self._clock.time()
        answer = wire.command_ack(identifier, ok=ok, result={} if ok else {"error": "expired"})
        with self._changed:
            self.published += 1
        client.publish(f"{self._own_topic}/command/ack", answer, qos=wire.QOS)


class Fleet:
    """Clients for all devices: one each, made when a device first speaks, or one shared by all."""

    def __init__(
        self,
        broker: Broker,
        clock: Clock,
        *,
        accounts: Mapping[str, Account] | None = None,
        shared: Account | None = None,
        client_suffix: str = "",
        shared_client_id: str = "anhu-simulator",
    ) -> None:
        """accounts: by device id; a device that is missing from a given mapping is Misconfigured when it speaks."""
        self._broker = broker
        self._clock = clock
        self._accounts = accounts
        self._suffix = client_suffix
        self._clients: dict[str, DeviceClient] = {}
        self._shared: DeviceClient | None = None
        self._dropped = 0
        self._spoken: dict[str, str] = {}
        if shared is not None:
            self._shared = DeviceClient(broker, f"{shared_client_id}{client_suffix}", shared, clock)

    def send(self, message: Message, stop: threading.Event) -> bool:
        """Publish as the device does; False when it was not handed over."""
        client = self._shared or self._clients.get(message.device) or self._join(message)
        if message.device not in self._spoken:
            self._spoken[message.device] = _own_topic(message)
        sent = client.publish(message.topic, message.payload, message.qos, retain=message.retain, stop=stop)
        if not sent and not stop.is_set():
            self._dropped += 1
        return sent

    def farewell(self, stop: threading.Event) -> int:
        """Say for every device that spoke that it is off now: a proper sign-off cancels the last will."""
        for device, topic in self._spoken.items():
            client = self._shared or self._clients[device]
            client.publish(f"{topic}/status", wire.last_will(), wire.QOS, retain=True, stop=stop)
        return len(self._spoken)

    def close(self, drain_seconds: float) -> bool:
        """Wait for what is not acknowledged, within bounds, and sign off. True when nothing was left over."""
        clients = self._all()
        deadline = self._clock.monotonic() + drain_seconds
        complete = True
        for client in clients:
            complete &= client.drain(max(0.0, deadline - self._clock.monotonic()))
        for client in clients:
            client.sign_off()
        for client in clients:
            client.join()
        return complete

    def report(self) -> Report:
        clients = self._all()
        return Report(
            published=sum(c.published for c in clients),
            acknowledged=sum(c.acknowledged for c in clients),
            dropped=self._dropped,
            connections=sum(c.connections for c in clients),
            commands=sum(c.commands for c in clients),
        )

    def _all(self) -> list[DeviceClient]:
        return [*self._clients.values(), *([self._shared] if self._shared else [])]

    def _join(self, message: Message) -> DeviceClient:
        if len(self._clients) >= CLIENTS_MAX:
            raise Misconfigured(f"more than {CLIENTS_MAX} devices need --shared-client USER:PASSWORD")
        account = self._broker.account
        if self._accounts is not None:
            if message.device not in self._accounts:
                raise Misconfigured(f"no credentials for device {message.device}; register it, or simulate fewer")
            account = self._accounts[message.device]
        own, identifier = _own_topic(message), message.device + self._suffix
        client = DeviceClient(self._broker, identifier, account, self._clock, own_topic=own)
        self._clients[message.device] = client
        return client


def _own_topic(message: Message) -> str:
    return message.topic[: -len(message.channel) - 1]
