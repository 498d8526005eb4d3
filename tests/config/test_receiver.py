from __future__ import annotations

from pathlib import Path

from netsla.model import SECOND, Secret
from tests.config.writing import AGREEMENT, mistakes, plan, write


def test_receivers_over_http(tmp_path: Path) -> None:
    write(tmp_path, "s3cret\n", "hook.secret")
    text = (
        "webhook: [{url: https://h.example/t0ken, secret_file: hook.secret, timeout: 2s}, {url: 'http://h.example'}]\n"
        "alertmanager: [{url: 'http://am.example:9093/'}, {url: https://am.example/base}]\n"
    )
    found = plan(tmp_path, text + AGREEMENT)
    signed, plain = found.webhooks
    assert (signed.url, signed.secret, signed.timeout_ns) == ("https://h.example/t0ken", Secret("s3cret"), 2 * SECOND)
    assert signed.secret is not None
    assert signed.secret.file == str(tmp_path / "hook.secret")
    assert (plain.secret, plain.timeout_ns) == (None, 10 * SECOND)
    assert [one.url for one in found.alertmanagers] == ["http://am.example:9093", "https://am.example/base"]


def test_nobody_is_told_unless_it_is_written(tmp_path: Path) -> None:
    found = plan(tmp_path, AGREEMENT)
    assert (found.mqtt, found.webhooks, found.alertmanagers) == (None, (), ())


def test_no_message_repeats_what_a_webhook_url_holds(tmp_path: Path) -> None:
    for url in ("https://u:hunter2@h.example/", "ftp://h.example/hunter2", "https://h.example/hunter2#x"):
        (told,) = mistakes(tmp_path, f"webhook: [{{url: '{url}'}}]\n{AGREEMENT}")
        assert "hunter2" not in told


def test_another_secret_is_the_same_plan_to_its_digest(tmp_path: Path) -> None:
    text = f"webhook: [{{url: https://h.example/, secret_file: s}}]\n{AGREEMENT}"
    write(tmp_path, "one\n", "s")
    first = plan(tmp_path, text)
    write(tmp_path, "two\n", "s")
    second = plan(tmp_path, text)
    assert first.digest == second.digest
    assert first.webhooks != second.webhooks
