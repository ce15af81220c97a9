"""Discovered devices over HTTP and from the command line: who may see and map them."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from typer.testing import CliRunner

from cli import devices as command
from cli.overhear import Overheard
from core.clock import ManualClock
from db.pool import DbRole, Pool
from tests.integration.adapters_kit import GatewayBench
from tests.integration.conftest import DEVICE_KEY, Api

LIST = "/api/v1/devices/discovered"


@pytest.fixture
def bench(api: Api, database_url: str, make_pool_for: Callable[[DbRole], Pool], clock: ManualClock) -> GatewayBench:
    made = GatewayBench(database_url, make_pool_for, clock, api.world)
    listed = [{"ieee_address": "0x1", "friendly_name": "kitchen/smoke", "type": "EndDevice",
               "definition": {"model": "HS1SA", "vendor": "HEIMAN", "description": "Smoke detector"}}]  # fmt: skip
    made.say("zigbee2mqtt/bridge/devices", listed)
    made.say("zigbee2mqtt/kitchen/smoke", {"smoke": False, "linkquality": 80})
    made.say("zigbee2mqtt/bath", {"humidity": 50})
    return made


def test_staff_see_what_speaks(api: Api, bench: GatewayBench) -> None:
    answer = api.as_user("caregiver").get(LIST, params={"mapped": False}).json()
    first = answer["items"][0]
    assert (first["gateway"], first["adapter"]) == (bench.gateway.id, "zigbee2mqtt")
    assert first["native_id"] == "kitchen/smoke"
    assert first["facts"] == {
        "address": "0x1", "model": "HS1SA", "vendor": "HEIMAN", "description": "Smoke detector",
    }  # fmt: skip
    assert (first["suggested_kind"], first["samples_unmapped"], first["device"]) == ("smoke", 1, None)
    page = api.as_user("caregiver").get(LIST, params={"limit": 1}).json()
    rest = api.as_user("caregiver").get(LIST, params={"cursor": page["next"]}).json()
    assert [one["native_id"] for one in rest["items"]] == ["bath"]


def test_an_administrator_maps_and_unmaps(api: Api, bench: GatewayBench) -> None:
    admin, band = api.as_user("admin"), api.world.a.devices[0]
    number = admin.get(LIST).json()["items"][1]["id"]
    mapped = admin.post(f"{LIST}/{number}/map", json={"device": band.id, "sos_actions": ["hold"]})
    assert (mapped.status_code, mapped.json()["device"], mapped.json()["sos_actions"]) == (200, band.id, ["hold"])
    bench.load()
    bench.say("zigbee2mqtt/bath", {"humidity": 55})
    assert bench.readings(band) == {"humidity": 55.0}
    assert admin.post(f"{LIST}/{number}/unmap").json()["device"] is None
    bench.load()
    bench.say("zigbee2mqtt/bath", {"humidity": 56})
    assert bench.readings(band) == {"humidity": 55.0}
    actions = bench.rows("SELECT action, object_id FROM audit_log WHERE action IN ('map', 'unmap') ORDER BY id")
    assert actions == [("map", band.id), ("unmap", band.id)]


def test_others_may_not_and_elsewhere_there_is_nothing(api: Api, bench: GatewayBench) -> None:
    number = bench.rows("SELECT min(id) FROM foreign_devices")[0][0]
    body = {"device": api.world.a.devices[0].id}
    assert api.anonymous.get(LIST).status_code == 401
    assert api.as_user("family").get(LIST).status_code == 403
    assert api.as_user("caregiver").post(f"{LIST}/{number}/map", json=body).status_code == 403
    elsewhere = api.as_user("admin", api.world.b)
    assert elsewhere.get(LIST).json()["items"] == []
    assert elsewhere.post(f"{LIST}/{number}/map", json={"device": api.world.b.devices[0].id}).status_code == 404
    assert elsewhere.post(f"{LIST}/{number}/unmap").status_code == 404
    admin = api.as_user("admin")
    assert admin.post(f"{LIST}/{number}/map", json={"device": api.world.b.devices[0].id}).status_code == 404
    assert admin.post(f"{LIST}/999999/map", json=body).status_code == 404
    assert admin.post(f"{LIST}/{number}/map", json={**body, "sos_actions": ["wave"]}).status_code == 422


@pytest.fixture
def run(bench: GatewayBench, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    monkeypatch.setenv("ANHU_DATABASE_URL", bench.url)
    monkeypatch.setenv("ANHU_DEVICE_KEY", DEVICE_KEY)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*words: str) -> str:
        answer = CliRunner().invoke(command.app, [*words, "--site", "site-a"], catch_exceptions=False)
        assert answer.exit_code == 0, answer.output
        return answer.output

    return call


def test_the_command_proposes_what_then_works(bench: GatewayBench, run: Callable[..., str]) -> None:
    told = run("discover", "--seconds", "0")
    assert "anhu admin device add kitchen-smoke --site site-a --kind smoke --model 'HEIMAN HS1SA'" in told
    number = re.search(r"anhu devices map (\d+) --site site-a --device kitchen-smoke", told)
    assert number is not None
    run("map", number[1], "--device", "band-a1", "--sos", "single,hold")
    assert "band-a1" in run("list-foreign")
    chosen = bench.rows("SELECT sos_actions FROM foreign_devices WHERE id = %s", int(number[1]))
    assert chosen == [(["hold", "single"],)]
    run("unmap", number[1])
    assert bench.rows("SELECT count(*) FROM foreign_devices WHERE device_key IS NOT NULL") == [(0,)]


def test_keys_are_made_listed_and_ended(bench: GatewayBench, run: Callable[..., str]) -> None:
    made = re.search(r"key ([a-z0-9]{16})\s+secret (\S{32})", run("key", "add", "Acme"))
    assert made is not None
    listed = run("key", "list")
    assert made[1] in listed
    assert made[2] not in listed
    run("key", "revoke", made[1])
    assert bench.rows("SELECT revoked_at IS NOT NULL FROM ingest_keys") == [(True,)]


def test_listening_in_tells_strangers_and_what_cannot_be_read() -> None:
    heard = Overheard()
    for topic, payload in (
        ("anhu/v1/home/band-9/telemetry", b"{}"),
        ("anhu/v1/home/gw/x/zigbee2mqtt/bath", b'{"humidity": 5}'),
        ("anhu/v1/home/gw2/x/zigbee2mqtt/hall", b'{"occupancy": true}'),
        ("anhu/v1/home/gw/x/zwave/1", b"{}"),
        ("rubbish", b""),
    ):
        heard.take(topic, payload)
    lines = "\n".join(command.remarks("home", heard, set(), {"gw"}))
    assert "anhu admin device add gw2 --site home --kind gateway" in lines
    assert "anhu admin device add band-9 --site home --kind KIND" in lines
    assert "# bath (zigbee2mqtt) behind gw was just heard" in lines
    assert "# gw/zwave: no such adapter" in lines
