"""The locks install the same everywhere, from whatever place a machine fetches its packages."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PIN = re.compile(r"^([a-z0-9.-]+)==(\S+)", re.MULTILINE)


def pins(lock: str) -> dict[str, str]:
    return dict(PIN.findall((ROOT / "requirements" / lock).read_text("utf-8")))


def test_the_python_locks_name_versions_and_digests_but_no_place() -> None:
    for lock in sorted((ROOT / "requirements").glob("*.txt")):
        text = lock.read_text("utf-8")
        requirements = [part for part in re.split(r"^(?=[a-z])", text, flags=re.MULTILINE) if part.strip()]
        assert requirements, lock.name
        assert all("==" in part and "--hash=sha256:" in part for part in requirements), lock.name
        assert "://" not in text, lock.name
        assert "index-url" not in text, lock.name


def test_the_front_end_lock_names_versions_and_digests_but_no_place() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text("utf-8"))["packages"]
    fetched = {path: package for path, package in packages.items() if path}
    assert all("integrity" in package and "resolved" not in package for package in fetched.values())


def test_what_runs_is_what_was_tested() -> None:
    tested = pins("dev.txt")
    assert {name: tested.get(name) for name in pins("runtime.txt")} == pins("runtime.txt")
