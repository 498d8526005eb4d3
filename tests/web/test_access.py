from __future__ import annotations

import asyncio
import os
import ssl
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import aiohttp
import bcrypt
import pytest
import trustme

from netsla.errors import ConfigError
from netsla.web import access, login
from netsla.web import server as server_module
from tests.web.conftest import Serve

PASSWORD = "correct horse"
HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def folder(tmp_path: Path, authority: trustme.CA) -> Path:
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    for at, blob in enumerate(certificate.cert_chain_pems):
        blob.write_to_path(str(tmp_path / "cert.pem"), append=at > 0)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    trustme.CA().issue_cert("other").private_key_pem.write_to_path(str(tmp_path / "other.pem"))
    return tmp_path


def written(folder: Path, text: str) -> str:
    path = folder / "web-config.yml"
    path.write_text(text)
    return str(path)


TLS = "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n"
USERS = f"basic_auth_users: {{alice: '{HASH}'}}\n"
MUTUAL = TLS.replace("}", ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem}")


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}


async def test_tls(serve: Serve, client: aiohttp.ClientSession, folder: Path, authority: trustme.CA) -> None:
    _, base = await serve(config_file=written(folder, TLS))
    assert base.startswith("https://")
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with client.get(f"{base}/metrics", ssl=trusting) as answer:
        assert answer.status == 200
        assert b"netsla_probe_up" in await answer.read()


async def test_client_certificates(
    serve: Serve, client: aiohttp.ClientSession, folder: Path, authority: trustme.CA
) -> None:
    _, base = await serve(config_file=written(folder, MUTUAL))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # so that the refusal comes with the handshake
    with pytest.raises(aiohttp.ClientError):
        await client.get(f"{base}/-/ready", ssl=context)
    authority.issue_cert("client@example.net").configure_cert(context)
    async with client.get(f"{base}/-/ready", ssl=context) as answer:
        assert answer.status == 200


async def test_basic_auth(serve: Serve, client: aiohttp.ClientSession, folder: Path) -> None:
    _, base = await serve(config_file=written(folder, USERS))
    for path in ("/", "/metrics", "/api/v1/status", "/-/healthy", "/static/netsla.css", "/nowhere"):
        async with client.get(base + path) as answer:
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")
    for user, password in (("alice", "wrong"), ("alice", ""), ("bob", PASSWORD), ("alice", "x" * 100)):
        async with client.get(f"{base}/metrics", headers=basic(user, password)) as answer:
            assert answer.status == 401
    for _ in range(2):
        async with client.get(f"{base}/metrics", headers=basic("alice", PASSWORD)) as answer:
            assert answer.status == 200


async def test_headers_of_the_file_come_on_top(serve: Serve, client: aiohttp.ClientSession, folder: Path) -> None:
    text = "http_server_config: {headers: {Strict-Transport-Security: max-age=1, X-Frame-Options: deny}}\n"
    _, base = await serve(config_file=written(folder, text))
    async with client.get(f"{base}/metrics") as answer:
        assert answer.headers["Strict-Transport-Security"] == "max-age=1"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


