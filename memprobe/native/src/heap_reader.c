#define _GNU_SOURCE

#include "heap_reader.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE 4096u
#define WINDOW_PAGES 4096u
#define PAGE_PRESENT ((uint64_t)1 << 63)
#define PAGE_SWAPPED ((uint64_t)1 << 62)

int heap_reader_open(struct heap_reader *reader)
{
    reader->pagemap.entries = malloc(WINDOW_PAGES * sizeof(uint64_t));
    reader->stream = malloc(HEAP_STREAM_BYTES);
    return reader->pagemap.entries == NULL || reader->stream == NULL ? -ENOMEM : 0;
}

void heap_reader_close(struct heap_reader *reader)
{
    free(reader->pagemap.entries);
    free(reader->stream);
    free(reader->sorted);
    reader->pagemap.entries = NULL;
    reader->stream = NULL;
    reader->sorted = NULL;
    reader->sorted_capacity = 0;
}

/* Load the window that begins with a page; what pagemap does not tell counts as absent. */
static void load_window(struct heap_pagemap *pagemap, uint64_t page, uint64_t pages)
{
    size_t count = pages < WINDOW_PAGES ? (size_t)pages : WINDOW_PAGES;
    size_t wanted = count * sizeof(uint64_t);
    ssize_t got = page > INT64_MAX / 16
                      ? -1
                      : pread(pagemap->fd, pagemap->entries, wanted, (off_t)(page * 8));
    size_t known = got < 0 ? 0 : (size_t)got;

    memset((char *)pagemap->entries + known, 0, wanted - known);
    pagemap->start = page;
    pagemap->count = count;
}

void heap_look_ahead(struct heap_reader *reader, uint64_t address, uint64_t size)
{
    if (reader->pagemap.fd < 0 || size == 0)
        return;
    uint64_t first = address / PAGE;
    load_window(&reader->pagemap, first, (address + size - 1) / PAGE - first + 1);
}

static uint64_t page_entry(struct heap_pagemap *pagemap, uint64_t page, uint64_t pages_wanted)
{
    if (pagemap->fd < 0)
        return PAGE_PRESENT;
    if (page < pagemap->start || page - pagemap->start >= pagemap->count)
        load_window(pagemap, page, pages_wanted);
    return pagemap->entries[page - pagemap->start];
}

/* How many bytes from an address on, `size` at most, are all present or all not. */
static size_t run_of_pages(struct heap_reader *reader, uint64_t address, size_t size, bool *ret)
{
    uint64_t page = address / PAGE, end = (address + size - 1) / PAGE + 1;
    uint64_t first = page_entry(&reader->pagemap, page, end - page);
    bool present = (first & PAGE_PRESENT) != 0;
    bool swapped = !present && (first & PAGE_SWAPPED) != 0;

    for (page++; page < end; page++) {
        uint64_t entry = page_entry(&reader->pagemap, page, end - page);
        if (((entry & PAGE_PRESENT) != 0) != present)
            break;
        if (!present && ((entry & PAGE_SWAPPED) != 0) != swapped)
            break;
    }
    uint64_t run_end = page * PAGE;
    size_t run = run_end - address < size ? (size_t)(run_end - address) : size;
    if (swapped)
        reader->swapped_bytes += run;
    else if (!present)
        reader->absent_bytes += run;
    *ret = present;
    return run;
}

size_t heap_present(struct heap_reader *reader, uint64_t address, size_t size)
{
    bool present;

    if (size == 0)
        return 0;
    if (reader->pagemap.fd < 0)
        return size;
    size_t run = run_of_pages(reader, address, size, &present);
    return present ? run : 0;
}

uint64_t heap_absent(struct heap_reader *reader, uint64_t address, uint64_t size)
{
    uint64_t window = (uint64_t)WINDOW_PAGES * PAGE;
    bool present;

    if (reader->pagemap.fd < 0 || size == 0)
        return 0;
    reader->pagemap.count = 0;
    size_t run = run_of_pages(reader, address, (size_t)(size < window ? size : window), &present);
    return present ? 0 : run;
}

static int read_run(struct heap_reader *reader, uint64_t address, size_t size, uint8_t *destination)
{
    struct remote_region region = {.address = address, .size = size};
    struct remote_result result;
    int err = remote_read_one(&reader->process, region, destination, &result);

    if (err != 0)
        return err;
    reader->bytes_read += result.bytes;
    reader->unreadable_bytes += size - result.bytes;
    memset(destination + result.bytes, 0, size - result.bytes);
    return 0;
}

int heap_read(struct heap_reader *reader, uint64_t address, size_t size, uint8_t *destination)
{
    /* The map of pages is only as good as it is new. */
    reader->pagemap.count = 0;
    if (address > UINT64_MAX - size) {
        memset(destination, 0, size);
        return 0;
    }
    for (size_t done = 0; done < size;) {
        bool present;
        size_t run = run_of_pages(reader, address + done, size - done, &present);
        if (!present)
            memset(destination + done, 0, run);
        else {
            int err = read_run(reader, address + done, run, destination + done);
            if (err != 0)
                return err;
        }
        done += run;
    }
    return 0;
}
