#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""schema.py - policies/zonewall.schema.json says what the parser says, as far as a schema can tell.

Each policy is given to both: to `zonewall check`, and, read as zonewall reads YAML (scalars are strings as written) and as
editors read it (YAML 1.2: some are numbers and truth values), to the schema. Each mistake that the parser reports must be
a mistake of the schema at the same place, unless CANNOT says why no schema can tell it; and the schema must find nothing
where the parser finds nothing. Policies are the examples, the golden cases, the fuzzer's seeds, and tables of values put
into each place of a policy. Last, the keys of each map are compared.
"""

import json
import os
import re
import subprocess
import sys
import tempfile

try:
    import jsonschema
    import yaml
except ImportError as missing:
    print(f"1..0 # SKIP {missing} (Debian packages python3-jsonschema, python3-yaml)")
    sys.exit(0)

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
ZONEWALL = os.path.realpath(os.environ.get("ZONEWALL", os.path.join(ROOT, "build/zonewall")))
SCHEMA = os.path.join(ROOT, "policies/zonewall.schema.json")

# What the parser finds and a schema cannot: the message, whole, and why. A mistake that matches one of these and is told
# by the schema after all fails the test, and so does an entry that nothing needs. <name> stands for a well-formed name.
NAME = r"(?P<name>.*)"
PROTOCOLS = "(tcp|udp|sctp|icmp|icmpv6|any)"
CANNOT = [
    (f"zone '{NAME}' is not defined", "a schema does not know which names a policy defines"),
    (f"service '{NAME}' is not defined", "the same"),
    (f"tier '{NAME}' is not defined", "the same"),
    (f"rule '{NAME}' is not defined", "the same"),
    (r"(zone|service|tier|id) '.*' is defined twice", "that takes looking at other places, and at other files"),
    (r"'(defaults|tiers)' may stand in one file only", "that takes looking at other files"),
    (r"the policy has no 'defaults'", "they may stand in another file"),
    (r"(zone|service) '.*' contains itself", "that takes following names"),
    (r"'.*' includes itself", "that takes looking at other files"),
    (r"cannot read '.*': .*", "that takes looking at other files"),
    (r"'.*' has \d+ entries, fewer than min-entries \(\d+\)", "that takes looking at other files"),
    (r"'.*' has host bits set", "a pattern does not count bits"),
    (r"'.*' is an empty range", "a pattern does not compare addresses"),
    (r"at this rate a burst of \d+ takes more than \d+ days to come in; at most \d+ is possible", "a schema does not multiply"),
    (r"'.*' is an empty range of ports", "a pattern does not compare numbers"),
    (r"'\d{4}-02-29T.*' is not an instant", "a pattern does not count leap years"),
    (f"a test is about one packet: '(?!{PROTOCOLS}'){NAME}' is more than one protocol and port", "that takes following names"),
    # What stands in no tree of values. YAML readers refuse most of it by themselves.
    (r"the file is empty", "there is no value to judge"),
    (r"the key '.*' is given twice", "the last one has taken the other's place"),
    (r"a key must be a plain string", "a schema sees keys as strings"),
    (r"nested deeper than 32", "a schema does not count depth"),
    (r"anchors \('&.*'\) are not read", "resolved before a schema sees them"),
    (r"aliases \('\*.*'\) are not read", "resolved before a schema sees them"),
    (r"tags \('.*'\) are not read", "resolved before a schema sees them"),
]
# What the parser reports of a whole map or list, and a schema at the key or entry that is at fault.
ABOUT_A_WHOLE = (
    r"the addresses of a test are of different families|icmp(v6)? is for IPv[46] addresses|"
    r"a rule with 'tls' takes tcp services only"
)
# As editors read it, these are gone before a schema sees them.
CANNOT_IN_EDITORS = [(r"expected a number .*, found '0+\d+'", "YAML reads 007 as 7")]


def is_name(text):
    """The form of names, written apart from the schema: design section 4.5."""
    number = re.fullmatch(r"[0-9.]+|0[xX][0-9a-fA-F]+|[0-9.]+[eE][0-9]+|[0-9.-]+", text)
    return bool(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", text)) and not number and text not in RESERVED


RESERVED = (
    "any host world ethertype malformed spoofed tcp-state fragment blocked revoked rule default limit plaintext intra-zone "
    "failsafe essential flow related non-ip"
).split()


class Unreadable(Exception):
    """Not YAML, or no text: an editor says so without any schema."""


class Document:
    """A file as a tree of values, and the places (line, column) of each value and of the key before it."""

    # YAML 1.2, 10.3.2, as far as policies have such values.
    CORE = [
        (r"~|null|Null|NULL|", lambda text: None),
        (r"true|True|TRUE", lambda text: True),
        (r"false|False|FALSE", lambda text: False),
        (r"[-+]?[0-9]+", int),
        (r"0o[0-7]+", lambda text: int(text, 8)),
        (r"0x[0-9a-fA-F]+", lambda text: int(text, 16)),
        (r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", float),
    ]

    def __init__(self, path, as_editors_do):
        self.as_editors_do = as_editors_do
        self.places = {}
        try:
            with open(path, "rb") as file:
                node = yaml.compose(file.read().decode("utf-8-sig"), Loader=yaml.SafeLoader)
        except (UnicodeDecodeError, yaml.YAMLError) as error:
            raise Unreadable(str(error)) from error
        self.is_empty = node is None
        self.value = None if self.is_empty else self.convert(node, (), None)

    def scalar(self, node):
        if self.as_editors_do and node.style is None:
            for pattern, convert in self.CORE:
                if re.fullmatch(pattern, node.value):
                    return convert(node.value)
        return node.value

    def convert(self, node, path, key):
        self.places[path] = {(mark.line + 1, mark.column + 1) for mark in (node.start_mark, key) if mark}
        if isinstance(node, yaml.SequenceNode):
            return [self.convert(child, (*path, n), None) for n, child in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return {name.value: self.convert(value, (*path, name.value), name.start_mark)
                    for name, value in node.value if isinstance(name, yaml.ScalarNode)}
        return self.scalar(node)


def paths_of(error):
    """Where in the tree an error of the schema is: of a key, with the key."""
    path = tuple(error.absolute_path)
    if error.validator == "additionalProperties":
        return [(*path, key) for key in error.instance if key not in error.schema["properties"]]
    steps = list(error.absolute_schema_path)
    if "propertyNames" in steps and not isinstance(error.instance, (dict, list)):
        return [(*path, error.instance)]
    return [path]


def reason_not_to_tell(message, table):
    for entry in table:
        match = re.fullmatch(entry[0], message)
        if match and ("name" not in match.groupdict() or is_name(match["name"])):
            return entry
    return None


def check_properties(validator, properties, instance, _):
    """As jsonschema does it, but the path of a key that may not be there has the key in every version."""
    for key, schema in properties.items() if isinstance(instance, dict) else ():
        if key in instance and schema is False:
            yield jsonschema.ValidationError(f"'{key}' may not stand here", path=[key])
        elif key in instance:
            yield from validator.descend(instance[key], schema, path=key, schema_path=key)


def parse(path):
    folder, name = os.path.split(path)
    command = [ZONEWALL, "check", "-o", "json", name]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, cwd=folder)
    return json.loads(done.stdout)


class Comparison:
    def __init__(self):
        with open(SCHEMA, encoding="utf-8") as file:
            self.schema = json.load(file)
        jsonschema.Draft7Validator.check_schema(self.schema)
        checks = {"properties": check_properties}
        self.validator = jsonschema.validators.extend(jsonschema.Draft7Validator, checks)(self.schema)
        self.used = set()
        self.tests = self.failed = self.told = self.untold = self.accepted = 0

    def report(self, what, problems):
        self.tests += 1
        self.failed += bool(problems)
        print(f"{'not ok' if problems else 'ok'} {self.tests} - {what}")
        for problem in problems[:20]:
            print(f"# {problem}")

    @staticmethod
    def check(path):
        """What the parser says of a policy: the files that it names, and the mistakes in each."""
        result = parse(path)
        mistakes = {name: [] for name in [os.path.basename(path), *result.get("files", [])]}
        for mistake in result["diagnostics"]:
            if mistake["severity"] == "error" and mistake.get("file"):
                mistakes.setdefault(mistake["file"], []).append(mistake)
        return {name: found for name, found in mistakes.items() if name.endswith(".yaml")}

    def judge(self, document):
        """Paths at which the schema finds a mistake, with its words."""
        if document.is_empty:
            return {}
        errors = self.validator.iter_errors(document.value)
        return {path: error.message[:100] for error in errors for path in paths_of(error)}

    def compare_mistake(self, mistake, table, errors, places):
        """A mistake of the parser: told by the schema at the same place, or one that it cannot tell."""
        place = mistake.get("line"), mistake.get("column")
        told = any(place in places.get(where, set()) for where in errors)
        if not told and re.fullmatch(ABOUT_A_WHOLE, mistake["message"]):
            told = any(where and place in places.get(where[:-1], set()) for where in errors)
        entry = reason_not_to_tell(mistake["message"], table)
        self.told += told
        self.untold += not told
        if entry:
            self.used.add(entry[0])
        text = f"{mistake['file']}:{place[0]}:{place[1]}: {mistake['message']}"
        if told and entry:
            return [f"told by the schema; take it out of CANNOT ('{entry[0]}'): {text}"]
        if not told and not entry:
            return [f"not told by the schema, and CANNOT has no reason for that: {text}"]
        return []

    @staticmethod
    def find_false_alarms(errors, places, mistakes):
        """Mistakes of the schema where the parser finds none: there, at a key below, or in the map around."""
        found = {(mistake.get("line"), mistake.get("column")) for mistake in mistakes}
        for where, text in errors.items():
            near = places.get(where, set()) | (places.get(where[:-1], set()) if where else set())
            near |= {place for path in places if path and path[:-1] == where for place in places[path]}
            if not near & found:
                yield f"told by the schema, and nothing to the parser: {'/'.join(map(str, where))}: {text}"

    def compare_file(self, path, mistakes, as_editors_do, is_yaml):
        try:
            document = Document(path, as_editors_do)
        except Unreadable as error:
            self.untold += len(mistakes)
            return [] if mistakes and not is_yaml else [f"not YAML to this test: {error}"]
        self.accepted += not mistakes
        errors = self.judge(document)
        table = CANNOT + (CANNOT_IN_EDITORS if as_editors_do else [])
        problems = list(self.find_false_alarms(errors, document.places, mistakes))
        for mistake in mistakes:
            problems += self.compare_mistake(mistake, table, errors, document.places)
        return problems

    def compare(self, path, readings=(False, True), is_yaml=False):
        problems = []
        for name, mistakes in self.check(path).items():
            for as_editors_do in readings:
                found = self.compare_file(os.path.join(os.path.dirname(path), name), mistakes, as_editors_do, is_yaml)
                problems += [f"as an editor reads it: {text}" if as_editors_do else text for text in found]
        return problems

    def compare_values(self, folder, place, template, values):
        """Each value by itself in a policy, or, where the template is of a list's entry, all in one."""
        problems = []
        head = "version: 1\ndefaults: {action: drop}\n"
        if isinstance(template, tuple):
            before, entry = template
            entries = (entry.replace("%N", str(n)).replace("%", value) for n, value in enumerate(values))
            texts = [head + before + "".join(entries)]
        else:
            texts = [template.replace("%", value) for value in values]
        for text in texts:
            path = os.path.join(folder, "values.yaml")
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            for problem in self.compare(path, [False], True):
                line = re.search(r"values.yaml:(\d+):", problem)
                shown = text.splitlines()[int(line[1]) - 1] if line else text.splitlines()[-1]
                problems.append(f"{problem} | {shown.strip()}")
        self.report(f"{len(values)} values as {place}", problems)

    @staticmethod
    def parser_keys(folder, text):
        """The keys that the parser knows in the map where the key `unheard-of-here` stands."""
        path = os.path.join(folder, "keys.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        for mistake in parse(path)["diagnostics"]:
            if "'unheard-of-here'" in mistake["message"]:
                return mistake["fix"].replace("the keys are ", "").split(", ")
        return []

    def compare_keys(self, folder, what, text, schema):
        parser, own = self.parser_keys(folder, text), list(schema["properties"])
        self.report(f"keys of {what}", [] if parser == own else [f"parser: {parser}", f"schema: {own}"])


def words(text):
    """What stands between spaces, but "in quotes", [in brackets] and {in braces}."""
    return re.findall(r'(?:"[^"]*"|\[[^]]*\]+|\{[^}]*\}|[^\s"\[{])+', text)


WORDS = words("""drop allow pass Drop alow drops all none new loose strict auto native generic off enforce stage source refuse
    skip true false yes True null ~ "" [] {} [x] {x: 1} [[x]] 0 1 2 01 007 -1 +1 1.0 1.2 "1.2" 1.3 1e3 0x10 100 65535 65536
    4000000 4000001 134217728 134217729 134217730 1342177280 4294967295 4294967296 4294967300 99999999999""")
KINDS = words('x 1 true ~ "" [] {} [x] {x: 1}')
NAMES = words("""app app- a.b a_b A1 1a a/b "a b" -a .a _a any host world limit rule default non-ip tcp udp icmp icmpv6 proto
    12 1.2 1e6 1ex 0x1f 0xg 10-20 10.1.2.3 1-2a grün on null "" [a] {}""") + ["a" * 63]
TOO_LONG = "a" * 64
ADDRESSES = words("""10.0.0.1 10.0.0.0 10.0.0.256 10.0.0 10.0.0.0.1 010.0.0.1 10.0.0.1/32 10.0.0.0/8 10.0.0.1/8 10.0.0.0/33
    10.0.0.0/ 10.0.0.0/08 0.0.0.0/0 10.0.0.0/-1 10.0.0.1-10.0.0.9 10.0.0.9-10.0.0.1 10.0.0.1- -10.0.0.1
    10.0.0.1-10.0.0.2-10.0.0.3 10.0.0.1/24-10.0.0.9 "10.0.0.1-fd00::1" "fd00::1-10.0.0.1" "::" "::1" "1::" "fd00::1"
    "FD00::A" "1:2:3:4:5:6:7:8" "1:2:3:4:5:6:7::" "::2:3:4:5:6:7:8" "1:2:3:4:5:6:7" "1:2:3:4:5:6:7:8:9" "1::2::3" "1:::2"
    ":1" "1:" "12345::" "g::" "::/0" "fd00::/64" "fd00::1/64" "fd00::/128" "fd00::/129" "fd00::/064" "fd00::1-fd00::9"
    "fd00::9-fd00::1" "fd00::-" "fd00::1-fd00::2-fd00::3" "fd00::/64-fd00::9" "::ffff:1.2.3.4" "1:2:3:4:5:6:1.2.3.4"
    "1:2:3:4:5:6:7:1.2.3.4" "::1.2.3" "::1.2.3.256" "1.2.3.4::" "1::2:3:4:5:1.2.3.4" "1::2:3:4:5:6:1.2.3.4" "fe80::1%1"
    "::1:2:3:4:5:6:7:8" "1::2:3:4:5:6:7:8" "1:2:3:4:5:6:7:8::" "::1:2:3:4:5:1.2.3.4" "::1:2:3:4:5:6:1.2.3.4" fd00::1
    localhost 10.0.0.1:80 "10.0.0.1 " " 10.0.0.1" """)
SERVICES = words("""tcp udp sctp icmp icmpv6 any TCP tcp/ tcp/0 tcp/9 tcp/80 tcp/080 tcp/65535 tcp/65536 tcp/65599 tcp/99999
    tcp/100000 tcp/1-2 tcp/2-1 tcp/5-5 tcp/1- tcp/-1 tcp/1-2-3 tcp/80/81 tcp/http "tcp/ 80" "tcp/80 " udp/53 sctp/9 dccp/1
    proto proto/ proto/0 proto/1 proto/6 proto/17 proto/47 proto/58 proto/132 proto/255 proto/256 proto/047 proto/tcp any/1
    icmp/ icmp/0 icmp/8 icmp/08 icmp/255 icmp/256 icmp/8/0 icmp/8/256 icmp/8/ icmp/3/4 icmp/3/port-unreachable
    icmp/8/port-unreachable icmp/destination-unreachable/4 icmp/port-unreachable icmp/echo-request icmp/echo-reqest
    icmp/Echo icmp/8/0/0 icmpv6/128 icmpv6/128/0 icmpv6/neighbor-solicitation icmpv6/redirect/0 icmp/redirect/0
    icmp/neighbor-solicitation icmpv6/1/port-unreachable icmpv6/3/port-unreachable https""")
TIMES = words("""2026-12-31T00:00:00Z 2026-02-28T23:59:59Z 2026-02-29T00:00:00Z 2028-02-29T00:00:00Z 2026-02-30T00:00:00Z
    2026-04-31T00:00:00Z 2026-00-01T00:00:00Z 2026-13-01T00:00:00Z 2026-01-00T00:00:00Z 2026-01-32T00:00:00Z
    1969-12-31T00:00:00Z 1970-01-01T00:00:00Z 9999-12-31T00:00:00Z 0000-01-01T00:00:00Z 2026-12-31T24:00:00Z
    2026-12-31T00:60:00Z 2026-12-31T00:00:60Z 2026-12-31T00:00:00 2026-12-31T00:00:00.5Z 2026-12-31T00:00:00.Z
    2026-12-31T00:00:00+01:00 2026-12-31T00:00:00-23:59 2026-12-31T00:00:00+24:00 2026-12-31T00:00:00+0100
    2026-12-31t00:00:00z 2026-12-31 "2026-12-31 00:00:00Z" """)
RATES = words("""50/s 1/m 1000/h 0/s 05/s 50 50/ /s 50/d 50/S 1000000/s 1000001/s 999999/s 9999999/s 60000000/m 60000001/m
    59999999/m 61000000/m 3600000000/h 3600000001/h 3599999999/h 3610000000/h 2999999999/h 9999999999/h -1/s 5.5/s "50 /s" "50/ s" """)
BANS = words("""1s 30s 5m 1h 2d 9999d 10000s 0s 05m 5 m 5M 5w 1.5h -1s "5 m" 5ms 5m30s""")
INTERFACES = words("""eth0 lo lo0 "veth*" "e?h" "[a-c]" abcdefghijklmno abcdefghijklmnop "abcdefghijklmnop*" "a/b" "a:b" "a b"
    "a/*" "l*" "" [x] {} a.1 "a]" """)


def icmp_names():
    """All names of types and codes that the parser knows, from its own table."""
    with open(os.path.join(ROOT, "user/policy/icmp.c"), encoding="utf-8") as file:
        rows = re.findall(r'\{ ([46]), (\d+), (-?\d+), "([^"]+)" \}', file.read())
    types = {(version, number): name for version, number, code, name in rows if code == "-1"}
    for version, number, code, name in rows:
        word = "icmp" if version == "4" else "icmpv6"
        yield f"{word}/{name}"
        if code != "-1":
            yield f"{word}/{number}/{name}"
            yield f"{word}/{types[version, number]}/{name}"
            yield f"{word}/{int(number) + 1}/{name}"


RULE = "id: r%N, from: any, to: any, service: tcp/1, action: allow"
REGION = "from: any, to: any, service: tcp/1"
TEST = "from: 10.0.0.1, to: 10.0.0.2, service: tcp/1, expect: drop"
TEST6 = 'from: "fd00::1", to: "fd00::2", service: tcp/1, expect: drop'


def entry(of, like, key, value="%", more=""):
    """A template of a list of such entries, with one key replaced."""
    parts = [part for part in like.split(", ") if not part.startswith(f"{key}:")]
    return f"{of}:\n", f"- {{{', '.join([*parts, f'{key}: {value}'])}{more}}}\n"


def rule(key, value="%", more=""):
    return entry("rules", RULE, key, value, more)


def zone(body):
    return "zones:\n", f"  z%N: {body}\n"


def places_of_the_head():
    plain = "version: 1\ndefaults: {action: drop}\n"
    yield "version", "version: %\ndefaults: {action: drop}\n", WORDS
    yield "defaults", "version: 1\ndefaults: %\n", KINDS
    keys = ", ".join(f"{key}: %" for key in ("action", "intra-zone", "log", "non-ip", "tcp", "flows"))
    yield "each key of defaults", f"version: 1\ndefaults: {{{keys}}}\n", WORDS
    for key in "interfaces failsafe rules never always tests".split():
        yield f"an entry of {key}", (f"{key}:\n", "- %\n"), WORDS
    keys = "include interfaces zones services failsafe tiers rules never always tests".split()
    yield "each other key of a policy", plain + "".join(f"{key}: %\n" for key in keys), KINDS
    yield "an included file", ("include:\n", "- %\n"), WORDS
    yield "a tier's name", plain + "tiers: [%]\n", NAMES
    yield "an interface", ("interfaces:\n", "- {match: [%]}\n"), INTERFACES + WORDS
    yield "an interface's match", ("interfaces:\n", "- {match: %}\n"), WORDS
    yield "an interface's xdp", ("interfaces:\n", "- {match: [eth0], xdp: %}\n"), WORDS
    yield "an interface's source", ("interfaces:\n", "- {match: [eth0], source: %}\n"), NAMES + ADDRESSES + WORDS


def places_of_names():
    yield "a zone's name", ("zones:\n", "  %: [10.0.0.1]\n"), NAMES + [TOO_LONG]
    yield "a zone", zone("%"), WORDS + ADDRESSES
    yield "an address of a zone", zone("[%]"), WORDS + ADDRESSES + NAMES
    yield "a zone's addresses", zone("{addresses: %}"), WORDS
    yield "a zone's except", zone("{addresses: [10.0.0.1], except: %}"), WORDS
    for key in "addresses", "except":
        yield f"an address in {key}", zone(f"{{zones: [z0], {key}: [%]}}"), WORDS + ADDRESSES + NAMES
    yield "a zone's zones", zone("{zones: %}"), WORDS
    yield "a zone in a union", zone("{zones: [%]}"), NAMES + ADDRESSES + WORDS
    yield "a zone's file", zone("{file: %}"), WORDS
    yield "a zone's on-error", zone("{file: feed.txt, on-error: %}"), WORDS
    yield "a zone's min-entries", zone("{file: feed.txt, min-entries: %}"), WORDS
    yield "a zone's max-age", zone("{file: feed.txt, max-age: %}"), BANS + WORDS
    yield "a zone's column", zone("{file: feed.csv, column: %}"), WORDS
    services = SERVICES + WORDS + NAMES + sorted(set(icmp_names()))
    yield "a service's name", ("services:\n", "  %: tcp/1\n"), NAMES
    yield "a service", ("services:\n", "  s%N: %\n"), services
    yield "a part of a service", ("services:\n", "  s%N: [tcp/1, %]\n"), services


def places_of_rules():
    yield "a rule's id", rule("id"), NAMES + WORDS + [TOO_LONG]
    yield "a text", rule("owner"), ['"a\\0b"', '"a\\tb"', '"a\\nb"', '"a\\eb"', '"a\\x7fb"', "grün"]
    yield "a rule's tier", rule("tier"), NAMES + WORDS
    for key in "from", "to":
        yield f"a rule's {key}", rule(key), NAMES + ADDRESSES + WORDS
        yield f"an end in a rule's {key}", rule(key, "[any, %]"), NAMES + ADDRESSES + WORDS
    yield "a rule's service", rule("service"), SERVICES + WORDS + NAMES
    yield "a part of a rule's service", rule("service", "[%, tcp/2]"), SERVICES + WORDS
    yield "a rule's service with tls", rule("service", more=", tls: {require: true}"), SERVICES
    yield "services of a rule with tls", rule("service", "[tcp, %]", ", tls: {require: true}"), SERVICES
    for key in "action", "mode", "log", "limit", "tls", "owner":
        yield f"a rule's {key}", rule(key), WORDS
    for more in "limit: {rate: 5/s}", "tls: {require: true}", "log: new", "mode: stage", f"until: {TIMES[0]}":
        yield f"the action of a rule with {more}", rule("action", more=f", {more}"), WORDS
    yield "a rule's until", rule("until"), TIMES + WORDS
    yield "a limit's rate", rule("limit", "{rate: %}"), RATES + WORDS
    yield "a limit's burst", rule("limit", "{rate: 5/s, burst: %}"), WORDS
    yield "a limit's per", rule("limit", "{rate: 5/s, per: %}"), WORDS
    yield "a limit's ban", rule("limit", "{rate: 5/s, per: source, ban: %}"), BANS + WORDS
    yield "a limit's ban without per", rule("limit", "{rate: 5/s, ban: %}"), BANS
    yield "tls' require", rule("tls", "{require: %}"), WORDS
    yield "tls' min", rule("tls", "{require: true, min: %}"), WORDS


def places_of_the_rest():
    for key in "failsafe", "never", "always":
        for part in "id", "from", "to", "service":
            yield f"{part} of {key}", entry(key, REGION, part), NAMES + ADDRESSES + SERVICES + WORDS
    single = [service for service in SERVICES if service != "tcp/2-1"]  # told: it is no single port
    for part, values in ("from", ADDRESSES), ("to", ADDRESSES), ("service", single), ("expect", []), ("by", RESERVED):
        yield f"{part} of tests", entry("tests", TEST, part), values + NAMES + WORDS
        yield f"{part} of tests of IPv6", entry("tests", TEST6, part), values + NAMES + WORDS
    before, one = entry("tests", TEST, "service")
    yield "a test's service by name", ("services: {many: [tcp/1, tcp/2], one: tcp/1}\n" + before, one), ["many", "one"]


def places():
    """(place, template, values) of every value of the language."""
    yield from places_of_the_head()
    yield from places_of_names()
    yield from places_of_rules()
    yield from places_of_the_rest()


def maps(schema):
    """(map, policy with an unknown key there, its schema)"""
    of = schema["definitions"]
    head = "version: 1\ndefaults: {action: drop}\n"
    yield "a policy", head + "unheard-of-here: 1\n", schema
    yield "defaults", "version: 1\ndefaults: {unheard-of-here: 1}\n", of["defaults"]
    yield "an interface", head + "interfaces: [{unheard-of-here: 1}]\n", of["interface"]
    yield "a zone", head + "zones: {a: {unheard-of-here: 1}}\n", of["zone"]["then"]
    yield "a rule", head + "rules: [{unheard-of-here: 1}]\n", of["rule"]
    for key in "failsafe", "never", "always":
        yield f"an entry of {key}", head + f"{key}: [{{unheard-of-here: 1}}]\n", of["region"]
    yield "a test", head + "tests: [{unheard-of-here: 1}]\n", of["test"]
    for key in "limit", "tls":
        yield f"a rule's {key}", head + f"rules: [{{{key}: {{unheard-of-here: 1}}}}]\n", of["rule"]["properties"][key]


def policies():
    for folder in "policies", "policies/common", "tests/golden/check", "tests/golden/show", "tests/fuzz/corpus/policy":
        for name in sorted(os.listdir(os.path.join(ROOT, folder))):
            if name.endswith(".yaml"):
                yield f"{folder}/{name}"


def main():
    comparison = Comparison()
    for path in policies():
        comparison.report(path, comparison.compare(os.path.join(ROOT, path)))
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "feed.txt"), "w", encoding="utf-8") as file:
            file.write("192.0.2.1\n" * 3)
        for place, template, values in places():
            comparison.compare_values(folder, place, template, values)
        for what, text, schema in maps(comparison.schema):
            comparison.compare_keys(folder, what, text, schema)
    idle = [pattern for pattern, _ in CANNOT + CANNOT_IN_EDITORS if pattern not in comparison.used]
    comparison.report("CANNOT lists nothing that no policy needs", [f"take it out: {pattern}" for pattern in idle])
    print(f"1..{comparison.tests}")
    print(f"# mistakes told: {comparison.told}, not told: {comparison.untold}; policies accepted: {comparison.accepted}")
    return comparison.failed != 0


if __name__ == "__main__":
    sys.exit(main())
