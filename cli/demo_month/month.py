"""The month in one: the address of a database and passwords enter, thirty days told up to the founding anchor leave.

The order matters only where one thing needs another: people, who works with them, what is sold, then the services.
"""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Final

import typer

from cli import provision
from cli.demo_month import (
    alarms,
    assessments,
    books,
    companionship,
    goods,
    health,
    home_care,
    orders,
    people,
    premises,
    readings,
    region,
    rehabilitation,
    rota,
    safety,
    suppliers,
)
from cli.demo_month.cast import OUTSIDE, STAFF
from cli.demo_month.chapter import Story
from cli.demo_month.house import House, NotNow, Tale, open_house
from cli.demo_month.script import FOUNDED_DAYS, Script
from cli.runtime import write_private
from core import logging
from core.clock import Clock, ManualClock
from core.errors import NotFound
from db.pool import Pool, make_pool
from db.tenant import service_transaction

log = logging.get(__name__)

AGAIN_SECONDS: Final = 2.0
READ_AFTER: Final = timedelta(days=2)


def passwords_of(path: Path) -> dict[str, str]:
    """The passwords of every account of the month, made once and kept beside those of the demo, mode 0600."""
    known: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    wanted = [username for username, _, _ in (*STAFF, *OUTSIDE, *region.ACCOUNTS)]
    missing = [username for username in wanted if username not in known]
    if missing:
        known |= {username: provision.random_password() for username in missing}
        write_private(path, json.dumps(known))
    return known


def fill(
    pool: Pool, clock: Clock, script: Script, passwords: Mapping[str, str], stop: Callable[[], bool] = lambda: False
) -> int:
    """Tell what is not told yet; how many stories. `pool`: a login that may take the roles of `demo.be_*`.

    Raises NotFound without the institution. An institution that was founded by an earlier release has no month.
    """
    with service_transaction(pool) as tx:
        tx.run("demo.be_admin")
        row = tx.first("demo.institution", site=script.site)
    if row is None:
        raise NotFound(f"there is no institution {script.site}")
    anchor: datetime = row["created_at"] + timedelta(days=FOUNDED_DAYS)
    if anchor > clock.now():
        log.info("this demo is older than its month: a fresh data directory has one")
        return 0
    house = open_house(pool, ManualClock(anchor), anchor, row["id"], script.site, script.residents)
    told, later = 0, list[Story]()
    for story in _stories(house, script, passwords):
        if stop():
            return told
        try:
            told += house.tell(*story)
        except NotNow:
            later.append(story)
    while later and not stop():
        clock.sleep(AGAIN_SECONDS)
        try:
            told += house.tell(*later[0])
            later.pop(0)
        except NotNow:
            later.append(later.pop(0))
    return told


def _stories(house: House, script: Script, passwords: Mapping[str, str]) -> Iterator[Story]:
    yield "room for readings", readings.make_room
    yield "readings", partial(readings.tell, script.residents, script.seed)
    yield from people.accounts(passwords)
    house.learn()
    yield from chain(
        people.stories(house), suppliers.stories(), rota.stories(), assessments.stories(house), alarms.stories(house),
        health.stories(house), rehabilitation.stories(house), orders.stories(house), goods.stories(),
        companionship.stories(house), home_care.stories(house), safety.stories(),
        premises.stories(house), books.stories(house), region.stories(house, passwords),
    )  # fmt: skip
    yield "notices read", _read


def _read(tale: Tale) -> None:
    """Whoever works here has read what is older than two days."""
    tale.tx.run("demo.read_notices", institution=tale.house.institution, before=tale.house.anchor - READ_AFTER)


def main(data_dir: Path, url: str, script: Script, clock: Clock) -> None:
    """Tell the month of an embedded installation, until it is told or SIGTERM comes between two stories."""
    logging.configure("demo-month", json=False)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    pool = make_pool(url, "api", size_max=3)
    began = clock.monotonic()
    try:
        told = fill(pool, clock, script, passwords_of(data_dir / "demo-passwords.json"), stopping.is_set)
    finally:
        pool.close(timeout=2)
    typer.echo(f"the month is told: {told} stories in {clock.monotonic() - began:.0f} s")
