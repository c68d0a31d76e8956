#!/usr/bin/env python3
"""The sealed link in Python, written from docs/sealed-frame.md alone: an independent peer for tests.

    peer.py vectors            the document's test vectors, as they stand in it
    peer.py serve              one JSON request a line on stdin, one JSON answer a line on stdout

Suites 1 and 2 stand on pycryptodome, suite 3 on `cryptography`, which has SM4.
"""

import json
import struct
import sys

from Crypto.Cipher import AES, DES3
from Crypto.Hash import CMAC
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

VERSION = 1
UP, DOWN = 0, 1
DATA, HELLO, WELCOME = 0, 1, 2
STREAM, DATAGRAM = 1, 2
KEY_LEN = {1: 24, 2: 16, 3: 16}
TAG_LEN = {1: 8, 2: 8, 3: 16}
NONCE_LEN = {2: 13, 3: 12}


def sm4(key):
    return Cipher(algorithms.SM4(key), modes.ECB()).encryptor()


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def cmac_sm4(key, data):
    """SP 800-38B by hand: the libraries have no CMAC of SM4."""
    cipher = sm4(key)

    def doubled(block):
        number = int.from_bytes(block, "big") << 1
        if number >> 128:
            number = number ^ (1 << 128) ^ 0x87
        return number.to_bytes(16, "big")

    whole = doubled(cipher.update(bytes(16)))
    partial = doubled(whole)
    last_len = len(data) % 16 or min(16, len(data))
    head, last = data[: len(data) - last_len], data[len(data) - last_len :]
    last = xor(last, whole) if len(last) == 16 else xor((last + b"\x80").ljust(16, b"\0"), partial)
    state = bytes(16)
    for i in range(0, len(head), 16):
        state = cipher.update(xor(state, head[i : i + 16]))
    return cipher.update(xor(state, last))


def cmac(suite, key, data):
    if suite == 3:
        return cmac_sm4(key, data)
    module = DES3 if suite == 1 else AES
    return CMAC.new(key, msg=data, ciphermod=module).digest()


def kdf(suite, key, label, context, length):
    out, i = b"", 1
    while len(out) < length:
        out += cmac(suite, key, bytes([i]) + label + b"\0" + context + struct.pack(">H", 8 * length))
        i += 1
    return out[:length]


