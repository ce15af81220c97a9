"""The shield: pages carry a policy with a nonce, and nothing acts that another site's page has sent."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Route

from api.console.shield import Shield

PAGE = '<html><script>let a = 1</script><script type="module" src="/x.js"></script></html>'


async def page(request: Request) -> Any:
    if request.method == "POST":
        return JSONResponse({"done": True, "prefix": request.headers.get("x-forwarded-prefix")})
    return HTMLResponse(PAGE)


def ask(method: str = "GET", **headers: str) -> httpx.Response:
    app = Shield(Starlette(routes=[Route("/", page, methods=["GET", "POST"])]))

    async def go() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://duty.example:8081") as client:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return await client.request(method, "/", headers=named)

    return asyncio.run(go())


def test_every_script_of_a_page_carries_the_nonce_of_its_policy() -> None:
    answer = ask()
    policy = answer.headers["content-security-policy"]
    nonce = re.search(r"'nonce-([^']+)'", policy)
    assert nonce is not None
    assert answer.text.count("<script") == answer.text.count(f'<script nonce="{nonce[1]}"') == 2
    assert "'unsafe-inline'" not in policy.split("style-src")[0]
    assert "connect-src 'self' ws://duty.example:8081 wss://duty.example:8081;" in policy
    assert int(answer.headers["content-length"]) == len(answer.content)


def test_no_two_pages_have_the_same_nonce() -> None:
    assert len({ask().headers["content-security-policy"] for _ in range(5)}) == 5


def test_a_host_that_would_break_the_policy_is_left_out_of_it() -> None:
    assert "connect-src 'self';" in ask(host="x; script-src *").headers["content-security-policy"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://duty.example:8081"}, 200),
        ({"origin": "http://duty.example"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site"}, 403),
        ({"sec_fetch_site": "same-origin"}, 200),
        ({}, 200),
    ],
)
def test_what_another_sites_page_sends_is_refused(headers: dict[str, str], status: int) -> None:
    assert ask("POST", **headers).status_code == status


def test_a_socket_of_another_site_is_closed_before_it_opens() -> None:
    sent: list[dict[str, Any]] = []

    async def inner(*_: Any) -> None:
        raise AssertionError("it must not come so far")

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "websocket",
        "path": "/_nicegui_ws/",
        "headers": [(b"host", b"duty.example"), (b"origin", b"https://evil.example")],
    }
    asyncio.run(Shield(inner)(scope, None, send))  # type: ignore[arg-type]  # nothing is received
    assert sent == [{"type": "websocket.close", "code": 1008}]


def test_a_prefix_that_a_visitor_names_reaches_no_page() -> None:
    assert ask("POST", x_forwarded_prefix="/evil").json()["prefix"] is None
