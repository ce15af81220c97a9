"""Limits on requests over HTTP: who asks too often waits, whoever answers an emergency never does."""

from __future__ import annotations

from collections.abc import Callable

from api.app import LINK_MISSES_MAX, LINK_WINDOW_SECONDS, create_app
from core.clock import ManualClock
from core.settings import Settings
from db.pool import DbRole, Pool
from tests.fixtures.world import World
from tests.integration.conftest import DEVICE_KEY, TOKEN_KEY, Api, TestClient

NO_ALERT = "/api/v1/alerts/00000000-0000-7000-8000-000000000000"


def _client(pool: Pool, clock: ManualClock, world: World, **limits: int) -> TestClient:
    app = create_app(Settings(token_key=TOKEN_KEY, device_key=DEVICE_KEY, **limits), clock, pool)
    client = TestClient(app, raise_server_exceptions=False)
    user = world.a.users["caregiver"]
    pair = client.post("/api/v1/auth/token", data={"username": user.username, "password": user.password}).json()
    client.headers["Authorization"] = f"Bearer {pair['access_token']}"
    return client


def test_an_account_that_asks_too_often_waits(
    make_pool_for: Callable[[DbRole], Pool], clock: ManualClock, world: World
) -> None:
    with _client(make_pool_for("api"), clock, world, rate_caller_per_minute=6) as client:
        for _ in range(6):
            assert client.get("/api/v1/me").status_code == 200
        refused = client.get("/api/v1/me")
        assert refused.status_code == 429
        assert refused.json()["type"] == "urn:anhu:problem:too-many-requests"
        assert int(refused.headers["retry-after"]) == 11
        assert client.post(f"{NO_ALERT}/acknowledge", json={}).status_code == 404
        assert client.get("/healthz").status_code == 200
        assert 'anhu_api_limited_total{by="caller"} 1.0' in client.get("/metrics").text
        clock.advance(11)
        assert client.get("/api/v1/me").status_code == 200


def test_an_address_that_asks_too_often_waits(
    make_pool_for: Callable[[DbRole], Pool], clock: ManualClock, world: World
) -> None:
    with _client(make_pool_for("api"), clock, world, rate_address_per_minute=3) as client:
        assert client.get("/api/v1/me").status_code == 200
        assert client.get("/api/v1/me").status_code == 200
        refused = client.get("/api/v1/me")
        assert (refused.status_code, refused.headers["content-type"]) == (429, "application/problem+json")
        assert refused.headers["x-request-id"]
        assert client.post(f"{NO_ALERT}/acknowledge", json={}).status_code == 404
        assert client.get("/readyz").status_code == 200
        with TestClient(client.app, client=("2001:db8::1", 1)) as elsewhere:
            assert [elsewhere.get("/api/v1/open-data/indicators").status_code for _ in range(3)] == [200] * 3
        with TestClient(client.app, client=("2001:db8::2", 1)) as neighbour:
            assert neighbour.get("/api/v1/open-data/indicators").status_code == 429


def test_guessing_links_is_braked(api: Api) -> None:
    for number in range(LINK_MISSES_MAX):
        assert api.anonymous.get(f"/family/a/guess{number:08d}").status_code == 404
    for braked in (api.anonymous.get("/family/a/another-guess"), api.anonymous.post("/family/a/another-guess")):
        assert braked.status_code == 429
        assert int(braked.headers["retry-after"]) <= LINK_WINDOW_SECONDS + 1
        assert "致电机构" in braked.text
    with TestClient(api.app, client=("198.51.100.1", 1)) as elsewhere:
        assert elsewhere.get("/family/a/another-guess").status_code == 404
    api.clock.advance(LINK_WINDOW_SECONDS)
    assert api.anonymous.get("/family/a/another-guess").status_code == 404
