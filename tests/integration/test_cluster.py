"""Several servers and agents: coming up, finding a leader, running jobs, losing nodes and getting them back."""

import os
import shutil
import time
import unittest

from cluster import ClusterTest
from harness import ZERO_TIME, eventually, run_dkron


ROUNDS = int(os.environ.get("ROUNDS", "10"))


def script(text):
    return {"command": text, "shell": "true"}


class BringUp(ClusterTest):
    def test_three_servers_that_start_at_once_form_one_cluster(self):
        cluster = self.cluster(servers=3)
        began = time.monotonic()
        for node in cluster.servers:
            node.launch()
        for node in cluster.servers:
            node.wait_up()
        leader = cluster.wait_leader()
        took = time.monotonic() - began
        cluster.wait_voters({"server1", "server2", "server3"})
        print(f"leader {leader.name} after {took:.2f} s")
        ids = {m["Tags"].get("cluster_id") for m in eventually(
            lambda: (all(m["Tags"].get("cluster_id") for m in leader.get("/v1/members"))
                     and leader.get("/v1/members")), "every member tells its cluster")}
        self.assertEqual(len(ids), 1)

    def test_starting_at_the_same_moment_forms_one_cluster_again_and_again(self):
        times = []
        for _ in range(ROUNDS):
            cluster = self.cluster(servers=3)
            began = time.monotonic()
            for node in cluster.servers:
                node.launch()
            for node in cluster.servers:
                node.wait_up()
            cluster.wait_leader()
            times.append(time.monotonic() - began)
            cluster.wait_voters({"server1", "server2", "server3"})
            for node in cluster.servers:
                self.assertEqual(set(node.peers()), {"server1", "server2", "server3"})
            cluster.close()
        times.sort()
        print(f"{ROUNDS} starts: leader known to all after {times[ROUNDS // 2]:.2f} s (median), {times[-1]:.2f} s (worst)")

    def test_a_server_that_comes_later_is_added_and_votes(self):
        cluster = self.cluster(servers=1)
        cluster.start()
        cluster["server1"].set_job("before")
        cluster.add("server2", True).start()
        cluster.wait_voters({"server1", "server2"})
        eventually(lambda: cluster["server2"].call("GET", "/v1/jobs/before").status == 200,
                   "the newcomer has the job")

    def test_a_single_server_leads_again_under_another_address(self):
        cluster = self.cluster(servers=1)
        node = cluster["server1"]
        cluster.start()
        node.set_job("kept")
        node.stop()
        node.ip = cluster.prefix + "99"
        node.start()
        cluster.wait_leader()
        self.assertEqual(node.get("/v1/jobs/kept")["name"], "kept")

    def test_three_servers_that_change_all_their_addresses_lead_again(self):
        cluster = self.cluster(servers=3)
        cluster.start()
        cluster["server1"].set_job("kept")
        for node in cluster.servers:
            eventually(lambda n=node: n.call("GET", "/v1/jobs/kept").status == 200, "replicated")
        for node in cluster.servers:
            node.kill()
        for i, node in enumerate(cluster.servers):
            node.ip = cluster.prefix + str(201 + i)
        for node in cluster.servers:
            node.launch()
        for node in cluster.servers:
            node.wait_up()
        leader = cluster.wait_leader()
        self.assertEqual(leader.get("/v1/jobs/kept")["name"], "kept")

    def test_two_clusters_that_meet_stay_two_and_say_so(self):
        one = self.cluster(servers=1)
        two = self.cluster(servers=1)
        one.start()
        two.start()
        stranger = two["server1"]
        stranger.stop()
        stranger.name = "stranger"
        stranger.directory = two.directory / "stranger"
        stranger.directory.mkdir()
        two.nodes["stranger"] = stranger
        stranger.start()
        eventually(lambda: stranger.leader() == "stranger", "the other cluster leads itself")
        stranger.kill()
        stranger.arguments.append(f"--retry-join={one['server1'].ip}:8946")
        stranger.start()
        stranger.wait_log("belongs to cluster")
        one["server1"].wait_log("belongs to cluster")
        self.assertEqual(set(one["server1"].peers()), {"server1"})
        self.assertEqual(eventually(stranger.peers, "peers").keys(), {"stranger"})


