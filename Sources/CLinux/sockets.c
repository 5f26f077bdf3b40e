#define _GNU_SOURCE
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "clinux.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

enum { RIGHTS_PER_MESSAGE = 253 }; /* SCM_MAX_FD */

union any_address {
  struct sockaddr generic;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
  struct sockaddr_storage room;
};

static socklen_t encode(const struct clinux_address *address, union any_address *raw) {
  memset(raw, 0, sizeof *raw);
  if (address->family == 4) {
    raw->v4.sin_family = AF_INET;
    raw->v4.sin_port = htons(address->port);
    raw->v4.sin_addr.s_addr = htonl((uint32_t)address->low);
    return sizeof raw->v4;
  }
  uint64_t halves[2] = {htobe64(address->high), htobe64(address->low)};
  raw->v6.sin6_family = AF_INET6;
  raw->v6.sin6_port = htons(address->port);
  memcpy(&raw->v6.sin6_addr, halves, sizeof halves);
  return sizeof raw->v6;
}

static void decode(const union any_address *raw, struct clinux_address *address) {
  memset(address, 0, sizeof *address);
  if (raw->generic.sa_family == AF_INET) {
    address->family = 4;
    address->port = ntohs(raw->v4.sin_port);
    address->low = ntohl(raw->v4.sin_addr.s_addr);
  } else if (raw->generic.sa_family == AF_INET6) {
    uint64_t halves[2];
    memcpy(halves, &raw->v6.sin6_addr, sizeof halves);
    address->family = 6;
    address->port = ntohs(raw->v6.sin6_port);
    address->high = be64toh(halves[0]);
    address->low = be64toh(halves[1]);
  }
}

static int encode_path(const char *path, struct sockaddr_un *raw) {
  memset(raw, 0, sizeof *raw);
  raw->sun_family = AF_UNIX;
  if (strlen(path) >= sizeof raw->sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  strcpy(raw->sun_path, path);
  return 0;
}

int clinux_stream_socket(int family) {
  return socket(family == 4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}
int clinux_unix_socket(void) { return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }
int clinux_unix_pair(int ends[2]) {
  return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends);
}

int clinux_netlink_socket(int family, uint32_t groups, int is_blocking) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | (is_blocking ? 0 : SOCK_NONBLOCK), family);
  if (fd < 0) return -1;
  struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = groups};
  int on = 1;
  if (setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on) != 0 ||
      setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on) != 0 ||
      bind(fd, (struct sockaddr *)&address, sizeof address) != 0) {
    int failure = errno;
    close(fd);
    errno = failure;
    return -1;
  }
  return fd;
}

int clinux_bind(int fd, const struct clinux_address *address) {
  union any_address raw;
  socklen_t length = encode(address, &raw);
  return bind(fd, &raw.generic, length);
}

int clinux_connect(int fd, const struct clinux_address *address) {
  union any_address raw;
  socklen_t length = encode(address, &raw);
  return connect(fd, &raw.generic, length);
}

int clinux_unix_bind(int fd, const char *path) {
  struct sockaddr_un raw;
  if (encode_path(path, &raw) != 0) return -1;
  return bind(fd, (struct sockaddr *)&raw, sizeof raw);
}

int clinux_unix_connect(int fd, const char *path) {
  struct sockaddr_un raw;
  if (encode_path(path, &raw) != 0) return -1;
  return connect(fd, (struct sockaddr *)&raw, sizeof raw);
}

int clinux_accept(int fd, struct clinux_address *peer) {
  union any_address raw;
  socklen_t length = sizeof raw;
  memset(&raw, 0, sizeof raw);
  int accepted = accept4(fd, &raw.generic, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (accepted >= 0) decode(&raw, peer);
  return accepted;
}

int clinux_local_address(int fd, struct clinux_address *address) {
  union any_address raw;
  socklen_t length = sizeof raw;
  memset(&raw, 0, sizeof raw);
  if (getsockname(fd, &raw.generic, &length) != 0) return -1;
  decode(&raw, address);
  return 0;
}

int clinux_peer_address(int fd, struct clinux_address *address) {
  union any_address raw;
  socklen_t length = sizeof raw;
  memset(&raw, 0, sizeof raw);
  if (getpeername(fd, &raw.generic, &length) != 0) return -1;
  decode(&raw, address);
  return 0;
}

int clinux_set_option(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value);
}

int clinux_get_option(int fd, int level, int name, int *value) {
  socklen_t length = sizeof *value;
  return getsockopt(fd, level, name, value, &length);
}

int clinux_set_text_option(int fd, int level, int name, const char *text) {
  return setsockopt(fd, level, name, text, (socklen_t)strlen(text));
}

