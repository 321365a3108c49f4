/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One flow in a bucket of three slots (bpf/flow_table.h): CPUs that open it at once, while a packet changes the state of
 * what it finds. At first one slot may hold the flow that this one follows: closing, or past its time.
 *
 * Asserted: in the end exactly one slot holds the flow, and it is the new one.
 *
 * OPENERS, CHANGES: how many CPUs open it, and how often its state changes. BEFORE: LIVE (with TIME_OVER: past its time),
 * CLOSING, or FREE. Of weak order it has what the code must bear: a load of a slot's time may return what stood there
 * before its head was published (WEAK=0 leaves that out).
 *
 * Each of these leaves something out, and must fail: UNSCANNED does not look for twins; UNRETRIED tries to end a twin
 * once; UNVERSIONED takes any time for the twin's; ORDINARY has twins that are over killed by index like others.
 */
#ifndef OPENERS
#define OPENERS 2
#endif
#ifndef CHANGES
#define CHANGES 1
#endif
#ifndef BEFORE
#define BEFORE FREE
#endif
#ifndef CLAIMS
#define CLAIMS 2 /* zw_flow_open() in bpf/flow_maps.h */
#endif
#ifdef UNRETRIED
#define TRIES 1
#else
#define TRIES 4 /* LET_GO_TRIES */
#endif

#ifndef WEAK
#define WEAK 1
#endif

#define SLOTS 3
#define FREE 0
#define BUSY 1
#define LIVE 2
#define CLOSING 3
#define CHANGED 4 /* and more: live, in states that follow */

#define IS_LIVE(s) ((s) >= LIVE)
#define SAME(i, s, v) (head[i] == (s) && version[i] == (v))

byte head[SLOTS], version[SLOTS];
/* Time: is it long past, of which version; and what stood there before, which a load may still return. */
bit is_past[SLOTS], was_past[SLOTS];
byte time_version[SLOTS], earlier_version[SLOTS];
byte ended = 0, mine_of[SLOTS]; /* version of the slot's last incarnation, 0: of the flow before */

/* zw_let_go(): s and v are the head that was read. */
inline let_go(i, s, v)
{
	tries = 0;
	gone = false;
	do
	:: gone || tries == TRIES -> break
	:: else ->
		atomic {					/* __sync_val_compare_and_swap() */
			if
			:: SAME(i, s, v) -> head[i] = FREE; gone = true
			:: !SAME(i, s, v) && version[i] == v && IS_LIVE(head[i]) -> s = head[i]; tries++
			:: else -> gone = true
			fi
		}
	od
}

/* is_flow_over(): a load of the time in any order. */
inline load_time(i)
{
	atomic {
		if
		:: past = is_past[i]; past_version = time_version[i]
		:: WEAK -> past = was_past[i]; past_version = earlier_version[i]
		fi
	}
}

proctype opener()
{
	byte i, j, s, v, sj, vj, tries, past_version, claims;
	bit gone, past, over;

	/* find_in_bucket(): a flow that is there and goes on is not opened again */
	j = 0;
	do
	:: j < SLOTS ->
		atomic { sj = head[j]; vj = version[j] }
		load_time(j);
		if
		:: IS_LIVE(sj) && sj != CLOSING && past_version == vj && !past -> goto done
		:: else
		fi;
		j++
	:: else -> break
	od;
	/* choose() and the claim in open_in_bucket(), tried twice: any slot but a busy one and a live flow's */
again:	if :: i = 0 :: i = 1 :: i = 2 fi;
	atomic { s = head[i]; v = version[i] }
	load_time(i);
	if
	:: s == BUSY || past_version != v -> goto again		/* rank(): FLOW_KEEP */
	:: IS_LIVE(s) && s != CLOSING && !past -> goto again
	:: else
	fi;
	atomic {						/* exchange_word(head_at(), word, busy) */
		if
		:: SAME(i, s, v) -> head[i] = BUSY; version[i] = v + 1; v = v + 1
		:: !SAME(i, s, v) && claims < CLAIMS - 1 -> claims++; goto again
		:: else -> goto done
		fi
	}
	atomic {						/* write_slot(): the store of the time */
		was_past[i] = is_past[i]; earlier_version[i] = time_version[i];
		is_past[i] = 0; time_version[i] = v
	}
	atomic { assert(SAME(i, BUSY, v)); head[i] = LIVE; mine_of[i] = v }	/* exchange_word(head_at(), busy, live) */
#ifndef UNSCANNED
	j = 0;							/* kill_twins() */
	do
	:: j < SLOTS ->
		atomic { sj = head[j]; vj = version[j] }
		if
		:: j != i && IS_LIVE(sj) ->
			load_time(j);
			over = sj == CLOSING ||
#ifdef UNVERSIONED
			       past;
#else
			       (past && past_version == vj);
#endif
#ifdef ORDINARY
			over = 0;
#endif
			if
			:: j > i || over -> let_go(j, sj, vj)
			:: else -> s = LIVE; let_go(i, s, v); goto done
			fi
		:: else
		fi;
		j++
	:: else -> break
	od;
#endif
done:	atomic {
		i = 0; j = 0; s = 0; v = 0; sj = 0; vj = 0; tries = 0; past_version = 0; claims = 0;
		gone = 0; past = 0; over = 0;
		ended++
	}
}

/* A packet: find_in_bucket(), then change_head() of bpf/flow.h. */
proctype packet()
{
	byte j, s, v, past_version, left = CHANGES;
	bit past;

	do
	:: left == 0 -> break
	:: else ->
		if :: j = 0 :: j = 1 :: j = 2 :: left = 0; goto over fi;
		atomic { s = head[j]; v = version[j] }
		load_time(j);
		if
		:: (s == LIVE || s >= CHANGED) && past_version == v && !past ->
			atomic {
				if
				:: SAME(j, s, v) -> head[j] = (s == LIVE -> CHANGED : s + 1)
				:: else
				fi
			}
			left--
		:: else -> left--
		fi;
over:		skip
	od;
	ended++
}

#define HOLDS(i) (IS_LIVE(head[i]) && head[i] != CLOSING && mine_of[i] == version[i] && !is_past[i])
#define LIVES(i) IS_LIVE(head[i])

init {
	byte n;

	atomic {
		n = 0;
		do
		:: n < SLOTS -> version[n] = 1; time_version[n] = 1; earlier_version[n] = 1; n++
		:: else -> break
		od;
		if :: n = 0 :: n = 1 :: n = 2 fi;
		head[n] = BEFORE;
#ifdef TIME_OVER
		is_past[n] = 1; was_past[n] = 1;
#endif
		n = 0;
		do
		:: n < OPENERS -> run opener(); n++
		:: else -> break
		od;
		run packet()
	}
	ended == OPENERS + 1;
	assert(HOLDS(0) + HOLDS(1) + HOLDS(2) == 1);
	assert(LIVES(0) + LIVES(1) + LIVES(2) == 1)
}
