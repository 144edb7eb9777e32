"""Rows nobody could be found for are put into the tray here; the same row lies there once, however often it comes."""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from tracker.domain.readings import Row, pack_row
from tracker.models import HeldRow
from tracker.operations.standing import UNDONE


class Stray(NamedTuple):
    """A row whose patient is not here, the kind it is of, and the record number it names."""

    row: Row
    kind: str
    mrn: str


def hold(session: Session, clinic_id: int, batch_id: int, strays: Sequence[Stray]) -> None:
    """Put rows of a batch into a clinic's tray; one that an undone import had put there comes in once more."""
    new: dict[str, dict[str, Any]] = {}
    for stray in strays:
        content = json.dumps(pack_row(stray.row), ensure_ascii=False)
        digest = sha256(f"{stray.kind}\n{content}".encode()).hexdigest()
        new.setdefault(digest, {
            "clinic_id": clinic_id, "batch_id": batch_id, "mrn": stray.mrn, "kind": stray.kind,
            "row": stray.row.number, "content": content, "digest": digest,
        })  # fmt: skip
    same = select(HeldRow).where(HeldRow.clinic_id == clinic_id, HeldRow.digest.in_(new))
    for held in session.scalars(same).all():
        told = new.pop(held.digest)
        if held.settled_reason.startswith(UNDONE):
            _again(held, told)
    if new:
        session.execute(insert(HeldRow), list(new.values()))


def _again(held: HeldRow, told: Mapping[str, Any]) -> None:
    held.state, held.settled_at, held.settled_reason = "waiting", None, ""
    held.batch_id, held.row, held.owner_id, held.owned_since = told["batch_id"], told["row"], None, None
