"""Stored rows in the words of the desk, as the values that are printed: whose sheet, the flags, results, decisions."""

from collections.abc import Collection, Sequence
from datetime import date

from flask import get_template_attribute

from tracker import paper
from tracker.domain.findings import INFO, SEVERITIES
from tracker.domain.history import Lab
from tracker.domain.intended_use import INTENDED_USE
from tracker.domain.lifecycle import ACTIONS
from tracker.models import Flag, Patient
from tracker.queries.patient_card import Latest
from tracker.queries.review import Decided
from tracker.queries.timeline import Timeline
from tracker.web.access import current_clinic, current_user
from tracker.web.clock import now
from tracker.web.filters import age, bound, count, day, moment, time_on_drug, unit
from tracker.web.timeline import LIVER, Cell, Row, table, watched
from tracker.web.wording import Headline, Taken, headline, said, subject_name, suggestion, why

MOST_FLAGS, MOST_LABS, MOST_DECISIONS, MOST_CHARTS = 9, 22, 4, 4
MOST_DAYS = 7  # columns of the table under the timeline
LONGEST_COMMENT = 160  # characters; the record has the whole of it
MARKS = {"low": "\u202f↓", "high": "\u202f↑", "open": "\u202f?"}
LAYERS = {"printed": "printed", "laboratory": "laboratory’s", "clinic": "clinic’s"}
SEXES = {"female": "F", "male": "M"}


def printed() -> paper.Printed:
    """When, by whom and where this is printed."""
    return paper.Printed(current_clinic().name, current_user().name, moment(now()), now(), INTENDED_USE)


def who(patient: Patient, drug: Taken | None, brief: bool = False) -> paper.Who:
    """Whose sheet it is. `brief`: for a line of a list, which may leave the drug out (None)."""
    drug = drug or Taken("", "", None, "")
    years = age(patient.birth_date)
    sex = "not known" if patient.sex == "unknown" else patient.sex
    return paper.Who(
        patient.full_name,
        patient.mrn,
        f"born {day(patient.birth_date)}" if brief else f"{day(patient.birth_date)} ({years})",
        f"{SEXES.get(patient.sex, 'sex not known')} {years}" if brief else sex,
        f"{drug.drug} {drug.dose}".strip() or drug.state,
        time_on_drug(drug.started_on) if drug.started_on else "",
        drug.state if drug.drug else "",
    )


# ---------------------------------------------------------------------------------------------- flags


def word_of(severity: str) -> str:
    """`Act today`: as the marks of the pages have it."""
    words: dict[str, str] = get_template_attribute("macros/marks.html", "severity_words")
    return words[severity]


def review_word(state: str, until: date | None) -> str:
    """`Awaiting repeat until 9 Mar 2026`."""
    words: dict[str, str] = get_template_attribute("macros/marks.html", "review_words")
    return words[state] + (f" until {day(until)}" if until else "")


def flagged(flag: Flag, severity: str = "") -> paper.Flagged:
    """One flag with its reason, for a sheet."""
    head, severity = headline(flag), severity or flag.severity
    return paper.Flagged(
        severity,
        word_of(severity),
        head.name,
        value_of(head),
        MARKS.get(head.place, ""),
        _sentence(why(flag)),
        suggestion(flag).words,
        review_word(flag.review, flag.until),
        f"since {day(flag.opened_on)}",
        not flag.verified,
    )


def value_of(head: Headline) -> str:
    return f"{bound(head.value)} {unit(head.unit)}".strip()


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}" + ("" if words.endswith((".", "?", "!")) else ".")


def open_flags(flags: Sequence[Flag]) -> tuple[list[paper.Flagged], str]:
    """Those that stand by themselves, the worst first, and in words how many found no room."""
    own = [flag for flag in flags if flag.folded_under is None]
    worth = [flag for flag in own if flag.severity != INFO][:MOST_FLAGS]
    left = [flag for flag in own if flag not in worth]
    counted = [(word, sum(flag.severity == word for flag in left)) for word in SEVERITIES]
    more = ", ".join(f"{number} “{word_of(word)}”" for word, number in counted if number)
    return [flagged(flag) for flag in worth], f"And in the record: {more}." if more else ""


# ---------------------------------------------------------------------------------------------- results


def latest(found: Sequence[Latest]) -> tuple[list[paper.Measured], str]:
    """The last result of each test with its range, and in words which tests found no room."""
    monitored = [each for each in found if each.monitored] or list(found)
    shown = monitored[:MOST_LABS]
    left = len(found) - len(shown)
    return [_measured(each) for each in shown], f"{count(left, 'other test')} in the record." if left else ""


