#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""faults.py NODE_NS PEER_NS INSTANCE PINS FOLDER - see faults.sh, which draws the hosts.

A fault is one run of a command in which one system call or allocation fails, or which is killed at one. After it, sixteen
datagrams tell who decides: through two interfaces, both ways, to ports that both policies deny, that one of them allows, and
that both do. Policy `a` does not name the second interface, so that there everything passes; `b` does. The answer has to be
that of the state before or of the state after, whole. If the command says that it succeeded, it is the latter's.

Then, unless nothing at all has changed, the next command is run without a fault. It must succeed and leave what it leaves
otherwise: the pins, the programs in the gate's slots, what is attached, the files. Meanwhile counted packets go to and fro
wherever both policies allow them: none may be lost.
"""
import ctypes
import json
import os
import random
import select
import signal
import socket
import struct
import subprocess
import sys
import time

from talk import enter

ZONEWALL = os.path.realpath(os.environ.get("ZONEWALL", "build/zonewall"))
TOOLS = os.path.realpath(os.path.join(os.environ.get("BUILD", "build"), "tests/net"))
NODE, PEER, INSTANCE, PINS, FOLDER = sys.argv[1:6]
FILES = ["/run/zonewall/" + INSTANCE, "/var/lib/zonewall/" + INSTANCE]
HOOKS = ["xdp", "ingress", "egress"]
PORTS = [5102, 5103, 5104, 5101]  # denied by both, allowed by b, by a, by both: the last one tells that all have come
RENAME = "rename" if os.uname().machine == "x86_64" else "renameat2"
PATIENCE = 120  # seconds, for a command: the verifier may be asked several times, and tells all that it thinks
NOT_THERE = 125  # inject: there was no such call


# --- who decides

def verdicts(first, second):
    """On the two interfaces, both ways."""
    return "".join("".join(str(int(port in allowed)) for port in PORTS) for allowed in (first, first, second, second))


A, B, ALL = [5104, 5101], [5103, 5101], PORTS
NONE_DECIDES = verdicts(ALL, ALL)
A_DECIDES = verdicts(A, ALL)
A_EVERYWHERE = verdicts(A, A)  # a rollback detaches nothing
B_DECIDES = verdicts(B, B)
SSH_ONLY = verdicts([], [])  # what restore falls back to
NAMES = {NONE_DECIDES: "none", A_DECIDES: "a", A_EVERYWHERE: "a", B_DECIDES: "b", SSH_ONLY: "nothing but SSH"}


class Probe:
    WAYS = [(ns, f"10.{net}.0.{source}", to, f"10.{net}.0.{destination}")
            for net in (99, 98) for ns, source, to, destination in ((PEER, 2, NODE, 1), (NODE, 1, PEER, 2))]

    def __init__(self):
        self.servers = []
        for _, _, to, address in self.WAYS:
            enter(to)
            self.servers.append([self.bound(address, port) for port in PORTS])

    @staticmethod
    def bound(address, port):
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.setblocking(False)
        made.bind((address, port))
        return made

    def ask(self):
        """The verdicts, in the order of verdicts(). Each is a new flow."""
        answer = ""
        for (ns, source, _, destination), servers in zip(self.WAYS, self.servers):
            enter(ns)
            with self.bound(source, 0) as client:
                token = os.urandom(8)
                for port in PORTS:
                    try:
                        client.sendto(token, (destination, port))
                    except PermissionError:  # the egress hook's drop
                        pass
                select.select([servers[-1]], [], [], 2)
            answer += "".join("1" if self.has_come(server, token) else "0" for server in servers)
        enter(NODE)
        return answer

    @staticmethod
    def has_come(server, token):
        came = False
        try:
            while True:
                came |= server.recv(64) == token
        except BlockingIOError:
            return came


class Traffic:
    """publish_traffic over one interface. Where not both policies name it (`named`), what a denies passes, and an echo that is
    under way while it is attached belongs to no flow that anybody could know."""

    def __init__(self, net, named):
        self.named = named
        self.process = subprocess.Popen([TOOLS + "/publish_traffic", NODE, f"10.{net}.0.1", PEER, f"10.{net}.0.2", "4"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def end(self):
        """What is wrong, and how many packets were sent."""
        time.sleep(0.3)  # a few packets at least
        out, _ = self.process.communicate("", timeout=PATIENCE)
        wrong, total = [], 0
        for line in out.splitlines():
            words = line.split()
            seen = dict(zip(words[1::2], map(int, words[2::2])))
            total += seen["sent"]
            lost = seen["sent"] - seen["arrived"] or (self.named and seen["sent"] - seen["echoed"])
            if lost or (self.named and seen["denied"]):
                wrong.append(line)
        return wrong or ([] if total else ["nothing was sent"]), total


# --- what is there

class Bpf:
    """The few commands of bpf(2) that are needed to look at what is pinned."""

    LOOKUP, NEXT_KEY, GET, PROGRAM, INFO, QUERY = 1, 4, 7, 13, 15, 16

    def __init__(self):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.number = {"x86_64": 321, "aarch64": 280}[os.uname().machine]

    def call(self, command, attributes):
        attributes = ctypes.create_string_buffer(attributes.ljust(128, b"\0"), 128)
        result = self.libc.syscall(self.number, command, attributes, 128)
        if result < 0:
            raise OSError(ctypes.get_errno(), "bpf")
        return result, attributes.raw

    def open(self, path):
        name = ctypes.create_string_buffer(path.encode())
        return self.call(self.GET, struct.pack("QII", ctypes.addressof(name), 0, 0))[0]

    def info(self, fd):
        """(type, id, two more words)"""
        space = ctypes.create_string_buffer(256)
        self.call(self.INFO, struct.pack("IIQ", fd, 256, ctypes.addressof(space)))
        return struct.unpack_from("IIII", space.raw)

    def program_name(self, number):
        try:
            fd = self.call(self.PROGRAM, struct.pack("III", number, 0, 0))[0]
        except OSError:
            return ""
        space = ctypes.create_string_buffer(256)
        self.call(self.INFO, struct.pack("IIQ", fd, 256, ctypes.addressof(space)))
        os.close(fd)
        return space.raw[64:80].rstrip(b"\0").decode()

    def lookup(self, fd, key, size):
        """None: there is none"""
        key, value = ctypes.create_string_buffer(struct.pack("I", key)), ctypes.create_string_buffer(size)
        try:
            self.call(self.LOOKUP, struct.pack("IIQQ", fd, 0, ctypes.addressof(key), ctypes.addressof(value)))
        except OSError:
            return None
        return value.raw

    def first_key(self, fd):
        key = ctypes.create_string_buffer(4)
        try:
            self.call(self.NEXT_KEY, struct.pack("IIQQ", fd, 0, 0, ctypes.addressof(key)))
        except OSError:
            return None
        return struct.unpack("I", key.raw)[0]

    def attached(self, ifindex, attach_type):
        """By TCX: ids of programs. None: this kernel has none."""
        ids = ctypes.create_string_buffer(64 * 4)
        try:
            _, answer = self.call(self.QUERY, struct.pack("IIIIQI", ifindex, attach_type, 0, 0, ctypes.addressof(ids), 64))
        except OSError:
            return None
        return struct.unpack_from(f"{struct.unpack_from('I', answer, 24)[0]}I", ids.raw)


def tree(folder):
    return sorted(os.path.join(where, name) for where, _, files in os.walk(folder) for name in files)


def contents(path):
    if path.endswith("lock") or path.endswith("sock"):
        return ""
    with open(path, "rb") as file:
        return file.read()


def shown(command):
    return subprocess.run(command, capture_output=True, check=True).stdout


class Scene:
    """Everything that outlives a command."""

    def __init__(self, bpf, clsact):
        self.pins, self.slots, self.line, self.unnamed, self.generations = {}, {}, b"", None, ()
        for path in tree(os.path.dirname(PINS)):
            fd = bpf.open(path)
            info = bpf.info(fd)
            self.pins[path] = info[1]
            name = os.path.basename(path)
            if name.startswith("zw_slot_"):
                slots = [bpf.lookup(fd, slot, 4) for slot in range(3)]
                self.slots[name] = [struct.unpack("I", slot)[0] if slot else 0 for slot in slots]
            elif name == "zw_gate":
                self.line = bpf.lookup(fd, 0, info[3])[:40]
                self.generations = struct.unpack_from("3I", self.line, 24)
            elif name == "zw_unnamed":
                self.unnamed = bpf.first_key(fd)
            os.close(fd)
        self.files = {path: contents(path) for folder in FILES for path in tree(folder)}
        self.attached = [bpf.attached(socket.if_nametoindex(name), which) for name in ("v0", "v2") for which in (46, 47)]
        if clsact:
            self.attached += [shown(["tc", "qdisc", "show", "dev", name]) for name in ("v0", "v2")]
            self.attached += [shown(["tc", "filter", "show", "dev", name, hook]) for name in ("v0", "v2") for hook in HOOKS[1:]]
        self.word = struct.unpack_from("Q", self.line)[0] if self.line else None

    def same(self, other):
        return all(getattr(self, key) == getattr(other, key)
                   for key in ("pins", "slots", "line", "unnamed", "files", "attached"))

    def left_over(self):
        """What should not be there after a command that succeeded."""
        wrong = [path for path in self.files if path.endswith(".new")]
        for path in self.pins:
            part = os.path.relpath(path, os.path.dirname(PINS)).split("/")
            if part[0] != os.path.basename(PINS):
                wrong.append(path)
            elif part[1].startswith("gen-") and int(part[1][4:]) not in self.generations:
                wrong.append(path)
        ours = {number for path, number in self.pins.items() if path.rsplit("/", 1)[1] in ("zw_xdp", "zw_ingress", "zw_egress")}
        wrong += [f"{name} holds program {program} for generation {generation}" for name, slots in self.slots.items()
                  for program, generation in zip(slots, self.generations) if program and not
                  (program in ours if generation else BPF.program_name(program).startswith(("zw_pass_", "zw_none_")))]
        if self.word and self.word >> 24 & 1 and self.word >> 16 & 0xff == 0:
            wrong.append("the gate still looks for interfaces that are not named")
        return wrong


# --- commands and their faults

class Result:
    def __init__(self, status, out, took):
        self.status, self.out, self.took = status, out, took

    def message(self):
        return " / ".join(line for line in self.out.strip().splitlines() if "fix:" not in line)[:300]


def run(command, environment=None):
    began = time.monotonic()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=dict(os.environ, **(environment or {})), text=True, errors="replace") as process:
        try:
            out, _ = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            out, _ = process.communicate()
            return Result(None, out, PATIENCE)
    return Result(process.returncode, out, time.monotonic() - began)


def zonewall(*words):
    return [ZONEWALL, words[0], "--instance", INSTANCE, *words[1:]]


def must(*words):
    done = run(zonewall(*words))
    if done.status:
        raise RuntimeError(" ".join(words) + f": {done.status}: {done.out}")
    return done


def file(name):
    return os.path.join(FOLDER, name)


class Command:
    """old, new: who decides before and after; others: who may after a fault, besides. `next` are commands after a fault,
    which lead to `then`."""

    def __init__(self, name, words, old, new, prepare, after, then, traffic=False, others=()):
        self.name, self.words, self.old, self.new, self.prepare = name, words, old, new, prepare
        self.after, self.then, self.traffic, self.others = after, then, traffic, others

    def start(self, wrapped, environment):
        return run(wrapped + zonewall(*self.words), environment)

    def list_calls(self):
        report = file("report")
        self.start([TOOLS + "/inject", report, "/dev/null", "list"], {})
        with open(report, encoding="ascii") as lines:
            return [line.split() for line in lines]

    def list_allocations(self):
        report = file("allocations")
        self.start([], {"LD_PRELOAD": TOOLS + "/preload/allocations.so", "LIST_ALLOCATIONS": report})
        with open(report, encoding="ascii") as lines:
            return sorted(int(line) for line in lines)

    def inject(self, fault):
        kind, number, which = fault
        if kind == "allocation":
            return self.start([], {"LD_PRELOAD": TOOLS + "/preload/allocations.so", "FAIL_ALLOCATION": str(number)})
        words = [kind, str(number)] + ([str(which)] if kind == "fail" else [])
        return self.start([TOOLS + "/inject", file("report"), "/dev/null", *words], {})


class Service(Command):
    """`run`: until it is ready, has told of drops, has answered over its socket, and was ended."""

    def start(self, wrapped, environment):
        began = time.monotonic()
        with open(file("run.log"), "w+", encoding="utf-8", errors="replace") as log:
            process = subprocess.Popen(wrapped + zonewall(*self.words), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       env=dict(os.environ, **environment))
            said = self.attend(process, bool(wrapped) and wrapped[-1] != "list")
            self.signal(process, wrapped, signal.SIGTERM)
            try:
                status = process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.signal(process, wrapped, signal.SIGKILL)
                process.wait()
                status = None
            log.seek(0)
            return Result(status, log.read() + said, time.monotonic() - began)

    @staticmethod
    def signal(process, wrapped, number):
        if not wrapped:
            process.send_signal(number)
            return
        try:
            with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as children:
                for pid in children.read().split():
                    os.kill(int(pid), number)
        except (FileNotFoundError, ProcessLookupError):
            pass

    @staticmethod
    def is_ready():
        with open(file("run.log"), encoding="utf-8", errors="replace") as log:
            return "ready" in log.read()

    def attend(self, process, injects):
        end = time.monotonic() + PATIENCE
        while process.poll() is None and not self.is_ready() and time.monotonic() < end:
            time.sleep(0.01)
        if process.poll() is not None:
            return ""
        PROBE.ask()  # drops
        asked = run(zonewall("status", "-o", "json"))
        run(["ip", "addr", "add", "10.97.0.1/24", "dev", "v0"])
        run(["ip", "addr", "del", "10.97.0.1/24", "dev", "v0"])
        end = time.monotonic() + 1.4  # a tick
        while process.poll() is None and time.monotonic() < end and not (injects and os.path.getsize(file("report"))):
            time.sleep(0.02)
        again = run(zonewall("status", "-o", "json"))
        if process.poll() is None and again.status:
            return f"zonewall: status: {asked.status} and {again.status}: {again.out}"
        return ""


def faults_of(command):
    """All of a command's, in a run without one. And how many calls and allocations it made."""
    faults = []
    command.prepare()
    calls = command.list_calls()
    for number, _, changes, *errors in calls:
        faults += [("fail", int(number), which) for which in range(len(errors))]
        # Where nothing is changed, only stores to shared memory since the call before may make a difference.
        faults.append(("kill-before", int(number), int(changes)))
        if int(changes):
            faults.append(("kill", int(number), 1))
    command.prepare()
    allocations = command.list_allocations()
    faults += [("allocation", number, 0) for number in allocations]
    command.prepare()
    return faults, len(calls), len(allocations)


