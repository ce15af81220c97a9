"""Accounts as requests need them: a user's id enters, who that is leaves, at most a few seconds old."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from core.clock import Clock
from core.errors import Forbidden
from core.vocabulary import Role
from db.pool import Pool
from db.tenant import tenant_transaction

CACHE_SECONDS: Final = 3.0
CACHE_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class Account:
    """A person who is signed in."""

    id: UUID
    institution_id: UUID | None
    site: str | None
    username: str
    role: Role
    name: str
    token_version: int
    disabled: bool
    must_change_password: bool = False
    has_otp: bool = False
    otp_demanded: bool = False
    """By the institution; the settings may demand it of a role everywhere."""

    @property
    def tenant(self) -> UUID:
        """The institution, for those who must have one. Raises Forbidden for an account of none."""
        if self.institution_id is None:
            raise Forbidden("this account belongs to no institution")
        return self.institution_id


class Accounts:
    """Looks accounts up by id, with a small cache: a disabled account is shut out within CACHE_SECONDS."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        self._lock = threading.Lock()
        self._cache: dict[UUID, tuple[float, Account | None]] = {}

    def cached(self, user_id: UUID) -> tuple[bool, Account | None]:
        """(whether the cache knows, what it knows); never waits for the database."""
        entry = self._cache.get(user_id)
        if entry is None or entry[0] <= self._clock.monotonic():
            return False, None
        return True, entry[1]

    def load(self, user_id: UUID) -> Account | None:
        """Read the account and remember it. Raises Unavailable."""
        with tenant_transaction(self._pool, None) as tx:
            row = tx.first("auth.account_by_id", id=user_id)
        account = Account(**{**row, "role": Role(row["role"])}) if row else None
        with self._lock:
            if len(self._cache) >= CACHE_MAX:
                self._cache.clear()
            self._cache[user_id] = (self._clock.monotonic() + CACHE_SECONDS, account)
        return account

    def forget_all(self) -> None:
        """Read everybody anew next time: what is demanded of accounts was changed here."""
        with self._lock:
            self._cache.clear()

    def forget(self, user_id: UUID) -> None:
        """Read it anew next time, since it was changed here."""
        with self._lock:
            self._cache.pop(user_id, None)
