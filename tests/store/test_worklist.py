from __future__ import annotations

import threading
import time

from netsla.store.worklist import Piece, Worklist

LARGE = 1000  # bytes


def worklist(*weights: int, bound: int = 10**6) -> Worklist[int]:
    made: Worklist[int] = Worklist(bound)
    for number, weight in enumerate(weights):
        made.add(number, weight, None)
    return made


def works(batch: list[Piece[int]] | None) -> list[int]:
    assert batch is not None
    return [piece.work for piece in batch]


def test_work_is_taken_in_order_and_what_could_not_be_done_is_the_oldest_again() -> None:
    some = worklist(1, 1, 1, 1)
    first = some.take(2, 0)
    assert first is not None
    assert works(first) == [0, 1]
    some.put_back(first)
    assert works(some.take(3, 0)) == [0, 1, 2]
    assert len(some) == 1


def test_over_the_bound_only_the_oldest_that_may_go_is_given_up_and_its_owner_is_told() -> None:
    some: Worklist[int] = Worklist(3 * LARGE)
    told: list[int] = []
    futures = [some.add(0, LARGE, None)]
    futures += [some.add(n, LARGE, lambda n=n: told.append(n)) for n in (1, 2)]  # type: ignore[misc] # binds n
    assert told == []
    futures.append(some.add(3, LARGE, None))
    assert told == [1]
    assert [future.cancelled() for future in futures] == [False, True, False, False]
    assert (works(some.take(9, 0)), some.given_up) == ([0, 2, 3], 1)


def test_what_may_not_go_stays_however_much_it_is() -> None:
    some = worklist(LARGE, LARGE, LARGE, bound=LARGE)
    assert (len(some), some.given_up) == (3, 0)


def test_small_work_takes_its_place_too() -> None:
    some: Worklist[int] = Worklist(1000)
    for number in range(5):
        some.add(number, 1, lambda: None)
    assert len(some) == 3, "256 bytes each at least"


def test_a_taker_is_woken_by_work_by_rousing_and_by_the_end() -> None:
    some = worklist()
    for wake, found in ((lambda: some.add(7, 1, None), [7]), (some.rouse, []), (some.end, None)):
        threading.Timer(0.02, wake).start()
        begun = time.monotonic()
        batch = some.take(9, 30)
        assert (batch if batch is None else works(batch)) == found
        assert time.monotonic() - begun < 10


def test_after_the_end_nothing_comes_in_and_what_is_left_is_lost() -> None:
    some = worklist(1, 1)
    some.end()
    assert some.add(9, 1, None).cancelled()
    assert works(some.take(1, 0)) == [0]
    assert (some.abandon(), len(some)) == (1, 1)
