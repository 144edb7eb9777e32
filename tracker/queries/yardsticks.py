"""The yardsticks of a clinic, read once: configured ranges, which of them judges a result, and what else was set."""

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain import clinic_wide
from tracker.domain.criteria import own_rules
from tracker.domain.history import OwnRule
from tracker.domain.opportunistic import ClinicList, clinic_lists
from tracker.domain.overlay import CONFIRM_WITHIN, Published, dated_protocol, in_force
from tracker.domain.protocol import Protocol
from tracker.domain.ranges import PRINTED, STARTER_FROM, ConfiguredRange, Range, choose
from tracker.domain.units import from_canonical, normal_unit, to_canonical
from tracker.library.analytes import ANALYTES
from tracker.library.protocols import protocols
from tracker.models import Clinic, ClinicSetting, ReferenceRange
from tracker.models.setting import CLINIC_WIDE, OWN_RULE, PROTOCOL_LINE, RULE


class Back(NamedTuple):
    """A published version taken as if it had never been: its table, its key, and the day it applies from."""

    table: str
    id: int
    day: date


class Trial(NamedTuple):
    """Drafts taken as published, by their keys: the day each would apply from, and the number a setting would get. Or
    one published version taken back.
    """

    ranges: Mapping[int, date]
    settings: Mapping[int, tuple[date, int]]
    back: Back | None = None

    @property
    def applies_from(self) -> date:
        """The first day on which anything of it applies."""
        if self.back is not None:
            return self.back.day
        return min([*self.ranges.values(), *(day for day, _ in self.settings.values())])

    def takes_back(self, table: str) -> int | None:
        """The key of the version of a table that is taken back."""
        return self.back.id if self.back is not None and self.back.table == table else None

    def as_json(self) -> dict[str, Any]:
        """What a job keeps of it; `from_json` reads it back."""
        return {
            "ranges": {str(key): day.isoformat() for key, day in self.ranges.items()},
            "settings": {str(key): [day.isoformat(), number] for key, (day, number) in self.settings.items()},
            "back": self.back and [self.back.table, self.back.id, self.back.day.isoformat()],
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Trial":
        back = kept.get("back")
        return cls(
            {int(key): date.fromisoformat(day) for key, day in kept["ranges"].items()},
            {int(key): (date.fromisoformat(day), number) for key, (day, number) in kept["settings"].items()},
            back and Back(back[0], back[1], date.fromisoformat(back[2])),
        )


NEXT = datetime.max.replace(tzinfo=UTC)  # what is tried out would be published last
NOTHING_TRIED = Trial({}, {})
UNITS = {code: analyte.unit for code, analyte in ANALYTES.items() if analyte.units}
Answer = tuple[Range | None, str]


class Ranges:
    """Which configured range of one clinic judges a sample; answers are remembered, because the same few come again
    and again.
    """

    def __init__(self, lines: Iterable[ConfiguredRange]) -> None:
        self._lines: dict[tuple[str, str], list[ConfiguredRange]] = {}
        for line in lines:
            self._lines.setdefault((line.analyte, line.laboratory), []).append(line)
        self._dates = {key: sorted({line.effective_from for line in held}) for key, held in self._lines.items()}
        self._answers: dict[tuple[str, str, str, int | None, int, str], Answer] = {}

    def find(self, analyte: str, laboratory: str, sex: str, age: int | None, on: date, unit: str) -> Answer:
        """The laboratory's own range, else the clinic's default, in the unit of the result; or why there is none."""
        if laboratory and (analyte, laboratory) in self._lines:
            own = self._answer(analyte, laboratory, sex, age, on, unit)
            if own[0] is not None:
                return own
        return self._answer(analyte, "", sex, age, on, unit)

    def _answer(self, analyte: str, laboratory: str, sex: str, age: int | None, on: date, unit: str) -> Answer:
        lines = self._lines.get((analyte, laboratory))
        if lines is None:
            return None, "no reference range is configured for this person"
        segment = bisect_right(self._dates[analyte, laboratory], on)
        key = (analyte, laboratory, sex, age, segment, unit)
        answer = self._answers.get(key)
        if answer is None:
            found, why = choose(lines, sex, age, on)
            answer = self._answers[key] = (found, why) if found is None else _in_unit(found, analyte, unit)
        return answer


def _in_unit(found: Range, analyte: str, unit: str) -> Answer:
    """The range in the unit of the result. The clinic's own bounds are converted, published limits never are."""
    if normal_unit(found.unit) == normal_unit(unit):
        return found, ""
    known = ANALYTES[analyte]

    def convert(bound: Decimal | None) -> Decimal | None:
        canonical = None if bound is None else to_canonical(known, bound, found.unit)
        return None if canonical is None else from_canonical(known, canonical, unit)

    low, high = convert(found.low), convert(found.high)
    if (low is None) != (found.low is None) or (high is None) != (found.high is None):
        return None, f"the unit “{unit}” cannot be compared with the configured range in {found.unit}"
    return found._replace(low=low, high=high, unit=unit), ""


class Yardsticks:
    """What a clinic measures by. `digest` names the published versions of everything it set, "" where that is none."""

    def __init__(self, clinic: Clinic, ranges: Ranges, settings: Sequence[Published] = (), digest: str = "") -> None:
        self.clinic_id = clinic.id
        self.clinic_name = clinic.name
        self.zone = ZoneInfo(clinic.time_zone)
        self.ranges = ranges
        self.settings = settings
        self.wide = [setting for setting in settings if setting.kind == CLINIC_WIDE]
        self._ranges_first = clinic_wide.of_scope(self.wide, clinic_wide.RANGES_FIRST)
        self.digest = digest

    def protocols_on(self, as_of: date) -> Mapping[str, Protocol]:
        """Every protocol by its id as this clinic has it on a day: the shipped ones where it changed nothing."""
        shipped = protocols()
        lines: dict[str, list[Published]] = {}
        for setting in self.settings:
            if setting.kind == PROTOCOL_LINE:
                lines.setdefault(setting.scope.partition("/")[0], []).append(setting)
        if not lines and not self.wide:
            return shipped
        return {
            id: dated_protocol(protocol, lines.get(id, ()), self.clinic_name, as_of, self.wide)
            for id, protocol in shipped.items()
        }

    def repeat_window(self, as_of: date) -> Published | None:
        """The version of how soon a repeat is asked for that is in force on a day."""
        return in_force(clinic_wide.of_scope(self.wide, CONFIRM_WITHIN), as_of)

    def infection_lists(self) -> tuple[ClinicList, ...]:
        """The clinic's versions of the list of opportunistic infections."""
        return clinic_lists(clinic_wide.of_scope(self.wide, clinic_wide.OPPORTUNISTIC), self.clinic_name)

    def rule_versions(self) -> Mapping[str, Sequence[Published]]:
        """What the clinic set about rules, by the rule's code."""
        found: dict[str, list[Published]] = {}
        for setting in self.settings:
            if setting.kind == RULE:
                found.setdefault(setting.scope, []).append(setting)
        return found

    def own_rules(self, as_of: date) -> tuple[OwnRule, ...]:
        held = [setting for setting in self.settings if setting.kind == OWN_RULE]
        return own_rules(held, UNITS, self.clinic_name, as_of) if held else ()

    def changes_after(self, as_of: date) -> tuple[date, ...]:
        """The days to come on which something published comes into force."""
        return tuple(sorted({s.effective_from for s in self.settings if s.effective_from > as_of}))

    def range_for(
        self, analyte: str, laboratory: str, sex: str, age: int | None, on: date, unit: str, printed: Range | None
    ) -> Answer:
        """The range printed with the result, else the configured one; the other way round where the clinic's version of
        the sample's day says so.
        """
        first = in_force(self._ranges_first, on) if printed is not None and self._ranges_first else None
        if printed is not None and not clinic_wide.configured_first(first):
            return printed, ""
        if not analyte:
            return printed, "" if printed else "the test is not mapped to an analyte"
        found, why = self.ranges.find(analyte, laboratory, sex, age, on, unit)
        if printed is None:
            return found, why
        if found is None or first is None:
            return printed, ""
        return found._replace(first_by=f"{self.clinic_name} v{first.number}"), ""


def printed_range(low: Decimal | None, high: Decimal | None, unit: str) -> Range | None:
    """The range as the laboratory printed it, bounds inclusive; none where it contradicts itself."""
    if (low is None and high is None) or (low is not None and high is not None and low > high):
        return None
    return Range(low, True, high, True, unit, PRINTED)


def load_yardsticks(session: Session, clinic_id: int, trial: Trial = NOTHING_TRIED) -> Yardsticks:
    """What a clinic has published, in force from their dates, and what is tried out. A statement for ranges and one for
    settings.
    """
    clinic = session.get_one(Clinic, clinic_id)
    lines, settings = configured(session, clinic_id, trial), _settings(session, clinic_id, trial)
    return Yardsticks(clinic, Ranges(lines), settings, _digest(lines, settings))


def configured(session: Session, clinic_id: int, trial: Trial = NOTHING_TRIED) -> list[ConfiguredRange]:
    """Every published version of the clinic's ranges as the trial has them."""
    r = ReferenceRange
    rows = session.execute(
        select(
            r.id, r.analyte, r.laboratory, r.sex, r.age_from, r.age_to, r.low, r.low_inclusive, r.high,
            r.high_inclusive, r.unit, r.effective_from, r.published_at,
        ).where(r.clinic_id == clinic_id, (r.state == "published") | r.id.in_(trial.ranges))
    )  # fmt: skip
    gone = trial.takes_back(r.__tablename__)
    lines = [line for line in map(ConfiguredRange._make, rows) if line.id != gone]
    return [
        line._replace(effective_from=trial.ranges[line.id], published_at=NEXT) if line.id in trial.ranges else line
        for line in lines
    ]


def _settings(session: Session, clinic_id: int, trial: Trial) -> list[Published]:
    s = ClinicSetting
    rows = session.execute(
        select(s.id, s.kind, s.scope, s.number, s.effective_from, s.body, s.source)
        .where(s.clinic_id == clinic_id, (s.state == "published") | s.id.in_(trial.settings))
        .order_by(s.id)
    )
    gone = trial.takes_back(s.__tablename__)
    found = []
    for setting in (one for one in map(Published._make, rows) if one.id != gone):
        day, number = trial.settings.get(setting.id, (setting.effective_from, setting.number))
        found.append(setting._replace(effective_from=day, number=number))
    return found


def _digest(lines: Sequence[ConfiguredRange], settings: Sequence[Published]) -> str:
    """Eight hexadecimal digits over what a clinic published itself; "" while it has the starter set and nothing else.

    Versions are never edited, so their keys and dates say all.
    """
    own = sorted((line.id, line.effective_from.isoformat()) for line in lines if line.effective_from != STARTER_FROM)
    held = [(setting.id, setting.effective_from.isoformat()) for setting in settings]
    return hashlib.sha256(repr((own, held)).encode()).hexdigest()[:8] if own or held else ""
