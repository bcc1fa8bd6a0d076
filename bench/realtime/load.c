/* The load client of the realtime benchmark: many WebSocket viewers in one thread over epoll.
 *
 * Reads a plan (one connection a line, divided by tabs: port, room, publisher 0/1, path, headers divided by '|'), opens
 * all of them, prints one JSON line about that, then carries out the phases it reads from its input, each with a JSON
 * line as answer:
 *
 *   open RATE WARM SECONDS DRAIN     messages on a schedule; latency counts from the time a message was due
 *   closed WINDOW WARM SECONDS DRAIN so many messages of each room in flight; one is done when all viewers have it
 *   acks WINDOW WARM SECONDS DRAIN   so many unanswered commands for each publisher
 *   quiet SECONDS                    only read
 *   quit
 *
 * A message is a document that carries a marker: "LOAD:", 16 hex digits of its time in ns, 8 of its number in the room,
 * 4 of its publisher. Documents of one frame are divided by newlines. Every viewer must get every message of its room
 * once, and those of one publisher in order.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "figures.h"
#include "websocket.h"

#define MARKER "LOAD:"
#define MARKER_LENGTH 5
#define STAMP_LENGTH (MARKER_LENGTH + 28)
#define READ_BYTES (8 << 20)
#define RING (1u << 16)
#define STALL_NS 2000000000ll

enum state { IDLE, CONNECTING, HANDSHAKE, GREETING, READY, GONE };
enum mode { OPEN, CLOSED, ACKS };

struct connection {
    int fd, room, port, publisher; /* publisher: its number in the room, or -1 */
    enum state state;
    const char *path, *headers;
    char accept[29];
    uint8_t *in, *out;
    size_t in_length, out_length, out_size;
    uint64_t *seen;
    size_t seen_words, hint;
    uint32_t *last; /* by publisher: its newest message here, plus one */
    int unanswered, dirty, writing; /* writing: whether the loop waits for room to write */
};

struct room {
    int members, publishers, next_publisher, outstanding;
    struct connection **speakers;
    uint32_t next, first; /* message numbers: of the whole run, of this phase */
    uint32_t *copies;     /* by number modulo RING: how many viewers have it */
    int64_t progress;
};


static struct {
    const char *host, *plan, *message, *ready;
    int socketio, connecting, baseline, text_bytes;
    double connect_seconds;
} options = {.host = "127.0.0.1", .ready = "open", .connecting = 100, .baseline = 50, .connect_seconds = 120};

static struct connection *connections;
static struct room *rooms;
static int connection_count, room_count, poll_fd;
static int opened, refused, refused_status, closed, close_code, broken;
static uint8_t read_buffer[READ_BYTES];

static struct {
    enum mode mode;
    int active, measuring;
    double rate;
    int window;
    int64_t from, until;
    uint64_t sent, due, unsent, expected, received, measured, frames, bytes, doubled, disordered, late, stalls;
    uint64_t acked, acked_measured, refused;
    struct histogram latency, ack_latency;
    int64_t last_read;
} phase;

static void fail(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void *allocate(size_t count, size_t size) {
    void *memory = calloc(count ? count : 1, size);
    if (!memory) fail("memory");
    return memory;
}

/* ---- Writing ---- */

static void watch(struct connection *connection, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = connection};
    epoll_ctl(poll_fd, EPOLL_CTL_MOD, connection->fd, &event);
}

static void drop(struct connection *connection) {
    if (connection->state == GONE) return;
    if (connection->state == READY) closed++, rooms[connection->room].members--;
    close(connection->fd);
    free(connection->in);
    connection->in = NULL, connection->in_length = connection->out_length = 0;
    connection->state = GONE;
}

static void flush(struct connection *connection) {
    size_t done = 0;
    connection->dirty = 0;
    while (done < connection->out_length) {
        ssize_t wrote = send(connection->fd, connection->out + done, connection->out_length - done, MSG_NOSIGNAL);
        if (wrote < 0) {
            if (errno == EINTR) continue;
            if (errno == EAGAIN) break;
            drop(connection);
            return;
        }
        done += (size_t)wrote;
    }
    connection->out_length -= done;
    if (connection->out_length) memmove(connection->out, connection->out + done, connection->out_length);
    int writing = connection->out_length > 0;
    if (writing != connection->writing) watch(connection, EPOLLIN | (writing ? EPOLLOUT : 0));
    connection->writing = writing;
}

