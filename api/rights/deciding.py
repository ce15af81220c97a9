"""Who may decide what is shown of a resident: capacity and guardians enter, an answer for each purpose leaves.

The resident decides unless it is noted that they cannot; then a guardian whose paper names the purpose, nobody else.
"""

from __future__ import annotations

from datetime import date
from typing import Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.access import is_staff, resident_scopes
from api.auth.accounts import Account
from api.deps import API, STAFF, Audit, Caller, Tx, require
from api.residents.schemas import Scope
from api.rights.schemas import Capacity, GuardianKind
from api.schemas import Names
from api.state import State
from core.errors import NotFound
from core.vocabulary import CONSENT_SCOPES, Role
from db.tenant import Transaction

router = APIRouter(tags=["rights"])
READERS: Final = (*STAFF, Role.FAMILY)


class Decider(BaseModel):
    """Somebody who may consent for the resident."""

    guardian_id: UUID
    kind: GuardianKind
    name: str = Field(examples=["王丽"])
    relation: str = Field(examples=["女儿"])


class Deciding(BaseModel):
    """Who decides on one purpose."""

    scope: Scope
    scope_name: Names
    by: Literal["resident", "guardian", "nobody"] = Field(
        description="nobody: the resident cannot, and no guardian's paper names this purpose", examples=["guardian"]
    )
    guardians: list[Decider]
    mine: bool = Field(description="whether the caller is one of these guardians")


class Recipient(BaseModel):
    """A family account that a consent can be given to."""

    user_id: UUID
    name: str = Field(examples=["王强"])
    relation: str = Field(examples=["儿子"])


class Decisions(BaseModel):
    """Purpose by purpose who decides; to whom it can be opened is told to who may decide."""

    resident_id: UUID
    name: str = Field(examples=["张桂兰"])
    capacity: Capacity
    items: list[Deciding]
    recipients: list[Recipient]
    next: None = None


class Ward(BaseModel):
    """Somebody for whom the account may consent."""

    resident_id: UUID
    name: str = Field(examples=["张桂兰"])


class Wards(BaseModel):
    """Everybody for whom the account may consent today."""

    items: list[Ward]
    next: None = None


@router.get(
    f"{API}/residents/{{resident_id}}/deciding", summary="谁可以同意 · Who decides", dependencies=[require(*READERS)]
)
def get_deciding(resident_id: UUID, caller: Caller, tx: Tx, state: State, audit: Audit) -> Decisions:
    """For staff, for family with any consent, and for who acts for the resident. The papers are told to staff alone."""
    known = deciders(tx, resident_id, state.clock.now().date())
    own = powers_of(known, caller)
    if not own:
        resident_scopes(tx, caller, resident_id)
    person = tx.one("residents.get", resident=resident_id)
    legal = tx.first("rights.legal", resident=resident_id)
    capacity: Capacity = legal["capacity"] if legal else "full"
    audit.record("read_deciding", "resident", resident_id)
    return Decisions(
        resident_id=resident_id,
        name=person["name"],
        capacity=capacity,
        items=[_deciding(scope, names, capacity, known, own) for scope, names in CONSENT_SCOPES.items()],
        recipients=_recipients(tx, resident_id, caller, own) if own or is_staff(caller) else [],
    )


@router.get(f"{API}/family/wards", summary="代为同意的老人 · For whom I decide", dependencies=[require(Role.FAMILY)])
def list_wards(caller: Caller, tx: Tx, state: State, audit: Audit) -> Wards:
    """Whom the account acts for, also where nothing of them is open to it."""
    rows = tx.all("rights.wards", user=caller.id, today=state.clock.now().date())
    audit.record("list", "ward", "", ids=[str(row["resident_id"]) for row in rows])
    return Wards(items=[Ward(**row) for row in rows])


def deciders(tx: Transaction, resident: UUID, today: date) -> list[dict[str, Any]]:
    """Guardians whose time it is, with their powers."""
    return tx.all("rights.deciders", resident=resident, today=today)


def powers_of(known: list[dict[str, Any]], caller: Account) -> frozenset[str]:
    """The scopes that a family account may consent to for somebody else."""
    if caller.role is not Role.FAMILY:
        return frozenset()
    powers = {power for one in known if one["user_id"] == caller.id for power in one["powers"]}
    return frozenset(scope for scope in CONSENT_SCOPES if f"consent_{scope}" in powers)


def open_ledger(tx: Transaction, caller: Account, resident: UUID, today: date) -> frozenset[str]:
    """The scopes whose consents a caller sees whomever they were given to. Raises NotFound where nothing is open."""
    if is_staff(caller):
        resident_scopes(tx, caller, resident)
        return frozenset(CONSENT_SCOPES)
    own = powers_of(deciders(tx, resident, today), caller)
    if not own:
        resident_scopes(tx, caller, resident)
    elif tx.first("residents.exists", resident=resident) is None:
        raise NotFound("there is no such resident")
    return own


def _deciding(scope: str, names: Any, capacity: Capacity, known: list[dict[str, Any]], own: frozenset[str]) -> Deciding:
    acting = [one for one in known if f"consent_{scope}" in one["powers"]]
    by: Literal["resident", "guardian", "nobody"] = "resident"
    if capacity == "none":
        by = "guardian" if acting else "nobody"
    guardians = [
        Decider(guardian_id=one["id"], kind=one["kind"], name=one["name"], relation=one["relation"]) for one in acting
    ]
    return Deciding(
        scope=scope,  # type: ignore[arg-type]  # the scopes are those of the vocabulary
        scope_name=Names(zh=names.zh, en=names.en),
        by=by,
        guardians=guardians,
        mine=scope in own,
    )


def _recipients(tx: Transaction, resident: UUID, caller: Account, own: frozenset[str]) -> list[Recipient]:
    """Contacts with an account, and the caller."""
    found = {
        row["user_id"]: Recipient(user_id=row["user_id"], name=row["name"], relation=row["relation"])
        for row in tx.all("contacts.list", resident=resident)
        if row["user_id"] is not None
    }
    if own and caller.id not in found:
        found[caller.id] = Recipient(user_id=caller.id, name=caller.name, relation="")
    return list(found.values())
