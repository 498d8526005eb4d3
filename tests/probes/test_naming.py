import asyncio

from netsla.probes.naming import Names
from netsla.probes.resolve import Resolution


class Zone:
    """A fake resolver whose answers a test changes, and which lets a test wait until it was asked again."""

    def __init__(self, **answers: tuple[str, ...]) -> None:
        self.answers = answers
        self.asked = asyncio.Event()
        self.moves: list[tuple[str, str | None, str | None]] = []
        self.names = Names(lambda *move: self.moves.append(move), self.resolve)

    async def resolve(self, name: str, family: str) -> Resolution:
        addresses = self.answers.get(name, ())
        self.asked.set()
        return Resolution(addresses, 0.0, None if addresses else "Name or service not known")

    async def turn(self) -> None:
        """Wait until every name was asked once more."""
        for _ in range(2 * len(self.answers) + 2):
            self.asked.clear()
            await self.asked.wait()


async def test_regression_07_an_unresolvable_name_stops_nobody_and_is_said() -> None:
    zone = Zone(good=("192.0.2.1",))
    zone.names.want({("good", "any"), ("bad", "any"), ("192.0.2.9", "any")})
    await zone.turn()
    assert zone.names.address("good", "any") == "192.0.2.1"
    assert zone.names.address("bad", "any") is None
    assert zone.names.address("192.0.2.9", "any") == "192.0.2.9"
    assert zone.names.problems() == ["bad does not resolve (Name or service not known): its probes are unmeasured"]
    zone.answers["bad"] = ("192.0.2.2",)
    await zone.turn()
    assert zone.names.address("bad", "any") == "192.0.2.2"
    assert zone.names.problems() == []
    zone.names.close()


async def test_regression_08_a_changed_record_moves_the_endpoint_and_a_vanished_one_does_not() -> None:
    zone = Zone(site=("192.0.2.1",))
    zone.names.want({("site", "any")})
    await zone.turn()
    zone.answers["site"] = ("2001:db8::1", "192.0.2.1")  # an AAAA appears: the present address is kept
    await zone.turn()
    assert zone.names.address("site", "any") == "192.0.2.1"
    zone.answers["site"] = ("2001:db8::1",)
    await zone.turn()
    assert zone.names.address("site", "any") == "2001:db8::1"
    zone.answers["site"] = ()
    await zone.turn()
    assert zone.names.address("site", "any") == "2001:db8::1"
    assert zone.names.problems() == ["site does not resolve (Name or service not known): still probing 2001:db8::1"]
    assert zone.moves == [("site", None, "192.0.2.1"), ("site", "192.0.2.1", "2001:db8::1")]
    zone.names.close()


async def test_names_no_longer_wanted_are_no_longer_asked() -> None:
    zone = Zone(site=("192.0.2.1",))
    zone.names.want({("site", "any")})
    await zone.turn()
    zone.names.want(set())
    assert zone.names.resolved("site", "any") is None
    assert zone.names.problems() == []
