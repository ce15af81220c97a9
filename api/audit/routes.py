"""Route of the audit log: who read or wrote what."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.auth.accounts import Account
from api.deps import API, Audit, Caller, Tx, require
from api.paging import LIMIT_DEFAULT, Cursor, Limit, Page, cursor_number, decode_cursor, page
from api.schemas import ShortText
from core.errors import NotFound
from core.ids import SITE_PATTERN
from core.vocabulary import Role
from db.tenant import Transaction

router = APIRouter(prefix=API, tags=["audit"])


class AuditEntry(BaseModel):
    """One thing that somebody did."""

    id: int
    at: datetime
    user_id: UUID | None
    username: str
    role: str
    action: str = Field(examples=["read"])
    object_type: str = Field(examples=["resident"])
    object_id: str
    detail: dict[str, Any]
    request_id: str
    address: str
    success: bool
    purpose: str = Field(description="what the data was used for", examples=["care"])


class Seal(BaseModel):
    """One sealed batch of the log. Whoever keeps a hash elsewhere can tell later whether anything was changed."""

    number: int = Field(examples=[1042])
    rows: int = Field(examples=[87])
    first_at: datetime
    last_at: datetime
    sealed_at: datetime
    hash: str = Field(description="SHA-256 over the batch and the hash before it", examples=["9f86d081884c7d65…"])
    dropped_at: datetime | None = Field(description="when the rows were past their age; the seal stays")


class SealPage(Page[Seal]):
    """Sealed batches, newest first; the first hash is the head of the chain."""


class Fault(BaseModel):
    """Where the log is not as it was sealed."""

    number: int = Field(description="the batch")
    fault: Literal[
        "batch_missing", "chain_broken", "seal_changed", "row_missing", "row_changed", "row_added", "batch_changed",
        "dropped_too_early",
    ]  # fmt: skip
    row_id: int | None = Field(description="the row of the log, where one can be named")


class Verification(BaseModel):
    """Part of the chain, computed again. Pass `next` back as `after` until it is null."""

    ok: bool
    batches: int = Field(examples=[200])
    rows: int = Field(examples=[8431])
    hash: str | None = Field(description="the hash at the end of this part")
    faults: list[Fault]
    next: int | None


class AuditPage(Page[AuditEntry]):
    """What was done, newest first."""


@router.get("/audit", summary="审计日志 · Audit log", dependencies=[require(Role.ADMIN)])
def list_audit(
    tx: Tx,
    audit: Audit,
    object_type: Annotated[ShortText | None, Query(examples=["resident"])] = None,
    object_id: Annotated[ShortText | None, Query(description="for example a resident's id")] = None,
    user: Annotated[UUID | None, Query()] = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> AuditPage:
    """Who read or wrote what in the institution; looking here is itself recorded."""
    (before,) = decode_cursor(cursor, cursor_number)
    rows = tx.all("audit.list", before=before, object_type=object_type, object_id=object_id, user=user, limit=limit + 1)
    shown, following = page(rows, limit, lambda row: (row["id"],))
    audit.record("list", "audit_log")
    return AuditPage(items=[AuditEntry(**row) for row in shown], next=following)


VERIFIERS: Final = (Role.ADMIN, Role.REGULATOR, Role.PLATFORM)
KEPT_MIN: Final = timedelta(days=180)
FAULTS_MAX: Final = 500
Site = Annotated[str | None, Query(pattern=f"^{SITE_PATTERN}$", description="for accounts of no institution")]


@router.get("/audit/seals", summary="审计封存 · Sealed batches of the log", dependencies=[require(*VERIFIERS)])
def list_seals(
    caller: Caller, tx: Tx, audit: Audit, site: Site = None, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None
) -> SealPage:
    """Each hash covers its batch and every one before. Keep one elsewhere, on paper even, and compare it later."""
    (before,) = decode_cursor(cursor, cursor_number)
    rows = tx.all("audit.seals", institution=_chain(tx, caller, site), before=before, limit=limit + 1)
    shown, following = page(rows, limit, lambda row: (row["number"],))
    audit.record("list", "audit_seals", site or "")
    return SealPage(items=[Seal(**row) for row in shown], next=following)


@router.get("/audit/verification", summary="校验审计日志 · Verify the log", dependencies=[require(*VERIFIERS)])
def verify_audit(
    caller: Caller,
    tx: Tx,
    audit: Audit,
    site: Site = None,
    after: Annotated[int, Query(ge=0, le=2**62, description="number of the batch to go on after")] = 0,
    batches: Annotated[int, Query(ge=1, le=500)] = 200,
) -> Verification:
    """Computes the seals again, oldest first: a row that was changed, removed or slipped in is named by its number.

    An account of an institution verifies that one; a regulator of the region names the `site`.
    """
    chain = _chain(tx, caller, site)
    reach = tx.one("audit.reach", institution=chain, after=after, batches=batches)
    faults = tx.all("audit.faults", institution=chain, after=after, batches=batches, kept=KEPT_MIN)
    audit.record("verify", "audit_log", site or "", faults=len(faults))
    return Verification(
        ok=not faults,
        batches=reach["batches"],
        rows=reach["rows"],
        hash=reach["hash"],
        faults=[Fault(**row) for row in faults[:FAULTS_MAX]],
        next=reach["last"] if reach["batches"] == batches else None,
    )


def _chain(tx: Transaction, caller: Account, site: str | None) -> UUID | None:
    """Whose chain is meant: the caller's own, or the one that an account of no institution names (none: its own)."""
    if caller.institution_id is not None:
        if site is not None and site != caller.site:
            raise NotFound("there is no such institution")
        return caller.institution_id
    if site is None:
        return None
    found: UUID = tx.one("audit.institution", site=site)["id"]
    return found
