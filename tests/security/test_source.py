"""What the source may not have in it, whatever it does: each a line that would open a door."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PYTHON = [*(ROOT / "tracker").rglob("*.py"), ROOT / "config.py"]
TEMPLATES = list((ROOT / "templates").rglob("*.html"))
SCRIPTS = list((ROOT / "tracker" / "static" / "js").rglob("*.js"))

# What is looked for, where, and the places where it stands and was looked at.
FORBIDDEN: list[tuple[str, list[Path], set[str]]] = [
    (r"\|\s*safe\b|autoescape\s+false", TEMPLATES, set()),
    (r"\son(click|load|error|change|input|submit|focus|key|mouse)\w*=|javascript:", TEMPLATES, set()),
    (r"<script(?![^>]*\bsrc=)|\sstyle=", TEMPLATES, set()),
    (r"render_template_string|autoescape\s*=\s*False", PYTHON, set()),
    (r"(?<![\w.])(eval|exec|compile|__import__)\(", PYTHON, set()),
    (r"import (pickle|marshal|shelve|dill|yaml)\b|\b(pickle|marshal|yaml)\.\w+\(", PYTHON, set()),
    (r"\bmd5\b|\bsha1\b|\bDES\b|MODE_ECB", PYTHON, set()),
    (r"os\.system|os\.popen|shell=True", PYTHON, set()),
    (r"\bsubprocess\.(run|Popen|call)|os\.exec\w+", PYTHON, {"copies.py", "serving.py", "workbook.py"}),
    (r"\bimport random\b|from random import", PYTHON, {"demo_data.py"}),
    (r"(import|from) (requests|httpx|urllib\.request|http\.client|aiohttp|smtplib|ftplib)\b", PYTHON, set()),
    (r"verify\s*=\s*False|CERT_NONE|_create_unverified", PYTHON, set()),
    (r"\bXMLParser\(|\blxml\b", PYTHON, set()),
    (r"\b(insertAdjacentHTML|outerHTML|document\.write|eval|Function)\b\s*\(?", SCRIPTS, {"charts.js"}),
    (
        r"\.innerHTML\b",
        SCRIPTS,
        {"labs.js", "worksheet.js"},
    ),  # what the server has drawn, by the template that escapes it
    (r"localStorage|sessionStorage|indexedDB|postMessage", SCRIPTS, {"theme.js", "keys.js", "queue.js"}),
    (r"\bonpaste\b|addEventListener\(.paste.[^;]*preventDefault", SCRIPTS, set()),
]


@pytest.mark.parametrize(("pattern", "files", "known"), FORBIDDEN, ids=[told[0][:40] for told in FORBIDDEN])
def test_nowhere_but_where_it_was_looked_at(pattern: str, files: list[Path], known: set[str]) -> None:
    assert files
    found = {path.name: line for path in files for line in path.read_text().splitlines() if re.search(pattern, line)}
    assert {name: line for name, line in found.items() if name not in known} == {}


def test_the_linters_rules_on_security_are_on() -> None:
    """Bandit's: shells, weak digests, SQL from strings, temporary files and some eighty more."""
    chosen = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert "S" in chosen["select"]
    assert not [
        code for code in chosen["ignore"] if code.startswith("S") and code not in ("S101",) and code[1:].isdigit()
    ]


def test_statements_made_from_texts_hold_only_names_of_the_schema() -> None:
    """Every such line says so to the linter; there is one, for the digests of a backup."""
    lines = [(path.name, line) for path in PYTHON for line in path.read_text().splitlines() if "noqa: S608" in line]
    assert [name for name, _ in lines] == ["copies.py"]
