"""Pages on their way: receivers that fail, hang, say nothing or redirect; workers that die; caps said aloud."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest

from alerts.events import EventHandler
from alerts.notify.outbox import Outbox, RetryPolicy
from core.clock import ManualClock, SystemClock
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
    """A function that presses the button of a resident of institution a."""
    handler = EventHandler(pool, clock)

    def do(event_id: str = "press-1", device: int = 0) -> None:
        base.event(world.a, "sos", event_id, device=device)
        handler.handle_all()

    return do


def nurse(world: World) -> UUID:
    return world.a.users["caregiver"].id


def page(base: Database) -> dict[str, object]:
    """The only page that leaves the house."""
    (row,) = base.rows("SELECT * FROM outbox WHERE channel_kind <> 'console'")
    return row


def test_a_receiver_that_fails_five_times_gets_it_the_sixth(
    base: Database, world: World, pool: Pool, clock: ManualClock, press: Callable[..., None]
) -> None:
    with receiver(lambda n: 503 if n <= 5 else 204) as phone:
        base.channel(world.a, phone.url, user=nurse(world))
        press()
        outbox = make_outbox(pool, clock)
        pauses = []
        while page(base)["state"] == "pending":
            assert drain(outbox) == 1
            assert drain(outbox) == 0, "not before its pause is over"
            pause = (page(base)["next_attempt_at"] - clock.now()).total_seconds()  # type: ignore[operator]
            pauses.append(pause)
            clock.advance(pause)
        assert pauses == [1, 2, 4, 8, 16, 0]
        assert len(set(phone.keys())) == 1
    assert (page(base)["state"], page(base)["attempts"]) == ("sent", 6)
    assert Counter(base.timeline(base.alert()["id"]))["failed"] == 5
    assert base.timeline(base.alert()["id"])[-1] == "delivered"


def test_a_receiver_that_hangs_is_left_in_time_and_holds_up_nobody(
    base: Database, world: World, pool: Pool, clock: ManualClock, press: Callable[..., None]
) -> None:
    """Six pages to a receiver that hangs and one to another: with three workers the other has its own at once."""
    with receiver(lambda _n: None) as hanging, receiver() as phone:
        base.channel(world.a, hanging.url, user=nurse(world))
        for device in (0, 1, 2):
            for kind in ("sos", "smoke"):
                base.event(world.a, kind, kind, device=device)
        base.channel(world.b, phone.url, user=world.b.users["caregiver"].id)
        base.event(world.b, "sos", "other")
        EventHandler(pool, clock).handle_all()
        outbox = make_outbox(pool, clock, timeout_seconds=0.5)
        begun = SystemClock().monotonic()
        workers = [threading.Thread(target=outbox.send_one) for _ in range(3)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert SystemClock().monotonic() - begun < 3
        assert len(phone.requests) == 1
        assert len(hanging.requests) == 2
    rows = base.rows("SELECT last_error FROM outbox WHERE attempts > 0 AND state = 'pending'")
    assert [row["last_error"] for row in rows] == ["no answer within 0.5 s"] * 2


@pytest.mark.parametrize(("status", "state"), [(200, "sent"), (302, "failed"), (404, "failed"), (429, "pending")])
def test_what_an_answer_means(
    base: Database,
    world: World,
    pool: Pool,
    clock: ManualClock,
    press: Callable[..., None],
    status: int,
    state: str,
) -> None:
    with receiver(lambda _n: status) as phone:
        base.channel(world.a, phone.url, user=nurse(world))
        press()
        drain(make_outbox(pool, clock))
        assert len(phone.requests) == 1, "a redirect is not followed"
    assert page(base)["state"] == state


def test_pain_35_what_cannot_work_goes_to_the_next_channel_at_once(
    base: Database, world: World, pool: Pool, clock: ManualClock, press: Callable[..., None]
) -> None:
    with receiver(lambda _n: 410) as gone, receiver() as phone:
        base.channel(world.a, phone.url, user=nurse(world), position=2)
        base.channel(world.a, gone.url, user=nurse(world), position=1)
        press()
        assert drain(make_outbox(pool, clock)) == 2
        assert len(gone.requests) == len(phone.requests) == 1
        assert gone.keys() != phone.keys()
    assert base.timeline(base.alert()["id"])[-2:] == ["failed", "delivered"]


def test_pain_35_a_channel_that_keeps_failing_is_joined_by_the_next(
    base: Database, world: World, pool: Pool, clock: ManualClock, press: Callable[..., None]
) -> None:
    with receiver(lambda _n: 500) as down, receiver() as phone:
        base.channel(world.a, down.url, user=nurse(world), position=1)
        base.channel(world.a, phone.url, user=nurse(world), position=2)
        press()
        outbox = make_outbox(pool, clock)
        drain(outbox)
        assert not phone.requests
        clock.advance(1)
        drain(outbox)
        assert len(phone.requests) == 1
        clock.advance(2)
        drain(outbox)
        assert (len(down.requests), len(phone.requests)) == (3, 1)
        clock.advance(3600)
        drain(outbox)
    states = base.rows("SELECT state FROM outbox WHERE channel_kind <> 'console' ORDER BY state")
    assert [row["state"] for row in states] == ["failed", "sent"]


def test_pain_44_a_worker_that_dies_leaves_its_page_to_another(
    base: Database, world: World, pool: Pool, clock: ManualClock, press: Callable[..., None]
) -> None:
    with receiver() as phone:
        base.channel(world.a, phone.url, user=nurse(world))
        press()
        with service_transaction(pool) as tx:  # leased, then killed before it could send
            tx.one("outbox.lease", now=clock.now(), leased_until=clock.now() + timedelta(seconds=15))
        outbox = make_outbox(pool, clock)
        assert drain(outbox) == 0
        clock.advance(16)
        assert drain(outbox) == 1
        assert len(phone.requests) == 1
    assert page(base)["state"] == "sent"


def test_pain_41_killed_after_sending_repeats_with_the_same_key(
    base: Database,
    world: World,
    pool: Pool,
    clock: ManualClock,
    press: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    with receiver() as phone:
        base.channel(world.a, phone.url, user=nurse(world))
        press()
        outbox = make_outbox(pool, clock)
        with monkeypatch.context() as patch:
            patch.setattr(Outbox, "_record", die)
            with pytest.raises(Killed):
                outbox.send_one()
        clock.advance(16)
        drain(outbox)
        assert len(phone.requests) == 2
        assert len(set(phone.keys())) == 1
    assert base.timeline(base.alert()["id"]).count("delivered") == 1


def test_pain_41_several_workers_send_each_page_once(
    base: Database, world: World, pool: Pool, clock: ManualClock
) -> None:
    with receiver() as phone:
        for home in (world.a, world.b):
            base.channel(home, phone.url, user=home.users["caregiver"].id)
            base.channel(home, phone.url)
            base.plan(home, [{"after_seconds": 0, "whom": "everyone"}, {"after_seconds": 0, "whom": "desk"}])
            for device in (0, 1, 2):
                base.event(home, "fall", "f", device=device)
        EventHandler(pool, clock).handle_all()
        outbox = make_outbox(pool, clock)
        threads = [threading.Thread(target=lambda: drain(outbox)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        drain(outbox)
        assert len(phone.keys()) == len(set(phone.keys())) == 12


def test_pain_37_pages_written_before_the_start_are_sent_after_it(
    base: Database, world: World, pool: Pool, clock: ManualClock, press: Callable[..., None]
) -> None:
    with receiver() as phone:
        base.channel(world.a, phone.url, user=nurse(world))
        press()
        clock.advance(1800)
        drain(make_outbox(pool, clock))
        assert len(phone.requests) == 1


def test_pain_39_pages_a_minute_are_capped_and_the_suppression_is_recorded(
    base: Database, world: World, pool: Pool, clock: ManualClock, press: Callable[..., None]
) -> None:
    """Twenty presses of a stuck button: six pages a minute; another person's first press goes out all the same."""
    with receiver() as phone:
        base.channel(world.a, phone.url, user=nurse(world))
        outbox = make_outbox(pool, clock)
        for n in range(20):
            press(f"press-{n}")
        drain(outbox)
        assert len(phone.requests) == 6
        press("another person", device=1)
        drain(outbox)
        assert len(phone.requests) == 7
        clock.advance(61)
        press("press-20")
        drain(outbox)
        assert len(phone.requests) == 8
    held = base.rows("SELECT data FROM alert_entries WHERE kind = 'suppressed'")
    assert len(held) == 14
    assert {row["data"]["reason"] for row in held} == {"rate_cap"}
    assert len(base.rows("SELECT 1 FROM outbox WHERE state = 'cancelled' AND last_error = 'rate_cap'")) == 14


