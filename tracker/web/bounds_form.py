"""A form for bounds of an analyte: in words or in boxes, and what was understood of them."""

from typing import Any

from wtforms import SelectField, ValidationError
from wtforms.validators import DataRequired, InputRequired, Optional

from tracker.domain.errors import Refused
from tracker.domain.phrases import LONGEST, Phrase, read
from tracker.domain.units import normal_unit
from tracker.library.analytes import ANALYTES
from tracker.web.fields import ChoiceField, FigureField, TextField
from tracker.web.forms import Form

MEASURED = {code: analyte for code, analyte in ANALYTES.items() if analyte.units}
UNITS = sorted({unit for analyte in MEASURED.values() for unit in analyte.units})
BOUNDS = ("low_op", "low", "high_op", "high")


class BoundsForm(Form):
    analyte = ChoiceField(
        "Analyte",
        [InputRequired("Which analyte?")],
        choices=[(code, f"{analyte.name} ({code})") for code, analyte in MEASURED.items()],
    )
    unit = TextField("Unit", [DataRequired("In which unit?")], longest=40, render_kw={"list": "units"})
    phrase = TextField("In words", [Optional()], longest=LONGEST)
    low_op = SelectField("Lower bound is", choices=[(">=", "≥ at least"), (">", "> more than")], default=">=")
    low = FigureField("Lower bound", [Optional()])
    high_op = SelectField("Upper bound is", choices=[("<=", "≤ at most"), ("<", "< less than")], default="<=")
    high = FigureField("Upper bound", [Optional()])

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
            raise ValidationError("A bound here is a figure: it cannot be a multiple of the upper limit.")
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

    def bounds(self) -> dict[str, Any]:
        """The four boxes, as the words have them where there are any."""
        boxes, phrase = {name: self[name].data for name in BOUNDS}, self.said()
        return _bounds(phrase, boxes) if phrase else boxes


def _bounds(phrase: Phrase, boxes: dict[str, Any]) -> dict[str, Any]:
    """The bounds of a phrase as the boxes have them; an open side keeps the operator that stands there."""
    low, high = phrase.low, phrase.high
    return {
        "low_op": boxes["low_op"] if low is None else ">=" if low.inclusive else ">",
        "low": None if low is None else low.figure,
        "high_op": boxes["high_op"] if high is None else "<=" if high.inclusive else "<",
        "high": None if high is None else high.figure,
    }
