// splice_relay LISTEN_IP:PORT DEST_IP:PORT THREADS : plain TCP relay with splice() through a pipe
// per direction. Limit for two hops without crypto.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
struct P;
typedef struct End {
	int fd;
	struct End *peer;
	int pr, pw;
	int inpipe;
	int eof, shut, rdy, wok;
	struct P *p;
	int isl;
} End;
typedef struct P {
	End a, b;
	int dead;
	struct P *nx;
} P;
static struct sockaddr_in L, D;
static int nosplice;
static void ad(char *s, struct sockaddr_in *a)
{
	char t[64];
	strcpy(t, s);
	char *c = strchr(t, ':');
	*c = 0;
	a->sin_family = AF_INET;
	inet_pton(AF_INET, t, &a->sin_addr);
	a->sin_port = htons(atoi(c + 1));
}
// move from e -> e->peer ; pipes are created lazily and given back to a pool when empty
static __thread int pool[1024][2], np;
static int getp(End *e)
{
	if (e->pr >= 0)
		return 0;
	if (np) {
		np--;
		e->pr = pool[np][0];
		e->pw = pool[np][1];
		return 0;
	}
	int q[2];
	if (pipe2(q, O_NONBLOCK))
		return -1;
	fcntl(q[1], F_SETPIPE_SZ, 262144);
	e->pr = q[0];
	e->pw = q[1];
	return 0;
}
static void putp(End *e)
{
	if (e->pr < 0 || e->inpipe)
		return;
	if (np < 1024) {
		pool[np][0] = e->pr;
		pool[np][1] = e->pw;
		np++;
	} else {
		close(e->pr);
		close(e->pw);
	}
	e->pr = -1;
}
static int mv(End *e)
{
	for (int it = 0; it < 8; it++) {
		if (e->inpipe == 0) {
			if (e->eof) {
				if (!e->shut) {
					e->shut = 1;
					shutdown(e->peer->fd, SHUT_WR);
				}
				putp(e);
				return 0;
			}
			if (!e->rdy) {
				putp(e);
				return 0;
			}
			if (getp(e))
				return -1;
			ssize_t k =
			    splice(e->fd, 0, e->pw, 0, 262144, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
			if (k < 0) {
				if (errno == EAGAIN) {
					e->rdy = 0;
					putp(e);
					return 0;
				}
				return -1;
			}
			if (k == 0) {
				e->eof = 1;
				continue;
			}
			e->inpipe = k;
		}
		if (!e->peer->wok)
			return 0;
		ssize_t k = splice(e->pr, 0, e->peer->fd, 0, e->inpipe,
				   SPLICE_F_NONBLOCK | SPLICE_F_MOVE | (0));
		if (k < 0) {
			if (errno == EAGAIN) {
				e->peer->wok = 0;
				return 0;
			}
			return -1;
		}
		e->inpipe -= k;
	}
	return 1;
}
static void *w(void *_)
{
	int ep = epoll_create1(0), l = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, 4);
	setsockopt(l, SOL_SOCKET, SO_REUSEPORT, &one, 4);
	if (bind(l, (void *)&L, sizeof L) || listen(l, 4096)) {
		perror("bind");
		exit(1);
	}
	static __thread End le;
	le.isl = 1;
	le.fd = l;
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = &le};
	epoll_ctl(ep, EPOLL_CTL_ADD, l, &e);
	struct epoll_event ev[256];
	for (;;) {
		int n = epoll_wait(ep, ev, 256, -1);
		P *dead = 0;
		for (int i = 0; i < n; i++) {
			End *x = ev[i].data.ptr;
			if (x->isl) {
				for (int q = 0; q < 32; q++) {
					int f = accept4(l, 0, 0, SOCK_NONBLOCK);
					if (f < 0)
						break;
					int g = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
					setsockopt(f, IPPROTO_TCP, TCP_NODELAY, &one, 4);
					setsockopt(g, IPPROTO_TCP, TCP_NODELAY, &one, 4);
					if (connect(g, (void *)&D, sizeof D) &&
					    errno != EINPROGRESS) {
						close(f);
						close(g);
						continue;
					}
					P *p = calloc(1, sizeof *p);
					p->a.fd = f;
					p->b.fd = g;
					p->a.peer = &p->b;
					p->b.peer = &p->a;
					p->a.p = p->b.p = p;
					p->a.pr = p->b.pr = -1;
					p->a.wok = 1;
					struct epoll_event u = {.events = EPOLLIN | EPOLLOUT |
									  EPOLLRDHUP | EPOLLET,
								.data.ptr = &p->a};
					epoll_ctl(ep, EPOLL_CTL_ADD, f, &u);
					u.data.ptr = &p->b;
					epoll_ctl(ep, EPOLL_CTL_ADD, g, &u);
				}
				continue;
			}
			P *p = x->p;
			if (p->dead)
				continue;
			unsigned v = ev[i].events;
			int bad = 0;
			if (v & EPOLLERR)
				bad = 1;
			if (v & (EPOLLIN | EPOLLRDHUP | EPOLLHUP))
				x->rdy = 1;
			if (v & EPOLLOUT)
				x->wok = 1;
			if (!bad) {
				int r;
				do {
					int r1 = mv(&p->a), r2 = mv(&p->b);
					if (r1 < 0 || r2 < 0)
						bad = 1;
					r = r1 == 1 || r2 == 1;
				} while (r && !bad);
			}
			if (bad || (p->a.shut && p->b.shut)) {
				p->dead = 1;
				for (int z = 0; z < 2; z++) {
					End *q = z ? &p->b : &p->a;
					if (q->pr >= 0) {
						if (q->inpipe) {
							close(q->pr);
							close(q->pw);
						} else
							putp(q);
					}
					close(q->fd);
				}
				p->nx = dead;
				dead = p;
			}
		}
		while (dead) {
			P *t = dead->nx;
			free(dead);
			dead = t;
		}
	}
}
int main(int ac, char **av)
{
	signal(SIGPIPE, SIG_IGN);
	struct rlimit rl = {1 << 20, 1 << 20};
	setrlimit(RLIMIT_NOFILE, &rl);
	ad(av[1], &L);
	ad(av[2], &D);
	int t = ac > 3 ? atoi(av[3]) : 1;
	pthread_t th;
	for (int i = 1; i < t; i++)
		pthread_create(&th, 0, w, 0);
	w(0);
}
