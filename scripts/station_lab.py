"""A station, its virtual fleet and its tills as processes, for the scripts that look at durability and load."""
import concurrent.futures
import contextlib
import http.client
import json
import os
import pathlib
import random
import re
import signal
import socket
import sqlite3
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Ends a script that hangs; no verdict hangs on it.
DEADLINE_S = 300


def program():
    """The release build of the station, made if needed; VENDING_STATION names another one."""
    given = os.environ.get("VENDING_STATION")
    if given:
        return pathlib.Path(given)
    subprocess.run(["cargo", "build", "--quiet", "--release", "-p", "vending-station"], cwd=ROOT, check=True)
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "vending-station"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, check, seconds=DEADLINE_S, pause=0.1):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = check()
        if value:
            return value
        time.sleep(pause)
    raise SystemExit(f"waited {seconds} s in vain for {what}")


class Fleet:
    """`simulate` on a site and a world file of its own."""

    def __init__(self, folder, meters, gateways, port, *options):
        self.folder = pathlib.Path(folder)
        self.site, self.world, self.writes = (self.folder / name for name in ("site.toml", "world.sqlite", "writes"))
        self.command = [program(), "simulate", self.site, "--meters", meters, "--gateways", gateways, "--listen", f"127.0.0.1:{port}",
                        "--world", self.world, "--writes", self.writes, *options]
        self.process = None

    def start(self):
        self.process = subprocess.Popen([str(word) for word in self.command], stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            if line.startswith("ready"):
                return self
        raise SystemExit("the fleet does not start")

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=DEADLINE_S)

    def kill(self):
        self.process.kill()
        self.process.communicate()

    def purses(self):
        """Purchase count and all money ever bought, by meter number. The fleet must not run."""
        with contextlib.closing(sqlite3.connect(self.world)) as world:
            states = {number: json.loads(state)["purse"] for number, state in world.execute("SELECT number, state FROM meters")}
        return {number: (purse["count"], purse["purchased_cents"]) for number, purse in states.items()}

    def frames(self, function):
        """Frames of a function that reached a meter: (line, unit, bytes)."""
        found = []
        for line in self.writes.read_text().splitlines():
            _, bus, text = line.split()
            frame = bytes.fromhex(text)
            if frame[1] == function:
                found.append((bus, frame[0], frame))
        return found


