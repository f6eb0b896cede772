"""Objects of the standard library's types that are written in C."""
import array, asyncio, codecs, collections, csv, ctypes, datetime, decimal, functools, io, json, mmap, operator, pickle, pyexpat, re, select, selectors, socket, sqlite3, ssl, struct, sys, threading, time, unittest.mock, xml.dom.minidom, xml.etree.ElementTree as tree  # noqa: E401
import referents
class Pair(ctypes.Structure): _fields_ = [("a", ctypes.c_int), ("o", ctypes.py_object)]
def filled(one, **attributes):
    [setattr(one, name, value) for name, value in attributes.items()]
    return one
@functools.lru_cache(maxsize=9)
def cached(a): return [a]
@functools.lru_cache(maxsize=None)
def unbounded(a): return [a]
[cached(str(n)) + unbounded((n, n)) for n in range(20)]
shrunk = collections.OrderedDict((str(n), [n]) for n in range(30)); [shrunk.popitem(False) for _ in range(9)]; shrunk.move_to_end("20")
database = sqlite3.connect(":memory:"); database.row_factory = sqlite3.Row; database.execute("create table t(a)"); database.execute("insert into t values(1)"); database.set_progress_handler(lambda: 0, 999); database.set_authorizer(lambda *_: 0)
cursor = database.execute("select a from t"); row = cursor.fetchone()
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); tls.sni_callback = lambda *_: None; client = ssl.create_default_context(); one, other = socket.socketpair()
secure = client.wrap_socket(one, do_handshake_on_connect=False, server_hostname="x"); incoming = ssl.MemoryBIO(); wrapped = client.wrap_bio(incoming, ssl.MemoryBIO(), server_hostname="x")
element = tree.fromstring("<a b='c'><d>t</d>tail<e/></a>"); parser = tree.XMLParser(); parser.feed("<a>"); expat = pyexpat.ParserCreate(); expat.StartElementHandler = print; pull = tree.XMLPullParser(["start"])
structure = Pair(1, [2]); function = ctypes.CDLL(None).strlen; function.argtypes = [ctypes.c_char_p]; function.errcheck = lambda *a: a[0]
c_types = [structure, (Pair * 3)(), ctypes.pointer(structure), ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 1), function, ctypes.c_char_p(b"kept"), ctypes.py_object([1]), Pair.a, ctypes.byref(structure)]
mine = [kind(*given) for base, given in ((list, ([[1]],)), (dict, ({"k": []},)), (set, ([1],)), (tuple, (([], 2),)), (int, (10**30,)), (str, ("text",)), (float, (1.5,)), (bytes, (b"b",)), (collections.deque, ([1, []],)), (collections.OrderedDict, ({"k": []},)), (collections.defaultdict, (list, {"k": []})), (Exception, ([1],)), (io.BytesIO, (b"x",)), (io.StringIO, ("x",)), (functools.partial, (print, [1])), (datetime.datetime, (2020, 1, 1)), (array.array, ("i", [1])), (threading.local, ()), (type, ("T", (), {}))) for kind in (type("Sub", (base,), {}), type("Slot", (base,), {"__slots__": ()}))]
[filled(kind, attribute=["value"], itself=kind) for kind in mine if hasattr(kind, "__dict__") and not isinstance(kind, threading.local)]
files = [open("/dev/null"), open("/dev/null", "rb"), open("/dev/null", "wb", 0), io.TextIOWrapper(io.BytesIO(b"abc\nd")), io.BufferedRWPair(io.BytesIO(), io.BytesIO()), io.StringIO("a\nb"), io.BytesIO(b"1").getbuffer(), mmap.mmap(-1, 99), io.IncrementalNewlineDecoder(None, True)]; files[3].readline()
kept = [cached, unbounded, shrunk, iter(shrunk.items()), iter(element.iter()), functools.partial(print, [1], k={}), filled(functools.partial(len), a=[1]), functools.cmp_to_key(max)([1]), operator.itemgetter("a", 1), operator.attrgetter("a.b"), operator.methodcaller("m", [1], k=2), collections.Counter("ab"), collections.defaultdict(list, a=[1]), collections.namedtuple("N", "a b")([1], 2), re.compile("(?P<n>a)"), re.match("(a)", "a"), re.compile("a").scanner("aa"), json.JSONDecoder(), json.decoder.scanner.c_make_scanner(json.JSONDecoder()), csv.reader(["a"]), csv.writer(io.StringIO()), pickle.Pickler(io.BytesIO()), pickle.Unpickler(io.BytesIO()), decimal.getcontext(), decimal.localcontext(), datetime.timezone(datetime.timedelta(hours=1), "n"), struct.Struct("ii"), struct.iter_unpack("i", b"1234"), array.array("d", [1]), iter(array.array("d", [1])), selectors.DefaultSelector(), select.epoll(), time.localtime(), unittest.mock.Mock(), xml.dom.minidom.parseString("<a/>"), tree.TreeBuilder(), codecs.getincrementaldecoder("shift_jis")(), codecs.getreader("euc_jp")(io.BytesIO()), Exception, asyncio.Event, threading.RLock(), threading.Condition()]
referents.tell(sys.argv[1])
