"""A month's bill: days in the house and what was agreed enter, lines whose sum is the total leave.

Pure. A day counts where somebody was in the house at its end: the day of moving in counts, the day of leaving does not.
Monthly fees are charged by days of the month, and whole for a whole month; each line is rounded half up to the fen, the
total is the sum of the lines.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Literal
from uuid import UUID

from api.services.engine.split import NOTHING, rounded

Unit = Literal["day", "month", "time"]


@dataclass(frozen=True, slots=True)
class Span:
    """Days from `begin` up to, not with, `end`; None: still."""

    begin: date
    end: date | None


@dataclass(frozen=True, slots=True)
class Price:
    """Yuan for one unit, from `begin` until and with `until`; of several on a day, the one that begins last holds."""

    amount: Decimal
    begin: date
    until: date | None


@dataclass(frozen=True, slots=True)
class Fee:
    """What somebody pays: so many of an item, from `begin` until and with `until`, at prices with their terms.

    away_percent: so much less for a day on which the person is away.
    """

    title: str
    unit: Unit
    quantity: Decimal
    begin: date
    until: date | None
    prices: tuple[Price, ...]
    away_percent: Decimal = NOTHING


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a bill; amount is exact, `days` of `begin` to `until`; below zero: less for days away.

    record, subsidy: of an order that was left to the bill, the order and what the public side pays of it.
    """

    title: str
    unit: Unit
    unit_price: Decimal
    quantity: Decimal
    begin: date
    until: date
    days: int
    amount: Decimal
    record: UUID | None = None
    subsidy: Decimal | None = None


def bill_lines(month: date, spans: Sequence[Span], fees: Sequence[Fee], away: Sequence[Span] = ()) -> list[Line]:
    """Every line of the month that begins on this day. Raises ValueError where a fee has no price on a day.

    away: days for which less is paid, where the fee says so.
    """
    if month.day != 1:
        raise ValueError("a month is named by its first day")
    days_in_month = monthrange(month.year, month.month)[1]
    days = [day for day in _days(month, days_in_month) if any(_in(span, day) for span in spans)]
    absent = frozenset(day for day in days if any(_in(span, day) for span in away))
    return [line for fee in fees for line in _lines(fee, days, days_in_month, absent)]


def _days(month: date, count: int) -> Iterator[date]:
    return (month + timedelta(days=number) for number in range(count))


def _in(span: Span, day: date) -> bool:
    return span.begin <= day and (span.end is None or day < span.end)


def _lines(fee: Fee, days: list[date], days_in_month: int, absent: frozenset[date]) -> Iterator[Line]:
    due = [day for day in days if fee.begin <= day and (fee.until is None or day <= fee.until)]
    if fee.unit == "time":
        if due and due[0] == fee.begin:
            price = _price_on(fee, due[0])
            yield _line(fee, price, due[:1], rounded(price * fee.quantity))
        return
    priced = [(day, _price_on(fee, day)) for day in due]
    for price, part in groupby(priced, key=lambda one: one[1]):
        held = [day for day, _ in part]
        yield _line(fee, price, held, rounded(price * fee.quantity * _share(fee, len(held), days_in_month)))
        missed = [day for day in held if day in absent]
        if missed and fee.away_percent:
            less = rounded(price * fee.quantity * _share(fee, len(missed), days_in_month) * fee.away_percent / 100)
            line = _line(fee, -rounded(price * fee.away_percent / 100), missed, -less)
            yield replace(line, title=f"{fee.title} 外出减免 {fee.away_percent.normalize():f}%")


def _share(fee: Fee, days: int, days_in_month: int) -> Decimal:
    if fee.unit == "day":
        return Decimal(days)
    return Decimal(1) if days == days_in_month else Decimal(days) / days_in_month


def _price_on(fee: Fee, day: date) -> Decimal:
    held = [one for one in fee.prices if one.begin <= day and (one.until is None or day <= one.until)]
    if not held:
        raise ValueError(f"{fee.title} has no price on {day}")
    return max(held, key=lambda one: one.begin).amount


def _line(fee: Fee, price: Decimal, days: list[date], amount: Decimal) -> Line:
    return Line(fee.title, fee.unit, price, fee.quantity, days[0], days[-1], len(days), amount)


def total_of(lines: Sequence[Line]) -> Decimal:
    """The sum of the lines."""
    return sum((line.amount for line in lines), NOTHING)
