"""Membership from outside: agents that join, refuse, remember and rotate keys, over real sockets."""

import base64
import json
import re
import subprocess
import unittest

from harness import BINARY, Server, eventually


def key(letter):
    return base64.b64encode(letter.encode() * 16).decode()


class Member(Server):
    """A server that knows its gossip address."""

    def start(self):
        super().start()
        self.gossip = self.wait_log(rf'address="([^"]+)" event=member-join member={self.name}').group(1)
        return self

    def member(self, name):
        return next((m for m in self.get("/v1/members") if m["Name"] == name), None)

    def status(self, name):
        member = self.member(name)
        return None if member is None else member["statusText"]


class Members(unittest.TestCase):
    def start(self, name, **options):
        server = Member(name=name, **options)
        self.addCleanup(server.close)
        return server.start()

    def test_a_lone_server_is_a_member_with_its_tags(self):
        server = self.start("alone", arguments=["--tag", "rack=7"])
        self.assertEqual([m["Name"] for m in server.get("/v1/members")], ["alone"])
        tags = server.member("alone")["Tags"]
        self.assertEqual((tags["rack"], tags["server"], tags["role"]), ("7", "true", "dkron"))
        self.assertEqual(server.get("/v1")["serf"]["members"], "1")

    def test_a_member_of_another_cluster_is_refused_on_both_sides(self):
        first = self.start("first")
        second = self.start("second", arguments=[f"--join={first.gossip}"])
        second.wait_log("Can not join.*belongs to cluster")
        first.wait_log("a member of another cluster was refused.*second")
        eventually(lambda: first.status("second") == "refused", "the refused member is shown")
        self.assertIn("belongs to cluster", first.member("second")["refused"])
        self.assertEqual(first.get("/v1")["serf"]["members"], "1")

    def test_without_an_encryption_key_there_is_no_keyring(self):
        server = self.start("plain")
        answer = server.call("GET", "/v1/agent/keyring")
        self.assertEqual(answer.status, 409)
        self.assertIn("not encrypted", answer.text)

    def test_a_key_is_rotated_by_the_command_and_survives_a_restart(self):
        server = self.start("keys", arguments=[f"--encrypt={key('a')}"])

        def keys(*arguments):
            return subprocess.run([BINARY, "keys", *arguments, f"--api-addr={server.address}"],
                                  capture_output=True, text=True, timeout=30)

        for step in (("install", key("b")), ("use", key("b")), ("remove", key("a"))):
            done = keys(*step)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn("1 of 1 members answered, 0 with an error", done.stdout)
        self.assertEqual(keys("remove", key("b")).returncode, 1)
        self.assertEqual(server.stop(), 0)
        server.start()
        listed = json.loads(keys("list", "--format=json").stdout)
        self.assertEqual(listed["primary_keys"], {key("b"): 1})

    def test_joining_in_vain_ends_the_program_after_the_last_attempt(self):
        server = Member(name="vain", arguments=["--retry-join=127.0.0.1:1", "--retry-max=2",
                                           "--retry-interval=50ms"])
        self.addCleanup(server.close)
        server.launch()
        server.wait_log("max join LAN retry exhausted")
        self.assertEqual(server.wait_exit(), 1)

    def test_an_address_to_join_that_cannot_be_found_is_told(self):
        server = self.start("lost", arguments=["--join=provider=aws tag_key=a tag_value=b"])
        line = server.wait_log("an address to join was not found.*").group(0)
        self.assertTrue(re.search("aws.*exec", line), line)

    def test_tags_change_on_reload(self):
        server = Member(name="reload")
        self.addCleanup(server.close)
        config = server.directory / "dkron.yml"
        config.write_text("tags:\n  rack: one\n")
        server.arguments = [f"--config={config}"]
        server.start()
        self.assertEqual(server.member("reload")["Tags"]["rack"], "one")
        config.write_text("tags:\n  rack: two\n")
        server.signal(1)
        eventually(lambda: server.member("reload")["Tags"].get("rack") == "two", "the new tag")

    def test_metrics_tell_of_the_members(self):
        server = self.start("counted", arguments=["--enable-prometheus"])
        text = server.call("GET", "/metrics").text
        self.assertIn('dkron_members{status="alive"} 1', text)
        self.assertIn("dkron_gossip_packets_dropped_total 0", text)


if __name__ == "__main__":
    unittest.main()