def choose(faults):
    wanted = os.environ.get("FAULTS", "10")
    part, parts = map(int, os.environ.get("PART", "1/1").split("/"))
    random.Random(SEED).shuffle(faults)
    if wanted == "kills":
        faults = [fault for fault in faults if fault[0].startswith("kill") and fault[2]]
    elif wanted in ("fail", "allocation"):
        faults = [fault for fault in faults if fault[0] == wanted]
    elif wanted != "all":
        return faults[:int(wanted)]
    return faults[part - 1::parts]


class Trial:
    """Of one command, all faults."""

    def __init__(self, command, clsact):
        self.command, self.clsact = command, clsact
        self.wrong, self.statuses, self.changed, self.count, self.killed, self.missing = [], {}, 0, 0, 0, 0

    def scene(self):
        return Scene(BPF, self.clsact)

    def called(self):
        try:
            with open(file("report"), encoding="ascii") as report:
                return report.read().strip()
        except FileNotFoundError:
            return ""

    def judge(self, fault, result, seen):
        """What is wrong with how it ended."""
        command, name = self.command, NAMES.get(seen, "a mixture: " + seen)
        if result.status is None:
            return f"hangs, {name} decides"
        killed = fault[0].startswith("kill")
        if seen not in (command.old, command.new, *command.others):
            return f"{name} decides"
        if killed:
            return "" if result.status == 137 else f"exit status {result.status} of a process that was killed"
        if result.status < 0 or result.status > 128:
            return f"crashes, {result.status}"
        if result.status == 0 and (seen not in (command.new, *command.others) or seen == SSH_ONLY):
            return f"says that it is done, but {name} decides"
        if result.status and "zonewall: " not in result.out and "error" not in result.out:
            return "does not say what failed"
        return ""

    def restart(self):
        """What is wrong after the next command."""
        command = self.command
        for words in command.after:
            done = words() if callable(words) else run(zonewall(*words))
            if done.status:
                return f"then {words}: exit status {done.status}: {done.message()}"
        if PROBE.ask() != command.then:
            return f"then {NAMES.get(PROBE.ask(), PROBE.ask())} decides"
        scene = self.scene()
        wrong = scene.left_over()
        if wrong:
            return "left over: " + ", ".join(wrong)
        if command.then == NONE_DECIDES:
            return "left over: " + ", ".join(scene.pins) if scene.pins else ""
        status = run(zonewall("status", "-o", "json"))
        if status.status:
            return f"then status: exit status {status.status}: {status.message()}"
        status = json.loads(status.out.split("\n", 1)[0])
        sick = [point for point in status["attach_points"] if not point["healthy"]]
        return f"not healthy: {sick}" if sick else ""

    def note(self, fault, result, seen, wrong):
        kind, number, _ = fault
        where = " " + self.called() if kind != "allocation" else ""
        name = f"{self.command.name}: {kind} {number}{where}"
        if LOG:
            LOG.write(f"{name}\t{result.status}\t{NAMES.get(seen, seen)}\t{result.message()}\t{wrong}\n")
            LOG.flush()
        if wrong:
            self.wrong.append(f"{name}: {wrong}: {result.message()}")
            print(f"# {self.wrong[-1]}", flush=True)

    def one(self, fault, before):
        """Returns the scene after it, if nothing is changed, or None."""
        if os.path.exists(file("report")):
            os.unlink(file("report"))
        result = self.command.inject(fault)
        if result.status == NOT_THERE:
            self.missing += 1
            return None
        seen = PROBE.ask()
        self.count += 1
        self.killed += fault[0].startswith("kill")
        if not fault[0].startswith("kill"):
            self.statuses[result.status] = self.statuses.get(result.status, 0) + 1
        self.changed += seen != self.command.old
        wrong = self.judge(fault, result, seen)
        after = self.scene()
        same = not wrong and seen == self.command.old and after.same(before)
        if not same:
            wrong = wrong or self.restart()
        self.note(fault, result, seen, wrong)
        return after if same else None

    def all(self):
        faults, calls, allocations = faults_of(self.command)
        chosen = choose(faults)
        traffic = [Traffic(99, True)] if self.command.traffic else []
        if traffic and not self.clsact:  # whose qdisc cannot be made or deleted without the interface standing still a moment
            traffic.append(Traffic(98, False))
        scene = self.scene()
        for fault in chosen:
            if scene is None:
                self.command.prepare()
                scene = self.scene()
            scene = self.one(fault, scene)
        lost = [running.end() for running in traffic]
        print(f"# {self.command.name}: {calls} system calls and {allocations} allocations: {self.count} of {len(faults)} faults, "
              f"{self.killed} by SIGKILL; else exit status {dict(sorted(self.statuses.items(), key=str))}; "
              f"{self.changed} times it had changed who decides"
              + (f"; {self.missing} calls were not made again" if self.missing else ""), flush=True)
        self.tell("old or new, whole, and the next command finds nothing in its way", self.wrong)
        for wrong, total in lost:
            print(f"# {self.command.name}: {total} packets that both allow")
            self.tell("no packet is lost that both policies allow, none passes that both deny", wrong)

    def tell(self, what, wrong):
        global checks
        checks += 1
        print(f"{'not ok' if wrong else 'ok'} {checks} - {self.command.name}: {what}", flush=True)
        for line in wrong[:20]:
            print(f"# {line}")


