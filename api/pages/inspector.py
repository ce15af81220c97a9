"""The inspector's pages: indicators with clause and target, their months, streets and institutions, exports.

Counts only: no page here names a person or asks the API for one.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter
from markupsafe import Markup
from starlette.responses import Response

from api.pages.charts import month_bars
from api.pages.client import Refused
from api.pages.door import add, add_door, add_not_found
from api.pages.render import HEADERS
from api.pages.session import Site
from api.pages.visit import Visit

SITE: Final = Site("/inspector", frozenset({"regulator", "platform"}))
MONTHS: Final = 13
UNITS: Final = {"%": "%", "per_1000": "‰", "per_100": "/100", "count": ""}
TYPES: Final = {
    "institution": {"zh": "养老机构", "en": "Institution"},
    "centre": {"zh": "综合服务中心", "en": "Centre"},
    "station": {"zh": "服务站", "en": "Station"},
    "mutual_aid": {"zh": "互助点", "en": "Mutual aid"},
}
RUN_BY: Final = {"government": {"zh": "政府运营", "en": "government"}, "society": {"zh": "社会运营", "en": "society"}}
QUALITY: Final = {
    "none": {"zh": "未评定", "en": "not rated"},
    "basic": {"zh": "基本达标", "en": "basic"},
    "full": {"zh": "达标", "en": "full"},
}
BASIS: Final = {
    "computed": {"zh": "系统统计", "en": "counted"},
    "declared": {"zh": "填报", "en": "declared"},
    "none": {"zh": "暂无数据", "en": "no figure"},
}
_PLACE: Final = ("street", "community", "institution")
_FACILITIES_MAX: Final = 500

router = APIRouter()


def _place(visit: Visit) -> dict[str, str]:
    return {name: visit.query(name) for name in _PLACE if visit.query(name)}


def _href(path: str, place: dict[str, str]) -> str:
    return f"{SITE.prefix}{path}{'?' if place else ''}{urlencode(place)}"


async def overview(visit: Visit) -> Response:
    """Every indicator against its target, of the region or of a place in it."""
    place = _place(visit)
    found, facilities, me = await asyncio.gather(
        visit.api.get("/supervision/indicators", **place),
        visit.api.get("/supervision/facilities", limit=_FACILITIES_MAX, **place),
        visit.api.get("/me"),
    )
    rows = [{**one, "href": _href(f"/indicators/{one['code']}", place)} for one in found["items"]]
    met = [one["met"] for one in rows]
    counts = {"met": met.count(True), "unmet": met.count(False), "none": met.count(None)}
    here = facilities["items"]
    words = {**_words(), **_export(place), "where": _where(place, here), "below": _below(place, here)}
    return visit.page("inspector_overview.html", rows=rows, counts=counts, at=found["at"], me=me, **words)


def _words() -> dict[str, Any]:
    return {"units": UNITS, "basis": BASIS, "types": TYPES, "run_by": RUN_BY, "quality": QUALITY}


def _export(place: dict[str, str]) -> dict[str, str]:
    return {kind: _href("/export", {**place, "format": kind}) for kind in ("csv", "xlsx")}


def _where(place: dict[str, str], facilities: list[dict[str, Any]]) -> list[dict[str, str]]:
    """The way down to the place: region, street, community, institution, each with its own address."""
    way, seen = [{"name": "全部", "en": "Everything", "href": SITE.prefix}], dict[str, str]()
    for level in _PLACE:
        if level not in place:
            continue
        seen[level] = place[level]
        name = place[level]
        if level == "institution":
            name = facilities[0]["title"] if facilities else "机构"
        way.append({"name": name, "en": "", "href": _href("", seen)})
    return way


def _below(place: dict[str, str], facilities: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What lies inside the place, one level down: streets, communities, or the facilities themselves."""
    level = next((one for one in _PLACE[:2] if one not in place), "")
    if "institution" in place or not level:
        return [
            {**one, "kind": "facility", "href": _href("", {**place, "institution": one["institution_id"]})}
            for one in facilities
        ]
    groups: dict[str, dict[str, Any]] = {}
    for one in facilities:
        name = one[level]
        start = {"kind": level, "title": name, "facilities": 0, "beds": 0, "nursing_beds": 0}
        group = groups.setdefault(name, start)
        group["facilities"] += 1
        group["beds"] += one["beds"]
        group["nursing_beds"] += one["nursing_beds"]
    for name, group in groups.items():
        group["href"] = _href("", {**place, level: name}) if name else ""
    return [groups[name] for name in sorted(groups)]


