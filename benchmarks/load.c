/* The busy half of the load client: keeps messages in flight and counts what arrives.
 *
 * Python opens the connections and does the handshakes (load.py); these loops then write and
 * read until the time is over. They are in C so that they are never the bottleneck: a read costs
 * them little more than the system call.
 *
 * `fan_out`: the last connection publishes, all others count.
 * `exchange`: every connection asks, and asks again when it is answered; what else arrives is
 * counted as deliveries.
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
    const int *sockets;        /* in `fan_out` the last one publishes and is not counted */
    int count;
    char **frames;             /* what each connection says; `fan_out` uses the last */
    int frame_size;            /* of each */
    const int *stamps;         /* where in them the instant is written, as 19 digits */
    int stamp_count;
    const int *counts;         /* where in them the message is numbered, as 9 digits */
    int count_count;
    const char *delivery;      /* occurs once in a message, just before the instant; or NULL */
    const char *answer;        /* occurs once in an answer, for `exchange` */
    int in_flight;             /* for `fan_out` */
    double pause;              /* seconds between two messages of `fan_out` */
    double warm_up, seconds;
};

struct measured {
    double elapsed, busy;
    uint64_t published, received;   /* asked and delivered; `exchange` counts what was answered */
    uint64_t sample_count;
    int64_t *samples;          /* SAMPLES places for latencies in nanoseconds */
    uint64_t answer_count;
    int64_t *answers;          /* the same, from asking to the answer */
};

