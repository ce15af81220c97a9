"""The Dockerfile and docker-compose.yml enter; their steps run here, without an engine, and a press becomes an alert.

The image's own pip steps take minutes and some 250 MB from a package index: asked for by ANHU_TEST_IMAGE_PYTHON, which
names a Python of the image's version. The database is that of ANHU_TEST_TIMESCALE_URL, the broker Debian's Mosquitto.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import conninfo

from cli.embedded.broker import find_plugin
from core.clock import SystemClock
from core.errors import Misconfigured
from deploy import make_secrets
from deploy.logins import MONITOR
from devices.accounts.rights import BrokerUser
from tests.deploy.production_broker import Peer, ProductionBroker
from tests.deploy.test_compose import DOCKERFILE, ROOT, SERVICES, copied_paths
from tests.fixtures.brokers import free_port
from tests.fixtures.processes import until

PYTHON = os.environ.get("ANHU_TEST_IMAGE_PYTHON", "")
pytestmark = [
    pytest.mark.mosquitto,
    pytest.mark.timescale,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not PYTHON, reason="the image's steps take minutes: ANHU_TEST_IMAGE_PYTHON=python3.12 asks"),
    pytest.mark.skipif(
        "ANHU_TEST_TIMESCALE_URL" not in os.environ, reason="its logins need a server: ANHU_TEST_TIMESCALE_URL"
    ),
]
ROLES = ("accounts", "ingest", "alerts", "jobs", "api")
LOGINS = [*(f"login_anhu_{role}" for role in make_secrets.ROLES), MONITOR]


class Image:
    """What the Dockerfile makes, below a directory; commands run in it with the image's environment alone."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.build, self.root = place / "build", place / "opt" / "anhu"

    def translate(self, text: str) -> str:
        return text.replace("/opt/anhu", str(self.root)).replace("/wheels", str(self.place / "wheels"))

    def make(self) -> None:
        """Every COPY, and every RUN of the build stage, in their order."""
        shutil.copytree(ROOT, self.build, ignore=self._not_copied)
        stage, final = DOCKERFILE.split("\nFROM ")[1:]
        outer = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        outer["PATH"] = f"{self._python()}:{outer['PATH']}"
        for command in re.findall(r"^RUN ((?:.*\\\n)*.*)$", stage, re.MULTILINE):
            words = ["/bin/sh", "-ec", self.translate(command.replace("\\\n", " "))]
            done = subprocess.run(words, cwd=self.build, env=outer, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        for line in re.findall(r"^COPY (deploy/.+)$", final, re.MULTILINE):
            *sources, target = shlex.split(line)
            for source in sources:
                there = Path(self.translate(target))
                copy = shutil.copytree if (ROOT / source).is_dir() else self._copy_into
                copy(ROOT / source, there)

    def environment(self) -> dict[str, str]:
        told = re.search(r"^ENV (PATH=(?:.*\\\n)*.*)$", DOCKERFILE.split("\nFROM ")[2], re.MULTILINE)
        assert told is not None
        words = shlex.split(self.translate(told[1].replace("\\\n", " ")))
        return dict(word.replace("$PATH", "/usr/bin:/bin").split("=", 1) for word in words)

    def _python(self) -> Path:
        """A directory whose `python` is the one that was named."""
        found = shutil.which(PYTHON)
        assert found is not None, f"{PYTHON} is not there"
        bin_directory = self.place / "bin"
        bin_directory.mkdir()
        real = subprocess.run(
            [found, "-c", "import sys; print(sys.executable, *sys.version_info[:2])"],
            capture_output=True, text=True, check=True,
        ).stdout.split()  # fmt: skip
        assert f"python:{real[1]}.{real[2]}-slim" in DOCKERFILE, f"the image has another Python than {PYTHON}"
        (bin_directory / "python").symlink_to(real[0])
        return bin_directory

    @staticmethod
    def _copy_into(source: Path, there: Path) -> None:
        there.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, there)

    @staticmethod
    def _not_copied(directory: str, names: list[str]) -> list[str]:
        if Path(directory) == ROOT:
            return [name for name in names if name not in copied_paths() or name == "deploy"]
        return [name for name in names if name == "__pycache__"]


