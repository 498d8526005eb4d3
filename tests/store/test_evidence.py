"""Evidence packs: the same figures from files alone, and every changed byte found with its place."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from netsla.errors import NetslaError
from netsla.model import SECOND, Agreement, CreditRule
from netsla.sla.exclusion import Exclusion
from netsla.sla.recorded import Recorded
from netsla.sla.report import settle_agreement
from netsla.sla.report_json import to_json
from netsla.store import chain, evidence
from netsla.store.archive import Archive
from netsla.store.evidence import links_of_ledger, read_pack, records_of_ledger, verify_pack, write_pack
from netsla.store.ledger import Ledger
from netsla.store.pack_chain import make_links
from netsla.store.pack_check import Checked
from netsla.store.passage import links_between
from tests.sla.contracts import (
    MINUTE,
    at,
    contract,
    credits_of,
    delivery,
    month_of,
    period_of,
    records,
    repair,
    settled,
    tiers,
    uptime,
)
from tests.store.cells import START_S, cells, layout

MARCH_IN_BERLIN = np.arange(at("2026-02-28T23:00"), at("2026-03-31T22:00"), MINUTE).astype("datetime64[ns]")
AGREEMENT_YAML = """
id: acme-dia-42
parties: {provider: {name: Example ISP}, customer: {name: ACME GmbH}}
timezone: Europe/Berlin
service: {monthly_charge: 900.00}
maintenance: {notice: 5d, allowed: "00:00-06:00", max_per_month: 4h}
probes: {ping: {type: icmp}}
uptime: {profile: commercial}
objectives:
  - {id: uptime-month, metric: uptime, target: ">= 99.9%", window: month}
credits:
  currency: EUR
  rules: [{objective: uptime-month, tiers: [{below: 99.9%, credit: 5%}, {below: 99%, credit: 25%}]}]
