"""Residents: validated bodies enter, rows are written in the caller's transaction, schemas leave."""

from __future__ import annotations

import uuid
from typing import Any
from uuid import UUID

from alerts.service import Actor
from api.access import is_staff, resident_scopes
from api.auth.accounts import Account
from api.deps import AuditTrail
from api.institution.leaving import close_sight, leave
from api.paging import cursor_id, cursor_time, decode_cursor, page
from api.residents.schemas import (
    AnyResident,
    Consent,
    ConsentCreate,
    Contact,
    ContactCreate,
    Resident,
    ResidentCreate,
    ResidentForFamily,
    ResidentPage,
    ResidentPatch,
)
from api.schemas import Names
from api.versions import check_version
from core.clock import Clock
from core.days import local_day
from core.errors import BadInput, Conflict, NotFound
from core.ids import new_id
from core.vocabulary import CONSENT_SCOPES
from db.tenant import Transaction

_CONTACTS_MAX = 20


def view(row: dict[str, Any], caller: Account, scopes: list[str]) -> AnyResident:
    """The resident as this caller may see one."""
    if is_staff(caller):
        return Resident(**row)
    return ResidentForFamily(
        id=row["id"],
        name=row["name"],
        building=row["building"],
        floor=row["floor"],
        room=row["room"],
        status=row["status"],
        scopes=scopes,  # type: ignore[arg-type]  # the database holds only known ones
    )


def list_page(
    tx: Transaction,
    caller: Account,
    *,
    cursor: str | None,
    limit: int,
    q: str | None,
    room: str | None,
    status: str | None,
) -> ResidentPage:
    """One page of the residents that the caller may see."""
    after, after_id = decode_cursor(cursor, cursor_time, cursor_id)
    viewer = None if is_staff(caller) else caller.id
    rows = tx.all(
        "residents.list",
        after=after, after_id=after_id, limit=limit + 1, q=q, room=room, status=status, viewer=viewer,
    )  # fmt: skip
    shown, following = page(rows, limit, lambda row: (row["created_at"], row["id"]))
    scopes: dict[UUID, list[str]] = {}
    if viewer:
        found = tx.all("consents.scopes_of_viewer", user=viewer, residents=[row["id"] for row in shown])
        scopes = {row["resident_id"]: row["scopes"] for row in found}
    return ResidentPage(items=[view(row, caller, scopes.get(row["id"], [])) for row in shown], next=following)


def get(tx: Transaction, caller: Account, resident: UUID) -> tuple[AnyResident, int]:
    """The resident and its version. Raises NotFound."""
    scopes = resident_scopes(tx, caller, resident)
    row = tx.one("residents.get", resident=resident)
    return view(row, caller, sorted(scopes)), row["version"]


def create(
    tx: Transaction, clock: Clock, caller: Account, body: ResidentCreate, idempotency_key: str | None
) -> tuple[Resident, bool]:
    """A new resident and whether it is new.

    With an idempotency key the id follows from the key, so that a repeated request finds what the first one made.
    Raises Conflict when the key was used for another person.
    """
    key = idempotency_key
    resident = uuid.uuid5(caller.tenant, f"resident {key}") if key else new_id(clock)
    made = tx.run("residents.insert", id=resident, tenant=caller.tenant, now=clock.now(), **body.model_dump())
    row = tx.one("residents.get", resident=resident)
    if not made and (row["name"], row["birth_date"]) != (body.name, body.birth_date):
        raise Conflict("this Idempotency-Key was used for another resident")
    return Resident(**row), bool(made)


def patch(
    tx: Transaction, clock: Clock, caller: Account, resident: UUID, body: ResidentPatch, if_match: str | None
) -> tuple[Resident, list[str]]:
    """The changed resident and the names of the changed fields.

    Who leaves for good is no longer watched over, as at the end of a stay. Raises NotFound, BadInput,
    PreconditionFailed, Conflict (a stay runs: its own end comes first).
    """
    version = tx.one("residents.lock", resident=resident)["version"]
    check_version(if_match, version)
    given = body.model_dump(exclude_unset=True)
    empty = sorted(name for name, value in given.items() if value is None and name != "care_level")
    if empty:
        raise BadInput(f"cannot be null: {', '.join(empty)}")
    row = tx.one("residents.get", resident=resident)
    changed = sorted(name for name, value in given.items() if row[name] != value)
    if "status" in changed and body.status in ("discharged", "deceased"):
        if tx.first("stays.running", resident=resident, record=None):
            raise Conflict("this person has a running stay; end the stay, and the record follows")
        leave(tx, clock, Actor(caller.id, caller.name, caller.role.value), resident, body.status)
        if body.status == "deceased":
            close_sight(tx, clock.now(), resident)
    if changed:
        tx.run("residents.update", **{**row, **given}, resident=resident, now=clock.now())
        row = tx.one("residents.get", resident=resident)
    return Resident(**row), changed