class Jobs(ClusterTest):
    def test_any_server_takes_writes_and_every_server_shows_them(self):
        cluster = self.cluster(servers=3)
        cluster.start()
        follower = cluster.followers()[0]
        follower.set_job("everywhere", command="echo hello")
        for node in cluster.servers:
            eventually(lambda n=node: n.call("GET", "/v1/jobs/everywhere").status == 200, "replicated")
        follower.run("everywhere", wait=False)
        finished = follower.wait_finished("everywhere", 3)
        self.assertEqual({e["node_name"] for e in finished}, {"server1", "server2", "server3"})
        self.assertTrue(all(e["success"] and e["output"] == "hello\n" for e in finished))
        self.assertEqual(len({e["group"] for e in finished}), 1)
        answer = follower.call("DELETE", "/v1/jobs/everywhere")
        self.assertEqual(answer.status, 200)
        for node in cluster.servers:
            eventually(lambda n=node: n.call("GET", "/v1/jobs/everywhere").status == 404, "deleted")

    def test_a_job_runs_on_the_agents_that_its_tags_name(self):
        cluster = self.cluster(servers=1, agents=3)
        for i in (1, 2):
            cluster[f"agent{i}"].arguments.append("--tag=kind=worker")
        cluster.start()
        server = cluster["server1"]
        eventually(lambda: sum(m["Status"] == 1 for m in server.get("/v1/members")) == 4, "all members")
        server.set_job("all", executor_config=script("echo $DKRON_JOB_NAME"), tags={"kind": "worker"})
        server.set_job("one", tags={"kind": "worker:1"})
        server.run("all")
        server.run("one")
        self.assertEqual({e["node_name"] for e in server.wait_finished("all", 2)}, {"agent1", "agent2"})
        self.assertEqual({e["output"] for e in server.finished("all")}, {"all\n"})
        self.assertEqual(len(server.wait_finished("one", 1)), 1)

    def test_what_runs_on_an_agent_is_shown_as_busy_on_every_server(self):
        cluster = self.cluster_with_worker(servers=3)
        leader = cluster.wait_leader()
        fifo = cluster.directory / "go"
        os.mkfifo(fifo)
        leader.set_job("slow", command=f"cat {fifo}", tags={"kind": "worker"})
        leader.run("slow", wait=False)
        for node in cluster.servers:
            busy = eventually(lambda n=node: n.get("/v1/busy"), "busy")
            self.assertEqual([(b["job_name"], b["node_name"]) for b in busy], [("slow", "agent1")])
            self.assertEqual(busy[0]["finished_at"], ZERO_TIME)
        with open(fifo, "w"):
            pass
        leader.wait_finished("slow", 1)
        eventually(lambda: not leader.get("/v1/busy"), "nothing is busy")


