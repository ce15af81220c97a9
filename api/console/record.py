"""One record of a service: its data, history and allowed actions enter; a page with a form for each action leaves."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from html import escape
from typing import Any, Final
from uuid import uuid4

from nicegui import ui

from api.console.answers import AnswerSheet
from api.console.choices import choices_for
from api.console.client import Refused
from api.console.entry import entry
from api.console.forms import Form, Schemas, Thing
from api.console.frame import View, html, screen
from api.console.services import when, zone_of

HISTORY_SHOWN: Final = 200
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")
_COLUMNS: Final = ("provider_id", "worker_id", "starts_at", "ends_at", "due_at", "price", "subsidy", "own_share")


@screen("/services/{code}/{path}/new", "menu.services")
async def new_record(view: View, code: str, path: str) -> None:
    """The form of a new record; sent twice, it makes one."""
    service, cycle = await _cycle(view, code, path)
    schemas = Schemas(await view.console.gateway.document())
    schema = schemas.body_of("POST", f"/api/v1/services/{code}/{path}")
    choices = await choices_for(view, schemas.names(schema))
    key = str(uuid4())
    html(_trail(view, service, cycle) + f"<h1>+ {escape(view.speech.name(cycle['name']))}</h1>", "div")

    async def make(values: Thing) -> None:
        made = await view.send("POST", f"/services/{code}/{path}", values, idempotency_key=key)
        ui.navigate.to(f"/services/{code}/{path}/{made['id']}")

    entry_form(view, schemas, schema, choices, view.speech("form.make"), make)


@screen("/services/{code}/{path}/{record_id}", "menu.services")
async def one_record(view: View, code: str, path: str, record_id: str) -> None:
    """What is known, what happened, and what may be done now."""
    service, cycle = await _cycle(view, code, path)
    base = f"/services/{code}/{path}/{record_id}"
    record = await view.get(base)
    history = await view.get(f"{base}/history", limit=HISTORY_SHOWN)
    schemas = Schemas(await view.console.gateway.document())
    bodies = {action: schemas.body_of("POST", f"/api/v1/services/{code}/{path}/{{record_id}}/{way_of(action)}")
              for action in record["actions"]}  # fmt: skip
    shown = {name for name in ("provider_id", "worker_id") if record[name]} | record["detail"].keys()
    names = await choices_for(view, shown.union(*map(schemas.names, bodies.values())))
    speech = view.speech
    title = " · ".join(part for part in (speech.name(cycle["name"]), record["title"]) if part)
    html(
        _trail(view, service, cycle)
        + f"<h1>{escape(title)} <span class='pill'>{escape(speech.name(record['state_name']))}</span></h1>",
        "div",
    )
    with ui.element("div").classes("two"):
        with ui.element("section"):
            html(f"<dl class='facts'>{facts_of(record, names, view)}</dl>", "div").classes("detail still")
            html(history_of(history["items"], cycle, view), "div")
        with ui.element("section").props(f'aria-label="{escape(speech("record.actions"))}"'):
            html(f"<h2>{escape(speech('record.actions'))}</h2>")
            if not record["actions"]:
                html(f"<p>{escape(speech('record.nothing_to_do'))}</p>")
            for action in record["actions"]:
                move = next(one for one in cycle["moves"] if one["action"] == action)
                await action_form(view, schemas, bodies[action], names, base, record, move)


async def _cycle(view: View, code: str, path: str) -> tuple[Thing, Thing]:
    service = await view.get(f"/services/{code}")
    for cycle in service["lifecycles"]:
        if cycle["path"] == path:
            return service, cycle
    raise Refused(404, {"title": "There is no such kind of record", "title_zh": "没有这类记录"})


def _trail(view: View, service: Thing, cycle: Thing) -> str:
    here = f"/services/{service['code']}"
    return (
        f"<p><a href='/services'>{escape(view.speech('menu.services'))}</a> › "
        f"<a href='{here}'>{escape(view.speech.name(service['name']))}</a> › "
        f"<a href='{here}?kind={cycle['code']}'>{escape(view.speech.name(cycle['name']))}</a></p>"
    )


def facts_of(record: Thing, names: dict[str, list[tuple[str, str]]], view: View) -> str:
    """What is known of a record, as rows of a list of terms."""
    speech = view.speech
    who = " · ".join(str(part) for part in (record["resident_name"], record["resident_place"]) if part)
    rows = [(speech.word("resident_id"), who)] if who else []
    known = {**{name: record[name] for name in _COLUMNS}, **record["detail"]}
    for name, value in known.items():
        words = dict(names.get(name, ()))
        named = [words.get(str(one), one) for one in value] if isinstance(value, list) else words.get(str(value), value)
        rows.append((speech.word(name), told(named, view)))
    return "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in rows if text)


def way_of(action: str) -> str:
    """The last part of an action's path: a record says `tell_authority`, the path is `tell-authority`."""
    return action.replace("_", "-")


