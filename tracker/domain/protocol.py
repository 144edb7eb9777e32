"""What a drug asks for: schedule, limits, screening, events, dose adjustments, each with its source.

A protocol is data (numbers, units, words) read from a packaged file; the few shapes of criterion are the classes below.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any, Literal, NamedTuple

from tracker.domain.dates import Span, span
from tracker.domain.errors import BadData
from tracker.domain.values import plain

LIPIDS = "LIPIDS"
PANELS: Mapping[str, tuple[str, ...]] = {LIPIDS: ("CHOL", "HDL", "TG", "LDL")}
FALL_FROM_BASELINE = "fall_from_baseline"
REPEAT, PERSISTENT = "repeat", "persistent"


class Sourced(NamedTuple):
    """Where a line comes from, and whether a second public source bore it out."""

    text: str
    source: str
    verified: bool


class ScheduleEntry(NamedTuple):
    """A lab the protocol asks for. `subject` is an analyte's code or a panel's name; no `first_to`: no interval in
    the label.

    `suggested_every` is what the authors propose where the label gives no interval; `after_increase` is when a check is
    wanted after a raised dose, with its own source. `grace_days` and `overlay` (its name and version) are set where a
    clinic changed the line.
    """

    id: str
    subject: str
    baseline: bool
    first_from: Span | None
    first_to: Span | None
    every: Span | None
    origin: Sourced
    suggested_every: Span | None = None
    grace_days: int | None = None
    overlay: str = ""
    after_increase: Span | None = None
    increase_source: str = ""

    @property
    def members(self) -> tuple[str, ...]:
        return PANELS.get(self.subject, (self.subject,))


class Limit(NamedTuple):
    """A bound on one analyte, in `unit`: below `high` (at or below where `high_inclusive`), down to `low` where there
    is one.

    `measure` is "" for the value itself or `fall_from_baseline`, then `above` is the fall that is exceeded. `confirm`
    is "", `repeat` (a second specimen within `confirm_within`) or `persistent` (`needed` results in a row).
    `condition` is prose that only a clinician can judge: such a line is shown, never computed. `overlay` names the
    clinic's version that changed the line, `window_by` the one for all lines that shortened `confirm_within`.
    """

    id: str
    analyte: str
    unit: str
    low: Decimal | None
    low_inclusive: bool
    high: Decimal | None
    high_inclusive: bool
    measure: str
    above: Decimal | None
    action: str
    confirm: str
    needed: int
    confirm_within: Span
    resume_op: str
    resume_value: Decimal | None
    resume_text: str
    condition: str
    origin: Sourced
    overlay: str = ""
    window_by: str = ""

    @property
    def words(self) -> str:
        """The bound as it is printed on screen, operators included."""
        if self.measure == FALL_FROM_BASELINE and self.above is not None:
            return f"a fall from baseline > {plain(self.above)} {self.unit}"
        if self.high is None:
            return self.condition
        upper = f"{'<=' if self.high_inclusive else '<'} {plain(self.high)} {self.unit}"
        if self.low is None:
            return upper
        return f"{'>=' if self.low_inclusive else '>'} {plain(self.low)} and {upper}"


class Screen(NamedTuple):
    """A check before (and sometimes during) treatment: TB, hepatitis, vaccination, genotype.

    `avoid_when` are the findings of the `observation` with which the drug is not used (`poor` of `cyp2c9`).
    """

    item: str
    required: bool
    origin: Sourced
    observation: str = ""
    avoid_when: tuple[str, ...] = ()


class EventLine(NamedTuple):
    """What the protocol asks for when an event happens (`serious_infection`, `herpes_zoster`)."""

    event: str
    action: str
    origin: Sourced


class DoseAdjust(NamedTuple):
    """A dose for kidneys, liver, genotype or an interacting drug. Bounds in the unit of `measure`.

    `halve`: the label halves whatever dose was given, `max_daily_mg` is half of the highest; `no_change`: it says
    none is needed.
    """

    id: str
    kind: str
    condition: str
    dose: str
    measure: str
    low: Decimal | None
    low_inclusive: bool
    high: Decimal | None
    high_inclusive: bool
    interactions_all: tuple[str, ...]
    interactions_any: tuple[str, ...]
    child_pugh: str
    max_daily_mg: Decimal | None
    avoid: bool
    origin: Sourced
    halve: bool = False
    no_change: bool = False


class DatedLimit(NamedTuple):
    """One line through its versions, oldest first, each with the first day of samples it judges; None: switched off."""

    analyte: str
    versions: tuple[tuple[date, Limit | None], ...]


class Benefit(NamedTuple):
    """How long after the first dose a SALT that is no better is put before a clinician."""

    id: str
    after: Span
    origin: Sourced


@dataclass(frozen=True, slots=True)
class Protocol:
    """One drug in one region, with the digest of the file it was read from.

    `versions` are empty where no clinic changed a line; else what was in force from which day, the file's own first,
    and the protocol itself is the last of them. `grace_by` and `window_by` name the clinic's versions that set the
    grace and the time to a repeat.
    """

    id: str
    name: str
    brand: str
    region: str
    version: str
    digest: str
    default_dose: str
    off_label_for: tuple[str, ...]
    note: str
    renal_measure: str
    baseline_window_days: int
    due_grace_days: int
    early_days: int
    confirm_within: Span
    schedule: tuple[ScheduleEntry, ...]
    initiation: tuple[Limit, ...]
    on_treatment: tuple[Limit, ...]
    screening: tuple[Screen, ...]
    events: tuple[EventLine, ...]
    dose_adjust: tuple[DoseAdjust, ...]
    versions: tuple[tuple[date, "Protocol"], ...] = ()
    grace_by: str = ""
    window_by: str = ""
    benefit: Benefit | None = None

    @property
    def title(self) -> str:
        return f"{self.name} ({self.brand}, {self.region})"

    @property
    def yardstick(self) -> str:
        """What a flag records of the protocol that judged it."""
        return f"{self.id} {self.version} {self.digest[:12]}"

    def under(self, overlay: str) -> str:
        """The yardstick of a line, which names the clinic's version where one changed the line."""
        return f"{self.yardstick} + {overlay}" if overlay else self.yardstick

    def spans(self) -> tuple[tuple[date, date, "Protocol"], ...]:
        """Every version with its first day and the day after its last."""
        versions = self.versions or ((date.min, self),)
        ends = [*(since for since, _ in versions[1:]), date.max]
        return tuple((since, until, held) for (since, held), until in zip(versions, ends, strict=True))

    def dated(self, which: Literal["initiation", "on_treatment"]) -> Sequence[DatedLimit]:
        """The limits, each with its versions; a version that changed nothing of the line is none of its."""
        if not self.versions:
            return [DatedLimit(limit.analyte, ((date.min, limit),)) for limit in getattr(self, which)]
        by_day = [(since, {limit.id: limit for limit in getattr(held, which)}) for since, held in self.versions]
        return [
            DatedLimit(limit.analyte, _changes([(since, lines.get(id)) for since, lines in by_day]))
            for id, limit in by_day[0][1].items()
        ]

    def event(self, name: str) -> EventLine | None:
        return next((line for line in self.events if line.event == name), None)


