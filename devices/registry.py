"""The registry: who a device is, whom it serves and under which account it signs in.

A transaction and plain values enter; rows are written and frozen facts leave. Conflicts leave as core.errors.Conflict
with a sentence for people.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from core.clock import Clock
from core.errors import BadInput, Conflict, NotFound
from core.ids import broker_username, device_id, new_id, site_code
from core.vocabulary import DEVICE_KINDS
from db.tenant import Transaction
from devices import foreign, models
from devices.credentials import derive_password, hash_password, new_salt

SUPERVISION_SECONDS: Final[dict[str, int]] = {
    "wristband": 15 * 60,
    "pendant": 4 * 3600,
    "bed": 15 * 60,
    "pir": 4 * 3600,
    "door": 4 * 3600,
    "smoke": 4 * 3600,
    "gas": 4 * 3600,
    "co": 4 * 3600,
    "water": 4 * 3600,
    "climate": 3600,
    "scale": 7 * 86_400,
    "bp_monitor": 7 * 86_400,
    "glucometer": 7 * 86_400,
    "tracker": 3600,
    "gateway": 15 * 60,
    "other": 86_400,
}
"""After how long without a word a device counts as silent, unless it is registered with another value."""

_BIND_FUTURE: Final = timedelta(minutes=5)


def supervision_of(kind: str, model: str) -> int:
    """After how long a device of this kind and model counts as silent: a known model that speaks rarely has longer."""
    known = models.find(model, kind)
    own = [sensor.supervision for sensor in known.sensors if sensor.supervision is not None and known.matches]
    return max(SUPERVISION_SECONDS[kind], min(own, default=0))


@dataclass(frozen=True, slots=True)
class Registered:
    """A new device with its broker account; the password is not stored and is told this once."""

    key: int
    id: str
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class BrokerAccount:
    """What a device signs in with at the broker."""

    username: str
    password: str = field(repr=False)
    is_gateway: bool = False


@dataclass(frozen=True, slots=True)
class DeviceEntry:
    """One registered device as ingest needs it."""

    key: int
    institution_id: UUID
    site: str
    id: str
    kind: str
    supervision_seconds: int
    position: str


@dataclass(frozen=True, slots=True, eq=False)
class Directory:
    """A snapshot of every device that is not retired; lookups are single dictionary reads."""

    sites: dict[str, UUID]
    """Institution of each known site code."""
    entries: dict[tuple[str, str], DeviceEntry]
    """Device of each (site, device id)."""
    ids: frozenset[str] = frozenset()
    """Every device id, at whatever institution."""
    foreign: foreign.ForeignDirectory = field(default_factory=foreign.ForeignDirectory)
    """What stands behind gateways."""

    def lookup(self, site: str, device: str) -> DeviceEntry | None:
        return self.entries.get((site, device))

    def is_elsewhere(self, site: str, device: str) -> bool:
        """Whether the id is registered, but not at this institution."""
        return device in self.ids and (site, device) not in self.entries


def load_directory(tx: Transaction) -> Directory:
    """Read the whole registry; reload when PostgreSQL notifies `anhu_device`."""
    sites = {row["code"]: row["id"] for row in tx.all("devices.directory_sites")}
    entries = {(row["site"], row["id"]): DeviceEntry(**row) for row in tx.all("devices.directory")}
    return Directory(sites, entries, frozenset(device for _, device in entries), foreign.load(tx))


def broker_accounts(tx: Transaction, device_key: str) -> list[BrokerAccount]:
    """The account of every device that is not retired, for the broker's account file."""
    return [
        BrokerAccount(username, derive_password(device_key, row["credential_salt"], username), row["kind"] == "gateway")
        for row in tx.all("devices.broker_accounts")
        if (username := broker_username(row["site"], row["id"]))
    ]


