"""One flag for one worry: an open finding that another one already says, and more, is folded under it.

Nothing is hidden: a folded finding is listed, and one that is worse than the other is never folded.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from tracker.domain.findings import RANK, Evidence, Finding

# Which rule says more about a result, the greater first. Rules not named here neither fold nor are folded.
_LAYERS = ("action_limit", "hys_law", "ctcae", "change", "target", "out_of_range")
_LEVEL = {code: level for level, code in enumerate(_LAYERS)} | {"do_not_start": 0, "muscle": 1}
_LIPIDS_LEVEL = 1  # as hys_law, for the lipids it speaks of
_LIVER = ("ALT", "AST", "TBIL", "ALP")
_LIPID_ANALYTES = ("LDL", "TG", "CHOL", "NONHDL")
_ACTIONS = ("stop", "hold", "investigate", "consult")


def fold(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings in their order, `folded_under` set where another open one on the same subject says more."""
    given = tuple(findings)
    greater: list[Finding] = []
    under: dict[int, str] = {}
    for place, finding in sorted(enumerate(given), key=lambda pair: _standing(pair[1])):
        if not finding.is_open or _level(finding) is None:
            continue
        over = next((other for other in greater if _covers(other, finding)), None)
        if over is None:
            greater.append(finding)
        else:
            under[place] = over.rule
    return tuple(replace(f, folded_under=under[place]) if place in under else f for place, f in enumerate(given))


def unique(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """One finding a fingerprint: of two that say the same, the open one, then the graver."""
    best: dict[str, Finding] = {}
    for finding in findings:
        other = best.get(finding.fingerprint)
        if other is None or (not finding.is_open, RANK[finding.severity]) < (not other.is_open, RANK[other.severity]):
            best[finding.fingerprint] = finding
    return tuple(best.values())


def _level(finding: Finding) -> int | None:
    if finding.rule == "lipids":
        return _LIPIDS_LEVEL if finding.subject in _LIPID_ANALYTES else None
    return _LEVEL.get(finding.rule)


def _action(finding: Finding) -> int:
    """Place among the actions of limits, the greater first."""
    return _ACTIONS.index(finding.suggested) if finding.suggested in _ACTIONS else len(_ACTIONS)


def _standing(finding: Finding) -> tuple[int, int, int]:
    level = _level(finding)
    return (len(_LAYERS) if level is None else level, _action(finding), RANK[finding.severity])


def _covers(greater: Finding, lesser: Finding) -> bool:
    return (
        _says_more(greater, lesser)
        and RANK[greater.severity] <= RANK[lesser.severity]
        and bool(lesser.evidence)
        and any(_same(lesser.evidence[-1], fact) for fact in greater.evidence)
    )


def _says_more(greater: Finding, lesser: Finding) -> bool:
    if greater.rule == "hys_law" and greater.subject not in _LIVER:
        return lesser.subject in _LIVER and _LEVEL[greater.rule] <= _LEVEL.get(lesser.rule, -1)
    if greater.subject != lesser.subject:
        return False
    if greater.rule == lesser.rule == "action_limit":
        return _action(greater) < _action(lesser)
    if greater.rule == lesser.rule == "muscle":
        return RANK[greater.severity] < RANK[lesser.severity]
    above, below = _level(greater), _level(lesser)
    return above is not None and below is not None and above < below


def _same(one: Evidence, other: Evidence) -> bool:
    """The same result: by its number, or as it reads where it has none (a computed value)."""
    if one.result_id is not None or other.result_id is not None:
        return one.result_id == other.result_id
    return _text(one) == _text(other)


def _text(fact: Evidence) -> tuple[str, str, str, str]:
    return fact.analyte, fact.value, fact.unit, fact.collected_on.isoformat()
