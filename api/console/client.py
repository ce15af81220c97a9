"""The public HTTP API as one signed-in person: a path enters, JSON or a typed refusal leaves.

Errors: `ConsoleError` ├ `Away` the API cannot be reached or is not ready ├ `SignedOut` sign in again
└ `Refused` it said no, with a problem for people.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx

from api.console.sessions import Session, Sessions
from core.clock import Clock

API: Final = "/api/v1"
RENEW_BEFORE_SECONDS: Final = 60.0
TIMEOUT: Final = httpx.Timeout(10.0, connect=3.0)
DOCUMENT_SECONDS_MAX: Final = 60.0
"""A fresh API needs seconds to describe itself for the first time."""
STREAM_SILENT_SECONDS: Final = 25.0
"""The API's streams give a sign of life each 15 seconds."""
CONNECTIONS_MAX: Final = 100
OWED: Final = {"password-change-required": "password", "otp-enrolment-required": "otp"}
"""Kinds of refusal that say what an account must settle first, and what the API's `/me` calls that."""


class ConsoleError(Exception):
    """Something that a person is told."""


class Away(ConsoleError):
    """The API cannot be reached, or cannot serve at the moment; trying again helps."""


class SignedOut(ConsoleError):
    """The sign-in is over."""


class Refused(ConsoleError):
    """The API said no."""

    def __init__(self, status: int, problem: dict[str, Any], retry_after: str = "") -> None:
        super().__init__(str(problem.get("detail") or problem.get("title") or status))
        self.status = status
        self.problem = problem
        self.retry_after = retry_after

    @property
    def kind(self) -> str:
        """The last word of the problem's type: `conflict`, `otp-required`."""
        return str(self.problem.get("type", "")).rsplit(":", 1)[-1]


