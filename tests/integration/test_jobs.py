"""Jobs over REST: create, read, replace, list, run, toggle, delete, and what is refused."""

import unittest

from harness import ServerTest


class Jobs(ServerTest):
    @classmethod
    def setUpClass(cls):
        from harness import Server
        cls.shared = Server().start()
        cls.addClassCleanup(cls.shared.close)

    def test_a_created_job_is_there_with_its_defaults(self):
        s = self.shared
        answer = s.call("POST", "/v1/jobs", {"name": "a1", "schedule": "@every 1h", "executor": "shell",
                                             "executor_config": {"command": "true"}})
        self.assertEqual(answer.status, 201)
        self.assertEqual(answer.headers["Location"], "/v1/jobs/a1")
        self.assertEqual(answer.headers["X-Whom"], "node1")
        job = s.get("/v1/jobs/a1")
        self.assertEqual(job["concurrency"], "allow")
        self.assertEqual(job["success_count"], 0)
        self.assertNotEqual(job["next"], "0001-01-01T00:00:00Z")

    def test_put_replaces_and_refuses_another_name(self):
        s = self.shared
        s.set_job("put1")
        answer = s.call("PUT", "/v1/jobs/put1", {"schedule": "@manually", "displayname": "New"})
        self.assertEqual(answer.status, 201, answer.text)
        self.assertEqual(s.get("/v1/jobs/put1")["displayname"], "New")
        answer = s.call("PUT", "/v1/jobs/put1", {"name": "other", "schedule": "@manually"})
        self.assertEqual(answer.status, 400)

    def test_refusals_say_why(self):
        s = self.shared
        cases = [
            ({"name": "Upper", "schedule": "@every 1s"}, "name contains illegal character 'U'"),
            ({"name": "x", "schedule": "* * * * *"}, "can't parse job schedule: expected exactly 6 fields"),
            ({"name": "x", "schedule": "@every 1s", "concurrency": "maybe"}, "invalid concurrency policy"),
            ({"name": "x", "schedule": "@every 1s", "timezone": "Mars/One"}, "unknown time zone Mars/One"),
            ({"name": "x", "schedule": "@every 1s", "executor": "shell", "executor_config": {"timeout": "soon"}},
             "Error parsing job timeout value"),
        ]
        for job, text in cases:
            answer = s.call("POST", "/v1/jobs", job)
            self.assertEqual(answer.status, 400, job)
            self.assertIn("Job validation failed: ", answer.text)
            self.assertIn(text, answer.text)
        self.assertEqual(s.call("POST", "/v1/jobs", "{").status, 400)
        self.assertEqual(s.call("GET", "/v1/jobs/never").status, 404)
        self.assertEqual(s.call("DELETE", "/v1/jobs/never").status, 404)
        self.assertEqual(s.call("POST", "/v1/jobs/never/run").status, 404)
        self.assertEqual(s.call("TRACE", "/v1/jobs").status, 405)

    def test_bodies_over_the_limit_are_refused(self):
        s = self.shared
        job = {"name": "big", "schedule": "@manually", "metadata": {"x": "y" * 300_000}}
        self.assertEqual(s.call("POST", "/v1/jobs", job).status, 400)
        self.assertEqual(s.call("POST", "/v1/jobs", "x" * 2_000_000).status, 413)

    def test_lists_are_paged_sorted_and_filtered(self):
        s = self.shared
        for i in range(30):
            s.set_job(f"list{i:02}", disabled=i % 2 == 0, metadata={"team": "red" if i < 5 else "blue"})
        answer = s.call("GET", "/v1/jobs?_start=10&_end=15&q=list&_sort=name&_order=DESC")
        self.assertEqual(answer.headers["X-Total-Count"], "30")
        self.assertEqual([j["name"] for j in answer.json], [f"list{i:02}" for i in range(19, 14, -1)])
        self.assertEqual(len(s.get("/v1/jobs?metadata[team]=red&q=list")), 5)
        self.assertEqual(s.call("GET", "/v1/jobs?_sort=nonsense").status, 400)
        self.assertEqual(s.get("/v1/jobs?_start=1000&_end=1010"), [])

    def test_every_list_takes_odd_pages_alike(self):
        s = self.shared
        s.set_job("odd1")
        s.run("odd1")
        for path in ("/v1/jobs?q=odd1&", "/v1/jobs/odd1/executions?"):
            for page, count in [("_start=-5", 0), ("_start=1&_end=0", 0), ("_end=-1", 0), ("_end=x", 0), ("_start=x", 1),
                                ("_start=99999999999999999999", 0), ("_end=99999999999999999999", 1)]:
                answer = s.call("GET", path + page)
                self.assertEqual((answer.status, len(answer.json)), (200, count), path + page)
                self.assertEqual(answer.headers["X-Total-Count"], "1", path + page)

    def test_text_behind_the_first_value_of_a_body_is_ignored(self):
        s = self.shared
        answer = s.call("POST", "/v1/jobs", '{"name":"trail1","schedule":"@manually"} trailing {"x":1}')
        self.assertEqual(answer.status, 201)
        self.assertEqual(s.get("/v1/jobs/trail1")["name"], "trail1")
        answer = s.call("POST", "/v1/jobs", '{"name":"a",}')
        self.assertEqual(answer.text, "Unable to parse payload: unexpected '}' at byte 13.")

    def test_toggle_stops_and_starts_the_schedule(self):
        s = self.shared
        s.set_job("toggle1", schedule="@every 1h")
        self.assertTrue(s.call("POST", "/v1/jobs/toggle1/toggle").json["disabled"])
        self.assertEqual(s.get("/v1/jobs/toggle1")["next"], "0001-01-01T00:00:00Z")
        self.assertFalse(s.call("POST", "/v1/jobs/toggle1/toggle?disabled=false").json["disabled"])
        self.assertNotEqual(s.get("/v1/jobs/toggle1")["next"], "0001-01-01T00:00:00Z")

    def test_a_deleted_job_is_gone_with_its_history(self):
        s = self.shared
        s.set_job("del1")
        s.run("del1")
        self.assertEqual(s.call("DELETE", "/v1/jobs/del1").json["name"], "del1")
        self.assertEqual(s.call("GET", "/v1/jobs/del1").status, 404)
        self.assertEqual(s.call("GET", "/v1/jobs/del1/executions").status, 404)
        s.set_job("del1")
        self.assertEqual(s.executions("del1"), [])

    def test_a_parent_with_children_cannot_be_deleted_and_cycles_are_refused(self):
        s = self.shared
        s.set_job("p1")
        s.set_job("c1", schedule="", parent_job="p1")
        self.assertEqual(s.get("/v1/jobs/p1")["dependent_jobs"], ["c1"])
        self.assertEqual(s.call("DELETE", "/v1/jobs/p1").status, 409)
        answer = s.call("POST", "/v1/jobs", {"name": "p1", "schedule": "", "parent_job": "c1"})
        self.assertEqual(answer.status, 400)
        self.assertIn("cycle", answer.text)

    def test_pause_refuses_new_jobs(self):
        s = self.shared
        self.assertEqual(s.call("POST", "/v1/pause").json, {"paused": True})
        self.assertEqual(s.get("/v1/pause"), {"paused": True})
        self.assertEqual(s.call("POST", "/v1/jobs", {"name": "x", "schedule": "@manually"}).status, 503)
        self.assertEqual(s.call("POST", "/v1/unpause").json, {"paused": False})

    def test_the_cluster_shows_itself(self):
        s = self.shared
        members = s.get("/v1/members")
        self.assertEqual([m["Name"] for m in members], ["node1"])
        self.assertEqual(members[0]["Tags"]["server"], "true")
        self.assertEqual(s.get("/v1/leader")["Name"], "node1")
        self.assertEqual(s.get("/v1/isleader"), "I am a leader")
        self.assertEqual(s.get("/v1")["agent"]["name"], "node1")
        self.assertEqual(s.get("/health")["status"], "healthy")
        self.assertEqual(s.get("/health/live")["status"], "alive")
        self.assertEqual(s.get("/health/ready")["status"], "ready")
        self.assertEqual(len(s.get("/v1/stats?days=3")["stats"]), 3)
        self.assertEqual(s.get("/debug/vars")["node"], "node1")

    def test_the_page_and_its_parts_are_served(self):
        s = self.shared
        page = s.call("GET", "/ui/")
        self.assertEqual(page.status, 200)
        self.assertIn("text/html", page.headers["Content-Type"])
        self.assertIn("default-src 'none'", page.headers["Content-Security-Policy"])
        for part in ("app.js", "style.css"):
            self.assertIn(part, page.text)
            self.assertEqual(s.call("GET", f"/ui/{part}").status, 200)
        root = s.call("GET", "/", headers={"Accept": "text/html"})
        self.assertIn(root.status, (301, 302, 303, 307))
        self.assertEqual(root.headers["Location"], "/ui/")


if __name__ == "__main__":
    unittest.main()
