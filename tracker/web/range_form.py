"""The form for a range: bounds in boxes or in words, and what was understood of them, told while they are written."""

from typing import Any

from wtforms import RadioField, SelectField, ValidationError
from wtforms.validators import DataRequired, InputRequired, Optional

from tracker.domain.errors import Refused
from tracker.domain.phrases import LONGEST, Phrase, read
from tracker.domain.readings import RangeReading
from tracker.domain.units import normal_unit
from tracker.library.analytes import ANALYTES
from tracker.models import ReferenceRange
from tracker.operations.configure import range_row
from tracker.queries.range_check import Understood, understood
from tracker.web.access import current_clinic
from tracker.web.amending import FEW_WORDS
from tracker.web.clock import today
from tracker.web.database import reading
from tracker.web.fields import ChoiceField, DayField, FigureField, LongTextField, TextField, WholeField
from tracker.web.filters import zone
from tracker.web.forms import Form

MEASURED = {code: analyte for code, analyte in ANALYTES.items() if analyte.units}
SEXES = {"": "Everybody", "female": "Women", "male": "Men"}
BOUNDS = ("low_op", "low", "high_op", "high")
ASKED = ("analyte", "unit", "age_from", "age_to", "phrase", "low", "high")  # what the check while writing is about


class RangeForm(Form):
    analyte = ChoiceField(
        "Analyte",
        [InputRequired("Which analyte?")],
        choices=[(code, f"{analyte.name} ({code})") for code, analyte in MEASURED.items()],
    )
    unit = TextField("Unit", [DataRequired("In which unit?")], longest=40, render_kw={"list": "units"})
    laboratory = TextField("Laboratory", [Optional()])
    sex = RadioField("For", choices=list(SEXES.items()), default="")
    age_from = WholeField("From age", [Optional()])
    age_to = WholeField("Below age", [Optional()])
    phrase = TextField("Range in words", [Optional()], longest=LONGEST)
    low_op = SelectField("Lower bound is", choices=[(">=", "≥ at least"), (">", "> more than")], default=">=")
    low = FigureField("Lower bound", [Optional()])
    high_op = SelectField("Upper bound is", choices=[("<=", "≤ at most"), ("<", "< less than")], default="<=")
    high = FigureField("Upper bound", [Optional()])
    effective_from = DayField("In force from", [InputRequired("From which day of sampling on?")])
    source = TextField("Source", [DataRequired("Where does the range come from?")], longest=300)
    reason = LongTextField("Why it changes", FEW_WORDS, longest=500)

    def validate(self, extra_validators: Any = None) -> bool:
        """The unit may stand behind the words."""
        phrase = self.said()
        if phrase is not None and phrase.unit and not self.unit.data:
            self.unit.data = phrase.unit
        return bool(super().validate(extra_validators))

    def validate_phrase(self, field: TextField) -> None:
        try:
            phrase = read(field.data or "")
        except Refused as error:
            raise ValidationError(str(error)) from None
        if phrase.times_uln:
            raise ValidationError("A range says what the upper limit is: it cannot be a multiple of its own.")
        if phrase.unit and self.unit.data and normal_unit(phrase.unit) != normal_unit(self.unit.data):
            raise ValidationError(f"The words say {phrase.unit} and the unit is {self.unit.data}: make them the same.")
        boxes = {name: self[name].data for name in BOUNDS}
        if (boxes["low"], boxes["high"]) != (None, None) and _bounds(phrase, boxes) != boxes:
            raise ValidationError("The words and the boxes say two different ranges: leave one of the two empty.")

    def said(self) -> Phrase | None:
        """What the words say; None where there are none, or none that are understood."""
        try:
            return read(self.phrase.data) if self.phrase.data else None
        except Refused:
            return None

    def as_reading(self) -> RangeReading:
        """What the form says. Ages are completed years, “below” is exclusive."""
        given = {name: value for name, value in self.data.items() if name in RangeReading._fields}
        words = {name: given[name] or "" for name in ("laboratory", "sex", "source")}
        phrase = self.said()
        return RangeReading(**given | words | (_bounds(phrase, given) if phrase else {}))


def _bounds(phrase: Phrase, boxes: dict[str, Any]) -> dict[str, Any]:
    """The bounds of a phrase as the boxes have them; an open side keeps the operator that stands there."""
    low, high = phrase.low, phrase.high
    return {
        "low_op": boxes["low_op"] if low is None else ">=" if low.inclusive else ">",
        "low": None if low is None else low.figure,
        "high_op": boxes["high_op"] if high is None else "<=" if high.inclusive else "<",
        "high": None if high is None else high.figure,
    }


def form_of(row: ReferenceRange) -> RangeForm:
    """The form with what a version says, for another one."""
    form = RangeForm(None, obj=row)
    form.low_op.data = ">=" if row.low_inclusive else ">"
    form.high_op.data = "<=" if row.high_inclusive else "<"
    form.effective_from.data = None
    form.reason.data = ""
    return form


def check(form: RangeForm) -> tuple[Understood | None, list[str]]:
    """What is understood of a form that is still being filled in, or what stands against it. Stores nothing."""
    form.validate()
    wrong = [str(message) for name in ASKED for message in form[name].errors]
    form.effective_from.errors = form.source.errors = form.reason.errors = []
    if wrong:
        return None, wrong
    on = today(zone())
    day: Any = form.effective_from.data or on
    told = form.as_reading()
    try:
        row = range_row(current_clinic().id, told._replace(effective_from=day))
    except Refused as error:
        return None, [str(error)]
    found = understood(reading(), row, on)
    return found, list(found.sense.refusals)