static uint8_t *reserve(struct connection *connection, size_t length) {
    size_t needed = connection->out_length + length;
    if (needed > connection->out_size) {
        connection->out_size = needed * 2;
        connection->out = realloc(connection->out, connection->out_size);
        if (!connection->out) fail("memory");
    }
    return connection->out + connection->out_length;
}

static void write_frame(struct connection *connection, int opcode, const void *payload, size_t length) {
    if (connection->state == GONE) return;
    uint8_t *out = reserve(connection, length + 14);
    connection->out_length += frame_build(out, opcode, payload, length);
}

/* ---- Publishing ---- */

static void publish(struct room *room, struct connection *speaker, int64_t due) {
    static char *text;
    if (!text) text = allocate(strlen(options.message) + (size_t)options.text_bytes + 256, 1);
    uint32_t number = room->next++;
    char stamp[STAMP_LENGTH + 1];
    snprintf(stamp, sizeof stamp, MARKER "%016llx%08x%04x", (unsigned long long)due, number, speaker->publisher);
    char *out = text;
    for (const char *from = options.message; *from; from++) {
        if (from[0] == '%' && from[1] == 'M') {
            memcpy(out, stamp, STAMP_LENGTH), out += STAMP_LENGTH, from++;
            for (int i = STAMP_LENGTH; i < options.text_bytes; i++) *out++ = 'x';
        } else if (from[0] == '%' && from[1] == 'I') {
            memcpy(out, stamp + MARKER_LENGTH, 28), out += 28, from++;
        } else {
            *out++ = *from;
        }
    }
    if (speaker->state != READY) {
        phase.unsent++, room->next--;
        return;
    }
    room->copies[number % RING] = 0;
    if (room->outstanding++ == 0) room->progress = now_ns();
    speaker->unanswered++;
    write_frame(speaker, OP_TEXT, text, (size_t)(out - text));
    phase.sent++, phase.expected += (uint64_t)room->members;
    speaker->dirty = 1;
}

static void publish_next(struct room *room, int64_t due) {
    if (!room->publishers) return;
    struct connection *speaker = room->speakers[room->next_publisher];
    room->next_publisher = (room->next_publisher + 1) % room->publishers;
    publish(room, speaker, due);
}

static void flush_speakers(void) {
    for (int r = 0; r < room_count; r++)
        for (int p = 0; p < rooms[r].publishers; p++)
            if (rooms[r].speakers[p]->dirty) flush(rooms[r].speakers[p]);
}

static void fill_windows(int64_t now) {
    if (!phase.active || phase.mode == OPEN) return;
    for (int r = 0; r < room_count; r++) {
        struct room *room = &rooms[r];
        if (phase.mode == ACKS) {
            for (int p = 0; p < room->publishers; p++) {
                struct connection *speaker = room->speakers[p];
                while (speaker->state == READY && speaker->unanswered < phase.window) publish(room, speaker, now);
            }
            continue;
        }
        if (room->outstanding > 0 && now - room->progress > STALL_NS) room->outstanding = 0, phase.stalls++;
        for (int tries = 0; room->outstanding < phase.window && tries < phase.window + room->publishers; tries++)
            publish_next(room, now);
    }
    flush_speakers();
}

/* ---- Reading ---- */

static int8_t hex_values[256];

static uint64_t hex(const uint8_t *text, int length) {
    uint64_t value = 0;
    for (int i = 0; i < length; i++) value = value << 4 | (uint64_t)(hex_values[text[i]] & 15);
    return value;
}

static int mark_seen(struct connection *connection, uint32_t index) {
    size_t word = index / 64;
    if (word >= connection->seen_words) {
        size_t words = (word + 1) * 2;
        connection->seen = realloc(connection->seen, words * 8);
        if (!connection->seen) fail("memory");
        memset(connection->seen + connection->seen_words, 0, (words - connection->seen_words) * 8);
        connection->seen_words = words;
    }
    uint64_t bit = 1ull << (index % 64);
    if (connection->seen[word] & bit) return 0;
    connection->seen[word] |= bit;
    return 1;
}

