"""A command's life: requested → sent → acknowledged, failed or expired; each answer counts once or not at all."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID, uuid4

import msgspec
import pytest

from core.clock import ManualClock
from core.errors import BadInput
from db.pool import DbRole, Pool
from db.tenant import service_transaction, tenant_transaction
from devices import commands
from ingest.commander import send_waiting
from tests.fixtures.world import World


class Life:
    """Commands of one device, requested by the api and carried by ingest."""

    def __init__(self, api: Pool, ingest: Pool, world: World, clock: ManualClock) -> None:
        self.api, self.ingest, self.world, self.clock = api, ingest, world, clock
        self.published: list[tuple[str, dict[str, object]]] = []
        self.online = True

    def request(self, seconds: int = 300) -> UUID:
        with tenant_transaction(self.api, self.world.a.institution_id) as tx:
            return commands.request(
                tx, self.clock, institution_id=self.world.a.institution_id,
                device_key=self.world.a.devices[0].key, type="locate", args={"n": 1}, expires_in_seconds=seconds,
            )  # fmt: skip

    def send(self) -> int:
        def publish(topic: str, payload: bytes) -> bool:
            if self.online:
                self.published.append((topic, msgspec.json.decode(payload)))
            return self.online

        return send_waiting(self.ingest, self.clock, publish)

    def answer(self, command: UUID, *, ok: bool = True, device: int = 0) -> bool:
        with service_transaction(self.ingest) as tx:
            return commands.answer(
                tx, self.clock, device_key=self.world.a.devices[device].key, command_id=command, ok=ok, result={"a": 1}
            )

    def row(self, command: UUID) -> dict[str, object]:
        with tenant_transaction(self.api, self.world.a.institution_id) as tx:
            return tx.one("devices.get_command", id=command)

    def state(self, command: UUID) -> object:
        return self.row(command)["state"]


@pytest.fixture
def life(make_pool_for: Callable[[DbRole], Pool], world: World, clock: ManualClock) -> Life:
    return Life(make_pool_for("api"), make_pool_for("ingest"), world, clock)


def test_sent_once_to_its_device_and_acknowledged(life: Life) -> None:
    command = life.request()
    assert life.state(command) == "requested"
    assert life.send() == 1
    assert life.send() == 0
    ((topic, payload),) = life.published
    assert topic == "anhu/v1/site-a/band-a1/command"
    assert payload["id"] == str(command)
    assert payload["expires"] == pytest.approx(life.clock.time() + 300)
    assert life.state(command) == "sent"
    assert life.answer(command)
    row = life.row(command)
    assert (row["state"], row["result"], row["answered_at"]) == ("acknowledged", {"a": 1}, life.clock.now())


def test_a_device_that_refuses_makes_it_failed(life: Life) -> None:
    command = life.request()
    life.send()
    assert life.answer(command, ok=False)
    assert life.state(command) == "failed"


def test_a_second_answer_changes_nothing(life: Life) -> None:
    command = life.request()
    life.send()
    assert life.answer(command)
    assert not life.answer(command)
    assert not life.answer(command, ok=False)
    assert life.state(command) == "acknowledged"


def test_it_expires_while_the_device_answers_nothing_and_late_answers_are_too_late(life: Life) -> None:
    command = life.request(seconds=60)
    life.send()
    life.clock.step(60)
    life.send()
    assert life.state(command) == "expired"
    assert not life.answer(command)
    assert life.state(command) == "expired"


def test_what_expires_before_it_could_be_sent_is_never_sent(life: Life) -> None:
    command = life.request(seconds=60)
    life.online = False
    assert life.send() == 0
    assert life.state(command) == "requested", "the broker had not taken it"
    life.clock.step(61)
    life.online = True
    assert life.send() == 0
    assert life.published == []
    assert life.state(command) == "expired"


def test_the_answer_to_a_command_that_was_published_but_not_marked_counts(life: Life) -> None:
    """Ingest may die between the publication and the commit: the device's word is the truth."""
    command = life.request()
    assert life.answer(command)
    assert life.send() == 0
    assert life.state(command) == "acknowledged"


def test_another_device_s_answer_and_unknown_ids_count_for_nothing(life: Life) -> None:
    command = life.request()
    life.send()
    assert not life.answer(command, device=1)
    assert not life.answer(uuid4())
    assert life.state(command) == "sent"


@pytest.mark.parametrize("seconds", [0, -1, commands.EXPIRES_SECONDS_MAX + 1])
def test_a_lifetime_out_of_bounds_is_refused(life: Life, seconds: int) -> None:
    with pytest.raises(BadInput):
        life.request(seconds)
