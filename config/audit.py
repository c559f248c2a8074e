"""`python -m config.audit LOCK`: look up the packages of a lock file in the database of known vulnerabilities.

Run in `.venv-audit`, which has pip-audit. Exits with 1 only for a vulnerability, not if the database can't be reached.
"""

import json
import subprocess
import sys
from pathlib import Path

SECONDS = 300


def main(lock: Path) -> int:
    command = [sys.executable, "-m", "pip_audit", "--progress-spinner", "off", "--timeout", "15", "--format", "json"]
    try:
        # Without pip: the lock file already names every package.
        run = subprocess.run(
            [*command, "--disable-pip", "--require-hashes", "--requirement", lock],
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        packages = json.loads(run.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, json.JSONDecodeError):
        packages = []
    # If the database has no answer about a package, there's a reason instead of a list.
    audited = [package for package in packages if "vulns" in package]
    if not audited:
        print(
            "pip-audit: SKIPPED. The database of known vulnerabilities (https://pypi.org) can't be reached from here."
        )
        return 0
    found = [(package, vulnerability) for package in audited for vulnerability in package["vulns"]]
    for package, vulnerability in found:
        fixed = ", ".join(vulnerability["fix_versions"]) or "no version yet"
        print(f"{package['name']} {package['version']}: {vulnerability['id']}, fixed in {fixed}")
    print(f"pip-audit: {len(audited)} of {len(packages)} packages looked up, {len(found)} known vulnerabilities.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