class Losses(ClusterTest):
    def test_a_follower_that_was_away_catches_up(self):
        cluster = self.cluster(servers=3)
        cluster.start()
        follower = cluster.followers()[0]
        follower.kill()
        leader = cluster.wait_leader()
        leader.set_job("meanwhile")
        follower.start()
        eventually(lambda: follower.call("GET", "/v1/jobs/meanwhile").status == 200, "caught up")

    def test_a_server_that_lost_its_data_comes_back_as_a_new_one(self):
        cluster = self.cluster(servers=3)
        cluster.start()
        cluster.wait_leader().set_job("kept")
        follower = cluster.followers()[0]
        follower.kill()
        shutil.rmtree(follower.directory / "data")
        follower.start()
        eventually(lambda: follower.call("GET", "/v1/jobs/kept").status == 200, "has the job again")
        cluster.wait_voters({"server1", "server2", "server3"})

    def test_without_a_majority_writes_are_refused_and_the_reason_is_told(self):
        cluster = self.cluster(servers=3)
        cluster.start()
        leader = cluster.wait_leader()
        others = [n for n in cluster.servers if n is not leader]
        for node in others:
            node.kill()
        answer = eventually(lambda: (a := leader.call("POST", "/v1/jobs", {
            "name": "no", "schedule": "@manually", "executor": "shell",
            "executor_config": {"command": "true"}})).status == 503 and a, "refused")
        leader.wait_log(r"no leader: 2 of 3 voting servers are needed, 1 are there; missing: ")
        text = eventually(lambda: (a := leader.call("GET", "/health/ready")).status == 503 and
                          "missing" in a.text and a.text, "the reason")
        for node in others:
            self.assertIn(node.name, text)
        self.assertIn(answer.status, (503,))
        for node in others:
            node.start()
        cluster.wait_leader()

    def test_an_agent_that_dies_during_a_run_and_comes_back_tells_its_end(self):
        cluster = self.cluster_with_worker(servers=1)
        agent, server = cluster["agent1"], cluster["server1"]
        marker = cluster.directory / "ended"
        fifo = cluster.directory / "go"
        os.mkfifo(fifo)
        server.set_job("long", executor_config=script(f"cat {fifo}; echo x >> {marker}"), tags={"kind": "worker"})
        server.run("long", wait=False)
        eventually(lambda: server.get("/v1/busy"), "busy")
        agent.kill()
        agent.start()
        agent.wait_log("watching a run that outlived the agent")
        with open(fifo, "w"):
            pass
        executions = server.wait_finished("long", 1)
        self.assertEqual(len(executions), 1)
        self.assertEqual(marker.read_text(), "x\n")
        self.assertIn("ended while the node was down", executions[0]["output"])

    def test_results_that_no_server_can_take_are_delivered_later(self):
        cluster = self.cluster_with_worker(servers=1)
        server = cluster["server1"]
        fifo = cluster.directory / "go"
        marker = cluster.directory / "ended"
        os.mkfifo(fifo)
        server.set_job("long", tags={"kind": "worker"},
                       executor_config=script(f"cat {fifo}; echo done; echo x >> {marker}"))
        server.run("long", wait=False)
        eventually(lambda: server.get("/v1/busy"), "busy")
        server.kill()
        with open(fifo, "w"):
            pass
        eventually(marker.exists, "the run ends without a server")
        server.start()
        executions = server.wait_finished("long", 1)
        self.assertEqual([(e["success"], e["output"]) for e in executions], [(True, "done\n")])


class Operators(ClusterTest):
    def test_leadership_is_handed_over_on_request(self):
        cluster = self.cluster(servers=3)
        cluster.start()
        leader = cluster.wait_leader()
        wanted = cluster.followers()[0]
        result = run_dkron("raft", "transfer-leadership", "--to", wanted.name,
                           "--rpc-addr", cluster.followers()[1].rpc)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIs(cluster.wait_leader(), wanted)
        self.assertIsNot(leader, wanted)

    def test_a_leader_that_stops_hands_over_first(self):
        cluster = self.cluster(servers=3)
        cluster.start()
        leader = cluster.wait_leader()
        began = time.monotonic()
        leader.signal(15)
        others = [n for n in cluster.servers if n is not leader]
        eventually(lambda: {n.leader() for n in others} < {n.name for n in others}, "another leads")
        took = time.monotonic() - began
        self.assertEqual(leader.wait_exit(40), 0)
        leader.start()
        cluster.wait_voters({"server1", "server2", "server3"})
        print(f"another leads {took:.2f} s after SIGTERM")

    def test_a_server_that_leaves_gives_up_its_vote_and_ends(self):
        cluster = self.cluster(servers=3)
        cluster.start()
        for leaver in (cluster.followers()[0], cluster.wait_leader()):
            result = run_dkron("leave", "--rpc-addr", leaver.rpc)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertIn("Left the cluster successfully", result.stderr)
            self.assertEqual(leaver.wait_exit(40), 0)
            cluster.wait_voters({n.name for n in cluster.servers if n.is_running()})
        self.assertEqual(sum(n.is_running() for n in cluster.servers), 1)

    def test_a_dead_server_is_removed_by_hand(self):
        cluster = self.cluster(servers=3)
        cluster.start()
        dead = cluster.followers()[0]
        dead.kill()
        other = next(n for n in cluster.followers())
        eventually(lambda: other.members()[dead.name]["Status"] == 4, "seen as failed")
        result = run_dkron("raft", "remove-peer", "--peer-id", dead.name, "--rpc-addr", other.rpc)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("Peer removed", result.stderr)
        cluster.wait_voters({n.name for n in cluster.servers if n.is_running()})
        unknown = run_dkron("raft", "remove-peer", "--peer-id", "nobody", "--rpc-addr", other.rpc)
        self.assertEqual(unknown.returncode, 1)
        self.assertIn('id "nobody" was not found in the Raft configuration', unknown.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
