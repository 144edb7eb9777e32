"""Stored flags in the words of the desk: what was found, why, and what the label suggests.

Shared by queue, review, timeline and due list. Sentences are stored plain (`10*9/L`, `>= 0.5`, 2026-03-01), so
that they can be searched and exported; `said` writes them as pages do.
"""

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from tracker import rules
from tracker.domain.errors import Refused
from tracker.domain.findings import CONFIRMED, NEEDS_REPEAT, NOT_CONFIRMED, REPEAT_OVERDUE
from tracker.domain.lifecycle import MACHINE_CLEARED, NOT_QUEUED
from tracker.domain.ranges import INSIDE, Range, place
from tracker.domain.screening_facts import NAMES as SCREENING
from tracker.domain.units import to_canonical
from tracker.domain.values import read_number
from tracker.library.analytes import ANALYTES
from tracker.library.protocols import protocols
from tracker.models import Flag
from tracker.queries.dashboard import Dosing
from tracker.web.clock import today
from tracker.web.filters import OPERATORS, SUPERSCRIPTS, day, zone

_DAY = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
_POWER = re.compile(r"\b10\*(\d+)")
_BOUND = re.compile(r"^(<=|>=|<|>) (.+)$")

_CODED = re.compile(r"[a-z0-9]+(_[a-z0-9]+)+")
SUBJECTS = SCREENING | {
    "HYS_LAW": "Possible Hy’s law",
    "FEBRILE_NEUTROPENIA": "Febrile neutropenia",
    "RECURRENT_INFECTION": "Recurrent infections",
    "HOLD": "Hold",
    "LIPIDS": "Lipids",
    "UNMAPPED": "Tests that are not mapped",
    "RENAL": "Kidney function and dose",
    "HEPATIC": "Liver function and dose",
    "salt": "SALT score",
    "temperature_c": "Temperature",
}
AS_HEADLINE = {"overdue": " overdue", "not_evaluated": " not judged"}
ENDED = {
    "action_limit": "No longer at the limit",
    "do_not_start": "No longer at the limit",
    "out_of_range": "Normal again",
    "ctcae": "Normal again",
    "change": "No longer so",
    "hys_law": "No longer so",
    "muscle": "Below it again",
    "lipids": "Below it again",
    "overdue": "Done",
    "screening": "Answered",
    "benefit": "Answered",
    "not_evaluated": "Could be judged",
}
"""What has come about when a finding of that rule has ended; “Over” for the rest."""

ACTIONS = {
    "repeat": "repeat the test",
    "hold": "interrupt",
    "stop": "discontinue",
    "do_not_start": "do not start",
    "dose_change": "change the dose",
    "resume": "may be resumed",
    "investigate": "investigate",
    "consult": "ask a specialist",
}


# ---------------------------------------------------------------------------------------------- texts


def said(sentence: str) -> str:
    """`below 0.5 10*9/L on 2026-03-01` as `below 0.5 ×10⁹/L on 1 Mar 2026`."""
    sentence = _POWER.sub(lambda power: f"×10{power[1].translate(SUPERSCRIPTS)}", sentence)
    for written, sign in OPERATORS.items():
        sentence = sentence.replace(written, sign)
    sentence = sentence.replace(" x ULN", " × ULN").replace(" x 10", " × 10")
    return _DAY.sub(_as_day, sentence)


def _as_day(found: re.Match[str]) -> str:
    try:
        return day(date(int(found[1]), int(found[2]), int(found[3])))
    except ValueError:
        return found[0]


def short_day(on: date) -> str:
    """`8 Mar` in the year it is now, else `8 Mar 2025`."""
    return f"{on.day} {on:%b}" if on.year == today(zone()).year else day(on)


def subject_name(subject: str) -> str:
    """The analyte's name as it is spoken, the name of a check, else what was written (a laboratory's own name)."""
    if subject in ANALYTES:
        return ANALYTES[subject].name.removesuffix(" absolute")
    words = SUBJECTS.get(subject) or rules.TITLES.get(subject) or subject
    if _CODED.fullmatch(words):  # the class of an interaction: `strong_cyp3a4_inhibitor`
        words = re.sub(r"cyp\w+|oat\d", lambda name: name[0].upper(), words.replace("_", " "))
    return words[:1].upper() + words[1:]


# ---------------------------------------------------------------------------------------------- what was found


class Headline(NamedTuple):
    """What a flag is about, with the value it rests on. `place` is low, high or ""."""

    name: str
    value: str
    unit: str
    place: str


Fact = Mapping[str, Any]


def headline(flag: Flag) -> Headline:
    """What the flag is about; `overdue` and `not judged` are said, so that no value stands there as if it had been."""
    says_it = flag.rule == "not_evaluated" and (flag.subject in SUBJECTS or flag.subject in rules.TITLES)
    name = subject_name(flag.subject) + ("" if says_it else AS_HEADLINE.get(flag.rule, ""))
    fact = latest_fact(flag)
    if fact is None:
        return Headline(name, "", "", "")
    return Headline(name, fact["value"], fact["unit"], placed(fact))


def latest_fact(flag: Flag) -> Fact | None:
    """The last evidence that is about the flag's own subject and a result; None where its want is the finding."""
    if flag.rule == "overdue":
        return None
    own = [fact for fact in flag.evidence if fact["analyte"] == flag.subject and fact["result_id"] is not None]
    return own[-1] if own else None


