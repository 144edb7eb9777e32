"""A yardstick changes: two people, a day from which it applies, one outcome for every clash, and the way back."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from threading import Event
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from tests.operations.conftest import TODAY, Desk
from tracker.domain.errors import NotAllowed, Refused, Stale
from tracker.domain.readings import LabReading, read_moment
from tracker.models import AuditEntry, Clinic, ClinicSetting, Flag, Patient
from tracker.models.setting import PROTOCOL_LINE
from tracker.operations import entry, publishing
from tracker.operations.actor import Actor
from tracker.operations.audit import first_bad_entry
from tracker.operations.enrol import add_event
from tracker.operations.evaluate import rejudge
from tracker.operations.publishing import BACK_FILL, FROM_TODAY
from tracker.operations.settings import Proposal, draft_setting, misfits, withdraw
from tracker.operations.trial import Preview

ANC_HOLD = "tofacitinib_us/tofa_us_anc_hold"
JANUARY = date(2026, 1, 1)


def draft(desk: Desk, value: str = "1200", day: date = TODAY, replaces: int | None = None) -> int:
    with desk.database.transaction() as session:
        old = session.get_one(ClinicSetting, replaces) if replaces else None
        told = Proposal(PROTOCOL_LINE, ANC_HOLD, {"value": value}, day, "clinic meeting", "two late neutropenias")
        return draft_setting(session, desk.doctor, desk.clinic_id, told, old).id


def publish(desk: Desk, key: int, applies: str = "", actor: Actor | None = None, seen: str = "") -> Any:
    with desk.database.transaction(alone=True) as session:
        draft = session.get_one(ClinicSetting, key)
        return publishing.publish(session, actor or desk.second, [draft], applies, seen).counts()


def look(desk: Desk, key: int, applies: str = "") -> Preview:
    with desk.database.reading() as session:
        planned = publishing.plan(session, desk.second, [session.get_one(ClinicSetting, key)], applies)
        return publishing.preview(session, desk.second, desk.clinic_id, planned)


def take_back(desk: Desk, key: int) -> None:
    with desk.database.transaction(alone=True) as session:
        publishing.roll_back(session, desk.second, session.get_one(ClinicSetting, key))


def held_at_the_clinics_limit(desk: Desk) -> list[Flag]:
    found = [flag for flag in desk.flags() if flag.entry == "tofa_us_anc_hold"]
    return [flag for flag in found if flag.machine == "open"]


def everything(desk: Desk) -> list[Any]:
    with desk.database.reading() as session:
        judged = [(p.judged_at, p.judged_digest) for p in session.scalars(select(Patient))]
        flags = [(f.id, f.version, f.content) for f in session.scalars(select(Flag).order_by(Flag.id))]
        drafts = [(s.id, s.state, s.number, s.effective_from) for s in session.scalars(select(ClinicSetting))]
        return [judged, flags, drafts, len(list(session.scalars(select(AuditEntry))))]


# ---------------------------------------------------------------------------------------------- from which day


def test_dated_today_it_judges_todays_samples_and_leaves_history_alone(desk: Desk) -> None:
    desk.labs(("ANC", "1.1", "10*9/L", "2026-03-10"))
    publish(desk, draft(desk))
    assert held_at_the_clinics_limit(desk) == []
    desk.labs(("ANC", "1.15", "10*9/L", "2026-03-20"))
    (flag,) = held_at_the_clinics_limit(desk)
    assert flag.yardstick.endswith(" + Dermatology v1")
    assert "the clinic's action band" in flag.sentence


def test_dated_in_the_past_it_asks_whether_history_is_judged_again(desk: Desk) -> None:
    desk.labs(("ANC", "1.1", "10*9/L", "2026-03-10"))
    key = draft(desk, day=JANUARY)
    for act in (publish, look):
        with pytest.raises(Refused, match="which has passed"):
            act(desk, key)
    assert publish(desk, key, BACK_FILL)["opened"] == 1
    assert len(held_at_the_clinics_limit(desk)) == 1


def test_dated_in_the_past_it_may_be_published_from_today(desk: Desk) -> None:
    desk.labs(("ANC", "1.1", "10*9/L", "2026-03-10"))
    key = draft(desk, day=JANUARY)
    publish(desk, key, FROM_TODAY)
    assert held_at_the_clinics_limit(desk) == []
    with desk.database.reading() as session:
        assert session.get_one(ClinicSetting, key).effective_from == TODAY


def test_what_is_to_come_is_looked_at_on_its_day(desk: Desk) -> None:
    publish(desk, draft(desk, day=TODAY + timedelta(days=2)))
    with desk.database.reading() as session:
        assert session.get_one(Patient, desk.patient_id).next_check_on == TODAY + timedelta(days=2)


# ---------------------------------------------------------------------------------------------- looking first


def test_the_preview_says_what_publishing_does_and_keeps_nothing(desk: Desk) -> None:
    desk.labs(("ANC", "1.1", "10*9/L", "2026-03-10"))
    key = draft(desk, day=JANUARY)
    before = everything(desk)
    found = look(desk, key, BACK_FILL)
    assert everything(desk) == before
    opened = [effect for effect in found.effects if effect.what == "opened"]
    assert [(one.rule, one.mrn, one.result_id) for one in opened] == [("action_limit", "0001", desk.result("ANC").id)]
    assert dict(found.by_rule())["action_limit"]["opened"] == 1
    assert publish(desk, key, BACK_FILL)["opened"] == len(opened)
    assert found.applies_from == JANUARY


def test_taking_back_is_a_version_and_every_flag_is_as_before(desk: Desk) -> None:
    desk.labs(("ANC", "1.1", "10*9/L", "2026-03-10"))
    before = {flag.fingerprint: (flag.machine, flag.severity) for flag in desk.flags()}
    key = draft(desk, day=JANUARY)
    publish(desk, key, BACK_FILL)
    take_back(desk, key)
    after = {flag.fingerprint: (flag.machine, flag.severity) for flag in desk.flags() if not flag.superseded}
    assert after == before
    with desk.database.reading() as session:
        versions = list(session.scalars(select(ClinicSetting).order_by(ClinicSetting.number)))
        assert [(v.number, v.body, v.state) for v in versions] == [
            (1, {"value": "1200"}, "published"),
            (2, {}, "published"),
        ]
        assert first_bad_entry(session) is None
    with pytest.raises(Stale, match="not the latest"):
        take_back(desk, key)


# ---------------------------------------------------------------------------------------------- clashes


def test_who_drafted_it_does_not_publish_it(desk: Desk) -> None:
    with pytest.raises(NotAllowed):
        publish(desk, draft(desk), actor=desk.doctor)


def test_of_two_who_change_one_draft_the_first_wins_and_the_second_is_told(desk: Desk) -> None:
    key = draft(desk)
    newer = draft(desk, "1300", replaces=key)
    with pytest.raises(Stale, match="withdrawn meanwhile"):
        draft(desk, "1400", replaces=key)
    with pytest.raises(Stale):
        publish(desk, key)
    assert publish(desk, newer)["opened"] == 0


def test_a_draft_that_was_published_is_not_withdrawn(desk: Desk) -> None:
    key = draft(desk)
    publish(desk, key)
    with pytest.raises(Stale, match="published meanwhile"), desk.database.transaction() as session:
        withdraw(session, desk.doctor, session.get_one(ClinicSetting, key))


def test_another_version_meanwhile_is_looked_at_first(desk: Desk) -> None:
    one, other = draft(desk), draft(desk, "1300")
    with desk.database.reading() as session:
        seen = publishing.in_force(session, desk.clinic_id)
    publish(desk, one, seen=seen)
    with pytest.raises(Stale, match="Something else was published meanwhile"):
        publish(desk, other, seen=seen)


def test_a_version_is_not_dated_before_the_one_it_follows(desk: Desk) -> None:
    publish(desk, draft(desk, day=TODAY + timedelta(days=9)))
    with pytest.raises(Refused, match="Version 1 applies from 2026-03-29"):
        publish(desk, draft(desk, "1300"))


def test_a_published_change_makes_those_judged_before_stale(desk: Desk) -> None:
    desk.labs(("ANC", "2.5", "10*9/L", "2026-03-10"))

    def digest() -> str:
        with desk.database.reading() as session:
            return session.get_one(Patient, desk.patient_id).judged_digest

    before = digest()
    publish(desk, draft(desk))
    assert digest() != before


def test_an_import_that_runs_and_a_publication_take_turns(desk: Desk) -> None:
    """The import began first. The publication waits for it, and then judges what it filed: by the new version."""
    key = draft(desk, day=JANUARY)
    filed, publishing_now = Event(), Event()

    def import_slowly() -> None:
        with desk.database.transaction() as session:
            patient = session.get_one(Patient, desk.patient_id)
            at = read_moment("2026-03-10", ZoneInfo("UTC"))
            entry.save(session, desk.nurse, patient, [LabReading("0001", at, "ANC", "1.1", "10*9/L")])
            filed.set()
            publishing_now.wait(5)

    def publish_meanwhile() -> None:
        filed.wait(5)
        publishing_now.set()
        publish(desk, key, BACK_FILL)

    run(import_slowly, publish_meanwhile)
    assert len(held_at_the_clinics_limit(desk)) == 1


def run(*tasks: Callable[[], None]) -> None:
    with ThreadPoolExecutor(len(tasks)) as pool:
        for done in [pool.submit(task) for task in tasks]:
            done.result(20)


# ---------------------------------------------------------------------------------------------- another program


def misfit(desk: Desk, kind: str, scope: str, body: dict[str, str], day: date = JANUARY, number: int = 1) -> None:
    """A version that an earlier program took."""
    with desk.database.transaction() as session:
        session.add(
            ClinicSetting(
                clinic_id=desk.clinic_id, kind=kind, scope=scope, body=body, number=number, effective_from=day,
                reason="decided together", state="published", drafted_at=desk.doctor.utc, published_at=desk.doctor.utc,
            )
        )  # fmt: skip


def complaints(desk: Desk) -> list[str]:
    with desk.database.reading() as session:
        return misfits(session, session.get_one(Clinic, desk.clinic_id), TODAY)


def test_what_no_longer_fits_this_program_is_named(desk: Desk) -> None:
    publish(desk, draft(desk))
    misfit(desk, PROTOCOL_LINE, "tofacitinib_us/a_line_of_before", {"value": "1"})
    misfit(desk, PROTOCOL_LINE, "a_drug_of_before/line", {"off": "yes"})
    misfit(desk, "rule", "a_rule_of_before", {"off": "yes"})
    misfit(desk, "own_rule", "ANC/twice", {"shape": "twice"})
    misfit(desk, "clinic_wide", "grace_days", {"value": "90"})
    assert [said.partition(": ")[2] for said in complaints(desk)] == [
        "clinic wide grace_days, version 1: The grace is a whole number of days, at most 28: a month late is overdue, "
        "whatever is set.",
        "own rule ANC/twice, version 1: Choose what the rule looks for.",
        "protocol line a_drug_of_before/line, version 1: There is no such protocol.",
        "protocol line tofacitinib_us/a_line_of_before, version 1: The protocol tofacitinib_us has no line "
        "“a_line_of_before”.",
        "rule a_rule_of_before, version 1: There is no such rule.",
    ]


def test_what_was_followed_since_needs_no_mending_and_what_is_to_come_does(desk: Desk) -> None:
    misfit(desk, "rule", "a_rule_of_before", {"off": "yes"})
    misfit(desk, "rule", "a_rule_of_before", {}, TODAY, number=2)
    assert complaints(desk) == []
    misfit(desk, "rule", "a_rule_of_before", {"off": "yes"}, TODAY + timedelta(days=1), number=3)
    assert len(complaints(desk)) == 1


# ---------------------------------------------------------------------------------------------- the whole clinic


def test_which_range_comes_first_goes_by_the_day_of_the_sample_and_the_flag_names_the_version(desk: Desk) -> None:
    for day in ("2026-03-09", "2026-03-10"):
        desk.labs(("HB", "11.5", "g/dL", day), ref_low=Decimal(11), ref_high=Decimal(16))
    assert not [flag for flag in desk.flags() if flag.rule == "out_of_range" and flag.subject == "HB"]
    key = desk.sets("clinic_wide", "ranges_first", {"value": "configured"}, date(2026, 3, 10))
    flag = desk.flag("out_of_range", "HB")
    assert flag.opened_on == date(2026, 3, 10)
    assert "put before the printed range by Dermatology v1" in flag.yardstick
    take_back(desk, key)
    assert not [flag for flag in desk.flags() if flag.rule == "out_of_range" and flag.machine == "open"]


# ---------------------------------------------------------------------------------------------- infections


def falls_ill(desk: Desk, term: str, onset: date | None) -> None:
    with desk.database.transaction() as session:
        patient = session.get_one(Patient, desk.patient_id)
        add_event(session, desk.nurse, patient, {"kind": "infection", "term": term, "onset_on": onset})
        rejudge(session, desk.nurse, patient)


def infections(desk: Desk) -> dict[str, tuple[str, str, str]]:
    """What is open on infections, by what they are: the line, how urgent, and whose version chose it."""
    found = [flag for flag in desk.flags() if flag.rule == "infection" and flag.machine == "open"]
    return {f.subject: (f.entry, f.severity, f.yardstick.partition(" + ")[2]) for f in found}


def lists(desk: Desk, day: date = date(2026, 3, 10), **body: str) -> int:
    return desk.sets("clinic_wide", "opportunistic", body, day)


def drafted_list(desk: Desk, **body: str) -> int:
    with desk.database.transaction() as session:
        told = Proposal("clinic_wide", "opportunistic", body, date(2026, 3, 10), "", "decided together")
        return draft_setting(session, desk.doctor, desk.clinic_id, told).id


WORK_UP, COUNTED = ("new_infection", "routine", ""), ("opportunistic_infection", "urgent", "Dermatology v1")


def test_an_infection_goes_by_the_list_of_the_day_of_its_onset_and_the_flag_names_the_version(desk: Desk) -> None:
    falls_ill(desk, "Q fever", date(2026, 3, 9))
    falls_ill(desk, "chronic Q fever", date(2026, 3, 10))
    falls_ill(desk, "Q fever, of unknown onset", None)
    assert set(infections(desk).values()) == {WORK_UP}
    key = lists(desk, terms="Q fever")
    assert infections(desk) == {
        "Q fever": WORK_UP, "chronic Q fever": COUNTED, "Q fever, of unknown onset": COUNTED,
    }  # fmt: skip
    take_back(desk, key)
    assert set(infections(desk).values()) == {WORK_UP}


def test_a_later_version_leaves_an_infection_with_the_one_it_began_under(desk: Desk) -> None:
    falls_ill(desk, "Q fever", date(2026, 3, 12))
    lists(desk, terms="Q fever")
    lists(desk, date(2026, 3, 15), without="nocardiosis")
    falls_ill(desk, "nocardiosis", date(2026, 3, 16))
    assert infections(desk) == {"Q fever": COUNTED, "nocardiosis": ("new_infection", "routine", "Dermatology v2")}


def test_the_preview_of_a_list_says_which_flags_change_and_keeps_nothing(desk: Desk) -> None:
    falls_ill(desk, "herpes zoster, left T6", date(2026, 3, 12))
    key = drafted_list(desk, zoster="any")
    before = everything(desk)
    found = look(desk, key, BACK_FILL)
    assert everything(desk) == before
    assert [(one.rule, one.mrn) for one in found.effects] == [("infection", "0001")] * len(found.effects)
    assert any("zoster in any form counted by Dermatology v1" in one.sentence for one in found.effects)
    assert publish(desk, key, BACK_FILL)["opened"] == found.count("opened")
    assert infections(desk)["herpes zoster, left T6"] == COUNTED


def test_a_list_is_refused_where_it_may_not_be_and_named_where_it_no_longer_fits(desk: Desk) -> None:
    with pytest.raises(Refused, match="cannot be left out"):
        drafted_list(desk, without="tuberculosis")
    with pytest.raises(Refused, match="Nothing is changed"):
        drafted_list(desk)
    misfit(desk, "clinic_wide", "opportunistic", {"terms": "Q fever", "without": "a line of before"})
    (complaint,) = complaints(desk)
    assert complaint.endswith("The packaged list has no line “a line of before” that could be left out.")
    falls_ill(desk, "Q fever", date(2026, 3, 12))
    assert infections(desk)["Q fever"] == COUNTED
