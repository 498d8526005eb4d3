"""The open ICMP sockets of a prober: one per set of options, found by number.

Rules: a socket that no lane uses any more stays open until nothing that left by it can be answered, late replies
included; only then is its number given to another. What the host refuses is kept with its reason and its remedy,
and is tried again; where the source address has gone, that is said of the socket until it is back.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass

from netsla.errors import HostError
from netsla.model import SECOND, Reason
from netsla.probes.channel import Channel, Options, scope_of, source_present

NOWHERE = 0xFFFF  # the number of no socket
_RETRY_NS = 10 * SECOND  # between attempts to open a socket that the host refuses
_SOURCE_CHECK_NS = SECOND
_NO_ADDRESS = errno.EADDRNOTAVAIL, "the host has no such address"
_NO_INTERFACE = errno.ENODEV, "the host has no such interface"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no socket, and when to try again (monotonic ns)."""

    error: HostError
    reason: Reason
    again_ns: int


def scope_now(options: Options) -> int | None:
    """The number that the interface of link-local targets has now; None while there is none."""
    try:
        return scope_of(options.zone)
    except OSError:
        return None


class Sockets:
    """Opens, finds and closes channels."""

    def __init__(self) -> None:
        self._channels: list[Channel | None] = []
        self._number: dict[Options, int] = {}
        self._leaving: dict[int, int] = {}  # number: when to close it
        self._refused: dict[Options, Refusal] = {}
        self._next_check = 0

    def __iter__(self) -> Iterator[tuple[int, Channel]]:
        return ((number, channel) for number, channel in enumerate(self._channels) if channel is not None)

    def __getitem__(self, number: int) -> Channel:
        channel = self._channels[number]
        assert channel is not None
        return channel

    def number_of(self, options: Options, mono_ns: int) -> int:
        """The number of the socket with these options, opened at need; NOWHERE while the host refuses one."""
        refusal = self._refused.get(options)
        if refusal is not None and mono_ns < refusal.again_ns:
            return NOWHERE
        try:
            if options in self._number:
                known = self[self._number[options]]
                known.scope = scope_of(options.zone)  # an interface that came back has another number
                return self._number[options]
            channel = Channel(options)
        except (HostError, OSError) as error:
            self._refused[options] = refusal_of(options, error, mono_ns + _RETRY_NS)
            return NOWHERE
        self._refused.pop(options, None)
        self._number[options] = number = self._place(channel)
        return number

    def _place(self, channel: Channel) -> int:
        if None in self._channels:
            number = self._channels.index(None)
            self._channels[number] = channel
        else:
            number = len(self._channels)
            self._channels.append(channel)
        return number

    def why_not(self, options: Options) -> Reason:
        """Why there is no socket with these options."""
        return self._refused[options].reason

    def keep(self, wanted: set[Options], until_ns: int) -> None:
        """Only these are used from now on; the others are closed at `until_ns` (monotonic)."""
        self._refused = {options: refusal for options, refusal in self._refused.items() if options in wanted}
        for number, channel in self:
            if channel.options in wanted:
                self._leaving.pop(number, None)
            else:
                self._leaving.setdefault(number, until_ns)

    def close_overdue(self, mono_ns: int) -> None:
        """Close what has been kept open long enough."""
        for number in [number for number, until in self._leaving.items() if until <= mono_ns]:
            del self._leaving[number]
            del self._number[self[number].options]
            self[number].close()
            self._channels[number] = None

    def gone_sources(self, mono_ns: int) -> list[int]:
        """Numbers of the sockets whose source address the host has no more; looks once a second."""
        if mono_ns < self._next_check:
            return []
        self._next_check = mono_ns + _SOURCE_CHECK_NS
        gone = []
        for number, channel in self:
            options = channel.options
            if (options.source is None and options.zone is None) or number in self._leaving:
                continue
            if not source_present(options):
                error = OSError(*(_NO_INTERFACE if scope_now(options) is None else _NO_ADDRESS))
                self._refused[options] = refusal_of(options, error, mono_ns + 2 * _SOURCE_CHECK_NS)
                gone.append(number)
            else:
                self._refused.pop(options, None)
                if scope_now(options) != channel.scope:
                    gone.append(number)  # its interface came back with another number
        return gone

    def problems(self) -> list[str]:
        """What the host refuses, each with its remedy."""
        return [str(refusal.error) for refusal in list(self._refused.values())]

    def close(self) -> None:
        """Close them all."""
        for _, channel in self:
            channel.close()


def refusal_of(options: Options, error: HostError | OSError, again_ns: int) -> Refusal:
    """What an error of opening a socket means."""
    if isinstance(error, HostError):
        return Refusal(error, Reason.NO_SOCKET, again_ns)
    where = f" from {options.source}" if options.source else ""
    problem = f"no ICMPv{options.family} socket{where}: {error.strerror}"
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return Refusal(HostError(problem, "raise LimitNOFILE of the service"), Reason.NO_DESCRIPTORS, again_ns)
    if error.errno == errno.ENODEV:
        return Refusal(HostError(problem, "check the interface of the address"), Reason.INTERFACE_DOWN, again_ns)
    if options.source:
        return Refusal(HostError(problem, "check the probe's source address"), Reason.SOURCE_GONE, again_ns)
    return Refusal(HostError(problem, "see netsla doctor"), Reason.OTHER, again_ns)
