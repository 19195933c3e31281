"""Turn candidates into pictures of quality, with its 95% interval, against what it costs: SVG for the page, a PNG for Slack.

The SVG has no words but names, so that it serves both languages, and takes its ink from the page around it, so that
it can be read on a light and on a dark one. Candidates are told apart by name and by shape, never by colour alone.
"""

from __future__ import annotations

import io
import re
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import matplotlib
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from finetune.recipes.labels import Box, place_labels

Role = Literal["leader", "other", "eliminated"]
Axes = Any
"""Of matplotlib, which has no types."""

_COLOURS: dict[Role, str] = {"leader": "#0072b2", "other": "#d55e00", "eliminated": "#7f8894"}
"""Of Okabe and Ito, which colour-blind people can tell apart."""
_MARKERS: dict[Role, str] = {"leader": "o", "other": "s", "eliminated": "D"}
_MEANINGS: dict[Role, str] = {
    "leader": "leads",
    "other": "asked to the end",
    "eliminated": "left the race early",
}
_INK, _FAINT, _PAPER = "#24292f", "#8a939e", "#ffffff"
_FONTS = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "PingFang SC", "Hiragino Sans GB", "Microsoft YaHei",
    "SimHei", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Droid Sans Fallback",
)  # fmt: skip
"""Asked for Chinese, where one is installed; matplotlib brings none."""
_NAME_CHARS = 36
_LOG_FROM_RATIO = 20.0
_NEAR_PX = 16.0
"""A name that stands farther off is tied to its point by a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One candidate in a picture."""

    name: str
    x: float
    y: float
    low: float
    high: float
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Size of a picture, in inches, and of what is in it, in points."""

    width_in: float
    height_in: float
    dpi: int
    font_pt: float
    marker_pt: float
    margins: tuple[float, float, float, float]
    """Left, bottom, right and top of the axes, as shares of the picture."""


_IN_PAGE = Look(
    width_in=6.0, height_in=3.7, dpi=72, font_pt=9.5, marker_pt=6, margins=(0.085, 0.085, 0.985, 0.98)
)
_IN_SLACK = Look(
    width_in=12.0, height_in=6.75, dpi=100, font_pt=14, marker_pt=10, margins=(0.085, 0.12, 0.98, 0.83)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What stands around the summary picture."""

    title: str
    subtitle: str
    x_label: str
    y_label: str


def svg(points: Sequence[Point], *, is_lower_better: bool = False) -> str:
    """Draw quality (up is better) against x as an SVG element to put into a page."""
    with _drawing(points, _IN_PAGE, is_lower_better=is_lower_better) as figure:
        text = _saved(figure, "svg", metadata={"Date": None}).decode()
    element = text[text.index("<svg") :]
    element = re.sub(r"<(metadata|style)\b.*?</\1>", "", element, flags=re.DOTALL)
    # What is left of ids are the shapes of markers, which are used by them.
    element = re.sub(
        r' (?:id="(?!m[0-9a-f]{10}")|clip-path="|width="|height="|xmlns(?::xlink)?=")[^"]*"', "", element
    )
    element = re.sub(r"font-family: [^;\"]+", "font-family: inherit", element)
    return element.replace(_INK, "currentColor")


def png(points: Sequence[Point], words: Words, *, is_lower_better: bool = False) -> bytes:
    """Draw the summary picture, 1200 by 675."""
    drawn = [_drawable(point, number) for number, point in enumerate(points, start=1)]
    with _drawing(drawn, _IN_SLACK, is_lower_better=is_lower_better) as figure:
        (axes,) = figure.axes
        axes.set_xlabel(_plain(words.x_label), color=_INK, labelpad=8, loc="left")
        axes.set_ylabel(_plain(words.y_label), color=_INK, labelpad=8)
        figure.text(
            0.025, 0.945, _fitting(words.title, 72), color=_INK, fontsize=20, weight="bold", va="center"
        )
        figure.text(0.025, 0.885, _fitting(words.subtitle, 120), color=_INK, fontsize=13, va="center")
        _legend(figure, drawn)
        return _saved(figure, "png", facecolor=_PAPER)


