"""A laboratory's own test is mapped to an analyte: its results are judged, and the way back is open."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from tests.operations.conftest import NOW, Desk
from tests.operations.test_undo import file, standing, take_back
from tracker.domain.errors import Refused, Stale
from tracker.domain.readings import RangeReading
from tracker.models import AuditEntry, CodeMapping, LabResult
from tracker.operations import configure, publishing
from tracker.operations.audit import first_bad_entry
from tracker.operations.codes import Remapped, end, map_test
from tracker.queries.codes import SenderTest, choices, suggestion, unmapped

HEAD = "mrn,collected_at,analyte,value,unit,laboratory\n"
FILE = HEAD + "0001,2026-03-01,Neutro-X,0.4,G/L,Risch\n0001,2026-03-08,Neutro-X,<0.3,G/L,Risch\n"
RISCH = SenderTest("Risch", "", "Neutro-X", "10*9/L")


def map_to(desk: Desk, test: SenderTest, analyte: str, why: str = "by its list of tests") -> Remapped:
    with desk.database.transaction() as session:
        return map_test(session, desk.doctor, desk.clinic_id, test, analyte, why)[1]


def end_it(desk: Desk, why: str = "it was another test") -> Remapped:
    with desk.database.transaction() as session:
        mapping = session.scalars(select(CodeMapping).where(CodeMapping.ended_at.is_(None))).one()
        return end(session, desk.second, mapping, why)


def to_do(desk: Desk) -> list[Any]:
    with desk.database.reading() as session:
        return unmapped(session, desk.clinic_id)


def test_a_test_that_is_not_known_is_filed_and_is_work_to_do(desk: Desk) -> None:
    assert file(desk, FILE).filed == 2
    (found,) = to_do(desk)
    assert (found.test, found.results, found.patients) == (RISCH, 2, 1)
    assert found.samples == ("<0.3", "0.4")
    assert not [flag for flag in desk.flags() if flag.rule == "action_limit"]


def test_mapped_its_results_are_judged_and_what_they_were_stays_on_record(desk: Desk) -> None:
    file(desk, FILE)
    done = map_to(desk, RISCH, "ANC")
    assert (done.results, done.left) == (2, {})
    assert desk.flag("action_limit", "ANC").severity == "urgent"
    assert standing(desk, "ANC") == ["0.4", "0.3"]
    assert to_do(desk) == []
    with desk.database.reading() as session:
        before = session.scalars(select(LabResult).where(LabResult.subject == "Neutro-X")).all()
        assert {row.retired_reason for row in before} == {"mapped to ANC: by its list of tests"}
        (noted,) = session.scalars(select(AuditEntry).where(AuditEntry.record == "code_mapping"))
        assert (noted.actor, noted.action, noted.reason) == (desk.doctor.name, "create", "by its list of tests")
        assert first_bad_entry(session) is None


def test_later_files_use_it_and_the_same_file_again_changes_nothing(desk: Desk) -> None:
    file(desk, FILE)
    map_to(desk, RISCH, "ANC")
    assert file(desk, FILE).duplicate == 2
    later = file(desk, HEAD + "0001,2026-03-15,Neutro-X,2.4,G/L,Risch\n")
    assert (later.filed, later.problems) == (1, [])
    assert desk.result("ANC").mapping_id is not None


def test_the_same_name_at_another_laboratory_or_in_another_unit_is_another_test(desk: Desk) -> None:
    map_to(desk, RISCH, "ANC")
    file(desk, HEAD + "0001,2026-03-01,Neutro-X,0.4,G/L,Viollier\n0001,2026-03-01,Neutro-X,54,%,Risch\n")
    assert standing(desk, "ANC") == []
    assert {(found.test.sender, found.test.unit) for found in to_do(desk)} == {("Viollier", "10*9/L"), ("Risch", "%")}


def test_ended_its_results_are_what_they_were(desk: Desk) -> None:
    file(desk, FILE)
    map_to(desk, RISCH, "ANC")
    assert end_it(desk).results == 2
    assert standing(desk, "ANC") == []
    assert desk.flag("action_limit", "ANC", "cleared").machine == "cleared"
    (found,) = to_do(desk)
    assert (found.test, found.results) == (RISCH, 2)
    map_to(desk, RISCH, "ALC")
    assert standing(desk, "ALC") == ["0.4", "0.3"]


def test_what_came_mapped_goes_back_too(desk: Desk) -> None:
    map_to(desk, RISCH, "ANC")
    file(desk, FILE)
    end_it(desk)
    assert [found.test for found in to_do(desk)] == [RISCH]


def test_none_of_ours_is_no_work_any_more(desk: Desk) -> None:
    file(desk, FILE)
    assert map_to(desk, RISCH, "").results == 0
    assert to_do(desk) == []
    assert standing(desk, "Neutro-X") == ["0.4", "0.3"]


def test_a_result_that_does_not_fit_is_left_and_stays_visible(desk: Desk) -> None:
    file(desk, FILE + "0001,2026-03-09,Neutro-X,9000,G/L,Risch\n0001,2026-03-10,Neutro-X,see comment,G/L,Risch\n")
    done = map_to(desk, RISCH, "ANC")
    assert done.results == 2
    assert sum(done.left.values()) == 2
    (found,) = to_do(desk)
    assert (found.results, found.mapped) == (2, "ANC")


def test_a_sample_that_has_the_analyte_already_keeps_it(desk: Desk) -> None:
    file(desk, FILE + "0001,2026-03-01,ANC,2.0,10*9/L,Risch\n")
    done = map_to(desk, RISCH, "ANC")
    assert done.left == {"ANC of the same sample is on file already.": 1}
    assert standing(desk, "ANC") == ["2.0", "0.3"]


def test_undoing_the_import_takes_the_mapped_results_along(desk: Desk) -> None:
    report = file(desk, FILE)
    map_to(desk, RISCH, "ANC")
    assert take_back(desk, report).done == {"results taken out": 2}
    assert (standing(desk, "ANC"), standing(desk, "Neutro-X")) == ([], [])


@pytest.mark.parametrize(
    ("test", "analyte", "why", "said"),
    [
        (RISCH, "ANC", "no", "few words"),
        (RISCH, "XYZ", "by its list", "not an analyte"),
        (RISCH, "ALT", "by its list", "not what is reported"),  # a count is no activity
        (SenderTest("Risch", "", "Neutro-X", ""), "ANC", "by its list", "without a unit"),
        (SenderTest("Risch", "loinc:2161-8", "Creatinine", "mg/dL"), "CREAT", "by its list", "LOINC"),  # of urine
    ],
)
def test_what_cannot_be_is_refused(desk: Desk, test: SenderTest, analyte: str, why: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        map_to(desk, test, analyte, why)


def test_it_is_mapped_once(desk: Desk) -> None:
    map_to(desk, RISCH, "ANC")
    with pytest.raises(Stale):
        map_to(desk, RISCH, "ALC")
    assert NOW.tzinfo is not None


LOOK_ALIKES = [
    # a name that a part of it would take for another analyte
    ("Phenylalanine", "umol/L"), ("alpha-1-Globulin", "g/L"), ("gamma-Globulin", "g/L"), ("gamma-Globulin", "U/L"),
    ("Cholesterin/HDL Quotient", ""), ("Cholesterol/HDL ratio", "mmol/L"), ("Hémoglobine glyquée A", "g/dL"),
    ("Cholinesterase", "U/L"), ("CCPK", "U/mL"), ("CCP-Antikörper", "U/L"), ("Bilirubin direkt im Urin", "umol/L"),
    ("Kreatinin im Urin", "mmol/L"), ("Creatinkinase MB", "U/L"), ("Alkalische Phosphatase Knochen", "U/L"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "unit"), LOOK_ALIKES)
def test_a_look_alike_is_never_suggested(name: str, unit: str) -> None:
    assert suggestion(SenderTest("Risch", "", name, unit)) == ""


def test_only_what_is_reported_in_the_unit_can_be_chosen() -> None:
    codes = {analyte.code for analyte in choices(SenderTest("Risch", "", "Crea-X", "umol/L"))}
    assert "CREAT" in codes
    assert not codes & {"ALT", "ANC", "HB", "IGRA"}


# ---------------------------------------------------------------------------------------------- two laboratories

NORTH, SOUTH = SenderTest("North", "", "G1", "10*9/L"), SenderTest("South", "", "G1", "10*9/L")


def of_laboratory(desk: Desk, laboratory: str, low: str) -> None:
    """A range of haemoglobin of women at one laboratory, in force since January."""
    told = RangeReading("HB", "g/dL", date(2026, 1, 1), laboratory, "female", 18, None, Decimal(low), ">=", Decimal(16),
                        "<=", f"letter of {laboratory}")  # fmt: skip
    with desk.database.transaction(alone=True) as session:
        row = configure.draft_range(session, desk.doctor, desk.clinic_id, told, "its own analyser")
        publishing.publish(session, desk.second, [row], publishing.BACK_FILL)


def out_of_range(desk: Desk) -> dict[str, list[date]]:
    """By analyte, the days on which an open flag of the first layer began."""
    found: dict[str, list[date]] = {}
    for flag in desk.flags():
        if flag.rule == "out_of_range" and flag.machine == "open":
            found.setdefault(flag.subject, []).append(flag.opened_on)
    return found


def test_one_code_of_two_laboratories_is_two_tests_and_each_is_judged_by_its_own_range(desk: Desk) -> None:
    """G1 is neutrophils at North and lymphocytes at South. Haemoglobin 12.3 is low at North, which begins at 12.5, and
    not at South, which begins at 11.5; the clinic's own line begins at 12.
    """
    of_laboratory(desk, "North", "12.5")
    of_laboratory(desk, "South", "11.5")
    for laboratory, day in (("North", "2026-03-02"), ("South", "2026-03-09")):
        rows = f"0001,{day},G1,0.8,10*9/L,{laboratory}\n0001,{day},HB,12.3,g/dL,{laboratory}\n"
        assert file(desk, HEAD + rows).filed == 2
    assert {found.test for found in to_do(desk)} == {NORTH, SOUTH}
    assert out_of_range(desk) == {}  # HB: the later sample, of South, is inside, and ends the episode of North
    map_to(desk, NORTH, "ANC")
    map_to(desk, SOUTH, "ALC")
    assert (standing(desk, "ANC"), standing(desk, "ALC"), to_do(desk)) == (["0.8"], ["0.8"], [])
    assert out_of_range(desk) == {"ANC": [date(2026, 3, 2)], "ALC": [date(2026, 3, 9)]}
    assert desk.flag("action_limit", "ANC").opened_on == date(2026, 3, 2)
    assert not [flag for flag in desk.flags() if flag.rule == "action_limit" and flag.subject == "ALC"]
    file(desk, HEAD + "0001,2026-03-16,HB,12.3,g/dL,North\n")
    flag = desk.flag("out_of_range", "HB")
    assert flag.opened_on == date(2026, 3, 16)
    assert [(one["low"], one["range_from"]) for one in flag.evidence] == [(">= 12.5", "laboratory")]