# --- the commands

def policy(name, interfaces, ports, xdp="off"):
    with open(file(name), "w", encoding="ascii") as out:
        out.write(f"""version: 1
defaults: {{action: drop, flows: 4096}}
interfaces: [{{match: [{interfaces}], xdp: {xdp}}}]
zones: {{peer: [10.99.0.2, 10.98.0.2], node: [10.99.0.1, 10.98.0.1]}}
rules:
  - {{id: in, from: peer, to: node, service: [{ports}], action: allow}}
  - {{id: out, from: node, to: peer, service: [{ports}], action: allow}}
""")


def down():
    run(zonewall("down"))


def state(*commands):
    """Prepares by these."""
    def prepare():
        for words in commands:
            must(*words)
    return prepare


def boot(*_):
    """Nothing is left in the kernel."""
    down()
    state(["apply", file("a")])()
    subprocess.run(["rm", "-rf", os.path.dirname(PINS), FILES[0]], check=True)
    for _ in range(100):  # until the links are gone
        if PROBE.ask() == NONE_DECIDES:
            return
        time.sleep(0.01)


def confirm_if_on_trial():
    status = run(zonewall("status", "-o", "json"))
    if not status.status and json.loads(status.out.split("\n", 1)[0])["gate"] == "on-trial":
        return run(zonewall("confirm"))
    return status


