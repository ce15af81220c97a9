"""A database enters; an institution with a thousand residents and full lists of everything leaves.

Rows are multiplied in SQL, in the form that the kinds of the services themselves declare: this is about how fast lists
answer, and a list must be long for that. Nothing here is a story; `anhu up --demo` has one.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

import psycopg

from api.services.registry import KINDS
from bench.bodies import body_of
from cli import provision
from core.clock import Clock
from db.pool import connect
from db.queries import sql
from db.tenant import Transaction

STAFF = 20
FAMILIES = 200
RECORDS_EACH = 2
"""Records of every kind for each resident."""
SINGLE = {("institution", "stay"), ("institution", "bill")}
"""Kinds of which a resident has one at a time."""
UNIQUE = ("serial", "alert_id")
"""Words of a detail that no two records share."""
TIMES = {"测血压": ["08:00", "20:00"], "服药": ["07:30", "11:30", "17:30"], "翻身": ["10:00", "15:00"]}
MEASURES = [{"what": what, "times": times, "weekdays": [], "every_days": 1} for what, times in TIMES.items()]
"""Seven tasks a day from each care plan."""
ALERTS_EACH = 10
NOTICES_EACH = 500


ORDER = (
    "bench_house.staff", "bench_house.residents", "bench_house.families", "bench_house.contacts",
    "bench_house.consents", "bench_house.providers", "bench_house.workers", "bench_house.products",
    "bench_house.targets", "bench_house.devices", "bench_house.status", "bench_house.bindings",
    "bench_house.latest", "bench_house.checks", "bench_house.rejections", "bench_house.audit",
    "bench_house.alerts", "bench_house.entries", "bench_house.stream", "bench_house.notices",
)  # fmt: skip
"""Queries of `db/queries/bench_house.sql` that fill a house, each after what it refers to."""


class House(NamedTuple):
    """What a caller needs: accounts with one password, and whom and what to ask for."""

    institution: UUID
    staff: list[str]
    password: str
    residents: list[UUID]
    devices: list[str]
    records: dict[str, list[UUID]]
    """Ids by the address of their kind, as in `goods/orders`."""


def build(url: str, clock: Clock, residents: int) -> House:
    """An institution with everything in it, and a second one of the same size whose rows must not slow it down."""
    houses = [_build(url, clock, f"house-{letter}", residents) for letter in "ba"]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    return houses[-1]


def _build(url: str, clock: Clock, code: str, residents: int) -> House:
    password = provision.random_password()
    staff = [f"{code}-staff-{n}" for n in range(STAFF)]
    with connect(url, "admin") as connection, connection.transaction():
        tx = Transaction(connection)
        institution = provision.create_institution(tx, clock, code=code, name_zh="测试", name_en="Bench")
        first = provision.create_user(
            tx, clock, institution=institution, username=staff[0], password=password, role="admin", name="员工",
            on_duty=True,
        )  # fmt: skip
    now = clock.now()
    given: dict[str, Any] = {
        "tenant": institution, "now": now, "count": residents, "code": code, "first": first,
        "staff": STAFF, "families": min(FAMILIES, residents), "alerts": ALERTS_EACH, "notices": NOTICES_EACH,
        "since": now - timedelta(days=60),
    }  # fmt: skip
    with psycopg.connect(url) as connection:
        for name in ORDER:
            connection.execute(sql(name), given)
        for (service, kind), declared in KINDS.items():
            _records(connection, given, service, kind, declared)
        people = connection.execute(
            "SELECT id FROM residents WHERE institution_id = %s ORDER BY room, id", (institution,)
        ).fetchall()
        devices = connection.execute("SELECT id FROM devices WHERE institution_id = %s", (institution,)).fetchall()
        records = {
            f"{service}/{declared.path}": _ids(connection, institution, service, kind)
            for (service, kind), declared in KINDS.items()
        }
    ids = [row[0] for row in people], [row[0] for row in devices]
    return House(institution, staff, password, *ids, records)


def _ids(connection: psycopg.Connection[Any], institution: UUID, service: str, kind: str) -> list[UUID]:
    query = "SELECT id FROM service_records WHERE institution_id = %s AND service = %s AND kind = %s LIMIT 100"
    return [row[0] for row in connection.execute(query, (institution, service, kind))]


def _records(
    connection: psycopg.Connection[Any], given: dict[str, Any], service: str, kind: str, declared: Any
) -> None:
    """Records of one kind over all its states, each with its first event."""
    states = [state.code for state in declared.machine.states]
    finals = [state in declared.machine.finals for state in states]
    detail = body_of(declared.detail)
    if "measures" in detail:
        detail["measures"] = MEASURES
    connection.execute(
        sql("bench_house.records"),
        given | {
            "service": service, "kind": kind, "states": states, "finals": finals, "detail": json.dumps(detail),
            "each": 1 if (service, kind) in SINGLE else RECORDS_EACH,
            "own": next((word for word in UNIQUE if word in detail), "-"),
        },
    )  # fmt: skip
