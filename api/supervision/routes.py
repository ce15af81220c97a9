"""Routes of supervision: a regulator or an administrator enters, indicators, their series and exports leave."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response

from api.deps import API, PUBLIC, Audit, Caller, Tx, require
from api.paging import LIMIT_DEFAULT, Cursor, Limit, Page, cursor_text, decode_cursor, page
from api.schemas import Instant, ShortText
from api.state import State
from api.supervision import export, facts
from api.supervision.indicators import Indicator, judge
from api.supervision.plan import ALSO_DECLARED, BY_CODE, INDICATORS, REGIONS, RESPONSE
from api.supervision.schemas import (
    Case,
    CaseRequest,
    Facility,
    Figure,
    IndicatorList,
    IndicatorView,
    Level,
    LevelList,
    MonthValue,
    Series,
    ServiceFigure,
    ServiceFigureList,
    Tally,
    TallyList,
    Trend,
    TrendValue,
)
from core.days import local_day
from core.errors import BadInput, NotFound
from core.vocabulary import Role
from db.tenant import Transaction, tenant_transaction

router = APIRouter(prefix=API, tags=["supervision"])
SUPERVISORS = (Role.REGULATOR, Role.ADMIN, Role.PLATFORM)
SPAN_DAYS_MAX = 3660
OPEN_MIN = 5
"""The public sees no value over fewer people or things than this."""

Key = Annotated[str, Path(pattern="^[a-z0-9_]{1,64}$", examples=["family_doctor"])]
At = Annotated[Instant | None, Query(description="left out: now")]


def _place(
    street: Annotated[ShortText | None, Query(description="only what lies there", examples=["白市驿镇"])] = None,
    community: Annotated[ShortText | None, Query()] = None,
    institution: Annotated[UUID | None, Query()] = None,
) -> facts.Place:
    return facts.Place(street or None, community or None, institution)


Place = Annotated[facts.Place, Depends(_place)]


@router.get("/supervision/indicators", summary="监管指标 · Indicators", dependencies=[require(*SUPERVISORS)])
def list_indicators(tx: Tx, state: State, place: Place, at: At = None) -> IndicatorList:
    """Every row of the plan, those that contradict each other each by itself; of all in sight, or of a place.

    Figures that the region declared belong to the whole of it: a part has no value there.
    """
    moment = at or state.clock.now()
    return IndicatorList(at=moment, items=_indicators(tx, moment, place))


def _indicators(tx: Transaction, moment: datetime, place: facts.Place) -> list[IndicatorView]:
    found = facts.facts_at(tx, moment, place)
    return [IndicatorView.of(judge(row, found)) for row in INDICATORS]


@router.get(
    "/supervision/indicators/export",
    summary="导出指标 · Export",
    response_class=Response,
    responses={
        200: {
            "content": {
                "text/csv": {"schema": {"type": "string"}},
                export.XLSX: {"schema": {"type": "string", "format": "binary"}},
            }
        }
    },
    dependencies=[require(*SUPERVISORS)],
)
def export_indicators(
    tx: Tx,
    state: State,
    audit: Audit,
    place: Place,
    at: At = None,
    format_: Annotated[Literal["csv", "xlsx"], Query(alias="format", description="xlsx has more sheets")] = "csv",
) -> Response:
    """The same rows as a table for a spreadsheet; as a workbook with roll-up, facilities and twelve months beside."""
    moment = at or state.clock.now()
    table = export.cells(_indicators(tx, moment, place))
    audit.record("export", "indicators", local_day(moment), format=format_)
    name = f"anhu-indicators-{local_day(moment):%Y%m%d}.{format_}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    if format_ == "csv":
        return Response(export.as_csv(table), media_type="text/csv; charset=utf-8", headers=headers)
    rows = [row for row in tx.all("supervision.facilities", at=moment) if place.holds(row)]
    sheets = {
        "指标 Indicators": table,
        "汇总 Roll-up": export.level_cells(Level(**row) for row in facts.roll_up(rows)),
        "设施 Facilities": export.facility_cells(_facilities(rows)),
        "月度 Months": _month_cells(tx, moment, place),
    }
    return Response(export.as_xlsx(sheets, moment), media_type=export.XLSX, headers=headers)


def _month_cells(tx: Transaction, moment: datetime, place: facts.Place) -> list[list[Any]]:
    end = local_day(moment).replace(day=1)
    table: list[list[Any]] = [list(export.MONTH_COLUMNS)]
    for row in INDICATORS:
        months = _trend(tx, row, end.replace(year=end.year - 1), end, place)
        table += [
            [row.code, *row.names, f"{one.month:%Y-%m}", one.numerator, one.denominator]
            for one in months
            if one.value is not None
        ]
    return table


def _trend(tx: Transaction, row: Indicator, begin: date, end: date, place: facts.Place) -> list[TrendValue]:
    keys = sorted({row.series, *row.reads} - {""})
    found = facts.facts_of_months(tx, begin, end, keys, place)
    return [TrendValue.of(month, judge(row, known)) for month, known in found.items()]


@router.get(
    "/supervision/trends/{code}", summary="指标月度趋势 · An indicator by month", dependencies=[require(*SUPERVISORS)]
)
def indicator_trend(
    code: Annotated[str, Path(pattern="^[a-z0-9_]{1,64}$", examples=["nursing_beds"])],
    tx: Tx,
    place: Place,
    start: Annotated[date, Query(alias="from", examples=["2026-01-01"])],
    end: Annotated[date, Query(alias="to", examples=["2026-12-01"])],
) -> Trend:
    """Every row of the plan by its own formula, of what was kept of each month; also those that count places.

    A month before the platform kept it is missing; one in which there was nothing to count has no value.
    """
    row = BY_CODE.get(code)
    if row is None:
        raise NotFound("there is no such indicator")
    _check_span(start, end)
    return Trend(code=code, unit=row.unit, target=row.target, items=_trend(tx, row, start, end, place))


def _check_span(start: date, end: date) -> None:
    if not 0 <= (end - start).days <= SPAN_DAYS_MAX:
        raise BadInput("from lies before to, at most ten years")


@router.get("/supervision/series/{key}", summary="月度趋势 · By month", dependencies=[require(*SUPERVISORS)])
def monthly_series(
    key: Key,
    tx: Tx,
    state: State,
    place: Place,
    start: Annotated[date, Query(alias="from", examples=["2026-01-01"])],
    end: Annotated[date, Query(alias="to", examples=["2026-12-01"])],
) -> Series:
    """What was counted at the end of each month; the present month as of today."""
    _check_span(start, end)
    known = [] if place.is_everything else tx.all("supervision.facilities", at=state.clock.now())
    there = facts.institutions_in([row for row in known if place.holds(row)], place)
    institutions = None if there is None else sorted(there)
    rows = tx.all("supervision.months", key=key, institutions=institutions, **{"from": start, "to": end})
    return Series(key=key, items=[MonthValue(**row) for row in rows])


@router.get("/supervision/roll-up", summary="社区—街道—区汇总 · Roll-up", dependencies=[require(*SUPERVISORS)])
def roll_up(tx: Tx, state: State) -> LevelList:
    """Facilities in operation by community, street and district."""
    rows = list(tx.all("supervision.facilities", at=state.clock.now()))
    return LevelList(items=[Level(**row) for row in facts.roll_up(rows)])


@router.get("/supervision/service-figures", summary="服务质量 · Service", dependencies=[require(*SUPERVISORS)])
def service_figures(tx: Tx, state: State, place: Place, at: At = None) -> ServiceFigureList:
    """Counted beside the plan's own rows: answers, beds in use, complaints in time, incidents closed."""
    counts = facts.facts_at(tx, at or state.clock.now(), place).counts
    items = [ServiceFigure.of(key, names, *counts.get(key, (0, 0))) for key, names in RESPONSE.items()]
    return ServiceFigureList(items=items)


