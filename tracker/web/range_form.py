"""The form for a range: whom it is for, its bounds, and what is told of it while it is written."""

from typing import Any

from wtforms import RadioField
from wtforms.validators import DataRequired, InputRequired, Optional

from tracker.domain.errors import Refused
from tracker.domain.readings import RangeReading
from tracker.models import ReferenceRange
from tracker.operations.configure import range_row
from tracker.queries.range_check import Understood, understood
from tracker.web.access import current_clinic
from tracker.web.amending import FEW_WORDS
from tracker.web.bounds_form import BoundsForm
from tracker.web.clock import today
from tracker.web.database import reading
from tracker.web.drafting import mistakes
from tracker.web.fields import DayField, LongTextField, TextField, WholeField
from tracker.web.filters import zone

SEXES = {"": "Everybody", "female": "Women", "male": "Men"}


class RangeForm(BoundsForm):
    laboratory = TextField("Laboratory", [Optional()])
    sex = RadioField("For", choices=list(SEXES.items()), default="")
    age_from = WholeField("From age", [Optional()])
    age_to = WholeField("Below age", [Optional()])
    effective_from = DayField("In force from", [InputRequired("From which day of sampling on?")])
    source = TextField("Source", [DataRequired("Where does the range come from?")], longest=300)
    reason = LongTextField("Why it changes", FEW_WORDS, longest=500)

    def as_reading(self) -> RangeReading:
        """What the form says. Ages are completed years, “below” is exclusive."""
        given = {name: value for name, value in self.data.items() if name in RangeReading._fields}
        words = {name: given[name] or "" for name in ("laboratory", "sex", "source")}
        return RangeReading(**given | words | self.bounds())


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
    wrong = mistakes(form)
    if wrong:
        return None, wrong
    on = today(zone())
    day: Any = form.effective_from.data or on
    try:
        row = range_row(current_clinic().id, form.as_reading()._replace(effective_from=day))
    except Refused as error:
        return None, [str(error)]
    found = understood(reading(), row, on)
    return found, list(found.sense.refusals)