@contextmanager
def _drawing(points: Sequence[Point], look: Look, *, is_lower_better: bool) -> Iterator[Figure]:
    """A figure with the points in it, under settings of our own, whatever those of the machine are."""
    settings = {
        "svg.fonttype": "none", "svg.hashsalt": "shortlist", "font.size": look.font_pt, "font.family": _families(),
        "text.parse_math": False,
    }  # fmt: skip
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="Glyph"
        )  # the reader's browser has the letters that we lack
        figure = Figure(figsize=(look.width_in, look.height_in), dpi=look.dpi)
        FigureCanvasAgg(figure)
        left, bottom, right, top = look.margins
        axes = figure.add_axes((left, bottom, right - left, top - bottom))
        _style(figure, axes)
        _limits(axes, points, is_lower_better=is_lower_better)
        for point in points:
            _draw(axes, point, look)
        _name(figure, axes, points, look)
        yield figure


def _saved(figure: Figure, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format=form, **options)
    return file.getvalue()


def _style(figure: Figure, axes: Axes) -> None:
    figure.patch.set_visible(False)
    axes.patch.set_visible(False)
    axes.grid(visible=True, color=_FAINT, linewidth=0.5, alpha=0.35)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_INK, which="both", length=0)
    for name, spine in axes.spines.items():
        spine.set_color(_FAINT)
        spine.set_visible(name in {"left", "bottom"})


def _limits(axes: Axes, points: Sequence[Point], *, is_lower_better: bool) -> None:
    """Room for the names about the points; steps of equal ratio where x spans much."""
    xs = [point.x for point in points]
    low, high = min(xs), max(xs)
    if low > 0 and high / low > _LOG_FROM_RATIO:
        axes.set_xscale("log")
        axes.set_xlim(low / 2, high * 4)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
    else:
        room = (high - low) or abs(high) or 1.0
        axes.set_xlim(max(low - 0.45 * room, 0.0) if low >= 0 else low - 0.45 * room, high + 0.6 * room)
    bottom, top = min(p.low for p in points), max(p.high for p in points)
    room = 0.12 * ((top - bottom) or abs(top) or 1.0)
    axes.set_ylim(bottom - room, top + room)
    if is_lower_better:
        axes.invert_yaxis()


def _draw(axes: Axes, point: Point, look: Look) -> None:
    colour = _COLOURS[point.role]
    axes.errorbar(
        [point.x],
        [point.y],
        yerr=[[max(point.y - point.low, 0.0)], [max(point.high - point.y, 0.0)]],
        fmt=_MARKERS[point.role],
        color=colour,
        markerfacecolor="none" if point.role == "eliminated" else colour,
        markersize=look.marker_pt,
        elinewidth=look.marker_pt / 5,
        zorder=3,
        clip_on=False,
    )


def _name(figure: Figure, axes: Axes, points: Sequence[Point], look: Look) -> None:
    """Write each name where it covers nothing, the leader's first."""
    ordered = sorted(points, key=lambda point: point.role != "leader")
    texts = [_shortened_inside(point.name) for point in ordered]
    scale = look.dpi / 72
    sizes = [_text_size(figure, text) for text in texts]
    places = [tuple(axes.transData.transform((point.x, point.y))) for point in ordered]
    inside = Box(*axes.get_window_extent().extents)
    ink = [_ink_of(axes, point, look.marker_pt * scale) for point in ordered]
    markers, intervals = zip(*ink, strict=True)
    for text, place, box in zip(
        texts,
        places,
        place_labels(sizes, places, inside=inside, taken=markers, avoided=intervals),
        strict=True,
    ):
        if box is not None:
            _write(axes, text, place, box, near_px=_NEAR_PX * scale)


