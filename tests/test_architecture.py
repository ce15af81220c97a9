"""The rules of the house, as tests: who may import whom, where SQL and time live, how long a function may be."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = ("alerts", "api", "bench", "cli", "core", "db", "devices", "ingest", "simulators")

ALLOWED: dict[str, set[str]] = {
    "core": {"core"},
    "db": {"db", "core"},
    "devices": {"devices", "core", "db"},
    "ingest": {"ingest", "core", "db", "devices"},
    "alerts": {"alerts", "core", "db", "devices.models"},
    "alerts.detectors": {"alerts.detectors", "core"},
    "alerts.lifecycle": {"core"},
    "devices.adapters": {"devices.adapters", "core"},
    "api": {
        "api",
        "core",
        "db",
        "devices.models",
        "devices.registry",
        "devices.checks",
        "devices.commands",
        "devices.foreign",
        "devices.ingest_keys",
        "alerts.family",
        "alerts.lifecycle",
        "alerts.detectors.parameters",
        "alerts.notify.message",
        "alerts.own_limits",
        "alerts.pages",
        "alerts.plans",
        "alerts.recipients",
        "alerts.rota",
        "alerts.service",
    },
    # The console is a client like any other: it stands on the public HTTP API alone.
    "api.console": {"api.console", "api.pages.charts", "core"},
    # Pages have what any integrator has: the API over HTTP. No database, no domain.
    "api.pages": {"api.pages", "api.deps", "api.state", "core"},
    "simulators": {"simulators", "core"},
}
"""Right side only. cli and bench wire everything together and may import anything; nothing imports them."""

PURE = {"alerts.detectors": {"numpy"}, "alerts.lifecycle": set(), "devices.adapters": set()}
"""These decide and do nothing else: beside core, the standard library and what is named here."""

IO_MODULES = {"psycopg", "psycopg_pool", "paho", "httpx", "socket", "threading", "subprocess", "requests", "os"}

FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 500

Module = tuple[str, Path, ast.Module]


def modules() -> Iterator[Module]:
    for package in OURS:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            yield name, path, ast.parse(path.read_text(encoding="utf-8"))


MODULES = list(modules())


def imports(name: str, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{name}: imports are absolute"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                is_module = (ROOT / Path(*full.split("."))).with_suffix(".py").exists() or (
                    ROOT / Path(*full.split("."))
                ).is_dir()
                yield full if is_module else node.module


def rule_for(name: str) -> str | None:
    fitting = [rule for rule in ALLOWED if name == rule or name.startswith(rule + ".")]
    return max(fitting, key=len, default=None)


@pytest.mark.parametrize(("name", "path", "tree"), MODULES, ids=[name for name, _, _ in MODULES])
def test_imports_go_one_way(name: str, path: Path, tree: ast.Module) -> None:
    rule = rule_for(name)
    if rule is None:
        return
    for target in imports(name, tree):
        if target.split(".")[0] not in OURS:
            continue
        allowed = any(target == one or target.startswith(one + ".") for one in ALLOWED[rule])
        assert allowed, f"{path}: {rule} must not import {target}"


def test_nothing_imports_the_command_or_the_benches() -> None:
    for name, _, tree in MODULES:
        if name.split(".")[0] in ("cli", "bench"):
            continue
        outside = [target for target in imports(name, tree) if target.split(".")[0] in ("cli", "bench")]
        assert outside == [], name


def test_detectors_and_lifecycle_only_decide() -> None:
    for name, _, tree in MODULES:
        if any(name == pure or name.startswith(pure + ".") for pure in PURE):
            touched = {target.split(".")[0] for target in imports(name, tree)} & IO_MODULES
            assert touched == set(), f"{name} must not reach for {touched}"


CLOCKS = re.compile(
    r"datetime\.(now|utcnow|today)\(|date\.today\(|\btime\.(time|monotonic|sleep|perf_counter)\(|_time\.(time|monotonic)\("
)


def test_only_the_clock_asks_for_the_time() -> None:
    for name, path, _ in MODULES:
        if name == "core.clock" or name.startswith("bench"):
            continue
        found = CLOCKS.findall(path.read_text(encoding="utf-8"))
        assert found == [], f"{name} must take a core.clock.Clock"


SQL = re.compile(
    r"\b(SELECT\s+.+\s+FROM|INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|CREATE\s+(TABLE|ROLE|INDEX))\b", re.DOTALL
)


def test_sql_lives_in_db_only() -> None:
    for name, path, tree in MODULES:
        if name.split(".")[0] in ("db", "bench"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not SQL.search(node.value), f"{path}:{node.lineno} holds SQL; name a query in db/queries"


def test_only_the_door_names_a_tenant() -> None:
    for name, path, _ in MODULES:
        if name not in ("db.tenant",):
            text = path.read_text(encoding="utf-8")
            assert "tenant.enter" not in text, f"{name} must use db.tenant"
            assert "anhu.tenant" not in text, f"{name} must use db.tenant"


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = node.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    body = node.body[1:] if documented else node.body
    return (node.end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_functions_can_be_held_in_the_head() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name} has {body_lines(node)} lines"
        for _, path, tree in MODULES
        for node in functions(tree)
        if body_lines(node) > FUNCTION_LINES_MAX
    ]
    assert long == []


def test_files_can_be_held_in_the_head() -> None:
    long = [
        f"{path.relative_to(ROOT)} has {lines} lines"
        for _, path, _ in MODULES
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > FILE_LINES_MAX
    ]
    assert long == []


def test_every_module_opens_with_a_sentence() -> None:
    for name, path, tree in MODULES:
        if path.read_text(encoding="utf-8").strip():
            assert ast.get_docstring(tree), f"{name} says nothing of what enters and what leaves"


def test_every_query_is_used_and_every_used_query_exists() -> None:
    defined = {
        f"{path.stem}.{query}"
        for path in (ROOT / "db" / "queries").glob("*.sql")
        for query in re.findall(r"^-- name: (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    domains = {name.split(".")[0] for name in defined}
    used: set[str] = set()
    for _, _, tree in MODULES:
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                match = re.fullmatch(r"(\w+)\.(\w+)", node.value)
                if match and match[1] in domains:
                    used.add(node.value)
    built = {name for name in defined if name.startswith(("rollup.refresh_", "maintenance.", "readings."))}
    assert defined - used - built == set(), "queries that nobody runs"
    asked = {
        node.args[0].value
        for _, _, tree in MODULES
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("all", "first", "one", "run", "run_many")
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and re.fullmatch(r"\w+\.\w+", str(node.args[0].value))
    }
    assert asked - defined == set(), "names of queries that are not there"


def test_suppressions_say_why() -> None:
    bare = [
        f"{path.relative_to(ROOT)}:{number}"
        for _, path, _ in MODULES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if "type: ignore" in line and not re.search(r"type: ignore\[[\w, -]+\]\s+#\s*\S", line)
    ]
    assert bare == [], "write what is ignored and why: # type: ignore[code]  # reason"


def test_the_repository_speaks_of_the_product_alone() -> None:
    words = re.compile(r"(?<![\w.])/(home|Users|work)/\w|https?://(pypi|registry)\.")
    for path in ROOT.rglob("*"):
        inside = path.relative_to(ROOT).parts
        if not path.is_file() or inside[0] in (".git", ".venv", ".cache", "anhu-data") or "__pycache__" in inside:
            continue
        if path.suffix in (".py", ".sql", ".md", ".toml", ".yml", ".sh", ".lock") and path != Path(__file__):
            assert not words.search(path.read_text(encoding="utf-8", errors="replace")), path
