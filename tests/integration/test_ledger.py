"""The launch ledger: each due instant has exactly one outcome, also over a time without server."""

import datetime
import threading
import time
import unittest

from harness import ServerTest, eventually, parse_time


def instants(rows):
    """The whole seconds that the rows of an every-second job cover, each with its outcome."""
    covered = {}
    for row in rows:
        at = parse_time(row["scheduled_at"])
        end = parse_time(row["until"])
        count = 0
        while at <= end:
            if at in covered:
                raise AssertionError(f"{at} is covered twice")
            covered[at] = row["outcome"]
            at += datetime.timedelta(seconds=1)
            count += 1
        if count != row["count"]:
            raise AssertionError(f"count {row['count']} of {row} is wrong")
    return covered


class Ledger(ServerTest):
    def check_gapless(self, covered):
        times = sorted(covered)
        for a, b in zip(times, times[1:]):
            self.assertEqual(b - a, datetime.timedelta(seconds=1), "an instant has no outcome")

    def down_for(self, server, duration_s):
        server.kill()
        threading.Event().wait(duration_s)  # The time without server is what the test is about.
        server.start()

    def test_launches_are_recorded_and_explained(self):
        s = self.server().start()
        s.set_job("tick", schedule="* * * * * *")
        s.wait_finished("tick", 2)
        rows = s.ledger("tick")
        self.assertEqual(rows[-1]["outcome"], "launched")
        self.assertEqual(rows[0]["count"], 1)
        self.check_gapless(instants(rows))
        answer = s.get("/v1/jobs/tick/explain?at=" + rows[-1]["scheduled_at"])
        self.assertEqual(answer["outcome"], "launched")
        self.assertIn("launched as run", answer["text"])
        self.assertEqual(s.call("GET", "/v1/jobs/tick/explain?at=yesterday").status, 400)
        groups = {str(e["group"]) for e in s.executions("tick")}
        self.assertIn(rows[-1]["group"], groups)

    def test_policy_all_runs_every_missed_instant(self):
        s = self.server().start()
        s.set_job("all", schedule="* * * * * *", missed_runs={"policy": "all", "window": "60s"})
        s.wait_finished("all", 1)
        self.down_for(s, 3.0)
        eventually(lambda: len(s.ledger("all")) >= 7, "the backlog is launched")
        s.call("POST", "/v1/jobs/all/toggle?disabled=true")
        covered = instants(s.ledger("all"))
        self.check_gapless(covered)
        self.assertLessEqual(set(covered.values()), {"launched", "late"})
        s.wait_finished("all", len(covered))
        self.assertEqual(len(s.executions("all")), len(covered))

    def test_policy_latest_runs_once_and_records_the_rest(self):
        s = self.server().start()
        s.set_job("latest", schedule="* * * * * *")
        s.wait_finished("latest", 1)
        self.down_for(s, 3.0)
        eventually(lambda: any(r["outcome"] == "missed" for r in s.ledger("latest")), "a miss is recorded")
        s.call("POST", "/v1/jobs/latest/toggle?disabled=true")
        rows = s.ledger("latest")
        self.check_gapless(instants(rows))
        missed = [r for r in rows if r["outcome"] == "missed"]
        self.assertEqual({r["reason"] for r in missed}, {"superseded"})
        answer = s.get("/v1/jobs/latest/explain?at=" + missed[0]["scheduled_at"])
        self.assertEqual(answer["outcome"], "missed")
        self.assertIn("latest only", answer["text"])

    def test_policy_skip_runs_none_of_them(self):
        s = self.server().start()
        s.set_job("skip", schedule="* * * * * *", missed_runs={"policy": "skip"})
        s.wait_finished("skip", 1)
        self.down_for(s, 7.0)
        eventually(lambda: any(r["outcome"] == "missed" for r in s.ledger("skip")), "a miss is recorded")
        s.call("POST", "/v1/jobs/skip/toggle?disabled=true")
        rows = s.ledger("skip")
        self.check_gapless(instants(rows))
        self.assertIn("policy skip", {r["reason"] for r in rows})
        self.assertNotIn("late", {r["outcome"] for r in rows})

    def test_forbid_skips_while_a_run_is_under_way(self):
        s = self.server().start()
        s.set_job("forbid", "sleep 2.5", schedule="* * * * * *", concurrency="forbid")
        rows = eventually(lambda: any(r["outcome"] == "skipped" for r in s.ledger("forbid")) and s.ledger("forbid"),
                          "a skip is recorded")
        skipped = [r for r in rows if r["outcome"] == "skipped"][0]
        self.assertEqual(skipped["reason"], "concurrency")
        launched = {r["group"] for r in rows if r["outcome"] == "launched"}
        self.assertIn(skipped["blocked_by"], launched)
        s.call("POST", "/v1/jobs/forbid/toggle?disabled=true")
        s.wait_finished("forbid", 1)

    def test_windows_of_starts_at_and_expires_at_hold(self):
        s = self.server().start()
        now = datetime.datetime.now(datetime.timezone.utc)
        starts = (now + datetime.timedelta(seconds=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
        ends = (now + datetime.timedelta(seconds=4)).strftime("%Y-%m-%dT%H:%M:%SZ")
        s.set_job("window", schedule="* * * * * *", starts_at=starts, expires_at=ends)
        eventually(lambda: any(r["reason"] == "expired" for r in s.ledger("window")), "the end is recorded")
        launched = [parse_time(r["scheduled_at"]) for r in s.ledger("window") if r["outcome"] == "launched"]
        self.assertGreaterEqual(min(launched), parse_time(starts))
        self.assertLessEqual(max(launched), parse_time(ends))

    def test_a_schedule_without_target_leaves_a_failed_record(self):
        s = self.server().start()
        s.set_job("homeless", schedule="* * * * * *", tags={"rack": "7"})
        execution = s.wait_finished("homeless", 1)[0]
        self.assertFalse(execution["success"])
        self.assertIn("no target nodes found to run job homeless", execution["output"])
        self.assertEqual(s.ledger("homeless")[-1]["reason"], "no target")
        self.assertGreaterEqual(s.get("/v1/jobs/homeless")["error_count"], 1)

    def test_the_phase_of_every_survives_a_restart(self):
        s = self.server().start()
        s.set_job("phase", schedule="@every 2s")
        first = parse_time(eventually(lambda: s.ledger("phase"), "a first launch")[-1]["scheduled_at"])
        s.kill()
        s.start()
        eventually(lambda: len(s.ledger("phase")) >= 3, "launches after the restart")
        for row in s.ledger("phase"):
            offset = (parse_time(row["scheduled_at"]) - first).total_seconds()
            self.assertEqual(offset % 2, 0)

    def test_the_phase_of_every_survives_an_edit(self):
        s = self.server().start()
        s.set_job("tick", schedule="@every 1s")
        s.set_job("edited", schedule="@every 3s")
        first = parse_time(eventually(lambda: s.ledger("edited"), "a first launch")[-1]["scheduled_at"])
        eventually(lambda: (parse_time(s.ledger("tick")[0]["scheduled_at"]) - first).total_seconds() >= 1,
                   "the next second")
        s.set_job("edited", schedule="@every 3s", timezone="Europe/Berlin")
        eventually(lambda: len(s.ledger("edited")) >= 2, "a launch after the edit")
        for row in s.ledger("edited"):
            offset = (parse_time(row["scheduled_at"]) - first).total_seconds()
            self.assertEqual(offset % 3, 0)

    def test_a_run_at_an_instant_happens_once(self):
        s = self.server().start()
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))
        s.set_job("at", schedule=f"@at {at}")
        s.wait_finished("at", 1)
        s.kill()
        s.start()
        self.assertEqual(len(s.ledger("at")), 1)
        self.assertEqual(s.get("/v1/jobs/at")["next"], "0001-01-01T00:00:00Z")


if __name__ == "__main__":
    unittest.main()
