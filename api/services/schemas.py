"""Bodies about the eleven services."""

from __future__ import annotations

from pydantic import BaseModel, Field

from api.schemas import Names
from api.services.catalogue import GROUPS, CareService, Lifecycle


class ServiceState(BaseModel):
    """A state of a record."""

    code: str = Field(examples=["received"])
    name: Names


class ServiceLifecycle(BaseModel):
    """How one kind of record goes on."""

    code: str = Field(examples=["enquiry"])
    name: Names
    states: list[ServiceState]

    @classmethod
    def of(cls, cycle: Lifecycle) -> ServiceLifecycle:
        states = [ServiceState(code=one.code, name=Names(zh=one.names.zh, en=one.names.en)) for one in cycle.states]
        return cls(code=cycle.code, name=Names(zh=cycle.names.zh, en=cycle.names.en), states=states)


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
        cycles = [ServiceLifecycle.of(cycle) for cycle in service.lifecycles]
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
