"""What the service may do on its machine, as systemd itself judges the unit file that is shipped."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).resolve().parent.parent.parent / "deploy" / "jakwatch.service"
MOST = 3.0  # of 10: systemd calls up to 4.9 “OK” and more exposed


def test_systemd_finds_little_that_the_service_could_reach() -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed here")
    told = subprocess.run(
        [program, "security", "--offline=yes", "--no-pager", str(UNIT)], capture_output=True, text=True, check=False
    )
    found = re.search(r"Overall exposure level for jakwatch\.service: ([\d.]+)", told.stdout)
    assert found, told.stderr
    assert float(found[1]) < MOST


def test_it_writes_to_its_own_folder_alone_and_speaks_to_this_machine_alone() -> None:
    lines = UNIT.read_text(encoding="utf-8").splitlines()
    assert {"ProtectSystem=strict", "ProtectHome=yes", "StateDirectory=jakwatch", "UMask=0077"} <= set(lines)
    assert {"IPAddressDeny=any", "IPAddressAllow=localhost", "NoNewPrivileges=yes", "CapabilityBoundingSet="} <= set(
        lines
    )
    assert not [line for line in lines if line.startswith(("ReadWritePaths", "BindPaths"))]
