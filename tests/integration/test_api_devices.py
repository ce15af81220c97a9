"""Devices over HTTP and the registry under them, on a real database."""

from __future__ import annotations

import base64
from collections.abc import Callable
from uuid import UUID

import psycopg
import pytest

from core.clock import ManualClock
from core.errors import BadInput, Conflict, NotFound
from db.pool import DbRole, Pool
from db.tenant import service_transaction, tenant_transaction
from devices import commands, registry
from devices.credentials import derive_password, verify_password
from tests.fixtures.world import World
from tests.integration.conftest import DEVICE_KEY, Api

DEVICES = "/api/v1/devices"


def _stored(database_url: str, device: str) -> tuple[bytes, bytes]:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT credential_salt, password_hash FROM devices WHERE id = %s", (device,)
        ).fetchone()
    assert row is not None
    return row


def test_registering_tells_the_password_once(api: Api, database_url: str) -> None:
    admin = api.as_user("admin")
    made = admin.post(DEVICES, json={"id": "wb-1", "kind": "wristband", "name": "手环"})
    assert made.status_code == 201, made.text
    account = made.json()["credentials"]
    salt, password_hash = _stored(database_url, "wb-1")
    assert account["username"] == "site-a.wb-1"
    assert account["password"] == derive_password(DEVICE_KEY, salt, "site-a.wb-1")
    assert verify_password(password_hash, account["password"])
    assert account["password"] not in admin.get(f"{DEVICES}/wb-1").text
    assert admin.post(DEVICES, json={"id": "wb-1", "kind": "pir"}).status_code == 409
    rotated = admin.post(f"{DEVICES}/wb-1/rotate-credentials").json()
    assert rotated["password"] != account["password"]
    assert not verify_password(_stored(database_url, "wb-1")[1], account["password"])
    assert verify_password(_stored(database_url, "wb-1")[1], rotated["password"])


@pytest.mark.parametrize("wrong", [{"id": "a b"}, {"id": "x" * 65}, {"kind": "toaster"}, {"supervision_seconds": 1}])
def test_a_device_that_is_not_valid_is_refused(api: Api, wrong: dict) -> None:
    answer = api.as_user("admin").post(DEVICES, json={"id": "wb-1", "kind": "wristband", **wrong})
    assert answer.status_code == 422


def test_binding_and_unbinding(api: Api) -> None:
    nurse = api.as_user("caregiver")
    spare, (first, _) = f"{DEVICES}/spare-a", api.world.a.residents
    bound = nurse.post(f"{spare}/bind", json={"resident_id": str(first)})
    assert (bound.status_code, bound.json()["resident_id"]) == (200, str(first))
    again = nurse.post(f"{spare}/bind", json={"room": "203"})
    assert again.status_code == 409
    assert "unbind it first" in again.json()["detail"]
    assert [one["id"] for one in nurse.get(DEVICES, params={"resident": str(first)}).json()["items"]] == [
        "band-a1",
        "spare-a",
    ]
    assert nurse.post(f"{spare}/unbind").json()["resident_id"] is None
    assert nurse.post(f"{spare}/unbind").status_code == 409
    api.clock.advance(1)
    assert nurse.post(f"{spare}/bind", json={"room": "203"}).json()["room"] == "203"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"room": "1", "resident_id": "00000000-0000-7000-8000-000000000000"}, 422),
        ({"resident_id": "00000000-0000-7000-8000-000000000000"}, 404),
        ({"room": "1", "at": "2040-01-01T00:00:00Z"}, 422),
        ({"room": "1", "at": "2020-01-01T00:00:00"}, 422),
    ],
)
def test_a_binding_that_makes_no_sense_is_refused(api: Api, body: dict, status: int) -> None:
    assert api.as_user("caregiver").post(f"{DEVICES}/spare-a/bind", json=body).status_code == status


def test_a_resident_of_another_institution_cannot_be_bound(api: Api) -> None:
    answer = api.as_user("caregiver").post(
        f"{DEVICES}/spare-a/bind", json={"resident_id": str(api.world.b.residents[0])}
    )
    assert answer.status_code == 404


