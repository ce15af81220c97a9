"""Rows as FHIR R4 resources: residents, devices, readings, alerts enter, plain JSON leaves.

LOINC and UCUM are those of the registry of metrics. Blood pressure is one panel with two components, where both were
measured by one device at one time. Ids follow from what they name: the same reading is always the same resource.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from core.metrics import BY_CODE, BY_ID, Metric
from core.readings import Flag
from core.vocabulary import ALERT_TYPES, DEVICE_KINDS, Names

Resource = dict[str, Any]
LOINC: Final = "http://loinc.org"
UCUM: Final = "http://unitsofmeasure.org"
BP_PANEL: Final = "85354-9"
NEWS2: Final = "88330-6"
SYSTOLIC, DIASTOLIC = BY_CODE["bp_sys"].id, BY_CODE["bp_dia"].id
DEVICES: Final = "urn:anhu:device"
CODED: Final[dict[str, Metric]] = {metric.loinc: metric for metric in BY_ID.values() if metric.loinc}
SPACE: Final = UUID("6b1f0a52-0c0b-5a51-8f0e-5d2a4c6a7e11")
_CATEGORY: Final = {
    "vital": ("vital-signs", "Vital Signs"),
    "activity": ("activity", "Activity"),
}
_GENDERS: Final = {"female": "female", "male": "male", "other": "other", "unknown": "unknown"}


def device_ref(device: str) -> str:
    """The id of a device as FHIR has ids: no underscores there, and no full stops in ours."""
    return device.replace("_", ".")


def device_of(reference: str) -> str:
    """Our id of a FHIR id."""
    return reference.replace(".", "_")


def instant(moment: datetime) -> str:
    """RFC 3339 with milliseconds."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def patient(row: dict[str, Any]) -> Resource:
    """A resident."""
    made: Resource = {
        "resourceType": "Patient",
        "id": str(row["id"]),
        "meta": {"versionId": str(row["version"]), "lastUpdated": instant(row["updated_at"])},
        "active": row["status"] not in ("discharged", "deceased"),
        "name": [{"use": "official", "text": row["name"]}],
        "gender": _GENDERS[row["sex"]],
        "birthDate": row["birth_date"].isoformat(),
    }
    if row["phone"]:
        made["telecom"] = [{"system": "phone", "value": row["phone"]}]
    if row["status"] == "deceased":
        made["deceasedBoolean"] = True
    return made


def device(row: dict[str, Any]) -> Resource:
    """A device, with the resident whom it serves now."""
    names = DEVICE_KINDS.get(row["kind"], Names(row["kind"], row["kind"]))
    made: Resource = {
        "resourceType": "Device",
        "id": device_ref(row["id"]),
        "identifier": [{"system": DEVICES, "value": row["id"]}],
        "status": "inactive" if row["retired_at"] else "active",
        "type": {"coding": [{"system": "urn:anhu:device-kind", "code": row["kind"]}], "text": f"{names.zh} {names.en}"},
    }
    if row["model"]:
        made["modelNumber"] = row["model"]
    if row["firmware"]:
        made["version"] = [{"value": row["firmware"]}]
    if row["resident_id"]:
        made["patient"] = {"reference": f"Patient/{row['resident_id']}"}
    return made


def observations(subject: UUID, rows: Sequence[dict[str, Any]]) -> list[Resource]:
    """Readings in their order; the two pressures of one time and device as one panel."""
    pressures = {(row["device"], row["time"], row["metric"]): row for row in rows if row["metric"] in (5, 6)}
    made: list[Resource] = []
    for row in rows:
        key = (row["device"], row["time"])
        low = pressures.get((*key, DIASTOLIC))
        high = pressures.get((*key, SYSTOLIC))
        if low and high and row["metric"] == SYSTOLIC:
            made.append(_panel(subject, high, low))
        elif not (low and high and row["metric"] == DIASTOLIC):
            made.append(_single(subject, row))
    return made


def _single(subject: UUID, row: dict[str, Any]) -> Resource:
    metric = BY_ID[row["metric"]]
    made = _base(subject, row, metric.loinc or "", metric, metric.en)
    made["valueQuantity"] = _quantity(metric, row["value"])
    return made


