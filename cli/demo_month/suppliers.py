"""Providers with their workers and certificates, the institution's own workers, products with stock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Final
from uuid import UUID

from api.providers.routes import add_certificate, add_member, block_provider, create_provider, create_worker
from api.providers.schemas import Block, CertificateIn, ProviderIn, WorkerIn
from api.services.goods.routes import ProductIn, StockChange, change_stock, create_product
from cli.demo_month.chapter import Story
from cli.demo_month.house import Tale

PROVIDERS: Final[tuple[tuple[str, tuple[str, ...], str, str, str], ...]] = (
    ("幸福食堂", ("daily-living", "goods"), "JY25001070012345", "023 5555 0110", "canteen"),
    ("安康助浴服务队", ("daily-living",), "渝民助浴〔2025〕018", "023 5555 0120", "bath.team"),
    ("宜居适老化改造公司", ("home-care", "safety"), "D350012345", "023 5555 0130", "builder"),
    ("高新区人民医院", ("medical", "rehabilitation"), "PDY00012345", "023 5555 0140", "hospital"),
    ("邻里志愿队", ("companionship",), "", "023 5555 0150", "volunteers"),
    ("夕阳红保健品行", ("goods",), "JY25001070099999", "023 5555 0160", ""),
)
"""(name, services, licence, telephone, account)."""

WORKERS: Final[tuple[tuple[str, str, tuple[str, ...], str, str], ...]] = (
    ("陈护工", "", ("照护", "助餐"), "养老护理员（四级）", ""),
    ("罗护工", "", ("照护", "助浴"), "养老护理员（五级）", ""),
    ("周护工", "", ("照护",), "养老护理员（四级）", ""),
    ("郑护工", "", ("照护",), "养老护理员（五级）", ""),
    ("马阿姨", "", ("家政", "保洁"), "", ""),
    ("林社工", "", ("社工",), "助理社会工作师", "social.lin"),
    ("李护士", "", ("护理",), "护士执业证书", "nurse.li"),
    ("王护士", "", ("护理",), "护士执业证书", "nurse.wang"),
    ("唐治疗师", "", ("康复",), "康复治疗师资格", "therapist.tang"),
    ("吴师傅", "幸福食堂", ("送餐",), "健康证", ""),
    ("冯师傅", "安康助浴服务队", ("助浴",), "养老护理员（四级）", ""),
    ("谢师傅", "安康助浴服务队", ("助浴",), "养老护理员（五级）", ""),
    ("彭工", "宜居适老化改造公司", ("改造", "维修"), "电工证", ""),
    ("小何", "邻里志愿队", ("探访",), "志愿者培训合格证", ""),
    ("赵老师", "邻里志愿队", ("探访", "读报"), "志愿者培训合格证", ""),
)
"""(name, provider, duties, certificate, account)."""

PRODUCTS: Final[tuple[tuple[str, str, str, str, str, tuple[str, ...], str, int], ...]] = (
    ("LUNCH-STD", "午餐套餐", "meal", "份", "15.00", (), "幸福食堂", 200),
    ("LUNCH-LOWSALT", "低盐午餐套餐", "meal", "份", "16.00", ("低盐",), "幸福食堂", 120),
    ("LUNCH-LOWSUGAR", "低糖午餐套餐", "meal", "份", "16.00", ("低糖",), "幸福食堂", 80),
    ("PORRIDGE-SOFT", "软食粥（山药小米）", "meal", "份", "9.00", ("软食", "低盐", "低糖"), "幸福食堂", 150),
    ("MILK-1L", "低脂纯牛奶 1 L", "food", "盒", "12.80", ("低盐",), "", 60),
    ("RICE-5KG", "东北大米 5 kg", "food", "袋", "39.90", (), "", 25),
    ("NAPPY-L", "成人护理垫 L（20 片）", "daily", "包", "46.00", (), "", 40),
    ("GLUCOSE-50", "血糖试纸 50 片", "medical", "盒", "68.00", (), "", 30),
    ("SHOES-AS", "防滑老人鞋", "daily", "双", "99.00", (), "", 15),
    ("LAMP-NIGHT", "感应夜灯", "aid", "个", "25.50", (), "", 20),
)
"""(code, name, category, unit, price, diets, provider, first delivery)."""


def stories() -> Iterator[Story]:
    """Providers first, then who works for them, then what they sell."""
    for name, services, licence, phone, account in PROVIDERS:
        yield f"provider {name}", partial(_provider, name, services, licence, phone, account)
    yield "workers", _workers
    yield "products", _products
    yield "blocked provider", _block


def provider_id(tale: Tale, name: str) -> UUID | None:
    """The provider of this name; None for the house itself."""
    return tale.tx.one("demo.provider", name=name)["id"] if name else None


def worker_id(tale: Tale, name: str) -> UUID:
    """The worker of this name."""
    found: UUID = tale.tx.one("demo.worker", name=name)["id"]
    return found


def _provider(name: str, services: tuple[str, ...], licence: str, phone: str, account: str, tale: Tale) -> None:
    tale.on(33, "14:10")
    until = tale.house.day(-400)
    body = ProviderIn.model_validate(
        {"name": name, "services": services, "licence": licence, "licence_until": until if licence else None,
         "phone": phone}
    )  # fmt: skip
    made = tale.call("admin", create_provider, body=body)
    if account:
        tale.call("admin", add_member, provider_id=made.id, user_id=tale.who(account).id)


def _workers(tale: Tale) -> None:
    tale.on(33, "15:30")
    for name, provider, duties, certificate, account in WORKERS:
        body = WorkerIn(
            name=name, provider_id=provider_id(tale, provider), duties=list(duties),
            user_id=tale.who(account).id if account else None, phone="",
        )  # fmt: skip
        made = tale.call("admin", create_worker, body=body)
        if certificate:
            # One certificate has run out: the share of certified staff is not 100 %.
            until = tale.house.day(12 if name == "谢师傅" else -500)
            papers = CertificateIn(
                kind=certificate, number=f"CQ{tale.rng.randrange(10**8):08d}", valid_until=until,
                valid_from=tale.house.day(700),
            )  # fmt: skip
            tale.call("admin", add_certificate, worker_id=made.id, body=papers)


def _products(tale: Tale) -> None:
    began = tale.on(32, "09:00")
    for code, name, category, unit, price, diets, provider, stock in PRODUCTS:
        body = ProductIn.model_validate(
            {"code": code, "name": name, "category": category, "unit": unit, "price": Decimal(price), "diets": diets,
             "provider_id": provider_id(tale, provider)}
        )  # fmt: skip
        began += timedelta(minutes=2)
        tale.at(began)
        made = tale.call("admin", create_product, body=body)
        delivery = StockChange(quantity=stock, cause="delivery")
        tale.call("admin", change_stock, product_id=made.id, body=delivery)
        if code == "MILK-1L":  # two cartons had leaked
            tale.on(16, "17:40")
            count = StockChange(quantity=-2, cause="count")
            tale.call("nurse.chen", change_stock, product_id=made.id, body=count)


def _block(tale: Tale) -> None:
    """A seller who talked residents into things gets no more orders."""
    tale.on(15, "10:25")
    provider = provider_id(tale, "夕阳红保健品行")
    if provider is not None:
        reason = "向老人推销保健品，两起投诉属实"
        tale.call("admin", block_provider, provider_id=provider, body=Block(reason=reason))
