"""The watch over devices from committed rows to alerts: lines that explain silence, silences, a deaf platform."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import psycopg
import pytest

from alerts.events import EventHandler
from alerts.feed import DIRECTORY_SECONDS, STARTING_SECONDS, Follower
from alerts.ingest_watch import LIFE_SECONDS, TELL_SECONDS
from alerts.suppression import SETTLE_SECONDS
from core.clock import ManualClock
from core.ids import new_id
from core.metrics import BY_CODE
from db.feed import ReadingColumns, append
from db.pool import Pool
from db.tenant import service_transaction
from tests.fixtures.world import World
from tests.integration.alerts_kit import Database

HR, BATTERY = BY_CODE["heart_rate"].id, BY_CODE["battery"].id


@pytest.fixture
def base(database_url: str, clock: ManualClock) -> Database:
    return Database(database_url, clock)


class House:
    """Institution a with a gateway and bands behind it, its feed and its follower."""

    def __init__(self, base: Database, world: World, clock: ManualClock, make_pool_for: Callable[[str], Pool]) -> None:
        self.base, self.world, self.clock, self.home = base, world, clock, world.a
        self.ingest, self.alerts = make_pool_for("ingest"), make_pool_for("alerts")
        self.bands = [device.key for device in world.a.devices[:2]]
        self.follower = Follower(self.alerts, clock)

    def add(self, name: str, kind: str, *, seconds: int = 900, room: str = "101", gateway: int | None = None) -> int:
        now = self.clock.now()
        (row,) = self.base.rows(
            "INSERT INTO devices (institution_id, id, kind, credential_salt, password_hash, credential_rotated_at,"
            " supervision_seconds, created_at, updated_at) VALUES (%s, %s, %s, 'x', 'x', %s, %s, %s, %s) RETURNING key",
            self.home.institution_id, name, kind, now, seconds, now, now,
        )  # fmt: skip
        key = int(row["key"])
        self.base.rows(
            "INSERT INTO device_status (device_key, institution_id) VALUES (%s, %s)", key, self.home.institution_id
        )
        if room:
            self.base.rows(
                "INSERT INTO bindings (id, institution_id, device_key, room, bound_from) VALUES (%s, %s, %s, %s, %s)",
                new_id(self.clock), self.home.institution_id, key, room, now,
            )  # fmt: skip
        if gateway is not None:
            self.base.rows(
                "INSERT INTO foreign_devices (institution_id, gateway_key, adapter, native_id, device_key, first_seen,"
                " last_seen) VALUES (%s, %s, 'zigbee2mqtt', %s, %s, %s, %s)",
                self.home.institution_id, gateway, name, key, now, now,
            )  # fmt: skip
        return key

    def start(self) -> None:
        self.follower.start()
        self.clock.advance(STARTING_SECONDS)

    def say(self, *keys: int, value: float = 80, metric: int = BATTERY) -> None:
        n = len(keys)
        columns = ReadingColumns(
            np.array(keys, np.int32), np.full(n, metric, np.int16), np.full(n, self.clock.time()), np.full(n, value)
        )
        with service_transaction(self.ingest) as tx:
            append(tx, columns, self.clock.now())
            tx.run("ingest.beat", role="ingest", instance="i", now=self.clock.now(), detail={"broker": True})

    def beat(self) -> None:
        with service_transaction(self.ingest) as tx:
            tx.run("ingest.beat", role="ingest", instance="i", now=self.clock.now(), detail={"broker": True})

    def live(self, seconds: float, *keys: int, beat: bool = True, step: float = 20.0) -> None:
        """Let time pass with these devices speaking, and ingest alive unless told otherwise."""
        end = self.clock.time() + seconds
        while self.clock.time() < end:
            self.clock.advance(step)
            if keys:
                self.say(*keys)
            elif beat:
                self.beat()
            while self.follower.step():
                pass
            self.follower.tick()

    def types(self, state: str = "open") -> list[str]:
        rows = self.base.rows(
            "SELECT type FROM alerts WHERE institution_id = %s AND state = %s ORDER BY type, subject",
            self.home.institution_id, state,
        )  # fmt: skip
        return [row["type"] for row in rows]

    def held(self, **wanted: Any) -> list[dict[str, Any]]:
        rows = self.base.rows("SELECT * FROM alert_suppressions ORDER BY id")
        return [row for row in rows if all(row[name] == value for name, value in wanted.items())]

    def silence(self, ends_in: float, **given: Any) -> Any:
        one = new_id(self.clock)
        columns = {
            "id": one, "institution_id": self.home.institution_id, "author_id": self.home.users["admin"].id,
            "reason": "检修 maintenance", "starts_at": self.clock.now(), "created_at": self.clock.now(),
            "ends_at": self.clock.now() + timedelta(seconds=ends_in), **given,
        }  # fmt: skip
        self.base.rows(
            f"INSERT INTO silences ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))})",
            *columns.values(),
        )
        return one


@pytest.fixture
def house(base: Database, world: World, clock: ManualClock, make_pool_for: Callable[[str], Pool]) -> House:
    base.rows("UPDATE bindings SET bound_to = %s WHERE institution_id = %s", clock.now(), world.b.institution_id)
    return House(base, world, clock, make_pool_for)


def test_pain_22_25_a_gateway_without_power_is_one_alert_and_says_whom_it_silences(house: House) -> None:
    gateway = house.add("gw", "gateway", room="")
    children = [house.add(f"child-{n}", "climate", gateway=gateway) for n in range(6)]
    house.start()
    house.live(600, *house.bands, *children)
    house.live(2000, *house.bands)
    assert house.types() == ["gateway_down"]
    (alert,) = house.base.rows("SELECT * FROM alerts")
    assert (alert["device_key"], alert["severity"], alert["evidence"]["devices"]) == (gateway, "high", 6)
    held = house.held(by_alert_id=alert["id"], type="device_silent")
    assert sorted(row["device_key"] for row in held) == sorted(children)
    assert all(row["reason"] and row["at"] for row in held)
    assert house.base.timeline(alert["id"]).count("suppressed") == len(held) == 6
    # Power is back: five children speak, one is dead. It is told once its own interval has passed.
    house.live(120, *house.bands, *children[:5])
    assert house.types() == []
    house.live(SETTLE_SECONDS + 900, *house.bands, *children[:5])
    assert house.types() == ["device_silent"]
    (late,) = house.base.rows("SELECT * FROM alerts WHERE type = 'device_silent'")
    assert late["device_key"] == children[5]
    assert len(house.held(released_at=None, cleared_at=None)) == 0


def test_pain_22_one_dead_child_is_its_own_alert(house: House) -> None:
    gateway = house.add("gw", "gateway", room="")
    children = [house.add(f"child-{n}", "climate", gateway=gateway) for n in range(3)]
    house.start()
    house.live(600, *house.bands, *children)
    house.live(1200, *house.bands, *children[:2])
    assert house.types() == ["device_silent"]
    assert house.base.alert()["device_key"] == children[2]


def test_a_gateway_whose_last_will_spoke_is_down_within_two_minutes(house: House) -> None:
    gateway = house.add("gw", "gateway", room="")
    child = house.add("child", "climate", seconds=14_400, gateway=gateway)
    house.start()
    house.live(200, *house.bands, child)
    house.base.rows(
        "UPDATE device_status SET online = false, status_time = %s WHERE device_key = %s", house.clock.now(), gateway
    )
    house.follower.reload()
    house.live(120, *house.bands)
    assert house.types() == ["gateway_down"]


def test_pain_25_a_house_without_power_is_one_alert_but_an_emergency_passes(house: House) -> None:
    others = [house.add(f"dev-{n}", "climate") for n in range(6)]
    house.start()
    house.live(600, *house.bands, *others)
    house.live(2000)
    assert house.types() == ["site_offline"]
    (alert,) = house.base.rows("SELECT * FROM alerts")
    assert alert["subject"] == f"site:{house.home.institution_id}"
    assert (alert["resident_id"], alert["device_key"], alert["place"]) == (None, None, "a 养老院")
    assert len(house.held(type="device_silent")) == 6
    for n, kind in enumerate(("sos", "fall", "smoke", "gas", "co")):
        house.base.event(house.home, kind, f"e{n}")
    EventHandler(house.alerts, house.clock).handle_all()
    assert house.types() == ["co", "fall", "gas", "site_offline", "smoke", "sos"]
    house.live(60, *house.bands, *others)
    assert "site_offline" not in house.types()
    assert house.types("resolved") == ["site_offline"]


def test_pain_20_an_ingest_that_is_down_is_one_alert_and_no_device_is_called_silent(house: House) -> None:
    others = [house.add(f"dev-{n}", "climate") for n in range(4)]
    house.start()
    house.live(300, *others, *house.bands)
    house.live(7200, beat=False)
    assert house.types() == ["ingest_down"]
    (alert,) = house.base.rows("SELECT * FROM alerts")
    assert alert["severity"] == "high"
    assert alert["opened_at"].timestamp() - alert["occurred_at"].timestamp() <= TELL_SECONDS + 30
    # Restarted in the middle, it neither doubles nor forgets.
    house.follower = Follower(house.alerts, house.clock)
    house.follower.start()
    house.live(7200, beat=False)
    assert house.types() == ["ingest_down"]
    house.live(120, *others[:3], *house.bands)
    assert house.types() == []
    assert house.types("resolved") == ["ingest_down"]
    # The fourth died meanwhile: its interval began again, and then it is missed.
    house.live(1000, *others[:3], *house.bands)
    assert house.types() == ["device_silent"]
    assert LIFE_SECONDS < TELL_SECONDS


def test_pain_45_a_silence_holds_back_with_a_row_each_and_what_still_holds_is_raised_at_its_end(house: House) -> None:
    dead, back, alive = (house.add(f"dev-{n}", "climate") for n in range(3))
    house.start()
    house.live(300, dead, back, alive, *house.bands)
    silence = house.silence(3600, room="101")
    house.live(1800, alive, *house.bands)
    assert house.types() == []
    assert sorted(row["device_key"] for row in house.held(silence_id=silence, type="device_silent")) == [dead, back]
    house.live(300, back, alive, *house.bands)
    assert [row["cleared_at"] is None for row in house.held(silence_id=silence)] == [True, False]
    house.live(1600, back, alive, *house.bands)
    assert house.types() == ["device_silent"]
    assert house.base.alert()["device_key"] == dead
    assert house.held(silence_id=silence)[0]["released_at"] is not None


@pytest.mark.parametrize("kind", ["sos", "fall", "smoke", "gas", "co"])
def test_pain_45_no_silence_holds_an_emergency_back(house: House, kind: str) -> None:
    house.start()
    house.silence(3600)
    house.silence(3600, device_key=house.bands[0])
    house.silence(3600, resident_id=house.home.residents[0])
    with pytest.raises(psycopg.errors.CheckViolation):
        house.silence(3600, device_key=house.bands[0], alert_types=["device_silent", kind])
    handler = EventHandler(house.alerts, house.clock)
    house.base.event(house.home, kind, "real")
    handler.handle_all()
    assert house.types() == [kind]
    assert house.held() == []


def test_a_silence_without_types_means_devices_and_never_people(house: House) -> None:
    glucose = BY_CODE["glucose"].id
    house.start()
    house.silence(3600, floor="2")
    house.say(house.bands[0], value=2.0, metric=glucose)
    house.follower.step()
    assert house.types() == ["glucose_low"]
    house.silence(3600, resident_id=house.home.residents[1], alert_types=["glucose_low"])
    house.say(house.bands[1], value=2.0, metric=glucose)
    house.follower.step()
    assert house.types() == ["glucose_low"]
    assert [row["resident_id"] for row in house.held()] == [house.home.residents[1]]


def test_a_silence_of_another_place_device_or_house_holds_nothing_back(house: House) -> None:
    house.silence(3600, room="999")
    house.silence(3600, device_key=house.bands[0])
    house.silence(3600, floor="7")
    house.silence(3600, institution_id=house.world.b.institution_id, author_id=house.world.b.users["admin"].id)
    one = house.add("dev", "climate")
    house.start()
    house.live(300, one, *house.bands)
    house.live(1200, *house.bands)
    assert house.types() == ["device_silent"]
    assert house.held() == []


def test_batteries_of_statuses_and_of_readings_are_watched(house: House) -> None:
    house.start()
    now = house.clock.now()
    house.base.rows(
        "UPDATE device_status SET online = true, battery = 7, status_time = %s WHERE device_key = %s",
        now, house.bands[0],
    )  # fmt: skip
    house.live(DIRECTORY_SECONDS + 40)
    assert house.types() == ["battery_low"]
    house.say(house.bands[1], value=9)
    house.live(20)
    alerts = house.base.rows("SELECT resident_id FROM alerts WHERE type = 'battery_low'")
    assert {row["resident_id"] for row in alerts} == set(house.home.residents)


def status(house: House, device: int, *, online: bool, told: Any, at: Any, seq: int | None = None) -> None:
    house.base.rows(
        "INSERT INTO device_transitions (institution_id, device_key, at, told, online, seq)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        house.home.institution_id, device, at, told, online, seq,
    )  # fmt: skip


def test_pain_26_connections_that_end_within_seconds_are_told_and_end(house: House) -> None:
    house.start()
    for n in range(4):
        for online, later in ((True, 1.0), (False, 3.0)):
            house.clock.advance(later)
            now = house.clock.now()
            status(house, house.bands[0], online=online, told=now, at=now, seq=7 + 90 * (n % 2))
    house.live(20, *house.bands)
    (alert,) = house.base.rows("SELECT * FROM alerts")
    assert (alert["type"], alert["device_key"], alert["resident_id"]) == ("takeover_suspected", house.bands[0], None)
    assert alert["evidence"]["seqs"] == [7, 97, 7, 97]
    house.live(1000, *house.bands)
    assert house.types() == []


def test_a_weak_signal_and_a_backlog_are_no_takeover(house: House) -> None:
    house.start()
    begun = house.clock.now()
    for n in range(6):
        for online, later in ((True, 1.0), (False, 25.0)):
            house.clock.advance(later)
            now = house.clock.now()
            status(house, house.bands[0], online=online, told=now, at=now)
            # The same of another device, handed over at once by a broker that had kept it.
            late = begun + timedelta(seconds=150 + n / 100)
            status(house, house.bands[1], online=online, told=begun - timedelta(hours=n), at=late)
    house.live(60, *house.bands)
    assert house.types() == []
