"""Stories: a patient in a few lines of YAML, and what a rule must say about them. No database.

A file under `cases/` is a list of stories for the rule it is named after:

    - name: one value in the band asks for a repeat
      person: {sex: female, birth_date: 1985-05-05}
      courses: [{protocol: tofacitinib_us, started_on: 2026-01-01, doses: [{on: 2026-01-01, mg: 5, times: 2}]}]
      results:
        - {analyte: ANC, value: 0.95, unit: 10*9/L, on: 2026-03-01, low: 2.0, high: 8.25}
      as_of: 2026-03-02
      expect: [{subject: ANC, confirmation: needs_repeat, says: below}]

`expect`: each must match exactly one finding of the rule; `not`: each must match none; `nothing: true`: there is no
finding at all, past ones included. The keys are the fields of a Finding, and besides them `says` (words that stand
in the sentence, or a list of them), `silent_on` (words that do not), `open` (true, false) and `seen` (values of the
evidence), `by` (words of what it was judged by). `bound: true` marks a story that stands exactly on a limit. A person
not described is a woman of about forty; a unit not given is the analyte's own; a range not printed is the starter
range; a time not given is midnight. `waivers` are checks put off: `{subject, on, until}`. `clinic` holds published
versions of lines in their order:
`{line: tofacitinib_us/tofa_us_anc_hold, from: 2026-02-01, value: 5}`, `wide` what the clinic set for all of its
patients: `{scope: grace_days, from: 2026-02-01, value: 7}`, or of the scope `opportunistic` with `terms`, `without`
(lists) and `zoster: any`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml

from tracker.domain.clinic_wide import OPPORTUNISTIC, of_scope
from tracker.domain.computed import with_computed
from tracker.domain.criteria import own_rules
from tracker.domain.findings import Finding
from tracker.domain.history import (
    Course,
    Dose,
    Event,
    History,
    Hold,
    Lab,
    Medication,
    Observation,
    OwnRule,
    Person,
    Waiver,
)
from tracker.domain.opportunistic import clinic_lists
from tracker.domain.overlay import CONFIRM_WITHIN, Published, dated_protocol, in_force
from tracker.domain.protocol import Protocol
from tracker.domain.ranges import PRINTED, ConfiguredRange, Range, choose
from tracker.domain.targets import TARGET, Target, in_order
from tracker.domain.units import from_canonical, to_canonical
from tracker.domain.values import Number, read_number
from tracker.library.analytes import ANALYTES
from tracker.library.ctcae import DEFAULT, ctcae
from tracker.library.infections import vocabulary
from tracker.library.protocols import protocols
from tracker.library.ranges import starter_ranges

Story = Mapping[str, Any]

CASES = Path(__file__).parent / "cases"
NAMES = {code: analyte.name for code, analyte in ANALYTES.items()}
CONCERN = {code: analyte.direction_of_concern for code, analyte in ANALYTES.items()}
KEYS = ("line", "scope", "from")
SOMEBODY = {"sex": "female", "birth_date": "1985-05-05"}


def stories(rule: str) -> list[Story]:
    """The stories of one rule. Scalars stay text, so that `0.50` is two places and no figure becomes a float."""
    path = CASES / f"{rule}.yaml"
    told: list[Story] = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader) if path.exists() else []
    return told


def history(story: Story) -> History:
    """The History a story tells, cut at the end of `as_of`."""
    as_of = date.fromisoformat(story["as_of"])
    person = _person(story.get("person", SOMEBODY))
    observations = tuple(sorted((_observation(i, o) for i, o in _numbered(story, "observations")), key=lambda o: o.on))
    labs = _labs(story, person, as_of)
    lists = clinic_lists(of_scope(_wide(story), OPPORTUNISTIC), "Aspen Clinic")
    return History(
        person=person,
        as_of=as_of,
        grading=ctcae(story.get("ctcae", DEFAULT)),
        protocols=_protocols(story, as_of),
        analyte_names=NAMES,
        concern=CONCERN,
        labs=with_computed(labs, person, observations, lambda code, day: _starter(code, person, day)),
        courses=tuple(sorted((_course(i, c) for i, c in _numbered(story, "courses")), key=lambda c: c.started_on)),
        events=tuple(_event(i, e) for i, e in _numbered(story, "events")),
        medications=tuple(_medication(i, m) for i, m in _numbered(story, "medications")),
        observations=observations,
        waivers=tuple(
            Waiver(w["subject"], _some_day(w["on"]), _some_day(w["until"])) for w in story.get("waivers", ())
        ),
        vocabulary=vocabulary(),
        own_rules=_own_rules(story, as_of),
        window=in_force(of_scope(_wide(story), CONFIRM_WITHIN), as_of),
        clinic="Aspen Clinic",
        targets=_targets(story, as_of),
        lists=lists,
        changes_on=tuple(version.since for version in lists if version.since > as_of),
    )


def _waiver(told: Mapping[str, Any]) -> Waiver:
    return Waiver(told["subject"], date.fromisoformat(told["on"]), date.fromisoformat(told["until"]))


def _targets(story: Story, as_of: date) -> Mapping[str, tuple[Target, ...]]:
    """What the patient's clinician wants, in the canonical unit: `{analyte, from, low, high, severity}`."""
    found: dict[str, list[Target]] = {}
    for number, told in _numbered(story, "targets"):
        low, high = (Decimal(told[side]) if side in told else None for side in ("low", "high"))
        wanted = Range(low, "low_op" not in told, high, "high_op" not in told, ANALYTES[told["analyte"]].unit, TARGET)
        since, severity = date.fromisoformat(told["from"]), told.get("severity", "routine")
        target = Target(number, since, wanted if low or high else None, severity, "heart failure")
        if since <= as_of:
            found.setdefault(told["analyte"], []).append(target)
    return {analyte: in_order(held) for analyte, held in found.items()}


