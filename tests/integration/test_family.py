"""Families: consent at the moment of sending, quiet hours, who came, links that answer once, away, monitored or not."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from alerts.events import EventHandler
from alerts.family import away
from alerts.findings import release
from alerts.notify.outbox import Outbox
from alerts.service import Actor, Occurrence, act, open_or_append
from core.clock import ManualClock
from core.vocabulary import Severity
from db.pool import Pool
from db.tenant import service_transaction
from tests.fixtures.world import World
from tests.integration.alerts_kit import Database, Receiver, drain, make_outbox, receiver
from tests.integration.conftest import Api

V1 = "/api/v1"
FAMILY_FIRST = [{"after_seconds": 0, "whom": "contact:1"}, {"after_seconds": 60, "whom": "desk"}]


@pytest.fixture
def base(database_url: str, clock: ManualClock) -> Database:
    return Database(database_url, clock)


@pytest.fixture
def pool(make_pool_for: Callable[[str], Pool]) -> Pool:
    return make_pool_for("alerts")


@pytest.fixture
def outbox(pool: Pool, clock: ManualClock) -> Outbox:
    return make_outbox(pool, clock, public_url="https://anhu.example/")


@pytest.fixture
def press(base: Database, world: World, pool: Pool, clock: ManualClock) -> Callable[..., UUID]:
    """A function that lets a device of institution a tell of something; the alert's id."""
    handler, count = EventHandler(pool, clock), iter(range(1000))

    def do(kind: str = "sos", device: int = 0) -> UUID:
        base.event(world.a, kind, f"e{next(count)}", device=device)
        handler.handle_all()
        return UUID(str(base.rows("SELECT id FROM alerts WHERE type = %s ORDER BY opened_at DESC", kind)[0]["id"]))

    return do


def find(pool: Pool, clock: ManualClock, world: World, kind: str, severity: Severity, **given: Any) -> Any:
    one = Occurrence(world.a.institution_id, kind, severity, "detector", clock.now(), world.a.residents[0], **given)
    with service_transaction(pool) as tx:
        return open_or_append(tx, clock, one)


def contact(base: Database, world: World) -> UUID:
    """The daughter, who is contact 1 of the first resident."""
    (row,) = base.rows("SELECT id FROM contacts WHERE resident_id = %s", world.a.residents[0])
    return UUID(str(row["id"]))


def link_in(phone: Receiver, n: int = -1) -> str:
    return str(phone.bodies()[n]["message"]["link"]).removeprefix("https://anhu.example")


def test_consent_is_asked_for_when_the_page_is_sent(
    base: Database, world: World, pool: Pool, clock: ManualClock, outbox: Outbox
) -> None:
    """Health withdrawn after the page was written: no value goes out. Alerts withdrawn: nothing does, as is said."""
    base.plan(world.a, FAMILY_FIRST)
    with receiver() as phone:
        base.channel(world.a, phone.url, contact=contact(base, world))
        evidence = {"value": 81.0, "limit": 88.0, "unit": "%"}
        find(pool, clock, world, "spo2_low", Severity.CRITICAL, evidence=evidence)
        base.rows("UPDATE consents SET withdrawn_at = now() WHERE scope = 'health'")
        drain(outbox)
        (told,) = phone.bodies()
        assert "81" not in told["message"]["body"]
        assert "血氧过低" in told["message"]["body"]
        find(pool, clock, world, "heart_rate_high", Severity.CRITICAL, evidence=evidence)
        base.rows("UPDATE consents SET withdrawn_at = now() WHERE scope = 'alerts'")
        drain(outbox)
        assert len(phone.requests) == 1
    assert "未获老人的报警信息授权" in base.notes("suppressed")[0]


def test_quiet_hours_hold_back_what_is_not_urgent_and_nothing_else(
    base: Database, world: World, pool: Pool, clock: ManualClock, outbox: Outbox, press: Callable[..., UUID]
) -> None:
    base.plan(world.a, FAMILY_FIRST)
    local = (clock.now() + timedelta(hours=8)).time()  # what clocks in Shanghai show
    quiet_to = (clock.now() + timedelta(hours=15)).time()
    base.rows("UPDATE contacts SET quiet_from = %s, quiet_to = %s", local, quiet_to)
    with receiver() as phone:
        base.channel(world.a, phone.url, contact=contact(base, world))
        find(pool, clock, world, "body_temp_high", Severity.MEDIUM)
        drain(outbox)
        assert phone.requests == []
        press("fall")
        drain(outbox)
        assert [body["message"]["type"] for body in phone.bodies()] == ["fall"]
        clock.advance(7 * 3600 - 1)
        assert drain(outbox) == 0
        clock.advance(1)
        assert drain(outbox) == 1
        assert phone.bodies()[-1]["message"]["type"] == "body_temp_high"
    assert "安静时段" in base.notes("deferred")[0]


