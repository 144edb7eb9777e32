"""Who may do what. The one place that decides: `ENDPOINTS` says who may call a page at all, the getters at the end say
whose records they may be. A page that is not in the table does not exist for anybody, and a test fails for it.

The getters answer NotFound both for what is not there and for what is another clinic's: the two are not told apart.
"""

import logging
from collections.abc import Mapping
from typing import Any, TypeVar

from flask import Response, current_app, g, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from tracker.domain.errors import NotAllowed, NotFound
from tracker.models import (
    AdverseEvent,
    Attachment,
    ClinicSetting,
    CodeMapping,
    Course,
    EmergencyAccess,
    Flag,
    HeldRow,
    ImportBatch,
    Job,
    LabResult,
    Medication,
    Observation,
    Patient,
    ReferenceRange,
    TableMapping,
)
from tracker.operations.actor import Actor
from tracker.web.clock import now
from tracker.web.database import see_mine
from tracker.web.sessions import User, Workplace

log = logging.getLogger("tracker.security")

ANONYMOUS, RECORDER, CLINICIAN, ADMIN, AUDITOR = "anonymous", "recorder", "clinician", "admin", "auditor"

ANYBODY = frozenset({ANONYMOUS, RECORDER, CLINICIAN, ADMIN, AUDITOR})
STAFF = frozenset({RECORDER, CLINICIAN, ADMIN, AUDITOR})  # everybody who signed in: reading what the clinic holds
RECORDERS = frozenset({RECORDER, CLINICIAN})  # write what was measured, given and observed
DECIDERS = frozenset({CLINICIAN})  # decide about flags and treatment
MAPPERS = frozenset({CLINICIAN, ADMIN})  # say what a laboratory's tests are
ADMINS = frozenset({ADMIN})  # people, ranges, configuration
INSPECTORS = frozenset({ADMIN, AUDITOR})  # the audit trail, the alerts of emergencies
OVERSEERS = frozenset({CLINICIAN, ADMIN, AUDITOR})  # who looked at a patient

