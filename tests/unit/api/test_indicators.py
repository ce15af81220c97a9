"""Indicators of the plan: each row judged by itself, on exact fractions, and nothing guessed."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from api.supervision import export
from api.supervision.facts import roll_up
from api.supervision.indicators import Facts, judge
from api.supervision.plan import BY_CODE, INDICATORS
from api.supervision.schemas import IndicatorView

EMPTY = Facts((), {})


def facility(**given: Any) -> dict[str, Any]:
    return {
        "type": "institution", "street": "白市驿镇", "community": "", "run_by": "society", "rural": False,
        "comprehensive": False, "beds": 100, "nursing_beds": 60, "care_licence": True, "medical_licence": False,
        "quality": "basic",
    } | given  # fmt: skip


def value(code: str, facts: Facts) -> tuple[float | None, bool | None]:
    judged = judge(BY_CODE[code], facts)
    return judged.value, judged.met


def test_every_row_has_a_clause_a_formula_and_a_target() -> None:
    assert len(INDICATORS) >= 29
    assert len(BY_CODE) == len(INDICATORS)
    for row in INDICATORS:
        assert row.clause
        assert row.formula.zh
        assert row.target >= 1


def test_without_records_nothing_is_claimed() -> None:
    for row in INDICATORS:
        judged = judge(row, EMPTY)
        if row.unit != "count":
            assert (judged.basis, judged.value, judged.met) == ("none", None, None), row.code


@pytest.mark.parametrize(("nursing", "met"), [(60, True), (59, False), (100, True)])
def test_nursing_beds_at_the_target(nursing: int, met: bool) -> None:
    assert value("nursing_beds", Facts((facility(nursing_beds=nursing),), {})) == (float(nursing), met)


def test_a_share_just_below_the_target_does_not_meet_it_by_rounding() -> None:
    facts = Facts((), {"family_doctor": (79_999, 100_000)})
    assert value("family_doctor", facts) == (80.0, False)


def test_rows_that_contradict_each_other_are_judged_each_by_itself() -> None:
    quality = Facts(tuple(facility(quality=one) for one in ("basic", "basic", "full", "none")), {})
    assert (value("quality_basic", quality), value("quality_full", quality)) == ((75.0, True), (25.0, False))
    beds = Facts((facility(beds=65), facility(beds=35, run_by="government")), {})
    assert (value("beds_government", beds), value("beds_society", beds)) == ((35.0, True), (65.0, False))
    streets = Facts(tuple(facility(street=f"街道{i}", comprehensive=True) for i in range(9)), {}, {"streets": (10, 0)})
    assert value("streets_comprehensive", streets) == (90.0, True)
    assert value("streets_centre", streets) == (0.0, False)


def test_streets_without_a_declared_number_have_no_value() -> None:
    assert value("streets_facility", Facts((facility(),), {})) == (None, None)


def test_what_cannot_be_counted_is_declared() -> None:
    judged = judge(BY_CODE["circle"], Facts((), {}, {"circle": (950, 1000)}))
    assert (judged.basis, judged.value, judged.met) == ("declared", 95.0, False)


def test_facilities_add_up_from_communities_to_the_district() -> None:
    rows = [
        {"detail": facility(street="甲", community="一")},
        {"detail": facility(street="甲", community="二")},
        {"detail": facility(street="乙", community="三")},
    ]
    levels = roll_up(rows)
    assert [(one["level"], one["beds"]) for one in levels] == [
        ("district", 300), ("street", 100), ("street", 200), ("community", 100), ("community", 100),
        ("community", 100),
    ]  # fmt: skip


def test_an_export_holds_every_row_and_no_formula() -> None:
    views = [IndicatorView.of(judge(row, EMPTY)) for row in INDICATORS]
    views[0].name.zh = "=1+1"
    rows = list(csv.reader(io.StringIO(export.as_csv(export.cells(views)).removeprefix("\ufeff"))))
    assert len(rows) == len(INDICATORS) + 1
    assert rows[1][1] == "'=1+1"
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row if cell[:2] not in ("= ",))
