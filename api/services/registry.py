"""Every kind of record of the eleven services and of the house: their modules enter, routers leave."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from api.institution.kinds import KINDS as HOUSE
from api.services.assessment.kinds import KINDS as ASSESSMENT
from api.services.assessment.routes import router as forms_router
from api.services.companionship.kinds import KINDS as COMPANIONSHIP
from api.services.companionship.routes import router as companionship_router
from api.services.daily_living.kinds import KINDS as DAILY_LIVING
from api.services.engine.kind import RecordKind
from api.services.engine.routes import router_of
from api.services.goods.kinds import KINDS as GOODS
from api.services.goods.routes import router as goods_router
from api.services.health.kinds import KINDS as HEALTH
from api.services.home_care.kinds import KINDS as HOME_CARE
from api.services.information.kinds import KINDS as INFORMATION
from api.services.medical.kinds import KINDS as MEDICAL
from api.services.rehabilitation.kinds import KINDS as REHABILITATION
from api.services.rescue.kinds import KINDS as RESCUE
from api.services.safety.kinds import KINDS as SAFETY

ALL: Final[tuple[tuple[RecordKind, ...], ...]] = (
    INFORMATION,
    SAFETY,
    HEALTH,
    RESCUE,
    GOODS,
    DAILY_LIVING,
    REHABILITATION,
    COMPANIONSHIP,
    MEDICAL,
    ASSESSMENT,
    HOME_CARE,
    HOUSE,
)
KINDS: Final[dict[tuple[str, str], RecordKind]] = {(kind.service, kind.code): kind for kinds in ALL for kind in kinds}


def routers() -> list[APIRouter]:
    """The routes of every kind, and what single services have beside them."""
    return [forms_router, goods_router, companionship_router, *(router_of(kinds) for kinds in ALL)]
