"""One kind of record of a service: its lifecycle, its words and its rules enter as data; the engine does the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BaseModel, Field

from api.auth.accounts import Account
from api.schemas import Input, Instant, Storable
from api.services.engine.machine import Machine
from core.clock import Clock
from core.vocabulary import Names, Role
from db.tenant import Transaction

Title = Annotated[str, Field(max_length=200), Storable]
Money = Annotated[Decimal, Field(ge=0, le=1_000_000, max_digits=9, decimal_places=2, examples=["12.50"])]
"""Yuan; exact, two decimals."""
Text = Annotated[str, Field(min_length=1, max_length=1000), Storable]

NOBODY: Final = UUID(int=0)
"""The id of the account under which the platform itself acts (`platform_account`)."""
HOUSE: Final = "institution"
"""In the place of a service's code: records of the house itself, such as stays and complaints."""
COLUMNS: Final = ("provider_id", "worker_id", "title", "starts_at", "ends_at", "due_at", "price", "subsidy")
"""Fields of a body that are columns of a record; the others belong to its `detail`."""


class RecordIn(Input):
    """What every new record may say; a kind adds its own words."""

    resident_id: UUID
    title: Title = Field(default="", examples=["午餐"])
    starts_at: Instant | None = Field(default=None, description="planned begin")
    ends_at: Instant | None = Field(default=None, description="planned end")


class Reason(Input):
    """An action that must be explained."""

    reason: Text = Field(examples=["老人当天住院"])


class Note(Input):
    """An action that may be explained."""

    note: Annotated[str, Field(max_length=1000), Storable] = Field(default="", examples=["老人精神好"])


class Plan(Input):
    """When it shall happen."""

    starts_at: Instant
    ends_at: Instant


class Nothing(BaseModel):
    """A kind without words of its own."""


@dataclass(slots=True)
class Step:
    """What a rule of a kind works on: the record as it will be written, the body that asks, and the transaction.

    record: the columns of the row; a rule may change them and `record["detail"]`.
    service, action: the code of the service (or `HOUSE`); "create", or the action's code.
    was: the state before; empty for a new record.
    """

    tx: Transaction
    clock: Clock
    caller: Account
    service: str
    action: str
    record: dict[str, Any]
    body: Any
    was: str = ""
    told: dict[str, Any] = field(default_factory=dict)

    @property
    def now(self) -> datetime:
        return self.clock.now()

    @property
    def by(self) -> UUID | None:
        """The account that acts; None for the platform itself."""
        return None if self.caller.id == NOBODY else self.caller.id

    @property
    def detail(self) -> dict[str, Any]:
        found: dict[str, Any] = self.record["detail"]
        return found


Rule = Callable[[Step], None]
"""Raises BadInput, Conflict or Forbidden; runs inside the transaction that writes the record."""


@dataclass(frozen=True, slots=True)
class RecordKind:
    """A kind of record.

    path: the plural in the address, below /services/{service}/.
    scope: the consent that opens it to family; None: any standing consent.
    creators, readers: roles; family and provider accounts are narrowed to their residents and records besides.
    own: family sees what it made itself, beside what concerns its residents.
    private: family sees what it made itself and nothing else, whatever consents stand.
    public_states: in these, every reader sees the record.
    hidden_from_family: words of the detail that a family account does not see, neither in the history.
    timeouts: by state, the action that the platform takes when the record is past due there.
    rules: by action ("create" too); what is special to the kind. after: the same, once the row is written, for what
    names it.
    """

    service: str
    machine: Machine
    path: str
    create: type[Input]
    creators: frozenset[Role]
    readers: frozenset[Role]
    detail: type[BaseModel] = Nothing
    scope: str | None = None
    own: bool = False
    private: bool = False
    public_states: frozenset[str] = frozenset()
    hidden_from_family: frozenset[str] = frozenset()
    timeouts: Mapping[str, str] = field(default_factory=dict)
    rules: Mapping[str, Rule] = field(default_factory=dict)
    after: Mapping[str, Rule] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = {*self.rules, *self.after} - {"create"} - {move.action for move in self.machine.moves}
        if unknown:
            raise ValueError(f"{self.service}/{self.code}: rules for unknown actions {sorted(unknown)}")
        for state, action in self.timeouts.items():
            if state not in self.machine.move(action).sources:
                raise ValueError(f"{self.service}/{self.code}: {action} cannot follow {state}")
            if state not in self.machine.due:
                raise ValueError(f"{self.service}/{self.code}: nothing is due while {state}, so nothing times out")

    @property
    def code(self) -> str:
        return self.machine.code

    @property
    def names(self) -> Names:
        return self.machine.names

    @property
    def opened_by(self) -> str | None:
        """The consent that opens it; for a private kind one that nobody has."""
        return "private" if self.private else self.scope

    @property
    def prefix(self) -> str:
        """Where its routes are, below /api/v1: the house's own records are no service."""
        return f"/{HOUSE}" if self.service == HOUSE else f"/services/{self.service}"


def sight(kind: RecordKind, caller: Account) -> dict[str, Any]:
    """The parameters that narrow a query to what the caller may see."""
    return {
        "service": kind.service,
        "kind": kind.code,
        "viewer": caller.id if caller.role is Role.FAMILY else None,
        "member": caller.id if caller.role is Role.PROVIDER else None,
        "scope": kind.opened_by,
        "own": kind.own or kind.private,
        "public": sorted(kind.public_states),
    }


def platform_account(institution: UUID) -> Account:
    """Under which the platform acts by itself at an institution."""
    return Account(NOBODY, institution, None, "platform", Role.PLATFORM, "平台 Platform", 0, disabled=False)
