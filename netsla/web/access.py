"""TLS and basic auth by a `web-config.yml` in the format of Prometheus' exporter-toolkit.

Rules: what is not understood is an error with its place, never ignored: a file that promises
protection must not be half read. Paths are relative to the file. Passwords are bcrypt hashes.
"""

from __future__ import annotations

import errno
import os
import re
import ssl
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from netsla.errors import ConfigError, Fault

TLS_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
CLIENT_AUTH = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
HEADERS = (
    "Content-Security-Policy",
    "Strict-Transport-Security",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "X-XSS-Protection",
)
Stamp = tuple[int, int, int] | None  # None: there is no such file
_BCRYPT = re.compile(r"\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}")


@dataclass(frozen=True, slots=True)
class Access:
    """How the web is protected; `files` are those it was made of, each with its stamp from before it was read."""

    tls: ssl.SSLContext | None = None
    users: Mapping[str, bytes] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Stamp] = field(default_factory=dict)

    def changed(self) -> bool:
        """Whether a file is another one than it was: a renewed certificate, a new user."""
        return any(_stamp(path) != stamp for path, stamp in self.files.items())


def _stamp(path: str) -> Stamp:
    try:
        found = os.stat(path)  # noqa: PTH116 - of what a link points to, without a Path for each look
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _must_end(path: Path) -> None:
    """OSError for a pipe or a device: the event loop, which reads these files, would wait for its end."""
    kind = path.stat().st_mode
    if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        raise OSError(errno.EINVAL, "not a regular file", str(path))


def load(path: str) -> Access:
    """Read the file and everything it names. :class:`ConfigError` with every fault found."""
    reading = _Reading(path)
    top = reading.mapping(reading.document(), "", {"tls_server_config", "http_server_config", "basic_auth_users"})
    tls = _tls(reading, top["tls_server_config"]) if "tls_server_config" in top else None
    headers = _headers(reading, top["http_server_config"]) if "http_server_config" in top else {}
    users = _users(reading, top["basic_auth_users"]) if "basic_auth_users" in top else {}
    if reading.faults:
        raise ConfigError(sorted(reading.faults))
    return Access(tls, users, headers, reading.files)