static void message(struct connection *connection, const uint8_t *stamp, int64_t now) {
    struct room *room = &rooms[connection->room];
    int64_t due = (int64_t)hex(stamp + MARKER_LENGTH, 16);
    uint32_t number = (uint32_t)hex(stamp + MARKER_LENGTH + 16, 8);
    uint32_t publisher = (uint32_t)hex(stamp + MARKER_LENGTH + 24, 4);
    if (number < room->first || number >= room->next) {
        phase.late++;
        return;
    }
    uint32_t index = number - room->first;
    if (!mark_seen(connection, index)) {
        phase.doubled++;
        return;
    }
    phase.received++;
    if (publisher < (uint32_t)room->publishers) {
        if (index + 1 < connection->last[publisher]) phase.disordered++;
        else connection->last[publisher] = index + 1;
    }
    if (phase.measuring) phase.measured++;
    if (due >= phase.from && due < phase.until) histogram_add(&phase.latency, now - due);
    if (phase.mode == CLOSED && ++room->copies[number % RING] == (uint32_t)room->members) {
        room->outstanding--;
        room->progress = now;
    }
}

static void answer(struct connection *connection, const uint8_t *document, size_t length, int64_t now) {
    if (length < 6 + 28 || connection->publisher < 0) return;
    int64_t sent = (int64_t)hex(document + 7, 16);
    connection->unanswered--;
    if (!memmem(document, length < 80 ? length : 80, "\"ok\":true", 9)) {
        phase.refused++;
        return;
    }
    phase.acked++;
    if (phase.measuring) phase.acked_measured++;
    if (sent >= phase.from && sent < phase.until) histogram_add(&phase.ack_latency, now - sent);
}

static void documents(struct connection *connection, const uint8_t *text, size_t length, int64_t now) {
    const uint8_t *end = text + length;
    while (text < end) {
        const uint8_t *stop = memchr(text, '\n', (size_t)(end - text));
        if (!stop) stop = end;
        size_t size = (size_t)(stop - text);
        if (size > 7 && !memcmp(text, "{\"re\":\"", 7)) {
            answer(connection, text, size, now);
        } else if (size >= STAMP_LENGTH) {
            const uint8_t *stamp = NULL;
            if (connection->hint + STAMP_LENGTH <= size && !memcmp(text + connection->hint, MARKER, MARKER_LENGTH))
                stamp = text + connection->hint;
            else
                stamp = memmem(text, size - STAMP_LENGTH + MARKER_LENGTH, MARKER, MARKER_LENGTH);
            if (stamp) {
                connection->hint = (size_t)(stamp - text);
                message(connection, stamp, now);
            }
        }
        text = stop + 1;
    }
}

static void greeted(struct connection *connection) {
    connection->state = READY;
    opened++;
    rooms[connection->room].members++;
}

static void text_frame(struct connection *connection, const struct frame *frame, int64_t now) {
    const uint8_t *text = frame->payload;
    size_t length = frame->length;
    phase.frames += (uint64_t)phase.measuring;
    if (options.socketio) {
        if (length == 1 && text[0] == '2') {
            write_frame(connection, OP_TEXT, "3", 1);
            flush(connection);
            return;
        }
        if (connection->state == GREETING) {
            if (text[0] == '0') {
                write_frame(connection, OP_TEXT, "40", 2);
                flush(connection);
            } else if (length >= 2 && text[0] == '4' && text[1] == '0') {
                greeted(connection);
            }
            return;
        }
    }
    if (connection->state == GREETING) {
        greeted(connection);
        const uint8_t *stop = memchr(text, '\n', length); /* the greeting may hold older messages */
        if (!stop) return;
        length -= (size_t)(stop + 1 - text), text = stop + 1;
    }
    documents(connection, text, length, now);
}

