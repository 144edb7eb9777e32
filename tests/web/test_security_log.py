"""Every try to get past a wall leaves a line in the log `tracker.security`, without a name, a password or a token."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from tests.people import PASSWORD, Cast
from tests.web.conftest import Browser

SignIn = Callable[[str], Browser]
Act = Callable[[Browser, SignIn], Any]


@pytest.fixture(autouse=True)
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.INFO, "tracker.security"):
        yield caplog


ACTS: dict[str, tuple[Act, str]] = {
    "a wrong password": (lambda v, _: v.sign_in("alice", "made up"), "sign-in refused, account 1"),
    "an unknown name": (lambda v, _: v.sign_in("nobody", "made up"), "sign-in refused, account unknown"),
    "a right password": (lambda v, _: v.sign_in("alice"), "signed in, account 1"),
    "a form without its token": (
        lambda _, s: s("alice").client.post("/account/password", data={}),
        "a form without its token was refused at account.change_password",
    ),
    "a form of another site": (
        lambda _, s: s("alice").post("/account/clinic", headers={"Sec-Fetch-Site": "cross-site"}),
        "a request from another site was refused at account.switch_clinic",
    ),
    "a page of another role": (lambda _, s: s("bob").get("/audit"), "recorder, was refused audit.index"),
    "a character no record holds": (
        lambda _, s: s("alice").get("/patients?q=a%00b"),
        "a character that no record holds was refused at patients.index",
    ),
    "more files than one may have": (
        lambda _, s: [s("dan").get(f"/audit.csv?mrn={number}") for number in range(2)],
        "had more than 1 files within an hour",
    ),
    "a passkey that is none": (
        lambda v, _: [v.post("/sign-in/passkey/ask"), v.post("/sign-in/passkey", {"answer": "{}"})],
        "passkey refused, account not told",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ACTS)
def test_it_leaves_a_line(
    name: str, app: Flask, visitor: Browser, sign_in: SignIn, cast: Cast, lines: pytest.LogCaptureFixture
) -> None:
    app.config["HOURLY"] = (1, 100)
    act, said = ACTS[name]
    act(visitor, sign_in)
    told = [record.getMessage() for record in lines.records if record.name == "tracker.security"]
    assert any(said in line for line in told), told
    assert not any(secret in line for line in told for secret in (PASSWORD, "made up", "Alice", "nobody"))


def test_another_host_name_leaves_a_line(app: Flask, lines: pytest.LogCaptureFixture) -> None:
    app.config["TRUSTED_HOSTS"] = ["jakwatch.example"]
    assert app.test_client().get("/sign-in", headers={"Host": "evil.example"}).status_code == 400
    assert "another host name was asked for and refused" in lines.text
