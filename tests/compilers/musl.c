/* musl.c - what Debian's libgomp.a, libcpuid.a and libjansson.a ask for, made for glibc, and musl
 * has not.
 * SPDX-License-Identifier: MIT
 *
 * Debian has none of them for musl. mmk-check is linked statically with them and this; of
 * libcpuid it runs the CPUID instruction, of libgomp teams, loops and barriers, of jansson reading.
 */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

long __sysconf(int name);
int pthread_attr_setaffinity_np(pthread_attr_t *attributes, size_t size, const void *cpus);
int __fprintf_chk(FILE *file, int flag, const char *format, ...);
int __snprintf_chk(char *text, size_t size, int flag, size_t room, const char *format, ...);
int __vsnprintf_chk(char *text, size_t size, int flag, size_t room, const char *format, va_list v);
char *__strcpy_chk(char *to, const char *from, size_t room);
char *__strncpy_chk(char *to, const char *from, size_t size, size_t room);

long __sysconf(int name)
{
    return sysconf(name);
}

/* For OMP_PROC_BIND alone. */
int pthread_attr_setaffinity_np(pthread_attr_t *attributes, size_t size, const void *cpus)
{
    (void)attributes, (void)size, (void)cpus;
    return ENOSYS;
}

int __fprintf_chk(FILE *file, int flag, const char *format, ...)
{
    (void)flag;
    va_list v;
    va_start(v, format);
    int printed = vfprintf(file, format, v);
    va_end(v);
    return printed;
}

int __vsnprintf_chk(char *text, size_t size, int flag, size_t room, const char *format, va_list v)
{
    (void)flag, (void)room;
    return vsnprintf(text, size, format, v);
}

int __snprintf_chk(char *text, size_t size, int flag, size_t room, const char *format, ...)
{
    (void)flag, (void)room;
    va_list v;
    va_start(v, format);
    int printed = vsnprintf(text, size, format, v);
    va_end(v);
    return printed;
}

char *__strcpy_chk(char *to, const char *from, size_t room)
{
    (void)room;
    return strcpy(to, from);
}

char *__strncpy_chk(char *to, const char *from, size_t size, size_t room)
{
    (void)room;
    return strncpy(to, from, size);
}
