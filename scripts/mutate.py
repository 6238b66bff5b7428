#!/usr/bin/env python3
"""Breaks the refresh engine on purpose, in every way that crates/evergrant/tests/mutations.toml names, and demands that the
simulation notices each.

All mutations go into one copy of the sources, each behind a switch that is read when the program starts: one build, many mutants.
The sources themselves know nothing of it. With every switch off the copy must pass.

    python3 scripts/mutate.py            # all of them, each until a seed breaks a promise, of SEEDS (4000)
    python3 scripts/mutate.py NAME...    # these
"""

import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
COPY = TARGET / "mutants"
LIST = ROOT / "crates/evergrant/tests/mutations.toml"
SEEDS = int(os.environ.get("SEEDS", "4000"))
SOUND_SEEDS = 40
LEAST = 10
PATIENCE = 900

SWITCH = """//! Which mutation is on.

use std::sync::OnceLock;

/// Whether it is this one.
pub fn on(name: &str) -> bool {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| std::env::var("EVERGRANT_MUTANT").unwrap_or_default()) == name
}
"""


def fail(why):
    print(f"mutants: {why}", file=sys.stderr)
    sys.exit(1)


def sources():
    """What belongs to the repository, committed or not."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=False
    )
    if listed.returncode == 0:
        names = listed.stdout.decode().split("\0")
        return sorted({name for name in names if name and (ROOT / name).is_file()})
    left_out = {"target", "node_modules", ".git", ".test"}
    found = []
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in left_out]
        found += [str(pathlib.Path(folder, name).relative_to(ROOT)) for name in files]
    return sorted(found)


def region(text, edit, name):
    """Where the edit may be: the file, or the item that begins with `within`."""
    within = edit.get("within")
    if within is None:
        return 0, len(text)
    if text.count(within) != 1:
        fail(f"{name}: `{within}` is there {text.count(within)} times in {edit['file']}")
    start = text.index(within)
    end = re.compile(r"^\}$", re.MULTILINE).search(text, start)
    return start, end.end() if end else len(text)


def switched(name, old, new):
    """Both, and the switch between them."""
    both = f'if crate::mutants::on("{name}") {{ {new} }} else {{ {old} }}'
    return both if old.rstrip().endswith((";", "}")) else f"{{ {both} }}"


def mutated(mutations):
    """The files that are changed, by their names, with all mutations in them."""
    places = {}
    for mutation in mutations:
        for edit in mutation["edit"]:
            text = (ROOT / edit["file"]).read_text()
            start, end = region(text, edit, mutation["name"])
            found = text.count(edit["old"], start, end)
            if found != 1:
                fail(f"{mutation['name']}: what it changes is there {found} times in {edit['file']}:\n{edit['old']}")
            at = text.index(edit["old"], start, end)
            places.setdefault(edit["file"], {}).setdefault((at, at + len(edit["old"])), []).append((mutation["name"], edit))
    changed = {}
    for file, edits in places.items():
        text = (ROOT / file).read_text()
        last = len(text)
        for (start, end), several in sorted(edits.items(), reverse=True):
            if end > last:
                fail(f"{several[0][0]}: overlaps another mutation in {file}")
            last = start
            put = text[start:end]
            for name, edit in several:
                put = switched(name, put, edit["new"])
            text = text[:start] + put + text[end:]
        changed[file] = text
    return changed


def write(path, content):
    """Leaves alone what is so already: the compiler looks at the times of files."""
    if path.is_file() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def copy(mutations):
    changed = {name: text.encode() for name, text in mutated(mutations).items()}
    library = "crates/evergrant/src/lib.rs"
    # Another version, so that the compiler's files of the copy stand beside those of the original.
    manifest = (ROOT / "Cargo.toml").read_text()
    changed["Cargo.toml"] = re.sub(r'^(version = ")[^"]*', r"\g<1>0.1.0-mutants", manifest, count=1, flags=re.MULTILINE).encode()
    lock = (ROOT / "Cargo.lock").read_text()
    changed["Cargo.lock"] = re.sub(r'(name = "evergrant(?:-oauth)?"\nversion = ")[^"]*', r"\g<1>0.1.0-mutants", lock).encode()
    changed[library] = b"#![allow(unused_braces)]\n" + (ROOT / library).read_bytes() + b"\n#[allow(missing_docs)]\npub mod mutants;\n"
    changed["crates/evergrant/src/mutants.rs"] = SWITCH.encode()
    # The program itself is not needed.
    names = [name for name in sources() if name != "crates/evergrant/src/main.rs"]
    for name in names:
        write(COPY / name, changed.pop(name, None) or (ROOT / name).read_bytes())
    for name, content in changed.items():
        write(COPY / name, content)
    kept = set(names) | {"crates/evergrant/src/mutants.rs"}
    for path in COPY.rglob("*"):
        if path.is_file() and str(path.relative_to(COPY)) not in kept:
            path.unlink()


def build():
    """The simulation's binary."""
    command = ["cargo", "test", "--locked", "--workspace", "--test", "sim", "--no-run", "--message-format=json-render-diagnostics"]
    environment = os.environ | {"CARGO_TARGET_DIR": str(TARGET)}
    done = subprocess.run(command, cwd=COPY, env=environment, stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        fail("the copy does not compile: an edit of mutations.toml is no Rust where it stands")
    messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith(b"{")]
    return next(one["executable"] for one in messages if one.get("executable") and one["target"]["name"] == "sim")


