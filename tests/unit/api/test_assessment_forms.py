"""Assessment forms against their published tables: maxima, cut-offs, change clauses."""

from __future__ import annotations

import itertools

import pytest

from api.services.assessment.forms import barthel, gbt42195, morse, mzt039
from api.services.assessment.forms.base import ChangeRules, Circumstances, Form
from api.services.assessment.forms.catalogue import FORMS, form_of
from core.errors import BadInput

PLAIN, RULES = Circumstances(), ChangeRules()


def answers_with_total(form: Form, total: int) -> dict[str, int]:
    """Answers of this sum, taking from the first items on; consciousness is kept for last."""
    answers = {item.code: max(item.values) for item in form.items}
    surplus = sum(answers.values()) - total
    for item in sorted(form.items, key=lambda one: one.code == "consciousness"):
        step = max((v for v in (max(item.values) - value for value in item.values) if v <= surplus), default=0)
        answers[item.code] -= step
        surplus -= step
    assert surplus == 0
    return answers


def test_gbt42195_has_26_items_and_the_published_maxima() -> None:
    form = gbt42195.FORM
    assert len(form.items) == 26
    assert form.total_max == 90
    best = {item.code: max(item.values) for item in form.items}
    assert form.subtotals(best) == {"self_care": 32, "movement": 15, "mind": 28, "senses": 15}
    assert [sum(item.dimension == one for item in form.items) for one in form.dimensions] == [8, 4, 9, 5]


@pytest.mark.parametrize(
    ("total", "level"),
    [(90, 0), (89, 1), (66, 1), (65, 2), (46, 2), (45, 3), (30, 3), (29, 4), (2, 4)],
)
def test_gbt42195_levels_at_their_cut_offs(total: int, level: int) -> None:
    result = gbt42195.FORM.result(answers_with_total(gbt42195.FORM, total), PLAIN, RULES)
    assert (result.total, result.preliminary, result.level) == (total, level, level)


def test_gbt42195_coma_is_the_worst_level() -> None:
    best = answers_with_total(gbt42195.FORM, 90)
    assert gbt42195.FORM.result(best, Circumstances(coma=True), RULES).level == 4
    assert gbt42195.FORM.result(best | {"consciousness": 0}, PLAIN, RULES).level == 4


@pytest.mark.parametrize(
    ("circumstances", "rules", "level"),
    [
        pytest.param(Circumstances(diagnosis="dementia"), RULES, 2, id="a diagnosis raises by one"),
        pytest.param(Circumstances(events={"fall": 1}), RULES, 1, id="one event does not"),
        pytest.param(Circumstances(events={"fall": 2}), RULES, 2, id="two do"),
        pytest.param(Circumstances(events={"fall": 1, "choking": 1}), RULES, 2, id="of two kinds together"),
        pytest.param(Circumstances(events={"fall": 1, "choking": 1}), ChangeRules(sum_kinds=False), 1, id="or not"),
        pytest.param(Circumstances(diagnosis="mental", events={"fall": 3}), RULES, 2, id="both raise by one"),
        pytest.param(Circumstances(diagnosis="mental", events={"fall": 3}), ChangeRules(stack=True), 3, id="or by two"),
    ],
)
def test_gbt42195_change_clauses(circumstances: Circumstances, rules: ChangeRules, level: int) -> None:
    result = gbt42195.FORM.result(answers_with_total(gbt42195.FORM, 70), circumstances, rules)
    assert (result.preliminary, result.level) == (1, level)
    assert bool(result.clauses) == (level > 1)


def test_gbt42195_never_rises_above_the_worst() -> None:
    worst = answers_with_total(gbt42195.FORM, 20)
    rules = ChangeRules(stack=True)
    assert gbt42195.FORM.result(worst, Circumstances(diagnosis="dementia", events={"fall": 9}), rules).level == 4


