"""A clinic's own rules: a few shapes of criterion as data, and what each says of a result. No expression is evaluated.

`threshold`: a value beyond a bound. `pair`: that, and a second analyte beyond one on the same day. `change`: a rise or
fall of more than so much, absolute or in percent, from the course's baseline or from the result before. `trend`: so
many results in a row, each further one way, by so much in all. Figures are in the canonical unit of the analyte; the
bounds of the first two may be multiples of the upper limit of the range that judges the result (`3 x ULN`).
"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from tracker.domain.errors import Refused
from tracker.domain.findings import SEVERITIES, SUGGESTIONS
from tracker.domain.history import Criterion, History, Lab, OwnRule
from tracker.domain.overlay import Published
from tracker.domain.phrases import Bound, read_bound
from tracker.domain.values import plain, read_number

THRESHOLD, PAIR, CHANGE, TREND = "threshold", "pair", "change", "trend"
SHAPES = {
    THRESHOLD: ("op", "value"),
    PAIR: ("op", "value", "other", "other_op", "other_value"),
    CHANGE: ("since", "direction", "by", "measure"),
    TREND: ("direction", "count", "by"),
}
ALWAYS = ("shape", "title", "text", "severity", "suggestion")
OPS = ("<", "<=", ">", ">=")
FALL, RISE = "fall", "rise"
BASELINE, LAST = "baseline", "last"
PERCENT, ABSOLUTE = "percent", "absolute"
SHORTEST, LONGEST = 3, 10  # results of a trend
_ONE_OF = {"op": OPS, "other_op": OPS, "direction": (FALL, RISE), "since": (BASELINE, LAST),
           "measure": (PERCENT, ABSOLUTE), "severity": SEVERITIES, "suggestion": ("", *SUGGESTIONS)}  # fmt: skip
_NAMES = {"value": "the figure", "other_value": "the figure of the second analyte", "by": "the size of the change",
          "count": "the number of results", "title": "a title", "other": "the second analyte"}  # fmt: skip


def criterion(analyte: str, body: Mapping[str, str], units: Mapping[str, str], name: str, source: str) -> Criterion:
    """The criterion that a body of texts describes. `units` are the canonical ones of the analytes there are.

    Raises Refused with a sentence for what is missing or contradicts itself.
    """
    _check_words(body)
    shape = body["shape"]
    wanted = SHAPES[shape]
    for code in (analyte, body["other"]) if shape == PAIR else (analyte,):
        if code not in units:
            raise Refused(f"“{code}” is not an analyte that is measured in numbers.")
    if shape == PAIR and body["other"] == analyte:
        raise Refused("A pair is of two different analytes.")
    bounds = {key: _bound(body[key]) for key in ("value", "other_value") if key in wanted}
    by = _figure(body["by"]) if "by" in wanted else None
    percent = shape == CHANGE and body["measure"] == PERCENT
    if percent and body["direction"] == FALL and by is not None and by >= 100:
        raise Refused("Nothing falls by 100 % or more.")
    count = _count(body["count"]) if shape == TREND else 0
    return Criterion(
        shape, analyte, body["title"], body.get("text", ""), body["severity"], body.get("suggestion") or None,
        body.get("op", ""), bounds.get("value"), body.get("other", ""), body.get("other_op", ""),
        bounds.get("other_value"), body.get("since", ""), body.get("direction", ""), by, percent,
        count, units[analyte], units.get(body.get("other", ""), ""), name, source,
    )  # fmt: skip


def _check_words(body: Mapping[str, str]) -> None:
    """Everything is there that the shape needs, and nothing else, and each word is one that is known."""
    if body.get("shape", "") not in SHAPES:
        raise Refused("Choose what the rule looks for.")
    wanted = SHAPES[body["shape"]]
    for key in (*wanted, "title", "severity"):
        if not body.get(key):
            raise Refused(f"The rule still needs {_NAMES.get(key, key.replace('_', ' '))}.")
    for key, known in _ONE_OF.items():
        if key in wanted + ALWAYS and body.get(key, "") not in known:
            raise Refused(f"“{body.get(key)}” is none of {', '.join(filter(None, known))}.")
    if strange := set(body) - {*wanted, *ALWAYS}:
        raise Refused(f"A rule of this kind has no “{min(strange)}”.")


def _figure(text: str) -> Decimal:
    number = read_number(text)
    if number is None or number.comparator or number.figure <= 0:
        raise Refused(f"“{text}” is not a figure above zero. Write it like 1.2")
    return number.figure


def _bound(text: str) -> Bound:
    """`1.5` or `3 x ULN`; the operator stands apart from it."""
    op, bound = read_bound(text)
    if op or bound.figure <= 0:
        raise Refused(f"“{text}” is not a figure above zero. Write it like 1.2 or 3 x ULN")
    return bound


def _count(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not SHORTEST <= int(text) <= LONGEST:
        raise Refused(f"A trend is of {SHORTEST} to {LONGEST} results.")
    return int(text)


def words(rule: Criterion, name: str, other: str = "") -> str:
    """`Neutrophils < 1.5 10*9/L and Lymphocytes < 0.8 10*9/L on one day`."""
    if rule.shape in (THRESHOLD, PAIR):
        said = f"{name} {_limit(rule.op, rule.value, rule.unit)}"
        second = f" and {other} {_limit(rule.other_op, rule.other_value, rule.other_unit)}"
        return f"{said}{second} on one day" if rule.shape == PAIR else said
    size = f"{_plain(rule.by)} {'%' if rule.percent else rule.unit}".rstrip()
    if rule.shape == TREND:
        return f"{name}: {rule.results} results in a row, each a {rule.direction}, by {size} or more in all"
    return f"{name}: a {rule.direction} of more than {size} from the {rule.since}{' result' * (rule.since == LAST)}"


def _limit(op: str, bound: Bound | None, unit: str) -> str:
    if bound is None:
        return ""
    return f"{op} {bound.words} {'' if bound.times_uln else unit}".rstrip()


def _plain(figure: Decimal | None) -> str:
    return "" if figure is None else plain(figure)


# ---------------------------------------------------------------------------------------------- verdicts


class Judged(NamedTuple):
    """What a criterion says of each result of a series, and the facts beside it that it rests on, by its place."""

    verdicts: tuple[bool | None, ...]
    beside: tuple[tuple[Lab, ...], ...]


def judge(history: History, rule: Criterion, labs: Sequence[Lab]) -> Judged:
    """`labs` are the results of the rule's analyte, oldest first. None: cannot be decided, or does not count."""
    if rule.shape == THRESHOLD:
        return Judged(tuple(_meets(lab, rule.op, rule.value) for lab in labs), ((),) * len(labs))
    each = {PAIR: _pair, CHANGE: _change, TREND: _trend}[rule.shape]
    found = [each(history, rule, labs, place) for place in range(len(labs))]
    return Judged(tuple(verdict for verdict, _ in found), tuple(beside for _, beside in found))


