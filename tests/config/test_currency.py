from __future__ import annotations

from netsla.config.currency import CODES


def test_currencies() -> None:
    assert {"EUR", "USD", "GBP", "JPY", "CHF", "SEK", "PLN", "ZWG"} <= CODES
    assert all(len(code) == 3 and code.isascii() and code.isupper() for code in CODES)
    assert 150 < len(CODES) < 180
    assert "EUD" not in CODES
