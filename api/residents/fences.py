"""Safe areas of one person: circles and polygons enter, what is in force leaves; leaving them opens an alert.

The detectors take a new area up at once. One that is taken away stays as a record with its end.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from psycopg.types.json import Jsonb
from pydantic import BaseModel, Field, StringConstraints, model_validator

from api.deps import API, STAFF, Audit, Caller, Tx, require
from api.schemas import Input, Storable
from api.state import State
from core.errors import BadInput, NotFound
from core.ids import new_id

router = APIRouter(prefix=f"{API}/residents", tags=["residents"])

FENCES_MAX = 20
"""So many safe areas of one person are in force at once, at most."""

FenceName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), Storable]
LATITUDE_MAX, LONGITUDE_MAX = 89, 180
# A list, not a tuple: OpenAPI tools do not all know tuples.
Corner = Annotated[list[Annotated[float, Field(allow_inf_nan=False)]], Field(min_length=2, max_length=2)]
TimeOfDay = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class FenceIn(Input):
    """One corner and a radius make a circle, three or more corners a polygon."""

    name: FenceName = Field(examples=["小区"])
    corners: list[Corner] = Field(
        min_length=1, max_length=64, examples=[[[29.563, 106.551]]], description="latitude and longitude, degrees"
    )
    radius_m: float = Field(default=0, ge=0, le=50_000, allow_inf_nan=False, examples=[300])
    from_time: TimeOfDay = Field(default="00:00", examples=["20:00"], description="in force from, local time")
    to_time: TimeOfDay = Field(default="00:00", examples=["06:00"], description="until; equal to from_time: always")

    @model_validator(mode="after")
    def _has_an_area(self) -> FenceIn:
        if any(abs(latitude) > LATITUDE_MAX or abs(longitude) > LONGITUDE_MAX for latitude, longitude in self.corners):
            raise ValueError(f"latitudes lie within {LATITUDE_MAX} degrees, longitudes within {LONGITUDE_MAX}")
        if len(self.corners) == 1 and self.radius_m < 20:
            raise ValueError("a circle needs a radius of at least 20 m")
        if len(self.corners) == 2 or (len(self.corners) > 2 and len(set(map(tuple, self.corners))) < 3):
            raise ValueError("a polygon needs three different corners")
        if len(self.corners) > 2 and self.radius_m:
            raise ValueError("a polygon has no radius")
        return self


class Fence(BaseModel):
    """A safe area in force."""

    id: UUID
    name: str = Field(examples=["小区"])
    corners: list[Corner]
    radius_m: float = Field(examples=[300])
    from_time: str = Field(examples=["20:00"])
    to_time: str = Field(examples=["06:00"])
    author: str = Field(examples=["王护士"])
    valid_from: datetime


class FenceList(BaseModel):
    """The safe areas in force, newest first."""

    items: list[Fence]
    next: None = None


@router.get("/{resident_id}/fences", summary="电子围栏 · Safe areas", dependencies=[require(*STAFF)])
def list_fences(resident_id: UUID, tx: Tx, audit: Audit) -> FenceList:
    """A person with safe areas is missed when outside all of those in force at that hour."""
    tx.one("residents.exists", resident=resident_id)
    audit.record("read_fences", "resident", resident_id)
    return FenceList(items=[_view(row) for row in tx.all("fences.list", resident=resident_id)])


@router.post(
    "/{resident_id}/fences", summary="新增电子围栏 · Add a safe area", status_code=201, dependencies=[require(*STAFF)]
)
def add_fence(resident_id: UUID, body: FenceIn, caller: Caller, tx: Tx, state: State, audit: Audit) -> Fence:
    """Taken up by the detectors at once; alarms two fixes after the person is surely outside."""
    tx.one("residents.exists", resident=resident_id)
    if tx.one("fences.count", resident=resident_id)["n"] >= FENCES_MAX:
        raise BadInput(f"{FENCES_MAX} safe areas are in force already")
    fence = new_id(state.clock)
    tx.run(
        "fences.insert",
        id=fence,
        tenant=caller.tenant,
        resident=resident_id,
        name=body.name,
        corners=Jsonb([list(corner) for corner in body.corners]),
        radius_m=body.radius_m,
        from_minute=_minute(body.from_time),
        to_minute=_minute(body.to_time),
        author=caller.id,
        now=state.clock.now(),
    )
    tx.first("fences.tell")
    audit.record("add_fence", "resident", resident_id, fence=str(fence))
    rows = tx.all("fences.list", resident=resident_id)
    return next(_view(row) for row in rows if row["id"] == fence)


@router.delete(
    "/{resident_id}/fences/{fence_id}",
    summary="撤销电子围栏 · Take a safe area away",
    status_code=204,
    dependencies=[require(*STAFF)],
)
def end_fence(resident_id: UUID, fence_id: UUID, tx: Tx, state: State, audit: Audit) -> None:
    """From now on it does not count; the record stays."""
    tx.one("residents.exists", resident=resident_id)
    if not tx.run("fences.end", resident=resident_id, id=fence_id, now=state.clock.now()):
        raise NotFound("no such safe area is in force")
    tx.first("fences.tell")
    audit.record("end_fence", "resident", resident_id, fence=str(fence_id))


def _minute(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


def _view(row: dict[str, object]) -> Fence:
    times = {name: int(str(row[f"{name}_minute"])) for name in ("from", "to")}
    shown = {f"{name}_time": f"{minute // 60:02}:{minute % 60:02}" for name, minute in times.items()}
    return Fence.model_validate({**row, **shown})
