"""The alert desk: unresolved alerts of the house enter; a queue with clocks and one alert in full leave.

The queue is one living element; what is done goes to the API as the person, and every refusal is told in words.
"""

from __future__ import annotations

import contextlib
from datetime import datetime
from html import escape
from typing import Any, Final
from zoneinfo import ZoneInfo

from nicegui import ui

from api.console.board import milliseconds
from api.console.client import ConsoleError, Refused
from api.console.evidence import evidence
from api.console.frame import View, html, message, screen
from api.console.house import Listener, Thing
from api.console.texts import Speech
from core.vocabulary import Outcome

URGENT: Final = ("critical", "high")
FIRST_WAIT_SECONDS: Final = 2.0


@screen("/desk", "menu.desk", icon="bell", order=2)
async def desk(view: View, alert: str = "") -> None:
    """The queue, and beside it the alert that was picked."""
    house = view.house
    if house is None:
        message(view.speech("frame.no_page"))
        return
    await house.first_alerts(FIRST_WAIT_SECONDS)
    with ui.element("div").classes("desk"):
        with ui.element("section").props(f'aria-label="{escape(view.speech("desk.queue"))}"'):
            queue = ui.element("anhu-queue")
            queue.props["texts"] = view.speech.many("desk.js.")
            queue.props["now"] = view.console.gateway.clock.time() * 1000
            queue.props["picked"] = alert
            queue.props["alerts"] = [row(one, view.speech) for one in house.alerts]
        panel = Panel(view, queue)
    view.listen(
        Listener(
            on_alerts=lambda alerts: queue.run_method("show", [row(one, view.speech) for one in alerts]),
            on_entry=panel.hear,
        )
    )
    queue.on("act", panel.act, args=["detail"])
    queue.on("pick", panel.pick, args=["detail"])
    if alert:
        await panel.open(alert)


def row(alert: Thing, speech: Speech) -> dict[str, Any]:
    """An alert as the queue's script draws one."""
    responding, step = alert["responding"], alert["next_escalation"]
    answered = alert["acknowledged_at"] or alert["on_site_at"]
    return {
        "id": alert["id"],
        "version": alert["version"],
        "severity": alert["severity"],
        "severity_name": speech.name(alert["severity_name"]),
        "state": alert["state"],
        "state_name": speech.name(alert["state_name"]),
        "type_name": speech.name(alert["type_name"]),
        "resident": (alert["resident"] or {}).get("name", ""),
        "place": alert["place"],
        "n": alert["occurrences"],
        "test": alert["test"],
        "urgent": alert["severity"] in URGENT,
        "opened": milliseconds(alert["opened_at"]),
        "answered": milliseconds(answered) if answered else None,
        "deadline": milliseconds(alert["deadline_at"]) if alert["deadline_at"] else None,
        "who": responding["name"] if responding else "",
        "onsite": bool(responding and responding["on_site"]),
        "next": {**whom(step["whom"]), "due": milliseconds(step["due_at"])} if step else None,
    }


def whom(word: str) -> dict[str, str]:
    """Whom an escalation step pages, in both languages."""
    kind, _, number = word.partition(":")
    key = f"desk.whom.{kind}" if kind in ("on_duty", "desk", "everyone", "rescue", "contact") else "desk.whom.user"
    return {language: Speech(language)(key, n=number) for language in ("zh", "en")}


