// SPDX-License-Identifier: GPL-2.0-only
/*
 * zonewall run: the loader as a service. Applies the files, or adopts what is pinned; follows interfaces and the host's
 * addresses; reads events and serves the socket. When it ends, however it ends, what it published goes on deciding.
 */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>

#include "base/util.h"
#include "cmd/budget.h"
#include "cmd/command.h"
#include "cmd/run_feeds.h"
#include "cmd/run_policy.h"
#include "kernel/clock.h"
#include "kernel/edge.h"
#include "kernel/pins.h"
#include "kernel/publish.h"
#include "watch/drift.h"
#include "watch/flow_alarm.h"
#include "watch/links.h"
#include "watch/notify.h"
#include "watch/report.h"
#include "watch/report_blocks.h"
#include "watch/server.h"
#include "watch/teller.h"

enum { OPTION_LOG = 256, OPTION_BUDGET };

static const struct option_help options[] = {
	{ { "log", required_argument, NULL, OPTION_LOG }, "stdout|FILE|none",
	  "where to write events, as lines or, with -o json, as JSON lines (default: none)" },
	{ { "budget", required_argument, NULL, OPTION_BUDGET }, "SIZE", BUDGET_HELP },
	{ { NULL, 0, NULL, 0 }, NULL, NULL },
};

#define FEEDS_TICKS 10 /* from one look at files of addresses to the next, if nothing is heard of them */
#define SETTLE_MS 150 /* from the first change of an interface or address to doing something about it */

struct service {
	const struct globals *globals;
	struct run_policy *policy;
	struct store *store;
	struct output *output;
	struct teller *teller;
	struct server *server;
	struct drift *drift;
	struct run_feeds *feeds;
	struct flow_alarm alarm;
	int lock, epoll, timer, signals, links;
	int64_t started; /* Unix time */
	uint32_t generation; /* that decided when we last looked */
	bool links_changed, addresses_changed;
	int64_t settle_at_ms, ring_at_ms, feeds_at_ms; /* monotonic; 0: nothing to wait for */
	unsigned ticks;
	bool stop;
	int status;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fprintf(stderr, "zonewall: ");
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
}

/* One loader an instance: it alone reads events. The lock goes with the process, however it ends. */
static int take_lock(struct service *service)
{
	char path[PATH_MAX], holder[24] = "";
	ssize_t len;
	int r = instance_run_path(service->globals->instance, "", path);

	if (!r)
		r = pins_mkdir(path, 0755);
	if (r)
		return edge_error(r, "cannot make %s", path);
	instance_run_path(service->globals->instance, "run.lock", path);
	service->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (service->lock < 0)
		return edge_error(errno, "cannot open %s", path);
	if (!flock(service->lock, LOCK_EX | LOCK_NB))
		return ftruncate(service->lock, 0) || dprintf(service->lock, "%d\n", getpid()) < 0 ?
			       edge_error(errno, "cannot write %s", path) : 0;
	if (errno != EWOULDBLOCK)
		return edge_error(errno, "cannot lock %s", path);
	len = pread(service->lock, holder, sizeof(holder) - 1, 0);
	holder[len > 0 ? strcspn(holder, "\n") : 0] = '\0';
	edge_error(0, "another 'zonewall run' (process %s) serves instance '%s'", *holder ? holder : "unknown",
		   service->globals->instance);
	return -EBUSY;
}