def simulate(binary, mutant, first, seeds):
    """Whether no seed from the first on breaks a promise, and what the first one that does says."""
    environment = os.environ | {
        "EVERGRANT_MUTANT": mutant,
        "EVERGRANT_SIM_FIRST": str(first),
        "EVERGRANT_SIM_SEEDS": str(seeds),
        "EVERGRANT_SIM_FAILURES": "1",
        "RUST_BACKTRACE": "0",
    }
    command = [binary, "more_seeds", "--exact", "--ignored"]
    began = time.monotonic()
    try:
        done = subprocess.run(
            command, cwd=COPY / "crates/evergrant", env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        return True, f"not noticed in {PATIENCE} s", time.monotonic() - began
    took = time.monotonic() - began
    said = re.search(r"^seed (\d+): .*$", done.stdout + done.stderr, re.MULTILINE)
    if done.returncode == 0 or not said:
        return True, "" if done.returncode == 0 else (done.stdout + done.stderr)[-300:], took
    # What the sound engine does not survive either has caught nobody.
    if mutant and not simulate(binary, "", int(said.group(1)), 1)[0]:
        fail(f"the copy fails with no mutation on: {said.group(0)}")
    return False, said.group(0), took


def main():
    mutations = tomllib.loads(LIST.read_text())["mutation"]
    if len(mutations) < LEAST or len({one["name"] for one in mutations}) != len(mutations):
        fail(f"{LEAST} mutations at least, each with a name of its own")
    copy(mutations)
    binary = build()
    sound, said, _ = simulate(binary, "", 0, SOUND_SEEDS)
    if not sound:
        fail(f"the copy fails with no mutation on: {said}")
    wanted = [one for one in mutations if not sys.argv[1:] or one["name"] in sys.argv[1:]]
    survived = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = {one["name"]: pool.submit(simulate, binary, one["name"], one.get("first", 0), SEEDS) for one in wanted}
        for mutation in wanted:
            survives, said, took = runs[mutation["name"]].result()
            print(f"{'SURVIVED' if survives else 'caught':9} {mutation['name']:32} {took:5.1f}s  {said}", flush=True)
            if survives:
                survived.append(mutation)
    for mutation in survived:
        print(f"mutants: {mutation['name']} survived {SEEDS} seeds: {mutation['why']}", file=sys.stderr)
    print(f"mutants: {len(wanted) - len(survived)} of {len(wanted)} caught")
    sys.exit(1 if survived else 0)


if __name__ == "__main__":
    main()
