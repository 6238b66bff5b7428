"""Throughput and added latency of the proxy, side by side in one run.

Upstream: a hyper server of this repository (benches/proxy.rs) that answers every GET with 300 bytes. In front of it, in turn:
nothing (direct); a bare pass-through on hyper-util; nginx with proxy_pass and kept connections, two workers, no log; and
Evergrant: its binary with its usual layers on SQLite, which authenticates an API key, looks the customer's connection up,
opens its sealed credential and judges the answer. Its rate limit is off, and its log says warnings only.

Load: wrk over loopback, one thread, for SECONDS each: 32 connections for throughput, one for latency. The variants take turns in
every round, so that a noisy machine is noisy to all; medians of ROUNDS are compared. Load and servers share the cores.
Usage: bench_proxy.py [ROUNDS] [SECONDS]     EVERGRANT_BIN, PROXY_BENCH_BIN: the two binaries.
"""

import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

PATH = "/api/v2/public/proxy/bench/things?limit=10"
VARIANTS = ["direct", "bare", "nginx", "evergrant"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listening(port: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"bench_proxy: {process.args[0]} does not listen")
            time.sleep(0.05)


def run(arguments: list[str], port: int, **more) -> subprocess.Popen:
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)
    listening(port, process)
    return process


def nginx(folder: str, port: int, upstream: int) -> list[str]:
    config = os.path.join(folder, "nginx.conf")
    with open(config, "w", encoding="ascii") as out:
        out.write(
            f"""daemon off; worker_processes 2; pid {folder}/nginx.pid; error_log /dev/null crit;
            events {{ worker_connections 1024; }}
            http {{
              access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
              uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; keepalive_requests 1000000000;
              upstream there {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 1000000000; }}
              server {{ listen 127.0.0.1:{port};
                location / {{ proxy_pass http://there; proxy_http_version 1.1; proxy_set_header Connection "";
                  proxy_set_header Authorization "Bearer token"; }} }}
            }}"""
        )
    return ["nginx", "-p", folder, "-c", config]


def evergrant(folder: str, port: int, upstream: int) -> tuple[dict[str, str], list[str]]:
    catalog = os.path.join(folder, "catalog")
    os.mkdir(catalog)
    with open(os.path.join(catalog, "bench.toml"), "w", encoding="ascii") as out:
        out.write(
            f"""slug = "bench"
            name = "Bench"
            description = "For measuring."
            [api]
            base_url = "http://127.0.0.1:{upstream}/api"
            [keybased]
            input = [{{ name = "key", label = "Key" }}]
            placement = [{{ kind = "bearer", token = "{{key}}" }}]
            """
        )
    environment = {
        **os.environ,
        "EVERGRANT_LISTEN": f"127.0.0.1:{port}",
        "EVERGRANT_DATA_DIR": os.path.join(folder, "data"),
        "EVERGRANT_CATALOG_DIR": catalog,
        "EVERGRANT_EGRESS_ALLOW": f"127.0.0.1:{upstream}",
        "EVERGRANT_RATE_LIMIT": "0",
        "EVERGRANT_LOG": "warn",
    }
    return environment, ["serve"]


def connect(binary: str, environment: dict[str, str], port: int) -> str:
    create = [binary, "key", "create", "--org", "default", "--env", "test", "--name", "bench", "--json"]
    key = json.loads(subprocess.run(create, check=True, stdout=subprocess.PIPE, env=environment).stdout)["key"]

    def call(method: str, path: str, body: dict) -> None:
        headers = {"x-api-key": key, "linked_account_id": "bench", "content-type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", json.dumps(body).encode(), headers, method=method)
        urllib.request.urlopen(request, timeout=10).read()

    call("POST", "/api/v2/public/linked-account", {"linked_account_id": "bench"})
    call("PUT", "/api/v2/public/linked-account/integration/save-key-credentials/bench", {"key": "secret-of-the-bench"})
    return key


UNITS = {"us": 1.0, "ms": 1000.0, "s": 1_000_000.0}


def wrk(port: int, headers: list[str], connections: int, seconds: int) -> tuple[float, float, float]:
    """Requests a second, median and 99th percentile in microseconds."""
    arguments = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
    for header in headers:
        arguments += ["-H", header]
    text = subprocess.run([*arguments, f"http://127.0.0.1:{port}{PATH}"], check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in text or "Socket errors" in text:
        sys.exit(f"bench_proxy: not every answer was good:\n{text}")

    def percentile(name: str) -> float:
        number, unit = re.search(rf"{name}%\s+([\d.]+)(us|ms|s)", text).groups()
        return float(number) * UNITS[unit]

    return float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]), percentile("50"), percentile("99")