/* 0 when the connection is over. */
static int one_frame(struct connection *connection, const struct frame *frame, int64_t now) {
    switch (frame->opcode) {
    case OP_TEXT:
    case OP_BINARY:
    case OP_CONTINUATION:
        if (!frame->final) broken++;
        text_frame(connection, frame, now);
        return connection->state != GONE;
    case OP_PING:
        write_frame(connection, OP_PONG, frame->payload, frame->length);
        flush(connection);
        return connection->state != GONE;
    case OP_CLOSE:
        close_code = frame->length >= 2 ? frame->payload[0] << 8 | frame->payload[1] : 1005;
        if (connection->state == GREETING) refused++, refused_status = close_code;
        drop(connection);
        return 0;
    default:
        return 1;
    }
}

static void consume(struct connection *connection, size_t length, int64_t now) {
    const uint8_t *data = read_buffer, *end = read_buffer + length;
    if (connection->state == HANDSHAKE) {
        const uint8_t *stop = memmem(data, length, "\r\n\r\n", 4);
        if (stop) {
            int status = handshake_status((const char *)data, (size_t)(stop + 2 - data), connection->accept);
            if (status != 101) {
                refused++, refused_status = status;
                drop(connection);
                return;
            }
            data = stop + 4;
            connection->state = GREETING;
            if (!options.socketio && !strcmp(options.ready, "open")) greeted(connection);
        }
    }
    struct frame frame;
    int found = 0;
    while (connection->state >= GREETING && (found = frame_parse(data, (size_t)(end - data), &frame)) == 1) {
        data += frame.total;
        if (!one_frame(connection, &frame, now)) return;
    }
    if (found < 0) {
        broken++;
        drop(connection);
        return;
    }
    size_t rest = (size_t)(end - data);
    if (rest) {
        connection->in = realloc(connection->in, rest);
        if (!connection->in) fail("memory");
        memcpy(connection->in, data, rest);
    }
    connection->in_length = rest;
}

static void read_from(struct connection *connection) {
    size_t kept = connection->in_length;
    if (kept >= READ_BYTES) {
        broken++;
        drop(connection);
        return;
    }
    ssize_t got = recv(connection->fd, read_buffer + kept, READ_BYTES - kept, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
        if (connection->state < READY) refused++;
        drop(connection);
        return;
    }
    if (kept) memcpy(read_buffer, connection->in, kept);
    int64_t now = now_ns();
    phase.last_read = now;
    if (phase.measuring) phase.bytes += (uint64_t)got;
    consume(connection, kept + (size_t)got, now);
}

/* ---- The loop ---- */

/* To the nanosecond where the C library and the kernel (5.11) can; else whole milliseconds, and spinning. */
static int wait_for_events(struct epoll_event *events, int size, int64_t wait_ns) {
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 35)
    static int coarse;
    struct timespec wait = {.tv_sec = wait_ns / 1000000000, .tv_nsec = wait_ns % 1000000000};
    if (!coarse) {
        int count = epoll_pwait2(poll_fd, events, size, &wait, NULL);
        if (count >= 0 || errno != ENOSYS) return count;
        coarse = 1;
    }
#endif
    return epoll_wait(poll_fd, events, size, (int)(wait_ns / 1000000));
}

static void poll_once(int64_t wait_ns) {
    struct epoll_event events[512];
    int count = wait_for_events(events, 512, wait_ns > 0 ? wait_ns : 0);
    for (int i = 0; i < count; i++) {
        struct connection *connection = events[i].data.ptr;
        if (connection->state == GONE) continue;
        if (connection->state == CONNECTING) {
            connection->state = HANDSHAKE;
            flush(connection);
        } else if (events[i].events & EPOLLOUT) {
            flush(connection);
        }
        if (connection->state != GONE && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) read_from(connection);
    }
}

/* ---- Connecting ---- */

static void connect_one(struct connection *connection) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)connection->port)};
    inet_pton(AF_INET, options.host, &address.sin_addr);
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connection->fd < 0) fail("socket");
    int on = 1;
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    char *request = (char *)reserve(connection, 8192);
    connection->out_length = handshake_request(request, 8192, options.host, connection->port, connection->path,
                                               connection->headers, connection->accept);
    connection->state = CONNECTING;
    connection->writing = 1;
    if (connect(connection->fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS) {
        refused++;
        connection->state = GONE;
        close(connection->fd);
        return;
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = connection};
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, connection->fd, &event);
}

