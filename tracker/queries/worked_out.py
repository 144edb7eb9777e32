"""What can be worked out from one stored sample, for the page that shows it."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain import history
from tracker.domain.computed import weight_for
from tracker.domain.sample import Body, Figure, figures
from tracker.library.lipid_factors import martin_hopkins_factors
from tracker.models import Observation, Patient
from tracker.queries.panel import Judged, person_of


def of_sample(session: Session, patient: Patient, rows: Sequence[Judged]) -> tuple[Figure, ...]:
    """The figures of a sample; nothing where it holds no plain number."""
    plain = [row for row in rows if row.result.value is not None and not row.result.comparator and row.result.analyte]
    if not plain:
        return ()
    values = {row.result.analyte: row.result.value for row in plain if row.result.value is not None}
    multiples = {
        row.result.analyte: row.result.figure / row.limits.high
        for row in plain
        if row.result.figure is not None and row.limits is not None and row.limits.high
    }
    on = plain[0].result.collected_on
    body = Body(patient.sex, person_of(patient).age_on(on), _weight(session, patient.id, on))
    return figures(values, multiples, body, martin_hopkins_factors())


def _weight(session: Session, patient_id: int, on: date) -> Decimal | None:
    o = Observation
    seen = session.scalars(
        select(o).where(o.patient_id == patient_id, o.kind == "weight_kg", o.voided_at.is_(None)).order_by(o.on, o.id)
    )
    weights = [history.Observation(each.id, each.on, each.kind, each.value, each.figure) for each in seen]
    found = weight_for([weight for weight in weights if weight.figure], on)
    return found.figure if found else None
