#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# real_tls.sh - rules with `tls`: clients and servers that speak TLS 1.2 and later, in segments of any size and order, lose
# nothing; of what others say in plaintext, and of older TLS where 1.2 is asked for, not a byte reaches the server.
#
#    a  e0 10.1.0.1, fd00:1::1 --- wire --- e0 10.1.0.2, fd00:1::2  b: nginx (443, 8443), openssl (4433), gnutls (5556), tls.py sink
#
# The policy is on both; in plaintext's turns on b alone (its ingress hook) and on a alone (its egress hook).
# shellcheck source=tests/net/net.bash
. "${BASH_SOURCE%/*}/net.bash" "tls-$$"
tls=$(realpath "${BASH_SOURCE%/*}/tls.py")
seed=${SEED:-$RANDOM}
echo "# SEED=$seed"
wired_hosts
for host in a b; do sysctls "$host" ipv4/tcp_fastopen=0x403 ipv4/tcp_fastopen_blackhole_timeout_sec=0; done # without cookies
disturb none

policy()
{
	cat <<-END
		zones: {a: [10.1.0.1, "fd00:1::1"], b: [10.1.0.2, "fd00:1::2"]}
		services:
		  tls: [tcp/443, tcp/4433, tcp/5556]
		  modern: [tcp/8443, tcp/2222, tcp/2525, tcp/5432, tcp/8080-8084]
		  plain: [tcp/2200, tcp/2500, tcp/5400, tcp/8000-8004]
		rules:
		  - {id: tls, from: a, to: b, service: tls, action: allow, tls: {require: true}}
		  - {id: modern, from: a, to: b, service: modern, action: allow, tls: {require: true, min: "1.2"}}
		  - {id: plain, from: a, to: b, service: plain, action: allow}
	END
}

# Ports of the sink in the order of speak_plaintext's arguments: where TLS 1.2 is asked for, and where nothing is.
asking='2222 2525 5432 8080 8081 8082 8083 8084'
open='2200 2500 5400 8000 8001 8002 8003 8004'

# --- servers

openssl req -x509 -newkey rsa:2048 -nodes -keyout "$dir/key" -out "$dir/cert" -days 9 -subj /CN=b >"$dir/req" 2>&1 ||
	{ cat "$dir/req"; echo "Bail out! no certificate"; exit 1; }
cat >"$dir/nginx.conf" <<END
daemon off; pid $dir/nginx.pid; error_log $dir/error.log; worker_processes 1; user root; events {}
http {
	access_log off;
	ssl_certificate $dir/cert; ssl_certificate_key $dir/key;
	ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; ssl_ciphers DEFAULT@SECLEVEL=0;
	server {
		listen [::]:443 ssl http2 fastopen=64 ipv6only=off;
		listen [::]:8443 ssl http2 fastopen=64 ipv6only=off;
		location / { return 200 answered; }
	}
}
END
start nginx b nginx -e stderr -c "$dir/nginx.conf"
start openssl b openssl s_server -accept 4433 -cert "$dir/cert" -key "$dir/key" -cipher DEFAULT@SECLEVEL=0 -www
start gnutls b gnutls-serv --port 5556 --x509certfile "$dir/cert" --x509keyfile "$dir/key" --http \
	--priority NORMAL:+VERS-TLS1.0:+VERS-TLS1.1
# shellcheck disable=SC2086 # words
start sink b python3 "$tls" sink $asking $open
for port in 443 4433 5556 8443 2222; do soon listens b $port || { echo "Bail out! nothing listens at $port"; exit 1; }; done

# --- clients, each against an address

curls() { has "$(at a curl -gskS -m 10 "${@:2}" "https://$1")" answered; }
openssl_to() { has "$(at a timeout 10 openssl s_client -connect "$1" "${@:2}" </dev/null 2>&1 | tr -d '\0')" "$session"; }
gnutls_to() # gnutls_to ADDRESS PORT [OPTION...]
{
	has "$(at a timeout 10 gnutls-cli --insecure --port "$2" "${@:3}" "$1" </dev/null 2>&1)" 'Handshake was completed'
}
gets() { is "$(at a timeout 200 python3 "$tls" get "$@" 2>&1)" "${4:-1}"; } # gets ADDRESS PORT HOW [COUNT]
drops_only_plaintext() { is "$(for host; do counters "$host" | grep ' dropped ' | grep -v ' plaintext '; done)" ""; }
fast_opens() # fast_opens HOST WHICH: how many
{
	at "$1" sed -n '/^TcpExt/{s///;p}' /proc/net/netstat | awk -v n="$2" 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i } NR == 2 { print $at[n] }'
}

