/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ZW_NOTIFY_H
#define ZW_NOTIFY_H

/* Tells the service manager that started us, if it wants to know (systemd's sd_notify(3) protocol). */
void notify(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
