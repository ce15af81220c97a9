"""docker-compose.yml and the Dockerfile enter; whatever they name exists: files, secrets, settings, commands."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli import devices
from cli.__main__ import ROLE_MODULES, app
from core.settings import Settings
from db.pool import DbRole
from deploy import make_secrets

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
ONE_SHOT = {"migrate", "logins", "accounts-seed", "admin"}
TLS = {"mqtt_ca", "mqtt_certificate", "mqtt_key"}

# Of the Compose specification, what is used here.
SERVICE_KEYS = {
    "image", "build", "init", "restart", "read_only", "tmpfs", "cap_drop", "security_opt", "stop_grace_period",
    "logging", "environment", "secrets", "volumes", "networks", "ports", "depends_on", "healthcheck", "deploy",
    "command", "user", "profiles", "shm_size",
}  # fmt: skip
HEALTH_KEYS = {"test", "interval", "timeout", "start_period", "retries", "disable"}
CONDITIONS = {"service_started", "service_healthy", "service_completed_successfully"}
DURATION = re.compile(r"\d+(ms|s|m|h)")

each_service = pytest.mark.parametrize("name", sorted(SERVICES))


def test_the_file_has_the_parts_of_a_compose_file() -> None:
    parts = {key for key in COMPOSE if not key.startswith("x-")}
    assert parts == {"name", "services", "networks", "volumes", "secrets"}


def test_docker_compose_takes_the_file(tmp_path: Path) -> None:
    """Validated by its own schema of the Compose specification, with variables and anchors resolved; no engine."""
    program = shutil.which("docker-compose")
    if program is None:
        pytest.skip("docker-compose is not installed: Debian's package docker-compose has it")
    version = subprocess.run([program, "version", "--short"], capture_output=True, text=True, check=False).stdout
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    # The specification has had a top-level `name` since 2022; 1.29 is of 2021.
    old = version.startswith("1.")
    given = text.replace("\nname: anhu\n", "\n") if old else text

    def config(content: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "docker-compose.yml").write_text(content, encoding="utf-8")
        command = [program, "-p", "anhu", "-f", "docker-compose.yml", "--profile", "tools", "config"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)

    done = config(given)
    assert done.returncode == 0, done.stderr
    resolved = yaml.safe_load(done.stdout)["services"]
    assert set(resolved) == set(SERVICES)
    assert resolved["ingest"]["healthcheck"]["test"] == SERVICES["ingest"]["healthcheck"]["test"]
    wrong = config(given.replace("    cap_drop: [ALL]", "    cap_dropp: [ALL]", 1))
    assert wrong.returncode != 0
    assert "cap_dropp" in wrong.stderr


@each_service
def test_a_service_is_well_formed(name: str) -> None:
    one = SERVICES[name]
    assert set(one) <= SERVICE_KEYS
    assert ":" in one["image"], "an image has a tag"
    assert not one["image"].endswith(":latest")
    assert one["restart"] in ("unless-stopped", "on-failure:3", "no")
    assert (one["restart"] == "unless-stopped") == (name not in ONE_SHOT)
    limits = one["deploy"]["resources"]["limits"]
    assert float(limits["cpus"]) > 0
    assert re.fullmatch(r"\d+[MG]", limits["memory"])
    assert one["logging"]["options"]["max-size"], "logs are bounded"
    if name != "timescaledb":  # its entry point changes to its user itself
        assert one["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in one["security_opt"]


@each_service
def test_a_service_tells_its_health(name: str) -> None:
    health = SERVICES[name]["healthcheck"]
    assert set(health) <= HEALTH_KEYS
    if name in ONE_SHOT:
        assert health == {"disable": True}, "its exit code is its health"
        return
    assert health["test"][0] == "CMD"
    assert all(DURATION.fullmatch(health[key]) for key in ("interval", "timeout", "start_period"))
    if "healthcheck.py" in " ".join(health["test"]):
        assert health["test"][-1] == name


@each_service
def test_what_a_service_names_exists(name: str) -> None:
    one = SERVICES[name]
    assert set(one.get("secrets", [])) <= set(COMPOSE["secrets"])
    assert set(one["networks"]) <= set(COMPOSE["networks"])
    for volume in one.get("volumes", []):
        source, target = volume.split(":")[:2]
        assert target.startswith("/")
        assert (ROOT / source).is_dir() if source.startswith("./") else source in COMPOSE["volumes"]
    for other, how in one.get("depends_on", {}).items():
        assert how["condition"] in CONDITIONS
        if how["condition"] == "service_healthy":
            assert "test" in SERVICES[other]["healthcheck"]
        else:
            assert other in ONE_SHOT, "only a one-shot service completes"


@each_service
def test_every_variable_is_a_setting_and_every_file_a_secret_of_the_service(name: str) -> None:
    one = SERVICES[name]
    fields = {f"ANHU_{field.upper()}" for field in Settings.model_fields}
    for variable, value in one.get("environment", {}).items():
        if variable.startswith("ANHU_"):
            assert variable in fields or variable.removesuffix("_FILE") in fields, variable
            secret = Settings.model_fields.get(variable.removeprefix("ANHU_").lower())
            assert secret is None or "SecretStr" not in str(secret.annotation), f"{variable}: secrets come from files"
        if str(value).startswith("/run/secrets/"):
            assert str(value).removeprefix("/run/secrets/") in one["secrets"], variable


def test_every_secret_is_made_by_a_script_and_used() -> None:
    made = set(make_secrets.secret_texts()) | TLS
    assert set(COMPOSE["secrets"]) == made
    for name, where in COMPOSE["secrets"].items():
        assert where == {"file": f"./deploy/secrets/{name}"}
        assert any(name in one.get("secrets", []) for one in SERVICES.values()), f"{name} is used by nobody"
    assert (ROOT / "deploy/secrets/.gitignore").read_text().split() == ["*", "!.gitignore"], "secrets are not committed"


def test_each_role_has_a_login_of_its_own() -> None:
    owners = {name for name, one in SERVICES.items() if "database_url_owner" in one.get("secrets", [])}
    assert owners == {"migrate", "logins"}, "only these have the superuser's address"
    assert "secrets" not in SERVICES["console"], "the console is a client of the api and of nothing else"
    for role in ROLE_MODULES.keys() - {"console"}:
        addresses = [secret for secret in SERVICES[role]["secrets"] if secret.startswith("database_url_")]
        # The keeper of accounts sees every institution's devices, as the operator does.
        assert addresses == [f"database_url_{'admin' if role == 'accounts' else role}"]
    assert set(DbRole.__args__) == set(make_secrets.ROLES)


@each_service
def test_a_command_is_one_that_exists(name: str) -> None:
    command = SERVICES[name].get("command")
    if command is None or not SERVICES[name]["image"].startswith("anhu:"):
        return
    check_command(command)


def check_command(words: list[str]) -> None:
    if words[0] == "anhu":
        known = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
        if words[1] == "devices":
            groups = {group.name: group.typer_instance for group in devices.app.registered_groups}
            inner = groups[words[2]].registered_commands
            assert words[3] in {one.name or one.callback.__name__ for one in inner if one.callback}, words
            return
        assert words[1] in known, words
        assert words[1] != "run" or words[2] in ROLE_MODULES, words
    else:
        assert words[0] == "python"
        path = Path(words[1])
        assert path.is_relative_to("/opt/anhu/deploy")
        assert f"deploy/{path.name}" in copied_paths(), f"{path} is not in the image"


def test_health_commands_and_the_image_s_own_exist() -> None:
    for name, one in SERVICES.items():
        if one["image"].startswith("anhu:") and "test" in one["healthcheck"]:
            check_command(one["healthcheck"]["test"][1:])
            assert name in ROLE_MODULES
    for words in re.findall(r"^(?:    )?CMD (\[.*\])$", DOCKERFILE, re.MULTILINE):
        check_command(yaml.safe_load(words))


def copied_paths() -> set[str]:
    """Sources of the Dockerfile's COPY lines that come from the checkout."""
    found = set()
    for line in re.findall(r"^COPY (.+)$", DOCKERFILE, re.MULTILINE):
        words = shlex.split(line)
        if not words[0].startswith("--from"):
            found.update(word.rstrip("/") for word in words[:-1])
    return found


