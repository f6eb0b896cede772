/* Iterators. */

HAND_MADE(8, NOW, seqiterobject, "Objects/iterobject.c")
FIELD(8, NOW, seqiterobject, it_index)
FIELD(8, NOW, seqiterobject, it_seq)

HAND_MADE(8, 11, listiterobject, "Objects/listobject.c")
FIELD(8, 11, listiterobject, it_index)
FIELD(8, 11, listiterobject, it_seq)

SIZE(12, NOW, _PyListIterObject)
FIELD(12, NOW, _PyListIterObject, it_index)
FIELD(12, NOW, _PyListIterObject, it_seq)

HAND_MADE(8, NOW, listreviterobject, "Objects/listobject.c")
FIELD(8, NOW, listreviterobject, it_index)
FIELD(8, NOW, listreviterobject, it_seq)

HAND_MADE(8, 11, tupleiterobject, "Objects/tupleobject.c")
FIELD(8, 11, tupleiterobject, it_index)
FIELD(8, 11, tupleiterobject, it_seq)

SIZE(12, NOW, _PyTupleIterObject)
FIELD(12, NOW, _PyTupleIterObject, it_index)
FIELD(12, NOW, _PyTupleIterObject, it_seq)

HAND_MADE(8, NOW, striterobject, "Objects/bytesobject.c")
FIELD(8, NOW, striterobject, it_index)
FIELD(8, NOW, striterobject, it_seq)

HAND_MADE(8, NOW, unicodeiterobject, "Objects/unicodeobject.c")
FIELD(8, NOW, unicodeiterobject, it_index)
FIELD(8, NOW, unicodeiterobject, it_seq)

HAND_MADE(8, NOW, dictiterobject, "Objects/dictobject.c")
FIELD(8, NOW, dictiterobject, di_dict)
FIELD(8, NOW, dictiterobject, di_used)
FIELD(8, NOW, dictiterobject, di_pos)
FIELD(8, NOW, dictiterobject, di_result)
FIELD(8, NOW, dictiterobject, len)

HAND_MADE(8, NOW, setiterobject, "Objects/setobject.c")
FIELD(8, NOW, setiterobject, si_set)
FIELD(8, NOW, setiterobject, si_used)
FIELD(8, NOW, setiterobject, si_pos)
FIELD(8, NOW, setiterobject, len)

HAND_MADE(8, NOW, calliterobject, "Objects/iterobject.c")
FIELD(8, NOW, calliterobject, it_callable)
FIELD(8, NOW, calliterobject, it_sentinel)

HAND_MADE(8, NOW, enumobject, "Objects/enumobject.c")
FIELD(8, NOW, enumobject, en_index)
FIELD(8, NOW, enumobject, en_sit)
FIELD(8, NOW, enumobject, en_result)
FIELD(8, NOW, enumobject, en_longindex)
FIELD(11, NOW, enumobject, one)

HAND_MADE(8, NOW, reversedobject, "Objects/enumobject.c")
FIELD(8, NOW, reversedobject, index)
FIELD(8, NOW, reversedobject, seq)

HAND_MADE(8, NOW, filterobject, "Python/bltinmodule.c")
FIELD(8, NOW, filterobject, func)
FIELD(8, NOW, filterobject, it)

HAND_MADE(8, NOW, mapobject, "Python/bltinmodule.c")
FIELD(8, NOW, mapobject, iters)
FIELD(8, NOW, mapobject, func)

HAND_MADE(8, NOW, zipobject, "Python/bltinmodule.c")
FIELD(8, NOW, zipobject, tuplesize)
FIELD(8, NOW, zipobject, ittuple)
FIELD(8, NOW, zipobject, result)

HAND_MADE(8, NOW, dequeiterobject, "Modules/_collectionsmodule.c")
FIELD(8, NOW, dequeiterobject, b)
FIELD(8, NOW, dequeiterobject, index)
FIELD(8, NOW, dequeiterobject, deque)
FIELD(8, NOW, dequeiterobject, state)
FIELD(8, NOW, dequeiterobject, counter)

HAND_MADE(8, NOW, chainobject, "Modules/itertoolsmodule.c")
FIELD(8, NOW, chainobject, source)
FIELD(8, NOW, chainobject, active)

HAND_MADE(8, NOW, cycleobject, "Modules/itertoolsmodule.c")
FIELD(8, NOW, cycleobject, it)
FIELD(8, NOW, cycleobject, saved)
FIELD(8, NOW, cycleobject, index)

HAND_MADE(8, NOW, isliceobject, "Modules/itertoolsmodule.c")
FIELD(8, NOW, isliceobject, it)
FIELD(8, NOW, isliceobject, next)
FIELD(8, NOW, isliceobject, stop)
FIELD(8, NOW, isliceobject, step)
FIELD(8, NOW, isliceobject, cnt)

HAND_MADE(8, NOW, teeobject, "Modules/itertoolsmodule.c")
FIELD(8, NOW, teeobject, dataobj)
FIELD(8, NOW, teeobject, index)
FIELD(8, NOW, teeobject, weakreflist)

HAND_MADE(8, NOW, teedataobject, "Modules/itertoolsmodule.c")
FIELD(8, NOW, teedataobject, it)
FIELD(8, NOW, teedataobject, numread)
FIELD(8, NOW, teedataobject, running)
FIELD(8, NOW, teedataobject, nextlink)
FIELD(8, NOW, teedataobject, values)

HAND_MADE(8, NOW, groupbyobject, "Modules/itertoolsmodule.c")
FIELD(8, NOW, groupbyobject, it)
FIELD(8, NOW, groupbyobject, keyfunc)
FIELD(8, NOW, groupbyobject, tgtkey)
FIELD(8, NOW, groupbyobject, currkey)
FIELD(8, NOW, groupbyobject, currvalue)
FIELD(8, NOW, groupbyobject, currgrouper)
