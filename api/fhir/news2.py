"""NEWS2 as a FHIR Observation: a score with its parts and the readings behind it enter, the resources leave.

The score is an Observation with a component for each parameter and `derivedFrom` for the readings that it rests on,
which come along in the same bundle. A partial score is preliminary and says what is missing.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, Final

from api.fhir.resources import LOINC, NEWS2, SPACE, UCUM, Resource, code_of, instant, observations
from api.residents.news2 import News2Out, Part
from core.metrics import BY_CODE

SNOMED: Final = "http://snomed.info/sct"
SNOMED_NEWS2: Final = "1104051000000101"
_SURVEY: Final = "http://terminology.hl7.org/CodeSystem/observation-category"
_ABSENT: Final = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_TEXTS: Final = {"oxygen": "Air or oxygen", "consciousness": "Consciousness (ACVPU)"}


def news2_observation(found: News2Out, rows: Sequence[dict[str, Any]]) -> tuple[Resource, list[Resource]]:
    """The score, and the readings that it is derived from.

    rows: the newest readings of its parameters (`readings.latest`), with the diastolic pressure of the same moment, so
    that a pressure has the id that it has in any other search.
    """
    counted = {(part.source, part.t) for part in found.parts if part.points is not None and part.unit}
    sources = observations(found.resident_id, [row for row in rows if (row["device"], row["time"]) in counted])
    made: Resource = {
        "resourceType": "Observation",
        "id": str(uuid.uuid5(SPACE, f"{found.resident_id} {NEWS2} {found.at.timestamp():.3f}")),
        "status": "preliminary" if found.partial else "final",
        "category": [{"coding": [{"system": _SURVEY, "code": "survey", "display": "Survey"}]}],
        "code": {
            "coding": [{"system": LOINC, "code": NEWS2}, {"system": SNOMED, "code": SNOMED_NEWS2}],
            "text": "早期预警评分 NEWS2",
        },
        "subject": {"reference": f"Patient/{found.resident_id}"},
        "effectiveDateTime": instant(found.at),
        "valueQuantity": _points(found.score),
        "interpretation": [{"text": found.risk}],
        "component": [_component(part) for part in found.parts],
    }
    if sources:
        made["derivedFrom"] = [{"reference": f"Observation/{one['id']}"} for one in sources]
    if found.partial:
        made["note"] = [{"text": "partial, the least that it can be; missing: " + ", ".join(found.missing)}]
    return made, sources


def _component(part: Part) -> Resource:
    metric = BY_CODE.get(part.parameter)
    code = code_of(metric.loinc, metric.en) if metric and metric.loinc else {"text": _TEXTS[part.parameter]}
    if part.points is None:
        absent = {"coding": [{"system": _ABSENT, "code": "unknown", "display": "Unknown"}]}
        return {"code": code, "dataAbsentReason": absent}
    return {"code": code, "valueQuantity": _points(part.points)}


def _points(score: int) -> Resource:
    return {"value": score, "unit": "{score}", "system": UCUM, "code": "{score}"}
