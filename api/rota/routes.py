"""Routes of the rota."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from alerts.rota import duty, ical
from api.deps import API, STAFF, Audit, Caller, Tx, require
from api.paging import LIMIT_DEFAULT, Cursor, Limit, cursor_id, cursor_time, decode_cursor, page
from api.rota import service
from api.rota.schemas import (
    Absence,
    AbsenceBody,
    AbsencePage,
    DutyPerson,
    Handover,
    HandoverBody,
    HandoverPage,
    Imported,
    OnDuty,
    Planned,
    PlannedList,
    Shift,
    ShiftBody,
    ShiftPage,
    Swap,
    SwapBody,
    SwapPage,
)
from api.schemas import Instant
from api.state import State
from api.versions import IfMatch, check_version
from core.errors import BadInput, Conflict, Forbidden, NotFound
from core.ids import new_id
from core.vocabulary import Role

router = APIRouter(prefix=f"{API}/rota", tags=["rota"])
CALENDAR: Final = "text/calendar"
_CALENDAR_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {CALENDAR: {"schema": {"type": "string"}, "example": "BEGIN:VCALENDAR…"}},
    }
}
PLAN_DAYS_MAX: Final = 62


@router.get("/on-duty", summary="当前在岗 · Who is on duty", dependencies=[require(*STAFF)])
def who_is_on_duty(
    caller: Caller,
    tx: Tx,
    state: State,
    at: Annotated[Instant | None, Query(description="默认现在 · now, unless said otherwise")] = None,
    building: Annotated[str, Query(max_length=100)] = "",
    floor: Annotated[str, Query(max_length=20)] = "",
) -> OnDuty:
    """By the same rule that a page follows: the floor, else the house, else nobody, and then everyone is paged."""
    moment = at or state.clock.now()
    found = duty.on_duty(tx, caller.tenant, moment, building, floor)
    notes = tx.all("rota.handovers", since=moment - timedelta(hours=24), before=None, before_id=None, limit=20)
    people = [
        DutyPerson(
            user_id=one.user_id, name=one.name, phone=one.phone, source=one.source, shift_id=one.shift_id,
            title=one.title, begins_at=one.begins_at, until=one.until, building=one.building,
            floors=list(one.floors), note=one.note,
        )
        for one in found.people
    ]  # fmt: skip
    return OnDuty(
        at=moment,
        items=people,
        nobody=not people,
        of_floor=found.of_floor,
        handovers=[Handover(**row) for row in notes if row["at"] <= moment],
    )


@router.get("/plan", summary="排班表 · Who works when", dependencies=[require(*STAFF)])
def list_planned(
    caller: Caller,
    tx: Tx,
    state: State,
    from_: Annotated[Instant | None, Query(alias="from")] = None,
    to: Annotated[Instant | None, Query()] = None,
) -> PlannedList:
    """Every occurrence in [from, to), by default the coming week; swaps and absences counted."""
    begin = from_ or state.clock.now()
    end = to or begin + timedelta(days=7)
    if not begin < end <= begin + timedelta(days=PLAN_DAYS_MAX):
        raise BadInput(f"from must be before to, by at most {PLAN_DAYS_MAX} days")
    return PlannedList(
        items=[
            Planned(
                shift_id=one.shift.id, on=one.on, begins_at=one.begins_at, ends_at=one.ends_at, user_id=who.user_id,
                name=who.name, source=who.source, title=who.title, building=who.building, floors=list(who.floors),
            )
            for one, who in duty.planned(tx, caller.tenant, begin, end)
        ]
    )  # fmt: skip


@router.get("/shifts", summary="班次列表 · List shifts", dependencies=[require(*STAFF)])
def list_shifts(
    tx: Tx,
    user: Annotated[UUID | None, Query()] = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> ShiftPage:
    """Oldest first; of one account, where one is named."""
    after, after_id = decode_cursor(cursor, cursor_time, cursor_id)
    rows = tx.all("rota.shifts", user=user, after=after, after_id=after_id, limit=limit + 1)
    shown, following = page(rows, limit, lambda row: (row["created_at"], row["id"]))
    return ShiftPage(items=[Shift(**row) for row in shown], next=following)


@router.post("/shifts", summary="新增班次 · Add a shift", status_code=201, dependencies=[require(Role.ADMIN)])
def add_shift(body: ShiftBody, caller: Caller, tx: Tx, state: State, audit: Audit) -> Shift:
    """One shift, or one that recurs."""
    shift = service.save_shift(tx, state.clock, caller, body)
    audit.record("create", "rota_shift", shift.id, user=str(shift.user_id))
    return shift


@router.get("/shifts/{shift_id}", summary="班次详情 · One shift", dependencies=[require(*STAFF)])
def get_shift(shift_id: UUID, tx: Tx) -> Shift:
    """One shift."""
    row = tx.first("rota.shift", id=shift_id)
    if row is None:
        raise NotFound("there is no such shift")
    return Shift(**row)


@router.put("/shifts/{shift_id}", summary="修改班次 · Change a shift", dependencies=[require(Role.ADMIN)])
def put_shift(
    shift_id: UUID, body: ShiftBody, caller: Caller, tx: Tx, state: State, audit: Audit, if_match: IfMatch = None
) -> Shift:
    """For the past too: to change only what is to come, end this one with an UNTIL and add another. With If-Match, 412
    where somebody was quicker."""
    known = tx.first("rota.lock_shift", id=shift_id)
    if known is None:
        raise NotFound("there is no such shift")
    check_version(if_match, known["version"])
    shift = service.save_shift(tx, state.clock, caller, body, shift_id)
    audit.record("update", "rota_shift", shift_id, user=str(shift.user_id))
    return shift


@router.delete(
    "/shifts/{shift_id}", summary="删除班次 · Remove a shift", status_code=204, dependencies=[require(Role.ADMIN)]
)
def remove_shift(shift_id: UUID, tx: Tx, state: State, audit: Audit) -> None:
    """From now on; who was on duty before stays known."""
    if not tx.run("rota.remove_shift", id=shift_id, now=state.clock.now()):
        raise NotFound("there is no such shift")
    audit.record("delete", "rota_shift", shift_id)


@router.post(
    "/shifts/{shift_id}/swaps", summary="换班 · Swap one occurrence", status_code=201, dependencies=[require(*STAFF)]
)
def add_swap(shift_id: UUID, body: SwapBody, caller: Caller, tx: Tx, state: State, audit: Audit) -> Swap:
    """Give one day of one's own shift to a colleague, who has to accept; an administrator decides at once."""
    swap = service.add_swap(tx, state.clock, caller, shift_id, body)
    audit.record("create", "rota_swap", swap.id, shift=str(shift_id), on=body.on.isoformat(), user=str(body.user_id))
    return swap


