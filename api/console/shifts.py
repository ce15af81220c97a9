"""What can be done about the rota: shifts, swaps and absences enter; forms to add, change, swap and remove leave."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from html import escape
from typing import Any, Final

from nicegui import ui

from api.console.choices import choices_for, places
from api.console.client import ConsoleError
from api.console.entry import act, box, entry, field, refuse, select, ticks
from api.console.forms import Form, Schemas
from api.console.frame import View, html
from api.console.repeat import DAYS, Repeat, read, write
from api.console.services import when, zone_of

Thing = dict[str, Any]
OWN: Final = ("rule", "zone", "end_day", "except_on", "floors")
"""Fields of a shift that are not asked for as they stand in the API."""
SHIFT: Final = "/api/v1/rota/shifts"


class Desk:
    """The actions beside the week; the shift that was pressed stands first."""

    def __init__(self, view: View, planned: list[Thing], swaps: list[Thing], absences: list[Thing]) -> None:
        self._view = view
        self._planned = {(one["shift_id"], one["on"]): one for one in planned}
        self._swaps = swaps
        self._absences = absences
        self._may_edit = view.session.role == "admin"
        self._me = str(view.session.me["id"])
        self._address = str(view.request.url.path) + (f"?{view.request.url.query}" if view.request.url.query else "")

    async def draw(self) -> None:
        """The actions that are always there."""
        view = self._view
        self._schemas = Schemas(await view.console.gateway.document())
        self._choices = await choices_for(view, ("user_id",))
        self._places = await places(view)
        houses = [(one, view.speech("board.building", n=one)) for one in self._places.buildings]
        self._choices["building"] = [("", view.speech("rota.whole_house")), *houses]
        with ui.element("section").props(f'id=shift-card tabindex="-1" aria-label="{escape(view.speech("rota.do"))}"'):
            html(f"<h2>{escape(view.speech('rota.do'))}</h2>")
            self._card = ui.element("div")
            if self._may_edit:
                with self._fold("rota.add"):
                    self._shift_form(None)
            with self._fold("rota.hand_over"):
                self._plain_form("POST", "/rota/handovers", "rota.hand_over", floors=True)
            with self._fold("rota.absence"):
                self._absence()
            self._waiting()

    def _fold(self, key: str, *, opened: bool = False) -> ui.element:
        fold = ui.element("details").classes("action").props("open" if opened else "")
        with fold:
            html(escape(self._view.speech(key)), "summary")
        return fold

    async def pick(self, event: Any) -> None:
        """Show the shift that was pressed, and what may be done about it."""
        shift_id, on = event.args
        view, speech = self._view, self._view.speech
        self._card.clear()
        try:
            shift = await view.get(f"/rota/shifts/{shift_id}")
        except ConsoleError as error:
            refuse(self._card, view.explain(error))
            return
        planned = self._planned[(shift_id, on)]
        with self._card, ui.element("section").classes("detail still picked"):
            html(_facts(shift, planned, view), "div")
            if self._may_edit or planned["user_id"] == self._me:
                with self._fold("rota.swap"):
                    self._plain_form("POST", f"/rota/shifts/{shift_id}/swaps", "rota.swap", fixed={"on": on})
            if self._may_edit:
                with self._fold("rota.change"):
                    html(f"<p>{escape(speech('rota.change_hint'))}</p>", "div").classes("hint")
                    self._shift_form(shift)
                with self._fold("rota.remove"):
                    self._remove(shift, on)
        ui.run_javascript("document.getElementById('shift-card').scrollIntoView({block: 'start'})")

    def _remove(self, shift: Thing, on: str) -> None:
        view = self._view
        problem = ui.element("div").props("role=alert")

        async def skip() -> None:
            body = {name: value for name, value in shift.items() if name not in ("id", "user_name", "version")}
            await view.send("PUT", f"/rota/shifts/{shift['id']}", body | {"except_on": [*shift["except_on"], on]})
            self._again()

        async def remove() -> None:
            await view.send("DELETE", f"/rota/shifts/{shift['id']}")
            self._again()

        with ui.element("div").classes("row hint"):
            if shift["rule"]:
                act(view, view.speech("rota.skip_day", day=on), problem, skip)
            act(view, view.speech("rota.remove_all"), problem, remove)

    def _again(self) -> None:
        ui.navigate.to(self._address)

    def _shift_form(self, shift: Thing | None) -> None:
        view, speech = self._view, self._view.speech
        given = shift or {"starts_on": view.console.gateway.clock.now().astimezone(zone_of(view)).date().isoformat()}
        repeat = read(shift["rule"]) if shift else Repeat("weekly", [])
        floors = list(given.get("floors", []))

        def draw() -> Callable[[], Thing]:
            schema = self._schemas.body_of("POST", SHIFT)
            inputs = Form(
                self._schemas, schema, speech, zone_of(view), choices=self._choices_with(given), skip=OWN, given=given
            )
            self._repetition(repeat)
            self._floor_ticks(floors)

            def values() -> Thing:
                body = inputs.values()
                starts_on = date.fromisoformat(body.get("starts_on") or given["starts_on"])
                kept = (
                    {"except_on": shift["except_on"], "zone": shift["zone"]} if shift else {"zone": str(zone_of(view))}
                )
                return body | kept | {"rule": write(repeat, starts_on), "floors": sorted(floors)}

            return values

        async def save(body: Thing) -> None:
            path = f"/rota/shifts/{shift['id']}" if shift else "/rota/shifts"
            await view.send("PUT" if shift else "POST", path, body)
            self._again()

        entry(view, draw, speech("form.save" if shift else "rota.add"), save)

    def _choices_with(self, given: Thing) -> dict[str, list[tuple[str, str]]]:
        """A shift may name a house in which nobody lives at present."""
        house = str(given.get("building") or "")
        known = house in dict(self._choices["building"])
        return self._choices if known else self._choices | {"building": [*self._choices["building"], (house, house)]}

    def _repetition(self, repeat: Repeat) -> None:
        speech = self._view.speech
        hows = ("once", "daily", "weekly", *(("other",) if repeat.how == "other" else ()))
        options = [(how, speech(f"rota.repeat.{how}", rule=repeat.rule)) for how in hows]
        with field(speech("rota.repeat")):
            select(options, repeat.how, lambda value: setattr(repeat, "how", value))
        ticks(
            speech("rota.days"),
            [(day, speech(f"weekday.{number}")) for number, day in enumerate(DAYS, start=1)],
            repeat.days,
        )
        with field(speech("rota.last_day")):
            box("type=date", repeat.until, lambda value: setattr(repeat, "until", value))

    def _floor_ticks(self, chosen: list[str]) -> None:
        speech = self._view.speech
        if floors := sorted({*self._places.floors, *chosen}):
            ticks(speech("rota.floors"), [(one, speech("board.floor", n=one)) for one in floors], chosen)

    def _plain_form(
        self, method: str, path: str, submit: str, *, fixed: Thing | None = None, floors: bool = False,
        choices: dict[str, list[tuple[str, str]]] | None = None,
    ) -> None:  # fmt: skip
        """A form that is as the API describes it, but for what is fixed already."""
        view = self._view
        chosen: list[str] = []
        known = next(one for one in ("/swaps", "/handovers", "/absences") if path.endswith(one))
        described = f"{SHIFT}/{{shift_id}}/swaps" if known == "/swaps" else f"/api/v1/rota{known}"

        def draw() -> Callable[[], Thing]:
            schema = self._schemas.body_of(method, described)
            skip = (*(fixed or {}), "floors")
            inputs = Form(
                self._schemas, schema, view.speech, zone_of(view), choices=choices or self._choices, skip=skip
            )
            if floors:
                self._floor_ticks(chosen)
            return lambda: inputs.values() | (fixed or {}) | ({"floors": sorted(chosen)} if floors else {})

        async def send(body: Thing) -> None:
            await view.send(method, path, body)
            self._again()

        entry(view, draw, view.speech(submit), send)

    def _absence(self) -> None:
        """Those that are noted, and one more; staff note their own."""
        view = self._view
        problem = ui.element("div").props("role=alert")
        now = view.console.gateway.clock.now()
        for one in self._absences:
            if datetime.fromisoformat(one["ends_at"]) > now:
                with ui.element("div").classes("row hint"):
                    times = f"{when(one['begins_at'], view)} – {when(one['ends_at'], view)}"
                    html(f"<b>{escape(one['user_name'])}</b> {escape(times)} {escape(one['reason'])}")
                    if self._may_edit or one["user_id"] == self._me:
                        act(view, view.speech("rota.cancel"), problem, self._gone(f"/rota/absences/{one['id']}"))
        people = self._choices["user_id"]
        mine = people if self._may_edit else [one for one in people if one[0] == self._me]
        self._plain_form("POST", "/rota/absences", "rota.absence", choices={"user_id": mine})

    def _waiting(self) -> None:
        """Swaps that somebody still has to accept."""
        view, speech = self._view, self._view.speech
        waiting = [one for one in self._swaps if one["accepted_at"] is None]
        if not waiting:
            return
        with self._fold("rota.waiting", opened=True):
            problem = ui.element("div").props("role=alert")
            for one in waiting:
                with ui.element("div").classes("row hint"):
                    told = speech("rota.swap_told", day=one["on"], who=one["from_name"], whom=one["user_name"])
                    html(f"{escape(told)} <small>{escape(one['reason'])}</small>")
                    if self._may_edit or one["user_id"] == self._me:
                        act(view, speech("rota.accept"), problem, self._accept(one["id"]), main=True)
                    if self._may_edit or self._me in (one["user_id"], one["from_id"]):
                        act(view, speech("rota.cancel"), problem, self._gone(f"/rota/swaps/{one['id']}"))

    def _accept(self, swap: str) -> Any:
        async def accept() -> None:
            await self._view.send("POST", f"/rota/swaps/{swap}/accept")
            self._again()

        return accept

    def _gone(self, path: str) -> Any:
        async def remove() -> None:
            await self._view.send("DELETE", path)
            self._again()

        return remove


def _facts(shift: Thing, planned: Thing, view: View) -> str:
    speech = view.speech
    days = read(shift["rule"])
    names = "、".join(speech(f"weekday.{DAYS.index(one) + 1}") for one in DAYS if one in days.days)
    rows = (
        (speech("rota.who"), planned["name"]),
        (speech("rota.time"), f"{when(planned['begins_at'], view)} – {when(planned['ends_at'], view)}"),
        (speech("rota.repeat"), names or speech(f"rota.repeat.{days.how}", rule=days.rule)),
        (speech("rota.last_day"), days.until),
        (speech("field.note"), shift["note"]),
    )
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in rows if text)
    return f"<h2>{escape(shift['title'] or planned['name'])}</h2><dl>{facts}</dl>"
