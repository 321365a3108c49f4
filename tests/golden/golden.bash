# SPDX-License-Identifier: GPL-2.0-only
# golden.bash - what the scripts here share that look at the examples: they run in the repository's root, $folder is theirs and
# goes with them, $here is this folder. UPDATE=1 writes what is printed now. Sourced.
# shellcheck disable=SC2034 # some of what is set here only those use that source it
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ZONEWALL=$(realpath "${ZONEWALL:-${BUILD:-build}/zonewall}")
cd "$here/../.." || exit 1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
n=0

result() { # STATUS DESCRIPTION
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi
}

same() { # EXPECTED GOT DESCRIPTION: two files
	[ -z "${UPDATE:-}" ] || cp "$2" "$1"
	diff -u "$1" "$2" >"$folder/diff"
	result $? "$3"
	sed 's/^/# /' "$folder/diff"
}