def commands():
    a, b = file("a"), file("b")
    to_a, to_b = ["apply", a], ["apply", b]
    on_trial = ["apply", "--confirm", "1h", b]
    serve = Service("run", ["run", b], A_DECIDES, B_DECIDES, state(to_a), [], B_DECIDES)
    adopt = Service("run, adopting", ["run"], A_DECIDES, A_DECIDES, state(to_a), [], A_DECIDES)
    for service in serve, adopt:
        service.after = [lambda service=service: service.start([], {})]
    return [
        Command("first apply", to_a, NONE_DECIDES, A_DECIDES, down, [to_a], A_DECIDES),
        Command("apply that attaches", to_b, A_DECIDES, B_DECIDES, state(to_a), [to_b], B_DECIDES, True),
        Command("apply that detaches", to_a, B_DECIDES, A_DECIDES, state(to_b), [to_a], A_DECIDES, True),
        Command("apply --confirm", on_trial, A_DECIDES, B_DECIDES, state(to_a),
                [on_trial, ["confirm"]], B_DECIDES, True),
        Command("confirm", ["confirm"], B_DECIDES, B_DECIDES, state(to_a, on_trial),
                [confirm_if_on_trial, to_b], B_DECIDES, True),
        Command("rollback", ["rollback"], B_DECIDES, A_EVERYWHERE, state(to_a, to_b), [to_a], A_DECIDES, True),
        Command("rollback of a trial", ["rollback"], B_DECIDES, A_DECIDES, state(to_a, on_trial), [to_a, confirm_if_on_trial],
                A_DECIDES, True),
        Command("restore", ["restore"], NONE_DECIDES, A_DECIDES, boot, [["restore"], to_a], A_DECIDES,
                others=[B_DECIDES, SSH_ONLY]),  # saved before it; where none can be restored
        Command("down", ["down"], A_DECIDES, NONE_DECIDES, state(to_a), [to_a, ["down"]], NONE_DECIDES),
        serve,
        adopt,
    ]