def _own_rules(story: Story, as_of: date) -> tuple[OwnRule, ...]:
    """The versions of the clinic's own rules: `{scope: ANC/key, from, …the body}`."""
    told = [
        Published(n, "own_rule", r["scope"], n, _some_day(r["from"]), {k: x for k, x in r.items() if k not in KEYS})
        for n, r in _numbered(story, "own_rules")
    ]
    return own_rules(told, {code: analyte.unit for code, analyte in ANALYTES.items()}, "Aspen Clinic", as_of)


def _protocols(story: Story, as_of: date) -> Mapping[str, Protocol]:
    """The shipped ones, with the versions that the story's clinic published: `{line, from, …what it says}`."""
    told = [
        Published(n, "protocol_line", v["line"], n, _some_day(v["from"]), {k: x for k, x in v.items() if k not in KEYS})
        for n, v in _numbered(story, "clinic")
    ]
    return {
        id: dated_protocol(
            shipped, [v for v in told if v.scope.startswith(f"{id}/")], "Aspen Clinic", as_of, _wide(story)
        )
        for id, shipped in protocols().items()
    }


def _wide(story: Story) -> list[Published]:
    """What the story's clinic set for all of its patients: `{scope, from, …the body}`, lines of one text as a list."""
    told = [
        (n, w, {k: "\n".join(_listed(x)) for k, x in w.items() if k not in KEYS}) for n, w in _numbered(story, "wide")
    ]
    return [Published(n, "clinic_wide", w["scope"], n, _some_day(w["from"]), body) for n, w, body in told]


def _numbered(story: Story, key: str) -> list[tuple[int, Mapping[str, Any]]]:
    return list(enumerate(story.get(key, ()), start=1))


# ------------------------------------------------------------------------------------------------- facts


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text and text != "null" else None


def _yes_no(text: str | None) -> bool | None:
    return None if text in (None, "", "null") else text in ("true", "yes")


def _decimal(text: str | None) -> Decimal | None:
    return Decimal(text) if text else None


def _whole(text: str | None) -> int | None:
    return int(text) if text else None


def _person(told: Mapping[str, str]) -> Person:
    return Person(
        1, "00231", told.get("sex", "unknown"), _day(told.get("birth_date")),
        _whole(told.get("stated_age")), _day(told.get("stated_age_on")),
    )  # fmt: skip


def _course(number: int, told: Mapping[str, Any]) -> Course:
    known = protocols().get(told.get("protocol", ""))
    doses = [Dose(_some_day(d["on"]), _decimal(d.get("mg")), _whole(d.get("times"))) for d in told.get("doses", ())]
    holds = [
        Hold(_some_day(h["on"]), _day(h.get("until")), h.get("reason", ""), _day(h.get("review_on")))
        for h in told.get("holds", ())
    ]
    return Course(
        number, known.id if known else "", known.name if known else told.get("drug", told.get("protocol", "")),
        told.get("indication", "alopecia areata"), _some_day(told["started_on"]), _day(told.get("stopped_on")),
        tuple(doses), tuple(holds),
    )  # fmt: skip


def _some_day(text: str) -> date:
    return date.fromisoformat(text)


def _event(number: int, told: Mapping[str, str]) -> Event:
    return Event(
        number, told.get("kind", "infection"), told.get("term", ""), _day(told.get("onset_on")),
        _day(told.get("resolved_on")), _day(told.get("controlled_on")), told.get("site", ""),
        told.get("organism", ""), _whole(told.get("grade")), _yes_no(told.get("serious")), told.get("criteria", ""),
        _yes_no(told.get("hospitalised")), _yes_no(told.get("opportunistic")), _yes_no(told.get("treated")),
        told.get("outcome", ""),
    )  # fmt: skip


def _medication(number: int, told: Mapping[str, Any]) -> Medication:
    classes = tuple(told.get("interactions", ()))
    return Medication(number, told["name"], classes, _day(told.get("started_on")), _day(told.get("stopped_on")))


def _observation(number: int, told: Mapping[str, str]) -> Observation:
    read = read_number(told["value"])
    return Observation(number, _some_day(told["on"]), told["kind"], told["value"], read.figure if read else None)


# ----------------------------------------------------------------------------------------------- results