def test_the_family_hears_who_responds_since_when_and_how_it_ended(
    base: Database, world: World, pool: Pool, clock: ManualClock, outbox: Outbox, press: Callable[..., UUID]
) -> None:
    base.plan(world.a, FAMILY_FIRST)
    with receiver() as phone:
        base.channel(world.a, phone.url, contact=contact(base, world))
        alert = press()
        drain(outbox)
        actor = Actor(world.a.users["caregiver"].id, "李护士", "caregiver")
        for action, outcome in (
            ("acknowledge", None),
            ("acknowledge", None),
            ("arrive", None),
            ("resolve", "hospital"),
        ):
            with service_transaction(pool) as tx:
                act(tx, clock, alert_id=alert, action=action, actor=actor, outcome=outcome)
            clock.advance(60)
        drain(outbox)
        bodies = phone.bodies()
        assert [body["purpose"] for body in bodies] == ["page", "update", "update", "update"]
        titles = [body["message"]["title"] for body in bodies[1:]]
    began = (clock.now() - timedelta(seconds=240)).astimezone().strftime("%M")
    assert "李护士" in titles[0]
    assert f":{began} 已响应" in titles[0]
    assert "已到场" in titles[1]
    assert "已解除：已送医" in titles[2], "an update is sent though the alert is resolved by then"
    base.rows("UPDATE contacts SET wants_updates = false")


def test_a_link_answers_once_and_reading_it_does_nothing(
    api: Api, base: Database, world: World, outbox: Outbox, clock: ManualClock, press: Callable[..., UUID]
) -> None:
    """Messengers open every link: ten looks change nothing, the first button acknowledges, the second says so."""
    base.plan(world.a, FAMILY_FIRST)
    daughter = base.contact(world.a, name="王丽", phone="138", position=2)
    base.rows("UPDATE contacts SET position = 3 WHERE position = 1")
    base.rows("UPDATE contacts SET position = 1 WHERE position = 2")
    with receiver() as phone:
        base.channel(world.a, phone.url, contact=daughter)
        alert = press()
        drain(outbox)
        link = link_in(phone)
    token = link.rpartition("/")[2]
    stored = base.rows(
        "SELECT row_to_json(o)::text AS t FROM outbox o UNION ALL SELECT row_to_json(l)::text FROM page_links l"
    )
    assert not any(token in row["t"] for row in stored), "the database knows no token that works"
    before = base.timeline(alert)
    for _ in range(10):
        page = api.anonymous.get(link)
        assert (page.status_code, "我来处理" in page.text) == (200, True)
    assert api.anonymous.head(link).status_code in (200, 405)
    assert base.timeline(alert) == before
    assert "张老a1 紧急呼叫" in page.text
    assert page.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert api.anonymous.post(link, data={"action": "seen"}).status_code == 200
    assert base.timeline(alert)[len(before) :] == ["seen"]
    done = api.anonymous.post(link, data={"action": "acknowledge"})
    assert (done.status_code, "已响应" in done.text) == (200, True)
    assert base.alert()["state"] == "acknowledged"
    whole = base.timeline(alert)
    again = api.anonymous.post(link, data={"action": "acknowledge"})
    assert "已使用过" in again.text
    assert base.timeline(alert) == whole
    (row,) = base.rows("SELECT actor, data FROM alert_entries WHERE kind = 'acknowledged'")
    assert (row["actor"], row["data"]["role"]) == ("王丽", "family")
    paged = base.rows("SELECT data FROM alert_entries WHERE kind = 'paged' ORDER BY seq")
    assert [entry["data"]["whom"] for entry in paged][-2:] == ["on_duty", "desk"], "the house stays responsible"


def test_a_link_that_must_not_work_any_more(
    api: Api, base: Database, world: World, outbox: Outbox, clock: ManualClock, press: Callable[..., UUID]
) -> None:
    base.plan(world.a, FAMILY_FIRST)
    with receiver() as phone:
        base.channel(world.a, phone.url, contact=contact(base, world))
        press()
        drain(outbox)
        link = link_in(phone)
    assert api.anonymous.get("/family/a/" + "x" * 32).status_code == 404
    assert api.anonymous.post("/family/a/" + "x" * 32, data={"action": "acknowledge"}).status_code == 404
    assert api.anonymous.post(link, data={"action": "resolve"}).status_code == 422
    assert api.anonymous.post(link).status_code == 422
    base.rows("UPDATE consents SET withdrawn_at = now() WHERE scope = 'alerts'")
    for answer in (api.anonymous.get(link), api.anonymous.post(link, data={"action": "acknowledge"})):
        assert answer.status_code == 410
        assert "张老" not in answer.text
    base.rows("UPDATE consents SET withdrawn_at = NULL")
    clock.advance(24 * 3600 + 1)
    assert api.anonymous.post(link, data={"action": "acknowledge"}).status_code == 410
    assert base.alert()["state"] == "open"


