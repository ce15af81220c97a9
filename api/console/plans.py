"""Escalation plans: the institution's plans enter; their steps to edit leave, with whom they would page, and when.

The preview is the API's own, by the rules that a page follows; it asks about the plan in force or the steps as edited.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from functools import partial
from html import escape
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import Query
from nicegui import ui

from api.console.choices import choices_for, places
from api.console.client import ConsoleError
from api.console.devices import pill
from api.console.entry import act, box, entry, field, refuse, select
from api.console.forms import Choices
from api.console.frame import View, html, screen
from api.console.rota import tabs
from api.console.services import zone_of
from api.console.texts import Speech
from core.vocabulary import ALERT_TYPES, Severity

Thing = dict[str, Any]
AGAIN_SECONDS: Final = 180
CONTACTS: Final = (1, 2, 3)
PLANS: Final = "/escalation-plans"


@screen("/rota/plans", "plans.title")
async def plans(
    view: View, alert_type: str = Query("", max_length=64), building: str = Query("", max_length=100)
) -> None:
    """The plans, one of them to edit, and what it would do."""
    speech = view.speech
    found, choices = await asyncio.gather(view.get(PLANS), choices_for(view, ("user_id", "resident_id")))
    known = found["items"]
    chosen = next((one for one in known if _key(one) == (alert_type, building)), None)
    general = next(one for one in known if _key(one) == ("", ""))
    html(f"<h1>{escape(speech('menu.rota'))}</h1>{tabs(view, '/rota/plans')}", "div")
    with ui.element("div").classes("two"):
        with ui.element("section"):
            html(_list(known, (alert_type, building), view), "nav").classes("tabs small")
            editor = Editor(view, alert_type, building, chosen, general, choices)
            await _another(view)
        with ui.element("section").props(f'aria-label="{escape(speech("plans.preview"))}"'):
            preview = Preview(view, editor, alert_type or "sos", choices)
    await preview.show({})


def _key(plan: Thing) -> tuple[str, str]:
    return plan["alert_type"] or "", plan["building"]


def _set_seconds(step: Thing, value: str) -> None:
    step["after_seconds"] = int(value or 0)


def _name(key: tuple[str, str], speech: Speech) -> str:
    kind = speech.name(ALERT_TYPES[key[0]]) if key[0] in ALERT_TYPES else key[0] or speech("plans.general")
    return f"{kind} · {speech('board.building', n=key[1])}" if key[1] else kind


def _list(known: list[Thing], here: tuple[str, str], view: View) -> str:
    keys = [_key(one) for one in known]
    return "".join(
        f"<a href='?{urlencode({'alert_type': key[0], 'building': key[1]})}'"
        f"{' aria-current=page' if key == here else ''}>"
        f"{escape(_name(key, view.speech))}</a>"
        for key in (keys if here in keys else [*keys, here])
    )


async def _another(view: View) -> None:
    """A type of alert, or a house, gets a plan of its own."""
    if view.session.role != "admin":
        return
    speech = view.speech
    kinds = "".join(
        f"<option value='{code}'>{escape(speech.name(name))}</option>" for code, name in ALERT_TYPES.items()
    )
    houses = "".join(
        f"<option value='{escape(one)}'>{escape(speech('board.building', n=one))}</option>"
        for one in (await places(view)).buildings
    )
    with ui.element("details").classes("action"):
        html(escape(speech("plans.another")), "summary")
        html(
            f"<label class='field'><span>{escape(speech('field.alert_type'))}</span><select name='alert_type'>"
            f"<option value=''>{escape(speech('plans.every_type'))}</option>{kinds}</select></label>"
            f"<label class='field'><span>{escape(speech('field.building'))}</span><select name='building'>"
            f"<option value=''>{escape(speech('rota.whole_house'))}</option>{houses}</select></label>"
            f"<button type='submit'>{escape(speech('plans.begin'))}</button>",
            "form",
        ).classes("entry")


class Editor:
    """The steps of one plan; nobody but an administrator may change them."""

    def __init__(
        self, view: View, alert_type: str, building: str, plan: Thing | None, general: Thing, choices: Choices
    ) -> None:
        self._view = view
        version = plan["version"] if plan else 0
        self._plan: Thing = {"alert_type": alert_type or None, "building": building, "version": version}
        self._whom = [*_words(view.speech), *((f"user:{key}", name) for key, name in choices.get("user_id", ()))]
        self.steps: list[Thing] = [dict(step) for step in (plan or general)["steps"]]
        speech = view.speech
        html(f"<h2>{escape(_name((alert_type, building), speech))}</h2>")
        told = speech("plans.open_keep") if plan and plan["version"] else speech("plans.not_own")
        html(f"<p class='soft'>{escape(told)}</p>", "div")
        if view.session.role != "admin":
            html(_read_only(self.steps, self._whom, speech), "div")
            return
        with ui.element("form").classes("entry bare") as form:
            self._problem = ui.element("div").props("role=alert")
            self._rows = ui.element("div").classes("plan-steps")
            with ui.element("div").classes("row"):
                act(view, f"+ {speech('plans.add')}", self._problem, self._add)
                with ui.element("button").props("type=submit").classes("primary"):
                    html(escape(speech("form.save")))
                if plan and plan["version"]:
                    act(view, speech("plans.remove"), self._problem, self._remove)
        form.on("submit.prevent", self._save)
        self._draw()

    def _draw(self) -> None:
        speech = self._view.speech
        self._rows.clear()
        with self._rows:
            for number, step in enumerate(self.steps, start=1):
                with ui.element("fieldset").classes("plan-step"):
                    html(escape(speech("plans.step", n=number)), "legend").classes("sr")
                    with field(speech("plans.after")):
                        box(
                            "type=number min=0 max=3600 step=1 inputmode=numeric required",
                            str(step["after_seconds"]),
                            partial(_set_seconds, step),
                        )
                    with field(speech("plans.whom")):
                        options = self._whom
                        if step["whom"] not in dict(options):
                            options = [*options, (step["whom"], step["whom"])]
                        select(options, step["whom"], partial(step.__setitem__, "whom"))
                    act(self._view, f"⟳ {speech('plans.again')}", self._problem, self._repeat(step))
                    act(self._view, f"✕ {speech('plans.drop')}", self._problem, self._drop(step))

    async def _add(self) -> None:
        last = self.steps[-1]["after_seconds"] if self.steps else -AGAIN_SECONDS
        self.steps.append({"after_seconds": last + AGAIN_SECONDS, "whom": "everyone"})
        self._draw()

    def _repeat(self, step: Thing) -> Any:
        async def repeat() -> None:
            self.steps.append({**step, "after_seconds": step["after_seconds"] + AGAIN_SECONDS})
            self.steps.sort(key=lambda one: int(one["after_seconds"]))
            self._draw()

        return repeat

    def _drop(self, step: Thing) -> Any:
        async def drop() -> None:
            self.steps.remove(step)
            self._draw()

        return drop

    async def _save(self) -> None:
        try:
            saved = await self._view.send("PUT", PLANS, {**self._plan, "steps": self.steps})
        except ConsoleError as error:
            refuse(self._problem, self._view.explain(error))
            return
        refuse(self._problem, self._view.speech("plans.saved", n=saved["version"]), "calm")
        self._plan["version"] = saved["version"]
        self.steps = [dict(step) for step in saved["steps"]]
        self._draw()

    async def _remove(self) -> None:
        where = {
            "building": self._plan["building"],
            **({"alert_type": kind} if (kind := self._plan["alert_type"]) else {}),
        }
        await self._view.send("DELETE", f"{PLANS}?{urlencode(where)}")
        ui.navigate.to("/rota/plans")


def _words(speech: Speech) -> list[tuple[str, str]]:
    fixed = [(kind, speech(f"desk.whom.{kind}")) for kind in ("on_duty", "desk", "everyone", "rescue")]
    return fixed + [(f"contact:{n}", speech("desk.whom.contact", n=n)) for n in CONTACTS]


def _read_only(steps: list[Thing], whom: list[tuple[str, str]], speech: Speech) -> str:
    words = dict(whom)
    lines = "".join(
        f"<li><time>{escape(after(step['after_seconds'], speech))}</time>"
        f"<span>{escape(words.get(step['whom'], speech('desk.whom.user')))}</span></li>"
        for step in steps
    )
    return f"<ol class='steps wide-time'>{lines}</ol>"


def after(seconds: int, speech: Speech) -> str:
    """How long after the alert, as people say it."""
    if seconds == 0:
        return speech("plans.at_once")
    minutes, rest = divmod(seconds, 60)
    if not rest:
        return speech("plans.minutes", n=minutes)
    return speech("plans.minutes_seconds", n=minutes, s=rest) if minutes else speech("plans.seconds", n=seconds)


class Preview:
    """Who would be paged, and when, as a line of time."""

    def __init__(self, view: View, editor: Editor, alert_type: str, choices: Choices) -> None:
        self._view = view
        self._editor = editor
        self._asked: Thing = {
            "alert_type": alert_type,
            "severity": "critical",
            "resident_id": "",
            "at": "",
            "of": "force",
        }
        self._choices = choices
        html(f"<h2>{escape(view.speech('plans.preview'))}</h2>")
        entry(view, self._inputs, view.speech("plans.look"), self.show)
        self._line = ui.element("div").props("role=status aria-live=polite")

    def _inputs(self) -> Any:
        speech, asked = self._view.speech, self._asked
        fields: list[tuple[str, str, list[tuple[str, str]]]] = [
            (
                "alert_type",
                speech("field.alert_type"),
                [(code, speech.name(name)) for code, name in ALERT_TYPES.items()],
            ),
            ("severity", speech("plans.severity"), [(one.value, speech(f"severity.{one.value}")) for one in Severity]),
            (
                "resident_id",
                speech("field.resident_id"),
                [("", speech("plans.anybody")), *self._choices.get("resident_id", ())],
            ),
        ]
        if self._view.session.role == "admin":
            ways = [("force", speech("plans.in_force")), ("edited", speech("plans.edited"))]
            fields.append(("of", speech("plans.which"), ways))
        with ui.element("div").classes("pairs"):
            for name, label, options in fields:
                with field(label):
                    select(options, asked[name], partial(asked.__setitem__, name))
            with field(speech("plans.at")):
                box("type=datetime-local", "", lambda value: asked.__setitem__("at", value))
        return dict

    async def show(self, _: Thing) -> None:
        """Ask, and draw the answer. Raises ConsoleError."""
        view, asked = self._view, self._asked
        body: Thing = {"alert_type": asked["alert_type"], "severity": asked["severity"]}
        if asked["resident_id"]:
            body["resident_id"] = asked["resident_id"]
        if asked["at"]:
            body["at"] = datetime.fromisoformat(asked["at"]).replace(tzinfo=zone_of(view)).isoformat()
        if asked["of"] == "edited":
            body["steps"] = self._editor.steps
        found = await view.send("POST", f"{PLANS}/preview", body)
        self._line.clear()
        with self._line:
            html(_line(found, view), "div")


def _line(found: Thing, view: View) -> str:
    speech = view.speech
    zone = zone_of(view)
    steps = found["steps"]
    shout = ""
    if not any(step["recipients"] for step in steps):
        shout = f"<p class='notice bad shout' role='alert'>⚠ {escape(speech('plans.nobody'))}</p>"
    elif any(_is_hole(step) for step in steps):
        shout = f"<p class='notice bad shout' role='alert'>⚠ {escape(speech('plans.hole'))}</p>"
    begins = datetime.fromisoformat(found["at"]).astimezone(zone)
    head = f"<p>{escape(speech('plans.if', time=f'{begins:%m-%d %H:%M:%S}'))}</p>"
    items = []
    for step in steps:
        due = begins + timedelta(seconds=step["after_seconds"])
        people = "".join(_person(one, view) for one in step["recipients"])
        kind = "bad" if _is_hole(step) else "warn"
        notes = "".join(
            f"<p>{pill(kind, '⚠' if kind == 'bad' else 'ⓘ', _note(note, speech))}</p>" for note in step["notes"]
        )
        whom, _, number = step["whom"].partition(":")
        named = speech(f"desk.whom.{whom}", n=number)
        items.append(
            f"<li class='{'hole' if _is_hole(step) else ''}'>"
            f"<time><b>{escape(after(step['after_seconds'], speech))}</b>"
            f"<small>{due:%H:%M:%S}</small></time><div><h3>{escape(named)}</h3>{notes}<ul>{people}</ul></div></li>"
        )
    return f"{shout}{head}<ol class='timeline'>{''.join(items)}</ol>"


def _is_hole(step: Thing) -> bool:
    """Whether others than the plan means are paged, since those are not there. A contact is passed over by design."""
    return bool(step["notes"]) and not step["whom"].startswith("contact:")


def _note(note: str, speech: Speech) -> str:
    zh, _, en = note.partition(" / ")
    return speech.pair(zh, en or zh)


def _person(one: Thing, view: View) -> str:
    speech = view.speech
    ways = " → ".join(speech("plans.console") if way == "console" else way for way in one["channels"])
    waits = ""
    if one["waits_until"]:
        until = datetime.fromisoformat(one["waits_until"]).astimezone(zone_of(view))
        waits = " " + pill("warn", "☾", speech("plans.waits", time=f"{until:%H:%M}"))
    return f"<li><b>{escape(one['name'])}</b> <small>{escape(ways)}</small>{waits}</li>"
