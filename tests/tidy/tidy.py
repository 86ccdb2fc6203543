"""House rules that a machine can check, as an ordinary test: layers, lengths, banned words.

The layer numbers are those of docs/architecture.md; a folder includes only what is above it. Run by ctest as
`tidy`; prints every violation and fails when there is one.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

LAYERS = {
    "base": 0,
    "codec": 1, "net": 1, "process": 1, "telemetry": 1, "cron": 1,
    "model": 2, "config": 2,
    "discovery": 3, "gossip": 3, "raft": 3, "store": 3, "plugin": 3,
    "state": 4, "scheduler": 4, "executor": 4, "processor": 4, "notify": 4, "recover": 4,
    "node": 5, "runner": 6, "rpc": 6, "api": 6,
    "agent": 7,
    "cli": 8,
}
# Folders of one layer that may see each other; the pairs are one-way.
SAME_LAYER = {("process", "net")}

FILE_LINES = 600
LINE_COLUMNS = 100
HEAVY = re.compile(r"#include <(boost/(asio|beast)|grpc|CLI/|rocksdb/|openssl/|curl/|raft|uv)")
BANNED = [
    (re.compile(r"\bco_(await|return|yield)\b"), "coroutines"),
    (re.compile(r"std::regex|#include <regex>"), "std::regex"),
    (re.compile(r"using namespace std;"), "using namespace std"),
    (re.compile(r"(?<![_a-zA-Z])v?fork\(\)"), "fork()"),
    (re.compile(r"\b(TODO|FIXME|XXX)\b"), "a promise instead of code"),
]
# A benchmark lets time pass; nothing else does.
SLEEP = re.compile(r"std::this_thread::sleep|\busleep\(|\bsleep_for\b")
WALL_CLOCK = re.compile(r"system_clock::now\(\)")


def sources_below(*folders):
    """C++ sources, without asking git: the tree may be a plain copy."""
    found = []
    for folder in folders:
        found += sorted(p for p in (ROOT / folder).rglob("*") if p.suffix in (".cpp", ".h"))
    return found


def check_source(path, problems):
    relative = path.relative_to(ROOT)
    lines = path.read_text().splitlines()
    if len(lines) > FILE_LINES:
        problems.append(f"{relative}: {len(lines)} lines, at most {FILE_LINES}")
    for number, line in enumerate(lines, 1):
        where = f"{relative}:{number}"
        is_text = 'R"' in line and relative.name.endswith("_test.cpp")  # Cannot be broken.
        if len(line) > LINE_COLUMNS and not is_text:
            problems.append(f"{where}: {len(line)} columns, at most {LINE_COLUMNS}")
        for pattern, what in BANNED:
            if pattern.search(line):
                problems.append(f"{where}: {what}")
        if SLEEP.search(line) and "bench" not in relative.parts:
            problems.append(f"{where}: sleeping")
        if WALL_CLOCK.search(line) and relative.name != "clock.cpp":
            problems.append(f"{where}: reads the wall clock outside base/clock.cpp")
        if path.suffix == ".h" and HEAVY.search(line) and relative.name not in ("libraft.h",):
            problems.append(f"{where}: a heavy library's header in a header")


def check_layers(path, problems):
    relative = path.relative_to(ROOT)
    if relative.parts[0] != "src" or len(relative.parts) < 3:
        return
    folder = relative.parts[1]
    if folder not in LAYERS:
        problems.append(f"{relative}: the folder has no layer in tests/tidy")
        return
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = re.match(r'#include "([a-z]+)/', line)
        if not match or match.group(1) not in LAYERS or match.group(1) == folder:
            continue
        other = match.group(1)
        if LAYERS[other] < LAYERS[folder] or (folder, other) in SAME_LAYER:
            continue
        problems.append(f"{relative}:{number}: {folder} must not include {other}")


def main():
    problems = []
    sources = sources_below("src", "tests")
    if len(sources) < 20:
        problems.append(f"only {len(sources)} sources found in {ROOT}")
    for path in sources:
        check_source(path, problems)
        check_layers(path, problems)
    for problem in problems:
        print(problem)
    for path in sorted((ROOT / "tests").rglob("*.py")):
        if "time.sleep" in path.read_text() and path.name != "tidy.py":
            problems.append(f"{path.relative_to(ROOT)}: sleeping")
            print(problems[-1])
    print(f"{len(sources)} files, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
