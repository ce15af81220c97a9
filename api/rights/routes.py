"""Routes of the person's rights: guardians, requests and their answers, history, export, restriction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.background import BackgroundTask
from starlette.responses import StreamingResponse

from api.deps import API, STAFF, Audit, Caller, Tx, require
from api.errors import PreconditionFailed
from api.paging import LIMIT_DEFAULT, Cursor, Limit, cursor_id, cursor_number, cursor_time, decode_cursor, page
from api.rights import export, service
from api.rights.schemas import (
    Change,
    ChangePage,
    Confirmation,
    Decision,
    DeskItem,
    DeskPage,
    Guardian,
    GuardianCreate,
    GuardianList,
    Legal,
    LegalBody,
    RequestCreate,
    RequestPage,
    RightsRequest,
)
from api.rights.schemas import State as RequestState
from api.state import State
from core.errors import BadInput, BadTransition, Conflict, NotFound
from core.ids import new_id
from core.vocabulary import Role
from db.tenant import Transaction, open_rights_desk

router = APIRouter(prefix=f"{API}/residents", tags=["rights"])
desk = APIRouter(prefix=f"{API}/institution", tags=["rights"])
ASKERS: Final = (*STAFF, Role.FAMILY)
_CHUNK_BYTES: Final = 256 * 1024


@router.get("/{resident_id}/legal", summary="行为能力与身后安排 · Legal standing", dependencies=[require(*STAFF)])
def get_legal(resident_id: UUID, tx: Tx, audit: Audit) -> Legal:
    """Whether the resident decides by themselves, and what they arranged for after their death."""
    audit.record("read_legal", "resident", resident_id)
    return _legal(tx, resident_id)


@router.put(
    "/{resident_id}/legal", summary="登记行为能力 · Note the legal standing", dependencies=[require(Role.ADMIN)]
)
def put_legal(resident_id: UUID, body: LegalBody, caller: Caller, tx: Tx, state: State, audit: Audit) -> Legal:
    """Without capacity, consents come from a guardian with the power to give them."""
    known = _legal(tx, resident_id)
    if body.version is not None and body.version != known.version:
        raise PreconditionFailed(f"it is at version {known.version}, not {body.version}")
    if body.capacity != "full" and not body.ground:
        raise BadInput("say on which paper it rests that the resident cannot decide alone")
    given = body.model_dump(exclude={"version"})
    tx.run("rights.put_legal", resident=resident_id, tenant=caller.tenant, by=caller.id, now=state.clock.now(), **given)
    audit.record("update_legal", "resident", resident_id, capacity=body.capacity, after_death=body.after_death)
    return _legal(tx, resident_id)


def _legal(tx: Transaction, resident_id: UUID) -> Legal:
    open_rights_desk(tx)
    tx.one("residents.exists", resident=resident_id)
    row = tx.first("rights.legal", resident=resident_id)
    empty = {"capacity": "full", "ground": "", "after_death": "relatives", "wishes": "", "version": 0}
    return Legal(**(row or {**empty, "updated_at": None}))


@router.get(
    "/{resident_id}/guardians", summary="监护人与代理人 · Who acts for a resident", dependencies=[require(*STAFF)]
)
def list_guardians(resident_id: UUID, tx: Tx, audit: Audit) -> GuardianList:
    """Everybody, also those whose time is over."""
    open_rights_desk(tx)
    tx.one("residents.exists", resident=resident_id)
    audit.record("read_guardians", "resident", resident_id)
    rows = tx.all("rights.guardians", resident=resident_id, id=None)
    return GuardianList(items=[Guardian(**row) for row in rows])


@router.post(
    "/{resident_id}/guardians",
    summary="登记监护人 · Somebody acts for a resident",
    status_code=201,
    dependencies=[require(Role.ADMIN)],
)
def add_guardian(
    resident_id: UUID, body: GuardianCreate, caller: Caller, tx: Tx, state: State, audit: Audit
) -> Guardian:
    """On a paper that the administrator has seen. A relative's powers begin with the death of the resident."""
    open_rights_desk(tx)
    tx.one("residents.exists", resident=resident_id)
    if body.user_id is not None:
        user = tx.first("users.get", id=body.user_id)
        if user is None:
            raise NotFound("there is no such account")
        if user["role"] != Role.FAMILY:
            raise BadInput("whoever acts for a resident has a family account")
    guardian = new_id(state.clock)
    given = body.model_dump()
    tx.run(
        "rights.add_guardian", id=guardian, tenant=caller.tenant, resident=resident_id, by=caller.id,
        now=state.clock.now(), **given,
    )  # fmt: skip
    audit.record("add_guardian", "resident", resident_id, guardian=str(guardian), kind=body.kind, powers=body.powers)
    return service.guardian_of(tx, resident_id, guardian)


