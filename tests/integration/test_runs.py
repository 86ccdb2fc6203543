"""Runs: results, output, retries, dependents, concurrency, and what a crash leaves behind."""

import os
import pathlib
import signal
import unittest

from harness import ZERO_TIME, Server, ServerTest, eventually


def is_alive(pid):
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


class Runs(ServerTest):
    @classmethod
    def setUpClass(cls):
        cls.shared = Server().start()
        cls.addClassCleanup(cls.shared.close)

    def test_a_run_records_what_it_printed(self):
        s = self.shared
        s.set_job("out1", "echo hello; echo oops >&2", executor_config={"command": "echo hello; echo oops >&2",
                                                                        "shell": "true"})
        job = s.run("out1")
        self.assertEqual(job["status"], "success")
        self.assertEqual(job["success_count"], 1)
        execution = s.executions("out1")[0]
        self.assertEqual(sorted(execution["output"].split()), ["hello", "oops"])
        self.assertTrue(execution["success"])
        self.assertEqual(execution["node_name"], "node1")
        self.assertEqual(s.get(f"/v1/jobs/out1/executions/{execution['id']}")["output"], execution["output"])

    def test_a_failed_run_says_why(self):
        s = self.shared
        cases = {
            "fail1": ({"command": "false"}, "exit status 1"),
            "fail2": ({"command": "no-such-program"}, "executable file not found in $PATH"),
            "fail3": ({"command": "true", "cwd": "/no/such/directory"}, "no such file or directory"),
        }
        for name, (config, text) in cases.items():
            s.set_job(name, executor_config=config)
            self.assertEqual(s.run(name)["status"], "failed")
            execution = s.executions(name)[0]
            self.assertFalse(execution["success"])
            self.assertIn(text, execution["output"])

    def test_parts_that_are_not_there_are_warned_of_and_named_by_the_run(self):
        s = self.shared
        answer = s.call("POST", "/v1/jobs", {"name": "nope1", "schedule": "@manually", "executor": "nope\n",
                                             "processors": {"log": {}, "files": {}}})
        self.assertEqual(answer.status, 201)
        self.assertEqual(answer.headers["X-Dkron-Warning"],
                         'no node has the executor nope?: its runs will fail; the processors files, log are not '
                         "available in this version and are ignored")
        s.wait_log(r'level=warning msg="api: a job was accepted with a warning" .*warning="no node has the executor nope')
        self.assertEqual(s.run("nope1")["status"], "failed")
        self.assertIn("Specified executor is not present: nope", s.executions("nope1")[0]["output"])

    def test_the_process_learns_which_run_it_is(self):
        s = self.shared
        s.set_job("env1", executor_config={"command": "env", "env": "A=1"})
        s.run("env1")
        execution = s.executions("env1")[0]
        lines = execution["output"].splitlines()
        self.assertIn("A=1", lines)
        self.assertIn("DKRON_JOB_NAME=env1", lines)
        self.assertIn("DKRON_ATTEMPT=1", lines)
        self.assertIn(f"DKRON_EXECUTION_ID={execution['id']}", lines)

    def test_a_timeout_ends_the_whole_group(self):
        s = self.shared
        pid_file = s.directory / "grandchild"
        s.set_job("slow1", executor_config={"command": f"sleep 1000 & echo $! > {pid_file}; wait", "shell": "true",
                                            "timeout": "500ms"})
        self.assertEqual(s.run("slow1")["status"], "failed")
        pid = pid_file.read_text().strip()
        eventually(lambda: not is_alive(pid), "the grandchild is gone")
        self.assertIn("timeout", s.executions("slow1")[0]["output"].lower())

    def test_retries_follow_until_one_succeeds(self):
        s = self.shared
        mark = s.directory / "retry-mark"
        s.set_job("retry1", retries=3, executor_config={
            "command": f"test -e {mark} || {{ touch {mark}; exit 1; }}", "shell": "true"})
        self.assertEqual(s.run("retry1")["status"], "success")
        executions = sorted(s.executions("retry1"), key=lambda e: e["attempt"])
        self.assertEqual([(e["attempt"], e["success"]) for e in executions], [(1, False), (2, True)])
        self.assertEqual(len({e["group"] for e in executions}), 1)

    def test_children_run_behind_a_successful_parent_only(self):
        s = self.shared
        flag = s.directory / "parent-flag"
        s.set_job("parent1", f"test -e {flag}")
        s.set_job("child1", schedule="", parent_job="parent1")
        s.set_job("grandchild1", schedule="", parent_job="child1")
        self.assertEqual(s.run("parent1")["status"], "failed")
        flag.touch()
        self.assertEqual(s.run("parent1")["status"], "success")
        s.wait_finished("grandchild1")
        self.assertEqual(len(s.executions("child1")), 1)

    def test_a_disabled_job_runs_by_hand(self):
        s = self.shared
        s.set_job("disabled1", disabled=True)
        self.assertEqual(s.run("disabled1")["status"], "success")

    def test_no_matching_node_is_a_conflict(self):
        s = self.shared
        s.set_job("nowhere1", tags={"rack": "7"})
        answer = s.call("POST", "/v1/jobs/nowhere1/run")
        self.assertEqual(answer.status, 409)
        self.assertIn("no target nodes found to run job nowhere1", answer.text)

    def test_an_ephemeral_job_goes_after_its_success(self):
        s = self.shared
        s.set_job("once1", ephemeral=True)
        s.run("once1")
        eventually(lambda: s.call("GET", "/v1/jobs/once1").status == 404, "the job is gone")

    def test_runoncreate_runs_at_once(self):
        s = self.shared
        s.call("POST", "/v1/jobs?runoncreate=true", {"name": "now1", "schedule": "@manually", "executor": "shell",
                                                     "executor_config": {"command": "true"}})
        s.wait_finished("now1")

    def test_respect_concurrency_refuses_a_second_run(self):
        s = self.shared
        fifo = s.directory / "fifo-respect"
        os.mkfifo(fifo)
        s.set_job("busy1", f"cat {fifo}", concurrency="forbid")
        s.run("busy1", wait=False)
        busy = eventually(lambda: s.get("/v1/busy"), "the run is shown as busy")
        self.assertEqual(busy[0]["job_name"], "busy1")
        answer = s.call("POST", "/v1/jobs/busy1/run?respect_concurrency=true")
        self.assertEqual(answer.status, 409)
        with open(fifo, "w") as out:
            out.write("done")
        self.assertEqual(s.wait_finished("busy1")[0]["output"], "done")

    def test_long_output_keeps_its_end_and_says_so(self):
        s = self.shared
        s.set_job("long1", executor_config={"command": "seq 1 200000", "shell": "true"})
        s.run("long1")
        output = s.executions("long1")[0]["output"]
        self.assertLessEqual(len(output.encode()), 256_000)
        self.assertTrue(output.rstrip().endswith("200000"))

    def test_executions_are_kept_up_to_the_limit(self):
        s = self.shared
        s.set_job("keep1", keep_executions=5)
        for _ in range(9):
            s.run("keep1")
        self.assertEqual(len(s.executions("keep1")), 5)
        self.assertEqual(s.get("/v1/jobs/keep1")["success_count"], 9)

    def test_delete_executions_empties_the_history(self):
        s = self.shared
        s.set_job("wipe1")
        s.run("wipe1")
        self.assertEqual(s.call("DELETE", "/v1/jobs/wipe1/executions").status, 200)
        self.assertEqual(s.executions("wipe1"), [])


