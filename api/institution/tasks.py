"""Tasks of a day: care plans in force enter, what is to be done for whom and when leaves, and is marked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Final, Literal, NamedTuple
from uuid import UUID

from fastapi import APIRouter, Path, Query
from psycopg.types.json import Jsonb
from pydantic import BaseModel, Field

from api.deps import API, STAFF, Audit, Caller, Tx, require
from api.institution.keeping import Day
from api.paging import LIMIT_DEFAULT, Cursor, Limit, Page, cursor_id, cursor_number, cursor_time, decode_cursor, page
from api.schemas import Input, Instant, Storable
from api.services.health.kinds import Measure
from api.state import State
from core.days import CHINA, local_day
from core.errors import BadInput, Conflict
from core.vocabulary import Role
from db.tenant import Transaction

router = APIRouter(prefix=f"{API}/institution", tags=["institution"])
Result = Literal["done", "refused", "not_possible"]
LATE_MINUTES: Final = 60
"""So long after its time a task that nobody marked counts as missed: this platform's own aim."""
EARLY_HOURS: Final = 2
"""Nobody has done a task so long before its time."""
Level = Annotated[int, Path(ge=0, le=4, description="GB/T 42195-2022, 0–4")]


class TemplateIn(Input):
    """What a plan of a level begins with."""

    problems: Annotated[str, Field(max_length=4000), Storable] = ""
    goals: Annotated[str, Field(max_length=4000), Storable] = Field(default="", examples=["无跌倒，无压疮"])
    measures: list[Measure] = Field(min_length=1, max_length=50)


class Template(BaseModel):
    """A template of care plans."""

    care_level: int = Field(examples=[2])
    problems: str
    goals: str
    measures: list[Measure]
    updated_at: datetime


class TemplateList(BaseModel):
    """One for each care level that has one."""

    items: list[Template]
    next: None = None


class Task(BaseModel):
    """One thing to be done for somebody at a time."""

    plan_id: UUID
    edition: int
    measure: int = Field(description="which measure of the plan, from 0")
    due_at: datetime
    resident_id: UUID
    resident_name: str = Field(examples=["赵桂兰"])
    resident_place: str = Field(examples=["1号楼 2层 208室"])
    what: str = Field(examples=["测血压"])
    state: str = Field(description="due, missed, done, refused or not_possible", examples=["due"])
    note: str
    marked_at: datetime | None
    marked_by: str | None = Field(examples=["李护士"])


class Mark(Input):
    """What came of a task."""

    plan_id: UUID
    measure: int = Field(ge=0, le=49)
    due_at: Instant
    result: Result = Field(examples=["done"])
    note: Annotated[str, Field(max_length=1000), Storable] = Field(default="", examples=["138/82"])


class Due(NamedTuple):
    """A task as the plan asks for it."""

    due_at: datetime
    plan: UUID
    edition: int
    measure: int
    what: str


def tasks_of(plan: dict[str, Any], day: date) -> Iterator[Due]:
    """What a plan asks for on a day (in China); none before it came into force.

    plan: id, and the record's detail with measures, edition and `active_on`.
    """
    detail = plan["detail"]
    since = date.fromisoformat(detail["active_on"]) if detail.get("active_on") else day
    if day < since:
        return
    for number, one in enumerate(detail["measures"]):
        measure = Measure.model_validate(one)
        on_weekday = not measure.weekdays or day.isoweekday() in measure.weekdays
        if on_weekday and (day - since).days % measure.every_days == 0:
            for at in sorted(set(measure.times)):
                moment = datetime.combine(day, time.fromisoformat(at), tzinfo=CHINA).astimezone(UTC)
                yield Due(moment, plan["id"], detail.get("edition", 1), number, measure.what)


