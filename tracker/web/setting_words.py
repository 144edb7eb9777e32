"""A clinic's settings in words, each kind after its own way: what is set, what a version says, what is shipped, and the
pages that lead there.
"""

from collections.abc import Mapping
from typing import Any

from flask import url_for

from tracker.domain.clinic_wide import CONFIGURED_FIRST, LONGEST_WINDOW, OPPORTUNISTIC, PRINTED_FIRST, RANGES_FIRST
from tracker.domain.criteria import criterion, words
from tracker.domain.dates import span
from tracker.domain.errors import NotFound, Refused
from tracker.domain.findings import INFO, ROUTINE, SOON, URGENT
from tracker.domain.opportunistic import ANY_FORM, TERMS, WITHOUT, ZOSTER
from tracker.domain.overlay import CONFIRM_WITHIN, GRACE_DAYS, OFF, VALUE, find_line
from tracker.domain.protocol import Limit, Protocol, ScheduleEntry
from tracker.domain.tailoring import AT_LEAST, AT_MOST
from tracker.library.protocols import protocols
from tracker.models import ClinicSetting
from tracker.models.setting import CLINIC_WIDE, OWN_RULE, RULE
from tracker.queries.yardsticks import UNITS
from tracker.rules import TITLES
from tracker.web.filters import count
from tracker.web.wording import ACTIONS, said, subject_name

WORDS = {
    "value": "acts at",
    "confirm_within": "repeat within",
    "first_from": "first check from",
    "first_to": "first check by",
    "every": "every",
    "grace_days": "days of grace",
}
SEVERITY = {URGENT: "Act today", SOON: "This week", ROUTINE: "Routine", INFO: "For information"}  # as the marks have it
WIDE = {
    RANGES_FIRST: "Which range comes first",
    CONFIRM_WITHIN: "How soon a repeat is asked for",
    GRACE_DAYS: "From when a check is overdue",
    OPPORTUNISTIC: "Which infections are opportunistic",
}
FIRST = {PRINTED_FIRST: "the printed range, else the configured one",
         CONFIGURED_FIRST: "the configured range, else the printed one"}  # fmt: skip
ZOSTERS = {"": "where it is multidermatomal or disseminated, as the labels have it",
           ANY_FORM: "in any form, as Winthrop 2015 has it"}  # fmt: skip
WIDE_SHIPPED = {
    RANGES_FIRST: FIRST[PRINTED_FIRST],
    CONFIRM_WITHIN: f"within {LONGEST_WINDOW}, or sooner where the line of the protocol says so",
    GRACE_DAYS: "after the grace of the protocol, 14 days",
    OPPORTUNISTIC: f"those on the list of Winthrop 2015; zoster {ZOSTERS['']}",
}
LISTED = {TERMS: "also counts", WITHOUT: "does not count"}
LEVELS = {AT_LEAST: "at least", AT_MOST: "at most"}


def line_of(protocol_id: str, key: str) -> tuple[Protocol, Any]:
    protocol = protocols().get(protocol_id)
    if protocol is None:
        raise NotFound("There is no such protocol.")
    try:
        return protocol, find_line(protocol, key)
    except Refused as error:
        raise NotFound(str(error)) from None


def keys_of(line: Any) -> tuple[str, ...]:
    if isinstance(line, ScheduleEntry):
        return ("first_from", "first_to", "every", "grace_days")
    if not isinstance(line, Limit) or (line.high is None and line.above is None):
        return ()
    return ("value", "confirm_within") if line.confirm else ("value",)


def line_title(protocol: Protocol, found: Any) -> str:
    """`Neutrophils, action limit, tofacitinib (Xeljanz, US)`."""
    rooms = {"schedule": "blood test", "initiation": "do not start", "on_treatment": "action limit",
             "screening": "screening", "events": "event", "dose_adjust": "dose"}  # fmt: skip
    room = next(name for name in rooms if found in getattr(protocol, name))
    names = (getattr(found, name, None) for name in ("analyte", "subject", "item", "event", "condition"))
    subject = next(name for name in names if name)
    named = subject_name(subject) if room in ("schedule", "initiation", "on_treatment", "screening") else subject
    return f"{named.replace('_', ' ')}, {rooms[room]}, {protocol.title}"


def title_of(row: ClinicSetting) -> str:
    if row.kind == OWN_RULE:
        return f"Own rule: {row.body.get('title') or row.scope.partition('/')[2].replace('_', ' ')}"
    if row.kind == RULE:
        return f"Rule: {TITLES.get(row.scope, row.scope)}"
    if row.kind == CLINIC_WIDE:
        return WIDE.get(row.scope, row.scope)
    try:
        return line_title(*line_of(*row.scope.split("/", 1)))
    except NotFound:
        return row.scope


