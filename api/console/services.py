"""The eleven services as work: counts and lists of the API enter, what is due, overdue and planned leaves."""

from __future__ import annotations

import asyncio
from datetime import date, datetime, timedelta
from html import escape
from typing import Any, Final
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from fastapi import Query

from api.console.client import ConsoleError
from api.console.frame import View, html, message, screen
from api.console.texts import Speech

Thing = dict[str, Any]
SHOWS: Final = ("running", "today", "overdue", "all")
PAGE: Final = 50
OVERDUE_SHOWN: Final = 20
DAY: Final = timedelta(days=1)
URL: Final = "/services/{code}/{path}/{record_id}"


@screen("/services", "menu.services", icon="list", order=4)
async def overview(view: View) -> None:
    """All eleven with what is under way, and what is overdue in any of them."""
    services = (await view.get("/services"))["items"]
    counts, overdue = await asyncio.gather(
        asyncio.gather(*(view.get(f"/services/{one['code']}/counts") for one in services)),
        view.get("/services/overdue", limit=OVERDUE_SHOWN),
    )
    speech = view.speech
    tiles = "".join(_tile(one, found["items"], speech) for one, found in zip(services, counts, strict=True))
    html(f"<h1>{escape(speech('menu.services'))}</h1><div class='tiles'>{tiles}</div>", "div")
    html(f"<h2>{escape(speech('services.overdue'))}</h2>" + _table(overdue["items"], view, kinds=True), "div")


def _tile(service: Thing, counts: list[Thing], speech: Speech) -> str:
    final = {
        (cycle["code"], state["code"])
        for cycle in service["lifecycles"]
        for state in cycle["states"]
        if not any(state["code"] in move["sources"] and move["target"] != "=" for move in cycle["moves"])
    }
    running = sum(one["records"] for one in counts if (one["kind"], one["state"]) not in final)
    late = sum(one["overdue"] for one in counts)
    warning = f"<span class='pill bad'>{late} {escape(speech('services.late'))}</span>" if late else ""
    kinds = "、".join(speech.name(cycle["name"]) for cycle in service["lifecycles"])
    name = escape(speech.name(service["name"]))
    return (
        f"<a class='tile' href='/services/{quote(service['code'])}'><b>{name}</b>"
        f"<small>{escape(kinds)}</small>"
        f"<span class='row'><span class='pill'>{running} {escape(speech('services.running'))}</span>"
        f"{warning}</span></a>"
    )


@screen("/services/{code}", "menu.services")
async def work_list(view: View, code: str, kind: str = "", show: str = "running", cursor: str = "") -> None:
    """One service: its kinds of records as tabs, one of them as a list."""
    service = await view.get(f"/services/{code}")
    cycle = next((one for one in service["lifecycles"] if one["code"] == kind), service["lifecycles"][0])
    show = show if show in SHOWS else SHOWS[0]
    base = f"/services/{code}/{cycle['path']}"
    given = _filter(show, view) | ({"cursor": cursor} if cursor else {})
    found = await view.get(base, limit=PAGE, **given)
    speech = view.speech
    tabs = "".join(
        f"<a href='?{urlencode({'kind': one['code']})}'{' aria-current=page' if one is cycle else ''}>"
        f"{escape(speech.name(one['name']))}</a>"
        for one in service["lifecycles"]
    )
    filters = "".join(
        f"<a href='?{urlencode({'kind': cycle['code'], 'show': one})}'{' aria-current=true' if one == show else ''}>"
        f"{escape(speech(f'services.show.{one}'))}</a>"
        for one in SHOWS
    )
    new = f"<a class='button primary' href='{base}/new'>+ {escape(speech.name(cycle['name']))}</a>"
    more = ""
    if found["next"]:
        link = urlencode({"kind": cycle["code"], "show": show, "cursor": found["next"]})
        more = f"<p><a class='button' href='?{link}'>{escape(speech('services.more'))}</a></p>"
    rows = [{**one, "path": cycle["path"]} for one in found["items"]]
    html(
        f"<p><a href='/services'>← {escape(speech('menu.services'))}</a></p>"
        f"<h1>{escape(speech.name(service['name']))}</h1><nav class='tabs'>{tabs}</nav>"
        f"<div class='row'><div class='tabs small'>{filters}</div>{new}</div>{_table(rows, view)}{more}",
        "div",
    )


def _filter(show: str, view: View) -> Thing:
    now = view.console.gateway.clock.now()
    if show == "today":
        begin = now.astimezone(zone_of(view)).replace(hour=0, minute=0, second=0, microsecond=0)
        return {"starts_from": begin.isoformat(), "starts_to": (begin + DAY).isoformat()}
    return {"running": {"unfinished": "true"}, "overdue": {"due_before": now.isoformat()}}.get(show, {})