@router.post(
    "/{resident_id}/guardians/{guardian_id}/end",
    summary="监护终止 · Nobody acts any more",
    dependencies=[require(Role.ADMIN)],
)
def end_guardian(resident_id: UUID, guardian_id: UUID, tx: Tx, state: State, audit: Audit) -> Guardian:
    """Takes effect at once; the record stays."""
    open_rights_desk(tx)
    service.guardian_of(tx, resident_id, guardian_id)
    if not tx.run("rights.end_guardian", id=guardian_id, resident=resident_id, now=state.clock.now()):
        raise Conflict("this was ended before")
    audit.record("end_guardian", "resident", resident_id, guardian=str(guardian_id))
    return service.guardian_of(tx, resident_id, guardian_id)


@router.get("/{resident_id}/changes", summary="档案修改历史 · Changes of the record", dependencies=[require(*STAFF)])
def list_changes(
    resident_id: UUID, tx: Tx, audit: Audit, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None
) -> ChangePage:
    """What was corrected, from what to what, when and by whom; newest first."""
    tx.one("residents.exists", resident=resident_id)
    (before,) = decode_cursor(cursor, cursor_number)
    rows = tx.all("rights.changes", resident=resident_id, before=before, limit=limit + 1)
    shown, following = page(rows, limit, lambda row: (row["id"],))
    audit.record("read_changes", "resident", resident_id)
    return ChangePage(items=[Change(**row) for row in shown], next=following)