def shipped(row: ClinicSetting) -> str:
    """What judges without a version of the clinic's."""
    if row.kind == OWN_RULE:
        return "no such rule"
    if row.kind == RULE:
        return "on, with its own severities"
    if row.kind == CLINIC_WIDE:
        return WIDE_SHIPPED.get(row.scope, "")
    return label_says(line_of(*row.scope.split("/", 1))[1])


def edit(row: ClinicSetting) -> str:
    """The form for another version, or for another draft in the place of this one."""
    replaces = row.id if row.state == "draft" else None
    if row.kind == OWN_RULE:
        return url_for("own_rules.form", of=row.id)
    if row.kind == RULE:
        return url_for("rule_settings.form", code=row.scope, replaces=replaces)
    if row.kind == CLINIC_WIDE:
        return url_for("clinic_wide.form", scope=row.scope, replaces=replaces)
    protocol_id, _, key = row.scope.partition("/")
    return url_for("protocol_lines.form", protocol_id=protocol_id, key=key, replaces=replaces)


def home(row: ClinicSetting) -> str:
    """The page of what is set."""
    if row.kind == OWN_RULE:
        return url_for("rules_pages.index")
    if row.kind == RULE:
        return url_for("rules_pages.show", code=row.scope)
    if row.kind == CLINIC_WIDE:
        return url_for("settings.index")
    return url_for("rules_pages.protocol", protocol_id=row.scope.partition("/")[0])


def label_says(found: Any) -> str:
    """The line as the protocol's file has it, in a few words."""
    if isinstance(found, Limit):
        waits = f", repeat within {found.confirm_within}" if found.confirm else ""
        return f"{found.words}{waits}"
    if isinstance(found, ScheduleEntry):
        first = f"first check {found.first_from} to {found.first_to}" if found.first_to else ""
        every = f"then every {found.every}" if found.every else ""
        return ", ".join(filter(None, (first, every))) or "no interval"
    return found.origin.text or "asked for"


def described(row: ClinicSetting) -> str:
    """What a version says: `acts at 1200, repeat within 5 days`, `switched off`, `as the protocol has it`."""
    body: Mapping[str, str] = row.body
    if row.kind == OWN_RULE:
        return _own_rule(row) if body else "not in force"
    if body.get(OFF):
        return "switched off"
    if row.kind == RULE:
        key = next(iter(body), "")
        return f"{LEVELS[key]} “{SEVERITY[body[key]]}”" if key else "as shipped"
    if row.kind == CLINIC_WIDE:
        return _for_all(row.scope, body) if body else "as shipped"
    parts = (f"{WORDS[key]} {_shown(row, key, text)}" for key, text in body.items() if text)
    return ", ".join(parts) or "as the protocol has it"


def _for_all(scope: str, body: Mapping[str, str]) -> str:
    """`within 5 days`, `after 7 days of grace`, `the configured range, else the printed one`."""
    if scope == OPPORTUNISTIC:
        return _infections(body)
    text = body[VALUE]
    if scope == CONFIRM_WITHIN:
        return f"within {span(text)}"
    return f"after {count(int(text), 'day')} of grace" if scope == GRACE_DAYS else FIRST[text]


def _infections(body: Mapping[str, str]) -> str:
    """`also counts Q fever, scrub typh*; does not count nocardiosis; counts zoster in any form`."""
    parts = [f"{words} {', '.join(body[key].splitlines())}" for key, words in LISTED.items() if key in body]
    return "; ".join([*parts, *(["counts zoster in any form"] if ZOSTER in body else [])])


def _own_rule(row: ClinicSetting) -> str:
    """`Neutrophils < 1.5 ×10⁹/L; Act today; repeat`."""
    rule = criterion(row.scope.partition("/")[0], row.body, UNITS, "", row.source)
    names = subject_name(rule.analyte), subject_name(rule.other) if rule.other else ""
    suggested = ACTIONS.get(rule.suggested, rule.suggested) if rule.suggested else ""
    return "; ".join(filter(None, (said(words(rule, *names)), SEVERITY[rule.severity], suggested, rule.text)))


def _shown(row: ClinicSetting, key: str, text: str) -> str:
    if key == "value":
        protocol, _, line = row.scope.partition("/")
        unit = getattr(line_of(protocol, line)[1], "unit", "")
        return f"{text} {said(unit)}".rstrip()
    return str(span(text)) if text.startswith("P") else text


def changeable(found: Any) -> bool:
    """Whether a clinic may change anything of a line."""
    return bool(keys_of(found)) or not found.origin.verified
