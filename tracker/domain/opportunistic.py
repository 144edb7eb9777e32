"""A clinic's own version of the list of opportunistic infections: what counts beside the packaged list, which of its
lines do not, and in which form zoster does.

The packaged list is that of Winthrop 2015, which counts zoster in any form; label texts count it where it is
multidermatomal, and so does the list as it is shipped. Each part may be empty; all of them empty is as shipped.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from tracker.domain.errors import Refused
from tracker.domain.infections import Term, Vocabulary, as_words
from tracker.domain.overlay import Published

TERMS, WITHOUT, ZOSTER = "terms", "without", "zoster"
ANY_FORM = "any"
MOST_TERMS = 50
LONGEST_TERM = 80  # characters, inclusive
SHORTEST_STEM = 3  # letters before a `*`, inclusive: `a*` would be nearly every infection


class Verdict(NamedTuple):
    """What a clinic's version says of an infection that would count otherwise as shipped, and which version it is."""

    counts: bool
    name: str
    words: str


class ClinicList(NamedTuple):
    """A version of the list, for infections that begin on `since` or later; `name` is the clinic's version."""

    since: date = date.min
    name: str = ""
    terms: tuple[Term, ...] = ()
    without: frozenset[str] = frozenset()
    any_zoster: bool = False

    def verdict(self, text: str, zoster: bool, shipped: bool, still: bool) -> Verdict | None:
        """What the version says of an infection, None where it counts as shipped. `shipped`: whether it counts so;
        `still`: whether it does without the lines that are left out.
        """
        if still:
            return None
        term = next((term for term in self.terms if term.fits(text)), None)
        if term is not None:
            return None if shipped else Verdict(True, self.name, f"counted by {self.name} ({term.name})")
        if shipped:
            return Verdict(False, self.name, f"not counted by {self.name}")
        if zoster and self.any_zoster:
            return Verdict(True, self.name, f"zoster in any form counted by {self.name}")
        return None


AS_SHIPPED = ClinicList()


# ---------------------------------------------------------------------------------------------- what may be set


def check(body: Mapping[str, str], words: Vocabulary) -> None:
    """Raise Refused, saying why, where the list may not be set so. `body` maps TERMS and WITHOUT to lines of text, and
    ZOSTER to ANY_FORM; `words` are the packaged lists.
    """
    if strange := set(body) - {TERMS, WITHOUT, ZOSTER}:
        raise Refused(f"“{min(strange)}” cannot be set for the list of infections.")
    without = _lines(body, WITHOUT)
    _check_names(without, words)
    _check_terms(_lines(body, TERMS), words, frozenset(without))
    if body.get(ZOSTER, ANY_FORM) != ANY_FORM:
        raise Refused(f"Zoster counts as the labels have it, or in “{ANY_FORM}” form: “{body[ZOSTER]}” is neither.")


def _lines(body: Mapping[str, str], key: str) -> list[str]:
    return body[key].split("\n") if key in body else []


def _check_names(without: Sequence[str], words: Vocabulary) -> None:
    known = {term.name for term in words.opportunistic}
    for name in without:
        if name == words.tuberculosis.name:
            raise Refused("Tuberculosis cannot be left out: the labels act on active tuberculosis themselves.")
        if name not in known:
            raise Refused(f"The packaged list has no line “{name}” that could be left out.")
    if twice := _twice(without):
        raise Refused(f"“{twice}” is left out twice.")


def _check_terms(terms: Sequence[str], words: Vocabulary, without: frozenset[str]) -> None:
    if len(terms) > MOST_TERMS:
        raise Refused(f"At most {MOST_TERMS} terms of its own fit into a clinic’s list; these are {len(terms)}.")
    for term in terms:
        _check_term(term)
        there = words.opportunistic_term(term, without | {words.zoster.name})
        if there is not None:
            raise Refused(f"“{term}” counts already: it is on the list as {there.name}.")
    if twice := _twice([as_words(term) for term in terms]):
        raise Refused(f"“{twice}” stands twice among the terms.")


def _check_term(term: str) -> None:
    stem = as_words(term).removesuffix("*")
    if not stem:
        raise Refused(f"“{term}” has no word in it." if term.strip() else "An empty line is no term.")
    if len(term) > LONGEST_TERM:
        raise Refused(f"A term has at most {LONGEST_TERM} characters: “{term[:LONGEST_TERM]}…” is longer.")
    if "*" in term.strip()[:-1]:
        raise Refused(f"“{term}”: a * stands at the end of a term alone, for any ending of its last word.")
    if term.endswith("*") and len(stem.rpartition(" ")[2]) < SHORTEST_STEM:
        raise Refused(f"“{term}” would fit too much: at least {SHORTEST_STEM} letters stand before a *.")


def _twice(lines: Sequence[str]) -> str:
    return next((line for place, line in enumerate(lines) if line in lines[:place]), "")


# ---------------------------------------------------------------------------------------------- what judges


def clinic_lists(versions: Iterable[Published], clinic: str) -> tuple[ClinicList, ...]:
    """The versions of a clinic's list in the order in which they come into force."""
    ordered = sorted(versions, key=lambda version: (version.effective_from, version.number))
    return tuple(_read(version.effective_from, f"{clinic} v{version.number}", version.body) for version in ordered)


def _read(since: date, name: str, body: Mapping[str, Any]) -> ClinicList:
    terms = tuple(Term(term, (as_words(term),), source=name) for term in _lines(body, TERMS))
    return ClinicList(since, name, terms, frozenset(_lines(body, WITHOUT)), ZOSTER in body)


def list_on(versions: Sequence[ClinicList], day: date) -> ClinicList:
    """The version in force on a day, its first day included."""
    return next((version for version in reversed(versions) if version.since <= day), AS_SHIPPED)