static int watch(struct service *service, int fd, uint32_t what)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = what };

	return epoll_ctl(service->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

enum source { SOURCE_RING, SOURCE_TIMER, SOURCE_SIGNAL, SOURCE_LINKS, SOURCE_SOCKET, SOURCE_FEEDS };

static struct json_object *answer(void *context, const char *request)
{
	struct service *service = context;
	const struct instance *instance = teller_instance(service->teller);
	struct json_object *report, *run;

	if (!strcmp(request, "rules"))
		return report_rules(instance);
	if (!strcmp(request, "blocks"))
		return report_blocks(instance, service->globals->instance);
	report = report_status(instance, service->globals->instance, teller_reader(service->teller));
	if (!report)
		return NULL;
	run = json_object_new_object();
	json_object_object_add(run, "pid", json_object_new_int(getpid()));
	json_object_object_add(run, "since", report_time(service->started));
	json_object_object_add(run, "clients", json_object_new_int(server_clients(service->server)));
	json_object_object_add(run, "kept_events",
			       json_object_new_uint64(store_end(service->store) - store_first(service->store)));
	json_object_object_add(run, "files", run_policy_files(service->policy));
	json_object_object_add(report, "run", run);
	flow_alarm_report(&service->alarm, json_object_object_get(report, "warnings"));
	drift_report(service->drift, report);
	run_feeds_report(service->feeds, report);
	return report;
}

static int open_flows(void *context, struct json_object *request, const struct filter_error *error,
		      struct flow_stream **ret_stream)
{
	const struct service *service = context;

	return flow_stream_open(teller_instance(service->teller), request, error, ret_stream);
}

static const char *change_text(const struct attach_change *change)
{
	switch (change->change) {
	case CHANGE_KEPT:
		return "kept";
	case CHANGE_ATTACHED:
		return "attached";
	case CHANGE_DETACHED:
		return "detached";
	}
	return "";
}

static void say_changes(const struct publish_report *report)
{
	for (size_t i = 0; i < report->change_count; i++) {
		const struct attach_change *change = &report->changes[i];

		if (change->change != CHANGE_KEPT)
			say("%s %s (%s, %s)", change_text(change), change->ifname, attach_hook_name(change->hook),
			    attach_mode_name(change->mode));
	}
}

static void tell_generation(struct service *service, uint32_t generation)
{
	service->generation = generation;
	notify("STATUS=generation %u decides", generation);
}

static int follow(struct service *service)
{
	struct publish_report report = { 0 };
	int r = publish_follow(service->globals->instance, &report);

	if (!r)
		say_changes(&report);
	publish_report_clear(&report);
	return r;
}

static void say_published(struct service *service, const struct publish_report *report)
{
	say("generation %u decides now%s", report->generation,
	    report->on_trial ? ", on trial as the one before, until 'zonewall confirm'" : "");
	if (report->predecessor)
		say("it was taken over from a zonewall of ABI %u", report->predecessor);
	say_changes(report);
	tell_generation(service, report->generation);
}

/* Applies the files. Returns an exit status; what is wrong has been told, and nothing has changed then. */
static int apply(struct service *service, enum run_policy_what what)
{
	struct publish_report report = { 0 };
	int status = run_policy_apply(service->policy, what, &report);

	if (status == EXIT_DONE && report.generation)
		say_published(service, &report);
	publish_report_clear(&report);
	return status;
}

/* Whatever another ABI has published decides on by the policy that was confirmed last, as a generation of ours. The same. */
static int take_over(struct service *service)
{
	struct publish_report report = { 0 };
	int status = run_policy_restore(service->policy, SAVED_CONFIRMED, &report);

	if (status == EXIT_DONE)
		say_published(service, &report);
	publish_report_clear(&report);
	return status;
}

static int open_teller(struct service *service)
{
	const char *name = service->globals->instance;
	int r = teller_open(name, service->store, service->output, &service->teller);

	if (r == -ENOENT)
		fprintf(stderr, "zonewall: nothing is published for instance '%s', so there is nothing to adopt\n"
				"fix: zonewall run FILE..., or zonewall apply FILE... first\n", name);
	else if (r == -EPERM || r == -EACCES)
		edge_error(r, "cannot open what is published (missing: %s)", edge_missing_rights());
	else if (r)
		edge_error(r, "cannot open what is published for instance '%s'", name);
	if (r)
		return edge_exit_status(r);
	if (teller_lost(service->teller))
		edge_warn("the loader before was killed: %llu packets that it told may not have been written",
			  (unsigned long long)teller_lost(service->teller));
	drift_watch(service->drift, teller_instance(service->teller));
	r = watch(service, teller_fd(service->teller), SOURCE_RING);
	return r ? edge_exit_status(edge_error(r, "cannot wait for the ring buffer")) : EXIT_DONE;
}

static int open_descriptors(struct service *service, const sigset_t *signals)
{
	struct itimerspec every_second = { { 1, 0 }, { 1, 0 } };

	service->epoll = epoll_create1(EPOLL_CLOEXEC);
	service->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	service->signals = signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (service->epoll < 0 || service->timer < 0 || service->signals < 0 ||
	    timerfd_settime(service->timer, 0, &every_second, NULL))
		return edge_error(errno, "cannot make descriptors");
	service->links = links_open();
	if (service->links < 0)
		return edge_error(service->links, "cannot listen to changes of interfaces");
	if (watch(service, service->timer, SOURCE_TIMER) || watch(service, service->signals, SOURCE_SIGNAL) ||
	    watch(service, service->links, SOURCE_LINKS))
		return edge_error(errno, "cannot wait for descriptors");
	return 0;
}

static void stop(struct service *service, int status)
{
	service->stop = true;
	service->status = status;
}

static void read_ring(struct service *service)
{
	if (!teller_read(service->teller))
		return;
	server_pump(service->server);
	if (service->ring_at_ms)
		return;
	epoll_ctl(service->epoll, EPOLL_CTL_DEL, teller_fd(service->teller), NULL);
	service->ring_at_ms = now_ms() + READER_PAUSE_MS;
}

static void resume_ring(struct service *service)
{
	service->ring_at_ms = 0;
	if (watch(service, teller_fd(service->teller), SOURCE_RING))
		edge_warn("the ring buffer cannot be waited for: events are told once a second");
}

/* The instance was taken down, or taken down and published again: then what we have mapped is nobody's any more. */
static void reopen(struct service *service)
{
	if (!service->ring_at_ms)
		epoll_ctl(service->epoll, EPOLL_CTL_DEL, teller_fd(service->teller), NULL);
	service->ring_at_ms = 0;
	teller_tick(service->teller); /* the last events of the old one */
	drift_watch(service->drift, NULL);
	teller_free(service->teller);
	service->teller = NULL;
	if (pins_are_others(service->globals->instance)) { /* systemd then starts what is installed now */
		say("a zonewall of another ABI has taken over: this one ends");
		stop(service, EXIT_FAILED);
	} else if (open_teller(service) != EXIT_DONE) {
		say("the instance was taken down: nothing is enforced any more");
		stop(service, EXIT_DONE);
	}
}

/* Resolves what was adopted with today's addresses: those that it was made with are not known here. */
static void bring_up_to_date(struct service *service)
{
	if (apply(service, RUN_POLICY_COMPARE))
		edge_warn("the zone 'host' may not be up to date: generation %u goes on", service->generation);
}

/*
 * Whoever applied it, its policy is this loader's now. What was just applied was made with today's addresses; an older
 * one, which was gone back to, perhaps not.
 */
static void look_at_gate(struct service *service)
{
	const struct instance *instance = teller_instance(service->teller);
	uint32_t generation = instance_current(instance), before;
	struct instance_trial trial;

	instance_trial(instance, &trial);
	/* It is told, and its attach points taken back, by whoever has the lock next. Who was stopped with it may never let go. */
	if (trial.is_over && !pins_are_locked(service->globals->instance))
		follow(service);
	before = service->generation;
	if (generation == before)
		return;
	say("generation %u decides now, published by another process", generation);
	tell_generation(service, generation);
	if (generation && !run_policy_adopt(service->policy, instance, generation) && generation < before)
		bring_up_to_date(service);
}

/* What is mended is looked at again: its pins are to be held, too, and the next change to it is another one. */
static void look_for_drift(struct service *service, bool links)
{
	if (!drift_look(service->drift) && !links)
		return;
	follow(service); /* what could not be attached has been told, and is tried again at the next change */
	drift_look(service->drift);
}

static void hurry_feeds(struct service *service)
{
	if (!service->feeds_at_ms)
		service->feeds_at_ms = now_ms() + FEEDS_SETTLE_MS;
}

static void tick(struct service *service)
{
	uint64_t expirations;

	notify_alive();
	if (read(service->timer, &expirations, sizeof(expirations)) < 0)
		return;
	teller_tick(service->teller);
	look_for_drift(service, false); /* first: it may put back what the next line looks at */
	if (!teller_is_current(service->teller))
		reopen(service);
	if (service->stop)
		return;
	look_at_gate(service);
	clock_keep(service->globals->instance);
	if (++service->ticks % FEEDS_TICKS == 0)
		hurry_feeds(service);
	flow_alarm_tick(&service->alarm, teller_instance(service->teller));
	server_tick(service->server);
	server_pump(service->server);
}

static void reload(struct service *service)
{
	output_reopen(service->output);
	if (!run_policy_has_files(service->policy)) {
		say("no files were given: there is no policy to read again");
		return;
	}
	notify("RELOADING=1\nMONOTONIC_USEC=%lld", (long long)now_ms() * 1000);
	if (apply(service, RUN_POLICY_READ))
		say("the policy was not applied: generation %u goes on", service->generation);
	notify("READY=1");
}

static void take_signal(struct service *service)
{
	struct signalfd_siginfo info;

	if (read(service->signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP)
		reload(service);
	else
		stop(service, EXIT_DONE);
}

static void links_came(struct service *service)
{
	bool links, addresses;

	links_read(service->links, &links, &addresses);
	service->links_changed |= links;
	service->addresses_changed |= addresses;
	if ((links || addresses) && !service->settle_at_ms)
		service->settle_at_ms = now_ms() + SETTLE_MS;
}

/* Somebody may still take it back, or let it take itself back: it is not for us to publish over it. */
static bool waits_for_confirm(const struct service *service)
{
	const struct instance *instance = teller_instance(service->teller);
	struct instance_trial trial;

	instance_trial(instance, &trial);
	return trial.on && instance_current(instance) == service->generation;
}

static void settle(struct service *service)
{
	bool links = service->links_changed, addresses = service->addresses_changed;

	service->settle_at_ms = 0;
	service->links_changed = service->addresses_changed = false;
	if (links)
		look_for_drift(service, true);
	if (addresses && waits_for_confirm(service)) {
		service->addresses_changed = true;
		service->settle_at_ms = now_ms() + 1000;
		return;
	}
	if (!addresses || !run_policy_host_changed(service->policy))
		return;
	look_at_gate(service);
	/* Not over a generation whose policy could not be read. */
	if (!run_policy_is_current(service->policy, instance_current(teller_instance(service->teller)))) {
		edge_warn("the addresses of this host have changed, and generation %u cannot be made anew: apply its policy again",
			  service->generation);
		run_policy_host_seen(service->policy);
		return;
	}
	say("the addresses of this host have changed");
	if (apply(service, RUN_POLICY_RESOLVE))
		edge_warn("the zone 'host' is not up to date: generation %u goes on", service->generation);
}

/* A file of addresses that has settled, and may be another than the one that is in force. */
static void look_at_feeds(struct service *service)
{
	enum feeds_state state = run_feeds_look(service->feeds);

	service->feeds_at_ms = state == FEEDS_SETTLING ? now_ms() + FEEDS_SETTLE_MS : 0;
	if (state != FEEDS_CHANGED)
		return;
	look_at_gate(service);
	if (waits_for_confirm(service)) {
		service->feeds_at_ms = now_ms() + 1000;
		return;
	}
	if (!run_policy_is_current(service->policy, instance_current(teller_instance(service->teller))))
		return;
	apply(service, RUN_POLICY_FEEDS);
	malloc_trim(0); /* a million entries take hundreds of MiB, until the next time */
}

static int timeout_ms(const struct service *service)
{
	const int64_t times[] = { service->settle_at_ms, service->ring_at_ms, service->feeds_at_ms };
	int64_t now = now_ms(), next = -1;

	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		if (times[i] && (next < 0 || times[i] < next))
			next = times[i];
	return next < 0 ? -1 : next < now ? 0 : next - now;
}

static void handle(struct service *service, enum source source)
{
	switch (source) {
	case SOURCE_RING:
		read_ring(service);
		break;
	case SOURCE_TIMER:
		tick(service);
		break;
	case SOURCE_SIGNAL:
		take_signal(service);
		break;
	case SOURCE_LINKS:
		links_came(service);
		break;
	case SOURCE_SOCKET:
		server_handle(service->server);
		break;
	case SOURCE_FEEDS:
		run_feeds_read(service->feeds);
		hurry_feeds(service);
		break;
	}
}

static void serve(struct service *service)
{
	struct epoll_event events[8];

	while (!service->stop) {
		int count = epoll_wait(service->epoll, events, 8, timeout_ms(service));

		for (int i = 0; i < count && !service->stop; i++)
			handle(service, events[i].data.u32);
		if (service->stop)
			break;
		if (service->ring_at_ms && now_ms() >= service->ring_at_ms)
			resume_ring(service);
		if (service->settle_at_ms && now_ms() >= service->settle_at_ms)
			settle(service);
		if (!service->stop && service->feeds_at_ms && now_ms() >= service->feeds_at_ms)
			look_at_feeds(service);
	}
	notify("STOPPING=1");
	if (service->teller) {
		teller_read(service->teller);
		teller_tick(service->teller);
	}
}

static void raise_limits(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files))
		return;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files); /* fewer clients then */
}

