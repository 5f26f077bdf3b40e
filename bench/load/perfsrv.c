// perfsrv ADDR PORT : multi-mode TCP server. First byte of a connection picks the mode:
//  'R' u32be reqsize u32be respsize : request/response   'S' : sink (replies u64 total on FIN)
//  'D' : source (sends until closed)    'G' : HTTP/1.1 GET keep-alive, 128-byte body
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <sys/resource.h>
typedef struct {
	char mode;
	int hdr;
	unsigned char h[8];
	uint32_t rq, rs;
	uint64_t got;
	uint64_t owe;
	int wr;
	int httpst;
} C;
static C *cs;
static char buf[1 << 18], zero[1 << 20];
static int ep;
static char http[512];
static int httplen;
static void mod(int fd, int w)
{
	C *c = &cs[fd];
	if (c->wr == w)
		return;
	c->wr = w;
	struct epoll_event e = {.events = EPOLLIN | (w ? EPOLLOUT : 0), .data.fd = fd};
	epoll_ctl(ep, EPOLL_CTL_MOD, fd, &e);
}
static void cl(int fd)
{
	cs[fd].mode = 0;
	close(fd);
}
static int pump(int fd)
{
	C *c = &cs[fd];
	for (int i = 0; i < 4; i++) {
		uint64_t n = c->mode == 'D' ? sizeof zero : c->owe;
		if (!n) {
			mod(fd, 0);
			return 0;
		}
		if (n > sizeof zero)
			n = sizeof zero;
		ssize_t k;
		if (c->mode == 'G') {
			int off = (httplen - (c->owe % httplen)) % httplen;
			n = httplen - off;
			if (n > c->owe)
				n = c->owe;
			k = send(fd, http + off, n, MSG_NOSIGNAL);
		} else {
			if (c->mode == 'D' && n > 262144)
				n = 262144;
			k = send(fd, zero, n, MSG_NOSIGNAL);
		}
		if (k < 0) {
			if (errno == EAGAIN) {
				mod(fd, 1);
				return 0;
			}
			cl(fd);
			return -1;
		}
		if (c->mode != 'D')
			c->owe -= k;
	}
	if (c->mode == 'D' || c->owe)
		mod(fd, 1);
	return 0;
}
int main(int ac, char **av)
{
	signal(SIGPIPE, SIG_IGN);
	struct rlimit rl = {1 << 20, 1 << 20};
	setrlimit(RLIMIT_NOFILE, &rl);
	cs = calloc(1 << 20, sizeof(C));
	httplen = sprintf(
	    http,
	    "HTTP/1.1 200 OK\r\nContent-Length: 128\r\nContent-Type: text/plain\r\n\r\n%0128d", 7);
	int l = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, 4);
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(atoi(av[2]))};
	inet_pton(AF_INET, av[1], &a.sin_addr);
	if (bind(l, (void *)&a, sizeof a) || listen(l, 4096)) {
		perror("bind");
		return 1;
	}
	ep = epoll_create1(0);
	struct epoll_event e = {.events = EPOLLIN, .data.fd = l};
	epoll_ctl(ep, EPOLL_CTL_ADD, l, &e);
	struct epoll_event ev[256];
	for (;;) {
		int n = epoll_wait(ep, ev, 256, -1);
		for (int i = 0; i < n; i++) {
			int fd = ev[i].data.fd;
			if (fd == l) {
				for (int q = 0; q < 64; q++) {
					int f = accept4(l, 0, 0, SOCK_NONBLOCK);
					if (f < 0)
						break;
					setsockopt(f, IPPROTO_TCP, TCP_NODELAY, &one, 4);
					memset(&cs[f], 0, sizeof(C));
					struct epoll_event x = {.events = EPOLLIN, .data.fd = f};
					epoll_ctl(ep, EPOLL_CTL_ADD, f, &x);
				}
				continue;
			}
			C *c = &cs[fd];
			if (ev[i].events & EPOLLOUT) {
				if (pump(fd))
					continue;
			}
			if (!(ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
				continue;
			ssize_t k = recv(fd, buf, sizeof buf, 0);
			if (k < 0) {
				if (errno == EAGAIN)
					continue;
				cl(fd);
				continue;
			}
			if (k == 0) {
				if (c->mode == 'S') {
					uint64_t t = htobe64(c->got);
					send(fd, &t, 8, MSG_NOSIGNAL);
				}
				cl(fd);
				continue;
			}
			char *p = buf;
			if (!c->mode) {
				c->mode = *p;
				if (c->mode == 'R') {
					p++;
					k--;
					c->hdr = 8;
				} else if (c->mode == 'G') {
				} else {
					p++;
					k--;
				}
			}
			if (c->hdr) {
				while (k && c->hdr) {
					c->h[8 - c->hdr] = *p++;
					k--;
					c->hdr--;
				}
				if (!c->hdr) {
					c->rq = ntohl(*(uint32_t *)c->h);
					c->rs = ntohl(*(uint32_t *)(c->h + 4));
				} else
					continue;
			}
			switch (c->mode) {
			case 'S':
				c->got += k;
				break;
			case 'D':
				pump(fd);
				break;
			case 'R': {
				c->got += k;
				while (c->got >= c->rq) {
					c->got -= c->rq;
					c->owe += c->rs;
				}
				if (c->owe && !c->wr)
					pump(fd);
				break;
			}
			case 'G': {
				for (ssize_t j = 0; j < k; j++) {
					char ch = p[j];
					int want = (c->httpst & 1) ? '\n' : '\r';
					if (ch == want) {
						if (++c->httpst == 4) {
							c->httpst = 0;
							c->owe += httplen;
						}
					} else
						c->httpst = (ch == '\r') ? 1 : 0;
				}
				if (c->owe && !c->wr)
					pump(fd);
				break;
			}
			default:
				cl(fd);
			}
		}
	}
}
