"""A picture of how far each estimator of a link was off, trace by trace."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Final

__all__ = ["draw"]

# Okabe and Ito's colours, which people of all kinds of colour vision tell apart.
COLOURS: Final[Mapping[str, str]] = {
    "ours": "#0072B2",
    "delta": "#E69F00",
    "harmonic": "#009E73",
    "line": "#CC79A7",
}
INCHES_A_TRACE: Final = 0.22


def draw(traces: Mapping[str, Mapping[str, float]], title: str) -> bytes:
    """A PNG with a line for each trace and a dot for each estimator; needs matplotlib."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1.6 + INCHES_A_TRACE * len(traces)), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for at, errors in enumerate(traces.values()):
        axes.plot([min(errors.values()), max(errors.values())], [at, at], color="#BBBBBB", linewidth=1, zorder=1)
    for name, colour in COLOURS.items():
        errors_of = [errors[name] for errors in traces.values()]
        axes.scatter(errors_of, range(len(traces)), color=colour, label=name, s=30, zorder=2)
    axes.set_yticks(range(len(traces)), list(traces), fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.grid(axis="x", alpha=0.3)
    axes.set_xlabel("mean |log(predicted / measured)| of a transfer's time")
    figure.legend(loc="outside lower center", ncols=len(COLOURS), frameon=False)
    figure.suptitle(title)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
