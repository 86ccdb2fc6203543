"""The life of the process: start, stop, reload, and what a start refuses."""

import os
import signal
import unittest

from harness import BINARY, ServerTest, eventually, run_dkron


class Life(ServerTest):
    def test_sigterm_waits_for_runs_and_exits_with_0(self):
        s = self.server().start()
        fifo = s.directory / "fifo"
        os.mkfifo(fifo)
        s.set_job("long", f"cat {fifo}")
        s.run("long", wait=False)
        eventually(lambda: s.get("/v1/busy"), "the run is under way")
        s.signal(signal.SIGTERM)
        s.wait_log("Waiting for jobs to finish")
        self.assertEqual(s.call("POST", "/v1/jobs/long/run").status, 503)
        # /health is about the process, as in the original; who sends work asks /health/ready.
        self.assertEqual(s.get("/health")["status"], "healthy")
        ready = s.call("GET", "/health/ready")
        self.assertEqual((ready.status, ready.json["issues"]), (503, ["the server is shutting down"]))
        with open(fifo, "w") as out:
            out.write("end")
        self.assertEqual(s.wait_exit(), 0)
        self.assertIn("No jobs left. Exiting.", s.log())
        s.start()
        self.assertTrue(s.finished("long")[0]["success"])

    def test_the_drain_limit_leaves_runs_to_the_next_start(self):
        s = self.server(arguments=["--drain-timeout=300ms"]).start()
        fifo = s.directory / "fifo"
        os.mkfifo(fifo)
        s.set_job("longer", f"cat {fifo}")
        s.run("longer", wait=False)
        eventually(lambda: s.executions("longer"), "the run is known to be under way")
        self.assertEqual(s.stop(), 0)
        s.start()
        s.wait_log("watching a run that outlived the agent")
        with open(fifo, "w") as out:
            out.write("end")
        s.wait_finished("longer")

    def test_who_waits_for_a_run_is_answered_when_the_drain_ends(self):
        import threading
        s = self.server(arguments=["--drain-timeout=300ms"]).start()
        fifo = s.directory / "fifo"
        os.mkfifo(fifo)
        s.set_job("waited", f"cat {fifo}")
        answers = []
        client = threading.Thread(target=lambda: answers.append(s.call("POST", "/v1/jobs/waited/run?wait=true")))
        client.start()
        eventually(lambda: s.executions("waited"), "the run is known to be under way")
        self.assertEqual(s.stop(), 0)
        client.join(10)
        self.assertEqual([a.status for a in answers], [503])
        s.start()
        with open(fifo, "w") as out:
            out.write("end")
        s.wait_finished("waited")

    def test_a_second_signal_exits_at_once_with_1(self):
        s = self.server().start()
        fifo = s.directory / "fifo"
        os.mkfifo(fifo)
        s.set_job("stuck", f"cat {fifo}")
        s.run("stuck", wait=False)
        eventually(lambda: s.get("/v1/busy"), "the run is under way")
        s.signal(signal.SIGINT)
        s.wait_log("Waiting for jobs to finish")
        s.signal(signal.SIGINT)
        self.assertEqual(s.wait_exit(), 1)
        with open(fifo, "w") as out:
            out.write("end")

    def test_sighup_reloads_tags_and_level_and_keeps_the_old_on_error(self):
        s = self.server(arguments=["--config=dkron.yml"])
        file = s.directory / "dkron.yml"
        file.write_text("tags:\n  rack: a\n")
        s.start()
        self.assertEqual(s.get("/v1/members")[0]["Tags"]["rack"], "a")
        file.write_text("tags:\n  rack: b\n")
        s.signal(signal.SIGHUP)
        eventually(lambda: s.get("/v1/members")[0]["Tags"].get("rack") == "b", "the new tag")
        file.write_text("tags:\n\t- broken\n")
        s.signal(signal.SIGHUP)
        s.wait_log("the configuration is kept")
        self.assertEqual(s.get("/v1/members")[0]["Tags"]["rack"], "b")

    def test_sigusr1_writes_the_metrics_to_the_log_and_goes_on(self):
        s = self.server().start()
        s.set_job("counted")
        s.run("counted")
        s.signal(signal.SIGUSR1)
        s.wait_log(r"^# TYPE dkron_is_leader gauge$")
        s.wait_log(r"^dkron_is_leader 1$")
        s.wait_log(r'^dkron_job_executions_succeeded_total\{job_name="counted"\} 1$')
        self.assertEqual(s.get("/health")["status"], "healthy")
        self.assertEqual(s.stop(), 0)

    def test_a_second_process_on_the_same_data_is_refused(self):
        s = self.server().start()
        other = self.server(directory=s.directory).launch()
        self.assertEqual(other.wait_exit(), 1)
        self.assertIn("cannot be used", "\n".join(other.lines))

    def test_another_node_name_is_refused_with_both_names(self):
        s = self.server().start()
        self.assertEqual(s.stop(), 0)
        other = self.server(directory=s.directory, name="node2").launch()
        self.assertEqual(other.wait_exit(), 1)
        text = "\n".join(other.lines)
        self.assertIn("node1", text)
        self.assertIn("node2", text)

    def test_an_http_port_in_use_is_fatal(self):
        s = self.server().start()
        port = s.address.rsplit(":", 1)[1]
        other = self.server(arguments=[f"--http-addr=127.0.0.1:{port}"]).launch()
        self.assertEqual(other.wait_exit(), 1)
        self.assertIn("address already in use", "\n".join(other.lines))

    def test_errors_of_the_settings_end_the_start(self):
        for arguments, text in [
            (["--bind-addr=999.1.1.1:1"], "invalid bind address: lookup 999.1.1.1: no such host"),
            (["--profile=moon"], "unknown profile: moon"),
            (["--raft-multiplier=11"], "raft-multiplier cannot be 11"),
            (["--retry-interval=soon"], "retry-interval"),
            (["--mail-host=mail"], "'mail-host' is not available yet"),
            (["--encrypt=xyz"], "invalid encryption key: illegal base64 data at input byte 0"),
            (["--data-dir=/dev/null/x"], "/dev/null"),
            (["--config=missing.yml"], "missing.yml"),
        ]:
            s = self.server(arguments=arguments).launch()
            self.assertEqual(s.wait_exit(), 1, arguments)
            self.assertIn(text, "\n".join(s.lines), arguments)

    def test_the_log_can_be_json(self):
        import json
        s = self.server(environment={"DKRON_LOG_FORMAT": "json"}).launch()
        s.wait_log("cluster leadership acquired")
        for line in list(s.lines):
            self.assertEqual(json.loads(line)["node"], "node1")
        self.assertEqual(s.stop(), 0)

    def test_metrics_are_served_when_asked_for(self):
        s = self.server(arguments=["--enable-prometheus"]).start()
        s.set_job("counted", schedule="* * * * * *")
        s.wait_finished("counted", 1)
        text = s.call("GET", "/metrics").text
        self.assertIn('dkron_job_executions_succeeded_total{job_name="counted"}', text)
        self.assertIn("dkron_is_leader 1", text)
        self.assertIn('dkron_instants_without_run_total{reason="overload"} 0', text)
        self.assertIn("process_resident_memory_bytes", text)


