"""The buffered socket gives every byte in order and loses none that it took."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.messages import remaining_length
from ingest.buffered import UNSENT_BYTES_MAX, BufferedSocket, Publication


@pytest.fixture
def pair() -> Iterator[tuple[BufferedSocket, socket.socket]]:
    near, far = socket.socketpair()
    near.settimeout(0)
    yield BufferedSocket(near), far
    near.close()
    far.close()


def packed(one: Publication) -> bytes:
    """A PUBLISH packet as the standard has it."""
    body = len(one.topic).to_bytes(2) + one.topic + (one.mid.to_bytes(2) if one.qos else b"") + one.payload
    return bytes([0x30 | one.duplicate << 3 | one.qos << 1 | one.retain]) + remaining_length(len(body)) + body


publications = st.builds(
    lambda topic, payload, qos, mid, retain, duplicate: Publication(
        topic.encode(), payload, qos, mid if qos else 0, retain, duplicate
    ),
    st.text(max_size=20),
    st.binary(max_size=300),
    st.integers(0, 1),
    st.integers(1, 65_535),
    st.booleans(),
    st.booleans(),
)
PINGRESP = b"\xd0\x00"


def test_small_reads_come_from_one_chunk(pair: tuple[BufferedSocket, socket.socket]) -> None:
    wire, far = pair
    far.sendall(b"abcdef")
    assert wire.recv(1) == b"a"
    far.close()
    assert wire.recv(3) + wire.recv(10) == b"bcdef"


@given(st.lists(publications | st.just(PINGRESP), max_size=8), st.lists(st.integers(1, 700), max_size=20))
def test_packets_come_whole_and_in_order_however_the_network_cuts_them(
    said: list[Publication | bytes], cuts: list[int]
) -> None:
    stream = b"".join(one if isinstance(one, bytes) else packed(one) for one in said)
    pieces, start = [], 0
    for cut in [*cuts, len(stream)]:
        if start < len(stream):
            pieces.append(stream[start : start + cut])
            start += cut
    near, far = socket.socketpair()
    near.settimeout(0)
    wire = BufferedSocket(near)
    heard: list[Publication | bytes] = []
    for piece in pieces:
        far.sendall(piece)
        assert wire.fill()
        while True:
            heard += list(wire.publications())
            if not wire.has_packet():
                break
            # Another kind: somebody else reads it, byte by byte as paho does.
            heard.append(wire.recv(1) + wire.recv(1))
    near.close()
    far.close()
    assert heard == said


@pytest.mark.parametrize(
    "packet",
    [
        b"\x34\x05\x00\x01t\x00\x01",  # QoS 2, which was not asked for
        b"\x32\x03\x00\x01t",  # QoS 1 without a packet identifier
        b"\x30\x02\x00\x09",  # a topic longer than its packet
        b"\x30\x01\x00",  # no topic at all
    ],
)
def test_what_is_not_plain_is_left_to_paho(pair: tuple[BufferedSocket, socket.socket], packet: bytes) -> None:
    wire, far = pair
    far.sendall(packet)
    assert wire.fill()
    assert list(wire.publications()) == []
    assert wire.has_packet()
    assert wire.recv(100) == packet


def test_a_length_that_never_ends_is_left_to_paho_at_once(pair: tuple[BufferedSocket, socket.socket]) -> None:
    wire, far = pair
    far.sendall(b"\x30\xff\xff\xff\xff\xff")
    assert wire.fill()
    assert wire.has_packet()


def test_nothing_there_is_not_the_end(pair: tuple[BufferedSocket, socket.socket]) -> None:
    wire, far = pair
    with pytest.raises(BlockingIOError):
        wire.recv(1)
    far.close()
    assert wire.recv(1) == b""


def test_what_does_not_go_now_goes_later_in_order(pair: tuple[BufferedSocket, socket.socket]) -> None:
    wire, far = pair
    sent = bytes(range(256)) * 4096
    assert wire.send(sent) == len(sent)
    wire.send(b"end")
    assert wire.unsent > 0
    received = b""
    while len(received) < len(sent) + 3:
        received += far.recv(1 << 20)
        wire.flush()
    assert received == sent + b"end"
    assert wire.unsent == 0


def test_it_does_not_take_without_bound(pair: tuple[BufferedSocket, socket.socket]) -> None:
    wire, _ = pair
    wire.send(b"x" * (4 * UNSENT_BYTES_MAX))
    with pytest.raises(BlockingIOError):
        wire.send(b"more")


def test_what_had_come_before_a_reset_is_still_read() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    near = socket.create_connection(listener.getsockname())
    far, _ = listener.accept()
    listener.close()
    near.settimeout(0)
    wire = BufferedSocket(near)
    said = [Publication(b"t", bytes([n]) * 5_000, 1, n, retain=False, duplicate=False) for n in (1, 2, 3)]
    far.sendall(b"".join(packed(one) for one in said))
    # As the kernel closes for a process that was killed with something unread: a reset, not an end.
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    far.close()
    wire.close()
    assert list(wire.publications()) == said