def _panel(subject: UUID, high: dict[str, Any], low: dict[str, Any]) -> Resource:
    made = _base(subject, high, BP_PANEL, BY_ID[SYSTOLIC], "Blood pressure panel")
    made["component"] = [
        {"code": code_of(BY_ID[row["metric"]].loinc or "", BY_ID[row["metric"]].en),
         "valueQuantity": _quantity(BY_ID[row["metric"]], row["value"])}
        for row in (high, low)
    ]  # fmt: skip
    return made


def _base(subject: UUID, row: dict[str, Any], loinc: str, metric: Metric, text: str) -> Resource:
    code, display = _CATEGORY[metric.kind]
    made: Resource = {
        "resourceType": "Observation",
        "id": str(uuid.uuid5(SPACE, f"{row['device']} {loinc} {row['time'].timestamp():.6f}")),
        "status": "final",
        "category": [
            {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": code,
                         "display": display}]}
        ],
        "code": code_of(loinc, text),
        "subject": {"reference": f"Patient/{subject}"},
        "effectiveDateTime": instant(row["time"]),
        "device": {"reference": f"Device/{device_ref(row['device'])}"},
    }  # fmt: skip
    doubts = [flag.name.lower() for flag in Flag if row["flags"] & flag and flag.name]
    if doubts:
        made["note"] = [{"text": "doubtful: " + ", ".join(doubts)}]
    return made


def code_of(loinc: str, text: str) -> Resource:
    return {"coding": [{"system": LOINC, "code": loinc}], "text": text}


def _quantity(metric: Metric, value: float) -> Resource:
    return {"value": round(value, 4), "unit": metric.unit, "system": UCUM, "code": metric.ucum}


def flag(row: dict[str, Any]) -> Resource:
    """An alert: active until it is resolved; a false one was entered in error."""
    names = ALERT_TYPES.get(row["type"], Names(row["type"], row["type"]))
    status = "active"
    if row["state"] == "resolved":
        status = "entered-in-error" if row["outcome"] in ("false_alarm", "test") else "inactive"
    period = {"start": instant(row["opened_at"])}
    if row["resolved_at"]:
        period["end"] = instant(row["resolved_at"])
    return {
        "resourceType": "Flag",
        "id": str(row["id"]),
        "status": status,
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/flag-category", "code": "safety"}]}],
        "code": {
            "coding": [{"system": "urn:anhu:alert-type", "code": row["type"]}],
            "text": f"{names.zh} {names.en}",
        },
        "subject": {"reference": f"Patient/{row['resident_id']}"},
        "period": period,
    }


def bundle(
    base: str, link: str, resources: Iterable[Resource], following: str | None, included: Iterable[Resource] = ()
) -> Resource:
    """A page of a search; `next` where there is more. `included`: what the found ones refer to."""
    links = [{"relation": "self", "url": link}]
    if following is not None:
        links.append({"relation": "next", "url": following})
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "link": links,
        "entry": [
            {"fullUrl": f"{base}/{one['resourceType']}/{one['id']}", "resource": one, "search": {"mode": mode}}
            for mode, found in (("match", resources), ("include", included))
            for one in found
        ],
    }


def capability(version: str, now: datetime) -> Resource:
    """What this side can do."""

    def resource(kind: str, searches: dict[str, str], *, read: bool) -> Resource:
        interactions = [{"code": "search-type"}] if searches else []
        made: Resource = {
            "type": kind,
            "interaction": ([{"code": "read"}] if read else []) + interactions,
        }
        if searches:
            made["searchParam"] = [{"name": name, "type": sort} for name, sort in searches.items()]
        return made

    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": instant(now),
        "kind": "instance",
        "software": {"name": "Anhu", "version": version},
        "implementation": {"description": "Anhu 安护"},
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [
            {
                "mode": "server",
                "security": {"description": "Bearer token of POST /api/v1/auth/token"},
                "resource": [
                    resource("Patient", {"_id": "token"}, read=True),
                    resource("Device", {}, read=True),
                    resource("Observation", {"subject": "reference", "code": "token", "date": "date"}, read=False),
                    resource("Flag", {"subject": "reference", "status": "token"}, read=False),
                ],
            }
        ],
    }
