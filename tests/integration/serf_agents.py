"""The whole program, `dkron agent`, among the original's agents. Part of test_serf_peer.py."""

import signal

from harness import eventually, run_dkron
from serf_cluster import KEY, OTHER_KEY, ClusterTest, address, alive, free_port, takes

ALIVE, LEFT, FAILED = 1, 3, 4


def rows(server):
    return {row["Name"]: row for row in server.get("/v1/members")}


def wait_status(server, name, status, deadline_s=30):
    return eventually(lambda: rows(server).get(name, {}).get("Status") == status and rows(server)[name],
                      f"{name} has status {status} in {rows(server)}", deadline_s)


class Agents(ClusterTest):
    def test_01_agent_joins(self):
        s1 = self.serf("s1", "-tag", "role=db")
        node = self.server("node1", f"--retry-join={s1.address}", "--tag=rack=7", "--datacenter=here").start()
        node.wait_log("Join LAN completed. Synced with 1 initial agents")
        s1.wait_members(alive("s1", "node1"))
        shown = s1.members()["node1"]
        self.assertEqual(shown["addr"], node.gossip)
        self.assertEqual(shown["protocol"], {"min": 2, "max": 5, "version": 4})
        expected = {"role": "dkron", "dc": "here", "region": "global", "server": "true", "rack": "7", "expect": "1",
                    "rpc_addr": "127.0.0.1:" + shown["tags"]["port"], "run_journal": "1"}
        self.assertEqual({key: shown["tags"].get(key) for key in expected}, expected)
        row = wait_status(node, "s1", ALIVE)
        self.assertEqual((row["Addr"], row["Port"], row["Tags"]), ("127.0.0.1", s1.port, {"role": "db"}))
        self.assertEqual((row["DelegateCur"], row["statusText"]), (5, "alive"))

    def test_02_agent_is_joined(self):
        s1 = self.serf("s1")
        node = self.server().start()
        s1.call("join", node.gossip)
        s1.wait_members(alive("s1", "node1"))
        wait_status(node, "s1", ALIVE)

    def test_04_tags_change(self):
        s1 = self.serf("s1")
        node = self.server("node1", f"--join={s1.address}")
        config = node.directory / "dkron.yml"
        config.write_text("tags:\n  rack: a\n")
        node.arguments.append(f"--config={config}")
        node.start()
        s1.until(lambda: s1.members().get("node1", {}).get("tags", {}).get("rack") == "a", "the first tags")
        config.write_text("tags:\n  rack: b\n")
        node.signal(signal.SIGHUP)
        s1.until(lambda: s1.members()["node1"]["tags"].get("rack") == "b", "the new tags")
        self.assertEqual(s1.members()["node1"]["tags"]["role"], "dkron")
        s1.call("tags", "-set", "colour=red")
        eventually(lambda: rows(node)["s1"]["Tags"] == {"colour": "red"}, "the agent sees S1's tags")

    @takes(25)
    def test_10_agent_is_frozen_for_long(self):
        s1 = self.serf("s1")
        node = self.server("node1", f"--join={s1.address}").start()
        wait_status(node, "s1", ALIVE)
        node.signal(signal.SIGSTOP)
        mark = s1.wait_event("Failed", "node1", deadline_s=30)
        node.signal(signal.SIGCONT)
        s1.wait_event("Join", "node1", mark, deadline_s=30)
        wait_status(node, "s1", ALIVE)
        self.assertNotIn("event=member-failed", "\n".join(node.lines))

    @takes(25)
    def test_11_agent_is_killed_and_comes_back(self):
        s1 = self.serf("s1")
        node = self.server("node1", f"--join={s1.address}").start()
        s1.wait_members(alive("s1", "node1"))
        eventually(lambda: s1.address in (node.directory / "data/members.snapshot").read_text(),
                   "the member is remembered on disk")
        node.kill()
        mark = s1.wait_event("Failed", "node1", deadline_s=30)
        # Nobody tells it whom to join: it remembers.
        node.arguments = [a for a in node.arguments if not a.startswith("--join")]
        node.start()
        node.wait_log("rejoined the members of before")
        s1.wait_event("Join", "node1", mark)
        s1.wait_members(alive("s1", "node1"))

    @takes(20)
    def test_11_s1_is_killed(self):
        s1 = self.serf("s1")
        node = self.server("node1", f"--join={s1.address}").start()
        wait_status(node, "s1", ALIVE)
        s1.kill()
        self.assertEqual(wait_status(node, "s1", FAILED)["statusText"], "failed")
        node.wait_log('msg="agent: Received event" .*event=member-failed member=s1')

    def test_12_leaving(self):
        s1 = self.serf("s1")
        s2 = self.serf("s2", join=s1)
        node = self.server("node1", f"--join={s1.address}").start()
        wait_status(node, "s2", ALIVE)
        s2.call("leave")
        self.assertEqual(wait_status(node, "s2", LEFT)["statusText"], "left")
        self.assertEqual(node.stop(), 0)
        s1.wait_event("Leave", "node1")
        s1.wait_members({"s1": "alive", "s2": "left", "node1": "left"})
        s1.stays_without("EventMemberFailed", 3)

    def test_12_a_node_that_left_comes_back_elsewhere(self):
        s1 = self.serf("s1")
        node = self.server("node1", f"--join={s1.address}").start()
        wait_status(node, "s1", ALIVE)
        self.assertEqual(node.stop(), 0)
        mark = s1.wait_event("Leave", "node1")
        elsewhere = address(free_port())
        node.arguments += [f"--bind-addr={elsewhere}", f"--advertise-addr={elsewhere}"]
        node.start()
        s1.wait_event("Join", "node1", mark)
        self.assertEqual(s1.members()["node1"]["addr"], elsewhere)
        wait_status(node, "s1", ALIVE)

    @takes(12)
    def test_15_another_node_comes_with_the_agents_name(self):
        s1 = self.serf("s1")
        node = self.server("node1", f"--join={s1.address}").start()
        wait_status(node, "s1", ALIVE)
        newcomer = self.serf("node1", join=s1)
        newcomer.wait_exit(30)
        self.assertIsNone(node.process.poll())
        self.assertEqual(s1.members()["node1"]["addr"], node.gossip)

    @takes(12)
    def test_16_the_agents_name_is_taken(self):
        s1 = self.serf("s1")
        self.serf("s2", join=s1)
        node = self.server("s2", f"--join={s1.address}").launch()
        self.assertEqual(node.wait_exit(30), 1)
        self.assertRegex(node.log(), r'level=fatal msg="agent: the node cannot go on".*another node is a member '
                                     r'under the name \\"s2\\".*--node-name')
        s1.wait_members(alive("s1", "s2"))

    def test_17_the_same_key(self):
        s1 = self.serf("s1", f"-encrypt={KEY}")
        node = self.server("node1", f"--join={s1.address}", f"--encrypt={KEY}").start()
        s1.wait_members(alive("s1", "node1"))
        wait_status(node, "s1", ALIVE)

    @takes(12)
    def test_18_keys_rotate(self):
        s1 = self.serf("s1", f"-encrypt={KEY}")
        node = self.server("node1", f"--join={s1.address}", f"--encrypt={KEY}").start()
        wait_status(node, "s1", ALIVE)
        for action in ("install", "use"):
            s1.call("keys", f"-{action}={OTHER_KEY}")
        done = self.dkron_keys(node, "remove", KEY)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        listed = self.dkron_keys(node, "list")
        self.assertIn(OTHER_KEY, listed.stdout)
        self.assertNotIn(KEY, listed.stdout)
        self.assertNotEqual(self.dkron_keys(node, "remove", OTHER_KEY).returncode, 0)
        # The new key outlives the process, though the command line still names the old one.
        self.assertEqual(node.stop(), 0)
        mark = s1.wait_event("Leave", "node1")
        node.start()
        s1.wait_event("Join", "node1", mark)
        wait_status(node, "s1", ALIVE)

    @staticmethod
    def dkron_keys(node, *arguments):
        return run_dkron("keys", *arguments, f"--api-addr={node.address}", deadline_s=30)

    @takes(12)
    def test_nodes_of_two_clusters_refuse_each_other(self):
        one, two = self.server("node1"), self.server("node2")
        for server, other in ((one, two), (two, one)):
            server.arguments += [f"--retry-join={other.gossip}", "--retry-interval=1s"]
            server.start()
        ids = [rows(s)[s.name]["Tags"]["cluster_id"] for s in (one, two)]
        self.assertNotEqual(*ids)
        for server, other, theirs, ours in ((one, "node2", ids[1], ids[0]), (two, "node1", ids[0], ids[1])):
            text = rf'member \\"{other}\\" belongs to cluster {theirs}, not to cluster {ours}'
            server.wait_log(r'level=error msg="agent: a member of another cluster was refused".*' + text)
            # And who wanted to join is told why it may not.
            text = rf'member \\"{server.name}\\" belongs to cluster {ours}, not to cluster {theirs}'
            server.wait_log(r"Join LAN failed: \S+ the remote says: " + text)
            row = eventually(lambda: rows(server).get(other), f"{other} is shown as refused")
            self.assertEqual(row["statusText"], "refused")
            self.assertIn(f"belongs to cluster {theirs}", row["refused"])


class AgentKeys(ClusterTest):
    may_be_unreadable = True  # Without the key.

    def test_17_another_key_or_none(self):
        for what, theirs, ours in (("other", KEY, OTHER_KEY), ("none at S1", None, KEY), ("none here", KEY, None)):
            with self.subTest(what):
                s1 = self.serf("s1", *([f"-encrypt={theirs}"] if theirs else []))
                node = self.server("node1", f"--retry-join={s1.address}", "--retry-interval=300ms",
                                   *([f"--encrypt={ours}"] if ours else [])).start()
                for _ in range(2):
                    node.wait_log("Join LAN failed: .*retrying in 300ms")
                self.assertEqual(set(rows(node)), {"node1"})
                self.assertEqual(s1.statuses(), alive("s1"))
                self.assertEqual(node.stop(), 0)
