"""Vectors of the rules beyond the worked examples, through `netsla report --evidence` on packs written by hand.

Signs of a run: G all 12 answered, B none, `.` nothing recorded, `?` recorded with a stepped clock, one a minute from
2026-04-01T00:00Z. What stands after `|` is recorded after the period. The arithmetic is beside each vector.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from netsla.errors import NetslaError
from tests.cli.rules import BAD, DELIVERY, GOOD, UPTIME, minutes, month, seconds, shown, told, write

BEGIN = "2026-04-01T00:00Z"
LOOSE = "{min_coverage: 0%}"
COUNTS = {"G": GOOD, "B": BAD, ".": None, "?": GOOD}


def period_of(length: int, step: int = 60) -> str:
    """The period of so many intervals from BEGIN on."""
    end = length * step
    return f"{BEGIN}/2026-04-01T{end // 3600:02d}:{end % 3600 // 60:02d}:{end % 60:02d}Z"


def run_pack(folder: Path, signs: str, **keys: Any) -> tuple[int, dict[str, Any]]:
    """Settle a run of signs."""
    inside, _, after = signs.partition("|")
    keys = {"measurement": LOOSE} | keys
    write(folder, minutes(BEGIN, [COUNTS[sign] for sign in inside + after]), columns={"reason": ""}, **keys)
    file = folder / "intervals.csv"
    lines = file.read_text().splitlines()
    doubt = {seconds(BEGIN) + 60 * n for n, sign in enumerate(inside + after) if sign == "?"}
    lines[1:] = [line + "suspect_clock" * (seconds(line.split(",")[2]) in doubt) for line in lines[1:]]
    file.write_text("\n".join(lines) + "\n")
    return told(folder, period_of(len(inside)))


def only(document: dict[str, Any], name: str = "up") -> dict[str, Any]:
    """The one entry of an objective."""
    (found,) = (one for one in document["objectives"] if one["objective"] == name)
    return dict(found)


# --- R4, R14: uptime methods, unknown time ------------------------------------------------------------

INTERVAL = "{method: interval, interval: 60s}"
SLIDING2 = "{method: sliding, n: 2, interval: 60s}"
SLIDING3 = "{method: sliding, n: 3, interval: 60s}"
COMMERCIAL, ATT = "{profile: commercial}", "{profile: att1m}"
RUNS = [
    # rule, run, minutes down, minutes unknown, micro-outages, incidents (first minute, minutes down, minutes to repair)
    (INTERVAL, "GBBGB", 3, 0, 0, [(1, 2, 2), (4, 1, 1)]),
    (INTERVAL, "GB.BG", 2, 1, 0, [(1, 2, 3)]),  # one unknown neither extends nor breaks
    (INTERVAL, "GB..BG", 2, 2, 0, [(1, 1, 1), (4, 1, 1)]),  # two close the run
    (INTERVAL, "GB?BG", 2, 1, 0, [(1, 2, 3)]),  # suspect is unknown, whatever came back
    (COMMERCIAL, "GBGBBGBBBBG", 6, 0, 1, [(3, 2, 2), (6, 4, 4)]),
    (COMMERCIAL, "GB.BG", 2, 1, 0, [(1, 2, 3)]),
    (COMMERCIAL, "GB..BG", 0, 2, 2, []),  # 60 s and 60 s, each shorter than 120 s
    (COMMERCIAL, "GBB..BBG", 4, 2, 0, [(1, 2, 2), (5, 2, 2)]),
    (COMMERCIAL, "GBB.BBG", 4, 1, 0, [(1, 4, 5)]),
    (COMMERCIAL, ".BGB.", 0, 2, 2, []),
    (COMMERCIAL, "GGGGB|BG", 1, 0, 0, [(4, 1, 2)]),  # R12: judged on its whole length, 120 s; one minute is in here
    (COMMERCIAL, "GGGGB|G", 0, 0, 1, []),
    (ATT, "GBGBBG", 3, 0, 0, [(1, 1, 1), (3, 2, 2)]),
    (SLIDING2, "GBGBBGBGG|GG", 4, 0, 0, [(3, 4, 4)]),  # down at the onset of BB, up at that of GG
    (SLIDING3, "GGBB.BGGG|GGG", 3, 1, 0, [(2, 3, 4)]),  # B B . B are three in a row: n - 1 = 2 unknown are bridged
    (SLIDING3, "GGBB..BGGG|GGG", 3, 2, 0, [(2, 3, 5)]),
    (SLIDING3, "GGBB...BGGG|GGG", 0, 3, 0, []),  # three are not
    (SLIDING3, "GBBBGGBGGG|GGG", 6, 0, 0, [(1, 6, 6)]),  # GG is too short to be up again
    (SLIDING3, "BBBGGG|GGG", 3, 0, 0, [(0, 3, 3)]),
    (SLIDING3, "GGGBB|BGGG", 2, 0, 0, [(3, 2, 3)]),
]


@pytest.mark.parametrize(("rule", "signs", "down", "unknown", "micro", "incidents"), RUNS)
def test_runs(
    tmp_path: Path, rule: str, signs: str, down: int, unknown: int, micro: int, incidents: list[tuple[int, int, int]]
) -> None:
    _, document = run_pack(tmp_path, signs, uptime=rule)
    found, length = only(document), len(signs.partition("|")[0])
    up = length - down - unknown
    assert found["seconds"] == {
        "scheduled": length * 60, "excluded": 0, "unknown": unknown * 60, "down": down * 60, "up": up * 60
    }  # fmt: skip
    assert found["value"] == float(Fraction(up, up + down))
    assert (found["low"], found["high"]) == (up / length, (up + unknown) / length)
    assert found["micro_outages"] == micro
    listed = [
        ((seconds(one["start"]) - seconds(BEGIN)) // 60, one["seconds"] // 60, one["repair_seconds"] // 60)
        for one in document["incidents"]
    ]
    assert listed == incidents


@pytest.mark.parametrize(
    ("signs", "down", "up", "provisional"),
    [
        ("GGBBGBBBGBGGGGBG", 5, 9, 2),  # the worked example
        ("GGGGGGGB", 0, 6, 2),  # the newest two, the last of which may be the first of three
        ("GBBBGGGGBB", 3, 5, 2),
        ("GBBBGG", 3, 1, 2),  # one more G, and it has been up since the fifth minute
        ("GBBBGGG", 3, 4, 0),  # nothing in the newest two is against the state: whatever follows, they are up
        ("GBBBB", 4, 1, 0),
    ],
)
def test_the_newest_of_sliding_are_provisional(
    tmp_path: Path, signs: str, down: int, up: int, provisional: int
) -> None:  # fmt: skip
    _, document = run_pack(tmp_path, signs, uptime=SLIDING3)
    found = only(document)
    assert (found["seconds"]["down"], found["seconds"]["up"]) == (down * 60, up * 60)
    assert found["unknown_seconds"] == ({"provisional": provisional * 60} if provisional else {})
    assert document["period"]["final"] is (provisional == 0)


@pytest.mark.parametrize(
    ("rule", "counts", "step", "down"),
    [
        ("{profile: y1540-2019}", [(10, 8), (10, 7)], 60, 1),  # 20 % is not over 20 %
        ("{profile: y1540-2002}", [(12, 3), (12, 2)], 300, 1),  # 75 % is not over 75 %
        ("{profile: google120}", [(12, 1), (12, 0), (12, 0)], 60, 2),  # bad iff nothing came back
        ("{profile: mef}", [BAD] * 9 + [GOOD] * 20, 60, 0),
        ("{profile: mef}", [BAD] * 10 + [GOOD] * 20, 60, 10),
        ("{method: outage, min: 90s, interval: 30s}", [BAD, BAD, GOOD, BAD, BAD, BAD, GOOD], 30, 3),
        ("{method: outage, min: 100s, interval: 60s}", [BAD, GOOD, BAD, BAD, GOOD], 60, 2),
        ("{method: interval, interval: 60s, loss_over: 0%}", [(12, 11), (12, 12)], 60, 1),
        ("{method: interval, interval: 60s, min_samples: 6}", [(5, 0), (6, 0), (12, 12)], 60, 1),
    ],
)
def test_profiles_and_limits(
    tmp_path: Path, rule: str, counts: list[tuple[int, int]], step: int, down: int
) -> None:  # fmt: skip
    folder = write(tmp_path, minutes(BEGIN, counts, step), uptime=rule, measurement=LOOSE)
    assert only(told(folder, period_of(len(counts), step))[1])["seconds"]["down"] == down * step


# --- R5, R6: accounting and verdicts ------------------------------------------------------------------

MIXED = "GGGGGGBB.."  # six up, two down, two unknown


@pytest.mark.parametrize(
    ("options", "value"),
    [
        ("unknown: exclude", Fraction(6, 8)),
        ("unknown: up", Fraction(8, 10)),
        ("unknown: down", Fraction(6, 10)),
        ("denominator: 'fixed:43200m'", 1 - Fraction(2, 43_200)),
        ("denominator: 'fixed:43200m', unknown: down", 1 - Fraction(4, 43_200)),
    ],
)
def test_what_unknown_time_counts_as(tmp_path: Path, options: str, value: Fraction) -> None:
    found = only(run_pack(tmp_path, MIXED, measurement=f"{{min_coverage: 0%, {options}}}")[1])
    assert found["value"] == float(value)
    assert (found["coverage_ratio"], found["seconds"]["unknown"]) == (0.8, 120)


@pytest.mark.parametrize(
    ("signs", "target", "code", "standing", "evidence"),
    [
        ("G" * 19 + ".", "99.9%", 0, "met", "inconclusive"),  # coverage 95 % is enough; low 95 %
        ("G" * 18 + "..", "99.9%", 4, "insufficient_data", "inconclusive"),  # 90 %; high 100 %
        ("G" * 16 + "BB..", "95%", 1, "breached", "conclusive"),  # 90 %, but high is 18/20 = 90 %
        ("G" * 16 + "BB..", "90%", 4, "insufficient_data", "inconclusive"),  # high is the target, no less
        ("G" * 18 + "..", "90%", 4, "insufficient_data", "conclusive"),  # low is the target
        ("G" * 18 + "BB", "90%", 0, "met", "conclusive"),
        ("." * 20, "50%", 4, "no_data", "inconclusive"),
    ],
)
def test_verdicts(tmp_path: Path, signs: str, target: str, code: int, standing: str, evidence: str) -> None:
    got, document = run_pack(
        tmp_path, signs, measurement="{min_coverage: 95%}", objectives=f"[{UPTIME}]".replace("99.9%", target)
    )
    found = only(document)
    assert (got, found["standing"], found["evidence"]) == (code, standing, evidence)


# --- R8: latency whose columns are partly empty -------------------------------------------------------


def latency_pack(folder: Path, rows: list[tuple[int, int, str, str]], lost: str, statistic: str) -> dict[str, Any]:
    """Minutes of (sent, received, rtt_sum_us, le_30000), the latter two as they stand there."""
    promise = f'{{id: rtt, metric: latency, statistic: {statistic}, target: "<= 30ms", window: month, scope: all}}'
    write(folder, {}, objectives=f"[{promise}]", measurement=f"{{percentile_lost: {lost}}}")
    lines = [
        f"hq,ping,2026-04-01T00:{n:02d}:00Z,60,{sent},{got},{total},{within}"
        for n, (sent, got, total, within) in enumerate(rows)
    ]
    text = "\n".join(["endpoint,probe,start,seconds,sent,received,rtt_sum_us,le_30000", *lines])
    (folder / "intervals.csv").write_text(text)
    return only(told(folder, period_of(len(rows)))[1], "rtt")


@pytest.mark.parametrize(
    ("last", "lost", "statistic", "standing"),
    [
        # nine minutes of 12 within 30 ms, then one in which all 12 were lost: 108 of 120 are 90 %
        ((12, 0, "", ""), "infinite", "p90", "met"),
        ((12, 0, "", ""), "infinite", "p91", "breached"),  # an empty counter of no reply is nought, not unknown
        ((12, 0, "", "0"), "infinite", "p91", "breached"),
        ((12, 0, "", ""), "exclude", "p100", "met"),
        ((12, 0, "", ""), "exclude", "mean", "met"),
        # 12 replies of which nothing is told: nine of ten minutes are 90 % and too little for 95 %
        ((12, 12, "", ""), "exclude", "p99", "insufficient_data"),
        ((12, 12, "", ""), "exclude", "mean", "insufficient_data"),
    ],
)
def test_empty_latency_columns(
    tmp_path: Path, last: tuple[int, int, str, str], lost: str, statistic: str, standing: str
) -> None:
    rows = [(12, 12, "240000", "12")] * 9
    assert latency_pack(tmp_path, [*rows, last], lost, statistic)["standing"] == standing


# --- rolling objectives -------------------------------------------------------------------------------

ROLLING = '{id: up, metric: uptime, target: ">= 70%", window: 5m}'


@pytest.mark.parametrize(
    ("before", "value", "share", "standing"),
    # R11: the window that ends in the first minute reaches four minutes back: GGGG B is 80 %; after GGBB
    # those of the first four minutes hold 3, 3, 3 and 2 bad ones
    [("GGGG", Fraction(4, 5), 1, "met"), ("GGBB", Fraction(2, 5), Fraction(6, 10), "breached")],
)
def test_rolling_windows_reach_back_before_the_period(
    tmp_path: Path, before: str, value: Fraction, share: Fraction, standing: str
) -> None:
    signs = before + "BGGGGGGGGG"
    rows = minutes("2026-03-31T23:56", [COUNTS[sign] for sign in signs])
    folder = write(tmp_path, rows, uptime=INTERVAL, objectives=f"[{ROLLING}]")
    found = only(told(folder, period_of(10))[1])
    assert (found["value"], found["met_ratio"], found["standing"]) == (float(value), float(share), standing)


def test_a_fixed_denominator_is_not_that_of_a_rolling_window(tmp_path: Path) -> None:
    # one of five minutes down: 80 %, not 1 - 1/43,200; nothing unknown, so both bounds are the value
    found = only(
        run_pack(
            tmp_path, "GGGGGGGBGG", uptime=INTERVAL, objectives=f"[{ROLLING}]",
            measurement="{min_coverage: 0%, denominator: 'fixed:43200m'}",
        )[1]
    )  # fmt: skip
    assert (found["value"], found["low"], found["high"]) == (0.8, 0.8, 0.8)


def test_rolling_objectives_of_a_period_hardly_seen(tmp_path: Path) -> None:
    # R6: 10 of 20 minutes known, all of them good: every judged window was met, and that is too little to say so
    code, document = run_pack(
        tmp_path, "G" * 10 + "." * 10, uptime=INTERVAL, objectives=f"[{ROLLING}]", measurement="{min_coverage: 95%}"
    )
    assert (code, only(document)["standing"]) == (4, "insufficient_data")


def test_rolling_mean_of_intervals(tmp_path: Path) -> None:
    # R7: (100,100), (100,99), (10,5): pooled 204/210 = 97.1 %, the mean 83 %
    rolling = '{id: %s, metric: packet_delivery, target: ">= 90%%", window: 3m, aggregate: %s}'
    rows = minutes(BEGIN, [(100, 100), (100, 99), (10, 5)])
    objectives = f"[{rolling % ('pooled', 'pooled')}, {rolling % ('mean', 'mean_of_intervals')}]"
    folder = write(tmp_path, rows, objectives=objectives, measurement="{min_coverage: 50%}")
    code, document = told(folder, period_of(3))
    assert code == 1
    assert only(document, "pooled")["value"] == float(Fraction(204, 210))
    assert only(document, "mean")["value"] == 0.83


def test_mean_of_intervals_is_of_the_contracts_intervals(tmp_path: Path) -> None:
    # R7, R1: records of 60 s, intervals of 300 s: 50/50 and 12/52, not the mean of ten minutes
    mean = (
        '{id: mean, metric: packet_delivery, target: ">= 90%", window: month, aggregate: mean_of_intervals, scope: all}'
    )
    rows = minutes(BEGIN, [(10, 10)] * 5 + [(48, 8), (1, 1), (1, 1), (1, 1), (1, 1)])
    folder = write(
        tmp_path, rows, objectives=f"[{mean}]", uptime="{method: interval, interval: 300s}", measurement=LOOSE
    )
    assert only(told(folder, period_of(10))[1], "mean")["value"] == float((1 + Fraction(12, 52)) / 2)


@pytest.mark.parametrize(
    ("statistic", "limit", "code"), [("max", 49, 1), ("max", 50, 0), ("min", 9, 1), ("min", 20, 0)]
)
def test_rolling_extremes_of_latency(tmp_path: Path, statistic: str, limit: int, code: int) -> None:
    # R8: every minute from 10 to 50 ms, mean 20 ms; a promise on the greatest is not kept by the mean
    promise = f'{{id: rtt, metric: latency, statistic: {statistic}, target: "<= {limit}ms", window: 5m}}'
    columns = {"rtt_sum_us": "240000", "rtt_min_us": "10000", "rtt_max_us": "50000"}
    folder = write(tmp_path, minutes(BEGIN, [GOOD] * 10), objectives=f"[{promise}]", columns=columns, measurement=LOOSE)
    got, document = told(folder, period_of(10))
    assert (got, only(document, "rtt")["value"]) == (code, 0.05 if statistic == "max" else 0.01)


# --- packs that cannot be settled ---------------------------------------------------------------------

ROW = "hq,ping,2026-04-01T00:00:00Z,60,12,12"
HEAD = "endpoint,probe,start,seconds,sent,received"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{HEAD}\n{ROW}\n{ROW}\n", "intervals.csv: line 3: this interval is there already"),
        (f"{HEAD}\n{ROW}\n{ROW.replace('00:00:00', '00:01:07')}\n", "intervals.csv: line 3: start is no multiple"),
        (f"{HEAD}\n{ROW.replace('12,12', '12,13')}\n", "intervals.csv: line 2: more received than sent"),
        (f"{HEAD},le_30000\n{ROW},13\n", "intervals.csv: line 2: le_30000: more than were received"),
        (f"{HEAD}\n{ROW.replace('hq', 'xx')}\n", "intervals.csv: endpoint 'xx' is not in agreement.yaml"),
        (f"{HEAD}\n{ROW.replace('ping', 'pong')}\n", "intervals.csv: hq/pong is no probe of agreement.yaml"),
        (f"{HEAD.replace('sent', 'send')}\n{ROW}\n", "intervals.csv: line 1: no column sent"),
        (f"{HEAD}\n{ROW.replace('60,12', '60,x')}\n", "intervals.csv: line 2: sent: 'x' is no whole number"),
        (f"{HEAD}\n{ROW.replace('00Z', '00')}\n", "intervals.csv: line 2: start: .* is not UTC"),
        (f"{HEAD}\n{ROW}\n{ROW},5\n", "intervals.csv: line 3: 7 fields instead of 6"),
        (f"{HEAD}\n{ROW.replace('60,', '300,', 1)}\n", "intervals.csv: hq/ping: records of 300 s cannot feed"),
    ],
)
def test_lines_that_cannot_be_read_are_named(tmp_path: Path, text: str, said: str) -> None:
    write(tmp_path, {})
    (tmp_path / "intervals.csv").write_text(text)
    with pytest.raises(NetslaError, match=said):
        told(tmp_path, period_of(10))


WORK = {"id": "m1", "endpoint": None, "start": "2026-04-01T00:01Z", "end": "2026-04-01T00:03Z", "cause": "maintenance"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cause": "maintenence"}, "exclusion 1: unknown cause 'maintenence': did you mean 'maintenance'"),
        ({"endpoint": "nobody"}, "exclusion 1: unknown endpoint 'nobody'"),
        ({"end": "2026-04-01T00:01Z"}, "exclusion 1 ends before it begins"),
        ({"announced": "soon"}, "exclusion 1: announced: 'soon' is no ISO 8601 time"),
    ],
)
def test_exclusions_that_cannot_be_are_named(tmp_path: Path, change: dict[str, str], said: str) -> None:
    with pytest.raises(NetslaError, match=said):
        run_pack(tmp_path, "GBBBG", exclusions=[WORK | change])


def test_exclusions_that_share_an_id_are_both_listed(tmp_path: Path) -> None:
    later = WORK | {"start": "2026-04-01T00:04Z", "end": "2026-04-01T00:05Z"}
    _, document = run_pack(tmp_path, "GBBBBGG", exclusions=[WORK, later])
    assert [one["excluded_seconds"] for one in document["exclusions"]] == [120, 60]
    assert only(document)["seconds"]["excluded"] == 180


@pytest.mark.parametrize("interval", ["1s", "5s", "20s"])
def test_other_systems_probe_at_their_own_pace(tmp_path: Path, interval: str) -> None:
    # 12 probes a minute, whatever the agreement says; 1800 of 43,200 minutes without a record
    rows = month("2026-04-01", "2026-05-01", absent=(("2026-04-10T00:00", 1800),))
    probes = f"{{ping: {{type: icmp, interval: {interval}}}}}"
    code, document = told(write(tmp_path, rows, objectives=f"[{DELIVERY}]", probes=probes), "2026-04")
    assert (code, only(document, "pdr")["coverage_ratio"]) == (0, float(Fraction(41_400, 43_200)))


def test_a_missing_column_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    p95 = '{id: p95, metric: latency, statistic: p95, target: "<= 30ms", window: month}'
    folder = write(tmp_path, minutes(BEGIN, [GOOD] * 10), objectives=f"[{p95}]")
    assert told(folder, period_of(10))[0] == 4
    assert capsys.readouterr().err == "netsla: intervals.csv has no column le_30000, which p95 needs\n"
    write(folder, minutes(BEGIN, [GOOD] * 10), objectives=f"[{p95}]", columns={"le_30000": "12"})
    assert told(folder, period_of(10))[0] == 0
    assert not capsys.readouterr().err


def test_records_of_a_strange_probe_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(tmp_path, minutes(BEGIN, [GOOD] * 10))
    rows = (folder / "intervals.csv").read_text()
    (folder / "intervals.csv").write_text(rows + "hq,pong,2026-04-01T00:00:00Z,60,12,0\n")
    assert told(folder, period_of(10))[0] == 0
    said = "netsla: intervals.csv: hq/pong is no probe of agreement.yaml: it counts for nothing\n"
    assert capsys.readouterr().err == said


def test_an_agreement_whose_plan_is_elsewhere_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(tmp_path, minutes(BEGIN, [GOOD] * 10), objectives="[]", plan="gold")
    assert told(folder, period_of(10))[0] == 4
    said = "netsla: agreement.yaml promises nothing: a pack's has the plan's objectives written into it\n"
    assert capsys.readouterr().err == said


def test_an_exclusion_for_all_is_told_endpoint_by_endpoint_where_caps_differ(tmp_path: Path) -> None:
    both = "[{id: hq, address: 192.0.2.1}, {id: dr, address: 192.0.2.2}]"
    work = {"cause": "maintenance", "announced": "2026-03-01"}
    exclusions: list[dict[str, Any]] = [
        {"id": "A", "endpoint": "hq", "start": "2026-04-05T00:00Z", "end": "2026-04-05T04:00Z", **work},
        {"id": "B", "endpoint": None, "start": "2026-04-12T00:00Z", "end": "2026-04-12T02:00Z", **work},
        {"id": "C", "endpoint": None, "start": "2026-04-19T00:00Z", "end": "2026-04-19T05:00Z", **work},  # for nobody
    ]
    folder = write(
        tmp_path, month("2026-04-01", "2026-05-01"), exclusions=exclusions, endpoints=both,
        maintenance="{max_per_month: 4h}",
    )  # fmt: skip
    found = told(folder, "2026-04")[1]["exclusions"]
    assert [(one["id"], one["endpoint"], one["excluded_seconds"], one["why"]) for one in found] == [
        ("A", "hq", 14_400, None), ("B", "dr", 7200, None), ("B", "hq", 0, "cap"), ("C", None, 0, "cap"),
    ]  # fmt: skip


def test_an_endpoint_has_its_own_accounting(tmp_path: Path) -> None:
    # ten minutes, of which two are unknown
    ends = "[{id: hq, address: 192.0.2.1, measurement: {unknown: down, min_coverage: 50%}}]"
    folder = write(tmp_path, minutes("2026-04-01", [GOOD] * 4 + [None] * 2 + [GOOD] * 4), endpoints=ends)
    code, document = told(folder, "2026-04-01T00:00Z/2026-04-01T00:10Z")
    assert (code, document["objectives"][0]["value"]) == (1, 0.8)
    assert document["measurement"]["unknown"] == "exclude"
    (own,) = document["own_measurement"]
    assert (own["endpoints"], own["unknown"], own["min_coverage_ratio"]) == (["hq"], "down", 0.5)
    assert "hq: unknown time is counted as down" in shown(folder, "2026-04-01T00:00Z/2026-04-01T00:10Z", "text")
