// SPDX-License-Identifier: GPL-2.0-only
/*
 * inject REPORT FROM ACTION COMMAND... - runs a command and makes one of its system calls fail, or kills it at one.
 *
 *   list            only looks: a line "NUMBER NAME CHANGES ERRNO..." for each call, with what it may fail with; CHANGES is
 *                   1 for calls after which others may see something else than before
 *   fail N WHICH    the Nth call, or the next one that can fail, returns the first or second of its errors and does nothing
 *                   (close does what it does, and returns it)
 *   kill N          SIGKILL after the Nth call, before anything else of the program's
 *   kill-before N   SIGKILL before it, after all stores to shared memory since the call before
 *
 * Instead of N, the NAME of a call: the first one of that name; NAME#2: the second. Calls of all threads count, from the first that names FROM: a
 * path that is opened, pinned or asked for, or what is written. Calls that cannot fail with valid arguments are counted, but
 * have no ERRNO. REPORT gets the lines of `list`, or what was done. Exit status:
 * that of the command, 128 and the signal that killed it; 125: nothing was injected, since there was no such call.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/ptrace.h>

#if !defined(__x86_64__) && !defined(__aarch64__)
#define UNKNOWN_MACHINE 1
#endif

enum action { ACTION_LIST, ACTION_FAIL, ACTION_KILL, ACTION_KILL_BEFORE };

struct injection {
	FILE *report;
	const char *from;
	enum action action;
	uint64_t at, count;
	char *name; /* of the call, `at` being how many of them are yet to come; NULL: of any */
	unsigned which; /* of the call's errors, from 0 */
	int64_t result; /* instead of the call's */
	pid_t main, brk; /* brk: who is in that call */
	int64_t end; /* of the heap, as brk said last */
	bool counts; /* FROM was seen */
	bool done;
};

/* What is known of a call. BPF calls are told apart by their command. */
struct call {
	long nr;
	int command; /* of bpf(2), else -1 */
	const char *name;
	bool changes;
	int errors[3]; /* 0: no more */
};

#define CALL(name, changes, ...) { SYS_##name, -1, #name, changes, { __VA_ARGS__ } }
#define BPF(command, changes, ...) { SYS_bpf, BPF_##command, "bpf:" #command, changes, { __VA_ARGS__ } }

