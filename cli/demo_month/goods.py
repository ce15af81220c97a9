"""Orders of goods in every state: baskets enter, stock that went down and came back leaves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final

from api.services.goods.kinds import ORDER
from cli.demo_month.cast import AT_HOME
from cli.demo_month.chapter import Story
from cli.demo_month.house import Tale

Basket = tuple[str, int, int, str, tuple[tuple[str, int], ...], str, str]
BASKETS: Final[tuple[Basket, ...]] = (
    # name, resident, days ago, asked by, lines, last action, a word to it
    ("rice", 8, 27, "social.lin", (("RICE-5KG", 1), ("MILK-1L", 2)), "rate", "送到家门口，很方便"),
    ("nappies", 9, 25, "wife.liu", (("NAPPY-L", 2),), "rate", "包装完好"),
    ("strips", 1, 22, "nurse.li", (("GLUCOSE-50", 1),), "rate", ""),
    ("shoes", 0, 18, "daughter", (("SHOES-AS", 1),), "refund", "尺码偏大，退货"),
    ("lamps", 0, 16, "daughter", (("LAMP-NIGHT", 2),), "rate", "夜里起床看得清了"),
    ("milk refused", 8, 12, "social.lin", (("MILK-1L", 3),), "refuse", "外包装破损，拒收"),
    ("rice cancelled", 9, 9, "wife.liu", (("RICE-5KG", 1),), "cancel", "儿子已买好"),
    ("shoes given back", 1, 5, "nurse.li", (("SHOES-AS", 1),), "give_back", "鞋面磨脚，退回"),
    ("rice refused", 8, 4, "social.lin", (("RICE-5KG", 1),), "refuse_only", "送错规格，拒收"),
    ("lamp cancelled", 4, 3, "son.zhou", (("LAMP-NIGHT", 2),), "cancel_only", "已从网上买到"),
    ("nappies again", 9, 6, "wife.liu", (("NAPPY-L", 3),), "receive", ""),
    ("porridge", 5, 3, "nurse.wang", (("PORRIDGE-SOFT", 3),), "rate", "软硬合适"),
    ("strips again", 1, 2, "nurse.li", (("GLUCOSE-50", 1),), "deliver", ""),
    ("lamp packing", 4, 1, "son.zhou", (("LAMP-NIGHT", 1),), "pack", ""),
    ("milk accepted", 8, 1, "social.lin", (("MILK-1L", 2),), "accept", ""),
)
HOURS: Final = {
    "pay": 0.1, "accept": 1.5, "pack": 3.0, "deliver": 5.0, "receive": 7.0, "refuse": 7.0, "rate": 27.0,
    "give_back": 28.0, "refund": 54.0, "cancel": 0.6,
}  # fmt: skip
"""After the order, in hours."""
WAYS: Final[dict[str, tuple[str, ...]]] = {
    "rate": ("pay", "accept", "pack", "deliver", "receive", "rate"),
    "receive": ("pay", "accept", "pack", "deliver", "receive"),
    "refund": ("pay", "accept", "pack", "deliver", "receive", "give_back", "refund"),
    "refuse": ("pay", "accept", "pack", "deliver", "refuse", "refund"),
    "cancel": ("pay", "cancel", "refund"),
    "give_back": ("pay", "accept", "pack", "deliver", "receive", "give_back"),
    "refuse_only": ("pay", "accept", "pack", "deliver", "refuse"),
    "cancel_only": ("pay", "cancel"),
    "deliver": ("pay", "accept", "pack", "deliver"),
    "pack": ("pay", "accept", "pack"),
    "accept": ("pay", "accept"),
}


def stories() -> Iterator[Story]:
    """One for each basket, the last two of this hour."""
    for basket in BASKETS:
        yield f"basket {basket[0]}", partial(_play, basket)
    yield "basket placed", _placed
    yield "basket unpaid", _unpaid


def _order(tale: Tale, resident: int, asked_by: str, lines: tuple[tuple[str, int], ...]) -> tuple[Any, Decimal]:
    found = [(tale.tx.one("demo.product", code=code), quantity) for code, quantity in lines]
    made = tale.make(
        asked_by, ORDER, resident, title="、".join(row["name"] for row, _ in found)[:200],
        lines=[{"product_id": row["id"], "quantity": quantity} for row, quantity in found],
        address=AT_HOME.get(resident, ""),
    )  # fmt: skip
    return made, sum((row["price"] * quantity for row, quantity in found), Decimal(0))


def _play(basket: Basket, tale: Tale) -> None:
    name, resident, days_ago, asked_by, lines, last, word = basket
    began = tale.on(days_ago, f"{9 + len(name) % 3:02d}:{10 + len(name) * 3 % 45:02d}")
    record, price = _order(tale, resident, asked_by, lines)
    packer = "canteen" if lines[0][0] == "PORRIDGE-SOFT" else "nurse.chen"
    words: dict[str, tuple[str, dict[str, Any]]] = {
        "pay": (asked_by, {"method": "wechat" if asked_by != "nurse.li" else "account", "paid": price}),
        "accept": (packer, {}),
        "pack": (packer, {}),
        "deliver": (packer, {"note": "骑手 138 0000 0055"}),
        "receive": (packer, {"received_by": "本人签收" if resident not in (5, 9) else "家属代收"}),
        "rate": (asked_by, {"stars": 5 if name != "strips" else 4, "words": word}),
        "refuse": (packer, {"reason": word}),
        "cancel": (asked_by, {"reason": word}),
        "give_back": (asked_by, {"reason": word}),
        "refund": ("nurse.li", {"refunded": price, "reference": f"TK{tale.rng.randrange(10**6):06d}"}),
    }
    for action in WAYS[last]:
        moment = began + timedelta(hours=HOURS[action])
        if not tale.has_come(moment):
            break
        tale.at(moment)
        who, body = words[action]
        tale.do(who, ORDER, record, action, **body)


def _placed(tale: Tale) -> None:
    tale.at(tale.house.anchor, minutes=-55)
    record, price = _order(tale, 0, "daughter", (("MILK-1L", 1), ("RICE-5KG", 1)))
    tale.at(tale.house.anchor, minutes=-52)
    tale.do("daughter", ORDER, record, "pay", method="alipay", paid=price)


def _unpaid(tale: Tale) -> None:
    """The family has half an hour to pay; then the goods go back into stock."""
    tale.at(tale.house.anchor, minutes=-4)
    _order(tale, 4, "son.zhou", (("SHOES-AS", 1),))
