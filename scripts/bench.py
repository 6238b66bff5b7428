"""Start-up and idle memory of the binary in EVERGRANT_BIN, each start on a new, empty data folder.

Start-up: from spawning the process to the first HTTP 200 of /readyz over loopback, which is asked for every half
millisecond. Beside it, in the same run and in turn, a bare process start (`evergrant --version`): the difference is
what the server itself needs. Memory: resident set and its private part, three seconds after the server was ready
and has answered ten requests.
"""

import http.client
import os
import platform
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def memory_kib(pid: int) -> tuple[int, int]:
    """Resident set, and the part of it that is this process's own (no shared library or file pages)."""
    fields = {}
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as lines:
        for line in lines:
            name, _, rest = line.partition(":")
            if rest.strip().endswith("kB"):
                fields[name] = int(rest.split()[0])
    return fields["Rss"], fields["Private_Clean"] + fields["Private_Dirty"]


def start(binary: str, settle: float) -> tuple[float, int, int]:
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            "EVERGRANT_LISTEN": f"127.0.0.1:{port}",
            "EVERGRANT_DATA_DIR": os.path.join(folder, "data"),
            "PATH": os.environ.get("PATH", ""),
        }
        began = time.perf_counter()
        server = subprocess.Popen(
            [binary, "serve"], env=environment, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            while not ready(port):
                if server.poll() is not None:
                    sys.exit(f"bench: the server ended with exit code {server.returncode}")
                if time.perf_counter() - began > 30:
                    sys.exit("bench: the server was not ready within 30 s")
                time.sleep(0.0005)
            took = (time.perf_counter() - began) * 1000
            for _ in range(10):
                ready(port)
            time.sleep(settle)
            rss, private = memory_kib(server.pid)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=30)
        return took, rss, private


def bare(binary: str) -> float:
    began = time.perf_counter()
    subprocess.run([binary, "--version"], check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - began) * 1000


def main() -> None:
    binary = os.path.abspath(os.environ["EVERGRANT_BIN"])
    runs = int(sys.argv[1])
    print(__doc__)
    print(f"machine: {os.cpu_count()} cores, {platform.system()} {platform.release()}; binary: {os.path.getsize(binary) / 1e6:.1f} MB")
    start(binary, 0)  # one start to warm the page cache
    starts, bares = [], []
    for _ in range(runs):
        bares.append(bare(binary))
        starts.append(start(binary, 0)[0])
    _, rss, private = start(binary, 3)
    median, plain = statistics.median(starts), statistics.median(bares)
    print(f"start-up to ready  median {median:6.1f} ms  (best {min(starts):.1f}, worst {max(starts):.1f}, {runs} starts)  goal < 100 ms")
    print(f"bare process start median {plain:6.1f} ms  -> start-up is {median / plain:.1f} times that")
    print(f"idle memory        resident {rss / 1024:5.1f} MiB, of it private {private / 1024:.1f} MiB  goal < 40 MiB")
    missed = [name for name, bad in [("start-up", median >= 100), ("memory", rss >= 40 * 1024)] if bad]
    print("goals met" if not missed else f"goals missed: {', '.join(missed)}")


main()
