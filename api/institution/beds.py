"""Routes of rooms and beds: what the house has enters, who lies where and what is free leaves."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from api.deps import API, STAFF, Audit, Caller, Tx, require
from api.institution.keeping import answer_created, row_id
from api.paging import LIMIT_DEFAULT, Cursor, Limit, Page, cursor_id, cursor_time, decode_cursor, page
from api.residents.routes import IdempotencyKey
from api.schemas import Input, Name, Names, ShortText
from api.services.engine.kind import Reason
from api.state import State
from api.versions import IfMatch, check_version, etag
from core.errors import BadInput, Conflict
from core.vocabulary import Role

router = APIRouter(prefix=f"{API}/institution", tags=["institution"])

BedType = Literal["total_care", "nursing", "ordinary", "home"]
BED_TYPES: Final[dict[str, Names]] = {
    "total_care": Names(zh="全失能护理床位", en="Total care"),
    "nursing": Names(zh="护理型床位", en="Nursing"),
    "ordinary": Names(zh="普通床位", en="Ordinary"),
    "home": Names(zh="家庭照护床位", en="At home"),
}
"""Total care and nursing together are the nursing beds (护理型) of the plan; a bed at home is no bed of the house."""


class RoomIn(Input):
    """A room."""

    building: ShortText = Field(default="", examples=["1"])
    floor: ShortText = Field(default="", examples=["2"])
    name: Name = Field(examples=["208"])
    facility_id: UUID | None = Field(default=None, description="left out: the house's only facility")
    note: ShortText = ""


class Room(BaseModel):
    """A room with how many beds it has in service and how many of them are taken."""

    id: UUID
    building: str = Field(examples=["1"])
    floor: str = Field(examples=["2"])
    name: str = Field(examples=["208"])
    facility_id: UUID | None
    note: str
    beds: int = Field(examples=[2])
    taken: int = Field(examples=[1])
    version: int
    created_at: datetime


class Floor(BaseModel):
    """A floor of a building, added up."""

    building: str = Field(examples=["1"])
    floor: str = Field(examples=["2"])
    rooms: int = Field(examples=[12])
    beds: int = Field(examples=[24])
    taken: int = Field(examples=[21])


class FloorList(BaseModel):
    """Every floor of every building."""

    items: list[Floor]
    next: None = None


class BedIn(Input):
    """A bed; one at home has no room."""

    room_id: UUID | None = None
    label: Name = Field(examples=["208-1"])
    type: BedType = Field(examples=["nursing"])


class BedChange(Input):
    """What may change of a bed."""

    label: Name = Field(examples=["208-1"])
    type: BedType = Field(examples=["nursing"])


class Bed(BaseModel):
    """A bed, and who has it now."""

    id: UUID
    room_id: UUID | None
    building: str | None
    floor: str | None
    room: str | None
    label: str = Field(examples=["208-1"])
    type: str = Field(examples=["nursing"])
    type_name: Names
    closed_at: datetime | None
    closed_reason: str
    resident_id: UUID | None
    resident_name: str | None = Field(examples=["赵桂兰"])
    reserved: bool | None = Field(description="kept for somebody who has not come yet")
    version: int
    created_at: datetime


class BedUse(BaseModel):
    """Somebody had the bed."""

    id: UUID
    resident_id: UUID
    resident_name: str
    stay_id: UUID
    reserved: bool
    used_from: datetime
    used_to: datetime | None


class Occupancy(BaseModel):
    """Beds of one type."""

    type: str = Field(examples=["nursing"])
    type_name: Names
    beds: int = Field(description="in service", examples=[80])
    occupied: int = Field(examples=[71])
    reserved: int = Field(examples=[2])
    free: int = Field(examples=[7])


class OccupancyList(BaseModel):
    """How full the house is, by type."""

    items: list[Occupancy]
    next: None = None


@router.get("/floors", summary="楼栋与楼层 · Buildings and floors", dependencies=[require(*STAFF)])
def list_floors(tx: Tx) -> FloorList:
    """Rooms, beds in service and taken ones, added up from the rooms."""
    return FloorList(items=[Floor(**row) for row in tx.all("house.floors")])


@router.get("/rooms", summary="房间列表 · Rooms", dependencies=[require(*STAFF)])
def list_rooms(
    tx: Tx,
    building: Annotated[ShortText | None, Query(examples=["1"])] = None,
    floor: Annotated[ShortText | None, Query(examples=["2"])] = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> Page[Room]:
    """By when they were entered."""
    after, after_id = decode_cursor(cursor, cursor_time, cursor_id)
    rows = tx.all(
        "house.rooms", id=None, building=building, floor=floor, after=after, after_id=after_id, limit=limit + 1
    )
    shown, following = page(rows, limit, lambda row: (row["created_at"], row["id"]))
    return Page[Room](items=[Room(**row) for row in shown], next=following)


@router.post(
    "/rooms",
    summary="登记房间 · Add a room",
    status_code=201,
    responses={200: {"model": Room, "description": "made before, by the same Idempotency-Key"}},
    dependencies=[require(Role.ADMIN)],
)
def create_room(
    body: RoomIn, caller: Caller, tx: Tx, state: State, audit: Audit, response: Response,
    idempotency_key: IdempotencyKey = None,
) -> Room:  # fmt: skip
    """A room's name is unique on its floor."""
    room = row_id(state.clock, caller, "room", idempotency_key)
    _check_facility(tx, body.facility_id)
    made = tx.run("house.add_room", id=room, tenant=caller.tenant, now=state.clock.now(), **body.model_dump())
    if made:
        audit.record("create", "room", room)
    row = _room(tx, room)
    answer_created(response, row, body, made=bool(made))
    return Room(**row)


