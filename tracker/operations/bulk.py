"""Many rows into one table at once."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Table, insert
from sqlalchemy.orm import Session


def insert_rows(session: Session, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all have the same columns, and nothing left to a default.

    Where the driver takes its values by place (SQLite) they are prepared a column at a time: what SQLAlchemy does for
    each value of each row costs as much as the insert itself.
    """
    connection = session.connection()
    dialect = connection.dialect
    compiled: Any = insert(table).compile(dialect=dialect, column_keys=list(rows[0]))
    if not compiled.positiontup:
        session.execute(insert(table), list(rows))
        return
    columns = []
    for name in compiled.positiontup:
        values = [row[name] for row in rows]
        bind = table.c[name].type.dialect_impl(dialect).bind_processor(dialect)
        columns.append(values if bind is None else _bound(values, bind))
    connection.exec_driver_sql(str(compiled), list(zip(*columns, strict=True)))


def _bound(values: list[Any], bind: Callable[[Any], Any]) -> list[Any]:
    """The values as the driver takes them. Rows share most of their instants and figures: each is prepared once."""
    bound = {key: bind(value) for key, value in {id(value): value for value in values}.items()}
    return [bound[id(value)] for value in values]
