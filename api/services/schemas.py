"""Bodies about the eleven services."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from api.schemas import Names
from api.services.catalogue import GROUPS, CareService
from api.services.engine.machine import Machine
from api.services.registry import KINDS


class ServiceState(BaseModel):
    """A state of a record."""

    code: str = Field(examples=["received"])
    name: Names


class ServiceMove(BaseModel):
    """An action on a record."""

    action: str = Field(examples=["accept"])
    name: Names
    sources: list[str] = Field(description="states in which it is possible", examples=[["dispatched"]])
    target: str = Field(description="the state that follows; `=` leaves it as it is", examples=["accepted"])
    roles: list[str] = Field(examples=[["admin", "caregiver", "provider"]])


class ServiceLifecycle(BaseModel):
    """How one kind of record goes on: its states in the usual order, and what leads from one to another."""

    code: str = Field(examples=["enquiry"])
    name: Names
    path: str = Field(description="its records stand at /services/{code of the service}/{path}", examples=["enquiries"])
    states: list[ServiceState]
    moves: list[ServiceMove]

    @classmethod
    def of(cls, service: str, cycle: Machine) -> ServiceLifecycle:
        states = [ServiceState(code=one.code, name=Names(zh=one.names.zh, en=one.names.en)) for one in cycle.states]
        moves = [
            ServiceMove(
                action=one.action,
                name=Names(zh=one.names.zh, en=one.names.en),
                sources=sorted(one.sources),
                target=one.target,
                roles=sorted(one.roles),
            )
            for one in cycle.moves
        ]
        names = Names(zh=cycle.names.zh, en=cycle.names.en)
        return cls(code=cycle.code, name=names, path=KINDS[service, cycle.code].path, states=states, moves=moves)


class SmartCareService(BaseModel):
    """One of the eleven services; `states` are those of its main record, `lifecycles` has all kinds of records."""

    code: str = Field(examples=["information"])
    name: Names
    group: str = Field(examples=["information"])
    group_name: Names
    states: list[ServiceState]
    lifecycles: list[ServiceLifecycle]
    clause: str = Field(examples=["专栏6-5"], description="where the regional plan asks for it")
    named_in_plan: bool = Field(description="one of the five that the plan names; the others are derived from it")

    @classmethod
    def of(cls, service: CareService) -> SmartCareService:
        group = GROUPS[service.group]
        cycles = [ServiceLifecycle.of(service.code, cycle) for cycle in service.lifecycles]
        return cls(
            code=service.code,
            name=Names(zh=service.names.zh, en=service.names.en),
            group=service.group,
            group_name=Names(zh=group.zh, en=group.en),
            states=cycles[0].states,
            lifecycles=cycles,
            clause=service.clause,
            named_in_plan=service.named_in_plan,
        )


class ServiceList(BaseModel):
    """All eleven."""

    items: list[SmartCareService]
    next: None = None


class WorkCount(BaseModel):
    """Records of one kind in one state."""

    kind: str = Field(examples=["order"])
    state: str = Field(examples=["requested"])
    records: int
    overdue: int


class WorkCounts(BaseModel):
    """What is under way in one service."""

    items: list[WorkCount]
    next: None = None


class AgendaItem(BaseModel):
    """One record of any service, as a list of the day's work shows it."""

    id: UUID
    service: str = Field(examples=["goods"])
    kind: str = Field(examples=["order"])
    kind_name: Names
    path: str = Field(
        description="stands at /services/{service}/{path}/{id}, or /institution/{path}/{id}",
        examples=["orders"],
    )
    state: str = Field(examples=["placed"])
    state_name: Names
    final: bool
    title: str
    resident_id: UUID | None
    resident_name: str | None = Field(examples=["王秀英"])
    resident_place: str | None = Field(examples=["1号楼 2层 203室"])
    starts_at: datetime | None
    ends_at: datetime | None
    due_at: datetime | None

    @classmethod
    def of(cls, row: dict[str, Any]) -> AgendaItem:
        kind = KINDS[row["service"], row["kind"]]
        state = kind.machine.name_of(row["state"])
        return cls(
            kind_name=Names(zh=kind.names.zh, en=kind.names.en),
            path=kind.path,
            state_name=Names(zh=state.zh, en=state.en),
            **row,
        )
