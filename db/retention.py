"""Retention: ages by class of data enter; what is past its age goes, and a report of the day leaves.

Every class has its age, a setting, and the ground on which it is kept so long; the report of a day adds up what its
runs took away, for each institution where that can be told.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from core.clock import Clock
from core.metrics import LOCATION_METRICS
from core.settings import Settings
from core.vocabulary import Names
from db.pool import Pool
from db.tenant import Transaction, service_transaction

FEED_KEPT = timedelta(hours=1)
CLOCK_FAULTS_KEPT = timedelta(days=8)
TRANSITIONS_KEPT = timedelta(days=8)
HEARTBEATS_KEPT = timedelta(days=1)
_EVER: Final = datetime(2000, 1, 1, tzinfo=UTC)

Mark = Literal["law", "necessity", "operation"]
"""Why so long: a law asks for it, the purpose needs no longer (PIPL 19), or it is needed to run the platform."""


@dataclass(frozen=True, slots=True)
class DataClass:
    """One class of data: how long it is kept, by which setting, why, and what lets go of it."""

    code: str
    names: Names
    setting: str
    mark: Mark
    ground: Names
    query: str = ""
    """By institution; empty for a series of devices, of which whole parts go."""
    metrics: frozenset[int] = frozenset()
    """Of a series, these metrics alone, before the rest of it goes."""

    def days(self, settings: Settings) -> int:
        """Its age by these settings."""
        return int(getattr(settings, self.setting))


_SHORTEST: Final = Names(
    "个人信息保护法第19条：实现目的所必需的最短时间", "PIPL art. 19: as short as the purpose allows"
)
_PLACE: Final = Names(
    "个人信息保护法第19条：定位仅用于当下找人，历史轨迹不需久存",
    "PIPL art. 19: a place is for finding somebody now; where they were needs no keeping",
)
_FAULTS: Final = Names("排查设备故障", "to find out what is wrong with a device")
_LOGS: Final = Names(
    "网络安全法第21条：日志不少于六个月；个人信息保护法第56条：处理情况记录至少三年",
    "Cybersecurity Law art. 21: logs for six months or more; PIPL art. 56: records of processing for three years",
)


def _class(words: str, setting: str, query: str = "", mark: Mark = "necessity", ground: Names = _SHORTEST) -> DataClass:
    code, zh, en = words.split(maxsplit=2)
    return DataClass(code, Names(zh, en), f"{setting}_retention_days", mark, ground, query)


CLASSES: Final = (
    _class("readings 原始读数 Raw readings", "raw"),
    DataClass(
        "location",
        Names("定位读数及其汇总", "Readings of place, at every level"),
        "location_retention_days",
        "necessity",
        _PLACE,
        metrics=LOCATION_METRICS,
    ),
    _class("motion_windows 加速度片段 Motion windows", "motion"),
    _class("rollup_5m 五分钟汇总 Five-minute values", "rollup_5m"),
    _class("rollup_1h 小时汇总 Hourly values", "rollup_1h"),
    _class("rollup_1d 日汇总 Daily values", "rollup_1d"),
    _class(
        "rejections 无法使用的设备消息 Refused messages", "rejection", "retention.drop_rejections", "operation", _FAULTS
    ),
    _class("pages 已结束报警的通知 Pages of alerts that are over", "page", "retention.drop_pages"),
    _class("suppressions 被抑制的报警记录 Findings held back", "suppression", "retention.drop_suppressions"),
    _class("silences 已结束的静默 Silences that are over", "suppression", "retention.drop_silences"),
    _class("notices 站内通知 Notices", "notice", "retention.drop_notices"),
    _class("audit_log 审计日志 Audit log", "audit", "audit.drop_sealed", "law", _LOGS),
)
_TECHNICAL: Final = {
    "maintenance.drop_clock_faults": CLOCK_FAULTS_KEPT,
    "maintenance.drop_transitions": TRANSITIONS_KEPT,
    "maintenance.drop_refresh_tokens": timedelta(days=1),
    "maintenance.drop_heartbeats": HEARTBEATS_KEPT,
    "feed.drop_consumed": FEED_KEPT,
}
"""Traces of the machinery, of hours and days; no report is made of them."""


def apply_retention(pool: Pool, clock: Clock, settings: Settings) -> list[str]:
    """Let go of what is past its age; what went, in words. Each class of data has its own transaction."""
    now = clock.now()
    told: list[str] = []
    for one in CLASSES:
        with service_transaction(pool) as tx:
            if tx.one("maintenance.try_lock", job=f"retention {one.code}")["mine"]:
                told += _let_go(tx, one, settings, now)
    for query, age in _TECHNICAL.items():
        with service_transaction(pool) as tx:
            if gone := tx.run(query, before=now - age):
                told.append(f"{gone} by {query}")
    return told


def _let_go(tx: Transaction, one: DataClass, settings: Settings, now: datetime) -> list[str]:
    before = now - timedelta(days=one.days(settings))
    if not one.query:
        before = before.replace(hour=0, minute=0, second=0, microsecond=0)
    counts: dict[UUID | None, int] = {None: 0}
    if one.metrics:
        since = tx.one("retention.last", data_class=one.code)["gone_before"]
        if since is not None and since >= before:
            return []
        # What comes late is a week late at most, and a place is kept for longer: a day again is margin enough.
        since = _EVER if since is None else since - timedelta(days=1)
        rows = tx.all("retention.drop_metrics", metrics=sorted(one.metrics), since=since, before=before)
        counts |= {row["institution_id"]: row["rows"] for row in rows}
        return _report_houses(tx, one, settings, now, before, counts)
    if not one.query:
        dropped = [
            row["dropped"] for row in tx.all("maintenance.drop_series_before", series=one.code, day=before.date())
        ]
        _report(tx, one, settings, now, before, deleted=len(dropped), detail=dropped)
        return dropped
    counts |= {row["institution_id"]: row["rows"] for row in tx.all(one.query, before=before, now=now)}
    return _report_houses(tx, one, settings, now, before, counts)


def _report_houses(
    tx: Transaction, one: DataClass, settings: Settings, now: datetime, before: datetime, counts: dict[UUID | None, int]
) -> list[str]:
    for institution, rows in counts.items():
        _report(tx, one, settings, now, before, deleted=rows, institution=institution)
    total = sum(counts.values())
    return [f"{total} rows of {one.code}"] if total else []


def _report(
    tx: Transaction,
    one: DataClass,
    settings: Settings,
    now: datetime,
    before: datetime,
    *,
    deleted: int,
    detail: list[str] | None = None,
    institution: UUID | None = None,
) -> None:
    """Add to the report of the day; one of nothing deleted says that the job ran."""
    row: dict[str, Any] = {"day": now.date(), "institution": institution, "data_class": one.code, "deleted": deleted}
    row |= {"kept_days": one.days(settings), "before": before, "now": now, "detail": detail or []}
    tx.run("retention.report", unit="rows" if one.query or one.metrics else "parts", **row)
