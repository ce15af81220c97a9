"""Search parameters of FHIR: texts of a query enter, resident, metrics and a span of time leave, or a clear refusal."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from uuid import UUID

from api.fhir.resources import BP_PANEL, CODED, DIASTOLIC, LOINC, NEWS2, SYSTOLIC
from api.paging import cursor_time
from core.errors import BadInput

EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_PREFIXES: Final = ("eq", "ge", "gt", "le", "lt")


def resident_of(subject: str) -> UUID:
    """`Patient/{id}` or the id alone. Raises BadInput."""
    try:
        return UUID(subject.removeprefix("Patient/"))
    except ValueError as error:
        raise BadInput("subject is Patient/{id}") from error


def metrics_of(code: str | None) -> list[int]:
    """LOINC codes divided by commas, with or without their system; all coded metrics without any. Raises BadInput."""
    if not code:
        return [metric.id for metric in CODED.values()]
    found: list[int] = []
    for one in code.split(","):
        system, bar, plain = one.rpartition("|")
        if bar and system not in ("", LOINC):
            raise BadInput(f"codes are LOINC, not {system[:100]}")
        if plain == BP_PANEL:
            found += [SYSTOLIC, DIASTOLIC]
        elif plain in CODED:
            found.append(CODED[plain].id)
        else:
            raise BadInput(
                f"not measured here: {plain[:50]}; known: {', '.join(sorted({*CODED, BP_PANEL}))}; {NEWS2} alone"
            )
    return found


def is_news2(code: str | None) -> bool:
    """Whether the early warning score is asked for, alone: it is a score of this moment, not a reading in a span."""
    return code in (NEWS2, f"{LOINC}|{NEWS2}", f"|{NEWS2}")


def span_of(dates: list[str], now: datetime) -> tuple[datetime, datetime]:
    """[start, end) of `date` parameters such as ge2026-01-01, lt2026-02. Raises BadInput."""
    start, end = EARLIEST, now + timedelta(days=1)
    for text in dates:
        prefix, rest = (text[:2], text[2:]) if text[:2] in _PREFIXES else ("eq", text)
        first, after = _interval(rest)
        if prefix in ("eq", "ge"):
            start = max(start, first)
        if prefix == "gt":
            start = max(start, after)
        if prefix in ("eq", "le"):
            end = min(end, after)
        if prefix == "lt":
            end = min(end, first)
    return start, end


def _interval(text: str) -> tuple[datetime, datetime]:
    """The span that a date of FHIR means: a year, a month, a day, or a moment."""
    try:
        if len(text) == 4:
            return _day(date(int(text), 1, 1)), _day(date(int(text) + 1, 1, 1))
        if len(text) == 7:
            first = date.fromisoformat(f"{text}-01")
            return _day(first), _day(first + timedelta(days=monthrange(first.year, first.month)[1]))
        if len(text) == 10:
            return _day(date.fromisoformat(text)), _day(date.fromisoformat(text) + timedelta(days=1))
        # cursor_time refuses a moment without a zone; a plus sign arrives as a blank.
        moment = cursor_time(text.replace(" ", "+"))
        return moment, moment + timedelta(milliseconds=1)
    except (ValueError, OverflowError) as error:
        raise BadInput(f"not a date of FHIR: {text[:40]}") from error


def _day(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=UTC)
