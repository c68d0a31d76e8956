#!/usr/bin/env python3
"""Holds the images in a folder against their budget: `budget.py FOLDER`. `budget.py --stack` says what the stack may take."""

import struct
import sys

# All in bytes. The first five are what a small microcontroller has to spare.
POLL_FLASH_MAX = 16 * 1024
RAM_A_BUS_MAX = 1024
RAM_A_METER_MAX = 32
STACK_MAX = 2 * 1024
SUITE_1_MAX = 6 * 1024
# These are as large as they are, so that growth is seen.
SEALED_LINK_MAX = 17 * 1024
RULES_FLASH_MAX = 20 * 1024
GATEWAY_FLASH_MAX = 80 * 1024

RAM = 0x2000_0000
# What only suite 1 needs: the block cipher, its chaining and its authentication code.
SUITE_1 = (b"3des", b"des..", b"4seal4cmac", b"seal..cmac", b"4seal7ciphers", b"seal..ciphers", b"3cbc", b"cbc..")


class Image:
    """An image in its file format, ELF of 32 bits."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.file = file.read()

    def segments(self):
        """Address in the file, place in memory, bytes in the file and bytes in memory of what is loaded."""
        offset, = struct.unpack_from("<I", self.file, 28)
        size, count = struct.unpack_from("<HH", self.file, 42)
        for n in range(count):
            kind, at, to, _, stored, taken, _, _ = struct.unpack_from("<8I", self.file, offset + n * size)
            if kind == 1:
                yield at, to, stored, taken

    def flash(self):
        """Code, constants and first values of variables."""
        return sum(stored for _, _, stored, _ in self.segments())

    def ram(self):
        """Variables. The stack is measured while the image runs."""
        return max((to + taken - RAM for _, to, _, taken in self.segments() if to >= RAM), default=0)

    def sections(self):
        offset, = struct.unpack_from("<I", self.file, 32)
        size, count, names = struct.unpack_from("<HHH", self.file, 46)
        headers = [struct.unpack_from("<10I", self.file, offset + n * size) for n in range(count)]
        texts = headers[names][4]
        for header in headers:
            yield self.text(texts + header[0]), header

    def text(self, at):
        return self.file[at:self.file.index(b"\0", at)]

    def section(self, name):
        return next(header for found, header in self.sections() if found == name)

    def code_of(self, parts):
        """Code whose name has one of these parts."""
        table = self.section(b".symtab")
        names = list(self.sections())[table[6]][1][4]
        total = 0
        for at in range(table[4], table[4] + table[5], 16):
            name, _, size, info, _, _ = struct.unpack_from("<IIIBBH", self.file, at)
            # Functions.
            if info & 15 == 2 and any(part in self.text(names + name) for part in parts):
                total += size
        return total

    def constants(self):
        return self.section(b".rodata")[5]


def rows(folder):
    poll, poll_64, sealed, rules, gateway = (
        Image(f"{folder}/{name}") for name in ("poll", "poll-64", "poll-sealed", "rules", "gateway"))
    a_meter = -(-(poll_64.ram() - poll.ram()) // 32)
    yield "poll image, flash", poll.flash(), POLL_FLASH_MAX
    yield "poll image, RAM a bus", poll.ram() - 32 * a_meter, RAM_A_BUS_MAX
    yield "poll image, RAM a meter", a_meter, RAM_A_METER_MAX
    # With the constants that came with the seal: the tables of the block cipher are most of them.
    suite_1 = sealed.code_of(SUITE_1) + sealed.constants() - poll.constants()
    yield "suite 1 alone (block cipher, chaining, authentication code, tables), flash", suite_1, SUITE_1_MAX
    yield "the whole sealed link of the poll image, flash", sealed.flash() - poll.flash(), SEALED_LINK_MAX
    yield "rules image, flash", rules.flash(), RULES_FLASH_MAX
    yield "sealing gateway, flash", gateway.flash(), GATEWAY_FLASH_MAX


def main():
    if sys.argv[1:] == ["--stack"]:
        print(STACK_MAX)
        return 0
    over = 0
    for what, taken, most in rows(sys.argv[1]):
        print(f"{what}: {taken} bytes, budget {most}")
        over += taken > most
    return 1 if over else 0


sys.exit(main())