@router.get("/supervision/tallies", summary="投诉与事故 · Complaints, incidents", dependencies=[require(*SUPERVISORS)])
def list_tallies(tx: Tx, state: State, place: Place, at: At = None) -> TallyList:
    """Of the year, by topic, level and state; never a word of what was said."""
    moment = at or state.clock.now()
    known = [] if place.is_everything else list(tx.all("supervision.facilities", at=moment))
    there = facts.institutions_in([row for row in known if place.holds(row)], place)
    rows = tx.all("supervision.tallies", at=moment, institutions=None if there is None else sorted(there))
    return TallyList(items=[Tally(**row) for row in rows])


@router.get("/supervision/facilities", summary="养老服务设施 · Facilities", dependencies=[require(*SUPERVISORS)])
def list_facilities(
    tx: Tx, state: State, place: Place, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None
) -> Page[Facility]:
    """Those in operation, by street, community and name; with whose they are, to look at an institution by itself."""
    after = tuple(decode_cursor(cursor, cursor_text, cursor_text, cursor_text, cursor_text)) if cursor else None
    found = _facilities(row for row in tx.all("supervision.facilities", at=state.clock.now()) if place.holds(row))
    rows = [one for one in found if after is None or _facility_key(one) > after]
    shown, following = page(rows[: limit + 1], limit, _facility_key)
    return Page[Facility](items=shown, next=following)


