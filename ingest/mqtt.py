"""A broker's address enters, messages leave into a queue; acknowledgements go back when the writer says so.

One `Subscriber` is one persistent session: a stable client id, clean_session off, QoS 1, manual acknowledgement. The
broker keeps for it what is not acknowledged, over restarts of ours.

paho speaks the protocol; the loop around it is ours (its interface for external event loops), so that a chunk of the
network costs one read and one wake-up of the writer, and a batch's acknowledgements one write. All use of the socket
is in the thread of `run`; other threads leave their wishes and wake it.
"""

from __future__ import annotations

import contextlib
import random
import select
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from core import logging
from core.broker import BrokerAddress
from core.clock import Clock
from ingest.batch import Message, MessageQueue
from ingest.buffered import BufferedSocket

log = logging.get(__name__)

RECONNECT_SECONDS_MIN = 0.5
RECONNECT_SECONDS_MAX = 30.0
KEEPALIVE_SECONDS = 30
WAIT_SECONDS = 0.2
_PUBACK = b"\x40\x02"
"""Type and length of an acknowledgement, before its packet identifier (MQTT 3.1.1, section 3.4)."""


class _Client(Client):
    """paho's client on a buffered socket."""

    wire: BufferedSocket

    def _create_socket(self) -> Any:
        # The one place of paho's insides that is touched: it has no public way to hand in a socket.
        self.wire = BufferedSocket(super()._create_socket())  # type: ignore[arg-type]  # said to be less than it is
        return self.wire


