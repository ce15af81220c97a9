"""Connections: a URL and a role enter, a pool leaves whose connections hold that role and no more.

Whatever login the URL names, a connection takes one of the `anhu_*` roles as its first act. None of them can bypass
row security, so a mistake in a query cannot reach another tenant's rows.
"""

from __future__ import annotations

from typing import Any, Literal

import psycopg
from psycopg import sql as compose
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool

from core.errors import Unavailable
from db.queries import sql

DbRole = Literal["api", "ingest", "alerts", "jobs", "admin"]
Connection = psycopg.Connection[DictRow]
Pool = ConnectionPool[Connection]

_TIMEOUTS_MS: dict[DbRole, int] = {"api": 15_000, "ingest": 60_000, "alerts": 30_000, "jobs": 600_000, "admin": 60_000}


def assume_role(connection: psycopg.Connection[Any], role: DbRole) -> None:
    """Give up the login's own rights for those of a role, and set the session's bounds."""
    connection.execute(compose.SQL("SET ROLE {}").format(compose.Identifier(f"anhu_{role}")))
    for name, value in (
        ("timezone", "UTC"),
        ("statement_timeout", str(_TIMEOUTS_MS[role])),
        ("idle_in_transaction_session_timeout", "60000"),
        ("application_name", f"anhu-{role}"),
    ):
        connection.execute("SELECT set_config(%s, %s, false)", (name, value))


def warm(connection: psycopg.Connection[Any]) -> None:
    """Ask the commonest question for nobody, so that the first person who asks need not wait.

    A new session knows no table: the first question over a month loads the descriptions of some dozens of partitions or
    chunks and their indexes, three times the work of the question itself. A database without the schema is left alone.
    """
    try:
        with connection.cursor(row_factory=dict_row) as cursor:
            given = cursor.execute(sql("readings.usual_question")).fetchone() or {}
            for name, start, end in (("bucketed_1h", "oldest", "edge"), ("bucketed_raw", "edge", "newest")):
                cursor.execute(sql(f"readings.{name}"), {**given, "start": given[start], "end": given[end]})
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedFunction, psycopg.errors.InsufficientPrivilege):
        return


def _configure(connection: psycopg.Connection[Any], role: DbRole) -> None:
    assume_role(connection, role)
    if role == "api":
        warm(connection)


def connect(url: str, role: DbRole, *, timeout_seconds: int = 10) -> Connection:
    """One connection outside a pool, for listening or for a single writer. Raises Unavailable."""
    try:
        connection = psycopg.connect(
            url, autocommit=True, row_factory=dict_row, connect_timeout=timeout_seconds, **_KEEPALIVE
        )
        assume_role(connection, role)
    except psycopg.OperationalError as error:
        raise Unavailable(f"the database cannot be reached: {error}") from error
    return connection


def make_pool(url: str, role: DbRole, *, size_max: int = 10, size_min: int = 1) -> Pool:
    """A pool of connections in the given role; opened, but not waiting for the database to be there."""
    return ConnectionPool(
        url,
        min_size=size_min,
        max_size=size_max,
        timeout=10,
        max_idle=300,
        reconnect_timeout=30,
        open=True,
        name=f"anhu-{role}",
        connection_class=Connection,
        kwargs={"autocommit": True, "row_factory": dict_row, "connect_timeout": 5, **_KEEPALIVE},
        configure=lambda connection: _configure(connection, role),
        check=ConnectionPool.check_connection,
    )


_KEEPALIVE: dict[str, Any] = {
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
