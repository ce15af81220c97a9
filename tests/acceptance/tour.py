"""A page of docs that can be walked: Markdown with blocks enters, requests are made and what they promise is checked.

A block of `http` is one request, of `mqtt` one message. Its line of `#` holds, divided by commas: `as NAME` (who acts),
`expect 404` (the status; any success unless said), `expect path.to.value = text`, `keep name = path`, and before those
`until` (try again until all of it holds).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

_BLOCK = re.compile(r"^```(http|mqtt)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_NAME = re.compile(r"\{\{([^}]+)\}\}")
_SPAN = re.compile(r"(in|before) (\d+) (s|min|h|d)")
_UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class Step:
    """One block of the page."""

    line: int
    kind: str
    actor: str
    request: str
    body: str
    until: bool
    status: int | None
    expected: dict[str, str]
    kept: dict[str, str]

    def __str__(self) -> str:
        return f"line {self.line}: {self.request}"


def steps_of(page: Path) -> list[Step]:
    """Every block of the page, in order."""
    text = page.read_text(encoding="utf-8")
    return [_step(text, match) for match in _BLOCK.finditer(text)]


def _step(text: str, match: re.Match[str]) -> Step:
    head, request, *rest = match[2].strip().split("\n")
    words = [word.strip() for word in head.removeprefix("#").split(",")]
    expected: dict[str, str] = {}
    kept: dict[str, str] = {}
    status, until = None, False
    for word in words[1:]:
        if word.startswith("until "):
            until, word = True, word.removeprefix("until ")
        verb, _, what = word.partition(" ")
        if verb == "expect" and what.isdigit():
            status = int(what)
        elif verb == "expect":
            path, _, value = what.partition(" = ")
            expected[path] = value
        elif verb == "keep":
            name, _, path = what.partition(" = ")
            kept[name] = path
        else:
            raise ValueError(f"what is {word!r}?")
    line = text[: match.start()].count("\n") + 1
    return Step(line, match[1], words[0].removeprefix("as "), request, "\n".join(rest), until, status, expected, kept)


def value_at(content: Any, path: str) -> Any:
    """The value at `a.0.b`. Raises AssertionError where there is none."""
    for part in path.split("."):
        try:
            content = content[int(part)] if part.isdigit() else content[part]
        except (KeyError, IndexError, TypeError) as error:
            raise AssertionError(f"no {path} in {json.dumps(content, ensure_ascii=False)[:500]}") from error
    return content


@dataclass(slots=True)
class Memory:
    """What earlier steps kept, and what time it is."""

    now: Callable[[], datetime]
    known: dict[str, Any] = field(default_factory=dict)

    def fill(self, text: str) -> str:
        """The text with every `{{name}}` replaced."""
        return _NAME.sub(lambda match: self._word(match[1]), text)

    def _word(self, name: str) -> str:
        now = self.now()
        if name == "today":
            return now.date().isoformat()
        if name == "now":
            return str(now.timestamp())
        span = _SPAN.fullmatch(name)
        if span:
            step = timedelta(**{_UNITS[span[3]]: int(span[2])})
            moment = now + step if span[1] == "in" else now - step
            return moment.date().isoformat() if span[3] == "d" else moment.isoformat().replace("+00:00", "Z")
        return str(self.known[name])

    def check(self, step: Step, content: Any) -> None:
        """Everything that the step expects, then what it keeps."""
        for path, wanted in step.expected.items():
            found = value_at(content, path)
            text = str(found).lower() if isinstance(found, bool) else str(found)
            assert text == wanted, f"{step}: {path} is {text}, not {wanted}"
        for name, path in step.kept.items():
            self.known[name] = value_at(content, path)
