"""What laboratories outside the standard's examples write into a message, and what a clinician would say it means."""

import pytest

from tests.formats.hl7v2 import MSH, OBR, PID, ZONE, only, refusal, result
from tracker.domain.readings import LabReading

ALT = "OBX|1|NM|1742-6^ALT^LN||31|U/L|||||F"


def taken(obx_14: str, obr: str, *more: str) -> tuple[str, str]:
    """When the sample was taken, and what is said about it."""
    row = only(f"{ALT}|||{obx_14}", *more, before=(MSH, PID, obr))
    assert isinstance(row.reading, LabReading), row.problems
    at = row.reading.collected
    told = f"{at.at.astimezone(ZONE):%d %b %H:%M}" if at.time_known else f"{at.on:%d %b}"
    return told, " ".join(problem.message for problem in row.problems)


ARRIVED = "OBR|1|P77|F4711|CBC|||20260227083000|||||||20260227111500||||||||{}"


def test_a_time_with_the_result_that_is_after_its_arrival_is_kept_and_pointed_out() -> None:
    reported = OBR.replace("20260301083000", "20260227083000") + "|" * 15 + "20260228060500"
    for order in (ARRIVED.format(""), reported):
        told, said = taken("20260228060500", order)
        assert told == "28 Feb 06:05"
        assert said.startswith("The order says that the sample was taken on 2026-02-27;")


@pytest.mark.parametrize(
    ("obx_14", "obr", "told"),
    [
        ("20260227093000", ARRIVED.format(""), "27 Feb 09:30"),  # before the sample arrived: of a series
        ("20260227140000", ARRIVED.format(""), "27 Feb 14:00"),  # the same day, whatever it is
        (
            "20260228060500",
            OBR.replace("20260301083000", "20260227083000"),
            "28 Feb 06:05",
        ),  # nothing speaks against it
        ("20260228060500", ARRIVED.replace("20260227111500", "20260226111500").format(""), "28 Feb 06:05"),
    ],
)
def test_otherwise_the_time_with_the_result_counts(obx_14: str, obr: str, told: str) -> None:
    assert taken(obx_14, obr) == (told, "")


def test_a_zone_of_two_digits_is_one() -> None:
    assert taken("202602270830+01", OBR)[0] == "27 Feb 08:30"


@pytest.mark.parametrize(
    ("pid", "mrn"),
    [
        ("PID|1|00231|F4711||Example^Ada", "00231"),
        ("PID|1||F4711|00231|Example^Ada", "00231"),
        ("PID|1||F4711||Example^Ada", "F4711"),  # there is no other
        ("PID|1|E77|00231||Example^Ada", "00231"),
    ],
)
def test_the_number_of_the_order_is_no_patient_where_another_number_is_given(pid: str, mrn: str) -> None:
    assert result(ALT, before=(MSH, pid, OBR)).mrn == mrn


@pytest.mark.parametrize(
    ("sent", "sex"), [("1", "male"), ("2", "female"), ("V", "female"), ("K", "female"), ("H", "male"), ("9", "unknown")]
)
def test_a_sex_by_the_letters_and_figures_of_other_countries(sent: str, sex: str) -> None:
    row = only(ALT, before=(MSH, PID.removesuffix("F") + sent, OBR))
    assert row.about is not None
    assert row.about.sex == sex


@pytest.mark.parametrize("sent", ["s. Bem.", "SEE NOTE", "cf commentaire"])
def test_what_points_to_the_note_is_no_value(sent: str) -> None:
    obx = f"OBX|1|ST|X^Something||{sent}||||||F"
    assert result(obx, "NTE|1||toxic granulation").value == "toxic granulation"
    assert refusal(obx) == "There is no value, so there is none to file."


def test_a_unit_and_a_flag_behind_one_number() -> None:
    found = result("OBX|1|ST|X^TG||1.7 mmol/L (H)|||||F")
    assert (found.value, found.unit, found.lab_flag) == ("1.7", "mmol/L", "H")
