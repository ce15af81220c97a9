"""Routes of what was heard behind gateways, and of saying which registered device each of it is."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from api.deps import API, STAFF, Audit, Caller, Tx, require
from api.paging import LIMIT_DEFAULT, Cursor, Limit, Page, cursor_number, decode_cursor, page
from api.schemas import Input, ShortText
from core.ids import DEVICE_PATTERN
from core.vocabulary import Role
from devices import foreign

router = APIRouter(prefix=API, tags=["devices"])

Action = Literal["single", "double", "triple", "many", "hold", "sos"]
DiscoveredId = Annotated[int, Path(ge=1, le=2**62, description="发现编号 · the number in the list")]


class Discovered(BaseModel):
    """A device behind a gateway, in its own system's words."""

    id: int = Field(examples=[17])
    gateway: str = Field(examples=["gw-01"])
    adapter: str = Field(examples=["zigbee2mqtt"])
    native_id: str = Field(examples=["kitchen/smoke"])
    facts: dict[str, str] = Field(examples=[{"vendor": "HEIMAN", "model": "HS1SA"}])
    suggested_kind: str = Field(examples=["smoke"])
    device: str | None = Field(description="the registered device that this is, once somebody said so")
    sos_actions: list[str] | None
    link_quality: float | None
    samples_unmapped: int = Field(description="what it said while nobody had mapped it, and was not stored")
    first_seen: datetime
    last_seen: datetime


class DiscoveredPage(Page[Discovered]):
    """In the order of their first hearing."""


class MapRequest(Input):
    """Which registered device this is."""

    device: str = Field(pattern=f"^{DEVICE_PATTERN}$", examples=["smoke-0001"])
    sos_actions: list[Action] | None = Field(
        default=None, max_length=6, description="uses of a button that call for help; by the device's kind unless given"
    )


@router.get("/devices/discovered", summary="网关下发现的设备 · Discovered devices", dependencies=[require(*STAFF)])
def list_discovered(
    tx: Tx,
    caller: Caller,
    mapped: Annotated[bool | None, Query(description="only those with, or without, a registered device")] = None,
    gateway: Annotated[ShortText | None, Query(description="behind this gateway")] = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> DiscoveredPage:
    """What speaks behind the institution's gateways."""
    (after,) = decode_cursor(cursor, cursor_number)
    rows = foreign.list_devices(
        tx, institution=caller.tenant, mapped=mapped, gateway=gateway, after=after or 0, limit=limit + 1
    )
    shown, following = page(rows, limit, lambda row: (row["id"],))
    return DiscoveredPage(items=[_view(row) for row in shown], next=following)


@router.post(
    "/devices/discovered/{discovered_id}/map",
    summary="认领设备 · Map a discovered device",
    dependencies=[require(Role.ADMIN)],
)
def map_discovered(discovered_id: DiscoveredId, body: MapRequest, caller: Caller, tx: Tx, audit: Audit) -> Discovered:
    """From then on what it says is stored under the registered device."""
    row = foreign.map_device(
        tx,
        foreign_id=discovered_id,
        device=body.device,
        sos_actions=body.sos_actions,
        institution=caller.tenant,
    )
    audit.record("map", "device", body.device, native_id=row["native_id"], gateway=row["gateway"])
    return _view(row)


@router.post(
    "/devices/discovered/{discovered_id}/unmap",
    summary="取消认领 · Unmap a discovered device",
    dependencies=[require(Role.ADMIN)],
)
def unmap_discovered(discovered_id: DiscoveredId, caller: Caller, tx: Tx, audit: Audit) -> Discovered:
    """What it says from then on is counted and not stored."""
    was = foreign.get_device(tx, discovered_id, institution=caller.tenant)
    row = foreign.unmap_device(tx, foreign_id=discovered_id, institution=caller.tenant)
    audit.record("unmap", "device", was["device"] or "", native_id=row["native_id"], gateway=row["gateway"])
    return _view(row)


def _view(row: dict[str, Any]) -> Discovered:
    return Discovered(**{name: row[name] for name in Discovered.model_fields})
