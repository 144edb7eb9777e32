"""Markup and formulas in every column that holds words: put there past the forms, and looked for in every output."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, String, Table, Text, update
from sqlalchemy.exc import IntegrityError

from tests.tampering import past_the_triggers
from tests.trust.crawl import World
from tracker.models import Base

MARK = "jw-pwn"
# Each would be an element, a handler or an address of ours to a page that forgets one kind of escaping.
POLYGLOTS: tuple[str, ...] = (
    f"<{MARK}>", f"\"><{MARK} x='", f"'><{MARK} x=\"", f"</textarea></title></script><{MARK}>",
    f"\" onfocus={MARK} autofocus x=\"", f"' onmouseover='{MARK}' x='", f"javascript:{MARK}//", f"--><{MARK}><!--",
    f"]]><{MARK}>", f"&lt;{MARK}&gt;<{MARK}>", f"%3C{MARK}%3E<{MARK}>", f"<svg/onload={MARK}>",
    f"<img src=x onerror={MARK}>", f"{{{{7*7}}}}<{MARK}>", f"${{7*7}}<{MARK}>", f"{{%% print(49) %%}}<{MARK}>",
    f"<math><mi//xlink:href=\"data:x,<{MARK}>\">", f"<a href='data:text/html,<{MARK}>'>", f"<{MARK}\x0bonclick=1>",
    f"\u2028<{MARK}>\u2029", f"<scr<{MARK}>ipt>", f"<style>@import '{MARK}'", f"<base href=//{MARK}/>",
    f"<form action=//{MARK}/>", f"<iframe srcdoc='<{MARK}>'>", f"<meta http-equiv=refresh content=0;//{MARK}>",
    f"\\x3c{MARK}\\x3e<{MARK}>", f"jaVasCript:/*-/*`/*\\`/*'/*\"/**/(/* */onerror={MARK} )//<{MARK}>",
)  # fmt: skip
FORMULAS = ("=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1+1", "\r=1+1")

# Columns that only the program writes: words of ours, digests, codes that are looked up before they are stored.
CODES = {
    "account": {"username", "role", "password_hash", "totp_secret"},
    "clinic": {"code", "time_zone"},
    "browser_session": {"token_digest"},
    "clinic_setting": {"kind", "scope", "state"},
    "draft": {"form"},
    "import_batch": {"sha256", "format", "origin"},
    "passkey": {"credential", "public_key", "handle"},
    "patient": {"sex", "judged_digest"},
    "recovery_code": {"digest"},
    "reference_range": {"analyte", "sex", "unit", "state"},
    "access_note": {"what"},
    "adverse_event": {"kind", "criteria", "source_key"},
    "audit_entry": {"action", "record", "previous", "digest", "sealed_with", "origin", "request_id", "role"},
    "course": {"protocol_id", "licensing"},
    "flag": {"fingerprint", "rule", "subject", "entry", "severity", "grading", "machine", "confirmation", "suggested",
             "folded_under", "yardstick", "rules_digest", "content", "review", "reviewed_severity"},
    "held_row": {"kind", "content", "digest", "state"},
    "lab_result": {"analyte", "subject", "comparator", "unit", "text", "status", "origin"},
    "medication": {"interaction"},
    "observation": {"kind"},
    "course_event": {"kind"},
    "import_run": {"digest", "state", "worker"},
    "job": {"kind", "state", "worker"},
    "patient_target": {"analyte", "unit", "severity"},
    "review": {"action", "from_state", "to_state", "standing"},
}  # fmt: skip
UNIQUE = {("patient", "mrn"), ("adverse_event", "source_key")}


@dataclass(frozen=True)
class Column:
    table: Table
    name: str

    @property
    def canary(self) -> str:
        """What finds the column's text again, whatever becomes of the markup in it."""
        return f"{self.table.name}.{self.name}~"


def columns() -> list[Column]:
    """Every column that holds words of people or of files."""
    return [
        Column(table, column.name)
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, String | Text) and column.name not in CODES.get(table.name, ())
    ]


def fill(world: World, payload: str) -> None:
    """Put the payload into all of them, in every row. A column that takes none but words of ours keeps those."""
    for column in columns():
        with suppress(IntegrityError), past_the_triggers(world.database, column.table.name) as connection:
            _fill(connection, column, payload)


def _fill(connection: Connection, column: Column, payload: str) -> None:
    told: dict[str, Any] = {column.name: f"{payload}{column.canary}"}
    if (column.table.name, column.name) not in UNIQUE:
        connection.execute(update(column.table).values(told))
        return
    for (key,) in connection.execute(column.table.select().with_only_columns(column.table.c.id)).all():
        connection.execute(
            update(column.table).where(column.table.c.id == key).values({column.name: f"{payload}{column.canary}{key}"})
        )