static int adopt(struct service *service)
{
	const struct instance *instance = teller_instance(service->teller);
	int r;

	tell_generation(service, instance_current(instance));
	say("generation %u is adopted", service->generation);
	r = follow(service);
	if (r)
		return r;
	if (run_policy_adopt(service->policy, instance, service->generation))
		run_policy_host_seen(service->policy); /* it goes on as it is */
	else
		bring_up_to_date(service);
	return 0;
}

/* Everything up to the first event. Returns an exit status. */
static int start(struct service *service, const sigset_t *signals)
{
	int r;

	if (*edge_missing_rights())
		return edge_exit_status(edge_error(EPERM, "'zonewall run' lacks %s", edge_missing_rights()));
	r = take_lock(service);
	if (r)
		return edge_exit_status(r);
	raise_limits();
	r = open_descriptors(service, signals);
	if (r)
		return edge_exit_status(r);
	service->store = store_new(STORE_EVENTS);
	service->drift = drift_new(service->output);
	service->feeds = run_feeds_new(service->output);
	if (!service->store || !service->drift || !service->feeds)
		return edge_exit_status(edge_error(ENOMEM, "cannot keep events"));
	run_policy_set_feeds(service->policy, service->feeds);
	if (run_feeds_fd(service->feeds) >= 0 && watch(service, run_feeds_fd(service->feeds), SOURCE_FEEDS))
		return edge_exit_status(edge_error(errno, "cannot wait for descriptors"));
	/* Before the files are applied, so that no link or address of the meantime is missed. */
	r = EXIT_DONE;
	if (run_policy_has_files(service->policy))
		r = apply(service, RUN_POLICY_READ);
	else if (pins_are_others(service->globals->instance))
		r = take_over(service);
	if (!r)
		r = open_teller(service);
	if (r)
		return r;
	if (!run_policy_has_files(service->policy)) {
		r = adopt(service);
		if (r)
			return edge_exit_status(r);
	}
	r = server_new(service->globals->instance, service->store, answer, open_flows, service,
		       &service->server);
	if (!r)
		r = watch(service, server_fd(service->server), SOURCE_SOCKET);
	return r ? edge_exit_status(r) : EXIT_DONE;
}

