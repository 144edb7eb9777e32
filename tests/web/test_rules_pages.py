"""Every rule and every protocol has a page: what it flags, its figures with operators, its source, verified or not."""

from collections.abc import Callable

import pytest

from tests.web.conftest import Browser
from tests.web.reading import soup, words
from tracker import rules
from tracker.library.protocols import protocols

SignIn = Callable[[str], Browser]


def test_the_list_has_every_rule_with_what_it_flags_in_a_line(sign_in: SignIn) -> None:
    page = soup(sign_in("bob").get("/rules"))
    lines = [words(tr) for tr in page.select("main tbody tr")]
    assert len(lines) == len(rules.RULES)
    for rule, line in zip(rules.RULES, lines, strict=True):
        assert line.startswith(f"{rules.TITLES[rule.CODE]} {rule.CODE} ")
        assert len(line) > len(rules.TITLES[rule.CODE]) + len(rule.CODE) + 20


@pytest.mark.parametrize("code", [rule.CODE for rule in rules.RULES])
def test_a_rule_says_what_why_an_example_and_its_source(sign_in: SignIn, code: str) -> None:
    page = soup(sign_in("dan").get(f"/rules/{code}"))
    assert [h2.get_text() for h2 in page.select("article h2")] == list(rules.HEADINGS)
    assert all(len(words(section)) > 40 for section in page.select("article section"))


def test_a_rule_there_is_not_is_not_found(sign_in: SignIn) -> None:
    assert sign_in("bob").get("/rules/astrology").status_code == 404
    assert sign_in("bob").get("/protocols/tofacitinib_mars").status_code == 404


@pytest.mark.parametrize("protocol_id", list(protocols()))
def test_a_protocol_shows_every_line_with_its_source(sign_in: SignIn, protocol_id: str) -> None:
    protocol = protocols()[protocol_id]
    page = soup(sign_in("bob").get(f"/protocols/{protocol_id}"))
    text = words(page.main)
    parts = (
        protocol.initiation, protocol.on_treatment, protocol.schedule, protocol.screening, protocol.events,
        protocol.dose_adjust, filter(None, [protocol.benefit]),
    )  # fmt: skip
    lines = [line for part in parts for line in part]
    assert len(page.select("main tbody tr")) == len(lines)
    for line in lines:
        assert " ".join(line.origin.source.split()) in text
    marked = [tr for tr in page.select("main tbody tr") if tr.select_one(".jw-unverified")]
    assert len(marked) == sum(not line.origin.verified for line in lines)


def test_limits_are_printed_with_their_operators(sign_in: SignIn) -> None:
    page = words(sign_in("bob").get("/protocols/tofacitinib_us"))
    assert "Neutrophils ≥ 500 and ≤ 1000 /uL interrupt 2 results in a row > 1000 /uL" in page
    assert "Lymphocytes < 500 /uL discontinue a second sample within 7 days" in page
    assert "Haemoglobin a fall from baseline > 2.0 g/dL interrupt" in page
    assert "Off-label for alopecia areata." in page


def test_the_list_of_protocols_has_drug_region_and_note(sign_in: SignIn) -> None:
    page = words(sign_in("bob").get("/protocols"))
    assert "tofacitinib Xeljanz EU/UK/AU 5 mg twice daily alopecia areata" in page
    assert "the differences from the US label" in page