@router.put("/rooms/{room_id}", summary="修改房间 · Change a room", dependencies=[require(Role.ADMIN)])
def change_room(
    room_id: UUID, body: RoomIn, tx: Tx, state: State, audit: Audit, response: Response, if_match: IfMatch = None
) -> Room:
    """Residents keep the place that was written when they moved in."""
    check_version(if_match, tx.one("house.lock_room", id=room_id)["version"])
    _check_facility(tx, body.facility_id)
    tx.run("house.change_room", id=room_id, now=state.clock.now(), **body.model_dump())
    audit.record("update", "room", room_id)
    row = _room(tx, room_id)
    response.headers["ETag"] = etag(row["version"])
    return Room(**row)


@router.get("/beds", summary="床位列表 · Beds", dependencies=[require(*STAFF)])
def list_beds(
    tx: Tx,
    audit: Audit,
    type_: Annotated[BedType | None, Query(alias="type")] = None,
    room: Annotated[UUID | None, Query()] = None,
    free: Annotated[bool | None, Query(description="true: in service and nobody's; false: somebody's")] = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> Page[Bed]:
    """With who has them now."""
    after, after_id = decode_cursor(cursor, cursor_time, cursor_id)
    rows = tx.all(
        "house.beds", id=None, type=type_, room=room, free=free, after=after, after_id=after_id, limit=limit + 1
    )
    shown, following = page(rows, limit, lambda row: (row["created_at"], row["id"]))
    audit.record("list", "bed", "", residents=[str(row["resident_id"]) for row in shown if row["resident_id"]])
    return Page[Bed](items=[_bed_view(row) for row in shown], next=following)


@router.get("/beds/occupancy", summary="床位使用情况 · Occupancy", dependencies=[require(*STAFF)])
def bed_occupancy(tx: Tx) -> OccupancyList:
    """Beds in service by type: occupied, reserved, free."""
    rows = {row["type"]: row for row in tx.all("house.occupancy")}
    nothing = {"beds": 0, "occupied": 0, "reserved": 0}
    items = []
    for code, names in BED_TYPES.items():
        one = {**nothing, **rows.get(code, {})}
        free = one["beds"] - one["occupied"] - one["reserved"]
        items.append(Occupancy(**{**one, "type": code, "type_name": names, "free": free}))
    return OccupancyList(items=items)


@router.post(
    "/beds",
    summary="登记床位 · Add a bed",
    status_code=201,
    responses={200: {"model": Bed, "description": "made before, by the same Idempotency-Key"}},
    dependencies=[require(Role.ADMIN)],
)
def create_bed(
    body: BedIn, caller: Caller, tx: Tx, state: State, audit: Audit, response: Response,
    idempotency_key: IdempotencyKey = None,
) -> Bed:  # fmt: skip
    """In a room of the house, or at somebody's home."""
    if (body.room_id is None) != (body.type == "home"):
        raise BadInput("a bed of the house stands in a room, a bed at home in none")
    if body.room_id is not None:
        tx.one("house.lock_room", id=body.room_id)
    bed = row_id(state.clock, caller, "bed", idempotency_key)
    made = tx.run("house.add_bed", id=bed, tenant=caller.tenant, now=state.clock.now(), **body.model_dump())
    if made:
        audit.record("create", "bed", bed)
    row = _bed(tx, bed)
    answer_created(response, row, body, made=bool(made))
    return _bed_view(row)


@router.get("/beds/{bed_id}", summary="床位详情 · One bed", dependencies=[require(*STAFF)])
def get_bed(bed_id: UUID, tx: Tx, audit: Audit, response: Response) -> Bed:
    """With who has it now."""
    row = _bed(tx, bed_id)
    audit.record("read", "bed", bed_id)
    response.headers["ETag"] = etag(row["version"])
    return _bed_view(row)


@router.put("/beds/{bed_id}", summary="修改床位 · Change a bed", dependencies=[require(Role.ADMIN)])
def change_bed(
    bed_id: UUID, body: BedChange, tx: Tx, state: State, audit: Audit, response: Response, if_match: IfMatch = None
) -> Bed:
    """Its type is what the share of nursing beds is counted from; one at home stays at home."""
    found = tx.one("house.lock_bed", id=bed_id)
    check_version(if_match, found["version"])
    if (found["type"] == "home") != (body.type == "home"):
        raise BadInput("a bed of the house does not become one at home, nor the other way round")
    tx.run("house.change_bed", id=bed_id, now=state.clock.now(), **body.model_dump())
    audit.record("update", "bed", bed_id, type=body.type)
    row = _bed(tx, bed_id)
    response.headers["ETag"] = etag(row["version"])
    return _bed_view(row)


@router.post("/beds/{bed_id}/close", summary="停用床位 · Out of service", dependencies=[require(Role.ADMIN)])
def close_bed(bed_id: UUID, body: Reason, tx: Tx, state: State, audit: Audit) -> Bed:
    """Nobody gets it from now on; one that somebody has cannot be closed."""
    row = _locked(tx, bed_id)
    if row["resident_id"]:
        raise Conflict("somebody has this bed; they move or leave first")
    tx.run("house.close_bed", id=bed_id, at=state.clock.now(), reason=body.reason[:500], now=state.clock.now())
    audit.record("close", "bed", bed_id)
    return _bed_view(_bed(tx, bed_id))


@router.post("/beds/{bed_id}/reopen", summary="启用床位 · Back in service", dependencies=[require(Role.ADMIN)])
def reopen_bed(bed_id: UUID, tx: Tx, state: State, audit: Audit) -> Bed:
    """It may be given again."""
    _locked(tx, bed_id)
    tx.run("house.close_bed", id=bed_id, at=None, reason="", now=state.clock.now())
    audit.record("reopen", "bed", bed_id)
    return _bed_view(_bed(tx, bed_id))


@router.get("/beds/{bed_id}/uses", summary="床位使用记录 · Who had it", dependencies=[require(*STAFF)])
def list_bed_uses(
    bed_id: UUID, tx: Tx, audit: Audit, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None
) -> Page[BedUse]:
    """Newest first."""
    _bed(tx, bed_id)
    before, before_id = decode_cursor(cursor, cursor_time, cursor_id)
    rows = tx.all("house.bed_uses", bed=bed_id, before=before, before_id=before_id, limit=limit + 1)
    shown, following = page(rows, limit, lambda row: (row["used_from"], row["id"]))
    audit.record("list", "bed_use", bed_id, residents=[str(row["resident_id"]) for row in shown])
    return Page[BedUse](items=[BedUse(**row) for row in shown], next=following)


def _room(tx: Tx, room: UUID) -> dict[str, Any]:
    return tx.one("house.rooms", id=room, building=None, floor=None, after=None, after_id=None, limit=1)


def _bed(tx: Tx, bed: UUID) -> dict[str, Any]:
    return tx.one("house.beds", id=bed, type=None, room=None, free=None, after=None, after_id=None, limit=1)


def _locked(tx: Tx, bed: UUID) -> dict[str, Any]:
    tx.one("house.lock_bed", id=bed)
    return _bed(tx, bed)


def _bed_view(row: dict[str, Any]) -> Bed:
    return Bed(**row, type_name=BED_TYPES[row["type"]])


def _check_facility(tx: Tx, facility: UUID | None) -> None:
    if facility is not None and tx.first("house.facility", id=facility) is None:
        raise BadInput("there is no such facility")
