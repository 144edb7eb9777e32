"""What becomes of every real file: rows in, filed, duplicate, unmatched, refused, and why they were refused.

    python -m tests.real.every_file ../shared/data [--test-messages] [--folder oru] [--reasons 20]

Each file is imported into a database of its own, with patients created, so that none meets another's. `other` are the
rows that none of the outcomes accounts for, and has to be 0; a file that cannot be read at all says why in its place.
"""

import argparse
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from tracker import formats
from tracker.db import Database, upgrade
from tracker.domain.errors import Refused
from tracker.domain.readings import Row
from tracker.formats.shapes import Answers
from tracker.operations import configure
from tracker.operations.actor import Actor
from tracker.operations.importing import Importer, Report
from tracker.queries import mappings

FOLDERS = (
    "oru", "fhir_from_oru", "fhir_official", "fhir_smart_samples", "fhir_synthea", "messy_tabular", "synthea_csv",
    "astm",
)  # fmt: skip
OUTCOMES = ("rows_in", "filed", "duplicate", "unmatched", "refused", "other")
ZONE = "Europe/Zurich"


@dataclass
class Account:
    """What became of one file. `unread` says why it could not be read at all."""

    path: Path
    format: str = ""
    unread: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    remarks: tuple[str, ...] = ()  # on the file as a whole
    unsaid: int = 0  # refused rows without a reason

    @property
    def adds_up(self) -> bool:
        return not self.counts["other"] and not self.unsaid


def accounts(data: Path, folders: Iterable[str] = FOLDERS, test_messages: bool = False) -> Iterator[Account]:
    """Import every file of these folders, one after another."""
    with tempfile.TemporaryDirectory(prefix="jakwatch-files-") as scratch:
        template = Path(scratch) / "template.db"
        upgrade(f"sqlite:///{template}")
        for folder in folders:
            for path in sorted(path for path in (data / folder).rglob("*") if path.is_file()):
                copy = Path(scratch) / "one.db"
                shutil.copyfile(template, copy)
                yield account(path, f"sqlite:///{copy}", test_messages)
                for left in Path(scratch).glob("one.db*"):
                    left.unlink()


def account(path: Path, url: str, test_messages: bool = False) -> Account:
    """Import one file into this database."""
    database = Database(url)
    found = Account(path)
    refused: set[int] = set()
    try:
        with database.transaction() as session, path.open("rb") as stream:
            actor = Actor("every file", datetime.now(UTC), "cli")
            clinics = configure.the_clinics(session, actor)
            clinics[0].time_zone = ZONE
            importer = Importer(session, actor, clinics, create_patients=True, may_configure=True)
            reader = mappings.reader(session, [clinic.id for clinic in clinics], Answers())
            source = formats.read(path.name, stream, ZoneInfo(ZONE), reader, test_messages=test_messages)
            rows = _watched(source.rows, refused)
            report = importer.file(path.name, source.format, source.kind, rows, "", source.remarks, source.elements)
            importer.judge()
    except Refused as why:
        found.unread = str(why)
        return found
    finally:
        database.close()
    _tell(found, report, refused)
    return found


def _watched(rows: Iterable[Row], refused: set[int]) -> Iterator[Row]:
    for row in rows:
        if row.reading is None:
            refused.add(row.number)
        yield row


def _tell(found: Account, report: Report, refused: set[int]) -> None:
    found.format = f"{report.format} {report.kind}"
    found.counts.update({name: getattr(report, name) for name in OUTCOMES if name != "other"})
    found.counts["other"] = report.rows_in - sum(getattr(report, name) for name in OUTCOMES[1:-1])
    refused |= {row for row, _, outcome in report.filed_rows if outcome == "refused"}
    said = [problem for problem in report.problems if problem.row in refused]
    found.reasons.update(pattern(problem.message) for problem in said)
    found.remarks = tuple(problem.message for problem in report.problems if not problem.row)
    found.unsaid = len(refused - {problem.row for problem in said})


def pattern(message: str) -> str:
    """A reason without what differs from row to row: the place, what is quoted, figures."""
    message = re.sub(r"^(?:message \d+[^:]*|[\w.]+/[^:]*): ", "", message)
    return re.sub(r"\d[\d.,:/-]*", "#", re.sub("“.*?”", "“…”", message))[:160]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("data", type=Path)
    parser.add_argument("--test-messages", action="store_true", help="HL7 marked as training or debugging too")
    parser.add_argument("--folder", action="append", choices=FOLDERS, help="this folder only; may be given again")
    parser.add_argument("--reasons", type=int, default=15, help="how many reasons of each folder are shown")
    asked = parser.parse_args()
    print(f"{'file':80}" + "".join(f"{name:>11}" for name in OUTCOMES))
    for folder in asked.folder or FOLDERS:
        total, reasons, count = Counter[str](), Counter[str](), 0
        for one in accounts(asked.data, [folder], asked.test_messages):
            name = str(one.path.relative_to(asked.data))[-79:]
            said = f"  not read: {one.unread}" if one.unread else f"  {' '.join(one.remarks)}"
            print(f"{name:80}{_line(one.counts) if one.counts['rows_in'] else said}")
            total.update(one.counts)
            reasons.update(one.reasons)
            count += 1
        print(f"{f'{folder}: {count} files':80}{_line(total)}")
        for reason, times in reasons.most_common(asked.reasons):
            print(f"{times:>9} refused: {reason}")
        print()


def _line(counts: Counter[str]) -> str:
    return "".join(f"{counts[name]:>11,}" for name in OUTCOMES)


if __name__ == "__main__":
    main()
