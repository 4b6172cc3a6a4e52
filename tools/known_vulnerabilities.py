"""Known vulnerabilities of what is installed beside neuript, by pip-audit; says so where nobody can be asked.

    python tools/known_vulnerabilities.py [--limit SECONDS] [--with PYTHON]

The database is that of PyPI, so it needs a network; without one, or with one that answers too slowly, a sentence says
that nothing was checked, and the exit code is 0. It is 1 only where a vulnerability is known *and* a version without it
can be had: what nobody has mended yet is listed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from typing import Any


def asked(limit_s: float, python: str) -> tuple[list[dict[str, Any]] | None, str]:
    """Ask pip-audit about the packages of this environment.

    Parameters
    ----------
    limit_s : float
        Seconds after which it is given up.
    python : str
        The Python that has pip-audit.

    Returns
    -------
    list of dict or None
        What it says of each package; None where it could not say anything.
    str
        Why not.
    """
    paths = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    command = [python, "-m", "pip_audit", "--format=json", "--progress-spinner=off", "--timeout=10"]
    try:
        done = subprocess.run(
            [*command, *(f"--path={path}" for path in paths)],
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None, f"no answer within {limit_s:g} s"
    except OSError as error:
        return None, str(error)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        return None, said[-1][:200] if said else "it said nothing"
    if not any("vulns" in package for package in packages):
        return None, "it knows none of the packages"
    return packages, ""


def judged(packages: list[dict[str, Any]]) -> tuple[list[str], bool]:
    """Return a line for each vulnerability, and whether one of them has a remedy."""
    lines, remedy = [], False
    for package in packages:
        for one in package.get("vulns", []):
            mended = ", ".join(one.get("fix_versions", []))
            remedy |= bool(mended)
            lines.append(
                f"{package['name']} {package.get('version', '?')}: {one['id']}, "
                + (f"mended in {mended}" if mended else "not mended yet")
            )
    return lines, remedy


def main() -> int:
    """Ask, tell, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=float, default=120.0, help="seconds (default 120)")
    parser.add_argument("--with", dest="python", default=sys.executable, help="a Python that has pip-audit")
    args = parser.parse_args()
    packages, why_not = asked(args.limit, args.python)
    if packages is None:
        print(f"known vulnerabilities: NOT CHECKED, the database could not be asked ({why_not})")
        return 0
    lines, remedy = judged(packages)
    skipped = sum("skip_reason" in package for package in packages)
    for line in lines:
        print(f"known vulnerability: {line}")
    print(f"{len(packages) - skipped} packages were looked up, {len(lines)} known vulnerabilities, {skipped} not found")
    return 1 if remedy else 0


if __name__ == "__main__":
    sys.exit(main())
