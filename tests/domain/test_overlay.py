"""What a clinic may change of a protocol's line, and the sentence it gets where it may not."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.domain.dates import Span, add
from tracker.domain.errors import Refused
from tracker.domain.overlay import ROOMS, Published, changed, dated_protocol, find_line, line_id, never_later
from tracker.domain.protocol import Protocol
from tracker.library.protocols import protocols

TOFA = protocols()["tofacitinib_us"]


def change(key: str, **body: str) -> Any:
    return changed(find_line(TOFA, key), body, "Aspen v1")


@pytest.mark.parametrize(
    ("key", "body", "said"),
    [
        ("tofa_us_anc_hold", {"value": "900"}, "would loosen it"),
        ("tofa_us_anc_hold", {"value": "999.9"}, "would loosen it"),
        ("tofa_us_anc_hold", {"off": "yes"}, "not be switched off"),
        ("tofa_us_anc_hold", {"value": "<1200"}, "not a figure"),
        ("tofa_us_anc_hold", {"value": "0"}, "not a figure"),
        ("tofa_us_anc_hold", {"confirm_within": "P8D"}, "may wait less"),
        ("tofa_us_anc_hold", {"confirm_within": "P0D"}, "none"),
        ("tofa_us_anc_hold", {"every": "P1M"}, "cannot be changed"),
        ("tofa_us_hb_drop", {"value": "2.5"}, "never at a greater one"),
        ("tofa_us_hb_gap", {"value": "7.9"}, "has to end above that"),
        ("tofa_us_hb_gap", {"confirm_within": "P3D"}, "nothing to confirm"),
        ("tofa_us_dili", {"value": "3"}, "a clinician judges it"),
        ("tofa_us_schedule_anc", {"every": "P4M"}, "may ask sooner"),
        ("tofa_us_schedule_anc", {"first_to": "P9W"}, "may ask sooner"),
        ("tofa_us_schedule_anc", {"first_to": "P2W"}, "cannot open at 4 weeks"),
        ("tofa_us_schedule_anc", {"every": "monthly"}, "not a duration"),
        ("tofa_us_schedule_anc", {"grace_days": "61"}, "at most 60"),
        ("tofa_us_schedule_anc", {"grace_days": "-1"}, "whole number"),
        ("nothing", {"value": "1"}, "has no line"),
    ],
)
def test_what_would_loosen_the_label_is_refused_in_a_sentence(key: str, body: dict[str, str], said: str) -> None:
    with pytest.raises(Refused, match=said):
        change(key, **body)


def test_a_line_made_stricter_names_its_version_and_keeps_its_source() -> None:
    line = change("tofa_us_anc_hold", value="1200", confirm_within="P3D")
    assert (line.words, line.overlay) == (">= 500 and <= 1200 /uL", "Aspen v1")
    assert str(line.confirm_within) == "3 days"
    assert line.origin.source.startswith("Aspen v1; the protocol's line: US PI")


def test_a_clinic_that_holds_earlier_resumes_later() -> None:
    assert change("tofa_us_anc_hold", value="1200").resume_value == 1200


def test_the_same_figure_is_not_looser() -> None:
    assert change("tofa_us_anc_hold", value="1000").high == 1000


def test_an_unverified_line_is_the_clinics_to_change_or_switch_off() -> None:
    assert change("tofa_us_hb_gap", value="8.5").high == change("tofa_us_hb_gap", value="8.50").high
    assert change("tofa_us_hb_gap", off="yes") is None


def test_an_interval_where_the_label_has_none() -> None:
    assert change("tofa_us_schedule_alt", every="P6M").every == Span(6, 0)


def test_a_version_that_no_longer_fits_leaves_the_line_as_the_protocol_has_it() -> None:
    """A later file of the protocol may be stricter than what the clinic once published."""
    looser = Published(1, "protocol_line", "tofacitinib_us/tofa_us_anc_hold", 1, date(2026, 1, 1), {"value": "800"})
    found = dated_protocol(TOFA, [looser], "Aspen", date(2026, 2, 1))
    assert found.on_treatment == TOFA.on_treatment


def test_what_is_to_come_changes_nothing_yet() -> None:
    later = Published(1, "protocol_line", "tofacitinib_us/tofa_us_anc_hold", 1, date(2026, 3, 1), {"value": "1200"})
    assert dated_protocol(TOFA, [later], "Aspen", date(2026, 2, 28)) is TOFA


@pytest.mark.parametrize("protocol", protocols().values(), ids=lambda protocol: protocol.id)
def test_every_line_of_a_protocol_has_a_name_of_its_own(protocol: Protocol) -> None:
    names = [line_id(line) for room in ROOMS for line in getattr(protocol, room)]
    assert len(set(names)) == len(names)


SPANS = st.builds(Span, st.integers(0, 6), st.integers(0, 60))


@settings(max_examples=40)
@given(SPANS, SPANS, st.dates(date(2020, 1, 1), date(2030, 1, 1)))
def test_never_later_is_true_of_every_day(one: Span, other: Span, day: date) -> None:
    if never_later(one, other):
        assert add(day, one) <= add(day, other)