@router.get("/swaps", summary="换班列表 · List swaps", dependencies=[require(*STAFF)])
def list_swaps(tx: Tx, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None) -> SwapPage:
    """Those that stand or wait, oldest first."""
    after, after_id = decode_cursor(cursor, cursor_time, cursor_id)
    rows = tx.all("rota.swaps", id=None, after=after, after_id=after_id, limit=limit + 1)
    shown, following = page(rows, limit, lambda row: (row["created_at"], row["id"]))
    return SwapPage(items=[service.swap_view(row) for row in shown], next=following)


@router.post("/swaps/{swap_id}/accept", summary="同意换班 · Accept a swap", dependencies=[require(*STAFF)])
def accept_swap(swap_id: UUID, caller: Caller, tx: Tx, state: State, audit: Audit) -> Swap:
    """By whoever is to take the shift, or an administrator."""
    row = service.swap_row(tx, swap_id)
    if caller.role is not Role.ADMIN and row["user_id"] != caller.id:
        raise Forbidden("only who takes the shift, or an administrator, may accept")
    if not tx.run("rota.accept_swap", id=swap_id, now=state.clock.now()):
        raise Conflict("the swap is accepted already")
    audit.record("accept", "rota_swap", swap_id)
    return service.swap_view(service.swap_row(tx, swap_id))


@router.delete("/swaps/{swap_id}", summary="取消换班 · Cancel a swap", status_code=204, dependencies=[require(*STAFF)])
def cancel_swap(swap_id: UUID, caller: Caller, tx: Tx, state: State, audit: Audit) -> None:
    """By either of the two, or an administrator; the shift is then again whose it was."""
    row = service.swap_row(tx, swap_id)
    if caller.role is not Role.ADMIN and caller.id not in (row["user_id"], row["from_id"]):
        raise Forbidden("only those who swap, or an administrator, may cancel")
    tx.run("rota.cancel_swap", id=swap_id, now=state.clock.now())
    audit.record("delete", "rota_swap", swap_id)


