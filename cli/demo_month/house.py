"""The stage of the month: a pool and an institution enter; stories leave, each one transaction on a clock in the past.

A story is told by the same functions that the routes call, in the database roles that those have. While it is told
nobody sees it half done: the roles of the running installation would take a call for help of three weeks ago for one of
now. Its mark is a row of the audit log, which also says to whoever looks that this was told and did not happen.
"""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Final, Literal, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Response
from pydantic import SecretStr

from api.app import create_app
from api.auth.accounts import Account
from api.deps import AuditTrail
from api.services.engine import records
from api.services.engine.kind import RecordKind
from api.state import AppState
from core.clock import ManualClock
from core.settings import Settings
from core.vocabulary import Role
from db.pool import Pool
from db.tenant import Transaction, tenant_transaction

ZONE: Final = ZoneInfo("Asia/Shanghai")
DAYS: Final = 30
MARK: Final = "demo_story"
T = TypeVar("T")
DbHand = Literal["alerts", "ingest", "jobs", "admin"]
_HANDS: Final[dict[DbHand, str]] = {
    "alerts": "demo.be_alerts", "ingest": "demo.be_ingest", "jobs": "demo.be_jobs", "admin": "demo.be_admin",
}  # fmt: skip


class NotNow(Exception):
    """This story cannot be told while something of today is going on; later it can."""


@dataclass(slots=True)
class House:
    """One institution and the moment up to which its month is told.

    people: ids of residents in the order of their plan. accounts: by user name; `learn` reads both anew.
    """

    pool: Pool
    clock: ManualClock
    anchor: datetime
    institution: UUID
    site: str
    state: AppState
    residents: int
    people: list[UUID] = field(default_factory=list)
    accounts: dict[str, Account] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)

    def learn(self) -> None:
        """Who lives and works here by now, and which stories were told."""
        with tenant_transaction(self.pool, self.institution) as tx:
            # The one to whom the story happens was entered last, and is the first of the plan.
            rows = [row["id"] for row in tx.all("demo.residents", count=self.residents)]
            self.people = [*rows[-1:], *rows[:-1]]
            self.accounts = {
                row["username"]: Account(
                    row["id"], self.institution, self.site, row["username"], Role(row["role"]), row["name"], 1,
                    disabled=False,
                )
                for row in tx.all("demo.accounts", institution=self.institution)
            }  # fmt: skip
            self.told = {row["story"] for row in tx.all("demo.told", mark=MARK)}

    @property
    def head(self) -> str:
        """The user name of the one who runs the house."""
        return next(name for name, one in self.accounts.items() if one.role is Role.ADMIN)

    def tell(self, story: str, telling: Callable[[Tale], None]) -> bool:
        """Tell a story unless it was told before; whether it was now."""
        if story in self.told:
            return False
        with tenant_transaction(self.pool, self.institution) as tx:
            tale = Tale(self, tx, random.Random(f"{self.site} {story}"))  # noqa: S311 -- a story, no secret
            try:
                telling(tale)
            except NotNow:
                raise
            except Exception as error:
                error.add_note(f"while telling: {story}")
                raise
            self.clock.step(self.anchor.timestamp() - self.clock.time())
            tale.audit(self.head).record("tell", MARK, story)
        self.told.add(story)
        return True

    def day(self, days_ago: int) -> date:
        """A day of the month in China; 0 is the last, -1 the day after it."""
        return self.anchor.astimezone(ZONE).date() - timedelta(days=days_ago)

    def moment(self, days_ago: int, wall: str) -> datetime:
        """A wall time such as 07:30 on that day."""
        return datetime.combine(self.day(days_ago), time.fromisoformat(wall), tzinfo=ZONE)


@dataclass(slots=True)
class Tale:
    """One story while it is told."""

    house: House
    tx: Transaction
    rng: random.Random

    @property
    def clock(self) -> ManualClock:
        return self.house.clock

    @property
    def state(self) -> AppState:
        """What route functions ask for."""
        return self.house.state

    def who(self, username: str) -> Account:
        """The account of this name."""
        return self.house.accounts[username]

    def audit(self, username: str) -> AuditTrail:
        """The audit trail under this person's name."""
        return AuditTrail(self.tx, self.who(username), self.clock, "", "")

    def person(self, index: int) -> UUID:
        """The resident with this number in the plan."""
        return self.house.people[index]

    def at(self, moment: datetime, *, minutes: float = 0) -> datetime:
        """Go to a moment of the past; what lies after the anchor has not happened and raises ValueError."""
        wanted = moment + timedelta(minutes=minutes)
        if wanted > self.house.anchor:
            raise ValueError(f"{wanted} has not come yet")
        self.clock.step(wanted.timestamp() - self.clock.time())
        return wanted

    def on(self, days_ago: int, wall: str) -> datetime:
        """Go to a wall time of a day; never past the anchor."""
        return self.at(min(self.house.moment(days_ago, wall), self.house.anchor))

    def has_come(self, moment: datetime) -> bool:
        """Whether this moment is past."""
        return moment <= self.house.anchor

    @contextmanager
    def hand(self, role: DbHand) -> Iterator[None]:
        """Work in another role of the database, for what that role and no other does."""
        self.tx.run(_HANDS[role])
        yield
        self.tx.run("demo.be_api")

    def call(self, username: str, route: Callable[..., T], **words: Any) -> T:
        """What the route would do for this person now: its function, given by name what a request would give it."""
        given = {
            "caller": self.who(username), "tx": self.tx, "state": self.state, "audit": self.audit(username),
            "response": Response(),
        }  # fmt: skip
        wanted = inspect.signature(route).parameters
        return route(**{name: value for name, value in given.items() if name in wanted}, **words)

    def make(self, username: str, kind: RecordKind, resident: int | None = None, **words: Any) -> UUID:
        """A new record, made by this person now."""
        if resident is not None:
            words["resident_id"] = self.person(resident)
        body = kind.create(**words)
        row, _ = records.create(self.tx, self.clock, self.audit(username), self.who(username), kind, body, None)
        made: UUID = row["id"]
        return made

    def do(self, username: str, kind: RecordKind, record: UUID, action: str, **words: Any) -> dict[str, Any]:
        """An action on a record, by this person now."""
        body = kind.machine.move(action).body(**words)
        return records.act(
            self.tx, self.clock, self.audit(username), self.who(username), kind, record, action, body
        )  # fmt: skip


def open_house(pool: Pool, clock: ManualClock, anchor: datetime, institution: UUID, site: str, residents: int) -> House:
    """The stage for an institution; the clock is moved to the anchor."""
    clock.step(anchor.timestamp() - clock.time())
    settings = Settings(token_key=SecretStr("no request is answered here: nobody signs in"))
    state: AppState = create_app(settings, clock, pool).state.anhu
    house = House(pool, clock, anchor, institution, site, state, residents)
    house.learn()
    return house