class Subscriber:
    """One persistent session on the broker, feeding one queue."""

    def __init__(
        self,
        address: BrokerAddress,
        *,
        client_id: str,
        topics: Sequence[str],
        queue: MessageQueue,
        clock: Clock,
        on_connection: Callable[[int], None],
    ) -> None:
        self._address = address
        self._client_id = client_id
        self._topics = list(topics)
        self._queue = queue
        self._clock = clock
        self._on_connection = on_connection
        self._connection = 0
        self._connected = threading.Event()
        self._ended = threading.Event()
        self._acknowledged: deque[tuple[int, bytes]] = deque()
        self._wake_receiver, self._wake_sender = socket.socketpair()
        for end in (self._wake_receiver, self._wake_sender):
            end.settimeout(0)
        self._client = self._make_client()

    @property
    def connected(self) -> bool:
        return self._connected.is_set()

    def run(self, stop: threading.Event) -> None:
        """Keep connected until told to stop; capped, jittered pauses between attempts."""
        delay = RECONNECT_SECONDS_MIN
        while not stop.is_set():
            self._ended.clear()
            try:
                self._client.connect(self._address.host, self._address.port, KEEPALIVE_SECONDS)
            except OSError as error:
                log.warning("broker away", client=self._client_id, error=str(error))
            else:
                if self._stay(stop):
                    delay = RECONNECT_SECONDS_MIN
            if stop.wait(delay * random.uniform(0.5, 1.0)):  # noqa: S311 -- jitter, not a secret
                break
            delay = min(delay * 2, RECONNECT_SECONDS_MAX)

    def _stay(self, stop: threading.Event) -> bool:
        """Serve one connection to its end; whether the broker had let us in."""
        wire = self._client.wire
        with contextlib.suppress(OSError):
            while not stop.is_set() and not self._ended.is_set():
                self._turn(wire)
        was_connected = self._connected.is_set()
        if was_connected and not stop.is_set():
            self._take_what_came(wire)
        self._client.disconnect()
        self._client.loop_write()
        self._lost()
        return was_connected

    def _turn(self, wire: BufferedSocket) -> None:
        """One turn of the loop: send what is due, wait for the network or a wish, read what came."""
        while self._client.want_write() and not self._client.loop_write():
            pass
        self._send_acknowledgements(wire)
        if self._ended.is_set():
            return
        readers: list[BufferedSocket | socket.socket] = [wire, self._wake_receiver]
        writers = [wire] if wire.unsent else []
        wait = 0.0 if wire.pending() else WAIT_SECONDS
        readable, writable, _ = select.select(readers, writers, [], wait)
        if self._wake_receiver in readable:
            self._wake_receiver.recv(4096)
        if wire in readable or wire.pending():
            with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError):
                self._read(wire)
        if writable:
            wire.flush()
        self._client.loop_misc()

    def _read(self, wire: BufferedSocket) -> None:
        """Publications that are here go to the queue together; a full queue makes us wait. The rest is for paho."""
        if not wire.fill():
            self._client.loop_read()  # finds the end of the stream by itself
            return
        arrived = self._publications(wire)
        while wire.has_packet() and not self._client.loop_read():
            arrived += self._publications(wire)
        if arrived:
            self._queue.put_many(arrived)

    def _publications(self, wire: BufferedSocket) -> list[Message]:
        now, connection = self._clock.time(), self._connection
        return [
            Message(_text(topic), payload, qos, mid, now, connection, retain, duplicate)
            for topic, payload, qos, mid, retain, duplicate in wire.publications()
        ]

    def _take_what_came(self, wire: BufferedSocket) -> None:
        """Read what the network still holds of a connection that broke.

        A broker hands a message on before it acknowledges it to the device. Killed just then, it may have forgotten
        the message, and the device will not send it again: these bytes are all that is left of it.
        """
        wire.take_rest()
        self._queue.put_many(self._publications(wire))

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Tell the broker that these are stored; those of an ended connection it will send again anyway."""
        connection = self._connection
        packets = [_PUBACK + m.mid.to_bytes(2) for m in messages if m.qos > 0 and m.connection == connection]
        if packets:
            self._acknowledged.append((connection, b"".join(packets)))
            self._wake()

    def _send_acknowledgements(self, wire: BufferedSocket) -> None:
        while self._acknowledged:
            connection, packets = self._acknowledged.popleft()
            if connection == self._connection and self._connected.is_set():
                wire.send(packets)

    def _wake(self, *_: Any) -> None:
        """Make the loop turn now. A full pipe means that it is about to."""
        with contextlib.suppress(BlockingIOError):
            self._wake_sender.send(b"w")

    def publish(self, topic: str, payload: bytes) -> bool:
        """Send a command with QoS 1; False when there is no connection."""
        if not self._connected.is_set():
            return False
        return self._client.publish(topic, payload, qos=1).rc == MQTTErrorCode.MQTT_ERR_SUCCESS

    def _make_client(self) -> _Client:
        client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            clean_session=False,
            protocol=MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        if self._address.username is not None:
            client.username_pw_set(self._address.username, self._address.password)
        if self._address.tls:
            ca = str(self._address.ca_file) if self._address.ca_file else None
            client.tls_set_context(ssl.create_default_context(cafile=ca))
        client.on_connect = self._handle_connect
        client.on_disconnect = self._handle_disconnect
        client.on_socket_register_write = self._wake
        return client

    def _handle_connect(self, client: Client, _userdata: Any, flags: Any, reason: ReasonCode, _properties: Any) -> None:
        if reason.is_failure:
            log.error("the broker refused the connection", client=self._client_id, reason=str(reason))
            return
        self._connection += 1
        log.info("connected to the broker", client=self._client_id, session_kept=flags.session_present)
        client.subscribe([(topic, 1) for topic in self._topics])
        self._connected.set()
        self._on_connection(1)

    def _handle_disconnect(self, *_: Any) -> None:
        self._ended.set()

    def _lost(self) -> None:
        if self._connected.is_set():
            self._connected.clear()
            # What waits in the queue stays there. A broker that lives on sends it again, and its rows are known then;
            # one that crashed has forgotten it.
            log.warning("connection to the broker ended", client=self._client_id, kept=len(self._queue))
        self._on_connection(0)


def _text(topic: bytes) -> str:
    """A topic that is not UTF-8 fits no pattern; it is told as it came."""
    try:
        return topic.decode()
    except UnicodeDecodeError:
        return repr(topic)