# One line a page, grouped by screen. tests/web/matrix.yaml says the same once more, and every cell of it is tried.
ENDPOINTS: Mapping[str, frozenset[str]] = {
    "static": ANYBODY,
    "health.healthz": ANYBODY,
    "metrics.show": ANYBODY,  # of this machine, or with the token: it looks itself
    "sign_in.form": ANYBODY,
    "sign_in.enter": ANYBODY,
    "sign_in.code": ANYBODY,
    "sign_in.prove": ANYBODY,
    "sign_in.ask_passkey": ANYBODY,
    "sign_in.passkey": ANYBODY,
    "sign_in.show_passkey": ANYBODY,
    "sign_in.leave": STAFF,
    "account.show": STAFF,
    "account.change_password": STAFF,
    "account.end_session": STAFF,
    "account.end_others": STAFF,
    "second_factor.show": STAFF,
    "second_factor.begin": STAFF,
    "second_factor.confirm": STAFF,
    "second_factor.remove": STAFF,
    "passkeys.new": STAFF,
    "passkeys.begin": STAFF,
    "passkeys.make": STAFF,
    "passkeys.add": STAFF,
    "passkeys.ask": STAFF,
    "passkeys.remove": STAFF,
    "account.switch_clinic": STAFF,
    "account.alive": STAFF,
    "account.left": STAFF,
    "queue.index": STAFF,
    "queue.take": RECORDERS,
    "queue.acknowledge": DECIDERS,
    "queue.seen": STAFF,
    "queue.save_view": STAFF,
    "queue.forget_view": STAFF,
    "review.show": STAFF,
    "review.following": STAFF,
    "review.decide": DECIDERS,
    "review.second": DECIDERS,
    "review.reopen": DECIDERS,
    "review.noticed": STAFF,
    "timeline.show": STAFF,
    "timeline.spec": STAFF,
    "due.index": STAFF,
    "due_steps.show": STAFF,
    "due_steps.put_off": DECIDERS,
    "due_steps.bring_back": DECIDERS,
    "due_steps.take": RECORDERS,
    "attachments.new": RECORDERS,
    "attachments.add": RECORDERS,
    "attachments.show": STAFF,
    "attachments.file": STAFF,
    "attachments.void_file": RECORDERS,
    "papers.summary": STAFF,
    "papers.timeline": STAFF,
    "papers.worklist": STAFF,
    "papers.due_list": STAFF,
    "papers.letters": RECORDERS,
    "patients.index": STAFF,
    "patients.new": RECORDERS,
    "patients.create": RECORDERS,
    "patients.show": STAFF,
    "patients.edit": RECORDERS,
    "patients.update": RECORDERS,
    "patients.changes": STAFF,
    "looking.patient": OVERSEERS,
    "emergency.new": DECIDERS,
    "emergency.open_record": DECIDERS,
    "emergency.alerts": INSPECTORS,
    "emergency.close": INSPECTORS,
    "bedside.new_drug": RECORDERS,
    "bedside.add_drug": RECORDERS,
    "bedside.drug": RECORDERS,
    "bedside.stop_drug": RECORDERS,
    "bedside.void_drug": RECORDERS,
    "bedside.new_seen": RECORDERS,
    "bedside.add_seen": RECORDERS,
    "bedside.seen": RECORDERS,
    "bedside.void_seen": RECORDERS,
    "courses.new": RECORDERS,
    "courses.check": RECORDERS,
    "courses.create": RECORDERS,
    "courses.show": STAFF,
    "courses.edit": RECORDERS,
    "courses.update": RECORDERS,
    "courses.void_course": RECORDERS,
    "treatment.change": DECIDERS,
    "treatment.store_change": DECIDERS,
    "treatment.lines": DECIDERS,
    "treatment.void_line": DECIDERS,
    "events.new": RECORDERS,
    "events.create": RECORDERS,
    "events.show": STAFF,
    "events.edit": RECORDERS,
    "events.update": RECORDERS,
    "events.void_event": RECORDERS,
    "targets.show": STAFF,
    "targets.add": DECIDERS,
    "targets.check": DECIDERS,
    "targets.end": DECIDERS,
    "ranges.index": STAFF,
    "ranges.show": STAFF,
    "ranges.new": ADMINS,
    "ranges.create": ADMINS,
    "ranges.check": ADMINS,
    "ranges.preview": ADMINS,
    "ranges.publish": ADMINS,
    "ranges.withdraw": ADMINS,
    "ranges.look_back": ADMINS,
    "ranges.take_back": ADMINS,
    "range_files.as_csv": STAFF,
    "range_files.as_workbook": STAFF,
    "range_files.form": ADMINS,
    "range_files.upload": ADMINS,
    "range_files.store": ADMINS,
    "range_files.show": STAFF,
    "range_files.preview": ADMINS,
    "range_files.publish": ADMINS,
    "range_files.withdraw": ADMINS,
    "settings.index": STAFF,
    "settings.show": STAFF,
    "protocol_lines.form": ADMINS,
    "protocol_lines.draft": ADMINS,
    "protocol_lines.check": ADMINS,
    "settings.preview": ADMINS,
    "settings.publish": ADMINS,
    "settings.withdraw": ADMINS,
    "settings.look_back": ADMINS,
    "settings.take_back": ADMINS,
    "jobs.index": STAFF,
    "jobs.show": STAFF,
    "jobs.progress": STAFF,
    "jobs.judge": ADMINS,
    "jobs.cancel": RECORDERS | ADMINS,  # recorders and clinicians stop imports alone, which it asks itself
    "clinic_wide.form": ADMINS,
    "clinic_wide.draft": ADMINS,
    "clinic_wide.check": ADMINS,
    "own_rules.form": ADMINS,
    "own_rules.draft": ADMINS,
    "own_rules.check": ADMINS,
    "rule_settings.form": ADMINS,
    "rule_settings.draft": ADMINS,
    "rule_settings.check": ADMINS,
    "burden.index": STAFF,
    "burden.table": STAFF,
    "rules_pages.index": STAFF,
    "rules_pages.show": STAFF,
    "rules_pages.protocol_list": STAFF,
    "rules_pages.protocol": STAFF,
    "admin.index": ADMINS,
    "admin.new": ADMINS,
    "admin.create": ADMINS,
    "admin.new_password": ADMINS,
    "admin.new_factor": ADMINS,
    "admin.disable": ADMINS,
    "admin.end_sessions": ADMINS,
    "admin.about": STAFF,
    "audit.index": INSPECTORS,
    "audit.export": INSPECTORS,
    "audit.check": INSPECTORS,
    "labs.choose": RECORDERS,
    "labs.entry": RECORDERS,
    "labs.stored": STAFF,
    "labs.preview": RECORDERS,
    "labs.draft": RECORDERS,
    "labs.discard": RECORDERS,
    "labs.save": RECORDERS,
    "worksheet.index": RECORDERS,
    "worksheet.preview": RECORDERS,
    "worksheet.draft": RECORDERS,
    "worksheet.save": RECORDERS,
    "results.show": STAFF,
    "results.correct": RECORDERS,
    "results.void": RECORDERS,
    "imports.index": STAFF,
    "imports.show": STAFF,
    "imports.problems": STAFF,
    "imports.tray_page": STAFF,
    "imports.upload": RECORDERS,
    "imports.refused": RECORDERS,
    "imports.confirm": RECORDERS,
    "imports.put_away": RECORDERS,
    "imports.assign": RECORDERS,
    "imports.dismiss": RECORDERS,
    "imports.release": RECORDERS,
    "imports.undo_page": RECORDERS,
    "imports.undo_import": RECORDERS,
    "codes.index": STAFF,
    "codes.test": MAPPERS,
    "codes.map_test": MAPPERS,
    "codes.end_page": MAPPERS,
    "codes.end": MAPPERS,
    "mapping.form": RECORDERS,
    "mapping.rows": RECORDERS,
    "mapping.settle": RECORDERS,
    "mapping.index": STAFF,
    "mapping.forget": RECORDERS,
}

