"""What holds for every patient, whatever the results: the rules on laboratory results, over made-up histories."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from tests.rules.stories import history
from tracker.domain.findings import RANK, Finding
from tracker.domain.values import plain
from tracker.library.protocols import protocols
from tracker.rules import RULES as ALL_RULES
from tracker.rules import (
    action_limit,
    change,
    ctcae,
    do_not_start,
    hys_law,
    lipids,
    not_evaluated,
    out_of_range,
)

RULES = (action_limit, do_not_start, hys_law, ctcae, change, lipids, out_of_range, not_evaluated)

Result = dict[str, str]
Told = dict[str, Any]

# Values at, just beside and far from the bounds the rules know; the unit of each and an exact other one.
VALUES = {
    "ANC": ("10*9/L", "0.3 0.49 0.5 0.51 0.9 1.0 1.001 1.4 1.5 1.9 2.0 3.5 5.0 9.0 <0.5 <0.8"),
    "ALC": ("10*9/L", "0.1 0.2 0.49 0.5 0.6 0.749 0.75 0.8 1.1 1.2 2.0 4.0 <0.5 <0.6"),
    "PLT": ("10*9/L", "20 24 49 50 75 99 149 150 250 460 <50"),
    "HB": ("g/dL", "6.5 7.9 8.0 8.1 8.9 9.0 9.9 10.0 11.9 12.0 13.0 14.0 16.5 <8.0"),
    "ALT": ("U/L", "15 30 40 41 80 119 120 121 200 201 321 900 >1000"),
    "AST": ("U/L", "15 40 120 121 321"),
    "ALP": ("U/L", "80 120 239 240 400"),
    "TBIL": ("mg/dL", "0.5 1.0 1.1 1.5 2.0 2.1 3.1 12"),
    "CREAT": ("mg/dL", "0.6 0.7 0.8 1.1 1.2 1.7 3.4"),
    "LDL": ("mg/dL", "80 99 104 130 189 190 240"),
    "TG": ("mg/dL", "100 149 150 301 400 401 500 1001"),
    "CK": ("U/L", "60 130 340 700 1400"),
}
# What counts, lipids and clearances are worked out from, and tests in words.
PARTS = {
    "WBC": ("10*9/L", "0.9 1.2 2.4 5.0 11 <0.4"),
    "NEUT_SEG_PCT": ("%", "30 38 60"),
    "NEUT_BAND_PCT": ("%", "0 4 10"),
    "LYMPH_PCT": ("%", "10 20 30"),
    "CHOL": ("mg/dL", "150 200 260"),
    "HDL": ("mg/dL", "35 50"),
    "HCG": ("m[IU]/mL", "0.5 3 250 <5"),
}
LOW = ("ANC", "ALC", "PLT", "HB")  # the lower the worse; of the others, the higher
NOT_HIGH = {"ANC": "8.25", "ALC": "4.95", "PLT": "450", "HB": "16"}  # above, lower is better
SAME_UNITS = {
    "10*9/L": (("x10E9/L", 1), ("K/uL", 1), ("10^3/mm3", 1), ("/uL", 1000), ("cells/mm3", 1000)),
    "g/dL": (("G/DL", 1), ("g/100ml", 1), ("g/L", 10)),
    "U/L": (("IU/L", 1), ("u/l", 1)),
    "mg/dL": (("mg/dl", 1), ("MG/DL", 1), ("mg%", 1)),
    "%": (("pct", 1), ("Prozent", 1)),
    "m[IU]/mL": (("mIU/mL", 1), ("IU/L", 1)),
}
STARTED = date(2026, 1, 5)
FIRST, LAST = date(2025, 12, 10), date(2026, 6, 30)


@st.composite
def result(draw: st.DrawFn, analytes: tuple[str, ...] = tuple(VALUES)) -> Result:
    analyte = draw(st.sampled_from(analytes))
    unit, values = (VALUES | PARTS)[analyte]
    day = FIRST + timedelta(days=draw(st.integers(0, 200)))
    return {"analyte": analyte, "value": draw(st.sampled_from(values.split())), "unit": unit, "on": day.isoformat()}


@st.composite
def doses(draw: st.DrawFn) -> list[Told]:
    """The first dose and up to two changes of it."""
    days = draw(st.lists(st.integers(1, 150), max_size=2, unique=True))
    amounts = st.fixed_dictionaries({"mg": st.sampled_from(["5", "10", "100"]), "times": st.sampled_from(["1", "2"])})
    return [{"on": (STARTED + timedelta(days=day)).isoformat(), **draw(amounts)} for day in (0, *sorted(days))]


@st.composite
def courses(draw: st.DrawFn) -> list[Told]:
    """One course, held for three weeks or not, stopped or not, and after it another of the same or of another drug."""
    protocol = st.sampled_from(sorted(protocols()))
    course: Told = {"protocol": draw(protocol), "started_on": STARTED.isoformat(), "doses": draw(doses())}
    if draw(st.booleans()):
        held = STARTED + timedelta(days=draw(st.integers(20, 90)))
        course["holds"] = [{"on": held.isoformat(), "until": (held + timedelta(days=21)).isoformat()}]
    if not draw(st.booleans()):
        return [course]
    stopped = STARTED + timedelta(days=draw(st.integers(115, 140)))
    course["stopped_on"] = stopped.isoformat()
    if draw(st.booleans()):
        return [course]
    return [
        course,
        {"protocol": draw(protocol), "started_on": (stopped + timedelta(days=draw(st.integers(1, 30)))).isoformat()},
    ]


@st.composite
def patients(draw: st.DrawFn, analytes: tuple[str, ...] = tuple(VALUES)) -> Told:
    """A treated patient; no two results of an analyte share a day, so that none are of one sample."""
    results = draw(st.lists(result(analytes), min_size=1, max_size=14, unique_by=lambda r: (r["analyte"], r["on"])))
    return {"as_of": LAST.isoformat(), "courses": draw(courses()), "results": results}


anybody = patients((*VALUES, *PARTS))


def findings(told: Mapping[str, Any], rules: Iterable[Any] = RULES) -> list[Finding]:
    patient = history(told)
    return [finding for rule in rules for finding in rule.check(patient)]


def everything(told: Mapping[str, Any]) -> list[Finding]:
    """What all the rules say, those on the schedule, doses, holds and screening too."""
    return findings(told, ALL_RULES)


def anonymous(found: Iterable[Finding]) -> set[Finding]:
    """The findings without the numbers of the results they rest on."""
    return {replace(f, evidence=tuple(replace(e, result_id=None) for e in f.evidence)) for f in found}


def verdicts(found: Iterable[Finding]) -> set[tuple[object, ...]]:
    """What is decided, without the words and the figures as they were reported."""
    return {
        (f.fingerprint, f.severity, f.grade, f.peak_grade, f.confirmation, f.suggested, f.cleared_on, f.due_on)
        for f in found
    }


@given(anybody, st.randoms(use_true_random=False))
def test_the_order_in_which_results_come_does_not_matter(told: Told, shuffler: Any) -> None:
    mixed = list(told["results"])
    shuffler.shuffle(mixed)
    assert anonymous(everything(told | {"results": mixed})) == anonymous(everything(told))


@given(anybody)
def test_every_finding_has_its_own_fingerprint(told: Told) -> None:
    found = everything(told)
    assert len({finding.fingerprint for finding in found}) == len(found)


@given(patients(), st.data())
def test_a_worse_value_never_makes_anything_less_severe(told: Told, data: st.DataObject) -> None:
    """The latest result of an analyte on treatment is replaced by a worse one."""
    treated = [r for r in told["results"] if date.fromisoformat(r["on"]) > STARTED]
    assume(treated)
    chosen = data.draw(st.sampled_from(treated))
    latest = max((r for r in treated if r["analyte"] == chosen["analyte"]), key=lambda r: r["on"])
    number = Decimal(latest["value"].lstrip("<>"))
    low = latest["analyte"] in LOW
    assume(latest["value"][0] != ("<" if low else ">"))  # a bound is already as bad as it can be
    assume(not low or number <= Decimal(NOT_HIGH[latest["analyte"]]))
    candidates = [v for v in VALUES[latest["analyte"]][1].split() if v[0] not in "<>"]
    worse = [v for v in candidates if (Decimal(v) < number if low else Decimal(v) > number)]
    assume(worse)
    changed = latest | {"value": data.draw(st.sampled_from(worse))}
    after = told | {"results": [changed if r is latest else r for r in told["results"]]}
    # A raised alkaline phosphatase speaks for bile ducts and against Hy's law.
    subjects = (latest["analyte"],) if latest["analyte"] == "ALP" else (latest["analyte"], "HYS_LAW")
    for subject in subjects:
        assert severity(findings(after), subject) <= severity(findings(told), subject), (latest, changed)


def severity(found: Iterable[Finding], subject: str) -> int:
    """The worst that is open on a subject; 0 is urgent."""
    open_ones = [RANK[f.severity] for f in found if f.subject == subject and f.is_open and f.rule != "not_evaluated"]
    return min(open_ones, default=len(RANK))


@given(anybody, st.data())
def test_another_spelling_or_an_exact_other_unit_changes_no_verdict(told: Told, data: st.DataObject) -> None:
    respelled = [in_another_unit(r, data.draw(st.sampled_from(SAME_UNITS[r["unit"]]))) for r in told["results"]]
    assert verdicts(everything(told | {"results": respelled})) == verdicts(everything(told))


def in_another_unit(told: Result, other: tuple[str, int]) -> Result:
    unit, times = other
    comparator = told["value"][0] if told["value"][0] in "<>" else ""
    figure = plain(Decimal(told["value"].lstrip("<>")) * times)
    return told | {"unit": unit, "value": f"{comparator}{figure}"}


@given(anybody, st.sampled_from(["5", "12", "80", "<5", ">100"]), st.integers(0, 200))
def test_a_result_that_has_nothing_to_do_with_it_changes_nothing(told: Told, value: str, day: int) -> None:
    unrelated = {"analyte": "ESR", "value": value, "on": (FIRST + timedelta(days=day)).isoformat()}
    after = everything(told | {"results": [*told["results"], unrelated]})
    assert [f for f in after if f.subject != "ESR"] == everything(told)


@given(anybody, st.integers(0, 200))
def test_as_of_a_day_what_came_later_makes_no_difference(told: Told, days: int) -> None:
    day = FIRST + timedelta(days=days)
    cut = as_known_on(told, day)
    assert anonymous(everything(told | {"as_of": day.isoformat()})) == anonymous(everything(cut))


def as_known_on(told: Told, day: date) -> Told:
    """The story as it could have been told at the end of a day; a start that is planned is known before."""
    return {
        "as_of": day.isoformat(),
        "results": [r for r in told["results"] if date.fromisoformat(r["on"]) <= day],
        "courses": [course_as_known_on(course, day) for course in told["courses"]],
    }


def course_as_known_on(told: Told, day: date) -> Told:
    known = dict(told)
    if known.get("stopped_on", "") > day.isoformat():
        del known["stopped_on"]
    known["doses"] = [dose for dose in told.get("doses", ()) if dose["on"] <= day.isoformat()]
    holds = [hold for hold in told.get("holds", ()) if hold["on"] <= day.isoformat()]
    known["holds"] = [{"on": h["on"]} if h["until"] > day.isoformat() else h for h in holds]
    return known


@given(patients(), st.integers(27, 200))
def test_an_episode_keeps_its_fingerprint_as_time_goes_by(told: Told, days: int) -> None:
    """What was open on a day is, later, the same episode, open or cleared.

    Only gaps vanish when they are filled, and reasons not to start when they have grown stale before the start.
    """
    day = FIRST + timedelta(days=days)
    passing = {"not_evaluated"}
    if any(course["started_on"] > day.isoformat() for course in told["courses"]):
        passing.add("do_not_start")
    later = {finding.fingerprint for finding in findings(told)}
    then = [f for f in findings(told | {"as_of": day.isoformat()}) if f.rule not in passing]
    assert {f.fingerprint for f in then} <= later


@given(patients(), st.integers(0, 200))
def test_what_cleared_stays_as_it_was(told: Told, days: int) -> None:
    day = FIRST + timedelta(days=days)
    then = [f for f in findings(told | {"as_of": day.isoformat()}) if not f.is_open]
    later = {f.fingerprint: f for f in findings(told)}
    # A reason not to start is told otherwise once it was passed over.
    assert all(later.get(f.fingerprint) == f for f in then if f.rule != "do_not_start")


@given(patients())
def test_dates_of_a_finding_are_in_order(told: Told) -> None:
    for finding in findings(told):
        assert finding.opened_on <= finding.last_seen_on <= LAST
        assert finding.cleared_on is None or finding.last_seen_on <= finding.cleared_on
        assert finding.due_on is None or finding.confirmation in ("needs_repeat", "repeat_overdue")


@given(patients())
def test_a_grade_names_its_version_and_the_worst_is_no_milder(told: Told) -> None:
    for finding in findings(told):
        assert (finding.grading == "") is (finding.grade is None)
        assert finding.grade is None or (finding.peak_grade or 0) >= finding.grade


@given(patients())
def test_every_open_limit_is_also_evidence_that_can_be_looked_up(told: Told) -> None:
    """Each finding rests on results of its patient, oldest first."""
    known = {lab.id for labs in history(told).labs.values() for lab in labs}
    for finding in findings(told):
        assert {fact.result_id for fact in finding.evidence} <= known


@given(patients())
def test_the_batch_grades_as_one_result_is_graded(told: Told) -> None:
    """ctcae passes over what is quiet: nothing that has a grade may be passed over."""
    patient = history(told)
    graded = {
        (lab.analyte, side)
        for labs in patient.labs.values()
        for lab in labs
        for side, grade in zip(ctcae.DIRECTIONS, patient.grades(lab), strict=True)
        if grade.grade
    }
    assert {(f.subject, f.entry) for f in ctcae.check(patient)} == graded


ODD_VALUES = ["0", "0.0", "-1", "<0", ">0", "1E+3", "0.00000001", "99999999", "<=0.5", ">=3", "12.3456789012345678901"]
ODD_UNITS = ["", "%", "furlongs", "/uL", "g/L", "mmol/L", "ukat/L", "mg/dL", "10*9/L", "U/L", "{INR}"]


@st.composite
def odd_results(draw: st.DrawFn) -> Result:
    """What no laboratory should report, and some do."""
    told: Result = {
        "analyte": draw(st.sampled_from([*VALUES, "WBC", "LYMPH_PCT", "HCT", "HDL", "CHOL", "INR", "IGRA", "Zinc"])),
        "on": (FIRST + timedelta(days=draw(st.integers(0, 200)))).isoformat(),
        "unit": draw(st.sampled_from(ODD_UNITS)),
        "lab_flag": draw(st.sampled_from(["", "", "L", "HH", "panic low", "?"])),
    }
    if draw(st.integers(0, 9)) == 0:
        return told | {"text": draw(st.sampled_from(["clotted", "positive", ""]))}
    for bound in ("low", "high"):
        if draw(st.booleans()):
            told[bound] = draw(st.sampled_from(["0", "1", "2.5", "-3", "1000"]))
    return told | {"value": draw(st.sampled_from(ODD_VALUES))}


@given(patients(), st.lists(odd_results(), max_size=12), st.sampled_from(["4", "5", "6"]))
def test_whatever_is_reported_every_rule_has_an_answer(told: Told, odd: list[Result], version: str) -> None:
    for finding in findings(told | {"results": [*told["results"], *odd], "ctcae": version}):
        assert finding.sentence
        assert finding.severity in RANK


# ------------------------------------------------------------------------------------------- before or after a meal


@st.composite
def ldl_series(draw: st.DrawFn) -> list[Result]:
    """LDL of different days before and on the drug, of which some say whether the patient was fasting."""
    days = draw(st.lists(st.integers(0, 200), min_size=2, max_size=7, unique=True))
    said = st.fixed_dictionaries({}, optional={"fasting": st.sampled_from(["yes", "no"])})
    values = st.sampled_from(VALUES["LDL"][1].split())
    return [
        {"analyte": "LDL", "value": draw(values), "unit": "mg/dL", "on": str(FIRST + timedelta(days=day)), **draw(said)}
        for day in days
    ]


def of_ldl(results: Iterable[Result]) -> list[Finding]:
    course = {"protocol": "tofacitinib_us", "started_on": STARTED.isoformat()}
    return list(change.check(history({"courses": [course], "results": list(results), "as_of": LAST.isoformat()})))


def state(note: str) -> str:
    return note.removeprefix("baseline").strip(", ")


@given(ldl_series())
def test_a_fasting_sample_is_never_held_against_one_that_was_not(results: list[Result]) -> None:
    for finding in of_ldl(results):
        notes = [state(fact.note) for fact in finding.evidence]
        compared = notes if finding.entry == change.TREND else [notes[0], notes[-1]]
        assert not {"fasting", "not fasting"} <= set(compared)
        silent = "" in compared
        assert ("whether fasting was not said" in finding.sentence) == silent


@given(ldl_series(), st.sampled_from(["yes", "no"]))
def test_where_all_samples_say_the_same_the_findings_are_those_of_samples_that_say_nothing(
    results: list[Result], answer: str
) -> None:
    def told(said: Mapping[str, str]) -> list[tuple[object, ...]]:
        found = of_ldl(
            {key: text for key, text in result.items() if key != "fasting"} | dict(said) for result in results
        )
        return [(f.entry, f.starts, f.opened_on, f.last_seen_on, f.cleared_on, f.severity) for f in found]

    assert told({"fasting": answer}) == told({})
