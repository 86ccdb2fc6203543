"""Fail-overs under load: what the ledger says is compared with what the jobs themselves wrote.

Each run appends a line to a file of its own node and instant (`O_EXCL`, so that a second run of the same instant
on the same node is seen). Policy `all`: every due instant must have exactly one run on each node that was asked.
"""

import argparse
import os
import random
import threading
import unittest

from cluster import ClusterTest
from harness import eventually, http, parse_time

ROUNDS = 20
SEED = 0
JOBS = 5

# One file a run: it fails to be made when the run happens twice.
SCRIPT = ('set -C; f="{directory}/$DKRON_JOB_NAME-$DKRON_SCHEDULED_AT-$DKRON_ATTEMPT"; '
          'if ! : > "$f"; then : > "{directory}/DOUBLE-$DKRON_JOB_NAME-$DKRON_SCHEDULED_AT"; fi')


class Writers(threading.Thread):
    """Writes jobs at whatever server answers, and remembers what was acknowledged."""

    def __init__(self, cluster):
        super().__init__(daemon=True)
        self.cluster = cluster
        self.acknowledged = []
        self.stopped = threading.Event()

    def run(self):
        number = 0
        while not self.stopped.is_set():
            number += 1
            name = f"written-{number}"
            body = {"name": name, "schedule": "@manually", "executor": "shell",
                    "executor_config": {"command": "true"}}
            for node in self.cluster.servers:
                if not node.is_running():
                    continue
                try:
                    if http("POST", node.address + "/v1/jobs", body, timeout=15).status == 201:
                        self.acknowledged.append(name)
                        break
                except OSError:
                    pass  # It was killed meanwhile: nothing was acknowledged.
            self.stopped.wait(0.05)


class FailOver(ClusterTest):
    def test_no_instant_is_lost_or_doubled_when_leaders_die(self):
        seed = SEED or random.SystemRandom().randrange(1 << 32)
        print(f"SEED={seed}, {ROUNDS} rounds")
        chance = random.Random(seed)
        cluster = self.cluster_with_worker(servers=3)
        leader = cluster.wait_leader()
        files = cluster.directory / "files"
        files.mkdir()
        command = SCRIPT.format(directory=files)
        for i in range(JOBS):
            leader.set_job(f"tick{i}", schedule="@every 1s", tags={"kind": "worker:1"},
                           executor_config={"command": command, "shell": "true"},
                           missed_runs={"policy": "all", "window": "10m"})
        writers = Writers(cluster)
        writers.start()
        for _ in range(ROUNDS):
            leader = cluster.wait_leader()
            writers.stopped.wait(chance.uniform(0.5, 2.0))  # Any moment is as good as another.
            leader.kill()
            others = [n for n in cluster.servers if n is not leader]
            cluster.wait_leader(among=others)
            leader.start()
        writers.stopped.set()
        writers.join(30)
        leader = cluster.wait_leader()
        self.check(cluster, leader, files, writers.acknowledged)

    def check(self, cluster, leader, files, acknowledged):
        self.assertGreater(len(acknowledged), ROUNDS)
        for name in acknowledged:
            self.assertEqual(leader.call("GET", f"/v1/jobs/{name}?consistent=true").status, 200, name)
        for i in range(JOBS):
            leader.call("POST", f"/v1/jobs/tick{i}/toggle")
        eventually(lambda: not leader.get("/v1/busy"), "all runs end", 30)
        eventually(lambda: all(leader.get(f"/v1/jobs/tick{i}")["status"] != "running" for i in range(JOBS)),
                   "no job is running", 30)
        self.assertEqual([f for f in os.listdir(files) if f.startswith("DOUBLE")], [])
        for i in range(JOBS):
            self.check_ledger(leader, f"tick{i}", files)

    def check_ledger(self, leader, name, files):
        rows = leader.ledger(name)
        launched = [r for r in rows if r["outcome"] in ("launched", "late")]
        others = [r for r in rows if r["outcome"] not in ("launched", "late") and r["reason"] != "disabled"]
        self.assertEqual(others, [], name)
        instants = [r["scheduled_at"] for r in launched]
        self.assertEqual(len(instants), len(set(instants)), "an instant with two outcomes")
        times = sorted(parse_time(i) for i in instants)
        gaps = [(a, b) for a, b in zip(times, times[1:]) if (b - a).total_seconds() > 1.5]
        self.assertEqual(gaps, [], f"{name}: instants without an outcome")
        ran = {f.rsplit("-", 1)[0][len(name) + 1:] for f in os.listdir(files) if f.startswith(name + "-")}
        print(f"{name}: {len(launched)} launched, {sum(r['outcome'] == 'late' for r in launched)} of them late")
        self.assertEqual(len(ran), len(launched), f"{name}: runs that wrote, and launches in the ledger")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments, rest = parser.parse_known_args()
    ROUNDS = arguments.rounds
    SEED = int(os.environ.get("SEED", "0"))
    unittest.main(argv=["test_failover.py", *rest], verbosity=2)
