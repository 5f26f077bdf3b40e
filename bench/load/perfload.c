// perfload: C load generator (single thread, epoll). Output: one JSON line.
//  perfload ADDR PORT bulk  d|u STREAMS SECS
//  perfload ADDR PORT rr    CONNS REQ RESP SECS            (closed loop, saturated)
//  perfload ADDR PORT rate  CONNS REQ RESP SECS RPS        (open loop, latency from intended send
//  time) perfload ADDR PORT crr   PARALLEL SECS                  (connect, 1-byte request, 1-byte
//  reply, close; closed loop) perfload ADDR PORT crate PARALLEL SECS CPS              (same, open
//  loop at a fixed connection rate) perfload ADDR PORT idle  CONNS SECS                     (open,
//  one exchange each, hold)
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
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
typedef uint64_t u64;
typedef uint32_t u32;
static u64 now()
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}
static struct sockaddr_in A;
static int ep;
static char *big;
static u32 *S;
static size_t ns_, cap_;
static void rec(u64 d)
{
	if (ns_ == cap_) {
		cap_ = cap_ ? cap_ * 2 : 1 << 16;
		S = realloc(S, cap_ * 4);
	}
	u64 v = d / 10;
	S[ns_++] = v > 0xffffffffu ? 0xffffffffu : v;
}
static int cmp(const void *a, const void *b)
{
	u32 x = *(u32 *)a, y = *(u32 *)b;
	return x < y ? -1 : x > y;
}
static double pc(double p)
{
	if (!ns_)
		return 0;
	size_t i = p * (ns_ - 1);
	return S[i] / 100.0;
}
static void pct()
{
	qsort(S, ns_, 4, cmp);
	printf(",\"n\":%zu,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f", ns_,
	       pc(.5), pc(.9), pc(.99), pc(.999), pc(1));
}
static int conn(int blocking)
{
	int f = socket(AF_INET, SOCK_STREAM | (blocking ? 0 : SOCK_NONBLOCK), 0), one = 1;
	if (f < 0)
		return -1;
	setsockopt(f, IPPROTO_TCP, TCP_NODELAY, &one, 4);
	if (connect(f, (void *)&A, sizeof A) && errno != EINPROGRESS) {
		close(f);
		return -1;
	}
	return f;
}
static void nb(int f)
{
	extern int fcntl(int, int, ...);
	fcntl(f, 4 /*F_SETFL*/, 04000);
}
static void add(int f, u32 id, u32 evs)
{
	struct epoll_event e = {.events = evs, .data.u32 = id};
	epoll_ctl(ep, EPOLL_CTL_ADD, f, &e);
}
static void mod(int f, u32 id, u32 evs)
{
	struct epoll_event e = {.events = evs, .data.u32 = id};
	epoll_ctl(ep, EPOLL_CTL_MOD, f, &e);
}
static long errs;
static int xsend(int f, const void *b, size_t n)
{
	const char *p = b;
	while (n) {
		ssize_t k = send(f, p, n, MSG_NOSIGNAL);
		if (k < 0)
			return -1;
		p += k;
		n -= k;
	}
	return 0;
}
static int xrecv(int f, void *b, size_t n)
{
	char *p = b;
	while (n) {
		ssize_t k = recv(f, p, n, 0);
		if (k <= 0)
			return -1;
		p += k;
		n -= k;
	}
	return 0;
}
static void hdr(char *h, u32 rq, u32 rs)
{
	h[0] = 'R';
	rq = htonl(rq);
	rs = htonl(rs);
	memcpy(h + 1, &rq, 4);
	memcpy(h + 5, &rs, 4);
}
static int bulk(char dir, int n, double secs)
{
	int *fd = malloc(n * 4);
	for (int i = 0; i < n; i++) {
		fd[i] = conn(1);
		if (fd[i] < 0) {
			printf("{\"error\":\"connect\"}\n");
			return 1;
		}
		char m = dir == 'd' ? 'D' : 'S';
		if (xsend(fd[i], &m, 1)) {
			printf("{\"error\":\"send\"}\n");
			return 1;
		}
	}
	for (int i = 0; i < n; i++) {
		nb(fd[i]);
		add(fd[i], i, dir == 'd' ? EPOLLIN : EPOLLOUT);
	}
	u64 t0 = now(), tw = t0 + 400000000ull, te = tw + (u64)(secs * 1e9), bytes = 0, base = 0,
	    ts = 0;
	struct epoll_event ev[64];
	for (;;) {
		int k = epoll_wait(ep, ev, 64, 100);
		u64 t = now();
		if (!ts && t >= tw) {
			base = bytes;
			ts = t;
		}
		if (t >= te) {
			te = t;
			break;
		}
		for (int i = 0; i < k; i++) {
			int f = fd[ev[i].data.u32];
			ssize_t r = dir == 'd' ? recv(f, big, 262144, 0)
					       : send(f, big, 262144, MSG_NOSIGNAL);
			if (r > 0)
				bytes += r;
			else if (r == 0 || errno != EAGAIN) {
				errs++;
				if (errs > 100) {
					printf("{\"error\":\"stream broke\",\"bytes\":%lu}\n",
					       bytes);
					return 1;
				}
				epoll_ctl(ep, EPOLL_CTL_DEL, f, 0);
			}
		}
	}
	printf("{\"mode\":\"bulk\",\"dir\":\"%c\",\"streams\":%d,\"gbps\":%.3f,\"gbytes\":%.4f,"
	       "\"secs\":%.3f,\"errs\":%ld}\n",
	       dir, n, (bytes - base) * 8 / (double)(te - ts), bytes / 1e9, (te - t0) / 1e9, errs);
	return 0;
}
typedef struct {
	int fd;
	u64 *q;
	u32 qh, qt, qc;
	u32 got;
	u64 owe;
	u64 t;
	int st;
	int wr;
} K;
static void push(K *c, u64 t)
{
	if (c->qt - c->qh == c->qc) {
		u32 nc = c->qc ? c->qc * 2 : 16;
		u64 *nq = malloc(nc * 8);
		for (u32 i = c->qh; i != c->qt; i++)
			nq[i % nc] = c->q[i % c->qc];
		free(c->q);
		c->q = nq;
		c->qc = nc;
	}
	c->q[c->qt++ % c->qc] = t;
}
static void flushk(K *c, u32 id)
{
	while (c->owe) {
		u64 m = c->owe > 262144 ? 262144 : c->owe;
		ssize_t r = send(c->fd, big, m, MSG_NOSIGNAL);
		if (r < 0) {
			if (errno == EAGAIN) {
				if (!c->wr) {
					c->wr = 1;
					mod(c->fd, id, EPOLLIN | EPOLLOUT);
				}
				return;
			}
			errs++;
			c->owe = 0;
			return;
		}
		c->owe -= r;
	}
	if (c->wr) {
		c->wr = 0;
		mod(c->fd, id, EPOLLIN);
	}
}
static int rr(int n, u32 rq, u32 rs, double secs, double rate)
{
	K *c = calloc(n, sizeof(K));
	char h[9];
	hdr(h, rq, rs);
	for (int i = 0; i < n; i++) {
		c[i].fd = conn(1);
		if (c[i].fd < 0 || xsend(c[i].fd, h, 9) || xsend(c[i].fd, big, rq) ||
		    xrecv(c[i].fd, big, rs)) {
			printf("{\"error\":\"setup conn %d\"}\n", i);
			return 1;
		}
		nb(c[i].fd);
		add(c[i].fd, i, EPOLLIN);
	}
	u64 t0 = now(), tw = t0 + 400000000ull, te = tw + (u64)(secs * 1e9);
	u64 done = 0, sched = 0;
	double iv = rate > 0 ? 1e9 / rate : 0;
	double nextd = t0;
	int rot = 0;
	if (rate <= 0)
		for (int i = 0; i < n; i++) {
			push(&c[i], now());
			c[i].owe += rq;
			flushk(&c[i], i);
		}
	struct epoll_event ev[256];
	u64 lateness = 0;
	for (;;) {
		u64 t = now();
		if (t >= te)
			break;
		if (rate > 0) {
			while (nextd <= t && nextd < te) {
				K *x = &c[rot];
				push(x, (u64)nextd);
				x->owe += rq;
				flushk(x, rot);
				rot = (rot + 1) % n;
				nextd += iv;
				sched++;
				if (t - (u64)nextd > lateness && t > (u64)nextd)
					lateness = t - (u64)nextd;
			}
		}
		struct timespec to = {0, 100000000};
		if (rate > 0) {
			t = now();
			long d = (long)(nextd - t);
			if (d < 0)
				d = 0;
			to.tv_nsec = d > 100000000 ? 100000000 : d;
		}
		int k = epoll_pwait2(ep, ev, 256, &to, 0);
		for (int i = 0; i < k; i++) {
			u32 id = ev[i].data.u32;
			K *x = &c[id];
			if (ev[i].events & EPOLLOUT)
				flushk(x, id);
			if (!(ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
				continue;
			ssize_t r = recv(x->fd, big, 262144, 0);
			if (r <= 0) {
				if (r < 0 && errno == EAGAIN)
					continue;
				errs++;
				epoll_ctl(ep, EPOLL_CTL_DEL, x->fd, 0);
				continue;
			}
			u64 g = (u64)x->got + r;
			while (g >= rs && x->qh != x->qt) {
				g -= rs;
				u64 ti = x->q[x->qh++ % x->qc];
				u64 tn = now();
				if (tn >= tw) {
					done++;
					if (ti >= tw || rate <= 0)
						rec(tn - ti);
				}
				if (rate <= 0) {
					push(x, tn);
					x->owe += rq;
					flushk(x, id);
				}
			}
			x->got = g;
		}
	}
	printf("{\"mode\":\"%s\",\"conns\":%d,\"req\":%u,\"resp\":%u,\"rps\":%.0f,\"secs\":%.3f",
	       rate > 0 ? "rate" : "rr", n, rq, rs, done / ((te - tw) / 1e9), (te - t0) / 1e9);
	if (rate > 0)
		printf(",\"target\":%.0f,\"lag_max_us\":%.0f", rate, lateness / 1e3);
	pct();
	printf(",\"errs\":%ld}\n", errs);
	return 0;
}
static int crr(int n, double secs, double rate)
{
	K *c = calloc(n, sizeof(K));
	for (int i = 0; i < n; i++)
		c[i].fd = -1;
	char h[10];
	hdr(h, 1, 1);
	h[9] = 'x';
	u64 t0 = now(), tw = t0 + 400000000ull, te = tw + (u64)(secs * 1e9), done = 0;
	double iv = rate > 0 ? 1e9 / rate : 0, nextd = t0;
	int *freel = malloc(n * 4), nf = 0;
	for (int i = n - 1; i >= 0; i--)
		freel[nf++] = i;
	long drop = 0;
	struct epoll_event ev[256];
	for (;;) {
		u64 t = now();
		if (t >= te)
			break;
		if (rate > 0) {
			while (nextd <= t) {
				if (nf) {
					int i = freel[--nf];
					c[i].t = (u64)nextd;
					c[i].st = 0;
					c[i].fd = conn(0);
					if (c[i].fd < 0) {
						errs++;
						freel[nf++] = i;
					} else
						add(c[i].fd, i, EPOLLOUT);
				} else
					drop++;
				nextd += iv;
			}
		} else
			while (nf) {
				int i = freel[--nf];
				c[i].t = now();
				c[i].st = 0;
				c[i].fd = conn(0);
				if (c[i].fd < 0) {
					errs++;
					freel[nf++] = i;
					if (errs > 100000)
						goto out;
					break;
				}
				add(c[i].fd, i, EPOLLOUT);
			}
		struct timespec to = {0, 100000000};
		if (rate > 0) {
			t = now();
			long d = (long)(nextd - t);
			if (d < 0)
				d = 0;
			to.tv_nsec = d > 100000000 ? 100000000 : d;
		}
		int k = epoll_pwait2(ep, ev, 256, &to, 0);
		for (int i = 0; i < k; i++) {
			int id = ev[i].data.u32;
			K *x = &c[id];
			int bad = 0;
			if (x->st == 0) {
				int e = 0;
				socklen_t l = 4;
				getsockopt(x->fd, SOL_SOCKET, SO_ERROR, &e, &l);
				if (e)
					bad = 1;
				else {
					if (send(x->fd, h, 10, MSG_NOSIGNAL) != 10)
						bad = 1;
					else {
						x->st = 1;
						mod(x->fd, id, EPOLLIN);
					}
				}
			} else {
				char b[16];
				ssize_t r = recv(x->fd, b, 16, 0);
				if (r < 0 && errno == EAGAIN)
					continue;
				if (r >= 1) {
					u64 tn = now();
					if (tn >= tw) {
						done++;
						if (x->t >= tw || rate <= 0)
							rec(tn - x->t);
					}
					close(x->fd);
					x->fd = -1;
					freel[nf++] = id;
				} else
					bad = 1;
			}
			if (bad) {
				errs++;
				close(x->fd);
				x->fd = -1;
				freel[nf++] = id;
				if (errs > 200000)
					goto out;
			}
		}
	}
out:
	printf("{\"mode\":\"%s\",\"parallel\":%d,\"cps\":%.0f,\"secs\":%.3f",
	       rate > 0 ? "crate" : "crr", n, done / ((te - tw) / 1e9), (te - t0) / 1e9);
	if (rate > 0)
		printf(",\"target\":%.0f,\"dropped\":%ld", rate, drop);
	pct();
	printf(",\"errs\":%ld}\n", errs);
	return 0;
}
static int idle(int n, double secs)
{
	char h[10];
	hdr(h, 1, 1);
	h[9] = 'x';
	int ok = 0;
	for (int i = 0; i < n; i++) {
		int f = conn(1);
		if (f < 0) {
			errs++;
			continue;
		}
		struct timeval tv = {5, 0};
		setsockopt(f, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
		if (xsend(f, h, 10) || xrecv(f, big, 1)) {
			if (++errs > 2)
				break;
		} else
			ok++;
	}
	printf("{\"mode\":\"idle\",\"conns\":%d,\"errs\":%ld}\n", ok, errs);
	fflush(stdout);
	usleep(secs * 1e6);
	return 0;
}
int main(int ac, char **av)
{
	if (ac < 4)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_TIMERSLACK, 1);
	struct rlimit rl = {1 << 20, 1 << 20};
	setrlimit(RLIMIT_NOFILE, &rl);
	big = malloc(1 << 20);
	memset(big, 'a', 1 << 20);
	ep = epoll_create1(0);
	A.sin_family = AF_INET;
	inet_pton(AF_INET, av[1], &A.sin_addr);
	A.sin_port = htons(atoi(av[2]));
	char *m = av[3];
#define F(i) (ac > i ? atof(av[i]) : 0)
	if (!strcmp(m, "bulk"))
		return bulk(av[4][0], F(5), F(6));
	if (!strcmp(m, "rr"))
		return rr(F(4), F(5), F(6), F(7), 0);
	if (!strcmp(m, "rate"))
		return rr(F(4), F(5), F(6), F(7), F(8));
	if (!strcmp(m, "crr"))
		return crr(F(4), F(5), 0);
	if (!strcmp(m, "crate"))
		return crr(F(4), F(5), F(6));
	if (!strcmp(m, "idle"))
		return idle(F(4), F(5));
	return 2;
}
