"""Long work and how far it is: previews and judging again of a large clinic. A page asks, `tracker work` does."""

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from tracker.domain.errors import NotAllowed
from tracker.models import ClinicSetting, Job, ReferenceRange
from tracker.operations import jobs, publishing
from tracker.operations.trial import Preview
from tracker.queries import imports
from tracker.queries import jobs as found_jobs
from tracker.queries.coverage import Mended
from tracker.rules import TITLES
from tracker.web.access import current_actor, current_clinic, current_user, get_job
from tracker.web.amending import tell
from tracker.web.database import reading, writing

screen = Blueprint("jobs", __name__)

WORDS = {
    jobs.JUDGE: "Judging everybody again",
    jobs.PREVIEW: "What a version would change",
    jobs.IMPORT: "Filing a long file",
}
DONE = {jobs.JUDGE: "judged", jobs.PREVIEW: "judged", jobs.IMPORT: "stored"}


@screen.get("/jobs")
def index() -> ResponseReturnValue:
    clinic = current_clinic()
    return render_template(
        "jobs/index.html", clinic=clinic, found=found_jobs.latest(reading(), clinic.id), words=WORDS, home=home
    )


@screen.get("/jobs/<int:job_id>")
def show(job_id: int) -> ResponseReturnValue:
    job = get_job(reading(), job_id)
    kept = job.result if job.kind == jobs.PREVIEW and job.result else {}
    return render_template(
        "jobs/show.html",
        job=job,
        words=WORDS,
        preview=Preview.from_json(kept) if kept else None,
        coverage=Mended(**kept["coverage"]) if kept.get("coverage") else None,
        outdated=kept and job.details.get("seen") != publishing.in_force(reading(), job.clinic_id),
        titles=TITLES,
        home=home(job),
    )


@screen.get("/jobs/<int:job_id>/progress")
def progress(job_id: int) -> ResponseReturnValue:
    """How far it is, asked for by the page itself while it runs; at the end the page is loaded anew."""
    job = get_job(reading(), job_id)
    return render_template("jobs/_progress.html", job=job), {"HX-Refresh": "true"} if job.is_over else {}


@screen.post("/jobs/judge")
def judge() -> ResponseReturnValue:
    """Judge again whoever is not judged by what is in force."""
    with writing() as session:
        job = jobs.ask(session, current_actor(), current_clinic().id, jobs.JUDGE)
    return redirect(url_for("jobs.show", job_id=job.id), 303)


@screen.post("/jobs/<int:job_id>/cancel")
def cancel(job_id: int) -> ResponseReturnValue:
    with writing() as session:
        job = get_job(session, job_id)
        if job.kind != jobs.IMPORT and current_user().role != "admin":
            raise NotAllowed("An administrator stops this.")
        jobs.cancel(session, current_actor(), job)
    tell(f"Stopped. What was {DONE[job.kind]} so far stays, each patient whole.")
    return redirect(url_for("jobs.show", job_id=job_id), 303)


def home(job: Job) -> str:
    """Where one goes from here: to the version that a preview is about, to what a file has become; "" else."""
    if job.kind == jobs.IMPORT:
        batch = imports.latest_of(reading(), job.clinic_id, job.details["sha256"])
        return url_for("imports.show", batch_id=batch) if batch else ""
    table, number = _subject(job)
    if table == ReferenceRange.__tablename__:
        return url_for("ranges.show", range_id=number)
    return url_for("settings.show", setting_id=number) if table else ""


def _subject(job: Job) -> tuple[str, int]:
    """The table and the key of what a preview is about, the first of several; "" where it is about nothing."""
    if back := job.details.get("back"):
        return back[0], back[1]
    kept = (("ranges", ReferenceRange), ("settings", ClinicSetting))
    found = ((model.__tablename__, int(key)) for name, model in kept for key in job.details.get(name, ()))
    return next(found, ("", 0))
