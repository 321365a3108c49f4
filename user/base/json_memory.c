// SPDX-License-Identifier: GPL-2.0-only
/*
 * json-c without memory. It returns NULL, which in an object is null, and asserts where an object is asked for; and what
 * cannot be added is silently left out. A report with holes is worse than none, and a loader that aborts says nothing: so
 * whoever makes JSON ends here with a message. What was published goes on deciding, and the service manager starts `run`
 * again.
 *
 * The linker puts these in the place of json-c's functions (--wrap, in the Makefile).
 */
#include <json-c/json.h>
#include <stdio.h>
#include <unistd.h>

static void end(void)
{
	fputs("zonewall: out of memory\n", stderr);
	fflush(stderr);
	_exit(1); /* without what waits for standard output: it would be half a report */
}

#define WRAP(type, name, parameters, arguments)                                                                \
	type __real_##name parameters;                                                                         \
	type __wrap_##name parameters;                                                                         \
	type __wrap_##name parameters                                                                          \
	{                                                                                                      \
		type made = __real_##name arguments;                                                           \
                                                                                                               \
		if (!made)                                                                                     \
			end();                                                                                 \
		return made;                                                                                   \
	}

WRAP(struct json_object *, json_object_new_object, (void), ())
WRAP(struct json_object *, json_object_new_array, (void), ())
WRAP(struct json_object *, json_object_new_boolean, (json_bool value), (value))
WRAP(struct json_object *, json_object_new_int, (int32_t value), (value))
WRAP(struct json_object *, json_object_new_int64, (int64_t value), (value))
WRAP(struct json_object *, json_object_new_uint64, (uint64_t value), (value))
WRAP(struct json_object *, json_object_new_double, (double value), (value))
WRAP(struct json_object *, json_object_new_string, (const char *text), (text))
WRAP(struct json_object *, json_object_new_string_len, (const char *text, int len), (text, len))
WRAP(const char *, json_object_to_json_string_ext, (struct json_object *object, int flags), (object, flags))

#define WRAP_ADD(name, parameters, arguments)                                                                  \
	int __real_##name parameters;                                                                          \
	int __wrap_##name parameters;                                                                          \
	int __wrap_##name parameters                                                                           \
	{                                                                                                      \
		if (__real_##name arguments)                                                                   \
			end();                                                                                 \
		return 0;                                                                                      \
	}

WRAP_ADD(json_object_object_add, (struct json_object *object, const char *key, struct json_object *value),
	 (object, key, value))
WRAP_ADD(json_object_array_add, (struct json_object *array, struct json_object *value), (array, value))
