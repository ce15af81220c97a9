"""The assessment from request to a level in force: who asks, who assesses, what it comes to, who appeals.

Two assessors of the institution score together and each sign with their own account; the informant signs beside them.
Who assessed does not review. The level in force becomes the resident's care level and stays until the re-assessment is
due. An appeal sends the assessment to two other assessors.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from api.schemas import Input, Instant, Name, ShortText
from api.services.assessment.forms.base import ChangeRules, Circumstances, Diagnosis
from api.services.assessment.forms.catalogue import form_of
from api.services.engine import records
from api.services.engine.kind import Note, Reason, RecordIn, RecordKind, Step
from api.services.engine.machine import ADMIN, FAMILY, SAME, STAFF, machine, move
from api.services.health.kinds import PLAN
from core.days import end_of_day, local_day
from core.errors import BadInput, Conflict, Forbidden
from core.vocabulary import Role

EVENTS_DAYS: Final = 30
DUE_AGAIN_DAYS: Final = 180
"""MZ/T 039-2013 re-assesses every six months; the interval of GB/T 42195 was not verified, so it is only a default."""
Count = Annotated[int, Field(ge=0, le=100)]
EXAMPLE: Final = ["018f3c5e-0000-7000-8000-00000000000a", "018f3c5e-0000-7000-8000-00000000000b"]
FormCode = Literal["gbt42195", "mzt039", "barthel", "morse"]


class AssessmentIn(RecordIn, Note):
    """Who asks for what, and why."""

    form: FormCode = Field(examples=["gbt42195"])
    form_version: ShortText | None = Field(default=None, description="left out: the present one")
    cause: Literal["first", "regular", "immediate", "disputed", "other"] = Field(examples=["first"])


class Assign(Input):
    """Two assessors and their time."""

    assessors: list[UUID] = Field(min_length=2, max_length=2, description="two accounts of staff", examples=[EXAMPLE])
    starts_at: Instant
    ends_at: Instant


class RiskEvents(Input):
    """Care-risk events in the last 30 days that the informant tells of; the platform adds what it saw itself."""

    fall: Count = 0
    choking: Count = 0
    suicide: Count = 0
    self_harm: Count = 0
    wandering: Count = 0


class Score(Input):
    """The answers, item by item, and what may change the level."""

    answers: dict[str, int] = Field(max_length=100, examples=[{"eating": 4, "grooming": 3}])
    coma: bool = False
    diagnosis: Diagnosis = "none"
    events: RiskEvents = RiskEvents()
    informant: Name = Field(description="who told, beside the resident", examples=["王芳"])
    informant_relation: ShortText = Field(examples=["女儿"])
    informant_signature: Literal["handwritten", "fingerprint", "recorded"] = Field(examples=["handwritten"])


class Announce(Input):
    """How long the result is open to objection."""

    until: Instant


class Enforce(Input):
    """The level comes into force."""

    assess_again_on: date | None = Field(default=None, description="left out: after half a year")


class Judge(Input):
    """How the appeal ended."""

    reason: Annotated[str, Field(min_length=1, max_length=1000)] = Field(examples=["两名评估员复评，分数一致"])


class AssessmentDetail(BaseModel):
    """The form, the answers and what they come to."""

    form: str
    form_version: str = ""
    cause: str
    note: str = ""
    assessors: list[UUID] = []
    former_assessors: list[UUID] = []
    answers: dict[str, int] = {}
    coma: bool = False
    diagnosis: str = "none"
    events: dict[str, int] = Field(default={}, description="told by the informant")
    platform_events: dict[str, int] = Field(default={}, description="seen by the platform in the last 30 days")
    change_rules: dict[str, Any] = Field(default={}, description="how the change clauses were read")
    informant: str = ""
    informant_relation: str = ""
    informant_signature: str = ""
    signed_by: list[UUID] = []
    subtotals: dict[str, int] = {}
    total: int | None = None
    preliminary_level: int | None = None
    level: int | None = None
    level_zh: str = ""
    level_en: str = ""
    clauses: list[str] = []
    until: datetime | None = None
    assess_again_on: date | None = None
    reason: str = ""
    appeals: int = 0


def create(step: Step) -> None:
    """The form must exist; its version is fixed now."""
    step.detail["form_version"] = form_of(step.body.form, step.body.form_version).version


def assign(step: Step) -> None:
    """Two different people of the staff; after an appeal, two others than before."""
    assessors = step.body.assessors
    if len(set(assessors)) != 2 or len(step.tx.all("assessments.staff", users=assessors)) != 2:
        raise BadInput("two different accounts of the staff assess together")
    former = set(step.detail.get("former_assessors", []))
    if former & {str(one) for one in assessors}:
        raise BadInput("after an appeal, two others assess")
    step.record["due_at"] = step.record["ends_at"]


def score(step: Step) -> None:
    """Judge the answers; the falls and wandering that the platform saw count with those that the informant told of."""
    detail, body = step.detail, step.body
    if step.caller.id not in {UUID(one) for one in detail["assessors"]}:
        raise Forbidden("only the assigned assessors score")
    form, rules = form_of(detail["form"], detail["form_version"]), ChangeRules()
    since = step.now - timedelta(days=EVENTS_DAYS)
    seen = step.tx.one("assessments.platform_events", resident=step.record["resident_id"], since=since, until=step.now)
    told = body.events.model_dump()
    # The informant may tell of the same fall that the platform saw: the larger number of each kind counts.
    events = {kind: max(count, seen.get(kind, 0)) for kind, count in told.items()}
    result = form.result(body.answers, Circumstances(body.coma, body.diagnosis, events), rules)
    names = result.level_names
    detail |= {
        "platform_events": dict(seen),
        "change_rules": {"stack": rules.stack, "sum_kinds": rules.sum_kinds, "events_min": rules.events_min},
        "signed_by": [],
        "subtotals": result.subtotals,
        "total": result.total,
        "preliminary_level": result.preliminary,
        "level": result.level,
        "level_zh": names.zh if names else "",
        "level_en": names.en if names else "",
        "clauses": list(result.clauses),
    }
    step.told |= {"total": result.total, "level": result.level}


def sign(step: Step) -> None:
    """Each assessor once, with the own account."""
    me = str(step.caller.id)
    if me not in step.detail["assessors"]:
        raise Forbidden("only the assigned assessors sign")
    if me in step.detail["signed_by"]:
        raise Conflict("you have signed already")
    step.detail["signed_by"] = [*step.detail["signed_by"], me]


def review(step: Step) -> None:
    """Both have signed, and somebody else looks."""
    if len(step.detail["signed_by"]) != 2:
        raise Conflict("both assessors sign first")
    if str(step.caller.id) in step.detail["assessors"]:
        raise Forbidden("who assessed does not review")


def announce(step: Step) -> None:
    """Open to objection until then."""
    if step.body.until <= step.now:
        raise BadInput("the time for objections lies in the past")
    step.record["due_at"] = step.body.until


def enforce(step: Step) -> None:
    """Objections are over; the level becomes the resident's, and the next assessment gets its date."""
    until = step.detail.get("until")
    if until and datetime.fromisoformat(until) > step.now:
        raise Conflict("the time for objections is not over")
    again = step.body.assess_again_on or local_day(step.now + timedelta(days=DUE_AGAIN_DAYS))
    if again <= local_day(step.now):
        raise BadInput("the next assessment lies in the past")
    step.detail["assess_again_on"] = again.isoformat()
    step.record["due_at"] = end_of_day(again)
    if step.detail["form"] == "gbt42195":
        step.tx.run(
            "assessments.set_care_level", resident=step.record["resident_id"], level=step.detail["level"], now=step.now
        )
        _review_plans(step)