static void finish(struct service *service)
{
	server_free(service->server);
	teller_free(service->teller);
	output_free(service->output);
	store_free(service->store);
	drift_free(service->drift);
	run_policy_free(service->policy);
	run_feeds_free(service->feeds);
	closep(&service->links);
	closep(&service->signals);
	closep(&service->timer);
	closep(&service->epoll);
	closep(&service->lock);
}

static int run_service(struct service *service)
{
	sigset_t signals;
	int status;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL); /* an apply is finished first, then the signal is taken */
	service->started = time(NULL);
	status = start(service, &signals);
	if (status == EXIT_DONE) {
		notify("READY=1");
		hurry_feeds(service);
		say("ready; 'zonewall drops -f' shows what is dropped");
		serve(service);
		status = service->status;
	}
	finish(service);
	return status;
}

static int run(const struct globals *globals, int argc, char **argv)
{
	struct service service = { .globals = globals, .lock = -1, .epoll = -1, .timer = -1, .signals = -1, .links = -1 };
	const char *log = "none";
	uint64_t budget_bytes = 0;
	int option;

	while ((option = command_getopt(&cmd_run, argc, argv)) != -1) {
		if (option == OPTION_LOG)
			log = optarg;
		else if (option != OPTION_BUDGET || budget_read("run", optarg, &budget_bytes))
			return EXIT_USAGE;
	}
	service.policy = run_policy_new(globals, (const char *const *)argv + optind, argc - optind, budget_bytes);
	if (!service.policy)
		return edge_exit_status(edge_error(ENOMEM, "cannot start"));
	if (output_open(log, globals->json, globals->colour, &service.output)) {
		run_policy_free(service.policy);
		return EXIT_FAILED;
	}
	return run_service(&service);
}

const struct command cmd_run = {
	.name = "run",
	.arguments = "[FILE...]",
	.summary = "the loader as a service: apply, follow interfaces, tell events",
	.options = options,
	.run = run,
};
