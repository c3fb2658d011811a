"""A picture of how policies did: for each cell, their times, and how often they chose the device."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from midspan.workbench.placement.policies import OURS
from midspan.workbench.placement.scores import CellScores, Score

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw"]

COLUMNS: Final = 3
# Okabe and Ito's colours, which people of all kinds of colour vision tell apart.
PERCENTILES: Final[Mapping[str, tuple[str, str]]] = {
    "p50_ms": ("median", "#0072B2"),
    "p95_ms": ("95th percentile", "#E69F00"),
    "p99_ms": ("99th percentile", "#D55E00"),
}
GREY: Final = "#888888"


def draw(cells: Sequence[CellScores], title: str) -> bytes:
    """A PNG with one panel for each cell. Needs matplotlib."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(COLUMNS, len(cells))
    lines = -(-len(cells) // columns)
    figure = Figure(figsize=(5.4 * max(columns, 2), 3.6 * lines + 0.8), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    for panel, cell in zip(axes, cells, strict=False):
        _draw_cell(panel, cell)
    for panel in axes[len(cells) :]:
        panel.set_axis_off()
    for panel in axes[::columns]:
        panel.set_yticks(range(len(cells[0].rows)), [row.policy for row in cells[0].rows])
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    figure.suptitle(title)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _draw_cell(axes: Axes, cell: CellScores) -> None:
    """A line for each policy: three points in time, and on the right how often it chose the device."""
    from matplotlib.ticker import LogLocator, NullFormatter

    for key, (label, colour) in PERCENTILES.items():
        times_ms = [_ms(row, key) for row in cell.rows]
        axes.axvline(min(times_ms[:2]), color=colour, linewidth=0.8, linestyle=":")
        axes.scatter(times_ms, range(len(times_ms)), s=36, color=colour, label=label, zorder=3)
    for at, row in enumerate(cell.rows):
        axes.plot([row.p50_ms, row.p99_ms], [at, at], color=GREY, linewidth=1)
        weight = "bold" if row.policy == OURS else "normal"
        share = f"{cell.local_share[row.policy]:.0%}"
        axes.text(1.01, at, share, transform=axes.get_yaxis_transform(), va="center", fontsize=8, fontweight=weight)
    axes.set_yticks(range(len(cell.rows)), [""] * len(cell.rows))
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("time of a request (ms); right: on the device")
    axes.set_title(f"{cell.device}, {cell.network}", fontsize=10)
    axes.grid(axis="x", alpha=0.25)


def _ms(row: Score, key: str) -> float:
    value: float = getattr(row, key)
    return value
