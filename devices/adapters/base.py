"""What every adapter shares: bytes of one publication enter, samples of foreign devices leave, or Rejected."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

from core.errors import Rejected

SAMPLES_MAX: Final = 500
"""Foreign devices that one message may speak of."""
NATIVE_ID_CHARS_MAX: Final = 128
FACT_CHARS_MAX: Final = 200

STATES: Final = frozenset({"smoke", "gas", "co", "water_leak", "tamper", "low_battery", "sos", "door"})
"""Conditions that last. Their beginning is an event of the same name, their end `restore`; a door opens and closes."""

ACTIONS: Final = frozenset({"single", "double", "triple", "many", "hold", "sos"})
"""Uses of a button, in the words that a mapping's `sos_actions` may name."""

_FAHRENHEIT_ZERO: Final = 32.0
_KELVIN_ZERO: Final = 273.15


@dataclass(frozen=True, slots=True)
class ForeignEvent:
    """Something that happened once, in the words of the event contract; `id` only where the system gives one."""

    type: str
    data: Mapping[str, Any] = field(default_factory=dict)
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """What one message says of one foreign device. An empty `native_id` is the gateway itself.

    `t` is Unix seconds by the device's clock, None where it does not tell. `metrics` are codes of the registry in its
    units; values are checked later, like those of any device.
    """

    native_id: str
    t: float | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    states: Mapping[str, bool] = field(default_factory=dict)
    action: str | None = None
    event: ForeignEvent | None = None
    online: bool | None = None
    link_quality: float | None = None
    firmware: str | None = None
    identity: str | None = None
    """What tells this message from another one where the payload cannot: it repeats one thing with changing noise."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Discovery: model, vendor, description, address (what stays when the device is renamed)."""

    @property
    def speaks(self) -> bool:
        """Whether there is something to store of a device that is mapped."""
        return bool(self.metrics or self.states or self.action or self.event or self.online is not None)


class Adapter(Protocol):
    """One system's words, understood. Stateless: the same bytes give the same samples."""

    @property
    def name(self) -> str:
        """The word after `x/` in the topic."""
        ...

    def parse(self, path: str, payload: bytes) -> list[Sample]:
        """Samples of one message; `path` is the topic after `x/{adapter}/`. None of our business: an empty list.

        Raises core.errors.Rejected for what cannot be understood, and nothing else.
        """
        ...


def load_object(payload: bytes) -> dict[str, Any]:
    """A JSON object. Raises Rejected."""
    document = load_json(payload)
    if not isinstance(document, dict):
        raise Rejected("wrong_type", "a JSON object is expected")
    return document


def load_json(payload: bytes) -> Any:
    """Any JSON. Raises Rejected("not_json")."""
    try:
        return json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise Rejected("not_json", f"{type(error).__name__}: {error}"[:200]) from error


def text(payload: bytes) -> str:
    """Plain text. Raises Rejected("not_text")."""
    try:
        return payload.decode().strip()
    except UnicodeDecodeError as error:
        raise Rejected("not_text", "the payload is not UTF-8") from error


def native_id(name: str) -> str:
    """A foreign name that can be kept. Raises Rejected("bad_name")."""
    if not 1 <= len(name) <= NATIVE_ID_CHARS_MAX or not name.isprintable():
        raise Rejected("bad_name", f"a device's own name has 1 to {NATIVE_ID_CHARS_MAX} printable characters")
    return name


def fact(value: Any) -> str | None:
    """A discovery fact as bounded text; None for anything that is not text or a number."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    shown = "".join(ch for ch in str(value)[:FACT_CHARS_MAX] if ch.isprintable())
    return shown or None


def facts(**named: Any) -> dict[str, str]:
    """Facts by name, without those that say nothing."""
    return {name: shown for name, value in named.items() if (shown := fact(value)) is not None}


def finite(value: Any) -> float | None:
    """A finite number, or None. Booleans are not numbers here."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def celsius(value: Any, unit: str) -> Any:
    """A temperature in °C; a value that is not a number is passed on, to be complained about with its name."""
    number = finite(value)
    if number is None:
        return value
    match unit.strip().removeprefix("°").upper():
        case "F":
            return round((number - _FAHRENHEIT_ZERO) / 1.8, 4)
        case "K":
            return round(number - _KELVIN_ZERO, 4)
        case _:
            return number


def instant(value: Any) -> float | None:
    """Unix seconds of a number (seconds or milliseconds) or of an ISO 8601 text with its offset; else None.

    Without an offset a text is local time of an unknown place and worth nothing.
    """
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
            return moment.timestamp() if moment.tzinfo is not None else None
        except (ValueError, OverflowError):
            return None
    return finite(value)


def given(pairs: Mapping[str, Any]) -> dict[str, Any]:
    """Without the entries that are None: systems write null for what they do not know yet."""
    return {name: value for name, value in pairs.items() if value is not None}
