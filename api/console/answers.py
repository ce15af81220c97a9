"""The sheet of an assessment: a form's items enter, answers with the running score leave."""

from __future__ import annotations

from html import escape
from typing import Any

from nicegui import ui

from api.console.client import ConsoleError
from api.console.frame import View, html

Thing = dict[str, Any]


class AnswerSheet:
    """Items by dimension, each with its possible scores; `given` is what was chosen, by item."""

    def __init__(self, view: View, form: Thing) -> None:
        self.given: dict[str, int] = {}
        self._view = view
        self._form = form
        speech = view.speech
        for dimension, names in form["dimensions"].items():
            with ui.element("fieldset").classes("field sheet-part"):
                html(escape(speech.name(names)), "legend")
                for item in form["items"]:
                    if item["dimension"] == dimension:
                        self._item(item)
        self._sum = html("", "p").classes("sum").props("role=status")
        self._show({}, 0, len(form["items"]))

    def _item(self, item: Thing) -> None:
        code, name = item["code"], self._view.speech.name(item["name"])
        with ui.element("div").classes("item").props(f'role=radiogroup aria-label="{escape(name)}"'):
            html(f"<span>{escape(name)}</span>")
            for value in item["values"]:
                with ui.element("label"):
                    box = ui.element("input").props(f"type=radio name=item-{code} value={value}")
                    box.on("change", lambda _, one=value: self._take(code, one))
                    html(str(value))

    async def _take(self, code: str, value: int) -> None:
        self.given[code] = value
        url = f"/services/assessment/forms/{self._form['code']}/{self._form['version']}/score"
        try:
            score = await self._view.send("POST", url, {"answers": self.given})
        except ConsoleError as error:
            self._sum.set_content(escape(self._view.explain(error)))
            return
        self._show(score["subtotals"], score["total"], len(score["missing"]))

    def _show(self, subtotals: dict[str, int], total: int, missing: int) -> None:
        speech = self._view.speech
        parts = " · ".join(
            f"{speech.name(self._form['dimensions'][name])} {points}" for name, points in subtotals.items()
        )
        left = speech("answers.missing", n=missing) if missing else speech("answers.whole")
        self._sum.set_content(
            f"<b>{escape(speech('answers.total'))} {total} / {self._form['total_max']}</b>"
            f" {escape(parts)} — {escape(left)}"
        )