def add_contact(tx: Transaction, clock: Clock, caller: Account, resident: UUID, body: ContactCreate) -> Contact:
    """A new contact. Raises NotFound (resident or account), Conflict (position taken), BadInput (too many)."""
    tx.one("residents.lock", resident=resident)
    if body.user_id is not None and tx.first("users.get", id=body.user_id) is None:
        raise NotFound("there is no such account")
    position = body.position or tx.one("contacts.next_position", resident=resident)["position"]
    if position > _CONTACTS_MAX:
        raise BadInput(f"a resident has {_CONTACTS_MAX} contacts at most")
    row = tx.first(
        "contacts.insert",
        id=new_id(clock),
        tenant=caller.tenant,
        resident=resident,
        position=position,
        name=body.name,
        relation=body.relation,
        phone=body.phone,
        user=body.user_id,
        now=clock.now(),
    )
    if row is None:
        raise Conflict(f"position {position} is taken")
    return Contact(**row)


def give_consent(
    tx: Transaction, clock: Clock, audit: AuditTrail, caller: Account, resident: UUID, body: ConsentCreate
) -> Consent:
    """A new consent. Raises NotFound, BadInput (not a family account), Conflict (it stands already)."""
    tx.one("residents.exists", resident=resident)
    if not is_staff(caller):
        guardian = _acting(tx, clock, resident, body.scope, user=caller.id)
        if guardian is None:
            raise NotFound("there is no such resident")
        body = body.model_copy(update={"guardian_id": guardian["id"], "granted_by": guardian["name"]})
    user = tx.first("users.get", id=body.user_id)
    if user is None:
        raise NotFound("there is no such account")
    if user["role"] != "family":
        raise BadInput("a consent is given to a family account")
    _check_who_consents(tx, clock, resident, body)
    consent = new_id(clock)
    made = tx.run(
        "consents.insert",
        id=consent,
        tenant=caller.tenant,
        resident=resident,
        user=body.user_id,
        scope=body.scope,
        granted_by=body.granted_by,
        guardian=body.guardian_id,
        now=clock.now(),
    )
    if not made:
        raise Conflict("this consent stands already")
    audit.record("consent", "resident", resident, consent=str(consent), scope=body.scope, user=str(body.user_id))
    return consent_view(tx.one("consents.get", id=consent, resident=resident))


def _check_who_consents(tx: Transaction, clock: Clock, resident: UUID, body: ConsentCreate) -> None:
    """Raises BadInput where nobody who may has consented: for whoever cannot decide, a guardian with that power."""
    legal = tx.first("rights.legal", resident=resident)
    if body.guardian_id is None:
        if legal is not None and legal["capacity"] == "none":
            raise BadInput("the resident cannot decide: name the guardian who consents")
        if tx.one("residents.get", resident=resident)["status"] == "deceased":
            raise BadInput("the person has died: name who acts now")
        return
    if _acting(tx, clock, resident, body.scope, guardian=body.guardian_id) is None:
        raise BadInput("this guardian may not give this consent, or no longer")


def _acting(
    tx: Transaction, clock: Clock, resident: UUID, scope: str, guardian: UUID | None = None, user: UUID | None = None
) -> dict[str, Any] | None:
    """Who may consent to this for the resident today, by id or by account."""
    today = local_day(clock.now())
    return tx.first(
        "rights.acting", resident=resident, power=f"consent_{scope}", today=today, id=guardian, user=user
    )  # fmt: skip


def consent_of(tx: Transaction, clock: Clock, caller: Account, resident: UUID, consent: UUID) -> dict[str, Any]:
    """The consent, for somebody who may withdraw it. Raises NotFound."""
    row = tx.one("consents.get", id=consent, resident=resident)
    if is_staff(caller) or row["user_id"] == caller.id:
        return row
    if _acting(tx, clock, resident, row["scope"], user=caller.id) is None:
        raise NotFound("there is no such consent")
    return row


def consent_view(row: dict[str, Any]) -> Consent:
    """A consent with the name of its scope."""
    names = CONSENT_SCOPES[row["scope"]]
    return Consent(**row, scope_name=Names(zh=names.zh, en=names.en))
