"""What a clinic sets for all of its patients: which range comes first, how soon a repeat is asked for, the grace, and
which infections are opportunistic (domain/opportunistic.py).

Each has versions like everything else a clinic sets. A time to the repeat only ever shortens a line's own; the grace is
the authors' proposal and the clinic's to set, within bounds. A line with a figure of the clinic's own keeps that.
"""

from collections.abc import Mapping, Sequence

from tracker.domain import opportunistic
from tracker.domain.dates import Span, span
from tracker.domain.errors import BadData, Refused
from tracker.domain.infections import Vocabulary
from tracker.domain.overlay import CONFIRM_WITHIN, GRACE_DAYS, VALUE, Published, never_later

RANGES_FIRST, OPPORTUNISTIC = "ranges_first", "opportunistic"
SCOPES = (RANGES_FIRST, CONFIRM_WITHIN, GRACE_DAYS, OPPORTUNISTIC)
PRINTED_FIRST, CONFIGURED_FIRST = "printed", "configured"
LONGEST_WINDOW = Span(0, 7)  # EU SmPC tofacitinib; no label gives more
MOST_GRACE = 28  # days, inclusive: from 30 days late on a limited analyte is for this week, whatever the grace


def check(scope: str, body: Mapping[str, str], words: Vocabulary) -> None:
    """Raise Refused, saying why, where something may not be set so. An empty body: as it is shipped. `words` are the
    packaged lists of infections.
    """
    if scope == OPPORTUNISTIC:
        opportunistic.check(body, words)
        return
    if strange := set(body) - {VALUE}:
        raise Refused(f"“{min(strange)}” cannot be set for a whole clinic.")
    if body:
        {RANGES_FIRST: _check_first, CONFIRM_WITHIN: _check_window, GRACE_DAYS: _check_grace}[scope](body[VALUE])


def _check_first(text: str) -> None:
    if text not in (PRINTED_FIRST, CONFIGURED_FIRST):
        raise Refused(f"“{text}” is neither {PRINTED_FIRST} nor {CONFIGURED_FIRST}.")


def _check_window(text: str) -> None:
    try:
        within = span(text)
    except BadData as error:
        raise Refused(str(error)) from None
    if within == Span(0, 0) or not never_later(within, LONGEST_WINDOW):
        raise Refused(
            f"A repeat is asked for within 1 to {LONGEST_WINDOW.days} days: the label gives {LONGEST_WINDOW}, and a "
            "clinic may ask sooner, and not later."
        )


def _check_grace(text: str) -> None:
    if not text.isascii() or not text.isdecimal() or int(text) > MOST_GRACE:
        raise Refused(
            f"The grace is a whole number of days, at most {MOST_GRACE}: a month late is overdue, whatever is set."
        )


def configured_first(version: Published | None) -> bool:
    """Whether the version in force puts the configured range before the printed one."""
    return version is not None and version.body.get(VALUE) == CONFIGURED_FIRST


def of_scope(settings: Sequence[Published], scope: str) -> list[Published]:
    return [setting for setting in settings if setting.scope == scope]
