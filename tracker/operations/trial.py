"""What a drafted yardstick would do to the flags of a clinic: judged beside the stored flags, and nothing is written.

A patient who was judged by the yardsticks in force, and whose day has not come since, stands as their stored flags
say; anybody else is judged by what is in force first, so that what time has done is not put down to the draft.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from heapq import nsmallest
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker import rules
from tracker.domain.findings import RANK, Finding
from tracker.domain.history import History
from tracker.domain.lifecycle import MACHINE_CLEARED, MACHINE_OPEN
from tracker.models import Flag, Patient
from tracker.operations.evaluate import same_episode
from tracker.operations.flag_rows import content_of
from tracker.operations.pace import no_search_for_cycles
from tracker.operations.provenance import judged_by
from tracker.queries.history import BATCH, Loader
from tracker.queries.yardsticks import Trial, Yardsticks, load_yardsticks

OPENED, CHANGED, CLEARED, PAST = "opened", "changed", "cleared", "past"
KINDS = (OPENED, CHANGED, CLEARED, PAST)
SHOWN = 200  # effects kept in full, the worst; the rest is counted


@dataclass(frozen=True, slots=True)
class Effect:
    """What would become of one flag. `past` are episodes that are over already and would be found, changed or gone;
    `before` is the severity it has now, "" where there is no flag yet; `result_id` the latest sample it rests on; `was`
    the sentence it has now, where that would be another one.
    """

    what: str
    rule: str
    patient_id: int
    mrn: str
    name: str
    severity: str
    before: str
    sentence: str
    on: date
    result_id: int | None
    was: str = ""

    @property
    def alike(self) -> bool:
        """The same finding, held against another version."""
        return self.what == CHANGED and not self.regraded and not self.was

    @property
    def regraded(self) -> bool:
        return self.what == CHANGED and self.severity != self.before


@dataclass(slots=True)
class Preview:
    """What publishing would do: from which day, how much was judged, counts, and the worst effects one by one.

    `counted` maps (what, rule, first day of the month the episode began in) to flags; `people` are patients concerned.
    """

    applies_from: date
    patients: int = 0
    results: int = 0
    people: int = 0
    regraded: int = 0
    counted: Counter[tuple[str, str, date]] = field(default_factory=Counter)
    effects: list[Effect] = field(default_factory=list)

    def count(self, what: str) -> int:
        return sum(number for (kind, _, _), number in self.counted.items() if kind == what)

    @property
    def more(self) -> int:
        """Effects that are counted and not shown."""
        return self.counted.total() - len(self.effects)

    def by_month(self) -> list[tuple[date, Counter[str]]]:
        """How many of each kind by the month the episode began in, newest first."""
        found: dict[date, Counter[str]] = {}
        for (what, _, month), number in self.counted.items():
            found.setdefault(month, Counter())[what] += number
        return sorted(found.items(), reverse=True)

    def by_rule(self) -> list[tuple[str, Counter[str]]]:
        """How many of each kind by rule, the most first."""
        found: dict[str, Counter[str]] = {}
        for (what, rule, _), number in self.counted.items():
            found.setdefault(rule, Counter())[what] += number
        return sorted(found.items(), key=lambda pair: (-pair[1].total(), pair[0]))

    def as_json(self) -> dict[str, Any]:
        """What a job keeps of it; `from_json` reads it back."""
        return {
            "applies_from": self.applies_from.isoformat(), "patients": self.patients, "results": self.results,
            "people": self.people, "regraded": self.regraded,
            "counted": [[what, rule, month.isoformat(), n] for (what, rule, month), n in self.counted.items()],
            "effects": [asdict(effect) | {"on": effect.on.isoformat()} for effect in self.effects],
        }  # fmt: skip

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Preview":
        return cls(
            date.fromisoformat(kept["applies_from"]), kept["patients"], kept["results"], kept["people"],
            kept["regraded"],
            Counter({(what, rule, date.fromisoformat(month)): n for what, rule, month, n in kept["counted"]}),
            [Effect(**one | {"on": date.fromisoformat(one["on"])}) for one in kept["effects"]],
        )  # fmt: skip

    def add(self, other: "Preview") -> None:
        """Take in what another part of the clinic's patients showed."""
        self.patients += other.patients
        self.results += other.results
        self.people += other.people
        self.regraded += other.regraded
        self.counted.update(other.counted)
        self.effects = nsmallest(SHOWN, [*self.effects, *other.effects], key=_order)

    def take(self, effects: Sequence[Effect]) -> None:
        """Take in the effects on one patient."""
        self.people += bool(effects)
        self.regraded += sum(effect.regraded for effect in effects)
        self.counted.update((effect.what, effect.rule, effect.on.replace(day=1)) for effect in effects)
        self.effects += effects


