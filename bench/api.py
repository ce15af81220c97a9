"""`anhu bench api`: a house of a thousand residents and a rate enter; how fast each list answers leaves.

A real API process on a real database. Requests are sent at the times of a fixed rate whether or not earlier ones have
been answered, and measured from that time: a wait in front of the server counts. Beside it stand the machine's own
ceiling, an endpoint that reads nothing, at the same rate, and every larger table that was read from end to end.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import cycle
from typing import Any

import httpx
import numpy as np
import psycopg

from bench.api_house import House, build
from bench.rig import RoleUnderTest, machine
from core.clock import Clock

READY_SECONDS_MAX = 30.0
SETTLE_SECONDS = 2.0
LARGE_ROWS = 1_000
"""A table of so many rows is not to be read from end to end for a list."""
REGION = frozenset({"supervision", "open-data", "fhir"})
"""Lists that add up or translate a whole house or district; measured, and told apart from the lists of a day's work."""


def run(
    url: str, clock: Clock, role: RoleUnderTest, port: int, *, residents: int, rate: int, seconds: float
) -> dict[str, Any]:
    """Build the house, start the API, ask; the figures as the contract names them."""
    facts = machine()
    began = time.perf_counter()
    house = build(url, clock, residents)
    built = time.perf_counter() - began
    role.start()
    base = f"http://127.0.0.1:{port}"
    figures = asyncio.run(_measure(base, url, house, rate=rate, seconds=seconds))
    return {
        "residents": residents, "requests_per_s": rate, "seconds": seconds, **figures,
        "built_seconds": round(built, 1), "machine": facts,
    }  # fmt: skip


def environment(url: str, port: int) -> dict[str, str]:
    """What `anhu run api` needs to serve that database on that port."""
    return {
        "ANHU_DATABASE_URL": url, "ANHU_API_PORT": str(port), "ANHU_API_HOST": "127.0.0.1",
        "ANHU_TOKEN_KEY": secrets.token_urlsafe(36), "ANHU_DEVICE_KEY": secrets.token_urlsafe(36),
    }  # fmt: skip


async def _measure(base: str, url: str, house: House, *, rate: int, seconds: float) -> dict[str, Any]:
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    async with httpx.AsyncClient(base_url=base, timeout=30.0, limits=limits) as client:
        await _ready(client)
        tokens = [await _sign_in(client, name, house.password) for name in house.staff]
        lists, left_out = _lists((await client.get("/openapi.json")).raise_for_status().json())
        calls = _calls(house, lists, tokens)
        for _ in lists:  # once each, so that plans and connections are there
            await _one(client, next(calls), time.perf_counter())
        before = _scans(url)
        await asyncio.sleep(SETTLE_SECONDS)
        bare = await _at_rate(client, cycle([("/healthz", "/healthz", "")]), rate, min(seconds, 5.0))
        answers = await _at_rate(client, calls, rate, seconds)
        await asyncio.sleep(SETTLE_SECONDS)  # the server's own counters are a second behind
    after = _scans(url)
    slow = {table: n - before.get(table, 0) for table, n in after.items() if n > before.get(table, 0)}
    return {**_figures(answers), "bare_p99_ms": _p(bare, 99), "sequential_scans": slow, "left_out": left_out}


async def _ready(client: httpx.AsyncClient) -> None:
    deadline = time.monotonic() + READY_SECONDS_MAX
    while True:
        try:
            if (await client.get("/healthz")).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        if time.monotonic() > deadline:
            raise TimeoutError("the api did not become ready")
        await asyncio.sleep(0.1)


async def _sign_in(client: httpx.AsyncClient, username: str, password: str) -> str:
    answer = await client.post("/api/v1/auth/token", data={"username": username, "password": password})
    return str(answer.raise_for_status().json()["access_token"])


def _lists(document: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Templates of every list of the OpenAPI document that can be asked for here, and those that cannot."""
    asked, left_out = [], []
    for path, operations in document["paths"].items():
        parameters = operations.get("get", {}).get("parameters", [])
        if not {"limit", "cursor"} & {one["name"] for one in parameters} or path.split("/")[3] in REGION:
            continue
        needs = any(one.get("required") and one["in"] == "query" for one in parameters)
        known = re.sub(rf"{_RECORD}.*|{{resident_id}}|{{device_id}}", "", path)
        (left_out if needs or "{" in known else asked).append(path)
    return sorted(asked), sorted(left_out)


_RECORD = r"/(?:services/)?([\w-]+/[\w-]+)/\{record_id\}"


def _calls(house: House, lists: list[str], tokens: list[str]) -> Iterator[tuple[str, str, str]]:
    """(template, path, token) without end: every list in turn, by everybody in turn, of one after another."""
    people, devices, callers = cycle(house.residents), cycle(house.devices), cycle(tokens)
    records = {kind: cycle(ids) for kind, ids in house.records.items()}
    for template in cycle(lists):
        path = template.replace("{resident_id}", str(next(people))).replace("{device_id}", next(devices))
        if kind := re.search(_RECORD, template):
            path = path.replace("{record_id}", str(next(records[kind[1]])))
        yield template, path, next(callers)


Answer = tuple[str, int, float]


async def _at_rate(client: httpx.AsyncClient, calls: Iterator[Any], rate: int, seconds: float) -> list[Answer]:
    """Send at a fixed rate; (template, status, milliseconds since it was due) of each."""
    began, waiting = time.perf_counter(), []
    for number in range(int(rate * seconds)):
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        waiting.append(asyncio.create_task(_one(client, next(calls), due)))
    return list(await asyncio.gather(*waiting))


async def _one(client: httpx.AsyncClient, call: tuple[str, str, str], due: float) -> Answer:
    template, path, token = call
    try:
        answer = await client.get(path, headers={"Authorization": f"Bearer {token}"} if token else {})
        status = answer.status_code
    except httpx.HTTPError:
        status = 0
    return template, status, 1000 * (time.perf_counter() - due)


def _figures(answers: list[Answer]) -> dict[str, Any]:
    routes: dict[str, list[Answer]] = defaultdict(list)
    for one in answers:
        routes[one[0]].append(one)
    wrong = Counter(f"{template} {status}" for template, status, _ in answers if status != httpx.codes.OK)
    slowest = sorted(routes.items(), key=lambda item: -_p(item[1], 50))[:10]
    return {
        "requests": len(answers), "lists": len(routes), "errors": wrong.total(), "wrong": dict(wrong),
        "p50_ms": _p(answers, 50), "p95_ms": _p(answers, 95), "p99_ms": _p(answers, 99), "max_ms": _p(answers, 100),
        "slowest_p50_ms": {name: _p(found, 50) for name, found in slowest},
    }  # fmt: skip


def _p(answers: list[Answer], percent: float) -> float:
    return round(float(np.percentile([ms for _, _, ms in answers], percent)), 2)


def _scans(url: str) -> dict[str, int]:
    """How often each larger table has been read from end to end so far."""
    with psycopg.connect(url, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT relname, seq_scan FROM pg_stat_user_tables WHERE n_live_tup >= %s", (LARGE_ROWS,)
        ).fetchall()
    return {name: int(scans) for name, scans in rows}
