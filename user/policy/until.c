// SPDX-License-Identifier: GPL-2.0-only
/* Instants as RFC 3339 5.6 writes them: 2026-12-31T00:00:00Z, with an optional fraction, or an offset for the Z. */
#include <stdio.h>
#include <time.h>

#include "policy/moments.h"
#include "policy/reader.h"

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100) || year % 400 == 0;
}

static bool is_date(const struct tm *tm)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int year = tm->tm_year + 1900;

	if (year < 1970 || tm->tm_mon < 0 || tm->tm_mon > 11)
		return false;
	return tm->tm_mday >= 1 && tm->tm_mday <= days[tm->tm_mon] + (tm->tm_mon == 1 && is_leap(year));
}

/* Does the text look like the picture, where '0' stands for any digit? */
static bool is_like(const char *text, const char *picture)
{
	for (; *picture; text++, picture++)
		if (*picture == '0' ? *text < '0' || *text > '9' : *text != *picture)
			return false;
	return true;
}

static int read_offset(const char *text, int *ret_minutes)
{
	int hours, minutes;

	if (!strcmp(text, "Z")) {
		*ret_minutes = 0;
		return 0;
	}
	if (strlen(text) != 6 || (*text != '+' && *text != '-') || !is_like(text + 1, "00:00"))
		return -EINVAL;
	hours = atoi(text + 1);
	minutes = atoi(text + 4);
	if (hours > 23 || minutes > 59)
		return -EINVAL;
	*ret_minutes = (hours * 60 + minutes) * (*text == '-' ? -1 : 1);
	return 0;
}

int instant_read(const char *text, int64_t *ret_seconds)
{
	struct tm tm = { 0 };
	int minutes;

	if (!is_like(text, "0000-00-00T00:00:00"))
		return -EINVAL;
	tm.tm_year = atoi(text) - 1900;
	tm.tm_mon = atoi(text + 5) - 1;
	tm.tm_mday = atoi(text + 8);
	tm.tm_hour = atoi(text + 11);
	tm.tm_min = atoi(text + 14);
	tm.tm_sec = atoi(text + 17);
	text += 19;
	if (text[0] == '.' && text[1] >= '0' && text[1] <= '9')
		text += 1 + strspn(text + 1, "0123456789");
	if (!is_date(&tm) || tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 59 || read_offset(text, &minutes))
		return -EINVAL;
	*ret_seconds = (int64_t)timegm(&tm) - minutes * 60;
	return 0;
}