def why(flag: Flag) -> str:
    """The rule's sentence, without the name and value that stand before it as the headline."""
    head = headline(flag)
    start = f"{subject_name(flag.subject)} {head.value} {head.unit}".strip()
    rest = flag.sentence.removeprefix(start)
    return said(rest.lstrip(",: ") if rest[:1] in (",", ":") else flag.sentence)


def placed(fact: Fact) -> str:
    """Where a value lies by the range kept with it: low, high, or "" for inside, no range, or not decidable."""
    limits = range_of(fact)
    number = _number(fact["value"])
    if limits is None or number is None:
        return ""
    where = place(number[0], number[1], limits)
    return where if where and where != INSIDE else ""


def range_of(fact: Fact) -> Range | None:
    """The range as the evidence keeps it, bounds with operators, in the unit of the value."""
    low, high = _bound(fact["low"]), _bound(fact["high"])
    if low is None and high is None:
        return None
    return Range(
        low and low[1], low is None or low[0] == ">=", high and high[1], high is None or high[0] == "<=",
        fact["unit"], fact["range_from"], fact["range_id"],
    )  # fmt: skip


def canonical_band(fact: Fact) -> tuple[Decimal | None, Decimal | None]:
    """The range of a fact in the canonical unit of its analyte, for drawing; open sides are None."""
    limits = range_of(fact)
    if limits is None:
        return None, None
    analyte = ANALYTES.get(fact["analyte"])
    bounds = (limits.low, limits.high)
    if analyte is None:
        return bounds
    low, high = (None if bound is None else to_canonical(analyte, bound, fact["unit"]) for bound in bounds)
    return low, high


def _bound(text: str) -> tuple[str, Decimal] | None:
    found = _BOUND.match(text)
    number = _number(found[2]) if found else None
    return (found[1], number[1]) if found and number else None


def _number(text: str) -> tuple[str, Decimal] | None:
    try:
        return read_number(text)
    except Refused:
        return None


# ---------------------------------------------------------------------------------------------- what is suggested


class Suggestion(NamedTuple):
    """What to do according to the label (or other guidance), its source, and whether a second source bore it out."""

    words: str
    source: str
    verified: bool


def suggestion(flag: Flag) -> Suggestion:
    """In the words of the desk; `words` is "" where neither label nor guidance names an action."""
    return Suggestion(_suggested(flag), flag.source, flag.verified)


def _suggested(flag: Flag) -> str:
    if flag.machine == MACHINE_CLEARED:
        return ended(flag) if flag.attention == NOT_QUEUED else f"{ended(flag)}: closure proposed"
    if flag.suggested is None:
        return ""
    act, who = ACTIONS.get(flag.suggested, flag.suggested), "label" if from_label(flag) else "guidance"
    if flag.suggested == "repeat":
        return "Repeat the test"
    if flag.confirmation in (NEEDS_REPEAT, REPEAT_OVERDUE):
        return f"{_repeat(flag)}; {who}: {act} if confirmed"
    confirmed = " (confirmed by repeat)" if flag.confirmation == CONFIRMED else ""
    not_confirmed = " (not confirmed by the repeat)" if flag.confirmation == NOT_CONFIRMED else ""
    return f"{who.capitalize()}: {act}{confirmed}{not_confirmed}"


def ended(flag: Flag) -> str:
    """`Normal again since 3 Apr`; for a finding that a correction took away: `No longer found`."""
    gone = "No longer found" if flag.superseded else ENDED.get(flag.rule, "Over")
    return f"{gone} since {short_day(flag.cleared_on)}" if flag.cleared_on else gone


def _repeat(flag: Flag) -> str:
    if flag.due_on is None:
        return "Repeat the test"
    if flag.confirmation == REPEAT_OVERDUE:
        return f"Repeat was due by {short_day(flag.due_on)}"
    return f"Repeat by {short_day(flag.due_on)}"


def from_label(flag: Flag) -> bool:
    """Does the line that judged stand in a drug's protocol? Otherwise it is other guidance, or the clinic's own."""
    return " + " not in flag.yardstick and flag.yardstick.partition(" ")[0] in protocols()


# ---------------------------------------------------------------------------------------------- the drug

TIMES = {1: "once daily", 2: "twice daily"}


class Taken(NamedTuple):
    """The drug of a patient for the line under the name; `started_on` is None once the course is over."""

    drug: str
    dose: str
    started_on: date | None
    state: str


def taken(dosing: Dosing | None) -> Taken:
    """What is taken now: `tofacitinib`, `5 mg twice daily`, and where it applies `on hold` or `stopped 3 Mar 2026`."""
    if dosing is None:
        return Taken("", "", None, "no course")
    often = TIMES.get(dosing.times_per_day or 0, f"{dosing.times_per_day} times daily" if dosing.times_per_day else "")
    dose = " ".join(part for part in (f"{dosing.mg} mg" if dosing.mg else "", often) if part)
    if dosing.stopped_on is not None and dosing.stopped_on <= today(zone()):
        return Taken(dosing.drug, dose, None, f"stopped {day(dosing.stopped_on)}")
    return Taken(dosing.drug, dose, dosing.started_on, "on hold" if dosing.on_hold else "")