def _review_plans(step: Step) -> None:
    """A care plan that was made for another level is looked at again; until then it goes on."""
    for row in step.tx.all(
        "assessments.plans_of_other_level", resident=step.record["resident_id"], level=step.detail["level"]
    ):
        before, row["state"] = row["state"], PLAN.machine.move("review").target
        body = Note(note="照护等级已变更 · the care level has changed")
        again = Step(step.tx, step.clock, step.caller, PLAN.service, "review", row, body, was=before)
        records.carry_out(again, PLAN)


def uphold(step: Step) -> None:
    """Announced as it was; when the time for objections is over, it is to come into force."""
    until = step.detail.get("until")
    step.record["due_at"] = datetime.fromisoformat(until) if until else None


def appeal(step: Step) -> None:
    """Remember who assessed: others will."""
    step.detail["appeals"] = step.detail.get("appeals", 0) + 1
    step.detail["former_assessors"] = [*step.detail.get("former_assessors", []), *step.detail["assessors"]]


MACHINE: Final = machine(
    "assessment 评估 Assessment",
    "requested 已申请 Requested, received 已受理 Received, dispatched 已派单 Dispatched,"
    "assessed 已现场评估 Assessed on site, reviewed 已复核 Reviewed, announced 公示中 Announced, valid 已生效 Valid,"
    "appealed 申诉中 Under appeal, due 到期待重评 Due again, cancelled 已撤回 Withdrawn",
    move("receive 受理 Receive", "requested", "received", STAFF, Note, "family"),
    move("assign 派单 Assign", "received dispatched appealed", "dispatched", STAFF, Assign, "family"),
    move("score 评分 Score", "dispatched assessed", "assessed", STAFF, Score),
    move("sign 签名 Sign", "assessed", SAME, STAFF),
    move("review 复核 Review", "assessed", "reviewed", STAFF, Note),
    move("announce 公示 Announce", "reviewed", "announced", STAFF, Announce, "family"),
    move("enforce 生效 Bring into force", "announced", "valid", ADMIN, Enforce, "family staff"),
    move("appeal 申诉 Appeal", "announced valid", "appealed", STAFF | FAMILY, Reason, "staff family"),
    move("uphold 维持原结果 Uphold", "appealed", "announced", ADMIN, Judge, "family"),
    move("expire 到期 Due again", "valid", "due", STAFF, Note, "family staff"),
    move("cancel 撤回 Withdraw", "requested received dispatched", "cancelled", STAFF | FAMILY, Reason, "staff"),
    due="dispatched announced valid",
)
ASSESSMENT: Final = RecordKind(
    service="assessment",
    machine=MACHINE,
    path="assessments",
    create=AssessmentIn,
    creators=STAFF | FAMILY,
    readers=frozenset({Role.ADMIN, Role.CAREGIVER, Role.FAMILY}),
    detail=AssessmentDetail,
    scope="health",
    hidden_from_family=frozenset(
        {"answers", "diagnosis", "coma", "events", "platform_events", "subtotals", "informant", "informant_relation"}
    ),
    timeouts={"valid": "expire"},
    rules={
        "create": create, "assign": assign, "score": score, "sign": sign, "review": review, "announce": announce,
        "enforce": enforce, "appeal": appeal, "uphold": uphold,
    },
)  # fmt: skip
KINDS: Final = (ASSESSMENT,)