def _measured(each: Latest) -> paper.Measured:
    lab, before = each.lab, each.previous
    return paper.Measured(
        ", ".join(filter(None, (each.name, lab.computed, lab.meal))),
        bound(lab.shown),
        unit(lab.unit),
        MARKS.get(lab.mark, ""),
        *_judged(lab),
        day(lab.collected_on),
        _before(lab, before),
    )


def _before(lab: Lab, before: Lab | None) -> str:
    if before is None:
        return ""
    return bound(before.shown) if before.unit == lab.unit else f"{bound(before.shown)} {unit(before.unit)}"


def _judged(lab: Lab) -> tuple[str, str, bool]:
    """(range, whose it is, whether there is one)."""
    if lab.limits is not None:
        limits = " and ".join(bound(text) for text in (lab.limits.low_text, lab.limits.high_text) if text)
        return limits, LAYERS.get(lab.limits.origin, lab.limits.origin), True
    if lab.figure is None:
        return "a worded result", "", False
    return f"not evaluated: {lab.no_range}", "", False


# ---------------------------------------------------------------------------------------------- decisions


def decisions(found: Sequence[Decided]) -> tuple[list[paper.Decision], str]:
    """The last ones, newest first; one decision about several flags is one."""
    together: dict[tuple[object, ...], list[Decided]] = {}
    for one in reversed(found):
        together.setdefault((one.review.at, one.review.account_id, one.review.action), []).append(one)
    shown = [_decision(same) for same in list(together.values())[:MOST_DECISIONS]]
    left = len(together) - len(shown)
    return shown, f"{count(left, 'earlier decision')} in the record." if left else ""


def _decision(same: Sequence[Decided]) -> paper.Decision:
    review, by = same[0].review, same[0].by
    action = ACTIONS.get(review.action)
    words = action.words if action else review.action.replace("_", " ").capitalize()
    standing = {"proposed": " (waits for a second person)", "declined": " (declined)"}.get(review.standing, "")
    until = f", next check by {day(review.until)}" if review.until else ""
    second = f", confirmed by {same[0].second_by}" if same[0].second_by and review.standing == "confirmed" else ""
    return paper.Decision(
        moment(review.at),
        f"{words}{standing}{until}",
        ", ".join(dict.fromkeys(subject_name(one.subject) for one in reversed(same))),
        f"{by}{second}",
        shortened(said(review.comment)),
    )


def shortened(words: str, most: int = LONGEST_COMMENT) -> str:
    """At a blank, with a sign that there is more."""
    return words if len(words) <= most else f"{words[:most].rpartition(' ')[0] or words[:most]} …"


# ---------------------------------------------------------------------------------------------- charts


def most_telling(found: Timeline) -> list[str]:
    """The tests a single page has room for: first those with a flag, the newest first, then those with a limit."""
    wanted = watched(found)
    marks = sorted((mark for mark in found.marks if mark.severity != INFO), key=lambda mark: mark.on, reverse=True)
    about = [name for mark in marks for name in (LIVER if mark.subject == "HYS_LAW" else (mark.subject,))]
    others = [one.subject for one in found.series]
    return [name for name in dict.fromkeys((*about, *others)) if name in wanted][:MOST_CHARTS]


def newest(found: Timeline, names: Collection[str] | None) -> tuple[list[str], list[paper.Row], str]:
    """The table of the page for its newest days: of all tests, or of those with these names."""
    shown = table(found, most=MOST_DAYS)
    rows = [row for row in shown.rows if names is None or row.name in names]
    older = f"Values before {day(shown.days[-1])} are in the record." if shown.older else ""
    return [day(on) for on in shown.days] if rows else [], [_row(row) for row in rows], older if rows else ""


def _row(row: Row) -> paper.Row:
    limits = " and ".join(bound(text) for text in (row.low, row.high) if text)
    limits = f"{limits} {unit(row.range_unit)}".strip() if limits and row.range_unit else limits
    return paper.Row(row.name, unit(row.unit), limits, [_cell(same) for same in row.cells])


def _cell(same: Sequence[Cell]) -> paper.Cell:
    """Several results of one day stand beside each other; the mark is that of the last one out of range."""
    told = " / ".join(f"{bound(one.words)} {unit(one.unit)}".strip() for one in same)
    return paper.Cell(told, next((MARKS[one.place] for one in reversed(same) if one.place in MARKS), ""))


def file_name(what: str, patient: Patient | None, on: date) -> str:
    """`summary-AL-0001-2026-03-01.pdf`: signs that a file's name cannot have are left out."""
    number = "".join(sign for sign in patient.mrn if sign.isalnum() or sign in "-_") if patient else ""
    return "-".join(part for part in (what, number, on.isoformat()) if part) + ".pdf"
