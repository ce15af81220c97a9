"""Who is signed in to the pages: cookies enter, a token for the API leaves, renewed in time; forms carry a proof.

The session is the API's own token pair in one cookie that no script can read and that goes to these pages only. The
server keeps nothing of it but, for a minute, what a refresh token was exchanged for: two taps in a row, or an answer
lost on the way, must not look like a stolen token.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from api.pages.client import Api, Refused
from core.clock import Clock

RENEW_BEFORE_SECONDS: Final = 30.0
GRACE_SECONDS: Final = 60.0
GRACE_ENTRIES_MAX: Final = 10_000
_FORM_BYTES: Final = 18
_SEPARATOR: Final = "~"


@dataclass(frozen=True, slots=True)
class Site:
    """One set of pages. prefix: below which they lie; roles: whose they are."""

    prefix: str
    roles: frozenset[str]

    @property
    def cookie(self) -> str:
        return f"anhu_{self.prefix.strip('/')}"

    @property
    def form_cookie(self) -> str:
        return f"{self.cookie}_form"

    def own_path(self, path: str) -> str:
        """The path if it lies on these pages, else their first page: no link leads elsewhere after signing in."""
        inside = path == self.prefix or path.startswith((f"{self.prefix}/", f"{self.prefix}?"))
        plain = not any(one in path for one in "\\\r\n") and "//" not in path
        return path if inside and plain else self.prefix


@dataclass(frozen=True, slots=True)
class Session:
    """A token pair and when the access token runs out, Unix seconds."""

    expires: float
    access: str
    refresh: str

    @classmethod
    def of(cls, pair: dict[str, Any], clock: Clock) -> Session:
        return cls(clock.time() + float(pair["expires_in"]), pair["access_token"], pair["refresh_token"])

    @classmethod
    def read(cls, text: str) -> Session | None:
        """None for anything that has not the form; whether it is good is for the API to say."""
        parts = text.split(_SEPARATOR)
        if len(parts) != 3 or not parts[0].isdigit():
            return None
        return cls(float(parts[0]), parts[1], parts[2])

    @property
    def text(self) -> str:
        return _SEPARATOR.join((str(int(self.expires)), self.access, self.refresh))


class Renewals:
    """Exchanges refresh tokens, each once however many ask, and remembers for a minute what came of it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: OrderedDict[bytes, tuple[float, asyncio.Task[dict[str, Any]]]] = OrderedDict()

    async def renew(self, api: Api, session: Session) -> Session:
        """A session with tokens that are good. Raises Refused where the refresh token no longer is."""
        now = self._clock.monotonic()
        while self._known:
            key, (until, _) = next(iter(self._known.items()))
            if until > now and len(self._known) < GRACE_ENTRIES_MAX:
                break
            del self._known[key]
        digest = hashlib.sha256(session.refresh.encode()).digest()
        if digest not in self._known:
            task = asyncio.create_task(api.post("/auth/refresh", {"refresh_token": session.refresh}))
            self._known[digest] = (now + GRACE_SECONDS, task)
        try:
            pair = await asyncio.shield(self._known[digest][1])
        except Refused as refused:
            if refused.status not in (401, 422):  # the database may be back in a moment
                self._known.pop(digest, None)
            raise
        return Session.of(pair, self._clock)


class Forms:
    """The proof in every form that it came from a page of ours: a keyed digest of a random cookie."""

    def __init__(self, key: str, site: Site) -> None:
        self._key = hmac.new(key.encode(), f"anhu forms {site.prefix}".encode(), hashlib.sha256).digest()

    @staticmethod
    def seed() -> str:
        """A new random cookie."""
        return secrets.token_urlsafe(_FORM_BYTES)

    def proof(self, seed: str) -> str:
        """What a form of whoever holds the cookie carries."""
        return hmac.new(self._key, seed.encode(), hashlib.sha256).hexdigest()

    def fits(self, seed: str, proof: str) -> bool:
        """Whether a form was made for this cookie."""
        return bool(seed) and hmac.compare_digest(self.proof(seed).encode(), proof.encode())


def set_cookie(response: Response, request: Request, site: Site, name: str, value: str, *, seconds: int) -> None:
    """A cookie for these pages alone: not for scripts, not for other sites, under TLS for TLS only."""
    public = str(request.app.state.anhu.settings.public_url)
    secure = request.url.scheme == "https" or public.startswith("https://")
    response.set_cookie(
        name, value, max_age=seconds, path=site.prefix, secure=secure, httponly=True, samesite="lax"
    )  # fmt: skip
