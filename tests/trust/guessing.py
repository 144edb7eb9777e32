"""Guessing at the sign-in (R21): how many tries reach a digest, and whether an answer tells who has an account."""

import re
import statistics
import threading
import time
from collections.abc import Iterator
from datetime import timedelta

from argon2 import PasswordHasher
from sqlalchemy import select, update

from tests.people import WEAK
from tests.trust.crawl import World, clinic
from tests.trust.lines import Line
from tests.web.conftest import Browser
from tracker.models import Account
from tracker.operations.accounts import ATTEMPTS, LOCKED_FOR

GUESSERS = 4
ALIKE = 0.05  # the share by which the mean times may differ


class Counting:
    """A hasher that counts how often somebody's own digest is looked at."""

    def __init__(self, hasher: PasswordHasher, stored: str) -> None:
        self.hasher, self.stored, self.reached = hasher, stored, 0

    def verify(self, stored: str, password: str) -> bool:
        self.reached += stored == self.stored
        return self.hasher.verify(stored, password)

    def hash(self, password: str) -> str:
        return self.hasher.hash(password)


def guess(world: World, tries: int) -> tuple[int, int]:
    """So many wrong passwords for alice from several browsers at once: how many reached her digest, and may have."""
    with world.database.reading() as session:
        stored = session.scalars(select(Account.password_hash).where(Account.username == "alice")).one()
    counting = Counting(WEAK, stored)
    world.app.config["PASSWORD_HASHER"] = counting
    begun = time.monotonic()

    def some() -> None:
        browser = Browser(world.app)
        token = browser.token()
        for number in range(tries // GUESSERS):
            form = {"csrf_token": token, "username": "alice", "password": f"wrong guess {number}"}
            browser.client.post("/sign-in", data=form)

    threads = [threading.Thread(target=some) for _ in range(GUESSERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    periods = 1 + int((time.monotonic() - begun) / LOCKED_FOR.total_seconds())
    return counting.reached, ATTEMPTS * periods


def told_apart(world: World, tries: int) -> tuple[float, set[str]]:
    """By how much the mean time of an unknown name differs from that of a known one (a share), and the pages seen."""
    world.app.config["PASSWORD_HASHER"] = PasswordHasher(time_cost=1, memory_cost=4096, parallelism=1)
    with world.database.transaction() as session:
        digest = world.app.config["PASSWORD_HASHER"].hash("not what is tried")
        session.execute(update(Account).where(Account.username == "bob").values(password_hash=digest))
    browser, seconds, pages = Browser(world.app), {"bob": [0.0] * 0, "nobody": [0.0] * 0}, set()
    token = browser.token()
    for number in range(2 * tries):
        name = ("bob", "nobody")[number % 2]
        with world.database.transaction() as session:  # not locked, and so known
            session.execute(update(Account).values(failed_attempts=0, locked_until=None))
        begun = time.process_time()
        answer = browser.client.post("/sign-in", data={"csrf_token": token, "username": name, "password": "wrong"})
        seconds[name].append(time.process_time() - begun)
        pages.add(f"{answer.status_code} {re.sub('csrf[^>]*>', '', answer.text).replace(name, 'X')}")
    known, unknown = (statistics.fmean(sorted(held)[: int(0.95 * tries)]) for held in seconds.values())
    return abs(known - unknown) / known, pages


def check(full: bool) -> Iterator[Line]:
    tries, each = (100_000, 1000) if full else (2000, 300)
    with clinic() as world:
        reached, most = guess(world, tries)
    figure = f"{tries} wrong passwords from {GUESSERS} browsers at once: {reached} reached the digest"
    minutes = LOCKED_FOR // timedelta(minutes=1)
    wanted = f"{ATTEMPTS} in {minutes} minutes, here {most}"
    yield Line("R21", "guessing a password", figure, wanted, 0 < reached <= most)
    with clinic() as world:
        share, pages = told_apart(world, each)
    figure = f"{each} tries each: {len(pages)} page, the mean times differ by {share:.1%}"
    yield Line("R21", "a known and an unknown name", figure, "1 page, below 5 %", len(pages) == 1 and share < ALIKE)
