"""The systemd units: what they may do, and that they fit the script that installs them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

OPS = Path(__file__).resolve().parents[2] / "ops"
UNITS = OPS / "systemd"
SERVICES = sorted(UNITS.glob("*.service"))
INSTALL = (OPS / "install.sh").read_text(encoding="utf-8")
MOST_EXPOSED = 20  # tenths: systemd's score is at most 2.0
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing")


def limits(service: Path) -> list[str]:
    """From the first limit on. They're written out in each unit, so that one file shows all that a process may do."""
    return service.read_text(encoding="utf-8").partition("NoNewPrivileges")[2].split("\n[Install]")[0].split()


@needs_systemd
@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_systemd_finds_little_that_a_service_may_do(service: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={MOST_EXPOSED}", str(service)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-300:] + done.stderr


@needs_systemd
def test_systemd_accepts_the_units() -> None:
    units = [file for file in UNITS.iterdir() if "@" not in file.name]
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "parley" in line]
    assert [line for line in ours if "is not executable" not in line] == []  # the program isn't installed here


def test_all_services_have_the_same_limits() -> None:
    assert len(SERVICES) == 3
    assert [limits(service) for service in SERVICES[1:]] == [limits(SERVICES[0])] * 2


def test_the_script_enables_what_is_there() -> None:
    (enabled,) = re.findall(r"^units=\((.+)\)$", INSTALL, re.M)
    there = {file.name for file in UNITS.iterdir()}
    assert {re.sub(r"@\d+", "@", name) for name in enabled.split()} <= there
    for service in SERVICES:
        assert re.search(r"^EnvironmentFile=/etc/parley/parley\.env$", service.read_text(encoding="utf-8"), re.M)


def test_what_customers_send_stays_where_the_service_may_write() -> None:
    for service in SERVICES:
        text = service.read_text(encoding="utf-8")
        assert "MEDIA_FOLDER=/var/lib/parley/media" in text
        assert re.search(r"^StateDirectory=parley\b", text, re.M)
