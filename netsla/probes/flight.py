"""Probes in flight: a ring of columns, found again by running number and nonce.

Rules: a probe's place is its 64-bit running number modulo the ring's size; sequence numbers are never a key.
A place is overwritten only long after its probe's time limit, so that late replies are still known.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from netsla.probes.batch import every

FREE, OUT, ANSWERED, LOST, TOLD, UNHEARD = range(6)
"""LOST: not received, by silence or refusal. TOLD: that, and a late reply has been told.
UNHEARD: it left, but is unmeasured, since we could not listen."""

RECORD = np.dtype(
    [
        ("nonce", np.uint64),
        ("high", np.uint64),  # the address asked, as two words
        ("low", np.uint64),
        ("slot", np.int64),
        ("timeout_ns", np.int64),
        ("mono_ns", np.int64),  # just before the send, in user space
        ("wall_ns", np.int64),
        ("tx_ns", np.int64),  # kernel stamp, UTC; 0: none
        ("source", np.uint64),  # the address it left from (netlink.word_of), told with the stamp
        ("row", np.int32),
        ("link", np.uint32),  # the interface it left by, told with the stamp; 0: none
        ("length", np.uint16),
        ("channel", np.uint16),
        ("refused", np.uint16),  # type << 8 | code of the first ICMP error; 0: none
        ("state", np.uint8),
    ],
    align=True,
)
Records = npt.NDArray[np.void]
_ALL_ONES = (1 << 64) - 1


def words_of(records: Records) -> npt.NDArray[np.uint64]:
    """The same memory, a row of machine words for each record."""
    return records.view(np.uint64).reshape(len(records), -1)


def _touched(size: int) -> Records:
    """An empty ring whose memory is there: each huge page would hold up a send for milliseconds, once."""
    ring = np.empty(size, RECORD)
    ring.view(np.uint8)[:] = 0
    return ring


class Flights:
    """The ring; `head` is the number of the next probe.

    One record a flight, so that a batch of replies gathers everything it needs at once; every column is a view.
    """

    ring: Records

    row: npt.NDArray[np.int32]
    slot: npt.NDArray[np.int64]
    nonce: npt.NDArray[np.uint64]
    high: npt.NDArray[np.uint64]
    low: npt.NDArray[np.uint64]
    length: npt.NDArray[np.uint16]
    timeout_ns: npt.NDArray[np.int64]
    mono_ns: npt.NDArray[np.int64]
    wall_ns: npt.NDArray[np.int64]
    tx_ns: npt.NDArray[np.int64]
    source: npt.NDArray[np.uint64]
    link: npt.NDArray[np.uint32]
    channel: npt.NDArray[np.uint16]
    refused: npt.NDArray[np.uint16]
    state: npt.NDArray[np.uint8]

    def __init__(self, capacity: int = 1024) -> None:
        self.head = 0
        self.size = 1 << max(capacity - 1, 1023).bit_length()
        self._view(_touched(self.size))

    def _view(self, ring: Records) -> None:
        self.ring, self._words = ring, words_of(ring)
        for name in RECORD.names or ():
            setattr(self, name, ring[name])

    def grow(self, capacity: int) -> None:
        """Make room for more; everything in the ring stays known."""
        if capacity <= self.size:
            return
        old = self.ring
        numbers = np.arange(max(self.head - self.size, 0), self.head)
        source = numbers & (self.size - 1)
        self.size = 1 << (capacity - 1).bit_length()
        ring = _touched(self.size)
        ring[numbers & (self.size - 1)] = old[source]
        self._view(ring)

    def enter(self, at: npt.NDArray[np.int64] | slice, words: npt.NDArray[np.uint64]) -> None:
        """Write records (:func:`words_of`) into these places, as words: numpy would copy them field by field."""
        self._words[at] = words

    def records(self, place: npt.NDArray[np.int64]) -> Records:
        """What stands in these places."""
        return self.ring.take(place)

    def places(self, first: int, count: int) -> npt.NDArray[np.int64] | slice:
        """Where the probes numbered [first, first + count) sit; a slice unless they wrap around."""
        begin = first & (self.size - 1)
        if begin + count <= self.size:
            return slice(begin, begin + count)
        return np.arange(first, first + count) & (self.size - 1)

    def find(
        self, numbers: npt.NDArray[np.uint64], nonces: npt.NDArray[np.uint64]
    ) -> tuple[npt.NDArray[np.int64], Records, npt.NDArray[np.bool_]]:
        """Places for (number, nonce) pairs, what stands there, and whether each is one of ours."""
        place = (numbers & np.uint64(self.size - 1)).astype(np.int64)
        there = self.records(place)
        age = np.uint64(self.head - 1 & _ALL_ONES) - numbers  # wraps to huge for numbers not yet given
        known = (age < self.size) & (there["nonce"] == nonces) & (there["state"] != FREE)
        return place, there, known

    def run(self, numbers: npt.NDArray[np.uint64], nonces: npt.NDArray[np.uint64]) -> slice | None:
        """Places of pairs that are all ours and follow one another, as those of transmit stamps do; else None."""
        first, count = int(numbers[0]), len(numbers)
        place = self.places(first, count)
        if not isinstance(place, slice) or not self.head - self.size <= first <= self.head - count:
            return None
        ours = numbers == np.arange(first, first + count, dtype=np.uint64)
        ours &= (self.nonce[place] == nonces) & (self.state[place] != FREE)
        return place if every(ours) else None
