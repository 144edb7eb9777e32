"""The documents say what is true: every command, every rule, and the one sentence of intended use."""

import re
import subprocess
from pathlib import Path

from tracker import rules
from tracker.cli import COMMANDS
from tracker.domain.intended_use import INTENDED_USE

ROOT = Path(__file__).resolve().parent.parent


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_readme_repeats_the_intended_use_word_for_word() -> None:
    assert INTENDED_USE in " ".join(read("README.md").split())


def test_the_readme_names_every_command() -> None:
    (listed,) = re.findall(r"`tracker ([a-z| ]+)`, each", read("README.md"))
    assert set(listed.split(" | ")) == set(COMMANDS)


def test_every_rule_is_listed_with_its_title() -> None:
    text = read("docs/RULES.md")
    for rule in rules.RULES:
        assert f"| `{rule.CODE}` | {rules.TITLES[rule.CODE]} |" in text


def test_links_between_the_documents_lead_somewhere() -> None:
    for name in ("README.md", "DESIGN.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", read(name)):
            assert (ROOT / target).exists(), f"{name} links to {target}"


def test_no_third_party_file_is_committed() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    assert [
        name for name in listed if re.search(r"\.min\.(js|css)$|node_modules/|^(uv\.lock|pylock\.toml)$", name)
    ] == []
