/* What is measured: latencies in a histogram, and what the servers and this process used. */

#ifndef BENCH_FIGURES_H
#define BENCH_FIGURES_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define BUCKETS (32 * 40)
#define MAX_SERVERS 16

/* Of microseconds: exact below 32, then 32 buckets an octave, so at most 3 % too high. */
struct histogram {
    uint64_t count[BUCKETS], total;
    uint64_t max;
};

struct usage { int64_t at, server, own; };

static int servers[MAX_SERVERS], server_count;

static int64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000ll + time.tv_nsec;
}

static void histogram_add(struct histogram *histogram, int64_t ns) {
    uint64_t us = ns > 0 ? (uint64_t)ns / 1000 : 0;
    int top = 63 - __builtin_clzll(us | 31);
    size_t bucket = us < 32 ? us : (size_t)(32 + (top - 5) * 32 + ((us >> (top - 5)) & 31));
    if (bucket >= BUCKETS) bucket = BUCKETS - 1;
    histogram->count[bucket]++, histogram->total++;
    if (us > histogram->max) histogram->max = us;
}

static double histogram_ms(const struct histogram *histogram, double quantile) {
    uint64_t rank = (uint64_t)(quantile * (double)histogram->total), before = 0;
    for (int bucket = 0; bucket < BUCKETS; bucket++) {
        before += histogram->count[bucket];
        if (before > rank) {
            if (bucket < 32) return bucket / 1e3;
            int octave = (bucket - 32) / 32;
            uint64_t upper = (uint64_t)(32 + (bucket - 32) % 32 + 1) << octave;
            return (double)(upper < histogram->max ? upper : histogram->max) / 1e3;
        }
    }
    return (double)histogram->max / 1e3;
}

static int64_t server_cpu_ns(void) {
    int64_t ticks = 0;
    for (int i = 0; i < server_count; i++) {
        char path[64], line[1024];
        snprintf(path, sizeof path, "/proc/%d/stat", servers[i]);
        FILE *file = fopen(path, "r");
        if (!file) continue;
        size_t length = fread(line, 1, sizeof line - 1, file);
        fclose(file);
        line[length] = 0;
        unsigned long user = 0, system = 0;
        char *rest = strrchr(line, ')');
        if (rest && sscanf(rest + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) == 2)
            ticks += (int64_t)(user + system);
    }
    return ticks * (1000000000ll / sysconf(_SC_CLK_TCK));
}

static double server_rss_kb(void) {
    double pages = 0;
    for (int i = 0; i < server_count; i++) {
        char path[64];
        unsigned long resident = 0;
        snprintf(path, sizeof path, "/proc/%d/statm", servers[i]);
        FILE *file = fopen(path, "r");
        if (!file) continue;
        if (fscanf(file, "%*u %lu", &resident) == 1) pages += (double)resident;
        fclose(file);
    }
    return pages * (double)sysconf(_SC_PAGESIZE) / 1024;
}

static struct usage usage_now(void) {
    struct rusage own;
    getrusage(RUSAGE_SELF, &own);
    return (struct usage){
        .at = now_ns(),
        .server = server_cpu_ns(),
        .own = (own.ru_utime.tv_sec + own.ru_stime.tv_sec) * 1000000000ll +
               (own.ru_utime.tv_usec + own.ru_stime.tv_usec) * 1000ll,
    };
}

#endif
