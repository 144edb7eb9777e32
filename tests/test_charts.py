"""The chart of one patient: what a reader sees of ranges, limits, bounds, doses and flags, read from the document."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from tracker import charts
from tracker.charts import Bar, Line, Mark, Panel, Picture, Point

TODAY = date(2026, 3, 2)
D = Decimal


def point(on: date, value: str, low: str | None = "2.0", high: str | None = "7.5", **more: Any) -> Point:
    bounds = (None if low is None else D(low), None if high is None else D(high))
    return Point(on, D(value), f"{value} on {on}", *bounds, **more)


def neutrophils(*points: Point, **more: Any) -> Panel:
    return Panel("Neutrophils", "×10⁹/L", points, **more)


def drawn(*panels: Panel, **more: Any) -> dict[str, Any]:
    return charts.spec(Picture(TODAY, panels, **more))


def layers(part: dict[str, Any], style: str) -> list[dict[str, Any]]:
    return [layer for layer in part["layer"] if layer["mark"].get("style") == style]


def values(part: dict[str, Any], style: str) -> list[dict[str, Any]]:
    return [row for layer in layers(part, style) for row in layer["data"]["values"]]


def day(milliseconds: int) -> date:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).date()


JAN, FEB, MAR = date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)


def test_the_band_is_the_range_in_force_at_each_point() -> None:
    """The laboratory changed its range in February: the January result keeps the one it was judged by."""
    part = drawn(neutrophils(point(JAN, "4"), point(FEB, "4", low="1.5"), point(MAR, "4", low="1.5")))["vconcat"][0]
    bands = [(day(band["on"]), day(band["until"]), band["low"], band["high"]) for band in values(part, "band")]
    assert bands == [(JAN, FEB, 2.0, 7.5), (FEB, date(2026, 3, 3), 1.5, 7.5)]


def test_a_side_without_a_bound_runs_to_the_edge() -> None:
    part = drawn(neutrophils(point(JAN, "4", high=None), point(FEB, "9", high=None)))["vconcat"][0]
    (band,) = values(part, "band")
    assert (band["low"], band["high"]) == (2.0, part["encoding"]["y"]["scale"]["domain"][1])


def test_where_no_range_judged_there_is_a_gap_in_the_band() -> None:
    part = drawn(neutrophils(point(JAN, "4"), point(FEB, "4", None, None), point(MAR, "4")))["vconcat"][0]
    assert [(day(band["on"]), day(band["until"])) for band in values(part, "band")] == [
        (JAN, FEB),
        (MAR, date(2026, 3, 3)),
    ]


def test_a_value_that_is_only_a_bound_and_a_computed_one_are_told_from_a_measured_one() -> None:
    panel = neutrophils(point(JAN, "4"), point(FEB, "0.5", censored=True), point(MAR, "3", computed=True))
    part = drawn(panel)["vconcat"][0]
    assert [row["shape"] for row in part["data"]["values"]] == ["circle", "triangle-down", "square"]
    (marker,) = layers(part, "value")
    hollow = marker["encoding"]["fillOpacity"]
    assert hollow == {"condition": {"test": "datum.shape === 'circle'", "value": 1}, "value": 0}


def test_limits_and_baseline_are_lines_with_their_names_beside_them() -> None:
    stop = Line("discontinue < 0.5", "Action limit of the label: discontinue, < 500 /uL", D("0.5"))
    own = Line("baseline 4.1", "The patient’s own baseline: 4.1 ×10⁹/L", D("4.1"))
    part = drawn(neutrophils(point(JAN, "4"), limits=[stop], baseline=own))["vconcat"][0]
    assert [row["value"] for row in values(part, "limit")] == [0.5]
    assert [row["words"] for row in values(part, "limitlabel")] == ["discontinue < 0.5"]
    assert [row["words"] for row in values(part, "baselinelabel")] == ["baseline 4.1"]
    least, _ = part["encoding"]["y"]["scale"]["domain"]
    assert least <= 0.5, "the limit is in view though no value is near it"


def test_names_of_near_lines_do_not_cover_each_other() -> None:
    limits = [Line("discontinue < 0.5", "", D("0.5")), Line("interrupt ≤ 1", "", D(1))]
    part = drawn(neutrophils(point(JAN, "8"), limits=limits))["vconcat"][0]
    lower, upper = (row["y"] for row in values(part, "limitlabel"))
    assert lower - upper >= 12
    assert lower <= charts.PANEL_HEIGHT


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([], []),
        ([D(10)], [D(10)]),
        ([D(10), D(30)], [D(10), D(30)]),
        ([D(10), D(12)], [D(10), D(22)]),
        ([D(62), D(60)], [D(62), D(50)]),
        ([D(62), D(62), D(62)], [D(38), D(50), D(62)]),
    ],
)
def test_places_are_moved_apart_and_stay_inside(places: list[Decimal], expected: list[Decimal]) -> None:
    assert charts.apart(places) == expected


def test_a_dose_a_hold_and_an_infection_have_their_lanes_and_one_that_goes_on_runs_to_today() -> None:
    bars = [
        Bar("dose", "5 mg twice daily", "5 mg twice daily: since 1 Jan 2026", JAN, None),
        Bar("hold", "pneumonia", "pneumonia: 1 Feb 2026 to 9 Feb 2026", FEB, date(2026, 2, 9)),
        Bar("infection", "pneumonia", "pneumonia: since 30 Jan 2026", date(2026, 1, 30), None),
    ]
    lanes = drawn(neutrophils(point(JAN, "4")), bars=bars)["vconcat"][0]
    assert lanes["encoding"]["y"]["scale"]["domain"] == ["Drug", "On hold", "Infections"]
    (dose,), (hold,) = values(lanes, "dose"), values(lanes, "hold")
    assert (day(dose["on"]), day(dose["until"])) == (JAN, date(2026, 3, 3))
    assert (day(hold["on"]), day(hold["until"])) == (FEB, date(2026, 2, 10))
    assert dose["words"] == "5 mg twice daily: since 1 Jan 2026"


def test_what_begins_late_is_labelled_on_its_left_so_that_it_is_not_cut_off() -> None:
    bars = [Bar("dose", "5 mg", "", JAN, None), Bar("infection", "herpes zoster", "", date(2026, 2, 27), None)]
    lanes = drawn(bars=bars)["vconcat"][0]
    assert [row["label"] for row in values(lanes, "barlabelend")] == ["herpes zoster"]
    assert [row["label"] for row in values(lanes, "barlabel")] == ["5 mg"]


def test_a_flag_has_the_shape_of_its_severity_and_is_hollow_once_somebody_decided() -> None:
    marks = [Mark(FEB, "urgent", "below the limit", decided=False), Mark(JAN, "routine", "grade 2", decided=True)]
    part = drawn(neutrophils(point(JAN, "4"), marks=marks))["vconcat"][0]
    rows = values(part, "flag")
    assert [(row["severity"], row["decided"]) for row in rows] == [("routine", True), ("urgent", False)], "worst on top"
    assert len({row["shape"] for row in rows}) == 2
    (layer,) = layers(part, "flag")
    assert layer["encoding"]["fillOpacity"]["condition"] == {"test": "datum.decided", "value": 0}


def test_every_severity_has_a_shape_and_a_colour_of_its_own() -> None:
    assert len(set(charts.SHAPES)) == len(charts.SEVERITIES) == len(set(charts.FLAG_COLOURS))


def test_flags_of_no_test_stand_in_a_lane() -> None:
    lanes = drawn(marks=[Mark(FEB, "soon", "no TB test", decided=False)])["vconcat"][0]
    assert lanes["encoding"]["y"]["scale"]["domain"] == ["Flags"]
    assert [row["row"] for row in values(lanes, "flag")] == ["Flags"]


def test_all_parts_share_their_days_and_their_width() -> None:
    document = drawn(neutrophils(point(JAN, "4")), neutrophils(point(MAR, "4")), bars=[Bar("dose", "", "", FEB, None)])
    scales = [part["encoding"]["x"]["scale"] for part in document["vconcat"]]
    assert scales[0]["domainMin"] == {"expr": "from"}
    assert all(scale == scales[0] for scale in scales)
    assert {part["width"] for part in document["vconcat"]} == {640}
    first, last = (param["value"] for param in document["params"])
    assert day(first) < JAN
    assert day(last) > MAR


def test_days_are_days_wherever_the_browser_is() -> None:
    document = drawn(neutrophils(point(JAN, "4")))
    (part,) = document["vconcat"]
    assert part["encoding"]["x"]["scale"]["type"] == "utc"
    assert part["data"]["values"][0]["on"] == datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000


def test_one_value_alone_is_drawn_and_so_is_nothing_at_all() -> None:
    (part,) = drawn(neutrophils(point(JAN, "0", None, None)))["vconcat"]
    least, most = part["encoding"]["y"]["scale"]["domain"]
    assert least < most
    assert not layers(part, "line")
    assert drawn()["vconcat"] == []


def test_the_document_is_plain_json_and_every_style_it_names_is_described() -> None:
    """A page lays its own colours over `config`; a mark with a colour of its own would stay dark on dark."""
    panel = neutrophils(
        point(JAN, "4"), point(FEB, "<0.5".strip("<"), censored=True), limits=[Line("stop < 0.5", "", D("0.5"))],
        baseline=Line("baseline 4", "", D(4)), marks=[Mark(JAN, "info", "", decided=False)],
    )  # fmt: skip
    document = drawn(panel, bars=[Bar(lane, "", "", JAN, None) for lane, _ in charts.LANES])
    assert json.loads(json.dumps(document)) == document
    marks = [layer["mark"] for part in document["vconcat"] for layer in part["layer"]]
    assert {mark["style"] for mark in marks} <= set(document["config"]["style"])
    assert not [key for mark in marks for key in ("color", "fill", "stroke") if key in mark]


def test_nothing_in_the_document_is_code() -> None:
    """The policy of the pages forbids to make functions of text; the few expressions are comparisons of a field."""
    document = drawn(neutrophils(point(JAN, "4"), marks=[Mark(JAN, "info", "", decided=False)]))
    assert set(expressions(document)) == {"from", "to", "datum.decided", "datum.out", "datum.shape === 'circle'"}


def expressions(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for key, value in part.items():
            if key in ("expr", "test"):
                yield value
            else:
                yield from expressions(value)
    elif isinstance(part, list):
        for value in part:
            yield from expressions(value)
