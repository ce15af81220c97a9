"""Lists to choose from: names of fields that hold ids enter, what people call those things leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from api.console.client import Refused
from api.console.forms import Thing
from api.console.frame import View

Words = Callable[[Thing], str]
MOST: Final = 1_000


def _person(one: Thing) -> str:
    place = " ".join(str(one[part]) for part in ("building", "floor", "room") if one.get(part))
    return f"{one['name']} {place}".strip()


def _record(one: Thing) -> str:
    words = (one.get("title"), one.get("resident_name"), str(one.get("starts_at") or "")[:10])
    return " · ".join(str(word) for word in words if word) or str(one["id"])


def _product(one: Thing) -> str:
    return f"{one['name']} ¥{one['price']} / {one['unit']}"


def _device(one: Thing) -> str:
    return " ".join(part for part in (one["id"], one.get("name") or "") if part)


def _named(one: Thing) -> str:
    return str(one.get("name") or one.get("resident_name") or one["id"])


LISTS: Final[dict[str, tuple[str, Words]]] = {
    "resident_id": ("/residents", _person),
    "provider_id": ("/providers", _named),
    "worker_id": ("/workers", _named),
    "product_id": ("/services/goods/products", _product),
    "item_id": ("/institution/items", _named),
    "account_id": ("/services/companionship/accounts", _named),
    "to_account_id": ("/services/companionship/accounts", _named),
    "plan_id": ("/services/rehabilitation/plans", _record),
    "visit_id": ("/services/companionship/visits", _record),
    "device": ("/devices", _device),
}
STAFF_FIELDS: Final = ("assessors", "former_assessors", "signed_by", "user_id")


async def choices_for(view: View, names: Iterable[str]) -> dict[str, list[tuple[str, str]]]:
    """For every one of these fields that holds an id: what to choose from. Raises ConsoleError.

    A list that this account may not read is left out: then the field takes the id as text.
    """
    wanted = set(names)
    found: dict[str, list[tuple[str, str]]] = {}
    for name in sorted(wanted & LISTS.keys()):
        path, words = LISTS[name]
        try:
            items = await view.pages(path, most=MOST)
        except Refused:
            continue
        found[name] = [(str(one["id"]), words(one)) for one in items]
    staff = sorted(wanted & set(STAFF_FIELDS))
    if staff:
        found |= dict.fromkeys(staff, await _staff(view))
    return found


@dataclass(frozen=True, slots=True)
class Places:
    """Where people live in this house, each part by name."""

    buildings: list[str]
    floors: list[str]
    rooms: list[str]


async def places(view: View) -> Places:
    """The parts of the house that somebody lives in. Raises ConsoleError."""
    residents = await view.pages("/residents", most=MOST)
    names = ({str(one[part]) for one in residents if one.get(part)} for part in ("building", "floor", "room"))
    return Places(*map(sorted, names))


async def _staff(view: View) -> list[tuple[str, str]]:
    return [(str(one["id"]), str(one["name"])) for one in await view.pages("/colleagues", most=MOST)]
