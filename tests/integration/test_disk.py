"""A full disk: clear errors, nothing acknowledged lost, and recovery when space returns.

Needs to mount a small tmpfs: as root, else in a user namespace of its own. Where neither is allowed (an
ordinary container), ctest shows the test as skipped.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

from harness import ServerTest, eventually


class FullDisk(ServerTest):
    def setUp(self):
        self.mount = pathlib.Path(tempfile.mkdtemp(prefix="dkron-disk-"))
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(self.mount)], check=True)
        self.addCleanup(self.unmount)

    def unmount(self):
        subprocess.run(["umount", "-l", str(self.mount)], check=True)
        self.mount.rmdir()

    def fill(self):
        """Leaves no free byte."""
        with open(self.mount / "ballast", "wb", buffering=0) as ballast:
            for size in (1 << 20, 4096, 1):
                try:
                    while True:
                        ballast.write(b"x" * size)
                except OSError:
                    continue

    def test_writes_are_refused_while_it_is_full_and_taken_again_behind_it(self):
        s = self.server(directory=self.mount / "node")
        s.directory.mkdir()
        s.start()
        s.set_job("before")
        s.set_job("ticking", schedule="* * * * * *")
        s.wait_finished("ticking", 1)
        self.fill()
        acknowledged = []
        refused = None
        for i in range(3000):
            answer = s.call("POST", "/v1/jobs", {"name": f"job{i}", "schedule": "@manually",
                                                 "metadata": {"text": "y" * 20_000}}, timeout=30)
            if answer.status == 201:
                acknowledged.append(f"job{i}")
            else:
                refused = answer
                break
        self.assertIsNotNone(refused, "the disk is full, yet everything was accepted")
        self.assertEqual(refused.status, 503, refused.text)
        # The write on whose way the disk became full has an unknown outcome; the next one is told the cause.
        if "outcome is not known" in refused.text:
            refused = s.call("POST", "/v1/jobs", {"name": "full", "schedule": "@manually"}, timeout=30)
        self.assertEqual(refused.status, 503, refused.text)
        self.assertIn("disk is full", refused.text)
        self.assertEqual(s.get("/v1/jobs/before")["name"], "before")
        self.assertIsNone(s.process.poll(), "the server ended")

        (self.mount / "ballast").unlink()
        eventually(lambda: s.call("POST", "/v1/jobs", {"name": "after", "schedule": "@manually"}).status == 201,
                   "writes are taken again")
        runs = len(s.finished("ticking"))
        s.wait_finished("ticking", runs + 2)
        names = set(acknowledged) | {"before", "after", "ticking"}
        self.assertLessEqual(names, {j["name"] for j in s.get("/v1/jobs")})
        s.kill()
        s.start()
        self.assertLessEqual(names, {j["name"] for j in s.get("/v1/jobs")})

    def test_a_crash_on_a_full_disk_loses_nothing(self):
        s = self.server(directory=self.mount / "node")
        s.directory.mkdir()
        s.start()
        for i in range(20):
            s.set_job(f"kept{i}")
        self.fill()
        s.kill()
        (self.mount / "ballast").unlink()
        s.start()
        self.assertEqual(len(s.get("/v1/jobs")), 20)


CANNOT_MOUNT = 77  # For ctest's SKIP_RETURN_CODE.


def can_mount():
    with tempfile.TemporaryDirectory() as directory:
        mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", directory], capture_output=True)
        if mount.returncode == 0:
            subprocess.run(["umount", "-l", directory], check=True)
        return mount.returncode == 0


if __name__ == "__main__":
    if not can_mount():
        if os.environ.get("DKRON_TEST_NAMESPACE"):
            print("a tmpfs can be mounted neither here nor in a user namespace")
            sys.exit(CANNOT_MOUNT)
        os.environ["DKRON_TEST_NAMESPACE"] = "1"
        inner = subprocess.run(["unshare", "-Urm", sys.executable, "-B", *sys.argv])
        sys.exit(inner.returncode if inner.returncode in (0, CANNOT_MOUNT) else 1)
    unittest.main()
