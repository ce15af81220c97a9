"""Pages through Apprise: a URL of one of its services and a message enter, a push, text message or e-mail leaves.

Apprise knows some hundred services (DingTalk, WeCom, Bark, ServerChan, ntfy, SMS gateways, e-mail). It answers only
yes or no, so a no may be tried again; a URL that it cannot read never works and is not.
"""

from __future__ import annotations

import logging
import warnings
from typing import Any
from urllib.parse import urlsplit

import apprise

from alerts.notify.errors import NotifyError
from alerts.notify.webhook import resolve
from core.vocabulary import Severity

# What writes to this machine or sends to any address in any form: that is what signed webhooks are for.
_LOCAL_SCHEMES = frozenset(
    """dbus gio glib gnome kde qt macosx windows syslog rsyslog rsyslogs file growl xbmc xbmcs kodi kodis mqtt mqtts
    snmp json jsons xml xmls form forms apprise apprises""".split()  # noqa: SIM905 -- easier to read than thirty quotes
)
_TYPES = {
    Severity.CRITICAL: apprise.NotifyType.FAILURE,
    Severity.HIGH: apprise.NotifyType.WARNING,
    Severity.MEDIUM: apprise.NotifyType.WARNING,
    Severity.LOW: apprise.NotifyType.INFO,
}
with warnings.catch_warnings():
    # Apprise uses a module that Python 3.13 took away; here it is still there, and says so at import.
    warnings.simplefilter("ignore", DeprecationWarning)
    import apprise.utils.pgp

logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its log lines may hold the URL and so its secrets


def load() -> None:
    """Load Apprise's services now, which takes a second or two, instead of with the first page."""
    apprise.Apprise().add("json://localhost")


def send(url: str, message: dict[str, Any], *, allow_private: bool) -> None:
    """Send one page. Raises NotifyError."""
    check(url, allow_private=allow_private)
    service = apprise.Apprise()
    if not service.add(url):
        raise NotifyError("Apprise does not know this kind of URL", retryable=False)
    kind = _TYPES.get(message.get("severity", ""), apprise.NotifyType.WARNING)
    try:
        delivered = service.notify(body=message["body"], title=message["title"], notify_type=kind)
    except TypeError as error:
        raise NotifyError("the service refused the message's form", retryable=False) from error
    except OSError as error:
        raise NotifyError(f"no connection: {type(error).__name__}", retryable=True) from error
    if not delivered:
        raise NotifyError("the service did not take the page", retryable=True)


def check(url: str, *, allow_private: bool) -> None:
    """Refuse URLs that would act on this machine or its network. Raises NotifyError.

    Many Apprise URLs carry a token where others have a host; what does not look like a host name or an address is
    left alone, since such services have fixed public addresses of their own.
    """
    if allow_private:
        return
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 443
    except ValueError as error:
        raise NotifyError("the URL is not valid", retryable=False) from error
    if parts.scheme.lower() in _LOCAL_SCHEMES:
        raise NotifyError(f"{parts.scheme}:// may reach this machine; use a webhook", retryable=False)
    if "." in host or ":" in host or host == "localhost":
        resolve(host, port, allow_private=False)
