"""The web floor: pages over the queries and operations. `make_app` puts it together; `tracker.create_app` calls that.

How a screen is written: one module here, one folder of templates, one file of tests, all of one name.

    tracker/web/courses.py            form classes on top, then the GETs, then the POSTs, then what they share
    templates/courses/*.html          each extends base.html
    tests/web/test_courses.py

    screen = Blueprint("courses", __name__)

    class CourseForm(Form):
        started_on = DayField("First dose on", [InputRequired("When was the first dose?")])
        version = VersionField()

    @screen.get("/patients/<int:patient_id>/courses/new")
    def new(patient_id: int) -> ResponseReturnValue:
        patient = get_patient(reading(), patient_id)
        return render_template("courses/new.html", patient=patient, form=CourseForm())

    @screen.post("/patients/<int:patient_id>/courses/new")
    def create(patient_id: int) -> ResponseReturnValue:
        form = CourseForm()
        if form.validate():
            try:
                with writing() as session:
                    patient = get_patient(session, patient_id)
                    add_course(session, current_actor(), patient, ...)
                flash("Course started.")
                return redirect(url_for("courses.show", ...), 303)
            except Refused as error:
                refuse(form, error)
        return render_template("courses/new.html", patient=get_patient(reading(), patient_id), form=form), 422

Then three lines elsewhere: the module in BLUEPRINTS below, each endpoint in `access.ENDPOINTS`, and each again with
what every role gets in tests/web/matrix.yaml. Without the second the page answers 404 to everybody; without the third a
test fails.

A GET writes nothing. A POST writes in one `writing()` block and redirects, or answers 422 with the form as it was
typed. Lists are of `current_clinic()`, single records come from the getters in access.py. NotFound, NotAllowed and
Stale are left to pass: errors.py makes their pages.
"""

import secrets
import time
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from flask import Blueprint, Flask, g
from flask_wtf import CSRFProtect
from jinja2 import StrictUndefined
from werkzeug.middleware.proxy_fix import ProxyFix

from tracker.operations.attachments import LARGEST
from tracker.web import (
    access,
    account,
    admin,
    attachments,
    audit,
    bedside,
    burden,
    clinic_wide,
    codes,
    courses,
    database,
    due,
    due_steps,
    emergency,
    errors,
    events,
    filters,
    health,
    imports,
    jobs,
    labs,
    logs,
    looking,
    mapping,
    metrics,
    own_rules,
    papers,
    passkeys,
    patients,
    protocol_lines,
    queue,
    range_files,
    ranges,
    rates,
    results,
    review,
    rule_settings,
    rules_pages,
    second_factor,
    security,
    settings,
    sign_in,
    startup,
    targets,
    timeline,
    treatment,
    worksheet,
)
from tracker.web.forms import problems
from tracker.web.sessions import BrowserSessions

BLUEPRINTS: tuple[Blueprint, ...] = (
    health.screen,
    metrics.screen,
    sign_in.screen,
    account.screen,
    second_factor.screen,
    passkeys.screen,
    queue.screen,
    review.screen,
    timeline.screen,
    due.screen,
    due_steps.screen,
    papers.screen,
    attachments.screen,
    patients.screen,
    bedside.screen,
    courses.screen,
    treatment.screen,
    events.screen,
    targets.screen,
    ranges.screen,
    settings.screen,
    protocol_lines.screen,
    rule_settings.screen,
    clinic_wide.screen,
    range_files.screen,
    own_rules.screen,
    jobs.screen,
    burden.screen,
    rules_pages.screen,
    admin.screen,
    audit.screen,
    labs.screen,
    worksheet.screen,
    results.screen,
    imports.screen,
    mapping.screen,
    codes.screen,
    looking.screen,
    emergency.screen,
)

_HERE = Path(__file__).resolve().parent.parent
TEMPLATES = next(  # beside the package in a checkout, inside it in a wheel
    folder for folder in (_HERE / "templates", _HERE.parent / "templates") if (folder / "base.html").exists()
)
DEFAULTS: dict[str, Any] = {
    "ENVIRONMENT": "production",
    "PRODUCTION": True,
    "DEMO": False,
    "DEMO_SIGN_INS": (),  # (name, role, user name, password) of each, shown on the sign-in page of a demonstration
    "SECOND_FACTOR": "required",
    "IDLE_SECONDS": 15 * 60,
    "SESSION_SECONDS": 12 * 3600,
    "PROXIES": 0,
    "HOURLY": (60, 300),
    "ORIGIN": "",
    "ATTACHMENT_BYTES": LARGEST,
    "LETTERHEADS": {},  # clinic's code: {"address": lines, "telephone": number}, for letters to patients
    "METRICS_TOKEN": "",
    "LOG": "text",
    "PASSWORD_HASHER": PasswordHasher(),  # Argon2id at the cost of RFC 9106, section 4, second recommendation
    "MAX_FORM_MEMORY_SIZE": 5 * 1024 * 1024,  # a spreadsheet pasted into a grid
    "MAX_FORM_PARTS": 20_000,
    "WTF_CSRF_TIME_LIMIT": None,  # a token lives as long as the session it belongs to
}


def make_app(settings: dict[str, Any]) -> Flask:
    """The application. Raises startup.Misconfigured where it would not be safe to start."""
    startup.check_settings(settings)
    app = Flask("tracker", template_folder=str(TEMPLATES), root_path=str(_HERE))
    app.config.update({**DEFAULTS, **settings})
    _set_cookies(app)
    _set_templates(app)
    database.init_app(app)
    if app.config["PRODUCTION"]:
        startup.check_storage(app.extensions["database"])
    errors.init_app(app)
    # In this order: a request gets its reference, is let in or not, and only then is its form looked at.
    app.before_request(_name_request)
    security.init_app(app)
    app.before_request(access.guard)
    rates.init_app(app)
    looking.init_app(app)
    metrics.init_app(app)
    logs.init_app(app)
    CSRFProtect(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    if count := app.config["PROXIES"]:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)  # type: ignore[method-assign]
    return app


def _set_cookies(app: Flask) -> None:
    secure = app.config["PRODUCTION"]
    app.config.update(
        SESSION_COOKIE_SECURE=secure,
        SESSION_COOKIE_NAME="__Host-jakwatch-visit" if secure else "jakwatch-visit",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
    )
    app.session_interface = BrowserSessions()


def _set_templates(app: Flask) -> None:
    app.jinja_env.undefined = StrictUndefined  # a name that is missing fails the page, not a patient
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals["problems"] = problems
    filters.init_app(app)


def _name_request() -> None:
    g.request_id, g.begun = secrets.token_hex(8), time.perf_counter()
