"""Form fields that read what people write the way the record needs it. The rest is WTForms' own.

Every field keeps what was typed, right or wrong, so that a page that comes back shows it.
"""

import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from wtforms import Field, HiddenField, SelectField, StringField, TextAreaField
from wtforms.validators import Length, ValidationError
from wtforms.widgets import DateInput

from tracker.domain.dates import Span, worded_span
from tracker.domain.errors import Refused, Stale
from tracker.domain.phrases import Bound, read_bound
from tracker.domain.values import plain, read_number
from tracker.web.filters import day

_ISO = re.compile(r"^(\d{4})-(\d{1,2})-(\d{1,2})$")
_WORDED = re.compile(r"^(\d{1,2})\.? ([A-Za-z]{3,9})\.? (\d{4})$")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]")


def read_day(text: str) -> date:
    """`2026-03-01` or `1 Mar 2026`. Raises Refused for the rest: 01/03/2026 is two days, so it is none."""
    stripped = " ".join(text.split())
    iso, worded = _ISO.match(stripped), _WORDED.match(stripped)
    try:
        if iso:
            return date(int(iso[1]), int(iso[2]), int(iso[3]))
        if worded and worded[2][:3].lower() in _MONTHS:
            return date(int(worded[3]), _MONTHS.index(worded[2][:3].lower()) + 1, int(worded[1]))
    except ValueError:
        raise Refused(f"There is no day {stripped}.") from None
    raise Refused("Write the date as 2026-03-01 or 1 Mar 2026.")


def _clean(text: str) -> str:
    """Without spaces around it. Raises ValidationError for characters that would be stored and never be seen."""
    if _CONTROL.search(text):
        raise ValidationError("There is an invisible control character in it: type it instead of pasting it.")
    return text.strip()


class TextField(StringField):
    """One line of at most `longest` characters, without spaces around it. `data` is "" where nothing was typed."""

    def __init__(self, label: str = "", validators: Sequence[Any] = (), longest: int = 200, **kwargs: Any) -> None:
        at_most = Length(max=longest, message=f"At most {longest} characters fit here.")
        super().__init__(label, [at_most, *validators], **kwargs)

    def process_formdata(self, valuelist: list[Any]) -> None:
        if valuelist:
            self.data = valuelist[0]
            self.data = _clean(valuelist[0])


class LongTextField(TextAreaField):
    """Several lines of at most `longest` characters."""

    def __init__(self, label: str = "", validators: Sequence[Any] = (), longest: int = 4000, **kwargs: Any) -> None:
        at_most = Length(max=longest, message=f"At most {longest} characters fit here.")
        super().__init__(label, [at_most, *validators], **kwargs)

    def process_formdata(self, valuelist: list[Any]) -> None:
        if valuelist:
            self.data = valuelist[0]
            self.data = _clean(valuelist[0].replace("\r\n", "\n"))


class _TypedField(StringField):
    """A field whose `data` is something else than the text that was typed; None where nothing was."""

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return "" if self.data is None else self.written(self.data)

    def written(self, value: Any) -> str:
        return str(value)

    def read(self, text: str) -> Any:
        raise NotImplementedError

    def process_formdata(self, valuelist: list[Any]) -> None:
        text = valuelist[0].strip() if valuelist else ""
        self.data = None
        if text:
            try:
                self.data = self.read(text)
            except Refused as error:
                raise ValidationError(str(error)) from None


class DayField(_TypedField):
    """A calendar day; `data` is a date."""

    widget = DateInput()

    def written(self, value: Any) -> str:
        return str(value.isoformat())

    def read(self, text: str) -> date:
        return read_day(text)


class FigureField(_TypedField):
    """An exact number, `5.3` or `5,3`; `data` is a Decimal. Bounds such as `<5` are refused: a dose is not one."""

    def written(self, value: Any) -> str:
        return plain(value)

    def read(self, text: str) -> Decimal:
        number = read_number(text)
        if number is None or number.comparator:
            raise Refused(f"“{text}” is not a number. Write it like 5.3")
        return number.figure


class BoundField(_TypedField):
    """A figure, `1.5` or `3 x ULN`, with or without its operator; `data` is the pair (operator or "", Bound)."""

    def written(self, value: tuple[str, Bound]) -> str:
        op, bound = value
        return f"{op} {bound.words}".strip()

    def read(self, text: str) -> tuple[str, Bound]:
        return read_bound(text)


class WholeField(_TypedField):
    """A whole number of at most six digits; `data` is an int."""

    def read(self, text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,6}", text):
            raise Refused(f"“{text}” is not a whole number.")
        return int(text)


class SpanField(_TypedField):
    """A length of time, `4 weeks` or `3 months`; `data` is a Span."""

    def read(self, text: str) -> Span:
        found = worded_span(text)
        if found is None:
            raise Refused("Write it like 10 days, 4 weeks or 3 months.")
        return found


class ChoiceField(SelectField):
    """One of `choices` (value, words); starts with nothing chosen, which is "" and fails InputRequired."""

    def __init__(
        self, label: str = "", validators: Sequence[Any] = (), choices: Sequence[tuple[str, str]] = (), **kwargs: Any
    ) -> None:
        super().__init__(label, list(validators), choices=[("", "Choose…"), *choices], **kwargs)


FASTING = {"": None, "yes": True, "no": False}


class FastingField(SelectField):
    """Whether a sample was taken fasting. `said`: the answer, None where none was given."""

    def __init__(self, label: str = "Fasting", **kwargs: Any) -> None:
        choices = [(value, value or "not said") for value in FASTING]
        super().__init__(label, choices=choices, default="", **kwargs)

    @property
    def said(self) -> bool | None:
        return FASTING.get(self.data or "")

    @staticmethod
    def written(fasting: bool | None) -> str:
        """An answer as the field holds it."""
        return next(value for value, answer in FASTING.items() if answer is fasting)


class VersionField(HiddenField):
    """The version of the row that the form showed. `check(row)` refuses to write over a newer one."""

    def check(self, row: Any) -> None:
        """Raise Stale where somebody saved since the form was shown."""
        if str(self.data) != str(row.version):
            raise Stale("Somebody else changed this record after you opened it.")


class NotBefore:
    """Validator: the day is not before `earliest`."""

    def __init__(self, earliest: date, what: str) -> None:
        self.earliest, self.what = earliest, what

    def __call__(self, _form: Any, field: Field) -> None:
        if field.data is not None and field.data < self.earliest:
            raise ValidationError(f"This is before {self.what} ({day(self.earliest)}).")


class NotAfter:
    """Validator: the day is not after `latest`."""

    def __init__(self, latest: date, what: str) -> None:
        self.latest, self.what = latest, what

    def __call__(self, _form: Any, field: Field) -> None:
        if field.data is not None and field.data > self.latest:
            raise ValidationError(f"This is after {self.what} ({day(self.latest)}).")
