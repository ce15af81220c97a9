"""Sightings and state changes of interpreted messages enter, rows and events leave, in the writer's own transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from core.clock import Clock, from_unix
from core.readings import Rejection
from db.tenant import Transaction
from devices.foreign import DEVICES_PER_GATEWAY_MAX, FACTS_CHARS_MAX
from ingest.foreign import event_id
from ingest.interpret import Interpreted
from ingest.sightings import Sighting, StateChanges

SIGHT_EVERY_SECONDS: Final = 30.0
"""How often a mapped device that tells nothing new of itself is noted as heard."""
REPEAT_SECONDS: Final = 10.0
"""The same undated words within this time are one message: a button tells its press several times."""
REDELIVERY_SECONDS: Final = 900.0
"""The same undated words that the broker marks as sent again are one message for this long. No longer: a second press
that was lost in between looks just the same."""
STALE: Final = timedelta(days=1)
FULL_TOLD_EVERY_SECONDS: Final = 3600.0
SEEN_MAX: Final = 50_000

_Key = tuple[int, str, str]


class ForeignRows:
    """Writes what gateways' messages add; remembers only when it last noted whom."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._noted: dict[_Key, float] = {}
        self._full_told: dict[int, float] = {}

    def is_news(self, tx: Transaction, one: Interpreted, device_key: int) -> bool:
        """Whether an undated message of a device behind a gateway is one that was not stored before."""
        if one.message.duplicate:
            window = REDELIVERY_SECONDS
        else:
            # States told again change nothing, and off-on-off within seconds must not be taken for a repetition.
            window = 0.0 if one.changes is not None and one.event is None else REPEAT_SECONDS
        return bool(
            tx.run(
                "adapters.claim_message",
                device_key=device_key,
                digest=one.clock_digest,
                received=from_unix(one.message.received),
                repeat_seconds=window,
            )
        )

    def write_sightings(self, tx: Transaction, batch: Sequence[Interpreted]) -> list[tuple[Interpreted, Rejection]]:
        """Note who was heard; of those who are not mapped, the rejections that are due to be stored."""
        found: dict[_Key, list[tuple[Interpreted, Sighting]]] = {}
        for one in batch:
            for sighting in one.sightings:
                if sighting.rejection is not None or self._is_due(sighting):
                    found.setdefault(sighting.key, []).append((one, sighting))
        if not found:
            return []
        addresses = self._addresses(tx, found)
        stored: list[tuple[Interpreted, Rejection]] = []
        # In the order of the key, so that two writers cannot wait for each other.
        for key in sorted(found):
            stored += self._sight(tx, found[key], addresses.get(key[:2], {}))
        return stored

    def write_changes(self, tx: Transaction, one: Interpreted, changes: StateChanges) -> bool:
        """Store an event for each state that is not what it was; whether there was any."""
        device = one.device
        assert device is not None  # noqa: S101 -- only mapped devices have changes
        before = tx.first("adapters.swap_states", id=changes.foreign_id, states=dict(changes.states))
        if before is None:
            return False
        events = events_of(before["states"], changes.states)
        for word, data in events:
            tx.run(
                "ingest.insert_event",
                device_key=device.key,
                event_id=event_id(changes.origin, f"{word}/{data.get('of', '')}"),
                institution=device.institution_id,
                time=from_unix(changes.time),
                received=from_unix(one.message.received),
                type=word,
                data=data,
                flags=changes.flags,
            )
        return bool(events)

    def _is_due(self, sighting: Sighting) -> bool:
        now = self._clock.monotonic()
        due = bool(sighting.facts) or now - self._noted.get(sighting.key, float("-inf")) >= SIGHT_EVERY_SECONDS
        if due:
            if len(self._noted) >= SEEN_MAX:
                self._noted.clear()
            self._noted[sighting.key] = now
        return due

    def _addresses(self, tx: Transaction, found: Mapping[_Key, Sequence[tuple[Interpreted, Sighting]]]) -> Any:
        """Mappings by hardware address, of the gateways that tell addresses: a renamed device keeps its mapping."""
        telling = {key[:2] for key, some in found.items() if any("address" in s.facts for _, s in some)}
        return {
            (gateway, adapter): {
                row["address"]: row for row in tx.all("adapters.mapped_addresses", gateway=gateway, adapter=adapter)
            }
            for gateway, adapter in sorted(telling)
        }

    def _sight(
        self, tx: Transaction, some: Sequence[tuple[Interpreted, Sighting]], addresses: Mapping[str, Any]
    ) -> list[tuple[Interpreted, Rejection]]:
        facts: dict[str, Any] = {}
        for _, sighting in some:
            facts |= sighting.facts
        last = some[-1][1]
        known = addresses.get(str(facts.get("address")), {})
        refused = [(one, sighting.rejection) for one, sighting in some if sighting.rejection is not None]
        values = {
            "institution": last.institution_id,
            "gateway": last.gateway_key,
            "adapter": last.adapter,
            "native_id": last.native_id,
            "facts": facts,
            "device_key": known.get("device_key"),
            "sos_actions": known.get("sos_actions"),
            "link_quality": last.link_quality,
            "samples_unmapped": len(refused),
            "seen": from_unix(max(one.message.received for one, _ in some)),
            "now": self._clock.now(),
            "devices_max": DEVICES_PER_GATEWAY_MAX,
            "facts_chars_max": FACTS_CHARS_MAX,
        }
        row = tx.first("adapters.sight", **values)
        if row is None and tx.run("adapters.drop_stale", gateway=last.gateway_key, before=self._clock.now() - STALE):
            row = tx.first("adapters.sight", **values)
        if row is None:
            return self._full(refused, last)
        return refused[:1] if row["due"] else []

    def _full(
        self, refused: Sequence[tuple[Interpreted, Rejection]], sighting: Sighting
    ) -> list[tuple[Interpreted, Rejection]]:
        now = self._clock.monotonic()
        if now - self._full_told.get(sighting.gateway_key, float("-inf")) < FULL_TOLD_EVERY_SECONDS:
            return []
        self._full_told[sighting.gateway_key] = now
        return list(refused[:1])


def events_of(before: Mapping[str, Any], now: Mapping[str, bool]) -> list[tuple[str, dict[str, Any]]]:
    """(type, data) of the events that lie between two reports of states.

    A condition that is there when it is first heard of began just now, as far as anybody knows; a door that is open
    when first heard of was not opened just now.
    """
    found: list[tuple[str, dict[str, Any]]] = []
    for name, active in now.items():
        known = before.get(name)
        if name == "door":
            if known is not None and known != active:
                found.append(("door_open" if active else "door_close", {}))
        elif active and not known:
            found.append((name, {}))
        elif known and not active:
            found.append(("restore", {"of": name}))
    return found


def unmapped_in(batch: Sequence[Interpreted]) -> Counter[str]:
    """How many things were said by devices that nobody has mapped yet, by reason."""
    return Counter(s.rejection.reason for one in batch for s in one.sightings if s.rejection is not None)
