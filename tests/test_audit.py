"""`make audit` fails for a known vulnerability, and only says so if it can't look for any."""

import json
from pathlib import Path
from typing import Any

import pytest

from config import audit

CLEAN = {"name": "django", "version": "5.2", "vulns": []}
VULNERABLE = {"name": "pillow", "version": "1.0", "vulns": [{"id": "CVE-2026-1", "fix_versions": ["1.1"]}]}
UNKNOWN = {"name": "own", "skip_reason": "Dependency not found on PyPI"}


@pytest.mark.parametrize(
    ("answer", "status", "line"),
    [
        (json.dumps({"dependencies": [CLEAN, UNKNOWN]}), 0, "1 of 2 packages looked up, 0 known vulnerabilities."),
        (json.dumps({"dependencies": [CLEAN, VULNERABLE]}), 1, "pillow 1.0: CVE-2026-1, fixed in 1.1"),
        (json.dumps({"dependencies": [UNKNOWN]}), 0, "pip-audit: SKIPPED."),
        ("", 0, "pip-audit: SKIPPED."),
        ("<html>not JSON</html>", 0, "pip-audit: SKIPPED."),
    ],
)
def test_audit(
    answer: str, status: int, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    (tmp_path / "pip_audit.py").write_text(f"print({answer!r})\nraise SystemExit(1)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert audit.main(Path("requirements.lock")) == status
    assert line in capsys.readouterr().out
