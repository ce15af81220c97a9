"""Requests of a person or of who acts for them: asked and decided here, in the caller's transaction."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from api.access import is_staff
from api.auth.accounts import Account
from api.residents import service as residents
from api.residents.schemas import ResidentPatch
from api.rights.schemas import Confirmation, Decision, Guardian, RequestCreate, RightsRequest
from core.clock import Clock
from core.days import local_day
from core.errors import BadInput, BadTransition, Conflict, Forbidden, NotFound
from core.ids import new_id
from core.vocabulary import Role
from db.tenant import Transaction, open_rights_desk

ANSWER_DAYS: Final = 30
GONE: Final = ("discharged", "deceased")
_NO_REQUEST: Final = "there is no such request"


def enter(tx: Transaction, caller: Account, resident: UUID, clock: Clock, power: str | None = None) -> UUID | None:
    """Open the desk for this resident: staff always, a family account as who acts for them, with this power if named.

    Returns the guardian's id, None for staff. Raises NotFound for everybody else.
    """
    open_rights_desk(tx)
    tx.one("residents.exists", resident=resident)
    if is_staff(caller):
        return None
    for one in (power,) if power else ("access", "correction", "restriction", "erasure"):
        found = acting(tx, resident, clock, power=one, user=caller.id)
        if caller.role is Role.FAMILY and found is not None:
            return UUID(str(found["id"]))
    raise NotFound("there is no such resident")


def acting(
    tx: Transaction, resident: UUID, clock: Clock, *, power: str, guardian: UUID | None = None, user: UUID | None = None
) -> dict[str, Any] | None:
    """Who acts for a resident today with this power: by id, or by account."""
    today = local_day(clock.now())
    return tx.first("rights.acting", resident=resident, power=power, today=today, id=guardian, user=user)


def guardian_of(tx: Transaction, resident: UUID, guardian: UUID) -> Guardian:
    """One who acts or acted. Raises NotFound."""
    return Guardian(**tx.one("rights.guardians", resident=resident, id=guardian))


def ask(tx: Transaction, clock: Clock, caller: Account, resident: UUID, body: RequestCreate) -> RightsRequest:
    """Write down a request. Raises BadInput where who is named may not ask for this."""
    guardian = enter(tx, caller, resident, clock, body.kind) or body.guardian_id
    if guardian is not None and acting(tx, resident, clock, power=body.kind, guardian=guardian) is None:
        raise BadInput("this guardian may not ask for this, or no longer")
    request, now = new_id(clock), clock.now()
    changes = body.changes.model_dump(mode="json", exclude_unset=True) if body.changes else {}
    tx.run(
        "rights.add_request",
        id=request,
        tenant=caller.tenant,
        resident=resident,
        kind=body.kind,
        requested_by=body.requested_by,
        guardian=guardian,
        user=caller.id,
        reason=body.reason,
        changes=changes,
        now=now,
        due_at=now + timedelta(days=ANSWER_DAYS),
    )
    return one_request(tx, resident, request)


def one_request(tx: Transaction, resident: UUID, request: UUID, user: UUID | None = None) -> RightsRequest:
    """One request. Raises NotFound."""
    rows = tx.all("rights.requests", resident=resident, id=request, user=user, before=None, before_id=None, limit=1)
    if not rows:
        raise NotFound(_NO_REQUEST)
    return RightsRequest(**rows[0])


def decide(
    tx: Transaction, clock: Clock, caller: Account, resident: UUID, request: UUID, body: Decision, record_days: int
) -> RightsRequest:
    """Answer a request; what was granted takes effect with this transaction, an erasure once another one confirms it.

    Raises BadTransition for one that was answered, Conflict where somebody who lives here would be erased.
    """
    open_rights_desk(tx)
    row = tx.first("rights.lock_request", id=request, resident=resident)
    if row is None:
        raise NotFound(_NO_REQUEST)
    if row["state"] != "open":
        raise BadTransition(f"this request was answered: it is {row['state']}")
    state, keep_until = "refused", None
    if body.grant:
        state, keep_until = _grant(tx, clock, caller, resident, row, record_days)
    tx.run(
        "rights.decide", id=request, state=state, now=clock.now(), by=caller.id, decision=body.reason,
        keep_until=keep_until,
    )  # fmt: skip
    if state == "confirming":
        # Words without a name: a notice outlives what it speaks of.
        tx.run(
            "notices.tell_administrators", tenant=caller.tenant, now=clock.now(), but=[caller.id, row["user_id"]],
            zh="一项删除申请已由另一位管理员批准，请您复核确认或不予确认",
            en="A request for erasure was granted by another administrator and waits for your confirmation",
        )  # fmt: skip
    return one_request(tx, resident, request)


def confirm(
    tx: Transaction, clock: Clock, caller: Account, resident: UUID, request: UUID, body: Confirmation
) -> RightsRequest:
    """The second pair of eyes on a granted erasure: it runs with the next run of the jobs, or is refused and reopened.

    Raises BadTransition where nothing waits for it, Forbidden for who asked or decided.
    """
    open_rights_desk(tx)
    row = tx.first("rights.lock_request", id=request, resident=resident)
    if row is None:
        raise NotFound(_NO_REQUEST)
    if row["state"] != "confirming":
        raise BadTransition(f"nothing is to be confirmed: this request is {row['state']}")
    if caller.id in (row["user_id"], row["decided_by"]):
        raise Forbidden("who asked for an erasure, or granted it, does not confirm it")
    state = "running" if body.confirm else "refused"
    tx.run("rights.confirm", id=request, state=state, now=clock.now(), by=caller.id, reason=body.reason)
    if not body.confirm:
        tx.run("rights.lift", resident=resident)
    return one_request(tx, resident, request)


def _grant(
    tx: Transaction, clock: Clock, caller: Account, resident: UUID, row: dict[str, Any], record_days: int
) -> tuple[str, datetime | None]:
    person = tx.one("residents.get", resident=resident)
    gone = person["status"] in GONE
    if row["kind"] == "correction":
        residents.patch(tx, clock, caller, resident, ResidentPatch(**row["changes"]), None)
    if row["kind"] == "restriction":
        _restrict(tx, clock, caller, resident, row["id"], "all" if gone else "data")
    if row["kind"] != "erasure":
        return "granted", None
    if not gone:
        raise Conflict("the resident lives here: note the discharge first, or restrict, or withdraw consents")
    _restrict(tx, clock, caller, resident, row["id"], "all")
    # The record was last changed when they left, or later: the later, the safer.
    return "confirming", person["updated_at"] + timedelta(days=record_days)


def _restrict(tx: Transaction, clock: Clock, caller: Account, resident: UUID, request: UUID, level: str) -> None:
    tx.run(
        "rights.restrict", resident=resident, tenant=caller.tenant, level=level, request=request, now=clock.now()
    )  # fmt: skip