class Gateway:
    """The way to the API for all sessions of this process."""

    def __init__(
        self, url: str, sessions: Sessions, clock: Clock, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.sessions = sessions
        self.clock = clock
        self._document: dict[str, Any] = {}
        limits = httpx.Limits(max_connections=CONNECTIONS_MAX, max_keepalive_connections=CONNECTIONS_MAX)
        self._http = httpx.AsyncClient(
            base_url=url, timeout=TIMEOUT, limits=limits, transport=transport, trust_env=False, follow_redirects=False
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def sign_in(self, username: str, password: str, otp: str, address: str) -> tuple[str, Session]:
        """A new session and its cookie's text. Raises Refused (`otp-required`: ask for the code) or Away."""
        form = {"username": username, "password": password} | ({"otp": otp} if otp else {})
        tokens = _read(await self._send("POST", "/auth/token", address=address, data=form))
        header = {"Authorization": f"Bearer {tokens['access_token']}"}
        me = _read(await self._send("GET", "/me", address=address, headers=header))
        return self.sessions.begin(tokens, me, address)

    async def look_again(self, session: Session) -> None:
        """Read anew who this is: what the account owes, and whether it has a second factor."""
        session.me = await self.call(session, "GET", "/me")
        self.sessions.save()

    async def sign_out(self, session: Session) -> None:
        """End the sign-in here, and at the API if it can be reached."""
        self.sessions.end(session)
        body = {"refresh_token": session.refresh_token}
        try:
            await self._send("POST", "/auth/logout", address=session.address, json=body)
        except Away:
            return

    async def document(self) -> dict[str, Any]:
        """The API's description of itself (OpenAPI), read once. Raises Away, Refused."""
        if not self._document:
            try:
                self._document = _read(await self._http.get("/openapi.json", timeout=DOCUMENT_SECONDS_MAX))
            except httpx.HTTPError as error:
                raise Away(str(error)) from error
        return self._document

    async def alive(self) -> bool:
        """Whether the API can serve now."""
        try:
            return (await self._http.get("/readyz", timeout=3.0)).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    async def call(self, session: Session, method: str, path: str, **content: Any) -> Any:
        """One request below `/api/v1` as this person; JSON, or None where there is no body.

        content: `params`, `json`, `headers` as httpx takes them. Raises Away, SignedOut, Refused.
        """
        given = content.pop("headers", {})
        for attempt in (1, 2):
            token = await self.token(session)
            headers = {**given, "Authorization": f"Bearer {token}"}
            answer = await self._send(method, path, address=session.address, headers=headers, **content)
            if answer.status_code != httpx.codes.UNAUTHORIZED:
                return _read_for(session, answer)
            if attempt == 1:
                await self._renew(session, stale=token)
        self.sessions.end(session)
        raise SignedOut

    async def file(self, session: Session, path: str, **params: Any) -> httpx.Response:
        """A document below `/api/v1` as this person, as it is. Raises Away, SignedOut, Refused."""
        header = {"Authorization": f"Bearer {await self.token(session)}"}
        answer = await self._send("GET", path, address=session.address, headers=header, params=params)
        if not answer.is_success:
            _read(answer)
        return answer

    async def pages(self, session: Session, path: str, *, most: int = 5_000, **params: Any) -> list[dict[str, Any]]:
        """All items of a paged list, `most` at most."""
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        while len(items) < most:
            page = await self.call(session, "GET", path, params={**params, **({"cursor": cursor} if cursor else {})})
            items += page["items"]
            cursor = page.get("next")
            if cursor is None:
                break
        return items[:most]

    async def token(self, session: Session) -> str:
        """An access token that will hold for a while."""
        if session.ended:
            raise SignedOut
        if self.clock.time() > session.expires_at - RENEW_BEFORE_SECONDS:
            await self._renew(session, stale=session.access_token)
        return session.access_token

    @asynccontextmanager
    async def stream(self, session: Session, path: str, last_id: str | None) -> AsyncIterator[AsyncIterator[str]]:
        """The lines of a server-sent stream. Raises Away when it breaks or falls silent, SignedOut, Refused."""
        headers = {"Authorization": f"Bearer {await self.token(session)}", "Accept": "text/event-stream"}
        if last_id:
            headers["Last-Event-ID"] = last_id
        timeout = httpx.Timeout(TIMEOUT.read, read=STREAM_SILENT_SECONDS)
        try:
            async with self._http.stream("GET", API + path, headers=headers, timeout=timeout) as answer:
                if answer.status_code != httpx.codes.OK:
                    await answer.aread()
                    if answer.status_code == httpx.codes.UNAUTHORIZED:
                        await self._renew(session, stale=session.access_token)
                        raise Away("the stream needs a newer token")
                    _read_for(session, answer)
                yield answer.aiter_lines()
        except httpx.HTTPError as error:
            raise Away(str(error)) from error

    async def _renew(self, session: Session, *, stale: str) -> None:
        async with session.lock:
            if session.access_token != stale or session.ended:
                return
            body = {"refresh_token": session.refresh_token}
            answer = await self._send("POST", "/auth/refresh", address=session.address, json=body)
            if answer.status_code == httpx.codes.UNAUTHORIZED:
                self.sessions.end(session)
                raise SignedOut
            tokens = _read(answer)
            session.access_token = tokens["access_token"]
            session.refresh_token = tokens["refresh_token"]
            session.expires_at = self.clock.time() + tokens["expires_in"]
            self.sessions.save()

    async def _send(self, method: str, path: str, *, address: str, **content: Any) -> httpx.Response:
        # The API records and throttles by where a person is, not by where the console runs.
        headers = {**content.pop("headers", {}), **({"X-Forwarded-For": address} if address else {})}
        try:
            answer = await self._http.request(method, API + path, headers=headers, **content)
        except httpx.HTTPError as error:
            raise Away(str(error) or type(error).__name__) from error
        if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise Away(f"the API answered {answer.status_code}")
        return answer


def _read_for(session: Session, answer: httpx.Response) -> Any:
    """The JSON of an answer; what the account turns out to owe is noted. Raises Refused."""
    try:
        return _read(answer)
    except Refused as refused:
        if (owed := OWED.get(refused.kind)) and owed not in session.owes:
            session.me["owes"] = [*session.owes, owed]
        raise


def _read(answer: httpx.Response) -> Any:
    """The JSON of an answer. Raises Refused."""
    if answer.is_success:
        return answer.json() if answer.content else None
    try:
        problem = answer.json()
    except ValueError:
        problem = {"title": answer.reason_phrase, "status": answer.status_code}
    raise Refused(answer.status_code, problem, answer.headers.get("retry-after", ""))
