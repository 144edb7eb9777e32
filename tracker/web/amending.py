"""What pages that write have in common: the reason for taking something out, what is told, and who saved first."""

from collections.abc import Sequence
from typing import Any

from flask import flash
from sqlalchemy import select
from sqlalchemy.orm import Session
from wtforms import Field
from wtforms.form import BaseForm
from wtforms.validators import InputRequired, Length, StopValidation

from tracker.models import Patient
from tracker.operations.evaluate import Changes
from tracker.queries.trail import Entry, of_records
from tracker.web.database import reading
from tracker.web.fields import LongTextField
from tracker.web.forms import Form
from tracker.web.wording import said

MOST = 4  # sentences of a kind; the rest is counted
FEW_WORDS = (InputRequired("Say in a few words why."), Length(min=5, message="Say in a few words why."))


class NeededWith:
    """Validator, before Optional: needed where another field is filled in."""

    def __init__(self, other: str, message: str) -> None:
        self.other, self.message = other, message

    def __call__(self, form: BaseForm, field: Field) -> None:
        empty = field.data is None and not any(field.raw_data or ())
        if empty and form[self.other].data:
            raise StopValidation(self.message)  # Optional would clear it


class VoidForm(Form):
    reason = LongTextField("Why it is taken out", FEW_WORDS, longest=500)


def tell(saved: str, changes: Changes | None = None, several: bool = False) -> None:
    """Flash what was saved and each flag that opened, changed or cleared with it. To be called once it is stored.

    Where what was saved is about `several` patients, each sentence begins with whose flag it is.
    """
    flash(saved)
    if changes is None:
        return
    told = [("New flag", changes.opened), ("Changed flag", changes.changed), ("Cleared flag", changes.cleared)]
    whose = _people([key for _, found in told for key, _ in found[:MOST]]) if several else {}
    for words, found in told:
        for key, sentence in found[:MOST]:
            flash(f"{words}: {whose.get(key, '')}{said(sentence).rstrip('.')}.")
        if len(found) > MOST:
            flash(f"{words}: and {len(found) - MOST} more.")
    if not any(found for _, found in told):
        flash("No flag changed.")


def _people(keys: Sequence[int]) -> dict[int, str]:
    """`Berg, Kim, B-1: ` of each of these patients."""
    found = reading().scalars(select(Patient).where(Patient.id.in_(set(keys))))
    return {patient.id: f"{patient.full_name}, {patient.mrn}: " for patient in found}


def clash(session: Session, patient_id: int, row: Any) -> list[Entry]:
    """The last change of a row, for the page of whoever saved second."""
    return of_records(session, patient_id, [(row.__tablename__, row.id)], size=1)
