/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One flow in a bucket of three slots (bpf/flow_table.h): CPUs that open it at once, while a packet changes the state
 * of what it finds, and perhaps another CPU opens another flow. At first one slot may hold the flow that this one
 * follows: closing, or past its time.
 *
 * Asserted: in the end exactly one slot holds the flow, and it is the new one; whatever is published has its tag; and
 * nobody changes a slot's tag but who holds its claim.
 *
 * OPENERS, OTHERS: how many CPUs open it, and another flow each. CHANGES: how often its state changes. BEFORE: LIVE
 * (with TIME_OVER: past its time), CLOSING, or FREE.
 *
 * Of weak order it has what the code must bear (WEAK=0 leaves that out). A load of a slot's time may return what stood
 * there before its head was published. A look-up may have loaded the tags before anything else. In kill_twins() a head
 * may be loaded before the tags (EARLY=0 leaves this out), but nothing before the publication, a full barrier. What
 * a CPU loads of the tags is never older than what it has changed there itself: they are one word, and of one word all
 * CPUs see one order.
 *
 * Each of these leaves something out, and must fail: UNSCANNED does not look for twins; UNRETRIED tries to end a twin
 * once; UNVERSIONED takes any time for the twin's; ORDINARY has twins that are over killed by index like others;
 * TAGGED_LATE changes the tag after the publication (that fails only if a head is loaded before the tags); TAGS_EARLY
 * loads the tags before the publication; TAGGED_PLAINLY loads the tags and stores them with one changed.
 *
 * choose() may take any slot here, also while the flow past its time stands in another. choose_same() does not, so what
 * TIME_OVER has of it is more than can happen; together with OTHERS it would be too much: kill_twins() can take for a
 * live twin what is past its time and just goes to another flow, and end its own.
 */
#ifndef OPENERS
#define OPENERS 2
#endif
#ifndef OTHERS
#define OTHERS 0
#endif
#ifndef CHANGES
#define CHANGES 1
#endif
#ifndef BEFORE
#define BEFORE FREE
#endif
#ifndef CLAIMS
#define CLAIMS 3 /* flow_open() in bpf/flow_maps.h */
#endif
#ifdef UNRETRIED
#define TRIES 1
#else
#define TRIES 4 /* LET_GO_TRIES */
#endif

#ifndef WEAK
#define WEAK 1
#endif
#ifndef EARLY
#define EARLY WEAK
#endif

#define SLOTS 3
#define NONE SLOTS
#define FREE 0
#define BUSY 1
#define OTHER 2 /* another flow */
#define LIVE 3
#define CLOSING 4
#define CHANGED 5 /* and more: live, in states that follow */

#define IS_LIVE(s) ((s) >= LIVE)
#define SAME(i, s, v) (head[i] == (s) && version[i] == (v))

/* The bucket's word of tags: of a slot's byte only whether it is this flow's. */
byte tags;
#define TAG(word, i) (((word) >> (i)) & 1)
#define XOR_TAG(word, i, from, to) ((word) ^ (((from) ^ (to)) << (i)))

byte head[SLOTS], version[SLOTS];
/* Time: is it long past, of which version; and what stood there before, which a load may still return. */
bit is_past[SLOTS], was_past[SLOTS];
byte time_version[SLOTS], earlier_version[SLOTS];
byte ended = 0, mine_of[SLOTS]; /* version of the slot's last incarnation, 0: of the flow before */

/* let_go(): s and v are the head that was read. */
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

/* set_tag(): whether slot i's byte is this flow's. Between its two steps others change theirs. */
inline set_tag(i, is)
{
#ifdef TAGGED_PLAINLY
	word = tags;						/* *b->tags = *b->tags ^ ... */
	tags = XOR_TAG(word, i, TAG(word, i), is);
#else
	word = TAG(tags, i);					/* load_word(b->tags) >> 8 * i & 0xff */
	atomic {						/* __sync_fetch_and_xor() */
		assert(TAG(tags, i) == word);
		tags = XOR_TAG(tags, i, word, is)
	}
#endif
	word = 0
}

/*
 * choose() and the claim in open_in_bucket(), tried three times: any slot but a busy one and a live flow's, so whatever tags
 * choose_same() has loaded.
 */
