#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""parts.py - what is pinned has the layout that its part's number says (enum zw_part).

parts.txt has the text of each struct, enum and constant that makes up a part's layout, by part, and the numbers. Where a
text has changed, a zonewall of before cannot read that part any more: its number and ZW_ABI are to be raised, once between
two releases, and UPDATE=1 keeps the new text. Each struct of include/zonewall.h belongs to a part, or is pinned nowhere.
"""

import os
import re
import sys

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
KEPT = os.path.join(ROOT, "tests/golden/parts.txt")
HEADER = "include/zonewall.h"
PINS = "user/kernel/pins.h"

PARTS = {
    "control": [(HEADER, "zw_gate zw_gate_state zw_hook ZW_GATE_SLOTS ZW_GATE_PARTLY ZW_POINT_SLOTS"),
                (PINS, "book_slot book BOOK_MAGIC BOOK_PARTS")],
    "generation": [(HEADER, "zw_line zw_tail zw_lone zw_sparse zw_classes zw_atom zw_matrix zw_matrix_id zw_pair zw_pair_bucket zw_port_table "
                            "zw_layout zw_sources zw_rule_counters zw_staged_counters zw_count zw_variant "
                            "zw_limit zw_span ZW_(LINK|NEXT|TAIL|LONE|LONE_PREFIXES|BLOCK|BLOCK_WORDS|STEPS|STEP_INDEX|ROOT_WORDS) "
                            "ZW_(SPARSE|SEARCH|LINE|NO_BOUND|PAIR|CELL|ATOM|VARIANT)\\w*"),
                   (PINS, "names_header")],
    "flows": [(HEADER, "zw_flow_slot zw_flow_account zw_flow_stats zw_flow_layout zw_flow_state ZW_(FLOW|FRAGMENT|CELL)\\w*"),
              ("bpf/flow_table.h", "(FLOW|HINT)_\\w*"), ("bpf/flow_count.h", "RECENT_\\w*"), ("bpf/fragment.h", "NOTE_\\w*")],
    "points": [(HEADER, "zw_point zw_point_counters zw_count ZW_POINT\\w*")],
    "events": [(HEADER, "zw_event_key zw_event_entry zw_event_head zw_event ZW_EVENT\\w*"),
               ("user/kernel/instance.h", "collected"), ("bpf/maps.h", "zw_ring")],
    "limits": [(HEADER, "zw_limit_set zw_limits ZW_LIMIT_(WAYS|RULE_SETS|SOURCE_SETS|STEP_NS)"),
               ("bpf/tokens.h", "LIMIT_(VERSION|INSTANT|STATE|BUSY|LIVE)")],
    "blocks": [(HEADER, "zw_block zw_blocks ZW_BLOCK_(LENGTHS|NO_LENGTH|FILTER_LINES|BUCKETS|WAYS|BUSY|BAN|UNTIL|FOR_EVER)")],
    "clock": [(HEADER, "zw_clock")],
}
# Constants of a program, or of one run.
NOT_PINNED = ["zw_match", "zw_timeouts", "zw_simulation"]


def text_of(path):
    """Without comments; a statement's white space is one blank."""
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        text = re.sub(r"/\*.*?\*/|//[^\n]*", "", file.read(), flags=re.S)
    return re.sub(r"[ \t]+", " ", text)


def find(text, names):
    """Definitions in the text whose names match, by name."""
    wanted = re.compile("|".join(f"(?:{name})" for name in names.split()))
    found = {}
    for match in re.finditer(r"^#define (\w+) ([^\n]+)$|^(?:struct|enum) (\w+) \{(.*?)\};|^struct \{(.*?)\} (\w+) SEC", text, re.S | re.M):
        name = match[1] or match[3] or match[6]
        if wanted.fullmatch(name):
            body = match[2] if match[1] else match[4] or match[5]
            found[name] = " ".join(body.split())
    return found


def layout(part):
    found = {}
    for path, names in PARTS[part]:
        here = find(text_of(path), names)
        missing = [name for name in names.split() if name.isidentifier() and name not in here]
        if missing:
            sys.exit(f"Bail out! {path} has no {', '.join(missing)}")
        found.update(here)
    return [f"{name}: {found[name]}" for name in found]


def numbers():
    listed = re.search(r"#define ZW_PART_NUMBERS \{ ([\d, ]+) \}", text_of(HEADER))[1].split(", ")
    names = re.findall(r"ZW_PART_(\w+),", re.search(r"enum zw_part \{(.*?)\};", text_of(HEADER), re.S)[1])
    return {name.lower(): number for name, number in zip(names, listed, strict=True)}


def kept():
    """By part: its number and its layout."""
    parts = {}
    with open(KEPT, encoding="utf-8") as file:
        for line in file.read().splitlines():
            if line.startswith("# "):
                continue
            head = re.fullmatch(r"\[(\w+) (\d+)\]", line)
            if head:
                layout_of = []
                parts[head[1]] = (head[2], layout_of)
            elif line:
                layout_of.append(line)
    return parts


def write():
    with open(KEPT, "w", encoding="utf-8") as file:
        file.write("# What is pinned, by part and its number: tests/golden/parts.py. UPDATE=1 writes it.\n")
        for part, number in numbers().items():
            file.write("\n".join([f"\n[{part} {number}]", *layout(part), ""]))


def main():
    if os.environ.get("UPDATE"):
        write()
    before, now, count = kept(), numbers(), 0

    def check(what, good, *why):
        nonlocal count
        count += 1
        print("ok" if good else "not ok", count, "-", what)
        if not good:
            print("\n".join(f"# {line}" for line in why))

    check("every part has its layout here", list(now) == list(PARTS), f"{list(now)}, not {list(PARTS)}")
    assigned = NOT_PINNED + [name for part in PARTS for _, names in PARTS[part] for name in names.split()]
    structs = set(re.findall(r"^struct (\w+) \{", text_of(HEADER), re.M)) - set(assigned)
    check("every struct belongs to a part", not structs, f"of no part: {', '.join(sorted(structs))}")
    for part in PARTS:
        number, lines = before.get(part, ("0", []))
        new = [f"{sign} {line}" for sign, a, b in (("-", lines, layout(part)), ("+", layout(part), lines))
               for line in a if line not in b]
        check(f"{part}: the layout of number {now.get(part)}", not new and number == now.get(part), *new,
              f"number {number} is kept, {now.get(part)} is said", "fix: raise the part's number and ZW_ABI, unless "
              "they have been since the last release; then UPDATE=1 tests/golden/parts.py")
    print(f"1..{count}")


main()
