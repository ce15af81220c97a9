"""Templates: words and times enter, an HTML answer under a strict policy leaves; Chinese first, English beside.

The policy lets no inline script or style run and loads nothing from elsewhere. Every value is escaped by the template
engine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Any, Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

ASSETS: Final = "assets"
POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HEADERS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
    "Content-Security-Policy": POLICY,
}
_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86_400.0


def render(template: str, status: int, /, *, headers: Mapping[str, str] = {}, **words: Any) -> HTMLResponse:
    """An answer from a template. `prefix`, `zone` and `now` must be among the words."""
    text = _environment().get_template(template).render(words)
    return HTMLResponse(text, status_code=status, headers={**HEADERS, **headers})


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("api.pages"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(two=two, asset=asset, clock_time=clock_time, day_time=day_time, age=age, moment=moment)
    return made


def two(zh: Any, en: Any = "") -> Markup:
    """Chinese first, English beside; also from a pair as the API gives it: `two(alert.type_name)`."""
    if isinstance(zh, Mapping):
        zh, en = zh["zh"], zh["en"]
    if not en or zh == en:
        return escape(zh)
    return Markup('{} <span class="en" lang="en">{}</span>').format(zh, en)


@cache
def asset(name: str) -> str:
    """A file of ours under a name that changes with it, so that it may be kept for long."""
    content = resources.files("api.pages").joinpath(ASSETS, name).read_bytes()
    return f"{ASSETS}/{name}?{hashlib.sha256(content).hexdigest()[:12]}"


def moment(text: str | datetime) -> datetime:
    """A time as the API writes it."""
    return text if isinstance(text, datetime) else datetime.fromisoformat(text)


def clock_time(at: str | datetime, zone: ZoneInfo) -> str:
    """07:40."""
    return f"{moment(at).astimezone(zone):%H:%M}"


def day_time(at: str | datetime, zone: ZoneInfo, now: datetime) -> str:
    """今天 07:40, 昨天 07:40, 3月2日 07:40, 2025年3月2日 07:40."""
    local, today = moment(at).astimezone(zone), now.astimezone(zone)
    days = (today.date() - local.date()).days
    if days in (0, 1):
        return f"{'昨天' if days else '今天'} {local:%H:%M}"
    year = "" if local.year == today.year else f"{local.year}年"
    return f"{year}{local.month}月{local.day}日 {local:%H:%M}"


def age(at: str | datetime, now: datetime) -> Markup:
    """How long ago, or in how long: 3 分钟前 3 min ago."""
    seconds = (now - moment(at)).total_seconds()
    far = abs(seconds)
    if far < _MINUTE:
        return two("刚刚", "just now")
    zh, en = next(
        (f"{int(far // size)} {zh}", f"{int(far // size)} {en}")
        for size, zh, en in ((_DAY, "天", "d"), (_HOUR, "小时", "h"), (_MINUTE, "分钟", "min"))
        if far >= size
    )
    return two(f"{zh}前", f"{en} ago") if seconds > 0 else two(f"{zh}后", f"in {en}")
