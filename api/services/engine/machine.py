"""Lifecycles as data: a state, an action and a role enter, the next state or the reason against it leaves.

A machine is declared once, beside the service that it belongs to. From it come the checks of every request, the routes
(one per action), the catalogue of services and the drawings in `docs/services.md`. A machine that has a dead end, or a
state that nobody can reach, does not load.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from api.schemas import Input
from core.errors import BadTransition, Forbidden
from core.vocabulary import Names, Role

STAFF: Final = frozenset({Role.ADMIN, Role.CAREGIVER})
ADMIN: Final = frozenset({Role.ADMIN})
FAMILY: Final = frozenset({Role.FAMILY})
PROVIDER: Final = frozenset({Role.PROVIDER})

SAME: Final = "="
"""As a target: the record stays in its state (a change of plan, a note)."""


class State(NamedTuple):
    """A state of a record."""

    code: str
    names: Names


class Nothing(Input):
    """An action that needs no more words."""


@dataclass(frozen=True, slots=True)
class Move:
    """An action: from which states, to which, by whom, with which words, and who is told."""

    action: str
    names: Names
    sources: frozenset[str]
    target: str
    roles: frozenset[Role]
    body: type[Input]
    tells: frozenset[str]


@dataclass(frozen=True, slots=True)
class Machine:
    """The lifecycle of one kind of record; `states[0]` is where a record begins.

    due: states in which something may be due; in every other one a record has no `due_at`, whatever was due before.
    """

    code: str
    names: Names
    states: tuple[State, ...]
    moves: tuple[Move, ...]
    due: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        _check(self)

    @property
    def initial(self) -> str:
        return self.states[0].code

    @property
    def finals(self) -> frozenset[str]:
        """The states that nothing leads out of."""
        leaving = {source for move in self.moves if move.target != SAME for source in move.sources}
        return frozenset(state.code for state in self.states if state.code not in leaving)

    def move(self, action: str) -> Move:
        """The action of this name. Raises KeyError: routes exist only for declared ones."""
        return next(move for move in self.moves if move.action == action)

    def next(self, state: str, action: str, role: Role) -> str:
        """The state after the action.

        Raises Forbidden when the role may never do this, BadTransition when it is not possible in this state; what is
        possible instead is said, so that a screen can offer it.
        """
        move = self.move(action)
        if role not in move.roles:
            raise Forbidden(f"{action} is not for the role {role.value}")
        if state not in move.sources:
            possible = ", ".join(self.actions(state, role)) or "nothing"
            raise BadTransition(f"{action} is not possible while {state}; possible for you: {possible}")
        return state if move.target == SAME else move.target

    def actions(self, state: str, role: Role) -> list[str]:
        """What somebody with this role may do in this state."""
        return [move.action for move in self.moves if state in move.sources and role in move.roles]

    def name_of(self, state: str) -> Names:
        """The name of a state for people."""
        return next(one.names for one in self.states if one.code == state)


def names_of(text: str) -> tuple[str, Names]:
    """`code 中文 English words` as a code and its names."""
    code, zh, en = text.split(maxsplit=2)
    return code, Names(zh, en)


def machine(names: str, states: str, *moves: Move, due: str = "") -> Machine:
    """A machine from compact words.

    names: `code 中文 English words`. states: the same, divided by commas, the first one is where a record begins.
    due: codes of states in which something may be due, divided by blanks.
    """
    code, own = names_of(names)
    return Machine(code, own, tuple(State(*names_of(one)) for one in states.split(",")), moves, frozenset(due.split()))


def move(
    names: str,
    sources: str,
    target: str,
    roles: Iterable[Role],
    body: type[Input] = Nothing,
    tells: str = "",
) -> Move:
    """An action from compact words.

    names: `action 中文 English words`. sources: state codes divided by blanks. target: a state code, or SAME.
    tells: who gets a notice, of `family`, `provider`, `worker`, `creator`, `staff`, divided by blanks.
    """
    action, own = names_of(names)
    return Move(action, own, frozenset(sources.split()), target, frozenset(roles), body, frozenset(tells.split()))


TOLD: Final = frozenset({"family", "provider", "worker", "creator", "staff"})


def _check(machine: Machine) -> None:
    known = {state.code for state in machine.states}
    if len(known) != len(machine.states):
        raise ValueError(f"{machine.code}: a state is declared twice")
    if len({move.action for move in machine.moves}) != len(machine.moves):
        raise ValueError(f"{machine.code}: an action is declared twice")
    for one in machine.moves:
        strange = (one.sources | {one.target} - {SAME}) - known
        if strange or not one.sources:
            raise ValueError(f"{machine.code}.{one.action}: unknown or missing states {sorted(strange)}")
        if not one.roles or one.tells - TOLD:
            raise ValueError(f"{machine.code}.{one.action}: nobody may do it, or somebody unknown is told")
    reached = {machine.states[0].code}
    while True:
        grown = reached | {m.target for m in machine.moves if m.target != SAME and m.sources & reached}
        if grown == reached:
            break
        reached = grown
    if known - reached:
        raise ValueError(f"{machine.code}: no way leads to {sorted(known - reached)}")
    if wrong := (machine.due - known) | (machine.due & machine.finals):
        raise ValueError(f"{machine.code}: nothing can be due in {sorted(wrong)}: unknown, or the end")
