"""The report on response figures for inspectors: figures enter, a CSV table or a page to print leaves.

The page is one file: its style is in it, nothing is loaded and no script runs; every name in it is escaped. It prints
on A4 with the tables' heads on every sheet.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from datetime import date, datetime
from html import escape
from typing import Any, Final
from zoneinfo import ZoneInfo

from api.alerts.kpi import INDICATORS, SHIFTS, shifts_of
from api.alerts.schemas import Indicator, Kpi, KpiGroup, KpiSlice
from api.schemas import Names
from api.supervision.export import as_csv
from core.settings import Settings

_ALL = Names(zh="合计", en="Total")
_DIVISIONS: Final = {
    "total": Names(zh="总计", en="Total"),
    "month": Names(zh="按月", en="By month"),
    "institution": Names(zh="按机构", en="By institution"),
    "shift": Names(zh="按班次", en="By shift"),
    "type": Names(zh="按报警类型", en="By type of alert"),
}
_POPULATIONS: Final = {
    "urgent": Names(zh="紧急与高级", en="Critical and high"),
    "all": Names(zh="全部级别", en="All severities"),
}
_MET: Final = {True: "达标 yes", False: "未达标 no", None: ""}
COLUMNS: Final = (
    *("维度 division", "代码 key", "名称", "name", "范围 population", "报警数 alerts", "演练与测试 tests"),
    *("自行恢复 self_resolved", "未响应 unanswered", "指标", "indicator", "分子 numerator", "分母 denominator"),
    *("百分比 percent", "目标% target", "达标 met", "入住人日 resident_days", "护理员人日 caregiver_days"),
    *("每人日报警 per_resident_day", "每护理员每日报警 per_caregiver_day"),
)
_STYLE: Final = """
@page { size: A4 landscape; margin: 14mm 12mm; }
* { box-sizing: border-box; }
body { font: 10pt/1.45 "Noto Sans CJK SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei", sans-serif;
       color: #111; max-width: 273mm; margin: 0 auto; padding: 6mm; }
h1 { font-size: 16pt; margin: 0 0 1mm; } h2 { font-size: 12pt; margin: 6mm 0 2mm; break-after: avoid; }
.en { color: #555; font-weight: normal; font-size: 85%; }
table { border-collapse: collapse; width: 100%; } thead { display: table-header-group; } tr { break-inside: avoid; }
th, td { border: 0.3mm solid #999; padding: 1mm 1.5mm; text-align: right; vertical-align: top; }
th { background: #eee; text-align: center; } td:first-child { text-align: left; }
.parts { color: #555; font-size: 85%; overflow-wrap: break-word; } .wide { overflow-x: auto; }
.missed { font-weight: bold; text-decoration: underline; }
.notes { font-size: 85%; } .sign { margin-top: 10mm; display: flex; justify-content: space-between; }
@media print { body { padding: 0; max-width: none; font-size: 8.5pt; } .wide { overflow: visible; }
  th { print-color-adjust: exact; } }
"""
POLICY: Final = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    + "'"
)
_NOTES: Final = (
    (
        "统计区间内开启的全部报警，未响应者计入分母；开启时间不足以判定时限者暂不计入该时限。",
        "Every alert opened in the interval. Unanswered ones stay in the denominator; too young for a limit, not yet.",
    ),
    (
        "演练与测试单列，不计入比率；响应前自行恢复的技术类报警单列。",
        "Drills and tests stand apart and are in no share; so do technical alerts that ended before anybody answered.",
    ),
    (
        "未到场即解除的报警（如电话确认的误报）不计入到场率。",
        "An alert that ended without a visit, such as a false alarm by telephone, is not in the figures of arrival.",
    ),
    (
        "人日：区间内在册老人、护理员账号的天数之和；离院者计至登记离院之时。",
        "Days of residents in care and of caregivers' accounts; who has left counts until it was noted.",
    ),
)


def day(moment: datetime, zone: str) -> date:
    """The day of a moment in wall time."""
    return moment.astimezone(ZoneInfo(zone)).date()


def as_table(found: Kpi) -> str:
    """CSV: a row for each group, population and indicator."""
    rows: list[list[Any]] = [list(COLUMNS)]
    for division, key, name, population, group in _groups(found):
        head = [division, key, name.zh, name.en, population]
        counts = [group.alerts, group.tests, group.self_resolved, group.unanswered]
        days = [group.resident_days, group.caregiver_days, group.per_resident_day, group.per_caregiver_day]
        for one in group.indicators:
            target = None if one.target is None else round(100 * one.target, 2)
            shares = [one.name.zh, one.name.en, one.numerator, one.denominator, one.percent, target, _MET[one.met]]
            rows.append([*head, *counts, *shares, *days])
    return as_csv(rows)


def _groups(found: Kpi) -> Iterator[tuple[str, str, Names, str, KpiGroup]]:
    yield "total", "", _ALL, "urgent", found
    yield "total", "", _ALL, "all", found.all_severities
    for division, slices in found.by:
        for one in slices:
            yield division, one.key, one.name, "urgent", one
            yield division, one.key, one.name, "all", one.all_severities


def as_page(found: Kpi, settings: Settings, now: datetime) -> str:
    """HTML for people, Chinese first."""
    zone = ZoneInfo(settings.timezone)
    span = f"{found.start.astimezone(zone):%Y-%m-%d %H:%M} – {found.to.astimezone(zone):%Y-%m-%d %H:%M}"
    made = f"{now.astimezone(zone):%Y-%m-%d %H:%M}"
    houses = "、".join(one.name.zh for one in found.by.institution) or "—"
    shifts = "，".join(f"{SHIFTS[key].zh} {SHIFTS[key].en} {begin:%H:%M}" for key, begin in shifts_of(settings).items())
    notes = "".join(f"<li>{_two(Names(zh=zh, en=en))}</li>" for zh, en in _NOTES)
    total = KpiSlice(key="", name=_ALL, **_fields(found), all_severities=found.all_severities)
    tables = [_table("total", [total])]
    tables += [_table(division, slices) for division, slices in found.by if slices]
    return (
        f'<!doctype html>\n<html lang="zh-CN"><head><meta charset="utf-8"><title>报警响应指标报告 {span}</title>'
        f"<style>{_STYLE}</style></head><body>"
        f'<h1>报警响应指标报告 <span class="en">Response to alerts: report</span></h1>'
        f"<p>{escape(houses)}<br>区间 <span class='en'>Interval</span> {span}（{escape(settings.timezone)}）"
        f"　生成 <span class='en'>made</span> {made}<br>"
        f"班次起始 <span class='en'>Shifts begin</span>：{escape(shifts)}</p>"
        + "".join(tables)
        + f'<h2>说明 <span class="en">Notes</span></h2><ol class="notes">{notes}</ol>'
        + "<div class='sign'><span>机构负责人 <span class='en'>For the institution</span> ____________</span>"
        "<span>检查人员 <span class='en'>Inspector</span> ____________</span>"
        "<span>日期 <span class='en'>Date</span> ____________</span></div></body></html>\n"
    )


def _fields(group: KpiGroup) -> dict[str, Any]:
    return {name: getattr(group, name) for name in KpiGroup.model_fields}


_OPEN: Final = "<div class='wide'><table>"
_CLOSE: Final = "</table></div>"


def _table(division: str, slices: list[KpiSlice]) -> str:
    heads = [Names(zh="范围", en="Group"), Names(zh="报警", en="Alerts"), Names(zh="未响应", en="Unanswered")]
    heads += [Names(zh=zh, en=en) for _, zh, en, *_ in INDICATORS]
    heads += [Names(zh="每人日", en="per resident-day"), Names(zh="每护理员日", en="per caregiver-day")]
    heads += [Names(zh="演练", en="Drills, tests"), Names(zh="自行恢复", en="Self-resolved")]
    row = "".join(f"<th>{_two(one)}</th>" for one in heads)
    body = "".join(_row(one.name, population, group) for one in slices for population, group in _pair(one))
    return f"<h2>{_two(_DIVISIONS[division])}</h2>{_OPEN}<thead><tr>{row}</tr></thead><tbody>{body}</tbody>{_CLOSE}"


def _pair(one: KpiSlice) -> list[tuple[str, KpiGroup]]:
    """What a group shows: its urgent alerts, and all of them where there are others."""
    same = one.alerts == one.all_severities.alerts
    return [("urgent", one)] if same else [("urgent", one), ("all", one.all_severities)]


def _row(name: Names, population: str, group: KpiGroup) -> str:
    whose = _POPULATIONS[population]
    cells = [f"<td>{_two(name)}<br><span class='en'>{_two(whose)}</span></td>"]
    cells += [f"<td>{group.alerts}</td>", f"<td>{group.unanswered}</td>"]
    cells += [_share(one) for one in group.indicators]
    cells += [f"<td>{_rate(rate)}</td>" for rate in (group.per_resident_day, group.per_caregiver_day)]
    cells += [f"<td>{group.tests}</td>", f"<td>{group.self_resolved}</td>"]
    return f"<tr>{''.join(cells)}</tr>"


def _share(one: Indicator) -> str:
    if one.percent is None:
        return "<td>—<br><span class='parts'>0 / 0</span></td>"
    marked = " class='missed'" if one.met is False else ""
    goal = "" if one.target is None else f"，≥{100 * one.target:g}%"
    parts = f"{one.numerator} / {one.denominator}{goal}"
    return f"<td><span{marked}>{one.percent:.2f}%</span><br><span class='parts'>{parts}</span></td>"


def _rate(rate: float | None) -> str:
    return "—" if rate is None else f"{rate:.4f}"


def _two(names: Names) -> str:
    """Chinese first, English beside."""
    return f"{escape(names.zh)} <span class='en'>{escape(names.en)}</span>"
