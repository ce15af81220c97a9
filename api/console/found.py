"""What speaks behind gateways: discovered devices enter; which device each is, and whom it serves, is said here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from html import escape
from typing import Any, Final

from nicegui import ui

from api.console.choices import choices_for, places
from api.console.client import Refused
from api.console.devices import pill, tabs, when
from api.console.entry import act, box, entry, field, select
from api.console.frame import View, html, message, screen
from api.console.services import zone_of
from core.vocabulary import DEVICE_KINDS

Thing = dict[str, Any]
NEW: Final = ""
ID_CHARS_MAX: Final = 64


@screen("/devices/discovered", "found.title")
async def discovered(view: View) -> None:
    """Those that nobody has claimed first; each with what it seems to be and where."""
    speech = view.speech
    items = await view.pages("/devices/discovered", most=500, limit=100)
    html(f"<h1>{escape(speech('menu.devices'))}</h1>{tabs(view, '/devices/discovered')}", "div")
    if not items:
        message(speech("found.none"))
        return
    may_claim = view.session.role == "admin"
    choices = await choices_for(view, ("resident_id", "device")) if may_claim else {}
    rooms = (await places(view)).rooms if may_claim else []
    for one in sorted(items, key=lambda item: (item["device"] is not None, item["id"])):
        with ui.element("section").classes("found"):
            html(_facts(one, view), "div")
            if may_claim:
                with ui.element("details").classes("action"):
                    words = "found.claim" if one["device"] is None else "found.change"
                    html(escape(speech(words)), "summary")
                    Claim(view, one, choices, proposed_room(_words(one), rooms)).draw()


def _words(one: Thing) -> str:
    return " ".join((one["native_id"], *one["facts"].values()))


def proposed_room(words: str, rooms: Iterable[str]) -> str:
    """The room whose name stands by itself in what a device says of itself; empty where none or several do."""
    found = {one for one in rooms if re.search(rf"(?<![0-9A-Za-z]){re.escape(one)}(?![0-9A-Za-z])", words)}
    return found.pop() if len(found) == 1 else ""


def proposed_id(native_id: str) -> str:
    """An id of our form out of the gateway's own."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", native_id).strip("-")[:ID_CHARS_MAX]


def _facts(one: Thing, view: View) -> str:
    speech, zone = view.speech, zone_of(view)
    kind = DEVICE_KINDS.get(one["suggested_kind"])
    state = (
        pill("ok", "✓", speech("found.is", device=one["device"]))
        if one["device"]
        else pill("warn", "?", speech("found.open"))
    )
    facts = " · ".join(f"{name} {value}" for name, value in one["facts"].items() if len(value) < ID_CHARS_MAX)
    lost = "" if one["device"] else escape(speech("found.unmapped", n=one["samples_unmapped"]))
    heard = speech("found.heard", gateway=one["gateway"], time=when(one["last_seen"], zone))
    return (
        f"<h2>{escape(one['native_id'])} {state}</h2><p>{escape(speech.name(kind) if kind else one['suggested_kind'])} "
        f"<small>{escape(facts)}</small></p><p class='soft'>{escape(heard)} {lost}</p>"
    )


class Claim:
    """The form that says which device it is, and whom it serves."""

    def __init__(self, view: View, one: Thing, choices: dict[str, list[tuple[str, str]]], room: str) -> None:
        self._view = view
        self._one = one
        self._choices = choices
        self._put = {
            "device": one["device"] or NEW,
            "id": proposed_id(one["native_id"]),
            "kind": one["suggested_kind"] if one["suggested_kind"] in DEVICE_KINDS else "other",
            "resident_id": "",
            "room": room,
        }

    def draw(self) -> None:
        """The form; and a way back where it is claimed."""
        view, one = self._view, self._one
        entry(view, self._inputs, view.speech("found.claim"), self._claim)
        if one["device"] is not None:
            with ui.element("div").classes("hint"):
                act(view, view.speech("found.unmap"), ui.element("div").props("role=alert"), self._unmap)

    def _inputs(self) -> Callable[[], Thing]:
        speech, put = self._view.speech, self._put
        kinds = [(code, speech.name(name)) for code, name in DEVICE_KINDS.items()]
        lists = (
            ("device", speech("found.device"), [(NEW, speech("found.new")), *self._choices.get("device", ())]),
            ("kind", speech("found.kind"), kinds),
            (
                "resident_id",
                speech("field.resident_id"),
                [("", speech("bind.nobody")), *self._choices.get("resident_id", ())],
            ),
        )
        for name, label, options in lists:
            with field(label):
                select(options, put[name], partial(put.__setitem__, name))
            if name == "device":
                with field(speech("found.id")):
                    box("type=text maxlength=64", put["id"], lambda value: put.__setitem__("id", value.strip()))
        with field(speech("bind.room")):
            box("type=text maxlength=100", put["room"], lambda value: put.__setitem__("room", value.strip()))
        return lambda: dict(put)

    async def _claim(self, put: Thing) -> None:
        """Register, map and bind; what is done already when a later step is refused is found done the next time."""
        view = self._view
        device = put["device"] or put["id"]
        if not put["device"]:
            try:
                await view.get(f"/devices/{device}")
            except Refused as refused:
                if refused.status != 404:
                    raise
                await view.send("POST", "/devices", {"id": device, "kind": put["kind"]})
        await view.send("POST", f"/devices/discovered/{self._one['id']}/map", {"device": device})
        if put["resident_id"]:
            await view.send("POST", f"/devices/{device}/bind", {"resident_id": put["resident_id"]})
        elif put["room"]:
            await view.send("POST", f"/devices/{device}/bind", {"room": put["room"]})
        ui.navigate.to("/devices/discovered")

    async def _unmap(self) -> None:
        await self._view.send("POST", f"/devices/discovered/{self._one['id']}/unmap")
        ui.navigate.to("/devices/discovered")
