/* Structs that CPython declares in .c files, where no header shows them.
 *
 * Hand-made: members and their order are facts read from the public sources named in the
 * tables, and were compared with the debug information of real builds (docs/layouts.md).
 * Only the layout matters here, so pointers that memprobe never follows are void *.
 */
#include <stdbool.h>
#include "ranges.h"
#include "private/allocator.h"
#include "private/objects.h"
#include "private/iterators.h"
#include "private/asyncio.h"
#include "private/modules.h"
