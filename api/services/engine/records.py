"""Records of the services: a kind, a caller and a body enter, checked rows with their history leave.

Everything that happens to a record happens here: the caller's sight of it, the machine, the kind's own rules, the row,
its event, the notices and the audit entry are one transaction.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from api.access import is_staff, resident_scopes
from api.auth.accounts import Account
from api.deps import AuditTrail
from api.services.engine.kind import COLUMNS, RecordKind, Rule, Step, sight
from api.versions import check_version
from core.clock import Clock
from core.errors import BadInput, Conflict, Forbidden, NotFound
from core.ids import new_id
from core.vocabulary import Role
from db.tenant import Transaction

Row = dict[str, Any]
LATE_CREATE = "this Idempotency-Key was used for something else"


def get(tx: Transaction, caller: Account, kind: RecordKind, record: UUID) -> Row:
    """One record. Raises NotFound, also for what the caller may not see."""
    row = tx.first("records.get", id=record, **sight(kind, caller))
    if row is None:
        raise NotFound(f"there is no such {kind.names.en.lower()}")
    return row


def create(
    tx: Transaction,
    clock: Clock,
    audit: AuditTrail,
    caller: Account,
    kind: RecordKind,
    body: BaseModel,
    key: str | None,
) -> tuple[Row, bool]:
    """A new record, and whether it is new: one Idempotency-Key makes one record.

    Raises NotFound (a resident who is not the caller's), Conflict (a key used for something else), or what the kind's
    rules raise.
    """
    record_id = uuid.uuid5(caller.tenant, f"{kind.service} {kind.code} {key}") if key else new_id(clock)
    given = body.model_dump(mode="json", exclude_none=True)
    if key and (made := tx.first("records.get", id=record_id, **sight(kind, caller))) is not None:
        first = tx.all("records.events", record=record_id, after=0, limit=1)
        if first[0]["detail"] != given:
            raise Conflict(LATE_CREATE)
        return made, False
    _may_concern(tx, caller, kind, getattr(body, "resident_id", None))
    row: Row = dict.fromkeys(("resident_id", *COLUMNS))
    row |= {"id": record_id, "state": kind.machine.initial, "title": "", "detail": {}}
    step = Step(tx, clock, caller, kind.service, "create", row, body)
    _take(step, given)
    _apply(kind.rules, step)
    write_new(step, kind)
    audit.record("create", f"{kind.service}/{kind.code}", record_id)
    return get(tx, caller, kind, record_id), True


def write_new(step: Step, kind: RecordKind) -> None:
    """Write a record that is allowed, with its first event and notices. Raises Conflict when it is there already."""
    row, caller = step.record, step.caller
    _settle_row(row, kind)
    inserted = step.tx.run(
        "records.insert", tenant=caller.tenant, service=kind.service, kind=kind.code, by=step.by, now=step.now,
        final=row["state"] in kind.machine.finals, **row,
    )  # fmt: skip
    if not inserted:
        raise Conflict(LATE_CREATE)
    _apply(kind.after, step)
    _remember(step, kind, "", step.body.model_dump(mode="json", exclude_none=True))


def act(
    tx: Transaction,
    clock: Clock,
    audit: AuditTrail,
    caller: Account,
    kind: RecordKind,
    record: UUID,
    action: str,
    body: BaseModel,
    if_match: str | None = None,
) -> Row:
    """The record after the action.

    Raises NotFound, Forbidden, BadTransition, PreconditionFailed, or what the kind's rules raise.
    """
    tx.first("records.lock", id=record, service=kind.service, kind=kind.code)
    row = get(tx, caller, kind, record)
    check_version(if_match, row["version"])
    before = row["state"]
    row["state"] = kind.machine.next(before, action, caller.role)
    carry_out(Step(tx, clock, caller, kind.service, action, row, body, was=before), kind)
    audit.record(action, f"{kind.service}/{kind.code}", record, state=row["state"])
    return get(tx, caller, kind, record)


def carry_out(step: Step, kind: RecordKind) -> None:
    """Write an action that is allowed: the kind's rule, the row, its event, the notices."""
    row, person = step.record, step.record["resident_id"]
    given = step.body.model_dump(mode="json", exclude_none=True)
    _take(step, given)
    _apply(kind.rules, step)
    _settle_row(row, kind)
    columns = {name: row[name] for name in ("resident_id", *COLUMNS)}
    step.tx.run(
        "records.update", id=row["id"], state=row["state"], final=row["state"] in kind.machine.finals, now=step.now,
        detail=row["detail"], **columns,
    )  # fmt: skip
    _apply(kind.after, step)
    _remember(step, kind, step.was, given, person)


def _may_concern(tx: Transaction, caller: Account, kind: RecordKind, resident: UUID | None) -> None:
    """Whether the caller may open something for this resident."""
    if resident is None:
        if not (is_staff(caller) or kind.own or kind.private):
            raise Forbidden("a record without a resident is made by staff")
        return
    if caller.role is Role.PROVIDER:
        raise Forbidden("a provider works on what it was given")
    scopes = resident_scopes(tx, caller, resident)
    if kind.scope is not None and kind.scope not in scopes:
        raise Forbidden(f"there is no consent for {kind.scope} data of this resident")


def _take(step: Step, given: dict[str, Any]) -> None:
    """Words of the body into the columns they name, the others into the detail."""
    for name, value in given.items():
        if name in COLUMNS:
            step.record[name] = getattr(step.body, name)
        elif name == "note" and step.action != "create":
            pass  # a word about the action stays with its event
        elif name == "resident_id":
            step.record[name] = step.body.resident_id
        else:
            step.detail[name] = value


def _apply(rules: Mapping[str, Rule], step: Step) -> None:
    rule = rules.get(step.action)
    if rule is not None:
        rule(step)


def _settle_row(row: Row, kind: RecordKind) -> None:
    """What holds for rows of every kind: times in order, and nothing due in a state that is waited for by nobody."""
    if row["state"] not in kind.machine.due:
        row["due_at"] = None
    if row["starts_at"] and row["ends_at"] and row["ends_at"] < row["starts_at"]:
        raise BadInput("ends_at lies before starts_at")


def _remember(step: Step, kind: RecordKind, before: str, given: dict[str, Any], person: UUID | None = None) -> None:
    row, caller = step.record, step.caller
    step.tx.run(
        "records.add_event", tenant=caller.tenant, record=row["id"], now=step.now, user=step.by, actor=caller.name,
        role=caller.role.value, action=step.action, from_state=before, to_state=row["state"],
        detail={**given, **step.told},
    )  # fmt: skip
    if step.action == "create":
        groups = ["staff"] if not is_staff(caller) else ["family"]
        words = kind.names.zh + "已登记", f"{kind.names.en} made"
    else:
        move = kind.machine.move(step.action)
        groups, words = sorted(move.tells), (f"{kind.names.zh}：{move.names.zh}", f"{kind.names.en}: {move.names.en}")
    if Role.CAREGIVER not in kind.readers:
        # What the administration alone looks into is not told to everybody who works here.
        groups = ["admin" if one == "staff" else one for one in groups]
    if groups:
        title = f" {row['title']}" if row["title"] else ""
        step.tx.run(
            "records.notify", tenant=caller.tenant, record=row["id"], now=step.now, by=step.by, groups=groups,
            scope=kind.opened_by, resident=row["resident_id"] or person, provider=row["provider_id"],
            worker=row["worker_id"], creator=row.get("created_by"), zh=words[0] + title, en=words[1] + title,
        )  # fmt: skip
