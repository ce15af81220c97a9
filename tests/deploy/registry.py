"""The world enters; devices registered, rotated, retired and mapped as the api does it leave, and a role's settings."""

from __future__ import annotations

import psycopg

from core.clock import SystemClock
from db.pool import make_pool
from db.tenant import tenant_transaction
from devices import foreign, registry
from devices.accounts.rights import BrokerUser
from tests.deploy.production_broker import ProductionBroker
from tests.fixtures.world import World

KEY = "device-key-of-the-tests-0123456789abcdef"


class Registry:
    """What the api does to devices of institution a, in its own role and tenant."""

    def __init__(self, url: str, world: World) -> None:
        self.url, self.one, self.clock = url, world.a, SystemClock()
        self.pool = make_pool(url, "api", size_max=1)

    def register(self, name: str, kind: str = "wristband") -> BrokerUser:
        with tenant_transaction(self.pool, self.one.institution_id) as tx:
            made = registry.register(
                tx, self.clock, device_key=KEY, institution_id=self.one.institution_id, site=self.one.site,
                id=name, kind=kind,
            )  # fmt: skip
        return BrokerUser(made.username, made.password, "device", self.one.site, name)

    def rotate(self, name: str) -> BrokerUser:
        with tenant_transaction(self.pool, self.one.institution_id) as tx:
            made = registry.rotate(tx, self.clock, device_key=KEY, site=self.one.site, id=name)
        return BrokerUser(made.username, made.password, "device", self.one.site, name)

    def retire(self, name: str) -> None:
        with tenant_transaction(self.pool, self.one.institution_id) as tx:
            registry.retire(tx, self.clock, device_key=tx.one("devices.get", id=name)["key"])

    def put_behind(self, gateway: str, device: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(
                "INSERT INTO foreign_devices (institution_id, gateway_key, adapter, native_id, first_seen, last_seen)"
                " SELECT institution_id, key, 'zigbee2mqtt', 'lamp', now(), now() FROM devices WHERE id = %s",
                (gateway,),
            )
        with tenant_transaction(self.pool, self.one.institution_id) as tx:
            row = foreign.list_devices(tx, institution=self.one.institution_id, limit=1)[0]
            foreign.map_device(
                tx, foreign_id=row["id"], device=device, sos_actions=None, institution=self.one.institution_id
            )


def environment(broker: ProductionBroker, database_url: str, port: int = 0) -> dict[str, str]:
    """What a role needs to reach the broker and the database, with its own figures at a port."""
    return {
        "ANHU_DATABASE_URL": database_url,
        "ANHU_DEVICE_KEY": KEY,
        "ANHU_METRICS_PORT": str(port),
        **broker.environment(),
    }
