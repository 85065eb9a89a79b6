import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.web.numerals import DASH, milliseconds, per_second, percent, plain


@pytest.mark.parametrize("say", [plain, percent, milliseconds])
def test_what_is_not_there_is_a_dash(say):
    assert say(None) == say(math.nan) == DASH


@given(st.floats(allow_nan=False))
def test_every_number_is_short_enough_for_a_cell(value):
    assert len(plain(value)) <= 12


@given(st.floats(min_value=1e-12, max_value=1))
def test_a_share_above_zero_never_reads_as_zero(share):
    assert percent(share) != "0%"


def test_infinity_is_said():
    assert plain(math.inf) == "∞"


def test_a_trickle_is_not_nothing():
    assert per_second(0.0001) != per_second(0)
