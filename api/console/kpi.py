"""Response figures for the people in charge: the API's counts enter; shares with targets, by shift and type, leave."""

from __future__ import annotations

from datetime import datetime, timedelta
from html import escape
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, RedirectResponse, Response

from api.console.client import Away, Refused, SignedOut
from api.console.frame import View, console, html, screen
from api.console.sessions import COOKIE, STAFF
from api.console.texts import Speech, add

add(
    {
        "menu.kpi": ("指标", "Figures"),
        "kpi.title": ("报警响应指标", "Response to alerts"),
        "kpi.span.month": ("本月", "This month"),
        "kpi.span.last": ("上月", "Last month"),
        "kpi.span.quarter": ("近90天", "90 days"),
        "kpi.report": ("打开可打印报告", "Report to print"),
        "kpi.csv": ("导出 CSV", "Export CSV"),
        "kpi.urgent": ("紧急与高级报警", "Critical and high"),
        "kpi.alerts": ("报警", "alerts"),
        "kpi.unanswered": ("未响应", "unanswered"),
        "kpi.tests": ("演练与测试", "drills and tests"),
        "kpi.load": ("每护理员每日报警", "alerts per caregiver and day"),
        "kpi.target": ("要求", "target"),
        "kpi.none": ("暂无可统计的报警", "nothing to count yet"),
        "kpi.by.shift": ("按班次", "By shift"),
        "kpi.by.type": ("按类型", "By type"),
        "kpi.by.month": ("按月", "By month"),
        "kpi.pages": ("报警负荷：每人每日被传呼次数", "Alarm load: pages per person and day"),
        "kpi.who": ("人员", "Who"),
        "kpi.day": ("日期", "Day"),
        "kpi.count": ("传呼", "pages"),
        "kpi.idle": ("误报或无需处理", "for nothing"),
    }
)
SPANS: Final = ("month", "last", "quarter")
LOAD_ROWS_MAX: Final = 60
DIVISIONS: Final = ("shift", "type", "month")
router = APIRouter(include_in_schema=False)
Thing = dict[str, Any]


@screen("/kpi", "menu.kpi", icon="chart", order=5)
async def kpi(view: View, span: str = "month") -> None:
    """How fast somebody answered and came, and how much of it was for nothing."""
    span = span if span in SPANS else SPANS[0]
    start, end = _span(span, view.console.gateway.clock.now(), ZoneInfo(view.console.settings.timezone))
    query = {"from": start.isoformat(), "to": end.isoformat()}
    found = await view.get("/alerts/kpi", **query)
    load = await view.get("/alerts/load", **query)
    say = view.speech
    link = f"/kpi/report?from={quote(query['from'])}&to={quote(query['to'])}"
    tabs = "".join(
        f'<a class="button{" primary" if one == span else ""}" href="/kpi?span={one}"'
        f"{' aria-current=true' if one == span else ''}>{escape(say(f'kpi.span.{one}'))}</a>"
        for one in SPANS
    )
    report_link = f'<a class="button" href="{link}&format=html" target="_blank" rel="noopener">'
    table_link = f'<a class="button" href="{link}&format=csv">'
    parts = [
        f"<h1>{escape(say('kpi.title'))}</h1>",
        f'<div class="row">{tabs}{report_link}{escape(say("kpi.report"))}</a>',
        f"{table_link}{escape(say('kpi.csv'))}</a></div>",
        _counts(found, say),
        f'<section class="part"><h2>{escape(say("kpi.urgent"))}</h2>{_shares(found["indicators"], say)}</section>',
        *(_division(name, found["by"][name], say) for name in DIVISIONS),
        _load(load["items"], say),
    ]
    html("".join(parts), "div").classes("kpi")


@router.get("/kpi/report")
async def report(request: Request) -> Response:
    """The report that the API makes, for the person who is signed in."""
    gateway = console().gateway
    session = gateway.sessions.find(request.cookies.get(COOKIE))
    if session is None or session.role not in STAFF:
        return RedirectResponse("/signin?next=/kpi", 303)
    asked = {name: request.query_params.get(name, "")[:64] for name in ("from", "to", "format")}
    try:
        answer = await gateway.file(session, "/alerts/kpi/report", **asked)
    except SignedOut:
        return RedirectResponse("/signin?next=/kpi&ended=1", 303)
    except Away:
        return PlainTextResponse("平台暂时无法连接，请稍后再试 The platform cannot be reached, try again", 503)
    except Refused as refused:
        title = str(refused.problem.get("title_zh") or refused.problem.get("title", ""))
        return PlainTextResponse(title, refused.status)
    kept = ("content-type", "content-disposition")
    return Response(
        answer.content, headers={name: answer.headers[name] for name in kept} | {"cache-control": "no-store"}
    )


