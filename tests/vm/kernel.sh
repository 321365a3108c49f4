#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# kernel.sh NAME FOLDER - brings Debian's kernel NAME (6.1, 6.12 or newest) to FOLDER/NAME: vmlinuz, modules/, release.
#
# By apt, from the mirror that this system has, checked by Debian's keys; lists, cache and what is installed are
# FOLDER's own, so that nothing of this system is touched, and root is not needed. A kernel that is here is kept for a
# week. If none can be had, the last line on stderr says why, and the exit status is 1; if there is no such NAME, 2.
set -eu
name=$1
mkdir -p "$2"
folder=$(cd "$2" && pwd)
give_up() { echo "$*" >&2; exit 1; }

case $name in
6.1) suite=bookworm ;;
6.12) suite=trixie ;;
newest) suite=sid ;;
*) echo "no kernel '$name': 6.1, 6.12 and newest are known" >&2; exit 2 ;;
esac
[ "$(uname -m)" = x86_64 ] || give_up "only for x86_64"
[ -z "$(find "$folder/$name/release" -mtime -7 2>/dev/null)" ] || exit 0
command -v apt-get >/dev/null || give_up "there is no apt-get here"

keys=/usr/share/keyrings/debian-archive-keyring.gpg
[ -e $keys ] || give_up "there are no keys of Debian's archive here (package debian-archive-keyring)"
# shellcheck disable=SC2016 # apt's own variable
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' 'Component: main' 2>/dev/null |
	sort -u | head -n 1)
[ -n "$mirror" ] || give_up "this system has no mirror of Debian's"

# What apt has here is thrown away, the lists above all, which are larger than the kernel.
apt=$folder/apt-$name
new=$folder/$name.new
trap 'rm -rf "$apt" "$new"' EXIT
trap 'exit 1' INT TERM
rm -rf "$apt" "$new"
mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/trusted" "$apt/files" "$new"
: >"$apt/status"
echo "deb [arch=amd64 signed-by=$keys] $mirror $suite main" >"$apt/sources.list"
cat >"$apt/apt.conf" <<END
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "-";
Dir::Etc::trustedparts "$apt/trusted";
Dir::Etc::preferencesparts "-";
Dir::State::lists "$apt/lists";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
Acquire::Languages "none";
Acquire::Retries "1";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
Acquire::AllowInsecureRepositories "false";
APT::Get::AllowUnauthenticated "false";
APT::Sandbox::User "";
END
export APT_CONFIG="$apt/apt.conf"
apt-get -qq --error-on=any update >"$apt/log" 2>&1 ||
	give_up "no list of Debian's packages ($suite): $(grep '^[EW]:' "$apt/log" | head -n 1)"

# Up to trixie a package holds vmlinuz and modules; later two do. Each is what the kernel's general package needs.
packages=$(apt-cache depends --recurse --important linux-image-cloud-amd64 2>/dev/null |
	grep -E '^linux-(image|binary|modules)-[0-9]') || give_up "$suite has no kernel for clouds"
# shellcheck disable=SC2086 # a list of names
(cd "$apt/files" && apt-get -qq download $packages >"$apt/log" 2>&1) ||
	give_up "cannot fetch $(echo "$packages" | head -n 1): $(grep '^[EW]:' "$apt/log" | head -n 1)"
for file in "$apt"/files/*.deb; do dpkg-deb -x "$file" "$apt/files"; done

modules=$(find "$apt/files" -type d -path '*/lib/modules/[0-9]*' -prune | head -n 1)
vmlinuz=$(find "$apt/files" -type f -name 'vmlinuz*' | head -n 1)
[ -n "$modules" ] && [ -n "$vmlinuz" ] || give_up "no kernel in $(echo "$packages" | head -n 1)"
cp "$vmlinuz" "$new/vmlinuz" # later ones have it among their modules
mv "$modules" "$new/modules"
basename "$modules" >"$new/release"
rm -rf "${folder:?}/$name"
mv "$new" "$folder/$name"
