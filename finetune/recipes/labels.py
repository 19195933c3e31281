"""Where the names of points may stand in a picture, so that none covers another name, a point or an interval.

Plain geometry in pixels: knows nothing of what is drawn, or with what.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_FIRST_REACH, _REACH_STEP = 7.0, 6.0
_NEAR, _FAR = range(6), range(6, 70)
"""Steps away from the point. Rather than far off, a name stands across an interval."""
_DIRECTIONS = (0, 180, 35, 145, -35, -145, 90, -90)
"""Degrees: beside the point first, where a reader looks for its name."""


class Box(NamedTuple):
    """A rectangle."""

    left: float
    bottom: float
    right: float
    top: float

    def overlaps(self, other: Box) -> bool:
        """True when the two share more than an edge."""
        is_beside = self.right <= other.left or other.right <= self.left
        return not (is_beside or self.top <= other.bottom or other.top <= self.bottom)

    def is_within(self, other: Box) -> bool:
        """True when nothing of it lies outside the other."""
        is_wide_enough = other.left <= self.left and self.right <= other.right
        return is_wide_enough and other.bottom <= self.bottom and self.top <= other.top


def place_labels(
    sizes: Sequence[tuple[float, float]],
    points: Sequence[tuple[float, float]],
    *,
    inside: Box,
    taken: Sequence[Box] = (),
    avoided: Sequence[Box] = (),
) -> list[Box | None]:
    """Return the nearest free place for the label of each point; None for one that finds no room.

    Nothing is ever put over what is `taken`; over what is `avoided` only where there is no other place near by.
    """
    occupied, places = list(taken), list[Box | None]()
    for size, point in zip(sizes, points, strict=True):
        tries = ((_NEAR, [*occupied, *avoided]), (_NEAR, occupied), (_FAR, occupied))
        found = (_free(point, size, steps, inside, around) for steps, around in tries)
        place = next((box for box in found if box is not None), None)
        places.append(place)
        occupied += [place] if place else []
    return places


def _free(
    point: tuple[float, float], size: tuple[float, float], steps: range, inside: Box, around: Sequence[Box]
) -> Box | None:
    boxes = (box for box in _around(point, size, steps) if box.is_within(inside))
    return next((box for box in boxes if not any(box.overlaps(other) for other in around)), None)


def _around(point: tuple[float, float], size: tuple[float, float], steps: range) -> Iterator[Box]:
    """Boxes of that size about a point, the nearest first."""
    (x, y), (width, height) = point, size
    for step in steps:
        reach = _FIRST_REACH + step * _REACH_STEP
        for degrees in _DIRECTIONS:
            right, up = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
            left = x + right * reach - (width / 2 if abs(right) < 0.1 else width * (right < 0))
            bottom = y + up * reach - height * (1 - up) / 2
            yield Box(left, bottom, left + width, bottom + height)
