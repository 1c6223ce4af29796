"""Treemaps divide the whole area, in proportion, without overlap, in decent shapes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from musefs.index.read.treemap import Rectangle, nested, squarify

WEIGHTS = st.lists(st.floats(0.01, 1e6), min_size=1, max_size=60)


def overlap(a: Rectangle, b: Rectangle) -> float:
    wide = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    high = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    return max(wide, 0.0) * max(high, 0.0)


@given(WEIGHTS)
def test_areas_are_in_proportion_and_stay_inside(weights: list[float]) -> None:
    whole = Rectangle(3.0, 5.0, 80.0, 50.0)
    placed = squarify(weights, whole)
    assert len(placed) == len(weights)
    for weight, place in zip(weights, placed, strict=True):
        assert place.area == pytest.approx(weight / sum(weights) * whole.area, rel=1e-6)
        assert place.x >= 3 - 1e-6
        assert place.y >= 5 - 1e-6
        assert place.x + place.width <= 83 + 1e-6
        assert place.y + place.height <= 55 + 1e-6


@given(WEIGHTS)
def test_nothing_overlaps(weights: list[float]) -> None:
    placed = squarify(sorted(weights, reverse=True), Rectangle(0.0, 0.0, 10.0, 10.0))
    for number, one in enumerate(placed):
        assert all(overlap(one, other) < 1e-6 for other in placed[number + 1 :])


def test_the_example_of_the_paper_gets_its_shapes() -> None:
    placed = squarify([6, 6, 4, 3, 2, 2, 1], Rectangle(0.0, 0.0, 6.0, 4.0))
    assert (placed[0].width, placed[0].height) == (3.0, 2.0)
    assert max(max(r.width / r.height, r.height / r.width) for r in placed) < 2.8


def test_members_stay_inside_their_group() -> None:
    pairs = [("a", 3.0), ("b", 5.0), ("a", 4.0), ("c", 1.0)]
    places = dict(nested(pairs, 10.0, 10.0))
    assert set(places) == {0, 1, 2, 3}
    assert sum(place.area for place in places.values()) == pytest.approx(100.0)
    group_a = places[0].area + places[2].area
    assert group_a == pytest.approx(100 * 7 / 13)


@pytest.mark.parametrize("weights", [[1.0, 0.0], [1.0, -2.0], [float("nan")]])
def test_weights_without_a_size_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="positive"):
        squarify(weights, Rectangle(0.0, 0.0, 1.0, 1.0))


def test_no_weights_no_places() -> None:
    assert squarify([], Rectangle(0.0, 0.0, 1.0, 1.0)) == []
