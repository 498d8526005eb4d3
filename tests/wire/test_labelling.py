"""The operator's labels."""

from dataclasses import replace

from netsla.model import Plan
from netsla.wire.labelling import Labelling
from tests.sla.builders import plan


def labelled() -> Plan:
    one = plan(endpoints=2)
    (agreement,) = one.agreements
    first, second = agreement.endpoints
    endpoints = (replace(first, labels=(("pop", "own"), ("site", "hq"))), second)
    agent = replace(one.agent, labels=(("pop", "fra1"), ("region", "eu")))
    return replace(one, agent=agent, agreements=(replace(agreement, endpoints=endpoints),))


def test_an_endpoints_label_stands_before_the_agents() -> None:
    labelling = Labelling.of(labelled())
    assert labelling.agent == (("pop", "fra1"), ("region", "eu"))
    assert labelling.pairs("a", "e0") == {"pop": "own", "region": "eu", "site": "hq"}
    assert labelling.pairs("a", "e1") == {"pop": "fra1", "region": "eu"}
    assert labelling.pairs("a", "e0", {"site", "pop"}) == {"region": "eu"}
    assert list(labelling.endpoints) == [("a", "e0")], "endpoints without labels cost nothing"
