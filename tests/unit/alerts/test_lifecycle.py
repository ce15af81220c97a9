"""Every state with every trigger, and that nothing ever goes back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import lifecycle
from alerts.lifecycle import Act, Action, Cleared, Deadlines, Effect, Raised, Reason, Snapshot
from core.errors import BadInput, BadTransition
from core.vocabulary import ALERT_TYPES, AlertState, Outcome, Severity

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RANK = {state: rank for rank, state in enumerate(AlertState)}
O, A, S, R = AlertState  # noqa: E741 -- columns of the table below


def snapshot(state: AlertState, kind: str = "sos", severity: Severity = Severity.CRITICAL, **given: object) -> Snapshot:
    outcome = Outcome.ASSISTED if state is R else None
    return Snapshot(kind, severity, state, NOW, outcome, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "action", "after", "reason"),
    [
        (O, "acknowledge", A, Reason.ACKNOWLEDGED),
        (O, "arrive", S, Reason.ARRIVED),
        (O, "resolve", R, Reason.RESOLVED),
        (O, "escalate", O, Reason.ESCALATED),
        (A, "acknowledge", A, Reason.ALREADY_ACKNOWLEDGED),
        (A, "arrive", S, Reason.ARRIVED),
        (A, "resolve", R, Reason.RESOLVED),
        (A, "escalate", A, Reason.ESCALATED),
        (S, "acknowledge", S, Reason.ALREADY_ON_SITE),
        (S, "arrive", S, Reason.ALREADY_ON_SITE),
        (S, "resolve", R, Reason.RESOLVED),
        (S, "escalate", S, Reason.ESCALATED),
        (R, "acknowledge", None, None),
        (R, "arrive", None, None),
        (R, "resolve", R, Reason.ALREADY_RESOLVED),
        (R, "escalate", None, None),
        *((state, "comment", state, Reason.COMMENTED) for state in AlertState),
    ],
)
def test_actions(state: AlertState, action: str, after: AlertState | None, reason: Reason | None) -> None:
    act = Act(Action(action), Outcome.ASSISTED if action == "resolve" else None)
    if after is None:
        with pytest.raises(BadTransition):
            lifecycle.next(snapshot(state), act, NOW)
        return
    decision = lifecycle.next(snapshot(state), act, NOW)
    assert (decision.state, decision.reason) == (after, reason)
    assert decision.changed is not decision.reason.startswith("already")


@pytest.mark.parametrize("state", [O, A, S])
def test_resolve_needs_an_outcome(state: AlertState) -> None:
    with pytest.raises(BadInput):
        lifecycle.next(snapshot(state), Act(Action.RESOLVE), NOW)


def test_another_outcome_comes_too_late() -> None:
    with pytest.raises(BadTransition):
        lifecycle.next(snapshot(R), Act(Action.RESOLVE, Outcome.HOSPITAL), NOW)


@pytest.mark.parametrize("kind", sorted(ALERT_TYPES))
@pytest.mark.parametrize("state", [O, A, S])
def test_pain_29_only_emergencies_page_again(kind: str, state: AlertState) -> None:
    decision = lifecycle.next(snapshot(state, kind), Raised(kind, Severity.CRITICAL, 1), NOW)
    assert decision.state is state
    assert Effect.APPEND in decision.effects
    assert (Effect.REPAGE in decision.effects) is (kind in {"sos", "fall", "smoke", "gas", "co"})


TECHNICAL = {
    "device_silent", "sensor_silent", "sensor_flatline", "sensor_replayed", "battery_low", "gateway_down",
    "site_offline", "ingest_down", "check_overdue", "takeover_suspected",
}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(ALERT_TYPES))
def test_pain_38_only_what_is_technical_ends_by_itself(kind: str) -> None:
    decision = lifecycle.next(snapshot(O, kind, raised_by=frozenset({1})), Cleared(1), NOW)
    assert (decision.state is R) is (kind in TECHNICAL)
    if decision.state is R:
        assert decision.outcome is Outcome.NO_ACTION


def test_one_device_back_does_not_speak_for_another() -> None:
    alert = snapshot(O, "device_silent", Severity.LOW, raised_by=frozenset({1, 2}))
    decision = lifecycle.next(alert, Cleared(1), NOW)
    assert (decision.state, decision.raised_by) == (O, frozenset({2}))


@pytest.mark.parametrize(
    ("severity", "state", "seconds"),
    [(Severity.CRITICAL, O, 180), (Severity.HIGH, O, 180), (Severity.MEDIUM, O, 3600), (Severity.LOW, A, 2700),
     (Severity.CRITICAL, A, 2700), (Severity.CRITICAL, S, 14400), (Severity.CRITICAL, R, None)],
)  # fmt: skip
def test_pain_30_every_unresolved_state_has_a_deadline(severity: Severity, state: AlertState, seconds: int) -> None:
    expected = None if seconds is None else NOW + timedelta(seconds=seconds)
    assert Deadlines().after(state, severity, NOW) == expected


triggers = st.one_of(
    st.builds(Raised, st.just("sos"), st.sampled_from(Severity), st.integers(1, 3)),
    st.builds(Cleared, st.integers(1, 3)),
    st.builds(Act, st.sampled_from(Action), st.none() | st.sampled_from(Outcome)),
)


@given(st.sampled_from(["sos", "spo2_low", "device_silent"]), st.lists(triggers, max_size=30))
def test_pain_33_nothing_ever_goes_back(kind: str, happened: list[lifecycle.Trigger]) -> None:
    """Whatever comes in whatever order: states only go on, severity only rises, a deadline stands until the end."""
    first = lifecycle.next(None, Raised(kind, Severity.LOW, 1), NOW)
    alert = Snapshot(kind, Severity.LOW, O, first.deadline_at, None, first.raised_by)
    for n, trigger in enumerate(happened):
        if isinstance(trigger, Raised):
            trigger = Raised(kind, trigger.severity, trigger.device_key)
            if alert.state is R:
                continue  # that would be a new alert
        now = NOW + timedelta(seconds=n)
        try:
            decision = lifecycle.next(alert, trigger, now)
        except BadInput:
            continue
        assert decision.state is not None
        assert RANK[decision.state] >= RANK[alert.state]
        if alert.state is R:
            assert decision.outcome in (alert.outcome, None)
            continue
        assert decision.severity is not None
        assert not lifecycle.is_worse(alert.severity, decision.severity)
        assert (decision.deadline_at is None) is (decision.state is R)
        assert (decision.outcome is not None) is (decision.state is R)
        if decision.state is R and kind != "device_silent":
            assert isinstance(trigger, Act)
        alert = Snapshot(
            kind, decision.severity, decision.state, decision.deadline_at, decision.outcome, decision.raised_by
        )


@given(st.lists(st.fixed_dictionaries({"after_seconds": st.integers(-5, 4000), "whom": st.sampled_from(
    ["on_duty", "desk", "everyone", "contact:1", "contact:21", "boss"])}), max_size=6))  # fmt: skip
def test_pain_34_a_plan_that_passes_begins_at_once_and_ends_with_somebody(steps: list[dict[str, object]]) -> None:
    from alerts.plans import LAST_RESORT_SECONDS_MAX, validate_plan

    try:
        plan = validate_plan(steps)
    except BadInput:
        return
    assert plan[0]["after_seconds"] == 0
    assert plan[-1]["whom"] in ("desk", "everyone")
    assert any(s["whom"] in ("desk", "everyone") and s["after_seconds"] <= LAST_RESORT_SECONDS_MAX for s in plan)
    assert [s["after_seconds"] for s in plan] == sorted(s["after_seconds"] for s in plan)
