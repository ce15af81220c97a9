"""The device registry in the database enters, a snapshot of it that is never long out of date leaves."""

from __future__ import annotations

import threading

from core import logging
from core.clock import Clock
from core.errors import Unavailable
from db.pool import Pool
from db.tenant import service_transaction
from devices.registry import Directory, load_directory

log = logging.get(__name__)

REFRESH_SECONDS_MIN = 0.5


class DirectoryKeeper:
    """Holds the newest snapshot; every lane reads it, one of them refreshes it when a device is unknown."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        self._lock = threading.Lock()
        self._stale = threading.Event()
        self._loaded_at = float("-inf")
        self._directory = Directory({}, {})

    def current(self) -> Directory:
        """The snapshot, loaded anew first if the registry has changed since. Raises Unavailable before the first."""
        if self._stale.is_set():
            self.refresh(force=True)
        if self._loaded_at == float("-inf"):
            raise Unavailable("the device registry has not been read yet")
        return self._directory

    def mark_stale(self) -> None:
        """The registry changed."""
        self._stale.set()

    def refresh_or_raise(self) -> bool:
        """As `refresh`, but raises Unavailable where the registry could not be asked: then nobody is a stranger."""
        done = self.refresh()
        if not done and self._stale.is_set():
            raise Unavailable("the device registry cannot be read")
        return done

    def refresh(self, *, force: bool = False) -> bool:
        """Load it again unless that was just done; whether it was. An absent database leaves the old snapshot."""
        with self._lock:
            if not force and self._clock.monotonic() - self._loaded_at < REFRESH_SECONDS_MIN:
                return False
            self._stale.clear()
            try:
                with service_transaction(self._pool) as tx:
                    self._directory = load_directory(tx)
            except Unavailable as error:
                self._stale.set()
                log.warning("device registry not refreshed", error=str(error))
                return False
            self._loaded_at = self._clock.monotonic()
            return True
