"""Bodies of supervision."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from api.schemas import Input, Names, Storable
from api.supervision.indicators import Value
from core.vocabulary import Names as Pair

Source = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500), Storable]


class IndicatorView(BaseModel):
    """One row of the plan with its value."""

    code: str = Field(examples=["nursing_beds"])
    name: Names
    formula: Names
    numerator: int | None
    denominator: int | None
    value: float | None = Field(description="in `unit`, rounded to two decimals; judged on the exact fraction")
    unit: str = Field(examples=["%"])
    operator: str = Field(examples=[">="])
    target: int = Field(examples=[60])
    year: int = Field(examples=[2025])
    binding: bool = Field(description="约束性")
    clause: str = Field(examples=["专栏1-7"])
    basis: str = Field(
        description="computed, declared (by the regulator, with a source), or none", examples=["computed"]
    )
    met: bool | None = Field(description="null: there is no value")
    series: str | None = Field(
        default=None, description="key of its months below /supervision/series", examples=["visits"]
    )

    @classmethod
    def of(cls, value: Value) -> IndicatorView:
        row = value.indicator
        return cls(
            code=row.code,
            name=Names(zh=row.names.zh, en=row.names.en),
            formula=Names(zh=row.formula.zh, en=row.formula.en),
            numerator=value.numerator,
            denominator=value.denominator,
            value=value.value,
            unit=row.unit,
            operator=row.operator,
            target=row.target,
            year=row.year,
            binding=row.binding,
            clause=row.clause,
            basis=value.basis,
            met=value.met,
            series=row.series or None,
        )


class IndicatorList(BaseModel):
    """Every row at one moment."""

    at: datetime
    items: list[IndicatorView]
    next: None = None


class MonthValue(BaseModel):
    """A value of one month."""

    month: date
    numerator: int
    denominator: int


class Series(BaseModel):
    """Months, oldest first."""

    key: str
    items: list[MonthValue]
    next: None = None


class TrendValue(BaseModel):
    """An indicator in one month."""

    month: date = Field(examples=["2026-03-01"])
    numerator: int | None
    denominator: int | None
    value: float | None = Field(description="null: there was nothing to count, or nothing declared")
    basis: str = Field(examples=["computed"])
    met: bool | None

    @classmethod
    def of(cls, month: date, found: Value) -> TrendValue:
        return cls(
            month=month, numerator=found.numerator, denominator=found.denominator, value=found.value,
            basis=found.basis, met=found.met,
        )  # fmt: skip


class Trend(BaseModel):
    """An indicator by month, oldest first, beside its target."""

    code: str = Field(examples=["nursing_beds"])
    unit: str = Field(examples=["%"])
    target: int = Field(examples=[60])
    items: list[TrendValue]
    next: None = None


class Level(BaseModel):
    """Facilities of a community, a street or the district."""

    level: str = Field(examples=["street"])
    street: str
    community: str
    facilities: int
    beds: int
    nursing_beds: int


class LevelList(BaseModel):
    """The district first, then its streets, then their communities."""

    items: list[Level]
    next: None = None


class Facility(BaseModel):
    """A facility in operation: what is public of it anyway, and whose it is."""

    institution_id: UUID
    title: str = Field(examples=["综合养老服务中心"])
    type: str = Field(examples=["institution"])
    street: str
    community: str
    run_by: str = Field(examples=["society"])
    rural: bool
    comprehensive: bool
    beds: int
    nursing_beds: int
    care_licence: bool
    medical_licence: bool
    beds_counted: bool = Field(default=False, description="from the house's register of beds, not as it said itself")
    quality: str = Field(examples=["basic"])


class Figure(Input):
    """A figure that the region declares, with where it comes from."""

    numerator: int = Field(ge=0, le=10**12, examples=[12])
    denominator: int = Field(default=0, ge=0, le=10**12)
    source: Source = Field(examples=["2025年统计年鉴"])


class CaseRequest(Input):
    """Why a single case is looked at."""

    cause: Annotated[str, StringConstraints(strip_whitespace=True, min_length=5, max_length=500), Storable] = Field(
        examples=["信访件 2026-118 核查"]
    )


class Case(BaseModel):
    """An emergency without a name."""

    id: UUID
    institution: str
    type: str
    severity: str
    state: str
    outcome: str | None
    opened_at: datetime
    acknowledged_at: datetime | None
    on_site_at: datetime | None
    resolved_at: datetime | None
    age_from: int | None = Field(description="the decade of age")
    care_level: int | None


class ServiceFigure(BaseModel):
    """Something counted beside the plan's own rows."""

    key: str = Field(examples=["complaints_in_time"])
    name: Names
    numerator: int
    denominator: int
    value: float | None = Field(description="percent; null where there was nothing to count", examples=[96.2])

    @classmethod
    def of(cls, key: str, names: Pair, numerator: int, denominator: int) -> ServiceFigure:
        value = round(100 * numerator / denominator, 2) if denominator else None
        name = Names(zh=names.zh, en=names.en)
        return cls(key=key, name=name, numerator=numerator, denominator=denominator, value=value)


class ServiceFigureList(BaseModel):
    """Every such figure."""

    items: list[ServiceFigure]
    next: None = None


class Tally(BaseModel):
    """So many complaints or incidents."""

    kind: str = Field(examples=["complaint"])
    topic: str = Field(examples=["provider"])
    level: str = Field(description="of an incident", examples=["minor"])
    state: str = Field(examples=["closed"])
    records: int = Field(examples=[3])


class TallyList(BaseModel):
    """Complaints and incidents of the year."""

    items: list[Tally]
    next: None = None
