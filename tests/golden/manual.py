#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""manual.py - the manual pages say what the program says.

man/zonewall.1.scd: every command of `zonewall help` and every option of each has its entry, and nothing else has; so
have exit statuses, reasons, environment and signals; each command line among the examples is one.
man/zonewall.yaml.5.scd: every key that the parser knows (from policies/zonewall.schema.json, which schema.py compares with
the parser) stands in the section of its map, with its words, bounds and default, and nothing else does; each example is a
policy without mistakes.
"""

import glob
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
ZONEWALL = os.path.realpath(os.environ.get("ZONEWALL", os.path.join(ROOT, "build/zonewall")))


def text_of(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def plain(text):
    """Without scdoc's marks."""
    return re.sub(r"\\(.)", r"\1", re.sub(r"(?<!\w)_|_(?!\w)", "", text.replace("*", "")))


class Page:
    """A page of scdoc: its sections by their headings, subsections too, and the literal blocks of the whole."""

    def __init__(self, path):
        self.path = path
        self.source = text_of(path)
        self.literals = re.findall(r"^```\n(.*?)^```$", self.source, re.MULTILINE | re.DOTALL)
        self.sections, self.subsections = {}, {}
        within = None
        text = re.sub(r"^```\n.*?^```\n", "", self.source, flags=re.MULTILINE | re.DOTALL)
        for line in text.splitlines():
            if line.startswith("# "):
                within = self.sections.setdefault(line[2:], [])
            elif line.startswith("## "):
                within = self.subsections.setdefault(line[3:], [])
            elif within is not None:
                within.append(line)

    def entries(self, lines):
        """Heads of entries (a line that an indented one follows) and their text, in order."""
        found, head = [], None
        for n, line in enumerate(lines):
            if line.startswith("\t") and head:
                found[-1][1].append(line.strip())
            elif line and n + 1 < len(lines) and lines[n + 1].startswith("\t"):
                head = line
                found.append((line, []))
            else:
                head = None
        return [(head, " ".join(text)) for head, text in found]

    def section(self, name):
        return self.entries(self.sections.get(name, []))


class Report:
    def __init__(self):
        self.tests = self.failed = 0

    def __call__(self, what, problems):
        self.tests += 1
        self.failed += bool(problems)
        print(f"{'not ok' if problems else 'ok'} {self.tests} - {what}")
        for problem in problems:
            print(f"# {problem}")

    def same(self, what, page, heads, wanted, how):
        """`wanted` are those of the program, `how` tells where to write one that is missing."""
        missing, spare = [w for w in wanted if w not in heads], [head for head in heads if head not in wanted]
        problems = [f"{page.path} lacks '{word}': write {how}" for word in missing]
        self(what, problems + [f"{page.path} has '{word}', and the program has not: take it out" for word in spare])


def option_head(option):
    letter = f"-{option['letter']}, " if option["letter"] else ""
    argument = f" {option['argument']}" if option["argument"] else ""
    return f"{letter}--{option['name']}{argument}"


def check_options(report, page, where, lines, options):
    entries = {plain(head): text for head, text in page.entries(lines)}
    wanted = {option_head(option): option["help"] for option in options}
    report.same(f"options of {where}", page, list(entries), list(wanted), f"an entry in '{where}'")
    unbuilt = "not built in this version"
    differ = [head for head in wanted if head in entries and (unbuilt in wanted[head]) != (unbuilt in entries[head])]
    problems = [f"'{head}': the page or the help says '{unbuilt}', not both" for head in differ]
    report(f"options of {where} that are refused", problems)


def check_commands(report, page, help_json):
    names = [" ".join(filter(None, (command["name"], command["arguments"]))) for command in help_json["commands"]]
    report.same("commands", page, list(page.subsections), names, "a section '## NAME ARGUMENTS' under '# COMMANDS'")
    for name, command in zip(names, help_json["commands"]):
        check_options(report, page, f"## {name}", page.subsections.get(name, []), command["options"])
    check_options(report, page, "# OPTIONS", page.sections["OPTIONS"], help_json["options"])


def command_lines(page):
    for block in page.literals:
        for line in block.splitlines():
            for part in line.split("|"):
                found = re.match(r"\s*(?:\$ )?(?:sudo )?zonewall (.*?)(?: &)?$", part)
                if found:
                    yield shlex.split(found[1])


def check_command_lines(report, page, help_json):
    commands = {command["name"]: command for command in help_json["commands"]}
    problems = []
    for words in command_lines(page):
        command = commands.get(words[0])
        options = (command["options"] if command else []) + help_json["options"]
        known = {f"--{option['name']}" for option in options} | {f"-{option['letter']}" for option in options}
        unknown = [word for word in words if word.startswith("-") and word not in known]
        problems += [] if command else [f"there is no command '{words[0]}': {' '.join(words)}"]
        problems += [f"there is no option '{word}': {' '.join(words)}" for word in unknown]
    report("command lines among the examples", problems)


