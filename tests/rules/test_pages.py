"""Every rule has a page: a title, the four headings, and a table of cases."""

import importlib
import pkgutil

import pytest

import tracker.rules
from tests.rules.stories import CASES
from tracker.domain.errors import NotFound
from tracker.rules import HEADINGS, RULES, TITLES, page, sections

CODES = [rule.CODE for rule in RULES]


@pytest.mark.parametrize("code", CODES)
def test_a_page_says_what_why_an_example_and_the_source_in_that_order(code: str) -> None:
    shown = page(code)
    assert tuple(heading for heading, _ in shown.sections) == HEADINGS
    assert all(len(text.split()) >= 5 for _, text in shown.sections), "a heading with next to nothing under it"


@pytest.mark.parametrize("code", CODES)
def test_a_page_has_a_title_of_its_own(code: str) -> None:
    assert page(code).title == TITLES[code] != ""


def test_no_title_is_used_twice_and_none_is_left_over() -> None:
    assert len(set(TITLES.values())) == len(TITLES)
    assert set(TITLES) == set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_a_rule_has_its_case_table(code: str) -> None:
    assert (CASES / f"{code}.yaml").is_file()


def test_every_module_of_the_room_is_run() -> None:
    modules = {
        importlib.import_module(f"tracker.rules.{found.name}") for found in pkgutil.iter_modules(tracker.rules.__path__)
    }
    assert modules == set(RULES)


@pytest.mark.parametrize("rule", RULES, ids=CODES)
def test_a_rule_is_named_as_its_file_is(rule: object) -> None:
    assert rule.__name__ == f"tracker.rules.{rule.CODE}"  # type: ignore[attr-defined]


def test_a_rule_that_is_none_is_not_found() -> None:
    with pytest.raises(NotFound):
        page("no_such_rule")


def test_headings_may_be_underlined_or_end_in_a_colon_and_paragraphs_are_kept() -> None:
    text = "Title\n\nWhat it flags\n-------------\nOne\nline.\n\nAnother.\n\nSource:\nA book."
    assert sections(text) == (("What it flags", "One line.\n\nAnother."), ("Source", "A book."))
