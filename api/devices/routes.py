"""Routes of devices: registration, binding, credentials, commands, health, refused input."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from api.deps import API, STAFF, Audit, Caller, Tx, require
from api.devices.health import health_of, silent
from api.devices.schemas import (
    BindRequest,
    CommandPage,
    CommandRequest,
    Credentials,
    Device,
    DeviceCommand,
    DeviceCreate,
    DeviceCreated,
    DeviceHealth,
    DeviceKind,
    DevicePage,
    Rejection,
    RejectionPage,
    Replayed,
    ReplayIn,
    UnbindRequest,
)
from api.paging import LIMIT_DEFAULT, Cursor, Limit, cursor_id, cursor_number, cursor_time, decode_cursor, page
from api.schemas import DevicePath, Names, ShortText
from api.state import State
from core.errors import Conflict, NotFound
from core.vocabulary import DEVICE_KINDS, Role
from db.tenant import Transaction
from devices import commands, registry

router = APIRouter(prefix=API, tags=["devices"])

REPLAY_MAX = 500


def _view(row: dict[str, Any], now: datetime) -> Device:
    names = DEVICE_KINDS.get(row["kind"], DEVICE_KINDS["other"])
    return Device(
        **{field: row[field] for field in Device.model_fields if field in row and field not in ("online", "room")},
        kind_name=Names(zh=names.zh, en=names.en),
        room=row["room"] or "",
        online=bool(row["online"]),
        silent=silent(row, now),
    )


def _device(tx: Transaction, device: str) -> dict[str, Any]:
    row = tx.first("devices.get", id=device)
    if row is None:
        raise NotFound("there is no such device")
    return row


def _active(tx: Transaction, device: str) -> dict[str, Any]:
    row = _device(tx, device)
    if row["retired_at"] is not None:
        raise Conflict("the device is retired")
    return row


@router.get("/devices", summary="设备列表 · List devices", dependencies=[require(*STAFF)])
def list_devices(
    tx: Tx,
    state: State,
    kind: Annotated[DeviceKind | None, Query()] = None,
    resident: Annotated[UUID | None, Query(description="bound to this resident now")] = None,
    q: Annotated[ShortText | None, Query(description="part of id, name or model")] = None,
    retired: Annotated[bool, Query(description="with devices out of service")] = False,  # noqa: FBT002 -- a query parameter: always named
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> DevicePage:
    """The institution's devices with whom they serve now."""
    (after,) = decode_cursor(cursor, cursor_number)
    rows = tx.all(
        "devices.list", after=-1 if after is None else after, kind=kind, resident=resident, q=q, retired=retired,
        limit=limit + 1,
    )  # fmt: skip
    shown, following = page(rows, limit, lambda row: (row["key"],))
    now = state.clock.now()
    return DevicePage(items=[_view(row, now) for row in shown], next=following)


@router.post("/devices", summary="登记设备 · Register a device", status_code=201, dependencies=[require(Role.ADMIN)])
def create_device(body: DeviceCreate, caller: Caller, tx: Tx, state: State, audit: Audit) -> DeviceCreated:
    """The answer holds the broker account; its password is shown this once."""
    made = registry.register(
        tx,
        state.clock,
        device_key=state.settings.require_device_key(),
        institution_id=caller.tenant,
        site=caller.site or "",
        id=body.id,
        kind=body.kind.value,
        model=body.model,
        name=body.name,
        supervision_seconds=body.supervision_seconds,
        position=body.position,
    )
    audit.record("create", "device", body.id, kind=body.kind.value)
    device = _view(_device(tx, body.id), state.clock.now())
    credentials = Credentials(username=made.username, password=made.password)
    return DeviceCreated(**device.model_dump(), credentials=credentials)


@router.get("/devices/{device_id}", summary="设备详情 · One device", dependencies=[require(*STAFF)])
def get_device(device_id: DevicePath, tx: Tx, state: State) -> Device:
    """The device and whom it serves now."""
    return _view(_device(tx, device_id), state.clock.now())


@router.post("/devices/{device_id}/bind", summary="绑定设备 · Bind a device", dependencies=[require(*STAFF)])
def bind_device(device_id: DevicePath, body: BindRequest, caller: Caller, tx: Tx, state: State, audit: Audit) -> Device:
    """From then on the device's readings belong to this resident or room."""
    row = _active(tx, device_id)
    registry.bind(
        tx,
        state.clock,
        institution_id=caller.tenant,
        device_key=row["key"],
        resident_id=body.resident_id,
        room=body.room,
        at=body.at,
    )
    audit.record("bind", "device", device_id, resident=str(body.resident_id or ""), room=body.room)
    return _view(_device(tx, device_id), state.clock.now())


@router.post("/devices/{device_id}/unbind", summary="解绑设备 · Unbind a device", dependencies=[require(*STAFF)])
def unbind_device(
    device_id: DevicePath, tx: Tx, state: State, audit: Audit, body: UnbindRequest | None = None
) -> Device:
    """What it measures from then on belongs to nobody; what it measured stays with whom it served."""
    row = _device(tx, device_id)
    registry.unbind(tx, state.clock, device_key=row["key"], at=body.at if body else None)
    audit.record("unbind", "device", device_id, resident=str(row["resident_id"] or ""), room=row["room"] or "")
    return _view(_device(tx, device_id), state.clock.now())


