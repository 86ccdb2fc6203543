"""What the tests of gossip send at a member beside its peers: steady traffic, and rubbish."""

import json
import re
import socket
import threading

from harness import ROOT


class Traffic:
    """Sends events from one peer to another all the time; each must arrive."""

    def __init__(self, sender, receiver):
        self.sender, self.receiver = sender, receiver
        self.ended = threading.Event()
        self.arrived = 0
        self.problem = None
        self.news = threading.Condition()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        try:
            number = 0
            while not self.ended.is_set():
                number += 1
                self.sender.ask("event", name="traffic", payload=str(number))
                self.receiver.wait_event("user", name="traffic", payload=str(number), deadline_s=10)
                with self.news:
                    self.arrived = number
                    self.news.notify_all()
        except Exception as problem:  # Told by wait_more() and __exit__() on the test's thread.
            with self.news:
                self.problem = problem
                self.news.notify_all()

    def wait_more(self, count):
        with self.news:
            aim = self.arrived + count
            self.news.wait_for(lambda: self.arrived >= aim or self.problem, 20)
            if self.problem or self.arrived < aim:
                raise AssertionError(f"traffic stopped at {self.arrived}: {self.problem}")

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.ended.set()
        self.thread.join(30)
        if kind is None and self.problem:
            raise AssertionError(f"traffic stopped: {self.problem}")


class Rubbish:
    """Recorded packets and streams with bytes changed, cut and repeated."""

    # So that no member of a recording leads to another test's cluster.
    PORT_FIELD = re.compile(rb"Port[\xcc-\xcf\xd0-\xd3]..", re.DOTALL)
    # A time far ahead makes a member deaf for events, in every implementation of the protocol.
    TIME_FIELD = re.compile(rb"LTime(\xcd..|\xce.{4}|\xcf.{8})", re.DOTALL)

    def __init__(self, rng):
        self.rng = rng
        folder = ROOT / "tests/golden/gossip"
        self.packets = [self.plain(v) for v in json.loads((folder / "udp_packets.json").read_text())]
        self.streams = [bytes.fromhex(v["hex"]) for v in json.loads((folder / "tcp_streams.json").read_text())]

    @staticmethod
    def plain(vector):
        """Without the checksum, which would keep every change from being read."""
        data = bytes.fromhex(vector["hex"])
        return data[5:] if data[:1] == b"\x0c" else data

    def mutated(self, data):
        rng, data = self.rng, bytearray(data)
        for _ in range(rng.choice((0, 1, 1, 2, 4, 16))):
            at = rng.randrange(len(data)) if data else 0
            change = rng.randrange(4)
            if change == 0 and data:
                data[at] = rng.randrange(256)
            elif change == 1:
                data[at:at] = rng.randbytes(rng.randrange(8))
            elif change == 2:
                del data[at:at + rng.randrange(8)]
            else:
                data = data[:at] if rng.random() < 0.2 else data + data[at:at + 32]
        return self.TIME_FIELD.sub(b"LTime\x07", self.PORT_FIELD.sub(b"Port\xcd\x00\x09", bytes(data)))

    def throw(self, peer, packets, streams):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.connect(("127.0.0.1", peer.port))
            for number in range(packets):
                try:
                    s.send(self.mutated(self.rng.choice(self.packets))[:60_000])
                except ConnectionRefusedError:
                    pass
                if number % 200 == 199:
                    peer.counters()  # It is as far as we are.
        for _ in range(streams):
            with socket.create_connection(("127.0.0.1", peer.port), 10) as s:
                try:
                    s.sendall(self.mutated(self.rng.choice(self.streams)))
                    s.shutdown(socket.SHUT_WR)
                    while s.recv(65536):
                        pass
                except OSError:
                    pass


def resident_kib(pid):
    with open(f"/proc/{pid}/status") as status:
        return int(next(line for line in status if line.startswith("VmRSS")).split()[1])
