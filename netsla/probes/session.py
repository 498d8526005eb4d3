"""ICMP session health: tells an endpoint that is dark from one that only our old ICMP id cannot reach.

Rules: a firewall or NAT can hold a poisoned session for one ICMP id for ever, and an old session can hide an
outage of new ones; with a fixed id nobody can tell. So an endpoint that is dark (`SUSPICIOUS`, `DARK_NS`) is asked
once more from a fresh socket with an id of its own. Answered there while silent here: the session is stale. The
extra probe never enters a ratio. Checks are few: at most `PER_SECOND`, and rarer the longer an endpoint is dark.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from netsla.errors import HostError
from netsla.model import SECOND, RowArray
from netsla.probes.batch import Inbox, random_words
from netsla.probes.channel import Channel, Options
from netsla.probes.lane import address_words
from netsla.wire import icmp

SUSPICIOUS = 3  # losses in a row, at least
DARK_NS = 8 * SECOND  # and so long without an answer: a short blackout is no suspicion, and costs no extra packet
PER_SECOND = 100
_FIRST_WAIT_NS, _LONGEST_WAIT_NS = 10 * SECOND, 600 * SECOND
_TIMEOUT_NS = 3 * SECOND
_LIFE_NS = 60 * SECOND  # of a fresh socket: all that prove stale meanwhile move to it together
_NUMBER = np.uint64(1 << 63)  # a number that no probe in flight has


@dataclass(frozen=True, slots=True)
class Suspect:
    """A row to ask again: where, and by which socket options it is probed now."""

    row: int
    options: Options
    address: str


class Sessions:
    """Counts losses in a row, and asks again where they are many."""

    def __init__(self) -> None:
        self.streak: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self._wait = np.zeros(0, np.int64)
        self._next = np.zeros(0, np.int64)
        self._heard = np.zeros(0, np.int64)  # when it last answered, or was first missed
        self._any_missed = False  # whether any streak, or wait, is not as at the beginning
        self._fresh: dict[Options, tuple[Channel, int]] = {}
        self._asked: dict[int, tuple[Suspect, int, Channel]] = {}
        self._queue: deque[int] = deque()
        self._generation = 0
        self._allowed_ns = 0
        self._inbox = Inbox(64, 256)

    def cover(self, rows: int) -> None:
        """Make room for more rows."""
        more = rows - len(self.streak)
        if more > 0:
            self.streak = np.pad(self.streak, (0, more))
            self._wait = np.pad(self._wait, (0, more), constant_values=_FIRST_WAIT_NS)
            self._next = np.pad(self._next, (0, more))
            self._heard = np.pad(self._heard, (0, more))

    def forget(self, rows: npt.NDArray[np.int64]) -> None:
        """These rows are somebody else's now."""
        self.streak[rows], self._wait[rows], self._next[rows], self._heard[rows] = 0, _FIRST_WAIT_NS, 0, 0

    def heard(self, rows: RowArray, mono_ns: int) -> None:
        """These answered: nothing to suspect."""
        self._heard[rows] = mono_ns
        if self._any_missed:
            self.streak[rows] = 0
            self._wait[rows] = _FIRST_WAIT_NS
            self._any_missed = bool((self.streak > 0).any() or (self._wait != _FIRST_WAIT_NS).any())

    def missed(self, rows: RowArray, mono_ns: int) -> None:
        """These were lost once more."""
        self._any_missed = True
        self._heard[rows[self._heard[rows] == 0]] = mono_ns
        np.add.at(self.streak, rows, 1)
        dark = (self.streak[rows] >= SUSPICIOUS) & (mono_ns - self._heard[rows] >= DARK_NS)
        due = np.unique(rows[dark & (self._next[rows] <= mono_ns)])
        self._next[due] = mono_ns + self._wait[due]
        self._wait[due] = np.minimum(2 * self._wait[due], _LONGEST_WAIT_NS)
        self._queue.extend(int(row) for row in due[: max(10 * PER_SECOND - len(self._queue), 0)])

    @property
    def idle(self) -> bool:
        """Whether there is nothing to ask and nothing to hear."""
        return not (self._queue or self._asked or self._fresh)

    def next_row(self, mono_ns: int) -> int | None:
        """The next row to ask again, as far as the rate allows; a row heard of since is let go."""
        while self._queue and mono_ns >= self._allowed_ns:
            row = self._queue.popleft()
            if self.streak[row] >= SUSPICIOUS:
                self._allowed_ns = max(self._allowed_ns, mono_ns - SECOND) + SECOND // PER_SECOND
                return row
        return None

    def ask(self, suspect: Suspect, mono_ns: int) -> None:
        """Send one probe from a fresh socket."""
        channel = self._channel(suspect.options, mono_ns)
        if channel is None:
            return
        nonce = random_words(1)
        packet = icmp.requests(suspect.options.family, 56, 1, channel.identifier)
        icmp.stamp(packet, np.array([_NUMBER]), nonce)
        if channel.raw and suspect.options.family == 4:
            icmp.checksum(packet)
        try:
            channel.socket.sendto(packet.tobytes(), channel.name_of(suspect.address))
        except OSError:
            return  # our own fault, or a pending error of another probe: this check says nothing
        self._asked[int(nonce[0])] = (suspect, mono_ns + _TIMEOUT_NS, channel)

    def answers(self, mono_ns: int) -> list[tuple[Suspect, Options]]:
        """Who answered a fresh id, and the options of the socket on which it did."""
        found = []
        for channel, _ in self._fresh.values():
            while self._inbox.receive(channel.fd, errors=True):
                pass  # stamps and errors of checks say nothing more than their silence
            while count := self._inbox.receive(channel.fd):
                numbers, nonces = icmp.tokens(self._inbox.packets[:count], self._inbox.lengths[:count])
                for i in np.flatnonzero(numbers == _NUMBER).tolist():
                    suspect, _, asked_on = self._asked.get(int(nonces[i]), (None, 0, None))
                    if suspect is None or asked_on is not channel or not self._is_from(i, suspect.address):
                        continue
                    del self._asked[int(nonces[i])]
                    if self.streak[suspect.row] >= SUSPICIOUS:
                        found.append((suspect, channel.options))
        self._forget(mono_ns)
        return found

    def _is_from(self, i: int, address: str) -> bool:
        family, high, low = address_words(address)
        name = self._inbox.names[i]
        if family == 4:
            return int.from_bytes(name[4:8].tobytes(), "little") == low
        return bool(name[8:24].tobytes() == high.to_bytes(8, "little") + low.to_bytes(8, "little"))

    def _channel(self, options: Options, mono_ns: int) -> Channel | None:
        plain = replace(options, generation=0)
        if plain not in self._fresh:
            self._generation += 1
            try:
                self._fresh[plain] = Channel(replace(plain, generation=self._generation)), mono_ns + _LIFE_NS
            except (HostError, OSError):
                return None  # the prober itself reports what the host forbids
        return self._fresh[plain][0]

    def _forget(self, mono_ns: int) -> None:
        self._asked = {nonce: asked for nonce, asked in self._asked.items() if asked[1] > mono_ns}
        for plain, (channel, until) in list(self._fresh.items()):
            if until <= mono_ns and not any(asked[2] is channel for asked in self._asked.values()):
                channel.close()
                del self._fresh[plain]

    def close(self) -> None:
        """Close the fresh sockets."""
        for channel, _ in self._fresh.values():
            channel.close()
