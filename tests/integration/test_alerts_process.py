"""The alerts role as a process: pressed to paged, killed again and again, two at once, the database away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from core.clock import ManualClock, SystemClock
from tests.fixtures.processes import Role, until
from tests.fixtures.world import World
from tests.integration.alerts_kit import Database, receiver


@pytest.fixture
def clock() -> ManualClock:
    """The world is made now: the process lives by the machine's clock."""
    return ManualClock(SystemClock().time())


@pytest.fixture
def base(database_url: str, clock: ManualClock) -> Database:
    return Database(database_url, clock)


@pytest.fixture
def roles(database_url: str, tmp_path: Path) -> Iterator[list[Role]]:
    """Two processes of the role, not started."""
    environment = {"ANHU_DATABASE_URL": database_url, "ANHU_WEBHOOK_ALLOW_PRIVATE": "true"}
    made = [Role("alerts", environment, tmp_path / f"alerts-{n}.log") for n in (0, 1)]
    yield made
    for role in made:
        role.stop()


def alive(base: Database) -> bool:
    return bool(base.rows("SELECT 1 FROM heartbeats WHERE role = 'alerts'"))


def press(base: Database, world: World, n: int) -> None:
    base.clock.step(SystemClock().time() - base.clock.time())
    base.event(world.a, ("sos", "fall", "smoke")[n % 3], f"press-{n}", device=n // 3 % 3)
    base.rows("SELECT pg_notify('anhu_event', '')")


def test_pain_31_kills_lose_nothing_and_page_once(base: Database, world: World, roles: list[Role]) -> None:
    with receiver() as phone:
        base.channel(world.a, phone.url, user=world.a.users["caregiver"].id)
        for n in range(9):
            roles[0].start()
            press(base, world, n)
            SystemClock().sleep(0.9 + 0.15 * n)  # from before it is up until after the page
            roles[0].kill()
        base.rows("DELETE FROM heartbeats")
        for role in roles:
            role.start()
        until(lambda: len(base.rows("SELECT 1 FROM heartbeats")) == 2, "both alive", 30)
        until(lambda: not base.rows("SELECT 1 FROM events WHERE handled_at IS NULL"), "every event handled", 30)
        until(lambda: not base.rows("SELECT 1 FROM outbox WHERE state = 'pending'"), "every page sent", 45)
        assert len(base.rows("SELECT 1 FROM alerts")) == 9
        first = base.rows("SELECT idempotency_key FROM outbox WHERE channel_kind = 'webhook' AND attempts > 0")
        assert {row["idempotency_key"] for row in first} == set(phone.keys())
        paged = {body["alert_id"] for body in phone.bodies()}
        assert len(paged) == 9
    for role in roles:
        assert role.stop() == 0, role.log()[-2000:]


def test_the_database_may_go_and_come(base: Database, world: World, roles: list[Role]) -> None:
    roles[0].start()
    until(lambda: alive(base), "a sign of life")
    with psycopg.connect(base.url, autocommit=True) as connection:
        name = connection.info.dbname
    admin = psycopg.conninfo.make_conninfo(base.url, dbname="postgres")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        SystemClock().sleep(2)
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    press(base, world, 0)
    until(lambda: base.rows("SELECT 1 FROM alerts"), "the alert after the database's return", 30)
    begun = SystemClock().monotonic()
    assert roles[0].stop() == 0
    assert SystemClock().monotonic() - begun < 5


def test_pressed_to_paged_takes_moments(base: Database, world: World, roles: list[Role]) -> None:
    """Half of twenty presses are with the receiver within 300 ms, on whatever machine runs this."""
    roles[0].start()
    until(lambda: alive(base), "a sign of life")
    with receiver() as phone:
        base.channel(world.a, phone.url, user=world.a.users["caregiver"].id)
        spans = []
        for n in range(9):
            begun = SystemClock().monotonic()
            press(base, world, n)
            until(lambda n=n: len(phone.requests) > n, f"page {n}", 10)
            spans.append(SystemClock().monotonic() - begun)
    assert sorted(spans)[len(spans) // 2] < 0.3, spans