# What somebody may do who has no second factor yet where everybody needs one.
ENROLLING = frozenset(
    {
        "second_factor.show", "second_factor.begin", "second_factor.confirm", "passkeys.new", "passkeys.begin",
        "passkeys.make", "passkeys.add", "sign_in.leave", "account.left", "account.alive", "account.show",
        "account.change_password",
    }
)  # fmt: skip

# What somebody may do whose password was given by somebody else.
CHANGING = frozenset({"account.show", "account.change_password", "account.left", "account.alive", "sign_in.leave"})

BIGGEST_KEY = 2**63 - 1


# ---------------------------------------------------------------------------------------------- who is it


def signed_in() -> User | None:
    """The person at the browser, None for a visitor. Settled once, when the request's session is opened."""
    user: User | None = g.get("user")
    return user


def current_user() -> User:
    """The person at the browser. Raises NotAllowed for a visitor, which `guard` lets through to no page that asks."""
    user = signed_in()
    if user is None:
        raise NotAllowed("Sign in first.")
    return user


def current_clinic() -> Workplace:
    """The clinic whose lists are shown. Raises NotAllowed for somebody who works in none."""
    clinic = current_user().clinic
    if clinic is None:
        raise NotAllowed("You are not a member of a clinic yet. Ask an administrator to add you to yours.")
    return clinic


def current_clinics() -> frozenset[int]:
    """The keys of all clinics this person works in: whose records they may open. Empty means none."""
    return frozenset(clinic.id for clinic in current_user().clinics)


def current_actor(origin: str = "form") -> Actor:
    """This person, at this instant, as the operations ask for it."""
    user = current_user()
    return Actor(user.name, now(), origin, user.id, user.role, g.request_id)


