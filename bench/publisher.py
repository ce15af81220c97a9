"""A stream and a broker enter, messages published and acknowledged leave: a sender too thin to be the bottleneck.

A process of its own. QoS 1 with flow control: no more than `WINDOW` messages of a connection are unacknowledged, and
none is sent beyond what `allowed` permits, so that the broker's queue stays short whatever the pace of the reader.
"""

from __future__ import annotations

import multiprocessing
import select
import socket
from dataclasses import dataclass
from multiprocessing.sharedctypes import Synchronized
from typing import Any

import numpy as np

from bench.messages import Stream, remaining_length

WINDOW = 1000
CHUNK = 200
_MIDS = 65_535
_PUBACK = np.frombuffer(b"\x40\x02", np.uint8)


@dataclass(frozen=True, slots=True)
class Target:
    """Where to publish, and as whom."""

    host: str
    port: int
    username: str
    password: str


@dataclass(slots=True)
class Progress:
    """Shared between the processes; counts of messages."""

    allowed: Synchronized[int]
    """Messages up to this number may be sent."""
    sent: Synchronized[int]
    acknowledged: Synchronized[int]
    stop: Any

    @classmethod
    def new(cls) -> Progress:
        context = multiprocessing.get_context("spawn")
        return cls(
            context.Value("q", 0, lock=False),
            context.Value("q", 0, lock=False),
            context.Value("q", 0, lock=False),
            context.Event(),
        )


class _Connection:
    """One MQTT 3.1.1 connection that only publishes."""

    def __init__(self, target: Target, name: str) -> None:
        self.socket = socket.create_connection((target.host, target.port), 10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(connect_packet(target, name))
        answer = self.socket.recv(4)
        if answer != b"\x20\x02\x00\x00":
            raise ConnectionError(f"the broker refused the load generator: {answer!r}")
        self.sent = 0
        self.acknowledged = 0
        self._rest = b""

    def send(self, stream: Stream, first: int, count: int) -> None:
        mids = (self.sent + np.arange(count)) % _MIDS + 1
        self.socket.sendall(stream.packets(first + np.arange(count), mids).tobytes())
        self.sent += count

    def receive(self) -> None:
        data = self._rest + self.socket.recv(65_536)
        if not data:
            raise ConnectionError("the broker closed the connection of the load generator")
        whole = len(data) // 4 * 4
        frames = np.frombuffer(data[:whole], np.uint8).reshape(-1, 4)
        if not (frames[:, :2] == _PUBACK).all():
            raise ConnectionError("the broker sent something else than acknowledgements")
        self.acknowledged += len(frames)
        self._rest = data[whole:]


def publish(target: Target, stream: Stream, connections: int, progress: Progress) -> None:
    """Publish messages 0, 1, 2, … until told to stop; returns when every one sent is acknowledged."""
    links = [_Connection(target, f"bench-load-{number}") for number in range(connections)]
    by_socket = {link.socket: link for link in links}
    total = 0
    while True:
        stopping = progress.stop.is_set()
        idle = True
        for link in links:
            if not stopping and link.sent - link.acknowledged + CHUNK <= WINDOW:
                if total + CHUNK > progress.allowed.value:
                    break
                link.send(stream, total, CHUNK)
                total += CHUNK
                progress.sent.value = total
                idle = False
        if stopping and all(link.sent == link.acknowledged for link in links):
            break
        readable, _, _ = select.select(list(by_socket), [], [], 0.002 if idle else 0)
        for sock in readable:
            by_socket[sock].receive()
        progress.acknowledged.value = sum(link.acknowledged for link in links)
    for link in links:
        link.socket.sendall(b"\xe0\x00")
        link.socket.close()


def connect_packet(target: Target, name: str) -> bytes:
    """CONNECT with a clean session (MQTT 3.1.1, section 3.1)."""

    def text(value: str) -> bytes:
        raw = value.encode()
        return len(raw).to_bytes(2, "big") + raw

    clean_session_with_login = 0xC2
    keepalive_seconds = 600  # longer than any pause here; rumqttd takes no 0
    body = text("MQTT") + bytes([4, clean_session_with_login]) + keepalive_seconds.to_bytes(2, "big")
    body += text(name) + text(target.username) + text(target.password)
    return b"\x10" + remaining_length(len(body)) + body
