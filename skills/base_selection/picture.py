"""The curves of a race of base models as a PNG, with where each is predicted to end.

English: the fonts that travel with matplotlib have no Chinese.
"""

from __future__ import annotations

import io
from typing import Any

from finetune.selections import Selection
from skills.wording import short_name

_COLOURS = ("#1f6f8b", "#c0392b", "#6c4f9e", "#2e7d32", "#b7791f", "#4a5568", "#d53f8c", "#00838f")


def curves_picture(race: Selection) -> bytes:
    """Losses by rows learned from, both logarithmic; at the target the predictions with their 95% intervals."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415  takes long, and is seldom wanted
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(7.2, 4.4), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for place, name in enumerate(race.spec.names):
        _draw(axes, race, name, _COLOURS[place % len(_COLOURS)])
    _style(axes, race)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _draw(axes: Any, race: Selection, name: str, colour: str) -> None:
    points = sorted(
        (run.size, run.loss) for run in race.runs if run.candidate == name and run.loss is not None
    )
    if not points:
        return
    sizes, losses = zip(*points, strict=True)
    axes.plot(sizes, losses, "o-", color=colour, markersize=4, linewidth=1.4, label=short_name(name))
    predicted = next((one for one in (race.outcome or {}).get("ranking", ()) if one["model"] == name), None)
    if predicted and sizes[-1] < race.spec.target:
        low, high = predicted["interval95"]
        loss = predicted["predicted_loss"]
        axes.plot((sizes[-1], race.spec.target), (losses[-1], loss), ":", color=colour, linewidth=1.2)
        axes.errorbar(
            [race.spec.target], [loss], yerr=[[loss - low], [high - loss]], fmt="D", color=colour, capsize=3, markersize=4
        )  # fmt: skip


def _style(axes: Any, race: Selection) -> None:
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(race.spec.sizes, [f"{size:,}" for size in race.spec.sizes])
    axes.minorticks_off()
    axes.yaxis.set_major_locator(
        MaxNLocator(6)
    )  # losses seldom span a decade, whose ends a log scale would mark
    axes.yaxis.set_major_formatter("{x:.3g}")
    axes.set_xlabel("rows learned from (logarithmic)")
    axes.set_ylabel("loss on held-out rows, nats a row")
    axes.set_title(f"Selection {race.id} on {race.spec.candidates[0].dataset.name}", loc="left", fontsize=10)
    axes.grid(visible=True, color="#e4e7eb", linewidth=0.6)
    axes.set_axisbelow(True)
    if axes.lines:
        axes.legend(frameon=False, fontsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
