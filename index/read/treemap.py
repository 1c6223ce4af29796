"""Rectangles of a treemap: areas in proportion, shapes as near to squares as one pass gets them.

Pure arithmetic (squarified treemaps: Bruls, Huizing, van Wijk 2000); drawing is up to the caller.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A place, from its corner nearest to the origin."""

    x: float
    y: float
    width: float
    height: float

    @property
    def area(self) -> float:
        """Width times height."""
        return self.width * self.height


def squarify(weights: Sequence[float], inside: Rectangle) -> list[Rectangle]:
    """Divide `inside` among positive weights; answers in the order of `weights`.

    Descending weights give the best shapes. A weight that is not positive is refused: it has no
    place to be seen in.
    """
    if any(not weight > 0 for weight in weights):
        raise ValueError("every weight of a treemap must be positive")
    scale = inside.area / sum(weights) if weights else 0.0
    areas = [weight * scale for weight in weights]
    placed: list[Rectangle] = []
    free, first = inside, 0
    while first < len(areas):
        side = min(free.width, free.height)
        end = _row_end(areas, first, side)
        row = areas[first:end]
        placed += _place(row, free)
        free = _rest(free, sum(row))
        first = end
    return placed


def _worst(total: float, least: float, most: float, side: float) -> float:
    """Return the worst ratio of sides in a row that lies along `side`."""
    return max(side * side * most / (total * total), total * total / (side * side * least))


def _row_end(areas: Sequence[float], first: int, side: float) -> int:
    """Return how far a row may grow before its shapes get worse."""
    total = least = most = areas[first]
    end = first + 1
    while end < len(areas):
        area = areas[end]
        longer = _worst(total + area, min(least, area), max(most, area), side)
        if longer > _worst(total, least, most, side):
            break
        total, least, most = total + area, min(least, area), max(most, area)
        end += 1
    return end


def _place(row: Sequence[float], free: Rectangle) -> list[Rectangle]:
    """Lay a row along the shorter side of what is free; rounding never leads it outside."""
    total, placed, at = sum(row), list[Rectangle](), 0.0
    if free.width >= free.height:
        thick = min(total / free.height, free.width)
        for area in row:
            placed.append(Rectangle(free.x, free.y + at, thick, area / thick))
            at += area / thick
    else:
        thick = min(total / free.width, free.height)
        for area in row:
            placed.append(Rectangle(free.x + at, free.y, area / thick, thick))
            at += area / thick
    return placed


def _rest(free: Rectangle, used: float) -> Rectangle:
    if free.width >= free.height:
        thick = min(used / free.height, free.width)
        return Rectangle(free.x + thick, free.y, free.width - thick, free.height)
    thick = min(used / free.width, free.height)
    return Rectangle(free.x, free.y + thick, free.width, free.height - thick)


def nested(
    weights: Sequence[tuple[str, float]], width: float, height: float
) -> list[tuple[int, Rectangle]]:
    """Divide an area among groups, and each group's part among its members.

    Takes (group, weight) pairs; returns (position of the pair, its place), groups by size.
    """
    groups: dict[str, list[int]] = {}
    for position, (group, _) in enumerate(weights):
        groups.setdefault(group, []).append(position)
    sums = {g: sum(weights[p][1] for p in members) for g, members in groups.items()}
    order = sorted(groups, key=lambda group: -sums[group])
    outer = squarify([sums[group] for group in order], Rectangle(0.0, 0.0, width, height))
    placed: list[tuple[int, Rectangle]] = []
    for group, place in zip(order, outer, strict=True):
        members = sorted(groups[group], key=lambda p: -weights[p][1])
        inner = squarify([weights[p][1] for p in members], place)
        placed += zip(members, inner, strict=True)
    return placed
