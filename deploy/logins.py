"""Address files of each role enter, database logins leave that can become just their role; and the monitor's views.

    logins.py DIRECTORY      DIRECTORY holds database_url_<role> and database_password_monitor

Runs after `anhu migrate`, with the same ANHU_DATABASE_URL, as often as wanted: a changed password is taken over.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, get_args

import psycopg
from psycopg import conninfo, sql

from core.errors import AnhuError, Misconfigured, Unavailable
from core.settings import load_settings
from db.pool import DbRole

MONITOR = "login_anhu_monitor"
MONITORING = Path(__file__).parent / "postgres" / "monitoring.sql"
_NO_RIGHTS = "LOGIN NOINHERIT NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE"


def ensure_logins(url: str, secrets: Path) -> list[str]:
    """Make or correct every login; their names. Raises Misconfigured or Unavailable."""
    wanted = {role: _login_of(secrets / f"database_url_{role}") for role in get_args(DbRole)}
    password = _read(secrets / "database_password_monitor")
    try:
        with psycopg.connect(url, connect_timeout=10) as connection:
            for role, (user, secret) in wanted.items():
                _ensure_login(connection, user, secret)
                connection.execute(
                    sql.SQL("GRANT {} TO {}").format(sql.Identifier(f"anhu_{role}"), sql.Identifier(user))
                )
            _ensure_login(connection, MONITOR, password)
            connection.execute(MONITORING.read_text(encoding="utf-8"))
    except psycopg.OperationalError as error:
        raise Unavailable(f"the database cannot be reached: {error}") from error
    return [*(user for user, _ in wanted.values()), MONITOR]


def _ensure_login(connection: psycopg.Connection[Any], user: str, password: str) -> None:
    known = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = %s", (user,)).fetchone()
    if known is not None and known[0]:
        raise Misconfigured(f"{user} is a superuser; a role's login must be able to become that role and no more")
    verb = "CREATE" if known is None else "ALTER"
    # The password travels as its SCRAM verifier: the server's log of statements never holds it.
    verifier = connection.pgconn.encrypt_password(password.encode(), user.encode(), b"scram-sha-256").decode()
    statement = sql.SQL("{} ROLE {} " + _NO_RIGHTS + " PASSWORD {}")
    connection.execute(statement.format(sql.SQL(verb), sql.Identifier(user), sql.Literal(verifier)))


def _login_of(path: Path) -> tuple[str, str]:
    try:
        parts = conninfo.conninfo_to_dict(_read(path))
    except psycopg.ProgrammingError as error:
        raise Misconfigured(f"{path.name} is no address of a database") from error
    user, password = parts.get("user"), parts.get("password")
    if not user or not password:
        raise Misconfigured(
            f"{path.name} must name a login and its password: postgresql://LOGIN:PASSWORD@HOST/DATABASE"
        )
    return str(user), str(password)


def _read(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read: {error}") from error
    if not text:
        raise Misconfigured(f"{path} is empty")
    return text


def main(arguments: list[str]) -> int:
    """Make the logins and say which."""
    if len(arguments) != 1:
        sys.stderr.write("usage: logins.py DIRECTORY\n")
        return 2
    try:
        made = ensure_logins(load_settings().require_database(), Path(arguments[0]))
    except AnhuError as error:
        sys.stderr.write(f"logins: {error}\n")
        return 1
    sys.stdout.write(f"logins: {', '.join(made)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
