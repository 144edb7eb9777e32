"""How a chart looks on paper: its measures, and a style for each kind of mark. A page lays its own colours over it."""

from typing import Any

from tracker.charts.picture import DOSE, EVENT, HOLD, INFECTION

MARGIN = 118  # pixels kept on the right for what the lines are called
SHAPES = ("M-.42-1H.42L1-.42V.42L.42 1H-.42L-1 .42V-.42Z", "M0-1L1 .85H-1Z", "circle", "M-1-.3H1V.3H-1Z")
"""Octagon, triangle, circle, dash: the shapes that the words of severity have everywhere, the worst first."""
MEASURED, BOUND, COMPUTED = "circle", "triangle-down", "square"

Part = dict[str, Any]

INK, SOFT, LINE = "#1b2430", "#55616e", "#dde2e7"
BAND, LIMIT, DRUG, SICK = "#dcefe2", "#b42318", "#c9ddf2", "#f6dcb0"
FLAG_COLOURS = ("#b42318", "#8f5200", "#2b5a92", "#55616e")


def config() -> Part:
    """How it looks on paper. Keys under `style` are what a page may lay its own colours over."""
    return {
        "background": "transparent",
        "font": "system-ui, sans-serif",
        "aria": False,
        "view": {"stroke": None},
        "range": {"category": list(FLAG_COLOURS)},
        "title": {"color": INK, "fontSize": 12, "fontWeight": 600, "offset": 4, "frame": "group"},
        "axis": {"labelColor": SOFT, "gridColor": LINE, "domainColor": LINE, "tickColor": LINE, "labelFontSize": 11,
                 "tickSize": 3},
        "style": _styles(),
    }  # fmt: skip


def _styles() -> Part:
    names = {"fontSize": 11, "align": "left", "baseline": "middle", "dx": 6, "limit": MARGIN - 8}
    label = {"color": INK, "baseline": "middle", "fontSize": 11}
    return {
        "band": {"color": BAND},
        "line": {"color": SOFT, "strokeWidth": 1.3, "strokeJoin": "round"},
        "value": {"color": INK, "stroke": INK, "strokeWidth": 1.3, "filled": True, "opacity": 1},
        "target": {"color": INK, "opacity": 0, "size": 260, "filled": True},
        "limit": {"color": LIMIT, "strokeWidth": 1, "strokeDash": [5, 3]},
        "limitlabel": {"color": LIMIT, **names},
        "baseline": {"color": SOFT, "strokeWidth": 1, "strokeDash": [1, 3]},
        "baselinelabel": {"color": SOFT, **names},
        "flag": {"size": 80, "strokeWidth": 1.4, "filled": True, "opacity": 1},
        DOSE: {"color": DRUG},
        HOLD: {"color": LIMIT, "filled": False, "strokeDash": [3, 2]},
        INFECTION: {"color": SICK},
        EVENT: {"color": SICK},
        "barlabel": {**label, "align": "left", "dx": 4},
        "barlabelend": {**label, "align": "right", "dx": -4},
    }
