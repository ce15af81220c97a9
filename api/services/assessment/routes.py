"""Routes of the forms: a form's code enters, its items or a running score leaves."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from api.deps import API, STAFF, require
from api.schemas import Input, Names
from api.services.assessment.forms.base import Form
from api.services.assessment.forms.catalogue import FORMS, form_of
from core.errors import BadInput, NotFound

router = APIRouter(prefix=f"{API}/services/assessment/forms", tags=["services"])
Code = Annotated[str, Path(pattern="^[a-z0-9]{1,32}$", examples=["gbt42195"])]
Version = Annotated[str, Path(pattern="^[0-9-]{1,16}$", examples=["2022"])]


class FormItem(BaseModel):
    """One question and the scores that an answer may have."""

    code: str = Field(examples=["eating"])
    name: Names
    dimension: str = Field(examples=["self_care"])
    values: list[int] = Field(examples=[[4, 3, 2, 1, 0]])


class FormView(BaseModel):
    """A form, complete enough to draw it."""

    code: str = Field(examples=["gbt42195"])
    version: str = Field(examples=["2022"])
    name: Names
    source: str = Field(examples=["GB/T 42195-2022"])
    total_max: int = Field(examples=[90])
    dimensions: dict[str, Names]
    levels: list[Names] = Field(description="by number, from 0")
    items: list[FormItem]

    @classmethod
    def of(cls, form: Form) -> FormView:
        return cls(
            code=form.code,
            version=form.version,
            name=Names(zh=form.names.zh, en=form.names.en),
            source=form.source,
            total_max=form.total_max,
            dimensions={code: Names(zh=one.zh, en=one.en) for code, one in form.dimensions.items()},
            levels=[Names(zh=one.zh, en=one.en) for one in form.levels],
            items=[
                FormItem(
                    code=item.code,
                    name=Names(zh=item.names.zh, en=item.names.en),
                    dimension=item.dimension,
                    values=list(item.values),
                )
                for item in form.items
            ],
        )


class FormList(BaseModel):
    """Every form in every version."""

    items: list[FormView]
    next: None = None


class Answers(Input):
    """Answers so far."""

    answers: dict[str, int] = Field(max_length=100, examples=[{"eating": 4}])


class RunningScore(BaseModel):
    """Sub-totals so far and what is still to be asked."""

    subtotals: dict[str, int]
    total: int
    missing: list[str] = Field(description="codes of items without an answer")


@router.get("", summary="评估量表 · Forms", dependencies=[require(*STAFF)])
async def list_forms() -> FormList:
    """With items, possible scores and levels."""
    return FormList(items=[FormView.of(form) for form in FORMS])


@router.post("/{code}/{version}/score", summary="试算得分 · Running score", dependencies=[require(*STAFF)])
async def running_score(code: Code, version: Version, body: Answers) -> RunningScore:
    """Nothing is kept; answers that the form does not know are refused."""
    try:
        form = form_of(code, version)
    except BadInput as error:
        raise NotFound(str(error)) from error
    form.check(body.answers, whole=False)
    sums = form.subtotals(body.answers)
    missing = [item.code for item in form.items if item.code not in body.answers]
    return RunningScore(subtotals=sums, total=sum(sums.values()), missing=missing)
