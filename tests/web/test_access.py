"""Who may what: every endpoint, as every role, on their own clinic's records and on another's, as matrix.yaml says."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask import Flask
from flask import session as flask_session
from flask.testing import FlaskClient
from flask_wtf.csrf import generate_csrf
from sqlalchemy import select
from werkzeug.test import TestResponse

from tests import pages
from tests.oracle import watching
from tests.people import BY_ROLE, CLINICS, Cast, Records, account, add_account
from tracker.cli.working import MAY_FILE
from tracker.db import Database
from tracker.models import Account, BrowserSession, Passkey
from tracker.operations.accounts import digest_of, start_session
from tracker.web import access
from tracker.web.database import reading

MATRIX: dict[str, dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("matrix.yaml").read_text(encoding="utf-8"))
ROLES = ("anonymous", *BY_ROLE)
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
FOREIGN_TOKEN = "a-browser-of-somebody-else"


def routes(app: Flask) -> set[tuple[str, str]]:
    """(endpoint, method) of everything the application answers."""
    rules = app.url_map.iter_rules()
    return {(rule.endpoint, method) for rule in rules for method in rule.methods or () if method in METHODS}


def test_every_route_is_in_the_matrix_and_the_matrix_knows_no_other(app: Flask) -> None:
    written = {(endpoint, method) for endpoint, told in MATRIX.items() for method in told if method in METHODS}
    assert routes(app) == written


def test_every_route_is_in_the_table_and_the_table_knows_no_other(app: Flask) -> None:
    assert {endpoint for endpoint, _ in routes(app)} == set(access.ENDPOINTS)


def test_every_line_of_the_matrix_names_every_role() -> None:
    for endpoint, told in MATRIX.items():
        for method in METHODS:
            for whose, cells in told.get(method, {}).items():
                assert (whose in ("own", "other"), set(cells)) == (True, set(ROLES)), (endpoint, method, whose)


def test_every_cell_is_as_written(app: Flask, cast: Cast, database: Database) -> None:
    """And whoever works at clinic A reads nothing of clinic B, whatever they ask for."""
    app.config["TESTING"] = False  # a page that fails is one wrong cell, not the end of the test
    somebodys_session(database, cast)
    canary, wrong = CLINICS["B"][3], []
    for endpoint, method, whose, role, expected in cells():
        answer = ask(app, database, cast, endpoint, method, whose, role)
        found = outcome(answer)
        if found != expected:
            wrong.append(f"{endpoint} {method}, {role}, {whose} records: {found} instead of {expected}")
        if canary in told(answer):
            wrong.append(f"{endpoint} {method}, {role}, {whose} records: shows a record of clinic B")
    assert not wrong, "\n".join(wrong)


def told(answer: TestResponse) -> str:
    """What an answer says: the words of a sheet, or its text; of a picture the bytes as they are."""
    if answer.mimetype == "application/pdf":
        return pages.text(answer.data)
    return answer.data.decode("utf-8", "replace")


def cells() -> Iterator[tuple[str, str, str, str, str]]:
    for endpoint, told in MATRIX.items():
        for method in METHODS:
            for whose, expected in told.get(method, {}).items():
                for role in ROLES:
                    yield endpoint, method, whose, role, expected[role]


def somebodys_session(database: Database, cast: Cast) -> None:
    """Session and passkey number 1 belong to mallory, so that nobody who tries may end or remove them."""
    with database.transaction() as session:
        row = account(session, "mallory")
        session.add(
            BrowserSession(
                token_digest=digest_of(FOREIGN_TOKEN), account_id=row.id, created_at=row.created_at,
                seen_at=row.created_at, data={},
            )
        )  # fmt: skip
        session.add(
            Passkey(
                account_id=row.id, name="of somebody else", credential="AA", public_key="AA", handle="AA", counter=0,
                challenged_at=row.created_at, made_at=row.created_at,
            )
        )  # fmt: skip


def ask(app: Flask, database: Database, cast: Cast, endpoint: str, method: str, whose: str, role: str) -> TestResponse:
    """One cell. Each is asked by a browser that has just signed in: the one before may have signed out."""
    told, records = MATRIX[endpoint], cast.a if whose == "own" else cast.b
    client, token = client_of(app, database, cast, role)
    form = {name: getattr(records, value, value) if isinstance(value, str) else value
            for name, value in told.get("form", {}).items()}  # fmt: skip
    with watching() as oracle:
        answer = client.open(
            address(app, endpoint, records, told.get("url", {})),
            method=method,
            data=None if method == "GET" else {"csrf_token": token, **form},
            buffered=True,
        )
    assert oracle.unaudited == [], endpoint
    return answer


def client_of(app: Flask, database: Database, cast: Cast, role: str) -> tuple[FlaskClient, str]:
    """A browser in a new session of the role's person, and the token of its forms."""
    client = app.test_client()
    if role == "anonymous":
        client.get("/sign-in")
        with client.session_transaction() as visit:
            return client, form_token(app, visit["csrf_token"])
    with database.transaction() as session:
        row = session.get_one(Account, cast.accounts[BY_ROLE[role]])
        row.failed_attempts, row.locked_until, row.disabled_at = 0, None, None  # whatever the cell before did
        token = start_session(session, row.id, datetime.now(UTC))
        held = session.scalars(select(BrowserSession).where(BrowserSession.token_digest == digest_of(token))).one()
        secret = held.data["csrf_token"]
    client.set_cookie("jakwatch", token)
    return client, form_token(app, secret)