def check_facts(report, page):
    """What the sources say, in one place each."""
    by = json.loads(text_of("policies/zonewall.schema.json"))["definitions"]["test"]["properties"]["by"]
    reasons = by["anyOf"][1]["enum"]
    text = "\n".join(page.sections["REASONS"])
    report("reasons", [f"REASONS lacks '*{reason}*'" for reason in reasons if f"*{reason}*" not in text])
    statuses = re.findall(r"^\tEXIT_\w+ = (\d+)", text_of("user/cmd/command.h"), re.MULTILINE)
    heads = [plain(head) for head, _ in page.section("EXIT STATUS")]
    report.same("exit statuses", page, heads, statuses, "an entry in EXIT STATUS")
    sources = "".join(map(text_of, glob.glob(os.path.join(ROOT, "user/**/*.c"), recursive=True)))
    text = "\n".join(page.sections["ENVIRONMENT"])
    names = sorted(set(re.findall(r'getenv\("(\w+)"\)', sources)))
    report("environment", [f"ENVIRONMENT lacks '*{name}*'" for name in names if f"*{name}*" not in text])
    signals = re.findall(r"sigaddset\(&signals, (\w+)\)", text_of("user/cmd/run.c"))
    heads = [word for head, _ in page.section("SIGNALS") for word in plain(head).split(", ")]
    report.same("signals", page, heads, signals, "an entry in SIGNALS")


def maps(schema):
    """(section, map of the schema)"""
    of = schema["definitions"]
    yield "KEYS OF A POLICY", schema
    yield "DEFAULTS", of["defaults"]
    yield "INTERFACES", of["interface"]
    yield "ZONES", of["zone"]["then"]
    yield "RULES", of["rule"]
    yield "LIMIT", of["rule"]["properties"]["limit"]
    yield "TLS", of["rule"]["properties"]["tls"]
    yield "FAILSAFE, NEVER AND ALWAYS", of["region"]
    yield "TESTS", of["test"]


def facts_of(schema):
    """Words and numbers that the text of a key has to have."""
    for part in [schema, *schema.get("anyOf", [])]:
        words = part.get("enum", [])
        yield from (word for word in words if isinstance(word, str) and len(words) < 9)  # more are told elsewhere
        yield from (str(part[bound]) for bound in ("minimum", "maximum") if bound in part)
    if "default" in schema and schema["default"] != 1:
        yield f"Default: {schema['default']}"


def check_keys(report, page, schema):
    for section, part in maps(schema):
        entries = {key: text for head, text in page.section(section) for key in plain(head).split(", ")}
        report.same(f"keys in {section}", page, list(entries), list(part["properties"]), f"an entry in {section}")
        problems = []
        for key, text in entries.items():
            words = plain(text)
            known = part["properties"].get(key, {})
            problems += [f"{section}: '{key}' does not tell '{fact}'" for fact in facts_of(known)
                         if not re.search(rf"(?<![\w-]){re.escape(fact)}(?![\w-])", words)]
            if section != "KEYS OF A POLICY" and (key in part.get("required", [])) != ("Required" in words):
                problems.append(f"{section}: '{key}' must say 'Required' if it is, and only then")
        report(f"words, bounds and defaults in {section}", problems)


HEAD = {"version": "version: 1\n", "defaults": "defaults: {action: drop}\n"}


def check_examples(report, page, folder):
    for number, example in enumerate(page.literals, 1):
        missing = "".join(line for key, line in HEAD.items() if not re.search(rf"^{key}:", example, re.MULTILINE))
        path = os.path.join(folder, "example.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(missing + example)
        done = subprocess.run([ZONEWALL, "check", path], capture_output=True, text=True, check=False)
        lines = done.stderr.replace(f"{path}:", "").splitlines()
        report(f"example {number} of {page.path} ({example.split()[0]})", lines if done.returncode else [])


def check_rendering(report, pages):
    for page in pages:
        what = f"scdoc takes {page.path}"
        if not shutil.which("scdoc"):
            report(f"{what} # SKIP scdoc is missing (Debian package scdoc)", [])
            continue
        done = subprocess.run(["scdoc"], input=page.source, capture_output=True, text=True, check=False)
        report(what, done.stderr.splitlines() if done.returncode else [])


def main():
    report = Report()
    command, language = Page("man/zonewall.1.scd"), Page("man/zonewall.yaml.5.scd")
    help_json = json.loads(subprocess.run([ZONEWALL, "help", "-o", "json"], capture_output=True, check=True).stdout)
    check_commands(report, command, help_json)
    check_command_lines(report, command, help_json)
    check_facts(report, command)
    check_keys(report, language, json.loads(text_of("policies/zonewall.schema.json")))
    with tempfile.TemporaryDirectory() as folder:
        check_examples(report, language, folder)
    check_rendering(report, [command, language])
    print(f"1..{report.tests}")
    return report.failed != 0


if __name__ == "__main__":
    sys.exit(main())
