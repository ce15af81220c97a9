"""The rota of a week: who works when enters; days with their shifts, and in red every hole, leave.

A shift that is pressed opens in `shifts.py`, where it is changed, swapped and removed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from html import escape
from typing import Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from fastapi.responses import PlainTextResponse, RedirectResponse, Response
from nicegui import ui

from api.console.client import Away, Refused, SignedOut
from api.console.devices import pill
from api.console.frame import View, console, html, message, screen
from api.console.services import zone_of
from api.console.sessions import COOKIE, STAFF
from api.console.shifts import Desk, Thing

router = APIRouter(include_in_schema=False)
DAY: Final = timedelta(days=1)
NOTES_SHOWN: Final = 5
_PICK: Final = (
    "(event) => { const one = event.target.closest('[data-shift]'); if (one) emit([one.dataset.shift, one.dataset.on]);"
    " }"
)
Span = tuple[datetime, datetime]


@screen("/rota", "menu.rota", icon="people", order=6)
async def rota(view: View, from_: str = Query("", alias="from", max_length=10)) -> None:
    """Who is on duty now, the week, and what can be done about it."""
    zone, now = zone_of(view), view.console.gateway.clock.now()
    today = now.astimezone(zone).date()
    try:
        first = date.fromisoformat(from_) if from_ else today - timedelta(days=today.weekday())
    except ValueError:
        message(view.speech("calendar.bad_date"))
        return
    begin, end = (datetime.combine(first + n * DAY, datetime.min.time(), zone) for n in (0, 7))
    duty, plan, swaps, absences = await asyncio.gather(
        view.get("/rota/on-duty"),
        view.get("/rota/plan", **{"from": (begin - DAY).isoformat(), "to": end.isoformat()}),
        view.pages("/rota/swaps", most=500, limit=100),
        view.pages("/rota/absences", most=500, limit=100),
    )
    html(f"<h1>{escape(view.speech('menu.rota'))}</h1>{tabs(view, '/rota')}{_duty(duty, view)}", "div")
    html(_week_links(first, view), "nav").classes("row")
    shown = [one for one in plan["items"] if datetime.fromisoformat(one["begins_at"]) >= begin]
    week = html(_week(first, shown, holes(plan["items"], max(begin, now), end), today, view), "div").classes("week")
    with ui.element("div").classes("two"):
        desk = Desk(view, plan["items"], swaps, absences)
        await desk.draw()
        html(_notes(duty["handovers"], view), "section")
    week.on("click", desk.pick, js_handler=_PICK)


def tabs(view: View, here: str) -> str:
    """The two pages of this part."""
    links = "".join(
        f"<a href='{path}'{' aria-current=page' if path == here else ''}>{escape(view.speech(title))}</a>"
        for path, title in (("/rota", "rota.week"), ("/rota/plans", "plans.title"))
    )
    return f"<nav class='tabs' aria-label='{escape(view.speech('menu.rota'))}'>{links}</nav>"


def holes(planned: Iterable[Thing], begin: datetime, end: datetime) -> list[Span]:
    """The stretches of [begin, end) in which the rota has nobody; a gap of no length is none."""
    found: list[Span] = []
    covered = begin
    spans = sorted(
        (datetime.fromisoformat(one["begins_at"]), datetime.fromisoformat(one["ends_at"])) for one in planned
    )
    for starts, ends in spans:
        if starts > covered and covered < end:
            found.append((covered, min(starts, end)))
        covered = max(covered, ends)
    return [*found, (covered, end)] if covered < end else found


def _duty(duty: Thing, view: View) -> str:
    speech, zone = view.speech, zone_of(view)
    if duty["nobody"]:
        return f"<p class='notice bad shout' role='alert'>⚠ {escape(speech('rota.nobody_now'))}</p>"
    people = []
    for one in duty["items"]:
        until = datetime.fromisoformat(one["until"]).astimezone(zone) if one["until"] else None
        told = speech("rota.until", time=f"{until:%H:%M}") if until else speech("rota.by_hand")
        where = place_of(one, view)
        people.append(
            f"<li><b>{escape(one['name'])}</b> <span>{escape(' · '.join(filter(None, (one['title'], where))))}</span>"
            f"<small>{escape(told)}</small></li>"
        )
    head = pill("ok", "✓", speech("rota.now", n=len(duty["items"])))
    return f"<section class='duty'><h2>{head}</h2><ul>{''.join(people)}</ul></section>"


def place_of(one: Thing, view: View) -> str:
    """Where a shift is for; the whole house where it says nothing."""
    building = view.speech("board.building", n=one["building"]) if one["building"] else ""
    floors = "、".join(view.speech("board.floor", n=floor) for floor in one["floors"])
    return " ".join(filter(None, (building, floors))) or view.speech("rota.whole_house")


def _notes(notes: list[Thing], view: View) -> str:
    zone = zone_of(view)
    lines = "".join(
        f"<li><time>{datetime.fromisoformat(one['at']).astimezone(zone):%m-%d %H:%M}</time>"
        f"<span><b>{escape(one['author'])}</b> {escape(one['note'])}</span></li>"
        for one in notes[:NOTES_SHOWN]
    )
    title = f"<h2>{escape(view.speech('rota.notes'))}</h2>"
    if not lines:
        return f"{title}<p>{escape(view.speech('rota.no_notes'))}</p>"
    return f"{title}<ol class='steps wide-time'>{lines}</ol>"


def _week_links(first: date, view: View) -> str:
    speech = view.speech
    return (
        f"<a class='button' href='?from={first - 7 * DAY}'>← {escape(speech('calendar.before'))}</a>"
        f"<a class='button' href='/rota'>{escape(speech('calendar.now'))}</a>"
        f"<a class='button' href='?from={first + 7 * DAY}'>{escape(speech('calendar.after'))} →</a>"
        f"<a class='button' href='/rota/calendar.ics'>⤓ {escape(speech('rota.calendar'))}</a>"
    )


def _week(first: date, planned: list[Thing], gaps: list[Span], today: date, view: View) -> str:
    zone = zone_of(view)
    days: dict[date, list[tuple[datetime, str]]] = {first + n * DAY: [] for n in range(7)}
    for one in planned:
        starts = datetime.fromisoformat(one["begins_at"]).astimezone(zone)
        days[starts.date()].append((starts, _entry(one, view)))
    for gap in gaps:
        for starts, ends in _by_day(gap, zone):
            days[starts.date()].append((starts, _hole(starts, ends, view)))
    return "".join(
        f"<section{' class=today' if day == today else ''}><h2>{escape(view.speech(f'weekday.{day.isoweekday()}'))} "
        f"<small>{day:%m-%d}</small></h2><ol>{''.join(text for _, text in sorted(entries))}</ol></section>"
        for day, entries in days.items()
    )


def _entry(one: Thing, view: View) -> str:
    zone, speech = zone_of(view), view.speech
    starts, ends = (datetime.fromisoformat(one[name]).astimezone(zone) for name in ("begins_at", "ends_at"))
    over = f" {speech('rota.next_day')}" if ends.date() > starts.date() and ends.time() > datetime.min.time() else ""
    swapped = pill("warn", "⇄", speech("rota.swapped")) if one["source"] == "swap" else ""
    return (
        f"<li><button type='button' data-shift='{escape(one['shift_id'])}' data-on='{escape(one['on'])}'>"
        f"<time>{starts:%H:%M}–{ends:%H:%M}{escape(over)}</time><b>{escape(one['name'])}</b>"
        f"<small>{escape(' · '.join(filter(None, (one['title'], place_of(one, view)))))}</small>{swapped}</button></li>"
    )


def _hole(starts: datetime, ends: datetime, view: View) -> str:
    last = "24:00" if ends.date() > starts.date() else f"{ends:%H:%M}"
    return f"<li class='hole'><time>{starts:%H:%M}–{last}</time><b>⚠ {escape(view.speech('rota.hole'))}</b></li>"


def _by_day(span: Span, zone: ZoneInfo) -> Iterable[Span]:
    """A stretch cut at local midnights."""
    starts, ends = (moment.astimezone(zone) for moment in span)
    while starts < ends:
        midnight = datetime.combine(starts.date() + DAY, datetime.min.time(), zone)
        yield starts, min(ends, midnight)
        starts = midnight


@router.get("/rota/calendar.ics")
async def calendar(request: Request) -> Response:
    """The whole rota as iCalendar, for the calendar of a telephone."""
    gateway = console().gateway
    session = gateway.sessions.find(request.cookies.get(COOKIE))
    if session is None or session.role not in STAFF:
        return RedirectResponse("/signin?next=/rota", 303)
    try:
        document = await gateway.file(session, "/rota/calendar")
    except SignedOut:
        return RedirectResponse("/signin?next=/rota&ended=1", 303)
    except Away:
        return PlainTextResponse("平台暂时无法连接，请稍后再试 The platform cannot be reached, try again", 503)
    except Refused as refused:
        return PlainTextResponse(str(refused.problem.get("title", "")), refused.status)
    name = document.headers.get("content-disposition", "attachment")
    return Response(document.content, media_type="text/calendar", headers={"content-disposition": name})
