"""A disk that does not answer is named, once in the log, for as long as it does not."""

from __future__ import annotations

import logging

import pytest

from netsla.store.hang import LONG_S, Hang


def test_what_takes_too_long_is_named_while_it_does(caplog: pytest.LogCaptureFixture) -> None:
    now = [100.0]
    hang = Hang("ledger.db", lambda: now[0])
    assert hang.problem() == ""
    with hang.watched():
        now[0] += LONG_S
        assert hang.problem() == ""
        now[0] += 0.1
        assert hang.problem().startswith("ledger.db: a write has been under way for more than 10 s: ")
        now[0] += 60
        assert "the disk hangs" in hang.problem()
    assert hang.problem() == ""
    with hang.watched():
        assert hang.problem() == "", "each write has its own time"
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.WARNING], "said once, and its end"


def test_a_write_that_fails_hangs_no_more() -> None:
    now = [0.0]
    hang = Hang("ledger.db", lambda: now[0])
    with pytest.raises(OSError, match="I/O"), hang.watched():
        raise OSError("I/O error")
    now[0] += 60
    assert hang.problem() == ""
