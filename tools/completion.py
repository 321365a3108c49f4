#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""completion.py bash|zsh|fish - prints a shell's completion of zonewall, from the table of commands: `zonewall help -o json`
on stdin.

What an argument may be is read from its name in help: words in small letters are offered, FILE, OLD and NEW are files,
COMMAND is a command; of others nothing is known."""

import json
import re
import sys

FILES = ("FILE", "OLD", "NEW")


def words_of(argument):
    return [word for word in re.split(r"[|,\s]+", argument or "") if re.fullmatch(r"[a-z][a-z0-9-]*", word)]


def takes_files(argument):
    return any(name in re.findall(r"[A-Z]+", argument or "") for name in FILES)


def spellings(option):
    return ["--" + option["name"]] + (["-" + option["letter"]] if option["letter"] else [])


class Table:
    def __init__(self, table):
        self.globals = table["options"]
        self.commands = table["commands"]
        names = [command["name"] for command in self.commands]
        for command in self.commands:
            command["words"] = names if "COMMAND" in command["arguments"] else words_of(command["arguments"])
            command["files"] = takes_files(command["arguments"])
            command["all"] = [self.with_formats(option, command) for option in command["options"] + self.globals]

    @staticmethod
    def with_formats(option, command):
        words = words_of(option["argument"])
        if option["name"] == "output":
            words = words + command["formats"]
        return dict(option, words=words, files=takes_files(option["argument"]))


# --- bash: one function without the package bash-completion


def bash_case(patterns, words, files):
    lines = [f"\t{'|'.join(patterns)})"]
    if words:
        lines.append(f'\t\tCOMPREPLY=($(compgen -W "{" ".join(words)}" -- "$current"))')
    if files:
        lines.append('\t\tCOMPREPLY+=($(compgen -f -- "$current")); compopt -o filenames 2>/dev/null')
    return lines + ["\t\treturn ;;"]


def bash(table):
    valued = sorted({s for o in table.globals if o["argument"] for s in spellings(o)})
    out = ["# zonewall: completion for bash", "_zonewall()", "{",
           "\tlocal current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command='' i",
           "\tCOMPREPLY=()",
           "\tfor ((i = 1; i < COMP_CWORD; i++)); do",
           "\t\tcase ${COMP_WORDS[i]} in",
           f"\t\t{'|'.join(valued)}) i=$((i + 1)) ;;",
           "\t\t-*) ;;",
           "\t\t*) command=${COMP_WORDS[i]}; break ;;",
           "\t\tesac", "\tdone",
           "\t# --name=value is three words here",
           '\tif [ "$current" = = ]; then current=; elif [ "$previous" = = ]; then previous=${COMP_WORDS[COMP_CWORD - 2]}; fi',
           '\tcase "$command $previous" in']
    for command in table.commands:
        for option in command["all"]:
            if option["argument"]:
                out += bash_case([f'"{command["name"]} {s}"' for s in spellings(option)], option["words"], option["files"])
    for option in table.globals:
        if option["argument"]:
            out += bash_case([f'" {s}"' for s in spellings(option)], words_of(option["argument"]), False)
    out += ["\tesac", '\tcase "$command $current" in']
    for command in table.commands:
        options = [s for o in command["all"] for s in spellings(o)]
        out += bash_case([f'"{command["name"]} -"*'], options, False)
        out += bash_case([f'"{command["name"]} "*'], command["words"], command["files"])
    out += bash_case(['" -"*'], [s for o in table.globals for s in spellings(o)], False)
    out += bash_case(['" "*'], [c["name"] for c in table.commands], False)
    return out + ["\tesac", "}", "complete -F _zonewall zonewall"]


# --- zsh: _arguments


def zsh_text(text):
    return re.sub(r"([\[\]:\\])", r"\\\1", text).replace("'", "'\\''")


def zsh_value(words, files):
    if words and files:
        return f"{{_alternative 'words:word:({' '.join(words)})' 'files:file:_files'}}".replace("'", "'\\''")
    return f"({' '.join(words)})" if words else "_files" if files else ""


def zsh_option(option):
    value = ""
    if option["argument"]:
        value = f":{zsh_text(option['argument'])}:{zsh_value(option['words'], option['files'])}"
    for spelling in spellings(option):
        sign = ("=" if spelling.startswith("--") else "+") if option["argument"] else ""
        yield f"'*{spelling}{sign}[{zsh_text(option['help'])}]{value}'"


def zsh(table):
    out = ["#compdef zonewall", "_zonewall()", "{", "\tlocal context state state_descr line", "\tlocal -a commands",
           "\ttypeset -A opt_args", "\tcommands=("]
    out += [f"\t\t'{zsh_text(c['name'])}:{zsh_text(c['summary'])}'" for c in table.commands]
    common = [s for o in table.globals for s in zsh_option(Table.with_formats(o, {"formats": []}))]
    out += ["\t)", "\t_arguments -C \\"] + [f"\t\t{spec} \\" for spec in common]
    out += ["\t\t'1:command:->command' '*::argument:->argument'", "\tcase $state in",
            "\tcommand) _describe command commands ;;", "\targument)", "\t\tcase $words[1] in"]
    for command in table.commands:
        specs = [s for o in command["all"] for s in zsh_option(o)]
        value = zsh_value(command["words"], command["files"])
        if value:
            specs.append(f"'*:{zsh_text(command['arguments'])}:{value}'")
        out += [f"\t\t{command['name']})", "\t\t\t_arguments \\"] + [f"\t\t\t\t{s} \\" for s in specs] + ["\t\t\t\t;;"]
    return out + ["\t\tesac ;;", "\tesac", "}",
                  "if [ \"$funcstack[1]\" = _zonewall ]; then _zonewall \"$@\"; else compdef _zonewall zonewall; fi"]


# --- fish: a line for each


def fish_text(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def fish_option(condition, option):
    line = f"complete -c zonewall{condition} -l {option['name']}"
    if option["letter"]:
        line += f" -s {option['letter']}"
    if option["argument"]:
        line += " -r" + (" -F" if option["files"] else " -f")
        if option["words"]:
            line += f" -a {fish_text(' '.join(option['words']))}"
    return line + f" -d {fish_text(option['help'])}"


def fish(table):
    out = ["# zonewall: completion for fish", "complete -c zonewall -f"]
    out += [fish_option(" -n __fish_use_subcommand", Table.with_formats(o, {"formats": []})) for o in table.globals]
    for command in table.commands:
        seen = f" -n '__fish_seen_subcommand_from {command['name']}'"
        out.append(f"complete -c zonewall -n __fish_use_subcommand -a {command['name']} -d {fish_text(command['summary'])}")
        out += [fish_option(seen, option) for option in command["all"]]
        if command["files"]:
            out.append(f"complete -c zonewall{seen} -F")
        if command["words"]:
            out.append(f"complete -c zonewall{seen} -a {fish_text(' '.join(command['words']))}")
    return out


if __name__ == "__main__":
    print("\n".join({"bash": bash, "zsh": zsh, "fish": fish}[sys.argv[1]](Table(json.load(sys.stdin)))))
