#!/usr/bin/env python3
"""The station end to end against meters and gateways that nobody here wrote: pymodbus plays the meters, on a serial line behind a
socat bridge and behind a TCP gateway of its own. Accounts open, meters are polled, credit is sold once and a relay is switched.

Not run by `cargo test`. To run it:

    python3 -m venv /tmp/peers && /tmp/peers/bin/pip install pymodbus pyserial
    apt-get install socat
    cargo build -p vending-station
    /tmp/peers/bin/python examples/vending-station/tests/peers.py target/debug/vending-station
"""

import asyncio
import datetime
import http.client
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

import pymodbus
from pymodbus import FramerType
from pymodbus.constants import ExcCodes
from pymodbus.pdu import ModbusPDU
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

PROGRAM = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "target/debug/vending-station")
DEADLINE_S = 60
OFFSET_H = 8
# A single-phase meter's block of 48 registers from 0200H, relay closed.
BLOCK = struct.unpack(">48H", bytes.fromhex(
    "000708FD00000000020B0000000004A30000000004A3007800000000007803DB"
    "00000000" "03DB000100010012D687000186A000061A800006A187000493E00000"
    "4E20000C0000E000080000000000001A0305040E071E04D20F12040300000000"
))
NUMBER, FORCE, STATUS, BALANCE, COUNT, RELAY, CLOCK, PREPAY = 0x43, 0x57, 0x200, 0x21F, 0x221, 0x224, 0x228, 0x400
RELAY_CLOSED, FORCED, FORCED_CLOSED = 0xE000, 0x0008, 0x0007
PRICE, ALARMS = 8821, (5000, 1500)
OPENING, OPENING_COUNT = 20_000, 12
checks = failures = 0


def check(name, actual, expected):
    global checks, failures
    checks += 1
    if actual != expected:
        failures += 1
        print(f"FAILED {name}: {actual!r}, expected {expected!r}")


def until(what, holds):
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        value = holds()
        if value:
            return value
        time.sleep(0.1)
    raise SystemExit(f"waited {DEADLINE_S} s in vain for {what}")


class Meter:
    """The registers of one meter, and what makes them move."""

    def __init__(self, unit, number):
        self.unit, self.number, self.purchases = unit, number, []
        self.words = [0] * 0x3000
        self.put(NUMBER, [int(number[at:at + 4], 16) for at in (0, 4, 8)])
        self.put(STATUS, BLOCK)
        self.put(BALANCE, divmod(OPENING, 1 << 16))
        self.put(COUNT, [OPENING_COUNT])
        words = [1, OPENING_COUNT]
        for value in [PRICE] * 4 + [*ALARMS, 0, 0, 0, OPENING, 0]:
            words += divmod(value, 1 << 16)
        self.put(PREPAY, words)
        self.put(RELAY, [RELAY_CLOSED, 1 << 11])

    def put(self, address, words):
        self.words[address:address + len(words)] = words

    def device(self):
        data = SimData(0, values=list(self.words), datatype=DataType.REGISTERS)
        return SimDevice(self.unit, simdata=[data], action=self.touched)

    async def touched(self, function, start, address, count, registers, values):
        """The store's own words are `registers`; the relay and the clock follow from others."""
        self.words = registers
        if values is not None and address == FORCE:
            mode, state = values
            self.put(RELAY, [{(0, 0): RELAY_CLOSED, (1, 0): RELAY_CLOSED | FORCED | FORCED_CLOSED}.get((mode, state), FORCED)])
        local = datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=OFFSET_H)))
        self.put(CLOCK, [(local.year % 100) << 8 | local.month, local.day << 8 | local.isoweekday(), local.hour << 8 | local.minute,
                         local.second << 8 | self.words[CLOCK + 3] & 0xFF])

    def buy(self, amount, count):
        self.purchases.append((amount, count))
        if count == (self.words[COUNT] + 1) & 0xFFFF:
            balance = (self.words[BALANCE] << 16 | self.words[BALANCE + 1]) + amount
            for address in (BALANCE, PREPAY + 0x14):
                self.put(address, divmod(balance, 1 << 16))
            for address in (COUNT, PREPAY + 1):
                self.put(address, [count])


LINES = {"bridge": [Meter(1, "260000000101"), Meter(2, "260000000102")], "gateway": [Meter(1, "260000000103")]}


def purchase(line):
    """Function 20H as a request that pymodbus understands, for the meters of a line."""

    class Purchase(ModbusPDU):
        function_code = 0x20
        rtu_frame_size = 17

        def decode(self, data):
            self.head, self.amount, self.number = data[:4], *struct.unpack(">IH", data[5:11])

        async def datastore_update(self, context, device_id):
            meter = next(meter for meter in LINES[line] if meter.unit == device_id)
            meter.buy(self.amount, self.number)
            return Taken(self.head, dev_id=device_id, transaction_id=self.transaction_id)

    class Taken(ModbusPDU):
        function_code = 0x20
        rtu_frame_size = 8

        def __init__(self, head=b"", **more):
            super().__init__(**more)
            self.head = head

        def encode(self):
            return self.head

    return Purchase


