"""Every drawing is well-formed, tells itself in words, and stays inside its frame."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.web.distributions import LIMIT, distribution, score_bar, score_length
from driftline.web.plots import Line, lines, sparkline, volume
from driftline.web.timeline import Slot
from streams.views import Bin, ColumnView

HOSTILE = '"><script>alert(1)</script>&\u202e'
COUNTS = st.integers(0, 10**9)


def parsed(svg):
    root = ElementTree.fromstring(str(svg))
    assert root.get("role") == "img"
    assert root.get("aria-label")
    return root


def rects(root, style=None):
    return [each for each in root.iter("rect") if style in (None, each.get("class"))]


def inside(root):
    _, _, width, height = map(float, root.get("viewBox").split())
    for each in rects(root):
        x, y, wide, tall = (float(each.get(name)) for name in ("x", "y", "width", "height"))
        assert x >= 0
        assert y >= 0
        assert wide >= 0
        assert tall >= 0
        assert x + wide <= width + 0.2
        assert y + tall <= height + 0.2


def slots_of(counts):
    return [Slot(i * 10_000, (i + 1) * 10_000, *count) for i, count in enumerate(counts)]


def column(bins, kind="number", name="age"):
    return ColumnView(name=name, kind=kind, count=10, missing=0, out_of_range=0, bins=bins)


@given(st.lists(COUNTS, min_size=1, max_size=80))
def test_a_sparkline_ends_with_the_newest_pane(values):
    root = parsed(sparkline(values, "Events"))
    inside(root)
    assert len(rects(root)) == min(len(values), 32)
    assert (rects(root)[-1].get("class") == "bar") == (values[-1] > 0)


@given(st.lists(st.tuples(COUNTS, COUNTS, COUNTS), min_size=1, max_size=130))
def test_volume_stays_in_its_frame_and_tells_its_totals(counts):
    slots = slots_of([(events, invalid, late, events // 3) for events, invalid, late in counts])
    root = parsed(volume(slots))
    inside(root)
    assert f"{sum(slot.invalid for slot in slots):,} invalid" in root.find("desc").text


def test_volume_shows_each_kind_of_event_in_its_own_colour():
    root = parsed(volume(slots_of([(100, 5, 7, 10)])))
    heights = {each.get("class"): float(each.get("height")) for each in rects(root)}
    assert heights["ok"] > heights["errors"] > heights["late"] > heights["invalid"] > 0


@given(st.lists(st.one_of(st.none(), st.floats(0, 1e9)), min_size=1, max_size=50))
def test_a_line_has_a_stroke_for_each_run_of_values(values):
    svg = lines("Latency", slots_of([(1,)] * len(values)), [Line("p99", "p99", values)], str)
    runs = sum(v is not None and (i == 0 or values[i - 1] is None) for i, v in enumerate(values))
    if not runs:
        assert svg == ""
        return
    (path,) = [each for each in parsed(svg).iter("path") if each.get("class") == "line p99"]
    assert path.get("d").count("M") == runs


def test_a_line_is_named_with_its_last_value():
    svg = lines("Latency", slots_of([(1,), (1,)]), [Line("p99", "p99", [10.0, 730.0])], lambda v: f"{v:g} ms")
    assert "p99 730 ms" in [each.text for each in parsed(svg).iter("text")]


@pytest.mark.parametrize("kind", ["number", "category"])
def test_names_in_a_drawing_cannot_become_markup(kind):
    bins = [Bin(label=HOSTILE, current=0.4, reference=0.6), Bin(label="b", current=0.6, reference=0.4)]
    svg = distribution(column(bins, kind, HOSTILE))
    assert "<script" not in svg
    assert parsed(svg).find("title").text == f"Distribution of {HOSTILE}"


@given(
    st.lists(st.tuples(st.floats(0, 1), st.one_of(st.none(), st.floats(0, 1))), min_size=1, max_size=60),
    st.sampled_from(["number", "category"]),
)
def test_any_distribution_stays_in_its_frame(shares, kind):
    bins = [Bin(label=f"bin {i}", current=c, reference=r) for i, (c, r) in enumerate(shares)]
    root = parsed(distribution(column(bins, kind)))
    inside(root)
    drawn = min(len(bins), 8) if kind == "category" else len(bins)
    assert drawn - 1 <= len(rects(root, "current")) <= drawn


def test_a_distribution_says_what_moved_most():
    bins = [Bin(label="pro", current=0.6, reference=0.2), Bin(label="free", current=0.4, reference=0.7)]
    assert (
        "Moved most: pro, from 20% to 60%" in parsed(distribution(column(bins, "category"))).find("desc").text
    )


def test_many_categories_leave_room_and_say_how_many_are_left_out():
    bins = [Bin(label=f"c{i}", current=0.05, reference=0.05) for i in range(20)]
    texts = [each.text for each in parsed(distribution(column(bins, "category"))).iter("text")]
    assert any(text.startswith("and 13 more") for text in texts)


def test_a_column_without_bins_draws_nothing():
    assert distribution(column([])) == ""


@given(st.floats(allow_nan=False), st.floats(allow_nan=False, allow_infinity=False))
def test_a_bar_passes_the_tick_exactly_when_the_verdict_fires(score, threshold):
    length = score_length(score, threshold)
    assert 0 <= length <= 1
    if score <= threshold:
        assert length <= LIMIT + 1e-9
    else:
        assert length >= LIMIT - 1e-9


def test_a_score_is_told_in_words():
    assert "Score 0.31, threshold 0.2" in parsed(score_bar(0.31, 0.2)).get("aria-label")
    assert rects(parsed(score_bar(0.31, 0.2)), "over")
    assert rects(parsed(score_bar(0.1, 0.2)), "under")


def test_no_score_draws_an_empty_track():
    assert [each.get("class") for each in rects(parsed(score_bar(0, 0.2, insufficient=True)))] == ["track"]
