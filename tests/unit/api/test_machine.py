"""Lifecycles as data: what a machine refuses to be, and what it answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.services.catalogue import SERVICES
from api.services.engine import drawing
from api.services.engine.kind import HOUSE, RecordKind
from api.services.engine.machine import SAME, STAFF, Machine, machine, move
from api.services.registry import KINDS
from core.errors import BadTransition, Forbidden
from core.vocabulary import Role

DOOR = "door 门 Door"
STATES = "shut 关 Shut, open 开 Open, gone 拆除 Gone"


def door() -> Machine:
    return machine(
        DOOR,
        STATES,
        move("push 推 Push", "shut", "open", STAFF),
        move("pull 拉 Pull", "open", "shut", {Role.FAMILY}),
        move("paint 刷漆 Paint", "shut open", SAME, STAFF),
        move("remove 拆 Remove", "shut open", "gone", {Role.ADMIN}),
    )


def test_a_machine_answers_the_next_state() -> None:
    assert door().next("shut", "push", Role.CAREGIVER) == "open"
    assert door().next("open", "paint", Role.ADMIN) == "open"
    assert door().initial == "shut"
    assert door().finals == {"gone"}


def test_a_wrong_state_is_refused_and_says_what_is_possible() -> None:
    with pytest.raises(BadTransition, match="possible for you: paint"):
        door().next("open", "push", Role.CAREGIVER)


def test_a_wrong_role_is_refused_in_every_state() -> None:
    for state in ("shut", "open", "gone"):
        with pytest.raises(Forbidden):
            door().next(state, "remove", Role.FAMILY)


@pytest.mark.parametrize(
    "moves",
    [
        pytest.param((move("push 推 Push", "shut", "ajar", STAFF),), id="unknown target"),
        pytest.param((move("push 推 Push", "ajar", "open", STAFF),), id="unknown source"),
        pytest.param((move("push 推 Push", "shut", "open", STAFF),), id="a state that nothing leads to"),
        pytest.param((move("push 推 Push", "shut", "open", ()), move("x x x", "open", "gone", STAFF)), id="nobody may"),
    ],
)
def test_a_machine_with_a_fault_does_not_load(moves: tuple[object, ...]) -> None:
    with pytest.raises(ValueError, match="door"):
        machine(DOOR, STATES, *moves)  # type: ignore[arg-type]


@pytest.mark.parametrize("due", ["gone", "ajar"])
def test_nothing_is_due_at_the_end_nor_in_a_state_that_is_not(due: str) -> None:
    with pytest.raises(ValueError, match="nothing can be due"):
        machine(DOOR, STATES, *door().moves, due=due)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: f"{kind.service}/{kind.code}")
def test_every_kind_belongs_to_a_service_or_the_house_and_ends_somewhere(kind: RecordKind) -> None:
    if kind.service != HOUSE:
        service = next(one for one in SERVICES if one.code == kind.service)
        assert kind.machine in service.lifecycles
    assert kind.machine.finals


def test_the_page_of_the_docs_is_drawn_from_the_code() -> None:
    page = Path(__file__).parents[3] / "docs" / "services.md"
    assert page.read_text(encoding="utf-8") == drawing.page(), "run: python -m api.services.engine.drawing"
