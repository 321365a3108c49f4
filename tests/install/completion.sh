#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# completion.sh - each shell completes every command and every option that `zonewall help` tells, words and files where
# these belong, and nothing else.
set -u
cd "${BASH_SOURCE%/*}/../.." || exit 1
# shellcheck source=tests/net/tap.bash
. tests/net/tap.bash
zonewall=$(realpath "${ZONEWALL:-build/zonewall}")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"$zonewall" help -o json >"$dir/table"
for shell in bash zsh fish; do
	tools/completion.py $shell <"$dir/table" >"$dir/zonewall.$shell"
	check "for $shell there is one" test -s "$dir/zonewall.$shell"
done
touch "$dir/web.yaml"

# table WHAT: "commands", or "options": COMMAND --NAME a line
table()
{
	python3 -c '
import json, sys
table = json.load(open(sys.argv[2]))
for command in table["commands"]:
    if sys.argv[1] == "commands":
        print(command["name"])
    for option in command["options"] + table["options"] if sys.argv[1] == "options" else []:
        print(command["name"], "--" + option["name"])' "$1" "$dir/table"
}
lines() { tr ' ' '\n' | grep . | sort -u | tr '\n' ' '; }

# offers WORD...: what the shell in $shell offers for the last one
offers() { cd "$dir" && "offers_$shell" "$@"; }
offers_bash()
{
	bash -c 'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _zonewall; printf "%s\n" "${COMPREPLY[@]}"' \
		"$dir/zonewall.bash" "$@"
}
offers_fish()
{
	fish --no-config -c 'source $argv[1]; complete -C $argv[2]' "$dir/zonewall.fish" "$*" | sed 's/\t.*//'
}
# zsh in a terminal of its own: what it lists after a tab
offers_zsh()
{
	zsh -f -c '
		zmodload zsh/zpty
		zpty shell "TERM=dumb zsh -f -i"
		ready() { local out; repeat 100; do zpty -r -t shell out "*$1*" && return; sleep 0.05; done; }
		zpty -w shell "PS1=; autoload -U compinit; compinit -u -d $1/dump; source $1/zonewall.zsh; cd $1"
		zpty -w shell "zstyle \":completion:*\" list-grouped false; LISTMAX=10000; COLUMNS=200; LINES=500; unsetopt zle_bracketed_paste
			list() { compstate[insert]=; compstate[list]=\"list force\"; }; comppostfuncs=(list); print rea\"\"dy"
		ready ready
		zpty -w -n shell "$2"$'"'"'\t'"'"'
		sleep 1
		zpty -w -n shell $'"'"'\x15'"'"'"print do\"\"ne"$'"'"'\n'"'"'
		local all out
		repeat 100; do
			while zpty -r -t shell out; do all+=$out; done
			[[ $all == *done* ]] && break
			sleep 0.05
		done
		print -r -- ${all#*ready}' - "$dir" "$*" | tr '\r' '\n' | grep -oE -- '(^|\s)(--?)?[a-z][a-z.-]*(\s|$)' | tr -d '[:blank:]'
}

for shell in bash fish; do
	[ -n "$(type -P $shell)" ] || { skip "there is no $shell"; continue; }
	check "$shell: the commands" is "$(offers zonewall "" | lines)" "$(table commands | lines)"
	check "$shell: those that begin so" is "$(offers zonewall ro)" rollback
	missing=$(table options | while read -r command option; do
		offers zonewall "$command" "$option" | grep -qx -- "$option" || echo "$command $option"
	done)
	check "$shell: each option of each command" is "$missing" ""
	check "$shell: an option's words" is "$(offers zonewall flows -o "" | lines)" "json text "
	check "$shell: a format of one command alone" has "$(offers zonewall test -o "")" tap
	check "$shell: words of an option" has "$(offers zonewall run --log "")" stdout
	check "$shell: files" has "$(offers zonewall check w)" web.yaml
	check "$shell: files where one may stand" has "$(offers zonewall run --log w)" web.yaml
	check "$shell: no files where none belong" is "$(offers zonewall rollback w)" ""
	check "$shell: commands to be helped with" is "$(offers zonewall help ro)" rollback
done
shell=bash
check "bash: after --instance NAME" is "$(offers zonewall --instance x rol)" rollback
check "bash: --name=value" is "$(offers zonewall flows --output = js)" json

if [ -z "$(type -P zsh)" ]; then
	skip "there is no zsh"
else
	check "zsh: it is a script" zsh -n "$dir/zonewall.zsh"
	missing=$(table options | while read -r command option; do
		sed -n "/^\t\t$command)/,/;;/p" "$dir/zonewall.zsh" | grep -q -- "'\*${option}[=[]" || echo "$command $option"
	done)
	check "zsh: each option of each command" is "$missing" ""
	shell=zsh
	check "zsh: every command" is "$(comm -13 <(offers zonewall "" | sort -u) <(table commands | sort -u))" ""
	check "zsh: options" has "$(offers zonewall run --)" "--log"
	check "zsh: words" has "$(offers zonewall flows -o "")" json
fi
echo "1..$count"
