"""Routes of the catalogue of services, and of the day's work in all of them: a span enters, records leave."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query

from api.deps import API, EVERYONE, STAFF, Audit, Tx, require
from api.paging import LIMIT_DEFAULT, Cursor, Limit, Page, cursor_id, cursor_time, decode_cursor, page
from api.schemas import Instant
from api.services.catalogue import BY_CODE, SERVICES, CareService
from api.services.schemas import AgendaItem, ServiceList, SmartCareService, WorkCount, WorkCounts
from api.state import State
from core.errors import BadInput, NotFound

router = APIRouter(prefix=f"{API}/services", tags=["services"])
SPAN_DAYS_MAX: Final = 62
Code = Annotated[str, Path(pattern=r"^[a-z-]{1,32}$", examples=["rescue"])]


@router.get("", summary="十一项服务 · The eleven services", dependencies=[require(*EVERYONE)])
async def list_services() -> ServiceList:
    """Codes, names, groups, states and the clause that each stands on."""
    return ServiceList(items=[SmartCareService.of(service) for service in SERVICES])


@router.get("/agenda", summary="日程 · What is planned in a span of days", dependencies=[require(*STAFF)])
def list_agenda(
    tx: Tx,
    audit: Audit,
    starts_from: Annotated[Instant, Query(examples=["2026-03-01T00:00:00+08:00"])],
    starts_to: Annotated[Instant, Query(examples=["2026-03-08T00:00:00+08:00"])],
    unfinished: Annotated[bool | None, Query(description="true: still running; false: ended")] = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> Page[AgendaItem]:
    """Records of all services that begin in [from, to), in the order of their beginning."""
    _check_span(starts_from, starts_to)
    after, after_id = decode_cursor(cursor, cursor_time, cursor_id)
    rows = tx.all(
        "records.agenda", begin=starts_from, end=starts_to, unfinished=unfinished, after=after, after_id=after_id,
        limit=limit + 1,
    )  # fmt: skip
    shown, following = page(rows, limit, lambda row: (row["starts_at"], row["id"]))
    audit.record("list", "services/agenda", "", ids=[str(row["id"]) for row in shown])
    return Page(items=[AgendaItem.of(row) for row in shown], next=following)


@router.get("/overdue", summary="逾期 · What is overdue in any service", dependencies=[require(*STAFF)])
def list_overdue(
    tx: Tx, state: State, audit: Audit, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None
) -> Page[AgendaItem]:
    """Running records of all services in which something is due, and its time is over; the oldest first."""
    after, after_id = decode_cursor(cursor, cursor_time, cursor_id)
    rows = tx.all(
        "records.overdue", house=False, kinds=[], now=state.clock.now(), after=after, after_id=after_id, limit=limit + 1
    )
    shown, following = page(rows, limit, lambda row: (row["due_at"], row["id"]))
    audit.record("list", "services/overdue", "", ids=[str(row["id"]) for row in shown])
    return Page(items=[AgendaItem.of(row) for row in shown], next=following)


@router.get("/{code}", summary="服务详情 · One service", dependencies=[require(*EVERYONE)])
async def get_service(code: Code) -> SmartCareService:
    """One of the eleven."""
    return SmartCareService.of(_service(code))


@router.get("/{code}/counts", summary="办理情况 · How much is under way", dependencies=[require(*STAFF)])
def count_records(code: Code, tx: Tx, state: State) -> WorkCounts:
    """How many records stand in each state, and how many of them are overdue."""
    service = _service(code)
    rows = tx.all("records.counts", service=service.code, now=state.clock.now())
    return WorkCounts(items=[WorkCount(**row) for row in rows])


def _check_span(begin: datetime, end: datetime) -> None:
    if not begin < end <= begin + timedelta(days=SPAN_DAYS_MAX):
        raise BadInput(f"the span must be positive, and at most {SPAN_DAYS_MAX} days")


def _service(code: str) -> CareService:
    service = BY_CODE.get(code)
    if service is None:
        raise NotFound("there is no such service")
    return service