class _Reading:
    """One file being read: its faults with their places, and the files it names."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self.files = {path: _stamp(path)}
        self.faults: list[Fault] = []

    def document(self) -> yaml.Node | None:
        try:
            _must_end(self.path)
            return yaml.compose(self.path.read_text("utf-8"), yaml.SafeLoader)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                [Fault(str(self.path), 1, 1, f"cannot be read: {error}", "name another web.config_file")]
            ) from error
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            raise ConfigError([Fault(str(self.path), line, column, f"not YAML: {error.problem}")]) from error

    def fault(self, node: yaml.Node, problem: str, remedy: str = "") -> None:
        self.faults.append(Fault(str(self.path), node.start_mark.line + 1, node.start_mark.column + 1, problem, remedy))

    def mapping(self, node: yaml.Node | None, where: str, known: set[str] | None = None) -> dict[str, yaml.Node]:
        """The entries by key; `known` None takes any key."""
        if node is None:
            return {}
        if not isinstance(node, yaml.MappingNode):
            self.fault(node, f"{where or 'the file'} must be a mapping")
            return {}
        entries: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = str(key.value)
            if known is not None and name not in known:
                close = get_close_matches(name, known, 1)
                self.fault(
                    key,
                    f"unknown key {name!r}",
                    f"did you mean {close[0]!r}?" if close else f"known: {', '.join(sorted(known))}",
                )
            elif name in entries:
                self.fault(key, f"{name!r} is given twice")
            else:
                entries[name] = value
        return entries

    def text(self, node: yaml.Node, what: str) -> str:
        if isinstance(node, yaml.ScalarNode):
            return str(node.value)
        self.fault(node, f"{what} must be a text")
        return ""

    def choice(self, node: yaml.Node, what: str, choices: Mapping[str, Any]) -> Any:
        text = self.text(node, what)
        if text not in choices:
            self.fault(node, f"{what} {text!r} is not supported", f"one of {', '.join(choices)}")
            return None
        return choices[text]

    def file(self, node: yaml.Node, what: str) -> str:
        """A readable file, made absolute."""
        path = self.path.parent / self.text(node, what)
        stamp = _stamp(str(path))
        try:
            _must_end(path)
            path.open("rb").close()
        except OSError as error:
            self.fault(node, f"{what} {path} cannot be read: {error.strerror}", "name a file this user may read")
        self.files[str(path)] = stamp
        return str(path)


def _tls(reading: _Reading, node: yaml.Node) -> ssl.SSLContext | None:
    known = {"cert_file", "key_file", "client_auth_type", "client_ca_file", "min_version", "max_version"}
    known |= {"prefer_server_cipher_suites"}  # the default of today's TLS libraries: read, and nothing to do
    entries = reading.mapping(node, "tls_server_config", known)
    files: dict[str, str] = {
        key: reading.file(entries[key], key) for key in ("cert_file", "key_file", "client_ca_file") if key in entries
    }
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for key, attribute in (("min_version", "minimum_version"), ("max_version", "maximum_version")):
        version = reading.choice(entries[key], key, TLS_VERSIONS) if key in entries else None
        if version is not None:
            setattr(context, attribute, version)
    auth = (
        reading.choice(entries["client_auth_type"], "client_auth_type", CLIENT_AUTH)
        if "client_auth_type" in entries
        else None
    )
    if not {"cert_file", "key_file"} <= files.keys():
        reading.fault(node, "tls_server_config needs both cert_file and key_file")
    if auth and "client_ca_file" not in files:
        reading.fault(entries["client_auth_type"], "client certificates need a client_ca_file to be verified with")
    if "client_ca_file" in files and not auth:
        reading.fault(
            entries["client_ca_file"],
            "client_ca_file without client_auth_type protects nothing",
            "set client_auth_type: RequireAndVerifyClientCert",
        )
    if reading.faults:
        return None
    return context if _load_certificates(reading, node, context, files, auth or ssl.CERT_NONE) else None


def _load_certificates(
    reading: _Reading, node: yaml.Node, context: ssl.SSLContext, files: Mapping[str, str], auth: ssl.VerifyMode
) -> bool:
    try:
        context.load_cert_chain(files["cert_file"], files["key_file"], password=_no_password)
        if auth:
            context.load_verify_locations(files["client_ca_file"])
    except (ssl.SSLError, OSError, ValueError) as error:
        reading.fault(
            node, f"the certificates cannot be used: {error}", "PEM files that belong together, key without passphrase"
        )
        return False
    context.verify_mode = auth
    return True


def _no_password() -> str:
    """Instead of OpenSSL asking on the terminal."""
    raise ValueError("the key has a passphrase")


def _headers(reading: _Reading, node: yaml.Node) -> dict[str, str]:
    entries = reading.mapping(node, "http_server_config", {"http2", "headers"})  # http2: we speak HTTP/1.1 only
    headers = reading.mapping(entries.get("headers"), "headers", set(HEADERS))
    return {name: reading.text(value, name) for name, value in headers.items()}


def _users(reading: _Reading, node: yaml.Node) -> dict[str, bytes]:
    users: dict[str, bytes] = {}
    for name, value in reading.mapping(node, "basic_auth_users").items():
        text = reading.text(value, "the password")
        if not _BCRYPT.fullmatch(text):
            reading.fault(value, f"the password of {name!r} is not a bcrypt hash", "make one with htpasswd -nBC 10 ''")
        users[name] = text.encode()
    if users and checker() is None:
        reading.fault(node, "basic auth needs the bcrypt package", "pip install 'netsla[bcrypt]'")
    return users


def checker() -> Callable[[bytes, bytes], bool] | None:
    """`bcrypt.checkpw`, if the package is installed."""
    try:
        from bcrypt import checkpw  # noqa: PLC0415 - an optional package
    except ImportError:
        return None
    return checkpw