def test_private_addresses_are_refused_and_the_next_channel_tried(
    base: Database, world: World, pool: Pool, clock: ManualClock, press: Callable[..., None]
) -> None:
    with receiver() as inside:
        base.channel(world.a, inside.url, user=nurse(world))
        press()
        outbox = Outbox(pool, clock, timeout_seconds=5, allow_private=False)
        drain(outbox)
        assert not inside.requests
    assert page(base)["state"] == "failed"
    assert "private" in str(page(base)["last_error"])


def test_a_channel_that_was_removed_gets_nothing(
    base: Database, world: World, pool: Pool, clock: ManualClock, press: Callable[..., None]
) -> None:
    with receiver() as phone:
        base.channel(world.a, phone.url, user=nurse(world))
        press()
        base.rows("DELETE FROM notification_channels")
        drain(make_outbox(pool, clock))
        assert not phone.requests
    assert page(base)["state"] == "failed"


def test_apprise_sends_and_unknown_urls_are_not_tried_again(
    base: Database, world: World, pool: Pool, clock: ManualClock, press: Callable[..., None]
) -> None:
    with receiver() as phone:
        base.channel(world.a, "nosuch://somewhere", user=nurse(world), kind="apprise", position=1)
        base.channel(world.a, phone.url.replace("http", "json", 1), user=nurse(world), kind="apprise", position=2)
        press()
        assert drain(make_outbox(pool, clock)) == 2
        (body,) = phone.bodies()
    assert "张老a1" in body["title"]
    states = base.rows("SELECT state FROM outbox WHERE channel_kind = 'apprise' ORDER BY state")
    assert [row["state"] for row in states] == ["failed", "sent"]


def test_pauses_grow_to_a_cap_and_are_jittered() -> None:
    retry = RetryPolicy(base=1, cap=60)
    assert [retry.pause(n, 0.5) for n in (1, 2, 3, 7, 8, 50)] == [1, 2, 4, 60, 60, 60]
    assert retry.pause(3, 0.0) == 2
    assert retry.pause(3, 0.99) < 6
