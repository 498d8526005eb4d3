"""`netsla probe`: one address, probed and explained."""
# ruff: noqa: PLC0415 - the probers are for those who have asked rightly

from __future__ import annotations

from netsla.cli.output import complain
from netsla.errors import Exit, NetslaError
from netsla.model import ProbeSpec, ProbeType

DEFAULT_TIMEOUT_NS = {ProbeType.ICMP: 3_000_000_000, ProbeType.TCP: 900_000_000}  # TCP: one SYN (SLA §1)


def probe(address: str, kind: str, port: int | None, count: int) -> int:
    """0 if anything answered, 1 if not, 2 for what cannot be asked."""
    chosen = ProbeType(kind)
    if (chosen is ProbeType.TCP) != (port is not None):
        complain("netsla: --port belongs to --type tcp, and --type tcp needs --port")
        return Exit.CONFIG
    from netsla.config.address import host
    from netsla.config.quantity import Wrong

    try:
        host(address)
    except Wrong as wrong:
        raise NetslaError(wrong.problem, wrong.remedy) from wrong
    from netsla.probes.explain import run_explain

    spec = ProbeSpec(name=kind, type=chosen, port=port, timeout_ns=DEFAULT_TIMEOUT_NS[chosen])
    return run_explain(address, spec, count)