class Panel:
    """One alert in full: evidence, who comes, rescue card, timeline, and the form that ends it."""

    def __init__(self, view: View, queue: ui.element) -> None:
        self._view = view
        self._queue = queue
        self._speech = view.speech
        self._alert: Thing | None = None
        self._outcome: dict[str, str] = {}
        """What was chosen and typed, by alert: it stays through refusals and looks at other alerts."""
        self._note: dict[str, str] = {}
        self._form_of = ""
        """The alert whose form is shown."""
        self._zone = ZoneInfo(view.console.settings.timezone)
        with ui.element("aside").classes("detail").props(f'aria-label="{escape(self._speech("desk.detail"))}"'):
            self._problem = ui.element("div").props("role=alert")
            self._facts = ui.element("div")
            self._form = ui.element("div")
            self._picture = ui.element("div")
            self._more = ui.element("div")
            self._history = ui.element("div")
        with self._facts:
            message(self._speech("desk.pick"))

    async def act(self, event: Any) -> None:
        """A tap in the queue: acknowledge or arrive."""
        told = event.args["detail"]
        await self._do(str(told["id"]), str(told["action"]), {"version": told["version"]})

    async def pick(self, event: Any) -> None:
        """A tap on an alert; with the form open where it is to be resolved."""
        told = event.args["detail"]
        await self.open(str(told["id"]), resolve=bool(told.get("resolve")))

    def hear(self, entry: Thing) -> None:
        """Something happened to an alert: what is shown of it is read again."""
        if self._alert is not None and entry["alert_id"] == self._alert["id"]:
            with self._facts:
                ui.timer(0.0, self._again, once=True)

    async def open(self, alert_id: str, *, resolve: bool = False) -> None:
        """Show one alert. Reading it tells the API that it was seen."""
        try:
            self._alert = await self._view.get(f"/alerts/{alert_id}")
        except ConsoleError as error:
            self._tell(self._view.explain(error))
            return
        self._tell("")
        self._draw()
        self._draw_form(open_now=resolve)
        await self._draw_more()

    async def _again(self) -> None:
        if self._alert is None:
            return
        was = self._alert["state"]
        try:
            self._alert = await self._view.get(f"/alerts/{self._alert['id']}")
        except ConsoleError:
            return  # the line's banner tells of it
        self._draw()
        if self._alert["state"] != was:
            self._draw_form()

    async def _do(self, alert_id: str, action: str, body: dict[str, Any]) -> bool:
        """One action; what came of it in words. Whether it was done now."""
        try:
            done = await self._view.send("POST", f"/alerts/{alert_id}/{action}", body)
        except Refused as error:
            await self._explain_refusal(alert_id, error)
            return False
        except ConsoleError as error:
            self._tell(self._view.explain(error))
            return False
        finally:
            self._queue.run_method("settle", alert_id)
            if self._view.house is not None:
                self._view.house.stale()
        self._alert = done
        if done["changed"]:
            self._tell("")
        else:
            self._tell(self._already(done))
        self._draw()
        self._draw_form()
        await self._draw_more()
        return bool(done["changed"])

    async def _explain_refusal(self, alert_id: str, error: Refused) -> None:
        """Somebody else was quicker, or it is not possible: say who, and show how it stands."""
        text = self._view.explain(error)
        if error.kind in ("conflict", "bad-transition", "precondition-failed"):
            try:
                self._alert = await self._view.get(f"/alerts/{alert_id}")
            except ConsoleError:
                pass
            else:
                text = self._already(self._alert) if self._alert["responding"] else text
                self._draw()
                self._draw_form()
        self._tell(text)

    def _already(self, alert: Thing) -> str:
        responding = alert["responding"]
        if responding is None:
            return self._speech.name(alert.get("reason_name") or alert["state_name"])
        return self._speech(
            "desk.already",
            who=responding["name"],
            time=self._clock(responding["since"]),
        )

    def _tell(self, text: str) -> None:
        self._problem.clear()
        if text:
            with self._problem, ui.element("p").classes("notice bad"):
                html(escape(text))

    def _draw(self) -> None:
        alert, speech = self._alert, self._speech
        if alert is None:
            return
        resident = alert["resident"] or {}
        responding = alert["responding"]
        facts = [
            (speech("desk.state"), speech.name(alert["state_name"])),
            (speech("desk.place"), alert["place"]),
            (speech("desk.access"), resident.get("access_notes") or ""),
            (speech("desk.phone"), resident.get("phone") or ""),
            (speech("desk.at"), self._clock(alert["occurred_at"])),
            (
                speech("desk.responding"),
                f"{responding['name']} · {self._clock(responding['since'])}" if responding else speech("desk.nobody"),
            ),
            (speech("desk.outcome"), speech.name(alert["outcome_name"])),
        ]
        name = resident.get("name") or speech("desk.js.nobody")
        steps = "".join(self._step(entry) for entry in reversed(alert["timeline"]))
        self._facts.clear()
        with self._facts:
            html(
                f"<h2>{escape(speech.name(alert['type_name']))} · {escape(name)}</h2>"
                f"<dl>{''.join(f'<dt>{escape(a)}</dt><dd>{escape(str(b))}</dd>' for a, b in facts if b)}</dl>",
                "div",
            )
        self._history.clear()
        with self._history:
            html(f"<h3>{escape(speech('desk.timeline'))}</h3><ol class='steps'>{steps}</ol>", "div")

    def _step(self, entry: Thing) -> str:
        if entry["actor"] or not entry["note"]:
            parts = [self._speech.entry(entry["kind"]), entry["actor"], entry["note"]]
        else:
            # The platform's own entries say everything in their note.
            parts = [entry["note"]]
        words = " · ".join(part for part in parts if part)
        return f"<li><time>{self._clock(entry['at'])}</time><span>{escape(words)}</span></li>"

    def _draw_form(self, *, open_now: bool = False) -> None:
        """The form that ends an alert, once somebody has answered; what was typed before is there again."""
        alert, speech = self._alert, self._speech
        if alert is None or alert["state"] == "resolved" or (alert["state"] == "open" and not open_now):
            self._form.clear()
            self._form_of = ""
            return
        if self._form_of == alert["id"]:
            return  # somebody may be typing in it
        self._form.clear()
        self._form_of = str(alert["id"])
        one = str(alert["id"])
        chosen = self._outcome.get(one, "")
        with self._form, ui.element("form").classes("resolve").on("submit.prevent", self._resolve):
            html(f"<b>{escape(speech('desk.resolve'))}</b>")
            with (
                ui.element("div")
                .classes("options")
                .props(f'role=radiogroup aria-label="{escape(speech("desk.outcome"))}"')
            ):
                for outcome in Outcome:
                    with ui.element("label"):
                        choice = ui.element("input").props(
                            f"type=radio name=outcome value={outcome.value}" + (" checked" if chosen == outcome else "")
                        )
                        choice.on("change", lambda _, value=outcome.value: self._outcome.__setitem__(one, value))
                        html(escape(speech(f"outcome.{outcome.value}")))
            with ui.element("label"):
                html(escape(speech("desk.note")))
                note = ui.element("textarea").props(
                    f'maxlength=4000 rows=2 placeholder="{escape(speech("desk.note_hint"))}"'
                )
                # Not `value`: that would be written anew, over what is being typed, whenever anything is drawn.
                note.props["defaultValue"] = self._note.get(one, "")
                note.on(
                    "input",
                    lambda event: self._note.__setitem__(one, str(event.args)),
                    js_handler="(event) => emit(event.target.value)",
                )
            with ui.element("button").props("type=submit").classes("primary"):
                html(escape(speech("desk.js.resolve")))

    async def _resolve(self) -> None:
        if self._alert is None:
            return
        one = str(self._alert["id"])
        body = {"outcome": self._outcome.get(one), "note": self._note.get(one, "")}
        if body["outcome"] is None:
            self._tell(self._speech("desk.needs_outcome"))
            return
        if await self._do(one, "resolve", body):
            self._outcome.pop(one, None)
            self._note.pop(one, None)

    async def _draw_more(self) -> None:
        """The evidence as a picture, and the rescue card for whom there is one."""
        alert, view = self._alert, self._view
        if alert is None:
            return
        pictured = await evidence(view, alert)
        rescue = ""
        if alert["resident"]:
            # It may have been erased, or the line is down: the alert itself is shown.
            with contextlib.suppress(ConsoleError):
                card = await view.get(f"/residents/{alert['resident']['id']}/rescue-card")
                rescue = rescue_card(card, self._speech)
        if self._alert is None or self._alert["id"] != alert["id"]:
            return
        self._picture.clear()
        with self._picture:
            html(f"<h3>{escape(self._speech('desk.evidence'))}</h3>{pictured}", "div")
        self._more.clear()
        with self._more:
            html(rescue, "div")

    def _clock(self, moment: str) -> str:
        return datetime.fromisoformat(moment).astimezone(self._zone).strftime("%H:%M:%S")


_RESCUE: Final = (
    "place", "address", "access", "phone", "conditions", "medication", "allergies", "mobility", "communication",
    "hospital", "notes",
)  # fmt: skip


def rescue_card(card: Thing, speech: Speech) -> str:
    """What helpers need, as a list; what was never written is left out."""
    facts = [(speech(f"rescue.{name}"), card[name]) for name in _RESCUE if card[name]]
    facts += [
        (speech("rescue.contact", n=one["position"]), f"{one['name']} {one['relation']} {one['phone']}")
        for one in card["contacts"]
    ]
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>" for name, value in facts)
    who = f"{card['name']} · {card['birth_date']}"
    return f"<h3>{escape(speech('rescue.title'))}</h3><p><b>{escape(who)}</b></p><dl>{rows}</dl>"
