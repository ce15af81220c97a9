"""What the brokers are told: accounts, access rules, password hashes."""

from __future__ import annotations

import base64
import shutil
import tomllib
from pathlib import Path

import pytest

from cli.embedded.broker import BrokerUser, MosquittoBroker, RumqttdBroker, access_rules, make_broker, mosquitto_hash
from core.clock import SystemClock
from core.errors import AnhuError, BadInput, Misconfigured


def test_mosquitto_hash_agrees_with_mosquitto_passwd() -> None:
    # Written by mosquitto_passwd of Mosquitto 2.0.11 for the password "correct horse".
    salt = "9WeqhO2LQLGfWKie"
    digest = "DCL9gZrQHPZUI5FW9MDUWEndREAvuBm1pyJFcKsGPf4YemzoXg5fxQDkXUcuMd9VKeJaLpPgnx+kvhf6zup5Kg=="
    assert mosquitto_hash("correct horse", base64.b64decode(salt), 101) == f"$7$101${salt}${digest}"


def test_access_rules_device_may_not_write_its_commands_nor_leave_its_own_topics() -> None:
    rules = access_rules(BrokerUser("home-1.wb_A", "pw", "device", "home-1", "wb_A")).splitlines()
    assert rules[0] == "user home-1.wb_A"
    assert [rule for rule in rules if "read" in rule] == ["topic read anhu/v1/home-1/wb_A/command"]
    written = [rule.removeprefix("topic write ") for rule in rules if "write" in rule]
    assert all(topic.startswith("anhu/v1/home-1/wb_A/") for topic in written)
    assert "anhu/v1/home-1/wb_A/command" not in written
    assert "anhu/v1/home-1/wb_A/#" not in written
    assert "anhu/v1/home-1/wb_A/command/ack" in written


@pytest.mark.parametrize(
    ("username", "password", "site", "device"),
    [
        ("a:b", "pw", "s", "d"),
        ("a\ntopic read #", "pw", "s", "d"),
        ("", "pw", "s", "d"),
        ("a", "", "s", "d"),
        ("a", "p\nw", "s", "d"),
        ("a", "pw", "s/+", "d"),
        ("a", "pw", "s", "#"),
        ("a", "pw", "s", "d\ntopic write #"),
        ("a", "pw", None, None),
    ],
)
def test_broker_user_that_could_rewrite_the_rules_is_refused(
    username: str, password: str, site: str | None, device: str | None
) -> None:
    with pytest.raises(AnhuError):
        BrokerUser(username, password, "device", site, device)


def test_rumqttd_configuration_keeps_passwords_as_they_are_and_private(tmp_path: Path) -> None:
    broker = RumqttdBroker(tmp_path, SystemClock(), port=2883)
    odd = 'q"u\\o te #= é 密码'
    text = broker._text([BrokerUser("b.B", odd, "service"), BrokerUser("a", "x", "service")])
    connections = tomllib.loads(text)["v4"]["1"]["connections"]
    assert connections["auth"] == {"a": "x", "b.B": odd}
    assert connections["max_payload_size"] > 256 * 1024
    with pytest.raises(BadInput, match="stands twice"):
        broker._text([BrokerUser("a", "x", "service"), BrokerUser("a", "y", "service")])


def test_make_broker_unknown_kind_and_missing_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Misconfigured, match="rumqttd or mosquitto"):
        make_broker("emqx", tmp_path, SystemClock())
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(Misconfigured, match="apt-get install mosquitto"):
        MosquittoBroker(tmp_path, SystemClock())