/* Connect `until` of them in all; the seconds it took. */
static void connect_up_to(int until, int *started, int64_t deadline) {
    while (opened + refused < until && now_ns() < deadline) {
        while (*started < until && *started - opened - refused < options.connecting)
            connect_one(&connections[(*started)++]);
        poll_once(50000000);
    }
}

static void connect_all(void) {
    int started = 0, first = options.baseline < connection_count ? options.baseline : connection_count / 2;
    int64_t deadline = now_ns() + (int64_t)(options.connect_seconds * 1e9);
    connect_up_to(first, &started, deadline);
    int opened_before = opened;
    double rss_before = server_rss_kb();
    struct usage before = usage_now();
    connect_up_to(connection_count, &started, deadline);
    struct usage after = usage_now();
    int counted = opened - opened_before;
    double seconds = (double)(after.at - before.at) / 1e9;
    printf("{\"opened\":%d,\"asked\":%d,\"refused\":%d,\"refused_status\":%d,\"counted\":%d,\"seconds\":%.4f,"
           "\"per_second\":%.1f,\"server_ms_per_connection\":%.4f,\"rss_kb_before\":%.0f,\"rss_kb_after\":%.0f,"
           "\"own_cores\":%.3f}\n",
           opened, connection_count, refused, refused_status, counted, seconds, counted / seconds,
           counted ? (double)(after.server - before.server) / 1e6 / counted : 0.0, rss_before, server_rss_kb(),
           (double)(after.own - before.own) / 1e9 / seconds);
    fflush(stdout);
}

/* ---- Phases ---- */

static void phase_begin(enum mode mode, double rate, int window) {
    memset(&phase, 0, sizeof phase);
    phase.mode = mode, phase.rate = rate, phase.window = window;
    for (int r = 0; r < room_count; r++) rooms[r].first = rooms[r].next, rooms[r].outstanding = 0;
    for (int c = 0; c < connection_count; c++) {
        struct connection *connection = &connections[c];
        if (connection->seen) memset(connection->seen, 0, connection->seen_words * 8);
        if (connection->last) memset(connection->last, 0, sizeof(uint32_t) * (size_t)rooms[connection->room].publishers);
        connection->unanswered = 0;
    }
}

static void phase_until(int64_t end, int64_t began) {
    int64_t now;
    while ((now = now_ns()) < end) {
        int64_t wait = end - now;
        if (phase.active && phase.mode == OPEN) {
            int64_t due;
            while ((due = began + (int64_t)((double)phase.due / phase.rate * 1e9)) <= now && due < end)
                publish_next(&rooms[phase.due++ % (uint64_t)room_count], due);
            flush_speakers();
            if (due - now < wait) wait = due - now;
        } else if (phase.active) {
            fill_windows(now);
            if (wait > 20000000) wait = 20000000;
        }
        poll_once(wait);
    }
}

static void drain(double seconds) {
    int64_t end = now_ns() + (int64_t)(seconds * 1e9);
    uint64_t answered = 0;
    while (now_ns() < end) {
        answered = phase.acked + phase.refused;
        int delivered = phase.received >= phase.expected || (phase.mode == ACKS && phase.received == 0);
        if (delivered && (phase.mode != ACKS || answered >= phase.sent)) break;
        poll_once(5000000);
    }
}

/* What still comes belongs to nobody: wait until it is quiet, so that it does not burden the next phase. */
static void settle(void) {
    int64_t end = now_ns() + 8000000000ll;
    phase.last_read = now_ns();
    while (now_ns() < end && now_ns() - phase.last_read < 150000000) poll_once(20000000);
}

