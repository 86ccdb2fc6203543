"""Clusters of real dkron processes on loopback addresses of their own (127.x.y.n, the usual ports).

Each Cluster takes a network of its own, so that tests run side by side, and a node keeps its address and its
directory over restarts unless it is told otherwise.
"""

import itertools
import os
import pathlib
import re
import shutil
import tempfile
import unittest

from harness import BINARY, DEADLINE_S, Server, eventually, http, run_dkron

NETWORKS = itertools.count(os.getpid())


class Node(Server):
    """One `dkron agent`, server or not, of a cluster."""

    def __init__(self, cluster, name, ip, is_server, expect, arguments):
        super().__init__(directory=cluster.directory / name, name=name, arguments=arguments)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.cluster = cluster
        self.ip = ip
        self.is_server = is_server
        self.expect = expect

    @property
    def rpc(self):
        return f"{self.ip}:6868"

    def command(self):
        command = [BINARY, "agent", f"--node-name={self.name}", f"--data-dir={self.directory / 'data'}",
                   f"--bind-addr={self.ip}:8946", f"--advertise-addr={self.ip}:8946",
                   f"--http-addr={self.ip}:8080", "--profile=local", "--retry-interval=200ms",
                   f"--serf-reconnect-timeout={self.cluster.reconnect_timeout}", *self.arguments]
        command += [f"--retry-join={n.ip}:8946" for n in self.cluster.joinable if n is not self]
        if self.is_server:
            command.append("--server")
            if self.expect:
                command.append(f"--bootstrap-expect={self.expect}")
        return command

    def start(self):
        self.launch()
        return self.wait_up()

    def wait_up(self):
        if self.is_server:
            self.wait_log(r'msg="api: Running HTTP server"')
            self.address = f"http://{self.ip}:8080"
        else:
            self.wait_log(r"agent: Running the agent's RPC")
        return self

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def ready(self):
        """The answer of /health/ready, or None when there is none."""
        try:
            return self.call("GET", "/health/ready", timeout=2).json
        except OSError:
            return None

    def leader(self):
        answer = self.ready()
        return answer["leader"] if answer and answer["status"] == "ready" else ""

    def peers(self):
        """What `dkron raft list-peers` says here, by node."""
        result = run_dkron("raft", "list-peers", "--rpc-addr", self.rpc)
        if result.returncode != 0:
            return {}
        rows = [re.split(r"  +", line.rstrip()) for line in result.stdout.splitlines()[1:]]
        return {row[1]: {"node": row[0], "address": row[2], "state": row[3], "voter": row[4] == "true"}
                for row in rows}

    def members(self):
        return {m["Name"]: m for m in self.get("/v1/members")}


class Cluster:
    def __init__(self, servers=3, agents=0, expect=None, arguments=(), reconnect_timeout="24h"):
        network = next(NETWORKS)
        self.prefix = f"127.{1 + network // 254 % 250}.{1 + network % 254}."
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="dkron-cluster-"))
        self.reconnect_timeout = reconnect_timeout
        self.arguments = tuple(arguments)
        self.addresses = itertools.count(1)
        self.nodes = {}
        self.joinable = []  # Whom new nodes join.
        expect = servers if expect is None else expect
        for i in range(servers):
            self.add(f"server{i + 1}", True, expect)
        self.joinable = list(self.nodes.values())
        for i in range(agents):
            self.add(f"agent{i + 1}", False)

    def add(self, name, is_server, expect=0, arguments=()):
        ip = self.prefix + str(next(self.addresses))
        self.nodes[name] = Node(self, name, ip, is_server, expect, [*self.arguments, *arguments])
        return self.nodes[name]

    def __getitem__(self, name):
        return self.nodes[name]

    @property
    def servers(self):
        return [n for n in self.nodes.values() if n.is_server]

    def start(self):
        """All at the same moment; returns when one leads and all servers vote."""
        for node in self.nodes.values():
            node.launch()
        for node in self.nodes.values():
            node.wait_up()
        self.wait_leader()
        self.wait_voters({n.name for n in self.servers})
        return self

    def wait_leader(self, among=None, deadline_s=DEADLINE_S):
        """The leader on which all running servers (or those of `among`) agree."""
        def agreed():
            nodes = [n for n in (among or self.servers) if n.is_running()]
            names = {n.leader() for n in nodes}
            if len(names) == 1 and (name := names.pop()) and self.nodes[name].is_running():
                return self.nodes[name]
            return None
        return eventually(agreed, "a leader on whom all agree", deadline_s)

    def wait_voters(self, names, deadline_s=DEADLINE_S):
        def all_vote():
            for node in self.servers:
                if not node.is_running() or node.name not in names:
                    continue
                peers = node.peers()
                if {n for n, p in peers.items() if p["voter"]} != set(names):
                    return False
            return True
        eventually(all_vote, f"{sorted(names)} as voters", deadline_s)

    def followers(self):
        leader = self.wait_leader()
        return [n for n in self.servers if n is not leader and n.is_running()]

    def close(self):
        for node in self.nodes.values():
            node.close()
        shutil.rmtree(self.directory, ignore_errors=True)


class ClusterTest(unittest.TestCase):
    def cluster(self, *args, **kwargs):
        cluster = Cluster(*args, **kwargs)
        self.addCleanup(cluster.close)
        return cluster

    def cluster_with_worker(self, servers):
        """A running cluster whose agent1 has the tag kind=worker and is known to the leader."""
        cluster = self.cluster(servers=servers, agents=1)
        cluster["agent1"].arguments.append("--tag=kind=worker")
        cluster.start()
        leader = cluster.wait_leader()
        eventually(lambda: "agent1" in leader.members(), "the agent is a member")
        return cluster