def test_a_public_channel_holds_no_link(
    base: Database, world: World, outbox: Outbox, press: Callable[..., UUID]
) -> None:
    with receiver() as screen:
        base.channel(world.a, screen.url, user=world.a.users["caregiver"].id, is_public=True)
        press()
        drain(outbox)
        assert "link" not in screen.bodies()[0]["message"]
    assert base.rows("SELECT 1 FROM page_links") == []


def test_away_holds_what_an_empty_home_means_and_never_a_call_for_help(
    api: Api, base: Database, world: World, pool: Pool, clock: ManualClock, press: Callable[..., UUID]
) -> None:
    daughter, url = api.as_user("family"), f"{V1}/residents/{world.a.residents[0]}/away"
    until = clock.now() + timedelta(days=2)
    assert daughter.post(url, json={"until": clock.now().isoformat()}).status_code == 422
    made = daughter.post(url, json={"until": until.isoformat(), "reason": "回家过节"})
    assert (made.status_code, made.json()["current"]) == (201, True)
    assert daughter.post(url, json={"until": until.isoformat()}).status_code == 409
    band = world.a.devices[0].key
    assert find(pool, clock, world, "device_silent", Severity.MEDIUM, device_key=band) is None
    assert find(pool, clock, world, "device_silent", Severity.HIGH, device_key=band) is None
    assert find(pool, clock, world, "geofence_exit", Severity.HIGH) is None
    assert find(pool, clock, world, "spo2_low", Severity.HIGH)["state"] == "open", "what is measured is not held"
    press("sos")
    press("fall")
    assert {row["type"] for row in base.rows("SELECT type FROM alerts")} == {"spo2_low", "sos", "fall"}
    find(pool, clock, world, "geofence_exit", Severity.HIGH, phase="cleared")
    (one,) = daughter.get(url).json()["items"]
    assert {held["type"]: held["count"] for held in one["findings"]} == {"device_silent": 2, "geofence_exit": 1}
    assert base.rows("SELECT status FROM residents WHERE id = %s", world.a.residents[0])[0]["status"] == "away"
    clock.advance(86_400)
    assert (away.end_due(pool, clock), release(pool, clock)) == (0, 0)
    clock.advance(86_400)
    assert (away.end_due(pool, clock), release(pool, clock), release(pool, clock)) == (1, 2, 0)
    (late,) = base.rows("SELECT * FROM alerts WHERE type IN ('device_silent', 'geofence_exit')")
    assert (late["type"], late["severity"], late["device_key"]) == ("device_silent", "high", band)
    assert base.rows("SELECT status FROM residents WHERE id = %s", world.a.residents[0])[0]["status"] == "active"
    assert api.as_user("family").delete(url).status_code == 404


def test_coming_back_early_raises_at_once_what_still_holds(
    api: Api, base: Database, world: World, pool: Pool, clock: ManualClock
) -> None:
    nurse, url = api.as_user("caregiver"), f"{V1}/residents/{world.a.residents[0]}/away"
    body = {"kind": "hospital", "until": (clock.now() + timedelta(days=9)).isoformat()}
    assert nurse.post(url, json=body).status_code == 201
    find(pool, clock, world, "device_silent", Severity.MEDIUM, device_key=world.a.devices[0].key)
    assert nurse.delete(url).status_code == 204
    assert (release(pool, clock), release(pool, clock)) == (1, 0)
    assert base.alert()["type"] == "device_silent"
    assert nurse.post(url, json=body).status_code == 201, "and they may go again"


