"""Pages that reach a person: receipts, what nobody has seen, voices, caps, rescue, floors, plans of a building."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from alerts import escalation, service
from alerts.events import EventHandler
from alerts.service import Actor, Occurrence, act, open_or_append
from core.clock import ManualClock, SystemClock
from core.ids import new_id
from core.vocabulary import Severity
from db.pool import Pool
from db.tenant import service_transaction
from tests.fixtures.world import World
from tests.integration.alerts_kit import Database, drain, make_outbox, receiver


@pytest.fixture
def base(database_url: str, clock: ManualClock) -> Database:
    return Database(database_url, clock)


@pytest.fixture
def pool(make_pool_for: Callable[[str], Pool]) -> Pool:
    return make_pool_for("alerts")


@pytest.fixture
def press(base: Database, world: World, pool: Pool, clock: ManualClock) -> Callable[..., None]:
    """A function that lets a device of institution a tell of something."""
    handler, count = EventHandler(pool, clock), iter(range(1000))

    def do(kind: str = "sos", device: int = 0, **given: Any) -> None:
        base.event(world.a, kind, f"e{next(count)}", device=device, **given)
        handler.handle_all()

    return do


def nurse(world: World) -> UUID:
    return world.a.users["caregiver"].id


def finding(world: World, clock: ManualClock, kind: str, severity: Severity, **given: Any) -> Occurrence:
    return Occurrence(
        world.a.institution_id, kind, severity, "detector", clock.now(), world.a.residents[0], **given
    )  # fmt: skip


def raise_finding(pool: Pool, clock: ManualClock, one: Occurrence) -> dict[str, Any] | None:
    with service_transaction(pool) as tx:
        return open_or_append(tx, clock, one)


def do(pool: Pool, clock: ManualClock, world: World, base: Database, action: str, **given: Any) -> None:
    actor = Actor(nurse(world), "李护士", "caregiver")
    with service_transaction(pool) as tx:
        act(tx, clock, alert_id=base.alert()["id"], action=action, actor=actor, **given)


def test_pain_35_a_page_that_nobody_has_seen_is_followed_by_the_next_channel(
    base: Database, world: World, pool: Pool, clock: ManualClock, press: Callable[..., None]
) -> None:
    """The first channel says 200 and nobody looks: after a minute the next one is tried, once."""
    with receiver() as silent, receiver() as phone:
        base.channel(world.a, silent.url, user=nurse(world), position=1)
        base.channel(world.a, phone.url, user=nurse(world), position=2)
        press()
        outbox = make_outbox(pool, clock)
        drain(outbox)
        clock.advance(59)
        assert (outbox.follow_unseen(), drain(outbox)) == (0, 0)
        clock.advance(1)
        assert (outbox.follow_unseen(), outbox.follow_unseen()) == (1, 0)
        drain(outbox)
        assert (len(silent.requests), len(phone.requests)) == (1, 1)
    assert base.timeline(base.alert()["id"])[-2:] == ["unseen", "delivered"]
    clock.advance(60)
    assert outbox.follow_unseen() == 1
    assert "没有其他渠道" in base.notes("unseen")[-1], "that nothing is left to try is said as well"
    assert outbox.follow_unseen() == 0


def test_pain_35_who_has_read_the_alert_is_not_disturbed_again(
    base: Database, world: World, pool: Pool, clock: ManualClock, press: Callable[..., None]
) -> None:
    with receiver() as silent, receiver() as phone:
        base.channel(world.a, silent.url, user=nurse(world), position=1)
        base.channel(world.a, phone.url, user=nurse(world), position=2)
        press()
        outbox = make_outbox(pool, clock)
        drain(outbox)
        with service_transaction(pool) as tx:
            assert service.seen(tx, clock, alert_id=base.alert()["id"], user_id=nurse(world)) == 2
            assert service.seen(tx, clock, alert_id=base.alert()["id"], user_id=nurse(world)) == 0
        clock.advance(300)
        assert (outbox.follow_unseen(), drain(outbox), len(phone.requests)) == (0, 0, 0)
    assert base.timeline(base.alert()["id"])[-1] == "seen"


def test_pain_46_a_silent_push_is_followed_by_a_voice(
    base: Database, world: World, pool: Pool, clock: ManualClock, press: Callable[..., None]
) -> None:
    """The telephone is not the first to ring, but it is the first to follow; it reads a sentence, a drill as one."""
    with receiver() as push, receiver() as chat, receiver() as voice:
        base.channel(world.a, voice.url, user=nurse(world), position=1, is_voice=True)
        base.channel(world.a, push.url, user=nurse(world), position=2)
        base.channel(world.a, chat.url, user=nurse(world), position=3)
        press("fall", data={"test": True})
        outbox = make_outbox(pool, clock)
        drain(outbox)
        assert (len(push.requests), len(voice.requests)) == (1, 0)
        clock.advance(60)
        outbox.follow_unseen()
        drain(outbox)
        assert (len(chat.requests), len(voice.requests)) == (0, 1)
        (spoken,) = voice.bodies()
    assert spoken["voice"] is True
    assert spoken["message"]["body"].startswith("这是演练。安护报警。张老a1，跌倒，2层 201室。")
    assert "\n" not in spoken["message"]["body"]


def test_what_receivers_say_is_on_the_timeline(
    base: Database, world: World, pool: Pool, clock: ManualClock, press: Callable[..., None]
) -> None:
    """One fails five times, one hangs, one answers 200 without a body, one had it already: each handled and shown."""
    users = [world.a.users[role].id for role in ("caregiver", "admin")]
    with receiver(lambda n: 500 if n <= 5 else 200) as failing, receiver(lambda n: None if n == 1 else 409) as late:
        failing.says = json.dumps({"receipt": "wx-7", "seen": True}).encode()
        base.channel(world.a, failing.url, user=users[0])
        base.channel(world.a, late.url, user=users[1])
        base.plan(world.a, [{"after_seconds": 0, "whom": "everyone"}])
        press()
        outbox = make_outbox(pool, clock, timeout_seconds=0.3)
        for _ in range(8):
            drain(outbox)
            clock.advance(20)
        assert (len(failing.requests), len(late.requests)) == (6, 2)
        assert len(set(late.keys())) == 1
    notes = base.notes("failed")
    assert sum("answered 500" in note for note in notes) == 5
    assert sum("no answer within 0.3 s" in note for note in notes) == 1
    delivered = base.notes("delivered")
    assert any("回执 wx-7" in note or "seen" in note for note in delivered)
    assert any("对方称此前已收到" in note for note in delivered), "a repeat that the receiver knows is a delivery"
    rows = {row["recipient"]: row for row in base.rows("SELECT * FROM outbox WHERE channel_kind = 'webhook'")}
    assert {row["state"] for row in rows.values()} == {"sent"}
    assert rows[f"user:{users[0]}"]["receipt"] == "wx-7"
    assert rows[f"user:{users[0]}"]["seen_by"] == "receiver"


def test_a_delivery_without_a_body_is_one_and_says_what_it_is_worth(
    base: Database, world: World, pool: Pool, clock: ManualClock, press: Callable[..., None]
) -> None:
    with receiver() as phone:
        base.channel(world.a, phone.url, user=nurse(world))
        press()
        drain(make_outbox(pool, clock))
    (note,) = base.notes("delivered")
    assert "无回执" in note
    (row,) = base.rows("SELECT * FROM channel_days")
    assert (row["sent"], row["failed"], row["last_success_at"]) == (1, 0, clock.now())


def test_pain_39_the_institution_sets_how_many_pages_a_minute_one_gets(
    base: Database, world: World, pool: Pool, clock: ManualClock, press: Callable[..., None]
) -> None:
    """Two a minute: the third of the ordinary is held back; the first of each emergency never is."""
    base.rows("INSERT INTO alert_settings VALUES (%s, 2, 60, 1, now())", world.a.institution_id)
    with receiver() as phone:
        base.channel(world.a, phone.url, user=nurse(world))
        base.plan(world.a, [{"after_seconds": 0, "whom": "on_duty"}, {"after_seconds": 60, "whom": "desk"}])
        for kind in ("heart_rate_high", "spo2_low", "resp_rate_high", "body_temp_high"):
            raise_finding(pool, clock, finding(world, clock, kind, Severity.HIGH))
        for kind in ("sos", "fall", "smoke", "gas"):
            press(kind)
        drain(make_outbox(pool, clock))
        assert len(phone.requests) == 2 + 4
    assert len(base.notes("suppressed")) == 2


def test_pain_42_a_flapping_condition_pages_once_but_every_press_does(
    base: Database, world: World, pool: Pool, clock: ManualClock, press: Callable[..., None]
) -> None:
    with receiver() as phone:
        base.channel(world.a, phone.url, user=nurse(world))
        for _ in range(5):
            raise_finding(pool, clock, finding(world, clock, "spo2_low", Severity.HIGH))
            raise_finding(pool, clock, finding(world, clock, "spo2_low", Severity.HIGH, phase="cleared"))
            clock.advance(30)
        outbox = make_outbox(pool, clock)
        drain(outbox)
        assert len(phone.requests) == 1
        assert base.alert()["occurrences"] == 5
        for _ in range(3):
            press()
            clock.advance(30)
        drain(outbox)
        assert len(phone.requests) == 1 + 3


def shift(base: Database, world: World, clock: ManualClock, user: UUID, *floors: str) -> None:
    """Somebody is on duty around the clock for some floors."""
    base.rows(
        "INSERT INTO rota_shifts (id, institution_id, user_id, starts_on, start_time, end_time, end_day, zone, rule,"
        " floors, uid, created_at, updated_at)"
        " VALUES (%s, %s, %s, %s, '08:00', '08:00', 1, 'Asia/Shanghai', 'FREQ=DAILY', %s, %s, now(), now())",
        new_id(clock), world.a.institution_id, user, (clock.now() - timedelta(days=3)).date(), list(floors),
        str(new_id(clock)),
    )  # fmt: skip


def test_those_on_duty_for_the_floor_are_paged_then_the_house_then_everyone(
    base: Database, world: World, pool: Pool, clock: ManualClock, press: Callable[..., None]
) -> None:
    base.rows("UPDATE users SET on_duty = false")
    base.plan(world.a, [{"after_seconds": 0, "whom": "on_duty"}, {"after_seconds": 60, "whom": "desk"}])
    admin = world.a.users["admin"].id

    def told(kind: str) -> set[str]:
        press(kind)
        (row,) = base.rows("SELECT id FROM alerts WHERE type = %s", kind)
        return {r["recipient"] for r in base.rows("SELECT recipient FROM outbox WHERE alert_id = %s", row["id"])}

    assert told("sos") == {f"user:{nurse(world)}", f"user:{admin}"}, "nobody: everyone, said aloud"
    shift(base, world, clock, admin, "5")
    assert told("fall") == {f"user:{admin}"}, "nobody on floor 2: whoever is in the house"
    shift(base, world, clock, nurse(world), "2", "3")
    assert told("smoke") == {f"user:{nurse(world)}"}
    base.rows(
        "INSERT INTO rota_absences VALUES (%s, %s, %s, %s, %s, '', %s, now())",
        new_id(clock), world.a.institution_id, nurse(world), clock.now(), clock.now() + timedelta(hours=1), admin,
    )  # fmt: skip
    assert told("gas") == {f"user:{admin}"}, "who is absent is not on duty"
    base.rows("UPDATE users SET disabled_at = now() WHERE role IN ('admin', 'caregiver')")
    assert told("co") == {"desk"}
    notes = base.notes("nobody")
    assert ["无人在岗，改为通知全体人员" in note for note in notes] == [True, False, False, True, False]
    assert sum("本楼层无人在岗" in note for note in notes) == 2
    assert "机构没有可用账号" in notes[-1]


@pytest.mark.parametrize("consented", [True, False])
def test_rescue_from_outside_gets_the_card_as_far_as_it_was_agreed(
    base: Database, world: World, pool: Pool, clock: ManualClock, press: Callable[..., None], consented: bool
) -> None:
    resident = world.a.residents[0]
    base.rows("UPDATE residents SET address = '人民路1号', access_notes = '钥匙盒7788', conditions = '房颤',"
              " medication = '华法林' WHERE id = %s", resident)  # fmt: skip
    base.rows(
        "INSERT INTO rescue_cards (resident_id, institution_id, allergies, consented_by, consented_at, updated_at,"
        " updated_by) VALUES (%s, %s, '青霉素', %s, %s, now(), %s)",
        resident, world.a.institution_id, "本人" if consented else "", clock.now() if consented else None, nurse(world),
    )  # fmt: skip
    base.plan(world.a, [{"after_seconds": 0, "whom": "rescue"}, {"after_seconds": 0, "whom": "desk"}])
    with receiver() as centre:
        base.channel(world.a, centre.url, purpose="rescue")
        press()
        drain(make_outbox(pool, clock))
        (body,) = centre.bodies()
    card = body["message"]["rescue_card"]
    assert (card["address"], card["access"], card["name"]) == ("人民路1号", "钥匙盒7788", "张老a1")
    assert body["purpose"] == "rescue"
    text = json.dumps(body, ensure_ascii=False)
    for secret in ("房颤", "华法林", "青霉素", "女儿"):
        assert (secret in text) is consented, secret
    assert base.rows("SELECT 1 FROM audit_log WHERE action = 'send_rescue_card'"), "what left the house is on record"


def test_a_drill_calls_nobody_from_outside(
    base: Database, world: World, pool: Pool, clock: ManualClock, press: Callable[..., None]
) -> None:
    base.plan(world.a, [{"after_seconds": 0, "whom": "rescue"}, {"after_seconds": 60, "whom": "desk"}])
    with receiver() as centre:
        base.channel(world.a, centre.url, purpose="rescue")
        press(data={"test": True})
        drain(make_outbox(pool, clock))
        assert centre.requests == []
    assert [row["recipient"] for row in base.rows("SELECT recipient FROM outbox")] == ["desk"]
    assert "演练" in base.notes("skipped")[0]


def test_without_a_rescue_channel_the_desk_is_told_to_call(
    base: Database, world: World, press: Callable[..., None]
) -> None:
    base.plan(world.a, [{"after_seconds": 0, "whom": "rescue"}, {"after_seconds": 60, "whom": "desk"}])
    press()
    assert [row["recipient"] for row in base.rows("SELECT recipient FROM outbox")] == ["desk"]
    assert "120" in base.notes("nobody")[0]


def test_the_plan_that_says_most_counts_the_type_before_the_building(
    base: Database, world: World, clock: ManualClock, pool: Pool, press: Callable[..., None]
) -> None:
    base.rows("UPDATE residents SET building = '2' WHERE id = %s", world.a.residents[0])
    for building, kind, whom in (
        ("", None, "desk"), ("2", None, "everyone"), ("", "fall", f"user:{nurse(world)}"),
        ("2", "smoke", f"user:{world.a.users['admin'].id}"), ("3", "sos", "desk"),
    ):  # fmt: skip
        steps = [{"after_seconds": 0, "whom": whom}, {"after_seconds": 60, "whom": "desk"}]
        base.rows(
            "INSERT INTO escalation_plans (id, institution_id, alert_type, building, steps, updated_at)"
            " VALUES (%s, %s, %s, %s, %s::jsonb, now())",
            new_id(clock), world.a.institution_id, kind, building, json.dumps(steps),
        )  # fmt: skip
    for kind in ("sos", "fall", "smoke"):
        press(kind)
    press("gas", device=1)
    first = {row["type"]: row["plan"][0]["whom"] for row in base.rows("SELECT type, plan FROM alerts")}
    assert first == {
        "sos": "everyone", "fall": f"user:{nurse(world)}", "smoke": f"user:{world.a.users['admin'].id}", "gas": "desk"
    }  # fmt: skip


def test_steps_of_an_hour_away_with_a_rota_page_who_is_on_duty_then(
    base: Database, world: World, pool: Pool, clock: ManualClock, press: Callable[..., None]
) -> None:
    """Whom a step means is asked when it runs, not when the alert opened."""
    base.rows("UPDATE users SET on_duty = false")
    shift(base, world, clock, nurse(world))
    press()
    base.rows("UPDATE rota_shifts SET user_id = %s", world.a.users["admin"].id)
    clock.advance(3600)
    begun = SystemClock().monotonic()
    assert escalation.tick(pool, clock) == 5
    assert SystemClock().monotonic() - begun < 5
    again = base.rows("SELECT data FROM alert_entries WHERE kind = 'paged' ORDER BY seq")
    keys = [[r["key"] for r in row["data"]["recipients"]] for row in again if row["data"]["whom"] == "on_duty"]
    assert keys == [[f"user:{nurse(world)}"], [f"user:{world.a.users['admin'].id}"]]
