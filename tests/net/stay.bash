# SPDX-License-Identifier: GPL-2.0-only
# stay.bash - connections that stay (stay.py), for tests that look at what becomes of them. Sourced after net.bash. What is said
# next is in $line.
stay=$(realpath "${BASH_SOURCE%/*}/stay.py")
declare -A to=() # name -> descriptor
line=''

# speaker NAME HOST ARGUMENT...: stay.py in the background, with a pipe to its stdin in to[NAME]
speaker()
{
	local fd
	mkfifo "$dir/$1.in"
	: >"$dir/$1"
	nsenter --net="/run/netns/$base-$2" python3 "$stay" "${@:3}" <"$dir/$1.in" >"$dir/$1" 2>&1 &
	started[$1]=$!
	exec {fd}>"$dir/$1.in"
	to[$1]=$fd
}
hush() # hush NAME...
{
	local name fd
	for name; do
		fd=${to[$name]}
		exec {fd}>&-
		stop "$name"
		rm "$dir/$name.in"
	done
}
say() { local name; for name; do echo "$line" >&"${to[$name]}"; done; }
all_hear() { local name; for name; do says "$name" "$line" || return 1; done; }
none_hears() { local name; for name; do not says "$name" "$line" >/dev/null || { echo "$name"; return 1; }; done; }
answers() { grep -c 'bytes from' "$dir/$1"; } # answers ping4
more_answers() { [ "$(answers ping4)" -gt "$1" ] && [ "$(answers ping6)" -gt "$2" ]; }
