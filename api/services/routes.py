"""Routes of the catalogue of services."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from api.deps import API, EVERYONE, STAFF, Tx, require
from api.services.catalogue import BY_CODE, SERVICES, CareService
from api.services.schemas import ServiceList, SmartCareService, WorkCount, WorkCounts
from api.state import State
from core.errors import NotFound

router = APIRouter(prefix=f"{API}/services", tags=["services"])
Code = Annotated[str, Path(pattern=r"^[a-z-]{1,32}$", examples=["rescue"])]


@router.get("", summary="十一项服务 · The eleven services", dependencies=[require(*EVERYONE)])
async def list_services() -> ServiceList:
    """Codes, names, groups, states and the clause that each stands on."""
    return ServiceList(items=[SmartCareService.of(service) for service in SERVICES])


@router.get("/{code}", summary="服务详情 · One service", dependencies=[require(*EVERYONE)])
async def get_service(code: Code) -> SmartCareService:
    """One of the eleven."""
    return SmartCareService.of(_service(code))


@router.get("/{code}/counts", summary="办理情况 · How much is under way", dependencies=[require(*STAFF)])
def count_records(code: Code, tx: Tx, state: State) -> WorkCounts:
    """How many records stand in each state, and how many of them are overdue."""
    service = _service(code)
    rows = tx.all("records.counts", service=service.code, now=state.clock.now())
    return WorkCounts(items=[WorkCount(**row) for row in rows])


def _service(code: str) -> CareService:
    service = BY_CODE.get(code)
    if service is None:
        raise NotFound("there is no such service")
    return service
