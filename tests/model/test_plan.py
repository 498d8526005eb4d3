from __future__ import annotations

from netsla.model import MqttSettings, Secret


def test_a_secret_never_prints_itself() -> None:
    settings = MqttSettings("broker", 8883, password=Secret("hunter2", "mqtt.pass"))
    assert "hunter2" not in f"{settings} {settings!r} {settings.password}"


def test_a_secret_is_its_value_wherever_it_was_read() -> None:
    assert Secret("a", "here") == Secret("a", "there") != Secret("b", "here")
