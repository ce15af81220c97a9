"""The API as any integrator has it: a method, a path and a token enter, JSON or what was refused leaves.

Requests go through the same application in the same process (ASGI), with the reader's address and request id, so that
rules, brakes and audit rows are those of the API; no page reads a database.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import httpx
from starlette.types import ASGIApp

API: Final = "/api/v1"
OTP_REQUIRED: Final = "otp-required"
PASSWORD_OWED: Final = "password-change-required"  # noqa: S105 -- a word of a problem
_SECONDS: Final = 30.0


class Refused(Exception):
    """The API said no: the status and the problem (RFC 9457) that it gave."""

    def __init__(self, status: int, problem: dict[str, Any], retry_after: str = "") -> None:
        super().__init__(f"{status} {problem.get('type', '')}")
        self.status = status
        self.problem = problem
        self.retry_after = retry_after

    @property
    def word(self) -> str:
        """The last part of the problem's type, such as `not-found`."""
        return str(self.problem.get("type", "")).rpartition(":")[2]

    @property
    def told(self) -> tuple[str, str]:
        """What the API said, for people: its title, and its own words where they are about a field."""
        fields = "; ".join(one["message"] for one in self.problem.get("errors") or ())
        own = fields or str(self.problem.get("detail") or self.problem.get("title", ""))
        return str(self.problem.get("title_zh", "未能保存")), own


def plain_id(text: str) -> str:
    """An id as a part of a path. Raises Refused: anything else is nothing that could be there."""
    try:
        return str(UUID(text))
    except ValueError:
        raise Refused(404, {}) from None


@dataclass(frozen=True, slots=True)
class Api:
    """The API for one reader. address, request_id: whose request it is; token: empty for nobody's."""

    app: ASGIApp
    address: str
    request_id: str
    token: str = ""

    async def get(self, path: str, **query: Any) -> Any:
        """The JSON of an answer. Raises Refused."""
        return (await self.send("GET", path, params=_given(query))).json()

    async def post(self, path: str, body: Any = None, **form: Any) -> Any:
        """The JSON of an answer, None where it has no body. Raises Refused."""
        answer = await self.send("POST", path, json=body, data=form or None)
        return answer.json() if answer.content else None

    async def send(self, method: str, path: str, **given: Any) -> httpx.Response:
        """Any answer below 400. Raises Refused."""
        # In a task of its own: the application binds its log context to the task it runs in.
        answer = await asyncio.create_task(self._send(method, path, given))
        if answer.status_code < httpx.codes.BAD_REQUEST:
            return answer
        kind = answer.headers.get("content-type", "")
        raise Refused(
            answer.status_code,
            answer.json() if "json" in kind else {},
            answer.headers.get("retry-after", ""),
        )

    async def _send(self, method: str, path: str, given: dict[str, Any]) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=(self.address, 0))
        headers = {"X-Request-ID": self.request_id}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        async with httpx.AsyncClient(transport=transport, base_url="http://api", timeout=_SECONDS) as client:
            return await client.request(method, f"{API}{path}", headers=headers, **given)


def _given(query: dict[str, Any]) -> dict[str, Any]:
    """Without what is not given; `from_` is `from`."""
    return {name.rstrip("_"): value for name, value in query.items() if value not in (None, "")}
