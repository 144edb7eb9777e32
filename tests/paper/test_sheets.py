"""What is printed says what it was given, whatever that is, and can be read aloud by a machine."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.pages import pages, reader, text
from tracker import charts, paper
from tracker.domain.intended_use import INTENDED_USE

AT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
PRINTED = paper.Printed("Aspen Clinic", "Alice Archer", "1 Mar 2026, 10:30", AT, INTENDED_USE)
WHO = paper.Who(
    "Almondine, Ida", "AL-0001", "17 May 1988 (37)", "female", "tofacitinib 5 mg twice daily", "month 2", ""
)
FLAG = paper.Flagged(
    "urgent", "Act today", "Neutrophils", "0.46 ×10⁹/L", "↓", "Below the action limit 0.5 ×10⁹/L.",
    "Repeat by 8 Mar; label: discontinue if confirmed", "Open", "since 28 Feb 2026", False,
)  # fmt: skip
LAB = paper.Measured("Neutrophils", "0.46", "×10⁹/L", "↓", "≥ 2.0 and ≤ 8.25", "clinic’s", True, "28 Feb 2026", "1.2")
DECISION = paper.Decision("1 Mar 2026, 10:00", "Order a repeat", "Neutrophils", "Alice Archer", "told by telephone")
POINTS = [charts.Point(date(2026, 2, day), Decimal(day), f"{day}", Decimal(2), Decimal(8)) for day in (1, 9, 28)]
SPEC = charts.spec(charts.Picture(date(2026, 3, 1), [charts.Panel("Neutrophils", "×10⁹/L", POINTS)]))
SUMMARY = paper.Summary(PRINTED, WHO, [FLAG], "", [LAB], "", [DECISION], "", "Timeline", SPEC)
CHECK = paper.Check("Lymphocytes", "3 Jan 2026", "57 days late", "every 3 months", "the label", "", True)
DUE = paper.Due(WHO, [CHECK], "Bob Birch")
SHEETS: list[paper.Sheet] = [
    SUMMARY,
    paper.Timeline(
        PRINTED, WHO, "Timeline", [SPEC], ["28 Feb 2026"],
        [paper.Row("Neutrophils", "×10⁹/L", "≥ 2.0", [paper.Cell("0.46", "↓")])], "",
    ),
    paper.Worklist(PRINTED, "Worklist", [paper.Waiting(WHO, FLAG, "Also: LDL", "by 3 Mar 2026", "nobody")], ""),
    paper.DueList(PRINTED, "Due list", [DUE], "", [DUE], "", [DUE], ""),
    paper.Letters(PRINTED, "1 Mar 2026", ["1 Elm Street"], "0123", [paper.Letter("Ida Almondine", "AL-0001")]),
]  # fmt: skip
HOSTILE = '#panic("x") #read("/etc/passwd") *b* _i_ $x^2$ `r` <l> @r [a] = H \\ // c /* d */ "q" \' ~ --- =1+1'


def test_the_summary_says_who_what_and_why_on_one_page() -> None:
    (page,) = pages(paper.pdf(SUMMARY))
    for words in (
        "Almondine, Ida", "AL-0001", "17 May 1988", "tofacitinib 5 mg twice daily", "month 2", "Act today",
        "Below the action limit 0.5", "≥ 2.0 and ≤ 8.25", "clinic’s", "Order a repeat", "told by telephone",
        "Alice Archer", "1 Mar 2026, 10:30",
    ):  # fmt: skip
        assert words in page
    assert INTENDED_USE.replace(" ", "") in page.replace(" ", "")


def test_as_much_as_a_summary_may_hold_is_one_page() -> None:
    long = replace(FLAG, sentence="Herpes zoster since 22 Nov 2026, definite on the list (herpes zoster). " * 2)
    whole = replace(SUMMARY, flags=[long] * 9, labs=[LAB] * 22, decisions=[DECISION] * 4)
    assert len(pages(paper.pdf(whole))) == 1


def test_what_does_not_fit_is_carried_over_and_not_cut_off() -> None:
    whole = replace(SUMMARY, flags=[replace(FLAG, name=f"Flag {number}") for number in range(40)])
    printed = pages(paper.pdf(whole))
    assert len(printed) > 1
    assert all(f"Flag {number} " in " ".join(printed) for number in range(40))
    assert all("Almondine, Ida" in page and "AL-0001" in page for page in printed)


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: type(sheet).__name__)
def test_a_sheet_can_be_read_aloud(sheet: paper.Sheet) -> None:
    document = reader(paper.pdf(sheet))
    root = document.trailer["/Root"].get_object()
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en"
    assert document.metadata is not None
    assert document.metadata.title
    assert b"pdfuaid" in root["/Metadata"].get_object().get_data()  # it says that it is PDF/UA


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: type(sheet).__name__)
def test_a_sheet_does_nothing_when_it_is_opened(sheet: paper.Sheet) -> None:
    root = reader(paper.pdf(sheet)).trailer["/Root"].get_object()
    assert not {"/OpenAction", "/AA", "/AcroForm", "/Names"} & set(root)
    assert all("/Annots" not in page for page in reader(paper.pdf(sheet)).pages)


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: type(sheet).__name__)
def test_the_same_sheet_is_the_same_file(sheet: paper.Sheet) -> None:
    assert paper.pdf(sheet) == paper.pdf(sheet)


def hostile(value: object) -> object:
    """The same sheet with all its texts replaced, but those that choose a shape or are the chart's."""
    if isinstance(value, str):
        return HOSTILE
    if isinstance(value, list):
        return [hostile(one) for one in value]
    if isinstance(value, paper.Printed):
        return value
    if hasattr(value, "__dataclass_fields__"):
        kept = ("severity", "spec", "specs")
        changed = {n: hostile(getattr(value, n)) for n in value.__dataclass_fields__ if n not in kept}
        return replace(value, **changed)  # type: ignore[type-var]
    return value


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: type(sheet).__name__)
def test_what_people_typed_is_never_read_as_markup_or_code(sheet: paper.Sheet) -> None:
    made: paper.Sheet = hostile(sheet)  # type: ignore[assignment]
    said = text(paper.pdf(made)).replace(" ", "")
    assert HOSTILE.replace(" ", "") in said
    assert "root:" not in said