@router.post(
    "/devices/{device_id}/rotate-credentials",
    summary="更换设备密码 · New credentials",
    dependencies=[require(Role.ADMIN)],
)
def rotate_credentials(device_id: DevicePath, caller: Caller, tx: Tx, state: State, audit: Audit) -> Credentials:
    """A new password, shown this once; the old one ends as soon as the broker has the new accounts."""
    _active(tx, device_id)
    made = registry.rotate(
        tx, state.clock, device_key=state.settings.require_device_key(), site=caller.site or "", id=device_id
    )
    audit.record("rotate_credentials", "device", device_id)
    return Credentials(username=made.username, password=made.password)


@router.post("/devices/{device_id}/retire", summary="设备报废 · Retire a device", dependencies=[require(Role.ADMIN)])
def retire_device(device_id: DevicePath, tx: Tx, state: State, audit: Audit) -> Device:
    """Takes it out of service for good: unbound, its account ended, its records kept."""
    registry.retire(tx, state.clock, device_key=_device(tx, device_id)["key"])
    audit.record("retire", "device", device_id)
    return _view(_device(tx, device_id), state.clock.now())


@router.get("/devices/{device_id}/commands", summary="命令记录 · Commands", dependencies=[require(*STAFF)])
def list_commands(device_id: DevicePath, tx: Tx, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None) -> CommandPage:
    """What was asked of the device and what became of it."""
    before, before_id = decode_cursor(cursor, cursor_time, cursor_id)
    key = _device(tx, device_id)["key"]
    rows = tx.all("devices.list_commands", key=key, before=before, before_id=before_id, limit=limit + 1)
    shown, following = page(rows, limit, lambda row: (row["requested_at"], row["id"]))
    return CommandPage(items=[DeviceCommand(**row) for row in shown], next=following)


@router.post(
    "/devices/{device_id}/commands",
    summary="下发命令 · Send a command",
    status_code=202,
    dependencies=[require(*STAFF)],
)
def send_command(
    device_id: DevicePath, body: CommandRequest, caller: Caller, tx: Tx, state: State, audit: Audit
) -> DeviceCommand:
    """Accepted here, sent by ingest; its state tells how far it has come."""
    command = commands.request(
        tx,
        state.clock,
        institution_id=caller.tenant,
        device_key=_active(tx, device_id)["key"],
        type=body.type,
        args=body.args,
        requested_by=caller.id,
        expires_in_seconds=body.expires_in_seconds,
    )
    audit.record("command", "device", device_id, command=str(command), type=body.type)
    return DeviceCommand(**tx.one("devices.get_command", id=command))


@router.get("/devices/{device_id}/health", summary="设备健康 · Device health", dependencies=[require(*STAFF)])
def get_health(device_id: DevicePath, tx: Tx, state: State) -> DeviceHealth:
    """Whether the device and each of its sensors is heard, its battery, and what it speaks through. No vital values."""
    return health_of(tx, _device(tx, device_id), state.clock.now())


@router.get("/rejections", summary="被拒收的消息 · Refused messages", dependencies=[require(Role.ADMIN)])
def list_rejections(
    tx: Tx,
    audit: Audit,
    device: Annotated[ShortText | None, Query()] = None,
    reason: Annotated[ShortText | None, Query()] = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> RejectionPage:
    """Messages of the institution's devices that could not be used; payloads may hold health data, so reads count."""
    (before,) = decode_cursor(cursor, cursor_number)
    rows = tx.all("devices.list_rejections", before=before, device=device, reason=reason, limit=limit + 1)
    shown, following = page(rows, limit, lambda row: (row["id"],))
    audit.record("list", "rejection")
    return RejectionPage(items=[_rejection(row) for row in shown], next=following)


@router.post(
    "/rejections/replay",
    summary="重新处理被拒收的消息 · Try refused messages again",
    status_code=202,
    dependencies=[require(Role.ADMIN)],
)
def replay_rejections(body: ReplayIn, tx: Tx, state: State, audit: Audit) -> Replayed:
    """After the cause was mended (the device registered, say). At most 500 a call, oldest first, each message once.

    They take the same way as before, under the time they were first received; what fails again is a new rejection.
    """
    done = tx.one("devices.replay_rejections", now=state.clock.now(), limit=REPLAY_MAX, **body.model_dump())["n"]
    audit.record("replay", "rejection", count=done)
    return Replayed(replayed=done)


def _rejection(row: dict[str, Any]) -> Rejection:
    raw = bytes(row["payload"])
    shown: dict[str, Any]
    try:
        shown = {"payload": raw.decode(), "payload_encoding": "text"}
    except UnicodeDecodeError:
        shown = {"payload": base64.b64encode(raw).decode(), "payload_encoding": "base64"}
    return Rejection(**{**row, **shown})
