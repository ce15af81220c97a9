"""`anhu run accounts` and its commands with a real broker and database: a device's life reaches the broker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from cli.embedded.broker import find_plugin
from core.clock import SystemClock
from core.errors import AnhuError, Misconfigured
from core.ids import broker_username
from core.settings import Settings, load_settings
from deploy import healthcheck
from devices.accounts.rights import BrokerUser
from tests.deploy.production_broker import Peer, ProductionBroker
from tests.deploy.registry import Registry, environment
from tests.fixtures.brokers import free_port
from tests.fixtures.processes import Role, until
from tests.fixtures.world import World

pytestmark = pytest.mark.mosquitto
ROOT = Path(__file__).parents[2]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[ProductionBroker]:
    try:
        find_plugin()
    except Misconfigured as error:
        pytest.skip(str(error))
    one = ProductionBroker(tmp_path)
    yield one
    one.stop()


@pytest.fixture
def devices(database_url: str, world: World) -> Iterator[Registry]:
    made = Registry(database_url, world)
    yield made
    made.pool.close()


def accounts(broker: ProductionBroker, database_url: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cli", "devices", "accounts", *words]
    env = {"PATH": os.environ["PATH"], **environment(broker, database_url)}
    return subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def answer(broker: ProductionBroker, user: BrokerUser) -> str | None:
    peer = Peer(broker, user)
    peer.close()
    return peer.answer


def test_a_device_s_whole_life_reaches_the_broker_at_once(
    broker: ProductionBroker, database_url: str, devices: Registry, tmp_path: Path
) -> None:
    seeded = accounts(broker, database_url, "seed", str(broker.file))
    assert "7 accounts in" in seeded.stdout, seeded
    assert "is there already" in accounts(broker, database_url, "seed", str(broker.file)).stdout
    broker.start()
    port = free_port()
    role = Role("accounts", environment(broker, database_url, port), tmp_path / "accounts.log")
    role.start()
    clock, settings = SystemClock(), load_settings(metrics_port=port)
    try:
        until(lambda: _healthy(settings), "health", 30)
        began = clock.monotonic()
        first = devices.register("new-1")
        until(lambda: answer(broker, first) == "Success", "a registered device signs in", 10)
        took = clock.monotonic() - began
        assert took < 5, took
        session = Peer(broker, first)
        second = devices.rotate("new-1")
        assert session.gone.wait(10), "the session of the old password ends"
        until(lambda: answer(broker, second) == "Success", "the new password", 10)
        assert answer(broker, first) == "Not authorized"
        gateway = devices.register("gw-1", "gateway")
        until(lambda: answer(broker, gateway) == "Success", "the gateway signs in", 10)
        hub = Peer(broker, gateway)
        command = f"anhu/v1/{devices.one.site}/new-1/command"
        assert not hub.subscribe(command)
        devices.put_behind("gw-1", "new-1")
        until(lambda: hub.subscribe(command), "the gateway listens for its child", 10)
        session = Peer(broker, second)
        devices.retire("new-1")
        assert session.gone.wait(10), "retired means cut off"
        assert answer(broker, second) == "Not authorized"
        until(lambda: not hub.subscribe(command), "and no more for what is retired", 10)
        assert accounts(broker, database_url, "sync", "--check").returncode == 0
    finally:
        assert role.stop() == 0, role.log()[-2000:]
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT detail FROM heartbeats WHERE role = 'accounts'").fetchone()
    assert row is not None
    assert row[0]["accounts"] == 8


def _healthy(settings: Settings) -> bool:
    try:
        healthcheck.examine("accounts", settings, SystemClock())
    except (AnhuError, httpx.HTTPError):
        return False
    return True


def test_sync_by_hand_repairs_and_check_only_tells(
    broker: ProductionBroker, database_url: str, world: World, devices: Registry
) -> None:
    broker.start([])
    check = accounts(broker, database_url, "sync", "--check")
    assert check.returncode == 1
    assert "created 7" in check.stdout
    done = accounts(broker, database_url, "sync")
    assert done.returncode == 0, done.stderr
    assert "created 7" in done.stdout
    again = accounts(broker, database_url, "sync")
    assert "created 0, changed 0, removed 0, rights 0" in again.stdout
    name = broker_username(world.a.site, world.a.devices[0].id)
    assert name in broker.file.read_text()


def test_a_broker_that_is_away_or_refuses_is_one_sentence(broker: ProductionBroker, database_url: str) -> None:
    away = accounts(broker, database_url, "sync")
    assert away.returncode == 1
    assert "cannot be reached" in away.stderr
    assert "Traceback" not in away.stderr


def test_the_doctor_looks_behind_the_broker_s_port(
    broker: ProductionBroker, database_url: str, world: World, devices: Registry
) -> None:
    def doctor() -> dict[str, dict[str, str]]:
        env = {"PATH": os.environ["PATH"], **environment(broker, database_url)}
        command = [sys.executable, "-m", "cli", "doctor", "--json"]
        done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
        told = json.loads(done.stdout)
        assert (done.returncode == 0) is told["ok"]
        return {one["what"]: one for one in told["findings"]}

    away = doctor()
    assert all(away[what]["advice"] for what in ("broker", "certificate", "accounts"))
    assert not away["disk"]["advice"] or "GB" in away["disk"]["detail"]
    broker.start([])
    assert "refuses anhu-ingest" in doctor()["broker"]["detail"]
    assert accounts(broker, database_url, "sync").returncode == 0
    found = doctor()
    for what in ("database", "clocks", "broker", "certificate", "accounts", "queue"):
        assert not found[what]["advice"], found[what]
    assert "82" in found["certificate"]["detail"]
    devices.register("late-1")
    assert "1 to be created" in doctor()["accounts"]["detail"]