def test_what_the_dockerfile_copies_exists_and_reaches_the_builder() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split("\n")
    assert "*" in ignored
    admitted = {line[1:].rstrip("/") for line in ignored if line.startswith("!")}
    for path in copied_paths():
        assert (ROOT / path).exists(), path
        assert any(path == one or path.startswith(one + "/") for one in admitted), f"{path} is kept from the builder"
    assert "deploy/secrets/" in ignored


def test_the_image_has_every_package_of_the_wheel() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = {pattern.rstrip("*") for pattern in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    assert patterns <= copied_paths()
    for directory in ("deploy", "tests"):
        assert directory not in patterns


def test_the_image_is_built_from_the_lock_and_runs_as_nobody_special() -> None:
    build, final = DOCKERFILE.split("\nFROM ")[1:]
    assert build.startswith("python:3.12-slim AS build")
    assert "--require-hashes --only-binary :all: -r requirements.lock" in build
    assert re.search(r"^USER 10001:10001$", final, re.MULTILINE)
    assert "apt-get" not in DOCKERFILE, "no compiler, not even for a while"
    assert "HEALTHCHECK" in final
    variables = re.findall(r"(ANHU_\w+)=", DOCKERFILE)
    assert {variable.removeprefix("ANHU_").lower() for variable in variables} <= set(Settings.model_fields)


def test_nothing_but_the_broker_listens_beyond_this_machine() -> None:
    open_ports = {
        name: port
        for name, one in SERVICES.items()
        for port in one.get("ports", [])
        if not port.startswith("127.0.0.1:")
    }
    assert open_ports == {"mosquitto": "8883:8883"}
    assert COMPOSE["networks"]["data"] == {"internal": True}
    assert SERVICES["timescaledb"]["networks"] == ["data"]


def test_addresses_in_the_secrets_name_services() -> None:
    texts = make_secrets.secret_texts()
    for name, text in texts.items():
        host = re.search(r"@([a-z]+):(\d+)", text)
        assert host is None or host[1] in SERVICES, name
    assert texts["database_url_owner"].split(":")[2].split("@")[0] == texts["database_password_owner"]
    assert make_secrets.secret_texts()["token_key"] != texts["token_key"]


def test_secrets_are_made_once_and_kept(tmp_path: Path) -> None:
    place = tmp_path / "secrets"
    assert set(make_secrets.make_secrets(place)) == set(make_secrets.secret_texts())
    before = {path.name: path.read_text() for path in place.iterdir()}
    (place / "token_key").unlink()
    assert make_secrets.make_secrets(place) == ["token_key"]
    after = {path.name: path.read_text() for path in place.iterdir()}
    assert after.pop("token_key") != before.pop("token_key")
    assert after == before
    assert place.stat().st_mode & 0o777 == 0o700
    assert len(after["device_key"]) >= 32
