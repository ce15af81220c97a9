"""What led to nothing is held back for a while; outcomes move personal limits; nothing urgent is touched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import REGISTRY

from alerts import restraint, service
from alerts.directory import load
from alerts.findings import release
from alerts.service import Action, Actor, Occurrence
from core.clock import ManualClock
from core.vocabulary import Severity
from db.pool import Pool
from db.tenant import service_transaction
from tests.fixtures.world import World
from tests.integration.alerts_kit import Database
from tests.integration.conftest import Api

SOMEBODY = Actor(None, "nurse", "caregiver")


@pytest.fixture
def base(database_url: str, clock: ManualClock) -> Database:
    return Database(database_url, clock)


@pytest.fixture
def pool(make_pool_for: Callable[[str], Pool]) -> Pool:
    return make_pool_for("alerts")


@pytest.fixture
def find(pool: Pool, clock: ManualClock, world: World) -> Callable[..., dict[str, Any] | None]:
    """A function that lets a detector find something about the first resident."""

    def do(kind: str = "heart_rate_unusual", severity: Severity = Severity.LOW, **more: Any) -> dict[str, Any] | None:
        clock.advance(60)
        found = Occurrence(
            institution_id=world.a.institution_id,
            type=kind,
            severity=severity,
            source=more.pop("source", "detector"),
            occurred_at=clock.now(),
            resident_id=world.a.residents[0],
            evidence={"rule": "test"},
            **more,
        )
        with service_transaction(pool) as tx:
            return service.open_or_append(tx, clock, found)

    return do


@pytest.fixture
def resolve(pool: Pool, clock: ManualClock) -> Callable[[dict[str, Any] | None, str], None]:
    def do(alert: dict[str, Any] | None, outcome: str) -> None:
        assert alert is not None
        clock.advance(60)
        with service_transaction(pool) as tx:
            service.act(tx, clock, alert_id=alert["id"], action=Action.RESOLVE, actor=SOMEBODY, outcome=outcome)

    return do


def nothing_came_of_it(find: Callable[..., Any], resolve: Callable[..., None], kind: str, times: int = 3) -> None:
    for _ in range(times):
        resolve(find(kind), "false_alarm")


def test_the_fourth_of_a_kind_that_led_to_nothing_is_held_back_with_a_record(
    base: Database, find: Callable[..., Any], resolve: Callable[..., None]
) -> None:
    nothing_came_of_it(find, resolve, "heart_rate_unusual")
    assert find() is None
    assert find() is None
    (row,) = base.rows("SELECT * FROM alert_throttles")
    assert (row["type"], row["held"], row["ended_at"]) == ("heart_rate_unusual", 2, None)
    assert (row["expires_at"] - row["begun_at"]) == restraint.HELD_FOR
    assert find("spo2_unusual") is not None, "another kind is not held back"


def test_one_that_helped_breaks_the_row(find: Callable[..., Any], resolve: Callable[..., None]) -> None:
    for outcome in ("false_alarm", "assisted", "no_action"):
        resolve(find(), outcome)
    assert find() is not None


@pytest.mark.parametrize("kind", ["sos", "fall", "smoke", "gas", "co"])
def test_pain_39_an_emergency_is_never_held_back(
    kind: str, find: Callable[..., Any], resolve: Callable[..., None]
) -> None:
    for _ in range(5):
        resolve(find(kind, Severity.CRITICAL, source="event"), "false_alarm")
    assert find(kind, Severity.CRITICAL, source="event") is not None
    assert find(kind, Severity.LOW) is not None


def test_what_is_urgent_passes(find: Callable[..., Any], resolve: Callable[..., None]) -> None:
    nothing_came_of_it(find, resolve, "news2")
    assert find("news2") is None
    assert find("news2", Severity.HIGH) is not None


def test_what_still_holds_at_the_end_opens_its_alert_and_what_is_over_does_not(
    pool: Pool, clock: ManualClock, base: Database, find: Callable[..., Any], resolve: Callable[..., None]
) -> None:
    for kind in ("heart_rate_unusual", "spo2_unusual"):
        nothing_came_of_it(find, resolve, kind)
        assert find(kind) is None
    find("spo2_unusual", phase="cleared")
    assert release(pool, clock) == 0
    clock.advance(25 * 3600)
    assert release(pool, clock) == 1
    assert [row["type"] for row in base.rows("SELECT type FROM alerts WHERE state <> 'resolved'")] == [
        "heart_rate_unusual"
    ]
    assert release(pool, clock) == 0


def test_outcomes_move_the_personal_limit_within_bounds_and_leave_an_audit_row(
    pool: Pool, clock: ManualClock, base: Database, find: Callable[..., Any], resolve: Callable[..., None]
) -> None:
    nothing_came_of_it(find, resolve, "heart_rate_unusual", times=2)
    with service_transaction(pool) as tx:
        assert restraint.learn(tx, clock) == 1
        assert restraint.learn(tx, clock) == 0
        (row,) = load(tx, clock).sensitivities
    assert (row["type"], row["factor"]) == ("heart_rate_unusual", 1.21)
    (audit,) = base.rows("SELECT * FROM audit_log WHERE action = 'learn_sensitivity'")
    assert (audit["detail"]["from"], audit["detail"]["to"]) == (1, 1.21)


@pytest.mark.parametrize(
    ("false", "useful", "factor"), [(0, 0, 1.0), (1, 0, 1.1), (50, 0, 1.5), (2, 1, 1.0), (0, 9, 0.8)]
)
def test_the_factor_is_bounded(false: int, useful: int, factor: float) -> None:
    assert restraint.factor_of(false, useful) == factor


def test_staff_see_and_end_what_is_held_back_and_how_much_they_are_called(
    api: Api, pool: Pool, clock: ManualClock, find: Callable[..., Any], resolve: Callable[..., None]
) -> None:
    nothing_came_of_it(find, resolve, "heart_rate_unusual")
    assert find() is None
    staff, other = api.as_user("caregiver"), api.as_user("caregiver", api.world.b)
    (item,) = staff.get("/api/v1/alerts/throttles").json()["items"]
    assert (item["type"], item["held"], item["pending"]) == ("heart_rate_unusual", 1, True)
    assert other.get("/api/v1/alerts/throttles").json()["items"] == []
    assert other.delete(f"/api/v1/alerts/throttles/{item['id']}").status_code == 404
    assert staff.delete(f"/api/v1/alerts/throttles/{item['id']}").status_code == 204
    clock.advance(1)
    assert release(pool, clock) == 1
    assert find() is not None
    (ended,) = staff.get("/api/v1/alerts/throttles").json()["items"]
    assert ended["ended_by"] == "caregiver a"
    load_items = staff.get("/api/v1/alerts/load").json()["items"]
    assert load_items
    assert all(one["alerts"] == 4 and one["non_actionable"] == 3 for one in load_items)
    assert other.get("/api/v1/alerts/load").json()["items"] == []


def test_pain_39_how_much_caregivers_are_called_is_a_figure_for_prometheus(
    pool: Pool, clock: ManualClock, find: Callable[..., Any], resolve: Callable[..., None], world: World
) -> None:
    def shown(name: str, **labels: str) -> float | None:
        return REGISTRY.get_sample_value(name, labels)

    code = world.a.site
    restraint.show_load(pool, clock)
    assert shown("anhu_alerts_load_per_caregiver", institution=code, statistic="busiest") is None
    nothing_came_of_it(find, resolve, "heart_rate_unusual")
    resolve(find("spo2_unusual"), "assisted")
    restraint.show_load(pool, clock)
    assert shown("anhu_alerts_load_per_caregiver", institution=code, statistic="busiest") == 4
    assert shown("anhu_alerts_load_per_caregiver", institution=code, statistic="mean") == 4
    assert shown("anhu_alerts_load_non_actionable_share", institution=code) == 0.75
    clock.advance(86_401)
    restraint.show_load(pool, clock)
    assert shown("anhu_alerts_load_per_caregiver", institution=code, statistic="busiest") is None
