"""`anhu devices`: a site enters; what speaks there leaves, with the commands that make it known, and vendors' keys."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from cli import accounts, provision
from cli.overhear import Overheard, overhear
from cli.runtime import INGEST_USER, Secrets, embedded_url
from core.broker import BrokerAddress, parse_broker_url
from core.clock import Clock, SystemClock
from core.errors import AnhuError
from core.settings import load_settings
from db.pool import make_pool
from db.tenant import Transaction, service_transaction
from devices import foreign, ingest_keys, models

app = typer.Typer(no_args_is_help=True, help="Devices behind gateways; vendors' keys. 设备发现与接入。")
keys = typer.Typer(no_args_is_help=True, help="Keys of vendors' clouds. 厂商云密钥。")
app.add_typer(keys, name="key")
app.add_typer(accounts.app, name="accounts")

Option = typer.Option
DataDir = Annotated[Path | None, Option(help="Data directory of a running `anhu up`, instead of ANHU_DATABASE_URL.")]
Site = Annotated[str, Option(help="Code of the institution.")]
ForeignId = Annotated[int, typer.Argument(help="Number in the list of `anhu devices list-foreign`.")]

SHOWN_MAX = 500
console = Console()


@contextmanager
def _admin(data_dir: Path | None, site: str) -> Iterator[tuple[Transaction, Clock, UUID]]:
    clock = SystemClock()
    url = embedded_url(data_dir, "admin", clock) if data_dir else load_settings().require_database()
    pool = make_pool(url, "admin", size_max=1)
    try:
        with service_transaction(pool) as tx:
            yield tx, clock, provision.institution_id(tx, site)
    finally:
        pool.close()


@app.command()
def discover(
    site: Site,
    data_dir: DataDir = None,
    seconds: Annotated[float, Option(help="How long to listen on the broker; 0 asks the database alone.")] = 10.0,
) -> None:
    """Show what speaks behind gateways and is not mapped yet, with the commands that map it."""
    heard = _listen(data_dir, site, seconds) if seconds > 0 else Overheard()
    with _admin(data_dir, site) as (tx, _, institution):
        rows = foreign.list_devices(tx, institution=institution, mapped=False, limit=SHOWN_MAX)
        everything = foreign.list_devices(tx, institution=institution, limit=SHOWN_MAX)
        registered = {row["id"] for row in tx.all("admin.devices", site=site)}
    _show_foreign(rows)
    known = {(row["gateway"], row["adapter"], row["native_id"]) for row in everything}
    options = f" --data-dir {shlex.quote(str(data_dir))}" if data_dir else ""
    for line in proposals(site, rows, registered, options):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    for line in remarks(site, heard, known, registered, options):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


@app.command("watch")
def watch(
    site: Site,
    data_dir: DataDir = None,
    kind: Annotated[str | None, Option(help="Only devices of this kind.")] = None,
) -> None:
    """Show every device in service with its model, when it last spoke, and its battery against the model's limits."""
    with _admin(data_dir, site) as (tx, clock, institution):
        rows = tx.all("devices.watch", institution=institution, kind=kind)
        now = clock.now()
    _table([watch_line(row, now) for row in rows], WATCH_COLUMNS)


WATCH_COLUMNS = ("id", "kind", "model", "speaks", "last_sample", "supervision", "battery", "gateway")


def watch_line(row: dict[str, Any], now: datetime) -> dict[str, Any]:
    """What one row of `devices.watch` says, in words."""
    model = models.find(row["model"], row["kind"])
    heard = max((at for at in (row["last_sample"], row["bound_from"]) if at), default=None)
    quiet = heard is not None and (now - heard).total_seconds() > row["supervision_seconds"]
    speaks = (
        "not bound"
        if row["bound_from"] is None
        else "SILENT"
        if quiet
        else "never"
        if not row["last_sample"]
        else "yes"
    )
    power = "mains" if model.battery is None else "unknown"
    if model.battery is not None and row["battery"] is not None:
        level = row["battery"]
        word = "CRITICAL" if level <= model.battery.critical else "LOW" if level <= model.battery.low else ""
        power = f"{level:g} % {word}".strip()
    return {
        "id": row["id"],
        "kind": row["kind"],
        "model": f"{model.names.zh} {model.names.en}" if model.matches else row["model"],
        "speaks": speaks,
        "last_sample": row["last_sample"],
        "supervision": f"{row['supervision_seconds']} s",
        "battery": power,
        "gateway": row["gateway"],
    }


@app.command("list-foreign")
def list_foreign(
    site: Site,
    data_dir: DataDir = None,
    gateway: Annotated[str | None, Option(help="Only behind this gateway.")] = None,
) -> None:
    """Show everything that was heard behind gateways, mapped or not."""
    with _admin(data_dir, site) as (tx, _, institution):
        _show_foreign(foreign.list_devices(tx, institution=institution, gateway=gateway, limit=SHOWN_MAX))