def register(
    tx: Transaction,
    clock: Clock,
    *,
    device_key: str,
    institution_id: UUID,
    site: str,
    id: str,  # noqa: A002 -- the field's name everywhere
    kind: str,
    model: str = "",
    name: str = "",
    supervision_seconds: int | None = None,
    position: str = "",
) -> Registered:
    """Add a device and make its account.

    device_key: the platform's secret that passwords are derived from.
    Raises BadInput for an unknown kind, BadIdentifier for a bad id, Conflict where the institution has this id.
    """
    username = broker_username(site_code(site), device_id(id))
    if kind not in DEVICE_KINDS:
        raise BadInput(f"unknown device kind {kind!r}; one of {', '.join(DEVICE_KINDS)}")
    salt = new_salt()
    password = derive_password(device_key, salt, username)
    row = tx.first(
        "devices.insert",
        institution_id=institution_id,
        id=id,
        kind=kind,
        model=model,
        name=name,
        salt=salt,
        hash=hash_password(password),
        supervision_seconds=supervision_seconds or supervision_of(kind, model),
        position=position,
        now=clock.now(),
    )
    if row is None:
        raise Conflict(f"the institution already has a device with the id {id}")
    tx.run("devices.insert_status", key=row["key"], institution_id=institution_id)
    return Registered(row["key"], id, username, password)


def bind(
    tx: Transaction,
    clock: Clock,
    *,
    institution_id: UUID,
    device_key: int,
    resident_id: UUID | None = None,
    room: str = "",
    at: datetime | None = None,
) -> UUID:
    """Let a device serve one resident or one room from `at` (now, unless given) until it is unbound.

    Returns the id of the binding. Raises BadInput unless exactly one of resident and room is given or for a time in
    the future, NotFound for a resident who is not there, Conflict where the device is bound at that time or later.
    """
    if (resident_id is None) == (not room):
        raise BadInput("a device is bound to one resident or to one room")
    start = at or clock.now()
    if start > clock.now() + _BIND_FUTURE:
        raise BadInput("a binding cannot begin in the future")
    _require_active(tx, device_key)
    if resident_id is not None and tx.first("residents.exists", resident=resident_id) is None:
        raise NotFound("there is no such resident")
    row = tx.first(
        "devices.bind",
        id=new_id(clock),
        institution_id=institution_id,
        key=device_key,
        resident=resident_id,
        room=room,
        start=start,
    )
    if row is None:
        raise Conflict("the device is already bound at that time; unbind it first")
    return UUID(str(row["id"]))


def unbind(tx: Transaction, clock: Clock, *, device_key: int, at: datetime | None = None) -> None:
    """End the present binding at `at` (now, unless given). Raises Conflict where there is none, BadInput for a time
    in the future."""
    end = at or clock.now()
    if end > clock.now() + _BIND_FUTURE:
        raise BadInput("a binding cannot be ended in the future")
    if not tx.run("devices.unbind", key=device_key, end=end):
        raise Conflict("the device is not bound, or its binding began later than that")


def rotate(tx: Transaction, clock: Clock, *, device_key: str, site: str, id: str) -> Registered:  # noqa: A002 -- the field's name everywhere
    """Give a device a new salt and so a new password; the old one is worth nothing once the broker's accounts follow.

    device_key: the platform's secret. Raises NotFound for a device that is not there or is retired.
    """
    row = tx.one("devices.get_active", id=id)
    username = broker_username(site, id)
    salt = new_salt()
    password = derive_password(device_key, salt, username)
    tx.run("devices.set_credentials", key=row["key"], salt=salt, hash=hash_password(password), now=clock.now())
    return Registered(row["key"], id, username, password)


def retire(tx: Transaction, clock: Clock, *, device_key: int) -> None:
    """Take a device out of service: it is unbound, its account ends, its records stay. Raises Conflict if it was."""
    tx.run("devices.unbind", key=device_key, end=clock.now())
    if not tx.run("devices.retire", key=device_key, now=clock.now()):
        raise Conflict("the device is already retired")


def _require_active(tx: Transaction, device_key: int) -> None:
    if tx.one("devices.is_active", key=device_key)["active"] is False:
        raise Conflict("the device is retired")
