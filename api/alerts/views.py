"""Rows of alerts enter, what a caller may see of them leaves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from alerts.service import type_names
from api.alerts.schemas import (
    Alert,
    AlertDetail,
    DeviceBrief,
    Entry,
    NextEscalation,
    Person,
    ResidentBrief,
    Responding,
)
from api.schemas import Names
from core.vocabulary import DEVICE_KINDS, OUTCOME_NAMES, SEVERITY_NAMES, STATE_NAMES, AlertState, Outcome, Severity
from core.vocabulary import Names as Pair
from db.tenant import Transaction

_COPIED = (
    "id", "type", "severity", "state", "source", "place", "occurred_at", "opened_at", "last_occurred_at",
    "occurrences", "acknowledged_at", "on_site_at", "resolved_at", "cleared_at", "outcome", "deadline_at", "score",
    "version",
)  # fmt: skip


def names(pair: Pair) -> Names:
    """A pair of names as the API writes it."""
    return Names(zh=pair.zh, en=pair.en)


def _base(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{name: row[name] for name in _COPIED},
        "type_name": names(type_names(row["type"])),
        "severity_name": names(SEVERITY_NAMES[Severity(row["severity"])]),
        "state_name": names(STATE_NAMES[AlertState(row["state"])]),
        "outcome_name": names(OUTCOME_NAMES[Outcome(row["outcome"])]) if row["outcome"] else None,
        "test": row["evidence"].get("test") is True,
        "device": _device(row),
    }


def _device(row: Mapping[str, Any]) -> DeviceBrief | None:
    kind = row["device_kind"]
    if kind is None:
        return None
    kind_name = names(DEVICE_KINDS.get(kind, Pair(kind, kind)))
    return DeviceBrief(id=row["device_id"], kind=kind, name=row["device_name"], kind_name=kind_name)


def brief(row: Mapping[str, Any]) -> Alert:
    """An alert for a list."""
    resident = ResidentBrief(id=row["resident_id"], name=row["resident_name"]) if row["resident_id"] else None
    answered = row["response_kind"] is not None
    responding = (
        Responding(
            name=row["response_name"],
            role=row["response_role"] or "",
            since=row["response_since"],
            on_site=row["response_kind"] == "arrived",
        )
        if answered
        else None
    )
    step = None
    if row["next_whom"] is not None:
        step = NextEscalation(position=row["next_position"], whom=row["next_whom"], due_at=row["next_due_at"])
    return Alert(**_base(row), resident=resident, responding=responding, next_escalation=step)


def detail_fields(tx: Transaction, row: Mapping[str, Any], *, family: UUID | None) -> dict[str, Any]:
    """Everything of an alert.

    A family account sees who did what and when; measured values need its consent for health, and what the house
    notes for itself (whom it paged, how to get in) is not shown.
    """
    open_values = True
    if family is not None and row["resident_id"] is not None:
        scopes = {one["scope"] for one in tx.all("consents.scopes", resident=row["resident_id"], user=family)}
        open_values = "health" in scopes
    resident = None
    if row["resident_id"]:
        resident = ResidentBrief(id=row["resident_id"], name=row["resident_name"])
        if family is None:
            for name in ("building", "floor", "room", "access_notes"):
                setattr(resident, name, row[name])
            resident.phone = row["resident_phone"]
    step = tx.first("escalation.next_of_alert", alert_id=row["id"])
    rows = tx.all("alert_routes.timeline", alert_id=row["id"])
    entries = [Entry(**entry) for entry in rows]
    if family is not None:
        for entry in entries:
            entry.data = {}
    return {
        **_base(row),
        "resident": resident,
        "evidence": row["evidence"] if open_values else {},
        "responding": _responding(rows),
        "plan": row["plan"] if family is None else [],
        "acknowledged_by": _person(row["acknowledged_by"], row["acknowledged_name"]),
        "on_site_by": _person(row["on_site_by"], row["on_site_name"]),
        "resolved_by": _person(row["resolved_by"], row["resolved_name"]),
        "next_escalation": NextEscalation(**step) if step and row["state"] == AlertState.OPEN else None,
        "timeline": entries,
    }


def _responding(entries: list[dict[str, Any]]) -> Responding | None:
    """Who answered last, and whether somebody is there; the timeline knows also those who have no account."""
    answers = [entry for entry in entries if entry["kind"] in ("acknowledged", "arrived")]
    if not answers:
        return None
    last = answers[-1]
    return Responding(
        name=last["actor"], role=last["data"].get("role", ""), since=last["at"], on_site=last["kind"] == "arrived"
    )


def detail(tx: Transaction, row: Mapping[str, Any], *, family: UUID | None) -> AlertDetail:
    """An alert by itself."""
    return AlertDetail(**detail_fields(tx, row, family=family))


def _person(user_id: UUID | None, name: str | None) -> Person | None:
    return Person(id=user_id, name=name or "") if user_id else None
