from pathlib import Path

import pytest

from bench.agent import write_config
from netsla import config
from netsla.model import SECOND


@pytest.mark.parametrize("probe", ["icmp", "tcp"])
def test_the_agent_takes_the_configuration_of_the_goals(tmp_path: Path, probe: str) -> None:
    plan, _ = config.load(write_config(tmp_path, 300, probe, tcp_port=8080))
    endpoints = plan.agreements[0].endpoints
    assert len({endpoint.address for endpoint in endpoints}) == 300
    for endpoint in (endpoints[0], endpoints[-1]):
        assert [(spec.type, spec.interval_ns) for spec in endpoint.probes] == [(probe, SECOND)]
        assert [objective.window.name for objective in endpoint.objectives] == ["24h", "30d"]
