"""Reactions, step by step, worked out by hand."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from netsla.model import SECOND, Clear, Reaction, Span
from netsla.sla.reaction import TABLE, Reactions, diagram, rhythm_ns
from tests.sla.builders import MONTH, ratio_objective

HOUR = 3600


def told(
    reaction: Reaction, judgements: str, *, step_s: int = 60, interval_s: int = 60, values: list[float] | None = None
) -> str:
    """B breached, G met, - no data; one judgement every `step_s`: O opens, C closes, . nothing."""
    reactions = Reactions()
    reactions.cover(1)
    objective = replace(ratio_objective(window=MONTH), reaction=reaction)
    reactions.begin(0, objective, interval_s * SECOND, 0.99, fresh=True)
    out = ""
    for number, letter in enumerate(judgements, 1):
        value = values[number - 1] if values else float("nan")
        opening, closing = reactions.step(
            number * step_s * SECOND,
            np.array([0]),
            np.array([letter == "B"]),
            np.array([letter in "BG"]),
            np.array([value]),
        )
        out += "O" if len(opening) else "C" if len(closing) else "."
    return out


def test_immediate() -> None:
    assert told(Reaction(), "GBBGGB") == ".O.C.O"


def test_consecutive_with_its_own_clear_condition() -> None:
    reaction = Reaction("consecutive", 3, clear=Clear(2))
    assert told(reaction, "BBGBBBBGBGGGB") == ".....O....C.."


def test_no_data_neither_extends_nor_breaks_a_run() -> None:
    assert told(Reaction("consecutive", 3, clear=Clear(3)), "BB--BG-GG") == "....O...C"


def test_x_of_y() -> None:
    reaction = Reaction("xofy", x=2, y=4, clear=Clear(x=4, y=4))
    assert told(reaction, "BGGGBGBGGGG") == "......O...C"


def test_average_of_values() -> None:
    reaction = Reaction("average", n=2, clear=Clear(1))
    assert told(reaction, "BBGG", values=[0.98, 0.97, 1.0, 1.0]) == ".O.C"


def test_an_endpoint_that_flaps_every_20_s_for_an_hour_under_consecutive_3() -> None:
    """Up 20 s, down 20 s: of the judgements at the close of a minute, one in three falls into the same phase.

    The state repeats every 40 s; closes are every 60 s, so it is judged in turn up and down: never three in a row.
    With intervals of 10 s two judgements fall into each phase: never three either. With intervals of 5 s four do: the
    third of each bad phase opens, the third of each good phase closes: an hour that ends badly makes 90 and 89.
    """
    reaction = Reaction("consecutive", 3, clear=Clear(3))
    seconds = "".join("G" if second // 20 % 2 == 0 else "B" for second in range(HOUR))
    for interval in (60, 10):
        every = told(reaction, seconds, step_s=1, interval_s=interval)
        assert set(every) == {"."}, interval
    fast = told(reaction, seconds, step_s=1, interval_s=5)
    assert (fast.count("O"), fast.count("C")) == (90, 89)


def test_more_numbers_change_nothing_for_those_who_are_there() -> None:
    reactions = Reactions()
    objective = replace(ratio_objective(window=MONTH), reaction=Reaction("xofy", x=2, y=3, clear=Clear(x=3, y=3)))

    def judged(second: int, *breached: bool) -> list[list[int]]:
        numbers = np.arange(len(breached))
        known, value = np.ones(len(breached), bool), np.zeros(len(breached))
        turned = reactions.step(second * SECOND, numbers, np.array(breached), known, value)
        return [part.tolist() for part in turned]

    reactions.cover(1)
    reactions.begin(0, objective, 60 * SECOND, 0.99, fresh=True)
    assert judged(60, True) == [[], []]
    reactions.cover(2)
    reactions.begin(1, objective, 60 * SECOND, 0.99, fresh=True)
    assert judged(120, True, True) == [[0], []]
    assert judged(180, False, True) == [[1], []]


def test_once_fired_nothing_more_is_told_until_it_clears() -> None:
    assert told(Reaction("consecutive", 2, clear=Clear(5)), "BBBBGGGBBB") == ".O........"


@pytest.mark.parametrize(
    ("kind", "window", "interval_s", "expected_s"),
    [("immediate", MONTH, 60, 0), ("consecutive", MONTH, 60, 60), ("consecutive", Span("1m", 60), 300, 60)],
)
def test_how_often_a_judgement_counts(kind: str, window: Span, interval_s: int, expected_s: int) -> None:
    objective = replace(ratio_objective(window=window), reaction=Reaction(kind, 3))
    assert rhythm_ns(objective, interval_s * SECOND) == expected_s * SECOND


def test_the_diagram_in_the_docs_is_the_tables() -> None:
    text = Path("docs/alerts.md").read_text()
    (shown,) = re.findall(r"```mermaid\n(.*?)\n```", text, re.DOTALL)
    assert shown == diagram()
    assert len(TABLE) == len([line for line in shown.splitlines() if "/" in line])
