"""Every revision of the schema down and up with records in it (R23), and one that is killed after any statement.

What is compared are the rows of the columns that both sides know.
"""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from alembic.script import ScriptDirectory
from sqlalchemy import Engine, MetaData, event, select, text

from tests.people import seed
from tests.trust.databases import KINDS, empty
from tests.trust.lines import Line
from tracker.db import MIGRATIONS, Database, current_revision, make_engine, migrate, upgrade

Content = dict[str, dict[str, list[str]]]


@dataclass
class Steps:
    """How many steps were made and how many processes killed, and what was another afterwards."""

    steps: int = 0
    kills: int = 0
    wrong: list[str] = field(default_factory=list)


def revisions() -> list[str]:
    """Oldest first."""
    return [found.revision for found in ScriptDirectory(str(MIGRATIONS)).walk_revisions()][::-1]


def content(url: str) -> tuple[Content, list[str]]:
    """Of each table the values of each column, in an order of their own; and links that lead nowhere."""
    engine, known = make_engine(url), MetaData()
    with engine.connect() as connection:
        known.reflect(connection)
        found = {
            table.name: {column.name: sorted(map(str, connection.scalars(select(column)))) for column in table.columns}
            for table in known.sorted_tables
            if table.name != "alembic_version"
        }
        broken = connection.execute(text("PRAGMA foreign_key_check")).all() if "sqlite" in url else []
    engine.dispose()
    return found, [str(tuple(row)) for row in broken]


def differs(before: Content, after: Content) -> Iterator[str]:
    for table in before.keys() & after.keys():
        for column in before[table].keys() & after[table].keys():
            if before[table][column] != after[table][column]:
                yield f"{table}.{column}"


def filled(url: str) -> None:
    upgrade(url)
    database = Database(url)
    seed(database)
    database.close()


def down_and_up(url: str, steps: Steps) -> None:
    """From the newest to the oldest revision and back."""
    names = revisions()
    for name in [*names[-2::-1], *names[1:]]:
        before, _ = content(url)
        migrate(url, name)
        after, broken = content(url)
        steps.steps += 1
        steps.wrong += [f"to {name}: {what} is another" for what in differs(before, after)]
        steps.wrong += [f"to {name}: {what} leads nowhere" for what in broken]


def killed(url: str, steps: Steps, every: int) -> None:
    """The last revision, killed after its n-th statement; then it stands at one of the two, whole, and goes on."""
    old, new = revisions()[-2:]
    migrate(url, old)
    before, _ = content(url)
    after_statement = 1
    while _ends_by_a_kill(url, new, after_statement):
        steps.kills += 1
        engine = make_engine(url)
        stands = current_revision(engine)
        engine.dispose()
        found, broken = content(url)
        if stands not in (old, new) or broken or (stands == old and found != before):
            steps.wrong.append(f"killed after statement {after_statement}: at {stands}, {list(differs(before, found))}")
        if stands == new:
            migrate(url, old)
        after_statement += every
    steps.wrong += [f"after the kills: {what} is another" for what in differs(before, content(url)[0])]


def _ends_by_a_kill(url: str, revision: str, statement: int) -> bool:
    child = os.fork()
    if child == 0:
        counted = [0]

        def count(*_: Any) -> None:
            counted[0] += 1
            if counted[0] >= statement:
                os.kill(os.getpid(), signal.SIGKILL)

        event.listen(Engine, "after_cursor_execute", count)
        migrate(url, revision)
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def on(kind: str, every: int) -> Steps:
    steps = Steps()
    with empty(kind) as url:
        filled(url)
        down_and_up(url, steps)
    with empty(kind) as url:
        filled(url)
        killed(url, steps, every)
    return steps


def check(full: bool) -> Iterator[Line]:
    for kind in KINDS:
        found = on(kind, 1 if full else 5)
        figure = (
            f"{found.steps} steps with records, {found.kills} killed midway: {len(found.wrong)} left another database"
        )
        yield Line("R23", f"migrations on {kind}", figure, "0", not found.wrong, "; ".join(found.wrong[:3]))
