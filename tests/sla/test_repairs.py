import numpy as np

from netsla.sla.repairs import Repair, Repairs
from netsla.sla.standing import Standings
from netsla.sla.uptrack import UptimeTrack
from tests.sla.test_uptime import outage

STEP = np.full(2, 60)


def lived(*columns: str) -> tuple[Repairs, UptimeTrack]:
    """Two endpoints of outage(2); only the first has an objective to repair. Every interval weighs 60."""
    repairs, track = Repairs(), UptimeTrack()
    repairs.load(2, [0], ())
    track.resize(2)
    track.begin([0, 1], [outage(2), outage(2)])
    for k, letters in enumerate(zip(*columns, strict=True)):
        standing: Standings = np.array([{"G": 1, "B": 0, "U": -1}[letter] for letter in letters], np.int8)
        step = track.push(k, standing)
        down = np.flatnonzero(step.code == 0)
        repairs.count(down, np.full(len(down), 60))
        np.add.at(repairs._within, step.changed_place[step.changed_code == 0], 60)
        repairs.note(step.ended, STEP)
    return repairs, track


def test_outages_are_kept_where_an_objective_asks_for_them() -> None:
    repairs, track = lived("GBBBGGBB", "GBBBGGBB")
    assert repairs.of(0, track, 60) == [Repair(60, 240, 180), Repair(360, 480, 120, open=True)]
    assert repairs.of(1, track, 60) == [Repair(360, 480, 120, open=True)]


def test_a_new_telling_takes_the_place_of_what_ended_since() -> None:
    repairs, track = lived("BBGBBG", "GGGGGG")
    other = Repairs()
    other.load(1, [0], ())
    repairs.replace(np.array([0]), 120, other)
    assert repairs.of(0, track, 60) == [Repair(0, 120, 120)]
    assert repairs.concern(np.array([1, 0])) == [1]
    repairs.forget()
    assert repairs.of(0, track, 60) == []
