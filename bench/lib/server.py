"""Asks goshift-server, and takes the time. Prints tab-separated figures.

server.py pages URL TASKS            path, median ms, 99th percentile ms, a line each
server.py submit URL COUNT           start (seconds since 1970), submissions a second, median ms of one
server.py streams URL COUNT PID      percent of a core that the process PID uses while COUNT streams are open
"""

import http.client
import json
import os
import socket
import statistics
import sys
import threading
import time
from urllib.parse import urlsplit

ROUNDS = 200
CONNECTIONS = 8
WATCH_SECONDS = 20


def ask(connection, method, path, body=None):
    headers = {"content-type": "application/json"} if body else {}
    connection.request(method, path, json.dumps(body) if body else None, headers)
    response = connection.getresponse()
    text = response.read()
    if response.status >= 300:
        sys.exit(f"server.py: {method} {path}: {response.status} {text[:300]!r}")
    return json.loads(text)


def pages(host, tasks):
    connection = http.client.HTTPConnection(host)
    run = ask(connection, "GET", "/api/v1/runs?limit=1&state=succeeded")["items"][0]["run_id"]
    middle = ask(connection, "GET", f"/api/v1/runs?limit=1&task_id={tasks // 2}")["items"][0]["run_id"]
    paths = [
        "/api/v1/overview",
        "/api/v1/tasks?limit=50",
        f"/api/v1/tasks?limit=50&after={tasks // 2}",
        f"/api/v1/tasks?limit=50&q=table_{tasks - 1}",
        "/api/v1/tasks?limit=50&status=failed",
        "/api/v1/runs?limit=50",
        f"/api/v1/runs?limit=50&after={middle}",
        "/api/v1/runs?limit=50&state=failed",
        f"/api/v1/runs?limit=50&task_id={tasks // 2}",
        "/api/v1/runs?limit=50&dead=true",
        "/api/v1/runs?limit=50&since=1d",
        f"/api/v1/runs/{run}",
        f"/api/v1/runs/{run}/shards",
    ]
    for path in paths:
        times = []
        for _ in range(ROUNDS):
            begin = time.perf_counter()
            ask(connection, "GET", path)
            times.append((time.perf_counter() - begin) * 1000)
        times.sort()
        shown = path.replace(run, "RUN").replace(middle, "RUN")
        print(f"{shown}\t{statistics.median(times):.1f}\t{times[len(times) * 99 // 100]:.1f}")


def submit(host, count):
    times = []

    def some(first):
        connection = http.client.HTTPConnection(host)
        for task in range(first + 1, count + 1, CONNECTIONS):
            begin = time.perf_counter()
            ask(connection, "POST", "/api/v1/runs", {"task_id": task})
            times.append((time.perf_counter() - begin) * 1000)

    threads = [threading.Thread(target=some, args=(first,)) for first in range(CONNECTIONS)]
    begin = time.time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(times) != count:
        sys.exit("server.py: some submissions failed")
    print(f"{begin}\t{count / (time.time() - begin):.0f}\t{statistics.median(times):.1f}")


def ticks(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def streams(host, count, pid):
    connection = http.client.HTTPConnection(host)
    waiting = ask(connection, "GET", f"/api/v1/runs?limit={count}&state=submitted")["items"]
    if len(waiting) != count:
        sys.exit(f"server.py: {len(waiting)} runs wait, not {count}")
    name, port = host.split(":")
    open_streams = []
    for run in waiting:
        stream = socket.create_connection((name, int(port)))
        path = f"/api/v1/runs/{run['run_id']}/events"
        stream.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        open_streams.append(stream)
    for stream in open_streams:
        text = b""
        while b"event: progress" not in text:
            part = stream.recv(4096)
            if not part:
                sys.exit("server.py: a stream has ended")
            text += part
    time.sleep(2)
    begin, used = time.time(), ticks(pid)
    time.sleep(WATCH_SECONDS)
    used = (ticks(pid) - used) / os.sysconf("SC_CLK_TCK")
    print(f"{100 * used / (time.time() - begin):.1f}")


def main():
    what, url, count, *rest = sys.argv[1:]
    host = urlsplit(url).netloc
    {"pages": pages, "submit": submit, "streams": streams}[what](host, int(count), *rest)


main()
