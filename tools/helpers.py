#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""helpers.py OBJECT... - the kernel helpers that BPF objects call: "object: name", a line for each.

A call of a helper is an instruction with opcode 0x85 and source register 0, the helper's number in its immediate (the
kernel's BPF instruction set document, "Helper functions"). Names are taken from linux/bpf.h, which lists them in order.
"""
import re
import struct
import sys

HEADER = "/usr/include/linux/bpf.h"
SHT_PROGBITS, SHF_EXECINSTR = 1, 4


def helper_names():
    with open(HEADER, encoding="utf-8") as header:
        found = re.findall(r"^\s*FN\((\w+)(?:, (\d+))?[^)]*\)", header.read(), re.MULTILINE)
    return {int(number) if number else place: name for place, (name, number) in enumerate(found)}


def code_sections(elf):
    (start,) = struct.unpack_from("<Q", elf, 0x28)
    size, count = struct.unpack_from("<HH", elf, 0x3A)
    for n in range(count):
        kind, flags, _, offset, length = struct.unpack_from("<IQQQQ", elf, start + n * size + 4)
        if kind == SHT_PROGBITS and flags & SHF_EXECINSTR:
            yield elf[offset : offset + length - length % 8]


def main():
    names = helper_names()
    for path in sys.argv[1:]:
        with open(path, "rb") as file:
            elf = file.read()
        if elf[:6] != b"\x7fELF\x02\x01":
            sys.exit(f"{path}: not a little-endian 64-bit ELF object")
        calls = set()
        for code in code_sections(elf):
            skip = False
            for opcode, registers, _, immediate in struct.iter_unpack("<BBhi", code):
                if opcode == 0x85 and registers >> 4 == 0 and not skip:
                    calls.add(immediate)
                skip = opcode == 0x18 and not skip  # a 64-bit constant takes two slots
        for call in sorted(calls):
            print(f"{path}: {names.get(call, call)}")


main()
