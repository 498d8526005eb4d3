from netsla.sla.numbering import Numbering


def test_a_kept_name_keeps_its_number_and_a_freed_one_rests_before_it_is_used_again() -> None:
    some: Numbering[str] = Numbering()
    assert some.assign(["a", "b"], now_ns=0) == ([0, 1], [])
    assert some.assign(["b", "c"], now_ns=10) == ([2], [0])
    some.release(before_ns=10)
    assert some.assign(["b", "c", "d"], now_ns=20) == ([3], [])
    some.release(before_ns=11)
    assert some.assign(["b", "c", "d", "e"], now_ns=30) == ([0], [])
    assert some.numbers == {"b": 1, "c": 2, "d": 3, "e": 0}
    assert some.size == 4


def test_a_name_given_twice_is_one() -> None:
    some: Numbering[str] = Numbering()
    assert some.assign(["a", "a"], now_ns=0) == ([0], [])