def test_a_retired_device_is_out_of_service(api: Api) -> None:
    admin = api.as_user("admin")
    retired = admin.post(f"{DEVICES}/band-a1/retire").json()
    assert retired["retired_at"]
    assert retired["resident_id"] is None
    assert admin.post(f"{DEVICES}/band-a1/retire").status_code == 409
    for act, body in (("bind", {"room": "1"}), ("commands", {"type": "locate"}), ("rotate-credentials", {})):
        assert admin.post(f"{DEVICES}/band-a1/{act}", json=body).status_code == 409
    assert "band-a1" not in {one["id"] for one in admin.get(DEVICES).json()["items"]}
    assert "band-a1" in {one["id"] for one in admin.get(DEVICES, params={"retired": True}).json()["items"]}


def test_health_tells_silence_and_times_without_values(api: Api, database_url: str) -> None:
    device, now = api.world.a.devices[0], api.clock.now()
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "UPDATE device_status SET online = true, last_seen = %s, last_sample = %s, battery = 83, firmware = '1.4'"
            " WHERE device_key = %s",
            (now, now, device.key),
        )
        connection.execute(
            "INSERT INTO latest (device_key, metric, time, value, received) VALUES (%s, 1, %s, 72, %s)",
            (device.key, now, now),
        )
    nurse = api.as_user("caregiver")
    health = nurse.get(f"{DEVICES}/{device.id}/health").json()
    assert (health["online"], health["silent"], health["battery"], health["firmware"]) == (True, False, 83, "1.4")
    assert [(one["metric"], one["state"]) for one in health["metrics"]] == [
        ("heart_rate", "ok"), ("spo2", "never"), ("steps", "never"),
    ]  # fmt: skip
    assert "72" not in str(health["metrics"])
    api.clock.advance(3601)
    nurse = api.as_user("caregiver")
    assert nurse.get(f"{DEVICES}/{device.id}/health").json()["silent"] is True
    assert nurse.get(f"{DEVICES}/spare-a/health").json()["silent"] is False


def test_a_command_goes_out_once_and_is_answered(api: Api, make_pool_for: Callable[[DbRole], Pool]) -> None:
    nurse, ingest = api.as_user("caregiver"), make_pool_for("ingest")
    path = f"{DEVICES}/band-a1/commands"
    asked = nurse.post(path, json={"type": "locate", "args": {"seconds": 30}})
    assert (asked.status_code, asked.json()["state"]) == (202, "requested")
    api.clock.advance(1)
    short = nurse.post(path, json={"type": "beep", "expires_in_seconds": 5}).json()
    with service_transaction(ingest) as tx:
        waiting = commands.take_waiting(tx, api.clock)
        assert [(one.site, one.device, one.type) for one in waiting] == [
            ("site-a", "band-a1", "locate"),
            ("site-a", "band-a1", "beep"),
        ]
        with service_transaction(ingest) as other:
            assert commands.take_waiting(other, api.clock) == []
        assert commands.mark_sent(tx, api.clock, [waiting[0].id]) == 1
    key, wrong_key = api.world.a.devices[0].key, api.world.b.devices[0].key
    answered = {"command_id": UUID(asked.json()["id"]), "ok": True, "result": {"lat": 1}}
    with service_transaction(ingest) as tx:
        assert not commands.answer(tx, api.clock, device_key=wrong_key, **answered)
        assert commands.answer(tx, api.clock, device_key=key, **answered)
        assert not commands.answer(tx, api.clock, device_key=key, **answered)
    api.clock.advance(5)
    with service_transaction(ingest) as tx:
        assert commands.take_waiting(tx, api.clock) == []
        assert commands.expire(tx, api.clock) == 1
    listed = nurse.get(path).json()["items"]
    assert [(one["type"], one["state"]) for one in listed] == [("beep", "expired"), ("locate", "acknowledged")]
    assert listed[0]["id"] == short["id"]


