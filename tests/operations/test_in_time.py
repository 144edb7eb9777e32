"""From its day on, and never before: whatever a clinic changes, earlier days stay judged as they were; and the way back
leads to exactly the flags there were.
"""

from collections.abc import Callable
from contextlib import closing
from datetime import date, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.operations.conftest import TODAY, Desk, open_desk
from tests.operations.ranges import published
from tests.operations.ranges import take_back as take_range_back
from tracker.db import Database
from tracker.domain.findings import SEVERITIES
from tracker.models import ClinicSetting, Patient
from tracker.models.setting import CLINIC_WIDE, OWN_RULE, PROTOCOL_LINE, RULE
from tracker.operations import publishing
from tracker.operations.enrol import add_event
from tracker.operations.evaluate import judge, rejudge

DAYS = st.dates(date(2026, 1, 2), TODAY)
WIDE = {"ranges_first": st.just("configured"), "grace_days": st.integers(0, 28).map(str),
        "confirm_within": st.integers(1, 6).map("P{}D".format)}  # fmt: skip
SHOWN = ("machine", "severity", "grade", "sentence", "opened_on", "last_seen_on", "cleared_on", "confirmation",
         "suggested", "due_on", "folded_under", "verified", "review", "attention")  # fmt: skip
COURSE = (
    # day, ANC, haemoglobin, LDL, ALT: falls, rises, crosses every limit and comes back
    ("2026-01-06", "3.1", "13.1", "95", "20"), ("2026-01-20", "1.4", "12.4", "128", "44"),
    ("2026-02-03", "0.9", "11.2", "131", "130"), ("2026-02-09", "0.8", "10.6", "140", "210"),
    ("2026-02-17", "1.1", "11.9", "165", "90"), ("2026-03-03", "1.7", "12.2", "133", "38"),
    ("2026-03-17", "1.2", "11.7", "129", "41"),
)  # fmt: skip

ILL = [(term, date(2026, month, 10)) for month in (1, 2, 3) for term in ("Q fever", "nocardiosis", "herpes zoster")]


def lines() -> st.SearchStrategy[tuple[str, str, dict[str, str]]]:
    value, within = st.integers(20, 38).map(lambda n: str(n * 50)), st.integers(1, 7).map("P{}D".format)
    body = st.fixed_dictionaries({"value": value}, optional={"confirm_within": within})
    return body.map(lambda told: (PROTOCOL_LINE, "tofacitinib_us/tofa_us_anc_hold", told))


def rules() -> st.SearchStrategy[tuple[str, str, dict[str, str]]]:
    moved = st.tuples(st.sampled_from(["at_least", "at_most"]), st.sampled_from(SEVERITIES))
    body = st.one_of(st.just({"off": "yes"}), moved.map(lambda told: {told[0]: told[1]}))
    code = st.sampled_from(["out_of_range", "ctcae", "change", "lipids", "hys_law", "overdue"])
    return st.tuples(st.just(RULE), code, body)


def own_rules() -> st.SearchStrategy[tuple[str, str, dict[str, str]]]:
    always = {"shape": "threshold", "title": "Watch", "op": "<"}
    value, severity = st.sampled_from(["0.9", "1.2", "2", "4"]), st.sampled_from(SEVERITIES)
    body = st.fixed_dictionaries({"value": value, "severity": severity})
    return body.map(lambda told: (OWN_RULE, "ANC/watch", always | told))


def lists() -> st.SearchStrategy[tuple[str, str, dict[str, str]]]:
    body = st.fixed_dictionaries({}, optional={
        "terms": st.sampled_from(["Q fever", "rickettsi*\nQ fever"]), "zoster": st.just("any"),
        "without": st.sampled_from(["nocardiosis", "nocardiosis\nlegionellosis"]),
    })  # fmt: skip
    return body.filter(bool).map(lambda told: (CLINIC_WIDE, "opportunistic", told))


def wide() -> st.SearchStrategy[tuple[str, str, dict[str, str]]]:
    one = st.sampled_from(sorted(WIDE))
    return one.flatmap(lambda scope: WIDE[scope].map(lambda value: (CLINIC_WIDE, scope, {"value": value})))


Taker = Callable[[], None]
CHANGES = st.one_of(lines(), rules(), own_rules(), wide(), lists(), st.sampled_from(["11.5", "12.3", "13.0"]))


def change(desk: Desk, told: Any, day: date) -> Taker:
    """Publish it, with history judged again since its day; the way to take it back."""
    if isinstance(told, str):
        key = published(desk, told, day)
        return lambda: take_range_back(desk, key)
    key = desk.sets(*told, day)

    def back() -> None:
        with desk.database.transaction(alone=True) as session:
            publishing.roll_back(session, desk.second, session.get_one(ClinicSetting, key))

    return back


def flags(desk: Desk) -> dict[str, tuple[Any, ...]]:
    """What stands, by the fingerprint of the episode."""
    held = (flag for flag in desk.flags() if not flag.superseded)
    return {flag.fingerprint: tuple(getattr(flag, name) for name in SHOWN) for flag in held}


def as_of(desk: Desk, day: date) -> list[Any]:
    """Everything that was found by the end of a day."""
    with desk.database.reading() as session:
        ((_, found),) = judge(session, desk.clinic_id, [desk.patient_id], day)
        return sorted(found, key=lambda finding: finding.fingerprint)


def began(flags: dict[str, tuple[Any, ...]], before: date) -> set[str]:
    """Episodes of results that began before a day; what is due goes by the version of today."""
    since = SHOWN.index("opened_on")
    return {key for key, told in flags.items() if told[since] < before and told[SHOWN.index("due_on")] is None}


@settings(max_examples=14, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=CHANGES, day=DAYS)
def test_earlier_days_stay_as_they_were_and_the_way_back_leads_there(database_url: str, told: Any, day: date) -> None:
    with closing(Database(database_url)) as database:
        desk = a_course(database)
        eve, before = day - timedelta(days=1), flags(desk)
        then = as_of(desk, eve)
        take_back = change(desk, told, day)
        assert as_of(desk, eve) == then
        assert began(before, day) <= began(flags(desk), day)
        take_back()
        assert flags(desk) == before


NUMBER = count()


def a_course(database: Database) -> Desk:
    """A clinic of its own, with COURSE and ILL on file and judged."""
    desk = open_desk(database, str(next(NUMBER)))
    for on, anc, hb, ldl, alt in COURSE:
        desk.labs(("ANC", anc, "10*9/L", on), ("LDL", ldl, "mg/dL", on), ("ALT", alt, "U/L", on))
        desk.labs(("HB", hb, "g/dL", on), ref_low=Decimal("11.0"), ref_high=Decimal(16))
    with database.transaction() as session:
        patient = session.get_one(Patient, desk.patient_id)
        for term, onset in ILL:
            add_event(session, desk.nurse, patient, {"kind": "infection", "term": term, "onset_on": onset})
        rejudge(session, desk.nurse, patient)
    return desk
