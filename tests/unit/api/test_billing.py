"""Bills of a month: days counted once, whole months whole, every line to the fen."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.institution.billing import Fee, Price, Span, bill_lines, total_of

MARCH = date(2026, 3, 1)
ALWAYS = (Span(date(2025, 1, 1), None),)


def fee(amount: str = "3100.00", unit: str = "month", **given: Any) -> Fee:
    words = {"title": "床位费", "unit": unit, "quantity": Decimal(1), "begin": date(2025, 1, 1), "until": None,
             "prices": (Price(Decimal(amount), date(2025, 1, 1), None),)} | given  # fmt: skip
    return Fee(**words)  # type: ignore[arg-type]


def amounts(*fees: Fee, spans: tuple[Span, ...] = ALWAYS, month: date = MARCH) -> list[str]:
    return [str(line.amount) for line in bill_lines(month, spans, fees)]


def test_a_whole_month_costs_the_whole_fee_however_long_it_is() -> None:
    for month in (date(2026, 2, 1), MARCH, date(2026, 4, 1)):
        assert amounts(fee(), month=month) == ["3100.00"]


def test_the_day_of_moving_in_counts_and_the_day_of_leaving_does_not() -> None:
    stay = (Span(date(2026, 3, 10), date(2026, 3, 15)),)
    line = bill_lines(MARCH, stay, [fee()])[0]
    assert (line.days, line.begin, line.until, line.amount) == (
        5, date(2026, 3, 10), date(2026, 3, 14), Decimal("500.00"),
    )  # fmt: skip
    assert amounts(fee("30.00", "day"), spans=stay) == ["150.00"]


def test_a_move_to_another_bed_counts_no_day_twice() -> None:
    stay = (Span(date(2026, 3, 1), date(2026, 3, 16)), Span(date(2026, 3, 16), None))
    assert amounts(fee(), spans=stay) == ["3100.00"]


def test_a_new_price_within_the_month_makes_two_lines() -> None:
    prices = (Price(Decimal("3100.00"), date(2025, 1, 1), None), Price(Decimal("3410.00"), date(2026, 3, 11), None))
    assert amounts(fee(prices=prices)) == ["1000.00", "2310.00"]


def test_a_fee_that_is_paid_once_is_on_one_bill() -> None:
    once = fee("800.00", "time", begin=date(2026, 3, 10))
    assert amounts(once) == ["800.00"]
    assert amounts(once, month=date(2026, 4, 1)) == []
    assert amounts(once, spans=(Span(date(2026, 3, 12), None),)) == []


def test_nobody_in_the_house_pays_nothing() -> None:
    assert amounts(fee(), spans=()) == []
    assert amounts(fee(), spans=(Span(date(2026, 4, 1), None),)) == []


def test_a_fee_without_a_price_is_told() -> None:
    with pytest.raises(ValueError, match="no price on 2026-03-01"):
        amounts(fee(prices=()))


def test_who_is_away_pays_less_by_the_day_where_the_fee_says_so() -> None:
    away = [Span(date(2026, 3, 10), date(2026, 3, 20))]
    half = fee(away_percent=Decimal(50))
    lines = bill_lines(MARCH, ALWAYS, [half, fee("30.00", "day")], away)
    assert [(str(line.amount), line.days) for line in lines] == [("3100.00", 31), ("-500.00", 10), ("930.00", 31)]
    assert lines[1].title == "床位费 外出减免 50%"
    assert (lines[1].begin, lines[1].until) == (date(2026, 3, 10), date(2026, 3, 19)), "the day of return counts full"
    whole = bill_lines(MARCH, ALWAYS, [half], [Span(date(2026, 1, 1), None)])
    assert [str(line.amount) for line in whole] == ["3100.00", "-1550.00"]
    stay = (Span(date(2026, 3, 1), date(2026, 3, 11)),)
    left = bill_lines(MARCH, stay, [half], away)
    assert [str(line.amount) for line in left] == ["1000.00", "-50.00"], "nothing less for days that cost nothing"


@given(
    begin=st.integers(0, 30), days=st.integers(0, 60), amount=st.decimals(min_value=0, max_value=9999, places=2),
    unit=st.sampled_from(["day", "month"]), quantity=st.decimals(min_value="0.01", max_value=10, places=2),
)  # fmt: skip
def test_lines_are_exact_and_never_more_than_the_month(
    begin: int, days: int, amount: Decimal, unit: str, quantity: Decimal
) -> None:
    first = MARCH + timedelta(days=begin)
    lines = bill_lines(MARCH, [Span(first, first + timedelta(days=days))], [fee(str(amount), unit, quantity=quantity)])
    assert sum(line.days for line in lines) == min(days, 31 - begin)
    for line in lines:
        assert line.amount == line.amount.quantize(Decimal("0.01"))
        exact = amount * quantity * (line.days if unit == "day" else Decimal(line.days) / 31)
        assert abs(line.amount - exact) <= Decimal("0.005")
    assert total_of(lines) == sum((line.amount for line in lines), Decimal(0))
