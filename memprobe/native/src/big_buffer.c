#define _GNU_SOURCE

#include "big_buffer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Below this malloc's own small mappings would do; pages of 2 MiB need at least one of them. */
#define HUGE_PAGE ((size_t)2 << 20)
#define PAGE ((size_t)4096)

/* 1 GiB holds the graph of 13 million objects at 80 bytes each. */
static _Atomic uint64_t memory_limit = (uint64_t)1 << 30;
static _Atomic uint64_t memory_used; /* bytes in memory, not in files */
static _Atomic uint64_t bytes_now;
static _Atomic uint64_t bytes_peak;
static char file_folder[201] = "/var/tmp";

int big_limit(uint64_t memory_bytes, const char *folder)
{
    if (strlen(folder) >= sizeof(file_folder))
        return -ENAMETOOLONG;
    memory_limit = memory_bytes;
    snprintf(file_folder, sizeof(file_folder), "%s", folder);
    return 0;
}

uint64_t big_bytes_now(void)
{
    return bytes_now;
}

uint64_t big_bytes_peak(void)
{
    return bytes_peak;
}

void big_peak_reset(void)
{
    bytes_peak = bytes_now;
}

static void count_change(const struct big_buffer *before, const struct big_buffer *after)
{
    uint64_t now = bytes_now += after->capacity - before->capacity;
    uint64_t peak = bytes_peak;

    memory_used += (after->file ? 0 : after->capacity) - (before->file ? 0 : before->capacity);
    while (now > peak && !atomic_compare_exchange_weak(&bytes_peak, &peak, now))
        ;
}

/* Whether memory may grow by so much; two threads that ask at once may pass the limit by a buffer. */
static bool memory_allows(size_t more)
{
    uint64_t used = memory_used, limit = memory_limit;

    return used <= limit && more <= limit - used;
}

static int round_up(size_t bytes, size_t *ret)
{
    size_t unit = bytes >= HUGE_PAGE ? HUGE_PAGE : PAGE;

    /* So that sums of two sizes cannot overflow either. */
    if (bytes > SIZE_MAX / 4)
        return -ENOMEM;
    *ret = (bytes + unit - 1) / unit * unit;
    return 0;
}

/* Random access to arrays of this size is twice as fast when the page tables fit in the caches. */
static void prefer_huge_pages(const struct big_buffer *buffer)
{
    if (buffer->capacity >= HUGE_PAGE)
        madvise(buffer->data, buffer->capacity, MADV_HUGEPAGE); /* as well as it goes */
}

static int map_memory(struct big_buffer *buffer)
{
    void *data = mmap(NULL, buffer->capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (data == MAP_FAILED)
        return -errno;
    buffer->data = data;
    prefer_huge_pages(buffer);
    return 0;
}

/* A file that nobody else can open, and that is gone with its descriptor. */
static int open_nameless(void)
{
    char name[sizeof(file_folder) + sizeof("/memprobe.XXXXXX")];
    int file = open(file_folder, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);

    if (file >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return file < 0 ? -errno : file;
    snprintf(name, sizeof(name), "%s/memprobe.XXXXXX", file_folder);
    file = mkostemp(name, O_CLOEXEC);
    if (file < 0)
        return -errno;
    unlink(name);
    return file;
}

static int map_file(struct big_buffer *buffer)
{
    int file = open_nameless();
    if (file < 0)
        return file;
    /* Without room on the disk a write through the mapping would be a SIGBUS. */
    int err = -posix_fallocate(file, 0, (off_t)buffer->capacity);
    void *data = err != 0 ? MAP_FAILED
                          : mmap(NULL, buffer->capacity, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (data == MAP_FAILED) {
        err = err != 0 ? err : -errno;
        close(file);
        return err;
    }
    buffer->data = data;
    buffer->file = file + 1;
    return 0;
}

static void unmap(struct big_buffer *buffer)
{
    if (buffer->data != NULL)
        munmap(buffer->data, buffer->capacity);
    if (buffer->file)
        close(buffer->file - 1);
}

/* A new mapping with room for `capacity` bytes. */
static int map_new(struct big_buffer *buffer, size_t capacity)
{
    *buffer = (struct big_buffer){.capacity = capacity};
    int err = memory_allows(capacity) ? map_memory(buffer) : map_file(buffer);
    if (err == 0)
        count_change(&(struct big_buffer){0}, buffer);
    return err;
}

int big_open(struct big_buffer *buffer, size_t bytes)
{
    struct big_buffer made;
    size_t capacity;

    *buffer = (struct big_buffer){0};
    int err = round_up(bytes, &capacity);
    if (err != 0 || bytes == 0)
        return err;
    err = map_new(&made, capacity);
    if (err != 0)
        return err;
    *buffer = made;
    buffer->bytes = bytes;
    return 0;
}

/* Into another mapping: the first one, or from memory into a file. */
static int move_to_new(struct big_buffer *buffer, size_t capacity)
{
    struct big_buffer made;

    int err = map_new(&made, capacity);
    if (err != 0)
        return err;
    made.bytes = buffer->bytes;
    if (made.bytes > 0)
        memcpy(made.data, buffer->data, made.bytes);
    big_close(buffer);
    *buffer = made;
    return 0;
}

/* The same mapping in another size; the kernel moves pages, not bytes. */
static int remap(struct big_buffer *buffer, size_t capacity)
{
    struct big_buffer before = *buffer;

    if (buffer->file && capacity > buffer->capacity) {
        int err = -posix_fallocate(buffer->file - 1, 0, (off_t)capacity);
        if (err != 0)
            return err;
    }
    void *data = mremap(buffer->data, buffer->capacity, capacity, MREMAP_MAYMOVE);
    if (data == MAP_FAILED)
        return -errno;
    buffer->data = data;
    buffer->capacity = capacity;
    if (buffer->file && capacity < before.capacity && ftruncate(buffer->file - 1, (off_t)capacity) != 0)
        return -errno;
    if (!buffer->file)
        prefer_huge_pages(buffer);
    count_change(&before, buffer);
    return 0;
}

static int reserve(struct big_buffer *buffer, size_t bytes)
{
    size_t capacity, roomy;
    int err = round_up(bytes, &capacity);

    if (err != 0 || capacity <= buffer->capacity)
        return err;
    if (buffer->capacity > 0 && round_up(buffer->capacity + buffer->capacity / 2, &roomy) == 0
        && roomy > capacity)
        capacity = roomy;
    if (buffer->data == NULL || (!buffer->file && !memory_allows(capacity - buffer->capacity)))
        return move_to_new(buffer, capacity);
    return remap(buffer, capacity);
}

int big_resize(struct big_buffer *buffer, size_t bytes)
{
    int err = reserve(buffer, bytes);

    if (err != 0)
        return err;
    /* What a larger size had left there would come back. */
    if (bytes < buffer->bytes)
        memset((char *)buffer->data + bytes, 0, buffer->bytes - bytes);
    buffer->bytes = bytes;
    return 0;
}

int big_trim(struct big_buffer *buffer)
{
    size_t capacity;

    if (buffer->bytes == 0) {
        big_close(buffer);
        return 0;
    }
    int err = round_up(buffer->bytes, &capacity);
    return err != 0 || capacity >= buffer->capacity ? err : remap(buffer, capacity);
}

void big_close(struct big_buffer *buffer)
{
    if (buffer->data == NULL)
        return;
    unmap(buffer);
    count_change(buffer, &(struct big_buffer){0});
    *buffer = (struct big_buffer){0};
}
