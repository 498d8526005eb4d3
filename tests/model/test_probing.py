from __future__ import annotations

import numpy as np

from netsla.model import Outcome, Reason, Samples


def samples(*rows: int) -> Samples:
    whole, lost = np.array(rows, np.int64), np.full(len(rows), Outcome.LOST, np.uint8)
    return Samples(whole.astype(np.int32), whole, whole, whole, lost, lost.astype(np.uint16), lost)


def test_batches_join_in_order_and_give_back_what_is_chosen() -> None:
    joined = Samples.join([samples(1, 2), Samples.empty(), samples(3)])
    assert joined.row.tolist() == [1, 2, 3]
    assert joined.take(joined.row > 1).sent_ns.tolist() == [2, 3]
    assert joined.take(np.array([2, 0])).slot.tolist() == [3, 1]


def test_an_empty_batch_has_the_types_of_a_full_one() -> None:
    columns = Samples.__dataclass_fields__
    assert [getattr(Samples.empty(), one).dtype for one in columns] == [
        getattr(samples(1), one).dtype for one in columns
    ]


def test_reasons_are_told_in_lower_case_and_keep_their_numbers() -> None:
    assert Reason.NO_ROUTE.label == "no_route"
    assert [int(one) for one in Reason] == list(range(len(Reason))), "ledgers hold the numbers: append only"