class Commands(ServerTest):
    def test_help_and_errors_of_the_command_line(self):
        self.assertEqual(run_dkron().returncode, 0)
        self.assertIn("Available Commands:", run_dkron("--help").stdout)
        result = run_dkron("agnt")
        self.assertEqual(result.returncode, 1)
        self.assertIn('unknown command "agnt" for "dkron"\n\nDid you mean this?\n\tagent\n', result.stderr)
        result = run_dkron("agent", "--nope")
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stdout, "")
        self.assertIn("Error: unknown flag: --nope\nUsage:\n  dkron agent [flags]\n", result.stderr)
        self.assertEqual(run_dkron("job", "get").returncode, 1)

    def test_errors_of_our_own_commands_take_two_lines(self):
        for arguments, error in [
            (("job", "list", "--nope"), "unknown flag: --nope\nRun 'dkron job list --help' for usage.\n"),
            (("job", "get"), "the name of one job is needed\nRun 'dkron job get --help' for usage.\n"),
            (("job", "--nope"), "unknown flag: --nope\nRun 'dkron job --help' for usage.\n"),
            (("job", "lisst"), 'unknown command "lisst" for "dkron job"\n\nDid you mean this?\n\tlist\n\n'
                               "Run 'dkron job --help' for usage.\n"),
        ]:
            result = run_dkron(*arguments)
            self.assertEqual((result.returncode, result.stdout, result.stderr), (1, "", "Error: " + error))

    def test_keygen_prints_a_new_key_each_time(self):
        import base64
        keys = [run_dkron("keygen").stdout for _ in range(2)]
        self.assertNotEqual(*keys)
        self.assertEqual(len(base64.b64decode(keys[0].strip(), validate=True)), 16)

    def test_version_has_its_four_lines(self):
        self.assertRegex(run_dkron("version").stdout,
                         r"\AName: Dkron\nVersion: \S+\nCodename: .+\nAgent Protocol: 5 \(Understands back to: 2\)\n\Z")

    def test_jobs_from_the_command_line(self):
        s = self.server().start()
        address = {"DKRON_API_ADDR": s.address}
        job = '[{"name":"cli1","schedule":"@manually","executor":"shell","executor_config":{"command":"echo hi"}}]'
        self.assertEqual(run_dkron("job", "apply", "-", environment=address, stdin=job).stdout, "job cli1 (-) created\n")
        listed = run_dkron("job", "list", environment=address).stdout.splitlines()
        self.assertEqual(listed[0].split(), ["NAME", "SCHEDULE", "STATUS", "NEXT", "OK", "FAILED"])
        self.assertEqual(listed[1].split()[:2], ["cli1", "@manually"])
        ran = run_dkron("job", "run", "cli1", "--wait", environment=address)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        execution = s.executions("cli1")[0]
        self.assertEqual(ran.stdout, f"job cli1 started, group {execution['group_id']}\n"
                                     f"execution {execution['id']}, attempt 1: success\njob cli1: success\n")
        shown = run_dkron("job", "executions", "cli1", "--output", environment=address).stdout
        self.assertIn("success", shown)
        self.assertIn("hi", shown)
        self.assertIn('"name": "cli1"', run_dkron("job", "get", "cli1", "--api-addr", s.address).stdout)
        as_json = run_dkron("job", "list", "--format", "json", environment=address).stdout
        self.assertIn('"name":"cli1"', as_json)
        self.assertEqual(run_dkron("job", "delete", "cli1", environment=address).returncode, 0)
        failed = run_dkron("job", "get", "cli1", environment=address)
        self.assertEqual(failed.returncode, 1)
        self.assertIn("cli1", failed.stderr)

    def test_a_run_from_the_command_line_tells_its_own_end(self):
        s = self.server().start()
        address = {"DKRON_API_ADDR": s.address}
        s.set_job("bad1", "false", retries=1)
        started = run_dkron("job", "run", "bad1", environment=address)
        self.assertRegex(started.stdout, r"\Ajob bad1 started, group \d{19}\n\Z")
        s.wait_finished("bad1", 2)
        ran = run_dkron("job", "run", "bad1", "--wait", environment=address)
        self.assertEqual(ran.returncode, 1)
        self.assertRegex(ran.stdout, r"\Ajob bad1 started, group \d+\nexecution \d+-node1, attempt 1: failed\n"
                                     r"execution \d+-node1, attempt 2: failed\njob bad1: failed\n\Z")
        s.set_job("once1", ephemeral=True)
        ran = run_dkron("job", "run", "once1", "--wait", environment=address)
        self.assertEqual((ran.returncode, ran.stdout.splitlines()[-1]), (0, "job once1: success"))

    def test_apply_tries_every_job_and_tells_what_became_of_each(self):
        s = self.server().start()
        good = s.directory / "good.json"
        good.write_text('[{"name":"ap1","schedule":"@manually"},{"name":"BAD","schedule":"@manually"},'
                        '{"name":"ap2","schedule":"@manually","executor":"nope"}]')
        broken = s.directory / "broken.json"
        broken.write_text('{"name":"ap3",}')
        bytes_file = s.directory / "bytes.json"
        bytes_file.write_bytes(b'{"name":"ap4","schedule":"@manually","owner":"a\xff"}')
        half = s.directory / "half.json"
        half.write_text('{"name":"ap5","schedule":"@manually","owner":"\\ud800"}')
        more = s.directory / "more.json"
        more.write_text('{"name":"ap6","schedule":"@manually"} more')
        s.set_job("ap2")
        files = [str(f) for f in (broken, good, bytes_file, half, more)]
        result = run_dkron("job", "apply", *files, "--api-addr", s.address)
        self.assertEqual(result.returncode, 1)
        lines = result.stdout.splitlines()
        self.assertEqual(lines[:2], [f"job ap1 ({good}) created", f"job ap2 ({good}) updated"])
        self.assertIn("warning: no node has the executor nope", lines[2])
        self.assertEqual(lines[3:], ["1 created, 1 updated, 5 failed"])
        errors = result.stderr.splitlines()
        self.assertEqual(errors[0], f"{broken} failed: unexpected '}}' at byte 15")
        self.assertTrue(errors[1].startswith(f"job BAD ({good}) failed: Job validation failed: name"), errors[1])
        self.assertEqual(errors[2], f"{bytes_file} failed: the text is not UTF-8 at byte 48")
        self.assertTrue(errors[3].startswith(f"{half} failed: "), errors[3])
        self.assertEqual(errors[4], f"{more} failed: unexpected 'm' at byte 39")
        self.assertEqual(len(errors), 5)
        result = run_dkron("job", "apply", *files, "--api-addr", "127.0.0.1:1")
        self.assertEqual(result.returncode, 1)
        self.assertIn("the rest was not tried", result.stderr)


if __name__ == "__main__":
    unittest.main()
