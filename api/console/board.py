"""The board: residents of the house enter, one living element with a card for each leaves.

A page begins with what the house knows already and then follows it; only what changed is sent, once worked out.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from nicegui import ui
from pypinyin import Style, lazy_pinyin

from api.console.client import ConsoleError
from api.console.frame import SCREENS, View, message, screen
from api.console.house import House, Listener, Thing
from api.console.texts import Speech

FIRST_WAIT_SECONDS: Final = 3.0
RESIDENTS_MAX: Final = 5_000
_RANK: Final = {"critical": 0, "high": 1, "medium": 2, "low": 3}
_DECIMALS: Final = {"body_temp": 1, "glucose": 1}


@screen("/", "menu.board", icon="board", order=1)
async def board(view: View) -> None:
    """Everybody at a glance."""
    house = view.house
    if house is None:
        message(view.speech("frame.no_page"))
        return
    element: list[ui.element] = []

    def patch(changed: list[Thing]) -> None:
        if element:
            element[0].run_method("patch", [drawn(house, one, view.speech) for one in changed], [])

    def gone(ids: list[str]) -> None:
        if element:
            element[0].run_method("patch", [], ids)

    view.listen(Listener(on_cards=patch, on_gone=gone))
    await house.first_picture(FIRST_WAIT_SECONDS)
    made = ui.element("anhu-board")
    made.props["texts"] = view.speech.many("board.js.")
    made.props["now"] = view.console.gateway.clock.time() * 1000
    made.props["link"] = "/residents/" if "/residents/{resident_id}" in SCREENS else ""
    made.props["cards"] = [drawn(house, one, view.speech) for one in house.cards.values()]
    element.append(made)
    # The page has them once it is connected; kept for each open page they would weigh more than all else.
    ui.context.client.on_connect(lambda: made.props.pop("cards", None))
    # Read once under the own name: whoever looks stands in the audit trail, and sees what this account may see.
    ui.timer(0.1, lambda: _read_as_myself(view), once=True)


async def _read_as_myself(view: View) -> None:
    try:
        items = await view.pages("/board", most=RESIDENTS_MAX, limit=500)
    except ConsoleError:
        return  # the line's banner tells of it
    if view.house is not None:
        view.house.take_cards(items)


def drawn(house: House, item: Thing, speech: Speech) -> dict[str, Any]:
    """The card of a resident, worked out once for all pages of the house in this language."""
    key = (speech.language, item["resident"]["id"])
    known = house.drawn.get(key)
    if known is None or known[0] is not item:
        known = house.drawn[key] = (item, card(item, speech))
    return known[1]


def card(item: Thing, speech: Speech) -> dict[str, Any]:
    """A resident as the board's script draws one; short names, since five hundred of them are sent."""
    resident, watched, alerts = item["resident"], item["monitoring"], item["alerts"]
    state = _state(item)
    zh, initials = resident["name"], pinyin_initials(resident["name"])
    place = _place(resident, speech)
    seen = item["seen"]
    ranked = sorted(alerts, key=lambda one: (_RANK[one["severity"]], one["opened_at"]))
    return {
        "id": resident["id"],
        "n": zh,
        "i": initials.upper() or zh[:1],
        "q": " ".join((zh, initials, full_pinyin(zh), resident["room"], place)).lower(),
        "k": sort_key(resident),
        "g": place,
        "r": resident["room"],
        "s": state,
        "sn": _state_name(state, item, speech),
        **_why(watched, speech),
        "a": [
            {
                "id": one["id"],
                "s": one["severity"],
                "n": speech.name(one["type_name"]),
                "st": speech.name(one["state_name"]),
                "at": milliseconds(one["opened_at"]),
            }
            for one in ranked[:3]
        ],
        **_vitals(item["vitals"]),
        # A device is often named after its person; on the person's own card that says nothing.
        "p": [" ".join(_first(seen["place"], speech).replace(zh, "").split()), milliseconds(seen["t"])]
        if seen
        else None,
    }


def _state(item: Thing) -> str:
    urgent = [one["severity"] for one in item["alerts"] if not one["test"]]
    if urgent:
        return str(min(urgent, key=_RANK.__getitem__))
    if item["monitoring"]["away_until"] or item["resident"]["status"] in ("away", "hospital"):
        return "away"
    return {"full": "ok", "partly": "partly", "none": "none"}[item["monitoring"]["level"]]


def _state_name(state: str, item: Thing, speech: Speech) -> str:
    if state in _RANK:
        return speech(f"severity.{state}")
    if state == "away":
        return speech("board.js.hospital" if item["resident"]["status"] == "hospital" else "board.js.out")
    return _first(item["monitoring"]["name"], speech)


def _first(names: Thing, speech: Speech) -> str:
    """One language alone, where a card has room for no more."""
    return str(names["en" if speech.language == "en" else "zh"])


def _why(watched: Thing, speech: Speech) -> dict[str, str]:
    """`w`: why somebody is not fully watched over, the first reason and how many more; `wt`: all of them."""
    reasons = watched["reasons"]
    if watched["level"] == "full" or not reasons:
        return {"w": "", "wt": ""}
    more = f" +{len(reasons) - 1}" if len(reasons) > 1 else ""
    return {"w": _first(reasons[0], speech) + more, "wt": "\n".join(speech.name(one) for one in reasons)}


def _vitals(rows: Iterable[Thing]) -> dict[str, Any]:
    """`v`: metric -> [value, when, unit]; `t`: metric -> trend. The two pressures are one."""
    known = {row["metric"]: row for row in rows}
    values: dict[str, list[Any]] = {}
    trends: dict[str, list[float | None]] = {}
    for code, row in known.items():
        if code in ("bp_sys", "bp_dia"):
            continue
        values[code] = [_figure(code, row["value"]), milliseconds(row["t"]), row["unit"]]
        if any(value is not None for value in row["trend"]):
            trends[code] = row["trend"]
    if "bp_sys" in known and "bp_dia" in known:
        upper, lower = known["bp_sys"], known["bp_dia"]
        values["bp"] = [f"{upper['value']:.0f}/{lower['value']:.0f}", milliseconds(upper["t"]), upper["unit"]]
    return {"v": values, "t": trends}


def _figure(code: str, value: float) -> str:
    return f"{value:.{_DECIMALS.get(code, 0)}f}"


def _place(resident: Thing, speech: Speech) -> str:
    """Building and floor as the head of a group."""
    parts = []
    for key in ("building", "floor"):
        text = str(resident[key])
        if text:
            parts.append(speech(f"board.{key}", n=text) if text.lstrip("-").isdigit() else text)
    return " · ".join(parts)


def sort_key(resident: Thing) -> str:
    """By building, floor and room, numbers by their size."""
    parts = (resident["building"], resident["floor"], resident["room"])
    return "\x1f".join(part.zfill(8) if part.isdigit() else part for part in parts) + f"\x1f{resident['id']}"


def milliseconds(moment: str) -> int:
    """Milliseconds since 1970, as browsers count."""
    return int(datetime.fromisoformat(moment).timestamp() * 1000)


@lru_cache(maxsize=20_000)
def pinyin_initials(name: str) -> str:
    """王秀英 -> wxy; letters stay."""
    return "".join(lazy_pinyin(name, style=Style.FIRST_LETTER)).lower()


@lru_cache(maxsize=20_000)
def full_pinyin(name: str) -> str:
    """王秀英 -> wangxiuying."""
    return "".join(lazy_pinyin(name)).lower()
