"""Column types and naming once, for every table.

SQLite tables are STRICT, so every type compiles to TEXT or INTEGER there; decimals are stored as the text they were
reported with, instants as UTC text. PostgreSQL gets NUMERIC without a precision and TIMESTAMP WITH TIME ZONE.
"""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any

from sqlalchemy import JSON, BigInteger, Boolean, Date, DateTime, ForeignKey, MetaData, Numeric, Text, TypeDecorator
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


class UtcDateTime(TypeDecorator[datetime]):
    """An instant. Naive times are refused: SQLite would drop an offset without a word."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs its zone")
        value = value.astimezone(UTC)
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return datetime.fromisoformat(value) if isinstance(value, str) else value.astimezone(UTC)


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

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return Decimal(value) if isinstance(value, str) else value


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


Key = Annotated[int, mapped_column(BigInteger(), primary_key=True, autoincrement=True)]
ClinicId = Annotated[int, mapped_column(ForeignKey("clinic.id"), index=True)]
PatientId = Annotated[int, mapped_column(ForeignKey("patient.id"), index=True)]
UserId = Annotated[int, mapped_column(ForeignKey("account.id"))]
STRICT = {"sqlite_strict": True}
