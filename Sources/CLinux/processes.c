#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clinux.h"

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif
#ifndef P_PIDFD
#define P_PIDFD 3
#endif

/* What the child tells its parent when it cannot become the program. */
enum stage { STAGE_DESCRIPTORS, STAGE_CONTROL_GROUP, STAGE_EXEC };
static const char *const stage_names[] = {"descriptors", "cgroup.procs", "execve"};

struct report {
  int stage;
  int failure;
};

_Noreturn static void give_up(int channel, enum stage stage) {
  struct report report = {.stage = stage, .failure = errno};
  ssize_t ignored = write(channel, &report, sizeof report);
  (void)ignored;
  _exit(127);
}

/* By the bare system call: glibc's wrapper refuses the two signals it uses itself. */
static void reset_signals(void) {
  struct {
    unsigned long words[4]; /* SIG_DFL, no flags, no restorer, an empty mask */
  } action = {{0, 0, 0, 0}};
  for (int signal = 1; signal < _NSIG; signal++)
    syscall(SYS_rt_sigaction, signal, &action, NULL, sizeof(unsigned long));
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Sources first move above every target, so that no target overwrites a source not yet used. */
static int place_descriptors(const struct clinux_spawn *request, int *channel) {
  int lowest = 3;
  int moved[request->descriptor_count + 1];
  for (int i = 0; i < request->descriptor_count; i++)
    if (request->targets[i] >= lowest) lowest = request->targets[i] + 1;
  if ((*channel = fcntl(*channel, F_DUPFD_CLOEXEC, lowest)) < 0) return -1;
  for (int i = 0; i < request->descriptor_count; i++)
    if ((moved[i] = fcntl(request->sources[i], F_DUPFD_CLOEXEC, lowest)) < 0) return -1;
  if (syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) != 0) return -1;
  for (int i = 0; i < request->descriptor_count; i++)
    if (dup2(moved[i], request->targets[i]) < 0) return -1;
  return 0;
}

/* In the child: only async-signal-safe calls, the parent's other threads do not exist here. */
_Noreturn static void become(const struct clinux_spawn *request, int channel) {
  if (request->control_group >= 0) {
    int procs = openat(request->control_group, "cgroup.procs", O_WRONLY | O_CLOEXEC);
    if (procs < 0 || write(procs, "0\n", 2) != 2) give_up(channel, STAGE_CONTROL_GROUP);
  }
  if (place_descriptors(request, &channel) != 0) give_up(channel, STAGE_DESCRIPTORS);
  if (request->starts_session) setsid();
  reset_signals();
  execve(request->path, request->arguments, request->environment);
  give_up(channel, STAGE_EXEC);
}

/*
 * clone3; where it is missing or filtered, clone. The child moves to its control group itself: since Linux 6.14 one that
 * is born into a group (CLONE_INTO_CGROUP) on which cgroup.kill was ever used is killed too.
 */
static pid_t split(int *pidfd) {
  struct clone_args arguments = {
      .flags = CLONE_PIDFD, .pidfd = (uint64_t)(uintptr_t)pidfd, .exit_signal = SIGCHLD};
  pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
  if (pid >= 0 || (errno != ENOSYS && errno != E2BIG && errno != EINVAL && errno != EPERM)) return pid;
#if defined(__x86_64__) || defined(__aarch64__)
  return (pid_t)syscall(SYS_clone, (unsigned long)(CLONE_PIDFD | SIGCHLD), 0UL, pidfd, 0UL, 0UL);
#else
#error "the order of clone's arguments is not known here"
#endif
}

static int reap(int pidfd) {
  siginfo_t ended;
  int result;
  do result = waitid((idtype_t)P_PIDFD, (id_t)pidfd, &ended, WEXITED);
  while (result != 0 && errno == EINTR);
  return result;
}

int clinux_spawn(const struct clinux_spawn *request, int *pidfd, const char **stage) {
  int channel[2];
  sigset_t all, before;
  *stage = "pipe2";
  if (pipe2(channel, O_CLOEXEC) != 0) return -1;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  *stage = "clone3";
  pid_t pid = split(pidfd);
  if (pid == 0) become(request, channel[1]);
  int failure = errno;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  close(channel[1]);
  struct report report;
  ssize_t count = 0;
  if (pid > 0) {
    do count = read(channel[0], &report, sizeof report);
    while (count < 0 && errno == EINTR);
  }
  close(channel[0]);
  if (pid > 0 && count == (ssize_t)sizeof report) {
    reap(*pidfd);
    close(*pidfd);
    *stage = stage_names[report.stage];
    failure = report.failure;
    pid = -1;
  }
  errno = failure;
  return pid;
}

int clinux_pidfd_open(int pid) { return (int)syscall(SYS_pidfd_open, pid, 0U); }
int clinux_pidfd_signal(int pidfd, int signal) {
  return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0U);
}

int clinux_pidfd_wait(int pidfd, int does_wait, int *code) {
  siginfo_t ended;
  memset(&ended, 0, sizeof ended);
  if (waitid((idtype_t)P_PIDFD, (id_t)pidfd, &ended, WEXITED | (does_wait ? 0 : WNOHANG)) != 0) return -1;
  if (ended.si_pid == 0) return 0;
  *code = ended.si_status;
  return ended.si_code == CLD_EXITED ? 1 : 2;
}

int clinux_raise_descriptor_limit(uint64_t *limit) {
  struct rlimit current;
  if (getrlimit(RLIMIT_NOFILE, &current) != 0) return -1;
  current.rlim_cur = current.rlim_max;
  *limit = current.rlim_cur;
  return setrlimit(RLIMIT_NOFILE, &current);
}