@router.get("/absences", summary="缺勤列表 · List absences", dependencies=[require(*STAFF)])
def list_absences(
    tx: Tx,
    user: Annotated[UUID | None, Query()] = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> AbsencePage:
    """By their begin; of one account, where one is named."""
    after, after_id = decode_cursor(cursor, cursor_time, cursor_id)
    rows = tx.all("rota.absences", id=None, user=user, after=after, after_id=after_id, limit=limit + 1)
    shown, following = page(rows, limit, lambda row: (row["begins_at"], row["id"]))
    return AbsencePage(items=[Absence(**row) for row in shown], next=following)


@router.post("/absences", summary="登记缺勤 · Note an absence", status_code=201, dependencies=[require(*STAFF)])
def add_absence(body: AbsenceBody, caller: Caller, tx: Tx, state: State, audit: Audit) -> Absence:
    """One's own, or as an administrator anybody's."""
    absence = service.add_absence(tx, state.clock, caller, body)
    audit.record("create", "rota_absence", absence, user=str(body.user_id))
    return Absence(**tx.one("rota.absences", id=absence, user=None, after=None, after_id=None, limit=1))


@router.delete(
    "/absences/{absence_id}", summary="取消缺勤 · Cancel an absence", status_code=204, dependencies=[require(*STAFF)]
)
def cancel_absence(absence_id: UUID, caller: Caller, tx: Tx, state: State, audit: Audit) -> None:
    """One's own, or as an administrator anybody's."""
    row = tx.first("rota.absences", id=absence_id, user=None, after=None, after_id=None, limit=1)
    if row is None:
        raise NotFound("there is no such absence")
    if caller.role is not Role.ADMIN and row["user_id"] != caller.id:
        raise Forbidden("only an administrator may cancel somebody else's absence")
    tx.run("rota.cancel_absence", id=absence_id, now=state.clock.now())
    audit.record("delete", "rota_absence", absence_id)


@router.get("/handovers", summary="交接班记录 · Hand-over notes", dependencies=[require(*STAFF)])
def list_handovers(tx: Tx, audit: Audit, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None) -> HandoverPage:
    """Newest first."""
    before, before_id = decode_cursor(cursor, cursor_time, cursor_id)
    rows = tx.all("rota.handovers", since=None, before=before, before_id=before_id, limit=limit + 1)
    shown, following = page(rows, limit, lambda row: (row["at"], row["id"]))
    audit.record("list", "rota_handover", "")
    return HandoverPage(items=[Handover(**row) for row in shown], next=following)


@router.post("/handovers", summary="交接班 · Hand over", status_code=201, dependencies=[require(*STAFF)])
def add_handover(body: HandoverBody, caller: Caller, tx: Tx, state: State, audit: Audit) -> Handover:
    """What this shift tells the next; it cannot be changed afterwards, only followed by another."""
    note = new_id(state.clock)
    tx.run(
        "rota.add_handover", id=note, tenant=caller.tenant, author=caller.id, now=state.clock.now(), **body.model_dump()
    )
    audit.record("create", "rota_handover", note)
    row = tx.one("rota.handovers", since=None, before=None, before_id=None, limit=1)
    return Handover(**row)


@router.get(
    "/calendar",
    summary="导出日历 · Export as iCalendar",
    dependencies=[require(*STAFF)],
    response_class=Response,
    responses={200: {"content": {CALENDAR: {"schema": {"type": "string"}}}}},
)
def export_calendar(tx: Tx, state: State) -> Response:
    """RFC 5545: each shift an event with its recurrence, each accepted swap one with a RECURRENCE-ID."""
    data = ical.write(service.export(tx, state.clock.now()), service.people(tx), state.clock.now())
    headers = {"Content-Disposition": 'attachment; filename="anhu-rota.ics"'}
    return Response(data, media_type=f"{CALENDAR}; charset=utf-8", headers=headers)


async def _body(request: Request) -> bytes:
    # A calendar is text of its own kind, not JSON; its size is bounded before it arrives here.
    return await request.body()


@router.post(
    "/calendar",
    summary="导入日历 · Import from iCalendar",
    dependencies=[require(Role.ADMIN)],
    openapi_extra=_CALENDAR_BODY,
)
def import_calendar(
    caller: Caller, tx: Tx, state: State, audit: Audit, body: Annotated[bytes, Depends(_body)]
) -> Imported:
    """All of a calendar or nothing of it, by UID: an event that is known is changed, others stay as they are.

    The ATTENDEE (or its CN, or the summary) names the person by user name or name.
    """
    zone = tx.one("rota.zone", tenant=caller.tenant)["timezone"]
    done = service.take(tx, state.clock, caller, ical.read(body, service.people(tx), zone))
    audit.record("import", "rota", "", added=done.added, changed=done.changed, swaps=done.swaps)
    return done
