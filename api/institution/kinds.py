"""Every kind of record of the house itself, in one place."""

from __future__ import annotations

from typing import Final

from api.institution.bills import BILL
from api.institution.complaints import COMPLAINT
from api.institution.handover import HANDOVER
from api.institution.incidents import INCIDENT
from api.institution.stays import STAY

KINDS: Final = (STAY, BILL, HANDOVER, INCIDENT, COMPLAINT)
