"""A configuration file to a frozen Plan: the one path that `run`, `reload` and `check` all take.

Rules: a relative path is relative to the folder of the file it stands in, whatever the working directory.
Everything is read and checked before anything is told; a plan is returned only when nothing is wrong.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from netsla.config import agreement as agreements
from netsla.config import hints, lint, probe, receiver, terms
from netsla.config.agreement import Built
from netsla.config.digest import digest
from netsla.config.endpoint import Shelf
from netsla.config.probe import Library
from netsla.config.quantity import meant
from netsla.config.source import Faults, Map, Node, Place, parse, read_text
from netsla.config.tables import AgentTable, AgreementTable, ConfigTable, MqttTable, ReferenceTable, WebTable
from netsla.config.validate import read
from netsla.errors import ConfigError, Fault, HostError
from netsla.model import (
    OWN_ALERTS,
    AgentSettings,
    Agreement,
    MqttSettings,
    Plan,
    ProbeSpec,
    ProbeType,
    Reference,
    WebSettings,
)

SOCKET_PATH_BYTES = 107  # sockaddr_un.sun_path holds 108 with the final zero, unix(7)
MQTT_PORTS = {"mqtt": 1883, "mqtts": 8883}


def load(path: Path, *, again: bool = False) -> tuple[Plan, list[Fault]]:
    """The plan of a configuration file (a pipe only if not `again`), and warnings; raises ConfigError."""
    faults = Faults()
    plan = _plan(path, faults, piped=not again)
    mistakes = faults.sorted(warnings=False)
    if mistakes or plan is None:
        raise ConfigError(mistakes)
    return plan, faults.sorted(warnings=True)


def load_agreement(path: Path) -> Agreement:
    """The agreement of a file that stands alone, as in an evidence pack; raises ConfigError.

    Probes that it names and does not define are taken for ICMP, or TCP where the name says so; nothing is
    probed from it. Advice on how to measure (lint) is not given: the measuring is over.
    """
    faults = Faults()
    node = _document(path, faults)
    table = read(AgreementTable, node, faults) if node is not None else None
    found = agreements.build(table, Shelf(Library(lenient=True), standalone=True), faults) if table else None
    mistakes = faults.sorted(warnings=False)
    if mistakes or found is None:
        raise ConfigError(mistakes)
    return found.agreement


def refuse_moves(path: Path, old: Plan, new: Plan) -> None:
    """What a reload cannot change is an error, not silence: HostError."""
    for key in ("socket", "state_dir", "name"):
        if getattr(old.agent, key) != getattr(new.agent, key):
            raise HostError(f"{path}: agent.{key} cannot change while the agent runs", "restart the agent")


def _document(path: Path, faults: Faults, place: Place | None = None, *, piped: bool = False) -> Node | None:
    """The mapping a file holds; `place` is where the file was asked for."""
    own = "check the path and its rights; `netsla init` writes a first one" if place is None else ""
    text = read_text(path, place or Place(str(path)), faults, own, piped=piped)
    if text is None:
        return None
    node = parse(text, str(path), faults)
    if isinstance(node, Map):
        return node
    if node is not None:
        faults.add(node.place, "the file holds no keys", "write `key: value` lines; see netsla init")
    elif not faults.any_in(str(path)):
        faults.add(Place(str(path)), "the file is empty", "write a configuration; see netsla init")
    return None


def _plan(path: Path, faults: Faults, *, piped: bool) -> Plan | None:
    node = _document(path, faults, piped=piped)
    table = read(ConfigTable, node, faults) if node is not None else None
    if table is None:
        return None
    folder = path.parent
    shelf = _shelf(table, folder, faults)
    built = [agreements.build(one, shelf, faults) for one in _agreement_tables(table, folder, faults)]
    _check_unused(table, {one.table.plan for one in built}, shelf, faults)
    _check_ids(built, faults)
    _check_depends(built, faults)
    references = tuple(_reference(one, faults) for one in table.references)
    plan = Plan(
        agent=_agent(table.agent, folder, faults),
        web=_web(table.web, folder, faults),
        agreements=tuple(one.agreement for one in built),
        references=references,
        mqtt=_mqtt(table.mqtt, folder, faults) if table.mqtt else None,
        webhooks=receiver.webhooks(table, folder, faults),
        alertmanagers=receiver.alertmanagers(table, faults),
    )
    lint.check(built, references, faults)
    return replace(plan, digest=digest(plan), files=tuple(_absolute(Path(), file) for file in faults.files))


def _shelf(table: ConfigTable, folder: Path, faults: Faults) -> Shelf:
    written = table.node.get("probes")
    library = probe.library(written if isinstance(written, Map) else None, table.probes, faults)
    plans = table.node.get("plans")
    declared = frozenset(plans.keys_at) if isinstance(plans, Map) else None
    lost = declared is None and (table.gives("plans") or hints.misspelt(ConfigTable, table.node, "plans"))
    return Shelf(library, table.plans, None if lost else declared or frozenset(), (folder,))


def _agreement_tables(table: ConfigTable, folder: Path, faults: Faults) -> Iterator[AgreementTable]:
    yield from table.agreements
    if table.agreements_dir is None:
        if any(hints.misspelt(ConfigTable, table.node, key) for key in ("agreements", "agreements_dir")):
            pass  # reported already
        elif not table.gives("agreements") and not table.gives("agreements_dir"):
            faults.add(table.place(), "there is no agreement", "add agreements: […] or agreements_dir: agreements.d")
        elif not table.agreements and not table.node.cut and not table.gives("agreements_dir"):
            faults.add(table.place("agreements"), "no agreement: nothing is measured", "add one", warning=True)
        return
    directory, place = folder / table.agreements_dir, table.place("agreements_dir")
    try:
        names = sorted(p.name for p in directory.iterdir() if p.suffix in {".yaml", ".yml"} and p.name[0] != ".")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        faults.add(
            place, f"agreements_dir: cannot read {directory}: {why}", "check the path; it is relative to this file"
        )
        return
    if not names and not table.agreements:
        faults.add(place, f"no agreement in {directory}: nothing is measured", "add a *.yaml file", warning=True)
    for name in names:
        node = _document(directory / name, faults, place)
        found = read(AgreementTable, node, faults) if node is not None else None
        if found is not None:
            yield found


def _check_unused(table: ConfigTable, used: set[str | None], shelf: Shelf, faults: Faults) -> None:
    """A plan that no agreement takes yet is read all the same."""
    for name, plan in table.plans.items():
        if name not in used and plan.gives("probes"):
            terms.resolve([plan], shelf.library, f"plan {name!r}", faults)


def _check_ids(built: list[Built], faults: Faults) -> None:
    first: dict[str, Place] = {}
    for one in built:
        place = one.table.place("id")
        at = first.setdefault(one.agreement.id, place)
        if at is not place:
            problem = f"agreement {one.agreement.id!r} is there already, at {at.file}:{at.line}:{at.column}"
            faults.add(place, problem, "give every agreement its own id")
        if one.agreement.id == OWN_ALERTS:
            faults.add(
                place, f"agreement {OWN_ALERTS!r} is what the agent's own alerts are told under", "choose another id"
            )


def _check_depends(built: list[Built], faults: Faults) -> None:
    """Every dependency exists, and none leads back to where it began."""
    needs = {one.agreement.id: one.agreement.depends_on for one in built}
    for one in built:
        node = one.table.node.get("depends_on")
        for i, name in enumerate(one.agreement.depends_on):
            place = Place(*node[i].place) if isinstance(node, list) and i < len(node) else one.table.place("depends_on")
            if name not in needs:
                faults.add(
                    place,
                    f"unknown agreement {name!r}",
                    meant(name, needs.keys() - {one.agreement.id}) or "add it, or remove this",
                )
            elif _leads_to(name, one.agreement.id, needs):
                faults.add(place, f"{one.agreement.id!r} depends on itself by way of {name!r}", "break the circle")


def _leads_to(start: str, goal: str, needs: dict[str, tuple[str, ...]]) -> bool:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name == goal:
            return True
        if name not in seen:
            seen.add(name)
            waiting += needs.get(name, ())
    return False


def _reference(table: ReferenceTable, faults: Faults) -> Reference:
    name = table.name or table.address.replace(":", "_").replace("%", "_")
    if table.probe is None:
        return Reference(name, table.address, ProbeSpec(name, ProbeType.ICMP))
    spec = probe.reference_spec(name, table.probe, table.place("name"), faults)
    return Reference(name, table.address, spec)


def _absolute(folder: Path, name: str) -> str:
    """Without `..` and without following links."""
    return os.path.normpath(folder.absolute() / name)


def _agent(table: AgentTable, folder: Path, faults: Faults) -> AgentSettings:
    control = _absolute(folder, table.socket)
    if len(os.fsencode(control)) > SOCKET_PATH_BYTES:
        problem = f"socket: {control} is longer than {SOCKET_PATH_BYTES} bytes"
        faults.add(table.place("socket"), problem, "Linux allows no more: choose a shorter path")
    return AgentSettings(
        name=table.name or socket.gethostname() or "netsla",
        labels=table.labels,
        state_dir=_absolute(folder, table.state_dir),
        socket=control,
    )


def _web(table: WebTable, folder: Path, faults: Faults) -> WebSettings:
    node = table.node.get("listen")
    for i, one in enumerate(table.listen):
        if one in table.listen[:i]:
            place = Place(*node[i].place) if isinstance(node, list) and i < len(node) else table.place("listen")
            faults.add(place, f"listen: {one[0]}:{one[1]} is there already", "remove one of them")
    return WebSettings(
        listen=tuple(table.listen),
        config_file=_file(table, "config_file", folder, faults),
        compat=tuple(table.compat),
    )


def _file(table: WebTable | MqttTable, key: str, folder: Path, faults: Faults) -> str | None:
    """The absolute path of a file that must be readable."""
    name = table.value(key)
    if name is None:
        return None
    path = Path(_absolute(folder, name))
    if not _readable(path):
        faults.add(table.place(key), f"{key}: cannot read {path}", "check the path and who may read it")
    return str(path)


def _readable(path: Path) -> bool:
    try:
        return path.is_file() and os.access(path, os.R_OK)
    except (OSError, ValueError):
        return False


def _mqtt(table: MqttTable, folder: Path, faults: Faults) -> MqttSettings | None:
    host, port, tls = _broker(table, faults)
    prefix = table.prefix.strip("/")
    if not prefix or any(c in table.prefix for c in "+#") or prefix != table.prefix:
        faults.add(table.place("prefix"), "prefix: cannot begin a topic", "no + or #, no / at either end")
    files = {key: _file(table, key, folder, faults) for key in ("ca_file", "cert_file", "key_file")}
    for key, name in files.items():
        if name and not tls:
            faults.add(table.place(key), f"{key} has no meaning without TLS", "write url: mqtts://…")
    if bool(files["cert_file"]) != bool(files["key_file"]):
        key = "cert_file" if files["cert_file"] else "key_file"
        faults.add(table.place(key), "cert_file and key_file go together", "give both")
    return MqttSettings(
        host=host,
        port=port,
        tls=tls,
        username=table.username,
        password=receiver.secret(table, "password", folder, faults),
        prefix=table.prefix,
        version=5 if table.version == "5" else 4,
        **files,
    )


def _broker(table: MqttTable, faults: Faults) -> tuple[str, int, bool]:
    """Host, port and TLS of the URL; what the URL holds beyond is never repeated, it may be a secret."""
    place, remedy = table.place("url"), "write mqtts://broker.example.net:8883"
    try:
        url = urlsplit(table.url)
        host, port = url.hostname, url.port
    except ValueError:
        faults.add(place, "url: not a URL", remedy)
        return "", 0, False
    if "://" not in table.url:
        faults.add(place, "url: it begins with no scheme", f"{remedy}, or mqtt:// without TLS")
    elif url.scheme not in MQTT_PORTS:
        faults.add(place, f"url: scheme {url.scheme!r} is not known", f"{meant(url.scheme, MQTT_PORTS)}; {remedy}")
    elif url.username is not None or url.password is not None:
        faults.add(place, "url: secrets do not stand in a URL", "use username and password_file")
    elif not host:
        faults.add(place, "url: no host", remedy)
    elif url.path not in {"", "/"} or url.query or url.fragment:
        faults.add(place, "url: nothing may follow the port", remedy)
    return host or "", port or MQTT_PORTS.get(url.scheme, 0), url.scheme == "mqtts"
