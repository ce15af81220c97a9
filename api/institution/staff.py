"""Routes of those who work here: posts, trainings with hours, the yearly filing enter; who lacks what leaves."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from api.deps import API, STAFF, Audit, Caller, Tx, require
from api.institution.keeping import Day, answer_created, row_id
from api.paging import LIMIT_DEFAULT, Cursor, Limit, Page, cursor_day, cursor_id, decode_cursor, page
from api.providers.schemas import Worker, WorkerChange
from api.residents.routes import IdempotencyKey
from api.schemas import Input, Name, ShortText
from api.state import State
from api.versions import IfMatch, check_version
from core.days import local_day
from core.errors import BadInput
from core.vocabulary import Role

router = APIRouter(prefix=API, tags=["institution"])
Topic = Literal["management", "care", "standards", "risk", "fire", "first_aid", "other"]


class TrainingIn(Input):
    """A training that was held, and who was there."""

    title: Name = Field(examples=["防跌倒与转移技术"])
    topic: Topic = Field(examples=["care"])
    trainer: ShortText = Field(default="", examples=["区养老服务指导中心"])
    held_on: Day
    hours: Annotated[Decimal, Field(gt=0, le=500, max_digits=4, decimal_places=1, examples=["4.0"])]
    workers: list[UUID] = Field(min_length=1, max_length=500)
    failed: list[UUID] = Field(default=[], max_length=500, description="of these, who did not pass")


class Training(BaseModel):
    """A training."""

    id: UUID
    title: str
    topic: str
    trainer: str
    held_on: date
    hours: Decimal
    people: int = Field(examples=[12])
    passed: int = Field(examples=[11])
    created_at: datetime


class WorkerTraining(BaseModel):
    """Somebody's part in a training."""

    training_id: UUID
    title: str
    topic: str
    held_on: date
    hours: Decimal
    passed: bool


class WorkerTrainings(BaseModel):
    """What somebody was trained in, newest first, with the hours of the year."""

    items: list[WorkerTraining]
    hours_this_year: Decimal = Field(examples=["16.0"])
    next: None = None


class FilingIn(Input):
    """Filed with the authority for a year."""

    filed_on: Day
    number: ShortText = ""


class StaffNumbers(BaseModel):
    """Those who work here now."""

    post: str = Field(examples=["caregiver"])
    people: int
    certified: int = Field(description="with a certificate or work licence that holds today")
    filed: int = Field(description="filed for this year")
    trained: int = Field(description="trained this year")


class StaffNumbersList(BaseModel):
    """By post."""

    items: list[StaffNumbers]
    next: None = None


@router.put("/workers/{worker_id}", summary="修改人员 · Change a worker", dependencies=[require(Role.ADMIN)],
            tags=["providers"])  # fmt: skip
def change_worker(
    worker_id: UUID, body: WorkerChange, tx: Tx, state: State, audit: Audit, if_match: IfMatch = None
) -> Worker:
    """Name, post, duties, account; with If-Match, what somebody else changed since answers 412."""
    check_version(if_match, tx.one("staff.lock_worker", id=worker_id)["version"])
    if body.user_id is not None:
        tx.one("users.get", id=body.user_id)
    tx.run("staff.change_worker", id=worker_id, now=state.clock.now(), **body.model_dump())
    audit.record("update", "worker", worker_id)
    return Worker(**tx.one("providers.worker", id=worker_id))


@router.get("/institution/staff", summary="人员情况 · Staff by post", dependencies=[require(*STAFF)])
def staff_numbers(tx: Tx, state: State) -> StaffNumbersList:
    """How many work here, and how many of them are certified, filed and trained."""
    today = local_day(state.clock.now())
    return StaffNumbersList(items=[StaffNumbers(**row) for row in tx.all("staff.numbers", today=today)])


@router.get("/institution/trainings", summary="培训记录 · Trainings", dependencies=[require(*STAFF)])
def list_trainings(
    tx: Tx,
    year: Annotated[int | None, Query(ge=2000, le=2199)] = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> Page[Training]:
    """Newest first."""
    before, before_id = decode_cursor(cursor, cursor_day, cursor_id)
    rows = tx.all("staff.trainings", id=None, year=year, before=before, before_id=before_id, limit=limit + 1)
    shown, following = page(rows, limit, lambda row: (row["held_on"].isoformat(), row["id"]))
    return Page[Training](items=[Training(**row) for row in shown], next=following)


@router.post(
    "/institution/trainings",
    summary="登记培训 · Add a training",
    status_code=201,
    responses={200: {"model": Training, "description": "made before, by the same Idempotency-Key"}},
    dependencies=[require(Role.ADMIN)],
)
def add_training(
    body: TrainingIn, caller: Caller, tx: Tx, state: State, audit: Audit, response: Response,
    idempotency_key: IdempotencyKey = None,
) -> Training:  # fmt: skip
    """One that was held; each person counts once."""
    now = state.clock.now()
    people = set(body.workers)
    if body.held_on > local_day(now):
        raise BadInput("held_on lies in the future")
    if set(body.failed) - people:
        raise BadInput("who failed was there too")
    if tx.one("staff.known_workers", workers=list(people))["n"] != len(people):
        raise BadInput("one of the workers is not there")
    training = row_id(state.clock, caller, "training", idempotency_key)
    given = body.model_dump(exclude={"workers", "failed"})
    made = tx.run("staff.add_training", id=training, tenant=caller.tenant, now=now, **given)
    if made:
        tx.run_many(
            "staff.add_person",
            [
                {"tenant": caller.tenant, "training": training, "worker": one, "passed": one not in body.failed,
                 "now": now}
                for one in sorted(people)
            ],
        )  # fmt: skip
        audit.record("create", "training", training, people=len(people))
    row = tx.one("staff.trainings", id=training, year=None, before=None, before_id=None, limit=1)
    answer_created(response, row, body, made=bool(made))
    return Training(**row)


@router.get(
    "/workers/{worker_id}/trainings", summary="个人培训学时 · Somebody's trainings", dependencies=[require(*STAFF)]
)
def worker_trainings(worker_id: UUID, tx: Tx, state: State) -> WorkerTrainings:
    """Newest first; failed ones count no hours."""
    tx.one("providers.worker", id=worker_id)
    rows = tx.all("staff.trainings_of", worker=worker_id)
    year = local_day(state.clock.now()).year
    hours = sum((row["hours"] for row in rows if row["passed"] and row["held_on"].year == year), Decimal("0.0"))
    return WorkerTrainings(items=[WorkerTraining(**row) for row in rows], hours_this_year=hours)


@router.put(
    "/workers/{worker_id}/filings/{year}",
    summary="年度备案 · Filed for a year",
    status_code=204,
    dependencies=[require(Role.ADMIN)],
)
def file_worker(
    worker_id: UUID, year: Annotated[int, Path(ge=2020, le=2100)], body: FilingIn, caller: Caller, tx: Tx, audit: Audit
) -> None:
    """Again with the same year replaces it."""
    tx.one("providers.worker", id=worker_id)
    tx.run("staff.file", tenant=caller.tenant, worker=worker_id, year=year, **body.model_dump())
    audit.record("file", "worker", worker_id, year=year)
