"""Passwords that leaked are refused however they are dressed up, and what people choose well is not."""

import pytest
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from tests.people import PASSWORD
from tracker.domain.errors import Refused
from tracker.models import Account, Clinic
from tracker.operations.passwords import LONGEST, SHORTEST, check_new_password

ALICE = Account(username="alice.archer", name="Alice Árcher-Ödegård", role="clinician")
ASPEN = Clinic(code="A", name="Aspen Clinic")
LEAKED = FREQUENCY_LISTS["passwords"]
WHY = "would be guessed soon|contains"


def lengthened(word: str) -> tuple[str, ...]:
    """What people do with a password that is too short."""
    times, missing = -(-SHORTEST // len(word)), max(0, SHORTEST - len(word))
    return word * times, word + "123456789012"[:missing], word.capitalize() + "!" * missing, "1" * missing + word


def refused(password: str) -> bool:
    try:
        check_new_password(password, ALICE, [ASPEN])
    except Refused:
        return True
    return False


def test_the_three_thousand_commonest_are_refused_lengthened_in_any_way() -> None:
    tried = [password for word in LEAKED[:3000:15] for password in lengthened(word)]  # all of them take two minutes
    assert [password for password in tried if not refused(password)] == []


def test_every_leaked_one_that_is_long_enough_is_refused() -> None:
    long_enough = [word for word in LEAKED if len(word) >= SHORTEST]
    assert len(long_enough) > 200
    assert [word for word in long_enough if not refused(word)] == []


@pytest.mark.parametrize(
    "password",
    [PASSWORD, "alopecia-areata-2026", "k7mw-9tqc-vh3x-r4pn", "der Hund bellt laut", "läuft im regen 7", "x7#kQ9!mWz2p",
     "correct horse battery", "пять мокрых цапель"],
)  # fmt: skip
def test_what_nobody_would_guess_is_taken(password: str) -> None:
    check_new_password(password, ALICE, [ASPEN])


@pytest.mark.parametrize("word", ["Árcher-Ödegård", "ALICE.ARCHER", "aspen", "Jakwatch", "tofacitinib"])
def test_the_persons_name_the_sign_in_the_clinic_and_the_program_are_no_part_of_it(word: str) -> None:
    with pytest.raises(Refused, match="contains"):
        check_new_password(f"seven {word} wade 4", ALICE, [ASPEN])


@pytest.mark.parametrize(
    ("length", "taken"), [(SHORTEST - 1, False), (SHORTEST, True), (LONGEST, True), (LONGEST + 1, False)]
)
def test_the_length_is_from_12_to_256_characters(length: int, taken: bool) -> None:
    assert refused(("x7#kQ9!mWz2p" + "ü b ö " * 50)[:length]) is not taken
