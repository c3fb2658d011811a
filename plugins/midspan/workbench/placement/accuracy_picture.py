"""A picture of what preprocessing on the device costs in accuracy, against the bytes that it sends."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from midspan.workbench.placement.accuracy import AccuracyRow, Measurement

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw"]

# Okabe and Ito's colours, which people of all kinds of colour vision tell apart.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
TICKS_KB = tuple(digit * 10.0**exponent for exponent in range(-2, 5) for digit in (1, 2, 5))


def draw(measurement: Measurement, title: str) -> bytes:
    """A PNG: a line for each side, a point for each quality. Agreement, and top-1 where known. Needs matplotlib."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    in_cloud, rows = measurement.in_cloud, measurement.rows
    panels = 1 if in_cloud.top1 is None else 2
    figure = Figure(figsize=(6 * panels, 4.6), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, panels, squeeze=False)[0]
    _draw_lines(axes[0], rows, [row.agreement for row in rows])
    axes[0].set_ylabel("same class as in the cloud (%)")
    if in_cloud.top1 is not None:
        _draw_lines(axes[1], rows, [row.top1 or 0.0 for row in rows])
        axes[1].axhline(100 * in_cloud.top1, color="black", linestyle="--", linewidth=1, label="sent as it is")
        axes[1].set_ylabel("top-1 (%)")
    handles, labels = axes[-1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    figure.suptitle(f"{title}: {in_cloud.images} photos of {in_cloud.bytes_mean / 1e3:.0f} kB on average", fontsize=11)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _draw_lines(axes: Axes, rows: Sequence[AccuracyRow], shares: Sequence[float]) -> None:
    for number, side_px in enumerate(dict.fromkeys(row.side_px for row in rows)):
        points = sorted(
            (row.bytes_mean / 1e3, 100 * share, row.quality)
            for row, share in zip(rows, shares, strict=True)
            if row.side_px == side_px
        )
        colour = COLOURS[number % len(COLOURS)]
        axes.plot([x for x, _, _ in points], [y for _, y, _ in points], "o-", color=colour, label=f"{side_px} px")
        for x, y, quality in points:
            axes.annotate(f"q{quality}", (x, y), textcoords="offset points", xytext=(4, 5), fontsize=8, color=colour)
    axes.set_xscale("log")
    kilobytes = [row.bytes_mean / 1e3 for row in rows]
    axes.set_xticks([tick for tick in TICKS_KB if min(kilobytes) / 2 <= tick <= 2 * max(kilobytes)])
    axes.xaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.margins(0.1)
    axes.set_xlabel("mean kB sent")
    axes.grid(visible=True, alpha=0.3)
