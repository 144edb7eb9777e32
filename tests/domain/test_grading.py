"""CTCAE grades: what the published text says at every bound, and against a second reading of the same rules."""

import csv
import itertools
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.admiral_rules import Rule, published, rules
from tracker.domain.errors import BadData
from tracker.domain.grading import NO_TERM, Baseline, Grade, Limits, Term, grade, grade_both, scale
from tracker.domain.grading_units import unit_key
from tracker.domain.values import Number, read_number
from tracker.library.ctcae import VERSIONS, build, ctcae

CASES = Path(__file__).parent / "cases"
PAGE = Path("clinical") / "ctcae.md"
NUMERIC = [(version, term) for version in VERSIONS for term in ctcae(version).terms if not term.not_graded]
HAIR = Decimal("0.000001")


def table(name: str) -> list[dict[str, str]]:
    with (CASES / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def figure(text: str) -> Decimal | None:
    return Decimal(text) if text else None


def against(row: dict[str, str], baseline: str) -> Limits:
    return Limits(figure(row["lln"]), figure(row["uln"]), Baseline(figure(row[baseline]), row["flag"]))


def said(given_grade: Grade) -> str:
    """The grade as the tables write it: `?` where it cannot be graded, `none` where there is no term."""
    if given_grade.grade is not None:
        return str(given_grade.grade)
    assert given_grade.reason, "a missing grade has a reason"
    return "none" if given_grade.reason.startswith(NO_TERM) else "?"


def its_term(version: str, name: str) -> Term:
    (term,) = (term for term in ctcae(version).terms_for(name) if term)
    return term


# ------------------------------------------------------------------------------- what the published text says


# Written out from the published text by a second transcription, not from the data files: every term, version, bound and
# unit, from normal, high and low baselines, with and without the laboratory's limits.
BOUNDS: dict[tuple[str, str], list[dict[str, str]]] = {}
for bound_row in table("ctcae_bounds.csv"):
    BOUNDS.setdefault((bound_row["version"], bound_row["term"]), []).append(bound_row)


@pytest.mark.parametrize("of", BOUNDS, ids=" ".join)
def test_just_before_at_and_just_beyond_every_bound(of: tuple[str, str]) -> None:
    term = its_term(*of)
    beyond = HAIR if term.direction == "high" else -HAIR
    for row in BOUNDS[of]:
        bound, here = Decimal(row["bound"]), scale(term, row["unit"], against(row, "baseline"))
        grades = [said(here.grade(Number("", value))) for value in (bound - beyond, bound, bound + beyond)]
        assert grades == [row["milder"], row["at"], row["worse"]], row


def test_every_bound_of_the_data_files_stands_in_the_table() -> None:
    missing = []
    for version, term in NUMERIC:
        rows = BOUNDS.get((version, term.name), [])
        missing += [(version, term.name, flag) for flag in term.uses & {"low", "high"} - {row["flag"] for row in rows}]
        for unit in term.units or ("",):
            its = [row for row in rows if row["unit"] == unit or not unit]
            entered = {row[side] for row in its for side in ("at", "worse")}
            entered |= {row["milder"] for row in its} & {"?"}
            figures = {Decimal(row["bound"]) for row in its}
            for level in term.rows[unit_key(unit)]:
                wanted = "?" if level.verdict.grade is None else str(level.verdict.grade)
                published_figures = {cut.plus for cut in level.cuts if not cut.of}
                if wanted not in entered or published_figures - figures:
                    missing.append((version, term.name, f"{unit} grade {wanted}"))
    assert missing == []


# What is no number at all is the command's to say; its tests read this table too.
NUMBERS = [row for row in table("ctcae_rows.csv") if row["value"] not in ("", "positive", "150,000")]


@pytest.mark.parametrize("row", NUMBERS, ids=lambda row: " ".join(row.values()))
def test_a_result_with_its_limits_and_baseline(row: dict[str, str]) -> None:
    number = read_number(row["value"])
    assert number
    limits = against({**row, "flag": row["baseline_flag"]}, "baseline_value")
    low, high = grade_both(ctcae(row["version"]), row["analyte"], number, row["unit"], limits)
    assert (said(low), said(high)) == (row["low"], row["high"])


def test_the_baseline_of_inr_counts_on_anticoagulants_only() -> None:
    term, number = its_term("5", "INR increased"), Number("", Decimal("1.1"))
    baseline = Baseline(Decimal("1.0"), "normal")
    assert grade(term, number, "", baseline=baseline).grade == 0
    assert grade(term, number, "", baseline=baseline, on_anticoagulant=True).grade == 1
    assert grade(term, number, "", on_anticoagulant=True).grade is None


def test_a_grade_says_the_published_text_and_what_was_assumed() -> None:
    given_grade = grade(its_term("5", "Hypokalemia"), Number("", Decimal("3.2")), "mmol/L", lln=Decimal("3.5"))
    assert given_grade.reason.startswith("Symptomatic with <LLN - 3.0 mmol/L; intervention indicated")
    assert "symptoms are assumed" in given_grade.reason


# ------------------------------------------------------------------- a second reading: the reference implementation

HIGH_AND_UNKNOWN = {
    "5": {"Alanine aminotransferase increased", "Aspartate aminotransferase increased", "GGT increased"}
    | {"Alkaline phosphatase increased", "Blood bilirubin increased"},
    "6": {"Alanine aminotransferase increased", "Aspartate aminotransferase increased", "GGT increased"}
    | {"Blood bilirubin increased"},
}


def expected(rule: Rule, known: dict[str, Decimal | str | None]) -> int | None:
    """What the reference implementation grades, and NCI's text where the page lists that it departs from it."""
    x, base, flag = known["x"], known["BASE"], known["flag"]
    assert isinstance(x, Decimal)
    assert base is None or isinstance(base, Decimal)
    lower_bound = Decimal(150) if rule.unit == "mg/dL" else Decimal("1.71")
    if rule.term == "Hypertriglyceridemia" and x == lower_bound:
        return 1  # NCI_LOWER_BOUND_INCLUSIVE
    from_high = flag == "high" and base is not None and x == 2 * base and known["ULN"] is not None
    if (rule.term, rule.version) == ("GGT increased", "5") and from_high:
        return 1  # NCI_LOWER_BOUND_INCLUSIVE
    if flag == "high" and base is None and rule.term in HIGH_AND_UNKNOWN.get(rule.version, ()):
        return None  # BASELINE_ABNORMAL_BUT_VALUE_MISSING
    if rule.term == "INR increased":
        return rule.grade({**known, "BASE": Decimal(10**9)})  # off anticoagulants no baseline counts
    if (rule.term, rule.version, flag) == ("Creatinine increased", "6", "low"):
        return low_creatinine_baseline(rule, known)
    return rule.grade(known)


def low_creatinine_baseline(rule: Rule, known: dict[str, Decimal | str | None]) -> int | None:
    """By the text the multiples of ULN count beside those of a low baseline, and its value is needed for the rest."""
    by_uln = rule.grade({**known, "flag": "normal"})
    if known["BASE"] is None:
        return by_uln if by_uln in (3, 4) else None
    return max(filter(None, (by_uln, rule.grade(known))), default=rule.grade(known))


def situations(rule: Rule) -> Iterator[dict[str, Decimal | str | None]]:
    """Limits and baselines around the rule's own figures, known and unknown, and every value at or next to a bound."""
    plain = [Decimal(text) for text in re.findall(r"(?:x [<>]=? )(\d[\d.]*)", " ".join(c for c, _ in rule.arms))]
    start = (max(plain) * Decimal("1.1") if rule.side == "L" else min(plain) * Decimal("0.9")) if plain else Decimal(40)
    limits = [
        (start * Decimal("0.7"), start),
        (start, start * 2),
        (start * 8, start * 16),
        (None, start),
        (start, None),
        (None, None),
    ]
    bases = [None, start * Decimal("0.5"), start * Decimal("1.3"), start * 3]
    for (lln, uln), base, flag in itertools.product(limits, bases, ("", "low", "normal", "high")):
        known: dict[str, Decimal | str | None] = {"LLN": lln, "ULN": uln, "BASE": base, "flag": flag}
        for bound in {*rule.figures(known), start, Decimal(0)}:
            for x in (bound - HAIR, bound, bound + HAIR):
                if x >= 0:
                    yield {**known, "x": x}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_reference_implementation_agrees_at_every_bound(shared: Path, version: str) -> None:
    different, compared = [], 0
    for rule in (rule for rule in rules(shared / PAGE) if rule.version == version):
        term = its_term(version, rule.term)
        unit = "anything" if rule.unit == "any unit" else rule.unit
        for known in situations(rule):
            x, lln, uln, base = (known[name] for name in ("x", "LLN", "ULN", "BASE"))
            baseline = Baseline(base, str(known["flag"]))  # type: ignore[arg-type]
            ours = grade(term, Number("", x), unit, lln, uln, baseline).grade  # type: ignore[arg-type]
            compared += 1
            if ours != expected(rule, known):
                different.append((rule.term, rule.unit, known, ours, expected(rule, known)))
    assert compared > 10_000
    assert different == []


@pytest.mark.parametrize("version", VERSIONS)
def test_on_anticoagulants_the_reference_implementation_agrees_about_inr(shared: Path, version: str) -> None:
    (rule,) = (rule for rule in rules(shared / PAGE) if (rule.version, rule.term) == (version, "INR increased"))
    for known in situations(rule):
        x, lln, uln, base = (known[name] for name in ("x", "LLN", "ULN", "BASE"))
        baseline = Baseline(base, str(known["flag"]))  # type: ignore[arg-type]
        term = its_term(version, "INR increased")
        ours = grade(term, Number("", x), "", lln, uln, baseline, on_anticoagulant=True)  # type: ignore[arg-type]
        assert ours.grade == rule.grade(known), known


@pytest.mark.parametrize("version", VERSIONS)
def test_every_rule_of_the_reference_implementation_is_known(shared: Path, version: str) -> None:
    terms = {rule.term: rule.side for rule in rules(shared / PAGE) if rule.version == version}
    assert len(terms) > 35
    assert {name: its_term(version, name).direction[0].upper() for name in terms} == terms


# --------------------------------------------------------------------------------------- the texts themselves


def test_the_texts_are_those_that_were_published(shared: Path) -> None:
    page = published(shared / PAGE)
    compared = 0
    for version, term in NUMERIC:
        cells = page.get((version, re.sub(r" \((Fasting|Ionized)\)", "", term.name)))
        for at in (1, 2, 3, 4) if cells else ():
            assert term.texts.get(at, "-") == cells[at - 1].replace("–", "-"), (version, term.name, at)
            compared += 1
    assert compared > 400


def test_the_figures_of_a_cut_stand_in_the_text_beside_it() -> None:
    """But for the units that are only the printed ones times a power of ten (or, ionized calcium, times 4)."""
    derived = {"10*9/L", "/uL", "g/L", "G/L", "umol/L"}
    for version, term in NUMERIC:
        for unit, rows in term.rows.items():
            if unit in derived or ("Ionized" in term.name and unit == "mg/dL") or term.name == "Hemoglobin increased":
                continue
            for row in rows:
                printed = {Decimal(t) for t in re.findall(r"\d+(?:\.\d+)?", term.texts.get(row.verdict.grade or 0, ""))}
                for cut in row.cuts:
                    wanted = cut.plus if not cut.of else cut.factor
                    beside = (
                        {1, Decimal("0.25"), Decimal("0.5"), Decimal("0.75")} if term.name.startswith("Fib") else {1}
                    )
                    in_bands = term.name == "Hyponatremia" and wanted == 130
                    assert wanted in printed | beside or in_bands or row.verdict.grade is None, (version, term.name)


# ------------------------------------------------------------------------------------------------ properties

amounts = st.decimals(min_value=Decimal("0.01"), max_value=Decimal(3000), places=2)
maybe = st.none() | amounts
flags = st.sampled_from(("", "low", "normal", "high"))
situation = st.tuples(st.sampled_from(NUMERIC), maybe, maybe, maybe, flags, st.booleans())


def some_unit(term: Term) -> str:
    return term.units[0] if term.units else ""


@given(situation, amounts, amounts)
def test_a_worse_value_never_has_a_lower_grade(
    where: tuple[tuple[str, Term], Decimal | None, Decimal | None, Decimal | None, str, bool],
    one: Decimal,
    two: Decimal,
) -> None:
    (_, term), lln, uln, base, flag, anticoagulated = where
    limits = Limits(lln, uln, Baseline(base, flag), anticoagulated)
    ready = scale(term, some_unit(term), limits)
    milder, worse = sorted((one, two), reverse=term.direction == "low")
    first, second = ready.grade(Number("", milder)).grade, ready.grade(Number("", worse)).grade
    assert first is None or second is None or first <= second


@given(situation, st.sampled_from(("<", "<=", ">", ">=")), amounts, st.integers(1, 99))
def test_a_censored_value_has_a_grade_only_if_all_it_may_stand_for_have_it(
    where: tuple[tuple[str, Term], Decimal | None, Decimal | None, Decimal | None, str, bool],
    comparator: str,
    bound: Decimal,
    percent: int,
) -> None:
    (_, term), lln, uln, base, flag, anticoagulated = where
    ready = scale(term, some_unit(term), Limits(lln, uln, Baseline(base, flag), anticoagulated))
    verdict = ready.grade(Number(comparator, bound))
    meant = bound * percent / 100 if comparator.startswith("<") else bound * (100 + percent) / percent
    if verdict.grade is not None:
        assert ready.grade(Number("", meant)) == verdict


SPELLINGS = (
    (
        *("10*9/L", "10^9/L", "10E9/L", "x10e9/l", "10**9/L", "x 10^9/L", "10⁹/L", "G/L", "GI/L", "giga/L", "/nL"),
        *("10^3/uL", "10*3/uL", "10^3/µL", "10^3/μL", "K/uL", "K/µL", "THOU/uL", "thousand/uL", "10^3/mm3"),
    ),
    ("/uL", "1/uL", "cells/uL", "/mm3", "cells/mm3", "/mm³", "10^6/L", "10*6/L", "10^3/mL", "CELLS/MCL", "/cumm"),
    ("g/dL", "G/DL", "gm/dL", "g%", " g/dl "),
    ("g/L", "G/L", "gm/L"),
    ("mg/dL", "MG/DL", "mg%", "mg/100mL"),
    ("mmol/L", "MMOL/L", "mmol/l"),
    ("umol/L", "µmol/L", "μmol/L", "UMOL/L", "mcmol/L"),
    ("mL/min", "ml/min", "ML/MIN"),
    ("g/24 h", "g/24hrs", "g/24 hours", "g/d", "g/day", "G/24H"),
)


@pytest.mark.parametrize("spellings", SPELLINGS, ids=lambda spellings: str(spellings[0]))
@given(value=amounts, lln=maybe, uln=maybe)
def test_another_spelling_of_the_unit_changes_nothing(
    spellings: tuple[str, ...], value: Decimal, lln: Decimal | None, uln: Decimal | None
) -> None:
    terms = [term for _, term in NUMERIC if spellings[0] in term.units]
    assert terms
    for term in terms:
        grades = {grade(term, Number("", value), unit, lln, uln) for unit in spellings}
        assert len(grades) == 1, (term.name, grades)


@pytest.mark.parametrize(
    ("term", "unit"),
    [
        ("Neutrophil count decreased", "10^12/L"),
        ("Neutrophil count decreased", "%"),
        ("Neutrophil count decreased", "g/L"),
        ("Anemia", "10^9/L"),
        ("Cholesterol high", "g/L"),
        ("Hypocalcemia", "mEq/L"),
        ("Creatinine clearance decreased", "mL/min/1.73m2"),
        ("Urinary protein increased", "mg/24h"),
        ("Hypoalbuminemia", "mg/dL"),
        ("Hypoglycemia", ""),
    ],
)
def test_a_unit_without_published_cuts_gives_no_grade(term: str, unit: str) -> None:
    low = grade(its_term("6", term), Number("", Decimal(1)), unit, Decimal(2), Decimal(3))
    assert low.grade is None
    assert "unit" in low.reason


# ------------------------------------------------------------------------------------------------- the files


def test_a_file_that_contradicts_itself_is_refused() -> None:
    term = {"name": "A", "direction": "low", "analytes": ["X"], "grade_1": {"text": "", "cut": {"any": {"below": 1}}}}
    file = {"version": "CTCAE 0", "source": "", "not_graded": []}
    assert build({**file, "term": [term]}, "").terms_for("x").low
    for wrong in (
        [term, {**term, "name": "B"}],
        [{**term, "direction": "sideways"}],
        [{**term, "grade_1": {"text": "", "cut": {"any": {"below": 1, "when": "the moon is full"}}}}],
        [{**term, "grade_1": {"text": "", "cut": {"any": {"below": 1, "of": "something"}}}}],
        [{**term, "grade_1": {"text": ""}}],
    ):
        with pytest.raises(BadData):
            build({**file, "term": wrong}, "")


def test_an_unknown_version_is_not_another() -> None:
    with pytest.raises(KeyError):
        ctcae("3")
