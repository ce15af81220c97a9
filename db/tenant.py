"""The door to rows: a pool and a tenant enter, a transaction leaves in which only that tenant's rows exist.

`tenant_transaction` is the only place that names a tenant to the database; `service_transaction` is for the roles
that work for every tenant (ingest, alerts, jobs, admin). Both run named queries only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb
from psycopg_pool import PoolTimeout

from core.errors import NotFound, Unavailable
from db.pool import Connection, Pool
from db.queries import sql

STREAM_ROWS = 2_000


class Transaction:
    """An open transaction; every method takes the name of a query and its parameters as keywords."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def all(self, query: str, **parameters: Any) -> list[DictRow]:
        """Every row."""
        return self.connection.execute(sql(query), _adapt(parameters)).fetchall()

    def stream(self, query: str, **parameters: Any) -> Iterator[DictRow]:
        """Every row, one after another, some thousands in memory at a time."""
        with self.connection.cursor(name="stream") as cursor:
            cursor.itersize = STREAM_ROWS
            cursor.execute(sql(query), _adapt(parameters))
            yield from cursor

    def first(self, query: str, **parameters: Any) -> DictRow | None:
        """The first row, or None."""
        return self.connection.execute(sql(query), _adapt(parameters)).fetchone()

    def one(self, query: str, **parameters: Any) -> DictRow:
        """The first row. Raises NotFound where there is none."""
        row = self.first(query, **parameters)
        if row is None:
            raise NotFound
        return row

    def run(self, query: str, **parameters: Any) -> int:
        """Run for its effect; how many rows it touched."""
        return self.connection.execute(sql(query), _adapt(parameters)).rowcount

    def run_many(self, query: str, rows: Sequence[dict[str, Any]]) -> None:
        """Run once for each set of parameters, pipelined."""
        if rows:
            with self.connection.cursor() as cursor:
                cursor.executemany(sql(query), [_adapt(row) for row in rows])


def _adapt(parameters: dict[str, Any]) -> dict[str, Any]:
    """JSON columns take dicts and lists of dicts as they are."""
    return {key: Jsonb(value) if _is_json(value) else value for key, value in parameters.items()}


def _is_json(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))


@contextmanager
def tenant_transaction(pool: Pool, institution_id: UUID | None, actor: UUID | None = None) -> Iterator[Transaction]:
    """A transaction that sees one institution's rows; with None, rows of no institution at all.

    actor: the account that acts, for the history of what it changes. Raises Unavailable when the database is away.
    """
    with _transaction(pool) as transaction:
        transaction.run(
            "tenant.enter",
            tenant=str(institution_id) if institution_id else "",
            actor=str(actor) if actor else "",
        )
        yield transaction


def open_rights_desk(transaction: Transaction) -> None:
    """Show restricted persons to the rest of this tenant transaction; for the routes that answer their requests."""
    transaction.run("tenant.open_rights_desk")


@contextmanager
def service_transaction(pool: Pool) -> Iterator[Transaction]:
    """A transaction of a service role, across tenants, with the rights of that role. Raises Unavailable."""
    with _transaction(pool) as transaction:
        yield transaction


@contextmanager
def _transaction(pool: Pool) -> Iterator[Transaction]:
    try:
        with pool.connection() as connection, connection.transaction():
            yield Transaction(connection)
    except (PoolTimeout, psycopg.OperationalError) as error:
        if isinstance(error, psycopg.errors.QueryCanceled):
            raise Unavailable("the database took too long") from error
        raise Unavailable(f"the database cannot be reached: {type(error).__name__}") from error
