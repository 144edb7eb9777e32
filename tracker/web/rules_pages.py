"""What judges: a page for each rule and each protocol, as the code and the data files say it."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from tracker import rules
from tracker.domain.errors import NotFound
from tracker.domain.overlay import line_id
from tracker.domain.protocol import Limit, Protocol
from tracker.library.analytes import ANALYTES
from tracker.library.protocols import protocols
from tracker.models.setting import OWN_RULE, PROTOCOL_LINE, RULE
from tracker.queries import clinic_settings
from tracker.queries.clinic_settings import Line
from tracker.queries.range_table import DRAFT, IN_FORCE, TO_COME
from tracker.web.access import current_user
from tracker.web.burden import hours, of_rule
from tracker.web.clock import today
from tracker.web.database import reading
from tracker.web.filters import zone
from tracker.web.setting_words import changeable, described, title_of
from tracker.web.wording import ACTIONS, subject_name

screen = Blueprint("rules_pages", __name__)

CONFIRM = {"repeat": "a second sample within {within}", "persistent": "{count} results in a row"}
EVENTS = {
    "serious_infection": "Serious infection",
    "opportunistic_infection": "Opportunistic infection",
    "infection_not_responding": "Infection that does not respond",
    "herpes_zoster": "Herpes zoster",
    "active_tb": "Active tuberculosis",
    "hbv_dna_detected": "Hepatitis B DNA detected",
    "mi_or_stroke": "Heart attack or stroke",
    "gi_perforation": "Perforation of the gut",
    "thrombosis": "Thrombosis",
    "pregnancy": "Pregnancy",
    "hypersensitivity": "Hypersensitivity",
    "restricted_population": "Restricted population",
}


@screen.get("/rules")
def index() -> ResponseReturnValue:
    listed = [rules.page(rule.CODE) for rule in rules.RULES]
    return render_template(
        "rules/index.html",
        rules=[(page, first_sentence(page)) for page in listed],
        own=[line for line in _of_the_clinic() if line.row.kind == OWN_RULE],
        title_of=title_of,
        described=described,
    )


@screen.get("/rules/<code>")
def show(code: str) -> ResponseReturnValue:
    page = rules.page(code)
    burden, found = of_rule(code)
    return render_template(
        "rules/show.html",
        page=page,
        paragraphs=paragraphs(page),
        titles=rules.TITLES,
        own=[line for line in _of_the_clinic() if (line.row.kind, line.row.scope) == (RULE, code)],
        described=described,
        burden=burden,
        rate=burden.per_100_months(found.patient_months) if burden else None,
        hours=hours,
    )


@screen.get("/protocols")
def protocol_list() -> ResponseReturnValue:
    return render_template("rules/protocols.html", protocols=list(protocols().values()))


@screen.get("/protocols/<protocol_id>")
def protocol(protocol_id: str) -> ResponseReturnValue:
    found = protocols().get(protocol_id)
    if found is None:
        raise NotFound("There is no such protocol.")
    return render_template(
        "rules/protocol.html",
        protocol=found,
        actions=ACTIONS,
        names=subject_name,
        events=EVENTS,
        confirmed=confirmed,
        unverified=unverified(found),
        analytes=ANALYTES,
        own=_own(protocol_id),
        line_id=line_id,
        described=described,
        changeable=changeable,
    )


def _of_the_clinic() -> list[Line]:
    """What the current clinic set and has drafted: in force, to come, waiting; the latest first."""
    user = current_user()
    found = clinic_settings.lines(reading(), user.clinic.id, today(zone())) if user.clinic else []
    return [line for line in found if line.state in (IN_FORCE, TO_COME, DRAFT)]


def _own(protocol_id: str) -> dict[str, Line]:
    """The lines of a protocol that the current clinic has its own version of, or a draft: by line, the latest."""
    parted = [(line, *line.row.scope.partition("/")) for line in reversed(_of_the_clinic())]
    return {key: line for line, protocol, _, key in parted if (line.row.kind, protocol) == (PROTOCOL_LINE, protocol_id)}


def first_sentence(page: rules.Page) -> str:
    """What the rule flags, in a line."""
    flags = next((text for heading, text in page.sections if heading == rules.HEADINGS[0]), "")
    sentence, dot, _ = flags.partition(". ")
    return sentence + dot.strip()


def paragraphs(page: rules.Page) -> list[tuple[str, list[str]]]:
    return [(heading, text.split("\n\n")) for heading, text in page.sections]


def confirmed(limit: Limit) -> str:
    """What has to bear a limit out before it counts, "" where one result is enough."""
    return CONFIRM.get(limit.confirm, "").format(within=limit.confirm_within, count=limit.needed)


def unverified(found: Protocol) -> int:
    """How many lines of a protocol no second source bore out."""
    lines = (found.schedule, found.initiation, found.on_treatment, found.screening, found.events, found.dose_adjust)
    return sum(not entry.origin.verified for entries in lines for entry in entries)
