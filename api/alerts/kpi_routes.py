"""Routes of the response figures: an interval enters, counts and shares leave, as JSON, a table or a page to print."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from api.alerts import kpi, report
from api.alerts.schemas import Kpi
from api.deps import API, STAFF, Audit, Tx, require
from api.schemas import Instant
from api.state import AppState, State
from core.errors import BadInput
from core.vocabulary import Role
from db.tenant import Transaction

router = APIRouter(prefix=API, tags=["alerts"])
KPI_DAYS = 30
SPAN_DAYS_MAX = 5 * 366

From = Annotated[Instant | None, Query(alias="from", description="left out: 30 days before `to`")]
To = Annotated[Instant | None, Query(description="left out: now")]


def _read(tx: Transaction, state: AppState, start: datetime | None, end: datetime | None) -> Kpi:
    now = state.clock.now()
    until = end or now + timedelta(seconds=1)
    since = start or until - timedelta(days=KPI_DAYS)
    if since >= until:
        raise BadInput("from must be before to")
    if until - since > timedelta(days=SPAN_DAYS_MAX):
        raise BadInput("an interval has five years at most")
    return kpi.read(tx, state.settings, since, until, now)


@router.get("/alerts/kpi", summary="响应指标 · Response figures", dependencies=[require(*STAFF, Role.REGULATOR)])
def alert_kpi(tx: Tx, state: State, from_: From = None, to: To = None) -> Kpi:
    """Counted on every alert opened in [from, to), unanswered ones included; by default the last 30 days.

    Altogether and by month, institution, shift and type. Only counts, never a person.
    """
    return _read(tx, state, from_, to)


@router.get(
    "/alerts/kpi/report",
    summary="响应指标报告 · Report for inspectors",
    response_class=Response,
    responses={
        200: {"content": {"text/html": {"schema": {"type": "string"}}, "text/csv": {"schema": {"type": "string"}}}}
    },
    dependencies=[require(*STAFF, Role.REGULATOR)],
)
def alert_kpi_report(
    tx: Tx,
    state: State,
    audit: Audit,
    from_: From = None,
    to: To = None,
    format_: Annotated[
        Literal["html", "csv"], Query(alias="format", description="a page to print, or a table")
    ] = "html",
) -> Response:
    """The same figures: `html` prints on A4 and runs no script, `csv` opens in a spreadsheet."""
    found = _read(tx, state, from_, to)
    name = f"anhu-alerts-{report.day(found.start, state.settings.timezone):%Y%m%d}.{format_}"
    audit.record("export", "alert_kpi", name, format=format_)
    if format_ == "csv":
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(report.as_table(found), media_type="text/csv; charset=utf-8", headers=headers)
    text = report.as_page(found, state.settings, state.clock.now())
    headers = {"Content-Disposition": f'inline; filename="{name}"', "Content-Security-Policy": report.POLICY}
    return Response(text, media_type="text/html; charset=utf-8", headers=headers)