def told(value: Any, view: View) -> str:
    """A value of the API as people read it; empty for what was never said."""
    if value in (None, "", [], {}):
        return ""
    if isinstance(value, bool):
        return view.speech("record.yes" if value else "record.no")
    if isinstance(value, dict):
        return "\n".join(
            f"{view.speech.word(name)}: {told(one, view)}" for name, one in value.items() if one not in (None, "")
        )
    if isinstance(value, list):
        return "\n".join(told(one, view) for one in value)
    if isinstance(value, str) and _MOMENT.match(value):
        return when(value, view)
    return view.speech.value(value) if isinstance(value, str) else str(value)


def history_of(items: list[Thing], cycle: Thing, view: View) -> str:
    """What happened to a record, newest first."""
    moves = {move["action"]: move["name"] for move in cycle["moves"]}
    zone, speech = zone_of(view), view.speech
    steps = "".join(
        f"<li><time>{datetime.fromisoformat(one['at']).astimezone(zone):%m-%d %H:%M}</time><span>"
        f"<b>{escape(speech.name(moves[one['action']]) if one['action'] in moves else speech('record.made'))}</b> "
        f"{escape(one['actor'])}"
        f"{_said(one['detail'])}</span></li>"
        for one in reversed(items)
    )
    return f"<h2>{escape(speech('record.history'))}</h2><ol class='steps wide-time'>{steps}</ol>"


def _said(detail: Thing) -> str:
    words = [str(detail[name]) for name in ("reason", "note", "findings", "words") if detail.get(name)]
    return f"<br><small>{escape(' · '.join(words))}</small>" if words else ""


async def action_form(
    view: View, schemas: Schemas, schema: Thing, choices: dict[str, list[tuple[str, str]]], base: str, record: Thing,
    move: Thing, *, back: str = "",
) -> None:  # fmt: skip
    """An action as a button that opens its form; done, the page is shown anew (`back` where it is not `base`)."""

    async def do(values: Thing) -> None:
        await view.send("POST", f"{base}/{way_of(move['action'])}", values, if_match=f'"{record["version"]}"')
        ui.navigate.to(back or base)

    sheet = None
    if "answers" in schema.get("properties", {}):
        forms = (await view.get("/services/assessment/forms"))["items"]
        known = (record["detail"]["form"], record["detail"]["form_version"])
        sheet = next(one for one in forms if (one["code"], one["version"]) == known)
    name = view.speech.name(move["name"])
    with ui.element("details").classes("action"):
        html(escape(name), "summary")
        entry_form(view, schemas, schema, choices, name, do, sheet=sheet)


def entry_form(
    view: View, schemas: Schemas, schema: Thing, choices: dict[str, list[tuple[str, str]]], submit: str,
    do: Callable[[Thing], Awaitable[None]], *, sheet: Thing | None = None,
) -> None:  # fmt: skip
    """The fields of a body, with the sheet of answers before them where there is one."""

    def draw() -> Callable[[], Thing]:
        answers = AnswerSheet(view, sheet) if sheet else None
        inputs = Form(schemas, schema, view.speech, zone_of(view), choices=choices, skip=("answers",) if sheet else ())
        return lambda: inputs.values() | ({"answers": answers.given} if answers else {})

    entry(view, draw, submit, do)
