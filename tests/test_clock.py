import pytest

from netsla.clock import StepWatch
from netsla.model import SECOND

NOON = 1_790_000_000 * SECOND


@pytest.mark.parametrize(
    ("step", "touched"),
    [
        (90 * SECOND, (NOON + 30 * SECOND, NOON + 120 * SECOND)),  # SLA section 6: 12:00:30 -> 12:02:00
        (-3600 * SECOND, (NOON + 30 * SECOND - 3600 * SECOND, NOON + 30 * SECOND)),
        (9 * SECOND, None),
        (0, None),
    ],
)
def test_a_step_touches_everything_between_the_time_expected_and_the_time_found(
    step: int, touched: tuple[int, int] | None
) -> None:
    watch = StepWatch()
    assert watch.look(NOON, 1000, 10 * SECOND) is None
    assert watch.look(NOON + 30 * SECOND + step, 1000 + 30 * SECOND, 10 * SECOND) == touched
    assert watch.look(NOON + 31 * SECOND + step, 1000 + 31 * SECOND, 10 * SECOND) is None