def _span(span: str, now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The begin and the end of what is counted, in wall time."""
    first = now.astimezone(zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    if span == "last":
        return (first - timedelta(days=1)).replace(day=1), first
    return (first, now) if span == "month" and first < now else (now - timedelta(days=90), now)


def _counts(found: Thing, say: Speech) -> str:
    load = found["per_caregiver_day"]
    counts = [
        (found["alerts"], "kpi.alerts"), (found["unanswered"], "kpi.unanswered"), (found["tests"], "kpi.tests"),
        ("—" if load is None else f"{load:.2f}", "kpi.load"),
    ]  # fmt: skip
    boxes = "".join(f'<p class="notice"><b>{escape(str(n))}</b> {escape(say(key))}</p>' for n, key in counts)
    return f'<div class="figures">{boxes}</div>'


def _shares(indicators: list[Thing], say: Speech) -> str:
    """A bar for each share with its target as a mark; the parts it is made of beside."""
    rows = []
    for one in indicators:
        percent, target = one["percent"], one["target"]
        goal = "" if target is None else f"{say('kpi.target')} {100 * target:g}%"
        mark = f'<line class="limit" x1="{200 * target:.1f}" x2="{200 * target:.1f}" y1="0" y2="16"/>' if target else ""
        bar = "" if percent is None else f'<rect class="bar" width="{2 * percent:.1f}" height="16"/>'
        ground = '<rect class="ground" width="200" height="16"/>'
        picture = f'<svg class="plot share" viewBox="0 0 200 16" aria-hidden="true">{ground}{bar}{mark}</svg>'
        kind = {True: "ok", False: "bad", None: ""}[one["met"]]
        value = f"{percent:.1f}%" if percent is not None else "—"
        rows.append(
            f'<tr><th scope="row">{escape(say.name(one["name"]))}</th><td><span class="pill {kind}">'
            f"{'✓ ' if one['met'] else '✗ ' if one['met'] is False else ''}{value}</span></td><td>{picture}</td>"
            f"<td>{one['numerator']} / {one['denominator']}</td><td>{escape(goal)}</td></tr>"
        )
    return f'<table class="sheet"><tbody>{"".join(rows)}</tbody></table>'


def _division(name: str, slices: list[Thing], say: Speech) -> str:
    if not slices:
        return ""
    heads = "".join(f'<th scope="col">{escape(say.name(one["name"]))}</th>' for one in slices[0]["indicators"])
    rows = []
    for one in slices:
        cells = "".join(
            f"<td{' class=missed' if share['met'] is False else ''}>"
            f"{'—' if share['percent'] is None else format(share['percent'], '.1f') + '%'}</td>"
            for share in one["indicators"]
        )
        rows.append(f'<tr><th scope="row">{escape(say.name(one["name"]))}</th><td>{one["alerts"]}</td>{cells}</tr>')
    head = f"<tr><th></th><th scope='col'>{escape(say('kpi.alerts'))}</th>{heads}</tr>"
    table = f'<table class="sheet"><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table>'
    return f'<section class="part"><h2>{escape(say(f"kpi.by.{name}"))}</h2>{table}</section>'


def _load(days: list[Thing], say: Speech) -> str:
    if not days:
        return ""
    keys = ("kpi.day", "kpi.who", "kpi.alerts", "kpi.count", "kpi.idle")
    head = "".join(f'<th scope="col">{escape(say(key))}</th>' for key in keys)
    rows = "".join(
        f'<tr><td>{escape(one["day"])}</td><th scope="row">{escape(one["name"])}</th><td>{one["alerts"]}</td>'
        f"<td>{one['pages']}</td><td>{one['non_actionable']}</td></tr>"
        for one in days[:LOAD_ROWS_MAX]
    )
    table = f'<table class="sheet"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    return f'<section class="part"><h2>{escape(say("kpi.pages"))}</h2>{table}</section>'
