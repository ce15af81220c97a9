"""`anhu admin`: an operator's words enter; institutions, users, devices and keys are made or shown.

Works on ANHU_DATABASE_URL, with a login that may take the role anhu_admin, or with --data-dir on the embedded database.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from api.auth.passwords import hash_password
from cli import provision
from cli.runtime import Secrets, embedded_url
from core.clock import Clock, SystemClock
from core.errors import NotFound
from core.settings import load_settings
from db.pool import make_pool
from db.tenant import Transaction, service_transaction
from devices import registry

app = typer.Typer(no_args_is_help=True, help="Institutions, users, devices, keys. 机构、用户、设备、密钥。")
institutions = typer.Typer(no_args_is_help=True, help="Institutions. 机构。")
users = typer.Typer(no_args_is_help=True, help="Accounts of people. 用户。")
devices = typer.Typer(no_args_is_help=True, help="Devices and their credentials. 设备。")
app.add_typer(institutions, name="institution")
app.add_typer(users, name="user")
app.add_typer(devices, name="device")

Option = typer.Option
DataDir = Annotated[Path | None, Option(help="Data directory of a running `anhu up`, instead of ANHU_DATABASE_URL.")]
Site = Annotated[str, Option(help="Code of the institution.")]

console = Console()


@contextmanager
def _admin(data_dir: Path | None) -> Iterator[tuple[Transaction, Clock]]:
    clock = SystemClock()
    url = embedded_url(data_dir, "admin", clock) if data_dir else load_settings().require_database()
    pool = make_pool(url, "admin", size_max=1)
    try:
        with service_transaction(pool) as tx:
            yield tx, clock
    finally:
        pool.close()


def _device_key(data_dir: Path | None) -> str:
    return Secrets.load(data_dir).device_key if data_dir else load_settings().require_device_key()


@institutions.command("add")
def add_institution(
    code: Annotated[str, typer.Argument(help="a-z, 0-9 and hyphens, at most 32; stands in every topic.")],
    name_zh: Annotated[str, Option(help="Name in Chinese.")],
    name_en: Annotated[str, Option(help="Name in English.")] = "",
    data_dir: DataDir = None,
) -> None:
    """Make an institution with the default escalation plan."""
    with _admin(data_dir) as (tx, clock):
        provision.create_institution(tx, clock, code=code, name_zh=name_zh, name_en=name_en)
    console.print(f"institution {code} made; next: anhu admin user add NAME --role admin --site {code}")


@institutions.command("list")
def list_institutions(data_dir: DataDir = None) -> None:
    """Show every institution."""
    with _admin(data_dir) as (tx, _):
        _show(tx.all("admin.institutions"), ("code", "name_zh", "name_en", "timezone", "users", "devices"))


@users.command("add")
def add_user(
    username: str,
    role: Annotated[str, Option(help="admin, caregiver, family, provider, regulator or platform.")],
    name: Annotated[str, Option(help="Name for people.")] = "",
    site: Annotated[str | None, Option(help="Code of the institution.")] = None,
    on_duty: Annotated[bool, Option(help="On duty from now on.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Make an account; its random password is shown once."""
    password = provision.random_password()
    with _admin(data_dir) as (tx, clock):
        institution = provision.institution_id(tx, site) if site else None
        provision.create_user(
            tx,
            clock,
            institution=institution,
            username=username,
            password=password,
            role=role,
            name=name or username,
            on_duty=on_duty,
        )
    console.print(f"user {username.lower()}  password {password}", highlight=False)


@users.command("list")
def list_users(data_dir: DataDir = None) -> None:
    """Show every account."""
    with _admin(data_dir) as (tx, _):
        _show(tx.all("admin.users"), ("site", "username", "role", "name", "on_duty", "disabled_at"))


@users.command("reset-password")
def reset_password(username: str, data_dir: DataDir = None) -> None:
    """Give an account a new random password, shown once; ends its sessions."""
    password = provision.random_password()
    with _admin(data_dir) as (tx, clock):
        hashed = hash_password(password)
        if not tx.run("admin.set_password", username=username.lower(), password_hash=hashed):
            raise NotFound(f"there is no account {username}")
        provision.note(tx, clock, None, "reset-password", "user", username)
    console.print(f"user {username.lower()}  password {password}", highlight=False)


@users.command("reset-otp")
def reset_otp(username: str, data_dir: DataDir = None) -> None:
    """Remove the second factor of an account that has lost phone and recovery codes."""
    with _admin(data_dir) as (tx, clock):
        if not tx.run("otp.drop_by_username", username=username.lower()):
            raise NotFound(f"there is no account {username} with a second factor")
        provision.note(tx, clock, None, "reset-otp", "user", username)
    console.print(f"user {username.lower()}: no second factor any more")


