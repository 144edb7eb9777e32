"""The flags of one patient as the review page shows them: what they rest on, who judged, what was decided so far."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from sqlalchemy.orm import Session

from tracker import rules
from tracker.domain.lifecycle import CARRIED_OFFSET, CLOSED, MACHINE_CLEARED, NOT_QUEUED, SETTLED_BY_THEMSELVES
from tracker.library.protocols import protocols
from tracker.models import Flag
from tracker.queries.dashboard import INFO_PLACE
from tracker.queries.review import Decided, Origin, RangeVersion, decisions, names, origins, range_versions
from tracker.web.filters import day
from tracker.web.wording import Fact, Headline, Suggestion, headline, placed, said, subject_name, suggestion

# Whose yardstick a rule applies: the three layers, which are never mixed, and what stands beside them.
LAYERS = {
    "action_limit": "Action limit of the drug’s protocol",
    "do_not_start": "Starting limit of the drug’s protocol",
    "out_of_range": "Laboratory range",
    "ctcae": "CTCAE grade",
    "change": "The patient’s own baseline",
    "target": "The patient’s own target",
    "hys_law": "Combination of results",
    "muscle": "Stopping rule of trials",
    "lipids": "Lipid guideline",
    "custom": "The clinic’s own rule",
    "infection": "Event line of the drug’s protocol",
    "event": "Event line of the drug’s protocol",
    "screening": "Screening line of the drug’s protocol",
    "dosing": "Dose line of the drug’s protocol",
    "hold": "Resume line of the drug’s protocol",
    "benefit": "Benefit line of the drug’s protocol",
    "overdue": "Schedule of the drug’s protocol",
    "not_evaluated": "Could not be evaluated",
}
FROM = {"printed": "printed by the laboratory", "laboratory": "of this laboratory", "clinic": "of the clinic"}


class Seen(NamedTuple):
    """One row of the evidence table. `judged_by` says whose range; `origin` where the result came from."""

    name: str
    value: str
    unit: str
    place: str
    on: date
    low: str
    high: str
    judged_by: str
    note: str
    origin: str


class Line(NamedTuple):
    """One flag with everything that stands beside it."""

    flag: Flag
    title: str
    layer: str
    headline: Headline
    sentence: str
    suggestion: Suggestion
    evidence: tuple[Seen, ...]
    decided: tuple[Decided, ...]
    like: tuple[Decided, ...]
    owner: str
    protocol: str
    about_protocol: str

    @property
    def key(self) -> str:
        """What a form carries of the flag: which one, in which version it was shown."""
        return f"{self.flag.id}:{self.flag.version}"

    @property
    def can_be_decided(self) -> bool:
        return self.flag.attention < NOT_QUEUED and self.flag.review != CLOSED

    @property
    def can_be_reopened(self) -> bool:
        """A closed one; but what was asked for and has been done comes back by itself alone."""
        done = self.flag.rule in SETTLED_BY_THEMSELVES and self.flag.machine == MACHINE_CLEARED
        return self.flag.review == CLOSED and not done


class Group(NamedTuple):
    """Everything said about one subject: the worst first, then what else is said, folded flags included."""

    name: str
    lead: Line
    others: tuple[Line, ...]


class Unchecked(NamedTuple):
    """Tests that could not be judged for one and the same reason."""

    reason: str
    lines: tuple[Line, ...]

    @property
    def names(self) -> str:
        return ", ".join(dict.fromkeys(subject_name(line.flag.subject) for line in self.lines))

    @property
    def keys(self) -> str:
        return " ".join(line.key for line in self.lines if line.can_be_decided)


class CaseFile(NamedTuple):
    """The flags of a patient, sorted by what a reader does with them. `silent` are the rules that found nothing."""

    findings: tuple[Group, ...]
    missing: tuple[Line, ...]
    unchecked: tuple[Unchecked, ...]
    info: tuple[Line, ...]
    past: tuple[Line, ...]
    proposals: tuple[tuple[Decided, ...], ...]
    silent: tuple[str, ...]

    def decidable(self) -> tuple[Line, ...]:
        """Every flag a decision can be made about, in the order of the page."""
        found = [line for group in self.findings for line in (group.lead, *group.others)]
        unchecked = [line for one in self.unchecked for line in one.lines]
        return tuple(line for line in (*found, *self.missing, *unchecked, *self.info) if line.can_be_decided)


def open_case(session: Session, patient_id: int, flags: Sequence[Flag]) -> CaseFile:
    """The case file of these flags, in a fixed number of statements."""
    facts = [fact for flag in flags for fact in flag.evidence]
    decided = decisions(session, patient_id)
    maker = _Maker(
        decided,
        origins(session, {fact["result_id"] for fact in facts if fact["result_id"] is not None}),
        range_versions(session, {fact["range_id"] for fact in facts if fact["range_id"] is not None}),
        names(session, {flag.owner_id for flag in flags if flag.owner_id is not None}),
    )
    lines = [maker.line(flag) for flag in flags]
    now = [line for line in lines if _is_present(line.flag)]
    unchecked = [line for line in now if line.flag.rule == "not_evaluated"]
    missing = [line for line in now if _is_missing(line)]
    rest = [line for line in now if line not in unchecked and line not in missing]
    info = [line for line in rest if line.flag.attention % CARRIED_OFFSET == INFO_PLACE and not line.flag.folded_under]
    return CaseFile(
        tuple(_groups(line for line in rest if line not in info)),
        tuple(missing),
        _by_reason(unchecked),
        tuple(info),
        tuple(line for line in lines if not _is_present(line.flag)),
        _proposals(decided),
        tuple(code for code in rules.TITLES if not any(flag.rule == code for flag in flags if flag.machine == "open")),
    )


def _is_present(flag: Flag) -> bool:
    """Waits for a decision, or is said by another flag that may."""
    return flag.attention < NOT_QUEUED or (flag.folded_under is not None and flag.machine == "open")


def _is_missing(line: Line) -> bool:
    """Something that was not done, in contrast to something that was found."""
    return line.flag.rule == "overdue" or (line.flag.rule == "screening" and not line.evidence)


def _by_reason(lines: Sequence[Line]) -> tuple[Unchecked, ...]:
    """One entry a reason: where the sex is not known, fifteen tests say the same."""
    held: dict[str, list[Line]] = {}
    for line in lines:
        _, could_not, reason = line.sentence.partition(" could not be judged: ")
        held.setdefault(reason if could_not else line.sentence, []).append(line)
    return tuple(Unchecked(reason, tuple(together)) for reason, together in held.items())


def _groups(lines: Iterable[Line]) -> list[Group]:
    by_subject: dict[str, list[Line]] = {}
    for line in lines:
        by_subject.setdefault(line.flag.subject, []).append(line)
    groups = [Group(subject_name(subject), held[0], tuple(held[1:])) for subject, held in by_subject.items()]
    return [group for group in groups if group.lead.flag.attention < NOT_QUEUED]


def _proposals(decided: Sequence[Decided]) -> tuple[tuple[Decided, ...], ...]:
    """What waits for a second person: one decision may be about several flags."""
    waiting: dict[tuple[object, ...], list[Decided]] = {}
    for one in decided:
        if one.review.standing == "proposed":
            waiting.setdefault((one.review.account_id, one.review.at, one.review.action), []).append(one)
    return tuple(tuple(together) for together in waiting.values())


class _Maker:
    """Makes lines from flags and from what was loaded for all of them at once."""

    def __init__(
        self,
        decided: Sequence[Decided],
        origins: Mapping[int, Origin],
        ranges: Mapping[int, RangeVersion],
        owners: Mapping[int, str],
    ) -> None:
        self.decided, self.origins, self.ranges, self.owners = decided, origins, ranges, owners

    def line(self, flag: Flag) -> Line:
        protocol = protocols().get(flag.yardstick.partition(" ")[0])
        return Line(
            flag,
            rules.TITLES.get(flag.rule, flag.rule),
            LAYERS.get(flag.rule, ""),
            headline(flag),
            said(flag.sentence),
            suggestion(flag),
            tuple(sorted(map(self._seen, flag.evidence), key=lambda seen: seen.on, reverse=True)),
            tuple(one for one in self.decided if one.review.flag_id == flag.id),
            tuple(one for one in reversed(self.decided) if _is_like(one, flag))[:5],
            self.owners.get(flag.owner_id or 0, ""),
            protocol.id if protocol else "",
            protocol.title if protocol else "",
        )

    def _seen(self, fact: Fact) -> Seen:
        return Seen(
            subject_name(fact["analyte"]),
            fact["value"],
            fact["unit"],
            placed(fact),
            date.fromisoformat(fact["collected_on"]),
            fact["low"],
            fact["high"],
            self._judged_by(fact),
            said(fact["note"]),
            self._origin(fact["result_id"]),
        )

    def _judged_by(self, fact: Fact) -> str:
        """`of the clinic, in force from 1 Jan 2026`."""
        version = self.ranges.get(fact["range_id"] or 0)
        words = FROM.get(str(fact["range_from"]), str(fact["range_from"]))
        if version is None or version.effective_from.year <= 1900:
            return words
        return f"{words}, in force from {day(version.effective_from)}"

    def _origin(self, result_id: int | None) -> str:
        """The laboratory, its number, the file or the person; that the result no longer stands, where it does not."""
        found = self.origins.get(result_id or 0)
        if found is None:
            return ""
        by = f"entered by {found.by}" if found.by else "entered by hand" if found.origin == "form" else found.origin
        door = f"file {found.filename}" if found.filename else by
        number = f"no. {found.accession}" if found.accession else ""
        gone = f"no longer stands: {found.retired}" if found.retired else ""
        return ", ".join(part for part in (found.laboratory, number, door, gone) if part)


def _is_like(one: Decided, flag: Flag) -> bool:
    return (one.rule, one.subject) == (flag.rule, flag.subject) and one.review.flag_id != flag.id