def _table(rows: list[Thing], view: View, *, kinds: bool = False) -> str:
    """Records as a table; `kinds`: they are of several kinds."""
    speech = view.speech
    if not rows:
        return f"<p class='notice calm'>{escape(speech('services.nothing'))}</p>"
    names = ["services.record", "services.who", "services.state", "field.starts_at", "field.due_at"]
    heads = "".join(f"<th scope='col'>{escape(speech(name))}</th>" for name in names)
    body = "".join(_row(one, view, kinds=kinds) for one in rows)
    return f"<div class='wide'><table class='sheet'><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"


def _row(one: Thing, view: View, *, kinds: bool) -> str:
    speech = view.speech
    kind = speech.name(one["kind_name"]) if kinds else ""
    title = " · ".join(part for part in (kind, one["title"]) if part) or speech("services.open")
    late = (
        bool(one["due_at"])
        and not one["final"]
        and datetime.fromisoformat(one["due_at"]) < view.console.gateway.clock.now()
    )
    due = (
        f"<span class='pill bad'>{escape(when(one['due_at'], view))}</span>"
        if late
        else escape(when(one["due_at"], view))
    )
    who = " · ".join(str(part) for part in (one["resident_name"], one["resident_place"]) if part)
    return (
        f"<tr><td><a href='/services/{one['service']}/{one['path']}/{one['id']}'>{escape(title)}</a></td>"
        f"<td>{escape(who)}</td><td><span class='pill'>{escape(speech.name(one['state_name']))}</span></td>"
        f"<td>{escape(when(one['starts_at'], view))}</td><td>{due}</td></tr>"
    )


@screen("/calendar", "menu.calendar", icon="calendar", order=5)
async def week(view: View, from_: str = Query("", alias="from", max_length=10)) -> None:
    """Seven days of everything that is planned."""
    zone, speech = zone_of(view), view.speech
    today = view.console.gateway.clock.now().astimezone(zone).date()
    try:
        first = date.fromisoformat(from_) if from_ else today - timedelta(days=today.weekday())
    except ValueError:
        message(speech("calendar.bad_date"))
        return
    begin = datetime.combine(first, datetime.min.time(), zone)
    span = {"starts_from": begin.isoformat(), "starts_to": (begin + 7 * DAY).isoformat()}
    try:
        items = await view.pages("/services/agenda", most=2_000, limit=200, **span)
    except ConsoleError as error:
        message(view.explain(error))
        return
    days: dict[date, list[Thing]] = {first + timedelta(days=n): [] for n in range(7)}
    for one in items:
        days[datetime.fromisoformat(one["starts_at"]).astimezone(zone).date()].append(one)
    columns = "".join(_day(day, found, view, today) for day, found in days.items())
    html(
        f"<h1>{escape(speech('menu.calendar'))}</h1><nav class='row'>"
        f"<a class='button' href='?from={first - timedelta(days=7)}'>← {escape(speech('calendar.before'))}</a>"
        f"<a class='button' href='/calendar'>{escape(speech('calendar.now'))}</a>"
        f"<a class='button' href='?from={first + timedelta(days=7)}'>{escape(speech('calendar.after'))} →</a></nav>"
        f"<div class='week'>{columns}</div>",
        "div",
    )


def _day(day: date, items: list[Thing], view: View, today: date) -> str:
    speech, zone = view.speech, zone_of(view)
    entries = "".join(
        f"<li class='{'over' if one['final'] else ''}'><a href='/services/{one['service']}/{one['path']}/{one['id']}'>"
        f"<time>{datetime.fromisoformat(one['starts_at']).astimezone(zone):%H:%M}</time> "
        f"<b>{escape(one['resident_name'] or one['title'])}</b><small>{escape(speech.name(one['kind_name']))}"
        f"{' · ' + escape(one['title']) if one['title'] and one['resident_name'] else ''}</small>"
        f"<span class='pill'>{escape(speech.name(one['state_name']))}</span></a></li>"
        for one in items
    )
    name = speech(f"weekday.{day.isoweekday()}")
    return (
        f"<section{' class=today' if day == today else ''}><h2>{escape(name)} <small>{day:%m-%d}</small></h2>"
        f"<ol>{entries}</ol></section>"
    )


def zone_of(view: View) -> ZoneInfo:
    """The zone that people here live in."""
    return ZoneInfo(view.console.settings.timezone)


def when(moment: str | None, view: View) -> str:
    """A time of the API as people here read it; empty for none."""
    if not moment:
        return ""
    return datetime.fromisoformat(moment).astimezone(zone_of(view)).strftime("%m-%d %H:%M")