class Station:
    """`serve` on a store."""

    def __init__(self, folder, db=None, log="station.log"):
        self.folder = pathlib.Path(folder)
        self.db = db or self.folder / "station.sqlite"
        self.port = free_port()
        self.log = self.folder / log
        self.process = None

    def import_site(self, site):
        subprocess.run([program(), "import", site, "--db", self.db], check=True, stdout=subprocess.DEVNULL)

    def start(self, wait=True, before=()):
        with open(self.log, "a") as log:
            self.process = subprocess.Popen([*before, str(program()), "serve", "--db", str(self.db), "--listen", f"127.0.0.1:{self.port}"],
                                            stdout=subprocess.DEVNULL, stderr=log)
        if wait:
            wait_for("the station", self.answers)
        return self

    def answers(self):
        if self.process.poll() is not None:
            raise SystemExit(f"the station ended with {self.process.returncode}:\n{self.log.read_text()[-2000:]}")
        try:
            return self.call("GET", "/api/totals", timeout=2)[0] == 200
        except OSError:
            return False

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        os.kill(self.pid(), signal.SIGINT)
        self.process.wait(timeout=DEADLINE_S)

    def pid(self):
        """The station itself, not the program that watches it."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0]) if children else self.process.pid

    def call(self, method, path, body=None, key=None, timeout=30):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            headers = {"Content-Type": "application/json"}
            if key:
                headers["Idempotency-Key"] = key
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        except http.client.HTTPException as error:
            raise ConnectionError(str(error)) from error
        finally:
            connection.close()

    def look(self, query, *values):
        """Rows of the store's file, beside the running station."""
        store = sqlite3.connect(f"file:{self.db}?mode=ro", uri=True, timeout=30)
        try:
            return store.execute(query, values).fetchall()
        finally:
            store.close()

    def wait_open(self, accounts):
        wait_for("all accounts to open", lambda: self.look("SELECT count(*) FROM account")[0][0] >= accounts, pause=0.5)

    def wait_closed(self):
        wait_for("all sales to close", lambda: self.look("SELECT count(*) FROM sale WHERE closed_utc_s IS NULL")[0][0] == 0, pause=0.3)

    def check(self):
        """The books as a whole, every table built again. The station must not run."""
        done = subprocess.run([program(), "check", "--replay", "--db", self.db], stdout=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise SystemExit(f"the books are wrong:\n{done.stdout}")
        return done.stdout.splitlines()[0]

    def rss_mb(self, peak=False):
        word = "VmHWM" if peak else "VmRSS"
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{word}:\s+(\d+)", status)[1]) / 1024

    def cpu_s(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Tills:
    """Threads that sell, each with a key that is asked again until there is an answer."""

    def __init__(self, accounts, seed, threads=8):
        self.accounts, self.dice, self.threads = range(1, accounts + 1), random.Random(seed), threads
        self.lock, self.number = threading.Lock(), 0
        self.open = {}      # key -> body: asked, not answered yet
        self.taken = {}     # key -> (sale, account, amount in minor units)
        self.refused = 0
        self.errors = 0

    def new(self):
        with self.lock:
            self.number += 1
            amount = self.dice.randrange(1_000, 9_000)
            key = f"till-{self.number}"
            body = {"account": self.dice.choice(self.accounts), "amount": f"{amount // 100}.{amount % 100:02}", "channel": "cash"}
            self.open[key] = body
            return key

    def ask(self, station, key):
        """Whether there was an answer."""
        body = self.open[key]
        try:
            status, answer = station.call("POST", "/api/sales", body, key)
        except OSError:
            return False
        with self.lock:
            if status == 202:
                sale = (answer["id"], body["account"], round(float(body["amount"]) * 100))
                before = self.taken.setdefault(key, sale)
                if before != sale:
                    raise SystemExit(f"the key {key} was answered with {before} and {sale}")
            elif status >= 500:
                self.errors += 1
                return False
            else:
                self.refused += 1
            self.open.pop(key, None)
        return True

    def run(self, station, stop):
        """Sells until `stop` is set, the unanswered of an earlier run first."""
        def till():
            while not stop.is_set():
                self.ask(station, self.new())
                # A meter takes one sale at a time, so most of what is asked faster is refused.
                time.sleep(0.02)

        with concurrent.futures.ThreadPoolExecutor(self.threads) as pool:
            for key in list(self.open):
                pool.submit(self.ask, station, key)
            for _ in range(self.threads):
                pool.submit(till)

    def finish(self, station):
        """Asks again what was never answered."""
        for key in list(self.open):
            wait_for(f"an answer to {key}", lambda key=key: self.ask(station, key))


def audit(station, fleet, tills, before):
    """Tills, books and meters agree: each sale that a till was told of moved its meter once. Both processes must be stopped."""
    rows = {row[0]: row[1:] for row in station.look("SELECT id, account, amount_minor, state, closed_utc_s FROM sale")}
    told = {sale: (account, amount) for sale, account, amount in tills.taken.values()}
    if len(told) != len(tills.taken):
        raise SystemExit("two keys were answered with one sale")
    if set(told) != set(rows):
        raise SystemExit(f"lost or doubled: tills know {len(told)} sales, the books {len(rows)}; {sorted(set(told) ^ set(rows))[:10]}")
    wrong = [sale for sale, row in rows.items() if row[:2] != told[sale]]
    still = [sale for sale, row in rows.items() if row[3] is None]
    numbers = dict(station.look("SELECT t.id, m.number FROM tenant t JOIN meter m ON m.tenant = t.code"))
    expected = {number: [0, 0] for number in numbers.values()}
    for account, amount, state, _ in rows.values():
        if state.startswith("applied"):
            expected[numbers[account]][0] += 1
            expected[numbers[account]][1] += amount
    after = fleet.purses()
    moved = {number: [after[number][0] - before[number][0], after[number][1] - before[number][1]] for number in after}
    differ = [(number, moved[number], expected[number]) for number in expected if moved[number] != expected[number]]
    if wrong or still or differ:
        raise SystemExit(f"altered: {wrong[:10]}; open: {still[:10]}; meters (moved, expected): {differ[:10]}")
    applied = sum(count for count, _ in expected.values())
    return f"{len(rows)} sales, {applied} in the meters, {len(rows) - applied} voided, {tills.refused} refused; none lost, none doubled"