def test_a_request_for_a_command_wakes_ingest(api: Api, database_url: str) -> None:
    nurse = api.as_user("caregiver")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("LISTEN anhu_command")
        nurse.post(f"{DEVICES}/band-a1/commands", json={"type": "locate"})
        assert [one.channel for one in connection.notifies(timeout=5, stop_after=1)] == ["anhu_command"]


@pytest.mark.parametrize(
    "wrong", [{"type": "Bad Type"}, {"args": {"x": "y" * 9000}}, {"args": {"x": "\u0000"}}, {"expires_in_seconds": 0}]
)
def test_a_command_out_of_bounds_is_refused(api: Api, wrong: dict) -> None:
    answer = api.as_user("caregiver").post(f"{DEVICES}/band-a1/commands", json={"type": "locate", **wrong})
    assert answer.status_code == 422


def test_refused_messages_are_shown_to_their_institution(api: Api, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        for institution, payload in (
            (api.world.a.institution_id, "坏".encode()),
            (api.world.a.institution_id, b"\xff\xfe"),
            (api.world.b.institution_id, b"b"),
            (None, b"nobody"),
        ):
            connection.execute(
                "INSERT INTO rejections (institution_id, topic, payload, reason, detail, received)"
                " VALUES (%s, 't', %s, 'not_json', '', now())",
                (institution, payload),
            )
    items = api.as_user("admin").get("/api/v1/rejections").json()["items"]
    assert [(one["payload"], one["payload_encoding"]) for one in items] == [
        (base64.b64encode(b"\xff\xfe").decode(), "base64"),
        ("坏", "text"),
    ]


def test_the_directory_holds_every_device_in_service(
    world: World, clock: ManualClock, make_pool_for: Callable[[DbRole], Pool]
) -> None:
    with tenant_transaction(make_pool_for("api"), world.a.institution_id) as tx:
        registry.retire(tx, clock, device_key=world.a.devices[1].key)
    with service_transaction(make_pool_for("ingest")) as tx:
        directory = registry.load_directory(tx)
    assert directory.sites == {"site-a": world.a.institution_id, "site-b": world.b.institution_id}
    entry = directory.lookup("site-a", "band-a1")
    assert entry is not None
    assert (entry.key, entry.institution_id, entry.kind) == (
        world.a.devices[0].key, world.a.institution_id, "wristband",
    )  # fmt: skip
    assert directory.lookup("site-b", "band-a1") is None
    assert directory.lookup("site-a", "band-a2") is None


def test_the_brokers_accounts_are_those_that_devices_were_told(
    world: World, clock: ManualClock, make_pool_for: Callable[[DbRole], Pool]
) -> None:
    given = {"device_key": DEVICE_KEY, "institution_id": world.a.institution_id, "site": "site-a"}
    with service_transaction(make_pool_for("admin")) as tx:
        made = registry.register(tx, clock, id="new", kind="bed", **given)
        accounts = {one.username: one.password for one in registry.broker_accounts(tx, DEVICE_KEY)}
    assert accounts["site-a.new"] == made.password
    assert len(accounts) == 7
    assert made.password not in repr(made)


def test_conflicts_leave_the_transaction_usable(
    world: World, clock: ManualClock, make_pool_for: Callable[[DbRole], Pool]
) -> None:
    given = {"device_key": DEVICE_KEY, "institution_id": world.a.institution_id, "site": "site-a"}
    band = world.a.devices[0].key
    with tenant_transaction(make_pool_for("api"), world.a.institution_id) as tx:
        with pytest.raises(Conflict, match="band-a1"):
            registry.register(tx, clock, id="band-a1", kind="bed", **given)
        with pytest.raises(BadInput):
            registry.register(tx, clock, id="x", kind="toaster", **given)
        with pytest.raises(Conflict):
            registry.bind(tx, clock, institution_id=world.a.institution_id, device_key=band, room="1")
        with pytest.raises(NotFound):
            registry.bind(
                tx, clock, institution_id=world.a.institution_id, device_key=world.a.devices[2].key,
                resident_id=world.b.residents[0],
            )  # fmt: skip
        assert registry.register(tx, clock, id="fine", kind="bed", **given).username == "site-a.fine"
