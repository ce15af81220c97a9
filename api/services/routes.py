"""Routes of the catalogue of services."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from api.deps import API, EVERYONE, require
from api.services.catalogue import BY_CODE, SERVICES
from api.services.schemas import ServiceList, SmartCareService
from core.errors import NotFound

router = APIRouter(prefix=f"{API}/services", tags=["services"])


@router.get("", summary="十一项服务 · The eleven services", dependencies=[require(*EVERYONE)])
async def list_services() -> ServiceList:
    """Codes, names, groups, states and the clause that each stands on."""
    return ServiceList(items=[SmartCareService.of(service) for service in SERVICES])


@router.get("/{code}", summary="服务详情 · One service", dependencies=[require(*EVERYONE)])
async def get_service(code: Annotated[str, Path(pattern=r"^[a-z-]{1,32}$", examples=["rescue"])]) -> SmartCareService:
    """One of the eleven."""
    service = BY_CODE.get(code)
    if service is None:
        raise NotFound("there is no such service")
    return SmartCareService.of(service)
