"""The rota as a calendar: shifts, swaps and accounts enter or leave as iCalendar (RFC 5545).

Each shift is one event, each swap an event with the same UID and a RECURRENCE-ID. The person is the ATTENDEE,
`urn:anhu:user:<username>`; a calendar made elsewhere may name a user name or a name in the ATTENDEE's CN or in the
summary.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event, vCalAddress, vRecur, vText

from alerts.rota.calendar import END_DAY_MAX, check_rule, instant, zone_of
from core.errors import BadInput

EVENTS_MAX: Final = 2_000
BYTES_MAX: Final = 1024 * 1024
AnyEvent = Any
"""An event of the library, whose properties are unions of all that iCalendar knows."""
_USER: Final = "urn:anhu:user:"
_FLOORS: Final = "X-ANHU-FLOORS"
_BUILDING: Final = "X-ANHU-BUILDING"


@dataclass(frozen=True, slots=True)
class CalendarShift:
    """A shift as a calendar holds it."""

    uid: str
    user_id: UUID
    title: str
    starts_on: date
    start_time: time
    end_time: time
    end_day: int
    zone: str
    rule: str = ""
    except_on: tuple[date, ...] = ()
    building: str = ""
    floors: tuple[str, ...] = ()
    note: str = ""
    swaps: dict[date, UUID] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class People:
    """Accounts by id, and by the words that a calendar may use for them."""

    rows: tuple[Mapping[str, Any], ...]

    def find(self, *words: str) -> UUID | None:
        """The account that one of the words names: its user name, or its name where only one has it."""
        for word in (word.strip() for word in words):
            for key in ("username", "name"):
                fitting = [row["id"] for row in self.rows if word and row[key].lower() == word.lower()]
                if len(fitting) == 1:
                    return UUID(str(fitting[0]))
        return None

    def of(self, user_id: UUID) -> Mapping[str, Any]:
        """The row of an account; an empty one for who is gone."""
        return next((row for row in self.rows if row["id"] == user_id), {"username": str(user_id), "name": ""})


def write(shifts: Iterable[CalendarShift], people: People, now: datetime) -> bytes:
    """The rota as one calendar file, with the time zones that it uses."""
    calendar = Calendar()
    calendar.add("prodid", "-//Anhu//Rota//ZH")
    calendar.add("version", "2.0")
    for shift in shifts:
        calendar.add_component(_event(shift, people, now))
        for day, user_id in sorted(shift.swaps.items()):
            taken = replace(shift, user_id=user_id, starts_on=day, rule="", except_on=())
            event = _event(taken, people, now)
            event.add("recurrence-id", datetime.combine(day, shift.start_time, zone_of(shift.zone)))
            calendar.add_component(event)
    calendar.add_missing_timezones()
    return bytes(calendar.to_ical())


def _event(shift: CalendarShift, people: People, now: datetime) -> AnyEvent:
    zone, person, event = zone_of(shift.zone), people.of(shift.user_id), Event()
    event.add("uid", shift.uid)
    event.add("dtstamp", now.astimezone(UTC))
    event.add("dtstart", datetime.combine(shift.starts_on, shift.start_time, zone))
    event.add("dtend", datetime.combine(shift.starts_on + timedelta(days=shift.end_day), shift.end_time, zone))
    event.add("summary", f"{shift.title} {person['name']}".strip())
    attendee = vCalAddress(f"{_USER}{person['username']}")
    attendee.params["CN"] = vText(person["name"])
    event.add("attendee", attendee)
    if shift.rule:
        event.add("rrule", vRecur.from_ical(_with_time(shift, zone)))
    if shift.except_on:
        event.add("exdate", [datetime.combine(day, shift.start_time, zone) for day in shift.except_on])
    if shift.note:
        event.add("description", shift.note)
    if shift.title:
        event.add("categories", [shift.title])
    if shift.building:
        event.add(_BUILDING, shift.building)
    if shift.floors:
        event.add(_FLOORS, ",".join(shift.floors))
    return event


def _with_time(shift: CalendarShift, zone: ZoneInfo) -> str:
    """The rule with an UNTIL of the same kind as the start: a moment, since the start has a time."""
    parts = dict(part.partition("=")[::2] for part in shift.rule.split(";"))
    if "UNTIL" in parts:
        day = date.fromisoformat(parts["UNTIL"])
        parts["UNTIL"] = instant(day, shift.start_time, zone).strftime("%Y%m%dT%H%M%SZ")
    return ";".join(f"{name}={value}" for name, value in parts.items())


def read(data: bytes, people: People, zone: str) -> list[CalendarShift]:
    """The shifts of a calendar file; times without a zone are in `zone`.

    Raises BadInput naming the event: all of a calendar is taken, or none of it.
    """
    if len(data) > BYTES_MAX:
        raise BadInput(f"a calendar has at most {BYTES_MAX} bytes")
    try:
        calendar = Calendar.from_ical(data)
        events = calendar.events
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise BadInput("this is not an iCalendar file") from error
    if not events:
        raise BadInput("the calendar holds no event")
    if len(events) > EVENTS_MAX:
        raise BadInput(f"a calendar has at most {EVENTS_MAX} events")
    shifts: dict[str, CalendarShift] = {}
    for event in (one for one in events if "RECURRENCE-ID" not in one):
        shift = _checked(event, people, zone)
        if shift.uid in shifts:
            raise BadInput(f"event {_label(event)}: the same UID stands twice")
        shifts[shift.uid] = shift
    for event in (one for one in events if "RECURRENCE-ID" in one):
        _take_swap(shifts, event, people, zone)
    return list(shifts.values())


def _checked(event: AnyEvent, people: People, zone: str) -> CalendarShift:
    try:
        return _shift(event, people, zone)
    except BadInput as error:
        raise BadInput(f"event {_label(event)}: {error}") from error
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
        raise BadInput(f"event {_label(event)} cannot be read: {type(error).__name__}") from error


def _shift(event: AnyEvent, people: People, default_zone: str) -> CalendarShift:
    uid = str(event.get("UID", "")).strip()
    if not 1 <= len(uid) <= 255:
        raise BadInput("it needs a UID of at most 255 characters")
    begins, zone = _moment(event["DTSTART"].dt, default_zone)
    if "DTEND" in event:
        ends = _moment(event["DTEND"].dt, default_zone)[0]
        ends = ends if ends.tzinfo is None else ends.astimezone(zone)
    elif "DURATION" in event:
        ends = begins + event["DURATION"].dt
    else:
        raise BadInput("it needs a DTEND or a DURATION")
    ends = ends.replace(tzinfo=None) if ends.tzinfo else ends
    begins = begins.replace(tzinfo=None)
    if not begins < ends or (ends.date() - begins.date()).days > END_DAY_MAX:
        raise BadInput(f"a shift ends after it begins, at most {END_DAY_MAX} days later")
    user_id = people.find(*_words(event))
    if user_id is None:
        raise BadInput("nobody of the staff has the name that it gives")
    rules = event.get("RRULE")
    if isinstance(rules, list) or "RDATE" in event:
        raise BadInput("one recurrence and no RDATE is what the rota understands")
    rule = check_rule(rules.to_ical().decode(), begins.date(), zone) if rules else ""
    return CalendarShift(
        uid=uid,
        user_id=user_id,
        title=_title(event, people, user_id)[:100],
        starts_on=begins.date(),
        start_time=begins.time(),
        end_time=ends.time(),
        end_day=(ends.date() - begins.date()).days,
        zone=zone.key,
        rule=rule,
        except_on=tuple(sorted(_except_on(event, zone))),
        building=str(event.get(_BUILDING, ""))[:100],
        floors=tuple(part.strip()[:20] for part in str(event.get(_FLOORS, "")).split(",") if part.strip()),
        note=str(event.get("DESCRIPTION", ""))[:4000].replace("\0", ""),
    )


def _moment(value: date | datetime, default_zone: str) -> tuple[datetime, ZoneInfo]:
    """A start or end in its zone; a day without a time begins at midnight."""
    if not isinstance(value, datetime):
        return datetime.combine(value, time()), zone_of(default_zone)
    if value.tzinfo is None:
        return value, zone_of(default_zone)
    name = getattr(value.tzinfo, "key", None) or str(value.tzinfo)
    zone = zone_of(name)
    return value.astimezone(zone), zone


def _words(event: AnyEvent) -> list[str]:
    """What may name the person: the attendee's address and CN, then the summary and its last word."""
    found = event.get("ATTENDEE", [])
    words: list[str] = []
    for one in found if isinstance(found, list) else [found]:
        words += [str(one).removeprefix(_USER).removeprefix("mailto:"), str(one.params.get("CN", ""))]
    summary = str(event.get("SUMMARY", ""))
    return [*words, summary, *summary.split()[-1:]]


