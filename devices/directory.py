"""The device registry enters, a snapshot for quick look-ups leaves: who is registered where, under which key."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from db.tenant import Transaction


@dataclass(frozen=True, slots=True)
class DeviceEntry:
    """What ingest must know of a device."""

    key: int
    institution_id: UUID
    kind: str


@dataclass(frozen=True, slots=True)
class Directory:
    """A snapshot of every institution and every device in service."""

    sites: dict[str, UUID]
    devices: dict[tuple[str, str], DeviceEntry]
    ids: frozenset[str]

    @classmethod
    def empty(cls) -> Directory:
        """Nobody is known yet."""
        return cls({}, {}, frozenset())

    def lookup(self, site: str, device: str) -> DeviceEntry | None:
        """The device of that id at that institution, unless retired."""
        return self.devices.get((site, device))

    def is_elsewhere(self, site: str, device: str) -> bool:
        """Whether the id is registered, but not at this institution."""
        return device in self.ids and (site, device) not in self.devices


def load_directory(tx: Transaction) -> Directory:
    """Read the whole registry; one row a device."""
    sites = {row["code"]: row["id"] for row in tx.all("directory.institutions")}
    devices = {
        (row["site"], row["id"]): DeviceEntry(row["key"], row["institution_id"], row["kind"])
        for row in tx.all("directory.devices")
    }
    return Directory(sites, devices, frozenset(device for _, device in devices))
