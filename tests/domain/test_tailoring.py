"""What a clinic set about a rule, on the findings of that rule."""

from dataclasses import replace
from datetime import date

import pytest

from tracker.domain.errors import Refused
from tracker.domain.findings import INFO, ROUTINE, SEVERITIES, SOON, URGENT, Finding
from tracker.domain.overlay import Published
from tracker.domain.tailoring import SAFETY, check_rule, tailored

MARCH, DAY = date(2026, 3, 1), date(2026, 3, 10)
LIPID = Finding("lipids", "LDL", ROUTINE, "LDL 200 mg/dL", DAY, DAY, "x", yardstick="guideline")


def told(finding: Finding, **body: str) -> list[Finding]:
    version = Published(1, "rule", finding.rule, 3, MARCH, body)
    return list(tailored([finding], {finding.rule: [version]}, "Aspen"))


def test_a_silent_rule_says_nothing_from_its_day_on() -> None:
    assert told(LIPID, off="yes") == []
    before = replace(LIPID, opened_on=date(2026, 2, 28))
    assert told(before, off="yes") == [before]


@pytest.mark.parametrize("was", SEVERITIES)
@pytest.mark.parametrize(("key", "word"), [(k, w) for k in ("at_least", "at_most") for w in SEVERITIES])
def test_a_severity_moves_one_way_only_and_names_who_moved_it(was: str, key: str, word: str) -> None:
    (found,) = told(replace(LIPID, severity=was), **{key: word})
    better = SEVERITIES.index  # worst first
    expected = min(was, word, key=better) if key == "at_least" else max(was, word, key=better)
    assert found.severity == expected
    assert found.yardstick == ("guideline" if expected == was else "guideline; severity by Aspen v3")


def test_another_rule_is_left_alone() -> None:
    version = Published(1, "rule", "lipids", 1, MARCH, {"off": "yes"})
    other = replace(LIPID, rule="ctcae")
    assert list(tailored([other], {"lipids": [version]}, "Aspen")) == [other]


@pytest.mark.parametrize("code", sorted(SAFETY))
@pytest.mark.parametrize("body", [{"off": "yes"}, {"at_most": INFO}])
def test_what_keeps_patients_safe_is_neither_silenced_nor_softened(code: str, body: dict[str, str]) -> None:
    with pytest.raises(Refused, match="keeps patients safe"):
        check_rule(code, body)
    check_rule(code, {"at_least": URGENT})


@pytest.mark.parametrize("body", [{"at_least": "dire"}, {"at_least": SOON, "off": "yes"}, {"loud": "yes"}])
def test_what_is_not_understood_is_refused(body: dict[str, str]) -> None:
    with pytest.raises(Refused):
        check_rule("lipids", body)
