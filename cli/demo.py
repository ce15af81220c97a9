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
from cli.demo_month.cast import AT_HOME, PEOPLE, hand_held
from cli.demo_month.script import FOUNDED_DAYS, Script
from cli.runtime import Secrets, write_private
from core.clock import Clock, ManualClock
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
PASSWORDS = "demo-passwords.json"
SCRIPT = Script(SITE, RESIDENTS, SEED)


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
    DemoAccount("daughter", "family", "王晓梅", "family"),
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
            write_private(data_dir / PASSWORDS, json.dumps(passwords))
            _seed(tx, clock, secrets, passwords, target)
    finally:
        pool.close()
    return f"institution seeded with {RESIDENTS} residents and their devices"


def write_credentials(url: str, data_dir: Path, secrets: Secrets, *, api_url: str, mqtt_port: int) -> Path:
    """Write DIR/demo.json (mode 0600) and return its path; the last act of a start."""
    passwords = json.loads((data_dir / PASSWORDS).read_text(encoding="utf-8"))
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
    # The house stands for a while already: its month is told from then on. Only the devices are of today, since one
    # that had been there for weeks without a word would be missed at once.
    founded = ManualClock(clock.now() - timedelta(days=FOUNDED_DAYS))
    institution = provision.create_institution(
        tx, founded, code=SITE, name_zh="安护示范养老院", name_en="Anhu demonstration home"
    )
    users: dict[str, UUID] = {}
    for account in ACCOUNTS:
        users[account.username] = provision.create_user(
            tx,
            founded,
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
        resident = _seed_resident(tx, founded, institution, users["daughter"] if person.index == 0 else None, person)
        _seed_devices(tx, clock, secrets, institution, resident, person)


def _seed_resident(
    tx: Transaction, founded: Clock, institution: UUID, family: UUID | None, person: SimulatedResident
) -> UUID:
    profile, at_home = PEOPLE[person.index], person.index in AT_HOME
    place = {} if at_home else {"building": person.building, "floor": str(person.floor), "room": person.room}
    resident = provision.create_resident(
        tx,
        founded,
        institution=institution,
        name=person.name_zh,
        sex=person.gender,
        birth_date=person.birth_date,
        address=AT_HOME.get(person.index, ""),
        conditions=profile.conditions,
        medication=profile.medication,
        access_notes=profile.access,
        **place,
    )
    first = profile.relatives[0]
    provision.add_contact(
        tx,
        founded,
        institution=institution,
        resident=resident,
        position=1,
        name=first.name,
        relation=first.relation,
        phone=first.phone,
        user=family,
        scopes=CONSENT_SCOPES if family else (),
    )
    return resident


def _seed_devices(
    tx: Transaction, clock: Clock, secrets: Secrets, institution: UUID, resident: UUID, person: SimulatedResident
) -> None:
    """The kit that the simulation plays, and what is used by hand; the one to whom the story happens has the last."""
    kit = [(device.kind, device.id, "wrist" if device.worn else "") for device in person.devices]
    by_hand = [(kind, name, "") for kind, name in hand_held(person.index)]
    place = "家中" if person.index in AT_HOME else person.room
    for kind, name, position in by_hand + kit if person.index == 0 else kit + by_hand:
        made = registry.register(
            tx,
            clock,
            device_key=secrets.device_key,
            institution_id=institution,
            site=SITE,
            id=name,
            kind=kind,
            name=f"{place} {person.name_zh}",
            model="Anhu simulator",
            position=position,
        )
        registry.bind(
            tx,
            clock,
            institution_id=institution,
            device_key=made.key,
            resident_id=resident,
            at=clock.now() - timedelta(days=BOUND_DAYS),
        )
