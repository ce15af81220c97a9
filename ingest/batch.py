"""Messages enter from the network thread, batches leave to the writer; bounded in number and bytes.

The bound is back-pressure, not loss: a full queue makes the network thread wait, the broker stops at its own limit of
unacknowledged messages and keeps the rest in the session.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from core.clock import Clock

_LINGER_STEPS = 4


class Message(NamedTuple):
    """One MQTT publication as it came, with what is needed to acknowledge it."""

    topic: str
    payload: bytes
    qos: int
    mid: int
    received: float
    connection: int
    """Which connection it came on: a packet identifier means nothing on another one."""
    retain: bool = False
    duplicate: bool = False


class MessageQueue:
    """A bounded queue that hands out batches: what is there after `linger_seconds`, or `size_max`, the sooner."""

    def __init__(self, clock: Clock, *, messages_max: int, bytes_max: int) -> None:
        self._clock = clock
        self._messages_max = messages_max
        self._bytes_max = bytes_max
        self._messages: deque[Message] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._closed = False

    def __len__(self) -> int:
        return len(self._messages)

    def oldest(self) -> float | None:
        """When the first of those that wait was received; Unix seconds, None where none waits."""
        try:
            return self._messages[0].received
        except IndexError:
            return None

    def put(self, message: Message) -> bool:
        """Add a message, waiting while the queue is full. False once closed: the message stays unacknowledged."""
        return self.put_many((message,))

    def put_many(self, messages: Sequence[Message]) -> bool:
        """Add messages in order, waiting whenever the queue is full. False once closed: the rest is not taken."""
        with self._changed:
            for message in messages:
                while not self._closed and self._is_full():
                    self._changed.notify_all()
                    self._changed.wait(1.0)
                if self._closed:
                    return False
                self._messages.append(message)
                self._bytes += len(message.payload)
            self._changed.notify_all()
            return True

    def _is_full(self) -> bool:
        return len(self._messages) >= self._messages_max or self._bytes >= self._bytes_max

    def take(
        self, *, size_max: int, linger_seconds: float, wait_seconds: float, bytes_max: int | None = None
    ) -> list[Message]:
        """The next batch, oldest first; empty after `wait_seconds` without a message.

        A batch ends at `size_max` messages, or once its payloads reach `bytes_max`.
        """
        with self._changed:
            if not self._messages and not self._closed:
                self._changed.wait(wait_seconds)
            if not self._messages:
                return []
        self._linger(linger_seconds, size_max)
        with self._changed:
            batch: list[Message] = []
            taken = 0
            while self._messages and len(batch) < size_max and (bytes_max is None or taken < bytes_max):
                batch.append(self._messages.popleft())
                taken += len(batch[-1].payload)
            self._bytes -= taken
            self._changed.notify_all()
            return batch

    def _linger(self, seconds: float, size_max: int) -> None:
        """Wait for more to come, at most so long; no longer once nothing came for a quarter of it.

        A broker that hands out few unacknowledged messages sends no more until these are committed.
        """
        for _ in range(_LINGER_STEPS if seconds > 0 else 0):
            before = len(self._messages)
            if before >= size_max:
                return
            self._clock.sleep(seconds / _LINGER_STEPS)
            if len(self._messages) == before:
                return

    def close(self) -> None:
        """Wake everyone; nothing more is taken in."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
