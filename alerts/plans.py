"""Escalation plans: steps of (after_seconds, whom) enter, a plan that surely reaches somebody leaves, or what is wrong.

A plan is for an institution, for one of its buildings, for a type of alert, or for a type in a building; the one that
says most counts, the type before the building.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from alerts.lifecycle import is_urgent
from core.errors import BadInput
from core.vocabulary import Severity
from db.tenant import Transaction

STEPS_MAX = 20
AFTER_SECONDS_MAX = 3600
LAST_RESORT_SECONDS_MAX = 900
"""The duty desk or everyone must be reached within this time, whatever else a plan says."""

WHOM = "on_duty, desk, everyone, rescue, contact:<1-20> or user:<id>"
_WHOM = re.compile(
    r"on_duty|desk|everyone|rescue|contact:([1-9]|1\d|20)|user:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
)
_ALWAYS_THERE = ("desk", "everyone")


def default_plan() -> list[dict[str, Any]]:
    """The plan of an institution that has made none: on duty, family, desk and everyone, everyone again."""
    return [
        {"after_seconds": 0, "whom": "on_duty"},
        {"after_seconds": 60, "whom": "contact:1"},
        {"after_seconds": 60, "whom": "on_duty"},
        {"after_seconds": 180, "whom": "desk"},
        {"after_seconds": 180, "whom": "everyone"},
        {"after_seconds": 600, "whom": "everyone"},
    ]


def validate_plan(steps: Sequence[Any]) -> list[dict[str, Any]]:
    """Check a plan and bring it into order of time.

    Raises BadInput for an empty plan, a step that is not (after_seconds, whom), one that could never be reached or
    repeats another, a plan that does not begin at once, or one that does not reach desk or everyone in time.
    """
    if not isinstance(steps, list) or not steps:
        raise BadInput("a plan needs at least one step; an empty one would page nobody")
    if len(steps) > STEPS_MAX:
        raise BadInput(f"a plan has at most {STEPS_MAX} steps, this one has {len(steps)}")
    checked = sorted((_checked_step(step) for step in steps), key=lambda step: step["after_seconds"])
    if len({(step["after_seconds"], step["whom"]) for step in checked}) < len(checked):
        raise BadInput("the same step stands twice in the plan")
    if checked[0]["after_seconds"] != 0:
        raise BadInput("the first step must run at once: after_seconds 0")
    ends = [step["after_seconds"] for step in checked if step["whom"] in _ALWAYS_THERE]
    if not ends or ends[0] > LAST_RESORT_SECONDS_MAX:
        raise BadInput(f"the plan must reach desk or everyone within {LAST_RESORT_SECONDS_MAX} s")
    if ends[-1] != checked[-1]["after_seconds"]:
        raise BadInput("the last step must be desk or everyone, who are always there")
    return checked


def _checked_step(step: Any) -> dict[str, Any]:
    if not isinstance(step, dict) or set(step) != {"after_seconds", "whom"}:
        raise BadInput('a step is {"after_seconds": seconds, "whom": whom}')
    after, whom = step["after_seconds"], step["whom"]
    if isinstance(after, bool) or not isinstance(after, int) or not 0 <= after <= AFTER_SECONDS_MAX:
        raise BadInput(f"after_seconds must be a whole number from 0 to {AFTER_SECONDS_MAX}")
    if not isinstance(whom, str) or not _WHOM.fullmatch(whom):
        raise BadInput(f"whom must be {WHOM}")
    return {"after_seconds": after, "whom": whom}


def check_reachable(tx: Transaction, steps: Sequence[dict[str, Any]]) -> None:
    """Refuse steps that would find nobody in this institution. Raises BadInput."""
    wanted = {UUID(step["whom"][5:]) for step in steps if step["whom"].startswith("user:")}
    if len(tx.all("escalation.active_staff", ids=list(wanted))) < len(wanted):
        raise BadInput("a step names an account that is not active staff of this institution")
    if any(step["whom"] == "rescue" for step in steps) and tx.first("escalation.has_rescue") is None:
        raise BadInput("a step calls rescue from outside, but no rescue channel is set up yet")


def plan_for(
    tx: Transaction, institution_id: UUID, alert_type: str, severity: Severity, building: str = ""
) -> list[dict[str, Any]]:
    """The steps that a new alert freezes.

    Medium and low alerts take only the steps that run at once: they are work for the shift, and waking the family and
    the whole house for a silent sensor teaches everybody to ignore pages. Should one become urgent, the rest is added.
    """
    row = tx.first("escalation.plan_for", institution_id=institution_id, type=alert_type, building=building)
    steps: list[dict[str, Any]] = row["steps"] if row and row["steps"] else default_plan()
    if is_urgent(severity):
        return steps
    first = steps[0]["after_seconds"]
    return [step for step in steps if step["after_seconds"] == first]
