// dnsload: asks a resolver at a fixed rate and measures each answer from the moment its query was due.
//
//  dnsload ADDRESS SECONDS RATE NAME...     (IPv4 or IPv6; names in turn, type A)
//  dnsload serve                            (a resolver on port 53 that says there is no such record)
//
// One UDP socket, one thread. An answer counts when it repeats the identifier and has an address.
// Output: one JSON line; times in microseconds.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { IDS = 65536, NAMES = 4096, QUERY = 512 };

static uint64_t due[IDS]; /* when the query with this identifier was due; 0: none is waiting */
static unsigned char queries[NAMES][QUERY];
static int sizes[NAMES];
static uint32_t *samples;
static size_t sample_count;
static uint64_t sent, answered, empty, failed;

static uint64_t now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static int pack(unsigned char *query, const char *name)
{
	static const unsigned char head[12] = { 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1 };
	static const unsigned char edns[11] = { 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0 };
	int at = sizeof head;

	memcpy(query, head, sizeof head);
	while (*name) {
		size_t label = strcspn(name, ".");
		query[at++] = (unsigned char)label;
		memcpy(query + at, name, label);
		at += (int)label;
		name += label + (name[label] == '.');
	}
	memcpy(query + at, "\0\0\1\0\1", 5);
	memcpy(query + at + 5, edns, sizeof edns);
	return at + 5 + (int)sizeof edns;
}

static void receive(int fd)
{
	unsigned char answer[4096];
	ssize_t count;

	while ((count = recv(fd, answer, sizeof answer, MSG_DONTWAIT)) > 0) {
		int id = answer[0] << 8 | answer[1];
		uint64_t took;

		if (count < 12 || !due[id])
			continue;
		took = (now() - due[id]) / 1000;
		due[id] = 0;
		answered++;
		if (answer[3] & 15)
			failed++;
		else if (!(answer[6] << 8 | answer[7]))
			empty++;
		samples[sample_count++] = took > UINT32_MAX ? UINT32_MAX : (uint32_t)took;
	}
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

static uint32_t percentile(double part)
{
	size_t index = (size_t)(part * (double)sample_count);
	return sample_count ? samples[index < sample_count ? index : sample_count - 1] : 0;
}

static int serve(void)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(53) }, client;
	unsigned char message[4096];
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	if (bind(fd, (struct sockaddr *)&any, sizeof any))
		return perror("dnsload: bind"), 1;
	for (;;) {
		socklen_t size = sizeof client;
		ssize_t count = recvfrom(fd, message, sizeof message, 0, (struct sockaddr *)&client, &size);
		if (count < 12)
			continue;
		message[2] |= 0x80;
		message[3] = 0x80;
		sendto(fd, message, (size_t)count, 0, (struct sockaddr *)&client, size);
	}
}

int main(int count, char **words)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(53) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(53) };
	int names = count - 4, is_v6, fd, room = 4 << 20;
	double seconds, rate;
	uint64_t start, total, next = 0;

	if (count == 2 && !strcmp(words[1], "serve"))
		return serve();
	if (names < 1 || names > NAMES)
		return fprintf(stderr, "usage: dnsload ADDRESS SECONDS RATE NAME...\n"), 2;
	seconds = atof(words[2]);
	rate = atof(words[3]);
	total = (uint64_t)(seconds * rate);
	samples = calloc(total + 1, sizeof *samples);
	for (int name = 0; name < names; name++)
		sizes[name] = pack(queries[name], words[4 + name]);
	is_v6 = !inet_pton(AF_INET, words[1], &v4.sin_addr);
	if (is_v6 && inet_pton(AF_INET6, words[1], &v6.sin6_addr) != 1)
		return fprintf(stderr, "dnsload: %s is no address\n", words[1]), 2;
	fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
	if (connect(fd, is_v6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4, is_v6 ? sizeof v6 : sizeof v4))
		return perror("dnsload: connect"), 1;

	start = now();
	while (sent < total || (sample_count < sent && now() - start < (uint64_t)((seconds + 2) * 1e9))) {
		uint64_t moment = now();

		while (sent < total && (next = start + (uint64_t)((double)sent * 1e9 / rate)) <= moment) {
			unsigned char *query = queries[sent % (uint64_t)names];
			int id = (int)(sent % IDS);

			query[0] = (unsigned char)(id >> 8);
			query[1] = (unsigned char)id;
			due[id] = next;
			if (send(fd, query, (size_t)sizes[sent % (uint64_t)names], 0) < 0 && errno != ECONNREFUSED)
				failed++;
			sent++;
		}
		receive(fd);
		if (sent < total) {
			int64_t left = (int64_t)(next - now());
			struct timespec pause = { 0, left > 0 ? left : 0 };
			struct pollfd watched = { .fd = fd, .events = POLLIN };
			ppoll(&watched, 1, &pause, NULL);
		} else {
			struct pollfd watched = { .fd = fd, .events = POLLIN };
			poll(&watched, 1, 10);
		}
	}
	qsort(samples, sample_count, sizeof *samples, compare);
	printf("{\"sent\": %lu, \"answered\": %lu, \"empty\": %lu, \"failed\": %lu, \"unanswered\": %lu, "
	       "\"p50\": %u, \"p90\": %u, \"p99\": %u, \"p999\": %u, \"max\": %u}\n",
	       sent, answered, empty, failed, sent - answered, percentile(0.5), percentile(0.9),
	       percentile(0.99), percentile(0.999), percentile(1));
	return 0;
}
