"""Ranked options -> the Pareto front of cost and quality, and its picture.

The picture is a PNG with a background of its own, so it reads the same on a light and a dark page. Its words are
English: the fonts that travel with matplotlib have no Chinese.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from skills.ranking.rank import FINALISTS, Option, Ranked

_LABELLED = 9
"""So many of the front are named at most, evenly along it; the first of the ranking always is."""
_INK, _QUIET, _PAPER = "#1f2933", "#9aa5b1", "#f8f9fa"
_FRONT, _FIRST = "#1d6fb8", "#c2410c"
_WIDTH_IN, _HEIGHT_IN, _DPI = 9.0, 5.4, 150
_SHIFTS = ((-1, 1), (-1, 0), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
_REACHES = (10, 22, 36, 52, 70)
"""Where a label may stand about its point, and how far off, in points."""

Box = Any
"""A rectangle of matplotlib, which has no types."""


@dataclass(frozen=True)
class _Room:
    """Where labels may stand, in pixels."""

    inside: Box
    points: Sequence[tuple[float, float]]
    taken: list[Box] = field(default_factory=list)


def front(options: Sequence[Option]) -> list[Option]:
    """The options that no other beats in cost and quality at once, from cheap to good."""
    best: list[Option] = []
    for option in sorted(options, key=lambda item: (item.cost.value, item.loss.value)):
        if not best or option.loss.value < best[-1].loss.value:
            best.append(option)
    return best


def picture(ranked: Sequence[Ranked], options: Sequence[Option]) -> bytes:
    """Cost against expected quality as a PNG; the front is drawn with 95% intervals, and named."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415  takes long, and is seldom wanted
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(_WIDTH_IN, _HEIGHT_IN), dpi=_DPI, facecolor=_PAPER, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(facecolor=_PAPER)
    _style(axes)
    edge, shown = front(options), [item.option for item in ranked[:FINALISTS]]
    _limits(axes, [*edge, *shown])
    others = [item.option for item in ranked if item.option not in edge]
    axes.plot(*_xy(others), "o", color=_QUIET, alpha=0.45, markersize=3.5, zorder=1)
    axes.plot(*_xy(edge), color=_FRONT, linewidth=1.2, drawstyle="steps-post", zorder=2)
    _points(axes, edge, _FRONT)
    _points(axes, shown[:1], _FIRST)
    _label(figure, axes, _named(edge, shown), edge)
    _legend(axes)
    file = io.BytesIO()
    figure.savefig(file, format="png", facecolor=_PAPER)
    return file.getvalue()


def _named(edge: Sequence[Option], shown: Sequence[Option]) -> list[Option]:
    """The first of the ranking, then members of the front, evenly along it."""
    kept = list(edge)
    if len(kept) > _LABELLED:
        step = (len(kept) - 1) / (_LABELLED - 1)
        kept = [kept[round(n * step)] for n in range(_LABELLED)]
    return [*shown[:1], *(option for option in kept if option not in shown[:1])]


def _xy(options: Sequence[Option]) -> tuple[list[float], list[float]]:
    return [option.cost.value for option in options], [1 - option.loss.value for option in options]


def _points(axes: Any, options: Sequence[Option], colour: str) -> None:
    costs, qualities = _xy(options)
    spans = [1.96 * option.loss.se for option in options]
    low = [min(span, quality) for span, quality in zip(spans, qualities, strict=True)]
    high = [min(span, 1 - quality) for span, quality in zip(spans, qualities, strict=True)]
    drawn = {"fmt": "o", "markersize": 4.5, "elinewidth": 0.8, "color": colour, "zorder": 3}
    if options:
        axes.errorbar(costs, qualities, yerr=[low, high], **drawn)


def _style(axes: Any) -> None:
    axes.set_xscale("log")
    axes.set_xlabel("cost, USD per million tokens (logarithmic)", color=_INK)
    axes.set_ylabel("expected quality on this task, with 95% interval", color=_INK)
    axes.grid(visible=True, color="#e4e7eb", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_INK, which="both")
    axes.xaxis.set_major_formatter("${x:g}")
    for name, spine in axes.spines.items():
        spine.set_color(_QUIET)
        spine.set_visible(name in {"left", "bottom"})


def _limits(axes: Any, options: Sequence[Option]) -> None:
    """Room for the labels beside the cheapest and the dearest of what matters."""
    costs = [option.cost.value for option in options if option.cost.value > 0]
    if costs:
        axes.set_xlim(min(costs) / 2.5, max(costs) * 4)
    axes.set_ylim(max(0.0, min(1 - o.loss.value - 1.96 * o.loss.se for o in options) - 0.05), 1.02)


def _legend(axes: Any) -> None:
    for colour, label in ((_FIRST, "first of the ranking"), (_FRONT, "Pareto front"), (_QUIET, "the others")):
        axes.plot([], [], "o", color=colour, label=label, markersize=4.5)
    axes.legend(
        loc="lower right", frameon=True, facecolor=_PAPER, edgecolor=_QUIET, labelcolor=_INK, fontsize=8
    )


def _label(figure: Any, axes: Any, options: Sequence[Option], edge: Sequence[Option]) -> None:
    """Name each point where no other name stands yet; one that finds no room is left out."""
    figure.canvas.draw()
    places = axes.transData.transform([*zip(*_xy(edge), strict=True)]) if edge else []
    room = _Room(axes.get_window_extent(), places)
    for option in options:
        _place_label(axes, figure.canvas.get_renderer(), option, room)


def _is_free(box: Box, room: _Room) -> bool:
    corners = ((box.x0, box.y0), (box.x1, box.y1))
    return (
        all(room.inside.contains(*corner) for corner in corners)
        and not any(box.overlaps(other) for other in room.taken)
        and not any(box.contains(*place) for place in room.points)
    )


def _place_label(axes: Any, renderer: Any, option: Option, room: _Room) -> None:
    loaded = "hosted" if option.quantization is None else option.quantization.replace("none", "16-bit")
    text = f"{option.model.id.rsplit('/', 1)[-1]} {loaded}"
    for right, up in _SHIFTS:
        for reach in _REACHES:
            note = axes.annotate(
                text,
                xy=(option.cost.value, 1 - option.loss.value),
                xytext=(right * reach, up * reach),
                textcoords="offset points",
                ha={1: "left", -1: "right", 0: "center"}[right],
                va="center",
                fontsize=8,
                color=_INK,
                zorder=5,
                bbox={"facecolor": _PAPER, "edgecolor": "none", "pad": 1.0, "alpha": 0.85},
                arrowprops={"arrowstyle": "-", "color": _QUIET, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 3},
            )
            box = _text_box(note, renderer)
            if _is_free(box, room):
                room.taken.append(box)
                return
            note.remove()


def _text_box(note: Any, renderer: Any) -> Box:
    from matplotlib.text import Text  # noqa: PLC0415

    note.update_positions(renderer)
    return Text.get_window_extent(note, renderer).padded(5)
