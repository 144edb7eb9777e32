"""One flag for one worry: what is folded under what, and what never is. A rule that fails does not stop the others."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from tests.rules.stories import history as told
from tests.rules.stories import stories
from tracker.domain.findings import INFO, ROUTINE, SOON, URGENT, Evidence, Finding
from tracker.domain.folding import fold, unique
from tracker.domain.schedule import next_change
from tracker.rules import RULES, run

DAY = date(2026, 3, 1)
TOFACITINIB = {"protocol": "tofacitinib_us", "started_on": "2026-01-01"}


def fact(analyte: str = "ANC", value: str = "0.46", result_id: int | None = 1, on: date = DAY) -> Evidence:
    return Evidence(analyte, value, "10*9/L", on, result_id)


def finding(rule: str, subject: str = "ANC", severity: str = URGENT, **more: Any) -> Finding:
    more.setdefault("evidence", (fact(subject),))
    return Finding(rule, subject, severity, "", DAY, DAY, more.pop("starts", "2026-03-01"), **more)


def folded(*findings: Finding) -> dict[str, str | None]:
    """What each rule (with its entry) was folded under."""
    return {f"{f.rule} {f.entry}".strip(): f.folded_under for f in fold(findings)}


# ------------------------------------------------------------------------------------------- on whole patients


def judged(analyte: str, values: dict[str, str], course: dict[str, Any], as_of: str) -> tuple[Finding, ...]:
    results = [{"analyte": analyte, "value": value, "on": day} for day, value in values.items()]
    return run(told({"as_of": as_of, "courses": [course], "results": results}))


def test_neutrophils_below_500_are_one_worry_in_the_queue() -> None:
    """Grade 4, outside the range, below the action limit: the action limit says it all."""
    findings = [f for f in judged("ANC", {"2026-03-01": "0.46"}, TOFACITINIB, "2026-03-02") if f.subject == "ANC"]
    assert {f.rule: f.folded_under for f in findings if f.rule != "not_evaluated"} == {
        "action_limit": None,
        "ctcae": "action_limit",
        "out_of_range": "action_limit",
    }
    assert all(f.folded_under is None for f in findings if f.rule == "not_evaluated")


def test_980_then_470_lists_the_hold_and_the_stop_and_the_stop_supersedes() -> None:
    """Composite rules C3: both stay open, the hold is folded under the stop."""
    findings = judged("ANC", {"2026-03-01": "0.98", "2026-03-08": "0.47"}, TOFACITINIB, "2026-03-09")
    limits = {f.entry: f for f in findings if f.rule == "action_limit" and f.subject == "ANC"}
    assert set(limits) == {"tofa_us_anc_hold", "tofa_us_anc_stop"}
    assert all(f.is_open for f in limits.values())
    assert limits["tofa_us_anc_hold"].folded_under == "action_limit"
    assert limits["tofa_us_anc_stop"].folded_under is None


def test_a_grade_without_a_limit_stands_over_the_range() -> None:
    findings = judged("PLT", {"2026-03-01": "60"}, TOFACITINIB, "2026-03-02")
    assert {f.rule: f.folded_under for f in findings if f.subject == "PLT" and f.rule in ("ctcae", "out_of_range")} == {
        "ctcae": None,
        "out_of_range": "ctcae",
    }


def test_an_episode_that_is_over_is_not_folded_and_folds_nothing() -> None:
    findings = judged("ANC", {"2026-03-01": "0.46", "2026-03-05": "1.7"}, TOFACITINIB, "2026-03-06")
    limit = next(f for f in findings if f.entry == "tofa_us_anc_stop")
    assert not limit.is_open
    still = [f for f in findings if f.rule == "out_of_range" and f.subject == "ANC" and f.is_open]
    assert [f.folded_under for f in still] == ["ctcae"]


# ------------------------------------------------------------------------------------------------- the layers


def test_layers_from_the_greatest_down() -> None:
    assert folded(
        finding("out_of_range", severity=INFO),
        finding("change", severity=ROUTINE),
        finding("ctcae", severity=SOON),
        finding("action_limit"),
    ) == {"out_of_range": "action_limit", "change": "action_limit", "ctcae": "action_limit", "action_limit": None}
    assert folded(finding("out_of_range", severity=INFO), finding("change", severity=INFO)) == {
        "out_of_range": "change",
        "change": None,
    }


def test_another_subject_is_another_worry() -> None:
    assert folded(finding("action_limit", "ANC"), finding("ctcae", "ALC", SOON))["ctcae"] is None


def test_hys_law_stands_over_the_grades_of_the_liver_values_it_rests_on_and_of_no_others() -> None:
    alt, tbil, ck = fact("ALT", "400", 1), fact("TBIL", "2.5", 2), fact("CK", "900", 3)
    law = finding("hys_law", "HYS_LAW", evidence=(alt, tbil))
    grades = [finding("ctcae", f.analyte, SOON, evidence=(f,)) for f in (alt, tbil, ck)]
    assert [f.folded_under for f in fold([law, *grades])] == [None, "hys_law", "hys_law", None]


def test_hys_law_stands_over_the_stopping_limit_of_a_value_it_rests_on() -> None:
    alt, tbil = fact("ALT", "400", 1), fact("TBIL", "2.5", 2)
    law = finding("hys_law", "HYS_LAW", evidence=(alt, tbil))
    over_8x = finding("hys_law", "ALT", SOON, evidence=(alt,))
    other = finding("hys_law", "AST", SOON, evidence=(fact("AST", "500", 3),))
    assert [f.folded_under for f in fold([over_8x, law, other])] == ["hys_law", None, None]


def test_the_lipid_rule_stands_over_the_grade_of_its_own_analyte() -> None:
    ldl = finding("lipids", "LDL", ROUTINE)
    assert folded(ldl, finding("ctcae", "LDL", INFO), finding("out_of_range", "LDL", INFO)) == {
        "lipids": None,
        "ctcae": "lipids",
        "out_of_range": "lipids",
    }


def test_nothing_worse_is_ever_folded() -> None:
    assert folded(finding("action_limit", severity=SOON), finding("ctcae", severity=URGENT))["ctcae"] is None


def test_a_newer_result_than_the_greater_one_rests_on_is_not_hidden() -> None:
    newer = finding("ctcae", severity=SOON, evidence=(fact(), fact(value="0.44", result_id=2, on=date(2026, 3, 9))))
    assert folded(finding("action_limit"), newer)["ctcae"] is None


def test_a_result_without_a_number_is_known_by_how_it_reads() -> None:
    """Computed values are not stored, so they have none."""
    one, other = fact(result_id=None), fact(value="0.50", result_id=None)
    assert (
        folded(finding("action_limit", evidence=(one,)), finding("ctcae", evidence=(one,)))["ctcae"] == "action_limit"
    )
    assert folded(finding("action_limit", evidence=(one,)), finding("ctcae", evidence=(other,)))["ctcae"] is None


@pytest.mark.parametrize("rule", ["infection", "screening", "dosing", "hold", "overdue", "not_evaluated", "event"])
def test_rules_that_speak_of_something_else_are_never_folded(rule: str) -> None:
    assert folded(finding("action_limit"), finding(rule, severity=ROUTINE))[rule] is None


@pytest.mark.parametrize(
    ("greater", "lesser"), [("stop", "hold"), ("hold", "investigate"), ("investigate", "consult"), ("stop", "consult")]
)
def test_among_limits_the_graver_action_stands(greater: str, lesser: str) -> None:
    one = finding("action_limit", entry="greater", suggested=greater)
    other = finding("action_limit", entry="lesser", suggested=lesser)
    assert folded(other, one) == {"action_limit lesser": "action_limit", "action_limit greater": None}


def test_two_limits_with_one_action_both_stand() -> None:
    one, other = (finding("action_limit", entry=entry, suggested="hold") for entry in ("fall", "value"))
    assert set(folded(one, other).values()) == {None}


def test_the_order_of_the_findings_is_kept() -> None:
    given = [finding("out_of_range", severity=INFO), finding("action_limit"), finding("ctcae", severity=SOON)]
    assert [f.rule for f in fold(given)] == ["out_of_range", "action_limit", "ctcae"]


# --------------------------------------------------------------------------------------- one of a fingerprint


def test_of_two_findings_with_one_fingerprint_the_open_and_the_graver_is_kept() -> None:
    past = finding("infection", "cystitis", URGENT, cleared_on=DAY)
    mild, grave = finding("infection", "cystitis", ROUTINE), finding("infection", "cystitis", URGENT)
    assert unique([past, mild, grave]) == (grave,)
    assert unique([grave, mild, past]) == (grave,)


def test_the_same_infection_entered_twice_is_one_finding() -> None:
    twice = [{"kind": "infection", "term": "cystitis", "onset_on": "2026-03-01"}] * 2
    findings = run(told({"as_of": "2026-03-02", "courses": [TOFACITINIB], "events": twice}))
    assert [f.subject for f in findings if f.rule == "infection"] == ["cystitis"]


def test_every_finding_of_a_full_story_has_a_fingerprint_of_its_own() -> None:
    story = {
        "as_of": "2026-06-01",
        "courses": [
            TOFACITINIB | {"stopped_on": "2026-04-01"},
            {"protocol": "baricitinib_us", "started_on": "2026-04-01"},
        ],
        "results": [
            {"analyte": code, "value": value, "on": day}
            for day in ("2026-02-01", "2026-03-01", "2026-05-01")
            for code, value in (("ANC", "0.9"), ("ALC", "0.45"), ("HB", "7.5"), ("ALT", "130"), ("LDL", "200"))
        ],
    }
    prints = [f.fingerprint for f in run(told(story))]
    assert len(prints) > 10
    assert len(prints) == len(set(prints))


# ------------------------------------------------------------------------------------------- a rule that fails


def test_a_rule_that_fails_says_so_and_the_others_still_run() -> None:
    story = {
        "as_of": "2026-03-02",
        "courses": [TOFACITINIB],
        "results": [{"analyte": "ANC", "value": "0.46", "on": "2026-03-01"}],
    }
    broken = replace(told(story), observations=None)  # type: ignore[arg-type]
    findings = run(broken)
    failed = {f.subject: f for f in findings if f.entry == "crashed"}
    assert "screening" in failed
    assert all((f.rule, f.severity, f.is_open) == ("not_evaluated", SOON, True) for f in failed.values())
    assert "could not be evaluated" in failed["screening"].sentence
    assert "None" not in failed["screening"].sentence
    assert [f.suggested for f in findings if f.rule == "action_limit"] == ["stop"]


def test_a_patient_without_anything_is_judged_without_a_finding() -> None:
    assert run(told({"as_of": "2026-03-02"})) == ()


@pytest.mark.parametrize("code", [rule.CODE for rule in RULES])
def test_until_the_next_change_judging_again_changes_nothing(code: str) -> None:
    """So a stored flag stays as it is, and a patient need not be judged before that day."""
    for story in stories(code):
        today = told(story)
        findings = run(today)
        change = next_change(today, findings)
        later = date(2040, 1, 1) if change is None else change - timedelta(days=1)
        again = run(replace(today, as_of=later))
        assert again == findings, f"{story['name']}: changed by {later}, next change {change}"


def test_the_order_of_the_rules_is_the_order_of_what_they_say() -> None:
    assert len({rule.CODE for rule in RULES}) == len(RULES)
