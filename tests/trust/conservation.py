"""Whatever comes in is somewhere (R10): files of awkward lengths, every row where it belongs, no result in no list.

What must become of each row is known before it is filed: most are good, some come twice, some are nobody's, some are no
result. They are filed by the command; what was refused is downloaded by the page.
"""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import xlsxwriter
from click.testing import CliRunner
from sqlalchemy import func, select

from tests.trust.crawl import World, clinic
from tests.trust.lines import Line
from tests.trust.staff import SECRET
from tracker.cli import tracker
from tracker.models import HeldRow, LabResult
from tracker.queries.accounted import unaccounted

SIZES = (0, 1, 65_535, 65_536, 65_537)
LARGE = (1_048_575, 1_048_576, 1_048_577)
# By kind, the least and the most rows of a file: a message without a result is refused, a sheet and 64 MB have an end.
LIMITS = {"csv": (0, 10**9), "xlsx": (0, 1_048_575), "hl7": (1, 500_000)}
PEOPLE = 1000
OUTCOMES = ("filed", "duplicate", "unmatched", "refused")
HEAD = ("mrn", "collected_at", "analyte", "value", "unit")
BEGUN, APART = (
    datetime(2000, 1, 1, 8, tzinfo=UTC),
    timedelta(days=800),
)  # no two files of a clinic have a result in common


class Row(NamedTuple):
    """A row of a file, and what has to become of it."""

    mrn: str
    at: datetime
    value: str
    outcome: str


def rows(size: int, begun: datetime) -> Iterator[Row]:
    return (row(n, begun) for n in range(size))


def row(n: int, begun: datetime) -> Row:
    """The n-th: tens are of one person, so that a message can hold them; twenties too, for one that comes again."""
    mrn, at = f"CO-{n // 20 % PEOPLE:04}", begun + timedelta(minutes=n)
    if n // 10 % 50 == 49:
        return Row(f"NOBODY-{n // 10}", at, "240", "unmatched")
    if n % 20 == 18:
        return Row(mrn, at - timedelta(minutes=11), f"2{(n - 11) % 90 + 10}", "duplicate")
    if n % 10 == 9:
        return Row(mrn, at, "many", "refused")
    return Row(mrn, at, f"2{n % 90 + 10}", "filed")


def as_csv(told: Iterator[Row], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(HEAD)
        writer.writerows((r.mrn, r.at.isoformat(), "PLT", r.value, "10*9/L") for r in told)


def as_workbook(told: Iterator[Row], path: Path) -> None:
    with xlsxwriter.Workbook(path, {"constant_memory": True}) as book:
        sheet = book.add_worksheet("results")
        sheet.write_row(0, 0, HEAD)
        for n, r in enumerate(told, 1):
            sheet.write_row(n, 0, (r.mrn, r.at.isoformat(), "PLT", r.value, "10*9/L"))


def as_messages(told: Iterator[Row], path: Path) -> None:
    """Ten results a message."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        for n, r in enumerate(told):
            if n % 10 == 0:
                stream.write(
                    f"MSH|^~\\&|LIS|Lab|Jakwatch|Clinic|20260301||ORU^R01|{n}|P|2.5\rPID|1||{r.mrn}^^^Clinic^MR\r"
                )
                stream.write("OBR|1|||CBC^Blood count|||20150101\r")
            value = f"OBX|{n % 10 + 1}|NM|777-3^Platelets^LN|1|{r.value}|10*9/L|||||F"
            stream.write(f"{value}|||{r.at:%Y%m%d%H%M}+0000\r")


FILES = {"csv": as_csv, "xlsx": as_workbook, "hl7": as_messages}


@dataclass
class Accounts:
    """How many files of how many rows were filed, and what did not add up."""

    files: int = 0
    rows: int = 0
    wrong: list[str] = field(default_factory=list)

    def expect(self, what: str, found: object, wanted: object) -> None:
        if found != wanted:
            self.wrong.append(f"{what}: {found} instead of {wanted}")


def file(world: World, accounts: Accounts, kind: str, size: int, begun: datetime) -> None:
    """Write a file, file it, and hold the account against what every row was made for."""
    wanted = Counter(one.outcome for one in rows(size, begun))
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"results.{kind}"
        FILES[kind](rows(size, begun), path)
        report = command(world, "import", str(path), "--clinic", "A", "--json")["files"][0]
    accounts.files, accounts.rows = accounts.files + 1, accounts.rows + size
    what = f"{size} rows of {kind}"
    accounts.expect(what, report["rows_in"], size)
    accounts.expect(what, {name: report[name] for name in OUTCOMES}, {name: wanted[name] for name in OUTCOMES})
    with world.database.reading() as session:
        for model, outcome in ((LabResult, "filed"), (HeldRow, "unmatched")):
            stored = session.scalar(select(func.count()).select_from(model).where(model.batch_id == report["batch"]))
            accounts.expect(f"{what}, {outcome} on file", stored, wanted[outcome])
        accounts.expect(f"{what}, lists", unaccounted(session), [])
    told = world.ask("recorder", f"/imports/{report['batch']}/problems.csv").text
    refused = [line for line in csv.reader(io.StringIO(told)) if "many" in "".join(line[2:])]
    accounts.expect(f"{what}, refused rows in the table", len({line[0] for line in refused}), wanted["refused"])


def command(world: World, *told: str) -> dict[str, list[dict[str, object]]]:
    """A command of ours over the same database; what it printed as JSON."""
    environment = {
        "TRACKER_DATABASE_URL": world.database.url,
        "TRACKER_ENV": "development",
        "TRACKER_AUDIT_KEY": SECRET,
    }
    outcome = CliRunner().invoke(tracker, [*told], env=environment | {"TRACKER_SECRET_KEY": SECRET})
    try:
        found: dict[str, list[dict[str, object]]] = json.loads(outcome.stdout)
    except ValueError:
        raise AssertionError(f"{told} said {outcome.output!r} ({outcome.exception!r})") from None
    return found


def enrol(world: World) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "patients.csv"
        people = (f"CO-{n:04},1970-01-01,female" for n in range(PEOPLE))
        path.write_text("\n".join(("mrn,birth_date,sex", *people)) + "\n", encoding="utf-8")
        command(world, "import", str(path), "--clinic", "A", "--json")


def account(sizes: tuple[int, ...], kinds: tuple[str, ...] = tuple(FILES)) -> Accounts:
    """File a file of each length and kind, each kind at a clinic of its own."""
    accounts = Accounts()
    for kind in kinds:
        with clinic() as world:
            enrol(world)
            for place, size in enumerate(sizes):
                if LIMITS[kind][0] <= size <= LIMITS[kind][1]:
                    file(world, accounts, kind, size, BEGUN + place * APART)
    return accounts


def check(full: bool) -> Iterator[Line]:
    found = account(SIZES + LARGE if full else SIZES)
    figure = f"{found.files} files of CSV, XLSX and HL7, {found.rows} rows: {len(found.wrong)} accounts are wrong"
    yield Line(
        "R10",
        "rows in = filed + duplicate + unmatched + refused",
        figure,
        "0",
        not found.wrong,
        "; ".join(found.wrong[:3]),
    )
