"""Words by which a reported term is recognised: opportunistic infections, zoster, tuberculosis, other events.

Nobody is asked for a code: the term, the site and the organism are read as they were written. The lists are
data of the library; here is only what it means that a line of such a list fits. What a clinic changes of the list of
opportunistic infections is domain/opportunistic.py.
"""

import re
from functools import lru_cache
from typing import NamedTuple

_WORD = re.compile(r"\w+")


@lru_cache(maxsize=4096)
def _plain(text: str) -> str:
    """Lower case, no punctuation, a space at either end: `Non-tuberculous` is ` non tuberculous `."""
    return f" {' '.join(_WORD.findall(text.casefold()))} "


def as_words(phrase: str) -> str:
    """A phrase as `_has` looks for it: `Pott's disease` is `pott s disease`; a `*` at its end stays."""
    return _plain(phrase).strip() + ("*" if phrase.rstrip().endswith("*") else "")


def _has(text: str, phrase: str) -> bool:
    """Whether the phrase stands in the text as whole words; a phrase ending in `*` may go on (`candid*`)."""
    return f" {phrase[:-1]}" in text if phrase.endswith("*") else f" {phrase} " in text


class Term(NamedTuple):
    """One line of a word list.

    It fits where one of `words` stands, with one of `together` where there are any, and none of `unless`.
    """

    name: str
    words: tuple[str, ...] = ()
    together: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    certainty: str = ""
    source: str = ""
    verified: bool = False

    def fits(self, text: str) -> bool:
        """Whether a term as reported (with its site and organism) falls under this line."""
        plain = _plain(text)
        if not any(_has(plain, word) for word in self.words):
            return False
        if self.together and not any(_has(plain, word) for word in self.together):
            return False
        return not any(_has(plain, word) for word in self.unless)


class Vocabulary(NamedTuple):
    """The word lists the rules on infections and other events read. Empty lists recognise nothing.

    `widespread` makes a zoster one that the labels count as opportunistic; `over` are the outcomes that say an
    event has ended where nobody wrote down the day; `events` are named as a protocol's lines are (`thrombosis`);
    `liver_symptom` is what, with raised aminotransferases, makes an injury of the liver likely.
    """

    opportunistic: tuple[Term, ...] = ()
    zoster: Term = Term("herpes zoster")
    widespread: Term = Term("widespread")
    tuberculosis: Term = Term("tuberculosis")
    events: tuple[Term, ...] = ()
    over: tuple[str, ...] = ()
    digest: str = ""
    liver_symptom: Term = Term("liver symptom")

    def opportunistic_term(self, text: str, without: frozenset[str] = frozenset()) -> Term | None:
        """The line of the opportunistic list that a term falls under; zoster and tuberculosis are on it too. Lines
        named in `without` are not looked at.
        """
        lists = (self.tuberculosis, *self.opportunistic, self.zoster)
        return next((term for term in lists if term.name not in without and term.fits(text)), None)

    def event_term(self, text: str) -> Term | None:
        """The kind of event (thrombosis, perforation ...) that a reported term falls under."""
        return next((term for term in self.events if term.fits(text)), None)


NO_WORDS = Vocabulary()
