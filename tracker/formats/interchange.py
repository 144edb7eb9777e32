"""The eight tables of the interchange: columns in their published order, and what each cell may hold."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tracker.domain.errors import Refused
from tracker.domain.readings import (
    CANCELLED,
    FINAL,
    STATUSES,
    CourseEventReading,
    CourseReading,
    EventReading,
    LabReading,
    MedicationReading,
    ObservationReading,
    PatientReading,
    RangeReading,
)
from tracker.formats.cells import (
    Misfit,
    Noted,
    Remark,
    amount,
    boolean,
    day,
    day_if_whole,
    decimal,
    instant,
    listed,
    moment,
    mrn,
    one_of,
    partial_date,
    printed_bound,
    printed_range,
    reported,
    whole,
)
from tracker.formats.specimens import elsewhere
from tracker.formats.tables import NOT_A_COLUMN, Column, Layout

TABLES: Mapping[str, tuple[str, ...]] = {
    "patients": ("mrn", "family_name", "given_name", "birth_date", "sex", "weight_kg", "clinic"),
    "courses": (
        "mrn", "protocol", "indication", "started_on", "stopped_on", "stop_reason", "dose_mg", "times_per_day",
    ),
    "course_events": ("mrn", "on", "kind", "dose_mg", "times_per_day", "reason"),
    "results": (
        "mrn", "collected_at", "analyte", "value", "unit", "ref_low", "ref_high", "lab_flag", "laboratory",
        "accession", "status", "recorded_at", "sub_id", "fasting",
    ),
    "adverse_events": (
        "mrn", "kind", "term", "onset_on", "resolved_on", "controlled_on", "site", "organism", "grade", "serious",
        "criteria", "hospitalised", "opportunistic", "treated", "outcome",
    ),
    "medications": ("mrn", "name", "interaction", "started_on", "stopped_on"),
    "observations": ("mrn", "on", "kind", "value"),
    "ranges": (
        "analyte", "laboratory", "sex", "age_from", "age_to", "low", "low_op", "high", "high_op", "unit",
        "effective_from", "source",
    ),
}  # fmt: skip

COURSE_EVENT_KINDS = ("dose", "hold", "resume")
EVENT_KINDS = ("infection", "other", "symptom")
OBSERVATION_KINDS = (
    "weight_kg", "child_pugh", "cyp2c9", "salt", "zoster_vaccine", "pregnancy_status", "temperature_c",
    "boxed_risk",
)  # fmt: skip
INTERACTIONS = (
    "strong_cyp3a4_inhibitor", "moderate_cyp3a4_inhibitor", "strong_cyp3a4_inducer",
    "strong_cyp2c19_inhibitor", "strong_cyp2c19_inducer",
    "cyp2c9_inhibitor", "moderate_cyp2c9_inhibitor", "strong_cyp2c9_inhibitor", "strong_cyp2c9_inducer",
    "strong_oat3_inhibitor", "immunosuppressant", "anticoagulant",
)  # fmt: skip

_MRN = Column("mrn", mrn, required=True)


def _weight(cell: str) -> Decimal | None:
    figure = amount(cell)
    if figure == 0:
        raise Refused("Nobody weighs 0 kg: leave the cell empty where the weight is not known.")
    return figure


def _interactions(cell: str) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(word for part in cell.lower().split(";") if (word := part.strip())))
    if unknown := [word for word in words if word not in INTERACTIONS]:
        known = listed(INTERACTIONS, "and")
        raise Remark(words, f"{listed(unknown, 'and')} is kept, but no rule looks for it. Known words are {known}.")
    return words


def _result(*values: Any) -> LabReading:
    *before, sub_id, fasting = values
    reading = LabReading(*before)._replace(sub_id=sub_id, fasting=fasting)
    if not reading.value and reading.status != CANCELLED:
        raise Misfit("value", "value is empty: every row needs it.")
    lower, upper, said = printed_range(reading.ref_low, reading.ref_high)
    if said:
        column = "ref_high" if reading.ref_low is None else "ref_low"
        raise Noted(reading._replace(ref_low=lower, ref_high=upper), (column, said))
    return reading


def of_samples(columns: Mapping[str, bool]) -> Layout:
    """The table of results with more columns that may say of what a sample is; the first that does counts. By their
    names, and whether they name the sample itself. A creatinine of urine is called creatinine too.
    """
    results = LAYOUTS["results"]

    def make(*values: Any) -> LabReading:
        reading, told = (
            values[: len(results.columns)],
            zip(columns.values(), values[len(results.columns) :], strict=True),
        )
        where = next((found for sample, cell in told if (found := elsewhere(cell, sample)) is not None), "")
        mrn, collected, analyte, *rest = reading
        return _result(mrn, collected, analyte if analyte.startswith("loinc:") else f"{analyte}{where}", *rest)

    return results._replace(columns=(*results.columns, *map(Column, columns)), make=make)


def _event_reading(*values: Any) -> EventReading:
    reading = EventReading(*values)
    if reading.onset_on is None:
        said = f"Only “{reading.onset_text}” is known of the onset" if reading.onset_text else "The onset is not known"
        raise Noted(reading, ("onset_on", f"{said}: rules that count days leave the event out."))
    return reading


def _range(*values: Any) -> RangeReading:
    reading = RangeReading(*values)
    if reading.low is None and reading.high is None:
        raise Misfit("low", "The range has neither a lower nor an upper bound: give at least one.")
    if reading.low is not None and reading.high is not None and reading.low > reading.high:
        raise Misfit("low", f"The lower bound {reading.low} is above the upper bound {reading.high}: check both.")
    if reading.age_from is not None and reading.age_to is not None and reading.age_from >= reading.age_to:
        ages = f"from {reading.age_from} and below {reading.age_to}"
        raise Misfit("age_to", f"No age is {ages}: age_to is the first birthday outside the range.")
    return reading


_years = whole("an age in years", 0, 150)
_times_a_day = whole("how often a day a dose is taken", 1, 24)

# The columns stand in the order of the reading's fields, which need not be that of the table.
LAYOUTS: Mapping[str, Layout] = {
    "patients": Layout(
        "patients",
        (
            _MRN,
            Column("family_name"),
            Column("given_name"),
            Column("birth_date", day),
            Column("sex", one_of("a sex", ("female", "male", "unknown"), empty="unknown")),
            Column("weight_kg", _weight),
            Column("clinic"),
        ),
        PatientReading,
    ),
    "courses": Layout(
        "courses",
        (
            _MRN,
            Column("protocol", required=True),
            Column("started_on", day, required=True),
            Column(NOT_A_COLUMN),  # the drug, which the protocol names
            Column("indication"),
            Column("stopped_on", day),
            Column("stop_reason"),
            Column("dose_mg", amount),
            Column("times_per_day", _times_a_day),
        ),
        CourseReading,
    ),
    "course_events": Layout(
        "course_events",
        (
            _MRN,
            Column("on", day, required=True),
            Column("kind", one_of("a kind of event", COURSE_EVENT_KINDS), required=True),
            Column("dose_mg", amount),
            Column("times_per_day", _times_a_day),
            Column("reason"),
        ),
        CourseEventReading,
    ),
    "results": Layout(
        "results",
        (
            _MRN,
            Column("collected_at", moment, required=True, zoned=True),
            Column("analyte", required=True),
            Column("value", reported, required=True, repeats=False, blank=True),  # of a cancelled result
            Column("unit"),
            Column("ref_low", printed_bound),
            Column("ref_high", printed_bound),
            Column("lab_flag"),
            Column("laboratory"),
            Column("accession"),
            Column("status", one_of("a status", STATUSES, empty=FINAL)),
            Column("recorded_at", instant, zoned=True),
            Column("sub_id"),
            Column("fasting", boolean),
        ),
        _result,
    ),
    "adverse_events": Layout(
        "adverse_events",
        (
            _MRN,
            Column("kind", one_of("a kind of event", EVENT_KINDS), required=True),
            Column("term", required=True),
            Column("onset_on", day_if_whole),
            Column("onset_on", partial_date),
            Column("resolved_on", day),
            Column("controlled_on", day),
            Column("site"),
            Column("organism"),
            Column("grade", whole("a grade", 1, 5)),
            Column("serious", boolean),
            Column("criteria"),
            Column("hospitalised", boolean),
            Column("opportunistic", boolean),
            Column("treated", boolean),
            Column("outcome"),
        ),
        _event_reading,
    ),
    "medications": Layout(
        "medications",
        (
            _MRN,
            Column("name", required=True),
            Column("interaction", _interactions),
            Column("started_on", day),
            Column("stopped_on", day),
        ),
        MedicationReading,
    ),
    "observations": Layout(
        "observations",
        (
            _MRN,
            Column("on", day, required=True),
            Column("kind", one_of("a kind of observation", OBSERVATION_KINDS), required=True),
            Column("value", required=True),
        ),
        ObservationReading,
    ),
    "ranges": Layout(
        "ranges",
        (
            Column("analyte", required=True),
            Column("unit", required=True),
            Column("effective_from", day, required=True),
            Column("laboratory"),
            Column("sex", one_of("a sex", ("female", "male"))),
            Column("age_from", _years),
            Column("age_to", _years),
            Column("low", decimal),
            Column("low_op", one_of("an operator of a lower bound", (">=", ">"), empty=">=")),
            Column("high", decimal),
            Column("high_op", one_of("an operator of an upper bound", ("<=", "<"), empty="<=")),
            Column("source"),
        ),
        _range,
    ),
}
