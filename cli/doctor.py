"""`anhu doctor`: settings or a data directory enter; what is well, what is not and what to do leave."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from cli import doctor_broker
from cli.runtime import embedded_url
from core.broker import parse_broker_url
from core.clock import Clock
from core.errors import AnhuError
from core.limits import ROLE_SILENT_SECONDS
from core.settings import Settings, load_settings
from core.vocabulary import WATCHED_ROLES
from db import maintenance
from db.migrate import migrations
from db.pool import make_pool
from db.tenant import Transaction, service_transaction

STALE = timedelta(seconds=ROLE_SILENT_SECONDS)
BEHIND_MAX = 200
SKEW_SECONDS_MAX = 2.0
LAG_SECONDS_MAX = 10.0
DISK_SHARE_MIN = 0.1


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `advice` says what to do; empty when all is well."""

    what: str
    detail: str
    advice: str = ""


def examine(data_dir: Path | None, clock: Clock, console: Console, *, as_json: bool = False) -> int:
    """Look at everything, print it, and return 0 when nothing needs doing, else 1."""
    findings = list(_look(data_dir, clock))
    if as_json:
        told = {"ok": not any(one.advice for one in findings), "findings": [asdict(one) for one in findings]}
        console.print(json.dumps(told, ensure_ascii=False), markup=False, highlight=False, soft_wrap=True)
        return 0 if told["ok"] else 1
    for finding in findings:
        mark = "[red]✗[/red]" if finding.advice else "[green]✓[/green]"
        console.print(f"{mark} {finding.what:<12} {finding.detail}")
        if finding.advice:
            console.print(f"               → {finding.advice}")
    return 1 if any(finding.advice for finding in findings) else 0


def _look(data_dir: Path | None, clock: Clock) -> Iterator[Finding]:
    try:
        settings = load_settings()
    except AnhuError as error:
        yield Finding("settings", str(error), "Correct the variable or anhu.toml and run `anhu doctor` again.")
        return
    yield Finding("settings", "valid")
    try:
        url = embedded_url(data_dir, "admin", clock) if data_dir else settings.require_database()
        pool = make_pool(url, "admin", size_max=1)
        try:
            with service_transaction(pool) as tx:
                yield from _look_at_database(tx, clock)
        finally:
            pool.close()
    except AnhuError as error:
        yield Finding("database", str(error), "Start PostgreSQL, check ANHU_DATABASE_URL, then run `anhu migrate`.")
    yield _look_at_disk(data_dir)
    yield from _look_at_broker(settings, data_dir, clock)
    yield _look_at_api(settings)


def _look_at_database(tx: Transaction, clock: Clock) -> Iterator[Finding]:
    timescale = tx.one("maintenance.is_timescale")["yes"]
    newest = migrations("timescale" if timescale else "plain")[-1].number
    version = tx.one("admin.schema_version")["version"]
    advice = "" if version == newest else "Run `anhu migrate` with a login that may change the schema."
    about = tx.one("admin.about")
    kind = f"PostgreSQL {about['server']}" + (f" with TimescaleDB {about['timescale']}" if timescale else "")
    yield Finding("database", f"{kind}, schema {version or 0:04d} of {newest:04d}", advice)
    now = clock.now()
    skew = abs((about["now"] - now).total_seconds())
    apart = (
        "Synchronise both (chrony): alerts, tokens and certificates depend on it." if skew > SKEW_SECONDS_MAX else ""
    )
    yield Finding("clocks", f"this machine and the database are {skew:.1f} s apart", apart)
    beats = [row for row in tx.all("admin.heartbeats") if now - row["at"] < STALE]
    alive = {row["role"] for row in beats}
    for role in WATCHED_ROLES:
        missing = f"Start it: anhu run {role}. If it runs, its log says why it is silent."
        yield Finding(role, "alive" if role in alive else "no sign of life for 30 s", "" if role in alive else missing)
    yield from _look_at_lag(beats)
    for row in tx.all("admin.followers"):
        late = "It cannot keep up or has stopped: look at its log." if row["behind"] > BEHIND_MAX else ""
        yield Finding("feed", f"{row['name']} is {row['behind']} batches behind", late)
    if version == newest:
        yield from _look_at_chunks(tx, clock, timescale=timescale)
    for row in tx.all("admin.recent_rejections", since=now - timedelta(hours=1)):
        yield Finding("rejected", f"{row['n']} in the last hour: {row['reason']}")