old='-cipher DEFAULT@SECLEVEL=0'
session='^New, TLSv1.*Cipher is [A-Z]'
encrypted() # encrypted ADDRESS: all that must pass
{
	local to=$1 port how version
	[[ $1 != *:* ]] || to="[$1]"
	for port in 443 8443; do
		check "$1: curl and nginx, TLS 1.2, port $port" curls "$to:$port" --tls-max 1.2
		check "$1: curl and nginx, TLS 1.3, HTTP/2, port $port" curls "$to:$port" --tlsv1.3 --http2
		check "$1: GnuTLS and nginx, port $port" gnutls_to "$1" "$port"
		for how in large narrow eleven fast-open; do
			check "$1: a ClientHello and nginx, $how, port $port" gets "$1" "$port" "$how"
		done
	done
	for version in tls1_2 tls1_3; do
		check "$1: openssl and openssl, $version" openssl_to "$to:4433" "-$version"
		check "$1: openssl and GnuTLS, $version" openssl_to "$to:5556" "-$version"
		check "$1: openssl and nginx, $version" openssl_to "$to:8443" "-$version"
	done
	check "$1: GnuTLS and GnuTLS" gnutls_to "$1" 5556
	check "$1: GnuTLS and openssl" gnutls_to "$1" 4433
	for version in tls1 tls1_1; do
		# shellcheck disable=SC2086 # words
		check "$1: openssl and openssl, $version, where any will do" openssl_to "$to:4433" "-$version" $old
	done
}

# speak_plaintext ADDRESS SSH SMTP POSTGRES HTTP HTTP2 SHORT OLD-TLS BYTES: all at once, to these ports; what they get is
# nobody's matter
speak_plaintext()
{
	local to=$1 pids=()
	[[ $1 != *:* ]] || to="[$1]"
	at a timeout 3 ssh -o BatchMode=yes -o StrictHostKeyChecking=no -p "$2" "$1" & pids+=($!)
	at a curl -gsS -m 3 "smtp://$to:$3" & pids+=($!)
	at a env PGCONNECT_TIMEOUT=3 timeout 3 psql "host=$1 port=$4 user=u dbname=d sslmode=prefer" & pids+=($!)
	at a env PGCONNECT_TIMEOUT=3 timeout 3 psql "host=$1 port=$4 user=u dbname=d sslmode=disable" & pids+=($!)
	at a curl -gsS -m 3 "http://$to:$5/secret" & pids+=($!)
	at a curl -gsS -m 3 --tcp-fastopen "http://$to:$5/secret" & pids+=($!)
	at a curl -gsS -m 3 --http2-prior-knowledge "http://$to:$6/secret" & pids+=($!)
	at a timeout 3 bash -c "exec 3<>/dev/tcp/$1/$7; printf hi >&3; sleep 0.2; printf 'and more, in one segment' >&3; sleep 2" & pids+=($!)
	at a timeout 3 openssl s_client -connect "$to:$8" -tls1 -cipher DEFAULT@SECLEVEL=0 & pids+=($!)
	at a timeout 3 openssl s_client -connect "$to:$8" -tls1_1 -cipher DEFAULT@SECLEVEL=0 & pids+=($!)
	at a timeout 3 python3 "$tls" get "$1" "$9" bytes & pids+=($!)
	wait "${pids[@]}"
} >/dev/null 2>&1 </dev/null
compared=no # with what they say where nobody asks for TLS: once is enough
plaintext() # plaintext ADDRESS DECIDING-HOST
{
	local port
	: >"$dir/sink"
	# shellcheck disable=SC2086 # words
	speak_plaintext "$1" $asking
	check "$1: SSH, SMTP, PostgreSQL, HTTP/1.1, HTTP/2, TLS 1.0 and 1.1, single bytes: none reaches the server" is "$(cat "$dir/sink")" ""
	check "$1: and that is told as plaintext" counts "$2" dropped plaintext
	[ $compared = no ] || return
	compared=yes
	# shellcheck disable=SC2086 # words
	speak_plaintext "$1" $open
	for port in $open; do
		check "$1: where nobody asks for TLS, the server at $port reads what they say" says sink "^$port "
	done
}

for attached in "${modes[@]}"; do
	check "the policy is applied" apply a b < <(policy)
	before=$(fast_opens b TCPFastOpenPassive)
	for address in 10.1.0.2 fd00:1::2; do encrypted "$address"; done
	check "no packet is dropped" drops_nothing a b
	check "some of it came in the SYN" test "$(fast_opens b TCPFastOpenPassive)" -gt "$before"
	down a b
done

attached=native
stop wire
disturb disorder 10 "$seed"
check "the policy is applied" apply a b < <(policy)
for how in whole large narrow; do
	for address in 10.1.0.2 fd00:1::2; do
		check "$address: 50 connections over a wire that loses, doubles and reorders, $how" gets "$address" 8443 "$how" 50
	done
done
stop wire
echo "# $(tail -n 1 "$dir/wire"); dropped as plaintext, to be said again: $(counted a dropped plaintext), $(counted b dropped plaintext)"
check "the wire did lose, double and reorder" test "$(did lost)" -gt 100 -a "$(did duplicated)" -gt 100 -a "$(did held)" -gt 100
check "nothing is dropped for another reason" drops_only_plaintext a b
down a b

disturb none
for attached in "${modes[@]}"; do
	check "the policy is applied where packets enter" apply b < <(policy)
	for address in 10.1.0.2 fd00:1::2; do plaintext "$address" b; done
	down b
done
for attached in tcx clsact; do
	check "the policy is applied where packets leave" apply a < <(policy)
	plaintext 10.1.0.2 a
	down a
done
echo "1..$count"