Verdict = tuple[bool | None, tuple[Lab, ...]]


def _meets(lab: Lab, op: str, bound: Bound | None) -> bool | None:
    assert bound is not None  # a threshold without a figure was refused
    if bound.times_uln:
        return (lab.below_uln if op[0] == "<" else lab.above_uln)(bound.figure, op.endswith("="))
    return (lab.below if op[0] == "<" else lab.above)(bound.figure, op.endswith("="))


def _pair(history: History, rule: Criterion, labs: Sequence[Lab], place: int) -> Verdict:
    lab = labs[place]
    first = _meets(lab, rule.op, rule.value)
    if not first:
        return first, ()
    same_day = [other for other in history.labs.get(rule.other, ()) if other.collected_on == lab.collected_on]
    verdicts = [_meets(other, rule.other_op, rule.other_value) for other in same_day]
    if True in verdicts:
        return True, (same_day[verdicts.index(True)],)
    return (False if verdicts and None not in verdicts else None), ()


def _change(history: History, rule: Criterion, labs: Sequence[Lab], place: int) -> Verdict:
    lab, start = labs[place], _start(history, rule, labs, place)
    if start is None or start.value is None or rule.by is None:
        return None, ()
    sign = -1 if rule.direction == FALL else 1
    bound = start.value * (100 + sign * rule.by) / 100 if rule.percent else start.value + sign * rule.by
    return (lab.below(bound) if rule.direction == FALL else lab.above(bound)), (start,)


def _start(history: History, rule: Criterion, labs: Sequence[Lab], place: int) -> Lab | None:
    lab = labs[place]
    if rule.since == BASELINE:
        course = history.course_at(lab.collected_on)
        later = course is not None and lab.collected_on > course.started_on
        return history.baseline(course, rule.analyte, lab) if course is not None and later else None
    before = (one for one in reversed(labs[:place]) if not one.same_specimen(lab) and one.comparable(lab))
    return next((one for one in before if one.value is not None and not one.comparator), None)


def _trend(history: History, rule: Criterion, labs: Sequence[Lab], place: int) -> Verdict:
    if _exact(labs[place]) is None:
        return None, ()
    series = _row(labs, place)[-rule.results :]
    values = [value for lab in series for value in (_exact(lab),) if value is not None]
    if len(values) < rule.results or rule.by is None:
        return False, ()
    steps = [later - earlier if rule.direction == RISE else earlier - later for earlier, later in pairwise(values)]
    return all(step > 0 for step in steps) and sum(steps) >= rule.by, tuple(series[:-1])


def _row(labs: Sequence[Lab], place: int) -> list[Lab]:
    """The results up to that one, oldest first, which can be compared with it; of one specimen the last."""
    found = [labs[place]]
    for lab in reversed(labs[:place]):
        if _exact(lab) is not None and lab.comparable(labs[place]) and not lab.same_specimen(found[-1]):
            found.append(lab)
    return found[::-1]


def _exact(lab: Lab) -> Decimal | None:
    return None if lab.comparator else lab.value


# ---------------------------------------------------------------------------------------------- versions


def own_rules(settings: Sequence[Published], units: Mapping[str, str], clinic: str, as_of: date) -> tuple[OwnRule, ...]:
    """The rules of a clinic with their versions up to a day. `settings` have the scope `analyte/key`."""
    found: dict[str, list[tuple[date, Criterion | None]]] = {}
    troubles: dict[str, str] = {}
    for setting in sorted(settings, key=lambda one: (one.effective_from, one.number)):
        if setting.effective_from <= as_of:
            versions = found.setdefault(setting.scope, [(date.min, None)])
            analyte = setting.scope.partition("/")[0]
            name = f"{clinic} v{setting.number}"
            try:
                rule = criterion(analyte, setting.body, units, name, setting.source) if setting.body else None
                troubles.pop(setting.scope, None)
            except Refused as why:  # what an earlier program took: the others are judged, and this one is said
                rule, troubles[setting.scope] = None, f"“{setting.body.get('title', '')}” ({name}): {why}"
            versions[:] = [one for one in versions if one[0] != setting.effective_from]  # the later of one day
            versions.append((setting.effective_from, rule))
    return tuple(
        OwnRule(scope.partition("/")[2], scope.partition("/")[0], tuple(held), troubles.get(scope, ""))
        for scope, held in found.items()
    )