def _facilities(rows: Iterable[dict[str, Any]]) -> list[Facility]:
    found = [Facility(institution_id=row["institution_id"], title=row["title"], **row["detail"]) for row in rows]
    return sorted(found, key=_facility_key)


def _facility_key(one: Facility) -> tuple[str, ...]:
    return one.street, one.community, one.title, str(one.institution_id)


@router.put(
    "/supervision/figures/{key}/{year}",
    summary="填报数据 · Declare a figure",
    status_code=204,
    dependencies=[require(Role.REGULATOR)],
)
def declare_figure(
    key: Key, year: Annotated[int, Path(ge=2020, le=2100)], body: Figure, caller: Caller, tx: Tx, state: State,
    audit: Audit,
) -> None:  # fmt: skip
    """For what no record of the platform knows: streets, communities, money. Always with a source."""
    known = [*REGIONS, *(code for code, row in BY_CODE.items() if row.count is None), *sorted(ALSO_DECLARED)]
    if key not in known:
        raise NotFound(f"this figure is not declared; those are: {', '.join(known)}")
    if caller.institution_id is not None:
        raise BadInput("figures of the region are declared by an account of the region")
    tx.run("supervision.declare", key=key, year=year, by=caller.id, now=state.clock.now(), **body.model_dump())
    audit.record("declare", "figure", f"{key} {year}")


@router.post(
    "/supervision/cases/{alert_id}", summary="个案核查 · A single case", dependencies=[require(Role.REGULATOR)]
)
def read_case(alert_id: UUID, body: CaseRequest, caller: Caller, tx: Tx, state: State) -> Case:
    """Without a name; the cause is written into the institution's own audit log."""
    row = tx.one(
        "supervision.case", alert=alert_id, cause=body.cause, viewer=caller.id, viewer_name=caller.username,
        now=state.clock.now(),
    )  # fmt: skip
    return Case(**row)


@router.get("/open-data/indicators", summary="开放数据 · Open data", dependencies=[PUBLIC])
def open_indicators(state: State) -> IndicatorList:
    """The rows of the plan for everybody: no institution, no person, no value over fewer than five."""
    now = state.clock.now()
    with tenant_transaction(state.pool, None) as tx:
        found = facts.facts_at(tx, now)
    items = [IndicatorView.of(judge(row, found)) for row in INDICATORS]
    for item in items:
        if item.denominator is not None and item.unit != "count" and item.denominator < OPEN_MIN:
            item.numerator = item.denominator = item.value = item.met = None
    return IndicatorList(at=now, items=items)
