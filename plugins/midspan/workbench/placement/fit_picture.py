"""A picture of what was predicted against what was measured, component by component."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from midspan.workbench.placement.fit import COMPONENTS, Forecast

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw"]

# Okabe and Ito's colours, which people of all kinds of colour vision tell apart.
COLOURS: Final = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
MOST: Final = 150
"""Points of one cell, about; more hide each other."""
TICKS: Final = tuple(digit * 10.0**exponent for exponent in range(-3, 7) for digit in (1, 3))
MILLI: Final = 1e3
LEAST: Final = 1e-3
"""Milliseconds, or kilobytes: nothing is drawn below, as the axes are logarithmic."""


def draw(forecasts: Sequence[Forecast], title: str) -> bytes:
    """A PNG with a panel for each component; bars are one standard deviation either way. Needs matplotlib."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    cells = list(dict.fromkeys((one.device, one.network) for one in forecasts))
    components = [name for name in COMPONENTS if any(one.component == name for one in forecasts)]
    figure = Figure(figsize=(max(3.6 * len(components), 7), 4.6), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(components), squeeze=False)[0]
    for axes, component in zip(panels, components, strict=True):
        for number, cell in enumerate(cells):
            of = [one for one in forecasts if one.component == component and (one.device, one.network) == cell]
            _scatter(axes, of[:: max(len(of) // MOST, 1)], COLOURS[number % len(COLOURS)], ", ".join(cell))
        _frame(axes, component)
    handles, labels = panels[-1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    figure.suptitle(title)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _scatter(axes: Axes, forecasts: Sequence[Forecast], colour: str, label: str) -> None:
    scale = 1 / MILLI if forecasts and forecasts[0].component == "sent" else MILLI
    measured = [max(one.measured * scale, LEAST) for one in forecasts]
    predicted = [max(one.predicted * scale, LEAST) for one in forecasts]
    down = [min((one.sd or 0.0) * scale, 0.9 * value) for one, value in zip(forecasts, predicted, strict=True)]
    up = [(one.sd or 0.0) * scale for one in forecasts]
    axes.errorbar(measured, predicted, (down, up), fmt="none", ecolor=colour, elinewidth=0.6, alpha=0.25)
    axes.scatter(measured, predicted, s=5, color=colour, label=label, alpha=0.7)


def _frame(axes: Axes, component: str) -> None:
    unit = "kB" if component == "sent" else "ms"
    axes.set_xscale("log")
    axes.set_yscale("log")
    low, high = min(*axes.get_xlim(), *axes.get_ylim()) / 1.3, 1.3 * max(*axes.get_xlim(), *axes.get_ylim())
    ticks = [tick for tick in TICKS if low <= tick <= high]
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks(ticks)
        axis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.plot([low, high], [low, high], color="black", linewidth=0.8, zorder=0)
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    axes.set_aspect("equal")
    axes.grid(visible=True, alpha=0.25)
    axes.set_title(component)
    axes.set_xlabel(f"measured ({unit})")
    axes.set_ylabel(f"predicted ({unit})")
