"""How often somebody may ask: a caller or an address enters, a wait in seconds leaves. Bounded, in memory.

Each has a bucket that holds a minute's worth of requests and fills evenly. What answers an emergency, what a device's
cloud delivers, and what tells whether the process lives is never limited.
"""

from __future__ import annotations

import ipaddress
import re
import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from core.clock import Clock

KEYS_MAX: Final = 20_000
_V6_PREFIX: Final = 64
_UNLIMITED: Final = re.compile(
    r"/(healthz|readyz|metrics)|/api/v1/ingest/[^/]+|/family/a/[^/]+"
    r"|/api/v1/alerts/(stream|[0-9a-fA-F-]{36}(/(acknowledge|arrive|resolve|escalate|comment))?)"
)
"""An alert and what is done about it, its stream, links in pages (they have their own brake), the vendors' door."""


def is_limited(path: str) -> bool:
    """Whether requests for a path are counted."""
    return _UNLIMITED.fullmatch(path) is None


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class RateLimit:
    """Buckets by key; the keys that were quiet longest make room for new ones, and a quiet key's bucket is full."""

    def __init__(self, clock: Clock, per_minute: int) -> None:
        self._clock = clock
        self._size = float(per_minute)
        self._per_second = per_minute / 60.0
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, key: str) -> int:
        """Count one request; 0 lets it through, else how many seconds to wait. A limit of 0 lets everything through."""
        if not self._size:
            return 0
        now = self._clock.monotonic()
        with self._lock:
            bucket = self._buckets.get(key)
            if bucket is None:
                bucket = self._buckets[key] = _Bucket(self._size, now)
                if len(self._buckets) > KEYS_MAX:
                    self._buckets.popitem(last=False)
            else:
                self._buckets.move_to_end(key)
            bucket.left = min(self._size, bucket.left + (now - bucket.at) * self._per_second)
            bucket.at = now
            if bucket.left < 1.0:
                return int((1.0 - bucket.left) / self._per_second) + 1
            bucket.left -= 1.0
            return 0


class WrongGuesses:
    """A brake on guessing what cannot be known (the token of a link): so many misses from an address, then a pause."""

    def __init__(self, clock: Clock, *, misses_max: int, window_seconds: float) -> None:
        self._clock = clock
        self._misses_max = misses_max
        self._window_seconds = window_seconds
        self._lock = threading.Lock()
        self._misses: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait_seconds(self, key: str) -> int:
        """How long this one must wait; 0 lets it try."""
        with self._lock:
            misses, until = self._misses.get(key, (0, 0.0))
        left = until - self._clock.monotonic()
        return int(left) + 1 if misses >= self._misses_max and left > 0 else 0

    def missed(self, key: str) -> None:
        """Count one more."""
        now = self._clock.monotonic()
        with self._lock:
            misses, until = self._misses.pop(key, (0, 0.0))
            self._misses[key] = (misses + 1, until) if until > now else (1, now + self._window_seconds)
            if len(self._misses) > KEYS_MAX:
                self._misses.popitem(last=False)


@lru_cache(maxsize=4096)
def network_of(address: str) -> str:
    """Whom an address stands for: itself, or the /64 of an IPv6 address, of which one customer has 2^64."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, _V6_PREFIX), strict=False))
    return address
