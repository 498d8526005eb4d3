from __future__ import annotations

from collections.abc import Sequence

from netsla.store.backlog import Backlog, Event, Waiting


def waiting(number: int, objective: str) -> Waiting:
    return Waiting(Event(f"{number}", objective, b""), 0.0, durable=True)


def backlog(*told: tuple[int, str]) -> Backlog:
    made = Backlog()
    for number, objective in told:
        made.add(waiting(number, objective))
    return made


def collapse(objective: str, events: Sequence[Event]) -> Event:
    return Event("+".join(one.id for one in events), objective, b"")


def ids(events: Sequence[Waiting]) -> list[str]:
    return [one.event.id for one in events]


def heads(some: Backlog) -> list[str]:
    return ids(list(some.heads()))


def test_each_objective_tells_its_oldest_and_what_was_refused_goes_last() -> None:
    some = backlog((1, "x"), (2, "x"), (3, "y"))
    assert heads(some) == ["1", "3"]
    some.postpone("1")
    assert heads(some) == ["3", "1"]
    some.remove("3")
    some.remove("1")
    some.remove("1")
    some.postpone("nobody")
    assert (heads(some), len(some)) == (["2"], 1)


def test_of_one_objective_the_first_and_the_last_stay_as_they_are() -> None:
    some = backlog(*((n, "x") for n in range(6)), (6, "y"))
    (made,) = some.keep_within(4, collapse)
    assert (ids(made.gone), made.summary.event.id, made.summary.durable) == (["1", "2", "3", "4"], "1+2+3+4", False)
    assert ids(some.every()) == ["0", "1+2+3+4", "5", "6"]
    assert some.keep_within(4, collapse) == []


def test_where_each_objective_has_few_the_older_half_of_them_is_put_together() -> None:
    some = backlog(*((n, f"o{n}") for n in range(8)))
    made = some.keep_within(4, collapse)
    assert [one.summary.event.objective for one in made] == [""]
    assert ids(some.every()) == ["5", "6", "7", "0+1+2+3+4"]
    assert len(some) == 4
    some.remove("3")
    assert len(some) == 4, "it went with the others"


def test_what_was_kept_comes_before_what_came_in_meanwhile_and_once() -> None:
    some = backlog((2, "x"), (3, "x"))
    some.replace([waiting(1, "x"), waiting(2, "x")])
    assert (ids(some.every()), len(some)) == (["1", "2", "3"], 3)
