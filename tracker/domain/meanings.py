"""What a screening result means for a drug that is taken or planned: how grave it is, and what is suggested.

Sources: composite rules I6, I7 and I10, and the lines of the protocols. What no label says is marked as not verified.
"""

from collections.abc import Sequence
from typing import NamedTuple

from tracker.domain.findings import ROUTINE, SOON, URGENT
from tracker.domain.history import Course, History
from tracker.domain.protocol import Protocol, Sourced
from tracker.domain.screening_facts import HEPATITIS, PREGNANCY, TB

Watched = Sequence[tuple[Course, Protocol]]


class Meaning(NamedTuple):
    """What a reading means before a start and during treatment: (severity, suggestion) each."""

    subject: str
    entry: str
    says: str
    before: tuple[str, str | None]
    during: tuple[str, str | None]
    origin: Sourced


NO_START, DECIDE, AGAIN = (URGENT, "do_not_start"), (URGENT, "consult"), (SOON, "repeat")


def _unclear(subject: str, entry: str, what: str) -> Meaning:
    origin = Sourced("", f"author-proposed: {what} that is neither is repeated", False)
    return Meaning(subject, entry, "neither positive nor negative", AGAIN, AGAIN, origin)


TB_POSITIVE = Meaning(
    TB, "positive", "latent tuberculosis is treated before a start, once active tuberculosis is excluded",
    NO_START, DECIDE, Sourced("", "boxed warning: test for latent TB, treat before use", True),
)  # fmt: skip
TB_UNCLEAR = _unclear(TB, "indeterminate", "a TB test")
HBSAG = Meaning(
    HEPATITIS, "hbsag", "hepatitis B infection", NO_START, DECIDE,
    Sourced("", "general knowledge: not started with hepatitis B surface antigen", False),
)  # fmt: skip
HBSAG_UNCLEAR = _unclear(HEPATITIS, "hbsag_unclear", "a hepatitis B test")
CORE_UNCLEAR = _unclear(HEPATITIS, "antihbc_unclear", "a hepatitis B test")
DNA_UNCLEAR = Meaning(
    HEPATITIS, "hbv_dna_unclear", "less than can be counted; whether any was detected is not said",
    (ROUTINE, "repeat"), (ROUTINE, "repeat"), Sourced("", "author-proposed", False),
)  # fmt: skip
HCV = Meaning(
    HEPATITIS, "hcv", "past or present hepatitis C", (SOON, "consult"), (SOON, "consult"),
    Sourced("", "general knowledge: screening for hepatitis C before a start", False),
)  # fmt: skip
HCV_UNCLEAR = _unclear(HEPATITIS, "hcv_unclear", "a hepatitis C test")
PREGNANCY_UNCLEAR = _unclear(PREGNANCY, "unclear", "a pregnancy test")
_SEEN = Sourced("", "general knowledge: pregnancy warnings of the labels", False)
_HEPATOLOGIST = Sourced("", "labels: hepatitis B DNA detected, hepatologist", True)


def dna_detected(watched: Watched) -> Meaning:
    lines = (protocol.event("hbv_dna_detected") for _, protocol in watched)
    origin = next((line.origin for line in lines if line is not None), _HEPATOLOGIST)
    return Meaning(HEPATITIS, "hbv_dna", "hepatitis B has woken: a hepatologist decides", DECIDE, DECIDE, origin)


def pregnant(history: History, watched: Watched) -> Meaning:
    lines = (p.event("pregnancy") for course, p in watched if not course.over(history.as_of))
    line = next((line for line in lines if line is not None), None)
    during = DECIDE if line is None else (URGENT, line.action)
    return Meaning(PREGNANCY, "pregnant", "a pregnancy", NO_START, during, line.origin if line else _SEEN)