def serve(make):
    """Runs a server of pymodbus in a thread."""
    started = threading.Event()

    async def run():
        server = make()
        await server.listen()
        started.set()
        await asyncio.Event().wait()

    threading.Thread(target=lambda: asyncio.run(run()), daemon=True).start()
    if not started.wait(10):
        raise SystemExit("a server of pymodbus does not start")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def site(bridge, gateway):
    lines, tenants, meters = [], [], []
    for name, port in (("bridge", bridge), ("gateway", gateway)):
        lines.append(f'gateway.{{ code = "{name}", building = "A", address = "127.0.0.1:{port}" }}')
        for meter in LINES[name]:
            code = f"S{meter.number[-3:]}"
            tenants.append(f'{{ code = "{code}", name = "{code}", trade = "cafe", building = "A", floor = "1F", tariff = "flat", purse = "meter", '
                           'alarm_1 = "50.00", alarm_2 = "15.00" }')
            meters.append(f'{{ number = "{meter.number}", bus = "{name}", unit = {meter.unit}, model = "DDSY1352-NK", tenant = "{code}", peak_w = 2000 }}')
    gateways = ", ".join(line.split(".", 1)[1] for line in lines)
    buses = ", ".join(f'{{ code = "{name}", gateway = "{name}", baud = 9600 }}' for name in LINES)
    return f"""
site.name = "Peers"
site.currency = "CNY"
site.utc_offset_min = {OFFSET_H * 60}
site.price_places = 4
site.equal_count = "acknowledged"
site.rate_codes_from_one = true
site.status_every_s = 1
building = [{{ code = "A", name = "House A" }}]
gateway = [{gateways}]
bus = [{buses}]
tenant = [{", ".join(tenants)}]
meter = [{", ".join(meters)}]
[[tariff]]
code = "flat"
[tariff.document]
schema = 1
name = "Flat"
zone = "+08:00"
[[tariff.document.versions]]
from = "2026-01-01"
energy.rates = [{{ name = "flat", price = "0.8821" }}]
"""


def call(port, method, path, body=None, key=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Content-Type": "application/json", **({"Idempotency-Key": key} if key else {})}
    try:
        connection.request(method, path, body and json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    except OSError:
        return 0, None
    finally:
        connection.close()


def work(folder, page):
    meters = sum(LINES.values(), [])
    shops = until("the accounts to open", lambda: [shop for shop in (call(page, "GET", "/api/live")[1] or {}).get("shops", []) if shop["money"] != "not_opened"] if
                  sum(shop["money"] != "not_opened" for shop in (call(page, "GET", "/api/live")[1] or {}).get("shops", [])) == len(meters) else None)
    check("shops", len(shops), len(meters))
    for account, meter in enumerate(meters, start=1):
        status, sale = call(page, "POST", "/api/sales", {"account": account, "amount": f"{10 + account}.50", "channel": "cash"}, f"peer-{account}")
        check(f"{meter.number}: taken", status, 202)
        closed = until("the sale to close", lambda: (lambda sale: sale if sale["closed"] else None)(call(page, "GET", f"/api/sales/{sale['id']}")[1]))
        check(f"{meter.number}: closed by what the meter shows", closed["kind"], "applied")
        check(f"{meter.number}: one frame of money", meter.purchases, [((10 + account) * 100 + 50, OPENING_COUNT + 1)])
    order = {"kind": "force_off", "meters": [meter.number for meter in meters]}
    order = {"kind": "force_off", "select": {"meters": order["meters"]}, "operator": 7, "why": "peers"}
    status, batch = call(page, "POST", "/api/commands", order, "peer-off")
    check("batch taken", status, 202)
    until("every relay to open", lambda: all(meter.words[RELAY] & RELAY_CLOSED == 0 for meter in meters))
    until("the read-back of every relay", lambda: all(row["state"] == "done" for row in call(page, "GET", f"/api/commands/{batch['id']}")[1]["meters"]))
    rows = {row["number"]: row for row in call(page, "GET", "/api/meters")[1]}
    for meter in meters:
        check(f"{meter.number}: polled", meter.number in rows, True)


def main():
    with tempfile.TemporaryDirectory() as folder:
        near, far = f"{folder}/near", f"{folder}/far"
        processes = [subprocess.Popen(["socat", f"PTY,link={near},raw,echo=0", f"PTY,link={far},raw,echo=0"])]
        try:
            until("the line", lambda: os.path.exists(near) and os.path.exists(far))
            bridge, gateway, page = free_port(), free_port(), free_port()
            serve(lambda: ModbusSerialServer([meter.device() for meter in LINES["bridge"]], framer=FramerType.RTU, port=far, baudrate=9600,
                                             custom_pdu=[purchase("bridge")]))
            serve(lambda: ModbusTcpServer([meter.device() for meter in LINES["gateway"]], framer=FramerType.RTU, address=("127.0.0.1", gateway),
                                          custom_pdu=[purchase("gateway")]))
            processes.append(subprocess.Popen(["socat", f"TCP-LISTEN:{bridge},bind=127.0.0.1,reuseaddr,fork", f"OPEN:{near},raw,echo=0"]))
            file, db = f"{folder}/site.toml", f"{folder}/station.sqlite"
            with open(file, "w") as text:
                text.write(site(bridge, gateway))
            subprocess.run([PROGRAM, "import", file, "--db", db], check=True)
            processes.append(subprocess.Popen([PROGRAM, "serve", "--db", db, "--listen", f"127.0.0.1:{page}"], stdout=subprocess.DEVNULL))
            work(folder, page)
            station = processes.pop()
            station.terminate()
            station.wait(timeout=DEADLINE_S)
            subprocess.run([PROGRAM, "check", "--replay", "--db", db], check=True)
        finally:
            for process in processes:
                process.kill()


if __name__ == "__main__":
    print(f"pymodbus {pymodbus.__version__}")
    main()
    print(f"{checks} checks, {failures} failed")
    sys.exit(1 if failures else 0)
