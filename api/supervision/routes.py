"""Routes of supervision: a regulator or an administrator enters, indicators, their series and exports leave."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from api.deps import API, PUBLIC, Audit, Caller, Tx, require
from api.schemas import Instant
from api.state import State
from api.supervision import export, facts
from api.supervision.indicators import judge
from api.supervision.plan import BY_CODE, INDICATORS, REGIONS
from api.supervision.schemas import (
    Case,
    CaseRequest,
    Figure,
    IndicatorList,
    IndicatorView,
    Level,
    LevelList,
    MonthValue,
    Series,
)
from core.errors import BadInput, NotFound
from core.vocabulary import Role
from db.tenant import tenant_transaction

router = APIRouter(prefix=API, tags=["supervision"])
SUPERVISORS = (Role.REGULATOR, Role.ADMIN, Role.PLATFORM)
OPEN_MIN = 5
"""The public sees no value over fewer people or things than this."""

Key = Annotated[str, Path(pattern="^[a-z0-9_]{1,64}$", examples=["family_doctor"])]
At = Annotated[Instant | None, Query(description="left out: now")]


@router.get("/supervision/indicators", summary="监管指标 · Indicators", dependencies=[require(*SUPERVISORS)])
def list_indicators(
    tx: Tx, state: State, at: At = None, institution: Annotated[UUID | None, Query()] = None
) -> IndicatorList:
    """Every row of the plan, those that contradict each other each by itself."""
    moment = at or state.clock.now()
    found = facts.facts_at(tx, moment, institution)
    return IndicatorList(at=moment, items=[IndicatorView.of(judge(row, found)) for row in INDICATORS])


@router.get(
    "/supervision/indicators/export",
    summary="导出指标 · Export",
    response_class=Response,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
    dependencies=[require(*SUPERVISORS)],
)
def export_indicators(tx: Tx, state: State, audit: Audit, at: At = None) -> Response:
    """The same rows as a table for a spreadsheet."""
    moment = at or state.clock.now()
    found = facts.facts_at(tx, moment)
    table = export.cells(IndicatorView.of(judge(row, found)) for row in INDICATORS)
    audit.record("export", "indicators", moment.date())
    name = f"anhu-indicators-{facts.local_day(moment):%Y%m%d}.csv"
    return Response(
        export.as_csv(table),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@router.get("/supervision/series/{key}", summary="月度趋势 · By month", dependencies=[require(*SUPERVISORS)])
def monthly_series(
    key: Key,
    tx: Tx,
    start: Annotated[date, Query(alias="from", examples=["2026-01-01"])],
    end: Annotated[date, Query(alias="to", examples=["2026-12-01"])],
) -> Series:
    """What was counted at the end of each month; the present month as of today."""
    if not 0 <= (end - start).days <= 3660:
        raise BadInput("from lies before to, at most ten years")
    rows = tx.all("supervision.months", key=key, **{"from": start, "to": end})
    return Series(key=key, items=[MonthValue(**row) for row in rows])


@router.get("/supervision/roll-up", summary="社区—街道—区汇总 · Roll-up", dependencies=[require(*SUPERVISORS)])
def roll_up(tx: Tx) -> LevelList:
    """Facilities in operation by community, street and district."""
    return LevelList(items=[Level(**row) for row in facts.roll_up(list(tx.all("supervision.facilities")))])


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
    if key not in REGIONS and (key not in BY_CODE or BY_CODE[key].count is not None):
        known = [*REGIONS, *(code for code, row in BY_CODE.items() if row.count is None)]
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
