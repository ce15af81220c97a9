"""Routes of nurses' notes: what was observed enters and stays; corrections leave as further versions beside it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from api.deps import API, STAFF, Audit, Caller, Tx, require
from api.institution.keeping import row_id
from api.paging import LIMIT_DEFAULT, Cursor, Limit, Page, cursor_id, cursor_time, decode_cursor, page
from api.residents.routes import IdempotencyKey
from api.schemas import Input, Instant, Storable
from api.state import State
from core.errors import BadInput, Conflict, NotFound
from core.ids import new_id

router = APIRouter(prefix=f"{API}/residents", tags=["institution"])
Kind = Literal[
    "observation", "care", "meal", "medication", "mood", "sleep", "excretion", "skin", "handover", "other",
]  # fmt: skip
Words = Annotated[str, Field(min_length=1, max_length=4000), Storable]


class NoteIn(Input):
    """What a nurse writes."""

    kind: Kind = Field(examples=["observation"])
    text: Words = Field(examples=["午睡后精神好，进食八成"])
    important: bool = Field(default=False, description="goes into the hand-over of the shift")
    observed_at: Instant | None = Field(default=None, description="left out: now")


class Correction(Input):
    """The note anew, and why."""

    text: Words
    important: bool = False
    reason: Annotated[str, Field(min_length=1, max_length=500), Storable] = Field(examples=["记错房间"])


class NursingNote(BaseModel):
    """A note; `version` above 1 means that it was corrected, the versions before can be read."""

    id: UUID
    first_id: UUID
    version: int = Field(examples=[1])
    resident_id: UUID
    resident_name: str
    observed_at: datetime
    kind: str = Field(examples=["observation"])
    text: str
    important: bool
    reason: str = Field(description="why it was corrected")
    written_at: datetime
    author: str = Field(examples=["李护士"])


class NoteVersions(BaseModel):
    """Every version of a note, newest first."""

    items: list[NursingNote]
    next: None = None


@router.get("/{resident_id}/notes", summary="护理记录 · Nursing notes", dependencies=[require(*STAFF)])
def list_notes(
    resident_id: UUID,
    tx: Tx,
    audit: Audit,
    kind: Annotated[Kind | None, Query()] = None,
    important: Annotated[bool | None, Query()] = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> Page[NursingNote]:
    """Newest first, each as it stands now. Family does not read them."""
    tx.one("residents.exists", resident=resident_id)
    before, before_id = decode_cursor(cursor, cursor_time, cursor_id)
    rows = tx.all(
        "care.notes", resident=resident_id, kind=kind, important=important, begins=None, ends=None, before=before,
        before_id=before_id, limit=limit + 1,
    )  # fmt: skip
    shown, following = page(rows, limit, lambda row: (row["observed_at"], row["id"]))
    audit.record("read_notes", "resident", resident_id)
    return Page[NursingNote](items=[NursingNote(**row) for row in shown], next=following)


@router.post(
    "/{resident_id}/notes",
    summary="写护理记录 · Write a note",
    status_code=201,
    responses={200: {"model": NursingNote, "description": "written before, by the same Idempotency-Key"}},
    dependencies=[require(*STAFF)],
)
def write_note(
    resident_id: UUID, body: NoteIn, caller: Caller, tx: Tx, state: State, audit: Audit, response: Response,
    idempotency_key: IdempotencyKey = None,
) -> NursingNote:  # fmt: skip
    """It stays as it is written; a mistake is corrected beside it."""
    tx.one("residents.exists", resident=resident_id)
    now = state.clock.now()
    if body.observed_at is not None and body.observed_at > now:
        raise BadInput("observed_at lies in the future")
    note = row_id(state.clock, caller, f"note {resident_id}", idempotency_key)
    made = _add(tx, caller, note, resident_id, now=now, first=note, version=1, reason="",
                observed_at=body.observed_at or now, **body.model_dump(exclude={"observed_at"}))  # fmt: skip
    row = _version(tx, resident_id, note)
    if not made and (row["kind"], row["text"]) != (body.kind, body.text):
        raise Conflict("this Idempotency-Key was used for something else")
    if made:
        audit.record("write_note", "resident", resident_id, note=str(note))
    else:
        response.status_code = 200
    return NursingNote(**row)


@router.post(
    "/{resident_id}/notes/{note_id}/correct",
    summary="更正护理记录 · Correct a note",
    status_code=201,
    dependencies=[require(*STAFF)],
)
def correct_note(
    resident_id: UUID, note_id: UUID, body: Correction, caller: Caller, tx: Tx, state: State, audit: Audit
) -> NursingNote:
    """A further version; of two who correct at once, one is told that it changed meanwhile."""
    newest = _versions(tx, resident_id, note_id)[0]
    if newest["id"] != note_id:
        raise Conflict("this version was corrected already; correct the newest one")
    note, now = new_id(state.clock), state.clock.now()
    made = _add(tx, caller, note, resident_id, now=now, first=newest["first_id"], version=newest["version"] + 1,
                kind=newest["kind"], observed_at=newest["observed_at"], **body.model_dump())  # fmt: skip
    if not made:
        raise Conflict("this note was corrected by somebody else in the meantime")
    audit.record("correct_note", "resident", resident_id, note=str(note))
    return NursingNote(**_version(tx, resident_id, note))


@router.get(
    "/{resident_id}/notes/{note_id}/versions", summary="护理记录版本 · Versions", dependencies=[require(*STAFF)]
)
def list_versions(resident_id: UUID, note_id: UUID, tx: Tx, audit: Audit) -> NoteVersions:
    """Newest first; the oldest is what was written at first."""
    rows = _versions(tx, resident_id, note_id)
    audit.record("read_notes", "resident", resident_id)
    return NoteVersions(items=[NursingNote(**row) for row in rows])


def _add(tx: Tx, caller: Caller, note: UUID, resident: UUID, **words: Any) -> int:
    return tx.run(
        "care.add_note", id=note, tenant=caller.tenant, resident=resident, by=caller.id, name=caller.name, **words
    )


def _versions(tx: Tx, resident: UUID, note: UUID) -> list[dict[str, Any]]:
    rows = tx.all("care.versions", resident=resident, id=note)
    if not rows:
        raise NotFound("there is no such note")
    return rows


def _version(tx: Tx, resident: UUID, note: UUID) -> dict[str, Any]:
    return next(row for row in _versions(tx, resident, note) if row["id"] == note)
