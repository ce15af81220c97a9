"""Steps, whom they mean, deadlines, and what people do meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest

from alerts import escalation
from alerts.audit import audit
from alerts.events import EventHandler
from alerts.service import Actor, Occurrence, act, open_or_append
from core.clock import ManualClock
from core.errors import BadTransition, Conflict, NotFound
from core.vocabulary import Severity
from db.pool import Pool
from db.tenant import service_transaction, tenant_transaction
from tests.fixtures.world import World
from tests.integration.alerts_kit import Database, drain, make_outbox, receiver


@pytest.fixture
def base(database_url: str, clock: ManualClock) -> Database:
    return Database(database_url, clock)


@pytest.fixture
def pool(make_pool_for: Callable[[str], Pool]) -> Pool:
    return make_pool_for("alerts")


@pytest.fixture
def alert(base: Database, world: World, pool: Pool, clock: ManualClock) -> UUID:
    """A resident of institution a has pressed."""
    base.event(world.a, "sos", "press-1")
    EventHandler(pool, clock).handle_all()
    return UUID(str(base.alert()["id"]))


def nurse(world: World) -> Actor:
    return Actor(world.a.users["caregiver"].id, "caregiver a", "caregiver")


def paged(base: Database) -> list[tuple[object, str]]:
    """Step and word of every `paged` entry, in order."""
    rows = base.rows("SELECT data FROM alert_entries WHERE kind = 'paged' ORDER BY seq")
    return [(row["data"]["step"], row["data"]["whom"]) for row in rows]


def test_pain_31_after_an_hour_away_steps_run_in_order_once(
    base: Database, alert: UUID, pool: Pool, clock: ManualClock
) -> None:
    assert escalation.tick(pool, clock) == 0
    clock.advance(3600)
    barrier = threading.Barrier(3)

    def work() -> None:
        barrier.wait()
        escalation.tick(pool, clock)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert paged(base) == [
        (0, "on_duty"), (1, "contact:1"), (2, "on_duty"), (3, "desk"), (4, "everyone"), (5, "everyone")
    ]  # fmt: skip
    keys = [row["idempotency_key"] for row in base.rows("SELECT idempotency_key FROM outbox")]
    assert len(keys) == len(set(keys))
    assert escalation.tick(pool, clock) == 0


def test_steps_run_when_they_are_due_and_stop_at_an_answer(
    base: Database, world: World, alert: UUID, pool: Pool, clock: ManualClock
) -> None:
    clock.advance(59)
    assert escalation.tick(pool, clock) == 0
    clock.advance(1)
    assert escalation.tick(pool, clock) == 2
    with service_transaction(pool) as tx:
        row = act(tx, clock, alert_id=alert, action="acknowledge", actor=nurse(world))
    assert (row["state"], row["changed"], row["acknowledged_by"]) == ("acknowledged", True, nurse(world).id)
    clock.advance(3600)
    assert escalation.tick(pool, clock) == 0
    assert base.timeline(alert)[-2:] == ["acknowledged", "cancelled"]


def test_pain_33_late_and_repeated_actions_never_go_back(
    base: Database, world: World, alert: UUID, pool: Pool, clock: ManualClock
) -> None:
    def do(action: str, **given: object) -> dict[str, object]:
        with service_transaction(pool) as tx:
            return act(tx, clock, alert_id=alert, action=action, actor=nurse(world), **given)  # type: ignore[arg-type]

    do("acknowledge")
    again = do("acknowledge")
    assert (again["changed"], again["reason"]) == (False, "already_acknowledged")
    do("arrive")
    assert do("acknowledge")["reason"] == "already_on_site"
    do("resolve", outcome="assisted")
    assert do("resolve", outcome="assisted")["reason"] == "already_resolved"
    for action in ("acknowledge", "arrive", "escalate"):
        with pytest.raises(BadTransition):
            do(action)
    with pytest.raises(BadTransition):
        do("resolve", outcome="hospital")
    assert do("comment", note="已回访")["state"] == "resolved"
    assert base.alert()["outcome"] == "assisted"
    assert base.timeline(alert)[2:] == ["acknowledged", "cancelled", "arrived", "resolved", "commented"]


def test_two_people_answer_at_once_and_one_is_told(
    base: Database, world: World, alert: UUID, pool: Pool, clock: ManualClock
) -> None:
    results: list[bool] = []
    barrier = threading.Barrier(4)

    def work() -> None:
        barrier.wait()
        with service_transaction(pool) as tx:
            results.append(act(tx, clock, alert_id=alert, action="acknowledge", actor=nurse(world))["changed"])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False, False, False, True]
    with service_transaction(pool) as tx, pytest.raises(Conflict):
        act(tx, clock, alert_id=alert, action="arrive", actor=nurse(world), expected_version=1)


def test_another_tenant_finds_nothing(
    world: World, alert: UUID, make_pool_for: Callable[[str], Pool], clock: ManualClock
) -> None:
    api = make_pool_for("api")
    with tenant_transaction(api, world.b.institution_id) as tx, pytest.raises(NotFound):
        act(tx, clock, alert_id=alert, action="acknowledge", actor=nurse(world))
    with tenant_transaction(api, world.a.institution_id) as tx:
        row = act(tx, clock, alert_id=alert, action="escalate", actor=nurse(world))
        assert act(tx, clock, alert_id=alert, action="resolve", actor=nurse(world), outcome="other")["changed"]
    assert row["state"] == "open"


def test_escalate_runs_the_next_step_also_after_an_answer(
    base: Database, world: World, alert: UUID, pool: Pool, clock: ManualClock
) -> None:
    with service_transaction(pool) as tx:
        act(tx, clock, alert_id=alert, action="acknowledge", actor=nurse(world))
        for _ in range(6):
            act(tx, clock, alert_id=alert, action="escalate", actor=nurse(world))
    words = [whom for _, whom in paged(base)]
    assert words == ["on_duty", "contact:1", "on_duty", "desk", "everyone", "everyone", "everyone"]


@pytest.mark.parametrize(("state", "after"), [("open", 180), ("acknowledged", 45 * 60), ("on_site", 4 * 3600)])
def test_pain_30_every_state_has_a_deadline(
    base: Database, world: World, alert: UUID, pool: Pool, clock: ManualClock, state: str, after: int
) -> None:
    with service_transaction(pool) as tx:
        for action in {"open": [], "acknowledged": ["acknowledge"], "on_site": ["arrive"]}[state]:
            act(tx, clock, alert_id=alert, action=action, actor=nurse(world))
    base.rows("UPDATE escalation_steps SET state = 'done'")
    clock.advance(after)
    assert audit(pool, clock) == 0
    clock.advance(1)
    assert audit(pool, clock) == 1
    assert audit(pool, clock) == 0
    assert base.rows("SELECT data FROM alert_entries WHERE kind = 'overdue'")[0]["data"]["state"] == state
    assert paged(base)[-1] == (f"overdue-{state}", "desk")


def test_pain_31_the_auditor_sees_steps_that_nobody_runs(
    base: Database, alert: UUID, pool: Pool, clock: ManualClock
) -> None:
    clock.advance(91)
    assert audit(pool, clock) == 2
    assert audit(pool, clock) == 0
    assert base.timeline(alert).count("stuck") == 2


def test_pain_32_steps_of_a_resolved_alert_never_page(
    base: Database, world: World, alert: UUID, pool: Pool, clock: ManualClock
) -> None:
    with receiver() as phone:
        base.channel(world.a, phone.url, contact=base.rows("SELECT id FROM contacts")[0]["id"])
        with service_transaction(pool) as tx:
            act(tx, clock, alert_id=alert, action="resolve", actor=nurse(world), outcome="false_alarm")
        base.rows("UPDATE escalation_steps SET state = 'pending' WHERE position > 0")  # as if the cancelling were lost
        clock.advance(86_400 * 60)
        assert escalation.tick(pool, clock) == 0
        assert audit(pool, clock) == 0
        drain(make_outbox(pool, clock))
    assert not phone.requests


def test_nobody_on_duty_pages_everyone_and_says_so(
    base: Database, world: World, pool: Pool, clock: ManualClock
) -> None:
    base.rows("UPDATE users SET on_duty = false")
    base.event(world.a, "sos", "press-1")
    EventHandler(pool, clock).handle_all()
    assert base.timeline(base.alert()["id"]) == ["opened", "nobody", "paged"]
    recipients = {row["recipient"] for row in base.rows("SELECT recipient FROM outbox")}
    assert recipients == {f"user:{world.a.users[role].id}" for role in ("admin", "caregiver")}


def test_family_is_paged_only_with_consent(
    base: Database, world: World, alert: UUID, pool: Pool, clock: ManualClock
) -> None:
    base.rows("UPDATE consents SET withdrawn_at = now() WHERE scope = 'alerts'")
    clock.advance(60)
    escalation.tick(pool, clock)
    assert "contact:1" not in [whom for _, whom in paged(base)]
    (entry,) = base.rows("SELECT note, data FROM alert_entries WHERE kind = 'skipped'")
    assert entry["data"] == {"whom": "contact:1", "reason": "no_consent"}
    assert "女儿" in entry["note"]


def test_low_alerts_page_one_step_until_they_get_worse(
    base: Database, world: World, pool: Pool, clock: ManualClock
) -> None:
    def finding(severity: Severity) -> Occurrence:
        home = world.a
        return Occurrence(
            home.institution_id, "spo2_low", severity, "detector", clock.now(), home.residents[0], home.devices[0].key
        )

    with service_transaction(pool) as tx:
        row = open_or_append(tx, clock, finding(Severity.MEDIUM))
    assert row is not None
    assert len(base.rows("SELECT 1 FROM escalation_steps")) == 1
    assert row["deadline_at"] - row["opened_at"] == timedelta(hours=1)
    clock.advance(30)
    with service_transaction(pool) as tx:
        open_or_append(tx, clock, finding(Severity.CRITICAL))
    after = base.alert()
    assert after["severity"] == "critical"
    assert after["deadline_at"] == clock.now() + timedelta(seconds=180)
    assert len(base.rows("SELECT 1 FROM escalation_steps")) == 6
    assert paged(base) == [(0, "on_duty"), (0, "on_duty")]


def test_silence_ends_by_itself_when_every_device_is_back(
    base: Database, world: World, pool: Pool, clock: ManualClock
) -> None:
    def told(device: int, phase: str) -> None:
        finding = Occurrence(
            world.a.institution_id, "device_silent", Severity.LOW, "detector", clock.now(), world.a.residents[0],
            device, phase=phase,  # type: ignore[arg-type]
        )  # fmt: skip
        with service_transaction(pool) as tx:
            open_or_append(tx, clock, finding)

    for device, phase in ((1, "raised"), (2, "raised"), (1, "cleared")):
        told(device, phase)
        assert base.alert()["state"] == "open"
    told(2, "cleared")
    row = base.alert()
    assert (row["state"], row["outcome"], row["acknowledged_at"]) == ("resolved", "no_action", None)
    told(1, "raised")
    assert len(base.rows("SELECT 1 FROM alerts")) == 2


def test_pain_38_a_vital_sign_back_to_normal_still_waits_for_a_person(
    base: Database, world: World, pool: Pool, clock: ManualClock
) -> None:
    for phase in ("raised", "cleared"):
        finding = Occurrence(
            world.a.institution_id, "spo2_low", Severity.HIGH, "detector", clock.now(), world.a.residents[0],
            world.a.devices[0].key, phase=phase,  # type: ignore[arg-type]
        )  # fmt: skip
        with service_transaction(pool) as tx:
            open_or_append(tx, clock, finding)
    row = base.alert()
    assert row["state"] == "open"
    assert row["cleared_at"] is not None
