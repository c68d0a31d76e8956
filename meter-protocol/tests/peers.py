#!/usr/bin/env python3
"""Peers that nobody here wrote: pymodbus and mbpoll (libmodbus) against the examples of this crate.

Not run by `cargo test`. To run it:

    python3 -m venv /tmp/peers && /tmp/peers/bin/pip install pymodbus pyserial
    apt-get install mbpoll
    cargo build -p meter-protocol --features tokio,tokio-modbus-017,virtual-meter --examples
    /tmp/peers/bin/python meter-protocol/tests/peers.py target/debug/examples

It checks that pymodbus and mbpoll read the virtual meter over TCP (RTU frames and Modbus/TCP) and over a
pseudo-terminal, that `read_meter` reads a pymodbus server, that the adapter of tokio-modbus reads both, and that `scan_bus` finds a meter at each speed. It ends with
a count, and with status 1 if anything differs.
"""

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import threading

import pymodbus
from pymodbus import FramerType
from pymodbus.client import ModbusSerialClient, ModbusTcpClient

EXAMPLES = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "target/debug/examples")
BAUDS = (1200, 2400, 4800, 9600, 19200, 38400)
# A reply to 03H @0200H with 48 registers of a single-phase meter: balance -84.01, count 12, relay closed.
FRAME_31 = bytes.fromhex(
    "000708FD00000000020B0000000004A30000000004A3007800000000007803DB"
    "00000000" "03DB000100010012D687000186A000061A800006A187000493E0FFFF"
    "DF2F000C00000003E0EF0000000000001A0305040E071E04D20F120403000000"
)
checks = 0
failures = 0


def check(name, actual, expected):
    global checks, failures
    checks += 1
    if actual != expected:
        failures += 1
        print(f"FAILED {name}: {actual!r}, expected {expected!r}")


class VirtualMeter:
    """The example, ended with its block."""

    def __init__(self, listen, transport, *more):
        command = [f"{EXAMPLES}/virtual_meter", "--listen", listen, "--transport", transport, *more]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        self.place = line.split()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    @property
    def port(self):
        return int(self.place.rsplit(":", 1)[1])


