"""The demo's picture: what each photo cost, and how well that was foreseen. PNG by matplotlib, and one HTML page."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from midspan.workbench.demo import CHOSEN, DemoRow, DemoSummary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["HEADS", "cells", "draw", "page"]

# Okabe and Ito's colours, which people of all kinds of colour vision tell apart.
COLOURS: Final[Mapping[str, str]] = {"original": "#0072B2", "resized": "#E69F00"}
OTHER_COLOURS: Final = ("#009E73", "#CC79A7", "#56B4E9", "#D55E00")
STATIC_ROUTES: Final[Mapping[str, str]] = {"always original": "original", "always resized": "resized"}
HEADS: Final = ("link", "policy", "routes", "predicted", "measured", "all", "sent", "top-1")
"""Predicted and measured are medians; all is the time of all photos together, sent the payload of all."""

GREY: Final = "#555555"


def draw(rows: Sequence[DemoRow], summaries: Sequence[DemoSummary], title: str) -> bytes:
    """A PNG with one column for each link: time by size above, predicted against measured below. Needs matplotlib."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    links = list(dict.fromkeys(row.link for row in rows))
    colours = _colours(rows)
    figure = Figure(figsize=(4.6 * max(len(links), 2), 8.6), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, len(links), squeeze=False)
    for column, link in enumerate(links):
        mine = [row for row in rows if row.link == link]
        _draw_times(axes[0][column], mine, colours)
        axes[0][column].set_title(link, fontsize=14, fontweight="bold")
        _note(axes[0][column], _totals([s for s in summaries if s.link == link]))
        _draw_predictions(axes[1][column], [row for row in mine if row.policy == CHOSEN], colours)
    axes[0][0].set_ylabel("time from photo to answer (ms)")
    axes[1][0].set_ylabel("predicted time (ms), of what was chosen")
    figure.suptitle(title, fontsize=15, fontweight="bold")
    handles, labels = axes[0][0].get_legend_handles_labels()
    for route in sorted(colours):  # a route that was chosen over another link alone
        if f"chosen: {route}" not in labels:
            handles.append(axes[0][0].scatter([], [], s=60, color=colours[route], edgecolor="black"))
            labels.append(f"chosen: {route}")
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=11)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def page(png: bytes, summaries: Sequence[DemoSummary], title: str, notes: Sequence[str]) -> str:
    """One HTML page that needs nothing else: the picture, the table, and what should be known about them."""
    body = "".join(_row(summary) for summary in summaries)
    image = base64.b64encode(png).decode("ascii")
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title><style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 1500px; margin: 2em auto; padding: 0 1em; color: #222 }}
img {{ max-width: 100% }}
table {{ border-collapse: collapse }}
th, td {{ padding: .25em .9em; text-align: right; border-bottom: 1px solid #ddd }}
th:nth-child(-n+3), td:nth-child(-n+3) {{ text-align: left; white-space: pre-line }}
.chosen {{ font-weight: bold }}
</style></head><body>
<h1>{html.escape(title)}</h1>
<img alt="Time of each photo by its size, and predicted against measured time, for each link"
 src="data:image/png;base64,{image}">
<table><thead><tr>{"".join(f"<th>{head}</th>" for head in HEADS)}</tr></thead><tbody>{body}</tbody></table>
<ul>{"".join(f"<li>{html.escape(note)}</li>" for note in notes)}</ul>
</body></html>
"""


def cells(summary: DemoSummary) -> tuple[str, ...]:
    """One row of the table under HEADS, as text."""
    return (
        summary.link,
        summary.policy,
        "\n".join(f"{count} {route}" for route, count in summary.routes.items()),
        f"{summary.predicted_median_s * 1e3:.0f} ms",
        f"{summary.measured_median_s * 1e3:.0f} ms",
        f"{summary.total_s:.1f} s",
        f"{summary.bytes_up / 1e6:.2f} MB",
        f"{summary.top1:.0%}",
    )


def _row(summary: DemoSummary) -> str:
    style = " class=chosen" if summary.policy == CHOSEN else ""
    return f"<tr{style}>{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells(summary))}</tr>"


def _totals(summaries: Sequence[DemoSummary]) -> str:
    return "\n".join(["all photos together", *(f"{s.total_s:6.2f} s  {s.policy}" for s in summaries)])


def _note(axes: Axes, text: str) -> None:
    box = {"facecolor": "white", "edgecolor": GREY, "alpha": 0.85, "boxstyle": "round"}
    axes.text(0.04, 0.96, text, transform=axes.transAxes, va="top", family="monospace", fontsize=10, bbox=box)


def _draw_times(axes: Axes, rows: Sequence[DemoRow], colours: Mapping[str, str]) -> None:
    for policy, route in STATIC_ROUTES.items():
        line = sorted((row.photo_bytes / 1e3, row.measured_s * 1e3) for row in rows if row.policy == policy)
        xs, ys = [x for x, _ in line], [y for _, y in line]
        axes.plot(xs, ys, color=colours[route], alpha=0.55, linewidth=1.6, label=policy)
    _scatter(axes, [(r.photo_bytes / 1e3, r.measured_s * 1e3, r.route) for r in rows if r.policy == CHOSEN], colours)
    _log_log(axes)
    axes.set_xlabel("size of the photo (kB)")


def _draw_predictions(axes: Axes, rows: Sequence[DemoRow], colours: Mapping[str, str]) -> None:
    times_ms = [t * 1e3 for row in rows for t in (row.predicted_s, row.measured_s)]
    ends = [min(times_ms) / 1.3, max(times_ms) * 1.3]
    axes.plot(ends, ends, color=GREY, linewidth=1)
    axes.fill_between(ends, [e / 1.25 for e in ends], [e * 1.25 for e in ends], color=GREY, alpha=0.12, linewidth=0)
    axes.annotate("within 25%", (ends[1], ends[1]), (-4, -14), textcoords="offset points", ha="right", color=GREY)
    _scatter(axes, [(row.measured_s * 1e3, row.predicted_s * 1e3, row.route) for row in rows], colours)
    first = (rows[0].measured_s * 1e3, rows[0].predicted_s * 1e3)
    axes.annotate(
        "first photo here:\nthe link was unknown", first, (-12, 0), textcoords="offset points", ha="right", va="center"
    )
    _log_log(axes)
    axes.set_xlim(*ends)
    axes.set_ylim(*ends)
    axes.set_xlabel("measured time (ms)")


def _scatter(axes: Axes, points: Sequence[tuple[float, float, str]], colours: Mapping[str, str]) -> None:
    for route in dict.fromkeys(route for _, _, route in points):
        xs, ys = zip(*((x, y) for x, y, of in points if of == route), strict=True)
        axes.scatter(xs, ys, s=60, color=colours[route], edgecolor="black", label=f"chosen: {route}", zorder=3)


def _log_log(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.25)


def _colours(rows: Sequence[DemoRow]) -> dict[str, str]:
    others = [route for route in sorted({row.route for row in rows}) if route not in COLOURS]
    return {**COLOURS, **{route: OTHER_COLOURS[i % len(OTHER_COLOURS)] for i, route in enumerate(others)}}
