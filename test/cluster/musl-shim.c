/*
 * Debian has a musl loader, and no C++ library for it. Its own, made for glibc, runs there too with
 * what glibc has and musl has not; loaded under the name of glibc's loader, which it asks for.
 */
#include <stddef.h>

extern unsigned long strftime_l(char *, unsigned long, const char *, const void *, void *);
extern long getrandom(void *, unsigned long, unsigned);

char __libc_single_threaded = 0;
unsigned __cpu_model[4];

int __cpu_indicator_init(void) { return 0; }

unsigned arc4random(void)
{
	unsigned value = 0;
	getrandom(&value, sizeof value, 0);
	return value;
}

unsigned long __strftime_l(char *to, unsigned long size, const char *format, const void *time,
	void *locale)
{
	return strftime_l(to, size, format, time, locale);
}

int __cxa_thread_atexit_impl(void (*end)(void *), void *of, void *library) { return 0; }

int _dl_find_object(void *at, void *found) { return -1; }
