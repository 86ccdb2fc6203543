"""Clusters of the original's agents (Debian's `serf`) and of our own nodes, for test_serf_peer.py.

SerfAgent is one real `serf agent`, Peer one dkron_gossip_peer; a ClusterTest makes them, ends them by id,
and reads the agents' logs behind each test. Waiting is for a log line, an event, or a condition that is
asked again when something happened, always with a deadline. Each agent has a port of its own, so clusters
run side by side.
"""

import concurrent.futures
import contextlib
import itertools
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from harness import BINARY, DEADLINE_S, ROOT, Server

SERF = shutil.which("serf") or "/usr/bin/serf"
PEER = os.environ.get("DKRON_GOSSIP_PEER", str(ROOT / "build/release/tests/serf_peer/dkron_gossip_peer"))
IS_SOAK = os.environ.get("DKRON_SOAK") == "1"

KEY = "cGVlci10ZXN0cy1rZXktb2YtMzItYnl0ZXMtbG9uZyE="
OTHER_KEY = "YW5vdGhlci10ZXN0LWtleS1vZi0zMi1ieXRlcy1oZXI="

# What an agent logs when it cannot read what another node sent.
UNREADABLE = re.compile(r"\[ERR\] memberlist: Failed to decode|msg type|not supported")
# Below what the kernel hands out, so that nobody is given one of these ports in between.
PORTS = itertools.cycle(random.sample(range(10_000, 16_000), 4_000))
PORTS_LOCK = threading.Lock()


def free_port():
    """A port of 127.0.0.1 that is free for TCP and UDP."""
    with PORTS_LOCK:
        for port in PORTS:
            with contextlib.ExitStack() as stack:
                try:
                    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                        s = stack.enter_context(socket.socket(socket.AF_INET, kind))
                        s.bind(("127.0.0.1", port))
                    return port
                except OSError:
                    continue


def address(port):
    return f"127.0.0.1:{port}"


class Program:
    """A process whose output is read line by line."""

    def __init__(self, name):
        self.name = name
        self.process = None
        self.lines = []
        self.times = []
        self.changed = threading.Condition()
        self.was_killed = False
        self.readers = 0

    def launch(self, command, **kwargs):
        self.process = subprocess.Popen(command, start_new_session=True, **kwargs)
        return self

    def follow(self, pipe, take):
        def read():
            for raw in pipe:
                with self.changed:
                    take(raw.decode(errors="replace").rstrip("\n"))
                    self.changed.notify_all()
            pipe.close()
            with self.changed:
                self.readers -= 1
                self.changed.notify_all()
        self.readers += 1
        threading.Thread(target=read, daemon=True).start()

    def take_line(self, line):
        self.lines.append(line)
        self.times.append(time.monotonic())

    def until(self, condition, what, deadline_s=DEADLINE_S, at_least_every_s=0.5):
        """Asks `condition` again after each line or event, until it gives something true."""
        end = time.monotonic() + deadline_s
        while True:
            with self.changed:
                seen = len(self.lines)
            value = condition()
            if value:
                return value
            left = end - time.monotonic()
            if left <= 0:
                raise AssertionError(f"{self.name}: timed out after {deadline_s} s: {what}\n{self.log()}")
            with self.changed:
                self.changed.wait_for(lambda: len(self.lines) > seen, min(left, at_least_every_s))

    def find(self, pattern, since=0):
        expression = re.compile(pattern)
        with self.changed:
            return [i for i in range(since, len(self.lines)) if expression.search(self.lines[i])]

    def mark(self):
        with self.changed:
            return len(self.lines)

    def wait_line(self, pattern, since=0, deadline_s=DEADLINE_S):
        """The index of the first such line."""
        return self.until(lambda: [i + 1 for i in self.find(pattern, since)], f"a line {pattern!r}",
                          deadline_s)[0] - 1

    def stays_without(self, pattern, for_s, since=0):
        """Fails as soon as such a line comes within that time."""
        expression = re.compile(pattern)
        end = time.monotonic() + for_s
        with self.changed:
            while True:
                for line in self.lines[since:]:
                    if expression.search(line):
                        raise AssertionError(f"{self.name}: unexpected: {line}\n{self.log()}")
                left = end - time.monotonic()
                if left <= 0:
                    return
                since = len(self.lines)
                self.changed.wait(left)

    def log(self):
        with self.changed:
            return "\n".join(f"{self.name}| {line}" for line in self.lines[-80:])

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        self.was_killed = True
        self.process.kill()
        self.wait_exit()

    def wait_exit(self, deadline_s=DEADLINE_S):
        try:
            status = self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} does not end\n{self.log()}") from None
        with self.changed:
            self.changed.wait_for(self.is_silent, DEADLINE_S)
        return status

    def is_silent(self):
        """Its outputs are closed and read to their ends."""
        return self.readers == 0

    def is_running(self):
        return self.process.poll() is None