@pytest.mark.parametrize(("total", "level"), [(100, 0), (95, 1), (65, 1), (60, 2), (45, 2), (40, 3), (0, 3)])
def test_barthel_at_its_cut_offs(total: int, level: int) -> None:
    assert barthel.FORM.total_max == 100
    assert barthel.FORM.result(answers_with_total(barthel.FORM, total), PLAIN, RULES).level == level


@pytest.mark.parametrize(
    ("total", "level", "level_51"), [(0, 0, 0), (20, 0, 0), (25, 1, 1), (40, 1, 1), (45, 2, 1), (50, 2, 1), (55, 2, 2)]
)
def test_morse_bands_of_both_sets(total: int, level: int, level_51: int) -> None:
    assert morse.FORM.total_max == 125
    answers = next(
        dict(zip((item.code for item in morse.ITEMS), values, strict=True))
        for values in itertools.product(*(item.values for item in morse.ITEMS))
        if sum(values) == total
    )
    assert morse.FORM.result(answers, PLAIN, RULES).level == level
    assert morse.FORM_51.result(answers, PLAIN, RULES).level == level_51


def test_mzt039_first_levels_at_their_cut_offs() -> None:
    assert [mzt039.mind_level(total) for total in range(7)] == [0, 1, 2, 2, 3, 3, 3]
    assert [mzt039.taking_part_level(total) for total in (0, 2, 3, 7, 8, 13, 14, 20)] == [0, 0, 1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize(
    ("consciousness", "sight", "hearing", "communication", "level"),
    [(0, 1, 1, 0, 0), (0, 2, 0, 0, 1), (0, 0, 0, 1, 1), (0, 0, 3, 0, 2), (0, 1, 1, 2, 2), (0, 4, 0, 0, 3),
     (1, 0, 0, 3, 3), (1, 0, 0, 0, 2), (2, 0, 0, 0, 3), (3, 0, 0, 0, 3)],
)  # fmt: skip
def test_mzt039_senses(consciousness: int, sight: int, hearing: int, communication: int, level: int) -> None:
    assert mzt039.senses_level(consciousness, sight, hearing, communication) == level


@pytest.mark.parametrize(
    ("levels", "combined"),
    [((0, 0, 0, 0), 0), ((0, 0, 0, 1), 0), ((0, 1, 0, 0), 1), ((0, 0, 1, 0), 1), ((0, 0, 0, 2), 1),
     ((1, 0, 2, 2), 1), ((1, 1, 1, 1), 1), ((1, 2, 2, 2), 2), ((1, 0, 3, 0), 2), ((2, 0, 1, 2), 2), ((2, 0, 0, 0), 2),
     ((2, 2, 2, 2), 3), ((2, 0, 0, 3), 3), ((3, 0, 0, 0), 3)],
)  # fmt: skip
def test_mzt039_combines_as_published(levels: tuple[int, int, int, int], combined: int) -> None:
    assert mzt039.combined(*levels) == combined


def test_mzt039_more_impairment_never_means_a_better_level() -> None:
    for levels in itertools.product(range(4), repeat=4):
        for place in range(4):
            worse = list(levels)
            worse[place] = min(worse[place] + 1, 3)
            assert mzt039.combined(*worse) >= mzt039.combined(*levels), (levels, worse)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form.code} {form.version}")
def test_missing_unknown_and_impossible_answers_are_named(form: Form) -> None:
    good = {item.code: max(item.values) for item in form.items}
    first = form.items[0].code
    with pytest.raises(BadInput, match=f"{first} is missing"):
        form.result({code: value for code, value in good.items() if code != first}, PLAIN, RULES)
    with pytest.raises(BadInput, match="is no item"):
        form.result(good | {"strange": 1}, PLAIN, RULES)
    with pytest.raises(BadInput, match=f"{first} is one of"):
        form.result(good | {first: 7}, PLAIN, RULES)


def test_forms_are_found_by_code_and_version() -> None:
    assert form_of("morse").version == "25-45"
    assert form_of("morse", "25-51") is morse.FORM_51
    with pytest.raises(BadInput, match="gbt42195 2022"):
        form_of("braden")
