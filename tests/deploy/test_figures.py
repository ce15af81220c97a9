"""Prometheus rules and Grafana dashboards enter; each figure they name is exported, and each query runs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

import alerts.metrics
import cli.accounts
import cli.jobs
from api.middleware import RequestMetrics
from deploy.logins import MONITOR, MONITORING
from ingest.metrics import IngestMetrics
from tests.fixtures.world import World

ROOT = Path(__file__).parents[2] / "deploy"
RULES = yaml.safe_load((ROOT / "prometheus/rules.yml").read_text(encoding="utf-8"))
SCRAPE = yaml.safe_load((ROOT / "prometheus/prometheus.yml").read_text(encoding="utf-8"))
BOARDS = {
    path.name: json.loads(path.read_text(encoding="utf-8")) for path in (ROOT / "grafana/dashboards").glob("*.json")
}
DATASOURCES = yaml.safe_load((ROOT / "grafana/provisioning/datasources/anhu.yml").read_text(encoding="utf-8"))
COMPOSE = yaml.safe_load((ROOT.parent / "docker-compose.yml").read_text(encoding="utf-8"))

SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}
WORDS = {"by", "without", "on", "ignoring", "and", "or", "unless", "group_left", "group_right", "bool", "offset"}
TARGET_LABELS = {"job", "instance"}


def exported() -> dict[str, set[str]]:
    """Labels of every series that a role exports, by its name, as Prometheus stores them."""
    owners = [*vars(alerts.metrics).values(), *vars(cli.jobs).values(), *vars(cli.accounts).values()]
    owners += [*vars(IngestMetrics(CollectorRegistry())).values(), *vars(RequestMetrics()).values()]
    found: dict[str, set[str]] = {"up": set()}
    for metric in owners:
        if isinstance(metric, MetricWrapperBase):
            # Prometheus sets the target's job and instance; a series' own label of that name becomes exported_...
            labels = {f"exported_{name}" if name in TARGET_LABELS else name for name in metric._labelnames}
            for suffix in SUFFIXES[metric._type]:
                more = {"le"} if suffix == "_bucket" else set()
                found[metric._name + suffix] = labels | more
    for family in REGISTRY.collect():
        if family.name.startswith("process_"):
            found.update({sample.name: set() for sample in family.samples})
    return found


EXPORTED = exported()


def expressions() -> Iterator[tuple[str, str]]:
    for group in RULES["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]
    for board in BOARDS.values():
        for panel in board["panels"]:
            for target in panel["targets"]:
                if "expr" in target:
                    yield panel["title"], target["expr"]


def names_and_labels(expression: str) -> tuple[set[str], set[str]]:
    """Series and labels in a PromQL expression."""
    labels: set[str] = set()

    def selector(match: re.Match[str]) -> str:
        labels.update(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", re.sub(r'"[^"]*"', '""', match[0])))
        return " "

    text = re.sub(r"\{(?:[^{}\"]|\"[^\"]*\")*\}", selector, expression)

    def grouping(match: re.Match[str]) -> str:
        labels.update(re.findall(r"\w+", match[1]))
        return " "

    text = re.sub(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)", grouping, text)
    text = re.sub(r"\[[^\]]*\]|\boffset\s+\w+", " ", text)
    found = {name for name in re.findall(r"[a-zA-Z_:]\w*(?!\w)(?!\s*\()", text) if name not in WORDS}
    return found, labels


@pytest.mark.parametrize(("title", "expression"), list(expressions()))
def test_an_expression_names_only_series_and_labels_that_exist(title: str, expression: str) -> None:
    del title
    names, labels = names_and_labels(expression)
    assert names
    unknown = names - EXPORTED.keys()
    assert not unknown, f"nobody exports {unknown}"
    known = TARGET_LABELS.union(*(EXPORTED[name] for name in names))
    assert labels <= known, f"{names} have no label {labels - known}"
    assert expression.count("(") == expression.count(")")


def test_the_reader_of_expressions_finds_what_does_not_exist() -> None:
    names, labels = names_and_labels('sum by (lane) (rate(anhu_ingest_lost_total{colour=~"a(b"}[5m])) / up > 3')
    assert names == {"anhu_ingest_lost_total", "up"}
    assert labels == {"lane", "colour"}
    assert "anhu_ingest_messages_total" in EXPORTED
    assert EXPORTED["anhu_jobs_runs_total"] == {"task", "result"}


def test_rules_say_how_bad_it_is_and_what_to_do() -> None:
    names = [rule["alert"] for group in RULES["groups"] for rule in group["rules"]]
    assert len(names) == len(set(names)) >= 12
    for group in RULES["groups"]:
        for rule in group["rules"]:
            assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
            assert rule["labels"]["severity"] in ("critical", "warning")
            assert set(rule["annotations"]) == {"summary", "action"}
            told = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
            series, _ = names_and_labels(rule["expr"])
            assert told <= TARGET_LABELS.union(*(EXPORTED[name] for name in series))
            assert "for" not in rule or re.fullmatch(r"\d+[smh]", rule["for"])


def test_every_role_is_asked() -> None:
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in SCRAPE["scrape_configs"]}
    assert set(targets) == {"anhu-ingest", "anhu-alerts", "anhu-jobs", "anhu-api", "anhu-accounts"}
    for name, (target,) in targets.items():
        host, port = target.split(":")
        assert host in COMPOSE["services"], name
        assert port == ("8080" if host == "api" else "9100")
        shared = set(COMPOSE["services"][host]["networks"]) & set(COMPOSE["services"]["prometheus"]["networks"])
        assert shared
    assert (ROOT / "prometheus" / SCRAPE["rule_files"][0]).exists()


def test_panels_lie_side_by_side_and_name_a_provisioned_datasource() -> None:
    known = {one["uid"]: one["type"] for one in DATASOURCES["datasources"]}
    assert len(BOARDS) == 4
    for board in BOARDS.values():
        taken: set[tuple[int, int]] = set()
        assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
        for panel in board["panels"]:
            at = panel["gridPos"]
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
            assert not cells & taken, panel["title"]
            assert at["x"] + at["w"] <= 24
            taken |= cells
            for source in (panel["datasource"], *(target["datasource"] for target in panel["targets"])):
                assert known[source["uid"]] == source["type"]


def queries() -> list[tuple[str, str]]:
    return [
        (panel["title"], target["rawSql"])
        for board in BOARDS.values()
        for panel in board["panels"]
        for target in panel["targets"]
        if "rawSql" in target
    ]


@pytest.fixture
def monitored(database_url: str, world: World) -> Iterator[psycopg.Connection[Any]]:
    """A connection with the rights of Grafana's login, on a database with an answered, a missed and a test alert."""
    with psycopg.connect(database_url) as connection:
        # Roles belong to the whole server: the login is made only where another test has not made it.
        connection.execute(
            f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{MONITOR}') THEN"
            f" CREATE ROLE {MONITOR} LOGIN NOINHERIT; END IF; END $$"
        )
        connection.execute(MONITORING.read_text(encoding="utf-8"))
        connection.execute(MONITORING.read_text(encoding="utf-8"))
        for minutes, answered, severity, outcome in (
            (50, 30, "critical", None), (40, 90, "high", None), (30, None, "high", None), (20, 10, "high", "test"),
        ):  # fmt: skip
            connection.execute(
                """INSERT INTO alerts (id, institution_id, resident_id, type, severity, state, source, occurred_at,
                       opened_at, acknowledged_at, resolved_at, outcome, last_occurred_at)
                   VALUES (gen_random_uuid(), %(institution)s, %(resident)s, %(type)s, %(severity)s,
                       CASE WHEN %(outcome)s::text IS NOT NULL THEN 'resolved'
                            WHEN %(answered)s::int IS NOT NULL THEN 'acknowledged' ELSE 'open' END, 'event', now(),
                       now() - %(minutes)s * INTERVAL '1 minute',
                       now() - %(minutes)s * INTERVAL '1 minute' + %(answered)s::int * INTERVAL '1 second',
                       CASE WHEN %(outcome)s::text IS NOT NULL THEN now() END, %(outcome)s, now())""",
                {
                    "institution": world.a.institution_id,
                    "resident": world.a.residents[0],
                    "type": f"t{minutes}",
                    "severity": severity,
                    "outcome": outcome,
                    "answered": answered,
                    "minutes": minutes,
                },
            )
        connection.execute(f"SET LOCAL ROLE {MONITOR}")
        yield connection


