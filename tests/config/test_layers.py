from __future__ import annotations

from netsla.config.layers import Layers
from netsla.config.plan_tables import UptimeTable
from netsla.config.source import Faults, Place, parse
from netsla.config.validate import read


def table(text: str, file: str) -> UptimeTable:
    node = parse(text, file, Faults())
    assert node is not None
    found = read(UptimeTable, node, Faults())
    assert found is not None
    return found


def test_the_most_special_table_wins_key_by_key() -> None:
    plan, agreement = table("{n: 3, feed: all}", "plan"), table("{n: 5}", "agreement")
    keys = Layers([plan, None, agreement], Place("nowhere"))
    assert keys.get("n") == 5
    assert keys.get("feed") == "all"
    assert keys.get("method", "outage") == "outage"
    assert keys.place("n") == Place("agreement", 1, 5)
    assert keys.place("feed") == Place("plan", 1, 14)
    assert keys.place("method") == Place("agreement", 1, 1)
    assert keys.gives("feed")
    assert not keys.gives("method")


def test_a_wrong_value_is_given_but_has_none() -> None:
    keys = Layers([table("{n: 3}", "plan"), table("{n: x}", "agreement")], Place("nowhere"))
    assert keys.gives("n")
    assert keys.get("n", 10) == 10


def test_since() -> None:
    plan, agreement, endpoint = (table(f"{{n: {n}}}", str(n)) for n in (1, 2, 3))
    keys = Layers([plan, agreement, endpoint], Place("nowhere"))
    assert keys.since(agreement).tables == [agreement, endpoint]
    assert keys.since(None).tables == keys.tables


def test_nobody() -> None:
    assert Layers([None], Place("f", 3, 4)).place("n") == Place("f", 3, 4)
