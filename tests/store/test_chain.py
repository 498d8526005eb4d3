"""The digests are a promise: whoever holds a pack must be able to make them again, in any language."""

from __future__ import annotations

import hashlib
import struct

import numpy as np

from netsla.store import chain


def test_figures_are_digested_as_documented() -> None:
    rows = [[494_450 * 3600, 60, 59, 0, 0, 1, 590_000, 9000, 12_000, 4000, 57, 255, 58]]
    by_hand = hashlib.sha256()
    by_hand.update(b'["acme",494450,60]')
    by_hand.update(b'["hq","ping",[30000],1]')
    by_hand.update(struct.pack("<13q", *rows[0]))
    made = chain.figures_digest("acme", 494_450, 60, [("hq", "ping", (30_000,), np.array(rows))])
    assert made == by_hand.digest()
    assert len(chain.COLUMNS) + 1 == len(rows[0])


def test_links_hang_on_everything_before() -> None:
    first = chain.link(chain.GENESIS, b"a" * 32, b"b" * 32)
    assert first == hashlib.sha256(bytes(32) + b"a" * 32 + b"b" * 32).digest()
    assert chain.link(first, b"a" * 32) != chain.link(chain.GENESIS, b"a" * 32)


def test_stored_bytes_cannot_be_moved_between_parts() -> None:
    assert chain.stored_digest(b"ab", b"c") != chain.stored_digest(b"a", b"bc")


def test_notes_are_digested_as_documented() -> None:
    text = '[7,"exclusion","acme","{\\"who\\":\\"zoë\\"}"]'
    expected = hashlib.sha256(chain.GENESIS + text.encode()).digest()
    assert chain.note_link(chain.GENESIS, 7, "exclusion", "acme", '{"who":"zoë"}') == expected