async def indicator(visit: Visit) -> Response:
    """One indicator: its months as a picture, and each street, community or institution beside the others."""
    code, place = str(visit.request.path_params["code"]), _place(visit)
    found, facilities = await asyncio.gather(
        visit.api.get("/supervision/indicators", **place),
        visit.api.get("/supervision/facilities", limit=_FACILITIES_MAX, **place),
    )
    row = next((one for one in found["items"] if one["code"] == code), None)
    if row is None:
        raise Refused(404, {})
    months = await _months(visit, row, place)
    percent = row["unit"] == "%"
    target = float(row["target"]) if percent or row["unit"] == "count" else None
    chart = month_bars(months, title=row["name"]["zh"], percent=percent, target=target) if months else Markup()
    inside = _below(place, facilities["items"])
    return visit.page(
        "inspector_indicator.html", row=row, months=months, chart=chart, where=_where(place, facilities["items"]),
        inside=await _compared(visit, code, place, inside), **_words(),
    )  # fmt: skip


_COMPARED_MAX: Final = 30


async def _compared(
    visit: Visit, code: str, place: dict[str, str], inside: list[dict[str, Any]]
) -> list[dict[str, Any]]:  # fmt: skip
    """The same indicator for each part of the place; bounded, as each is a question of its own."""

    async def of(part: dict[str, Any]) -> dict[str, Any]:
        narrowed = {**place, part["kind"]: part["title"]}
        if part["kind"] == "facility":
            narrowed = {**place, "institution": part["institution_id"]}
        found = await visit.api.get("/supervision/indicators", **narrowed)
        value = next(one for one in found["items"] if one["code"] == code)
        return {**part, "value": value, "href": _href(f"/indicators/{code}", narrowed)}

    parts = [one for one in inside if one["href"]]
    if "institution" in place or len(parts) < 2:
        return []
    answers = []
    for part in parts[:_COMPARED_MAX]:  # one after the other: a page of an office must not take every connection
        answers.append(await of(part))  # noqa: PERF401 -- in order, not at once
    return answers


async def _months(visit: Visit, row: dict[str, Any], place: dict[str, str]) -> list[dict[str, Any]]:
    today = visit.now.astimezone(visit.zone).date()
    start = (today.replace(day=1) - timedelta(days=31 * (MONTHS - 1))).replace(day=1)
    path = f"/supervision/series/{row['series']}" if row["series"] else f"/supervision/trends/{row['code']}"
    found = await visit.api.get(path, from_=start.isoformat(), to=today.isoformat(), **place)
    return [one for one in found["items"] if one["denominator"]]


async def export(visit: Visit) -> Response:
    """The table as the API exports it, CSV or XLSX."""
    answer = await visit.api.send(
        "GET", "/supervision/indicators/export", params={**_place(visit), "format": visit.query("format", "csv")}
    )
    kept = ("content-type", "content-disposition")
    return Response(answer.content, headers={**HEADERS, **{name: answer.headers[name] for name in kept}})


async def response(visit: Visit) -> Response:
    """The report on response to alerts as the API makes it, for two days of the calendar."""
    start, end = _day(visit, "from"), _day(visit, "to")
    if start is None or end is None or start > end:
        raise Refused(422, {})
    answer = await visit.api.send(
        "GET",
        "/alerts/kpi/report",
        params={
            "from": start.isoformat(),
            "to": (end + timedelta(days=1)).isoformat(),
            "format": visit.query("format", "html"),
        },
    )
    kept = ("content-type", "content-disposition", "content-security-policy")
    headers = {name: answer.headers[name] for name in kept if name in answer.headers}
    return Response(answer.content, headers={"cache-control": "no-store"} | headers)


def _day(visit: Visit, name: str) -> datetime | None:
    try:
        return datetime.fromisoformat(f"{visit.query(name)}T00:00").replace(tzinfo=visit.zone)
    except ValueError:
        return None


add_door(
    router,
    SITE,
    title=("监管人员登录", "For inspectors"),
    elsewhere=(
        "此处仅供民政监管人员使用；工作人员请从首页登录",
        "This is for inspectors; staff sign in at the first page",
    ),
)
add(router, SITE, "", overview)
add(router, SITE, "/indicators/{code}", indicator)
add(router, SITE, "/export", export)
add(router, SITE, "/response", response)
add_not_found(router, SITE)