def _changes(versions: Sequence[tuple[date, Limit | None]]) -> tuple[tuple[date, Limit | None], ...]:
    return (versions[0], *(later for earlier, later in pairwise(versions) if later[1] != earlier[1]))


Entry = Mapping[str, Any]


def _decimal(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def _origin(entry: Entry) -> Sourced:
    return Sourced(str(entry.get("text", "")), str(entry.get("source", "")), bool(entry.get("verified", False)))


def _span(entry: Entry, key: str) -> Span | None:
    return span(entry[key]) if entry.get(key) else None


def _schedule(entry: Entry) -> ScheduleEntry:
    subject = entry.get("analyte") or entry["panel"]
    return ScheduleEntry(
        str(entry["id"]), str(subject), bool(entry.get("baseline", False)),
        _span(entry, "first_from"), _span(entry, "first_to"), _span(entry, "every"), _origin(entry),
        _span(entry, "suggested_every"), after_increase=_span(entry, "after_increase"),
        increase_source=str(entry.get("after_increase_source", "")),
    )  # fmt: skip


def _bounds(entry: Entry) -> tuple[Decimal | None, bool, Decimal | None, bool]:
    """(low, low inclusive, high, high inclusive) from a band or from a single `op` and `value`."""
    if "op" not in entry:
        return (
            _decimal(entry.get("low")), bool(entry.get("low_inclusive", False)),
            _decimal(entry.get("high")), bool(entry.get("high_inclusive", False)),
        )  # fmt: skip
    if entry["op"] not in ("<", "<="):
        raise BadData(f"{entry.get('id')}: a limit on a value is “<” or “<=”, not “{entry['op']}”.")
    return None, False, _decimal(entry["value"]), entry["op"] == "<="


def _limit(entry: Entry, defaults: Entry) -> Limit:
    falls = entry.get("measure") == FALL_FROM_BASELINE
    if falls and entry.get("op") != ">":
        raise BadData(f"{entry.get('id')}: a fall is compared with “>”.")
    low, low_inclusive, high, high_inclusive = (None, False, None, False) if falls else _bounds(entry)
    confirm = {"two_sequential": PERSISTENT}.get(entry.get("confirm", ""), entry.get("confirm", ""))
    if confirm not in ("", REPEAT, PERSISTENT):
        raise BadData(f"{entry.get('id')}: confirm is “repeat” or “persistent”, not “{confirm}”.")
    return Limit(
        str(entry["id"]), str(entry["analyte"]), str(entry.get("unit", "")), low, low_inclusive, high, high_inclusive,
        str(entry.get("measure", "")), _decimal(entry.get("value")) if falls else None, str(entry["action"]), confirm,
        int(entry.get("count", defaults["persistent_count"])),
        span(entry.get("confirm_within", defaults["confirm_within"])),
        str(entry.get("resume_op", "")), _decimal(entry.get("resume_value")), str(entry.get("resume_text", "")),
        str(entry.get("condition", "")), _origin(entry),
    )  # fmt: skip


def _adjust(entry: Entry) -> DoseAdjust:
    return DoseAdjust(
        str(entry["id"]), str(entry["kind"]), str(entry.get("condition", "")), str(entry.get("dose", "")),
        str(entry.get("measure", "")), _decimal(entry.get("low")), bool(entry.get("low_inclusive", False)),
        _decimal(entry.get("high")), bool(entry.get("high_inclusive", False)),
        tuple(entry.get("interactions_all", ())), tuple(entry.get("interactions_any", ())),
        str(entry.get("child_pugh", "")), _decimal(entry.get("max_daily_mg")), bool(entry.get("avoid", False)),
        _origin(entry), bool(entry.get("halve", False)), bool(entry.get("no_change", False)),
    )  # fmt: skip


def _screen(entry: Entry) -> Screen:
    return Screen(
        str(entry["item"]), bool(entry.get("required", False)), _origin(entry),
        str(entry.get("observation", "")), tuple(entry.get("avoid_when", ())),
    )  # fmt: skip


def _benefit(entry: Entry | None) -> Benefit | None:
    return None if entry is None else Benefit(str(entry["id"]), span(entry["after"]), _origin(entry))


def _entries(data: Entry, name: str) -> Sequence[Entry]:
    entries: Sequence[Entry] = data.get(name, ())
    return entries


def build(data: Entry, digest: str) -> Protocol:
    """A Protocol from the parsed data file. Raises BadData naming the entry that contradicts itself."""
    defaults = data["defaults"]
    try:
        return Protocol(
            id=data["id"], name=data["name"], brand=data.get("brand", ""), region=data.get("region", ""),
            version=str(data["version"]), digest=digest, default_dose=data.get("default_dose", ""),
            off_label_for=tuple(data.get("off_label_for", ())), note=data.get("note", ""),
            renal_measure=data.get("renal_measure", ""), baseline_window_days=span(defaults["baseline_window"]).days,
            due_grace_days=span(defaults["due_grace"]).days, early_days=int(defaults["early_days"]),
            confirm_within=span(defaults["confirm_within"]),
            schedule=tuple(_schedule(e) for e in _entries(data, "schedule")),
            initiation=tuple(_limit(e, defaults) for e in _entries(data, "initiation")),
            on_treatment=tuple(_limit(e, defaults) for e in _entries(data, "on_treatment")),
            screening=tuple(_screen(e) for e in _entries(data, "screening")),
            events=tuple(EventLine(e["event"], e["action"], _origin(e)) for e in _entries(data, "event")),
            dose_adjust=tuple(_adjust(e) for e in _entries(data, "dose_adjust")),
            benefit=_benefit(data.get("benefit")),
        )  # fmt: skip
    except KeyError as missing:
        raise BadData(f"protocol {data.get('id', '?')}: an entry has no {missing}.") from missing