static void phase_run(enum mode mode, double amount, double warm, double seconds, double drain_seconds) {
    phase_begin(mode, amount, (int)amount);
    int64_t began = now_ns();
    phase.from = began + (int64_t)(warm * 1e9);
    phase.until = phase.from + (int64_t)(seconds * 1e9);
    phase.active = 1;
    phase_until(phase.from, began);
    phase.measuring = 1;
    struct usage before = usage_now();
    phase_until(phase.until, began);
    struct usage after = usage_now();
    phase.measuring = phase.active = 0;
    drain(drain_seconds);
    uint64_t lost = phase.expected > phase.received ? phase.expected - phase.received : 0;
    double took = (double)(after.at - before.at) / 1e9, server = (double)(after.server - before.server);
    struct histogram *latency = &phase.latency, *acks = &phase.ack_latency;
    printf("{\"seconds\":%.4f,\"sent\":%llu,\"unsent\":%llu,\"expected\":%llu,\"received\":%llu,\"lost\":%llu,"
           "\"doubled\":%llu,\"disordered\":%llu,\"late\":%llu,\"stalls\":%llu,\"closed\":%d,\"close_code\":%d,"
           "\"broken\":%d,\"deliveries_per_second\":%.1f,\"frames_per_second\":%.1f,\"mbytes_per_second\":%.3f,",
           took, (unsigned long long)phase.sent, (unsigned long long)phase.unsent, (unsigned long long)phase.expected,
           (unsigned long long)phase.received, (unsigned long long)lost, (unsigned long long)phase.doubled,
           (unsigned long long)phase.disordered, (unsigned long long)phase.late, (unsigned long long)phase.stalls,
           closed, close_code, broken, (double)phase.measured / took, (double)phase.frames / took,
           (double)phase.bytes / 1e6 / took);
    printf("\"server_cores\":%.3f,\"server_us_per_delivery\":%.3f,\"own_cores\":%.3f,\"rss_kb\":%.0f,"
           "\"samples\":%llu,\"p50_ms\":%.3f,\"p95_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,",
           server / 1e9 / took, phase.measured ? server / 1e3 / (double)phase.measured : 0.0,
           (double)(after.own - before.own) / 1e9 / took, server_rss_kb(), (unsigned long long)latency->total,
           histogram_ms(latency, 0.5), histogram_ms(latency, 0.95), histogram_ms(latency, 0.99),
           (double)latency->max / 1e3);
    printf("\"acks_per_second\":%.1f,\"acked\":%llu,\"commands_refused\":%llu,\"ack_p50_ms\":%.3f,\"ack_p99_ms\":%.3f}\n",
           (double)phase.acked_measured / took, (unsigned long long)phase.acked, (unsigned long long)phase.refused,
           histogram_ms(acks, 0.5), histogram_ms(acks, 0.99));
    fflush(stdout);
    settle();
}

static void quiet(double seconds) {
    phase_begin(OPEN, 0, 0);
    phase_until(now_ns() + (int64_t)(seconds * 1e9), 0);
    printf("{\"rss_kb\":%.0f,\"closed\":%d,\"close_code\":%d}\n", server_rss_kb(), closed, close_code);
    fflush(stdout);
}

/* One line of input, sockets being read meanwhile. 0 at its end. */
static int command_line(char *line, size_t size) {
    size_t length = 0;
    while (length < size - 1) {
        ssize_t got = read(0, line + length, 1);
        if (got == 1) {
            if (line[length++] == '\n') break;
        } else if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            poll_once(20000000);
        } else {
            return 0;
        }
    }
    line[length] = 0;
    return 1;
}

static void commands(void) {
    char line[256], verb[16];
    double amount, warm, seconds, drain_seconds;
    fcntl(0, F_SETFL, fcntl(0, F_GETFL) | O_NONBLOCK);
    while (command_line(line, sizeof line)) {
        if (!strncmp(line, "quit", 4)) return;
        if (sscanf(line, "quiet %lf", &seconds) == 1) {
            quiet(seconds);
            continue;
        }
        if (sscanf(line, "%15s %lf %lf %lf %lf", verb, &amount, &warm, &seconds, &drain_seconds) != 5) {
            fprintf(stderr, "load: not understood: %s", line);
            exit(2);
        }
        enum mode mode = verb[0] == 'o' ? OPEN : verb[0] == 'c' ? CLOSED : ACKS;
        phase_run(mode, amount, warm, seconds, drain_seconds);
    }
}