def _look_at_lag(beats: Iterable[dict[str, Any]]) -> Iterator[Finding]:
    """How long the oldest message of each ingest process has waited for its acknowledgement, as it last said."""
    for row in beats:
        lag = row["detail"].get("lag_seconds") if row["role"] == "ingest" else None
        if lag is None:
            continue
        late = "The database is slow or refuses: look at ingest's log and at the commit times."
        told = f"{row['instance']}: its oldest message without acknowledgement waits for {lag:.1f} s"
        yield Finding("lag", told, late if lag > LAG_SECONDS_MAX else "")


def _look_at_chunks(tx: Transaction, clock: Clock, *, timescale: bool) -> Iterator[Finding]:
    load = maintenance.chunk_load(tx, clock)
    if load is None:
        return
    told = f"{load.hours} h of readings take {load.bytes / 2**20:,.0f} MiB of {load.room / 2**20:,.0f} MiB"
    advice = ""
    if not load.fits:
        memory = "If the server has more memory than it was told, raise effective_cache_size to three quarters of it."
        shorter = f"Set ANHU_CHUNK_HOURS={load.hours_advised}; it counts for chunks made from then on. "
        more = "Give the server more memory, or move to TimescaleDB, where chunks can be shorter than a day. "
        advice = (shorter if timescale and load.hours_advised < load.hours else more) + memory
    yield Finding("chunks", told, advice)


def _look_at_disk(data_dir: Path | None) -> Finding:
    where = data_dir or Path.cwd()
    usage = shutil.disk_usage(where)
    advice = (
        "Free some: a database that cannot write stops ingest." if usage.free < DISK_SHARE_MIN * usage.total else ""
    )
    return Finding("disk", f"{usage.free / 1e9:.1f} GB of {usage.total / 1e9:.1f} GB free at {where}", advice)


def _look_at_broker(settings: Settings, data_dir: Path | None, clock: Clock) -> Iterator[Finding]:
    advice = "Start the broker and check ANHU_MQTT_URL or ANHU_MQTT_PORT."
    if data_dir is not None:
        running = "Start it: anhu up. Its log is in the directory's broker."
        yield from _told("broker", lambda: doctor_broker.look_at_embedded(data_dir, settings.mqtt_port, clock), running)
        return
    if settings.mqtt_url is None:

        def attempt() -> str:
            with socket.create_connection(("127.0.0.1", settings.mqtt_port), timeout=5):
                return f"answers on 127.0.0.1:{settings.mqtt_port}"

        yield _tried("broker", attempt, advice)
        return
    try:
        address = parse_broker_url(settings.require_mqtt(), settings.mqtt_ca_file)
    except AnhuError as error:
        yield Finding("broker", str(error), advice)
        return
    yield _tried("broker", lambda: doctor_broker.try_account(address), f"{advice} Its log says why it refuses.")
    if address.tls:
        yield from _told("certificate", lambda: [doctor_broker.look_at_certificate(address, clock)], advice)
    if settings.mqtt_accounts_url is not None:
        keeper = "Check ANHU_MQTT_ACCOUNTS_URL; `anhu devices accounts seed` makes a broker's first accounts."
        yield from _told("accounts", lambda: doctor_broker.look_at_accounts(settings, clock), keeper)


def _told(what: str, look: Callable[[], Iterable[doctor_broker.Told]], advice: str) -> Iterator[Finding]:
    try:
        for one in look():
            yield Finding(*one)
    except (OSError, AnhuError, KeyError, ValueError) as error:
        yield Finding(what, f"{type(error).__name__}: {error}", advice)


def _look_at_api(settings: Settings) -> Finding:
    url = f"http://{settings.api_host}:{settings.api_port}/readyz"

    def attempt() -> str:
        answer = httpx.get(url, timeout=5)
        answer.raise_for_status()
        return f"ready on {settings.api_host}:{settings.api_port}"

    return _tried("api", attempt, f"Start it: anhu run api. {url} tells what it waits for.")


def _tried(what: str, attempt: Callable[[], str], advice: str) -> Finding:
    try:
        return Finding(what, attempt())
    except (OSError, httpx.HTTPError, AnhuError) as error:
        return Finding(what, f"{type(error).__name__}: {error}", advice)
