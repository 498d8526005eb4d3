"""`netsla breaches`: from a running agent over its socket, or from what it left."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from netsla.cli.app import main
from netsla.cli.breaches import Wanted, acknowledge, breaches, shown_path
from netsla.errors import AgentError, Exit, NetslaError, RequestError
from netsla.store.backlog import Event
from netsla.store.ledger import Ledger
from netsla.store.outbox import Outbox
from tests.wire.test_breaches import event


@contextmanager
def agent(folder: Path, answer: dict[str, Any] | NetslaError, *more: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A real control socket on a loop of its own; yields its path and what it was asked."""
    import asyncio

    from netsla.control import ControlServer, Peer, Request

    path, asked = str(folder / "s.sock"), []
    ready, loop = threading.Event(), asyncio.new_event_loop()

    async def handle(request: Request, _peer: Peer) -> dict[str, Any]:
        asked.append(dict(request))
        if isinstance(answer, NetslaError):
            raise answer
        return answer

    async def serve() -> None:
        server = ControlServer(path, dict.fromkeys(("breaches", "acknowledge", *more), handle))
        await server.start()
        ready.set()
        await stopped.wait()
        await server.close()

    stopped = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(10)
    try:
        yield path, asked
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join(10)
        loop.close()


def test_what_the_agent_tells_is_shown_with_path_of_open_ones(tmp_path: Path, capsysbinary: Any) -> None:
    path = {"hops": [[1, "192.0.2.254", 0.4], [3, "198.51.100.7", 9.0]], "reached": False}
    with agent(tmp_path, {"events": [event("opened", 1)], "paths": {"id-1": path}}) as (socket, asked):
        assert breaches(socket, None, Wanted("1h")) == 0
    out = capsysbinary.readouterr().out.decode()
    assert "breached  P2" in out
    assert "90.0000 %" in out
    assert "   2  *\n   3  198.51.100.7  9.000 ms\n  it ends here" in out
    assert asked[0]["op"] == "breaches"


def test_open_and_agreement_choose(tmp_path: Path, capsysbinary: Any) -> None:
    ended = event("closed", 2, ended_at="2099-10-05T11:10:00Z")
    with agent(tmp_path, {"events": [event("opened", 1), ended], "paths": {}}) as (socket, _):
        breaches(socket, None, Wanted(only_open=True))
        breaches(socket, None, Wanted(agreement="other"))
        breaches(socket, None, Wanted(form="json"))
    nothing, also_nothing, rest = capsysbinary.readouterr().out.decode().split("\n", 2)
    assert nothing == "no open breach in the last 7d"
    assert also_nothing == "no breach of other in the last 7d"
    assert [one["open"] for one in json.loads(rest)] == [False]


def test_without_an_agent_what_it_left_is_shown(tmp_path: Path, capsysbinary: Any) -> None:
    outbox, ledger = (
        Outbox(tmp_path / "outbox.db", [], lambda _objective, events: events[-1]),
        Ledger(tmp_path / "ledger.db"),
    )
    outbox.start().result(10)
    ledger.start()
    payload = json.dumps(event("opened", 1, onset="2026-10-05T11:00:00Z")).encode()
    outbox.put({}, [Event("id-1", "acme/hq/delivery", payload, 2**61)]).result(10)
    ledger.note("path", {"event": "id-1", "hops": [], "reached": False, "problem": "not permitted"}).result(10)
    outbox.close()
    ledger.close()
    assert breaches(str(tmp_path / "none.sock"), tmp_path, Wanted()) == 0
    shown = capsysbinary.readouterr()
    assert "delivery" in shown.out.decode()
    assert "not permitted" in shown.out.decode()
    assert "this is what it left" in shown.err.decode()


def test_neither_agent_nor_record(tmp_path: Path) -> None:
    with pytest.raises(AgentError):
        breaches(str(tmp_path / "none.sock"), None, Wanted())
    with pytest.raises(NetslaError, match="state folder"):
        breaches(str(tmp_path / "none.sock"), tmp_path, Wanted())


def test_acknowledging_names_the_objective_and_says_why(tmp_path: Path, capsysbinary: Any) -> None:
    with agent(tmp_path, {"said": "acknowledged"}) as (socket, asked):
        assert acknowledge(socket, "acme/hq/delivery", "fibre cut", "2h") == 0
    assert asked == [
        {"op": "acknowledge", "agreement": "acme", "endpoint": "hq", "objective": "delivery", "why": "fibre cut",
         "mute_seconds": 7200.0}
    ]  # fmt: skip
    assert capsysbinary.readouterr().out == b"acknowledged\n"


