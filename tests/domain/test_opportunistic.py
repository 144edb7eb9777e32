"""A clinic's own list of opportunistic infections: what may be set, and what it makes of an infection."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.clinic_wide import OPPORTUNISTIC, check
from tracker.domain.errors import Refused
from tracker.domain.opportunistic import AS_SHIPPED, ClinicList, clinic_lists, list_on
from tracker.domain.overlay import Published
from tracker.library.infections import vocabulary

WORDS = vocabulary()
NAMES = [term.name for term in WORDS.opportunistic]
FEBRUARY, MARCH = date(2026, 2, 1), date(2026, 3, 1)


def version(number: int, since: date, **body: str) -> Published:
    return Published(number, "clinic_wide", OPPORTUNISTIC, number, since, body)


def held(**body: str) -> ClinicList:
    return clinic_lists([version(1, FEBRUARY, **body)], "Aspen")[0]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"terms": "Q fever"},
        {"terms": "Q fever\nscrub typh*\nPott's puffy tumour"},
        {"terms": "ocular zoster"},  # any zoster is not on the labels' list, one of the eye may be on the clinic's
        {"terms": "CMV colitis", "without": "cytomegalovirus disease"},
        {"terms": "candida*"},  # on the packaged list where invasive or pharyngeal alone
        {"terms": "\n".join(f"fever {n}" for n in range(50))},
        {"terms": "x" * 80},
        {"terms": "bru*"},
        {"without": "nocardiosis\nhepatitis C progression"},
        {"without": "\n".join(NAMES)},
        {"zoster": "any"},
    ],
)
def test_what_may_be_set(body: dict[str, str]) -> None:
    check(OPPORTUNISTIC, body, WORDS)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"terms": ""}, "An empty line is no term"),
        ({"terms": "Q fever\n\nscrub typhus"}, "An empty line is no term"),
        ({"terms": "–"}, "“–” has no word in it"),
        ({"terms": "*"}, "“\\*” has no word in it"),
        ({"terms": "Q fever\nq-FEVER"}, "“q fever” stands twice"),
        ({"terms": "br*"}, "at least 3 letters stand before a"),
        ({"terms": "typhoid f*"}, "at least 3 letters stand before a"),
        ({"terms": "scrub* typhus"}, "at the end of a term alone"),
        ({"terms": "scrub typh**"}, "at the end of a term alone"),
        ({"terms": "x" * 81}, "at most 80 characters"),
        ({"terms": "\n".join(f"fever {n}" for n in range(51))}, "At most 50 terms"),
        ({"terms": "CMV colitis"}, "counts already: it is on the list as cytomegalovirus disease"),
        ({"terms": "pulmonary TB"}, "counts already: it is on the list as tuberculosis"),
        ({"without": "flu"}, "no line “flu” that could be left out"),
        ({"without": "herpes zoster"}, "no line “herpes zoster” that could be left out"),
        ({"without": "tuberculosis"}, "the labels act on active tuberculosis themselves"),
        ({"without": "nocardiosis\nnocardiosis"}, "“nocardiosis” is left out twice"),
        ({"without": ""}, "no line “” that could be left out"),
        ({"zoster": "never"}, "“never” is neither"),
        ({"value": "7"}, "“value” cannot be set"),
    ],
)
def test_what_may_not_is_refused_in_a_sentence(body: dict[str, str], said: str) -> None:
    with pytest.raises(Refused, match=said):
        check(OPPORTUNISTIC, body, WORDS)


# ---------------------------------------------------------------------------------------------- which version judges


def test_a_version_is_in_force_from_its_day_on() -> None:
    lists = clinic_lists([version(2, MARCH, terms="scrub typhus"), version(1, FEBRUARY, terms="Q fever")], "Aspen")
    assert list_on(lists, date(2026, 1, 31)) == AS_SHIPPED
    assert list_on(lists, FEBRUARY).name == list_on(lists, date(2026, 2, 28)).name == "Aspen v1"
    assert list_on(lists, MARCH).name == "Aspen v2"
    assert list_on((), MARCH) == AS_SHIPPED


def test_of_two_versions_of_one_day_the_last_published_judges() -> None:
    lists = clinic_lists([version(2, MARCH), version(1, MARCH, terms="Q fever")], "Aspen")
    assert list_on(lists, MARCH).name == "Aspen v2"


# ---------------------------------------------------------------------------------------------- what it says


@given(shipped=st.booleans(), zoster=st.booleans(), text=st.sampled_from(["Q fever", "shingles", "nocardiosis", ""]))
def test_an_empty_version_says_nothing_of_any_infection(shipped: bool, zoster: bool, text: str) -> None:
    assert held().verdict(text, zoster, shipped, shipped) is None
    assert AS_SHIPPED.verdict(text, zoster, shipped, shipped) is None


def test_what_counts_as_shipped_and_is_not_left_out_is_none_of_the_clinics() -> None:
    assert held(terms="nocard*", zoster="any").verdict("nocardiosis", False, True, True) is None


def test_what_is_left_out_and_comes_back_under_the_clinics_words_counts_as_shipped() -> None:
    narrower = held(terms="CMV colitis", without="cytomegalovirus disease")
    assert narrower.verdict("CMV colitis", False, True, False) is None
    left_out = narrower.verdict("CMV viraemia", False, True, False)
    assert left_out is not None
    assert (left_out.counts, left_out.words) == (False, "not counted by Aspen v1")


@given(st.lists(st.sampled_from(NAMES), unique=True))
def test_whatever_lines_are_left_out_tuberculosis_is_found(without: list[str]) -> None:
    found = WORDS.opportunistic_term("pulmonary TB", frozenset(without))
    assert found is WORDS.tuberculosis
