"""How family contacts are reached: an order, quiet hours and wishes enter, the contacts as they stand leave."""

from __future__ import annotations

from datetime import time
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field, field_validator, model_validator

from alerts.rota.calendar import zone_of
from api.access import is_staff, resident_scopes
from api.deps import API, STAFF, Audit, Caller, Tx, require
from api.residents.schemas import Contact, ContactList
from api.schemas import Input
from core.errors import BadInput, NotFound
from core.vocabulary import Role

router = APIRouter(prefix=f"{API}/residents", tags=["residents"])


class ContactOrder(Input):
    """Every contact of the resident, the one to be called first at the head."""

    contact_ids: list[UUID] = Field(min_length=1, max_length=20)


class QuietHours(Input):
    """When a contact is not to be woken for what is not urgent; both empty for never."""

    quiet_from: time | None = Field(default=None, examples=["22:00"])
    quiet_to: time | None = Field(default=None, examples=["07:00"])
    zone: str = Field(default="Asia/Shanghai", max_length=64, description="IANA time zone of the contact")
    wants_updates: bool = Field(default=True, description="whether to hear who came and how it ended")

    @field_validator("quiet_from", "quiet_to")
    @classmethod
    def _wall(cls, value: time | None) -> time | None:
        if value is not None and value.tzinfo is not None:
            raise ValueError("a wall time has no offset; name the zone in `zone`")
        return value

    @model_validator(mode="after")
    def _both(self) -> QuietHours:
        if (self.quiet_from is None) != (self.quiet_to is None):
            raise ValueError("quiet hours need a begin and an end")
        return self


@router.put("/{resident_id}/contact-order", summary="联系顺序 · Order of calling", dependencies=[require(*STAFF)])
def put_contact_order(resident_id: UUID, body: ContactOrder, tx: Tx, audit: Audit) -> ContactList:
    """Names every contact exactly once; `contact:1` of a plan is then the first of them."""
    tx.one("residents.exists", resident=resident_id)
    known = {row["id"] for row in tx.all("contacts.list", resident=resident_id)}
    if len(set(body.contact_ids)) != len(body.contact_ids) or set(body.contact_ids) != known:
        raise BadInput("the order must name every contact of the resident exactly once")
    tx.run("contacts.set_aside", resident=resident_id)
    for position, contact in enumerate(body.contact_ids, 1):
        tx.run("contacts.put_back", id=contact, resident=resident_id, position=position)
    audit.record("order_contacts", "resident", resident_id)
    return ContactList(items=[Contact(**row) for row in tx.all("contacts.list", resident=resident_id)])


@router.put(
    "/{resident_id}/contacts/{contact_id}/quiet-hours",
    summary="安静时段 · Quiet hours",
    dependencies=[require(*STAFF, Role.FAMILY)],
)
def put_quiet_hours(
    resident_id: UUID, contact_id: UUID, body: QuietHours, caller: Caller, tx: Tx, audit: Audit
) -> Contact:
    """Family sets its own. What is urgent is sent at any hour."""
    resident_scopes(tx, caller, resident_id)
    zone_of(body.zone)
    user = None if is_staff(caller) else caller.id
    row = tx.first("contacts.set_quiet", id=contact_id, resident=resident_id, user=user, **body.model_dump())
    if row is None:
        raise NotFound("there is no such contact")
    audit.record("set_quiet_hours", "resident", resident_id, contact=str(contact_id))
    return Contact(**row)
