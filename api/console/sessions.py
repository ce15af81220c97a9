"""Who is signed in to the console: a sign-in enters, a cookie's text leaves; the tokens stay on this side.

A browser holds a random id and nothing else. With a file, sign-ins outlive a restart: a duty room's screen comes back
by itself. The file (mode 0600) holds refresh tokens under the digest of each id, never the id.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from core.clock import Clock
from core.logging import get

log = get(__name__)

COOKIE: Final = "anhu_console"
SESSIONS_MAX: Final = 2_000
IDLE_SECONDS_MAX: Final = 14 * 86_400


@dataclass(slots=True, eq=False)
class Session:
    """One signed-in browser."""

    key: str
    """The digest of its id."""
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: float
    """When the access token ends, Unix seconds."""
    me: dict[str, Any]
    used_at: float
    address: str = ""
    ended: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)
    """Held while the tokens are renewed: a refresh token may be used once."""

    @property
    def role(self) -> str:
        return str(self.me["role"])

    @property
    def owes(self) -> list[str]:
        """What must be settled before the API opens anything else: `password`, `otp`."""
        return list(self.me.get("owes") or ())

    @property
    def institution(self) -> str | None:
        """The id of the institution; None for accounts of the region."""
        one = self.me.get("institution")
        return str(one["id"]) if one else None


class Sessions:
    """All sign-ins of this process, and their file."""

    def __init__(self, clock: Clock, path: Path | None = None) -> None:
        self._clock = clock
        self._path = path
        self._by_key: dict[str, Session] = {}
        if path is not None:
            self._read(path)

    def begin(self, tokens: dict[str, Any], me: dict[str, Any], address: str) -> tuple[str, Session]:
        """A new sign-in: the cookie's text and the session."""
        self._prune()
        text = secrets.token_urlsafe(32)
        now = self._clock.time()
        session = Session(
            key=_digest(text),
            access_token=tokens["access_token"],
            refresh_token=tokens["refresh_token"],
            expires_at=now + tokens["expires_in"],
            me=me,
            used_at=now,
            address=address,
        )
        self._by_key[session.key] = session
        self.save()
        return text, session

    def find(self, cookie: str | None) -> Session | None:
        """The session of a cookie, if it is one of ours and has not ended."""
        session = self._by_key.get(_digest(cookie)) if cookie else None
        if session is None or session.ended:
            return None
        session.used_at = self._clock.time()
        return session

    def of_institution(self, institution: str) -> list[Session]:
        """Sessions that can read for an institution, the one used last first."""
        mine = [one for one in self._by_key.values() if one.institution == institution and not one.ended]
        able = (one for one in mine if one.role in STAFF and not one.owes)
        return sorted(able, key=lambda one: -one.used_at)

    def end(self, session: Session) -> None:
        """Forget a sign-in. Safe to repeat."""
        session.ended = True
        if self._by_key.pop(session.key, None) is not None:
            self.save()

    def save(self) -> None:
        """Write the file, whole or not at all; a full disk ends no sign-in."""
        if self._path is None:
            return
        rows = [
            {"key": one.key, "refresh_token": one.refresh_token, "me": one.me, "used_at": one.used_at}
            for one in self._by_key.values()
        ]
        fresh = self._path.with_name(self._path.name + ".new")
        try:
            fresh.unlink(missing_ok=True)
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
                json.dump(rows, out)
            fresh.replace(self._path)
        except OSError as error:
            log.warning("sign-ins are not kept over a restart", error=str(error))

    def _read(self, path: Path) -> None:
        try:
            rows = json.loads(path.read_text(encoding="utf-8"))
            for row in rows:
                self._by_key[row["key"]] = Session(
                    key=row["key"],
                    access_token="",
                    refresh_token=row["refresh_token"],
                    expires_at=0.0,
                    me=row["me"],
                    used_at=row["used_at"],
                )
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("the kept sign-ins cannot be read; everybody signs in again", error=str(error))

    def _prune(self) -> None:
        """Forget what nobody has used for long, and the oldest where there are too many."""
        oldest = self._clock.time() - IDLE_SECONDS_MAX
        ordered = sorted(self._by_key.values(), key=lambda one: one.used_at)
        surplus = len(ordered) - SESSIONS_MAX + 1
        for number, one in enumerate(ordered):
            if number < surplus or one.used_at < oldest:
                one.ended = True
                del self._by_key[one.key]


STAFF: Final = ("admin", "caregiver")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
