"""The time bank: a transfer of minutes enters, two changed accounts and one entry leave.

Double entry: what one account gains another loses, so that all accounts together are always zero. A person keeps 1,500
hours at most, the rest becomes a gift; a group's time can only be given away.
"""

from __future__ import annotations

from typing import Any, Final, Literal
from uuid import UUID

from api.services.engine.kind import Step
from core.errors import BadInput, Conflict
from core.ids import new_id

CAP_MINUTES: Final = 1500 * 60
"""What a person may keep, as the time bank of Nanjing has it; the excess is donated."""
OWN: Final = {"issue": "时间发行 Issued", "spent": "已兑换 Spent", "common": "公益时间池 Common gifts"}
Cause = Literal["credit", "excess", "transfer", "donate", "redeem", "void"]


def own_account(step: Step, kind: Literal["issue", "spent", "common"]) -> UUID:
    """The institution's single account of this kind."""
    row = step.tx.one(
        "companionship.own_account", id=new_id(step.clock), tenant=step.caller.tenant, kind=kind, name=OWN[kind],
        now=step.now,
    )  # fmt: skip
    found: UUID = row["id"]
    return found


def locked(step: Step, account: UUID) -> dict[str, Any]:
    """An account that nobody else changes until the end. Raises BadInput."""
    row = step.tx.first("companionship.lock_account", id=account)
    if row is None:
        raise BadInput(f"there is no account {account}")
    return row


def post(step: Step, source: UUID, target: UUID, minutes: int, cause: Cause) -> None:
    """Move minutes. Raises Conflict when the source has not so many, BadInput for an account that is not there."""
    if source == target:
        raise BadInput("minutes move from one account to another")
    # In the order of ids, so that two transfers between the same accounts never wait for each other in a circle.
    rows = {account: locked(step, account) for account in sorted((source, target))}
    if rows[source]["kind"] != "issue" and rows[source]["minutes"] < minutes:
        raise Conflict(f"the account holds {rows[source]['minutes']} minutes, not {minutes}")
    step.tx.run("companionship.change_account", id=source, minutes=-minutes)
    step.tx.run("companionship.change_account", id=target, minutes=minutes)
    step.tx.run(
        "companionship.add_entry", tenant=step.caller.tenant, now=step.now, source=source, target=target,
        minutes=minutes, cause=cause, record=step.record["id"], user=step.by,
    )  # fmt: skip


def credit(step: Step, account: UUID, minutes: int) -> int:
    """New minutes for served time; what lies over the cap goes to the common account. Returns what was kept."""
    row = locked(step, account)
    if row["kind"] not in ("person", "group"):
        raise BadInput("time is credited to people and groups")
    room = max(0, CAP_MINUTES - row["minutes"]) if row["kind"] == "person" else minutes
    kept = min(minutes, room)
    issue = own_account(step, "issue")
    if kept:
        post(step, issue, account, kept, "credit")
    if minutes > kept:
        post(step, issue, own_account(step, "common"), minutes - kept, "excess")
    return kept
