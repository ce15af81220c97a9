"""The family's pages: today, alerts, trends, visits and meals, absences, consents; each a few calls of the API."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import Response

from api.pages.charts import line_chart
from api.pages.client import Refused, plain_id
from api.pages.door import add, add_door, add_not_found
from api.pages.family_consents import change_consents, consents
from api.pages.session import Site
from api.pages.visit import Visit
from core.metrics import METRICS

SITE: Final = Site("/family", frozenset({"family"}))
REFRESH_SECONDS: Final = 60
SPANS: Final = {
    "day": ("一天", "Day", timedelta(days=1), "15m", timedelta(minutes=15)),
    "week": ("一周", "Week", timedelta(days=7), "1h", timedelta(hours=1)),
    "month": ("一月", "Month", timedelta(days=30), "1d", timedelta(days=1)),
}
VITALS: Final = tuple(one for one in METRICS if one.kind == "vital")
TOLD: Final = {
    "opened": {"zh": "发出报警", "en": "opened"},
    "occurred": {"zh": "再次发生", "en": "again"},
    "acknowledged": {"zh": "已响应", "en": "answered"},
    "arrived": {"zh": "已到场", "en": "on site"},
    "resolved": {"zh": "已解除", "en": "resolved"},
    "escalated": {"zh": "扩大通知", "en": "more people called"},
    "commented": {"zh": "留言", "en": "a word"},
    "cleared": {"zh": "恢复正常", "en": "back to normal"},
}
"""What of an alert's timeline tells a family something; whom the house paged how is its own affair."""
_ACTIONS: Final = ("acknowledge", "arrive", "comment")
_WHEN: Final = (
    "请填写返回日期和时间，例如 2026-12-01 和 18:00",
    "Fill in the day and the time, such as 2026-12-01 and 18:00",
)
_EMPTY_NOTE: Final = ("请先写下留言", "Write a word first")
_CARE: Final = {
    "meal": {"zh": "餐食", "en": "Meal"},
    "bath": {"zh": "助浴", "en": "Bath"},
    "housework": {"zh": "家务", "en": "Housework"},
    "care_visit": {"zh": "上门照护", "en": "Care visit"},
    "visit": {"zh": "探访", "en": "Visit"},
    "phone": {"zh": "电话问候", "en": "Call"},
    "video": {"zh": "视频问候", "en": "Video call"},
}

router = APIRouter()


async def today(visit: Visit) -> Response:
    """Everybody today in one sentence."""
    found, wards = await asyncio.gather(visit.api.get("/family/today"), visit.api.get("/family/wards"))
    open_ = [one["resident_id"] for one in found["items"] if "health" in one["scopes"]]
    values = await asyncio.gather(*(visit.api.get(f"/residents/{one}/latest") for one in open_))
    vital = {one.code for one in VITALS}
    latest = {
        resident: [one for one in value["items"] if one["metric"] in vital]
        for resident, value in zip(open_, values, strict=True)
    }
    live = visit.query("live") != "off"
    words = {"today": found, "wards": wards["items"], "latest": latest}
    return visit.page("family_today.html", **words, refresh_seconds=REFRESH_SECONDS if live else 0)


async def alerts(visit: Visit) -> Response:
    """Alerts, newest first."""
    resident = visit.query("resident")
    found = await visit.api.get("/alerts", resident=resident, cursor=visit.query("cursor"), limit=20)
    return visit.page("family_alerts.html", alerts=found, resident=resident)


async def alert(
    visit: Visit, status: int = 200, problem: tuple[str, str] | None = None, done: dict[str, str] | None = None
) -> Response:
    """One alert; whoever opens it has seen the pages about it, so this page never renews itself."""
    found = await visit.api.get(f"/alerts/{visit.id('alert')}")
    return visit.page("family_alert.html", status, alert=found, told=TOLD, problem=problem, done=done)


async def act_on_alert(visit: Visit) -> Response:
    """Answer, arrive or leave a word."""
    action, note = visit.form.get("action", ""), visit.form.get("note", "").strip()
    if action not in _ACTIONS:
        raise Refused(422, {})
    if action == "comment" and not note:
        return await alert(visit, 422, _EMPTY_NOTE)
    try:
        done = await visit.api.post(f"/alerts/{visit.id('alert')}/{action}", {"note": note})
    except Refused as refused:
        if refused.status not in (409, 422):
            raise
        return await alert(visit, refused.status, refused.told)
    visit.form = {}
    return await alert(visit, done=done["reason_name"])


async def vitals(visit: Visit) -> Response:
    """Trends of a day, a week or a month; the API refuses where there is no consent for health."""
    resident = await _resident(visit)
    span = visit.query("span", "day")
    if span not in SPANS:
        raise Refused(422, {})
    _, _, length, bucket, width = SPANS[span]
    end = visit.now
    path = f"/residents/{resident['id']}/readings"
    query = {"from_": (end - length).isoformat(), "to": end.isoformat(), "bucket": bucket}
    series = await asyncio.gather(*(visit.api.get(path, metric=one.code, **query) for one in VITALS))
    charts = []
    for metric, one in zip(VITALS, series, strict=True):
        svg = line_chart(
            one["points"], start=end - length, end=end, bucket=width, zone=visit.zone, title=f"{metric.zh} {metric.en}"
        )
        if svg:
            name = {"zh": metric.zh, "en": metric.en}
            charts.append({"name": name, "unit": metric.unit, "svg": svg, "summary": _summary(one["points"])})
    words = {code: one[:2] for code, one in SPANS.items()}
    return visit.page("family_vitals.html", resident=resident, charts=charts, spans=words, span=span)


