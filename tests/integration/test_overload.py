"""More runs than the node can execute: the server answers, sheds by the policy, says so, and recovers.

The runs are requests to a server of this test that keeps them all waiting, so the overload does not depend on the
speed of the machine: 800 runs become due each second and none ends, until more wait than may wait.
"""

import concurrent.futures
import datetime
import http.server
import threading
import time
import unittest

from harness import ServerTest, eventually, parse_time

JOBS = 800
SAMPLE = [f"load{i:03}" for i in range(0, JOBS, 40)]
WAITING_LIMIT = 4096  # runner::Launcher::kWaitingLimit
ANSWER_LIMIT_S = 5.0  # Of any request meanwhile, on a busy machine.


class Gate:
    """An HTTP server whose answers wait until it is opened."""

    def __init__(self):
        self.is_open = threading.Event()
        gate = self.is_open

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                gate.wait(60)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}/"

    def close(self):
        if self.is_open.is_set():
            return
        self.is_open.set()
        self.server.shutdown()
        self.server.server_close()


class Overload(ServerTest):
    def setUp(self):
        self.gate = Gate()
        self.addCleanup(self.gate.close)
        self.pool = concurrent.futures.ThreadPoolExecutor(4)
        self.addCleanup(self.pool.shutdown)

    def for_all_jobs(self, ask):
        answers = list(self.pool.map(ask, [f"load{i:03}" for i in range(JOBS)]))
        self.assertEqual({a.status for a in answers} - {200, 201}, set())

    def metric(self, s, name):
        for line in s.call("GET", "/metrics").text.splitlines():
            if line.startswith(name + " "):
                return float(line.rsplit(" ", 1)[1])
        self.fail(f"no metric {name}")

    def is_behind(self, s, name):
        now = datetime.datetime.now(datetime.timezone.utc)
        return now - parse_time(s.get(f"/v1/jobs/{name}")["next"]) > datetime.timedelta(seconds=2)

    def check_answers(self, s):
        began = time.monotonic()
        s.get("/v1/jobs?_start=0&_end=50")
        s.set_job("written", displayname=str(began))
        self.assertEqual(s.get("/v1/jobs/written")["displayname"], str(began))
        self.assertEqual(s.call("GET", "/health").status, 200)
        self.assertLess(time.monotonic() - began, 4 * ANSWER_LIMIT_S)

    def test_sheds_by_the_policy_tells_of_it_and_recovers(self):
        s = self.server(arguments=["--enable-prometheus"]).start()
        self.for_all_jobs(lambda name: s.call("POST", "/v1/jobs", {
            "name": name, "schedule": "@every 1s", "executor": "http",
            "executor_config": {"method": "GET", "url": self.gate.url, "timeout": "60"}}))

        s.wait_log("too many runs wait for their process, instants are held back", deadline_s=30)
        # Everything is held back now; each job gets instants that it cannot run.
        eventually(lambda: self.metric(s, "dkron_jobs_held_back") == JOBS, "all jobs are held back")
        eventually(lambda: all(self.is_behind(s, name) for name in SAMPLE), "several instants of each job are due")
        self.check_answers(s)
        waiting = self.metric(s, "dkron_runs_waiting")
        self.assertGreaterEqual(waiting, WAITING_LIMIT - 100)
        self.assertLessEqual(waiting, WAITING_LIMIT)

        self.gate.close()  # From now on each run ends at once: nobody takes its request.
        shed = 'dkron_instants_without_run_total{reason="overload"}'
        s.wait_log("no more instants are held back", deadline_s=30)
        self.assertGreaterEqual(self.metric(s, shed), JOBS)
        self.for_all_jobs(lambda name: s.call("POST", f"/v1/jobs/{name}/toggle?disabled=true"))
        self.check_answers(s)
        eventually(lambda: self.metric(s, "dkron_runs_waiting") == 0 and self.metric(s, "dkron_jobs_held_back") == 0,
                   "what waited has run", deadline_s=30)

        self.check_ledgers(s)
        s.set_job("fresh", schedule="@every 1s")
        s.wait_finished("fresh", 2)
        newest = s.ledger("fresh")[0]
        self.assertEqual(newest["outcome"], "launched", "in time, not late")

    def check_ledgers(self, s):
        for name in SAMPLE:
            rows = sorted(s.ledger(name), key=lambda row: row["scheduled_at"])
            for row, following in zip(rows, rows[1:]):
                gap = parse_time(following["scheduled_at"]) - parse_time(row["until"])
                self.assertEqual(gap, datetime.timedelta(seconds=1), f"{row} is followed by {following}")
            reasons = {row["reason"] for row in rows if row["outcome"] == "missed"}
            self.assertLessEqual(reasons, {"overload", "superseded", "edited"})
            self.assertIn("overload", reasons, f"the ledger of {name} does not tell of the overload")
            self.assertIn("launched", {row["outcome"] for row in rows})


if __name__ == "__main__":
    unittest.main()