endpoints: [{id: berlin-hq, address: 203.0.113.10}]
"""


def pack(
    folder: Path, *parts: Recorded, exclusions: tuple[Exclusion, ...] = (), agreement: Agreement | None = None
) -> Path:
    write_pack(folder, agreement or contract(), parts, exclusions, period="2026-04")
    return folder


def hours(count: int, endpoint: str = "hq", probe: str = "ping") -> Recorded:
    part = records(at("2026-04-01"), np.arange(60 * count) % 7 + 6, endpoint=endpoint, probe=probe)
    part.within[30_000] = part.received - 1
    return part


def test_a_pack_written_by_hand(tmp_path: Path) -> None:
    (tmp_path / "agreement.yaml").write_text(AGREEMENT_YAML)
    told = [{"id": "m1", "endpoint": None, "start": "2026-03-08T02:00:00", "end": "2026-03-08T04:00:00Z",
             "cause": "maintenance", "reason": "router", "announced": "2026-03-01T00:00Z"}]  # fmt: skip
    (tmp_path / "exclusions.json").write_text(json.dumps(told))
    stamps = np.datetime_as_string(MARCH_IN_BERLIN, unit="s").tolist()
    down = range(stamps.index("2026-03-29T00:30:00"), stamps.index("2026-03-29T01:15:00"))
    rows = [f"berlin-hq,ping,{stamp}Z,60,60,{0 if n in down else 60}" for n, stamp in enumerate(stamps)]
    (tmp_path / "intervals.csv").write_text("\n".join(["endpoint,probe,start,seconds,sent,received", *rows]))
    found = read_pack(tmp_path)
    report = settle_agreement(found.agreement, period_of(found.agreement, "2026-03"), found.read, found.exclusions)
    told_json = to_json(report, chained=found.chain is not None)
    (row,) = told_json["objectives"]
    assert told_json["chained"] is False
    assert row["seconds"] == {"scheduled": 2_674_800, "excluded": 10_800, "unknown": 0, "down": 2700, "up": 2_661_300}
    assert (row["standing"], row["credit"]) == ("breached", "45.00")
    assert told_json["exclusions"][0]["start"] == "2026-03-08T01:00:00Z"
    assert verify_pack(tmp_path)[0].breaks == ("chain.json is missing: the pack is unchained",)


def test_a_pack_gives_the_same_report(tmp_path: Path) -> None:
    agreement = contract(
        uptime(), repair(), delivery(), credits=credits_of(CreditRule("uptime-month", tiers=tiers(("99.9", "5"))))
    )
    month = month_of(agreement, "2026-04", ("2026-04-12T02:15", 90), ("2026-04-20T10:00", -30))
    excuse = Exclusion(
        "x1", "hq", at("2026-04-12T02:00"), at("2026-04-12T03:00"), "force_majeure", "flood", "T-1", accepted_by="ACME"
    )
    pack(tmp_path, month, exclusions=(excuse,), agreement=agreement)
    found = read_pack(tmp_path)
    assert found.agreement == agreement
    assert found.exclusions == (excuse,)
    report = settle_agreement(found.agreement, period_of(agreement, "2026-04"), found.read, found.exclusions)
    direct = settled(agreement, "2026-04", month, exclusions=[excuse])
    assert to_json(report, chained=True) == to_json(direct, chained=True)
    assert verify_pack(tmp_path)[0].intact


def test_intact_and_how_much(tmp_path: Path) -> None:
    checked = verify_pack(pack(tmp_path, hours(3), hours(2, probe="https")))[0]
    assert (checked.links, checked.loose, checked.breaks) == (3, 0, ())


def test_any_changed_byte_is_found(tmp_path: Path) -> None:
    folder = pack(tmp_path, hours(3))
    rng = np.random.default_rng(7)
    for name in ("agreement.yaml", "exclusions.json", "intervals.csv", "chain.json"):
        path = folder / name
        original = path.read_bytes()
        for place in rng.integers(0, len(original), 60).tolist():
            path.write_bytes(original[:place] + bytes([original[place] ^ 1]) + original[place + 1 :])
            breaks = verify_pack(folder)[0].breaks
            assert any(name in one for one in breaks), (name, place)
        path.write_bytes(original)
    assert verify_pack(folder)[0].intact


def test_the_place_of_a_changed_figure(tmp_path: Path) -> None:
    folder = pack(tmp_path, hours(3))
    path = folder / "intervals.csv"
    lines = path.read_text().splitlines()
    lines[61 + 5] = lines[61 + 5].replace(",12,", ",13,", 1)
    path.write_text("\n".join(lines) + "\n")
    assert verify_pack(folder)[0].breaks == (
        "intervals.csv: hour 2026-04-01T01:00Z: the figures are not those that were sealed",
    )


def test_a_changed_head_is_found_like_any_other_line(tmp_path: Path) -> None:
    pack(tmp_path, hours(1))
    text = (tmp_path / "intervals.csv").read_text()
    (tmp_path / "intervals.csv").write_text(text.replace("le_30000", "le_3000"))  # no row is left with the threshold
    assert "intervals.csv: hour 2026-04-01T00:00Z: the figures are not" in verify_pack(tmp_path)[0].breaks[0]


def test_rows_left_out_or_added(tmp_path: Path) -> None:
    folder = pack(tmp_path, hours(3))
    path = folder / "intervals.csv"
    text = path.read_text().splitlines(keepends=True)
    path.write_text("".join(text[:100] + text[101:]))
    assert "hour 2026-04-01T01:00Z" in verify_pack(folder)[0].breaks[0]
    path.write_text("".join([*text, text[5].replace("hq,ping", "hq,https")]))
    assert verify_pack(folder)[0].breaks == ("intervals.csv: hour 2026-04-01T00:00Z: hq/https was not sealed",)


def test_hours_without_a_link_are_loose(tmp_path: Path) -> None:
    part = hours(3)
    links = make_links("acme", [part])[:2]
    write_pack(tmp_path, contract(), [part], links=links)
    checked = verify_pack(tmp_path)[0]
    assert (checked.loose, checked.intact) == (60, True)


def test_a_link_left_out_breaks_the_chain(tmp_path: Path) -> None:
    part = hours(3)
    links = make_links("acme", [part])
    write_pack(tmp_path, contract(), [part], links=[links[0], links[2]])
    assert verify_pack(tmp_path)[0].breaks == (
        "chain.json: hour 2026-04-01T02:00Z: this link does not stand on the one before it",
    )


def test_links_stand_on_each_other_from_the_beginning() -> None:
    one, two, three = make_links("acme", [hours(3)])
    assert (one.previous, two.previous, three.previous) == (chain.GENESIS, one.hash, two.hash)
    other = make_links("other", [hours(3)])
    assert other[0].hash != one.hash


def test_thresholds_that_changed_in_the_middle_of_an_hour(tmp_path: Path) -> None:
    part = hours(2)
    known = np.arange(120) < 30
    part.within[30_000] = np.where(known, part.within[30_000], -1)
    part.within[50_000] = np.where(known, -1, part.received)
    pack(tmp_path, part)
    assert verify_pack(tmp_path)[0].intact
    (link, _) = make_links("acme", [part])
    assert [lane[2] for lane in link.lanes] == [(30_000,), (50_000,)]


DAY = '"id": "a", "start": "2026-04-02", "end": "2026-04-03", "cause": "c"'
HEAD = "endpoint,probe,start,seconds,sent,received"
ROW = "zz,ping,2026-04-01T00:00:00Z,60,1,1"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("exclusions.json", "{", "exclusions.json: Expecting"),
        ("exclusions.json", "{}", "is not a list"),
        ("exclusions.json", '[{"id": "a"}]', "exclusion 1 has no id, start, end or cause"),
        ("exclusions.json", f"[{{{DAY.replace('2026-04-03', 'x')}}}]", "end: 'x' is no ISO 8601 time"),
        ("exclusions.json", f"[{{{DAY.replace('04-03', '04-01')}}}]", "ends before it begins"),
        ("exclusions.json", f'[{{{DAY}, "endpoint": "zz"}}]', "unknown endpoint 'zz'"),
        ("exclusions.json", f'[{{{DAY}, "anounced": ""}}]', "unknown key 'anounced': did you mean 'announced'?"),
        ("intervals.csv", f"{HEAD}\n{ROW}\n", "endpoint 'zz' is not in"),
        ("intervals.csv", f"{HEAD}\n{ROW.replace('zz,ping', 'hq,pong')}\n", "hq/pong is no"),
        ("chain.json", "{}", "chain.json cannot be read"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, name: str, text: str, message: str) -> None:
    pack(tmp_path, hours(1))
    (tmp_path / name).write_text(text)
    with pytest.raises(NetslaError) as caught:
        read_pack(tmp_path)
    assert message in str(caught.value)


def test_every_mistake_is_said_at_once(tmp_path: Path) -> None:
    pack(tmp_path, hours(1))
    (tmp_path / "intervals.csv").write_text(f"{HEAD}\n{ROW}\n{ROW.replace('zz', 'yy')}\n")
    (tmp_path / "exclusions.json").write_text(f'[{{"id": "a"}}, {{{DAY.replace("2026-04-03", "x")}}}]')
    (tmp_path / "chain.json").write_text("{}")
    with pytest.raises(NetslaError) as caught:
        read_pack(tmp_path)
    said = str(caught.value).splitlines()
    assert [line.split(" ")[0] for line in said] == [
        "intervals.csv:",
        "exclusions.json:",
        "exclusions.json:",
        "chain.json",
    ]
    assert "endpoints 'yy', 'zz' are not in" in said[0]


def test_remarks_of_the_other_party_are_left_alone(tmp_path: Path) -> None:
    pack(tmp_path, hours(1))
    (tmp_path / "exclusions.json").write_text(f'[{{{DAY}, "ticket_url": "x"}}]')
    assert read_pack(tmp_path).exclusions[0].endpoint is None


def test_missing_files(tmp_path: Path) -> None:
    pack(tmp_path, hours(1))
    (tmp_path / "exclusions.json").unlink()
    assert read_pack(tmp_path).exclusions == ()
    assert "exclusions.json" in verify_pack(tmp_path)[0].breaks[0]
    (tmp_path / "intervals.csv").unlink()
    with pytest.raises(NetslaError, match=r"intervals\.csv: No such file"):
        read_pack(tmp_path)
    assert evidence.CHAIN == "chain.json"


def test_the_links_of_a_ledger_hold_for_its_pack(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db", now_ns=lambda: START_S * SECOND)
    ledger.start()
    for one in cells(4, 120, probes=10):
        ledger.append(one, layout(4))
    ledger.flush()
    begin, end = START_S * SECOND, (START_S + 7200) * SECOND
    assert ledger.seal_due(end + 301 * SECOND) == 2
    ledger.close()
    with Archive(tmp_path / "ledger.db").open() as look:
        links = links_of_ledger(links_between(look, "acme-0001", begin, end))
        taken = records_of_ledger(look.intervals("acme-0001", begin, end))
    agreement = replace(contract(endpoints=("site-0", "site-1")), id="acme-0001")
    write_pack(tmp_path / "pack", agreement, taken, links=links)
    assert verify_pack(tmp_path / "pack")[0] == Checked(2, 0, (), 2)
    assert [link.hash for link in links] != [link.hash for link in make_links("acme-0001", taken)]
    assert [link.figures for link in links] == [link.figures for link in make_links("acme-0001", taken)]


def test_a_pack_of_more_probes_than_a_block_holds_is_intact_and_every_row_is_held(tmp_path: Path) -> None:
    """30 probes are two blocks, so two links an hour: one was thought to correct the other."""
    ledger = Ledger(tmp_path / "ledger.db", now_ns=lambda: (START_S + 7200) * SECOND)
    ledger.start()
    for one in cells(30, 60, probes=6):
        ledger.append(one, layout(30, per_agreement=30))
    assert ledger.seal_due((START_S + 3901) * SECOND) == 1
    ledger.close()
    names = [f"site-{n}" for n in range(30)]
    begin, end = START_S * SECOND, (START_S + 3600) * SECOND
    with Archive(tmp_path / "ledger.db").open() as look:
        links = links_of_ledger(links_between(look, "acme-0000", begin, end))
        taken = records_of_ledger(look.intervals("acme-0000", begin, end))
    folder = tmp_path / "pack"
    write_pack(folder, replace(contract(endpoints=names), id="acme-0000"), taken, links=links)
    assert verify_pack(folder)[0] == Checked(2, 0, (), 1)
    for part in (taken[0], taken[-1]):
        part.rtt_sum_us[3] += 1
        write_pack(folder, replace(contract(endpoints=names), id="acme-0000"), taken, links=links)
        (told,) = verify_pack(folder)[0].breaks
        assert told.startswith("intervals.csv: hour 2026-05-29T")
        part.rtt_sum_us[3] -= 1
