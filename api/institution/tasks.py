"""Tasks of a day: care plans in force enter, what is to be done for whom and when leaves, and is marked."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Annotated, Final, Literal
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


def day_tasks(
    tx: Transaction,
    day: date,
    now: datetime,
    *,
    resident: UUID | None = None,
    plan: UUID | None = None,
    states: list[str] | None = None,
    after: tuple[datetime, UUID, int] | None = None,
    limit: int | None = None,
) -> list[Task]:
    """Tasks of a day in China with what came of them, by time; all of them, or those after a key up to a limit."""
    time_after, id_after, number_after = after or (None, None, None)
    begins = datetime.combine(day, time.min, tzinfo=CHINA)  # China's clocks are never changed: its days have 24 hours
    rows = tx.all(
        "care.tasks", day=day, begins=begins, missed_before=now - timedelta(minutes=LATE_MINUTES), resident=resident,
        plan=plan, states=states, after=time_after, after_id=id_after, after_number=number_after, limit=limit,
    )  # fmt: skip
    return [Task(**row) for row in rows]


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
    key = decode_cursor(cursor, cursor_time, cursor_id, cursor_number)
    now = state.clock.now()
    found = day_tasks(
        tx, day or local_day(now), now, resident=resident, states=[status] if status else None,
        after=(key[0], key[1], key[2]) if key[0] is not None else None, limit=limit + 1,
    )  # fmt: skip
    shown, following = page(found, limit, lambda task: (task.due_at, task.plan_id, task.measure))
    audit.record("list", "care_task", "", residents=sorted({str(task.resident_id) for task in shown}))
    return Page[Task](items=shown, next=following)


@router.post("/tasks/mark", summary="登记任务结果 · Mark a task", dependencies=[require(*STAFF)])
def mark_task(body: Mark, caller: Caller, tx: Tx, state: State, audit: Audit) -> Task:
    """Once; the same again changes nothing, something else answers 409."""
    now, day = state.clock.now(), local_day(body.due_at)
    asked = (body.measure, body.due_at)
    due = next((one for one in day_tasks(tx, day, now, plan=body.plan_id) if (one.measure, one.due_at) == asked), None)
    if due is None:
        tx.one("care.plan", plan=body.plan_id)
        raise BadInput("the plan asks for no such task at that time")
    if due.due_at > now + timedelta(hours=EARLY_HOURS):
        raise BadInput("the task is not due yet")
    tx.run(
        "care.mark", tenant=caller.tenant, plan=due.plan_id, edition=due.edition, measure=due.measure,
        due_at=due.due_at, resident=due.resident_id, what=due.what, result=body.result, note=body.note, now=now,
        by=caller.id, name=caller.name,
    )  # fmt: skip
    marked = next(
        one for one in day_tasks(tx, day, now, plan=body.plan_id) if (one.measure, one.due_at) == asked
    )  # fmt: skip
    if (marked.state, marked.note) != (body.result, body.note):
        raise Conflict(f"it was marked as {marked.state} by {marked.marked_by}")
    audit.record("mark", "care_task", due.plan_id, resident=str(due.resident_id), result=body.result)
    return marked