@pytest.mark.parametrize(("title", "query"), queries())
def test_a_query_of_a_dashboard_runs_with_grafana_s_rights(
    title: str, query: str, monitored: psycopg.Connection[Any]
) -> None:
    text = query.replace("$__timeFrom()", "now() - INTERVAL '1 day'").replace("$__timeTo()", "now()")
    assert "$" not in text
    cursor = monitored.execute(text)
    assert cursor.description
    rows = cursor.fetchall()
    assert rows or "reason" in query or "roles()" in query, title


def test_response_figures_follow_the_rules_of_the_api(monitored: psycopg.Connection[Any]) -> None:
    row = monitored.execute(
        "SELECT institution, alerts, unanswered, answered_60_share, answered_180_share, reached_2700_share"
        " FROM monitoring.response(now() - INTERVAL '1 day', now())"
    ).fetchone()
    # Three count: answered after 30 s, after 90 s, never. Only the oldest is old enough to have missed 45 minutes.
    assert row == ("site-a", 3, 1, pytest.approx(1 / 3), pytest.approx(2 / 3), 0.0)


@pytest.mark.parametrize("table", ["residents", "alerts", "readings", "users", "audit_log", "notification_channels"])
def test_grafana_s_login_reads_no_table(table: str, monitored: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        monitored.execute(f"SELECT count(*) FROM public.{table}")
