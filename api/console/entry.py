"""What forms share: inputs and what is to be done with them enter; a form that a refusal leaves as it was leaves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from html import escape

from nicegui import ui

from api.console.client import ConsoleError
from api.console.forms import Thing
from api.console.frame import View, html

Inputs = Callable[[], Callable[[], Thing]]
"""Draws inputs, and gives the function that says what was put in."""


def entry(view: View, draw: Inputs, submit: str, do: Callable[[Thing], Awaitable[None]]) -> ui.element:
    """A form. What the API refuses stays as it was typed, with the reason above it."""
    with ui.element("form").classes("entry") as form:
        problem = ui.element("div").props("role=alert")
        values = draw()
        with ui.element("button").props("type=submit").classes("primary"):
            html(escape(submit))

    async def send() -> None:
        problem.clear()
        try:
            await do(values())
        except ConsoleError as error:
            refuse(problem, view.explain(error))

    form.on("submit.prevent", send)
    return form


def refuse(place: ui.element, text: str, kind: str = "bad") -> None:
    """Say what was wrong, or with the kind `calm` what was done, in place of what was said before."""
    place.clear()
    with place, ui.element("p").classes(f"notice {kind}"):
        html(escape(text))


def act(view: View, words: str, problem: ui.element, do: Callable[[], Awaitable[None]], *, main: bool = False) -> None:
    """A button that does one thing, and says at `problem` why it could not."""

    async def send() -> None:
        problem.clear()
        try:
            await do()
        except ConsoleError as error:
            refuse(problem, view.explain(error))

    with ui.element("button").props("type=button").classes("primary" if main else "") as button:
        html(escape(words))
    button.on("click", send)


def field(label: str) -> ui.element:
    """A label around the input that is put into it."""
    with ui.element("label").classes("field") as one:
        html(f"<span>{escape(label)}</span>")
    return one


def select(options: Iterable[tuple[str, str]], chosen: str, store: Callable[[str], object]) -> ui.element:
    """A list to choose one of: (value, words)."""
    lines = "".join(
        f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>{escape(words)}</option>'
        for value, words in options
    )
    return follow(html(f"<select>{lines}</select>"), store)


def box(props: str, value: str, store: Callable[[str], object]) -> ui.element:
    """A line to type into; `props` as `type=time required`."""
    return follow(html(f'<input {props} value="{escape(value)}">'), store)


def ticks(label: str, options: Sequence[tuple[str, str]], chosen: list[str]) -> None:
    """Any number of (value, words); `chosen` is kept up with what is ticked."""
    with ui.element("fieldset").classes("field ticks"):
        html(escape(label), "legend")
        for value, words in options:
            with ui.element("label"):
                one = ui.element("input").props("type=checkbox" + (" checked" if value in chosen else ""))
                html(escape(words))

            def store(ticked: str, value: str = value) -> None:
                if value in chosen:
                    chosen.remove(value)
                if ticked:
                    chosen.append(value)

            one.on(
                "change",
                lambda event, store=store: store(str(event.args or "")),
                js_handler="(event) => emit(event.target.checked ? '1' : '')",
            )


def follow(one: ui.element, store: Callable[[str], object]) -> ui.element:
    """Hand on what is put in, each time that it changes."""
    one.on("change", lambda event: store(str(event.args or "")), js_handler="(event) => emit(event.target.value)")
    return one