static void leave(void) {
    static const uint8_t normal[2] = {1000 >> 8, 1000 & 255};
    for (int c = 0; c < connection_count; c++) {
        if (connections[c].state != READY) continue;
        write_frame(&connections[c], OP_CLOSE, normal, sizeof normal);
        flush(&connections[c]);
    }
}

/* ---- The plan ---- */

static void plan_read(void) {
    FILE *file = fopen(options.plan, "r");
    if (!file) fail(options.plan);
    char *line = NULL;
    size_t size = 0;
    int space = 0;
    while (getline(&line, &size, file) > 0) {
        if (connection_count == space) {
            space = space ? space * 2 : 1024;
            connections = realloc(connections, sizeof *connections * (size_t)space);
            if (!connections) fail("memory");
        }
        line[strcspn(line, "\n")] = 0;
        char *rest = strdup(line), *fields[5];
        for (int i = 0; i < 5; i++) fields[i] = strsep(&rest, "\t");
        if (!fields[3]) errno = EINVAL, fail("plan");
        connections[connection_count++] = (struct connection){
            .port = atoi(fields[0]), .room = atoi(fields[1]), .publisher = atoi(fields[2]) ? 0 : -1,
            .path = fields[3], .headers = fields[4] ? fields[4] : ""};
    }
    free(line);
    fclose(file);
}

static void rooms_make(void) {
    for (int c = 0; c < connection_count; c++)
        if (connections[c].room >= room_count) room_count = connections[c].room + 1;
    rooms = allocate((size_t)room_count, sizeof *rooms);
    for (int c = 0; c < connection_count; c++) {
        struct room *room = &rooms[connections[c].room];
        if (connections[c].publisher >= 0) connections[c].publisher = room->publishers++;
    }
    for (int r = 0; r < room_count; r++) {
        rooms[r].speakers = allocate((size_t)rooms[r].publishers, sizeof *rooms[r].speakers);
        rooms[r].copies = allocate(RING, sizeof *rooms[r].copies);
    }
    for (int c = 0; c < connection_count; c++) {
        struct room *room = &rooms[connections[c].room];
        if (connections[c].publisher >= 0) room->speakers[connections[c].publisher] = &connections[c];
        connections[c].last = allocate((size_t)room->publishers, sizeof(uint32_t));
    }
}

int main(int argc, char **argv) {
    static const struct option names[] = {
        {"plan", 1, 0, 'p'},       {"host", 1, 0, 'h'},     {"message", 1, 0, 'm'},         {"text-bytes", 1, 0, 't'},
        {"ready", 1, 0, 'r'},      {"socketio", 0, 0, 's'}, {"connecting", 1, 0, 'c'},      {"pid", 1, 0, 'i'},
        {"baseline", 1, 0, 'b'},   {"connect-seconds", 1, 0, 'd'}, {0}};
    int option;
    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (option) {
        case 'p': options.plan = optarg; break;
        case 'h': options.host = optarg; break;
        case 'm': options.message = optarg; break;
        case 't': options.text_bytes = atoi(optarg); break;
        case 'r': options.ready = optarg; break;
        case 's': options.socketio = 1; break;
        case 'c': options.connecting = atoi(optarg); break;
        case 'b': options.baseline = atoi(optarg); break;
        case 'd': options.connect_seconds = atof(optarg); break;
        case 'i':
            if (server_count < MAX_SERVERS) servers[server_count++] = atoi(optarg);
            break;
        default: return 2;
        }
    }
    if (!options.plan || !options.message) {
        fprintf(stderr, "load: --plan and --message are needed\n");
        return 2;
    }
    for (int i = 0; i < 10; i++) hex_values['0' + i] = (int8_t)i;
    for (int i = 0; i < 6; i++) hex_values['a' + i] = (int8_t)(10 + i);
    random_state ^= (uint64_t)now_ns() ^ (uint64_t)getpid() << 32;
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    plan_read();
    rooms_make();
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    connect_all();
    commands();
    leave();
    return 0;
}