class Site:
    """The Compose file's services of our image, on one machine: addresses and ports are what differs."""

    def __init__(self, image: Image, broker: ProductionBroker, database_url: str) -> None:
        self.image, self.broker, self.running = image, broker, ExitStack()
        self.ports = {role: free_port() for role in ROLES}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        make_secrets.make_secrets(broker.secrets)
        at = conninfo.conninfo_to_dict(database_url)
        owner = f"postgresql://{at['user']}:{at['password']}@timescaledb:5432/anhu"
        for path in (*broker.secrets.glob("database_url_*"), *broker.secrets.glob("mqtt_*url")):
            text = owner if path.name == "database_url_owner" else path.read_text()
            text = text.replace("timescaledb:5432/anhu", f"{at['host']}:{at['port']}/{at['dbname']}")
            path.unlink()
            path.write_text(text.replace("mosquitto:8884", f"127.0.0.1:{broker.services_port}"))

    def translate(self, text: str) -> str:
        text = text.replace("/run/secrets", str(self.broker.secrets)).replace(
            "/var/lib/anhu-broker", str(self.broker.accounts)
        )
        return self.image.translate(text)

    def environment(self, service: str, role: str = "") -> dict[str, str]:
        mine = {name: self.translate(str(value)) for name, value in SERVICES[service]["environment"].items()}
        api, figures = str(self.ports["api"]), str(self.ports.get(role or service, 0))
        here = {"ANHU_API_HOST": "127.0.0.1", "ANHU_API_PORT": api, "ANHU_METRICS_PORT": figures}
        return self.image.environment() | mine | here

    def run(self, service: str, *words: str) -> str:
        """A one-shot service to its end, or a command in the service `admin`."""
        command = list(words) or [self.translate(word) for word in SERVICES[service]["command"]]
        done = subprocess.run(
            ["/usr/bin/env", *command], env=self.environment(service), cwd=self.image.root, capture_output=True,
            text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, f"{service} {command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout

    def start(self, role: str) -> None:
        with (self.image.place / f"{role}.log").open("wb") as log:
            self.processes[role] = subprocess.Popen(
                ["/usr/bin/env", *SERVICES[role]["command"]], env=self.environment(role), cwd=self.image.root,
                stdout=log, stderr=log,
            )  # fmt: skip
        self.running.callback(self.processes[role].kill)

    def is_healthy(self, role: str) -> bool:
        test = [self.translate(word) for word in SERVICES[role]["healthcheck"]["test"][1:]]
        done = subprocess.run(
            ["/usr/bin/env", *test], env=self.environment(role), cwd=self.image.root, capture_output=True, check=False
        )
        return done.returncode == 0


@pytest.fixture
def place() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="anhu-image-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def own_logins() -> Iterator[None]:
    """The logins of the trial are a server's own; they go with it. Skips where a server has them already."""
    server = os.environ["ANHU_TEST_TIMESCALE_URL"]
    with psycopg.connect(server, autocommit=True) as connection:
        if connection.execute("SELECT FROM pg_roles WHERE rolname = ANY (%s)", (LOGINS,)).fetchone():
            pytest.skip("the server has logins of an installation: name another")
        yield
        for login in LOGINS:
            connection.execute(f"DROP ROLE IF EXISTS {login}")


@pytest.fixture
def anhu_database(own_logins: None) -> Iterator[str]:
    server, name = os.environ["ANHU_TEST_TIMESCALE_URL"], f"image_{os.getpid()}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield conninfo.make_conninfo(server, dbname=name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def size_mb(directory: Path) -> float:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file()) / 1e6


def test_what_the_image_holds_runs_as_the_compose_file_says(anhu_database: str, place: Path) -> None:
    try:
        find_plugin()
    except Misconfigured as error:
        pytest.skip(str(error))
    (place / "broker").mkdir(mode=0o755)
    clock, image = SystemClock(), Image(place / "image")
    image.place.mkdir()
    began = clock.monotonic()
    image.make()
    print(f"made in {clock.monotonic() - began:.0f} s, {size_mb(image.root):.0f} MB")
    assert not list(image.root.glob("lib/python*/site-packages/pip")), "no installer stays behind"
    broker = ProductionBroker(place / "broker")
    site = Site(image, broker, anhu_database)
    with site.running:
        for service in ("migrate", "logins", "accounts-seed"):
            site.run(service)
        broker.start()
        site.running.callback(broker.stop)
        for role in ROLES:
            site.start(role)
        for role in ROLES:
            until(lambda role=role: site.is_healthy(role), f"{role} healthy", 90)
        speaker = enrol(site)
        press(site, speaker)
        alert = until(lambda: opened(anhu_database), "the alert", 30)
        assert alert == ("sos", "critical", "wb-0001")
        told = json.loads(site.run("admin", "anhu", "doctor", "--json"))
        assert told["ok"], told
        print({role: stop(process) for role, process in site.processes.items()})


def enrol(site: Site) -> BrokerUser:
    """An institution with one on duty and a wristband, by an operator's words."""
    site.run("admin", "anhu", "admin", "institution", "add", "gaoxin", "--name-zh", "高新区养老院")
    site.run(
        "admin", "anhu", "admin", "user", "add", "nurse-li", "--role", "caregiver", "--site", "gaoxin", "--on-duty"
    )
    told = site.run("admin", "anhu", "admin", "device", "add", "wb-0001", "--site", "gaoxin", "--kind", "wristband")
    words = told.split()
    return BrokerUser(words[3], words[5], "device", "gaoxin", "wb-0001")


def press(site: Site, speaker: BrokerUser) -> None:
    def signed_in() -> bool:
        peer = Peer(site.broker, speaker)
        peer.close()
        return peer.answer == "Success"

    until(signed_in, "the new device's account", 20)
    peer = Peer(site.broker, speaker)
    event = {"id": "press-1", "t": SystemClock().time(), "type": "sos", "data": {}}
    peer.publish("anhu/v1/gaoxin/wb-0001/event", json.dumps(event).encode())
    peer.close()


def opened(database_url: str) -> tuple[Any, ...] | None:
    with psycopg.connect(database_url) as connection:
        return connection.execute(
            "SELECT a.type, a.severity, d.id FROM alerts a JOIN devices d ON d.key = a.device_key"
        ).fetchone()


def stop(process: subprocess.Popen[bytes]) -> int:
    process.terminate()
    code = process.wait(12)
    assert code == 0
    return code
