"""The eleven smart-care services as data: codes, names, groups, lifecycles, and the clause each stands on.

The five named in the regional plan (column 6, item 5: 信息查询、安全看护、健康管理、紧急救援、商品配送等 11 项服务)
are fixed; the other six are derived from duties of its chapter 5, since no public list of the eleven was found. An
operator can rename or regroup them here without touching code. Lifecycles are this platform's design; they stand with
the kinds of record of each service.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from api.services.assessment import kinds as assessment
from api.services.companionship import kinds as companionship
from api.services.daily_living import kinds as daily_living
from api.services.engine.machine import Machine
from api.services.goods import kinds as goods
from api.services.health import kinds as health
from api.services.home_care import kinds as home_care
from api.services.information import kinds as information
from api.services.medical import kinds as medical
from api.services.rehabilitation import kinds as rehabilitation
from api.services.rescue import kinds as rescue
from api.services.safety import kinds as safety
from core.vocabulary import Names


@dataclass(frozen=True, slots=True)
class CareService:
    """One service. The first lifecycle is that of its main record."""

    code: str
    names: Names
    group: str
    clause: str
    lifecycles: tuple[Machine, ...]

    @property
    def named_in_plan(self) -> bool:
        """Whether the plan names it; the other six are derived."""
        return self.code in NAMED_IN_PLAN


NAMED_IN_PLAN: Final = frozenset({"information", "safety", "health", "rescue", "goods"})
GROUPS: Final[dict[str, Names]] = {
    "information": Names("信息", "Information"),
    "safety": Names("安全与救援", "Safety and rescue"),
    "health": Names("健康与医疗", "Health and medicine"),
    "living": Names("生活与陪伴", "Daily living and company"),
    "assurance": Names("评估与居家保障", "Assessment and care at home"),
}


SERVICES: Final[tuple[CareService, ...]] = (
    CareService(
        "information",
        Names("信息查询", "Information and enquiry"),
        "information",
        "专栏6-5；养老服务数据资源共享",
        tuple(kind.machine for kind in information.KINDS),
    ),
    CareService(
        "safety",
        Names("安全看护", "Safety monitoring"),
        "safety",
        "专栏6-5；智能安全监护（专栏6-3）",
        tuple(kind.machine for kind in safety.KINDS),
    ),
    CareService(
        "health",
        Names("健康管理", "Health management"),
        "health",
        "专栏6-5；提升医养康养服务能力",
        tuple(kind.machine for kind in health.KINDS),
    ),
    CareService(
        "rescue",
        Names("紧急救援", "Emergency rescue"),
        "safety",
        "专栏6-5；养老服务应急救援体系",
        tuple(kind.machine for kind in rescue.KINDS),
    ),
    CareService(
        "goods",
        Names("商品配送", "Goods delivery"),
        "living",
        "专栏6-5；推动老年用品进家庭",
        tuple(kind.machine for kind in goods.KINDS),
    ),
    CareService(
        "daily-living",
        Names("生活照护", "Daily-living care"),
        "living",
        "第五章第四节：生活照护；试点助餐、助浴",
        tuple(kind.machine for kind in daily_living.KINDS),
    ),
    CareService(
        "rehabilitation",
        Names("康复护理", "Rehabilitation and aids"),
        "health",
        "第五章第四节：康复护理；康复辅助器具",
        tuple(kind.machine for kind in rehabilitation.KINDS),
    ),
    CareService(
        "companionship",
        Names("精神慰藉与定期探访", "Companionship and visits"),
        "living",
        "第五章第四节：精神慰藉；特殊困难老年人定期探访制度",
        tuple(kind.machine for kind in companionship.KINDS),
    ),
    CareService(
        "medical",
        Names("医养协同", "Medical-care coordination"),
        "health",
        "专栏6-2；家庭医生签约、双向转介绿色通道、家庭病床",
        tuple(kind.machine for kind in medical.KINDS),
    ),
    CareService(
        "assessment",
        Names("能力与需求综合评估", "Ability and need assessment"),
        "assurance",
        "第五章：老年人能力与需求综合评估标准；老年人失能等级评估体系",
        tuple(kind.machine for kind in assessment.KINDS),
    ),
    CareService(
        "home-care",
        Names("家庭照护床位与适老化改造", "Home care beds, adaptation and respite"),
        "assurance",
        "第五章：家庭照护床位、家庭喘息服务；专栏6-3：适老化改造",
        tuple(kind.machine for kind in home_care.KINDS),
    ),
)

BY_CODE: Final[dict[str, CareService]] = {service.code: service for service in SERVICES}
