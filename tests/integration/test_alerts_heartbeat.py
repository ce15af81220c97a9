"""The sign of life to the outside: from the leader alone, once a minute, and only while all is well."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from alerts.heartbeat import Heartbeat
from alerts.service import Occurrence, open_or_append
from core.clock import ManualClock
from core.errors import Misconfigured
from core.vocabulary import Severity
from db.pool import DbRole, Pool
from db.tenant import service_transaction
from tests.fixtures.world import World
from tests.integration.alerts_kit import Database, Receiver, receiver


@pytest.fixture
def base(database_url: str, clock: ManualClock) -> Database:
    return Database(database_url, clock)


@pytest.fixture
def outside() -> Iterator[Receiver]:
    with receiver() as one:
        yield one


@pytest.fixture
def pool(make_pool_for: Callable[[DbRole], Pool]) -> Pool:
    return make_pool_for("alerts")


@pytest.fixture
def heartbeat(pool: Pool, clock: ManualClock, outside: Receiver) -> Iterator[Heartbeat]:
    one = Heartbeat(pool, clock, "here:1", outside.url, allow_private=True)
    yield one
    one.close()


def live(base: Database, *roles: str) -> None:
    """A sign of life of other roles."""
    for role in roles or ("ingest", "jobs"):
        base.rows(
            "INSERT INTO heartbeats (role, instance, at) VALUES (%s, 'there', %s)"
            " ON CONFLICT (role, instance) DO UPDATE SET at = excluded.at", role, base.clock.now(),
        )  # fmt: skip


def beat(heartbeat: Heartbeat, clock: ManualClock, *, leading: bool = True) -> tuple[str, ...]:
    return heartbeat.beat(leading=leading, turned=clock.monotonic())


def test_the_leader_is_heard_once_a_minute(
    base: Database, heartbeat: Heartbeat, clock: ManualClock, outside: Receiver
) -> None:
    for second in range(0, 125, 5):
        live(base)
        assert beat(heartbeat, clock) == ()
        assert len(outside.requests) == 1 + second // 60
        clock.advance(5)
    assert outside.bodies() == [{"status": "well"}] * 3
    assert len(set(outside.keys())) == 3
    (row,) = base.rows("SELECT detail FROM heartbeats WHERE role = 'alerts'")
    assert row["detail"] == {"leading": True, "causes": []}


def test_who_does_not_lead_is_silent(
    base: Database, heartbeat: Heartbeat, clock: ManualClock, outside: Receiver
) -> None:
    live(base)
    assert beat(heartbeat, clock, leading=False) == ()
    assert outside.requests == []
    assert beat(heartbeat, clock) == ()  # at once when it takes over
    assert len(outside.requests) == 1


@pytest.mark.parametrize("role", ["ingest", "jobs"])
def test_pain_44_a_missing_role_stops_the_sign_of_life(
    base: Database, heartbeat: Heartbeat, clock: ManualClock, outside: Receiver, role: str
) -> None:
    live(base)
    clock.advance(30)
    live(base, "jobs" if role == "ingest" else "ingest")
    assert beat(heartbeat, clock) == ()
    clock.advance(0.1)
    assert beat(heartbeat, clock) == (role,)
    clock.advance(60)
    live(base)
    assert beat(heartbeat, clock) == ()
    assert len(outside.requests) == 2


def test_pain_44_detectors_that_hang_stop_the_sign_of_life(
    base: Database, heartbeat: Heartbeat, clock: ManualClock, outside: Receiver
) -> None:
    turned = clock.monotonic()
    clock.advance(30.1)
    live(base)
    assert heartbeat.beat(leading=True, turned=turned) == ("detectors",)
    assert heartbeat.beat(leading=False, turned=turned) == ()
    assert outside.requests == []


def test_pain_30_work_that_nobody_does_stops_the_sign_of_life(
    base: Database, world: World, heartbeat: Heartbeat, pool: Pool, clock: ManualClock, outside: Receiver
) -> None:
    """An event nobody takes; then a step, a page and a missed deadline that nobody runs, sends or tells."""
    base.event(world.a, "sos", "press-1")
    base.event(world.a, "door_open", "door-1")
    clock.advance(61)
    live(base)
    assert beat(heartbeat, clock) == ("events",)
    base.channel(world.a, outside.url, user=world.a.users["caregiver"].id)
    with service_transaction(pool) as tx:
        base.rows("UPDATE events SET handled_at = now()")
        home = world.a
        finding = Occurrence(home.institution_id, "sos", Severity.CRITICAL, "event", clock.now(), home.residents[0])
        open_or_append(tx, clock, finding)
    assert beat(heartbeat, clock) == ()
    assert len(outside.requests) == 1
    clock.advance(timedelta(seconds=121))
    live(base)
    assert beat(heartbeat, clock) == ("steps", "pages")
    clock.advance(timedelta(seconds=180))
    live(base)
    assert beat(heartbeat, clock) == ("steps", "pages", "deadlines")
    assert len(outside.requests) == 1


def test_only_https_and_public_addresses_are_asked(
    base: Database, pool: Pool, clock: ManualClock, outside: Receiver
) -> None:
    with pytest.raises(Misconfigured, match="ANHU_HEARTBEAT_URL"):
        Heartbeat(pool, clock, "here:1", outside.url, allow_private=False)
    private = Heartbeat(pool, clock, "here:1", outside.url.replace("http:", "https:"), allow_private=False)
    live(base)
    assert beat(private, clock) == ()
    private.close()
    assert outside.requests == []
