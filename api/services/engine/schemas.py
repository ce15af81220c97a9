"""Bodies about records of the services."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, Field

from api.auth.accounts import Account
from api.schemas import Names
from api.services.engine.kind import RecordKind
from core.vocabulary import Role

D = TypeVar("D", bound=BaseModel)


class Record(BaseModel, Generic[D]):
    """One record; `actions` are what the caller may do with it now."""

    id: UUID
    service: str = Field(examples=["goods"])
    kind: str = Field(examples=["order"])
    state: str = Field(examples=["placed"])
    state_name: Names
    final: bool = Field(description="nothing follows")
    actions: list[str] = Field(examples=[["accept", "cancel"]])
    resident_id: UUID | None
    resident_name: str | None = Field(examples=["王秀英"])
    resident_place: str | None = Field(description="where to go", examples=["1号楼 2层 203室"])
    provider_id: UUID | None
    worker_id: UUID | None
    title: str
    starts_at: datetime | None
    ends_at: datetime | None
    due_at: datetime | None
    price: Decimal | None
    subsidy: Decimal | None
    own_share: Decimal | None = Field(description="price less subsidy")
    detail: D
    version: int
    created_at: datetime
    updated_at: datetime


class RecordEvent(BaseModel):
    """One thing that happened to a record."""

    seq: int
    at: datetime
    actor: str = Field(examples=["李护士"])
    role: str = Field(examples=["caregiver"])
    action: str = Field(examples=["accept"])
    from_state: str
    to_state: str
    detail: dict[str, Any]


def view(kind: RecordKind, row: dict[str, Any], caller: Account) -> dict[str, Any]:
    """A row as `Record` of this kind, for this caller."""
    names = kind.machine.name_of(row["state"])
    price, subsidy = row["price"], row["subsidy"]
    return {
        **row,
        "state_name": Names(zh=names.zh, en=names.en),
        "actions": kind.machine.actions(row["state"], caller.role),
        "own_share": None if price is None else price - (subsidy or 0),
        "detail": kind.detail.model_validate(seen(kind, row["detail"], caller, kind.detail)),
    }


def seen(
    kind: RecordKind, detail: dict[str, Any], caller: Account, model: type[BaseModel] | None = None
) -> dict[str, Any]:
    """Words as this caller may read them; of a hidden word that the model needs, only that it is there."""
    if caller.role is not Role.FAMILY or not kind.hidden_from_family:
        return detail
    needed = {name for name, one in model.model_fields.items() if one.is_required()} if model else set()
    shown = {name: value for name, value in detail.items() if name not in kind.hidden_from_family}
    return shown | dict.fromkeys(needed & kind.hidden_from_family, "")
