/* The client's side of RFC 6455: the opening handshake and frames. No extensions are offered. */

#ifndef BENCH_WEBSOCKET_H
#define BENCH_WEBSOCKET_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { OP_CONTINUATION = 0, OP_TEXT = 1, OP_BINARY = 2, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 };

static uint64_t random_state = 0x9e3779b97f4a7c15ull;

static uint64_t random_next(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* ---- SHA-1 (FIPS 180-4) and base64, for Sec-WebSocket-Accept ---- */

static uint32_t rotate_left(uint32_t value, int bits) { return value << bits | value >> (32 - bits); }

static void sha1_block(uint32_t state[5], const uint8_t *block) {
    uint32_t word[80];
    for (int i = 0; i < 16; i++)
        word[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 |
                  block[4 * i + 3];
    for (int i = 16; i < 80; i++) word[i] = rotate_left(word[i - 3] ^ word[i - 8] ^ word[i - 14] ^ word[i - 16], 1);
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (int i = 0; i < 80; i++) {
        uint32_t f, k;
        if (i < 20) f = (b & c) | (~b & d), k = 0x5a827999;
        else if (i < 40) f = b ^ c ^ d, k = 0x6ed9eba1;
        else if (i < 60) f = (b & c) | (b & d) | (c & d), k = 0x8f1bbcdc;
        else f = b ^ c ^ d, k = 0xca62c1d6;
        uint32_t next = rotate_left(a, 5) + f + e + k + word[i];
        e = d, d = c, c = rotate_left(b, 30), b = a, a = next;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e;
}

/* Of a text shorter than 120 bytes. */
static void sha1(const char *text, uint8_t digest[20]) {
    uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    uint8_t padded[128] = {0};
    size_t length = strlen(text), blocks = (length + 9 + 63) / 64;
    memcpy(padded, text, length);
    padded[length] = 0x80;
    for (int i = 0; i < 8; i++) padded[blocks * 64 - 1 - i] = (uint8_t)((uint64_t)length * 8 >> 8 * i);
    for (size_t i = 0; i < blocks; i++) sha1_block(state, padded + 64 * i);
    for (int i = 0; i < 20; i++) digest[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
}

static void base64(const uint8_t *data, size_t length, char *out) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < length; i += 3) {
        uint32_t three = (uint32_t)data[i] << 16;
        if (i + 1 < length) three |= (uint32_t)data[i + 1] << 8;
        if (i + 2 < length) three |= data[i + 2];
        *out++ = letters[three >> 18 & 63];
        *out++ = letters[three >> 12 & 63];
        *out++ = i + 1 < length ? letters[three >> 6 & 63] : '=';
        *out++ = i + 2 < length ? letters[three & 63] : '=';
    }
    *out = 0;
}

/* ---- Handshake (section 4) ---- */

/* Writes the request; `headers` are further lines, divided by '|'. The answer must carry `accept`. */
static size_t handshake_request(char *out, size_t size, const char *host, int port, const char *path,
                                const char *headers, char accept[29]) {
    uint64_t nonce[2] = {random_next(), random_next()};
    char key[25], both[64];
    base64((const uint8_t *)nonce, 16, key);
    snprintf(both, sizeof both, "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    uint8_t digest[20];
    sha1(both, digest);
    base64(digest, 20, accept);
    int length = snprintf(out, size,
                          "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n",
                          path, host, port, key);
    for (const char *line = headers; *line && length < (int)size - 8;) {
        size_t take = strcspn(line, "|");
        length += snprintf(out + length, size - length, "%.*s\r\n", (int)take, line);
        line += take + (line[take] == '|');
    }
    length += snprintf(out + length, size - length, "\r\n");
    return length < (int)size ? (size_t)length : 0;
}

/* 101 with the right accept value: 101. Another status: that. A wrong accept value: -1. */
static int handshake_status(const char *answer, size_t length, const char accept[29]) {
    if (length < 12 || memcmp(answer, "HTTP/1.1 ", 9)) return -1;
    int status = (answer[9] - '0') * 100 + (answer[10] - '0') * 10 + (answer[11] - '0');
    if (status != 101) return status;
    return memmem(answer, length, accept, 28) ? 101 : -1;
}

/* ---- Frames (section 5) ---- */

struct frame {
    uint8_t opcode, final;
    const uint8_t *payload;
    size_t length, total; /* of the payload; of the whole frame */
};

/* 1: `frame` describes the first frame of the data. 0: more is needed. -1: no server may send this. */
static int frame_parse(const uint8_t *data, size_t available, struct frame *frame) {
    if (available < 2) return 0;
    if (data[1] & 0x80 || data[0] & 0x70) return -1;
    size_t head = 2;
    uint64_t length = data[1];
    if (length == 126) {
        if (available < 4) return 0;
        length = (uint64_t)data[2] << 8 | data[3], head = 4;
    } else if (length == 127) {
        if (available < 10) return 0;
        length = 0, head = 10;
        for (int i = 2; i < 10; i++) length = length << 8 | data[i];
    }
    if (length > 1u << 30) return -1;
    if (available - head < length) return 0;
    frame->opcode = data[0] & 15, frame->final = data[0] >> 7;
    frame->payload = data + head, frame->length = length, frame->total = head + length;
    return 1;
}

/* A whole masked frame, at most 14 bytes longer than the payload; its length. */
static size_t frame_build(uint8_t *out, int opcode, const void *payload, size_t length) {
    size_t head = 2;
    out[0] = 0x80 | opcode;
    if (length < 126) {
        out[1] = 0x80 | length;
    } else if (length < 65536) {
        out[1] = 0x80 | 126, out[2] = length >> 8, out[3] = length, head = 4;
    } else {
        out[1] = 0x80 | 127, head = 10;
        for (int i = 0; i < 8; i++) out[2 + i] = (uint64_t)length >> (56 - 8 * i);
    }
    uint32_t mask = (uint32_t)(random_next() >> 16);
    memcpy(out + head, &mask, 4);
    const uint8_t *from = payload, *key = out + head;
    for (size_t i = 0; i < length; i++) out[head + 4 + i] = from[i] ^ key[i & 3];
    return head + 4 + length;
}

#endif
