"""How a shift recurs, for people: an RFC 5545 rule enters, once, daily or on days of the week leaves; and back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

How = Literal["once", "daily", "weekly", "other"]
DAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


@dataclass(slots=True)
class Repeat:
    """What a person chooses; `other` is a rule that this page cannot draw and keeps as it is."""

    how: How
    days: list[str]
    until: str = ""
    """The last day, as `2026-01-31`; empty for no end."""
    rule: str = ""


def read(rule: str) -> Repeat:
    """A rule of the API as a person's choice."""
    parts = dict(part.partition("=")[::2] for part in rule.split(";")) if rule else {}
    until = parts.pop("UNTIL", "")
    last = date.fromisoformat(until[:8]).isoformat() if until else ""
    days = parts.pop("BYDAY", "").split(",") if "BYDAY" in parts else []
    if parts.get("INTERVAL") == "1":
        del parts["INTERVAL"]
    if not rule:
        return Repeat("once", [])
    if parts == {"FREQ": "DAILY"} and not days:
        return Repeat("daily", [], last)
    if parts == {"FREQ": "WEEKLY"} and set(days) <= set(DAYS):
        return Repeat("weekly", days, last)
    return Repeat("other", [], last, rule)


def write(repeat: Repeat, starts_on: date) -> str:
    """The rule of a person's choice; weekly without a day is the day on which it starts."""
    if repeat.how == "other":
        return repeat.rule
    if repeat.how == "once":
        return ""
    end = f";UNTIL={repeat.until.replace('-', '')}" if repeat.until else ""
    if repeat.how == "daily":
        return f"FREQ=DAILY{end}"
    days = ",".join(one for one in DAYS if one in repeat.days) or DAYS[starts_on.weekday()]
    return f"FREQ=WEEKLY;BYDAY={days}{end}"
