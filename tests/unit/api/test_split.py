"""Splitting a price: whatever the rules, the shares add up to the fen."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.services.engine.split import Grant, Split, rounded, split

money = st.decimals(min_value=0, max_value=10_000, places=2)
percents = st.decimals(min_value="0.01", max_value=100, places=2)
grants = st.lists(
    st.one_of(
        st.builds(lambda percent, room: (percent, None, room), percents, st.none() | money),
        st.builds(lambda amount, room: (None, amount, room), money, st.none() | money),
    ),
    max_size=6,
)


def of(percent: str | None = None, amount: str | None = None, room: str | None = None) -> Grant:
    made = [None if one is None else Decimal(one) for one in (percent, amount, room)]
    return Grant(UUID(int=1), *made)


@given(price=money, rules=grants)
def test_the_shares_add_up_and_nobody_pays_less_than_nothing(price: Decimal, rules: list[tuple]) -> None:
    granted = [Grant(uuid4(), percent, amount, room) for percent, amount, room in rules]
    found = split(price, granted)
    assert found.subsidy + found.own == price
    assert sum((amount for _, amount in found.parts), Decimal(0)) == found.subsidy
    assert 0 <= found.own <= price
    assert found.own == rounded(found.own)
    room = {grant.rule: grant.room for grant in granted}
    for rule, amount in found.parts:
        assert amount > 0
        assert room[rule] is None or amount <= room[rule]


def test_half_a_fen_goes_to_the_public_side() -> None:
    assert split(Decimal("0.01"), [of(percent="50")]) == Split(
        Decimal("0.01"), Decimal("0.01"), ((UUID(int=1), Decimal("0.01")),)
    )
    assert split(Decimal("33.33"), [of(percent="33.33")]).subsidy == Decimal("11.11")


def test_a_ceiling_and_the_price_bound_what_a_rule_pays() -> None:
    assert split(Decimal("80.00"), [of(percent="60", room="20.00")]).own == Decimal("60.00")
    assert split(Decimal("80.00"), [of(amount="100.00")]).own == Decimal("0.00")
    assert split(Decimal("80.00"), [of(percent="60", room="0.00")]).parts == ()


def test_rules_pay_in_their_order_of_the_whole_price() -> None:
    found = split(Decimal("100.00"), [of(percent="60"), of(percent="60")])
    assert [amount for _, amount in found.parts] == [Decimal("60.00"), Decimal("40.00")]


@pytest.mark.parametrize("price", ["-0.01", "1.005"])
def test_what_is_no_amount_of_money_is_refused(price: str) -> None:
    with pytest.raises(ValueError, match="amount of money"):
        split(Decimal(price), [])
