/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What stage tls knows of a flow: two bits of its slot's cell word (ZW_TLS_STATE), which change with that word as a whole.
 *
 *   WAITING                its opener has sent no payload
 *   CHECKED, CHECKED_1_2   it began with a ClientHello, of any TLS or of 1.2 and later: all that follows passes
 *   none                   where the cell has ZW_CELL_TLS, it began with something else, or ended before it began:
 *                          payload is dropped. Else it was never asked
 *
 * A generation whose rule has `tls` takes over a flow that was checked as well as it asks, or that still waits. Of others
 * nobody saw how they began: it revokes them.
 */
#ifndef ZW_TLS_STATE_H
#define ZW_TLS_STATE_H

#include "platform.h"

/* Was a flow in this state (the bits of ZW_TLS_STATE) checked as well as the cell asks? */
static __always_inline bool is_checked(__u32 state, __u32 cell)
{
	return (state & ZW_TLS_CHECKED) && (!(cell & ZW_CELL_TLS_MIN_1_2) || (state & ZW_TLS_STATE) == ZW_TLS_CHECKED_1_2);
}

/* May a generation that allows by this cell go on with a flow in this state? */
static __always_inline bool takes_over(__u32 state, __u32 cell)
{
	return !(cell & ZW_CELL_TLS) || is_checked(state, cell) || (state & ZW_TLS_STATE) == ZW_TLS_WAITING;
}

/* The state under that cell. Nobody watches a flow without `tls`, so there it has stopped waiting. */
static __always_inline __u32 taken_state(__u32 state, __u32 cell)
{
	return (state & ZW_TLS_CHECKED) || (cell & ZW_CELL_TLS) ? state & ZW_TLS_STATE : 0;
}

#endif
