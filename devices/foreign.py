"""Devices behind gateways: what was heard of them enters from ingest; which registered device each is, people decide.

`load` is the part of the registry's snapshot that ingest reads gateways' messages with; `map_device` and `unmap_device`
are the only ways in which a foreign device gets or loses its registered one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from core.errors import BadInput, NotFound
from db.tenant import Transaction
from devices.adapters import Adapter, adapter_for
from devices.adapters.base import ACTIONS

SOS_BY_KIND: Final[dict[str, frozenset[str]]] = {"pendant": ACTIONS}
"""Kinds of devices whose buttons are there to call for help: every use of them is a call."""
_ALWAYS: Final = frozenset({"sos"})

DEVICES_PER_GATEWAY_MAX: Final = 500
FACTS_CHARS_MAX: Final = 32_768


@dataclass(frozen=True, slots=True)
class MappedDevice:
    """One foreign device that is mapped."""

    id: int
    site: str
    device: str
    sos_actions: frozenset[str] | None

    def calls_for_help(self, action: str, kind: str) -> bool:
        """Whether this use of the button is a call for help."""
        wanted = self.sos_actions if self.sos_actions is not None else SOS_BY_KIND.get(kind, frozenset())
        return action in wanted | _ALWAYS


@dataclass(frozen=True, slots=True)
class ForeignDirectory:
    """A snapshot of what stands behind gateways, and how to read each gateway."""

    mappings: Mapping[tuple[int, str, str], MappedDevice] = field(default_factory=dict)
    """By (gateway's key, adapter, native id)."""
    adapters: Mapping[tuple[int, str], Adapter] = field(default_factory=dict)
    """Of the gateways whose adapter must know what discovery told."""

    def adapter(self, gateway_key: int, name: str) -> Adapter:
        return self.adapters.get((gateway_key, name)) or adapter_for(name, {})


def load(tx: Transaction) -> ForeignDirectory:
    """Read mappings and announced entities; reload when PostgreSQL notifies `anhu_device`."""
    mappings: dict[tuple[int, str, str], MappedDevice] = {}
    facts: dict[tuple[int, str], dict[str, dict[str, Any]]] = {}
    for row in tx.all("adapters.mapped"):
        key = (row["gateway_key"], row["adapter"], row["native_id"])
        if row["device"] is not None:
            chosen = None if row["sos_actions"] is None else frozenset(row["sos_actions"])
            mappings[key] = MappedDevice(row["id"], row["site"], row["device"], chosen)
        if row["adapter"] == "homeassistant":
            facts.setdefault(key[:2], {})[row["native_id"]] = row["facts"]
    return ForeignDirectory(mappings, {key: adapter_for(key[1], known) for key, known in facts.items()})


def list_devices(
    tx: Transaction,
    *,
    institution: UUID | None = None,
    mapped: bool | None = None,
    gateway: str | None = None,
    after: int = 0,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """What was heard behind gateways, in the order of first hearing; `mapped` None lists all of it."""
    rows = tx.all("adapters.list", institution=institution, mapped=mapped, gateway=gateway, after=after, limit=limit)
    return [_view(row) for row in rows]


def get_device(tx: Transaction, foreign_id: int, *, institution: UUID | None = None) -> dict[str, Any]:
    """One of them. Raises NotFound."""
    row = tx.first("adapters.get", id=foreign_id, institution=institution)
    if row is None:
        raise NotFound("there is no such discovered device")
    return _view(row)


def map_device(
    tx: Transaction,
    *,
    foreign_id: int,
    device: str,
    sos_actions: Iterable[str] | None = None,
    institution: UUID | None = None,
) -> dict[str, Any]:
    """Let a foreign device be a registered one from now on.

    sos_actions: which uses of a button are a call for help; None leaves it to the device's kind.
    Raises NotFound where either is not there, BadInput for an unknown action.
    """
    chosen: Sequence[str] | None = None if sos_actions is None else sorted(set(sos_actions))
    if chosen is not None and (unknown := set(chosen) - ACTIONS):
        raise BadInput(f"unknown action {', '.join(sorted(unknown))}; there are: {', '.join(sorted(ACTIONS))}")
    get_device(tx, foreign_id, institution=institution)
    done = tx.run("adapters.map", id=foreign_id, device=device, sos_actions=chosen, institution=institution)
    if not done:
        raise NotFound(f"there is no device {device} in service at this institution; register it first")
    return get_device(tx, foreign_id, institution=institution)


def unmap_device(tx: Transaction, *, foreign_id: int, institution: UUID | None = None) -> dict[str, Any]:
    """What the foreign device says from now on is not stored. Raises NotFound."""
    get_device(tx, foreign_id, institution=institution)
    tx.run("adapters.unmap", id=foreign_id, institution=institution)
    return get_device(tx, foreign_id, institution=institution)


_KIND_HINTS: Final = (
    ("smoke", ("smoke",)),
    ("co", ("carbon monoxide", "co alarm", "co sensor")),
    ("gas", ("gas",)),
    ("water", ("water", "leak", "flood", "moisture")),
    ("door", ("door", "window", "contact", "magnet")),
    ("pendant", ("sos", "button", "wireless switch", "remote")),
    ("pir", ("motion", "occupancy", "presence", "pir", "movement")),
    ("climate", ("temperature", "humidity", "th sensor", "thermo")),
    ("scale", ("scale", "weight")),
    ("wristband", ("band", "watch", "heart")),
)


def suggest_kind(adapter: str, facts: Mapping[str, Any], states: Mapping[str, Any]) -> str:
    """The kind of device that a foreign one probably is, from what it told of itself; `other` where nothing tells."""
    if adapter == "owntracks":
        return "tracker"
    told = " ".join(str(value) for name, value in facts.items() if name in ("description", "model", "name")).lower()
    told += " " + " ".join(states)
    return next((kind for kind, hints in _KIND_HINTS if any(hint in told for hint in hints)), "other")


def _view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Without what only the adapter needs."""
    facts = {name: value for name, value in row["facts"].items() if isinstance(value, str)}
    kind = suggest_kind(row["adapter"], facts, row["states"])
    return {**row, "facts": facts, "suggested_kind": kind}