# --- faults that were found, each with what has to come of it

class Row:
    """what: a sentence; words: the command; fault: FROM, ACTION and so on, for inject; then its exit status (137: killed), what it
    says, who decides; `warns`: so does status; after: commands that then succeed."""

    def __init__(self, what, prepare, words, fault, status, says, decides, after, warns="", clsact=False):
        self.what, self.prepare, self.words, self.fault = what, prepare, words, fault
        self.status, self.says, self.decides, self.after, self.warns = status, says, decides, after, warns
        self.clsact = clsact

    def scene(self):
        return Scene(BPF, self.clsact)

    def wrong(self):
        wrong = []
        self.prepare()
        before = self.scene()
        done = run([TOOLS + "/inject", file("report"), *self.fault, *zonewall(*self.words)])
        if done.status != self.status or self.says not in done.out:
            wrong.append(f"exit status {done.status}: {done.out}")
        seen = PROBE.ask()
        if seen != self.decides:
            wrong.append(f"{NAMES.get(seen, seen)} decides")
        if self.status == 1 and not self.warns and not self.scene().same(before):
            wrong.append("something was changed")
        if self.warns and self.warns not in run(zonewall("status")).out:
            wrong.append("status does not tell")
        for words in self.after:
            done = run(zonewall(*words))
            if done.status:
                wrong.append(f"then {words[0]}: exit status {done.status}: {done.out}")
        return wrong + (self.scene().left_over() if self.after else [])