async def test_what_was_right_once_is_not_hashed_again(
    serve: Serve, client: aiohttp.ClientSession, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, base = await serve(config_file=written(folder, USERS))
    hashed: list[bytes] = []

    def counting(password: bytes, expected: bytes) -> bool:
        hashed.append(expected)
        return bcrypt.checkpw(password, expected)

    monkeypatch.setattr(login, "checker", lambda: counting)
    for user in ("alice", "alice", "nobody"):
        async with client.get(f"{base}/-/ready", headers=basic(user, PASSWORD)) as answer:
            assert answer.status == (200 if user == "alice" else 401)
    assert hashed == [HASH.encode(), login._NOBODY]  # nobody takes as long as a wrong password


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", ("", b"")),
        ("Bearer x", ("", b"")),
        ("Basic !!!", ("", b"")),
        ("Basic YWxpY2U6YTpi", ("alice", b"a:b")),
        ("basic YWxpY2U6", ("alice", b"")),
        ("Basic /w==", ("", b"")),
    ],
)
def test_credentials(header: str, expected: tuple[str, bytes]) -> None:
    assert login.credentials(header) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tls_server_confg: {}", r":1:1: unknown key 'tls_server_confg' \(did you mean 'tls_server_config'\?\)"),
        ("basic_auth_users: {a: secret}", r":1:23: the password of 'a' is not a bcrypt hash \(make one with htpasswd"),
        ("basic_auth_users: [a]", "must be a mapping"),
        ("tls_server_config: {cert_file: cert.pem}", "needs both cert_file and key_file"),
        ("tls_server_config: {cert_file: no.pem, key_file: key.pem}", r"cert_file .*no.pem cannot be read"),
        ("tls_server_config: {cert_file: cert.pem, key_file: other.pem}", "the certificates cannot be used"),
        (TLS.replace("}", ", client_auth_type: RequestClientCert}"), "'RequestClientCert' is not supported"),
        (TLS.replace("}", ", client_auth_type: RequireAndVerifyClientCert}"), "need a client_ca_file"),
        (TLS.replace("}", ", client_ca_file: ca.pem}"), "protects nothing"),
        (TLS.replace("}", ", min_version: TLS10}"), "min_version 'TLS10' is not supported"),
        (TLS.replace("}", ", cipher_suites: [X]}"), "unknown key 'cipher_suites'"),
        ("http_server_config: {headers: {Server: x}}", "unknown key 'Server'"),
        ("http_server_config: {http2: true}\nhttp_server_config: {}", ":2:1: 'http_server_config' is given twice"),
        ("a: [", ":1:5: not YAML"),
        ("- 1", "the file must be a mapping"),
    ],
)
def test_mistakes_are_told_with_their_place(folder: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        access.load(written(folder, text))


def test_every_mistake_at_once(folder: Path) -> None:
    with pytest.raises(ConfigError) as refusal:
        access.load(written(folder, "x: 1\nbasic_auth_users: {a: b, c: d}\n"))
    assert len(refusal.value.faults) == 3


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere.yml:1:1: cannot be read"):
        access.load(str(tmp_path / "nowhere.yml"))


def test_a_pipe_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    with pytest.raises(ConfigError, match="not a regular file"):
        access.load(str(folder / "pipe"))
    with pytest.raises(ConfigError, match=r"cert_file .* cannot be read: not a regular file"):
        access.load(written(folder, "tls_server_config: {cert_file: pipe, key_file: key.pem}"))


def test_an_empty_file_protects_nothing_and_says_nothing(folder: Path) -> None:
    assert access.load(written(folder, "")).tls is None


async def test_a_renewed_certificate_and_a_new_user_are_taken_up_without_a_restart(
    serve: Serve, client: aiohttp.ClientSession, folder: Path
) -> None:
    server, base = await serve(config_file=written(folder, TLS))
    port = server.addresses
    newer = trustme.CA()
    certificate = newer.issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(str(folder / "cert.pem"))
    certificate.private_key_pem.write_to_path(str(folder / "key.pem"))
    await server.renew()
    assert server.addresses == port, "the same socket: nobody is refused meanwhile"
    trusting = ssl.create_default_context()
    newer.configure_trust(trusting)
    async with client.get(f"{base}/-/ready", ssl=trusting) as answer:
        assert answer.status == 200
    written(folder, TLS + USERS)
    await server.renew()
    for headers, status in (({}, 401), (basic("alice", PASSWORD), 200)):
        async with client.get(f"{base}/-/ready", ssl=trusting, headers=headers) as answer:
            assert answer.status == status


async def test_it_looks_by_itself_and_says_a_mistake_once(
    serve: Serve,
    client: aiohttp.ClientSession,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(server_module, "SWEEP_SECONDS", 0.01)
    server, base = await serve(config_file=written(folder, "{}"))
    written(folder, "basic_auth_user: {}")
    await until(lambda: bool(server.problems))
    first = server.problems
    written(folder, USERS)
    await until(lambda: not server.problems)
    assert "did you mean" in first[0]
    assert len([record for record in caplog.records if record.levelname == "WARNING"]) == 1
    async with client.get(f"{base}/-/ready") as answer:
        assert answer.status == 401


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - nobody tells when the sweep has been
            await asyncio.sleep(0.01)


async def test_what_was_in_force_stays_while_the_file_is_wrong(
    serve: Serve, client: aiohttp.ClientSession, folder: Path
) -> None:
    server, base = await serve(config_file=written(folder, USERS))
    for text, said in ((USERS.replace(":", "", 1), "not YAML"), ("basic_auth_user: {}\n", "did you mean")):
        written(folder, text)
        with pytest.raises(ConfigError, match=said):
            await server.renew()
        assert said in server.problems[0]
        async with client.get(f"{base}/-/ready") as answer:
            assert answer.status == 401, "nobody is let in by a mistake"
    written(folder, USERS)
    await server.renew()
    assert server.problems == ()
