"""Forms from the API's own description: a JSON schema enters, labelled inputs leave, and what was put in as JSON.

What the API learns to accept, the console can fill in, without a second list of fields that would grow old. A refusal
leaves every input as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from html import escape
from typing import Any, Final
from zoneinfo import ZoneInfo

from nicegui import ui

from api.console.frame import html
from api.console.texts import Speech

Thing = dict[str, Any]
Choices = Mapping[str, Sequence[tuple[str, str]]]
"""Field name -> (value, words), for ids that people know by another name."""
MONEY: Final = "money"
"""The format that an exact amount gets here: the API takes a number or, as we send it, its text."""
LONG_CHARS: Final = 300
"""Texts that may be so long get an area."""
_STYLES: Final = {"date-time": "datetime-local", "date": "date", "time": "time", "password": "password"}


class Schemas:
    """The schemas of one OpenAPI document, with their references followed."""

    def __init__(self, document: Thing) -> None:
        self._document = document

    def body_of(self, method: str, path: str) -> Thing:
        """The schema of a request's body; without properties where there is none."""
        operation = self._document["paths"].get(path, {}).get(method.lower(), {})
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        return self.follow(content.get("schema", {}))

    def paths(self) -> list[str]:
        """Every path of the API."""
        return list(self._document["paths"])

    def roles_of(self, method: str, path: str) -> list[str]:
        """Who may call an operation; nobody where there is none."""
        return list(self._document["paths"].get(path, {}).get(method.lower(), {}).get("x-roles", ()))

    def names_of(self, method: str, path: str) -> dict[str, str]:
        """What an operation is called, without the kind of record before it."""
        zh, _, en = str(self._document["paths"][path][method.lower()]["summary"]).partition(" · ")
        return {"zh": zh.rpartition("：")[2], "en": en.rpartition(": ")[2] or zh}

    def name_of(self, method: str, path: str, speech: Speech) -> str:
        """The same for people."""
        return speech.name(self.names_of(method, path))

    def names(self, schema: Thing) -> set[str]:
        """The names of all fields, also of fields within fields."""
        found = set()
        for name, field in self.follow(schema).get("properties", {}).items():
            plain = self.follow(field)
            found |= {name} | self.names(plain) | self.names(plain.get("items", {}))
        return found

    def follow(self, schema: Thing) -> Thing:
        """A schema without reference, and without "or null": what is left out is null."""
        if reference := schema.get("$ref"):
            found: Thing = self._document
            for part in reference.removeprefix("#/").split("/"):
                found = found[part]
            return self.follow({**found, **{name: value for name, value in schema.items() if name != "$ref"}})
        if "anyOf" in schema:
            kinds = [one for one in schema["anyOf"] if one.get("type") != "null"]
            rest = {name: value for name, value in schema.items() if name != "anyOf"}
            if {one.get("type") for one in kinds} == {"number", "string"}:
                rest["format"] = MONEY
            return self.follow({**kinds[0], **rest}) if kinds else rest
        return schema


