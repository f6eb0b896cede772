/*
 * knobs.h - what memprobe may turn while the programs run.
 *
 * Map `knobs`: an array of one struct knobs; memprobe writes it, programs read it. All 0 until memprobe has written it:
 * nothing is sent then.
 * Minimum kernel: 5.8. Cost: one array look-up, which the kernel inlines.
 */
#ifndef MEMPROBE_KNOBS_H
#define MEMPROBE_KNOBS_H

#include "bpf.h"
#include "../abi.h"

MAP(knobs, ARRAY, __u32, struct knobs, 1);

static __always_inline struct knobs *current_knobs(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&knobs, &zero);
}

#endif
