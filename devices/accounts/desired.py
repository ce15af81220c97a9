"""A transaction, the platform's device key and the account of ingest enter; every account that should exist leaves."""

from __future__ import annotations

from core.broker import BrokerAddress
from core.errors import Misconfigured
from db.tenant import Transaction
from devices.accounts.rights import BrokerUser
from devices.registry import broker_accounts


def desired_users(tx: Transaction, device_key: str, ingest: BrokerAddress) -> list[BrokerUser]:
    """The account of ingest, and one for each device that is not retired. Raises Misconfigured."""
    if not ingest.username or not ingest.password:
        raise Misconfigured("ANHU_MQTT_URL must name the account of ingest: mqtts://NAME:PASSWORD@HOST:8884")
    return [BrokerUser(ingest.username, ingest.password, "service"), *device_users(tx, device_key)]


def device_users(tx: Transaction, device_key: str) -> list[BrokerUser]:
    """The accounts of the devices that are not retired, gateways with the devices behind them."""
    children: dict[tuple[str, str], list[str]] = {}
    for row in tx.all("devices.gateway_children"):
        children.setdefault((row["site"], row["gateway"]), []).append(row["device"])
    users = []
    for account in broker_accounts(tx, device_key):
        site, _, device = account.username.partition(".")
        behind = tuple(children.get((site, device), ()))
        users.append(
            BrokerUser(
                account.username, account.password, "device", site, device, behind, is_gateway=account.is_gateway
            )
        )
    return users