def rows():
    to_a, to_b, links = ["apply", file("a")], ["apply", file("b")], PINS + "/links/"
    unfinished = "did not come to its end"
    return [
        Row("a link that cannot be opened stays attached", state(to_a), to_a, [links + "ingress", "fail", "bpf:OBJ_GET#2", "0"],
            1, "cannot look at what is attached to 'v0' (ingress)", A_DECIDES, [to_a]),
        Row("a hook that cannot be read, too", state(to_a), to_a, [links + "egress", "fail", "bpf:PROG_QUERY#4", "0"],
            1, "cannot look at what is attached to 'v0' (egress)", A_DECIDES, [to_a]),
        Row("a BPF file system that cannot be looked at is not mounted again", state(to_a), to_a,
            ["/dev/null", "fail", "statfs", "0"], 1, "cannot look at /sys/fs/bpf: ", A_DECIDES, [to_a]),
        Row("half attached, an interface that is not named passes", state(to_a), to_b,
            [links + "ingress-" + str(socket.if_nametoindex("v2")), "kill", "bpf:OBJ_PIN"], 137, "", A_DECIDES,
            [["rollback"], to_b], unfinished),
        Row("not yet detached, one that is not named any more passes", state(to_b), to_a,
            ["/dev/null", "kill-before", "bpf:LINK_DETACH"], 137, "", A_DECIDES, [to_a], unfinished),
        Row("half detached, it passes both ways", state(to_b), to_a, ["/dev/null", "kill", "bpf:LINK_DETACH"], 137, "", A_DECIDES,
            [to_a], unfinished),
        Row("one that cannot be detached passes", state(to_b), to_a, ["/dev/null", "fail", "bpf:LINK_DETACH", "0"], 0,
            "cannot detach", A_DECIDES, [to_a]),
        Row("down, killed halfway: everything passes", state(to_a), ["down"], ["/dev/null", "kill", "bpf:LINK_DETACH"], 137, "",
            NONE_DECIDES, [to_a], unfinished),
        Row("down that cannot detach: everything passes", state(to_a), ["down"], ["/dev/null", "fail", "bpf:LINK_DETACH", "1"], 1,
            "warning: everything passes all the same", NONE_DECIDES, [["down"]], unfinished),
        Row("the number of CPUs is not guessed", down, to_a, ["cpu/possible", "fail", "openat", "0"], 1,
            "cannot read how many CPUs there may be: ", NONE_DECIDES, [to_a]),
        Row("the folder of a first apply that was killed is used again", down, to_a, ["gen-", "kill", RENAME], 137, "",
            NONE_DECIDES, [to_a]),
    ]