def _labs(story: Story, person: Person, as_of: date) -> dict[str, tuple[Lab, ...]]:
    read = [_lab(i, told, person) for i, told in _numbered(story, "results")]
    read = [lab for lab in read if lab.collected_on <= as_of]
    read.sort(key=lambda lab: (lab.analyte, lab.collected_at, lab.id))
    return {code: tuple(series) for code, series in groupby(read, key=lambda lab: lab.analyte)}


def _lab(number: int, told: Mapping[str, str], person: Person) -> Lab:
    code = told["analyte"]
    analyte = ANALYTES.get(code)
    at = datetime.fromisoformat(told["at"]) if "at" in told else datetime.combine(_some_day(told["on"]), time())
    read = None if "text" in told else read_number(told["value"])
    unit = told.get("unit", analyte.unit if analyte else "")
    value = to_canonical(analyte, read.figure, unit) if analyte and read else None
    limits, no_range = _range(told, code, unit, read, person, at.date())
    return Lab(
        number, code, at.replace(tzinfo=UTC), at.date(), read.comparator if read else "", read.figure if read else None,
        unit, value, told.get("text", "") if read is None else "", limits, no_range, told.get("laboratory", ""),
        told.get("accession", ""), told.get("status", "final"), told.get("lab_flag", ""),
        time_known="at" in told, method=told.get("method", ""), fasting=_yes_no(told.get("fasting")),
    )  # fmt: skip


def _range(
    told: Mapping[str, str], code: str, unit: str, read: Number | None, person: Person, day: date
) -> tuple[Range | None, str]:
    """The printed range, else the starter range in the unit of the result."""
    if told.get("low") or told.get("high"):
        inclusive = told.get("low_op", ">=") == ">=", told.get("high_op", "<=") == "<="
        return Range(
            _decimal(told.get("low")), inclusive[0], _decimal(told.get("high")), inclusive[1], unit, PRINTED
        ), ""
    analyte = ANALYTES.get(code)
    if read is None or analyte is None:
        return None, "no reference range is printed or configured"
    found, reason = _starter(code, person, day)
    if found is None:
        return None, reason
    if to_canonical(analyte, Decimal(1), unit) is None:
        return None, f"the unit {unit} is not one of the analyte's"
    low, high = (None if b is None else from_canonical(analyte, b, unit) for b in (found.low, found.high))
    return found._replace(low=low, high=high, unit=unit), ""


def _starter(code: str, person: Person, day: date) -> tuple[Range | None, str]:
    return choose(_configured().get(code, ()), person.sex, person.age_on(day), day)


@cache
def _configured() -> Mapping[str, Sequence[ConfiguredRange]]:
    lines: dict[str, list[ConfiguredRange]] = {}
    for number, r in enumerate(starter_ranges(), start=1):
        line = ConfiguredRange(
            number, r.analyte, "", "" if r.sex == "any" else r.sex, r.age_from, r.age_to,
            r.low, r.low_op == ">=", r.high, r.high_op == "<=", r.unit, date.min,
        )  # fmt: skip
        lines.setdefault(r.analyte, []).append(line)
    return lines


# ----------------------------------------------------------------------------------------------- verdicts


def complaints(story: Story, findings: Sequence[Finding]) -> list[str]:
    """What the findings of a rule leave to be wished for, in sentences; empty where the story came out as told."""
    said = [f"{len(findings)} findings: {[summary(f) for f in findings]}"]
    wrong = [
        f"{len(found)} findings match {wanted}"
        for wanted in story.get("expect", ())
        if len(found := [f for f in findings if matches(f, wanted)]) != 1
    ]
    wrong += [
        f"a finding matches {banned}" for banned in story.get("not", ()) if any(matches(f, banned) for f in findings)
    ]
    if _yes_no(story.get("nothing")) and findings:
        wrong.append("a finding, and there should be none")
    return wrong + said if wrong else []


def matches(finding: Finding, wanted: Mapping[str, Any]) -> bool:
    return all(_matches(finding, key, value) for key, value in wanted.items())


def _matches(finding: Finding, key: str, value: Any) -> bool:
    if key == "says":
        return all(words in finding.sentence for words in _listed(value))
    if key == "silent_on":
        return not any(words in finding.sentence for words in _listed(value))
    if key == "by":
        return all(words in finding.yardstick for words in _listed(value))
    if key == "open":
        return finding.is_open is _yes_no(value)
    if key == "seen":
        return [seen.value for seen in finding.evidence] == _listed(value)
    return _written(getattr(finding, key)) == ("" if value == "null" else value)


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def _written(field: object) -> str:
    if field is None:
        return ""
    return str(field).lower() if isinstance(field, bool) else str(field)


def summary(finding: Finding) -> str:
    state = "open" if finding.is_open else f"cleared {finding.cleared_on}"
    return (
        f"{finding.subject} {finding.entry} {finding.severity} {state} from {finding.starts[:10]} "
        f"{finding.confirmation or ''} grade {finding.grade}: {finding.sentence}"
    )