def cpu(pid: int) -> float:
    """Seconds of processor that a process and those it started have used."""
    total = 0.0
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            fields = open(f"/proc/{entry}/stat", encoding="utf-8").read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(entry) == pid or int(fields[1]) == pid:
            total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def measure(processes: dict, ports: dict, headers: list[str], rounds: int, seconds: int) -> dict:
    found = {variant: {"rps": [], "cpu": [], "p50": [], "p99": []} for variant in VARIANTS}
    for variant in VARIANTS:
        wrk(ports[variant], headers, 32, 1)  # warms it up
    for _ in range(rounds):
        for variant in VARIANTS:
            before = cpu(processes[variant].pid)
            rate, _, _ = wrk(ports[variant], headers, 32, seconds)
            found[variant]["cpu"].append((cpu(processes[variant].pid) - before) / (rate * seconds) * 1e6)
            found[variant]["rps"].append(rate)
        for variant in VARIANTS:
            _, p50, p99 = wrk(ports[variant], headers, 1, seconds)
            found[variant]["p50"].append(p50)
            found[variant]["p99"].append(p99)
    return {variant: {name: statistics.median(all) for name, all in one.items()} for variant, one in found.items()}


def report(m: dict) -> bool:
    direct, bare, other, ours = (m[variant] for variant in VARIANTS)
    print(f"{'':10} {'req/s':>9} {'CPU us/req':>11} {'p50 us':>8} {'p99 us':>8} {'added p50':>10} {'added p99':>10}   (32 connections; latency at one)")
    for variant in VARIANTS:
        one = m[variant]
        added = [one[p] - direct[p] for p in ("p50", "p99")]
        print(f"{variant:10} {one['rps']:9.0f} {one['cpu']:11.1f} {one['p50']:8.0f} {one['p99']:8.0f} {added[0]:10.0f} {added[1]:10.0f}")
    of_bare, of_nginx = ours["rps"] / bare["rps"], ours["rps"] / other["rps"]
    slower = (ours["p50"] - direct["p50"]) / max(other["p50"] - direct["p50"], 1)
    goals = [
        (f"{of_bare:.2f} x the bare pass-through", "at least 0.75", of_bare >= 0.75),
        (f"{of_nginx:.2f} x nginx", "at least 0.5", of_nginx >= 0.5),
        (f"added p50 {slower:.1f} x nginx's", "at most 3", slower <= 3),
    ]
    for what, goal, met in goals:
        print(f"proxy: {what} (goal {goal}): {'met' if met else 'MISSED'}")
    return all(met for _, _, met in goals)


def main() -> None:
    rounds, seconds = (int(word) for word in (sys.argv[1:] + ["5", "2"][len(sys.argv) - 1 :])[:2])
    binary, bench = (os.path.abspath(os.environ[name]) for name in ("EVERGRANT_BIN", "PROXY_BENCH_BIN"))
    if missing := [name for name in ("wrk", "nginx") if not shutil.which(name)]:
        sys.exit(f"bench_proxy: {' and '.join(missing)} not found; scripts/setup.sh bench installs them")
    print(__doc__.split("Usage:")[0])
    ports = {variant: free_port() for variant in VARIANTS}
    processes: dict[str, subprocess.Popen] = {}
    with tempfile.TemporaryDirectory() as folder:
        try:
            upstream = ports["direct"]
            processes["direct"] = run([bench, "upstream", str(upstream)], upstream)
            processes["bare"] = run([bench, "bare", str(ports["bare"]), f"127.0.0.1:{upstream}"], ports["bare"])
            processes["nginx"] = run(nginx(folder, ports["nginx"], upstream), ports["nginx"])
            environment, words = evergrant(folder, ports["evergrant"], upstream)
            processes["evergrant"] = run([binary, *words], ports["evergrant"], env=environment, cwd=folder)
            key = connect(binary, environment, ports["evergrant"])
            headers = [f"x-api-key: {key}", "linked_account_id: bench"]
            report(measure(processes, ports, headers, rounds, seconds))
        finally:
            for process in processes.values():
                process.terminate()
            for process in processes.values():
                process.wait(timeout=30)


if __name__ == "__main__":
    main()
