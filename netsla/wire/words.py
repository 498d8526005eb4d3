"""What an outcome's detail means, in words: ICMP types and codes (RFC 792, 1122, 1812, 4443), our own reasons.

Rules: pure. `detail` is as `netsla.model.Samples.detail` has it.
"""

from __future__ import annotations

from netsla.model import TCP_RESET, Outcome, Reason

_V4 = {
    (3, 0): "network unreachable",
    (3, 1): "host unreachable",
    (3, 2): "protocol unreachable",
    (3, 3): "port unreachable",
    (3, 4): "fragmentation needed",
    (3, 5): "source route failed",
    (3, 6): "network unknown",
    (3, 7): "host unknown",
    (3, 9): "network administratively prohibited",
    (3, 10): "host administratively prohibited",
    (3, 11): "network unreachable for this service class",
    (3, 12): "host unreachable for this service class",
    (3, 13): "communication administratively prohibited",
    (3, 14): "host precedence violation",
    (3, 15): "precedence cutoff",
    (4, 0): "source quench",
    (5, 0): "redirected (network)",
    (5, 1): "redirected (host)",
    (11, 0): "time to live exceeded in transit",
    (11, 1): "fragment reassembly time exceeded",
    (12, 0): "parameter problem",
}
_V6 = {
    (1, 0): "no route to destination",
    (1, 1): "communication administratively prohibited",
    (1, 2): "beyond scope of source address",
    (1, 3): "address unreachable",
    (1, 4): "port unreachable",
    (1, 5): "source address failed policy",
    (1, 6): "route to destination rejected",
    (2, 0): "packet too big",
    (3, 0): "hop limit exceeded in transit",
    (3, 1): "fragment reassembly time exceeded",
    (4, 0): "parameter problem",
    (4, 1): "unrecognized next header",
    (4, 2): "unrecognized option",
}


def outcome_name(outcome: int) -> str:
    """`answered`, `lost`, `refused`, `unmeasured` and so on, as JSON spells them."""
    return Outcome(outcome).name.lower()


def detail(outcome: int, value: int, address: str) -> str | None:
    """Why a probe was refused or unmeasured; None for the others. `address` tells the family."""
    if outcome == Outcome.UNMEASURED:
        return reason(value)
    if outcome == Outcome.REFUSED:
        return refusal(value, v6=":" in address)
    return None


def reason(value: int) -> str:
    """The label of a reason; a number that this version does not know is `other`."""
    known = value if 0 <= value < len(Reason) else Reason.OTHER
    return Reason(known).label


def refusal(value: int, *, v6: bool) -> str:
    """An ICMP error as `words (ICMP type/code)`, or the reset of a TCP connection."""
    if value == TCP_RESET:
        return "connection refused (TCP reset)"
    kind, code = divmod(value, 256)
    known = (_V6 if v6 else _V4).get((kind, code), "refused")
    return f"{known} (ICMP{'v6' if v6 else ''} {kind}/{code})"