inline claim(i, s, v)
{
	claims = 0;
again:	if :: i = 0 :: i = 1 :: i = 2 fi;
	atomic { s = head[i]; v = version[i] }
	load_time(i);
	if
	:: s == BUSY || past_version != v -> goto again		/* rank(): FLOW_KEEP */
	:: s >= OTHER && s != CLOSING && !past -> goto again
	:: else
	fi;
	atomic {						/* exchange_word(&slot->head, word, busy) */
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
}

/* exchange_word(&slot->head, busy, live), a full barrier. */
inline publish(i, v, live)
{
	atomic { assert(SAME(i, BUSY, v)); head[i] = live; mine_of[i] = v }
}

/*
 * kill_twins(): its loads before it does anything. One of the heads may be loaded before the tags. kill_twin() loads the tags
 * again for each slot; what it sees then is no older, and all of it behind the publication.
 */
inline load_twins()
{
	early = NONE;
#if EARLY
	if
	:: skip
	:: atomic { i != 0 -> early = 0; se = head[0]; ve = version[0] }
	:: atomic { i != 1 -> early = 1; se = head[1]; ve = version[1] }
	:: atomic { i != 2 -> early = 2; se = head[2]; ve = version[2] }
	fi;
#endif
#ifdef TAGGED_LATE
	set_tag(i, 1);
#endif
#ifndef TAGS_EARLY
	seen = tags
#endif
}

proctype opener()
{
	byte i, j, s, v, sj, vj, tries, past_version, claims, word, seen, early, se, ve;
	bit gone, past, over;

	/* find_in_bucket(): a flow that is there and goes on is not opened again */
	j = 0;
	do
	:: j < SLOTS ->
		if
		:: TAG(tags, j) ->
			atomic { sj = head[j]; vj = version[j] }
			load_time(j);
			if
			:: IS_LIVE(sj) && sj != CLOSING && past_version == vj && !past -> goto done
			:: else
			fi
		:: !TAG(tags, j) || WEAK -> skip		/* the tags were loaded before this one came */
		fi;
		atomic { j++; sj = 0; vj = 0; past_version = 0; past = 0 }
	:: else -> break
	od;
	claim(i, s, v);
#ifndef TAGGED_LATE
	set_tag(i, 1);
#endif
#ifdef TAGS_EARLY
	seen = tags;
#endif
	publish(i, v, LIVE);
#ifndef UNSCANNED
	load_twins();
	j = 0;							/* kill_twins() */
	do
	:: j < SLOTS ->
		if
		:: j == i || !TAG(seen, j) -> goto next
		:: j != i && TAG(seen, j) && j == early -> atomic { sj = se; vj = ve; early = NONE; se = 0; ve = 0 }
		:: j != i && TAG(seen, j) && j != early -> atomic { sj = head[j]; vj = version[j] }
		fi;
		if
		:: IS_LIVE(sj) ->
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
next:		atomic { j++; sj = 0; vj = 0; tries = 0; past_version = 0; gone = 0; past = 0; over = 0 }
	:: else -> break
	od;
#endif
done:	atomic {
		i = 0; j = 0; s = 0; v = 0; sj = 0; vj = 0; tries = 0; past_version = 0; claims = 0;
		word = 0; seen = 0; early = 0; se = 0; ve = 0; gone = 0; past = 0; over = 0;
		ended++
	}
}

/* open_in_bucket(), of another flow, which nobody else opens: in this bucket, with another tag. */
proctype other()
{
	byte i, s, v, past_version, claims, word;
	bit past;

	claim(i, s, v);
	set_tag(i, 0);
	publish(i, v, OTHER);
done:	atomic {
		i = 0; s = 0; v = 0; past_version = 0; claims = 0; word = 0; past = 0;
		ended++
	}
}

/* A packet: find_in_bucket(), whatever tags it loaded, then change_head() of bpf/flow.h. */
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
#define IS_TAGGED(i) (head[i] < OTHER || TAG(tags, i) == IS_LIVE(head[i]))

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
		tags = (BEFORE != FREE) << n;
#ifdef TIME_OVER
		is_past[n] = 1; was_past[n] = 1;
#endif
		n = 0;
		do
		:: n < OPENERS -> run opener(); n++
		:: else -> break
		od;
		n = 0;
		do
		:: n < OTHERS -> run other(); n++
		:: else -> break
		od;
		run packet()
	}
	ended == OPENERS + OTHERS + 1;
	assert(IS_TAGGED(0) && IS_TAGGED(1) && IS_TAGGED(2));
	assert(HOLDS(0) + HOLDS(1) + HOLDS(2) == 1);
	assert(LIVES(0) + LIVES(1) + LIVES(2) == 1)
}
