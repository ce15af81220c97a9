"""What the brokers are told: accounts and configuration."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import pytest

from cli.embedded.broker import MosquittoBroker, RumqttdBroker, make_broker
from core.clock import SystemClock
from core.errors import AnhuError, BadInput, Misconfigured
from devices.accounts.rights import BrokerUser


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
