"""A grade of the Common Terminology Criteria for Adverse Events.

What it flags:
Every run of results of grade 1 or worse, one run for too low and one for too high, in the unit the
laboratory reported, against the limits of the result's own range and, where the criteria ask for it, against
the baseline of the course. Where the direction is the one of concern, grade 1 is information, 2 routine, 3
this week, 4 urgent; in the other direction grades 1 and 2 are information and the rest routine. A result that
cannot be graded neither joins an episode nor ends one.

Why it matters:
Grades make values of different analytes and laboratories comparable, and are what a report of an adverse event
asks for. They inform; what a drug's label asks for is said by its own limits.

Example:
Neutrophils 0.9 10*9/L are grade 3 by version 5.0 and grade 2 by version 6.0; exactly 1.0 is grade 2 by 5.0.

Source:
NCI CTCAE, the version that the clinic has chosen; it is named with every grade.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from functools import lru_cache

from tracker.domain.episodes import SEVERITY_OF_GRADE, Run, evidence, graded, reading, runs
from tracker.domain.findings import INFO, ROUTINE, Finding
from tracker.domain.grading import Grade, Limits, Version, scales
from tracker.domain.history import Course, History, Lab

CODE = "ctcae"
DIRECTIONS = ("low", "high")

_BY_COURSE = frozenset(("baseline", "flag"))  # a term that looks at these is graded by the course
_LEAST, _MOST = Decimal("-Infinity"), Decimal("Infinity")
# A value is rounded to 15 digits before it is graded; this near a bound it is graded, not passed over.
_UP, _DOWN = 1 + Decimal("1E-13"), 1 - Decimal("1E-13")


def check(history: History) -> Iterator[Finding]:
    courses = _Courses(history)
    for analyte, labs in history.labs.items():
        if not _all_quiet(history, analyte, labs, courses):
            yield from _episodes(history, labs)


# -------------------------------------------------------------------------------- passing over what is normal


class _Courses:
    """The course of a day, looked up once: the results of a draw share it."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._known: dict[date, Course | None] = {}

    def on(self, day: date) -> Course | None:
        if day not in self._known:
            self._known[day] = self._history.course_at(day)
        return self._known[day]


def _all_quiet(history: History, analyte: str, labs: Sequence[Lab], courses: _Courses) -> bool:
    """Whether no result can have a grade of 1 or more: each lies where no bound of its scales is crossed.

    The bounds are worked out anew only where unit, limits or course change from one result to the next.
    """
    uses = _uses(history.grading, analyte)
    if uses is None:
        return True
    by_course, by_day = bool(uses & _BY_COURSE), "anticoagulation" in uses
    situation: tuple[object, ...] = ()
    above, below = _MOST, _LEAST
    for lab in labs:
        figure = lab.figure
        if figure is None:
            continue
        course = courses.on(lab.collected_on) if by_course else None
        now = (lab.unit, lab.limits, course, by_day and lab.collected_on)
        if now != situation:
            situation = now
            start = history.baseline(course, analyte) if course else None
            above, below = _quiet(history.grading, analyte, lab.unit, history.grading_limits(lab, start))
        if lab.comparator or not above < figure < below:
            return False
    return True


@lru_cache(maxsize=1024)
def _uses(grading: Version, analyte: str) -> frozenset[str] | None:
    """What of limits, baseline and treatment the terms of an analyte look at; None where it has no term."""
    terms = [term for term in grading.terms_for(analyte) if term is not None]
    return frozenset().union(*(term.uses for term in terms)) if terms else None


@lru_cache(maxsize=65536)
def _quiet(grading: Version, analyte: str, unit: str, limits: Limits) -> tuple[Decimal, Decimal]:
    """Between these two no bound of either scale is crossed."""
    steps = [step for scale in scales(grading, analyte, unit, limits) for step in scale.steps]
    lows = [bound for upper, bound, _, _ in steps if not upper]
    highs = [bound for upper, bound, _, _ in steps if upper]
    return max(lows, default=_LEAST) * _UP, min(highs, default=_MOST) * _DOWN


# ------------------------------------------------------------------------------------------------- episodes


def _episodes(history: History, labs: Sequence[Lab]) -> Iterator[Finding]:
    pairs = {id(lab): history.grades(lab) for lab in labs}
    for side, direction in enumerate(DIRECTIONS):
        grades = {key: pair[side] for key, pair in pairs.items()}
        if any(grade.grade for grade in grades.values()):
            for run in runs(labs, lambda lab, of=grades: _graded(of[id(lab)])):  # type: ignore[misc]
                yield _finding(history, direction, run, [grades[id(lab)] for lab in run.labs])


def _graded(grade: Grade) -> bool | None:
    return None if grade.grade is None else grade.grade >= 1


def _finding(history: History, direction: str, run: Run, grades: list[Grade]) -> Finding:
    levels = graded(run.labs, [grade.grade for grade in grades])
    said = f"grade {levels.latest} ({grades[-1].term}, {history.grading.name})"
    notes = {id(lab): f"grade {grade.grade}" for lab, grade in zip(run.labs, grades, strict=True)}
    return Finding(
        rule=CODE,
        subject=run.first.analyte,
        entry=direction,
        severity=_severity(history.concern.get(run.first.analyte, ""), direction, levels.latest or 0),
        sentence=f"{reading(history, run.last)}, {said}: {grades[-1].reason}{levels.worst}",
        opened_on=run.first.collected_on,
        last_seen_on=run.last.collected_on,
        starts=run.first.collected_at.isoformat(),
        cleared_on=run.cleared_on,
        grade=levels.latest,
        grading=history.grading.name,
        peak_grade=levels.peak,
        source=history.grading.source,
        yardstick=f"{history.grading.name} {history.grading.digest[:12]}",
        evidence=evidence(run.labs, lambda lab: notes[id(lab)]),
    )


def _severity(concern: str, direction: str, grade: int) -> str:
    if concern in (direction, "both"):
        return SEVERITY_OF_GRADE[grade]
    return INFO if grade <= 2 else ROUTINE
