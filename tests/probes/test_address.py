import pytest

from netsla.probes.address import is_numeric


@pytest.mark.parametrize("name", ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "fe80::1%eth0"])
def test_an_address_is_itself(name: str) -> None:
    assert is_numeric(name)


@pytest.mark.parametrize("name", ["", "site", "192.0.2", "192.0.2.256", "192.0.2.1.", "192.0.2.01", "2001:db8:::1"])
def test_everything_else_is_a_name(name: str) -> None:
    assert not is_numeric(name)
