import pytest

from bench.goals import BASELINE, GOALS, NETSLA, Goal, icmp, merged, relate, table, tcp, verdict
from bench.table import Row

GOAL = Goal("CPU", NETSLA, icmp(5000), "fping_ratio", 1.5, 1, "x fping")


def test_loads_are_named_once() -> None:
    assert icmp(5000) == "ICMP 5,000/s"
    assert icmp(5000, "at once") == "ICMP 5,000/s, at once"
    assert tcp(1000) == "TCP 1,000/s"


def test_ratios_are_to_fping_at_its_cheapest() -> None:
    rows = [Row(*BASELINE, {"cpu_per_probe": 10e-6}), Row(NETSLA, icmp(5000), {"cpu_per_probe": 12e-6})]
    relate(rows)
    assert rows[1].figures["fping_ratio"] == pytest.approx(1.2)
    assert rows[0].figures["fping_ratio"] == 1


def test_without_fping_there_is_no_ratio_and_no_verdict() -> None:
    rows = [Row(NETSLA, icmp(5000), {"cpu_per_probe": 12e-6})]
    relate(rows)
    assert verdict(GOAL, rows) == (None, "not measured")


@pytest.mark.parametrize(("value", "word"), [(1.5, "met"), (1.5001, "not met"), (float("nan"), "not met")])
def test_a_limit_is_inclusive(value: float, word: str) -> None:
    assert verdict(GOAL, [Row(NETSLA, icmp(5000), {"fping_ratio": value})])[1] == word


def test_rounds_become_their_median() -> None:
    rounds = [Row("a", "b", {"cpu_per_probe": cpu * 1e-6, "rss": rss}) for cpu, rss in ((9, 1), (20, 5), (10, 2))]
    row = merged(rounds)
    assert row.figures == {"cpu_per_probe": pytest.approx(10e-6), "rss": 2}
    assert row.rounds == pytest.approx([9e-6, 20e-6, 10e-6])
    assert row.note == "CPU µs per probe in each round: 9.00, 20.0, 10.0"


def test_one_round_stays_itself() -> None:
    assert merged([Row("a", "b", {"cpu_per_probe": 1e-6}, "note")]).note == "note"


def test_the_table_shows_every_goal() -> None:
    lines = table([Row(NETSLA, icmp(1000), {"core_ratio": 0.03})]).splitlines()
    assert len(lines) == 2 + len(GOALS)
    assert "| 3.00 % of a core" in lines[2]
    assert lines[2].rstrip(" |").endswith("met")
    assert all("not measured" in line for line in lines[3:])
