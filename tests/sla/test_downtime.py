import numpy as np

from netsla.sla.downtime import Downtime


def noted(*turns: tuple[int, list[int], bool]) -> list[tuple[list[int], list[int]]]:
    made = Downtime()
    for k, rows, down in turns:
        made.note(k, np.array(rows, np.int32), down=down)
    return [(k.tolist(), rows.tolist()) for k, rows in made.left(60)]


def test_what_is_left_comes_by_the_hour_in_order() -> None:
    assert noted((121, [3], True), (60, [1, 2], True), (119, [0], True)) == [([60, 60, 119], [1, 2, 0]), ([121], [3])]


def test_what_ceased_to_be_down_time_is_not_read() -> None:
    turns = [(60, [1, 2], True), (60, [2], False), (61, [5], True), (61, [5], False), (61, [5], True)]
    assert noted(*turns) == [([60, 61], [1, 5])]
    assert noted((60, [1], True), (60, [1], False)) == []
    assert noted() == []