def test_a_hostile_name_in_a_chart_is_a_name() -> None:
    bad = '<script>alert(1)</script><image href="http://example.org/x"/>'
    bar = charts.Bar("infection", bad, bad, date(2026, 2, 1), date(2026, 2, 20))
    spec = charts.spec(charts.Picture(date(2026, 3, 1), [charts.Panel(bad[:30], "", POINTS)], [bar]))
    drawn = paper.press.drawn(spec)
    assert "<script" not in drawn
    assert "<image" not in drawn
    assert "<script>alert" in text(paper.pdf(replace(SUMMARY, spec=spec)))


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=40))
def test_every_name_can_be_printed(name: str) -> None:
    letter = paper.Letters(PRINTED, "1 Mar 2026", [], "", [paper.Letter(name, "AL-0001")])
    assert paper.pdf(letter).startswith(b"%PDF-")


def test_a_name_in_a_script_nobody_here_has_letters_for_is_printed_all_the_same() -> None:
    who = replace(WHO, name="\U0001f9a0 \ua6a0 Almondine")
    assert "AL-0001" in text(paper.pdf(replace(SUMMARY, who=who)))


@pytest.mark.parametrize("sign", ["\x0b", "\x00", "\u2028", "\ufffe"])
def test_a_sign_that_is_no_letter_ends_neither_the_chart_nor_the_server(sign: str) -> None:
    spec = charts.spec(charts.Picture(date(2026, 3, 1), [charts.Panel(f"Neutro{sign}phils", "×10⁹/L", POINTS)]))
    assert "Neutro phils" in text(paper.pdf(replace(SUMMARY, spec=spec))).replace("\n", " ")


def test_the_chart_is_drawn_with_its_words() -> None:
    without = text(paper.pdf(replace(SUMMARY, spec=None)))
    assert "Timeline" not in without
    assert "Neutrophils, ×10" in text(paper.pdf(SUMMARY))


def test_a_letter_has_a_page_of_its_own() -> None:
    two = [paper.Letter("Ida Almondine", "AL-0001"), paper.Letter("Kim Berg", "B-1")]
    first, second = pages(paper.pdf(paper.Letters(PRINTED, "1 Mar 2026", ["1 Elm Street"], "0123 456", two)))
    assert "Dear Ida Almondine," in first
    assert "Berg" not in first
    assert "Dear Kim Berg," in second
    for page in (first, second):
        assert "Aspen Clinic" in page
        assert "1 Elm Street · Telephone 0123 456" in page


def test_pages_are_pictures_to_look_at() -> None:
    assert [picture[:4] for picture in paper.pictures(SUMMARY)] == [b"\x89PNG"]
