"""Who the boxed warnings and the European restriction are about, as far as it is on record (composite rule I8).

Age 65 or over, smoking, cardiovascular disease or risk, malignancy, thrombosis; in rheumatoid arthritis age 50 or over
beside a cardiovascular risk. Smoking and risk factors are asked and recorded as an observation; age, indication and
events are known.
"""

from collections.abc import Iterator

from tracker.domain.history import Course, History
from tracker.domain.illness import wording

BOXED_RISK, OBSERVED = "BOXED_RISK", "boxed_risk"
ELDERLY, RHEUMATOID_FROM = 65, 50  # completed years at the first dose; EMA PRAC 2022-10-28, US boxed warning
EVENTS = {"malignancy": "malignancy", "thrombosis": "thrombosis", "mi_or_stroke": "heart attack or stroke"}
NOTHING_FOUND = frozenset({"no", "none", "nil", "no risk", "none known"})


def known_risks(history: History, course: Course) -> tuple[str, ...]:
    """What is on record of the profile, in words: `age 67`, `thrombosis`."""
    return tuple(dict.fromkeys((*_by_age(history, course), *_by_events(history, course))))


def _by_age(history: History, course: Course) -> Iterator[str]:
    age = history.person.age_on(course.started_on)
    if age is not None and age >= ELDERLY:
        yield f"age {age}"
    elif age is not None and age >= RHEUMATOID_FROM and "rheumatoid" in course.indication.casefold():
        yield f"rheumatoid arthritis at age {age}"


def _by_events(history: History, course: Course) -> Iterator[str]:
    """What happened before the first dose; later it is a finding of its own."""
    before = min(course.started_on, history.as_of)
    for event in history.events:
        term = history.vocabulary.event_term(wording(event))
        if term is not None and term.name in EVENTS and (event.onset_on is None or event.onset_on <= before):
            yield EVENTS[term.name]