def test_monitored_or_not_is_told_honestly_and_with_reasons(
    api: Api, base: Database, world: World, clock: ManualClock
) -> None:
    url = f"{V1}/residents/{world.a.residents[0]}/monitoring"
    daughter = api.as_user("family")

    def level() -> tuple[str, list[str]]:
        told = api.as_user("family").get(url).json()
        assert told["monitored"] == (told["level"] != "none")
        return told["level"], [reason["en"] for reason in told["reasons"]]

    state, reasons = level()
    assert state == "none"
    assert any("never heard of" in reason for reason in reasons)
    assert any("not watching" in reason for reason in reasons)
    for role in ("ingest", "alerts"):
        base.rows("INSERT INTO heartbeats VALUES (%s, 'x', %s)", role, clock.now())
    base.rows("UPDATE device_status SET last_sample = %s", clock.now())
    assert level() == ("full", [])
    base.rows("UPDATE device_status SET battery = 7")
    assert level()[0] == "partly"
    base.rows("UPDATE device_status SET battery = 70")
    until = (clock.now() + timedelta(days=1)).isoformat()
    assert daughter.post(url.replace("monitoring", "away"), json={"until": until}).status_code == 201
    assert level()[0] == "partly"
    assert daughter.delete(url.replace("monitoring", "away")).status_code == 204
    clock.advance(31)
    state, reasons = level()
    assert (state, len(reasons)) == ("none", 2), "a platform that does not watch says so"
    clock.advance(3600)
    assert any("silent" in reason for reason in level()[1])


def test_the_rescue_card_is_the_records_and_kept_with_consent(api: Api, base: Database, world: World) -> None:
    nurse, daughter = api.as_user("caregiver"), api.as_user("family")
    url = f"{V1}/residents/{world.a.residents[0]}/rescue-card"
    empty = nurse.get(url).json()
    assert (empty["version"], empty["consented_at"]) == (0, None)
    card = {
        "address": "人民路1号",
        "access": "钥匙盒7788",
        "conditions": "房颤",
        "allergies": "青霉素",
        "consented_by": "本人",
    }
    saved = nurse.put(url, json={**card, "version": 0})
    assert saved.status_code == 200, saved.text
    assert saved.json()["version"] == 1
    assert {name: saved.json()[name] for name in card} == card
    assert nurse.put(url, json={**card, "version": 0}).status_code == 412
    record = nurse.get(f"{V1}/residents/{world.a.residents[0]}").json()
    assert (record["address"], record["conditions"]) == ("人民路1号", "房颤"), "one truth"
    assert daughter.get(url).json()["allergies"] == "青霉素"
    assert daughter.put(url, json=card).status_code == 403
    withdrawn = nurse.put(url, json={**card, "consented_by": ""}).json()
    assert withdrawn["consented_at"] is None
    base.rows("UPDATE consents SET withdrawn_at = now() WHERE scope = 'health'")
    assert daughter.get(url).status_code == 403
    actions = {row["action"] for row in base.rows("SELECT action FROM audit_log")}
    assert {"read_rescue_card", "update_rescue_card"} <= actions


def test_contacts_have_an_order_and_quiet_hours(api: Api, base: Database, world: World) -> None:
    nurse, daughter = api.as_user("caregiver"), api.as_user("family")
    url = f"{V1}/residents/{world.a.residents[0]}"
    first = str(contact(base, world))
    second = nurse.post(f"{url}/contacts", json={"name": "王强"}).json()["id"]
    assert nurse.put(f"{url}/contact-order", json={"contact_ids": [second]}).status_code == 422
    turned = nurse.put(f"{url}/contact-order", json={"contact_ids": [second, first]}).json()["items"]
    assert [(one["id"], one["position"]) for one in turned] == [(second, 1), (first, 2)]
    quiet = {"quiet_from": "22:00", "quiet_to": "07:00", "zone": "Europe/Berlin", "wants_updates": False}
    saved = daughter.put(f"{url}/contacts/{first}/quiet-hours", json=quiet)
    assert (saved.status_code, saved.json()["zone"]) == (200, "Europe/Berlin")
    assert daughter.put(f"{url}/contacts/{second}/quiet-hours", json=quiet).status_code == 404
    assert daughter.put(f"{url}/contacts/{first}/quiet-hours", json={**quiet, "zone": "x/y"}).status_code == 422
    assert daughter.put(f"{url}/contacts/{first}/quiet-hours", json={"quiet_from": "22:00"}).status_code == 422


def test_the_titles_of_updates_show_local_time(
    base: Database, world: World, pool: Pool, clock: ManualClock, outbox: Outbox, press: Callable[..., UUID]
) -> None:
    base.plan(world.a, FAMILY_FIRST)
    with receiver() as phone:
        base.channel(world.a, phone.url, contact=contact(base, world))
        alert = press()
        drain(outbox)
        with service_transaction(pool) as tx:
            act(tx, clock, alert_id=alert, action="acknowledge", actor=Actor(None, "李护士", "caregiver"))
        drain(outbox)
        (shown,) = re.findall(r"\d\d:\d\d", phone.bodies()[-1]["message"]["title"])
    assert shown == (clock.now() + timedelta(hours=8)).strftime("%H:%M")
