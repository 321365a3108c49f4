#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""branches.py LIST FILE... < llvm-cov's JSON: prints each way out of a condition in FILEs that no run took, and fails if
one is not in LIST. A line of LIST is `function: condition is true|false: why`; one that names no such branch fails, too."""

import functools
import json
import sys


@functools.lru_cache
def source(path):
    return open(path).read().splitlines()


def text_at(lines, first, first_column, last, last_column):
    if first == last:
        return lines[first - 1][first_column - 1:last_column - 1]
    parts = [lines[first - 1][first_column - 1:], *lines[first:last - 1], lines[last - 1][:last_column - 1]]
    return " ".join(part.strip() for part in parts)


def branches(export, name):
    """(line, function, condition, times true, times false) of the source file with this name, compilations together."""
    found = {}
    for function in export["data"][0]["functions"]:
        for first, column, last, last_column, yes, no, file, *_ in function["branches"]:
            path = function["filenames"][file]
            if not path.endswith("/" + name):
                continue
            condition = text_at(source(path), first, column, last, last_column)
            key = first, column, function["name"].split(":")[-1], condition
            yes_before, no_before = found.get(key, (0, 0))
            found[key] = yes_before + yes, no_before + no
    return [(line, function, condition, *times) for (line, _, function, condition), times in found.items()]


def main():
    known = {}
    for line in open(sys.argv[1]):
        if line.strip() and not line.startswith("#"):
            what, _, why = line.strip().rpartition(": ")
            known[what] = why
    export = json.load(sys.stdin)
    unknown, used, total = 0, set(), 0
    for name in sys.argv[2:]:
        for line, function, condition, yes, no in sorted(branches(export, name)):
            total += 2
            for times, way in (yes, "true"), (no, "false"):
                what = f"{function}: {condition} is {way}"
                if times:
                    continue
                if what in known:
                    used.add(what)
                    print(f"{name}:{line}: never taken: {what}: {known[what]}")
                else:
                    unknown += 1
                    print(f"{name}:{line}: never taken, and not listed: {what}")
    for what in known.keys() - used:
        print(f"listed, but taken or not there: {what}")
    print(f"{total} ways out of conditions, {unknown} never taken and not listed, {len(used)} listed")
    return 1 if unknown or known.keys() - used or not total else 0


sys.exit(main())