/* What one connection left unread: the beginning of a marker may be among it. */
struct tail {
    char bytes[MARKER];
    int size;
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

static int say(const struct load *load, int who, uint64_t number)
{
    char *frame = load->frames[who];
    write_digits(frame, load->stamps, load->stamp_count, now(), DIGITS);
    write_digits(frame, load->counts, load->count_count, number, COUNT_DIGITS);
    for (int sent = 0; sent < load->frame_size;) {
        ssize_t n = send(load->sockets[who], frame + sent, load->frame_size - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            struct pollfd writable = {.fd = load->sockets[who], .events = POLLOUT};
            poll(&writable, 1, 1000);
        } else if (n < 0) {
            return -1;
        } else {
            sent += n;
        }
    }
    return 0;
}

/* Counts markers in what was read, and notes the latency of the last if its instant is there. */
static uint64_t count(const char *marker, const char *data, size_t size, int64_t *latency)
{
    uint64_t found = 0;
    size_t width = strlen(marker);
    const char *at = data, *end = data + size, *last = NULL;
    while ((at = memmem(at, end - at, marker, width))) {
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

/* Reads behind what was left before; -1 with errno when the connection ended. */
static ssize_t read_on(int socket, char *buffer, struct tail *tail)
{
    memcpy(buffer, tail->bytes, tail->size);
    ssize_t size = recv(socket, buffer + tail->size, BUFFER, 0);
    if (size <= 0) {
        errno = size ? errno : ECONNRESET;
        return -1;
    }
    return size + tail->size;
}

/* Keeps one byte less than the marker: what is counted is never counted again. */
static void keep(struct tail *tail, const char *marker, const char *data, ssize_t size)
{
    ssize_t width = strlen(marker);
    tail->size = size < width - 1 ? size : width - 1;
    memcpy(tail->bytes, data + size - tail->size, tail->size);
}

static void note(int64_t latency, int64_t *samples, uint64_t *count)
{
    if (latency >= 0 && *count < SAMPLES)
        samples[(*count)++] = latency;
}

static int poller_of(const struct load *load)
{
    int poller = epoll_create1(0);
    for (int i = 0; i < load->count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
        if (epoll_ctl(poller, EPOLL_CTL_ADD, load->sockets[i], &event))
            return -1;
    }
    return poller;
}

static int wait_for(int poller, struct epoll_event *events)
{
    int ready = epoll_wait(poller, events, EVENTS, 5000);
    if (ready == 0)
        errno = ETIMEDOUT;
    return ready;
}

/* 0, or -1 with errno when a connection ended or nothing arrived for five seconds. */
int fan_out(const struct load *load, struct measured *result)
{
    static char buffer[MARKER + BUFFER];
    int publisher = load->count - 1, status = -1, poller = poller_of(load);
    struct tail *tails = calloc(load->count, sizeof *tails);
    int64_t begin = now() + (int64_t)(load->warm_up * 1e9);
    int64_t end = begin + (int64_t)(load->seconds * 1e9), mark = 0, instant;
    uint64_t subscribers = load->count - 1;
    uint64_t published = 0, received = 0, published_at_mark = 0, received_at_mark = 0;
    double busy_at_mark = 0;
    result->sample_count = 0;
    while (poller >= 0 && (instant = now()) < end) {
        if (!mark && instant >= begin) {
            mark = instant;
            published_at_mark = published;
            received_at_mark = received;
            busy_at_mark = own_cpu();
            result->sample_count = 0;
        }
        while (published * subscribers < received + load->in_flight * subscribers) {
            if (load->pause)
                usleep((useconds_t)(load->pause * 1e6));
            if (say(load, publisher, published))
                goto done;
            published++;
        }
        struct epoll_event events[EVENTS];
        int ready = wait_for(poller, events);
        if (ready <= 0)
            goto done;
        for (int e = 0; e < ready; e++) {
            int i = events[e].data.u32;
            ssize_t size = read_on(load->sockets[i], buffer, &tails[i]);
            if (size < 0)
                goto done;
            if (i == publisher)
                continue;
            int64_t latency;
            received += count(load->delivery, buffer, size, &latency);
            if (i % 16 == 0)
                note(latency, result->samples, &result->sample_count);
            keep(&tails[i], load->delivery, buffer, size);
        }
    }
    result->elapsed = (now() - mark) / 1e9;
    result->busy = (own_cpu() - busy_at_mark) / result->elapsed;
    result->published = published - published_at_mark;
    result->received = received - received_at_mark;
    status = poller < 0 ? -1 : 0;
done:
    free(tails);
    close(poller);
    return status;
}

/* 0, or -1 with errno when a connection ended or nothing arrived for five seconds. */
int exchange(const struct load *load, struct measured *result)
{
    static char buffer[MARKER + BUFFER];
    int status = -1, poller = poller_of(load);
    struct tail *answers = calloc(load->count, sizeof *answers);
    struct tail *deliveries = calloc(load->count, sizeof *deliveries);
    int64_t *asked_at = calloc(load->count, sizeof *asked_at);
    int64_t begin = now() + (int64_t)(load->warm_up * 1e9);
    int64_t end = begin + (int64_t)(load->seconds * 1e9), mark = 0, instant;
    uint64_t answered = 0, delivered = 0, answered_at_mark = 0, delivered_at_mark = 0, number = 0;
    double busy_at_mark = 0;
    for (int i = 0; poller >= 0 && i < load->count; i++) {
        asked_at[i] = now();
        if (say(load, i, number++))
            goto done;
    }
    while (poller >= 0 && (instant = now()) < end) {
        if (!mark && instant >= begin) {
            mark = instant;
            answered_at_mark = answered;
            delivered_at_mark = delivered;
            busy_at_mark = own_cpu();
            result->sample_count = result->answer_count = 0;
        }
        struct epoll_event events[EVENTS];
        int ready = wait_for(poller, events);
        if (ready <= 0)
            goto done;
        for (int e = 0; e < ready; e++) {
            int i = events[e].data.u32;
            struct tail before = answers[i];
            ssize_t size = read_on(load->sockets[i], buffer, &answers[i]);
            if (size < 0)
                goto done;
            int64_t latency;
            uint64_t found = count(load->answer, buffer, size, &latency);
            keep(&answers[i], load->answer, buffer, size);
            if (load->delivery) {
                /* The same bytes again, behind what the other marker left. */
                static char again[MARKER + BUFFER];
                ssize_t fresh = size - before.size;
                memcpy(again, deliveries[i].bytes, deliveries[i].size);
                memcpy(again + deliveries[i].size, buffer + before.size, fresh);
                fresh += deliveries[i].size;
                delivered += count(load->delivery, again, fresh, &latency);
                note(latency, result->samples, &result->sample_count);
                keep(&deliveries[i], load->delivery, again, fresh);
            }
            if (found) {
                note(now() - asked_at[i], result->answers, &result->answer_count);
                answered += found;
                asked_at[i] = now();
                if (say(load, i, number++))
                    goto done;
            }
        }
    }
    result->elapsed = (now() - mark) / 1e9;
    result->busy = (own_cpu() - busy_at_mark) / result->elapsed;
    result->published = answered - answered_at_mark;
    result->received = delivered - delivered_at_mark;
    status = poller < 0 ? -1 : 0;
done:
    free(answers);
    free(deliveries);
    free(asked_at);
    close(poller);
    return status;
}
