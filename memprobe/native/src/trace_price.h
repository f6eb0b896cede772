/* What a stop costs the thread that stops, measured on this machine. */
#ifndef MEMPROBE_TRACE_PRICE_H
#define MEMPROBE_TRACE_PRICE_H

#include "trace_shared.h"

/* Measures what is not known yet; with `hits` also what a watched word costs, and whether its hits stop a thread at once.
 * To be called before anything is traced. */
void trace_measure_prices(struct trace_shared *shared, bool hits);

#endif