@router.get("/{resident_id}/rights-requests", summary="权利请求 · Requests", dependencies=[require(*ASKERS)])
def list_rights_requests(
    resident_id: UUID,
    caller: Caller,
    tx: Tx,
    state: State,
    audit: Audit,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> RequestPage:
    """Newest first; a family account sees its own."""
    service.enter(tx, caller, resident_id, state.clock)
    before, before_id = decode_cursor(cursor, cursor_time, cursor_id)
    own = caller.id if caller.role is Role.FAMILY else None
    rows = tx.all(
        "rights.requests", resident=resident_id, id=None, user=own, before=before, before_id=before_id, limit=limit + 1
    )
    shown, following = page(rows, limit, lambda row: (row["received_at"], row["id"]))
    audit.record("read_rights_requests", "resident", resident_id)
    return RequestPage(items=[RightsRequest(**row) for row in shown], next=following)


@router.post(
    "/{resident_id}/rights-requests",
    summary="提出权利请求 · Ask",
    status_code=201,
    dependencies=[require(*ASKERS)],
)
def ask_for_right(
    resident_id: UUID, body: RequestCreate, caller: Caller, tx: Tx, state: State, audit: Audit
) -> RightsRequest:
    """Access (a copy of everything), correction, restriction, erasure; answered within 30 days.

    Staff writes down what the person asked. A family account asks as a guardian with that power or, after the death, as
    a close relative, unless the person arranged otherwise.
    """
    made = service.ask(tx, state.clock, caller, resident_id, body)
    audit.record("ask_right", "resident", resident_id, request=str(made.id), kind=made.kind)
    return made


@router.get(
    "/{resident_id}/rights-requests/{request_id}", summary="一项请求 · One request", dependencies=[require(*ASKERS)]
)
def get_rights_request(
    resident_id: UUID, request_id: UUID, caller: Caller, tx: Tx, state: State, audit: Audit
) -> RightsRequest:
    """With its answer and, of an erasure, the receipt."""
    service.enter(tx, caller, resident_id, state.clock)
    audit.record("read_rights_request", "resident", resident_id, request=str(request_id))
    return service.one_request(tx, resident_id, request_id, caller.id if caller.role is Role.FAMILY else None)


@router.post(
    "/{resident_id}/rights-requests/{request_id}/decide",
    summary="答复权利请求 · Decide",
    dependencies=[require(Role.ADMIN)],
)
def decide_right(
    resident_id: UUID, request_id: UUID, body: Decision, caller: Caller, tx: Tx, state: State, audit: Audit
) -> RightsRequest:
    """What is granted takes effect at once: the copy can be fetched, the fields are corrected, the data is closed.

    An erasure closes the person altogether at once and waits for a second administrator (`confirm`). Only of somebody
    who has left; the record of care stays closed until its time is over, and goes then.
    """
    days = state.settings.resident_record_retention_days
    done = service.decide(tx, state.clock, caller, resident_id, request_id, body, days)
    audit.record("decide_right", "resident", resident_id, request=str(request_id), kind=done.kind, state=done.state)
    return done


@router.post(
    "/{resident_id}/rights-requests/{request_id}/confirm",
    summary="复核删除请求 · Confirm an erasure",
    dependencies=[require(Role.ADMIN)],
)
def confirm_erasure(
    resident_id: UUID, request_id: UUID, body: Confirmation, caller: Caller, tx: Tx, state: State, audit: Audit
) -> RightsRequest:
    """By somebody else than who asked or granted it; carried out within a minute, the receipt is on the request.

    Not confirmed, it is refused, and the data is open again.
    """
    done = service.confirm(tx, state.clock, caller, resident_id, request_id, body)
    audit.record("confirm_erasure", "resident", resident_id, request=str(request_id), state=done.state)
    return done


@router.get(
    "/{resident_id}/rights-requests/{request_id}/export",
    summary="导出全部数据 · Everything, as a ZIP",
    dependencies=[require(Role.ADMIN, Role.FAMILY)],
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}},
)
def export_person(
    resident_id: UUID, request_id: UUID, caller: Caller, tx: Tx, state: State, audit: Audit
) -> StreamingResponse:
    """Of a granted request for access: each kind of data as JSON and CSV, with a manifest of hashes."""
    service.enter(tx, caller, resident_id, state.clock, "access")
    own = caller.id if caller.role is Role.FAMILY else None
    asked = service.one_request(tx, resident_id, request_id, own)
    if asked.kind != "access" or asked.state != "granted":
        raise BadTransition("this is no granted request for access")
    made = export.write(tx, resident_id, state.clock.now())
    audit.record("export", "resident", resident_id, request=str(request_id), sha256=made.sha256, rows=made.rows)
    headers = {
        "Content-Disposition": f'attachment; filename="anhu-{resident_id}.zip"',
        "Content-Length": str(made.size_bytes),
        "X-Content-SHA256": made.sha256,
    }
    closing = BackgroundTask(made.file.close)
    return StreamingResponse(_chunks(made.file), media_type="application/zip", headers=headers, background=closing)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk


@router.post(
    "/{resident_id}/restriction/lift", summary="解除限制 · Lift a restriction", status_code=204,
    dependencies=[require(Role.ADMIN)],
)  # fmt: skip
def lift_restriction(resident_id: UUID, tx: Tx, audit: Audit) -> None:
    """Opens the data again. One that came with an erasure is not lifted."""
    open_rights_desk(tx)
    tx.one("residents.exists", resident=resident_id)
    if not tx.run("rights.lift", resident=resident_id):
        raise Conflict("nothing is restricted, or the person is being erased")
    audit.record("lift_restriction", "resident", resident_id)


@desk.get("/rights-requests", summary="权利请求待办 · Requests on the desk", dependencies=[require(Role.ADMIN)])
def list_desk(
    tx: Tx,
    app: State,
    audit: Audit,
    state: Annotated[RequestState | None, Query(examples=["confirming"])] = None,
    waits: Annotated[bool | None, Query(description="true: to be answered or confirmed; false: over")] = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> DeskPage:
    """Of every resident of the house, newest first: what has 30 days to be answered, what waits for a second one."""
    open_rights_desk(tx)
    before, before_id = decode_cursor(cursor, cursor_time, cursor_id)
    rows = tx.all("rights.desk", state=state, waits=waits, before=before, before_id=before_id, limit=limit + 1)
    shown, following = page(rows, limit, lambda row: (row["received_at"], row["id"]))
    audit.record("list", "rights_request", "", residents=sorted({str(row["resident_id"]) for row in shown}))
    now = app.clock.now()
    items = [DeskItem(**row, overdue=row["state"] == "open" and row["due_at"] < now) for row in shown]
    return DeskPage(items=items, next=following)
