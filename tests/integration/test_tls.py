"""A cluster whose RPC port and API speak TLS, with certificates of its own authority."""

import shutil
import ssl
import subprocess
import unittest
import urllib.request

from cluster import ClusterTest
from harness import eventually, run_dkron


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


class Authority:
    def __init__(self, directory, name):
        directory.mkdir()
        self.directory = directory
        self.certificate = directory / "ca.pem"
        self.key = directory / "ca.key"
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(self.key), "-out",
                str(self.certificate), "-days", "2", "-subj", f"/CN={name}")

    def issue(self, name, ip, days=1):
        request, certificate, key = (self.directory / f"{name}.{end}" for end in ("csr", "pem", "key"))
        extensions = self.directory / f"{name}.ext"
        extensions.write_text(f"subjectAltName=IP:{ip}\nextendedKeyUsage=serverAuth,clientAuth\n")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(request), "-subj",
                f"/CN={name}")
        openssl("x509", "-req", "-in", str(request), "-CA", str(self.certificate), "-CAkey", str(self.key),
                "-CAcreateserial", "-out", str(certificate), "-days", str(days), "-extfile", str(extensions))
        return certificate, key


class Tls(ClusterTest):
    def secure(self, node, authority):
        certificate, key = authority.issue(node.name, node.ip)
        node.arguments += [f"--cert-file={certificate}", f"--key-file={key}",
                           f"--trusted-ca-file={authority.certificate}", "--client-cert-auth"]
        return certificate, key

    def test_servers_and_agents_speak_tls_and_refuse_strangers(self):
        cluster = self.cluster(servers=3, agents=1, arguments=["--disable-http-tls"])
        authority = Authority(cluster.directory / "ca", "the cluster's authority")
        for node in cluster.nodes.values():
            self.secure(node, authority)
        cluster["agent1"].arguments.append("--tag=kind=worker")
        for node in cluster.nodes.values():
            node.launch()
        for node in cluster.nodes.values():
            node.wait_up()
        leader = cluster.wait_leader()
        certificate, key = authority.issue("operator", "127.0.0.1")
        trust = ["--cert-file", str(certificate), "--key-file", str(key), "--trusted-ca-file",
                 str(authority.certificate)]
        eventually(lambda: run_dkron("raft", "list-peers", "--rpc-addr", leader.rpc, *trust)
                   .stdout.count("true") == 3, "three voters")
        follower = cluster.followers()[0]
        eventually(lambda: "agent1" in follower.members(), "the agent is a member")
        follower.set_job("hello", command="echo hello", tags={"kind": "worker"})
        follower.run("hello", wait=False)
        finished = leader.wait_finished("hello")
        self.assertEqual([(e["node_name"], e["output"]) for e in finished], [("agent1", "hello\n")])

        plain = run_dkron("raft", "list-peers", "--rpc-addr", leader.rpc)
        self.assertEqual(plain.returncode, 1)
        other = Authority(cluster.directory / "other", "somebody else")
        certificate, key = other.issue("stranger", "127.0.0.1")
        stranger = run_dkron("raft", "list-peers", "--rpc-addr", leader.rpc, "--cert-file", str(certificate),
                             "--key-file", str(key), "--trusted-ca-file", str(authority.certificate))
        self.assertEqual(stranger.returncode, 1)
        leader.wait_log("level=warning .*certificate")

    def test_the_api_speaks_https_and_takes_new_certificates_without_a_restart(self):
        cluster = self.cluster(servers=1)
        node = cluster["server1"]
        authority = Authority(cluster.directory / "ca", "the cluster's authority")
        certificate, key = self.secure(node, authority)
        node.arguments.remove("--client-cert-auth")
        node.launch()
        node.wait_up()
        node.wait_log("cluster leadership acquired")
        context = ssl.create_default_context(cafile=str(authority.certificate))
        url = f"https://{node.ip}:8080/health/ready"
        with urllib.request.urlopen(url, context=context, timeout=10) as answer:
            self.assertEqual(answer.status, 200)
        before = ssl.get_server_certificate((node.ip, 8080))
        newer, newer_key = authority.issue("server1-new", node.ip)
        shutil.copy(newer, certificate)
        shutil.copy(newer_key, key)
        node.signal(1)
        eventually(lambda: ssl.get_server_certificate((node.ip, 8080)) != before, "the new certificate")
        certificate.write_text("no certificate\n")
        node.signal(1)
        node.wait_log("the certificates are kept, the new ones are not valid")
        with urllib.request.urlopen(url, context=context, timeout=10) as answer:
            self.assertEqual(answer.status, 200)


if __name__ == "__main__":
    unittest.main(verbosity=2)