class Crash(ServerTest):
    def test_a_run_that_outlives_the_server_is_watched_and_ends_as_lost(self):
        s = self.server().start()
        fifo = s.directory / "fifo"
        os.mkfifo(fifo)
        s.set_job("survivor", f"cat {fifo}")
        s.run("survivor", wait=False)
        # A running execution is listed once its start is committed, well behind the journal's record of it.
        eventually(lambda: s.executions("survivor"), "the run is known to be under way")
        s.kill()
        s.start()
        s.wait_log("watching a run that outlived the agent")
        self.assertEqual(s.finished("survivor"), [])
        with open(fifo, "w") as out:
            out.write("kept")
        execution = s.wait_finished("survivor")[0]
        self.assertFalse(execution["success"])
        self.assertIn("ended while the node was down", execution["output"])
        self.assertIn("kept", execution["output"])

    def test_a_run_that_died_with_the_machine_is_closed_as_lost(self):
        s = self.server().start()
        pid_file = s.directory / "pid"
        s.set_job("victim", executor_config={"command": f"echo $$ > {pid_file}; exec sleep 1000", "shell": "true"})
        s.run("victim", wait=False)
        pid = eventually(lambda: pid_file.exists() and pid_file.read_text().strip(), "the run wrote its pid")
        s.kill()
        os.kill(int(pid), signal.SIGKILL)
        s.start()
        execution = s.wait_finished("victim")[0]
        self.assertFalse(execution["success"])
        self.assertEqual(s.get("/v1/jobs/victim")["error_count"], 1)
        self.assertEqual(s.get("/v1/busy"), [])

    def test_a_pending_retry_survives_a_restart(self):
        s = self.server().start()
        mark = s.directory / "mark"
        s.set_job("again", retries=1, executor_config={
            "command": f"test -e {mark} || {{ touch {mark}; exit 1; }}", "shell": "true"})
        s.run("again", wait=False)
        s.wait_finished("again", 1)
        s.kill()
        s.start()
        executions = s.wait_finished("again", 2)
        self.assertEqual(sorted(e["attempt"] for e in executions), [1, 2])
        eventually(lambda: s.get("/v1/jobs/again")["status"] == "success", "the job's status")

    def test_everything_is_there_after_a_crash(self):
        s = self.server().start()
        for i in range(50):
            s.set_job(f"job{i:02}", displayname=f"Number {i}")
        s.run("job07")
        before = s.get("/v1/jobs?_start=0&_end=100")
        history = s.executions("job07")
        s.kill()
        s.start()
        self.assertEqual(s.get("/v1/jobs?_start=0&_end=100"), before)
        self.assertEqual(s.executions("job07"), history)
        self.assertNotEqual(history[0]["finished_at"], ZERO_TIME)


if __name__ == "__main__":
    unittest.main()
