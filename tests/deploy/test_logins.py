"""Secret files enter; the logins that they name can become their role over a password, and nothing else."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo

from core.errors import Misconfigured
from deploy import make_secrets
from deploy.logins import MONITOR, ensure_logins

ROLES = make_secrets.ROLES


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    make_secrets.make_secrets(tmp_path / "secrets")
    return tmp_path / "secrets"


def test_each_login_becomes_its_own_role_only(database_url: str, secrets: Path) -> None:
    made = ensure_logins(database_url, secrets)
    assert made == [*(f"login_anhu_{role}" for role in ROLES_IN_ORDER), MONITOR]
    assert ensure_logins(database_url, secrets) == made, "as often as wanted"
    with psycopg.connect(database_url, autocommit=True) as connection:
        for role in ROLES:
            login = f"login_anhu_{role}"
            row = connection.execute(
                "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolinherit, rolcanlogin FROM pg_roles"
                " WHERE rolname = %s",
                (login,),
            ).fetchone()
            assert row == (False, False, False, False, False, True)
            connection.execute(f"SET SESSION AUTHORIZATION {login}")
            connection.execute(f"SET ROLE anhu_{role}")
            for other in {*ROLES, "login"} - {role}:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(f"SET ROLE anhu_{other}")
            connection.execute("RESET ROLE")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("SELECT count(*) FROM public.residents")
            connection.execute("RESET SESSION AUTHORIZATION")


def test_a_changed_secret_is_taken_over_as_a_verifier(database_url: str, secrets: Path) -> None:
    ensure_logins(database_url, secrets)
    before = verifier(database_url)
    path = secrets / "database_url_api"
    path.unlink()
    path.write_text("postgresql://login_anhu_api:another-password-of-tests@timescaledb:5432/anhu")
    ensure_logins(database_url, secrets)
    after = verifier(database_url)
    assert after != before
    assert after.startswith("SCRAM-SHA-256$")
    assert "another" not in after


def verifier(url: str) -> str:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = 'login_anhu_api'").fetchone()
    assert row is not None
    return str(row[0])


def test_the_superuser_is_not_taken_for_a_role_s_login(database_url: str, secrets: Path) -> None:
    user = conninfo.conninfo_to_dict(database_url)["user"]
    path = secrets / "database_url_jobs"
    path.unlink()
    path.write_text(f"postgresql://{user}:password@timescaledb:5432/anhu")
    with pytest.raises(Misconfigured, match="is a superuser"):
        ensure_logins(database_url, secrets)


@pytest.mark.parametrize(("text", "told"), [("", "is empty"), ("postgresql://timescaledb/anhu", "must name a login")])
def test_a_secret_that_cannot_be_used_is_named(database_url: str, secrets: Path, text: str, told: str) -> None:
    path = secrets / "database_url_alerts"
    path.unlink()
    path.write_text(text)
    with pytest.raises(Misconfigured, match=f"database_url_alerts {told}"):
        ensure_logins(database_url, secrets)


ROLES_IN_ORDER = ("api", "ingest", "alerts", "jobs", "admin")
