#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "clinux.h"

enum { EVENTS_PER_WAIT = 256 };

int clinux_pipe2(int ends[2], int flags) { return pipe2(ends, flags); }
int clinux_duplicate(int fd, int lowest) { return fcntl(fd, F_DUPFD_CLOEXEC, lowest); }
int clinux_open(const char *path, int flags, unsigned mode) {
  return open(path, flags | O_CLOEXEC, mode);
}
int clinux_openat(int directory, const char *path, int flags) {
  return openat(directory, path, flags | O_CLOEXEC);
}
int clinux_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int clinux_epoll_control(int epoll, int operation, int fd, uint32_t events, uint64_t token) {
  struct epoll_event event = {.events = events, .data.u64 = token};
  return epoll_ctl(epoll, operation, fd, &event);
}

int clinux_epoll_wait(int epoll, struct clinux_event *events, int capacity, int milliseconds) {
  struct epoll_event raw[EVENTS_PER_WAIT];
  int count = epoll_wait(epoll, raw, capacity < EVENTS_PER_WAIT ? capacity : EVENTS_PER_WAIT, milliseconds);
  for (int i = 0; i < count; i++)
    events[i] = (struct clinux_event){.token = raw[i].data.u64, .events = raw[i].events};
  return count;
}

int clinux_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

int clinux_signalfd(const int *signals, int count) {
  sigset_t set;
  sigemptyset(&set);
  for (int i = 0; i < count; i++)
    if (sigaddset(&set, signals[i]) != 0) return -1;
  int failure = pthread_sigmask(SIG_BLOCK, &set, NULL);
  if (failure != 0) {
    errno = failure;
    return -1;
  }
  return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

ssize_t clinux_signalfd_read(int fd, int *signal) {
  struct signalfd_siginfo record;
  ssize_t count = read(fd, &record, sizeof record);
  if (count == (ssize_t)sizeof record) *signal = (int)record.ssi_signo;
  return count;
}

int clinux_block_all_signals(void) {
  sigset_t set;
  sigfillset(&set);
  int failure = pthread_sigmask(SIG_BLOCK, &set, NULL);
  errno = failure;
  return failure == 0 ? 0 : -1;
}

int clinux_ignore_signal(int signal) {
  struct sigaction action = {.sa_handler = SIG_IGN};
  return sigaction(signal, &action, NULL);
}

int clinux_timerfd(void) { return timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK); }

int clinux_timerfd_set(int fd, uint64_t nanoseconds) {
  struct itimerspec when = {
      .it_value = {.tv_sec = (time_t)(nanoseconds / 1000000000), .tv_nsec = (long)(nanoseconds % 1000000000)}};
  return timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, NULL);
}

int clinux_inotify(void) { return inotify_init1(IN_CLOEXEC | IN_NONBLOCK); }
int clinux_inotify_add(int fd, const char *path, uint32_t mask) { return inotify_add_watch(fd, path, mask); }
ssize_t clinux_getrandom(void *bytes, size_t count) { return getrandom(bytes, count, 0); }

int clinux_now(int clock, uint64_t *nanoseconds) {
  struct timespec now;
  if (clock_gettime(clock, &now) != 0) return -1;
  *nanoseconds = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
  return 0;
}

int clinux_thread_name(const char *name) {
  int failure = pthread_setname_np(pthread_self(), name);
  errno = failure;
  return failure == 0 ? 0 : -1;
}

int clinux_fstat_inode(int fd, uint64_t *inode) {
  struct stat status;
  if (fstat(fd, &status) != 0) return -1;
  *inode = status.st_ino;
  return 0;
}

int clinux_stat_inode(const char *path, uint64_t *inode, uint32_t *mode) {
  struct stat status;
  if (stat(path, &status) != 0) return -1;
  *inode = status.st_ino;
  *mode = status.st_mode;
  return 0;
}

int clinux_filesystem_kind(const char *path, uint64_t *magic) {
  struct statfs status;
  if (statfs(path, &status) != 0) return -1;
  *magic = (uint64_t)status.f_type;
  return 0;
}

int clinux_mount(const char *source, const char *target, const char *type, unsigned long flags) {
  return mount(source, target, type, flags, NULL);
}

int clinux_flock(int fd) { return flock(fd, LOCK_EX | LOCK_NB); }
int clinux_trim_heap(void) { return malloc_trim(0); }
int clinux_map_blocks(int bytes) { return mallopt(M_MMAP_THRESHOLD, bytes); }