def _title(event: AnyEvent, people: People, user_id: UUID) -> str:
    summary = str(event.get("SUMMARY", "")).replace("\0", "").strip()
    return summary.removesuffix(str(people.of(user_id)["name"])).strip()


def _except_on(event: AnyEvent, zone: ZoneInfo) -> set[date]:
    found = event.get("EXDATE", [])
    days = set()
    for group in found if isinstance(found, list) else [found]:
        for one in group.dts:
            moment = one.dt
            zoned = isinstance(moment, datetime) and moment.tzinfo is not None
            moment = moment.astimezone(zone) if zoned else moment
            days.add(moment.date() if isinstance(moment, datetime) else moment)
    return days


def _take_swap(shifts: dict[str, CalendarShift], event: AnyEvent, people: People, zone: str) -> None:
    """An occurrence of its own: another person at the same time is a swap; another time is refused."""
    taken = _checked(event, people, zone)
    shift = shifts.get(taken.uid)
    if shift is None:
        raise BadInput(f"event {_label(event)} changes a shift that the calendar does not hold")
    began = _moment(event["RECURRENCE-ID"].dt, zone)[0].astimezone(zone_of(shift.zone))
    same = (taken.starts_on, taken.start_time, taken.end_time) == (began.date(), shift.start_time, shift.end_time)
    if not same or taken.zone != shift.zone:
        raise BadInput(f"event {_label(event)} moves one occurrence: leave that day out and add a shift of its own")
    if taken.user_id != shift.user_id:
        shift.swaps[taken.starts_on] = taken.user_id


def _label(event: AnyEvent) -> str:
    return repr(str(event.get("SUMMARY", "") or event.get("UID", ""))[:60])
