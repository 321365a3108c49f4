// SPDX-License-Identifier: GPL-2.0-only
#include "watch/drift.h"

#include <json-c/json.h>
#include <limits.h>
#include <stdarg.h>
#include <time.h>

#include "base/util.h"
#include "kernel/attach.h"
#include "kernel/edge.h"
#include "kernel/keeper.h"
#include "kernel/pins.h"
#include "kernel/slots.h"
#include "watch/output.h"
#include "watch/report.h"

#define KEPT 16
#define RECENT_S 600
#define RETRY_LOOKS 10 /* an attach point that could not be mended is tried again after so many seconds */

struct drift {
	struct output *output;
	const struct instance *instance;
	struct keeper *keeper;
	struct {
		int64_t time; /* Unix time */
		char *what;
	} told[KEPT];
	unsigned count; /* of all that was told */
	uint8_t wait[ZW_POINT_SLOTS]; /* looks until a lost attach point is told and tried again */
};

struct drift *drift_new(struct output *output)
{
	struct drift *drift = calloc(1, sizeof(*drift));

	if (drift)
		drift->output = output;
	return drift;
}

void drift_free(struct drift *drift)
{
	if (!drift)
		return;
	keeper_free(drift->keeper);
	for (unsigned i = 0; i < KEPT; i++)
		free(drift->told[i].what);
	free(drift);
}

void drift_watch(struct drift *drift, const struct instance *instance)
{
	keeper_free(drift->keeper);
	drift->instance = instance;
	drift->keeper = instance ? keeper_new(instance) : NULL;
	memset(drift->wait, 0, sizeof(drift->wait));
}

static void tell(struct drift *drift, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void tell(struct drift *drift, const char *format, ...)
{
	unsigned place = drift->count++ % KEPT;
	va_list arguments;
	char what[PATH_MAX + 128];

	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	edge_warn("drift: %s", what);
	output_note(drift->output, "zonewall.drift/1", what);
	free(drift->told[place].what);
	drift->told[place].time = time(NULL);
	drift->told[place].what = strdup(what);
}

static void tell_pin(void *context, const char *path, int error)
{
	tell(context, error ? "%s was removed, and cannot be put back: %s" : "%s was removed, and is put back", path,
	     strerror(-error));
}

static void tell_slot(void *context, unsigned slot, enum zw_hook hook, uint32_t generation, int error)
{
	tell(context, error ? "slot %u of the gate (%s) was edited, and generation %u's program cannot be put back: %s" :
		     "slot %u of the gate (%s) was edited, and generation %u's program is put back", slot,
	     attach_hook_name(hook), generation, strerror(-error));
}

/* As they are while nobody else publishes: an apply enters an attach point before it attaches. */
static int read_lost(const struct drift *drift, struct attach_point **ret_points, size_t *ret_count)
{
	_cleanup_close_ int lock = -1;
	int error = instance_lost_points(drift->instance, ret_points, ret_count);

	if (error || !*ret_count)
		return error;
	free(*ret_points);
	error = pins_lock(instance_name(drift->instance), &lock);
	if (!error && pins_are_others(instance_name(drift->instance)))
		error = -ESTALE;
	return error ? error : instance_lost_points(drift->instance, ret_points, ret_count);
}

static bool look_at_points(struct drift *drift)
{
	struct attach_point *points = NULL;
	bool lost[ZW_POINT_SLOTS] = { false }, news = false;
	size_t count = 0;

	if (read_lost(drift, &points, &count))
		return false;
	for (size_t i = 0; i < count; i++) {
		unsigned slot = points[i].slot;

		lost[slot] = true;
		if (drift->wait[slot] && --drift->wait[slot])
			continue;
		tell(drift, "%s (%s, %s): %s", points[i].ifname, attach_hook_name(points[i].hook),
		     attach_mode_name(points[i].mode), points[i].note);
		drift->wait[slot] = RETRY_LOOKS;
		news = true;
	}
	for (unsigned i = 0; i < ZW_POINT_SLOTS; i++)
		if (!lost[i])
			drift->wait[i] = 0;
	free(points);
	return news;
}

bool drift_look(struct drift *drift)
{
	if (!drift->instance || pins_are_others(instance_name(drift->instance)))
		return false;
	if (drift->keeper)
		keeper_look(drift->keeper, tell_pin, drift);
	slots_look(drift->instance, tell_slot, drift);
	return look_at_points(drift);
}

static void warn_of(struct json_object *warnings, const char *what)
{
	char text[PATH_MAX + 256];

	snprintf(text, sizeof(text), "somebody changed what zonewall had attached or pinned: %s", what ? what : "");
	json_object_array_add(warnings, json_object_new_string(text));
}

void drift_report(const struct drift *drift, struct json_object *report)
{
	struct json_object *array = json_object_new_array();
	unsigned first = drift->count > KEPT ? drift->count - KEPT : 0;
	int64_t last = 0;

	for (unsigned i = first; i < drift->count; i++) {
		struct json_object *entry = json_object_new_object();
		const char *what = drift->told[i % KEPT].what;

		last = drift->told[i % KEPT].time;
		json_object_object_add(entry, "time", report_time(last));
		json_object_object_add(entry, "what", what ? json_object_new_string(what) : NULL);
		json_object_array_add(array, entry);
	}
	json_object_object_add(report, "drift", array);
	if (last && time(NULL) - last < RECENT_S)
		warn_of(json_object_object_get(report, "warnings"), drift->told[(drift->count - 1) % KEPT].what);
}
