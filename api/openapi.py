"""The OpenAPI 3.1 description: FastAPI's own enters, one with every problem answer and tidy names leaves."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as package_version
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts

from api.deps import RoleRule, open_to_all
from api.errors import PROBLEM_MEDIA, Problem
from api.limits import is_limited

DESCRIPTION: Final = (
    "从设备到赶来的人：设备、读数、报警和十一项智慧养老服务的接口。\n\n"
    "From the wristband to the person who comes. Sign in with `POST /api/v1/auth/token` (or *Authorize* above). "
    "Lists answer `{items, next}`; pass `next` back as `cursor`. Times are RFC 3339 in UTC. Errors are RFC 9457 "
    "`application/problem+json` with a stable `type`. What belongs to another institution answers 404."
)
TAGS: Final = [
    {"name": "auth", "description": "登录与令牌 · Signing in"},
    {"name": "residents", "description": "老人档案、联系人、知情同意 · Residents, contacts, consents"},
    {"name": "readings", "description": "读数与时间线 · Readings and timeline"},
    {"name": "devices", "description": "设备、绑定、命令 · Devices, bindings, commands"},
    {"name": "rota", "description": "排班与在岗 · Rota and who is on duty"},
    {"name": "alerts", "description": "报警与处置 · Alerts and what is done about them"},
    {"name": "services", "description": "十一项智慧养老服务 · The eleven services"},
    {"name": "institution", "description": "机构：床位、人员、入住、收费、护理 · The house itself"},
    {"name": "providers", "description": "服务商与服务人员 · Providers and workers"},
    {"name": "supervision", "description": "监管指标 · Indicators for the regulator"},
    {"name": "fhir", "description": "健康数据交换 · FHIR R4, read only"},
    {"name": "users", "description": "账号 · Accounts"},
    {"name": "rights", "description": "个人信息权利 · Rights of the person"},
    {"name": "audit", "description": "审计日志 · Who read or wrote what"},
    {"name": "system", "description": "运行状态 · Health of the platform"},
]
_TITLES: Final = {
    "401": "请先登录 · Sign in first",
    "403": "没有权限 · Not allowed",
    "404": "未找到 · Not found",
    "409": "状态冲突 · Conflict",
    "412": "数据已被他人修改 · Changed in the meantime",
    "413": "请求内容过大 · Too large",
    "422": "输入内容无效 · Input is not valid",
    "429": "操作过于频繁 · Too many attempts",
    "503": "服务暂不可用 · Not available at the moment",
}


def version() -> str:
    """The version of the installed package."""
    try:
        return package_version("anhu")
    except PackageNotFoundError:
        return "0.0.0"


def operation_id(route: APIRoute) -> str:
    """The endpoint's function name: short and stable for generated clients."""
    return route.name


def install(app: FastAPI) -> None:
    """Let `app.openapi()` describe every answer of every route."""

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(
                title=app.title,
                version=app.version,
                summary=app.summary,
                description=app.description,
                routes=app.routes,
                tags=app.openapi_tags,
                license_info=app.license_info,
                separate_input_output_schemas=app.separate_input_output_schemas,
            )
            _add_problems(schema)
            _add_roles(schema, app)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]  # the way FastAPI names


def _add_roles(schema: dict[str, Any], app: FastAPI) -> None:
    """`x-roles`: who may call an operation, from the rule that lets them; empty where no token is needed.

    Raises ValueError for an operation without a rule: an API with one is not described, and so not released.
    """
    for route in iter_route_contexts(app.routes):
        operations = schema["paths"].get(route.path) if route.path else None
        dependant = getattr(route, "dependant", None)
        if operations is None or dependant is None:
            continue
        calls = list(_calls(dependant))
        rules = [call.roles for call in calls if isinstance(call, RoleRule)]
        if len(rules) + calls.count(open_to_all) != 1:
            raise ValueError(f"{route.path} must have exactly one rule")
        for method in route.methods or ():
            if method.lower() in operations:
                operations[method.lower()]["x-roles"] = sorted(rules[0]) if rules else []


def _calls(dependant: Any) -> Iterator[Any]:
    for one in dependant.dependencies:
        yield one.call
        yield from _calls(one)


def _add_problems(schema: dict[str, Any]) -> None:
    components = schema.setdefault("components", {}).setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    components.update(problem.pop("$defs", {}))
    components["Problem"] = problem
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            responses = operation["responses"]
            responses.pop("422", None)
            for status in _possible(path, method, operation):
                responses[status] = _problem_answer(status)
    components.pop("HTTPValidationError", None)
    components.pop("ValidationError", None)


def _possible(path: str, method: str, operation: dict[str, Any]) -> list[str]:
    found = ["503", *(["429"] if is_limited(path) else [])]
    if operation.get("security"):
        found += ["401", "403"]
    if "/auth/" in path or path.endswith("/me/password"):
        found.append("401")
    names = {one["name"] for one in operation.get("parameters", ())}
    if "{" in path or method in ("post", "delete") or names & {"subject", "resident", "site"}:
        found.append("404")
    if operation.get("parameters") or operation.get("requestBody"):
        found.append("422")
    if operation.get("requestBody"):
        found += ["400", "413"]
    if method in ("post", "put", "patch", "delete"):
        found.append("409")
    if method in ("put", "patch") or "if-match" in names:
        found.append("412")
    return sorted(set(found))


def _problem_answer(status: str) -> dict[str, Any]:
    return {
        "description": _TITLES.get(status, "请求无效 · Bad request"),
        "content": {PROBLEM_MEDIA: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
