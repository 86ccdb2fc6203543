"""SIGKILL at random moments under load; nothing acknowledged may be lost, nothing due may lack its outcome.

Each round a server is killed while clients write and every-second jobs run, then started again on the same
data. Behind the last round:
  - every acknowledged write is there, in its last acknowledged form;
  - every due instant of each job has exactly one outcome, and with policy `all` a run;
  - no run happened twice: each leaves a file of its own, created exclusively, and says so when it exists;
  - no run is left open.
`--rounds N`; the seed is printed, SEED=n runs the same kills again.
"""

import datetime
import os
import random
import sys
import threading
import time
import urllib.error

from harness import Server, eventually, parse_time

TICKING_JOBS = 8
WRITERS = 2
LONGEST_LIFE_S = 0.7


class Writer(threading.Thread):
    """Writes jobs one after the other and remembers what was acknowledged."""

    def __init__(self, server, number):
        super().__init__(daemon=True)
        self.server = server
        self.number = number
        self.acknowledged = {}   # name -> displayname of the last acknowledged write
        self.unknown = {}        # name -> displaynames of writes behind it that got no answer
        self.count = 0
        self.running = threading.Event()
        self.idle = threading.Event()
        self.ended = False

    def run(self):
        while not self.ended:
            if not self.running.wait(0.1):
                self.idle.set()
                continue
            self.idle.clear()
            self.write_one()
            if not self.running.is_set():
                self.idle.set()

    def write_one(self):
        self.count += 1
        name = f"w{self.number}-{self.count % 40}"
        text = f"version {self.count}"
        self.unknown.setdefault(name, []).append(text)
        try:
            answer = self.server.call("POST", "/v1/jobs", {"name": name, "schedule": "@manually", "displayname": text,
                                                           "executor": "shell", "executor_config": {"command": "true"}},
                                      timeout=5)
        except (OSError, urllib.error.URLError, ConnectionError):
            self.running.clear()
            return
        if answer.status == 201:
            self.acknowledged[name] = text
            self.unknown[name] = []


def define_ticking_jobs(server, marks):
    for i in range(TICKING_JOBS):
        policy = "all" if i % 2 == 0 else "latest"
        # The file is made exclusively: a second process of the same run is seen at once.
        script = (f'set -C; f={marks}/$DKRON_JOB_NAME.$DKRON_SCHEDULED_AT; : > "$f" || '
                  f'{{ echo "$f" >> {marks}/twice; exit 1; }}')
        server.set_job(f"tick{i}", schedule="* * * * * *", missed_runs={"policy": policy, "window": "1h"},
                       keep_executions=10000, executor_config={"command": script, "shell": "true"})


def check_writes(server, writers):
    for writer in writers:
        assert writer.acknowledged, "no write was acknowledged"
        for name, text in writer.acknowledged.items():
            stored = server.get(f"/v1/jobs/{name}")["displayname"]
            assert stored == text or stored in writer.unknown[name], f"{name}: {stored!r} is not {text!r}"


def check_ledger(server, name, policy):
    covered = {}
    launched = 0
    for row in server.get(f"/v1/jobs/{name}/ledger?_start=0&_end=100000"):
        at, end = parse_time(row["scheduled_at"]), parse_time(row["until"])
        launched += row["outcome"] in ("launched", "late")
        while at <= end:
            assert at not in covered, f"{name}: {at} has two outcomes"
            covered[at] = row["outcome"]
            at += datetime.timedelta(seconds=1)
    times = sorted(covered)
    for a, b in zip(times, times[1:]):
        assert b - a == datetime.timedelta(seconds=1), f"{name}: nothing is recorded between {a} and {b}"
    if policy == "all":
        assert launched == len(times), f"{name}: {launched} launches for {len(times)} instants"
    return launched, len(times)


def check_misses(server):
    rows = [r for i in range(1, TICKING_JOBS, 2) for r in server.get(f"/v1/jobs/tick{i}/ledger?_start=0&_end=100000")]
    assert any(r["outcome"] == "missed" for r in rows), "policy latest: no miss was recorded"


def check_runs(server, marks, name, launched):
    executions = eventually(lambda: len(f := server.finished(name)) >= launched and f,
                            f"{launched} finished executions of {name}", 60)
    assert len(executions) == launched, f"{name}: {len(executions)} executions for {launched} launches"
    assert len({e["scheduled_at"] for e in executions}) == launched, f"{name}: an instant ran twice"
    files = len(list(marks.glob(f"{name}.*")))
    succeeded = sum(e["success"] for e in executions)
    lost = sum(bool(e.get("lost")) for e in executions)
    # A lost run may or may not have come to the point where it leaves its file.
    assert succeeded <= files <= succeeded + lost, f"{name}: {files} files, {succeeded} succeeded, {lost} lost"
    assert succeeded + lost == launched, f"{name}: a run failed"
    return lost


def main():
    rounds = int(sys.argv[sys.argv.index("--rounds") + 1]) if "--rounds" in sys.argv else 100
    seed = int(os.environ.get("SEED", time.time_ns() % 1_000_000))
    print(f"seed {seed}, {rounds} rounds", flush=True)
    chance = random.Random(seed)
    server = Server()
    marks = server.directory / "marks"
    marks.mkdir()
    try:
        server.start()
        define_ticking_jobs(server, marks)
        writers = [Writer(server, i) for i in range(WRITERS)]
        for writer in writers:
            writer.start()
        for number in range(rounds):
            for writer in writers:
                writer.running.set()
            threading.Event().wait(chance.uniform(0, LONGEST_LIFE_S))
            server.kill()
            for writer in writers:
                writer.running.clear()
                writer.idle.wait(10)
            if number == rounds // 2:
                # Long enough without server for policy `latest` to have something to leave out.
                threading.Event().wait(2.5)
            server.start()
        for i in range(TICKING_JOBS):
            server.call("POST", f"/v1/jobs/tick{i}/toggle?disabled=true")
        check_writes(server, writers)
        total, lost = 0, 0
        for i in range(TICKING_JOBS):
            launched, _ = check_ledger(server, f"tick{i}", "all" if i % 2 == 0 else "latest")
            lost += check_runs(server, marks, f"tick{i}", launched)
            total += launched
        check_misses(server)
        # A run is lost when its server dies under it, never otherwise: at most one for each job and kill.
        assert lost <= rounds * TICKING_JOBS, f"{lost} lost runs"
        assert not (marks / "twice").exists(), "ran twice: " + (marks / "twice").read_text()
        eventually(lambda: server.get("/v1/busy") == [], "no run is open")
        writes = sum(w.count for w in writers)
        print(f"{rounds} kills, {writes} writes, {total} runs, {lost} of them lost with their server: all accounted for")
        for writer in writers:
            writer.ended = True
        assert server.stop() == 0
    except BaseException:
        print(server.log())
        raise
    finally:
        server.close()


if __name__ == "__main__":
    main()
