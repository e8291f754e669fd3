"""Figures as SVG, by matplotlib (extra `report`): bars and lines, plain enough to print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

import numpy as np

from trecs.errors import UsageError
from trecs.reporting.blocks import Figure

_SIZE_INCHES = (7.5, 3.2)
_COLOURS = ("#1f5a9e", "#c4570a", "#3f7d3a", "#7b3f98", "#555555", "#a8872b")
_MARKERS = ("o", "s", "^", "D", "v", "x")
_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    # Without a fixed salt two runs over the same figures would give different files.
    "svg.hashsalt": "trecs",
}


@dataclass(frozen=True)
class Curve:
    """One line of a figure.

    Attributes:
        x: places on the axis, numbers or dates as datetime64.
        y: values; NaN leaves a gap.
        low: lower end of each value's interval, or None.
        high: upper end.
    """

    x: Sequence[Any]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None


def bars(
    name: str, caption: str, labels: Sequence[str], values: Sequence[float], y_label: str
) -> Figure:
    """A bar for each label; the alternative text lists the values.

    Raises:
        UsageError: matplotlib is not installed.
    """
    with _style():
        drawing, axes = _axes(y_label)
        axes.bar(range(len(values)), values, color=_COLOURS[0])
        step = -(-len(labels) // 24)
        axes.set_xticks(range(0, len(labels), step), labels[::step])
        axes.grid(axis="y", color="#dddddd")
        listed = ", ".join(f"{label}: {v:.3g}" for label, v in zip(labels, values, strict=True))
        return Figure(name, _svg(drawing), f"Bar chart, {y_label}. {listed}.", caption)


def lines(
    name: str, caption: str, curves: Mapping[str, Curve], x_label: str, y_label: str
) -> Figure:
    """A line for each curve, with a band where it has intervals; zero is on the axis.

    Raises:
        UsageError: matplotlib is not installed.
    """
    with _style():
        drawing, axes = _axes(y_label)
        for k, (label, curve) in enumerate(curves.items()):
            look = {"color": _COLOURS[k % 6], "marker": _MARKERS[k % 6], "markersize": 3.5}
            axes.plot(curve.x, curve.y, label=label, linewidth=1.4, **look)
            if curve.low is not None and curve.high is not None:
                axes.fill_between(
                    curve.x, curve.low, curve.high, color=look["color"], alpha=0.15, linewidth=0
                )
        if all(isinstance(x, int) for curve in curves.values() for x in curve.x):
            # There is no epoch 2.5.
            axes.locator_params(axis="x", integer=True)
        axes.set_xlabel(x_label)
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
        axes.grid(color="#dddddd")
        if len(curves) > 1:
            axes.legend(frameon=False, fontsize=9)
        return Figure(name, _svg(drawing), _describe(curves, x_label, y_label), caption)


def _describe(curves: Mapping[str, Curve], x_label: str, y_label: str) -> str:
    parts = []
    for label, curve in curves.items():
        y = np.asarray(curve.y, np.float64)
        places = np.flatnonzero(~np.isnan(y))
        if places.size:
            known, first, last = y[places], curve.x[places[0]], curve.x[places[-1]]
            parts.append(
                f"{label}: {known.size} points from {known[0]:.3g} at {first} to {known[-1]:.3g} "
                f"at {last}, between {known.min():.3g} and {known.max():.3g}"
            )
    return f"Line chart, {y_label} by {x_label}. {'; '.join(parts)}."


def require_matplotlib() -> None:
    """Raise UsageError, with the way out, unless matplotlib is installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "figures need matplotlib, which is not installed:"
            " pip install -e '.[report]' in the clone"
        ) from error


def _style() -> Any:
    require_matplotlib()
    import matplotlib

    return matplotlib.rc_context(_STYLE)


def _axes(y_label: str) -> tuple[Any, Any]:
    # Not through pyplot, which keeps figures and may want a screen.
    from matplotlib.figure import Figure as Drawing

    drawing = Drawing(figsize=_SIZE_INCHES, layout="constrained")
    axes = drawing.add_subplot()
    axes.set_ylabel(y_label)
    return drawing, axes


def _svg(drawing: Any) -> str:
    text = StringIO()
    drawing.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue()