class SerfAgent(Program):
    """One `serf agent` with its log at debug level."""

    def __init__(self, name, directory, arguments=(), config=None, join=None, port=None):
        super().__init__(name)
        self.port = port or free_port()
        self.rpc = address(free_port())
        # It dies with the thread that made it: nothing outlives a test run that is killed.
        command = ["setpriv", "--pdeathsig", "KILL", "--", SERF, "agent", f"-node={name}",
                   f"-bind={self.address}", f"-rpc-addr={self.rpc}", "-log-level=debug", *arguments]
        if join:
            command.append(f"-join={join.address}")
        if config:
            path = pathlib.Path(directory) / f"{name}.json"
            path.write_text(json.dumps(config))
            command.append(f"-config-file={path}")
        self.launch(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.follow(self.process.stdout, self.take_line)

    @property
    def address(self):
        return address(self.port)

    def wait_running(self):
        self.until(lambda: self.find(r"Serf agent running!") or not self.is_running(), "the agent runs")
        if not self.is_running():
            raise AssertionError(f"{self.name} ended\n{self.log()}")
        return self

    def call(self, command, *arguments, status=0, deadline_s=DEADLINE_S):
        """`serf COMMAND`; its output. `status` None: any."""
        done = subprocess.run([SERF, command, f"-rpc-addr={self.rpc}", *arguments], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=deadline_s)
        if status is not None and done.returncode != status:
            raise AssertionError(f"serf {command} {arguments}: status {done.returncode}: {done.stdout}"
                                 f"{done.stderr}\n{self.log()}")
        return done.stdout + done.stderr

    def members(self):
        rows = json.loads(self.call("members", "-format=json"))["members"]
        return {row["name"]: row for row in rows}

    def statuses(self):
        return {name: row["status"] for name, row in self.members().items()}

    def wait_members(self, expected, deadline_s=DEADLINE_S):
        """`expected`: statuses by name, all of them."""
        self.until(lambda: self.statuses() == expected, f"members {expected}, are {self.statuses()}", deadline_s)

    def wait_event(self, kind, name, since=0, deadline_s=DEADLINE_S):
        return self.wait_line(rf"serf: EventMember{kind}: {re.escape(name)}( |$)", since, deadline_s)

    def failures(self, since=0):
        return [self.lines[i] for i in self.find(r"EventMemberFailed", since)]


class Refused(Exception):
    """A peer's answer that says why not."""


class Peer(Program):
    """One dkron_gossip_peer: commands by ask(), what it heard in `events`."""

    ids = itertools.count(1)

    def __init__(self, name, *arguments, port=0):
        super().__init__(name)
        self.events = []
        self.answers = {}
        self.launch([PEER, f"--name={name}", f"--bind={address(port)}", "--no-coalescing", *arguments],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.follow(self.process.stdout, self.take_answer)
        self.follow(self.process.stderr, self.take_line)
        self.address = self.wait_event("ready")["address"]

    def take_answer(self, line):
        value = json.loads(line)
        if "id" in value:
            self.answers[value["id"]] = value
            if not value["ok"]:
                self.take_line(line)
        else:
            value["at"] = time.monotonic()
            self.events.append(value)
            self.take_line(line)

    @property
    def port(self):
        return int(self.address.rsplit(":", 1)[1])

    def begin(self, command, **arguments):
        """Sends a command; the id for finish()."""
        number = next(self.ids)
        self.process.stdin.write(json.dumps({"id": number, "do": command, **arguments}).encode() + b"\n")
        self.process.stdin.flush()
        return number

    def finish(self, number, deadline_s=DEADLINE_S):
        with self.changed:
            self.changed.wait_for(lambda: number in self.answers or self.is_silent(), deadline_s)
            answer = self.answers.pop(number, None)
        if answer is None:
            raise AssertionError(f"{self.name}: no answer\n{self.log()}")
        if not answer["ok"]:
            raise Refused(answer["error"])
        return answer

    def ask(self, command, deadline_s=DEADLINE_S, **arguments):
        return self.finish(self.begin(command, **arguments), deadline_s)

    def join(self, *others):
        return self.ask("join", addresses=[other.address for other in others])

    def members(self):
        return {member["name"]: member for member in self.ask("members")["members"]}

    def statuses(self):
        return {name: member["status"] for name, member in self.members().items()}

    def nodes(self):
        return {node["name"]: node for node in self.ask("members")["nodes"]}

    def counters(self):
        return self.ask("counters")

    def wait_members(self, expected, deadline_s=DEADLINE_S):
        self.until(lambda: self.statuses() == expected, f"members {expected}, are {self.statuses()}", deadline_s)

    def find_events(self, kind, since=0, **fields):
        """Of a member event those that name `member`; else those with these fields."""
        with self.changed:
            events = [e for e in self.events[since:] if e["event"] == kind]
        name = fields.pop("member", None)
        return [e for e in events if (name is None or any(m["name"] == name for m in e["members"])) and
                all(e.get(k) == v for k, v in fields.items())]

    def mark_events(self):
        with self.changed:
            return len(self.events)

    def wait_event(self, kind, since=0, deadline_s=DEADLINE_S, **fields):
        return self.until(lambda: self.find_events(kind, since, **dict(fields)) or self.check_running(),
                          f"event {kind} {fields}", deadline_s)[0]

    def check_running(self):
        if not self.is_running() and not self.was_killed and self.process.returncode not in (0, 3):
            raise AssertionError(f"{self.name} ended with {self.process.returncode}\n{self.log()}")

    def failures(self):
        return self.find_events("member-failed")

    def close(self):
        """Ends it by the end of its input; anything but a clean end is a fault."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        if self.was_killed:
            return
        status = self.wait_exit()
        if status not in (0, 3):
            raise AssertionError(f"{self.name} ended with {status}\n{self.log()}")


class ClusterTest(unittest.TestCase):
    """One cluster a test. Behind it no agent may have found a message of ours unreadable."""

    may_be_unreadable = False

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="dkron-serf-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.programs = []

    def serf(self, name="s1", *arguments, **kwargs):
        agent = SerfAgent(name, self.directory, arguments, **kwargs)
        self.addCleanup(self.end_agent, agent)
        self.programs.append(agent)
        return agent.wait_running()

    def peer(self, name="c", *arguments, port=0, join=()):
        peer = Peer(name, *arguments, port=port)
        self.addCleanup(peer.close)
        self.programs.append(peer)
        if join:
            peer.join(*join)
        return peer

    def server(self, name="node1", *arguments):
        """A whole `dkron agent` with a gossip address that outlives it; not started."""
        gossip = address(free_port())
        server = Server(name=name, arguments=[f"--bind-addr={gossip}", f"--advertise-addr={gossip}", *arguments])
        server.gossip = gossip
        self.addCleanup(server.close)
        return server

    def end_agent(self, agent):
        if agent.is_running():
            agent.thaw()
            agent.kill()
        self.check_readable(agent)

    def check_readable(self, agent):
        if not self.may_be_unreadable:
            bad = [line for line in agent.lines if UNREADABLE.search(line)]
            self.assertEqual(bad, [], f"{agent.name} could not read a message")

    def assert_no_failures(self, *programs):
        for program in programs:
            self.assertEqual(program.failures(), [], program.log())

    def wait_all(self, expected, *programs, deadline_s=DEADLINE_S):
        for program in programs:
            program.wait_members(expected, deadline_s)


def alive(*names):
    return {name: "alive" for name in names}


class OneResult(unittest.TestResult):
    """Keeps what a test said, with its time."""

    def __init__(self, test):
        super().__init__()
        self.test = test
        self.seconds = 0.0

    def run(self):
        begin = time.monotonic()
        self.test.run(self)
        self.seconds = time.monotonic() - begin
        return self

    def report(self):
        is_good = self.wasSuccessful() and not self.skipped
        sys.stdout.write(f"{'ok    ' if is_good else 'FAILED'} {self.seconds:6.1f} s  {self.test.id()}\n")
        for _, text in self.errors + self.failures + self.skipped:
            sys.stdout.write(text + "\n")
        sys.stdout.flush()
        return is_good


def run_together(module, workers):
    """All tests of a module side by side, those with a long wait first; gives the exit status."""
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    tests = [test for group in suite for test in group]
    tests.sort(key=lambda test: -getattr(getattr(test, test._testMethodName), "takes_s", 5))
    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        results = [pool.submit(OneResult(test).run) for test in tests]
        good = [done.result().report() for done in concurrent.futures.as_completed(results)]
    print(f"{good.count(True)} of {len(good)} tests passed in {time.monotonic() - begin:.1f} s")
    return 0 if good and all(good) else 1


def takes(seconds):
    """How long a test waits: the long ones are begun first."""
    def mark(function):
        function.takes_s = seconds
        return function
    return mark