def sm4_ccm(key, nonce, header, text, tag_len, enciphering):
    """SP 800-38C by hand on SM4. Returns the other text and the tag over the plaintext."""
    cipher = sm4(key)
    q = 15 - len(nonce)

    def counter_block(i):
        return cipher.update(bytes([q - 1]) + nonce + i.to_bytes(q, "big"))

    stream = b"".join(counter_block(i + 1) for i in range((len(text) + 15) // 16))
    other = xor(text, stream)
    plain = text if enciphering else other
    flags = 64 | (tag_len - 2) // 2 << 3 | (q - 1)
    blocks = bytes([flags]) + nonce + len(plain).to_bytes(q, "big")
    for part in (struct.pack(">H", len(header)) + header, plain):
        blocks += part + bytes(-len(part) % 16)
    state = bytes(16)
    for i in range(0, len(blocks), 16):
        state = cipher.update(xor(state, blocks[i : i + 16]))
    return other, xor(state, counter_block(0))[:tag_len]


def header(suite, direction, kind, key_id, length, epoch=0, session=bytes(4), counter=0):
    return struct.pack(">BBBBHH4sI", VERSION, suite, direction << 7 | kind, key_id, length, epoch, session, counter)


class Session:
    """Set up once; seals and opens frames of any direction, epoch and counter."""

    def __init__(self, suite, master, key_id, peer, form, hello_nonce, welcome_nonce):
        self.suite, self.master, self.key_id = suite, master, key_id
        k = KEY_LEN[suite]
        self.setup = [
            kdf(suite, master, b"SEAL-SET", bytes([VERSION, suite, key_id, way]), k) for way in (UP, DOWN)
        ]
        body = bytes([form]) + struct.pack(">Q", peer) + hello_nonce
        clear = header(suite, UP, HELLO, key_id, len(body)) + body
        self.hello = clear + cmac(suite, self.setup[UP], clear)[: TAG_LEN[suite]]
        clear = header(suite, DOWN, WELCOME, key_id, 16) + welcome_nonce
        self.welcome = clear + cmac(suite, self.setup[DOWN], clear + self.hello)[: TAG_LEN[suite]]
        context = bytes([VERSION, suite, key_id, form]) + struct.pack(">Q", peer) + hello_nonce + welcome_nonce
        self.secret = kdf(suite, master, b"SEAL-SES", context, k)
        self.tag = kdf(suite, self.secret, b"SEAL-TAG", b"", 4)

    def key(self, use, direction, epoch):
        context = bytes([use, direction]) + struct.pack(">H", epoch)
        return kdf(self.suite, self.secret, b"SEAL-EPO", context, KEY_LEN[self.suite])

    def seal(self, direction, epoch, counter, payload):
        suite = self.suite
        head = header(suite, direction, DATA, self.key_id, len(payload), epoch, self.tag, counter)
        if suite == 1:
            iv = DES3.new(self.key(3, direction, epoch), DES3.MODE_ECB).encrypt(head[8:])
            filled = payload + bytes(-len(payload) % 8)
            body = DES3.new(self.key(1, direction, epoch), DES3.MODE_CBC, iv).encrypt(filled) if filled else b""
            return head + body + cmac(1, self.key(2, direction, epoch), head + body)
        key, nonce = self.key(4, direction, epoch), head[-NONCE_LEN[suite] :]
        if suite == 2:
            ccm = AES.new(key, AES.MODE_CCM, nonce=nonce, mac_len=8)
            ccm.update(head)
            body = ccm.encrypt(payload)
            return head + body + ccm.digest()
        body, tag = sm4_ccm(key, nonce, head, payload, 16, True)
        return head + body + tag

    def open(self, direction, frame):
        """Counter rules are the caller's; everything else of 1.4 is here."""
        suite = self.suite
        head, rest = frame[:16], frame[16:]
        version, its_suite, kind, key_id, length, epoch, session, counter = struct.unpack(">BBBBHH4sI", head)
        body_len = length + (-length % 8 if suite == 1 else 0)
        expected = (VERSION, suite, direction << 7, self.key_id, self.tag, body_len + TAG_LEN[suite])
        if (version, its_suite, kind, key_id, session, len(rest)) != expected:
            raise ValueError("header")
        body, tag = rest[:body_len], rest[body_len:]
        if suite == 1:
            if cmac(1, self.key(2, direction, epoch), head + body) != tag:
                raise ValueError("refused")
            iv = DES3.new(self.key(3, direction, epoch), DES3.MODE_ECB).encrypt(head[8:])
            filled = DES3.new(self.key(1, direction, epoch), DES3.MODE_CBC, iv).decrypt(body) if body else b""
            if any(filled[length:]):
                raise ValueError("refused")
            return epoch, counter, filled[:length]
        key, nonce = self.key(4, direction, epoch), head[-NONCE_LEN[suite] :]
        if suite == 2:
            ccm = AES.new(key, AES.MODE_CCM, nonce=nonce, mac_len=8)
            ccm.update(head)
            return epoch, counter, ccm.decrypt_and_verify(body, tag)
        payload, due = sm4_ccm(key, nonce, head, body, 16, False)
        if due != tag:
            raise ValueError("refused")
        return epoch, counter, payload


# Part 2. Each message is a dictionary; meters are (line, unit, number as twelve digits).


def meter(m):
    return bytes([m[0], m[1]]) + bytes.fromhex(m[2])


def registers(r):
    data = bytes.fromhex(r["data"])
    return struct.pack(">qHB", r["read_at"], r["address"], len(data) // 2) + data


def order(o):
    kind = o["order"]
    if kind == "read":
        return struct.pack(">BHB", 1, o["address"], o["count"])
    if kind == "sale":
        return struct.pack(">BIH", 2, o["amount"], o["count_before"])
    if kind == "overwrite":
        return struct.pack(">BHiH", 3, o["count_before"], o["remaining"], o["count"])
    if kind == "settings":
        which, fields = 0, b""
        for bit, name, layout in (
            (1, "enable", ">B"),
            (2, "base", ">I"),
            (4, "alarms", ">II"),
            (8, "overdraft", ">I"),
            (16, "prices", ">QQQQ"),
        ):
            if name in o:
                which |= bit
                fields += struct.pack(layout, *(o[name] if isinstance(o[name], list) else [o[name]]))
        return bytes([4, which]) + fields
    if kind == "force":
        return bytes([5, o["mode"]])
    return bytes([6])


def message(m):
    kind, i = m["kind"], bytes.fromhex(m["id"])
    if kind == "online":
        name = m["software"].encode()
        code, fields = 1, struct.pack(">IqBHIB", m["boots"], m["now"], m["lines"], m["meters"], m["backlog"], len(name))
        fields += name
    elif kind == "snapshot":
        code, fields = 2, meter(m["meter"]) + struct.pack(">H", m["response_ms"]) + registers(m["registers"])
    elif kind == "meter_status":
        code, fields = 3, meter(m["meter"]) + struct.pack(">BqI", m["link"], m["since"], m["missed"])
    elif kind == "line_status":
        code, fields = 4, struct.pack(">BBqIIII", m["line"], m["up"], m["since"], *m["counts"])
    elif kind == "result":
        which = ("before" in m) | ("after" in m) << 1
        fields = bytes.fromhex(m["command"]) + meter(m["meter"])
        fields += struct.pack(">qBBB", m["ended_at"], *m["outcome"], which)
        code, fields = 5, fields + b"".join(registers(m[name]) for name in ("before", "after") if name in m)
    elif kind == "ack":
        code, fields = 6, bytes([len(m["ids"])]) + b"".join(map(bytes.fromhex, m["ids"]))
    elif kind == "command":
        code, fields = 7, meter(m["meter"]) + struct.pack(">q", m["not_after"]) + order(m)
    else:
        raise ValueError(kind)
    return bytes([1, code]) + i + fields


MASTERS = {
    1: bytes.fromhex("0123456789abcdef23456789abcdef01456789abcdef0123"),
    2: bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c"),
    3: bytes.fromhex("0123456789abcdeffedcba9876543210"),
}
PAYLOAD = b"sealed-link-1"


def vectors():
    lines = []
    for suite, master in MASTERS.items():
        s = Session(suite, master, 1, 7, STREAM, bytes(range(16)), bytes(range(16, 32)))
        values = {
            "master": master,
            "set-up key, up": s.setup[UP],
            "set-up key, down": s.setup[DOWN],
            "hello": s.hello,
            "welcome": s.welcome,
            "session secret": s.secret,
            "session tag": s.tag,
        }
        for use in (1, 2, 3) if suite == 1 else (4,):
            values[f"key of use {use}, up, epoch 0"] = s.key(use, UP, 0)
        values["payload"] = PAYLOAD
        values["up.0.0"] = s.seal(UP, 0, 0, b"")
        values["up.0.1"] = s.seal(UP, 0, 1, PAYLOAD)
        values["down.0.0"] = s.seal(DOWN, 0, 0, PAYLOAD)
        values["up.1.0"] = s.seal(UP, 1, 0, PAYLOAD)
        lines += [f"Suite {suite}:", "", "```text"]
        lines += [f"{name} = {value.hex()}" for name, value in values.items()]
        lines += ["```", ""]
    return "\n".join(lines)


def serve():
    session = None
    for line in sys.stdin:
        ask = json.loads(line)
        answer = {}
        try:
            if ask["op"] == "session":
                nonces = bytes.fromhex(ask["hello_nonce"]), bytes.fromhex(ask["welcome_nonce"])
                master = bytes.fromhex(ask["master"])
                session = Session(ask["suite"], master, ask["key_id"], ask["peer"], ask["form"], *nonces)
                answer = {"hello": session.hello.hex(), "welcome": session.welcome.hex()}
            elif ask["op"] == "seal":
                payload = bytes.fromhex(ask["payload"])
                answer = {"frame": session.seal(ask["direction"], ask["epoch"], ask["counter"], payload).hex()}
            elif ask["op"] == "open":
                epoch, counter, payload = session.open(ask["direction"], bytes.fromhex(ask["frame"]))
                answer = {"epoch": epoch, "counter": counter, "payload": payload.hex()}
            elif ask["op"] == "message":
                answer = {"payload": message(ask["message"]).hex()}
        except ValueError as refused:
            answer = {"refused": str(refused)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["vectors"]:
        print(vectors(), end="")
    elif sys.argv[1:] == ["serve"]:
        serve()
    else:
        sys.exit(__doc__)