def read_meter(*arguments):
    done = subprocess.run([f"{EXAMPLES}/read_meter", *arguments], capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise SystemExit(f"read_meter {arguments}: {done.stderr}")
    return json.loads(done.stdout)


def tokio_modbus_reads(port, transport, unit):
    command = [f"{EXAMPLES}/tokio_modbus_reader", f"127.0.0.1:{port}", transport, str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    return done.stdout.split() or done.stderr


def expected_block(words, name):
    """What the command line of the meter below asks for."""
    check(f"{name}: model", words[0], 5)
    check(f"{name}: balance", (words[0x1F] << 16 | words[0x20]) - (1 << 32 if words[0x1F] >> 15 else 0), -1234)
    check(f"{name}: count", words[0x21], 0)
    check(f"{name}: relay open", words[0x24] & 0xE000, 0)
    check(f"{name}: arrears", words[0x24] >> 5 & 1, 1)
    check(f"{name}: clock year", words[0x28] >> 8 >= 26, True)


def pymodbus_reads(client, name):
    check(f"{name}: connects", client.connect(), True)
    for unit in (1, 7):
        reply = client.read_holding_registers(0x0200, count=48, device_id=unit)
        check(f"{name}: no error from {unit}", reply.isError(), False)
        if not reply.isError():
            expected_block(reply.registers, f"{name} unit {unit}")
        number = client.read_holding_registers(0x0043, count=3, device_id=unit)
        check(f"{name}: number", number.registers, [0x2026, 0x0000, unit])
    refused = client.read_holding_registers(0x3000, count=2, device_id=1)
    check(f"{name}: exception", getattr(refused, "exception_code", None), 2)
    written = client.write_registers(0x0057, [1, 0], device_id=1)
    check(f"{name}: force on", written.isError(), False)
    status = client.read_holding_registers(0x0224, count=1, device_id=1)
    check(f"{name}: relay closed", status.registers[0] & 0xE000, 0xE000)
    client.write_registers(0x0057, [0, 0], device_id=1)
    client.close()


def mbpoll_reads(arguments, name):
    command = ["mbpoll", "-0", "-1", "-q", "-a", "7", "-t", "4:hex", "-r", "512", "-c", "48", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    words = [int(word, 16) for word in re.findall(r"^\[\d+\]:\s+0x([0-9A-Fa-f]+)", done.stdout, re.M)]
    check(f"{name}: registers ({done.stderr.strip()})", len(words), 48)
    if len(words) == 48:
        expected_block(words, name)


METERS = ("--unit", "1", "--unit", "7", "--model", "dtsy1352", "--balance", "-12.34", "--power-kw", "3")


def virtual_meter_is_read():
    with VirtualMeter("127.0.0.1:0", "rtu", *METERS) as meter:
        client = ModbusTcpClient("127.0.0.1", port=meter.port, framer=FramerType.RTU, timeout=3)
        pymodbus_reads(client, "pymodbus, RTU over TCP")
        model, _, balance, count = tokio_modbus_reads(meter.port, "rtu", 7)
        check("tokio-modbus, RTU over TCP", (model, balance, count), ("DTSY1352", "-12.34", "0"))
    with VirtualMeter("127.0.0.1:0", "tcp", *METERS) as meter:
        pymodbus_reads(ModbusTcpClient("127.0.0.1", port=meter.port, timeout=3), "pymodbus, Modbus/TCP")
        mbpoll_reads(["-m", "tcp", "-p", str(meter.port), "127.0.0.1"], "mbpoll, Modbus/TCP")
        shown = read_meter("--connect", f"tcp://127.0.0.1:{meter.port}", "--transport", "tcp", "--unit", "7")
        model, _, balance, count = tokio_modbus_reads(meter.port, "tcp", 7)
        check("tokio-modbus, Modbus/TCP", (model, balance, count), ("DTSY1352", "-12.34", "0"))
        check("read_meter, Modbus/TCP: balance", shown["balance"], "-12.34")
        check("read_meter, Modbus/TCP: number", shown["meter_number"], "202600000007")
    with VirtualMeter("pty", "rtu", *METERS) as meter:
        client = ModbusSerialClient(meter.place, baudrate=9600, framer=FramerType.RTU, timeout=3)
        pymodbus_reads(client, "pymodbus, pseudo-terminal")
        mbpoll_reads(["-m", "rtu", "-b", "9600", "-P", "none", meter.place], "mbpoll, pseudo-terminal")
        shown = read_meter("--connect", f"serial:{meter.place}", "--unit", "7")
        check("read_meter, pseudo-terminal: model", shown["model"], "DTSY1352")
        forced = read_meter("--connect", f"serial:{meter.place}", "--unit", "7", "--force", "on")
        check("read_meter --force on", (forced["relay_closed"], forced["force"]), (True, "on"))


def pymodbus_server_is_read():
    """A pymodbus server that holds the registers of frame 31."""
    from pymodbus.datastore import ModbusDeviceContext, ModbusSequentialDataBlock, ModbusServerContext
    from pymodbus.server import ModbusTcpServer

    words = [high << 8 | low for high, low in zip(FRAME_31[::2], FRAME_31[1::2])]
    assert len(words) == 48
    for framer, transport in ((FramerType.SOCKET, "tcp"), (FramerType.RTU, "rtu")):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        # The block's first register is one above the address in the request.
        block = ModbusSequentialDataBlock(0x0201, words)
        context = ModbusServerContext(devices={1: ModbusDeviceContext(hr=block)}, single=False)
        started = threading.Event()

        async def serve():
            server = ModbusTcpServer(context, framer=framer, address=("127.0.0.1", port))
            await server.listen()
            started.set()
            await asyncio.Event().wait()

        threading.Thread(target=lambda: asyncio.run(serve()), daemon=True).start()
        check(f"pymodbus server, {transport}: starts", started.wait(10), True)
        shown = read_meter("--connect", f"tcp://127.0.0.1:{port}", "--transport", transport, "--unit", "1")
        line = tokio_modbus_reads(port, transport, 1)
        check(f"tokio-modbus, pymodbus server, {transport}", line, ["DDSY1352", "12345.67", "-84.01", "12"])
        expected = {
            "model": "DDSY1352",
            "energy_total_kwh": "12345.67",
            "balance": "-84.01",
            "purchase_count": 12,
            "relay_closed": True,
            "clock": "2026-03-05T14:07:30",
            "active_power_kw": "1.187",
            "meter_number": None,
        }
        for field, value in expected.items():
            check(f"read_meter, pymodbus server, {transport}: {field}", shown[field], value)


def scan_finds_each_speed():
    for baud in BAUDS:
        with VirtualMeter("pty", "rtu", "--unit", "3", "--baud", str(baud)) as meter:
            command = [f"{EXAMPLES}/scan_bus", "--connect", f"serial:{meter.place}", "--units", "2-3", "--timeout-ms", "60"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=120)
            lines = done.stdout.splitlines()
            check(f"scan_bus at {baud}: worst case first", lines[0].startswith("worst case:"), True)
            check(f"scan_bus at {baud}: found", f"unit 3 at {baud} 8N1: DDSY1352" in lines, True)
            wrong = [line for line in lines if line.startswith("unit") and f" {baud} " not in line]
            check(f"scan_bus at {baud}: nothing elsewhere", wrong, [])


if __name__ == "__main__":
    print(f"pymodbus {pymodbus.__version__}, {subprocess.run(['mbpoll', '-V'], capture_output=True, text=True).stdout.split(chr(10))[0]}")
    virtual_meter_is_read()
    pymodbus_server_is_read()
    scan_finds_each_speed()
    print(f"{checks} checks, {failures} failed")
    sys.exit(1 if failures else 0)
