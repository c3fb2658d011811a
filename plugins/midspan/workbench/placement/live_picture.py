"""A picture of a live run: what each policy takes, as a multiple of the quicker static choice of each photo."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from midspan.workbench.placement.live_clients import POLICIES
from midspan.workbench.placement.live_scores import STATIC_MINIMUM, LiveScore

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw"]

# Okabe and Ito's colours, which people of all kinds of colour vision tell apart.
COLOURS: Final[Mapping[str, str]] = MappingProxyType(
    dict(zip(POLICIES, ("#E69F00", "#0072B2", "#CC79A7", "#D55E00", "#56B4E9", "#009E73"), strict=True))
)
FIGURES: Final = (("mean", "mean_ms"), ("p50", "p50_ms"), ("p95", "p95_ms"))
TOP: Final = 2.0
"""Bars end here; a number tells how far they would go."""
PER_ROW: Final = 3


def draw(scores: Sequence[LiveScore], title: str) -> bytes:
    """A PNG with one panel for each cell. Needs matplotlib."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    cells = list(dict.fromkeys((score.device, score.link) for score in scores))
    columns = min(len(cells), PER_ROW)
    rows = -(-len(cells) // columns)
    figure = Figure(figsize=(5.2 * max(columns, 2), 3.2 * rows + 1), layout="constrained", dpi=100)
    FigureCanvasAgg(figure)
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for panel, cell in zip(panels, cells, strict=False):
        _draw_cell(panel, [score for score in scores if (score.device, score.link) == cell])
        panel.set_title(" over ".join(cell))
    for panel in panels[len(cells) :]:
        panel.set_axis_off()
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    figure.suptitle(title)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _draw_cell(axes: Axes, scores: Sequence[LiveScore]) -> None:
    least = next(score for score in scores if score.policy == STATIC_MINIMUM)
    policies = [score for score in scores if score is not least]
    width = 0.8 / len(policies)
    for at, score in enumerate(policies):
        ratios = [getattr(score, name) / getattr(least, name) for _, name in FIGURES]
        places = [group - 0.4 + (at + 0.5) * width for group in range(len(FIGURES))]
        axes.bar(places, [min(ratio, TOP) for ratio in ratios], width, color=COLOURS[score.policy], label=score.policy)
        for place, ratio in zip(places, ratios, strict=True):
            if ratio > TOP:
                axes.text(place, TOP, f"{ratio:.1f}", ha="center", va="bottom", fontsize=8)
    axes.axhline(1.0, color="black", linewidth=1)
    axes.set_ylim(0.8, TOP + 0.1)
    axes.set_xticks(range(len(FIGURES)), [f"{head}\n{getattr(least, name):.0f} ms" for head, name in FIGURES])
    axes.set_ylabel("times the static minimum")
    axes.grid(axis="y", alpha=0.3)