@users.command("disable")
def disable_user(username: str, data_dir: DataDir = None) -> None:
    """Lock an account; ends its sessions."""
    with _admin(data_dir) as (tx, clock):
        if not tx.run("admin.disable_user", username=username.lower(), now=clock.now()):
            raise NotFound(f"there is no active account {username}")
        provision.note(tx, clock, None, "disable", "user", username)
    console.print(f"user {username.lower()} disabled")


@devices.command("add")
def add_device(
    device: Annotated[str, typer.Argument(help="Device id: A-Z a-z 0-9 _ -, at most 64.")],
    site: Site,
    kind: Annotated[str, Option(help="wristband, bed, pir, door, smoke, gas, …")],
    name: Annotated[str, Option(help="Name for people.")] = "",
    model: Annotated[str, Option(help="Maker and model.")] = "",
    resident: Annotated[str | None, Option(help="Bind to this resident's id.")] = None,
    room: Annotated[str | None, Option(help="Or bind to this room.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Register a device; the account it signs in with is shown once."""
    key = _device_key(data_dir)
    with _admin(data_dir) as (tx, clock):
        institution = provision.institution_id(tx, site)
        made = registry.register(
            tx,
            clock,
            device_key=key,
            institution_id=institution,
            site=site,
            id=device,
            kind=kind,
            name=name,
            model=model,
        )
        if resident or room:
            registry.bind(
                tx,
                clock,
                institution_id=institution,
                device_key=made.key,
                resident_id=UUID(resident) if resident else None,
                room=room or "",
            )
        provision.note(tx, clock, institution, "create", "device", device)
    console.print(f"device {made.id}  username {made.username}  password {made.password}", highlight=False)


@devices.command("rotate")
def rotate_device(device: str, site: Site, data_dir: DataDir = None) -> None:
    """Give a device a new password, shown once."""
    key = _device_key(data_dir)
    with _admin(data_dir) as (tx, clock):
        made = registry.rotate(tx, clock, device_key=key, site=site, id=device)
        provision.note(tx, clock, provision.institution_id(tx, site), "rotate", "device", device)
    console.print(f"device {made.id}  username {made.username}  password {made.password}", highlight=False)


@devices.command("bind")
def bind_device(
    device: str,
    site: Site,
    resident: Annotated[str | None, Option(help="Resident's id.")] = None,
    room: Annotated[str, Option(help="Or a room.")] = "",
    data_dir: DataDir = None,
) -> None:
    """Let a device serve a resident or a room from now on."""
    with _admin(data_dir) as (tx, clock):
        institution = provision.institution_id(tx, site)
        registry.bind(
            tx,
            clock,
            institution_id=institution,
            device_key=_key_of(tx, site, device),
            resident_id=UUID(resident) if resident else None,
            room=room,
        )
        provision.note(tx, clock, institution, "bind", "device", device)
    console.print(f"device {device} bound")


@devices.command("unbind")
def unbind_device(device: str, site: Site, data_dir: DataDir = None) -> None:
    """End what a device serves at present."""
    with _admin(data_dir) as (tx, clock):
        registry.unbind(tx, clock, device_key=_key_of(tx, site, device))
        provision.note(tx, clock, provision.institution_id(tx, site), "unbind", "device", device)
    console.print(f"device {device} unbound")


@devices.command("list")
def list_devices(site: Site, data_dir: DataDir = None) -> None:
    """Show the devices of an institution."""
    with _admin(data_dir) as (tx, _):
        columns = ("id", "kind", "name", "resident", "room", "online", "last_seen", "battery", "retired_at")
        _show(tx.all("admin.devices", site=site), columns)


@app.command("keys")
def make_keys() -> None:
    """Print fresh random keys, as lines for an environment file."""
    for name in ("ANHU_TOKEN_KEY", "ANHU_DEVICE_KEY"):
        typer.echo(f"{name}={secrets.token_urlsafe(36)}")


def _key_of(tx: Transaction, site: str, device: str) -> int:
    row = tx.first("admin.device_key", site=site, id=device)
    if row is None:
        raise NotFound(f"there is no device {device} at {site}; see `anhu admin device list --site {site}`")
    return int(row["key"])


def _show(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> None:
    table = Table(*columns)
    for row in rows:
        table.add_row(*("" if row[name] is None else str(row[name]) for name in columns))
    console.print(table)
