"""Column types and naming once, for every table.

SQLite tables are STRICT, so every type compiles to TEXT or INTEGER there; decimals are stored as the text they were
reported with, instants as UTC text. PostgreSQL gets NUMERIC without a precision and TIMESTAMP WITH TIME ZONE.
"""

from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, cast

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Date,
    DateTime,
    ForeignKey,
    MetaData,
    Numeric,
    Table,
    Text,
    TypeDecorator,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, mapped_column

NAMES = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


@compiles(BigInteger, "sqlite")
@compiles(Boolean, "sqlite")
def _integer(element: Any, compiler: Any, **kw: Any) -> str:
    return "INTEGER"


@compiles(Date, "sqlite")
@compiles(JSON, "sqlite")
def _text(element: Any, compiler: Any, **kw: Any) -> str:
    return "TEXT"


# Histories read millions of these, and the same few again and again: a panel has one time, a value recurs.
@lru_cache(maxsize=65536)
def _instant(stored: str | None) -> datetime | None:
    return None if stored is None else datetime.fromisoformat(stored)


def _aware(value: datetime | None) -> datetime | None:
    if value is not None and value.tzinfo is None:
        raise ValueError("an instant needs its zone")
    return value


@lru_cache(maxsize=4096)
def _instant_text(value: datetime | None) -> str | None:
    aware = _aware(value)
    return None if aware is None else aware.astimezone(UTC).isoformat(timespec="microseconds")


def _in_utc(stored: datetime | None) -> datetime | None:
    return None if stored is None else stored.astimezone(UTC)


@lru_cache(maxsize=65536)
def _decimal(stored: str | None) -> Decimal | None:
    return None if stored is None else Decimal(stored)


class UtcDateTime(TypeDecorator[datetime]):
    """An instant. Naive times are refused: SQLite would drop an offset without a word."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else DateTime(timezone=True))

    def bind_processor(self, dialect: Dialect) -> Any:
        return _instant_text if dialect.name == "sqlite" else _aware

    def result_processor(self, dialect: Dialect, coltype: Any) -> Any:
        return _instant if dialect.name == "sqlite" else _in_utc


class ExactDecimal(TypeDecorator[Decimal]):
    """A decimal with the digits it came with. NaN and infinities are refused."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else Numeric())

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if not value.is_finite():
            raise ValueError("a stored number is finite")
        return format(value, "f") if dialect.name == "sqlite" else value

    def result_processor(self, dialect: Dialect, coltype: Any) -> Any:
        return _decimal if dialect.name == "sqlite" else None


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {  # noqa: RUF012 - the name and shape SQLAlchemy reads
        str: Text(),
        int: BigInteger(),
        bool: Boolean(),
        date: Date(),
        datetime: UtcDateTime(),
        Decimal: ExactDecimal(),
        dict[str, Any]: JSON(),
        list[Any]: JSON(),
    }


def table_of(model: type[Base]) -> Table:
    """The Core table of a model, for statements over many rows."""
    return cast(Table, model.__table__)


Key = Annotated[int, mapped_column(BigInteger(), primary_key=True, autoincrement=True)]
ClinicId = Annotated[int, mapped_column(ForeignKey("clinic.id"), index=True)]
PatientId = Annotated[int, mapped_column(ForeignKey("patient.id"), index=True)]
UserId = Annotated[int, mapped_column(ForeignKey("account.id"))]
STRICT = {"sqlite_strict": True}
