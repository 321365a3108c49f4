// SPDX-License-Identifier: GPL-2.0-only
#include "cmd/moment_words.h"

#include <time.h>

void put_instant(struct buffer *buffer, int64_t seconds)
{
	time_t time = seconds;
	char text[40];
	struct tm tm;

	if (gmtime_r(&time, &tm) && strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
		buffer_put(buffer, text);
}

void put_moment(struct buffer *buffer, const struct moment *moment)
{
	if (moment->begin != TIME_BEGIN) {
		buffer_put(buffer, " from ");
		put_instant(buffer, moment->begin);
	}
	if (moment->end != TIME_END) {
		buffer_put(buffer, " until ");
		put_instant(buffer, moment->end);
	} else if (moment->begin != TIME_BEGIN) {
		buffer_put(buffer, " on");
	}
}
