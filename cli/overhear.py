"""Listening in: a broker's address, a site and some seconds enter; what spoke on the site's topics meanwhile leaves."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Any, Final

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from core.broker import BrokerAddress
from core.clock import Clock
from core.errors import Rejected, Unavailable
from devices import adapters
from ingest.topics import PREFIX, parse_topic

MESSAGES_MAX: Final = 20_000


@dataclass(slots=True)
class Overheard:
    """Who spoke: gateways' foreign devices with what discovery told, native devices, and what could not be read."""

    foreign: dict[tuple[str, str, str], dict[str, Any]] = field(default_factory=dict)
    """Facts by (gateway, adapter, native id)."""
    native: set[str] = field(default_factory=set)
    unreadable: dict[str, str] = field(default_factory=dict)
    """The reason of the first message that could not be read, by (gateway/adapter)."""
    messages: int = 0

    def take(self, topic: str, payload: bytes) -> None:
        """Note one message."""
        self.messages += 1
        if self.messages > MESSAGES_MAX:
            return
        try:
            address = parse_topic(topic)
        except Rejected:
            return
        if not address.channel.startswith("x/"):
            self.native.add(address.device)
            return
        word, _, path = address.channel[2:].partition("/")
        name = adapters.canonical(word)
        if name is None:
            self.unreadable.setdefault(f"{address.device}/{word}", "no such adapter")
            return
        try:
            samples = adapters.adapter_for(name, {}).parse(path, payload)
        except Rejected as error:
            self.unreadable.setdefault(f"{address.device}/{name}", str(error))
            return
        for sample in samples:
            if sample.native_id:
                known = self.foreign.setdefault((address.device, name, sample.native_id), {})
                known.update({key: value for key, value in sample.facts.items() if isinstance(value, str)})


def overhear(broker: BrokerAddress, site: str, seconds: float, clock: Clock) -> Overheard:
    """Listen for so long, beside everybody else: nothing is acknowledged in anybody's place. Raises Unavailable."""
    heard = Overheard()
    # rumqttd closes the connection without a word where the password is wrong.
    answers = ["the connection was closed without an answer"]
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv311, reconnect_on_failure=False)
    if broker.username is not None:
        client.username_pw_set(broker.username, broker.password)
    if broker.tls:
        client.tls_set_context(ssl.create_default_context(cafile=str(broker.ca_file) if broker.ca_file else None))

    def connected(_client: Client, _userdata: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        answers[0] = str(reason) if reason.is_failure else ""
        if not reason.is_failure:
            client.subscribe(f"{PREFIX}/{site}/#", 0)

    def received(_client: Client, _userdata: Any, message: MQTTMessage) -> None:
        heard.take(message.topic, bytes(message.payload))

    client.on_connect, client.on_message = connected, received
    try:
        client.connect(broker.host, broker.port, 30)
    except OSError as error:
        raise Unavailable(f"the broker at {broker.host}:{broker.port} cannot be reached: {error}") from error
    client.loop_start()
    clock.sleep(seconds)
    client.disconnect()
    client.loop_stop()
    if answers[0]:
        raise Unavailable(f"the broker did not let us in: {answers[0]}")
    return heard
