"""Calendars: what is written is read back, what others write is understood, what cannot be meant is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from uuid import UUID

import pytest

from alerts.rota.ical import CalendarShift, People, read, write
from core.errors import BadInput

LI, WANG = UUID(int=1), UUID(int=2)
PEOPLE = People(
    (
        {"id": LI, "username": "nurse.li", "name": "李护士"},
        {"id": WANG, "username": "nurse.wang", "name": "王护士"},
    )
)
SHANGHAI = "Asia/Shanghai"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def calendar(*lines: str) -> bytes:
    event = "\r\n".join(lines)
    return (
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VEVENT\r\n{event}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    ).encode()


def test_a_rota_survives_the_way_out_and_in() -> None:
    shifts = [
        CalendarShift(
            "a@x", LI, "夜班", date(2026, 3, 1), time(22), time(6), 1, "Europe/Berlin", "FREQ=WEEKLY;BYDAY=SU,MO",
            (date(2026, 3, 8),), "2", ("1", "2"), "看203", {date(2026, 3, 9): WANG},
        ),
        CalendarShift("b@x", WANG, "", date(2026, 1, 5), time(8), time(8), 1, SHANGHAI, "FREQ=DAILY;UNTIL=20260201"),
        CalendarShift("c@x", LI, "白班", date(2026, 1, 5), time(8), time(20), 0, SHANGHAI),
    ]  # fmt: skip
    text = write(shifts, PEOPLE, NOW)
    assert b"TZID:Europe/Berlin" in text, "the zones that it uses are in it"
    assert read(text, PEOPLE, SHANGHAI) == shifts


@pytest.mark.parametrize(
    ("lines", "zone"),
    [
        (("DTSTART:20260105T080000", "DTEND:20260105T200000", "SUMMARY:白班 李护士"), SHANGHAI),
        (("DTSTART;TZID=Asia/Shanghai:20260105T080000", "DURATION:PT12H", "ATTENDEE;CN=李护士:mailto:x@y"), SHANGHAI),
        (("DTSTART;TZID=China Standard Time:20260105T080000", "DURATION:PT12H", "SUMMARY:nurse.li"), SHANGHAI),
        (("DTSTART:20260105T080000Z", "DTEND:20260105T200000Z", "ATTENDEE:mailto:nurse.li"), "UTC"),
    ],
)  # fmt: skip
def test_calendars_made_elsewhere_are_understood(lines: tuple[str, ...], zone: str) -> None:
    (shift,) = read(calendar("UID:1", *lines), PEOPLE, SHANGHAI)
    assert (shift.user_id, shift.zone) == (LI, zone)
    assert (shift.starts_on, shift.start_time, shift.end_time, shift.end_day) == (
        date(2026, 1, 5),
        time(8),
        time(20),
        0,
    )


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (("DTSTART:20260105T080000", "DTEND:20260105T200000", "SUMMARY:赵护士"), "nobody of the staff"),
        (("DTSTART:20260105T080000", "DTEND:20260105T070000", "SUMMARY:李护士"), "ends after it begins"),
        (("DTSTART:20260105T080000", "DTEND:20260112T070000", "SUMMARY:李护士"), "at most 3 days"),
        (("DTSTART:20260105T080000", "SUMMARY:李护士"), "DTEND or a DURATION"),
        (("DTEND:20260105T080000", "SUMMARY:李护士"), "李护士"),
        (("DTSTART:20260105T080000", "DURATION:PT1H", "RRULE:FREQ=HOURLY", "SUMMARY:李护士"), "FREQ"),
        (("DTSTART;TZID=Mars/Base:20260105T080000", "DURATION:PT1H", "SUMMARY:李护士"), ""),
    ],
)
def test_an_event_that_cannot_be_meant_is_named_and_nothing_is_taken(lines: tuple[str, ...], why: str) -> None:
    if not why:  # an unknown zone is read as the house's own, never as another one
        (shift,) = read(calendar("UID:1", *lines), PEOPLE, SHANGHAI)
        assert shift.zone == "Asia/Shanghai"
        return
    with pytest.raises(BadInput, match=why):
        read(calendar("UID:1", *lines), PEOPLE, SHANGHAI)


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xfe", b"BEGIN:VCALENDAR", b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", b"{}" * 600_000]
)
def test_what_is_no_calendar_is_refused(data: bytes) -> None:
    with pytest.raises(BadInput):
        read(data, PEOPLE, SHANGHAI)


def test_a_moved_occurrence_is_refused_with_what_to_do() -> None:
    shift = CalendarShift(
        "a@x",
        LI,
        "",
        date(2026, 1, 5),
        time(8),
        time(20),
        0,
        "UTC",
        "FREQ=DAILY",
        (),
        "",
        (),
        "",
        {date(2026, 1, 6): WANG},
    )
    moved = write([shift], PEOPLE, NOW).replace(b"DTSTART:20260106T080000Z", b"DTSTART:20260106T090000Z")
    with pytest.raises(BadInput, match="leave that day out"):
        read(moved, PEOPLE, "UTC")