static const struct call calls[] = {
	BPF(MAP_CREATE, false, ENOMEM, EPERM),
	BPF(PROG_LOAD, false, ENOMEM, EPERM),
	BPF(BTF_LOAD, false, ENOMEM, EPERM),
	BPF(MAP_LOOKUP_ELEM, false, ENOMEM),
	BPF(MAP_GET_NEXT_KEY, false, ENOMEM),
	BPF(MAP_UPDATE_ELEM, true, ENOMEM, EPERM),
	BPF(MAP_DELETE_ELEM, true, EPERM, EBUSY),
	BPF(MAP_FREEZE, true, EBUSY, EPERM),
	BPF(OBJ_PIN, true, ENOSPC, EPERM),
	BPF(OBJ_GET, false, ENOMEM, EPERM),
	BPF(OBJ_GET_INFO_BY_FD, false, ENOMEM),
	BPF(PROG_QUERY, false, ENOMEM, EPERM),
	BPF(PROG_BIND_MAP, true, ENOMEM),
	BPF(PROG_TEST_RUN, false, ENOMEM, EINTR),
	BPF(LINK_CREATE, true, ENOMEM, EPERM),
	BPF(LINK_DETACH, true, EPERM, EBUSY),
	{ SYS_bpf, -1, "bpf:other", true, { ENOMEM, EPERM } },
	CALL(openat, false, ENOMEM, EACCES), /* with O_CREAT it does change something */
	CALL(read, false, EIO, EINTR),
	CALL(pread64, false, EIO),
	CALL(write, true, ENOSPC, EIO),
	CALL(pwrite64, true, EIO),
	CALL(readlinkat, false, EACCES),
	CALL(close, false, EIO),
	CALL(fsync, true, EIO),
	CALL(ftruncate, true, EIO),
	CALL(getdents64, false, ENOMEM),
	CALL(newfstatat, false, ENOMEM),
	CALL(statfs, false, EIO),
	CALL(faccessat, false, ENOMEM),
	CALL(faccessat2, false, EACCES),
	CALL(mkdirat, true, ENOSPC, EROFS),
	CALL(unlinkat, true, EROFS, EBUSY),
	CALL(renameat2, true, ENOSPC),
	CALL(linkat, true, EMLINK),
	CALL(fchownat, true, EPERM),
	CALL(fchmod, true, EPERM),
	CALL(fchmodat, true, EPERM),
	CALL(umask, true, 0),
	CALL(flock, true, ENOLCK, EINTR),
	CALL(fcntl, false, EMFILE),
	CALL(ioctl, false, ENODEV, ENOMEM),
	CALL(dup3, false, EBUSY),
	CALL(mount, true, EPERM),
	CALL(mmap, false, ENOMEM),
	CALL(munmap, false, ENOMEM),
	CALL(mremap, false, ENOMEM),
	CALL(mprotect, false, ENOMEM),
	CALL(madvise, false, ENOMEM),
	CALL(brk, false, ENOMEM),
	CALL(socket, false, EMFILE, EPERM),
	CALL(bind, false, ENOBUFS, EACCES),
	CALL(listen, false, EADDRINUSE),
	CALL(connect, false, EAGAIN, EACCES),
	CALL(accept4, false, EMFILE, EINTR),
	CALL(getsockname, false, ENOBUFS),
	CALL(getsockopt, false, ENOBUFS),
	CALL(setsockopt, false, ENOBUFS),
	CALL(sendto, true, ENOBUFS, EINTR),
	CALL(sendmsg, true, ENOBUFS, EINTR),
	CALL(recvfrom, false, ENOBUFS, EINTR),
	CALL(recvmsg, false, ENOBUFS, EINTR),
	CALL(epoll_create1, false, EMFILE),
	CALL(epoll_ctl, false, ENOMEM),
	CALL(epoll_wait, false, EINTR),
	CALL(epoll_pwait, false, EINTR),
	CALL(timerfd_create, false, EMFILE),
	CALL(timerfd_settime, false, ECANCELED),
	CALL(signalfd4, false, EMFILE),
	CALL(eventfd2, false, EMFILE),
	CALL(clone3, false, EAGAIN, ENOMEM),
	CALL(clone, false, EAGAIN),
	CALL(membarrier, false, EPERM, ENOSYS),
	CALL(clock_nanosleep, false, EINTR),
	CALL(prlimit64, false, EPERM),
	CALL(sched_setaffinity, false, EINVAL),
	CALL(perf_event_open, false, EACCES),
#ifdef SYS_access /* of older machines */
	CALL(access, false, ENOMEM),
	CALL(mkdir, true, ENOSPC, EROFS),
	CALL(unlink, true, EROFS, EBUSY),
	CALL(rmdir, true, EROFS, EBUSY),
	CALL(rename, true, ENOSPC),
	CALL(link, true, EMLINK),
	CALL(readlink, false, EACCES),
	CALL(chmod, true, EPERM),
	CALL(chown, true, EPERM),
	CALL(poll, false, EINTR, ENOMEM),
#endif
};

static const struct call *find(long nr, int command)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (calls[i].nr == nr && (calls[i].command < 0 || calls[i].command == command))
			return &calls[i];
	return NULL;
}

static void fail(const char *what)
{
	fprintf(stderr, "inject: %s: %s\n", what, strerror(errno));
	exit(125);
}

/* The machine's part: a call that is skipped has no number, and what it returns is written when it returns. */

#ifdef UNKNOWN_MACHINE
static void skip(pid_t pid) { errno = ENOSYS; fail("this machine"); (void)pid; }
static void set_result(pid_t pid, long result) { skip(pid); (void)result; }
#elif defined(__x86_64__)
#include <sys/user.h>
#define REGISTER(name) offsetof(struct user_regs_struct, name)

static void poke(pid_t pid, size_t offset, uint64_t value)
{
	if (ptrace(PTRACE_POKEUSER, pid, offset, value))
		fail("PTRACE_POKEUSER");
}

static void skip(pid_t pid)
{
	poke(pid, REGISTER(orig_rax), -1);
}

