"""Brake on guessing passwords: failed attempts enter, a wait in seconds leaves. Bounded, in the process's memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from api.limits import network_of
from core.clock import Clock

ATTEMPTS_MAX: Final = 5
ADDRESS_ATTEMPTS_MAX: Final = 60
NAME_ATTEMPTS_MAX: Final = 200
WINDOW_SECONDS: Final = 300.0
KEYS_MAX: Final = 20_000


@dataclass(slots=True)
class _Count:
    failures: int
    until: float


class Throttle:
    """Counts failures per (account name, address), per address and per name in windows of five minutes.

    The bound per name is against guessing from many addresses at once. It does not count where this account has signed
    in before, so no stranger locks anybody out of the own house. The oldest keys make room for new ones.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: OrderedDict[tuple[str, str], _Count] = OrderedDict()
        self._welcome: OrderedDict[tuple[str, str], None] = OrderedDict()

    def wait_seconds(self, username: str, address: str) -> int:
        """How long this pair must wait; 0 lets it try."""
        address = network_of(address)
        now = self._clock.monotonic()
        with self._lock:
            waits = [
                count.until - now
                for key, bound in self._keys(username, address)
                if (count := self._counts.get(key)) and count.failures >= bound and count.until > now
            ]
        return int(max(waits)) + 1 if waits else 0

    def failed(self, username: str, address: str) -> None:
        """Record a failure."""
        address = network_of(address)
        now = self._clock.monotonic()
        with self._lock:
            for key, _ in self._keys(username, address):
                count = self._counts.get(key)
                if count is None or count.until <= now:
                    count = _Count(0, now + WINDOW_SECONDS)
                    self._counts[key] = count
                count.failures += 1
                self._counts.move_to_end(key)
            while len(self._counts) > KEYS_MAX:
                self._counts.popitem(last=False)

    def succeeded(self, username: str, address: str) -> None:
        """Forget the pair's failures and remember it; those of the address and of the name stay."""
        address = network_of(address)
        with self._lock:
            self._counts.pop((username, address), None)
            self._welcome[username, address] = None
            self._welcome.move_to_end((username, address))
            if len(self._welcome) > KEYS_MAX:
                self._welcome.popitem(last=False)

    def _keys(self, username: str, address: str) -> list[tuple[tuple[str, str], int]]:
        keys = [((username, address), ATTEMPTS_MAX), (("", address), ADDRESS_ATTEMPTS_MAX)]
        if (username, address) not in self._welcome:
            keys.append(((username, ""), NAME_ATTEMPTS_MAX))
        return keys
