"""The board: every resident at a glance, in pages and live, and nobody else's."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import psycopg

from api.board import service, stream
from core.clock import ManualClock
from core.metrics import BY_CODE
from db.tenant import tenant_transaction
from tests.integration.conftest import Api


def put(url: str, device_key: int, code: str, at: Any, value: float) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO latest (device_key, metric, time, value, flags, received) VALUES (%s, %s, %s, %s, 0, %s)"
            " ON CONFLICT (device_key, metric) DO UPDATE SET time = excluded.time, value = excluded.value",
            (device_key, BY_CODE[code].id, at, value, at),
        )


def alive(url: str, clock: ManualClock, *device_keys: int) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for role in ("ingest", "alerts"):
            connection.execute(
                "INSERT INTO heartbeats (role, instance, at, detail) VALUES (%s, 'x', %s, '{}')"
                " ON CONFLICT (role, instance) DO UPDATE SET at = excluded.at",
                (role, clock.now()),
            )
        for key in device_keys:
            connection.execute("UPDATE device_status SET last_sample = %s WHERE device_key = %s", (clock.now(), key))


def test_a_card_tells_place_vitals_whereabouts_and_why_nobody_watches(api: Api, database_url: str) -> None:
    band, other = api.world.a.devices[0], api.world.a.devices[1]
    alive(database_url, api.clock, band.key)
    now = api.clock.now()
    put(database_url, band.key, "heart_rate", now, 72)
    put(database_url, band.key, "motion", now - timedelta(minutes=9), 3)
    put(database_url, band.key, "bed", now - timedelta(minutes=2), 0)
    page = api.as_user("caregiver").get("/api/v1/board").json()
    assert page["trend_step_seconds"] == 300
    first, second = page["items"]
    assert [first["resident"]["room"], second["resident"]["room"]] == ["201", "202"]
    assert first["monitoring"]["level"] == "full"
    assert [(one["metric"], one["value"], one["trend"][-1]) for one in first["vitals"]] == [("heart_rate", 72, 72)]
    # An empty bed tells of nobody; the motion before it does.
    assert first["seen"]["metric"] == "motion"
    assert second["monitoring"]["level"] == "none"
    assert "尚未收到数据" in second["monitoring"]["reasons"][0]["zh"]
    assert second["resident"]["id"] == str(other.resident_id)
    assert second["seen"] is None


def test_a_device_that_moved_on_shows_nothing_of_its_former_wearer(api: Api, database_url: str) -> None:
    band = api.world.a.devices[0]
    put(database_url, band.key, "heart_rate", api.clock.now(), 72)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE bindings SET bound_to = %s WHERE device_key = %s", (api.clock.now(), band.key))
    api.clock.advance(1)
    first = api.as_user("caregiver").get("/api/v1/board").json()["items"][0]
    assert first["vitals"] == []
    assert first["monitoring"]["reasons"][-1]["en"] == "no device is bound"


def test_pages_follow_the_house_and_end(api: Api) -> None:
    client = api.as_user("admin")
    first = client.get("/api/v1/board", params={"limit": 1}).json()
    second = client.get("/api/v1/board", params={"limit": 1, "cursor": first["next"]}).json()
    assert [one["items"][0]["resident"]["room"] for one in (first, second)] == ["201", "202"]
    assert second["next"] is None
    assert client.get("/api/v1/board", params={"cursor": "WzFd"}).status_code == 422


def test_the_board_shows_one_institution_and_leaves_a_trace(api: Api, database_url: str) -> None:
    mine = {one["resident"]["id"] for one in api.as_user("caregiver").get("/api/v1/board").json()["items"]}
    assert mine == {str(one) for one in api.world.a.residents}
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT username, detail FROM audit_log WHERE action = 'read_board'").fetchone()
    assert row is not None
    assert (row[0], row[1]["residents"]) == ("caregiver-a", 2)


def test_trends_come_from_the_rollups_and_keep_gaps(api: Api, database_url: str) -> None:
    band = api.world.a.devices[0]
    now = api.clock.now()
    put(database_url, band.key, "heart_rate", now, 80)
    start = service.trend_start(now)
    way = {start + service.TREND_STEP * 3: 71.0, start + service.TREND_STEP * 5: 75.0}
    with tenant_transaction(api.app.state.anhu.pool, api.world.a.institution_id) as tx:
        rows = service.residents(tx, after=None, limit=10)
        card = service.cards(tx, rows, now, {(band.resident_id, BY_CODE["heart_rate"].id): way})[0]
    trend = card.vitals[0].trend
    assert len(trend) == service.TREND_POINTS
    assert [trend[3], trend[4], trend[5], trend[-1]] == [71.0, None, 75.0, 80]


async def first_events(pictures: stream.Pictures, institution: Any, n: int, act: Any) -> list[tuple[str, Any]]:
    found = []
    source = stream.events(pictures, institution, lambda: True, pause_seconds=0.01)
    async for text in source:
        lines = dict(line.split(": ", 1) for line in text.strip().splitlines() if not line.startswith(":"))
        if "event" not in lines:
            continue
        found.append((lines["event"], json.loads(lines["data"])))
        if found[-1][0] == "complete":
            act()
        if len(found) >= n:
            break
    await source.aclose()
    return found


def test_the_stream_tells_everybody_then_changes_then_who_left(api: Api, database_url: str) -> None:
    band = api.world.a.devices[0]
    pictures = stream.Pictures(api.app.state.anhu.pool, api.clock)

    def act() -> None:
        api.clock.advance(10)
        put(database_url, band.key, "heart_rate", api.clock.now(), 99)
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("UPDATE residents SET status = 'discharged' WHERE id = %s", (api.world.a.residents[1],))

    events = asyncio.run(first_events(pictures, api.world.a.institution_id, 4, act))
    assert [name for name, _ in events] == ["cards", "complete", "cards", "gone"]
    assert len(events[0][1]) == 2
    assert [one["vitals"][0]["value"] for one in events[2][1]] == [99]
    assert events[3][1] == [str(api.world.a.residents[1])]
    # The last listener has left, and with it the picture.
    assert pictures._by_institution == {}


def test_who_is_no_longer_welcome_hears_no_more(api: Api) -> None:
    pictures = stream.Pictures(api.app.state.anhu.pool, api.clock)

    async def listen() -> list[str]:
        events = stream.events(pictures, api.world.a.institution_id, lambda: False, pause_seconds=0.01)
        return [text async for text in events]

    heard = asyncio.run(asyncio.wait_for(listen(), 10))
    assert [text.split("\n")[0] for text in heard] == ["retry: 2000", "event: cards", "event: complete"]