def _order(effect: Effect) -> tuple[int, str, date, str]:
    return RANK[effect.severity], effect.mrn, effect.on, effect.sentence


def preview(session: Session, clinic_id: int, patient_ids: Sequence[int], trial: Trial, today: date) -> Preview:
    """Judge these patients as if the drafts of `trial` were published. Reads alone."""
    now, then = load_yardsticks(session, clinic_id), load_yardsticks(session, clinic_id, trial)
    found = Preview(trial.applies_from)
    for start in range(0, len(patient_ids), BATCH):
        batch = list(patient_ids[start : start + BATCH])
        part = Preview(trial.applies_from)
        names = _names(session, batch)
        with no_search_for_cycles():
            standing = _standing(session, batch, now, today)
            for history in Loader(session, clinic_id, today, yardsticks=then).histories(batch):
                part.patients += 1
                part.results += sum(len(labs) for labs in history.labs.values())
                part.take(list(_effects(history, names[history.person.id], standing[history.person.id])))
        found.add(part)
    return found


class _Known(NamedTuple):
    """An episode as it stands before the draft: of a stored flag, or found by the yardsticks in force."""

    fingerprint: str
    rule: str
    subject: str
    entry: str
    opened_on: date
    cleared_on: date | None
    machine: str
    severity: str
    sentence: str
    content: str
    superseded: bool = False


_COLUMNS = [getattr(Flag, name) for name in _Known._fields]


def _standing(session: Session, ids: list[int], now: Yardsticks, today: date) -> dict[int, list[_Known]]:
    p = Patient
    current = (p.judged_digest == judged_by(now.digest)) & (p.next_check_on.is_(None) | (p.next_check_on > today))
    known = set(session.scalars(select(p.id).where(p.id.in_(ids), current)))
    found: dict[int, list[_Known]] = {id: [] for id in ids}
    flags = select(Flag.patient_id, *_COLUMNS).where(Flag.patient_id.in_(known), Flag.superseded.is_(False))
    for patient_id, *columns in session.execute(flags.order_by(Flag.id)):
        found[patient_id].append(_Known(*columns))
    stale = [id for id in ids if id not in known]
    for history in Loader(session, now.clinic_id, today, yardsticks=now).histories(stale):
        found[history.person.id] = [_as_known(finding) for finding in rules.run(history)]
    return found


def _as_known(finding: Finding) -> _Known:
    machine = MACHINE_OPEN if finding.is_open else MACHINE_CLEARED
    return _Known(
        finding.fingerprint, finding.rule, finding.subject, finding.entry, finding.opened_on, finding.cleared_on,
        machine, finding.severity, finding.sentence, content_of(finding),
    )  # fmt: skip


def _names(session: Session, ids: list[int]) -> dict[int, str]:
    return {patient.id: patient.full_name for patient in session.scalars(select(Patient).where(Patient.id.in_(ids)))}


def _effects(history: History, name: str, standing: Sequence[_Known]) -> Iterator[Effect]:
    """The difference between how one patient stands and how they would stand."""
    person, findings = history.person, rules.run(history)
    by_fingerprint = {known.fingerprint: known for known in standing}
    found = {finding.fingerprint for finding in findings}
    gone = {key: known for key, known in by_fingerprint.items() if key not in found}
    for finding in findings:
        known = by_fingerprint.get(finding.fingerprint) or same_episode(finding, gone)
        if known is not None:
            gone.pop(known.fingerprint, None)
        if known is None or known.content != content_of(finding):
            yield Effect(
                _what(known, finding), finding.rule, person.id, person.mrn, name, finding.severity,
                known.severity if known else "", finding.sentence, finding.opened_on,
                finding.evidence[-1].result_id if finding.evidence else None,
                known.sentence if known is not None and known.sentence != finding.sentence else "",
            )  # fmt: skip
    for known in gone.values():
        what = CLEARED if known.machine == MACHINE_OPEN else PAST
        yield Effect(
            what, known.rule, person.id, person.mrn, name, known.severity, known.severity, known.sentence,
            known.opened_on, None,
        )  # fmt: skip


def _what(known: _Known | None, finding: Finding) -> str:
    if finding.is_open:
        return OPENED if known is None else CHANGED
    return CLEARED if known is not None and known.machine == MACHINE_OPEN else PAST