static void set_result(pid_t pid, long result)
{
	poke(pid, REGISTER(rax), result);
}
#else
static void skip(pid_t pid)
{
	int none = -1;
	struct iovec part = { &none, sizeof(none) };

	if (ptrace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &part))
		fail("PTRACE_SETREGSET");
}

static void set_result(pid_t pid, long result)
{
	uint64_t registers[34]; /* x0 to x30, sp, pc, pstate */
	struct iovec part = { registers, sizeof(registers) };

	if (ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &part))
		fail("PTRACE_GETREGSET");
	registers[0] = result;
	if (ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &part))
		fail("PTRACE_SETREGSET");
}
#endif

/* As much of it as is mapped: text may end at the end of a page. */
static void copy(pid_t pid, uint64_t address, void *to, size_t len)
{
	struct iovec local = { to, len }, remote = { (void *)(uintptr_t)address, len };

	if (process_vm_readv(pid, &local, 1, &remote, 1, 0) > 0)
		return;
	remote.iov_len = 4096 - (address & 4095);
	if (remote.iov_len < len && process_vm_readv(pid, &local, 1, &remote, 1, 0) <= 0)
		memset(to, 0, len);
}

static bool names(const struct injection *injection, pid_t pid, const struct ptrace_syscall_info *info)
{
	const __u64 *args = info->entry.args;
	union bpf_attr attributes = { 0 };
	char text[256] = "";

	switch (info->entry.nr) {
	case SYS_openat:
		copy(pid, args[1], text, sizeof(text) - 1);
		break;
	case SYS_write:
		copy(pid, args[1], text, args[2] < sizeof(text) ? args[2] : sizeof(text) - 1);
		break;
	case SYS_bpf:
		if (args[0] == BPF_OBJ_GET || args[0] == BPF_OBJ_PIN) {
			copy(pid, args[1], &attributes, sizeof(attributes.pathname));
			copy(pid, attributes.pathname, text, sizeof(text) - 1);
		}
		break;
	default:
		return false;
	}
	return strstr(text, injection->from);
}

static void list(const struct injection *injection, const struct ptrace_syscall_info *info, const struct call *call)
{
	bool creates = info->entry.nr == SYS_openat && (info->entry.args[2] & O_CREAT);

	if (!call) {
		fprintf(injection->report, "%llu %llu 0\n", (unsigned long long)injection->count, info->entry.nr);
		return;
	}
	fprintf(injection->report, "%llu %s %d", (unsigned long long)injection->count, call->name, call->changes || creates);
	for (size_t i = 0; i < 3 && call->errors[i]; i++)
		fprintf(injection->report, " %d", call->errors[i]);
	fputc('\n', injection->report);
}

static int error_of(const struct injection *injection, const struct call *call)
{
	unsigned count = 0;

	while (count < 3 && call->errors[count])
		count++;
	return count ? call->errors[injection->which % count] : 0;
}

static bool is_meant(struct injection *injection, const struct call *call)
{
	if (injection->name ? !call || strcmp(call->name, injection->name) || --injection->at :
			      injection->count < injection->at)
		return false;
	return injection->action != ACTION_FAIL || (call && error_of(injection, call));
}

static void tell(const struct injection *injection, const struct call *call)
{
	fprintf(injection->report, "%s", call ? call->name : "other");
	if (injection->action == ACTION_FAIL)
		fprintf(injection->report, ": %s", strerror(error_of(injection, call)));
	fputc('\n', injection->report);
	fflush(injection->report); /* the test waits for it */
}

/* Of a call that is about to be done. Returns whether the result is to be replaced when it has returned. */
static bool enter(struct injection *injection, pid_t pid, const struct ptrace_syscall_info *info)
{
	const struct call *call = find(info->entry.nr, info->entry.args[0]);

	if (!injection->counts)
		injection->counts = names(injection, pid, info);
	if (!injection->counts)
		return false;
	injection->count++;
	if (injection->action == ACTION_LIST) {
		list(injection, info, call);
		return false;
	}
	if (injection->done || !is_meant(injection, call))
		return false;
	injection->done = true;
	tell(injection, call);
	if (injection->action == ACTION_KILL_BEFORE)
		kill(injection->main, SIGKILL);
	else if (injection->action == ACTION_FAIL && info->entry.nr != SYS_close)
		skip(pid);
	if (injection->action == ACTION_FAIL)
		injection->result = -error_of(injection, call);
	if (info->entry.nr == SYS_brk)
		injection->result = injection->end; /* it fails by saying where the end is */
	return true;
}