def day_tasks(tx: Transaction, day: date, now: datetime, resident: UUID | None = None) -> list[Task]:
    """Every task of a day with what came of it, by time."""
    begins = datetime.combine(day, time.min, tzinfo=CHINA)
    marks = {
        (row["plan_id"], row["edition"], row["measure"], row["due_at"]): row
        for row in tx.all("care.marks", begins=begins, ends=begins + timedelta(days=1), resident=resident)
    }
    found = []
    for plan in tx.all("care.plans", resident=resident, plan=None):
        for due in tasks_of(plan, day):
            mark = marks.get((due.plan, due.edition, due.measure, due.due_at))
            late = now > due.due_at + timedelta(minutes=LATE_MINUTES)
            found.append(
                Task(
                    plan_id=due.plan, edition=due.edition, measure=due.measure, due_at=due.due_at, what=due.what,
                    resident_id=plan["resident_id"], resident_name=plan["resident_name"],
                    resident_place=plan["resident_place"],
                    state=mark["result"] if mark else "missed" if late else "due",
                    note=mark["note"] if mark else "", marked_at=mark["marked_at"] if mark else None,
                    marked_by=mark["marked_name"] if mark else None,
                )
            )  # fmt: skip
    return sorted(found, key=lambda task: (task.due_at, task.plan_id, task.measure))


@router.get("/plan-templates", summary="照护计划模板 · Templates of plans", dependencies=[require(*STAFF)])
def list_templates(tx: Tx) -> TemplateList:
    """What a plan without measures of its own begins with, by care level."""
    return TemplateList(items=[Template(**row) for row in tx.all("care.templates")])


@router.put(
    "/plan-templates/{care_level}",
    summary="设置照护计划模板 · Set a template",
    dependencies=[require(Role.ADMIN)],
)
def set_template(care_level: Level, body: TemplateIn, caller: Caller, tx: Tx, state: State, audit: Audit) -> Template:
    """Plans that were made from it before stay as they are."""
    measures = Jsonb([one.model_dump(mode="json") for one in body.measures])
    tx.run(
        "care.set_template", tenant=caller.tenant, level=care_level, problems=body.problems, goals=body.goals,
        measures=measures, now=state.clock.now(),
    )  # fmt: skip
    audit.record("set", "plan_template", care_level)
    return Template(**tx.one("care.template", level=care_level))


@router.get("/tasks", summary="今日任务 · Tasks of a day", dependencies=[require(*STAFF)])
def list_tasks(
    tx: Tx,
    state: State,
    audit: Audit,
    day: Annotated[Day | None, Query(description="left out: today in China")] = None,
    resident: Annotated[UUID | None, Query()] = None,
    status: Annotated[Literal["due", "missed", "done", "refused", "not_possible"] | None, Query()] = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> Page[Task]:
    """By time, from the plans that hold now."""
    after, after_id, after_number = decode_cursor(cursor, cursor_time, cursor_id, cursor_number)
    now = state.clock.now()
    found = [task for task in day_tasks(tx, day or local_day(now), now, resident) if status in (None, task.state)]
    if after is not None:
        found = [task for task in found if (task.due_at, task.plan_id, task.measure) > (after, after_id, after_number)]
    shown, following = page(found, limit, lambda task: (task.due_at, task.plan_id, task.measure))
    audit.record("list", "care_task", "", residents=sorted({str(task.resident_id) for task in shown}))
    return Page[Task](items=shown, next=following)


@router.post("/tasks/mark", summary="登记任务结果 · Mark a task", dependencies=[require(*STAFF)])
def mark_task(body: Mark, caller: Caller, tx: Tx, state: State, audit: Audit) -> Task:
    """Once; the same again changes nothing, something else answers 409."""
    now, day = state.clock.now(), local_day(body.due_at)
    plan = tx.one("care.plans", resident=None, plan=body.plan_id)
    due = next(
        (one for one in tasks_of(plan, day) if (one.measure, one.due_at) == (body.measure, body.due_at)), None
    )  # fmt: skip
    if due is None:
        raise BadInput("the plan asks for no such task at that time")
    if due.due_at > now + timedelta(hours=EARLY_HOURS):
        raise BadInput("the task is not due yet")
    tx.run(
        "care.mark", tenant=caller.tenant, plan=due.plan, edition=due.edition, measure=due.measure, due_at=due.due_at,
        resident=plan["resident_id"], what=due.what, result=body.result, note=body.note, now=now, by=caller.id,
        name=caller.name,
    )  # fmt: skip
    marked = next(
        task for task in day_tasks(tx, day, now, plan["resident_id"])
        if (task.plan_id, task.measure, task.due_at) == (due.plan, due.measure, due.due_at)
    )  # fmt: skip
    if (marked.state, marked.note) != (body.result, body.note):
        raise Conflict(f"it was marked as {marked.state} by {marked.marked_by}")
    audit.record("mark", "care_task", due.plan, resident=str(plan["resident_id"]), result=body.result)
    return marked
