"""Tests that are not mapped are work to do: listed, mapped with a reason, and taken back."""

from collections.abc import Callable

import pytest
from bs4 import BeautifulSoup

from tests.people import Cast
from tests.web.conftest import Browser
from tests.web.test_imports import HEAD, a_monday_in_february, send, token, words

__all__ = ["a_monday_in_february"]

SignIn = Callable[[str], Browser]
TEST = {"sender": "Synlab", "code": "", "name": "Neutro-X", "unit": "10*9/L"}


@pytest.fixture
def filed(sign_in: SignIn, cast: Cast) -> None:
    bob = sign_in("bob")
    shown = send(bob, HEAD + "AL-0001,2026-02-12,Neutro-X,0.4,G/l,Synlab\n")
    assert bob.post("/imports/file", {"token": token(shown)}).status_code == 303


def test_what_is_not_mapped_is_listed_with_its_sender_and_samples(alice: Browser, filed: None) -> None:
    page = words(alice.get("/imports/codes").text)
    assert "1 test is not mapped" in page
    assert "Neutro-X Synlab none ×10⁹/L 1 1 12 Feb 2026 0.4" in page


def test_mapped_in_the_browser_it_is_judged_and_the_page_says_what_changed(alice: Browser, filed: None) -> None:
    shown = alice.get("/imports/codes/test", query_string=TEST)
    options = {o["value"] for o in BeautifulSoup(shown.text, "html5lib").select("#analyte option")}
    assert {"ANC", "PLT", "none"} <= options
    assert "ALT" not in options
    refused = alice.post("/imports/codes/test", TEST | {"analyte": "ANC", "reason": ""})
    assert refused.status_code == 422
    assert "Say in a few words why." in words(refused.text)
    done = alice.post("/imports/codes/test", TEST | {"analyte": "ANC", "reason": "the laboratory's list of 2026"})
    assert done.status_code == 303
    page = words(alice.get(done.location).text)
    assert "“Neutro-X” is ANC from now on: 1 result judged so." in page
    assert "Neutro-X Synlab none ×10⁹/L ANC 1 Alice Archer" in page
    assert "the laboratory's list of 2026" in page
    assert alice.post("/imports/codes/test", TEST | {"analyte": "PLT", "reason": "another idea"}).status_code == 409

    links = BeautifulSoup(alice.get("/imports/codes").text, "html5lib").find_all("a", string="End it")
    address = next(a["href"] for a in links if a["aria-label"] == "End it: the mapping of Neutro-X")
    ended = alice.post(address, {"reason": "it was the per cent"})
    assert ended.status_code == 303
    assert "1 test is not mapped" in words(alice.get("/imports/codes").text)


def test_a_recorder_sees_the_list_and_maps_nothing(sign_in: SignIn, filed: None) -> None:
    page = sign_in("bob").get("/imports/codes").text
    assert "Neutro-X" in page
    assert "/imports/codes/test" not in page
