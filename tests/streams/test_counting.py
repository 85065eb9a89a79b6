"""Both ways of counting number columns give the same counts, to the bit."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from prediction_events import monitor

from streams import sketch
from streams.counting import Counted, count_few, count_many
from streams.layout import compile_layout

LAYOUT = compile_layout(
    monitor(
        features={
            "age": {"type": "number", "min": 0, "max": 60},
            "size": {"type": "number", "max": 1e6},
            "free": {"type": "number"},
        }
    ),
    edges={"age": (-1.0, 0.0, 0.5, 30.0), "size": (10.0,)},
)
WIDTH = len(LAYOUT.numbers)

value = st.one_of(
    st.just(float("nan")),
    st.sampled_from([-1.0, 0.0, -0.0, 0.5, 30.0, 60.0, 1e300, -1e300, 5e-324]),
    st.floats(allow_nan=False, allow_infinity=False),
)
tables = st.lists(st.lists(value, min_size=WIDTH, max_size=WIDTH), min_size=1, max_size=30)


def _merged(counted: Counted) -> list[bytes]:
    keys, counts = sketch.merge_sparse(counted.keys, counted.counts)
    return [one.tobytes() for one in (counted.out_of_range, counted.bins, keys, counts)]


@settings(max_examples=200)
@given(table=tables)
def test_all_columns_at_once_counts_as_column_by_column_does(table: list[list[float]]) -> None:
    numbers = np.asfortranarray(np.array(table))
    present = ~np.isnan(numbers)
    few, many = (np.zeros((WIDTH, sketch.REGISTERS), np.uint8) for _ in range(2))
    assert _merged(count_few(LAYOUT, numbers, present, few)) == _merged(
        count_many(LAYOUT, numbers, present, many)
    )
    assert few.tobytes() == many.tobytes()
