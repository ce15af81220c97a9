"""Faults of safety devices against the clock, rounds by day and night, cameras: declared words enter, kinds leave."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Final, Literal

from pydantic import BaseModel, Field

from api.schemas import DeviceCode, Input, Instant, Name, ShortText, Storable
from api.services.engine import orders
from api.services.engine.kind import Note, Reason, RecordKind, Step, Text
from api.services.engine.machine import ADMIN, PROVIDER, SAME, STAFF, machine, move
from core.errors import BadInput, Conflict
from core.vocabulary import Role

Words = Annotated[str, Field(max_length=2000), Storable]
REPAIR_HOURS: Final = 2
"""养老服务智能化系统技术标准 10.3: what is not repaired in two hours needs a substitute or people in its place."""


class FaultIn(Input):
    """A device that residents rely on does not work."""

    device: DeviceCode = Field(examples=["sos-203"])
    fault: Text = Field(examples=["按键无反应"])


class SendTo(orders.Assign):
    """Who repairs it."""


class Cover(Input):
    """What stands in until it works again."""

    cover: Text = Field(examples=["更换备用呼叫器 sos-901，加派每小时巡视"])


class Repair(Input):
    """What was done, and that it was tried."""

    done: Words = Field(examples=["更换电池触点"])
    tested: Literal[True] = Field(description="tried out, and it works")


class FaultDetail(BaseModel):
    """A fault with its clock."""

    device: str
    fault: str
    resident_device: bool = False
    cover: str = ""
    covered_at: datetime | None = None
    done: str = ""
    tested: bool = False
    certified: bool | None = None
    repaired_in_time: bool | None = Field(default=None, description="repaired, or covered, within two hours")
    note: str = ""
    reason: str = ""


def report(step: Step) -> None:
    """A registered device; the two hours begin, and whom it serves is known."""
    row = step.tx.first("faults.device", device=step.body.device, now=step.now)
    if row is None:
        raise BadInput("there is no such device")
    step.record["resident_id"] = row["resident_id"]
    step.record["title"] = f"{step.body.device} {row['kind']}"
    again(step)


def again(step: Step) -> None:
    """The two hours run."""
    step.record["due_at"] = step.now + timedelta(hours=REPAIR_HOURS)


def cover(step: Step) -> None:
    """The clock stands still: people or another device are in its place."""
    step.detail["covered_at"] = step.now.isoformat()
    if step.record["due_at"] is not None:
        step.detail["repaired_in_time"] = step.now <= step.record["due_at"]


def repair(step: Step) -> None:
    """In time or not; what was covered in time stays so."""
    if step.record["due_at"] is not None:
        step.detail["repaired_in_time"] = step.now <= step.record["due_at"]


FAULT: Final = RecordKind(
    service="safety",
    machine=machine(
        "fault 设备故障 Device fault",
        "reported 已报修 Reported, assigned 已派修 Assigned, covered 已替代 Covered, repaired 已修复 Repaired,"
        "closed 已关闭 Closed",
        move("assign 派修 Assign", "reported covered", "assigned", STAFF, SendTo, "provider worker"),
        move("cover 替代 Cover", "reported assigned", "covered", STAFF, Cover),
        move("repair 修复 Repair", "reported assigned covered", "repaired", STAFF | PROVIDER, Repair, "staff"),
        move("reopen 再次故障 Again", "repaired", "reported", STAFF, Reason, "provider"),
        move("close 关闭 Close", "repaired", "closed", STAFF, Note),
        due="reported assigned",
    ),
    path="faults",
    create=FaultIn,
    creators=STAFF,
    readers=STAFF | PROVIDER,
    detail=FaultDetail,
    rules={"create": report, "assign": orders.assign, "cover": cover, "repair": repair, "reopen": again},
)


class RoundIn(Input):
    """A round through the house."""

    title: Name = Field(examples=["二层夜间巡查"])
    starts_at: Instant
    ends_at: Instant


class Walk(Input):
    """What was seen."""

    findings: Words = Field(default="", examples=["203 室门未关，已关好；其余正常"])
    dangers: list[Annotated[str, Field(max_length=200), Storable]] = Field(
        default=[], max_length=50, description="what must be put right today"
    )


class PutRight(Input):
    """The dangers are gone."""

    done: Text


class RoundDetail(BaseModel):
    """A round."""

    findings: str = ""
    dangers: list[str] = []
    done: str = ""
    walked_at: datetime | None = None
    note: str = ""
    reason: str = ""


def plan_round(step: Step) -> None:
    """Missed when its time is over."""
    step.record["due_at"] = step.record["ends_at"]


def walk(step: Step) -> None:
    """Dangers are put right the same day."""
    step.detail["walked_at"] = step.now.isoformat()
    step.record["due_at"] = step.now + timedelta(hours=24) if step.body.dangers else None


def put_right(step: Step) -> None:
    """Nothing is left to do but to close it."""
    step.record["due_at"] = None


def close_round(step: Step) -> None:
    """Not while a danger stands."""
    if step.detail.get("dangers") and not step.detail.get("done"):
        raise Conflict("the dangers that were found are put right first")


ROUND: Final = RecordKind(
    service="safety",
    machine=machine(
        "round 巡查 Round",
        "planned 已计划 Planned, walked 已巡查 Walked, closed 已关闭 Closed, missed 漏巡 Missed",
        move("walk 巡查 Walk", "planned missed", "walked", STAFF, Walk),
        move("put_right 整改 Put right", "walked", SAME, STAFF, PutRight),
        move("close 关闭 Close", "walked", "closed", STAFF, Note),
        move("miss 漏巡 Miss", "planned", "missed", STAFF, Reason, "staff"),
        due="planned walked",
    ),
    path="rounds",
    create=RoundIn,
    creators=STAFF,
    readers=STAFF,
    detail=RoundDetail,
    timeouts={"planned": "miss"},
    rules={"create": plan_round, "walk": walk, "put_right": put_right, "close": close_round},
)


class CameraIn(Input):
    """A camera in the house; its pictures stay with the recorder."""

    title: Name = Field(examples=["二层走廊东"])
    place: ShortText = Field(examples=["2 层走廊"])
    private: bool = Field(description="in a room where somebody lives: only with their written consent")
    consent_by: ShortText = ""


class CheckCamera(Input):
    """Whether its stream could be reached."""

    reachable: bool


class ViewCamera(Input):
    """Why somebody looks; every look is kept."""

    purpose: Text = Field(examples=["核实 10:24 跌倒报警"])


class CameraDetail(BaseModel):
    """A camera with its last check."""

    place: str
    private: bool
    consent_by: str = ""
    reachable: bool | None = None
    checked_at: datetime | None = None
    purpose: str = ""
    reason: str = ""
    note: str = ""


def add_camera(step: Step) -> None:
    """None in a private room without consent."""
    if step.body.private and not step.body.consent_by:
        raise BadInput("a camera in a private room needs the written consent of who lives there")


def check_camera(step: Step) -> None:
    """The day of the last check counts for the share of cameras that can be reached."""
    step.detail["checked_at"] = step.now.isoformat()


CAMERA: Final = RecordKind(
    service="safety",
    machine=machine(
        "camera 监控设备 Camera",
        "installed 已安装 Installed, connected 已接入 Connected, off 停用 Switched off, retired 已报废 Retired",
        move("connect 接入 Connect", "installed off", "connected", ADMIN, CheckCamera),
        move("check 检查 Check", "connected", SAME, STAFF, CheckCamera),
        move("view 调阅 View", "connected", SAME, STAFF, ViewCamera),
        move("switch_off 停用 Switch off", "connected", "off", ADMIN, Reason),
        move("retire 报废 Retire", "installed off connected", "retired", ADMIN, Reason),
    ),
    path="cameras",
    create=CameraIn,
    creators=ADMIN,
    readers=frozenset({Role.ADMIN, Role.CAREGIVER}),
    detail=CameraDetail,
    rules={"create": add_camera, "connect": check_camera, "check": check_camera},
)
KINDS: Final = (FAULT, ROUND, CAMERA)
