"""Real dkron processes for the integration tests: start, ask, kill, look at the log.

Each Server has a directory of its own and ports chosen by the kernel, so tests run side by side. Waiting
is for a log line, an exit, or a condition over HTTP, always with a deadline; nothing sleeps blindly.
"""

import datetime
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("DKRON_BINARY", str(ROOT / "build/release/dkron"))
ZERO_TIME = "0001-01-01T00:00:00Z"
DEADLINE_S = 20.0


def eventually(condition, what, deadline_s=DEADLINE_S):
    """Asks `condition` until it gives something true; that value is returned."""
    pause = threading.Event()
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"timed out after {deadline_s} s: {what}")
        pause.wait(0.02)


def parse_time(text):
    """An RFC 3339 time of the API."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args):
        return None


OPENER = urllib.request.build_opener(NoRedirect, urllib.request.ProxyHandler({}))


def http(method, url, body=None, headers=None, timeout=DEADLINE_S):
    if body is not None and not isinstance(body, (bytes, str)):
        body = json.dumps(body)
    data = body.encode() if isinstance(body, str) else body
    request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    try:
        with OPENER.open(request, timeout=timeout) as response:
            return Answer(response.status, response.headers, response.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.headers, error.read())


class Server:
    """One `dkron agent --server`. `directory` lives on over restarts of the process."""

    def __init__(self, directory=None, name="node1", environment=None, arguments=()):
        self.owns_directory = directory is None
        self.directory = pathlib.Path(directory or tempfile.mkdtemp(prefix="dkron-test-"))
        self.name = name
        self.environment = environment or {}
        self.arguments = list(arguments)
        self.process = None
        self.address = None
        self.lines = []
        self.changed = threading.Condition()
        self.reader = None

    # -- life

    def command(self):
        return [BINARY, "agent", "--server", "--bootstrap-expect=1", f"--node-name={self.name}",
                f"--data-dir={self.directory / 'data'}", "--bind-addr=127.0.0.1:0",
                "--advertise-addr=127.0.0.1:0", "--http-addr=127.0.0.1:0", "--rpc-port=0", *self.arguments]

    def launch(self):
        """Starts the process and returns at once."""
        self.lines = []
        environment = {k: v for k, v in os.environ.items() if not k.startswith("DKRON_")}
        environment.update(self.environment)
        self.process = subprocess.Popen(self.command(), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                        cwd=self.directory, env=environment, start_new_session=True)
        self.reader = threading.Thread(target=self._read_log, args=(self.process,), daemon=True)
        self.reader.start()
        return self

    def start(self):
        """Starts the process and waits until it leads."""
        self.launch()
        match = self.wait_log(r'msg="api: Running HTTP server" address="?([^" ]+)')
        self.address = "http://" + match.group(1)
        self.wait_log(r"cluster leadership acquired")
        return self

    def _read_log(self, process):
        for raw in process.stderr:
            with self.changed:
                self.lines.append(raw.decode(errors="replace").rstrip("\n"))
                self.changed.notify_all()
        process.stderr.close()
        with self.changed:
            self.lines.append("<end of log>")
            self.changed.notify_all()

    def wait_log(self, pattern, deadline_s=DEADLINE_S):
        expression = re.compile(pattern)
        end = time.monotonic() + deadline_s
        seen = 0
        with self.changed:
            while True:
                for line in self.lines[seen:]:
                    match = expression.search(line)
                    if match:
                        return match
                    if line == "<end of log>":
                        raise AssertionError(f"the process ended without {pattern!r}:\n" + self.log())
                seen = len(self.lines)
                if not self.changed.wait(end - time.monotonic()):
                    raise AssertionError(f"no {pattern!r} in the log:\n" + self.log())

    def log(self):
        return "\n".join(self.lines[-60:])

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        """SIGKILL, as a crash; the runs' processes stay."""
        self.process.kill()
        self.process.wait(DEADLINE_S)
        self.reader.join(DEADLINE_S)

    def stop(self, deadline_s=40):
        """SIGTERM; gives the exit status."""
        self.signal(signal.SIGTERM)
        return self.wait_exit(deadline_s)

    def wait_exit(self, deadline_s=DEADLINE_S):
        status = self.process.wait(deadline_s)
        self.reader.join(DEADLINE_S)
        return status

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.kill()
        if self.owns_directory:
            shutil.rmtree(self.directory, ignore_errors=True)

    # -- requests

    def call(self, method, path, body=None, headers=None, timeout=DEADLINE_S):
        return http(method, self.address + path, body, headers, timeout)

    def get(self, path):
        answer = self.call("GET", path)
        if answer.status != 200:
            raise AssertionError(f"GET {path}: {answer.status} {answer.text}")
        return answer.json

    def set_job(self, name, command="true", **members):
        job = {"name": name, "schedule": "@manually", "executor": "shell",
               "executor_config": {"command": command}, **members}
        answer = self.call("POST", "/v1/jobs", job)
        if answer.status != 201:
            raise AssertionError(f"POST of {name}: {answer.status} {answer.text}")
        return answer.json

    def run(self, name, wait=True):
        answer = self.call("POST", f"/v1/jobs/{name}/run" + ("?wait=true" if wait else ""))
        if answer.status != 200:
            raise AssertionError(f"run of {name}: {answer.status} {answer.text}")
        return answer.json

    def executions(self, name):
        return self.get(f"/v1/jobs/{name}/executions")

    def finished(self, name):
        return [e for e in self.executions(name) if e["finished_at"] != ZERO_TIME]

    def wait_finished(self, name, count=1, deadline_s=DEADLINE_S):
        return eventually(lambda: len(f := self.finished(name)) >= count and f,
                          f"{count} finished executions of {name}", deadline_s)

    def ledger(self, name):
        return self.get(f"/v1/jobs/{name}/ledger?_start=0&_end=1000")


class ServerTest(unittest.TestCase):
    """Closes every server that a test made."""

    def server(self, *args, **kwargs):
        server = Server(*args, **kwargs)
        self.addCleanup(server.close)
        return server


def run_dkron(*arguments, environment=None, stdin=None, deadline_s=DEADLINE_S):
    variables = {k: v for k, v in os.environ.items() if not k.startswith("DKRON_")}
    variables.update(environment or {})
    return subprocess.run([BINARY, *arguments], env=variables, input=stdin, capture_output=True, text=True,
                          timeout=deadline_s)

