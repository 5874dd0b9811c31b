/* Tells ThreadSanitizer of GLib's locks, before anything else is read: they are system calls of their own, which it
 * does not see, so that all that they guard would look like a race. (Threads, and GRWLock, are pthread's.) */
#ifndef NBDCONFORM_THREADS_GLIB_H
#define NBDCONFORM_THREADS_GLIB_H

#include <glib.h>
#include <sanitizer/tsan_interface.h>

static inline void told_mutex_lock(GMutex *mutex)
{
    g_mutex_lock(mutex);
    __tsan_acquire(mutex);
}

static inline void told_mutex_unlock(GMutex *mutex)
{
    __tsan_release(mutex);
    g_mutex_unlock(mutex);
}

static inline void told_cond_wait(GCond *cond, GMutex *mutex)
{
    __tsan_release(mutex);
    g_cond_wait(cond, mutex);
    __tsan_acquire(mutex);
}

static inline gboolean told_cond_wait_until(GCond *cond, GMutex *mutex, gint64 end_us)
{
    __tsan_release(mutex);
    gboolean woken = g_cond_wait_until(cond, mutex, end_us);
    __tsan_acquire(mutex);
    return woken;
}

#define g_mutex_lock told_mutex_lock
#define g_mutex_unlock told_mutex_unlock
#define g_cond_wait told_cond_wait
#define g_cond_wait_until told_cond_wait_until

#endif
