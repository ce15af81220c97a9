"""The console's way to the API, on the real application: signing in, renewing, refusals, the end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pyotp
import pytest

from api.console.client import Gateway, Refused, SignedOut
from api.console.sessions import Session, Sessions
from tests.integration.conftest import Api


def run(api: Api, story: Callable[[Gateway, Session], Awaitable[Any]], role: str = "caregiver") -> Any:
    """Sign somebody in and let a story happen."""
    user = api.world.a.users[role]

    async def go() -> Any:
        transport = httpx.ASGITransport(api.app)
        gateway = Gateway("http://api", Sessions(api.clock), api.clock, transport=transport)
        _, session = await gateway.sign_in(user.username, user.password, "", "203.0.113.7")
        try:
            return await story(gateway, session)
        finally:
            await gateway.close()

    return asyncio.run(go())


def test_somebody_who_is_signed_in_reads_as_themselves(api: Api) -> None:
    async def story(gateway: Gateway, session: Session) -> Any:
        return await gateway.pages(session, "/board", limit=1), session.me

    cards, me = run(api, story)
    assert len(cards) == 2
    assert me["role"] == "caregiver"


def test_tokens_are_renewed_before_they_end_and_once_for_all_who_wait(api: Api) -> None:
    async def story(gateway: Gateway, session: Session) -> Any:
        first = session.refresh_token
        api.clock.advance(850)
        await asyncio.gather(*(gateway.call(session, "GET", "/me") for _ in range(5)))
        second = session.refresh_token
        api.clock.advance(850)
        await gateway.call(session, "GET", "/me")
        return first, second, session.refresh_token

    assert len(set(run(api, story))) == 3


def test_a_changed_password_signs_out(api: Api) -> None:
    async def story(gateway: Gateway, session: Session) -> Any:
        body = {"current": api.world.a.users["caregiver"].password, "new": "another long secret phrase"}
        await gateway.call(session, "POST", "/me/password", json=body)
        with pytest.raises(SignedOut):
            await gateway.call(session, "GET", "/board")
        return session.ended, gateway.sessions.of_institution(str(api.world.a.institution_id))

    assert run(api, story) == (True, [])


def test_a_refusal_keeps_the_problem(api: Api) -> None:
    async def story(gateway: Gateway, session: Session) -> Any:
        with pytest.raises(Refused) as caught:
            await gateway.call(session, "GET", "/alerts/00000000-0000-7000-8000-000000000000")
        return caught.value

    error = run(api, story)
    assert (error.status, error.kind, error.problem["title_zh"]) == (404, "not-found", "未找到")


def test_signing_out_ends_the_tokens_at_the_api_too(api: Api) -> None:
    async def story(gateway: Gateway, session: Session) -> Any:
        await gateway.sign_out(session)
        return session.refresh_token

    answer = api.anonymous.post("/api/v1/auth/refresh", json={"refresh_token": run(api, story)})
    assert answer.status_code == 401


def test_a_wrong_password_is_refused(api: Api) -> None:
    async def go() -> str:
        transport = httpx.ASGITransport(api.app)
        gateway = Gateway("http://api", Sessions(api.clock), api.clock, transport=transport)
        with pytest.raises(Refused) as caught:
            await gateway.sign_in("caregiver-a", "wrong", "", "")
        await gateway.close()
        return caught.value.kind

    assert asyncio.run(go()) == "unauthenticated"


def test_an_account_with_a_second_factor_is_asked_for_its_code(api: Api) -> None:
    user = api.world.a.users["caregiver"]
    client = api.as_user("caregiver")
    secret = client.post("/api/v1/me/otp", json={"password": user.password}).json()["secret"]
    code = pyotp.TOTP(secret).at(api.clock.now())
    client.post("/api/v1/me/otp/confirm", json={"code": code}).raise_for_status()
    api.clock.advance(60)

    async def go() -> tuple[str, str]:
        transport = httpx.ASGITransport(api.app)
        gateway = Gateway("http://api", Sessions(api.clock), api.clock, transport=transport)
        with pytest.raises(Refused) as caught:
            await gateway.sign_in(user.username, user.password, "", "")
        later = pyotp.TOTP(secret).at(api.clock.now())
        _, session = await gateway.sign_in(user.username, user.password, later, "")
        await gateway.close()
        return caught.value.kind, session.role

    assert asyncio.run(go()) == ("otp-required", "caregiver")
