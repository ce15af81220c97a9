"""From a committed event to a page: what opens, what joins, what pages again, what survives a crash."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from alerts.events import EventHandler
from alerts.notify.webhook import verify
from core.clock import ManualClock
from db.pool import Pool
from db.tenant import Transaction
from tests.fixtures.world import World
from tests.integration.alerts_kit import Database, drain, make_outbox, receiver


@pytest.fixture
def base(database_url: str, clock: ManualClock) -> Database:
    return Database(database_url, clock)


@pytest.fixture
def pool(make_pool_for: Callable[[str], Pool]) -> Pool:
    return make_pool_for("alerts")


@pytest.fixture
def handler(pool: Pool, clock: ManualClock) -> EventHandler:
    return EventHandler(pool, clock)


def test_press_becomes_a_signed_page(
    base: Database, world: World, pool: Pool, handler: EventHandler, clock: ManualClock
) -> None:
    with receiver() as phone:
        base.channel(world.a, phone.url, user=world.a.users["caregiver"].id)
        base.event(world.a, "sos", "press-1", data={"button": 1})
        assert handler.handle_all() == 1
        assert drain(make_outbox(pool, clock)) == 1
        alert = base.alert()
        assert (alert["state"], alert["severity"], alert["resident_id"]) == ("open", "critical", world.a.residents[0])
        assert alert["deadline_at"] - alert["opened_at"] == timedelta(seconds=180)
        headers, body = phone.requests[0]
    assert verify(headers["x-anhu-signature"], body, "s3cret", int(clock.time()))
    assert not verify(headers["x-anhu-signature"], body + b" ", "s3cret", int(clock.time()))
    text = phone.bodies()[0]["message"]
    assert "张老a1" in text["title"]
    assert text["body"].index("紧急呼叫") < text["body"].index("SOS pressed")
    assert "2层 201室" in text["place"]
    assert base.timeline(alert["id"]) == ["opened", "paged", "delivered"]


def test_pain_28_many_presses_at_once_are_one_alert(
    base: Database, world: World, pool: Pool, clock: ManualClock
) -> None:
    for n in range(12):
        base.event(world.a, "sos", f"press-{n}")
    barrier = threading.Barrier(4)

    def work() -> None:
        mine = EventHandler(pool, clock)
        barrier.wait()
        mine.handle_all()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alert = base.alert()
    assert alert["occurrences"] == 12
    assert base.timeline(alert["id"]).count("opened") == 1
    assert not base.rows("SELECT 1 FROM events WHERE handled_at IS NULL")
    numbers = [row["seq"] for row in base.rows("SELECT seq FROM alert_entries ORDER BY seq")]
    assert numbers == list(range(1, len(numbers) + 1))


def test_pain_29_a_new_press_pages_again_though_acknowledged(
    base: Database, world: World, handler: EventHandler
) -> None:
    base.event(world.a, "sos", "press-1")
    handler.handle_all()
    base.rows("UPDATE alerts SET state = 'acknowledged', acknowledged_at = now(), version = version + 1")
    base.event(world.a, "sos", "press-2")
    handler.handle_all()
    alert = base.alert()
    assert (alert["state"], alert["occurrences"]) == ("acknowledged", 2)
    keys = base.rows("SELECT idempotency_key FROM outbox ORDER BY created_at, id")
    assert len(keys) == len({row["idempotency_key"] for row in keys}) == 2
    assert base.timeline(alert["id"]) == ["opened", "paged", "occurred", "paged"]


def test_a_water_leak_again_is_appended_without_another_page(
    base: Database, world: World, handler: EventHandler
) -> None:
    base.event(world.a, "water_leak", "w-1")
    base.event(world.a, "water_leak", "w-2")
    handler.handle_all()
    assert base.timeline(base.alert()["id"]) == ["opened", "paged", "occurred"]


class Killed(BaseException):
    """Stands for kill -9: nothing catches it."""


def killed_at(patch: pytest.MonkeyPatch, statement: int) -> list[int]:
    """Let the nth statement from now on die; the list counts the statements."""
    count = [0]

    def dying(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Transaction, *given: Any, **named: Any) -> Any:
            count[0] += 1
            if count[0] == statement:
                raise Killed
            return method(self, *given, **named)

        return call

    for name in ("all", "first", "run"):  # `one` goes through `first`
        patch.setattr(Transaction, name, dying(Transaction.__dict__[name]))
    return count


def test_pain_40_a_crash_at_any_statement_leaves_all_or_nothing(
    base: Database, world: World, handler: EventHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    base.event(world.a, "sos", "press-1")
    for statement in range(1, 100):
        with monkeypatch.context() as patch:
            count = killed_at(patch, statement)
            try:
                handler.handle_one()
            except Killed:
                pass
            else:
                break
        for table in ("alerts", "alert_entries", "escalation_steps", "outbox"):
            left = base.rows(f"SELECT 1 FROM {table}")
            assert not left, f"{table} after statement {statement}"
        assert base.rows("SELECT 1 FROM events WHERE handled_at IS NULL")
    assert 10 < count[0] < statement < 99
    assert base.alert()["occurrences"] == 1
    assert base.timeline(base.alert()["id"]) == ["opened", "paged"]
    assert len(base.rows("SELECT 1 FROM outbox")) == 1
    assert not base.rows("SELECT 1 FROM events WHERE handled_at IS NULL")


def test_restore_annotates_and_never_resolves(base: Database, world: World, handler: EventHandler) -> None:
    base.event(world.a, "smoke", "s-1")
    base.event(world.a, "restore", "s-2", data={"type": "smoke"})
    handler.handle_all()
    alert = base.alert()
    assert alert["state"] == "open"
    assert alert["cleared_at"] is not None
    assert base.timeline(alert["id"])[-1] == "cleared"


def test_a_test_press_is_filed_and_pages_nobody(base: Database, world: World, handler: EventHandler) -> None:
    base.event(world.a, "test", "t-1")
    base.event(world.a, "test", "t-2")
    handler.handle_all()
    rows = base.rows("SELECT state, outcome FROM alerts")
    assert [(row["state"], row["outcome"]) for row in rows] == [("resolved", "test")] * 2
    assert not base.rows("SELECT 1 FROM outbox")


def test_an_unbound_device_alerts_on_itself(base: Database, world: World, handler: EventHandler) -> None:
    base.event(world.a, "smoke", "s-1", device=2)
    handler.handle_all()
    alert = base.alert()
    assert alert["resident_id"] is None
    assert alert["subject"] == f"device:{world.a.devices[2].key}"
    assert alert["place"] == "spare-a"


def test_late_is_better_than_never_and_says_so(
    base: Database, world: World, handler: EventHandler, clock: ManualClock
) -> None:
    base.event(world.a, "fall", "f-1", at=clock.now() - timedelta(hours=3))
    handler.handle_all()
    alert = base.alert()
    assert alert["evidence"]["late_seconds"] == 3 * 3600
    (note,) = base.rows("SELECT note FROM alert_entries WHERE kind = 'opened'")
    assert "3.0 h late" in note["note"]


def test_routine_events_are_marked_and_stand_behind(base: Database, world: World, handler: EventHandler) -> None:
    for n in range(20):
        base.event(world.a, "door_open", f"d-{n}")
    base.event(world.a, "sos", "press-1")
    assert handler.handle_one()
    assert base.alert()["type"] == "sos"
    handler.handle_all()
    assert not base.rows("SELECT 1 FROM events WHERE handled_at IS NULL")
    assert base.alert()["occurrences"] == 1


def test_an_event_that_cannot_be_handled_hurts_no_other(
    base: Database, world: World, handler: EventHandler, clock: ManualClock
) -> None:
    base.rows("DELETE FROM institution_streams WHERE institution_id = %s", world.b.institution_id)
    base.event(world.b, "sos", "lost")
    clock.advance(1)
    base.event(world.a, "sos", "press-1")
    handler.handle_all()
    assert base.alert()["institution_id"] == world.a.institution_id
    base.rows("INSERT INTO institution_streams (institution_id) VALUES (%s)", world.b.institution_id)
    clock.advance(31)
    handler.handle_all()
    assert len(base.rows("SELECT 1 FROM alerts")) == 2


def test_public_channels_learn_nothing(
    base: Database, world: World, pool: Pool, handler: EventHandler, clock: ManualClock
) -> None:
    with receiver() as screen:
        base.channel(world.a, screen.url, user=world.a.users["caregiver"].id, is_public=True)
        base.event(world.a, "sos", "press-1")
        handler.handle_all()
        drain(make_outbox(pool, clock))
    (body,) = screen.requests[0][1:]
    for secret in ("张老", "201", "sos", "紧急呼叫", "critical"):
        assert secret not in body.decode()


@pytest.mark.parametrize(
    ("event", "alert", "severity"),
    [("geofence_exit", "geofence_exit", "high"), ("tamper", "tamper", "medium"), ("low_battery", "battery_low", "low")],
)
def test_what_a_device_has_judged_itself_opens_the_alert_of_that_type(
    base: Database, world: World, handler: EventHandler, event: str, alert: str, severity: str
) -> None:
    base.event(world.a, event, "e-1")
    base.event(world.a, event, "e-2")
    handler.handle_all()
    opened = base.alert()
    assert (opened["type"], opened["severity"], opened["occurrences"]) == (alert, severity, 2)
    assert opened["resident_id"] == world.a.residents[0]
