#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# `zonewall promote`: what it prints, byte for byte, as stands in promote/ beside this file; what it leaves in the files; and that
# it writes nothing where it must not.
# shellcheck source=tests/golden/golden.bash
. "${BASH_SOURCE%/*}/golden.bash"
cd "$folder" || exit 1

policy() { # files main.yaml and more.yaml, as they are before each case
	rm -rf site && mkdir site
	cat >site/main.yaml <<-END
		version: 1
		include: [more.yaml]
		defaults: {action: drop}
		rules:
		  - {id: web, from: gateway, to: app, service: tcp/443, action: allow}  # stays
		  - {id: try-api, from: gateway, to: app, service: tcp/8443, mode: stage, action: allow, owner: "a, b"}
		  - id: try-drop
		    mode: stage   # until the change is agreed on
		    from: gateway
		    to: any
		    service: tcp/443
		    action: drop
	END
	cat >site/more.yaml <<-END
		version: 1
		zones: {gateway: [10.1.0.0/24], app: [10.2.0.0/24]}
		rules:
		  - id: try-ping
		    from: gateway
		    to: app
		    service: icmp/echo-request
		    action: allow
		    mode: stage
	END
	cp -r site before
}

promote() { # NAME ARGUMENTS...: what is printed, and its exit status
	local name=$1
	shift
	{ NO_COLOR=1 "$ZONEWALL" promote "$@"; echo "exit status $?"; } >out 2>&1
	same "$here/promote/$name" out "$name"
}

changed() { # NAME: the files against those before
	diff -ur before site | sed -E 's/^((---|\+\+\+) [^\t]*)\t.*/\1/' >files # without times
	same "$here/promote/$1" files "$1"
	rm -rf before
}

untouched() { # DESCRIPTION
	diff -r before site >files
	result $? "$1"
	rm -rf before
}

policy
promote one.txt try-api site/main.yaml --host 10.9.0.1
changed one.diff

policy
promote several.txt try-api try-ping try-drop try-api site/main.yaml --host 10.9.0.1
changed several.diff
promote again.txt try-ping site/main.yaml
[ "$("$ZONEWALL" show -o json site/main.yaml 2>/dev/null | grep -c stage)" = 0 ]
result $? "none is staged any more"

policy
promote json.txt try-drop site/main.yaml --host 10.9.0.1 -o json
changed json.diff

policy
promote dry-run.txt --dry-run try-ping site/main.yaml
untouched "--dry-run writes nothing"

policy
promote unknown.txt try-ap try-ping site/main.yaml
promote enforced.txt web try-ping site/main.yaml
promote no-file.txt try-ping
promote no-rule.txt
promote no-policy.txt try-ping site/none.yaml
untouched "of several nothing is written if one is wrong"

policy
sed -i 's/action: drop}/action: dro}/' site/main.yaml
cp site/main.yaml before/main.yaml
promote bad-policy.txt try-api site/main.yaml
untouched "a policy with mistakes stays as it is"

# What the text does not show: here the comma is on another line than the key, behind a comment.
policy
cat >site/main.yaml <<-END
	version: 1
	include: [more.yaml]
	defaults: {action: drop}
	rules:
	  - {id: odd, from: gateway, to: app, service: tcp/1, action: allow, # one
	     mode: stage # two
	     , owner: me}
END
cp site/main.yaml before/main.yaml
promote by-hand.txt odd site/main.yaml
untouched "what cannot be taken out soundly is left to a person"

# The file stays what it was: its mode, and where a link points.
policy
mv site/more.yaml site/kept.yaml
ln -s kept.yaml site/more.yaml
chmod 0640 site/kept.yaml
"$ZONEWALL" promote try-ping site/main.yaml >out 2>&1
[ -L site/more.yaml ] && [ "$(stat -c %a site/kept.yaml)" = 640 ] && ! grep -q stage site/kept.yaml &&
	[ "$(ls site)" = "$(printf '%s\n' kept.yaml main.yaml more.yaml)" ]
result $? "a link and a mode are kept, and nothing is left behind"
echo "1..$n"
