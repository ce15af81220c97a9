"""A session's connection breaks in the worst moment: what the broker had handed over is kept."""

from __future__ import annotations

import socket
import struct
import threading

from core.broker import BrokerAddress
from core.clock import SystemClock
from ingest.batch import Message, MessageQueue
from ingest.mqtt import Subscriber

CONNACK = b"\x20\x02\x01\x00"
SUBACK = b"\x90\x03\x00\x01\x01"


def publish_packet(mid: int) -> bytes:
    body = b"\x00\x01t" + mid.to_bytes(2) + b"payload"
    return bytes([0x32, len(body)]) + body


def break_off(connection: socket.socket) -> None:
    """Close as a killed process is closed: with a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_pain_12_what_a_broker_handed_over_before_it_was_killed_is_kept_although_it_may_never_come_again() -> None:
    queue = MessageQueue(SystemClock(), messages_max=10_000, bytes_max=10_000_000)
    listener = socket.create_server(("127.0.0.1", 0))
    address = BrokerAddress("127.0.0.1", listener.getsockname()[1], None, None, tls=False)
    subscriber = Subscriber(
        address, client_id="c", topics=["t"], queue=queue, clock=SystemClock(), on_connection=lambda _: None
    )
    stop = threading.Event()
    thread = threading.Thread(target=subscriber.run, args=(stop,))
    thread.start()
    broker, _ = listener.accept()
    listener.close()
    broker.recv(1024)
    broker.sendall(CONNACK)
    broker.recv(1024)
    broker.sendall(SUBACK + b"".join(publish_packet(mid) for mid in range(1, 2001)))
    break_off(broker)
    taken: list[Message] = []
    while len(taken) < 2000 and (more := queue.take(size_max=5000, linger_seconds=0, wait_seconds=5.0)):
        taken += more
        # Acknowledging to a peer that is gone is what makes a write fail first.
        subscriber.acknowledge(more)
    stop.set()
    queue.close()
    thread.join()
    assert [one.mid for one in taken] == list(range(1, 2001))
