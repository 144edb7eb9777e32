"""One value, one verdict, by whichever door it came (R11): form, correction, CSV, HL7, FHIR, and judged again.

Made-up people each have one sample. It comes in once by every door, for a person of the same age, sex, treatment and
pregnancy each time; the flags have to be the same to the letter, and what a second reckoning (reckoning.py) says.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import select

from tests.trust import reckoning
from tests.trust.conservation import command
from tests.trust.crawl import World, clinic
from tests.trust.lines import Line
from tests.trust.staff import answered
from tracker.models import Flag, LabResult, Patient

ZONE = ZoneInfo("Europe/Berlin")  # of the clinic
DOORS = ("form", "corrected", "csv", "hl7", "fhir")
COMPARED = (
    "rule", "subject", "entry", "fingerprint", "severity", "grade", "peak_grade", "grading", "machine", "confirmation",
    "suggested", "due_on", "folded_under", "opened_on", "last_seen_on", "cleared_on", "sentence", "source", "verified",
    "yardstick", "review",
)  # fmt: skip
# Not the place on the queue: what was worse until it was corrected keeps its place until somebody decides.
SIGNS = ("", "", "", "", "", "", "<", ">", "<=", ">=")
PANEL = 30  # values of a sample


class Value(NamedTuple):
    code: str
    text: str
    unit: str


class Case(NamedTuple):
    """A person and their sample. `course` is a line of courses.csv without the record number; "" for what is not."""

    number: int
    sex: str
    born: date | None
    at: datetime
    course: str
    pregnancy: str
    values: tuple[Value, ...]

    def mrn(self, door: str) -> str:
        return f"{door}-{self.number:05}"

    @property
    def on(self) -> date:
        return self.at.date()


# ---------------------------------------------------------------------------------------------- making them up


def cases(values: int, today: date, seed: int = 1) -> Iterator[Case]:
    dice = Random(seed)
    for number in range(-(-values // PANEL)):
        on = today - timedelta(days=dice.randrange(2, 300))
        at = datetime(
            on.year, on.month, on.day, dice.choice((0, 3, 8, 12, 23)), dice.choice((0, 1, 30, 59)), tzinfo=ZONE
        )
        codes = dice.sample(sorted(reckoning.analytes()), PANEL)
        yield Case(
            number, dice.choice(("female", "female", "male", "male", "unknown")), _born(on, dice), at,
            _course(on, dice), dice.choice(("", "", "negative", "positive", "possible")),
            tuple(_value(code, dice) for code in codes),
        )  # fmt: skip


def _born(on: date, dice: Random) -> date | None:
    """Often on the day a range begins to hold, or a day beside it."""
    day = on - timedelta(days=dice.randrange(3))
    years = dice.choice((17, 18, 18, 19, 40, 64, 65, 66, 90))
    return None if dice.random() < 0.05 else date(day.year - years, day.month, min(day.day, 28))


def _course(on: date, dice: Random) -> str:
    """A line of courses.csv: watched by the limits that are reckoned here, by others, or by none."""
    protocol = dice.choice(
        ("tofacitinib_us", "tofacitinib_us", "tofacitinib_us", "baricitinib_us", "upadacitinib_us", "")
    )
    started = on - timedelta(days=dice.choice((-3, 0, 1, 30, 200)))
    return f"{protocol},{started},5,2" if protocol else ""


def _value(code: str, dice: Random) -> Value:
    """Mostly on a bound that somebody set, or one unit of the last place beside it."""
    row = reckoning.analytes()[code]
    unit = dice.choice([row["unit"], row["unit"], *(name for name in row["units"] if name)])
    times, plus = reckoning.factors(code, unit)
    least, most = (Fraction(row[name]) for name in ("hard_min", "hard_max"))
    wanted = dice.choice(_bounds(code)) if dice.random() < 0.7 else _between(row, dice)
    places = dice.choice((1, 2, 3)) + (3 if times > 10 else 0)
    figure = round((wanted - plus) / times * 10**places) + dice.choice((-1, 0, 0, 1))
    inside = least <= Fraction(figure, 10**places) * times + plus <= most
    figure = figure if inside and figure >= 0 else round((_between(row, dice) - plus) / times * 10**places)
    return Value(code, f"{dice.choice(SIGNS)}{_written(figure, places)}", unit)


def _between(row: dict[str, Any], dice: Random) -> Fraction:
    least, most = Fraction(row["query_min"]), Fraction(row["query_max"])
    return least + (most - least) * Fraction(dice.randrange(1, 1000), 1000)


def _bounds(code: str) -> list[Fraction]:
    lines = [line for line in reckoning.tables("ranges.toml")["range"] if line["analyte"] == code]
    found = [Fraction(line[side]) for line in lines for side in ("low", "high") if side in line]
    found += {"ANC": [Fraction(1, 2), Fraction(1)], "ALC": [Fraction(1, 2)], "HB": [Fraction(8), Fraction(9)]}.get(
        code, []
    )
    return found


def _written(figure: int, places: int) -> str:
    digits = f"{figure:0{places + 1}}"
    return f"{digits[:-places]}.{digits[-places:]}"


# ---------------------------------------------------------------------------------------------- the doors


def by_csv(told: list[Case], door: str, path: Path, other: str = "") -> None:
    """A results.csv; with `other`, the first value of each sample is another."""
    lines = ["mrn,collected_at,analyte,value,unit"]
    for case in told:
        for place, value in enumerate(case.values):
            text = _another(value) if other and not place else value.text
            lines.append(f"{case.mrn(door)},{case.at.isoformat()},{value.code},{text},{value.unit}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _another(value: Value) -> str:
    """A value in the middle of what is usual, which is corrected to the right one."""
    row, (times, plus) = reckoning.analytes()[value.code], reckoning.factors(value.code, value.unit)
    middle = (Fraction(row["query_min"]) + Fraction(row["query_max"])) / 3
    return _written(round((middle - plus) / times * 10**4), 4)


def by_messages(told: list[Case], path: Path) -> None:
    segments = []
    for case in told:
        at = f"{case.at:%Y%m%d%H%M%z}"
        segments += [
            "MSH|^~\\&|LIS||Jakwatch||20260301||ORU^R01|1|P|2.5",
            f"PID|1||{case.mrn('hl7')}^^^^MR",
            f"OBR|1|||X^X|||{at}",
        ]
        for place, (code, text, unit) in enumerate(case.values, 1):
            sign = text[: len(text) - len(text.lstrip("<>="))]
            value, kind = (f"{sign}^{text[len(sign) :]}", "SN") if sign else (text, "NM")
            segments.append(
                f"OBX|{place}|{kind}|{reckoning.analytes()[code]['loinc'][0]}^^LN||{value}|{unit}|||||F|||{at}"
            )
    path.write_text("\r".join(segments) + "\r", encoding="utf-8", newline="")


def by_fhir(told: list[Case], path: Path) -> None:
    entries: list[dict[str, Any]] = []
    for case in told:
        key, kind = f"p{case.number}", {"coding": [{"code": "MR"}]}
        identifier = [{"type": kind, "value": case.mrn("fhir")}]
        entries.append({"resource": {"resourceType": "Patient", "id": key, "identifier": identifier}})
        entries += ({"resource": _observation(case, key, place)} for place in range(len(case.values)))
    document = json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})
    path.write_text(
        re.sub(r'"value": "@([\d.]+)"', r'"value": \1', document), encoding="utf-8"
    )  # the digits as they are


def _observation(case: Case, patient: str, place: int) -> dict[str, Any]:
    code, text, unit = case.values[place]
    sign = text[: len(text) - len(text.lstrip("<>="))]
    quantity = {"value": f"@{text[len(sign) :]}", "unit": unit} | ({"comparator": sign} if sign else {})
    return {
        "resourceType": "Observation", "id": f"{patient}-{place}", "status": "final",
        "category": [{"coding": [{"code": "laboratory"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": reckoning.analytes()[code]["loinc"][0]}]},
        "subject": {"reference": f"Patient/{patient}"}, "effectiveDateTime": case.at.isoformat(),
        "valueQuantity": quantity,
    }  # fmt: skip


def form_of(case: Case) -> dict[str, Any]:
    codes, values, units = (list(column) for column in zip(*case.values, strict=True))
    blank = [""] * len(codes)
    return {
        "day": case.on.isoformat(), "time": f"{case.at:%H:%M}", "analyte": codes, "value": values, "unit": units,
        "low": blank, "high": blank, "confirm": [f"{v.code}|{v.text}|{v.unit}" for v in case.values],
    }  # fmt: skip


# ---------------------------------------------------------------------------------------------- through them


@dataclass
class Compared:
    """How many values came through each door, what the entry check said of how many, and what differed."""

    values: int = 0
    flags: int = 0
    checked: int = 0
    wrong: list[str] = field(default_factory=list)


def bring_in(world: World, told: list[Case], found: Compared) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        _people(told, folder)
        by_csv(told, "csv", folder / "results.csv")
        by_csv(told, "corrected", folder / "others.csv", other="yes")
        by_messages(told, folder / "results.hl7")
        by_fhir(told, folder / "results.json")
        for report in command(world, "import", name, "--clinic", "A", "--json")["files"]:
            if report["rows_in"] != report["filed"] + report["duplicate"]:  # type: ignore[operator]
                found.wrong.append(f"{report['path']}: {report['problems'][:2]}")  # type: ignore[index]
    for case in told:
        _type(world, case, found)
        _correct(world, case)


def _people(told: list[Case], folder: Path) -> None:
    people, courses, seen = (
        ["mrn,birth_date,sex"],
        ["mrn,protocol,started_on,dose_mg,times_per_day"],
        ["mrn,on,kind,value"],
    )
    for case in told:
        for mrn in map(case.mrn, DOORS):
            people.append(f"{mrn},{case.born or ''},{case.sex}")
            courses += [f"{mrn},{case.course}"] if case.course else []
            seen += [f"{mrn},{case.on},pregnancy_status,{case.pregnancy}"] if case.pregnancy else []
    for name, lines in (("patients", people), ("courses", courses), ("observations", seen)):
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _type(world: World, case: Case, found: Compared) -> None:
    """By the grid: first looked at, then saved."""
    path, form = f"/patients/{_key(world, case.mrn('form'))}/labs", form_of(case)
    checked = answered(world.ask("recorder", f"{path}/preview", "POST", data=form), 200).get_json()
    for value, row in zip(case.values, checked["rows"], strict=True):
        found.checked += 1
        wanted = reckoning.place(*value, case.sex, case.born, case.on) or "not_evaluated"
        if row["state"] != wanted:
            found.wrong.append(f"the entry check calls {value} of {case[:4]} {row['state']}, not {wanted}")
    answered(world.ask("recorder", f"{path}/new", "POST", data=form | {"do": "save"}), 303)


def _correct(world: World, case: Case) -> None:
    code, text, unit = case.values[0]
    with world.database.reading() as session:
        mine = select(LabResult.id).join(Patient, Patient.id == LabResult.patient_id)
        key = session.scalars(mine.where(Patient.mrn == case.mrn("corrected"), LabResult.subject == code)).one()
    form = {
        "value": text, "unit": unit, "day": case.on.isoformat(), "time": f"{case.at:%H:%M}", "reason": "typed wrongly",
        "confirmed": "y",
    }  # fmt: skip
    answered(world.ask("recorder", f"/results/{key}/correct", "POST", data=form), 303)


def _key(world: World, mrn: str) -> int:
    with world.database.reading() as session:
        return session.scalars(select(Patient.id).where(Patient.mrn == mrn)).one()


# ---------------------------------------------------------------------------------------------- what became of it


Flags = Counter[tuple[Any, ...]]


def flags(world: World) -> dict[str, Flags]:
    """What stands on the queue or past of each patient, by record number; not what an amendment took away."""
    found: dict[str, Flags] = {}
    columns = [getattr(Flag, name) for name in COMPARED]
    with world.database.reading() as session:
        rows = session.execute(select(Patient.mrn, *columns).join(Flag).where(~Flag.superseded))
        for mrn, *told in rows:
            if mrn.startswith(DOORS):
                found.setdefault(mrn, Counter())[tuple(told)] += 1
    return found


def compare(world: World, told: list[Case], found: Compared) -> None:
    held = flags(world)
    for case in told:
        first = held.get(case.mrn("csv"), Counter())
        found.values, found.flags = found.values + len(case.values), found.flags + first.total()
        for door in DOORS:
            other = held.get(case.mrn(door), Counter())
            if other != first:
                found.wrong.append(f"{case[:6]} by {door}: {list((other - first) + (first - other))[:2]}")
        _reckon(case, first, found)


def _reckon(case: Case, stored: Flags, found: Compared) -> None:
    """The flags on the reference range and on the drug's limits, against the second reckoning."""
    on_drug = case.course.startswith("tofacitinib_us") and date.fromisoformat(case.course.split(",")[1]) < case.on
    for value in case.values:
        place = reckoning.place(*value, case.sex, case.born, case.on)
        wanted = {("out_of_range", place)} if place in (reckoning.LOW, reckoning.HIGH) else set()
        wanted |= {("action_limit", line) for line in reckoning.limits_met(*value)} if on_drug else set()
        seen = {(rule, entry) for rule, subject, entry, *_ in stored if subject == value.code}
        seen = {one for one in seen if one[0] == "out_of_range" or (one[0] == "action_limit" and on_drug)}
        seen.discard(("action_limit", "tofa_us_hb_drop"))  # needs a baseline, which a single sample is not
        if seen != wanted:
            found.wrong.append(f"{value} of {case[:5]}: {seen} is flagged, {wanted} was reckoned")


def through(values: int, seed: int = 1) -> Compared:
    """So many values through every door, then everybody judged again."""
    found = Compared()
    with clinic() as world:
        told = list(cases(values, datetime.now(UTC).date(), seed))
        bring_in(world, told, found)
        compare(world, told, found)
        before = flags(world)
        command(world, "evaluate", "--all", "--json")
        if flags(world) != before:
            found.wrong.append("judged again, some flags are others")
    return found


def check(full: bool) -> Iterator[Line]:
    found = through(200_000 if full else 20_000)
    figure = (
        f"{found.values} values by {len(DOORS)} doors, {found.flags} flags by each, {found.checked} checked while"
        f" typing, all judged again: {len(found.wrong)} differ"
    )
    yield Line("R11", "the same flags by every door", figure, "0", not found.wrong, "; ".join(found.wrong[:3]))
