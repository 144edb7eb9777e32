"""What a new password may not be: too short, too long, near the person or the place, or soon guessed.

How soon is worked out by zxcvbn: it takes a password apart into the 30,000 commonest of those that leaked, words of
English, names, dates, rows of keys and repeats, however they are spelt, doubled or wrapped in figures, and counts the
guesses of somebody who knows all that. Nothing is looked up anywhere else.
"""

from collections.abc import Iterable, Iterator

from tracker.domain.errors import Refused
from tracker.models import Account, Clinic

SHORTEST, LONGEST = 12, 256  # characters, both inclusive
ENOUGH = 10**10  # guesses: with Argon2id many years of one machine
LOOKED_AT = 72  # characters: the work grows with the square of the length, and these are enough to tell
LOCAL_WORDS = ("jakwatch", "password", "tofacitinib", "clinician", "dermatology")


def check_new_password(password: str, account: Account, clinics: Iterable[Clinic] = ()) -> None:
    """Raise Refused where the password would be guessed soon. Any character counts; none is asked for."""
    if len(password) < SHORTEST:
        raise Refused(f"A password has {SHORTEST} characters or more. Four unrelated words are easy to remember.")
    if len(password) > LONGEST:
        raise Refused(f"A password has {LONGEST} characters or fewer.")
    words = [word for word in _near(account, clinics) if len(word) > 2]
    for word in words:
        if word.casefold() in password.casefold():
            raise Refused(f"The password contains “{word}”, which is among the first things one would try.")
    if guesses(password, words) < ENOUGH:
        raise Refused(
            "The password would be guessed soon: it is near one that leaked, a word, a name, a date, a row of keys or "
            "a repeat. Four unrelated words are hard to guess and easy to remember."
        )


def guesses(password: str, words: Iterable[str] = ()) -> float:
    """After how many tries somebody who knows the usual passwords, and these words, would have it."""
    from zxcvbn import zxcvbn  # noqa: PLC0415 - its lists take a while to load, and few commands need them

    return float(zxcvbn(password[:LOOKED_AT], user_inputs=list(words))["guesses"])


def _near(account: Account, clinics: Iterable[Clinic]) -> Iterator[str]:
    """The words somebody who knows the person and the place would try."""
    yield from (*LOCAL_WORDS, account.username, *account.name.split())
    for clinic in clinics:
        yield from (clinic.code, *clinic.name.split())
