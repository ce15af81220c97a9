"""What a gateway's message adds to an interpreted one: whom it speaks of, and what lasting states it tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from core.readings import Rejection


@dataclass(frozen=True, slots=True)
class Sighting:
    """A foreign device was heard. With a rejection it said something that nobody can be given yet."""

    institution_id: UUID
    gateway_key: int
    adapter: str
    native_id: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    link_quality: float | None = None
    mapped: bool = False
    rejection: Rejection | None = None

    @property
    def key(self) -> tuple[int, str, str]:
        return self.gateway_key, self.adapter, self.native_id


@dataclass(frozen=True, slots=True)
class StateChanges:
    """States as a mapped device told them; those that differ from what was last heard become events."""

    foreign_id: int
    states: Mapping[str, bool]
    time: float
    flags: int
    origin: str
    """What the events' ids are made of: the same for a redelivery."""