@app.command("map")
def map_foreign(
    number: ForeignId,
    site: Site,
    device: Annotated[str, Option(help="Id of the registered device that it is.")],
    sos: Annotated[
        str | None, Option(help="Uses of its button that call for help: single,double,triple,many,hold; or none.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Let a foreign device be a registered one from now on."""
    actions = None if sos is None else [word for word in re.split(r"[,\s]+", sos) if word and word != "none"]
    with _admin(data_dir, site) as (tx, clock, institution):
        row = foreign.map_device(tx, foreign_id=number, device=device, sos_actions=actions, institution=institution)
        provision.note(tx, clock, institution, "map", "device", device)
    console.print(f"{row['adapter']} {row['native_id']} behind {row['gateway']} is {device}", highlight=False)


@app.command("unmap")
def unmap_foreign(number: ForeignId, site: Site, data_dir: DataDir = None) -> None:
    """What a foreign device says from now on is counted and not stored."""
    with _admin(data_dir, site) as (tx, clock, institution):
        was = foreign.get_device(tx, number, institution=institution)
        foreign.unmap_device(tx, foreign_id=number, institution=institution)
        provision.note(tx, clock, institution, "unmap", "device", was["device"] or "")
    console.print(f"{was['adapter']} {was['native_id']} behind {was['gateway']} is nobody", highlight=False)


@keys.command("add")
def add_key(name: Annotated[str, typer.Argument(help="The vendor.")], site: Site, data_dir: DataDir = None) -> None:
    """Make a key for a vendor's cloud; its secret is shown once."""
    device_key = Secrets.load(data_dir).device_key if data_dir else load_settings().require_device_key()
    with _admin(data_dir, site) as (tx, clock, institution):
        made = ingest_keys.add_key(tx, clock, device_key=device_key, institution=institution, name=name)
        provision.note(tx, clock, institution, "create", "ingest_key", made.id)
    console.print(f"key {made.id}  secret {made.secret}", highlight=False)


@keys.command("revoke")
def revoke_key(key: str, site: Site, data_dir: DataDir = None) -> None:
    """End a key at once."""
    with _admin(data_dir, site) as (tx, clock, institution):
        ingest_keys.revoke_key(tx, clock, institution=institution, key_id=key)
        provision.note(tx, clock, institution, "revoke", "ingest_key", key)
    console.print(f"key {key} ended", highlight=False)


@keys.command("list")
def list_keys(site: Site, data_dir: DataDir = None) -> None:
    """Show the keys of an institution, without their secrets."""
    with _admin(data_dir, site) as (tx, _, institution):
        _table(
            ingest_keys.list_keys(tx, institution=institution),
            ("id", "name", "created_at", "last_used_at", "revoked_at"),
        )


def device_id_for(native_id: str, kind: str, taken: set[str]) -> str:
    """A free device id that still shows where it comes from."""
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", native_id).strip("-") or kind
    stem = stem[:56]
    candidate, number = stem, 1
    while candidate in taken:
        number += 1
        candidate = f"{stem}-{number}"
    return candidate


def proposals(site: str, rows: Iterable[dict[str, Any]], registered: set[str], options: str = "") -> list[str]:
    """The commands that would register and map what is not mapped, line by line."""
    lines: list[str] = []
    taken = set(registered)
    for row in rows:
        device = device_id_for(row["native_id"], row["suggested_kind"], taken)
        taken.add(device)
        facts = row["facts"]
        model = " ".join(facts[name] for name in ("vendor", "model") if name in facts)
        told = f" --model {shlex.quote(model)}" if model else ""
        lines += [
            f"# {row['id']}: {row['native_id']} behind {row['gateway']}; add --resident ID or --room ROOM to the first",
            f"anhu admin device add {device} --site {site} --kind {row['suggested_kind']}{told}{options}",
            f"anhu devices map {row['id']} --site {site} --device {device}{options}",
        ]
    return lines


def remarks(
    site: str, heard: Overheard, known: set[tuple[str, str, str]], registered: set[str], options: str = ""
) -> list[str]:
    """What the broker told beyond the database: strangers, gateways that nobody registered, what cannot be read."""
    gateways = {gateway for gateway, _, _ in heard.foreign}
    lines = [
        f"# {device} speaks and is not registered: anhu admin device add {device} --site {site} --kind "
        f"{'gateway' if device in gateways else 'KIND'}{options}"
        for device in sorted((heard.native | gateways) - registered)
    ]
    fresh = sorted(key for key in heard.foreign if key not in known and key[0] in registered)
    lines += [f"# {native} ({word}) behind {gateway} was just heard; call again" for gateway, word, native in fresh]
    return lines + [f"# {where}: {why}" for where, why in sorted(heard.unreadable.items())]


def _listen(data_dir: Path | None, site: str, seconds: float) -> Overheard:
    settings = load_settings()
    try:
        if data_dir:
            password = Secrets.load(data_dir).broker_password
            broker = BrokerAddress("127.0.0.1", settings.mqtt_port, INGEST_USER, password, tls=False)
        else:
            broker = parse_broker_url(settings.require_mqtt(), settings.mqtt_ca_file)
        console.print(f"listening for {seconds:g} s …")
        return overhear(broker, site, seconds, SystemClock())
    except AnhuError as error:
        # The database alone tells most of it.
        console.print(f"not listening on the broker: {error}", markup=False)
        return Overheard()


def _show_foreign(rows: list[dict[str, Any]]) -> None:
    shown = [{**row, "what": row["facts"].get("description") or row["facts"].get("model", "")} for row in rows]
    _table(shown, ("id", "gateway", "adapter", "native_id", "what", "suggested_kind", "device", "samples_unmapped",
                   "last_seen"))  # fmt: skip


def _table(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> None:
    table = Table(*columns)
    for row in rows:
        table.add_row(*("" if row[name] is None else str(row[name]) for name in columns))
    console.print(table)
