from __future__ import annotations

import os
from pathlib import Path

import pytest

from netsla.config.quantity import Wrong
from netsla.config.secrets import Where, fetch, from_file, read_where
from netsla.config.source import Faults, Scalar, parse


def scalar(text: str) -> Scalar:
    return Scalar(text, True, "f", 1, 1)


def test_places() -> None:
    assert read_where(scalar("${MQTT_PASS}")) == Where("env", "MQTT_PASS")
    assert read_where(scalar("credential:mqtt.pass")) == Where("credential", "mqtt.pass")
    assert read_where(parse("{credential: mqtt.pass}", "f", Faults())) == Where("credential", "mqtt.pass")


@pytest.mark.parametrize(
    "text", ["hunter2", "$HOME", "${}", "${A}b", "credential:a/b", "credential:../x", "credential:.."]
)
def test_no_secret_stands_in_the_configuration_nor_in_the_message(text: str) -> None:
    with pytest.raises(Wrong) as caught:
        read_where(scalar(text))
    assert text not in caught.value.problem + caught.value.remedy


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETSLA_TEST", "s")
    assert fetch(Where("env", "NETSLA_TEST")).value == "s"
    monkeypatch.delenv("NETSLA_TEST")
    with pytest.raises(Wrong):
        fetch(Where("env", "NETSLA_TEST"))


def test_credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "mqtt").write_text("s\n")
    assert fetch(Where("credential", "mqtt")).value == "s"
    with pytest.raises(Wrong):
        fetch(Where("credential", "other"))
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    with pytest.raises(Wrong, match="no credentials directory"):
        fetch(Where("credential", "mqtt"))


def test_file_gives_its_first_line(tmp_path: Path) -> None:
    path = tmp_path / "pass"
    path.write_text("with blanks \nrest\n")
    assert from_file(path).value == "with blanks "
    for content in (b"", b"\nx", b"\xff\xfe"):
        path.write_bytes(content)
        with pytest.raises(Wrong):
            from_file(path)
    with pytest.raises(Wrong):
        from_file(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Wrong, match="not a regular file"):
        from_file(tmp_path / "pipe")