def test_a_refused_acknowledgement_is_a_wrong_request_and_no_agent_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: Any
) -> None:
    def ends(socket: str) -> object:
        words = ["netsla", "breaches", "--ack", "acme/hq/delivery", "--why", "fibre cut", "--socket", socket]
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code

    with agent(tmp_path, RequestError("acme/hq/delivery has no open breach", "see `netsla breaches --open`")) as (
        path,
        _,
    ):
        assert ends(path) == Exit.CONFIG
    assert b"has no open breach" in capsysbinary.readouterr().err
    assert ends(str(tmp_path / "none.sock")) == Exit.UNREACHABLE


def test_what_stands_open_is_shown_however_long_ago_it_began(tmp_path: Path, capsysbinary: Any) -> None:
    states = {"acme/hq/delivery": b'{"breach":{"onset":"2026-01-01T00:00:00.000000Z"},"silent_since":null}'}
    begun = event("opened", 1, decided_at="2026-01-01T00:00:05Z")
    outbox = Outbox(tmp_path / "outbox.db", (), lambda _objective, events: events[-1])
    outbox.start().result(10)
    told = Event("id-1", "acme/hq/delivery", json.dumps(begun).encode(), 1_767_225_605 * 10**9)
    outbox.put(states, [told]).result(10)
    outbox.close()
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.start()
    ledger.note("path", {"event": "id-0"}).result(10)
    ledger.close()
    assert breaches(str(tmp_path / "none.sock"), tmp_path, Wanted("1h", only_open=True)) == 0
    assert "acme" in capsysbinary.readouterr().out.decode()


@pytest.mark.parametrize(
    ("what", "since", "said"), [("acme/hq", "2h", "AGREEMENT/ENDPOINT/OBJECTIVE"), ("a/b/c", "7", "7")]
)
def test_bad_input_is_explained(what: str, since: str, said: str) -> None:
    with pytest.raises(NetslaError, match=said):
        acknowledge("none.sock", what, "because", since)


def test_an_acknowledgement_says_what_is_done_and_of_which_breach(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: Any
) -> None:
    with pytest.raises(NetslaError, match="--why"):
        acknowledge("none.sock", "a/b/c", " ", None)
    for words in (["--mute", "2h"], ["--why", "fibre cut"]):
        monkeypatch.setattr(sys, "argv", ["netsla", "breaches", *words, "--socket", "none.sock"])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == Exit.CONFIG
        assert b"--ack AGREEMENT/ENDPOINT/OBJECTIVE" in capsysbinary.readouterr().err


def test_what_stands_is_named_by_what_it_is(tmp_path: Path, capsysbinary: Any) -> None:
    expected = event("opened", 1, details={"projected_down_seconds": 281})
    silent = event("no_data", 3, onset="2026-10-05T11:30:00Z")
    spent = event("updated", 2, details={"budget_warning_percent": 50}, decided_at="2026-10-05T11:10:00Z")
    with agent(tmp_path, {"events": [expected, spent, silent], "paths": {}}) as (socket, _):
        assert breaches(socket, None, Wanted(since="3650d")) == 0
    lines = capsysbinary.readouterr().out.decode().splitlines()[1:]
    assert [line.split("  ")[0] for line in lines] == ["expected", "warned, 50 % spent", "no data"]
    spent = event("opened", 1, details={"projected_down_seconds": 281, "down_seconds": 260, "budget_seconds": 259})
    with agent(tmp_path, {"events": [spent], "paths": {}}) as (socket, _):
        assert breaches(socket, None, Wanted(since="3650d")) == 0
    assert capsysbinary.readouterr().out.decode().splitlines()[1].startswith("breached  "), "it is more than expected"


def test_a_path_that_reached_the_endpoint_ends_there() -> None:
    path = {"hops": [[1, "192.0.2.254", 0.4], [2, "192.0.2.1", 1.0]], "reached": True}
    assert shown_path(path).splitlines() == ["   1  192.0.2.254  0.400 ms", "   2  192.0.2.1  1.000 ms"]


def test_an_agreement_that_is_not_there_is_no_agreement_without_breaches(tmp_path: Path, capsysbinary: Any) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("agreements: [{id: acme, endpoints: [{id: e, address: 192.0.2.1}]}]\n")
    with agent(tmp_path, {"events": [], "paths": {}}) as (socket, _):
        with pytest.raises(NetslaError, match="there is no agreement 'acne', and no breach of it: did you mean 'acme'"):
            breaches(socket, None, Wanted(agreement="acne"), config)
        assert breaches(socket, None, Wanted(agreement="acme"), config) == 0
        assert breaches(socket, None, Wanted(agreement="old"), tmp_path / "none.yaml") == 0
    assert b"no breach of acme in the last 7d" in capsysbinary.readouterr().out
