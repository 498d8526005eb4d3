"""Who is told over HTTP: webhooks and Alertmanagers; and secrets, wherever a receiver wants one.

Rules: a URL may hold a token in its path, so a message never repeats one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from netsla.config import secrets
from netsla.config.quantity import Wrong, meant
from netsla.config.source import Faults
from netsla.config.table import Table
from netsla.config.tables import AlertmanagerTable, ConfigTable, WebhookTable
from netsla.model import AlertmanagerSettings, Secret, WebhookSettings

_SCHEMES = ("https", "http")
_API, _BASE = "/api/v2/alerts", "write http://alertmanager.example.net:9093"
T = TypeVar("T", WebhookTable, AlertmanagerTable)


def webhooks(table: ConfigTable, folder: Path, faults: Faults) -> tuple[WebhookSettings, ...]:
    """Every webhook, each URL once."""

    def read(one: WebhookTable) -> WebhookSettings:
        _check_url(one, "write https://hooks.example.net/netsla", faults)
        return WebhookSettings(one.url, secret(one, "secret", folder, faults), one.timeout)

    return tuple(read(one) for one in _each_once(table.webhook, lambda one: one.url, "webhook", faults))


def alertmanagers(table: ConfigTable, faults: Faults) -> tuple[AlertmanagerSettings, ...]:
    """Every Alertmanager, each once."""

    def base(one: AlertmanagerTable) -> str:
        return one.url.rstrip("/")

    def read(one: AlertmanagerTable) -> AlertmanagerSettings:
        _check_url(one, _BASE, faults)
        if base(one).endswith(_API):
            faults.add(one.place("url"), f"url: {_API} is added by netsla", "leave it out")
        elif "?" in one.url:
            faults.add(one.place("url"), "url: nothing may follow the path", _BASE)
        return AlertmanagerSettings(base(one))

    return tuple(read(one) for one in _each_once(table.alertmanager, base, "alertmanager", faults))


def secret(table: Table, key: str, folder: Path, faults: Faults) -> Secret | None:
    """The secret that `key` or `key`_file places; a relative file is in `folder`."""
    in_file = f"{key}_file"
    if table.gives(key) and table.gives(in_file):
        faults.add(table.place(key), f"{key} and {in_file} exclude each other", "remove one of them")
        return None
    place, file = table.value(key), table.value(in_file)
    try:
        if file is not None:
            return secrets.from_file(folder.absolute() / file)
        return secrets.fetch(place) if place is not None else None
    except Wrong as wrong:
        written = in_file if file is not None else key
        faults.add(table.place(written), f"{written}: {wrong.problem}", wrong.remedy)
        return None


def _check_url(table: Table, remedy: str, faults: Faults) -> None:
    place = table.place("url")
    try:
        url = urlsplit(table.value("url"))
        host, _port = url.hostname, url.port
    except ValueError:
        faults.add(place, "url: not a URL", remedy)
        return
    if url.scheme not in _SCHEMES:
        faults.add(place, f"url: scheme {url.scheme!r} is not known", f"{meant(url.scheme, _SCHEMES)}; {remedy}")
    elif url.username is not None or url.password is not None:
        faults.add(place, "url: user and password do not stand in a URL", "a webhook is signed with secret_file")
    elif not host:
        faults.add(place, "url: no host", remedy)
    elif url.fragment:
        faults.add(place, "url: a #fragment is never sent", "remove it")


def _each_once(tables: list[T], name: Callable[[T], str], key: str, faults: Faults) -> list[T]:
    names = [name(one) for one in tables]
    for i, one in enumerate(tables):
        if names[i] in names[:i]:
            faults.add(one.place("url"), f"{key}: this URL is there already", "remove one of them")
    return tables
