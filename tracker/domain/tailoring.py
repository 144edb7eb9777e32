"""What a clinic set about a rule: that it is silent, or that its findings are at least or at most so severe.

An episode goes by the version in force on the day it began. The rules that keep patients safe are never silent, and
their findings are never made less severe.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from tracker.domain.errors import Refused
from tracker.domain.findings import RANK, SEVERITIES, Finding
from tracker.domain.overlay import OFF, Published, in_force

AT_LEAST, AT_MOST = "at_least", "at_most"
SAFETY = frozenset({"action_limit", "do_not_start", "not_evaluated"})


def check_rule(code: str, body: Mapping[str, str]) -> None:
    """Raise Refused, saying why, where a rule may not be set so."""
    if strange := set(body) - {OFF, AT_LEAST, AT_MOST}:
        raise Refused(f"Of a rule “{min(strange)}” cannot be set.")
    if len(body) > 1:
        raise Refused("Choose one: the rule is silent, or its findings are at least, or at most, so severe.")
    if code in SAFETY and (body.get(OFF) or body.get(AT_MOST)):
        raise Refused("This rule keeps patients safe: it is never silent, and its findings are never made less severe.")
    for severity in (body[key] for key in (AT_LEAST, AT_MOST) if key in body):
        if severity not in SEVERITIES:
            raise Refused(f"“{severity}” is no severity: one of {', '.join(SEVERITIES)}.")


def tailored(
    findings: Iterable[Finding], versions: Mapping[str, Sequence[Published]], clinic: str
) -> Iterator[Finding]:
    """The findings as the clinic wants them. `versions` by the rule's code; a severity that was moved is named."""
    for finding in findings:
        version = in_force(versions.get(finding.rule, ()), finding.opened_on)
        if version is None or not version.body:
            yield finding
        elif not version.body.get(OFF):
            yield _moved(finding, version.body, f"{clinic} v{version.number}")


def _moved(finding: Finding, body: Mapping[str, str], name: str) -> Finding:
    least, most = body.get(AT_LEAST, SEVERITIES[-1]), body.get(AT_MOST, SEVERITIES[0])
    severity = max(min(finding.severity, least, key=RANK.__getitem__), most, key=RANK.__getitem__)
    if severity == finding.severity:
        return finding
    return replace(finding, severity=severity).under(f"severity by {name}")
