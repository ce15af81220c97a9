"""The demo institution: an empty database enters, a small home with people, devices and accounts leaves.

The same residents and devices that `simulators.provisioning` plans are registered, so that simulated and registered
devices match. Passwords are random for each data directory.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from cli import provision
from cli.runtime import Secrets, write_private
from core.clock import Clock
from core.ids import broker_username
from core.vocabulary import CONSENT_SCOPES
from db.pool import make_pool
from db.tenant import Transaction, service_transaction
from devices import registry
from simulators.provisioning import SimulatedResident, plan

SITE = "demo"
SEED = 1
RESIDENTS = 10
LIVING = 8
BOUND_DAYS = 30
"""The last two have devices that nobody plays: for trying `anhu simulate` beside the demo."""
PAGER_PORT_OFFSET = 10


@dataclass(frozen=True, slots=True)
class DemoAccount:
    """An account of the demo. Only those with a `key` stand in demo.json."""

    username: str
    role: str
    name: str
    key: str = ""
    on_duty: bool = False


ACCOUNTS = (
    DemoAccount("admin", "admin", "周院长", "admin"),
    DemoAccount("nurse.li", "caregiver", "李护士", "caregiver", on_duty=True),
    DemoAccount("nurse.wang", "caregiver", "王护士", on_duty=True),
    DemoAccount("nurse.chen", "caregiver", "陈护士"),
    DemoAccount("daughter", "family", "女儿", "family"),
    DemoAccount("inspector", "regulator", "民政监管员", "regulator"),
)


def seed(url: str, data_dir: Path, clock: Clock, secrets: Secrets, *, pager_port: int) -> str:
    """Make the demo institution unless it is there; what was done, in words."""
    target = f"http://127.0.0.1:{pager_port}/page"
    pool = make_pool(url, "admin", size_max=1)
    try:
        with service_transaction(pool) as tx:
            if tx.first("admin.institution", code=SITE) is not None:
                tx.run("demo.point_webhooks", site=SITE, target=target)
                return "institution is there already; its data was kept"
            passwords = {account.username: provision.random_password() for account in ACCOUNTS}
            write_private(data_dir / "demo-passwords.json", json.dumps(passwords))
            _seed(tx, clock, secrets, passwords, target)
    finally:
        pool.close()
    return f"institution seeded with {RESIDENTS} residents and their devices"


def write_credentials(url: str, data_dir: Path, secrets: Secrets, *, api_url: str, mqtt_port: int) -> Path:
    """Write DIR/demo.json (mode 0600) and return its path; the last act of a start."""
    passwords = json.loads((data_dir / "demo-passwords.json").read_text(encoding="utf-8"))
    pool = make_pool(url, "admin", size_max=1)
    try:
        with service_transaction(pool) as tx:
            rows = tx.all("demo.devices", site=SITE)
            accounts = {a.username: a.password for a in registry.broker_accounts(tx, secrets.device_key)}
    finally:
        pool.close()
    devices = []
    for row in rows:
        username = broker_username(SITE, row["id"])
        resident = str(row["resident_id"]) if row["resident_id"] else None
        devices.append(
            {
                "id": row["id"],
                "kind": row["kind"],
                "resident_id": resident,
                "username": username,
                "password": accounts[username],
            }
        )
    content = {
        "api": api_url,
        "mqtt": {"host": "127.0.0.1", "port": mqtt_port},
        "site": SITE,
        "users": {a.key: {"username": a.username, "password": passwords[a.username]} for a in ACCOUNTS if a.key},
        "devices": devices,
    }
    path = data_dir / "demo.json"
    write_private(path, json.dumps(content, ensure_ascii=False, indent=2))
    return path


def _seed(tx: Transaction, clock: Clock, secrets: Secrets, passwords: dict[str, str], target: str) -> None:
    institution = provision.create_institution(
        tx, clock, code=SITE, name_zh="安护示范养老院", name_en="Anhu demonstration home"
    )
    users: dict[str, UUID] = {}
    for account in ACCOUNTS:
        users[account.username] = provision.create_user(
            tx,
            clock,
            institution=institution,
            username=account.username,
            password=passwords[account.username],
            role=account.role,
            name=account.name,
            on_duty=account.on_duty,
        )
        if account.role in ("caregiver", "family"):
            provision.add_webhook(
                tx,
                clock,
                institution=institution,
                target=target,
                secret=secrets.broker_password,
                user=users[account.username],
            )
    provision.add_webhook(tx, clock, institution=institution, target=target, secret=secrets.broker_password)
    people = plan(RESIDENTS, SEED, SITE)
    # The story happens to the first; its devices come last, so that who tries the first device disturbs nobody.
    for person in (*people[1:], people[0]):
        _seed_person(tx, clock, secrets, institution, users["daughter"] if person.index == 0 else None, person)


def _seed_person(
    tx: Transaction,
    clock: Clock,
    secrets: Secrets,
    institution: UUID,
    family: UUID | None,
    person: SimulatedResident,
) -> None:
    resident = provision.create_resident(
        tx,
        clock,
        institution=institution,
        name=person.name_zh,
        sex=person.gender,
        birth_date=person.birth_date,
        building=person.building,
        floor=str(person.floor),
        room=person.room,
        care_level=person.index % 4,
    )
    provision.add_contact(
        tx,
        clock,
        institution=institution,
        resident=resident,
        position=1,
        name=f"{person.name_zh[0]}女士",
        relation="女儿",
        user=family,
        scopes=CONSENT_SCOPES if family else (),
    )
    for device in person.devices:
        made = registry.register(
            tx,
            clock,
            device_key=secrets.device_key,
            institution_id=institution,
            site=SITE,
            id=device.id,
            kind=device.kind,
            name=f"{person.room} {person.name_zh}",
            model="Anhu simulator",
            position="wrist" if device.worn else "",
        )
        registry.bind(
            tx,
            clock,
            institution_id=institution,
            device_key=made.key,
            resident_id=resident,
            at=clock.now() - timedelta(days=BOUND_DAYS),
        )
