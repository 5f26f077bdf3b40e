#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "clinux.h"

/* The namespace this thread is in; `home` is the one it had when it first asked. -1: not asked yet. */
static __thread int current_network = -1;
static __thread int home_network = -1;

static pthread_key_t home_key;
static pthread_once_t home_once = PTHREAD_ONCE_INIT;
static int home_failure;

static void close_home(void *number) { close((int)(intptr_t)number - 1); }
static void make_home_key(void) { home_failure = pthread_key_create(&home_key, close_home); }

static int open_current(void) { return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC); }

static int know_current(void) {
  if (current_network >= 0) return 0;
  pthread_once(&home_once, make_home_key);
  if (home_failure != 0) {
    errno = home_failure;
    return -1;
  }
  int fd = open_current();
  if (fd < 0) return -1;
  int failure = pthread_setspecific(home_key, (void *)(intptr_t)(fd + 1));
  if (failure != 0) {
    close(fd);
    errno = failure;
    return -1;
  }
  home_network = current_network = fd;
  return 0;
}

int clinux_network_enter(int fd) {
  if (know_current() != 0 || setns(fd, CLONE_NEWNET) != 0) return -1;
  int before = current_network;
  current_network = fd;
  return before;
}

int clinux_network_return(int fd) {
  if (setns(fd, CLONE_NEWNET) != 0) return -1;
  current_network = fd;
  return 0;
}

int clinux_network_make(void) {
  if (know_current() != 0 || unshare(CLONE_NEWNET) != 0) return -1;
  int made = open_current();
  int failure = errno;
  if (setns(current_network, CLONE_NEWNET) != 0) __builtin_trap();
  errno = failure;
  return made;
}

int clinux_is_network_namespace(int fd) {
  int kind = ioctl(fd, NS_GET_NSTYPE);
  if (kind < 0) return -1;
  return kind == CLONE_NEWNET;
}
