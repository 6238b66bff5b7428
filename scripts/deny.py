#!/usr/bin/env python3
"""Checks the dependencies against deny.toml where cargo-deny is not installed.

It reads what `cargo metadata` says of the packages that are built and checks the same three things as
`cargo deny check licenses bans sources`: licences, banned crates and duplicate versions, and where crates come from.
It knows the keys that deny.toml uses and refuses others, so that no rule is written down and then not applied.
"""

import json
import pathlib
import re
import subprocess
import sys
import tomllib
from collections import defaultdict

ROOT = pathlib.Path(__file__).resolve().parent.parent
KNOWN = {
    "licenses": {"allow"},
    "bans": {"multiple-versions", "deny", "skip"},
    "sources": {"unknown-registry", "unknown-git"},
}
TOKEN = re.compile(r"\(|\)|[A-Za-z0-9.+-]+(?:\s+WITH\s+[A-Za-z0-9.+-]+)?")


def rules() -> dict:
    """deny.toml, with every table and key one that is applied below."""
    told = tomllib.loads((ROOT / "deny.toml").read_text(encoding="utf-8"))
    for table, keys in told.items():
        unknown = set(keys) - KNOWN.get(table, set())
        if table not in KNOWN or unknown:
            sys.exit(f"deny: deny.toml says [{table}] {sorted(unknown)}, which scripts/deny.py does not check")
    return told


def cargo(*words: str) -> str:
    return subprocess.run(["cargo", *words, "--locked"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def packages() -> list[dict]:
    """Every package that some platform builds; Cargo.lock also names some that only switched-off features want."""
    tree = cargo("tree", "--workspace", "--target=all", "--edges=normal,build,dev", "--prefix=none", "--format={p}")
    built = {tuple(line.split()[:2]) for line in tree.splitlines() if line}  # "serde v1.0.229 (proc-macro)"
    listed = json.loads(cargo("metadata", "--format-version=1"))["packages"]
    return [package for package in listed if (package["name"], f"v{package['version']}") in built]


def permits(expression: str, allowed: set[str]) -> bool:
    """Whether an SPDX expression can be met with the allowed licences alone. AND binds tighter than OR."""
    tokens = TOKEN.findall(expression.replace("/", " OR "))
    position = 0

    def peek() -> str | None:
        return tokens[position] if position < len(tokens) else None

    def take() -> str:
        nonlocal position
        position += 1
        return tokens[position - 1]

    def either() -> bool:
        met = both()
        while peek() == "OR":
            take()
            met = both() or met
        return met

    def both() -> bool:
        met = one()
        while peek() == "AND":
            take()
            met = one() and met
        return met

    def one() -> bool:
        if peek() is None:
            raise ValueError(f"cannot read the licence {expression!r}")
        token = take()
        if token != "(":
            return " ".join(token.split()) in allowed
        met = either()
        if peek() != ")":
            raise ValueError(f"cannot read the licence {expression!r}")
        take()
        return met

    met = either()
    if peek() is not None:
        raise ValueError(f"cannot read the licence {expression!r}")
    return met


def licence_faults(found: list[dict], allowed: set[str]) -> list[str]:
    faults = []
    for package in found:
        expression = package["license"]
        if not expression:
            faults.append(f"{package['name']} {package['version']} names no licence")
        elif not permits(expression, allowed):
            faults.append(f"{package['name']} {package['version']} is under {expression}, which is not allowed")
    return faults


def banned(found: list[dict], bans: dict) -> list[str]:
    reasons = {ban["crate"]: ban["reason"] for ban in bans.get("deny", [])}
    return [f"{p['name']} {p['version']} is banned: {reasons[p['name']]}" for p in found if p["name"] in reasons]


def duplicates(found: list[dict], bans: dict) -> list[str]:
    """Crates in several versions, without those that deny.toml explains."""
    skipped = {entry["crate"] for entry in bans.get("skip", [])}
    versions = defaultdict(list)
    for package in found:
        if f"{package['name']}@{package['version']}" not in skipped:
            versions[package["name"]].append(package["version"])
    return [f"{name} is there in {len(of)} versions: {', '.join(of)}" for name, of in versions.items() if len(of) > 1]


def stale_skips(found: list[dict], bans: dict) -> list[str]:
    present = {f"{package['name']}@{package['version']}" for package in found}
    return [
        f"deny.toml skips {entry['crate']}, which is no longer there: remove the line"
        for entry in bans.get("skip", [])
        if entry["crate"] not in present
    ]


def foreign(found: list[dict]) -> list[str]:
    """Crates that come from neither this repository nor crates.io."""
    return [
        f"{package['name']} {package['version']} comes from {package['source']}"
        for package in found
        if package["source"] and not re.fullmatch(r"registry\+\S*/crates\.io-index", package["source"])
    ]


def main() -> int:
    told, found = rules(), packages()
    bans = told.get("bans", {})
    faults = licence_faults(found, set(told["licenses"]["allow"])) + banned(found, bans) + foreign(found)
    warnings = stale_skips(found, bans)
    (faults if bans.get("multiple-versions") == "deny" else warnings).extend(duplicates(found, bans))
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    print(f"deny: {len(found)} packages, {len(faults)} errors, {len(warnings)} warnings")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
