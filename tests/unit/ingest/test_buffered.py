"""The buffered socket gives every byte in order and loses none that it took."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from ingest.buffered import UNSENT_BYTES_MAX, BufferedSocket


@pytest.fixture
def pair() -> Iterator[tuple[BufferedSocket, socket.socket]]:
    near, far = socket.socketpair()
    near.settimeout(0)
    yield BufferedSocket(near), far
    near.close()
    far.close()


def test_small_reads_come_from_one_chunk(pair: tuple[BufferedSocket, socket.socket]) -> None:
    wire, far = pair
    far.sendall(b"abcdef")
    assert (wire.recv(1), wire.pending()) == (b"a", 5)
    assert wire.recv(3) + wire.recv(10) == b"bcdef"
    assert wire.pending() == 0


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