def emergency() -> EmergencyAccess | None:
    """The emergency in which the record on this page is open, None on every other page."""
    found: EmergencyAccess | None = g.get("emergency")
    return found


def may(endpoint: str) -> bool:
    """May the person at the browser call this page? For menus and buttons; the page itself is guarded anyway."""
    user, allowed = signed_in(), ENDPOINTS.get(endpoint, frozenset())
    if "emergency" in g and allowed < STAFF:
        return False  # the record is open for reading
    if user is None or _first_goes_to(user, endpoint):
        return False
    return user.role in allowed


# ---------------------------------------------------------------------------------------------- may they in


def guard() -> ResponseReturnValue | None:
    """Before every request: let it in, ask for a sign-in, or refuse."""
    if "database_error" in g:
        raise g.database_error
    if request.endpoint is None:
        return None  # there is no such page, and Flask says so
    allowed = ENDPOINTS.get(request.endpoint)
    if allowed is None:
        log.error("endpoint %s is not in the table of tracker/web/access.py", request.endpoint)
        raise NotFound("There is no such page.")
    if ANONYMOUS in allowed:
        return None
    user = signed_in()
    if user is None:
        return ask_to_sign_in()
    if user.role not in allowed:
        log.warning("account %s, %s, was refused %s", user.id, user.role, request.endpoint)
        raise NotAllowed(f"This is not for your role: you are signed in as {user.role}.")
    first = _first_goes_to(user, request.endpoint)
    return redirect(url_for(first), 303) if first else None


def _first_goes_to(user: User, endpoint: str) -> str | None:
    """The page that this person has to be done with before they may call that one."""
    if user.must_change and endpoint not in CHANGING:
        return "account.show"
    return "second_factor.show" if must_enrol(user) and endpoint not in ENROLLING | CHANGING else None


def must_enrol(user: User) -> bool:
    """Does this installation ask for a second factor that this person does not have?"""
    return current_app.config["SECOND_FACTOR"] == "required" and not user.has_factor


def ask_to_sign_in() -> ResponseReturnValue:
    """To the sign-in page and back. What was typed into a form whose session ended is shown, so that it is not lost."""
    reason = "ended" if g.get("session_ended") else None
    if request.headers.get("HX-Request"):
        answer = Response(status=401)
        answer.headers["HX-Redirect"] = url_for("sign_in.form", notice=reason)
        return answer
    if request.method in ("GET", "HEAD"):
        # The path alone: a query may hold a name that somebody searched for.
        return redirect(url_for("sign_in.form", next=request.path if request.path != "/" else None, notice=reason), 303)
    if reason:
        return make_response(render_template("errors/ended.html", typed=typed()), 401)
    return redirect(url_for("sign_in.form"), 303)


def typed() -> list[tuple[str, str]]:
    """What was typed into the form that came with this request, without its tokens and passwords."""
    return [
        (name.replace("_", " ").replace("-", " "), value)
        for name, value in request.form.items(multi=True)
        if value and name not in ("csrf_token", "version", "next", "token") and "password" not in name
    ]


# ---------------------------------------------------------------------------------------------- may they this

Owned = TypeVar("Owned", AdverseEvent, Attachment, Course, Flag, LabResult, Medication, Observation)
Kept = TypeVar("Kept", ClinicSetting, CodeMapping, HeldRow, ImportBatch, Job, ReferenceRange, TableMapping)


def get_patient(session: Session, patient_id: int) -> Patient:
    mine = select(Patient).where(_is(Patient.id, patient_id), Patient.clinic_id.in_(current_clinics()))
    patient = session.scalar(mine)
    if patient is None and (opened := _emergencies(session)):
        patient = session.scalar(select(Patient).where(_is(Patient.id, patient_id), Patient.id.in_(opened)))
    return _looked(_found(patient))


def get_course(session: Session, course_id: int) -> Course:
    return _of_my_patients(session, Course, course_id)


