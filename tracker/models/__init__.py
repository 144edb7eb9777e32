"""The tables. A file an aggregate; columns and invariants only: no session, no clock, no URL."""

from tracker.models.access import (
    ENROLLED,
    ROLES,
    Account,
    BrowserSession,
    Clinic,
    Draft,
    Membership,
    Passkey,
    RecoveryCode,
)
from tracker.models.adverse_event import AdverseEvent
from tracker.models.attachment import Attachment
from tracker.models.audit import AuditEntry
from tracker.models.base import Base, table_of
from tracker.models.desk import DueStep, QueueView, ReviewNotice
from tracker.models.flag import Flag, QueueVisit, Review
from tracker.models.importing import CodeMapping, ImportChange, ImportRun, ImportUndo, TableMapping
from tracker.models.job import Job
from tracker.models.lab import HeldRow, ImportBatch, ImportProblem, LabResult, ReferenceRange
from tracker.models.patient import AccessNote, EmergencyAccess, Observation, Patient
from tracker.models.setting import ClinicSetting
from tracker.models.target import PatientTarget
from tracker.models.treatment import Course, CourseEvent, Medication

__all__ = [
    "ENROLLED",
    "ROLES",
    "AccessNote",
    "Account",
    "AdverseEvent",
    "Attachment",
    "AuditEntry",
    "Base",
    "BrowserSession",
    "Clinic",
    "ClinicSetting",
    "CodeMapping",
    "Course",
    "CourseEvent",
    "Draft",
    "DueStep",
    "EmergencyAccess",
    "Flag",
    "HeldRow",
    "ImportBatch",
    "ImportChange",
    "ImportProblem",
    "ImportRun",
    "ImportUndo",
    "Job",
    "LabResult",
    "Medication",
    "Membership",
    "Observation",
    "Passkey",
    "Patient",
    "PatientTarget",
    "QueueView",
    "QueueVisit",
    "RecoveryCode",
    "ReferenceRange",
    "Review",
    "ReviewNotice",
    "TableMapping",
    "table_of",
]
