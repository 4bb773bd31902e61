#!/usr/bin/env python3
"""Checks what `cargo deny check licenses bans sources` checks, by deny.toml, without building cargo-deny.

Licences, registries, denied crates and wildcard versions of all dependencies in Cargo.lock. Advisories need a
database from the network: `cargo deny check advisories` before a release. Prints each mistake; exits 1 if there is
one.
"""

import json
import pathlib
import re
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent


def is_allowed(expression: str, allowed: set[str]) -> bool:
    """Evaluates an SPDX expression: names joined by OR (or `/`), AND and WITH, with parentheses."""
    words = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))

    def either() -> bool:
        value = both()
        while words and words[0] == "OR":
            words.pop(0)
            value = both() or value
        return value

    def both() -> bool:
        value = one()
        while words and words[0] == "AND":
            words.pop(0)
            value = one() and value
        return value

    def one() -> bool:
        word = words.pop(0)
        if word == "(":
            value = either()
            words.pop(0)
            return value
        if words and words[0] == "WITH":
            words.pop(0)
            word = f"{word} WITH {words.pop(0)}"
        return word in allowed

    return either()


def mistakes(packages: list[dict], rules: dict) -> list[str]:
    """Returns what deny.toml forbids of these packages of `cargo metadata`."""
    allowed = set(rules["licenses"]["allow"])
    denied = {rule["crate"]: rule["reason"] for rule in rules["bans"]["deny"]}
    registry = next(package["source"] for package in packages if package["name"] == "serde")
    found = []
    for package in packages:
        name = f"{package['name']} {package['version']}"
        if not is_allowed(package["license"] or "none", allowed):
            found.append(f"{name}: licence {package['license']} is not allowed")
        if package["source"] not in (None, registry):
            found.append(f"{name}: comes from {package['source']}")
        if package["name"] in denied:
            found.append(f"{name}: denied, because {denied[package['name']]}")
        if package["source"] is None:
            wild = [d["name"] for d in package["dependencies"] if d["req"] == "*" and not d.get("path")]
            found += [f"{name}: no version is required of {dependency}" for dependency in wild]
    return found


def planted(packages: list[dict], rules: dict) -> None:
    """Fails unless a mistake of each kind is found."""
    serde = next(package for package in packages if package["name"] == "serde")
    own = next(package for package in packages if package["source"] is None)
    changes = [
        {"license": "GPL-3.0"},
        {"license": "MIT AND GPL-3.0"},
        {"license": None},
        {"source": "git+https://example.com/x"},
        {"name": "aws-config"},
        {"dependencies": [{"name": "x", "req": "*"}]},
    ]
    for change in changes:
        if not mistakes([serde, {**own, **change}], rules):
            sys.exit(f"{change} is not found")
    if mistakes([serde, {**own, "license": "GPL-3.0 OR (MIT AND Apache-2.0)"}], rules):
        sys.exit("an allowed choice of licences is not accepted")


def main() -> None:
    metadata = ["cargo", "metadata", "--format-version", "1", "--locked"]
    packages = json.loads(subprocess.run(metadata, cwd=ROOT, check=True, capture_output=True).stdout)["packages"]
    rules = tomllib.loads((ROOT / "deny.toml").read_text())
    found = mistakes(packages, rules)
    if not found:
        planted(packages, rules)
    print("\n".join(found) or f"{len(packages)} packages: licences and sources are as deny.toml wants them")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
