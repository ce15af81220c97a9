"""Routes of residents, contacts and consents."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response

from api.deps import API, STAFF, Audit, Caller, Tx, require
from api.paging import LIMIT_DEFAULT, Cursor, Limit
from api.residents import service
from api.residents.schemas import (
    AnyResident,
    Consent,
    ConsentCreate,
    ConsentList,
    Contact,
    ContactCreate,
    ContactList,
    Resident,
    ResidentCreate,
    ResidentPage,
    ResidentPatch,
    Status,
)
from api.rights.deciding import open_ledger
from api.schemas import ShortText
from api.state import State
from api.versions import IfMatch, etag
from core.errors import Conflict, NotFound
from core.vocabulary import Role

router = APIRouter(prefix=f"{API}/residents", tags=["residents"])
READERS = (*STAFF, Role.FAMILY)

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=128,
        pattern=r"^[\x21-\x7e]+$",
        description="重复请求只生效一次 · repeating a request has no further effect",
    ),
]


@router.get("", summary="老人列表 · List residents", dependencies=[require(*READERS)])
def list_residents(
    caller: Caller,
    tx: Tx,
    audit: Audit,
    q: Annotated[ShortText | None, Query(description="part of name, building or room", examples=["王"])] = None,
    room: Annotated[ShortText | None, Query(examples=["203"])] = None,
    status: Annotated[Status | None, Query()] = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> ResidentPage:
    """The institution's residents for staff; for family those who have consented."""
    found = service.list_page(tx, caller, cursor=cursor, limit=limit, q=q, room=room, status=status)
    audit.record("list", "resident", "", ids=[str(one.id) for one in found.items])
    return found


@router.post(
    "",
    summary="登记老人 · Add a resident",
    status_code=201,
    responses={200: {"model": Resident, "description": "made before, by the same Idempotency-Key"}},
    dependencies=[require(Role.ADMIN)],
)
def create_resident(
    body: ResidentCreate, caller: Caller, tx: Tx, state: State, audit: Audit, response: Response,
    idempotency_key: IdempotencyKey = None,
) -> Resident:  # fmt: skip
    """A repeated request with the same Idempotency-Key answers 200 with the resident that the first one made."""
    resident, made = service.create(tx, state.clock, caller, body, idempotency_key)
    if made:
        audit.record("create", "resident", resident.id)
    else:
        response.status_code = 200
        audit.record("read", "resident", resident.id)
    response.headers["ETag"] = etag(resident.version)
    response.headers["Location"] = f"{API}/residents/{resident.id}"
    return resident


@router.get("/{resident_id}", summary="老人详情 · One resident", dependencies=[require(*READERS)])
def get_resident(resident_id: UUID, caller: Caller, tx: Tx, audit: Audit, response: Response) -> AnyResident:
    """What the caller may see of the resident; the ETag holds the version."""
    resident, version = service.get(tx, caller, resident_id)
    audit.record("read", "resident", resident_id)
    response.headers["ETag"] = etag(version)
    return resident


@router.patch("/{resident_id}", summary="修改老人信息 · Change a resident", dependencies=[require(*STAFF)])
def patch_resident(
    resident_id: UUID, body: ResidentPatch, caller: Caller, tx: Tx, state: State, audit: Audit, response: Response,
    if_match: IfMatch = None,
) -> Resident:  # fmt: skip
    """With If-Match, a resident whom somebody else has changed since answers 412. Somebody with a running stay leaves
    by ending the stay; who leaves for good is no longer watched over."""
    resident, changed = service.patch(tx, state.clock, caller, resident_id, body, if_match)
    audit.record("update", "resident", resident_id, fields=changed)
    response.headers["ETag"] = etag(resident.version)
    return resident


@router.get("/{resident_id}/contacts", summary="联系人 · Contacts", dependencies=[require(*STAFF)])
def list_contacts(resident_id: UUID, tx: Tx, audit: Audit) -> ContactList:
    """Whom to call, in order."""
    tx.one("residents.exists", resident=resident_id)
    audit.record("read_contacts", "resident", resident_id)
    return ContactList(items=[Contact(**row) for row in tx.all("contacts.list", resident=resident_id)])


@router.post(
    "/{resident_id}/contacts", summary="添加联系人 · Add a contact", status_code=201, dependencies=[require(*STAFF)]
)
def add_contact(resident_id: UUID, body: ContactCreate, caller: Caller, tx: Tx, state: State, audit: Audit) -> Contact:
    """A contact with an account still sees nothing without a consent."""
    contact = service.add_contact(tx, state.clock, caller, resident_id, body)
    audit.record("add_contact", "resident", resident_id, contact=str(contact.id))
    return contact


@router.delete(
    "/{resident_id}/contacts/{contact_id}",
    summary="删除联系人 · Remove a contact",
    status_code=204,
    dependencies=[require(*STAFF)],
)
def remove_contact(resident_id: UUID, contact_id: UUID, tx: Tx, audit: Audit) -> None:
    """Removes the contact and the channels under which it was paged."""
    if not tx.run("contacts.delete", id=contact_id, resident=resident_id):
        raise NotFound("there is no such contact")
    audit.record("remove_contact", "resident", resident_id, contact=str(contact_id))


@router.get("/{resident_id}/consents", summary="知情同意 · Consents", dependencies=[require(*READERS)])
def list_consents(resident_id: UUID, caller: Caller, tx: Tx, state: State, audit: Audit) -> ConsentList:
    """Staff see all; a family account sees those given to it, and as guardian those it may give and withdraw."""
    decides = open_ledger(tx, caller, resident_id, state.clock.now().date())
    rows = tx.all("consents.list", resident=resident_id)
    if caller.role is Role.FAMILY:
        rows = [row for row in rows if row["user_id"] == caller.id or row["scope"] in decides]
    audit.record("read_consents", "resident", resident_id)
    return ConsentList(items=[service.consent_view(row) for row in rows])


@router.post(
    "/{resident_id}/consents", summary="登记同意 · Give a consent", status_code=201, dependencies=[require(*READERS)]
)
def give_consent(resident_id: UUID, body: ConsentCreate, caller: Caller, tx: Tx, state: State, audit: Audit) -> Consent:
    """One consent per account and purpose, as the law asks for separate ones. Family gives one only as guardian."""
    return service.give_consent(tx, state.clock, audit, caller, resident_id, body)


@router.post(
    "/{resident_id}/consents/{consent_id}/withdraw",
    summary="撤回同意 · Withdraw a consent",
    dependencies=[require(*READERS)],
)
def withdraw_consent(
    resident_id: UUID, consent_id: UUID, caller: Caller, tx: Tx, state: State, audit: Audit
) -> Consent:
    """Takes effect at once: the next read is refused. The record stays.

    A family account withdraws what was given to it, or what it may consent to as guardian.
    """
    row = service.consent_of(tx, state.clock, caller, resident_id, consent_id)
    if not tx.run("consents.withdraw", id=consent_id, resident=resident_id, now=state.clock.now()):
        raise Conflict("this consent was withdrawn before")
    audit.record("withdraw_consent", "resident", resident_id, consent=str(consent_id), scope=row["scope"])
    return service.consent_view(tx.one("consents.get", id=consent_id, resident=resident_id))
