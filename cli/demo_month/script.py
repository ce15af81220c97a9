"""What a start of the demo needs to know of its month, without loading what tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FOUNDED_DAYS: Final = 45
"""The institution was founded so long before the first start: the month counts from there, whenever it is told."""


NICE: Final = 10
"""Whoever lives in the demo now goes before what was; also while its modules are loaded."""


@dataclass(frozen=True, slots=True)
class Script:
    """Whose month it is: the site, how many residents, the seed of their lives."""

    site: str
    residents: int
    seed: int