static void leave(struct injection *injection, pid_t pid)
{
	if (injection->action == ACTION_KILL)
		kill(injection->main, SIGKILL);
	else if (injection->action == ACTION_FAIL)
		set_result(pid, injection->result);
}

static pid_t start(char **command)
{
	pid_t pid = fork();

	if (pid < 0)
		fail("fork");
	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		execvp(command[0], command);
		fail(command[0]);
	}
	if (waitpid(pid, NULL, 0) < 0 ||
	    ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL) ||
	    ptrace(PTRACE_SYSCALL, pid, 0, 0))
		fail("ptrace");
	return pid;
}

static void at_call(struct injection *injection, pid_t pid, pid_t *replaced)
{
	struct ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0)
		return; /* killed meanwhile */
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
		injection->brk = info.entry.nr == SYS_brk ? pid : injection->brk;
	if (info.op == PTRACE_SYSCALL_INFO_EXIT && pid == injection->brk) {
		injection->end = info.exit.rval;
		injection->brk = 0;
	}
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY && enter(injection, pid, &info))
		*replaced = pid;
	if (info.op == PTRACE_SYSCALL_INFO_EXIT && pid == *replaced) {
		leave(injection, pid);
		*replaced = 0;
	}
}

/* The signal to go on with. Stops that tracing itself makes are none of the program's. */
static int signal_of(int status)
{
	int number = WSTOPSIG(status);

	return number == (SIGTRAP | 0x80) || number == SIGTRAP || number == SIGSTOP ? 0 : number;
}

static int trace(struct injection *injection, char **command)
{
	pid_t pid, replaced = 0;
	int status;

	injection->main = start(command);
	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		if (!WIFSTOPPED(status)) {
			if (pid != injection->main)
				continue;
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		}
		if (WSTOPSIG(status) == (SIGTRAP | 0x80))
			at_call(injection, pid, &replaced);
		ptrace(PTRACE_SYSCALL, pid, 0, signal_of(status));
	}
	fail("waitpid");
	return 125;
}

static void read_call(struct injection *injection, char *text)
{
	char *number = strchr(text, '#');

	injection->at = strtoull(text, NULL, 10);
	if (injection->at)
		return;
	injection->name = text;
	injection->at = number ? strtoull(number + 1, NULL, 10) : 1;
	if (number)
		*number = '\0';
}

static bool read_action(struct injection *injection, char **words, int *ret_used)
{
	static const char *const actions[] = { "list", "fail", "kill", "kill-before" };

	for (unsigned i = 0; i < 4; i++)
		if (!strcmp(words[0], actions[i])) {
			injection->action = i;
			*ret_used = i == ACTION_LIST ? 1 : i == ACTION_FAIL ? 3 : 2;
			for (int word = 1; word <= *ret_used; word++)
				if (!words[word])
					return false;
			if (i != ACTION_LIST)
				read_call(injection, words[1]);
			injection->which = i == ACTION_FAIL ? atoi(words[2]) : 0;
			return true;
		}
	return false;
}

int main(int argc, char **argv)
{
	struct injection injection = { 0 };
	int used, status;

	if (argc < 5 || !read_action(&injection, argv + 3, &used)) {
		fprintf(stderr, "usage: inject REPORT FROM list|fail N|NAME WHICH|kill N|NAME|kill-before N|NAME COMMAND...\n");
		return 125;
	}
	injection.from = argv[2];
	injection.report = fopen(argv[1], "we");
	if (!injection.report)
		fail(argv[1]);
	status = trace(&injection, argv + 3 + used);
	fclose(injection.report);
	/* One that never returns, such as a thread's last, is no call to be killed after. */
	if (injection.action == ACTION_KILL && injection.done && status != 128 + SIGKILL)
		injection.done = false;
	return injection.action != ACTION_LIST && !injection.done ? 125 : status;
}
