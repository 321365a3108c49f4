/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ZW_NOTIFY_H
#define ZW_NOTIFY_H

/* Tells the service manager that started us, if it wants to know (systemd's sd_notify(3) protocol). */
void notify(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* To be called every second: the manager's watchdog sees that the loader does its rounds, if it wants to (WatchdogSec=). */
void notify_alive(void);

#endif
