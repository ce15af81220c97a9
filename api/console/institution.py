"""The house itself: what the API knows of beds, stays, staff, papers, prices and bills enters, tabs of lists leave.

What may be added or done is what the API's description offers to the role: a form for each operation, and no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final
from urllib.parse import urlencode
from uuid import uuid4

from nicegui import ui

from api.console.choices import choices_for
from api.console.client import Refused
from api.console.forms import Schemas
from api.console.frame import View, html, screen
from api.console.record import action_form, entry_form, facts_of, history_of, told
from api.console.services import when

Thing = dict[str, Any]
ROOT: Final = "/institution"
PAGE: Final = 50
EXPIRING_SHOWN: Final = 50
HISTORY_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class Tab:
    """One list of the house. columns: fields of a row; empty for records, which have a page of their own."""

    code: str
    path: str
    columns: tuple[str, ...] = ()
    adds: tuple[str, ...] = ()
    """Paths below the API where something can be added."""


TABS: Final = (
    Tab("beds", "/institution/beds",
        ("label", "building", "floor", "room", "type_name", "resident_name", "closed_reason"),
        ("/institution/beds", "/institution/rooms")),
    Tab("stays", "/institution/stays", (), ("/institution/stays",)),
    Tab("staff", "/institution/staff", ("post", "people", "certified", "filed", "trained")),
    Tab("licences", "/institution/licences", ("kind", "number", "issued_by", "valid_from", "valid_until", "valid"),
        ("/institution/licences",)),
    Tab("incidents", "/institution/incidents", (), ("/institution/incidents",)),
    Tab("complaints", "/institution/complaints", (), ("/institution/complaints",)),
    Tab("items", "/institution/items", ("code", "name", "service", "unit", "active"), ("/institution/items",)),
    Tab("bills", "/institution/bills", (), ("/institution/bills",)),
)  # fmt: skip
BY_CODE: Final = {one.code: one for one in TABS}


@screen(ROOT, "menu.institution", icon="house", order=7)
async def institution(view: View, tab: str = "beds", cursor: str = "") -> None:
    """One tab of the house."""
    chosen = BY_CODE.get(tab, TABS[0])
    found = await view.get(chosen.path, limit=PAGE, **({"cursor": cursor} if cursor else {}))
    speech = view.speech
    parts = [f"<h1>{escape(speech('menu.institution'))}</h1>", tabs(view, chosen.code)]
    if chosen.code == "beds":
        parts.append(_occupancy((await view.get("/institution/beds/occupancy"))["items"], view))
    parts.append(_list(found["items"], chosen, view))
    if found["next"]:
        more = urlencode({"tab": chosen.code, "cursor": found["next"]})
        parts.append(f"<p><a class='button' href='?{more}'>{escape(speech('services.more'))}</a></p>")
    if chosen.code in ("staff", "licences"):
        running_out = await view.get("/institution/expiring", limit=EXPIRING_SHOWN)
        parts.append(f"<h2>{escape(speech('institution.expiring'))}</h2>{_expiring(running_out['items'], view)}")
    html("".join(parts), "div")
    schemas = Schemas(await view.console.gateway.document())
    for path in chosen.adds:
        if view.session.role in schemas.roles_of("POST", f"/api/v1{path}"):
            await _add(view, schemas, path, chosen)


def tabs(view: View, here: str) -> str:
    """The way between the lists of the house."""
    speech = view.speech
    links = "".join(
        f"<a href='{ROOT}?tab={one.code}'{' aria-current=page' if one.code == here else ''}>"
        f"{escape(speech('institution.' + one.code))}</a>"
        for one in TABS
    )
    return f"<nav class='tabs' aria-label='{escape(speech('menu.institution'))}'>{links}</nav>"


def _occupancy(items: Sequence[Thing], view: View) -> str:
    speech = view.speech
    tiles = "".join(
        f"<div class='notice'><b>{one['occupied']} / {one['beds']}</b>{escape(speech.name(one['type_name']))}"
        f" · {escape(speech('institution.free'))} {one['free']}</div>"
        for one in items
    )
    return f"<div class='figures'>{tiles}</div>"


def _list(rows: Sequence[Thing], tab: Tab, view: View) -> str:
    speech = view.speech
    if not rows:
        return f"<p class='notice'>{escape(speech('institution.none'))}</p>"
    if tab.code == "beds":
        rows = sorted(rows, key=lambda one: [str(one[name] or "") for name in ("building", "floor", "room", "label")])
    if tab.columns:
        return _table([speech.word(name) for name in tab.columns], [_cells(one, tab, view) for one in rows])
    heads = [speech(name) for name in ("services.record", "services.who", "services.state", "field.due_at")]
    return _table(heads, [_record_cells(one, tab, view) for one in rows])


def _cells(one: Thing, tab: Tab, view: View) -> list[str]:
    values = [
        view.speech.name(one[name]) if name.endswith("_name") and isinstance(one[name], dict) else told(one[name], view)
        for name in tab.columns
    ]
    return [escape(value) for value in values]


def _record_cells(one: Thing, tab: Tab, view: View) -> list[str]:
    title = one["title"] or view.speech("services.open")
    who = " · ".join(str(part) for part in (one["resident_name"], one["resident_place"]) if part)
    state = f"<span class='pill'>{escape(view.speech.name(one['state_name']))}</span>"
    link = f"<a href='{ROOT}/{tab.code}/{escape(str(one['id']))}'>{escape(title)}</a>"
    return [link, escape(who), state, escape(when(one["due_at"], view))]


def _expiring(items: Sequence[Thing], view: View) -> str:
    speech = view.speech
    if not items:
        return f"<p class='notice calm'>{escape(speech('institution.none'))}</p>"
    rows = []
    for one in items:
        kind = "bad" if one["days_left"] < 0 else "warn"
        left = f"<span class='pill {kind}'>{escape(speech('institution.days', n=one['days_left']))}</span>"
        rows.append([escape(one["title"]), escape(speech.value(one["kind"])), escape(one["valid_until"]), left])
    return _table([speech.word(name) for name in ("title", "kind", "valid_until", "days_left")], rows)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """heads: plain; rows: markup."""
    head = "".join(f"<th scope='col'>{escape(one)}</th>" for one in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<div class='wide'><table class='sheet'><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


async def _add(view: View, schemas: Schemas, path: str, tab: Tab) -> None:
    """A form for something new; sent twice, it makes one."""
    schema = schemas.body_of("POST", f"/api/v1{path}")
    choices = await choices_for(view, schemas.names(schema))
    key, name = str(uuid4()), schemas.name_of("POST", f"/api/v1{path}", view.speech)

    async def make(values: Thing) -> None:
        made = await view.send("POST", path, values, idempotency_key=key)
        ui.navigate.to(f"{ROOT}?tab={tab.code}" if tab.columns else f"{ROOT}/{tab.code}/{made['id']}")

    with ui.element("details").classes("action"):
        html(escape(name), "summary")
        entry_form(view, schemas, schema, choices, view.speech("form.make"), make)


@screen("/institution/{code}/{record_id}", "menu.institution")
async def house_record(view: View, code: str, record_id: str) -> None:
    """One stay, incident, complaint or bill: what is known, what happened, what may be done now; made to be printed."""
    tab = BY_CODE.get(code)
    if tab is None or tab.columns:
        raise Refused(404, {"title": "There is no such kind of record", "title_zh": "没有这类记录"})
    base = f"{tab.path}/{record_id}"
    record, history = await asyncio.gather(view.get(base), view.get(f"{base}/history", limit=HISTORY_SHOWN))
    schemas = Schemas(await view.console.gateway.document())
    start = f"/api/v1{tab.path}/{{record_id}}/"
    ends = [path.removeprefix(start) for path in schemas.paths() if path.startswith(start)]
    ways = {end.replace("-", "_"): start + end for end in ends if end != "history"}
    names = {action: schemas.names_of("POST", way) for action, way in ways.items()}
    own = {action: schemas.body_of("POST", ways[action]) for action in record["actions"] if action in ways}
    shown = {name for name in ("provider_id", "worker_id") if record[name]} | record["detail"].keys()
    choices = await choices_for(view, shown.union(*map(schemas.names, own.values())))
    speech = view.speech
    title = record["title"] or speech("institution." + code)
    state = f"<span class='pill'>{escape(speech.name(record['state_name']))}</span>"
    html(f"{tabs(view, code)}<h1>{escape(title)} {state}</h1>", "div")
    with ui.element("div").classes("two"):
        with ui.element("section"):
            html(f"<dl class='facts'>{facts_of(record, choices, view)}</dl>", "div").classes("detail still")
            moves = [{"action": action, "name": name} for action, name in names.items()]
            html(history_of(history["items"], {"moves": moves}, view), "div")
        with ui.element("section").classes("noprint").props(f'aria-label="{escape(speech("record.actions"))}"'):
            html(f"<h2>{escape(speech('record.actions'))}</h2>")
            if not own:
                html(f"<p>{escape(speech('record.nothing_to_do'))}</p>")
            for action, schema in own.items():
                move = {"action": action, "name": names[action]}
                away = f"{ROOT}/{code}/{record_id}"
                await action_form(view, schemas, schema, choices, base, record, move, back=away)
