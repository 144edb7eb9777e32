"""Tests before and during treatment: what answers an item, how a worded result reads, and where there is a gap."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from tracker.domain.boxed_risk import BOXED_RISK, NOTHING_FOUND, OBSERVED, known_risks
from tracker.domain.dates import Span, add
from tracker.domain.history import Course, History, Lab
from tracker.domain.protocol import Screen
from tracker.domain.ranges import HIGH, INSIDE

POSITIVE, NEGATIVE, UNCLEAR = "positive", "negative", "unclear"

_WORDS = {
    "positive": POSITIVE, "detected": POSITIVE, "reactive": POSITIVE, "pregnant": POSITIVE, "yes": POSITIVE,
    "negative": NEGATIVE, "not detected": NEGATIVE, "non-reactive": NEGATIVE, "not pregnant": NEGATIVE, "no": NEGATIVE,
    "postmenopausal": NEGATIVE, "sterilised": NEGATIVE, "sterilized": NEGATIVE, "hysterectomy": NEGATIVE,
    "maybe": UNCLEAR, "possible": UNCLEAR, "possibly pregnant": UNCLEAR, "suspected": UNCLEAR, "inconclusive": UNCLEAR,
    "indeterminate": UNCLEAR, "borderline": UNCLEAR, "equivocal": UNCLEAR, "trace": UNCLEAR,
}  # fmt: skip

# Verdicts as flags: HL7 table 0078.
_FLAGS = {
    "POS": POSITIVE, "RR": POSITIVE, "DET": POSITIVE, "NEG": NEGATIVE, "NR": NEGATIVE, "ND": NEGATIVE,
    "IND": UNCLEAR, "WR": UNCLEAR, "E": UNCLEAR,
}  # fmt: skip
NORMAL = "N"

TB, HEPATITIS, PREGNANCY = "TB_LATENT", "HEPATITIS_B_C", "PREGNANCY_STATUS"
NAMES = {
    TB: "TB test", HEPATITIS: "Hepatitis B and C", PREGNANCY: "Pregnancy status",
    "ZOSTER_VACCINE": "Zoster vaccine", "IMMUNISATIONS": "Vaccinations", "RENAL_FUNCTION": "Kidney function",
    "CYP2C9_GENOTYPE": "CYP2C9 genotype", BOXED_RISK: "Boxed-risk profile",
}  # fmt: skip
# What answers an item: all of these analytes, or one of these observations; anything else goes by its own name.
_BY_LABS = {
    TB: ("IGRA",), HEPATITIS: ("HBSAG", "ANTIHBC", "ANTIHCV"), "RENAL_FUNCTION": ("CREAT",),
}  # fmt: skip
_BY_OBSERVATIONS = {
    PREGNANCY: ("pregnancy_status",), "ZOSTER_VACCINE": ("zoster_vaccine",),
    "IMMUNISATIONS": ("immunisations", "zoster_vaccine"), BOXED_RISK: (OBSERVED,),
}  # fmt: skip
READ_IN_WORDS = ("IGRA", "HBSAG", "ANTIHBC", "ANTIHCV", "VZVIGG", "UPROT")
"""Analytes without a unit of their own: a number of theirs has to be read as positive or negative."""
# How many days before the first dose it may have been done, where not at any time. Author-proposed.
_RECENT = {PREGNANCY: 30, "RENAL_FUNCTION": 90}
_NOT_DONE = ("", "no", "none", "not given", "not done", "unknown", "0", "pending", "not asked")
HCG_NEGATIVE, HCG_PRINTED, HCG_POSITIVE = Decimal(1), Decimal(5), Decimal(25)  # IU/L
_CHILDBEARING = range(12, 56)  # completed years


def may_bear_children(history: History, course: Course) -> bool:
    """Anybody of 12 to 55 at the first dose who is not a man; an age that is not known counts as such."""
    age = history.person.age_on(course.started_on)
    return history.person.sex != "male" and (age is None or age in _CHILDBEARING)


def answered(history: History, course: Course, screen: Screen) -> list[date]:
    """The days on which an item of the protocol was answered in full, sorted."""
    recent = _RECENT.get(screen.item)
    earliest = date.min if recent is None else course.started_on - timedelta(days=recent)
    codes = _BY_LABS.get(screen.item, ())
    if codes:
        return _complete([_days(history, code, earliest) for code in codes])
    kinds = _BY_OBSERVATIONS.get(screen.item, (screen.observation or screen.item.lower(),))
    seen = (o for o in history.observations if o.kind in kinds and earliest <= o.on <= history.as_of)
    no_answer = set(_NOT_DONE)
    if screen.item == BOXED_RISK:  # that there is no risk is an answer, unless one is on record
        no_answer = no_answer | NOTHING_FOUND if known_risks(history, course) else no_answer - NOTHING_FOUND
    days = {o.on for o in seen if o.value.strip().casefold() not in no_answer}
    return sorted(days.union(_days(history, "HCG" if screen.item == PREGNANCY else screen.item, earliest)))


def asks_for(screen: Screen, code: str) -> bool:
    """Whether an item of a protocol is answered by this analyte."""
    return code in _BY_LABS.get(screen.item, (screen.item,))


def unanswered(history: History, screen: Screen) -> str:
    """Which of several tests are wanting, by name; empty where the item is one test."""
    codes = _BY_LABS.get(screen.item, ())
    missing = (history.name(code) for code in codes if not history.labs.get(code))
    return ", ".join(missing) if len(codes) > 1 else ""


def _days(history: History, code: str, earliest: date) -> list[date]:
    return [lab.collected_on for lab in history.labs.get(code, ()) if lab.collected_on >= earliest]


def _complete(days: Sequence[Sequence[date]]) -> list[date]:
    """The days on which each of the tests is there: of one test all, of several the first on which none is wanting."""
    if not all(days):
        return []
    return list(days[0]) if len(days) == 1 else [max(each[0] for each in days)]


class Reading(NamedTuple):
    """One test as read: the day, the verdict (None where it cannot be read), and what it was read from."""

    on: date
    starts: str
    verdict: str | None
    shown: str
    lab: Lab | None = None


def read_words(text: str) -> str | None:
    """positive, negative or unclear; None for words that say none of these."""
    return _WORDS.get(text.strip().casefold().replace("_", " "))


def read_test(lab: Lab) -> Reading:
    """A qualitative result, also where the laboratory printed a number with the bound that divides it, or a flag.

    A number is read by one upper bound alone, and only where the flag does not say otherwise: a lower bound divides
    immune from not immune, and what stands exactly on the bound may be either. Then there is no verdict.
    """
    verdict = read_words(lab.text)
    if verdict is None and lab.figure is not None:
        verdict = _by_number(lab)
    return Reading(lab.collected_on, lab.collected_at.isoformat(), verdict, lab.shown, lab)


def _by_number(lab: Lab) -> str | None:
    flag = lab.lab_flag.strip().upper()
    flagged, placed = _FLAGS.get(flag), _by_bound(lab)
    if flagged is not None:
        return flagged if placed in (None, flagged) else None
    expected = {POSITIVE: flag != NORMAL, NEGATIVE: flag in ("", NORMAL)}
    return placed if placed is not None and expected[placed] else None


def _by_bound(lab: Lab) -> str | None:
    """By the upper bound that divides negative from positive; None without one, and on the bound itself."""
    limits = lab.limits
    if limits is None or limits.high is None or limits.low or (lab.figure == limits.high and lab.comparator != "<"):
        return None
    return {HIGH: POSITIVE, INSIDE: NEGATIVE}.get(lab.place or "")


def read_pregnancy_test(lab: Lab) -> Reading:
    """Chorionic gonadotropin (HCG): by its words or its range; without one positive from 25 and negative below 1 IU/L.

    General knowledge, and the reference of ABIM. `<5` is how a laboratory prints that there is none.
    """
    reading = read_test(lab)
    if reading.verdict is not None or lab.value is None:
        return reading
    if lab.limits is not None:
        return reading._replace(verdict=UNCLEAR)
    if lab.above(HCG_POSITIVE, inclusive=True):
        return reading._replace(verdict=POSITIVE)
    none_found = lab.comparator in ("<", "<=") and lab.value <= HCG_PRINTED
    return reading._replace(verdict=NEGATIVE if none_found or lab.below(HCG_NEGATIVE) else UNCLEAR)


def read_viral_load(lab: Lab) -> Reading:
    """HBV DNA: any amount is detected; `<20` may be some or none and is said to be unclear."""
    verdict = read_words(lab.text)
    if lab.figure is not None:
        below = lab.comparator in ("<", "<=")
        verdict = UNCLEAR if below else POSITIVE if lab.figure > 0 else NEGATIVE
    return Reading(lab.collected_on, lab.collected_at.isoformat(), verdict, lab.shown, lab)


class Streak(NamedTuple):
    """Readings with one verdict in a row; `ended` is the first that says the opposite, None while it stands."""

    first: Reading
    last: Reading
    ended: Reading | None


def streaks(readings: Iterable[Reading], verdict: str, against: Sequence[str]) -> Iterator[Streak]:
    """The stretches in which `verdict` stood until one of `against` came; other readings change nothing."""
    first: Reading | None = None
    last: Reading | None = None
    for reading in readings:
        if reading.verdict == verdict:
            first, last = first or reading, reading
        elif reading.verdict in against and first is not None and last is not None:
            yield Streak(first, last, reading)
            first = last = None
    if first is not None and last is not None:
        yield Streak(first, last, None)


class Gap(NamedTuple):
    """Days without a valid test: the first such day, the day a test ended it, and the last test before it."""

    opened: date
    closed: date | None
    last: date | None


def gaps(start: date, end: date, tests: Sequence[date], valid: Span | None) -> Iterator[Gap]:
    """The days from `start` to `end` without a valid test.

    A test holds for `valid`, that day included (None: for good). `tests` are sorted. A gap open at `end` is not closed.
    """
    before = [day for day in tests if day <= start]
    last = before[-1] if before else None
    for day in (*(day for day in tests if start < day <= end), None):
        opened = start if last is None else _lapses(last, valid)
        if opened is not None:
            opened = max(opened, start)
            if opened < day if day is not None else opened <= end:
                yield Gap(opened, day, last)
        last = day


def _lapses(test: date, valid: Span | None) -> date | None:
    """The first day a test no longer holds."""
    return None if valid is None else add(test, valid) + timedelta(days=1)
