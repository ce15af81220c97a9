"""Addresses that must not be reached, signatures, and what a page says."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from alerts.notify import message
from alerts.notify.apprise_channel import check
from alerts.notify.errors import NotifyError
from alerts.notify.webhook import Webhook, is_public, resolve, sign, verify
from core.clock import ManualClock
from core.vocabulary import ALERT_TYPES


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.169.254", "0.0.0.0",  # noqa: S104 -- an address to be refused
     "100.64.0.1", "224.0.0.1",
     "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1",
     "2002:7f00:1::", "fe80::1%eth0"],
)  # fmt: skip
def test_private_addresses_are_known(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "223.5.5.5", "2400:3200::1", "::ffff:8.8.8.8"])
def test_public_addresses_are_known(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "localhost", "::1"])
def test_loopback_in_disguise_is_refused(host: str) -> None:
    with pytest.raises(NotifyError) as told:
        resolve(host, 80, allow_private=False)
    assert not told.value.retryable


@pytest.mark.parametrize("url", ["ftp://example.org/", "file:///etc/passwd", "http://", "http://h:99999/", "nonsense"])
def test_other_schemes_are_refused(url: str) -> None:
    hook = Webhook(ManualClock(), timeout_seconds=1, allow_private=True)
    with pytest.raises(NotifyError) as told:
        hook.send(url, "", "key", {})
    hook.close()
    assert not told.value.retryable


@pytest.mark.parametrize(
    "url", ["json://10.0.0.1/x", "syslog://", "ntfy://127.0.0.1/topic", "dbus://", "mailto://u:p@localhost"]
)
def test_services_of_this_machine_are_refused(url: str) -> None:
    with pytest.raises(NotifyError) as told:
        check(url, allow_private=False)
    assert not told.value.retryable
    check(url, allow_private=True)


def test_services_with_tokens_for_hosts_are_left_alone() -> None:
    check("bark://sometoken", allow_private=False)


def test_signatures_are_bound_to_body_secret_and_time() -> None:
    header = sign(b"body", "secret", 1000)
    assert verify(header, b"body", "secret", 1100)
    assert not verify(header, b"other", "secret", 1100)
    assert not verify(header, b"body", "other", 1100)
    assert not verify(header, b"body", "secret", 1301)
    assert not verify("t=x,v1=y", b"body", "secret", 1000)
    assert not verify("", b"body", "secret", 1000)


@pytest.mark.parametrize("kind", sorted(ALERT_TYPES))
def test_every_type_says_who_what_where_since_when_and_what_to_do(kind: str) -> None:
    alert = {
        "type": kind, "severity": "high", "place": "2号楼 203", "occurred_at": datetime(2026, 1, 1, tzinfo=UTC),
        "evidence": {"value": 84.0, "limit": 90, "unit": "%", "test": True},
    }  # fmt: skip
    context = {"resident_name": "王秀英", "device_name": "", "device_id": "d", "timezone": "Asia/Shanghai",
               "access_notes": "钥匙在门房"}  # fmt: skip
    text = message.compose(alert, context, public=False)
    for part in (
        "王秀英",
        ALERT_TYPES[kind].zh,
        ALERT_TYPES[kind].en,
        "2号楼 203",
        "08:00:00+0800",
        "处置",
        "84 %",
        "钥匙",
    ):
        assert part in text["body"]
    assert text["title"].startswith("【演练 DRILL】")
    public = message.compose(alert, context, public=True)
    assert not any(part in str(public) for part in ("王秀英", "203", kind, "84", "钥匙"))
