/* BETWEEN(8, 10, text): `text` from 3.8 to 3.10 only; NOW stands for the newest minor known.
 * Where a struct changed in a patch release, 13_12 means 3.13.12. */
#define KEEP(...) __VA_ARGS__
#define DROP(...)
#define BETWEEN(low, high, ...) FROM_##low(UNTIL_##high(__VA_ARGS__))

#define FROM_8 KEEP
#define UNTIL_NOW KEEP
#if PY_MINOR_VERSION >= 9
#define FROM_9 KEEP
#else
#define FROM_9 DROP
#endif
#if PY_MINOR_VERSION >= 10
#define FROM_10 KEEP
#else
#define FROM_10 DROP
#endif
#if PY_MINOR_VERSION >= 11
#define FROM_11 KEEP
#else
#define FROM_11 DROP
#endif
#if PY_MINOR_VERSION >= 12
#define FROM_12 KEEP
#else
#define FROM_12 DROP
#endif
#if PY_MINOR_VERSION >= 13
#define FROM_13 KEEP
#else
#define FROM_13 DROP
#endif
#if PY_MINOR_VERSION >= 14
#define FROM_14 KEEP
#else
#define FROM_14 DROP
#endif
#if PY_MINOR_VERSION >= 15
#define FROM_15 KEEP
#else
#define FROM_15 DROP
#endif
#if PY_MINOR_VERSION <= 8
#define UNTIL_8 KEEP
#else
#define UNTIL_8 DROP
#endif
#if PY_MINOR_VERSION <= 9
#define UNTIL_9 KEEP
#else
#define UNTIL_9 DROP
#endif
#if PY_MINOR_VERSION <= 10
#define UNTIL_10 KEEP
#else
#define UNTIL_10 DROP
#endif
#if PY_MINOR_VERSION <= 11
#define UNTIL_11 KEEP
#else
#define UNTIL_11 DROP
#endif
#if PY_MINOR_VERSION <= 12
#define UNTIL_12 KEEP
#else
#define UNTIL_12 DROP
#endif
#if PY_MINOR_VERSION <= 13
#define UNTIL_13 KEEP
#else
#define UNTIL_13 DROP
#endif
#if PY_MINOR_VERSION <= 14
#define UNTIL_14 KEEP
#else
#define UNTIL_14 DROP
#endif
/* mmap keeps its flags */
#if PY_VERSION_HEX >= 0x030d0800
#define FROM_13_8 KEEP
#else
#define FROM_13_8 DROP
#endif
/* ExceptionGroup keeps the text of its list */
#if PY_VERSION_HEX >= 0x030d0c00
#define FROM_13_12 KEEP
#else
#define FROM_13_12 DROP
#endif
/* threads cache a chunk of the data stack */
#if PY_VERSION_HEX >= 0x030d0d00
#define FROM_13_13 KEEP
#else
#define FROM_13_13 DROP
#endif
/* both of these */
#if PY_VERSION_HEX >= 0x030e0400
#define FROM_14_4 KEEP
#else
#define FROM_14_4 DROP
#endif
/* the generational collector is back */
#if PY_VERSION_HEX >= 0x030e0500
#define FROM_14_5 KEEP
#else
#define FROM_14_5 DROP
#endif
#if PY_VERSION_HEX < 0x030e0500
#define UNTIL_14_4 KEEP
#else
#define UNTIL_14_4 DROP
#endif