def _write(axes: Axes, text: str, place: tuple[float, float], box: Box, *, near_px: float) -> None:
    pad_px = (box.top - box.bottom) / 8
    axes.text(
        box.left, box.bottom + pad_px, text, transform=None, color=_INK, va="baseline", ha="left", zorder=5
    )
    nearest = (min(max(place[0], box.left), box.right), min(max(place[1], box.bottom), box.top))
    distance = ((nearest[0] - place[0]) ** 2 + (nearest[1] - place[1]) ** 2) ** 0.5
    if distance > near_px:
        xs, ys = zip(place, nearest, strict=True)
        axes.plot(xs, ys, transform=None, color=_FAINT, linewidth=0.6, zorder=2, clip_on=False)


def _ink_of(axes: Axes, point: Point, size_px: float) -> tuple[Box, Box]:
    """The rectangles of a marker and of its interval."""
    x, y = axes.transData.transform((point.x, point.y))
    ends = sorted(axes.transData.transform((point.x, end))[1] for end in (point.low, point.high))
    half = size_px / 2 + 1
    return Box(x - half, y - half, x + half, y + half), Box(x - 2, ends[0], x + 2, ends[1])


def _text_size(figure: Figure, text: str) -> tuple[float, float]:
    """In pixels. Letters that the font lacks are taken as wide as the widest that it has."""
    measured = "".join("W" if unicodedata.east_asian_width(letter) in "WF" else letter for letter in text)
    return _extent(figure, measured).width + 2, _extent(figure, "Ágy").height


def _extent(figure: Figure, text: str) -> Any:
    canvas: Any = figure.canvas
    drawn = figure.text(0, 0, text)
    extent = drawn.get_window_extent(canvas.get_renderer())
    drawn.remove()
    return extent


def _legend(figure: Figure, points: Sequence[Point]) -> None:
    roles = [role for role in _COLOURS if any(point.role == role for point in points)]
    handles = [
        matplotlib.lines.Line2D(
            [], [], linestyle="", marker=_MARKERS[role], color=_COLOURS[role], label=_MEANINGS[role], markersize=9,
            markerfacecolor="none" if role == "eliminated" else _COLOURS[role],
        )
        for role in roles
    ]  # fmt: skip
    if len(roles) > 1:
        figure.legend(
            handles=handles, loc="lower right", ncols=len(roles), frameon=False, fontsize=12, labelcolor=_INK,
            bbox_to_anchor=(0.99, 0.02), handletextpad=0.2, columnspacing=1.2,
        )  # fmt: skip


def _families() -> list[str]:
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in _FONTS if name in installed)]


def _drawable(point: Point, number: int) -> Point:
    """The point; a name that no font here has the letters for is its number in the table instead."""
    return point if _plain(point.name) == point.name else _renamed(point, f"no. {number} of the table")


def _renamed(point: Point, name: str) -> Point:
    return Point(name=name, x=point.x, y=point.y, low=point.low, high=point.high, role=point.role)


def _plain(text: str) -> str:
    """The text, with an ellipsis for letters that no font here has."""
    fonts = [
        font_manager.get_font(str(Path(font_manager.findfont(name, fallback_to_default=False))))
        for name in _families()
    ]
    drawn = [any(font.get_char_index(ord(letter)) for font in fonts) for letter in text]
    return re.sub(
        "\0+", "…", "".join(letter if has else "\0" for letter, has in zip(text, drawn, strict=True))
    )


def _fitting(text: str, limit: int) -> str:
    plain = " ".join(_plain(text).split())
    return plain if len(plain) <= limit else plain[: limit - 1].rstrip() + "…"


def _shortened_inside(name: str) -> str:
    """A long name without its middle: how a model is loaded stands at the end."""
    if len(name) <= _NAME_CHARS:
        return name
    return f"{name[: _NAME_CHARS // 2 - 1].rstrip()}…{name[-_NAME_CHARS // 2 :].lstrip()}"
