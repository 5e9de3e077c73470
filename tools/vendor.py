"""Fetches the front end's vendored files with the ordinary npm client, pinned by version and sha512.

    python tools/vendor.py            fetch what vendor.toml names, verify, write, and refresh the lock
    python tools/vendor.py --check    prove that the committed files are the locked ones (offline)

`vendor.toml` says what is wanted and is edited by people; `vendor.lock.toml` holds the hashes and is written here.
A package whose version stands in the lock must still have the locked tarball, or nothing is written.
"""

import argparse
import base64
import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
WANTED = ROOT / "tools" / "vendor.toml"
LOCK = ROOT / "tools" / "vendor.lock.toml"

# Lucide draws with strokes, network logos are filled shapes.
STROKES = 'fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"'
FILLED = 'fill="currentColor"'


class Refused(Exception):
    """The files are not the pinned ones; the text says which."""


def sha512(content: bytes) -> str:
    """The hash in npm's own notation (`sha512-` and base64), so that it can be compared with the registry's."""
    return "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()


def read(path: Path) -> dict[str, Any]:
    """A TOML file as a dict; empty if there is none yet."""
    return tomllib.loads(path.read_text()) if path.is_file() else {}


def pack(spec: str, folder: Path) -> bytes:
    """The package's tarball, fetched by `npm pack`. Raises Refused with npm's own words."""
    run = subprocess.run(["npm", "pack", "--silent", spec], cwd=folder, capture_output=True, text=True, check=False)
    if run.returncode:
        raise Refused(f"npm pack {spec}: {run.stderr.strip()}")
    return (folder / run.stdout.split()[-1]).read_bytes()


def fetch(package: dict[str, Any], locked: dict[str, Any], folder: Path) -> tuple[dict[str, str], Path]:
    """Downloads and unpacks one package. Returns its lock entry and the unpacked folder."""
    tarball = pack(f"{package['npm']}@{package['version']}", folder)
    entry = {"version": package["version"], "integrity": sha512(tarball)}
    if locked.get("version") == entry["version"] and locked != entry:
        raise Refused(f"{package['npm']} {entry['version']} is not the tarball that was locked")
    (folder / "package.tgz").write_bytes(tarball)
    with tarfile.open(folder / "package.tgz") as archive:
        archive.extractall(folder, filter="data")
    return entry, folder / "package"


def symbol(name: str, svg: str, paint: str) -> str:
    """One icon as a sprite symbol."""
    found = re.search(r"<svg[^>]*>(.*)</svg>", svg, re.DOTALL)
    if not found:
        raise Refused(f"icon {name} is not an SVG")
    shapes = re.sub(r"\s*\n\s*", "", re.sub(r"<title>.*?</title>", "", found[1]))
    return f'<symbol id="{name}" viewBox="0 0 24 24" {paint}>{shapes}</symbol>'


def sprite(wanted: dict[str, Any], unpacked: dict[str, Path]) -> bytes:
    """One SVG file with every icon we use; network logos are named `brand-...`."""
    symbols = [
        symbol(name, (unpacked["lucide"] / "icons" / f"{name}.svg").read_text(), STROKES)
        for name in sorted(wanted["lucide"])
    ] + [
        symbol(f"brand-{name}", (unpacked["brands"] / "icons" / f"{name}.svg").read_text(), FILLED)
        for name in sorted(wanted["brand"])
    ]
    return ('<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n").encode()


def collect(wanted: dict[str, Any], lock: dict[str, Any]) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Everything wanted, in memory: lock entries by package, contents by path. Nothing is written yet."""
    entries: dict[str, Any] = {}
    files: dict[str, bytes] = {}
    unpacked: dict[str, Path] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name, package in wanted["packages"].items():
            folder = Path(scratch) / name
            folder.mkdir()
            entries[name], unpacked[name] = fetch(package, lock.get("packages", {}).get(name, {}), folder)
            for source, target in package["files"].items():
                files[target] = (unpacked[name] / source).read_bytes()
        files[wanted["sprite"]["path"]] = sprite(wanted["sprite"], unpacked)
    return entries, files


def write(entries: dict[str, Any], files: dict[str, bytes]) -> None:
    """Writes the files, then the lock that vouches for them."""
    for path, content in files.items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_bytes(content)
    lines = ["# Written by tools/vendor.py; do not edit.", ""]
    for name, entry in sorted(entries.items()):
        lines += [f"[packages.{name}]", *(f'{key} = "{value}"' for key, value in entry.items()), ""]
    lines += ["[files]", *(f'"{path}" = "{sha512(content)}"' for path, content in sorted(files.items())), ""]
    LOCK.write_text("\n".join(lines))


def problems(wanted: dict[str, Any], lock: dict[str, Any]) -> list[str]:
    """What is wrong with the committed files: missing, changed, not locked, or of another version."""
    found = []
    for name, package in wanted["packages"].items():
        if lock.get("packages", {}).get(name, {}).get("version") != package["version"]:
            found.append(f"{name}: version {package['version']} is wanted but not locked")
    targets = {target for package in wanted["packages"].values() for target in package["files"].values()}
    for path in sorted(targets | {wanted["sprite"]["path"]}):
        file = ROOT / path
        if not file.is_file():
            found.append(f"{path}: missing")
        elif lock.get("files", {}).get(path) != sha512(file.read_bytes()):
            found.append(f"{path}: not the locked content")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="verify only, write nothing, no network")
    wanted, lock = read(WANTED), read(LOCK)
    if parser.parse_args().check:
        found = problems(wanted, lock)
        print("\n".join(found) or "vendored files are the locked ones")
        return 1 if found else 0
    try:
        write(*collect(wanted, lock))
    except (Refused, OSError) as error:
        print(f"refused, nothing written: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
