"""The frame of every page: landmarks, menu by role, intended use, and signs that never stand on colour alone."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask, g, render_template_string

from tests.people import Cast
from tracker.db import Database
from tracker.domain.intended_use import INTENDED_USE
from tracker.models import Flag
from tracker.web import access, navigation


def soup(answer: Any) -> Any:
    return BeautifulSoup(answer.text, "html.parser")


def test_a_page_has_its_landmarks_one_heading_and_a_way_past_the_menu(alice: Any, visitor: Any) -> None:
    for page in (soup(alice.get("/account")), soup(alice.get("/nothing")), soup(visitor.get("/sign-in"))):
        assert page.html["lang"] == "en-GB"
        assert page.find("main", id="main")
        assert len(page.find_all("h1")) == 1
        assert page.select_one("a.jw-skip")["href"] == "#main"
        assert page.select_one("[role=status]")
        assert page.title.get_text().endswith("· Jakwatch")
        assert INTENDED_USE in page.footer.get_text()


def test_the_menu_shows_what_a_role_may_open_and_where_one_is(
    app: Flask, sign_in: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    items = (navigation.Item("Patients", "here.index", "p"), navigation.Item("Admin", "there.index", "m"))
    monkeypatch.setattr(navigation, "ITEMS", items)
    for item in items:
        app.add_url_rule(
            f"/{item.endpoint}", item.endpoint, lambda: render_template_string('{% extends "base.html" %}')
        )
    monkeypatch.setitem(access.ENDPOINTS, "here.index", access.STAFF)  # type: ignore[arg-type]
    monkeypatch.setitem(access.ENDPOINTS, "there.index", access.ADMINS)  # type: ignore[arg-type]
    assert labels(sign_in("alice")) == ["Patients"]
    assert labels(sign_in("carol")) == ["Patients", "Admin"]


def labels(browser: Any) -> list[str]:
    return [link.get_text(strip=True) for link in soup(browser.get("/account")).select("nav[aria-label=Main] a")]


def test_the_count_beside_flags_is_of_patients_of_this_clinic_who_need_a_decision(
    app: Flask, cast: Cast, database: Database
) -> None:
    with database.transaction() as session:
        first = session.get_one(Flag, cast.a.flag)
        first.attention = 0
        foreign = session.get_one(Flag, cast.b.flag)
        foreign.attention = 0
    assert counted(app, cast.a.clinic) == "1"
    with database.transaction() as session:
        for flag in session.query(Flag).filter(Flag.clinic_id == cast.a.clinic):
            flag.attention = 2
    assert counted(app, cast.a.clinic) == ""


def counted(app: Flask, clinic_id: int) -> str:
    with app.test_request_context():
        here = SimpleNamespace(id=clinic_id)
        g.user = SimpleNamespace(clinic=here, clinics=(here,))
        return navigation.waiting()


def draw(bare_app: Flask, source: str, **values: Any) -> Any:
    with bare_app.test_request_context():
        g.user = None
        page = '{% import "macros/marks.html" as marks %}{% import "macros/clinical.html" as clinical %}' + source
        return BeautifulSoup(render_template_string(page, **values), "html.parser")


def test_each_severity_has_a_word_and_a_shape_of_its_own(bare_app: Flask) -> None:
    drawn = [draw(bare_app, f"{{{{ marks.severity('{word}') }}}}") for word in ("urgent", "soon", "routine", "info")]
    assert [page.get_text(strip=True) for page in drawn] == ["Act today", "This week", "Routine", "For information"]
    assert len({str(page.svg) for page in drawn}) == 4


def test_a_value_is_shown_with_unit_range_judge_and_a_word_for_where_it_lies(bare_app: Flask) -> None:
    page = draw(bare_app, "{{ clinical.value('<0.5', '10*9/L', '>= 1.8', '<= 7.7', 'low', 'laboratory range') }}")
    assert " ".join(page.get_text(" ").split()) == "<0.5 ↓ below range ×10⁹/L (laboratory range ≥ 1.8 and ≤ 7.7)"


def test_a_patient_is_always_shown_with_two_identifiers_age_sex_drug_dose_and_time(bare_app: Flask) -> None:
    patient = {"full_name": "Almondine, Ida", "mrn": "AL-0001", "birth_date": date(1988, 5, 17), "sex": "female"}
    text = draw(
        bare_app,
        "{{ clinical.patient_banner(patient, 'tofacitinib', '5 mg twice daily', started) }}",
        patient=patient, started=date(2026, 1, 12),
    ).get_text(" ", strip=True)  # fmt: skip
    for part in ("Almondine, Ida", "AL-0001", "17 May 1988", "female", "tofacitinib 5 mg twice daily"):
        assert part in text


def test_a_trend_has_words_and_no_style(bare_app: Flask) -> None:
    points = [(date(2026, 1, 12), Decimal("4.1")), (date(2026, 3, 20), Decimal("0.46"))]
    page = draw(bare_app, "{{ clinical.sparkline(points, low, none, 'Neutrophils, 4.1 to 0.46', 'urgent') }}",
                points=points, low=Decimal("1.8"))  # fmt: skip
    assert page.svg["aria-label"] == "Neutrophils, 4.1 to 0.46"
    assert "style" not in str(page)
    assert draw(bare_app, "{{ clinical.sparkline([]) }}").get_text(strip=True) == "no values"


def test_a_list_that_goes_on_has_a_next_page_and_one_that_does_not_has_none(bare_app: Flask) -> None:
    assert draw(bare_app, "{{ clinical.pager('', '/next') }}").a["href"] == "/next"
    assert draw(bare_app, "{{ clinical.pager() }}").a is None
