# SPDX-License-Identifier: MIT
"""The fake teacher (tests/teacher/) as a test sees it: started, scripted, and its book read."""
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request

direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def wait_for(what, condition, seconds=20):
    """Returns the first true value of condition(); fails with words after some time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.005)
    raise AssertionError(f"after {seconds} s still not: {what}")


def json_lines(path):
    """The whole lines of a file that somebody is writing."""
    if not path.exists():
        return []
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    return [json.loads(line) for line in text.split("\n")[:-1]]


class Teacher:
    """One server. Its files lie in a folder of its own; prefix is put before its command."""

    def __init__(self, program, folder, words=(), script="", prefix=()):
        folder.mkdir(parents=True)
        self.folder, self.counts_at_end = folder, None
        port_file = folder / "port"
        command = [*prefix, program, "--with-parent", "--port-file", port_file,
                   "--book", folder / "book", "--log-bodies", folder / "bodies"]
        if script:
            (folder / "script").write_text(script, encoding="utf-8")
            command += ["--script", folder / "script"]
        self.output = open(folder / "output", "wb")
        self.process = subprocess.Popen([*map(str, command), *map(str, words)],
                                        stdin=subprocess.DEVNULL, stdout=self.output,
                                        stderr=subprocess.STDOUT)
        wait_for("the fake teacher listens",
                 lambda: port_file.exists() or self.process.poll() is not None)
        if not port_file.exists():
            raise AssertionError((folder / "output").read_text(errors="replace"))
        self.port = int(port_file.read_text())
        self.url = f"http://127.0.0.1:{self.port}"

    def book(self):
        """What it was asked, oldest first: the lines of tests/teacher/book.h."""
        return json_lines(self.folder / "book")

    def asked(self):
        return len(self.book())

    def billed(self):
        return [line for line in self.book() if line["billed"]]

    def requests(self):
        """(headers by lower-case name, body) of each chat completion request."""
        for line in json_lines(self.folder / "bodies"):
            pairs = (header.split(":", 1) for header in line["head"].split("\r\n") if header)
            yield ({name.lower(): value.strip() for name, value in pairs},
                   json.loads(line["body"]))

    def bodies(self):
        return [body for _, body in self.requests()]

    def counts(self):
        """Counts of the running server, and of one that was stopped."""
        if self.counts_at_end is not None:
            return self.counts_at_end
        with direct.open(self.url + "/book", timeout=10) as reply:
            return json.load(reply)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        self.output.close()
        lines = (self.folder / "output").read_text(errors="replace").splitlines()
        if self.process.returncode == 0:
            self.counts_at_end = json.loads(lines[-1])
        return self.counts_at_end


# Run in a new network: brings its loopback up and gives it an address that is no loopback's.
HOLD_NETWORK = """
import fcntl, socket, struct, time
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
SIOCSIFADDR, SIOCSIFFLAGS, IFF_UP = 0x8916, 0x8914, 1
fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
address = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton("10.9.8.7"))
fcntl.ioctl(sock, SIOCSIFADDR, struct.pack("16s16s", b"lo:1", address))
print("up", flush=True)
time.sleep(600)
"""


class Alone:
    """A network of one's own with nothing listening on it, where the kernel allows one.
    Commands are put into it by a prefix; without one they stay on the machine's loopback."""

    address = "10.9.8.7"

    def __init__(self):
        rootless = [] if os.geteuid() == 0 else ["--map-root-user"]
        self.process = subprocess.Popen(
            ["unshare", "--net", *rootless, sys.executable, "-c", HOLD_NETWORK],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.real = self.process.stdout.readline() == b"up\n"
        self.prefix = ["nsenter", "--target", str(self.process.pid), "--net"]
        if rootless:
            self.prefix += ["--user", "--preserve-credentials"]
        if not self.real:
            self.prefix = []

    def stop(self):
        self.process.kill()
        self.process.wait(20)
        self.process.stdout.close()
