"""The rows of the regional plan for 2021 to 2025 as data: facts enter a row, its numerator and denominator leave."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from api.supervision.indicators import OPERATORS, Count, Facts, Indicator, Pair, Unit
from core.vocabulary import Names

ALSO_DECLARED: Final = frozenset({"filed"})
"""Counted where houses keep it in the platform, declared where none does."""
READS: Final[dict[str, tuple[str, ...]]] = {
    "social_per_beds": ("social_workers",), "trainings": ("trainings",), "trained": ("trainings",)
}  # fmt: skip
"""Counts of the database that a row with a formula of its own reads."""
FACILITY_SERIES: Final = frozenset({"nursing_beds", "beds_government", "beds_society", "quality_basic", "quality_full"})
"""Rows counted from facilities whose months are kept under their own code (`supervision.keep_month`)."""


@dataclass(frozen=True, slots=True)
class _of:  # noqa: N801 -- reads as a word in the rows below
    """Counted by the database under this key, which is also that of its months."""

    key: str

    def __call__(self, facts: Facts) -> Pair | None:
        return facts.counts.get(self.key)


def _beds(wanted: Callable[[Mapping[str, Any]], int]) -> Count:
    def count(facts: Facts) -> Pair:
        return sum(wanted(one) for one in _institutions(facts)), sum(one["beds"] for one in _institutions(facts))

    return count


def _institutions(facts: Facts) -> list[Mapping[str, Any]]:
    return [one for one in facts.facilities if one["type"] == "institution"]


def _share(of: Callable[[Facts], list[Mapping[str, Any]]], wanted: Callable[[Mapping[str, Any]], bool]) -> Count:
    def count(facts: Facts) -> Pair:
        among = of(facts)
        return sum(map(wanted, among)), len(among)

    return count


def _places(field_name: str, region: str, wanted: Callable[[Mapping[str, Any]], bool]) -> Count:
    """Streets or communities that have such a facility, of those that the region declared."""

    def count(facts: Facts) -> Pair | None:
        if region not in facts.declared:
            return None
        found = {one[field_name] for one in facts.facilities if one[field_name] and wanted(one)}
        return len(found), facts.declared[region][0]

    return count


def _community_facilities(*, rural: bool) -> Callable[[Facts], list[Mapping[str, Any]]]:
    return lambda facts: [one for one in facts.facilities if one["type"] != "institution" and one["rural"] is rural]


def _medical_institutions(facts: Facts) -> list[Mapping[str, Any]]:
    return [one for one in _institutions(facts) if one["medical_licence"]]


def _by_society(one: Mapping[str, Any]) -> bool:
    return bool(one["run_by"] == "society")


def _anything(_: Mapping[str, Any]) -> bool:
    return True


def _per_beds(facts: Facts) -> Pair:
    return facts.counts.get("social_workers", (0, 0))[0], sum(one["beds"] for one in _institutions(facts))


def _trainings(facts: Facts) -> Pair:
    return facts.counts.get("trainings", (0, 0))[0], 1


def _trained(facts: Facts) -> Pair:
    return facts.counts.get("trainings", (0, 0))[1], 1


def _row(
    code: str, names: str, formula: str, rule: str, clause: str, count: Count | None = None, *, unit: Unit = "%",
    binding: bool = False, year: int = 2025,
) -> Indicator:  # fmt: skip
    zh, en = names.split(" | ")
    formula_zh, formula_en = formula.split(" | ")
    sign, target = rule.split()
    if sign not in OPERATORS:
        raise ValueError(f"{code}: {sign} is no operator")
    words = Names(formula_zh, formula_en)
    series = count.key if isinstance(count, _of) else code if code in FACILITY_SERIES else ""
    reads = READS.get(code, ())
    return Indicator(code, Names(zh, en), words, sign, int(target), unit, year, binding, clause, count, series, reads)  # type: ignore[arg-type]  # checked above


REGIONS: Final[dict[str, Names]] = {
    "streets": Names("镇（街道）数", "Streets and towns"),
    "communities": Names("社区（村）数", "Communities and villages"),
}
"""Numbers of the region itself, declared once a year; the numerator is the number."""

INDICATORS: Final[tuple[Indicator, ...]] = (
    _row(
        "nursing_beds",
        "养老机构护理型床位占比 | Nursing beds",
        "护理型床位 / 机构床位 | nursing beds / beds of institutions",
        ">= 60",
        "专栏1-7；第五章第四节",
        _beds(lambda one: one["nursing_beds"]),
        binding=True,
    ),
    _row(
        "quality_basic",
        "养老机构服务基本质量达标率 | Basic quality",
        "基本质量达标机构 / 机构 | passed basic quality / institutions",
        ">= 75",
        "专栏1-8",
        _share(_institutions, lambda one: one["quality"] in ("basic", "full")),
    ),
    _row(
        "quality_full",
        "养老机构服务质量达标率 | Quality",
        "质量达标机构 / 机构 | passed / institutions",
        "= 100",
        "第五章第四节",
        _share(_institutions, lambda one: one["quality"] == "full"),
    ),
    _row(
        "beds_government",
        "政府运营床位占比 | Beds run by government",
        "政府运营床位 / 床位 | run by government / beds",
        "<= 40",
        "专栏1-9",
        _beds(lambda one: 0 if _by_society(one) else one["beds"]),
        binding=True,
    ),
    _row(
        "beds_society",
        "社会化运营床位占比 | Beds run by society",
        "社会化运营床位 / 床位 | run by society / beds",
        ">= 70",
        "第五章第四节",
        _beds(lambda one: one["beds"] if _by_society(one) else 0),
    ),
    _row(
        "streets_comprehensive",
        "具备综合功能的养老服务机构镇街覆盖率 | Streets with a comprehensive institution",
        "有综合功能机构的镇街 / 镇街 | streets with one / streets",
        ">= 90",
        "专栏1-10",
        _places("street", "streets", lambda one: one["comprehensive"]),
    ),
    _row(
        "streets_centre",
        "镇街综合养老服务中心覆盖率 | Streets with a centre",
        "有综合中心的镇街 / 镇街 | streets with one / streets",
        "= 100",
        "第五章第四节",
        _places("street", "streets", lambda one: one["type"] == "centre"),
    ),
    _row(
        "communities",
        "社区居家养老服务覆盖率 | Communities served",
        "有服务设施的社区 / 社区 | communities served / communities",
        "= 100",
        "第五章第四节；专栏6-1",
        _places("community", "communities", _anything),
    ),
    _row(
        "streets_facility",
        "镇街养老服务设施覆盖率 | Streets with a facility",
        "有设施的镇街 / 镇街 | streets with one / streets",
        "= 100",
        "专栏6-1",
        _places("street", "streets", _anything),
    ),
    _row(
        "urban_society",
        "城市养老服务设施社会化运营率 | Urban facilities run by society",
        "社会化运营 / 城市设施 | run by society / urban facilities",
        ">= 90",
        "专栏6-1",
        _share(_community_facilities(rural=False), _by_society),
    ),
    _row(
        "rural_society",
        "农村养老服务设施社会化运营率 | Rural facilities run by society",
        "社会化运营 / 农村设施 | run by society / rural facilities",
        ">= 60",
        "专栏6-1",
        _share(_community_facilities(rural=True), _by_society),
    ),
    _row(
        "green_channel",
        "医疗机构老年人就诊绿色通道 | Hospitals with a green channel",
        "开通绿色通道的医院 / 签约医院 | with a green channel / hospitals with an agreement",
        "= 100",
        "专栏6-2",
        _of("green_channel"),
    ),
    _row(
        "both_licences",
        "两证齐全医养结合机构占比 | Both licences",
        "两证齐全 / 医养结合机构 | both licences / institutions with medical care",
        ">= 90",
        "专栏6-2",
        _share(_medical_institutions, lambda one: one["care_licence"]),
    ),
    _row(
        "agreements",
        "养老机构与医疗机构签约率 | Agreements with hospitals",
        "有有效协议的机构 / 机构 | with a valid one / institutions",
        "= 100",
        "专栏6-2",
        _of("agreement"),
    ),
    _row(
        "family_doctor",
        "60岁及以上老人家庭医生覆盖率 | Family doctors",
        "有有效签约的60+ / 60+ | 60+ with a valid contract / 60+",
        ">= 80",
        "专栏6-2",
        _of("family_doctor"),
    ),
    _row(
        "adaptation",
        "特殊困难老年人家庭适老化改造 | Adapted homes",
        "已验收 / 符合条件的申请家庭 | accepted / eligible homes",
        "= 100",
        "专栏6-3",
        _of("adaptation"),
    ),
    _row(
        "cameras",
        "养老机构监控设备接入率 | Cameras connected",
        "7日内检查可达的摄像机 / 摄像机 | reachable when checked within 7 days / cameras",
        "= 100",
        "专栏6-4",
        _of("cameras"),
    ),
    _row(
        "system_use",
        "养老机构智慧养老系统使用率 | Institutions that use the system",
        "30日内有业务记录≥20日的机构 / 机构 | with records of staff on 20 of 30 days / institutions",
        "= 100",
        "专栏6-5",
        _of("system_use"),
    ),
    _row(
        "certified",
        "养老服务人员持证上岗率 | Certified staff",
        "持有效证书的在岗人员 / 在岗人员 | with a valid certificate / active staff",
        ">= 80",
        "第五章第五节",
        _of("certified"),
    ),
    _row(
        "social_per_1000",
        "每千名老年人社会工作者 | Social workers per 1,000",
        "社工 ×1000 / 60+ | social workers × 1000 / 60+",
        ">= 1",
        "第五章第五节",
        _of("social_workers"),
        unit="per_1000",
    ),
    _row(
        "social_per_beds",
        "每百张床位社会工作者 | Social workers per 100 beds",
        "社工 ×100 / 床位 | social workers × 100 / beds",
        ">= 1",
        "第五章第五节",
        _per_beds,
        unit="per_100",
    ),
    _row(
        "trainings",
        "年度培训期数 | Trainings a year",
        "当年已举办 | held this year",
        ">= 4",
        "专栏6-6",
        _trainings,
        unit="count",
    ),
    _row(
        "trained",
        "年度培训人次 | People trained a year",
        "当年参加 | came this year",
        "> 100",
        "专栏6-6",
        _trained,
        unit="count",
    ),
    _row(
        "filed",
        "从业人员年度备案率 | Staff filed",
        "当年已备案 / 人员 | filed for the year / staff",
        "= 100",
        "第五章第五节",
        _of("filed"),
    ),
    _row(
        "lottery",
        "福彩公益金用于养老占比 | Lottery money for the old",
        "用于养老 / 福彩公益金 | for the old / all",
        ">= 80",
        "第五章第四节",
    ),
    _row(
        "circle",
        "15分钟养老服务圈覆盖率 | Within 15 minutes",
        "15分钟内有设施的60+ / 60+ | 60+ within 15 minutes / 60+",
        "= 100",
        "第五章第四节",
    ),
    _row(
        "poor_in_care",
        "有意愿的失能特困人员集中供养率 | Destitute in institutions",
        "集中供养 / 有意愿者 | in institutions / willing",
        "= 100",
        "第二章第一节",
    ),
    _row(
        "poor_agreements",
        "分散供养失能特困人员委托照料协议签订率 | Entrusted care",
        "已签协议 / 分散供养 | with an agreement / at home",
        "= 100",
        "第二章第一节",
    ),
    _row(
        "visits",
        "特殊困难老年人月探访率 | Visited within a month",
        "31日内已探访 / 应访老人 | visited within 31 days / to be visited",
        "= 100",
        "定期探访制度（国家：2025年底100%）",
        _of("visits"),
    ),
)
BY_CODE: Final = {one.code: one for one in INDICATORS}

RESPONSE: Final[dict[str, Names]] = {
    "answered_60s": Names("60秒内响应", "Answered within 60 s"),
    "answered_180s": Names("180秒内响应", "Answered within 180 s"),
    "on_site_45m": Names("45分钟内到场", "On site within 45 min"),
    "on_site_60m": Names("60分钟内到场", "On site within 60 min"),
    "beds_occupied": Names("床位入住率", "Beds in use"),
    "complaints_in_time": Names("投诉按期答复", "Complaints answered in time"),
    "incidents_closed": Names("事故已结案", "Incidents closed"),
    "assessed": Names("已评估老人", "Residents with a care level"),
}
"""Counted beside the plan's own rows; response times are British figures, used where no Chinese ones were found."""
