#pragma once
/* Numbers of the kernel's interface that Swift's Glibc module does not show; checked in constants.c. */
#include <stdint.h>

static const uint32_t CLINUX_EPOLLIN = 0x1;
static const uint32_t CLINUX_EPOLLOUT = 0x4;
static const uint32_t CLINUX_EPOLLERR = 0x8;
static const uint32_t CLINUX_EPOLLHUP = 0x10;
static const uint32_t CLINUX_EPOLLRDHUP = 0x2000;
static const uint32_t CLINUX_EPOLLONESHOT = 1u << 30;
static const uint32_t CLINUX_EPOLLET = 1u << 31;
static const int CLINUX_EPOLL_CTL_ADD = 1;
static const int CLINUX_EPOLL_CTL_DEL = 2;
static const int CLINUX_EPOLL_CTL_MOD = 3;

static const int CLINUX_IP_TRANSPARENT = 19;
static const int CLINUX_IP_BIND_ADDRESS_NO_PORT = 24;
static const int CLINUX_IP_RECVORIGDSTADDR = 20;
static const int CLINUX_IPV6_V6ONLY = 26;
static const int CLINUX_IPV6_RECVORIGDSTADDR = 74;
static const int CLINUX_SO_RCVBUFFORCE = 33;
static const int CLINUX_IPV6_TRANSPARENT = 75;
static const int CLINUX_SO_MARK = 36;
static const int CLINUX_SO_BINDTODEVICE = 25;
static const int CLINUX_SO_DOMAIN = 39;
static const int CLINUX_SO_ACCEPTCONN = 30;
static const int CLINUX_TCP_NODELAY = 1;
static const int CLINUX_TCP_KEEPIDLE = 4;
static const int CLINUX_TCP_KEEPINTVL = 5;
static const int CLINUX_TCP_KEEPCNT = 6;
static const int CLINUX_TCP_USER_TIMEOUT = 18;
static const int CLINUX_TCP_NOTSENT_LOWAT = 25;

static const uint32_t CLINUX_RTMGRP_LINK = 0x1;
static const uint32_t CLINUX_RTMGRP_IPV4_IFADDR = 0x10;
static const uint32_t CLINUX_RTMGRP_IPV6_IFADDR = 0x100;

static const uint32_t CLINUX_TREE_CHANGES = 0xfce; /* see constants.c */
static const uint32_t CLINUX_IN_ISDIR = 0x40000000;
static const uint32_t CLINUX_IN_ONLYDIR = 0x01000000;
static const uint32_t CLINUX_IN_CREATE = 0x100;
static const uint32_t CLINUX_IN_MOVED_TO = 0x80;
static const uint32_t CLINUX_IN_IGNORED = 0x8000;
static const uint32_t CLINUX_IN_Q_OVERFLOW = 0x4000;

static const uint64_t CLINUX_BPF_FS_MAGIC = 0xcafe4a11;
static const int CLINUX_MSG_TRUNC = 0x20;
