"""The family's pages: today, alerts, trends, visits and meals, absences, consents; each a few calls of the API."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from api.pages.charts import line_chart
from api.pages.client import Refused
from api.pages.door import add, add_door, add_not_found
from api.pages.session import Site
from api.pages.visit import Visit
from core.metrics import METRICS
from core.vocabulary import CONSENT_SCOPES

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
    found = await visit.api.get("/family/today")
    open_ = [one["resident_id"] for one in found["items"] if "health" in one["scopes"]]
    values = await asyncio.gather(*(visit.api.get(f"/residents/{one}/latest") for one in open_))
    vital = {one.code for one in VITALS}
    latest = {
        resident: [one for one in value["items"] if one["metric"] in vital]
        for resident, value in zip(open_, values, strict=True)
    }
    live = visit.query("live") != "off"
    return visit.page("family_today.html", today=found, latest=latest, refresh_seconds=REFRESH_SECONDS if live else 0)


async def alerts(visit: Visit) -> Response:
    """Alerts, newest first."""
    resident = visit.query("resident")
    found = await visit.api.get("/alerts", resident=resident, cursor=visit.query("cursor"), limit=20)
    return visit.page("family_alerts.html", alerts=found, resident=resident)


async def alert(visit: Visit) -> Response:
    """One alert; whoever opens it has seen the pages about it, so this page never renews itself."""
    return await _alert(visit)


async def _alert(
    visit: Visit, status: int = 200, problem: tuple[str, str] | None = None, done: dict[str, str] | None = None
) -> Response:
    found = await visit.api.get(f"/alerts/{_id(visit, 'alert')}")
    return visit.page("family_alert.html", status, alert=found, told=TOLD, problem=problem, done=done)


async def act_on_alert(visit: Visit) -> Response:
    """Answer, arrive or leave a word."""
    action, note = visit.form.get("action", ""), visit.form.get("note", "").strip()
    if action not in _ACTIONS:
        raise Refused(422, {})
    if action == "comment" and not note:
        return await _alert(visit, 422, _EMPTY_NOTE)
    try:
        done = await visit.api.post(f"/alerts/{_id(visit, 'alert')}/{action}", {"note": note})
    except Refused as refused:
        if refused.status not in (409, 422):
            raise
        return await _alert(visit, refused.status, _told(refused))
    visit.form = {}
    return await _alert(visit, done=done["reason_name"])


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


async def away(visit: Visit) -> Response:
    """Absences, and a form to note one or to end it."""
    return await _away(visit)


async def _away(visit: Visit, status: int = 200, problem: tuple[str, str] | None = None) -> Response:
    resident = await _resident(visit)
    found = await visit.api.get(f"/residents/{resident['id']}/away", limit=10)
    return visit.page("family_away.html", status, resident=resident, absences=found["items"], problem=problem)


async def change_away(visit: Visit) -> Response:
    """Note an absence with its end, or end the one that runs."""
    path = f"/residents/{_id(visit, 'resident')}/away"
    is_end = visit.form.get("action") == "end"
    until = _local(visit, visit.form.get("until_day", ""), visit.form.get("until_time", ""))
    if not is_end and until is None:
        return await _away(visit, 422, _WHEN)
    if until is not None and until <= visit.now:
        return await _away(visit, 422, ("返回时间必须晚于现在", "The time must lie ahead"))
    try:
        if is_end or until is None:
            await visit.api.send("DELETE", path)
        else:
            kind, reason = visit.form.get("kind", "away"), visit.form.get("reason", "")
            await visit.api.post(path, {"kind": kind, "until": until.isoformat(), "reason": reason})
    except Refused as refused:
        if refused.status not in (409, 422):
            raise
        return await _away(visit, refused.status, _told(refused))
    return visit.go(visit.request.url.path)


def _local(visit: Visit, day: str, time: str) -> datetime | None:
    try:
        return datetime.fromisoformat(f"{day.strip()}T{time.strip()}").replace(tzinfo=visit.zone)
    except ValueError:
        return None


async def consents(visit: Visit) -> Response:
    """What this account was given, purpose by purpose, and when it is told of what."""
    return await _consents(visit)


_DONE: Final = {
    "withdraw": ("已放弃，立即生效", "Given up, at once"),
    "ask": ("已转交机构征求老人同意，请留意通知", "The home will ask; watch your notices"),
    "quiet": ("已保存", "Saved"),
}


async def _consents(visit: Visit, status: int = 200, problem: tuple[str, str] | None = None) -> Response:
    resident = await _resident(visit)
    path = f"/residents/{resident['id']}/consents"
    given, at_home = await asyncio.gather(visit.api.get(path), visit.api.get("/family/today"))
    standing = {one["scope"]: one for one in given["items"] if one["withdrawn_at"] is None}
    scopes = [
        {"code": code, "name": {"zh": names.zh, "en": names.en}, "consent": standing.get(code)}
        for code, names in CONSENT_SCOPES.items()
    ]
    contact = next((one["contact"] for one in at_home["items"] if one["resident_id"] == resident["id"]), None)
    words = {"scopes": scopes, "contact": contact, "done": _DONE.get(visit.query("done"))}
    return visit.page("family_consents.html", status, resident=resident, problem=problem, **words)


async def change_consents(visit: Visit) -> Response:
    """Give a purpose up, ask for one, or set the quiet hours."""
    resident, path, action = _id(visit, "resident"), visit.request.url.path, visit.form.get("action", "")
    change = {"withdraw": _withdraw, "ask": _ask, "quiet": _quiet}.get(action)
    if change is None:
        raise Refused(422, {})
    try:
        await change(visit, resident)
    except Refused as refused:
        if refused.status not in (409, 422):
            raise
        return await _consents(visit, refused.status, _told(refused))
    left = await _still_open(visit, resident)
    return visit.go(f"{path}?done={action}" if left else SITE.prefix)


async def _still_open(visit: Visit, resident: str) -> bool:
    """Whether anything of the resident is left to this account after it gave something up."""
    try:
        await visit.api.get(f"/residents/{resident}")
    except Refused as refused:
        if refused.status == 404:
            return False
        raise
    return True


async def _withdraw(visit: Visit, resident: str) -> None:
    await visit.api.post(f"/residents/{resident}/consents/{_plain(visit.form.get('consent', ''))}/withdraw")


async def _ask(visit: Visit, resident: str) -> None:
    """An enquiry to the house: only the person, or a guardian, can consent, and the staff notes it."""
    names = CONSENT_SCOPES.get(visit.form.get("scope", ""))
    if names is None:
        raise Refused(422, {})
    await visit.api.post(
        "/services/information/enquiries",
        {
            "title": f"申请查看：{names.zh}",
            "question": f"家属申请查看{names.zh}（{names.en}）。请向老人本人或监护人征求单独同意，并登记。",
            "topic": "other",
            "resident_id": resident,
        },
    )


async def _quiet(visit: Visit, resident: str) -> None:
    body = {
        "quiet_from": visit.form.get("quiet_from") or None,
        "quiet_to": visit.form.get("quiet_to") or None,
        "wants_updates": visit.form.get("wants_updates") == "yes",
    }
    contact = _plain(visit.form.get("contact", ""))
    await visit.api.send("PUT", f"/residents/{resident}/contacts/{contact}/quiet-hours", json=body)


async def notices(visit: Visit) -> Response:
    """What the account should know, newest first."""
    found = await visit.api.get("/notices", cursor=visit.query("cursor"), limit=20)
    return visit.page("family_notices.html", notices=found)


async def read_notice(visit: Visit) -> Response:
    """One is read."""
    await visit.api.post(f"/notices/{_plain(visit.form.get('notice', ''))}/read")
    return visit.go(f"{SITE.prefix}/notices")


async def _resident(visit: Visit) -> dict[str, Any]:
    found: dict[str, Any] = await visit.api.get(f"/residents/{_id(visit, 'resident')}")
    return found


def _id(visit: Visit, name: str) -> str:
    return _plain(str(visit.request.path_params[name]))


def _plain(text: str) -> str:
    """An id as a part of a path; anything else is nothing that could be there."""
    try:
        return str(UUID(text))
    except ValueError:
        raise Refused(404, {}) from None


def _told(refused: Refused) -> tuple[str, str]:
    """What the API said, for people: its title, and its own words where they are about a field."""
    problem = refused.problem
    fields = "; ".join(one["message"] for one in problem.get("errors") or ())
    return str(problem.get("title_zh", "未能保存")), fields or str(problem.get("detail") or problem.get("title", ""))


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
