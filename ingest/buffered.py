"""A connected socket enters, one leaves that reads and writes in large pieces; paho uses it in its place.

paho asks for each packet in three small reads and writes each packet by itself. Here those reads come from memory, and
what is written together leaves together. One thread uses it.
"""

from __future__ import annotations

import contextlib
import socket
import ssl

RECEIVE_BYTES = 65_536
UNSENT_BYTES_MAX = 1024 * 1024


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

    def pending(self) -> int:
        """Bytes that can be read although select says nothing of them."""
        held = len(self._chunk) - self._position
        if held == 0 and isinstance(self._beneath, ssl.SSLSocket):
            return self._beneath.pending()
        return held

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

    def close(self) -> None:
        self._beneath.close()
