from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from netsla.config import load
from tests.config.writing import PROMISE, agreement, mistakes, warnings, write


def test_group_takes_terms_labels_and_active_of_its_entry(tmp_path: Path) -> None:
    write(tmp_path, "id,address,labels\na,192.0.2.1,site=a\nb,192.0.2.2,\n", "e.csv")
    keys = """\
        timezone: Europe/Berlin
        endpoints:
          - {id: g, addresses_file: e.csv, labels: {site: x, ring: r1}, active: {from: 2026-03-15},
             uptime: {interval: 30s}}
        """
    first, second = agreement(tmp_path, keys).endpoints
    assert (first.id, first.labels, second.labels) == (
        "a",
        (("ring", "r1"), ("site", "a")),
        (("ring", "r1"), ("site", "x")),
    )
    assert first.active_from == datetime(2026, 3, 15, tzinfo=ZoneInfo("Europe/Berlin"))
    assert first.uptime is second.uptime
    assert first.objectives is second.objectives


def test_source_of_the_other_family_is_left_out_and_told(tmp_path: Path) -> None:
    top = "probes: {ping: {type: icmp, source: 192.0.2.9}}"
    endpoints = f"""\
        endpoints:
          - {{id: v4, address: 192.0.2.1}}
          - {{id: v6, address: "2001:db8::1"}}
          - {{id: name, address: a.example}}
          - {{id: name6, address: a.example, family: ipv6}}
        {PROMISE}
        """
    found = agreement(tmp_path, endpoints, top)
    assert [e.probes[0].source for e in found.endpoints] == ["192.0.2.9", None, "192.0.2.9", None]
    told = warnings(tmp_path, (tmp_path / "netsla.yaml").read_text())
    assert [line.split(": ")[0] for line in told] == ["netsla.yaml:6:27", "netsla.yaml:8:30"]


def test_ids_are_unique_over_entries_and_files(tmp_path: Path) -> None:
    write(tmp_path, "id,address\na,192.0.2.1\nb,192.0.2.2\n", "e.csv")
    text = """\
        agreements:
          - id: x
            endpoints:
              - {id: a, address: 192.0.2.1}
              - {id: g, addresses_file: e.csv}
        """
    (line,) = mistakes(tmp_path, text)
    assert line.startswith("e.csv:2:1: endpoint 'a' is there already, at netsla.yaml:4:14")


def test_two_endpoints_may_share_an_address(tmp_path: Path) -> None:
    found = agreement(tmp_path, "endpoints: [{id: a, address: 192.0.2.1}, {id: b, address: 192.0.2.1}]")
    assert len(found.endpoints) == 2


def test_csv_lies_beside_the_file_that_names_it_or_beside_the_main_one(tmp_path: Path) -> None:
    for folder in ("d", "."):
        write(tmp_path, f"id,address\n{'near' if folder == 'd' else 'far'},192.0.2.1\n", f"{folder}/e.csv")
    write(tmp_path, "id: a\nendpoints: [{id: g, addresses_file: e.csv}]\n", "d/a.yaml")
    main = write(tmp_path, "agreements_dir: d\n")

    assert load(main)[0].agreements[0].endpoints[0].id == "near"
    (tmp_path / "d/e.csv").unlink()
    assert load(main)[0].agreements[0].endpoints[0].id == "far"


def test_all_mistakes_of_a_wrong_endpoint_are_told(tmp_path: Path) -> None:
    text = "agreements: [{id: a, endpoints: [{id: e, probes: [x], uptime: {interval: 7s}}]}]"
    assert [line.split(" (")[0] for line in mistakes(tmp_path, text)] == [
        "netsla.yaml:1:34: endpoint 'e' has no address",
        "netsla.yaml:1:51: unknown probe 'x'",
        "netsla.yaml:1:74: interval: 7s is no interval of the time grid",
    ]
