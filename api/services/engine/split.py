"""Who pays how much: a price and what rules grant enter, exact shares whose sum is the price leave.

Pure. Rounding: a share in percent is rounded half up to the fen, rule by rule in their order; a rule pays at most what
is left of the price and of its own ceiling; what no rule pays is the resident's. So the sum is always exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Final
from uuid import UUID

FEN: Final = Decimal("0.01")
NOTHING: Final = Decimal("0.00")


@dataclass(frozen=True, slots=True)
class Grant:
    """What a rule gives: either percent (0 to 100) or amount (yuan); room: left of its ceiling, None: it has none."""

    rule: UUID
    percent: Decimal | None
    amount: Decimal | None
    room: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """parts: what each rule pays, none of them nothing. price = subsidy + own, to the fen."""

    price: Decimal
    subsidy: Decimal
    parts: tuple[tuple[UUID, Decimal], ...]

    @property
    def own(self) -> Decimal:
        return self.price - self.subsidy


def rounded(amount: Decimal) -> Decimal:
    """To the fen, half up."""
    return amount.quantize(FEN, ROUND_HALF_UP)


def split(price: Decimal, grants: Sequence[Grant]) -> Split:
    """Let the rules pay in their order. Raises ValueError for a price that is no amount of money."""
    if price < 0 or price != rounded(price):
        raise ValueError(f"{price} is no amount of money")
    left, parts = rounded(price), []
    for grant in grants:
        asked = rounded(price * grant.percent / 100) if grant.percent is not None else grant.amount or NOTHING
        paid = max(NOTHING, min(asked, left, asked if grant.room is None else grant.room))
        if paid:
            parts.append((grant.rule, paid))
            left -= paid
    return Split(rounded(price), rounded(price) - left, tuple(parts))