def form_token(app: Flask, secret: str) -> str:
    """What stands in the forms of a session with this secret."""
    with app.test_request_context():
        flask_session["csrf_token"] = secret
        return str(generate_csrf())


def address(app: Flask, endpoint: str, records: Records, more: dict[str, Any]) -> str:
    """The endpoint's address with the keys of these records in it."""
    rule = next(rule for rule in app.url_map.iter_rules() if rule.endpoint == endpoint)
    known = records.url_values() | more
    with app.test_request_context():
        built = app.url_for(endpoint, **{name: known[name] for name in rule.arguments})
    return str(built)


def outcome(answer: TestResponse) -> str:
    """The word of the matrix for an answer; a number where there is none."""
    target = answer.headers.get("Location", "")
    if target.startswith("/sign-in") and "notice=out" not in target:
        return "sign-in"
    if answer.status_code < 400 or answer.status_code in (400, 401, 409, 422):
        return "ok"
    return {403: "refused", 404: "missing"}.get(answer.status_code, str(answer.status_code))


# ---------------------------------------------------------------------------------------------- deny by default


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_route_that_nobody_listed_answers_nobody(app: Flask, cast: Cast, database: Database, method: str) -> None:
    app.add_url_rule("/forgotten", "forgotten", lambda: "secret", methods=["GET", "POST"])
    for role in ROLES:
        client, token = client_of(app, database, cast, role)
        answer = client.open("/forgotten", method=method, data={"csrf_token": token} if method == "POST" else None)
        assert answer.status_code == 404, role
        assert "secret" not in answer.text


def test_a_missing_record_and_another_clinics_look_the_same(
    app: Flask, cast: Cast, sign_in: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    show_patient(app, monkeypatch)
    alice = sign_in("alice")
    others, none = alice.get(f"/look/{cast.b.patient}"), alice.get("/look/999999")
    assert (others.status_code, none.status_code) == (404, 404)
    assert without_reference(others.text) == without_reference(none.text)


@pytest.mark.parametrize("key", ["0", "9223372036854775808", "9" * 40])
def test_a_key_no_table_can_have_is_not_found(
    app: Flask, sign_in: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    show_patient(app, monkeypatch)
    assert sign_in("alice").get(f"/look/{key}").status_code == 404


def show_patient(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that shows a patient, for whoever signed in."""

    def look(patient_id: int) -> str:
        return access.get_patient(reading(), patient_id).full_name

    app.add_url_rule("/look/<int:patient_id>", "look", look)
    monkeypatch.setitem(access.ENDPOINTS, "look", access.STAFF)  # type: ignore[arg-type]


def without_reference(page: str) -> str:
    return "\n".join(line for line in page.splitlines() if "Reference" not in line and "csrf" not in line)


GETTERS = [
    (access.get_patient, "patient"),
    (access.get_course, "course"),
    (access.get_result, "result"),
    (access.get_flag, "flag"),
    (access.get_event, "event"),
    (access.get_medication, "medication"),
    (access.get_observation, "observation"),
    (access.get_range, "range"),
    (access.get_setting, "setting"),
    (access.get_batch, "batch"),
    (access.get_held_row, "held_row"),
    (access.get_attachment, "attachment"),
]


@pytest.mark.parametrize(("getter", "name"), GETTERS, ids=[name for _, name in GETTERS])
def test_a_getter_finds_ones_own_and_nothing_of_another_clinic(
    app: Flask, cast: Cast, sign_in: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, getter: Any, name: str
) -> None:
    app.add_url_rule("/get/<int:key>", "get", lambda key: str(getter(reading(), key).id))
    monkeypatch.setitem(access.ENDPOINTS, "get", access.STAFF)  # type: ignore[arg-type]
    own, foreign = getattr(cast.a, name), getattr(cast.b, name)
    assert sign_in("alice").get(f"/get/{own}").text == str(own)
    assert sign_in("alice").get(f"/get/{foreign}").status_code == 404
    assert sign_in("mallory").get(f"/get/{foreign}").text == str(foreign)
    assert sign_in("mallory").get(f"/get/{own}").status_code == 404


def test_somebody_without_a_clinic_finds_nothing(
    app: Flask, cast: Cast, database: Database, sign_in: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    show_patient(app, monkeypatch)
    with database.transaction() as session:
        add_account(session, "nina", "Nina North", "clinician")
    nina = sign_in("nina")
    assert nina.get(f"/look/{cast.a.patient}").status_code == 404
    assert "not a member of a clinic" in nina.get("/account").text


def test_who_may_file_by_the_page_may_have_a_long_file_filed_for_them() -> None:
    """A long file is filed later, by a process that has no page: it asks for the roles once more."""
    assert access.ENDPOINTS["imports.confirm"] == MAY_FILE
