/* What a ring has, as objects of Python: for each kind of records three bytes objects. */
#ifndef MEMPROBE_RING_PARCELS_H
#define MEMPROBE_RING_PARCELS_H

#include "python.h"
#include "ring.h"

#include <stdbool.h>

/* {kind: (bytes of the head, offset of the length of the tail or 0)}; false with an exception. */
bool ring_set_shapes(struct ring *ring, PyObject *shapes);

/* Takes everything out of the ring: {kind: (heads, ends of tails, tails)}. Releases the GIL meanwhile. */
PyObject *ring_parcels(struct ring *ring);

#endif
