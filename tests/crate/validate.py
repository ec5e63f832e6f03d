"""Validate a crate by roc-validator, without a network: ``make crate``.

The validator has an environment of its own, for it needs other versions than Naga's tests do. The context of RO-Crate
1.1, which it would fetch, is that of `context.json`: the terms that Naga writes, as RO-Crate defines them.
"""

import sys
from pathlib import Path
from typing import Any

import requests
from rocrate_validator import models, services

CONTEXT = Path(__file__).with_name("context.json")


def answer(_: requests.Session, __: str, url: str, **___: Any) -> requests.Response:
    """Answer for the network."""
    found = requests.Response()
    found.url, found.status_code = url, 404
    if url == "https://w3id.org/ro/crate/1.1/context":
        found.status_code, found._content = 200, CONTEXT.read_bytes()
        found.headers["Content-Type"] = "application/ld+json"
    return found


def main(crate: str) -> int:
    """Print what the profile's required and recommended checks find; the required ones must find nothing."""
    requests.Session.request = answer  # type: ignore[assignment,method-assign]
    found = services.validate(
        services.ValidationSettings(
            rocrate_uri=models.URI(crate),
            profile_identifier="process-run-crate",
            requirement_severity=models.Severity.RECOMMENDED,
        )
    )
    for issue in sorted(found.get_issues(), key=lambda issue: issue.severity.name):
        print(f"{issue.severity.name.lower():<12} {issue.check.identifier}  {issue.message}")
    required = [issue for issue in found.get_issues() if issue.severity == models.Severity.REQUIRED]
    print(f"{crate}: {'no' if not required else len(required)} required checks fail")
    return 1 if required else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
