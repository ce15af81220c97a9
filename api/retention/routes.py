"""Routes of retention: settings and the reports of the jobs enter, what is kept how long and what went leaves."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.deps import API, Audit, Tx, require
from api.paging import LIMIT_DEFAULT, Cursor, Limit, Page, cursor_text, decode_cursor, page
from api.schemas import Names, Word
from api.state import State
from core.vocabulary import Role
from db.retention import CLASSES

router = APIRouter(prefix=f"{API}/retention", tags=["audit"])
READERS: Final = (Role.ADMIN, Role.REGULATOR, Role.PLATFORM)


class Period(BaseModel):
    """How long one class of data is kept."""

    data_class: str = Field(examples=["readings"])
    name: Names
    days: int = Field(examples=[90])
    setting: str = Field(description="the operator's setting", examples=["ANHU_RAW_RETENTION_DAYS"])
    mark: Literal["law", "necessity", "operation"] = Field(
        description="依据：法律规定、最短必要、运行需要 · the law asks for it, the purpose needs no longer, operation"
    )
    ground: Names


class PeriodList(BaseModel):
    """Every class that has an age."""

    items: list[Period]
    next: None = None


class Report(BaseModel):
    """What went on one day, of one class."""

    day: date
    data_class: str = Field(examples=["pages"])
    of_platform: bool = Field(description="of no single institution: series of devices, rows without an owner")
    kept_days: int = Field(examples=[400])
    gone_before: datetime = Field(description="nothing older is left")
    deleted: int = Field(examples=[120])
    unit: Literal["rows", "parts"] = Field(description="rows, or whole parts (days, chunks) of a series")
    detail: list[str] = Field(description="names of the parts", examples=[[]])
    written_at: datetime


ReportPage = Page[Report]


@router.get("/periods", summary="保存期限 · How long data is kept", dependencies=[require(*READERS)])
def list_periods(state: State) -> PeriodList:
    """Every class of data with its age, the setting, and the ground on which it is kept so long."""
    return PeriodList(
        items=[
            Period(
                data_class=one.code,
                name=Names(zh=one.names.zh, en=one.names.en),
                days=one.days(state.settings),
                setting=f"ANHU_{one.setting.upper()}",
                mark=one.mark,
                ground=Names(zh=one.ground.zh, en=one.ground.en),
            )
            for one in CLASSES
        ]
    )


@router.get("/reports", summary="到期删除报告 · Retention reports", dependencies=[require(*READERS)])
def list_reports(
    tx: Tx,
    audit: Audit,
    data_class: Annotated[Word | None, Query(examples=["pages"])] = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> ReportPage:
    """Newest first. A report of nothing deleted says that the job ran; those of one day are added up."""
    day, of_class, of_platform = decode_cursor(cursor, date.fromisoformat, cursor_text, _flag)
    rows = tx.all(
        "retention.reports",
        before_day=day,
        before_class=of_class,
        before_platform=of_platform,
        data_class=data_class,
        limit=limit + 1,
    )
    shown, following = page(rows, limit, lambda row: (row["day"].isoformat(), row["data_class"], row["of_platform"]))
    audit.record("list", "retention_report")
    return ReportPage(items=[Report(**row) for row in shown], next=following)


def _flag(value: Any) -> bool:
    return {True: True, False: False}[value]