def _summary(points: list[dict[str, Any]]) -> dict[str, str]:
    count = sum(one["count"] for one in points)
    mean = sum(one["avg"] * one["count"] for one in points) / count
    low, high = min(one["min"] for one in points), max(one["max"] for one in points)
    return {name: f"{round(value, 1):g}" for name, value in (("mean", mean), ("low", low), ("high", high))}


async def services(visit: Visit) -> Response:
    """Visits, meals and other orders, and deliveries, as far as the consents go."""
    resident = await _resident(visit)
    wanted = {"resident": resident["id"], "limit": 30}
    visits, orders, goods = await asyncio.gather(
        visit.api.get("/services/companionship/visits", **wanted),
        visit.api.get("/services/daily-living/orders", **wanted),
        visit.api.get("/services/goods/orders", **wanted),
    )
    meals = [one for one in orders["items"] if one["detail"]["care"] == "meal"]
    other = [one for one in orders["items"] if one["detail"]["care"] != "meal"]
    titles = (("探访", "Visits"), ("餐食", "Meals"), ("照护服务", "Care"), ("商品配送", "Goods"))
    parts = [
        {"title": title, "rows": [_record(one) for one in rows]}
        for title, rows in zip(titles, (visits["items"], meals, other, goods["items"]), strict=True)
    ]
    return visit.page("family_services.html", resident=resident, parts=parts)


def _record(one: dict[str, Any]) -> dict[str, Any]:
    """A record of a service for the list; of its words the one that says most."""
    detail = one["detail"]
    words = detail.get("findings") or detail.get("done") or detail.get("note") or ""
    name = _CARE.get(detail.get("care") or detail.get("way") or "", {"zh": "订单", "en": "Order"})
    keys = ("title", "state_name", "starts_at", "ends_at", "own_share")
    return {"name": name, "words": words, **{key: one[key] for key in keys}}


async def away(visit: Visit, status: int = 200, problem: tuple[str, str] | None = None) -> Response:
    """Absences, and a form to note one or to end it."""
    resident = await _resident(visit)
    found = await visit.api.get(f"/residents/{resident['id']}/away", limit=10)
    return visit.page("family_away.html", status, resident=resident, absences=found["items"], problem=problem)


async def change_away(visit: Visit) -> Response:
    """Note an absence with its end, or end the one that runs."""
    path = f"/residents/{visit.id('resident')}/away"
    is_end = visit.form.get("action") == "end"
    until = _local(visit, visit.form.get("until_day", ""), visit.form.get("until_time", ""))
    if not is_end and until is None:
        return await away(visit, 422, _WHEN)
    if until is not None and until <= visit.now:
        return await away(visit, 422, ("返回时间必须晚于现在", "The time must lie ahead"))
    try:
        if is_end or until is None:
            await visit.api.send("DELETE", path)
        else:
            kind, reason = visit.form.get("kind", "away"), visit.form.get("reason", "")
            await visit.api.post(path, {"kind": kind, "until": until.isoformat(), "reason": reason})
    except Refused as refused:
        if refused.status not in (409, 422):
            raise
        return await away(visit, refused.status, refused.told)
    return visit.go(visit.request.url.path)


def _local(visit: Visit, day: str, time: str) -> datetime | None:
    try:
        return datetime.fromisoformat(f"{day.strip()}T{time.strip()}").replace(tzinfo=visit.zone)
    except ValueError:
        return None


async def notices(visit: Visit) -> Response:
    """What the account should know, newest first."""
    found = await visit.api.get("/notices", cursor=visit.query("cursor"), limit=20)
    return visit.page("family_notices.html", notices=found)


async def read_notice(visit: Visit) -> Response:
    """One is read."""
    await visit.api.post(f"/notices/{plain_id(visit.form.get('notice', ''))}/read")
    return visit.go(f"{SITE.prefix}/notices")


async def _resident(visit: Visit) -> dict[str, Any]:
    found: dict[str, Any] = await visit.api.get(f"/residents/{visit.id('resident')}")
    return found


_PERSON: Final = "/residents/{resident}"
add_door(
    router,
    SITE,
    title=("家属登录", "For families"),
    elsewhere=("此处仅供家属使用；工作人员请从首页登录", "This is for families; staff sign in at the first page"),
)
add(router, SITE, "", today)
add(router, SITE, "/alerts", alerts)
add(router, SITE, "/alerts/{alert}", alert)
add(router, SITE, "/alerts/{alert}", act_on_alert, method="POST")
add(router, SITE, f"{_PERSON}/vitals", vitals)
add(router, SITE, f"{_PERSON}/services", services)
add(router, SITE, f"{_PERSON}/away", away)
add(router, SITE, f"{_PERSON}/away", change_away, method="POST")
add(router, SITE, f"{_PERSON}/consents", consents)
add(router, SITE, f"{_PERSON}/consents", change_consents, method="POST")
add(router, SITE, "/notices", notices)
add(router, SITE, "/notices", read_notice, method="POST")
add_not_found(router, SITE)
