"""One patient on one time axis, as a Vega-Lite document: lanes for the drug and for events, then a chart a test.

Pure: what is to be drawn comes as the values of `picture`, in the order in which it is to stand; the same document
serves the page and the paper. Nothing is worked out from a figure here. Every mark carries a style name, and the
colours of paper are in `config`: a page lays its own over them without touching the rest.

Vega-Lite knows no decimals: figures become floats at the last step, for the position on the page and for nothing else.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal

from tracker.charts.looks import BOUND, COMPUTED, FLAG_COLOURS, MARGIN, MEASURED, SHAPES, Part, config
from tracker.charts.picture import DOSE, LANES, SEVERITIES, Bar, Line, Mark, Panel, Picture, Point

__all__ = [
    "FLAG_COLOURS",
    "LANES",
    "PANEL_HEIGHT",
    "SEVERITIES",
    "SHAPES",
    "Bar",
    "Line",
    "Mark",
    "Panel",
    "Part",
    "Picture",
    "Point",
    "apart",
    "bounds",
    "config",
    "span",
    "spec",
]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"

PANEL_HEIGHT = 62
LANE_STEP = 18
AXIS = 42  # pixels kept for the labels of the left axis, the same in every part, so that days stand under each other
LINE_OF_TEXT = Decimal(12)
ROOM = Decimal("0.08")  # kept free above and below the values


def spec(picture: Picture, width: int = 640) -> Part:
    """The document, parts of `width` pixels under each other. `from` and `to` (milliseconds) are what is seen."""
    first, last = span(picture)
    parts = [*_lanes(picture), *(_panel(panel, picture.as_of) for panel in picture.panels)]
    for part in parts:
        part["width"] = width
    if parts:
        parts[0]["encoding"]["x"]["axis"] = _days("top")
        parts[-1]["encoding"]["x"]["axis"] = _days("bottom") if len(parts) > 1 else _days("top")
    return {
        "$schema": SCHEMA,
        "description": _description(picture),
        "params": [{"name": "from", "value": _instant(first)}, {"name": "to", "value": _instant(last)}],
        "vconcat": parts,
        "spacing": 26,
        "bounds": "flush",
        "padding": 4,
        "usermeta": {"first": _instant(first), "last": _instant(last), "margins": AXIS + MARGIN},
        "config": config(),
    }


def span(picture: Picture) -> tuple[date, date]:
    """From the first to the last day there is something to see, with a little room on either side."""
    days = [picture.as_of, *(mark.on for mark in picture.marks)]
    for panel in picture.panels:
        days += [point.on for point in panel.points]
        days += [mark.on for mark in panel.marks]
    for bar in picture.bars:
        days += [bar.on, *([bar.until] if bar.until else [])]
    room = timedelta(days=max(3, (max(days) - min(days)).days // 40))
    return min(days) - room, max(days) + room


def _description(picture: Picture) -> str:
    names = ", ".join(panel.title for panel in picture.panels) or "no results"
    return f"Results over time up to {picture.as_of}: {names}. The same values stand in the table."


# ---------------------------------------------------------------------------------------------- axes


def _instant(day: date) -> int:
    """Midnight UTC, in milliseconds: days are drawn as days, whatever zone the browser is in."""
    return (day - date(1970, 1, 1)).days * 86_400_000


def _figure(value: Decimal) -> float:
    return float(value)


def _x(axis: Part | None) -> Part:
    domain = {"domainMin": {"expr": "from"}, "domainMax": {"expr": "to"}}
    return {
        "field": "on",
        "type": "temporal",
        "scale": {"type": "utc", "nice": False, **domain},
        "axis": axis,
        "title": None,
    }


def _days(side: str) -> Part:
    spaced = {"labelOverlap": "greedy", "labelSeparation": 12, "labelFlush": False}
    return {"orient": side, "grid": True, "title": None, "tickCount": 8, **spaced}


_GRID: Part = {"grid": True, "labels": False, "ticks": False, "domain": False, "title": None, "tickCount": 8}

_SHAPE: Part = {"field": "shape", "type": "nominal", "scale": None, "legend": None}


def _title(text: str, unit: str) -> Part:
    return {"text": f"{text}, {unit}" if unit else text, "anchor": "start"}


# ---------------------------------------------------------------------------------------------- lanes


def _lanes(picture: Picture) -> Iterator[Part]:
    bars = [bar for bar in picture.bars if bar.on <= picture.as_of or bar.lane == DOSE]
    lanes = [(code, words) for code, words in LANES if any(bar.lane == code for bar in bars)]
    if lanes or picture.marks:
        rows = [words for _, words in lanes] + (["Flags"] if picture.marks else [])
        yield {
            "height": LANE_STEP * len(rows),
            "encoding": {"x": _x(dict(_GRID)), "y": _rows(rows)},
            "layer": [*_bars(bars, lanes, picture), *_flags(picture.marks, "Flags")],
        }


def _rows(names: Sequence[str]) -> Part:
    axis = {"title": None, "ticks": False, "domain": False, "labelPadding": 6, "labelLimit": AXIS + 40}
    return {"field": "row", "type": "nominal", "sort": None, "scale": {"domain": list(names)}, "axis": axis}


def _bars(bars: Sequence[Bar], lanes: Sequence[tuple[str, str]], picture: Picture) -> Iterator[Part]:
    first, last = span(picture)
    late = last - (last - first) / 5  # what begins so late is labelled on its left, where there is room
    for lane, row in lanes:
        data = [_bar(bar, row, picture.as_of) for bar in bars if bar.lane == lane]
        yield {
            "data": {"values": data},
            "mark": {"type": "bar", "style": lane, "clip": True, "height": LANE_STEP - 5, "minBandSize": 2},
            "encoding": {"x2": {"field": "until"}, "tooltip": {"field": "words", "type": "nominal"}},
        }
        for style, is_late in (("barlabel", False), ("barlabelend", True)):
            named = [_bar(bar, row, picture.as_of) for bar in bars if bar.lane == lane and (bar.on > late) == is_late]
            if named:
                yield {
                    "data": {"values": named},
                    "mark": {"type": "text", "style": style, "clip": True},
                    "encoding": {"text": {"field": "label", "type": "nominal"}},
                }


def _bar(bar: Bar, row: str, as_of: date) -> Part:
    until = max(bar.until or as_of, bar.on) + timedelta(days=1)
    return {"row": row, "on": _instant(bar.on), "until": _instant(until), "label": bar.label, "words": bar.words}


def _flags(marks: Sequence[Mark], row: str = "") -> Iterator[Part]:
    """The flags, filled until somebody has decided. In a lane of their own, or along the upper edge of a panel."""
    if not marks:
        return
    scale = {"domain": list(SEVERITIES), "range": "category"}
    colour = {"field": "severity", "type": "nominal", "legend": None, "scale": scale}
    yield {
        "data": {"values": [_flag(mark, row) for mark in sorted(marks, key=_mildest_first)]},
        "mark": {"type": "point", "style": "flag", "clip": True},
        "encoding": {
            **({} if row else {"y": {"value": 5}}),
            "shape": _SHAPE,
            "fill": colour,
            "stroke": colour,
            "fillOpacity": {"condition": {"test": "datum.decided", "value": 0}, "value": 1},
            "tooltip": {"field": "words", "type": "nominal"},
        },
    }


def _mildest_first(mark: Mark) -> tuple[int, date]:
    """So that the worst is drawn last, on top."""
    return (-SEVERITIES.index(mark.severity), mark.on)


def _flag(mark: Mark, row: str) -> Part:
    return {
        "row": row, "on": _instant(mark.on), "severity": mark.severity, "words": mark.words, "decided": mark.decided,
        "shape": SHAPES[SEVERITIES.index(mark.severity)],
    }  # fmt: skip


# ---------------------------------------------------------------------------------------------- panels


def _panel(panel: Panel, as_of: date) -> Part:
    least, most = bounds(panel)
    scale = {"domain": [_figure(least), _figure(most)], "nice": False, "zero": False}
    axis = {"title": None, "tickCount": 3, "minExtent": AXIS, "maxExtent": AXIS, "grid": False}
    layers = [
        *_band(panel, as_of, least, most), *_levels(panel, least, most), *_values(panel), *_flags(panel.marks),
        *_names(panel, least, most),
    ]  # fmt: skip
    y = {"field": "value", "type": "quantitative", "scale": scale, "axis": axis}
    return {
        "title": _title(panel.title, panel.unit),
        "height": PANEL_HEIGHT,
        "data": {"values": [_value(point) for point in panel.points]},
        "encoding": {"x": _x(dict(_GRID)), "y": y},
        "layer": layers,
    }


def bounds(panel: Panel) -> tuple[Decimal, Decimal]:
    """The least and the most the panel shows: all values, ranges, limits and the baseline, with room around them."""
    values = [point.value for point in panel.points]
    values += [bound for point in panel.points for bound in (point.low, point.high) if bound is not None]
    values += [line.value for line in _lines(panel)]
    least, most = min(values, default=Decimal(0)), max(values, default=Decimal(1))
    room = (most - least) * ROOM or abs(most) * ROOM or Decimal(1)
    # Nothing that is counted or weighed is below nothing; a base excess would be.
    return (least - room if least < 0 else max(least - room, Decimal(0))), most + room


def _lines(panel: Panel) -> tuple[Line, ...]:
    return (*panel.limits, *([panel.baseline] if panel.baseline else ()))


def _band(panel: Panel, as_of: date, least: Decimal, most: Decimal) -> Iterator[Part]:
    """The range in force at each point, from its day until the next; a gap where a result had none."""
    data = list(_steps(panel.points, as_of, least, most))
    if data:
        yield {
            "data": {"values": data},
            "mark": {"type": "rect", "style": "band", "clip": True},
            "encoding": {
                "x2": {"field": "until"},
                "y": {"field": "low", "type": "quantitative"},
                "y2": {"field": "high"},
            },
        }


def _steps(points: Sequence[Point], as_of: date, least: Decimal, most: Decimal) -> Iterator[Part]:
    """One rectangle for each stretch of days with the same range; an open side runs to the edge."""
    held: list[tuple[date, Decimal | None, Decimal | None]] = []
    for point in points:
        if not held or held[-1][1:] != (point.low, point.high):
            held.append((point.on, point.low, point.high))
    ends = [on for on, _, _ in held[1:]] + [as_of + timedelta(days=1)]
    for (on, low, high), until in zip(held, ends, strict=True):
        if low is not None or high is not None:
            yield {
                "on": _instant(on), "until": _instant(max(until, on + timedelta(days=1))),
                "low": _figure(least if low is None else low), "high": _figure(most if high is None else high),
            }  # fmt: skip


def _levels(panel: Panel, least: Decimal, most: Decimal) -> Iterator[Part]:
    for style, lines in (("limit", panel.limits), ("baseline", [panel.baseline] if panel.baseline else [])):
        if lines:
            yield {
                "data": {"values": [{"value": _figure(line.value), "words": line.words} for line in lines]},
                "mark": {"type": "rule", "style": style},
                "encoding": {"x": None, "tooltip": {"field": "words", "type": "nominal"}},
            }


def _values(panel: Panel) -> Iterator[Part]:
    """The line through the values; open markers for what is only known as a bound, hollow squares for computed ones."""
    if len(panel.points) > 1:
        yield {"mark": {"type": "line", "style": "line", "clip": True}}
    yield {
        "mark": {"type": "point", "style": "value", "clip": True},
        "encoding": {
            "shape": _SHAPE,
            "fillOpacity": {"condition": {"test": f"datum.shape === '{MEASURED}'", "value": 1}, "value": 0},
            "size": {"condition": {"test": "datum.out", "value": 46}, "value": 20},
        },
    }
    # A larger target than the dot, so that a pointer (or a finger) finds it.
    target = {"type": "point", "style": "target", "clip": True}
    yield {"mark": target, "encoding": {"tooltip": {"field": "words", "type": "nominal"}}}


def _value(point: Point) -> Part:
    shape = BOUND if point.censored else COMPUTED if point.computed else MEASURED
    return {
        "on": _instant(point.on), "value": _figure(point.value), "words": point.words, "shape": shape,
        "out": point.place in ("low", "high"),
    }  # fmt: skip


def _names(panel: Panel, least: Decimal, most: Decimal) -> Iterator[Part]:
    """What the lines are called, right of them, pushed apart where they would cover each other."""
    lines = [(line.label, "limitlabel", line.value) for line in panel.limits]
    if panel.baseline:
        lines.append((panel.baseline.label, "baselinelabel", panel.baseline.value))
    places = apart([_pixel(value, least, most) for _, _, value in lines])
    for style in ("limitlabel", "baselinelabel"):
        data = [
            {"words": label, "y": _figure(place)}
            for (label, own, _), place in zip(lines, places, strict=True)
            if own == style
        ]
        if data:
            yield {
                "data": {"values": data},
                "mark": {"type": "text", "style": style},
                "encoding": {
                    "x": {"value": "width"},
                    "y": {"field": "y", "type": "quantitative", "scale": None, "axis": None},
                    "text": {"field": "words", "type": "nominal"},
                },
            }


def _pixel(value: Decimal, least: Decimal, most: Decimal) -> Decimal:
    return PANEL_HEIGHT * (most - value) / (most - least)


def apart(places: Sequence[Decimal], step: Decimal = LINE_OF_TEXT) -> list[Decimal]:
    """The same places in their order, none nearer to another than `step`: moved down, then up from the lower edge."""
    order = sorted(range(len(places)), key=lambda index: places[index])
    moved = [places[index] for index in order]
    for index in range(1, len(moved)):
        moved[index] = max(moved[index], moved[index - 1] + step)
    floor = max(Decimal(PANEL_HEIGHT), *places) if places else Decimal(0)
    for index in reversed(range(len(moved))):
        moved[index] = min(moved[index], floor)
        floor = moved[index] - step
    found = dict(zip(order, moved, strict=True))
    return [found[index] for index in range(len(places))]
