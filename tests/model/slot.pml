/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One slot of a flow table (bpf/flow_table.h). Two CPUs replace the flow that stands in it, a third looks for one and
 * changes what it found. Memory as weak as can be: the reader's loads and a writer's plain stores happen in any order,
 * and unless ORDERED even publishing may overtake the stores. What is not given up: a word of 64 bits is read and
 * written whole, and all CPUs see the words of memory in one order.
 *
 * Tags are not here: they only spare a look at the slot, and this reader may look at any time. They are in twins.pml.
 *
 * Asserted: what is found is one incarnation and has the key that was looked for; a change touches that incarnation
 * only; publishing never fails; and if ORDERED, the slot ends whole.
 *
 * VERSIONS stands for 65,536. The protocol holds while fewer replacements than that fall between a reader's first and
 * last load, so runs with REPLACEMENTS < VERSIONS must pass and those with as many must fail. UNVERSIONED leaves the
 * comparison of versions out, and must fail.
 */
#ifndef VERSIONS
#define VERSIONS 4
#endif
#ifndef REPLACEMENTS
#define REPLACEMENTS 3
#endif
#ifndef WRITERS
#define WRITERS 2
#endif
#ifdef UNVERSIONED
#define SAME(a, b) true
#else
#define SAME(a, b) ((a) == (b))
#endif

#define FREE 0
#define BUSY 1
#define LIVE 2

/* A word: what it says, its version, and whose it really is, which only assertions look at. */
typedef word {
	byte value, version, owner
}

word first, second, head, aux; /* aux stands for all that is compared besides the key: time, terms, windows */
byte owners = 0, ended = 0;
bit first_of[REPLACEMENTS + 2], second_of[REPLACEMENTS + 2]; /* an incarnation's key: a half in each word */

#define WHOLE (stored[0] && stored[1] && stored[2])
#ifdef ORDERED
#define PUBLISHABLE WHOLE
#else
#define PUBLISHABLE true
#endif

#define LOAD(to, from) to.value = from.value; to.version = from.version; to.owner = from.owner
#define STORE(to, what) to.value = what; to.version = version; to.owner = mine

/* open_in_bucket(), of a flow whose key has halves 0 and 1, or 1 and 0: together they mix into two others. */
proctype writer()
{
	word old;
	byte version, mine;
	bit a, stored[3], published;

	do
	:: owners < REPLACEMENTS ->
		atomic { LOAD(old, head) }		/* choose(): load_word(&slot->head) */
		if
		:: old.value == BUSY -> goto over	/* rank(): FLOW_KEEP */
		:: else
		fi;
		atomic {				/* exchange_word(&slot->head, word, busy) */
			if
			:: head.value == old.value && head.version == old.version && owners < REPLACEMENTS ->
				version = (old.version + 1) % VERSIONS;
				owners++;
				mine = owners;
				if :: a = 0 :: a = 1 fi;
				first_of[mine] = a;
				second_of[mine] = 1 - a;
				STORE(head, BUSY)
			:: else -> goto over
			fi
		}
		do					/* write_slot(): the stores */
		:: !stored[0] -> atomic { STORE(first, a); stored[0] = 1 }
		:: !stored[1] -> atomic { STORE(second, 1 - a); stored[1] = 1 }
		:: !stored[2] -> atomic { STORE(aux, 0); stored[2] = 1 }
		:: PUBLISHABLE && !published ->
			atomic {			/* exchange_word(&slot->head, busy, live) */
				assert(head.value == BUSY && head.version == version && head.owner == mine);
				STORE(head, LIVE);
				published = 1
			}
		:: WHOLE && published -> break
		od;
over:		atomic {
			old.value = 0; old.version = 0; old.owner = 0; version = 0; mine = 0; a = 0; published = 0;
			stored[0] = 0; stored[1] = 0; stored[2] = 0
		}
	:: else -> break
	od;
	ended++
}

/* find_in_bucket(), then what flow_advance() does with the flow. */
proctype reader()
{
	word f, s, h, x;
	bit b, loaded[4]; /* the key's first half is 0; the other case is the same with halves exchanged */

	if :: b = 0 :: b = 1 fi;
	do						/* load_word(), of each */
	:: !loaded[0] -> atomic { LOAD(f, first); loaded[0] = 1 }
	:: !loaded[1] -> atomic { LOAD(s, second); loaded[1] = 1 }
	:: !loaded[2] -> atomic { LOAD(h, head); loaded[2] = 1 }
	:: !loaded[3] -> atomic { LOAD(x, aux); loaded[3] = 1 }
	:: loaded[0] && loaded[1] && loaded[2] && loaded[3] -> break
	od;
	if						/* is_flow_live(), is_key_at(), take_slot() */
	:: h.value == LIVE && f.value == 0 && SAME(f.version, h.version) && s.value == b &&
	   SAME(s.version, h.version) && SAME(x.version, h.version) ->
		assert(h.owner && f.owner == h.owner && s.owner == h.owner && x.owner == h.owner);
		assert(first_of[h.owner] == 0 && second_of[h.owner] == b);
		atomic {				/* exchange_word(&f->slot->aux, f->aux_word, ...): the time */
			if
			:: aux.version == x.version && aux.value == x.value -> assert(aux.owner == h.owner); aux.value = 1
			:: else
			fi
		};
		atomic {				/* exchange_word(&f->slot->head, f->head_word, ...): the state */
			if
			:: head.version == h.version && head.value == h.value -> assert(head.owner == h.owner)
			:: else
			fi
		}
	:: else
	fi;
	ended++
}

init {
	byte n = 0;

	atomic {
		first.version = VERSIONS - 1; second.version = VERSIONS - 1; head.version = VERSIONS - 1;
		aux.version = VERSIONS - 1;
		do
		:: n < WRITERS -> run writer(); n++
		:: else -> break
		od;
		run reader()
	}
#ifdef ORDERED
	ended == WRITERS + 1;
	assert(head.value == LIVE && first.owner == head.owner && second.owner == head.owner &&
	       aux.owner == head.owner)
#endif
}
