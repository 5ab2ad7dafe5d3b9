/* The reading half of the load client: keeps messages in flight and counts what arrives.
 *
 * Python opens the connections and does the handshakes (load.py); this loop then publishes and
 * reads until the time is over. It is in C so that it is never the bottleneck: a read costs it
 * little more than the system call.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER = 1 << 18, MARKER = 16, DIGITS = 19, COUNT_DIGITS = 9, EVENTS = 256, SAMPLES = 1 << 20 };

struct load {
    const int *sockets;        /* subscribers, then the publisher, which is not counted */
    int subscribers;
    char *frame;               /* what publishes one message */
    int frame_size;
    const int *stamps;         /* where in it the instant is written, as 19 digits */
    int stamp_count;
    const int *counts;         /* where in it the message is numbered, as 9 digits */
    int count_count;
    const char *marker;        /* occurs once in a message, just before the instant */
    int in_flight;
    double warm_up, seconds;
};

struct measured {
    double elapsed, busy;
    uint64_t published, received, sample_count;
    int64_t *samples;          /* SAMPLES places for latencies in nanoseconds */
};

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static double own_cpu(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void write_digits(char *frame, const int *places, int count, uint64_t value, int width)
{
    char digits[DIGITS];
    for (int i = width; i-- > 0; value /= 10)
        digits[i] = '0' + value % 10;
    for (int i = 0; i < count; i++)
        memcpy(frame + places[i], digits, width);
}

static int publish(const struct load *load, uint64_t number)
{
    write_digits(load->frame, load->stamps, load->stamp_count, now(), DIGITS);
    write_digits(load->frame, load->counts, load->count_count, number, COUNT_DIGITS);
    int socket = load->sockets[load->subscribers];
    for (int sent = 0; sent < load->frame_size;) {
        ssize_t n = send(socket, load->frame + sent, load->frame_size - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            struct pollfd writable = {.fd = socket, .events = POLLOUT};
            poll(&writable, 1, 1000);
        } else if (n < 0) {
            return -1;
        } else {
            sent += n;
        }
    }
    return 0;
}

/* Counts markers in `data`, and notes the latency of the last message if it is all there. */
static uint64_t count(const struct load *load, const char *data, size_t size, int64_t *latency)
{
    uint64_t found = 0;
    size_t width = strlen(load->marker);
    const char *at = data, *end = data + size, *last = NULL;
    while ((at = memmem(at, end - at, load->marker, width))) {
        found++;
        at += width;
        last = at;
    }
    *latency = -1;
    if (last && end - last >= DIGITS) {
        int64_t instant = 0;
        for (int i = 0; i < DIGITS; i++)
            instant = instant * 10 + (last[i] - '0');
        *latency = now() - instant;
    }
    return found;
}

/* 0, or -1 with errno when a connection ended or nothing arrived for five seconds. */
int fan_out(const struct load *load, struct measured *result)
{
    static char buffer[MARKER + BUFFER];
    int total = load->subscribers + 1, width = strlen(load->marker), status = -1;
    int poller = epoll_create1(0);
    char *tails = calloc(total, MARKER);
    uint8_t *tail_sizes = calloc(total, 1);
    for (int i = 0; i < total; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
        if (epoll_ctl(poller, EPOLL_CTL_ADD, load->sockets[i], &event))
            goto done;
    }
    int64_t begin = now() + (int64_t)(load->warm_up * 1e9);
    int64_t end = begin + (int64_t)(load->seconds * 1e9), mark = 0, instant;
    uint64_t published = 0, received = 0, published_at_mark = 0, received_at_mark = 0;
    double busy_at_mark = 0;
    result->sample_count = 0;
    while ((instant = now()) < end) {
        if (!mark && instant >= begin) {
            mark = instant;
            published_at_mark = published;
            received_at_mark = received;
            busy_at_mark = own_cpu();
            result->sample_count = 0;
        }
        uint64_t subscribers = load->subscribers;
        while (published * subscribers < received + load->in_flight * subscribers) {
            if (publish(load, published))
                goto done;
            published++;
        }
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(poller, events, EVENTS, 5000);
        if (ready == 0) {
            errno = ETIMEDOUT;
            goto done;
        }
        for (int e = 0; e < ready; e++) {
            int i = events[e].data.u32;
            memcpy(buffer, tails + i * MARKER, tail_sizes[i]);
            ssize_t size = recv(load->sockets[i], buffer + tail_sizes[i], BUFFER, 0);
            if (size <= 0) {
                errno = size ? errno : ECONNRESET;
                goto done;
            }
            if (i == load->subscribers)
                continue;
            size += tail_sizes[i];
            int64_t latency;
            received += count(load, buffer, size, &latency);
            if (latency >= 0 && i % 16 == 0 && result->sample_count < SAMPLES)
                result->samples[result->sample_count++] = latency;
            /* One byte less than a marker: what is counted is never counted again. */
            tail_sizes[i] = size < width - 1 ? size : width - 1;
            memcpy(tails + i * MARKER, buffer + size - tail_sizes[i], tail_sizes[i]);
        }
    }
    result->elapsed = (now() - mark) / 1e9;
    result->busy = (own_cpu() - busy_at_mark) / result->elapsed;
    result->published = published - published_at_mark;
    result->received = received - received_at_mark;
    status = 0;
done:
    free(tails);
    free(tail_sizes);
    close(poller);
    return status;
}
