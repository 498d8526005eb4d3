"""Things to settle: a pack written by hand (March 2026 in Berlin, with an outage, maintenance, and time without a
record), and a ledger with three sealed hours."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from netsla.cli.settling import Where
from netsla.sla.exclusion import Exclusion
from netsla.store.exclusions import record
from netsla.store.ledger import Ledger
from tests.store.cells import START_S, cells
from tests.store.cells import layout as lanes

AGREEMENT = """
id: acme-dia-42
parties: {provider: {name: Example ISP}, customer: {name: ACME GmbH}}
timezone: Europe/Berlin
service: {monthly_charge: 900.00}
maintenance: {notice: 5d, allowed: "00:00-06:00", max_per_month: 4h}
probes: {ping: {type: icmp}}
uptime: {profile: commercial}
objectives:
  - {id: uptime-month, metric: uptime, target: ">= 99.9%", window: month}
  - {id: delivery-month, metric: packet_delivery, target: ">= 99%", window: month}
  - {id: latency-mean, metric: latency, statistic: mean, target: "<= 20ms", window: month}
credits:
  currency: EUR
  rules: [{objective: uptime-month, tiers: [{below: 99.9%, credit: 5%}, {below: 99%, credit: 25%}]}]
endpoints: [{id: berlin-hq, address: 203.0.113.10}]
"""
CONFIG = """
agent: {name: lab, state_dir: var}
agreements:
  - id: acme-0000
    parties: {customer: {name: ACME}}
    probes: {ping: {type: icmp}}
    timezone: Europe/Berlin
    objectives:
      - {id: up, metric: uptime, target: ">= 99%", window: month}
      - {id: delivery, metric: packet_delivery, target: ">= 99%", window: month}
      - {id: p95, metric: latency, statistic: p95, target: "<= 30ms", window: month}
    endpoints: [{id: site-0, address: 192.0.2.1}, {id: site-1, address: 192.0.2.2}]
"""
DAY = "2026-05-29"
BEGIN, END = (
    np.datetime64("2026-02-28T23:00:00"),
    np.datetime64("2026-03-31T22:00:00"),
)  # UTC; the month has a lost hour
HEAD = (
    "endpoint,probe,start,seconds,sent,received,unmeasured,late,duplicate,rtt_sum_us,rtt_min_us,rtt_max_us,"
    "jitter_sum_us,jitter_pairs,reason"
)


def span(begin: str, minutes: int) -> range:
    """Interval numbers of a span that begins then, UTC."""
    first = int((np.datetime64(begin) - BEGIN) // np.timedelta64(1, "m"))
    return range(first, first + minutes)


def write(folder: Path, down: range, absent: range = range(0)) -> Path:
    """The pack; `down` intervals lost everything, `absent` ones were not recorded."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "agreement.yaml").write_text(AGREEMENT)
    told = [{"id": "m1", "endpoint": None, "start": "2026-03-08T02:00:00+01:00", "end": "2026-03-08T04:00:00+01:00",
             "cause": "maintenance", "reason": "router", "reference": "CHG-7",
             "announced": "2026-03-01T00:00Z"}]  # fmt: skip
    (folder / "exclusions.json").write_text(json.dumps(told))
    stamps = np.datetime_as_string(np.arange(BEGIN, END, np.timedelta64(1, "m")), unit="s").tolist()
    rows = [HEAD]
    for n, stamp in enumerate(stamps):
        if n in absent:
            continue
        got = 0 if n in down else 60
        ms = 10 + (n // 60) % 24 / 4
        figures = f"{int(got * ms * 1000)},{int(ms * 900)},{int(ms * 1200)},{got * 100},{got - 1}" if got else ",,,,"
        rows.append(f"berlin-hq,ping,{stamp}Z,60,60,{got},0,0,0,{figures},")
    (folder / "intervals.csv").write_text("\n".join(rows) + "\n")
    return folder


def of_pack(folder: Path, period: str | None = None) -> Where:
    """What `--evidence FOLDER` means."""
    return Where(Path("nowhere.yaml"), None, folder, period)


def write_ledger(folder: Path, hours: int = 3) -> Path:
    """A ledger of two endpoints: sealed hours, then 20 minutes that are not, and an exclusion recorded at run time.

    Gives its configuration.
    """
    (folder / "var").mkdir()
    (folder / "netsla.yaml").write_text(CONFIG)
    minutes = hours * 60 + 20
    now_ns = (START_S + minutes * 60 + 70) * 10**9
    ledger = Ledger(folder / "var" / "ledger.db", now_ns=lambda: now_ns)
    ledger.start()
    layout = lanes(2)
    for cell in cells(2, minutes):
        ledger.append(cell, layout)
    told = Exclusion("x1", None, (START_S + 600) * 10**9, (START_S + 1200) * 10**9, "force_majeure")
    record(ledger, "acme-0000", told, "anna", now_ns).result(10)
    assert ledger.seal_due(now_ns) == hours
    ledger.close()
    return folder / "netsla.yaml"
