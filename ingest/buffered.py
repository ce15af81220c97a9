"""A connected socket enters, one leaves that reads and writes in large pieces; paho uses it in its place.

paho asks for each packet in three small reads, makes some forty calls for it and writes each packet by itself. Here
publications, nearly all of the traffic, are read straight from the chunk that the network brought; every other packet
paho reads itself, from memory. What is written together leaves together. One thread uses it.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import NamedTuple

RECEIVE_BYTES = 65_536
UNSENT_BYTES_MAX = 1024 * 1024
REST_CHUNKS_MAX = 256
"""16 MiB: more than a socket's buffers hold, so that a peer which goes on sending cannot hold up a close."""

# MQTT 3.1.1, sections 2.2 and 3.3: type in the upper half of the first byte, then DUP, QoS (two bits), RETAIN.
_PUBLISH = 0x30
_DUPLICATE, _QOS, _RETAIN = 0x08, 0x06, 0x01
_LENGTH_BYTES_MAX = 4


class Publication(NamedTuple):
    """A PUBLISH packet of QoS 0 or 1; `mid` is 0 for QoS 0."""

    topic: bytes
    payload: bytes
    qos: int
    mid: int
    retain: bool
    duplicate: bool


class BufferedSocket:
    """As much of a non-blocking socket as paho needs. Errors of the socket beneath come through as they are."""

    def __init__(self, beneath: socket.socket) -> None:
        self._beneath = beneath
        self._chunk = b""
        self._position = 0
        self._unsent = bytearray()

    def recv(self, size: int) -> bytes:
        """Up to `size` bytes; b"" at the end of the stream. Raises BlockingIOError or ssl.SSLWantReadError."""
        start = self._position
        if start == len(self._chunk):
            self._chunk = self._beneath.recv(RECEIVE_BYTES)
            start = 0
        data = self._chunk[start : start + size]
        self._position = start + len(data)
        return data

    def fill(self) -> bool:
        """Take in what the network has; False at the end of the stream.

        Raises BlockingIOError or ssl.SSLWantReadError when there is nothing.
        """
        data = self._beneath.recv(RECEIVE_BYTES)
        self._chunk = self._chunk[self._position :] + data
        self._position = 0
        return bool(data)

    def publications(self) -> Iterator[Publication]:
        """Those that are here as a whole, up to the first packet of another kind."""
        chunk = self._chunk
        while (whole := self._next_packet()) is not None:
            body, end = whole
            first = chunk[self._position]
            qos = (first & _QOS) >> 1
            if first & 0xF0 != _PUBLISH or qos > 1 or end - body < 2:
                return
            topic_end = body + 2 + (chunk[body] << 8 | chunk[body + 1])
            start = topic_end + 2 * qos
            if start > end:
                return  # malformed: paho says so and ends the connection
            mid = chunk[topic_end] << 8 | chunk[topic_end + 1] if qos else 0
            self._position = end
            yield Publication(
                chunk[body + 2 : topic_end],
                chunk[start:end],
                qos,
                mid,
                bool(first & _RETAIN),
                bool(first & _DUPLICATE),
            )

    def has_packet(self) -> bool:
        """Whether a packet is here as a whole, or something that can never become one."""
        if self._next_packet() is not None:
            return True
        length = self._chunk[self._position + 1 : self._position + 1 + _LENGTH_BYTES_MAX]
        return len(length) == _LENGTH_BYTES_MAX and min(length) >= 128

    def _next_packet(self) -> tuple[int, int] | None:
        """Where the body of the next packet begins and ends, if all of it is here."""
        chunk, position = self._chunk, self._position + 1
        length = shift = 0
        for at in range(position, min(position + _LENGTH_BYTES_MAX, len(chunk))):
            digit = chunk[at]
            length |= (digit & 127) << shift
            if digit < 128:
                body = at + 1
                return (body, body + length) if body + length <= len(chunk) else None
            shift += 7
        return None

    def pending(self) -> int:
        """Decrypted bytes that wait below although select says nothing of them."""
        return self._beneath.pending() if isinstance(self._beneath, ssl.SSLSocket) else 0

    def send(self, data: bytes | bytearray) -> int:
        """Take the whole of `data`, and write what goes. Raises BlockingIOError while too much waits to be written."""
        if len(self._unsent) > UNSENT_BYTES_MAX:
            self.flush()
            if len(self._unsent) > UNSENT_BYTES_MAX:
                raise BlockingIOError
        self._unsent += data
        self.flush()
        return len(data)

    @property
    def unsent(self) -> int:
        """Bytes that wait until the socket is writable."""
        return len(self._unsent)

    def flush(self) -> None:
        """Write what can be written now."""
        with contextlib.suppress(BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            while self._unsent:
                # A growing buffer is allowed here: Python lets OpenSSL take up a write from another place in memory.
                del self._unsent[: self._beneath.send(self._unsent)]

    def fileno(self) -> int:
        return self._beneath.fileno()

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 -- the name and shape are the socket's
        self._beneath.setblocking(flag)

    def take_rest(self) -> None:
        """Take in what the network still holds, up to the end of the stream, an error, or nothing more for now."""
        with contextlib.suppress(OSError):
            for _ in range(REST_CHUNKS_MAX):
                if not self.fill():
                    break

    def close(self) -> None:
        """Close the socket beneath; what had come by then stays to be read from memory."""
        self.take_rest()
        self._beneath.close()