int clinux_set_linger(int fd, int seconds) {
  struct linger linger = {.l_onoff = 1, .l_linger = seconds};
  return setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

int clinux_network_cookie(int fd, uint64_t *cookie) {
  socklen_t length = sizeof *cookie;
  return getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, cookie, &length);
}

int clinux_tcp_state(int fd, struct clinux_tcp *tcp) {
  struct tcp_info raw;
  socklen_t length = sizeof raw;
  memset(&raw, 0, sizeof raw);
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &raw, &length) != 0) return -1;
  *tcp = (struct clinux_tcp){
      .state = raw.tcpi_state,
      .round_trip_us = raw.tcpi_rtt,
      .round_trip_variation_us = raw.tcpi_rttvar,
      .retransmitted_segments = raw.tcpi_total_retrans,
      .congestion_window = raw.tcpi_snd_cwnd,
      .unacknowledged_segments = raw.tcpi_unacked,
      .unsent_bytes = raw.tcpi_notsent_bytes,
      .acknowledged_bytes = raw.tcpi_bytes_acked,
      .received_bytes = raw.tcpi_bytes_received,
  };
  return 0;
}

int clinux_peer_credentials(int fd, struct clinux_credentials *credentials) {
  struct ucred raw;
  socklen_t length = sizeof raw;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &raw, &length) != 0) return -1;
  *credentials = (struct clinux_credentials){.process = raw.pid, .user = raw.uid, .group = raw.gid};
  return 0;
}

ssize_t clinux_receive(int fd, void *bytes, size_t count, int flags, int *flags_out) {
  struct iovec vector = {.iov_base = bytes, .iov_len = count};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
  ssize_t received = recvmsg(fd, &message, flags);
  *flags_out = message.msg_flags;
  return received;
}

ssize_t clinux_send_rights(int fd, const void *bytes, size_t count, const int *numbers, int number_count) {
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int) * RIGHTS_PER_MESSAGE)];
  } control;
  struct iovec vector = {.iov_base = (void *)bytes, .iov_len = count};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
  if (number_count < 0 || number_count > RIGHTS_PER_MESSAGE) {
    errno = EINVAL;
    return -1;
  }
  if (number_count > 0) {
    size_t size = sizeof(int) * (size_t)number_count;
    memset(&control, 0, sizeof control);
    message.msg_control = &control;
    message.msg_controllen = CMSG_SPACE(size);
    control.header = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(size), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.header), numbers, size);
  }
  return sendmsg(fd, &message, MSG_NOSIGNAL);
}

ssize_t clinux_receive_rights(int fd, void *bytes, size_t count, int *numbers, int capacity,
                              int *number_count, int *was_cut) {
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int) * RIGHTS_PER_MESSAGE)];
  } control;
  struct iovec vector = {.iov_base = bytes, .iov_len = count};
  struct msghdr message = {
      .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  *number_count = 0;
  *was_cut = 0;
  ssize_t received = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
  if (received < 0) return received;
  for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    size_t total = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < total; i++) {
      int number;
      memcpy(&number, CMSG_DATA(part) + i * sizeof(int), sizeof number);
      if (*number_count < capacity) {
        numbers[(*number_count)++] = number;
      } else {
        close(number);
        *was_cut = 1;
      }
    }
  }
  if (message.msg_flags & MSG_CTRUNC) *was_cut = 1;
  return received;
}

int clinux_datagram_socket(int family) {
  return socket(family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

int clinux_packet_socket(int family) {
  int type = SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC;
  return socket(family == 4 ? AF_INET : AF_INET6, type, IPPROTO_RAW);
}

ssize_t clinux_receive_datagram(int fd, void *bytes, size_t count, struct clinux_address *source,
                                struct clinux_address *destination) {
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(struct sockaddr_in6))];
  } control;
  union any_address from, to;
  struct iovec vector = {.iov_base = bytes, .iov_len = count};
  struct msghdr message = {.msg_name = &from,
                           .msg_namelen = sizeof from,
                           .msg_iov = &vector,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof control};
  memset(&from, 0, sizeof from);
  memset(&to, 0, sizeof to);
  ssize_t received = recvmsg(fd, &message, MSG_TRUNC);
  if (received < 0) return received;
  for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_ORIGDSTADDR)
      memcpy(&to.v4, CMSG_DATA(part), sizeof to.v4);
    if (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_ORIGDSTADDR)
      memcpy(&to.v6, CMSG_DATA(part), sizeof to.v6);
  }
  decode(&from, source);
  decode(&to, destination);
  return received;
}

ssize_t clinux_send_packet(int fd, const void *bytes, size_t count,
                           const struct clinux_address *destination) {
  union any_address raw;
  socklen_t length = encode(destination, &raw);
  return sendto(fd, bytes, count, MSG_NOSIGNAL, &raw.generic, length);
}