class Form:
    """Inputs of one schema, empty or as `given`. `values()` is what was put in, as the API takes it."""

    def __init__(
        self,
        schemas: Schemas,
        schema: Thing,
        speech: Speech,
        zone: ZoneInfo,
        *,
        choices: Choices,
        skip: Sequence[str] = (),
        given: Mapping[str, Any] | None = None,
    ) -> None:
        self._schemas = schemas
        self._speech = speech
        self._zone = zone
        self._choices = choices
        self._values: Thing = {}
        required = set(schema.get("required", ()))
        properties = schema.get("properties", {})
        for name in sorted((one for one in properties if one not in skip), key=lambda one: _place(one, required)):
            known = (given or {}).get(name)
            field = schemas.follow(properties[name]) | ({"default": known} if known not in (None, "", []) else {})
            self._field(self._values, name, field, required=name in required)

    def values(self) -> Thing:
        """The body of the request: what was left empty is left out."""
        found: Thing = pruned(self._values)
        return found

    def _field(self, into: Thing, name: str, field: Thing, *, required: bool) -> None:
        kind = field.get("type")
        if kind == "object":
            self._group(into, name, field)
        elif kind == "array" and self._schemas.follow(field.get("items", {})).get("type") == "object":
            self._rows(into, name, field)
        elif kind == "boolean":
            self._tick(into, name, field)
        else:
            with ui.element("label").classes("field"):
                self._label(name, field, required=required)
                self._input(into, name, field, required=required)

    def _label(self, name: str, field: Thing, *, required: bool) -> None:
        star = f' <b class="must" title="{escape(self._speech("form.required"))}">*</b>' if required else ""
        hint = "" if self._speech.language == "zh" else str(field.get("description") or "")
        small = f" <small>{escape(hint)}</small>" if hint else ""
        html(f"<span>{escape(self._speech.word(name))}{star}</span>{small}")

    def _input(self, into: Thing, name: str, field: Thing, *, required: bool) -> None:
        kind = field.get("type")
        options = self._options(name, field)
        must = " required" if required else ""
        if kind == "array" and options:
            most = int(field.get("maxItems", 5))
            into[name] = ["" for _ in range(min(most, int(field.get("minItems", 1)) or 1))]
            for number in range(len(into[name])):
                self._select(options, partial(into[name].__setitem__, number), must, "")
        elif options:
            known = str(field.get("default") or (options[0][0] if required and len(options) == 1 else ""))
            into[name] = known
            self._select(options, lambda value: into.__setitem__(name, value), must, known)
        elif kind == "array":
            into[name] = list(field.get("default") or ())
            hint, known = escape(self._speech("form.one_a_line")), escape("\n".join(map(str, into[name])))
            _follow(
                html(f'<textarea rows=3 placeholder="{hint}">{known}</textarea>'),
                lambda value: into.__setitem__(name, [one.strip() for one in value.splitlines() if one.strip()]),
            )
        elif kind in ("integer", "number"):
            self._number(into, name, field, must)
        else:
            self._text(into, name, field, must)

    def _options(self, name: str, field: Thing) -> Sequence[tuple[str, str]]:
        if name in self._choices:
            return self._choices[name]
        item = self._schemas.follow(field.get("items", {})) if field.get("type") == "array" else field
        words = item.get("enum") or ([item["const"]] if "const" in item else [])
        return [(str(one), self._speech.value(str(one))) for one in words]

    def _select(self, options: Sequence[tuple[str, str]], store: Callable[[str], None], must: str, chosen: str) -> None:
        lines = "".join(
            f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>{escape(words)}</option>'
            for value, words in [*([] if chosen else [("", "")]), *options]
        )
        _follow(html(f"<select{must}>{lines}</select>"), store)

    def _number(self, into: Thing, name: str, field: Thing, must: str) -> None:
        low, high = field.get("minimum"), field.get("maximum")
        money = field.get("format") == MONEY
        step = "0.01" if money else "1" if field.get("type") == "integer" else "any"
        limits = "".join(f" {key}={value}" for key, value in (("min", low), ("max", high)) if value is not None)
        known = ""
        if (default := field.get("default")) is not None:
            known = f" value={default}"
            into[name] = default
        box = html(f"<input type=number inputmode=decimal step={step}{limits}{must}{known}>")

        def store(value: str) -> None:
            into[name] = None if value == "" else value if money else float(value) if "." in value else int(value)

        _follow(box, store)

    def _text(self, into: Thing, name: str, field: Thing, must: str) -> None:
        style = _STYLES.get(str(field.get("format")), "text")
        most = int(field.get("maxLength", LONG_CHARS))
        known = str(field.get("default") or "")
        if known:
            # Wall times are shown without the seconds that nobody plans by.
            known = into[name] = known[:5] if style == "time" else known
        if style == "text" and most > LONG_CHARS:
            box = html(f"<textarea rows=3 maxlength={most}{must}>{escape(known)}</textarea>")
        else:
            limit = f" maxlength={most}" if style in ("text", "password") else ""
            box = html(f'<input type={style}{must}{limit} value="{escape(known)}">')

        def store(value: str) -> None:
            local = style == "datetime-local" and value
            into[name] = datetime.fromisoformat(value).replace(tzinfo=self._zone).isoformat() if local else value

        _follow(box, store)

    def _tick(self, into: Thing, name: str, field: Thing) -> None:
        into[name] = bool(field.get("default", False))
        with ui.element("label").classes("field tick"):
            box = ui.element("input").props("type=checkbox" + (" checked" if into[name] else ""))
            box.on(
                "change",
                lambda event: into.__setitem__(name, bool(event.args)),
                js_handler="(event) => emit(event.target.checked)",
            )
            self._label(name, field, required=False)

    def _group(self, into: Thing, name: str, field: Thing) -> None:
        """Fields within a field."""
        inner: Thing = {}
        into[name] = inner
        required = set(field.get("required", ()))
        with ui.element("fieldset").classes("field"):
            html(escape(self._speech.word(name)), "legend")
            for one, part in field.get("properties", {}).items():
                self._field(inner, one, self._schemas.follow(part), required=one in required)

    def _rows(self, into: Thing, name: str, field: Thing) -> None:
        """Lines of the same fields; as many as are wanted."""
        item = self._schemas.follow(field["items"])
        lines: list[Thing] = []
        into[name] = lines
        with ui.element("fieldset").classes("field"):
            html(escape(self._speech.word(name)), "legend")
            shelf = ui.element("div")

            def add() -> None:
                line: Thing = {}
                lines.append(line)
                required = set(item.get("required", ()))
                with shelf, ui.element("div").classes("form-line"):
                    for one, part in item.get("properties", {}).items():
                        self._field(line, one, self._schemas.follow(part), required=one in required)

            add()
            with ui.element("button").props("type=button").on("click", add):
                html(escape(self._speech("form.add_line")))


def _place(name: str, required: set[str]) -> int:
    """Who first, then what is needed, a free word last; otherwise as the API has it."""
    return 0 if name == "resident_id" else 3 if name == "note" else 1 if name in required else 2


# Inputs are markup, not elements: whenever anything on the page changes, an element's `value` is put back to what the
# server knows, and with it whatever is being typed.
def _follow(box: ui.element, store: Callable[[str], None]) -> None:
    box.on("change", lambda event: store(str(event.args or "")), js_handler="(event) => emit(event.target.value)")


def pruned(value: Any) -> Any:
    """Without what was left empty."""
    if isinstance(value, dict):
        kept = {name: pruned(one) for name, one in value.items()}
        return {name: one for name, one in kept.items() if one not in (None, "", [], {})}
    if isinstance(value, list):
        return [one for one in map(pruned, value) if one not in (None, "", {})]
    return value