def tc_qdisc(what):
    subprocess.run(["tc", "qdisc", what, "dev", "v0", "clsact"], check=True)


def down_with_qdisc():
    """Another's: it does not go with the filters."""
    down()
    tc_qdisc("replace")


def rows_of_filters():
    to_a = ["apply", file("a")]
    return [Row(f"an {hook} filter whose adding was not acknowledged does not stay", down_with_qdisc, to_a,
                [PINS + "/links/" + hook, "fail", "recvmsg#3", "0"], 1, f"cannot attach {hook} to 'v0'", NONE_DECIDES, [to_a],
                clsact=True)
            for hook in ("ingress", "egress")]  # two messages are of the qdisc


def try_rows(rows):
    global checks
    for row in rows:
        wrong = row.wrong()
        checks += 1
        print(f"{'not ok' if wrong else 'ok'} {checks} - {row.what}", flush=True)
        for line in wrong:
            print(f"# {line}")


def report_without_memory():
    """`status`, each of its allocations failing: it says so, and does not crash."""
    global checks
    state(["apply", file("a")])()
    report = Command("status", ["status", "-o", "json"], "", "", None, [], "")
    faults = [("allocation", number, 0) for number in report.list_allocations()]
    crashed = [f"{number}: {done.status}: {done.out}" for _, number, _ in faults
               for done in [report.inject(("allocation", number, 0))]
               if done.status is None or done.status < 0 or (done.status and "zonewall: " not in done.out)]
    checks += 1
    print(f"{'not ok' if crashed else 'ok'} {checks} - status without memory, {len(faults)} times: says so, or does without",
          flush=True)
    for line in crashed:
        print(f"# {line}")


def main():
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    only = os.environ.get("ONLY")
    print(f"# SEED={SEED}")
    enter(NODE)
    for clsact, xdp, ways in ((False, "off", ""), (False, "native", ", XDP"), (True, "off", ", clsact")):
        policy("a", "v0", "udp/5001, udp/5101, udp/5104", xdp)
        policy("b", "v0, v2", "udp/5001, udp/5003, udp/5101, udp/5103", xdp)
        os.environ["ZONEWALL_NO_TCX"] = "1" if clsact else ""
        down()
        if not ways and (not only or only == "rows"):
            try_rows(rows())
            report_without_memory()
        if clsact and (not only or only == "rows"):
            try_rows(rows_of_filters())
            down()
            tc_qdisc("delete")
        for command in commands():
            if ways and command.name not in ("first apply", "apply that attaches", "apply that detaches", "down", "rollback"):
                continue
            command.name += ways
            if only and command.name not in only.split(";"):
                continue
            Trial(command, clsact).all()
        down()
    print(f"1..{checks}")


checks = 0
SEED = int(os.environ.get("SEED", "1"))
LOG = open(os.environ["LOG"], "a", encoding="utf-8") if "LOG" in os.environ else None
BPF = Bpf()
PROBE = Probe()
main()