def get_result(session: Session, result_id: int) -> LabResult:
    return _of_my_patients(session, LabResult, result_id)


def get_flag(session: Session, flag_id: int) -> Flag:
    return _of_my_patients(session, Flag, flag_id)


def get_event(session: Session, event_id: int) -> AdverseEvent:
    return _of_my_patients(session, AdverseEvent, event_id)


def get_medication(session: Session, medication_id: int) -> Medication:
    return _of_my_patients(session, Medication, medication_id)


def get_observation(session: Session, observation_id: int) -> Observation:
    return _of_my_patients(session, Observation, observation_id)


def get_attachment(session: Session, attachment_id: int) -> Attachment:
    return _of_my_patients(session, Attachment, attachment_id)


def get_range(session: Session, range_id: int) -> ReferenceRange:
    return _of_my_clinics(session, ReferenceRange, range_id)


def get_setting(session: Session, setting_id: int) -> ClinicSetting:
    return _of_my_clinics(session, ClinicSetting, setting_id)


def get_job(session: Session, job_id: int) -> Job:
    return _of_my_clinics(session, Job, job_id)


def get_batch(session: Session, batch_id: int) -> ImportBatch:
    return _of_my_clinics(session, ImportBatch, batch_id)


def get_held_row(session: Session, row_id: int) -> HeldRow:
    return _of_my_clinics(session, HeldRow, row_id)


def get_code_mapping(session: Session, code_mapping_id: int) -> CodeMapping:
    return _of_my_clinics(session, CodeMapping, code_mapping_id)


def get_mapping(session: Session, mapping_id: int) -> TableMapping:
    return _of_my_clinics(session, TableMapping, mapping_id)


def _of_my_clinics(session: Session, kind: type[Kept], key: int) -> Kept:
    return _found(session.scalar(select(kind).where(_is(kind.id, key), kind.clinic_id.in_(current_clinics()))))


def _of_my_patients(session: Session, kind: type[Owned], key: int) -> Owned:
    whose = select(kind, Patient).join(Patient, Patient.id == kind.patient_id).where(_is(kind.id, key))
    row = session.execute(whose.where(Patient.clinic_id.in_(current_clinics()))).first()
    if row is None and (opened := _emergencies(session)):
        row = session.execute(whose.where(Patient.id.in_(opened))).first()
    found, patient = _found(row)
    _looked(patient)
    record: Owned = found
    return record


def _emergencies(session: Session) -> dict[int, EmergencyAccess]:
    """By patient, what this person opened in an emergency and has not ended: for pages that are read, not to write.

    A form that could not be saved is not shown either: what is typed into it would be lost.
    """
    if request.method not in ("GET", "HEAD") or ENDPOINTS.get(request.endpoint or "", frozenset()) < STAFF:
        return {}
    if "emergencies" not in g:
        e = EmergencyAccess
        mine = select(e).where(e.account_id == current_user().id, e.ends_at > now(), e.opened_at <= now())
        g.emergencies = {row.patient_id: row for row in session.scalars(mine.order_by(e.id))}
        if g.emergencies:
            see_mine()
    opened: dict[int, EmergencyAccess] = g.emergencies
    return opened


def _looked(patient: Patient) -> Patient:
    """Remember whose record this page is about: for the log of who looked, and the banner of an emergency."""
    g.setdefault("looked_at", {})[patient.id] = patient.clinic_id
    if patient.id in g.get("emergencies", ()) and patient.clinic_id not in current_clinics():
        g.emergency = g.emergencies[patient.id]
    return patient


def _is(column: Any, key: int) -> ColumnElement[bool]:
    # No table has such a key, and no database such a number.
    condition: ColumnElement[bool] = column == (key if 0 < key <= BIGGEST_KEY else 0)
    return condition


Row = TypeVar("Row")


def _found(row: Row | None) -> Row:
    if row is None:
        raise NotFound("There is no such record, or it is not yours to see.")
    return row
