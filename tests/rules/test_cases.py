"""Every rule against its stories. A rule without a story that fires, one that stays silent and one on a bound fails."""

import pytest

from tests.rules.stories import CASES, Story, complaints, history, stories
from tracker.library.protocols import protocols
from tracker.rules import RULES

BY_CODE = {rule.CODE: rule for rule in RULES}


TOLD = [pytest.param(code, story, id=f"{code}: {story['name']}") for code in BY_CODE for story in stories(code)]


@pytest.mark.parametrize(("code", "story"), TOLD)
def test_the_story_comes_out_as_told(code: str, story: Story) -> None:
    assert {"expect", "not", "nothing"} & set(story), "the story expects nothing, so it could not fail"
    findings = list(BY_CODE[code].check(history(story)))
    assert all(finding.rule == code for finding in findings)
    assert complaints(story, findings) == []


@pytest.mark.parametrize("code", BY_CODE)
def test_a_rule_has_a_story_that_fires_one_that_does_not_and_one_on_the_bound(code: str) -> None:
    told = stories(code)
    assert any(story.get("expect") for story in told), "no story in which the rule says something"
    assert any(story.get("nothing") or story.get("not") for story in told), "no story in which the rule is silent"
    assert any(story.get("bound") == "true" for story in told), "no story exactly on the bound (bound: true)"


def test_every_case_file_belongs_to_a_rule() -> None:
    assert {path.stem for path in CASES.glob("*.yaml")} <= set(BY_CODE)


@pytest.mark.parametrize("code", BY_CODE)
def test_names_of_stories_are_told_apart(code: str) -> None:
    names = [story["name"] for story in stories(code)]
    assert len(names) == len(set(names))


LIMITS = [
    (rule, limit.id)
    for protocol in protocols().values()
    for rule, limits in (("action_limit", protocol.on_treatment), ("do_not_start", protocol.initiation))
    for limit in limits
    if not limit.condition
]


@pytest.mark.parametrize(("rule", "limit"), LIMITS)
def test_every_limit_of_every_protocol_has_a_story_on_its_bound(rule: str, limit: str) -> None:
    on_the_bound = [story for story in stories(rule) if story.get("bound") == "true"]
    assert any(wanted.get("entry") == limit for story in on_the_bound for wanted in story.get("expect", ()))


@pytest.mark.parametrize("protocol", protocols())
@pytest.mark.parametrize("item", ["TB_LATENT", "HEPATITIS_B_C", "PREGNANCY_STATUS", "BOXED_RISK"])
def test_every_protocol_asks_before_the_first_dose(protocol: str, item: str) -> None:
    told = {"courses": [{"protocol": protocol, "started_on": "2026-04-01"}], "as_of": "2026-03-20"}
    asked = [f for f in BY_CODE["screening"].check(history(told)) if (f.subject, f.entry) == (item, "missing")]
    assert len(asked) == 1
