// An exchange that passes, from socket to socket, without Python's code.
//
// Why it exists: a point query costs Postgres some 20 us. What `shortcut.py`, `pool.py` and
// `backend.py` do for it in Python costs half as much again, and the event loop's streams a fifth.
// Here both ends read and write their sockets themselves, and an exchange that is sure to pass goes
// through the very conditions of `Shortcut.take` without a Python frame.
//
// What it promises: nothing is decided here that Python does not decide the same way. What is not
// sure to pass is handed to the protocols' `data_received` as bytes, as if it had come from the
// transport. An exchange that turns out not to be plain, and whatever else happens while one is
// under way (a cancel, a lost connection, more from the client), makes it Python's first: `unfold`
// sets the session, the relay and the backend as if Python had begun the exchange, and all goes on
// from there. The state that both sides need - who is idle, lent, waiting; a backend's profile and
// statements - is in Python's own containers and in the members of these types, so there is one of
// each.
//
// An end reads by a descriptor of its own (a dup), so that a number that the transport has closed is
// never taken for the connection. All are watched by one epoll of ours, a `Poller`, which the event
// loop watches: loops end their watch of a descriptor that has an error to tell, and say no more.

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>
#include <structmember.h>

#include <errno.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#pragma GCC diagnostic ignored "-Winvalid-offsetof"

namespace {

using std::string_view;

constexpr size_t kArrival = 1 << 18;  // bytes read at once
constexpr size_t kMostBinds = 16;     // of one exchange
constexpr size_t kReady = 6;          // bytes of ReadyForQuery

char arrived[kArrival];  // what was just read; only the loop's thread reads, and holds the GIL

// --- small things about Python's objects -----------------------------------------------------------

struct Names {
  PyObject *data_received, *unfold, *at_end, *broken, *give_back, *popleft, *append, *move_to_end;
  PyObject *relayed, *plan, *passing;
  PyObject *parsed, *unnamed;
} names;

bool intern_names() {
  struct {
    PyObject **to;
    const char *text;
  } all[] = {
      {&names.data_received, "data_received"}, {&names.unfold, "unfold"},
      {&names.at_end, "at_end"},               {&names.broken, "broken"},
      {&names.give_back, "give_back"},         {&names.popleft, "popleft"},
      {&names.append, "append"},               {&names.move_to_end, "move_to_end"},
      {&names.relayed, "relayed"},             {&names.plan, "plan"},
      {&names.passing, "passing"},
      {&names.parsed, "parsed"},               {&names.unnamed, ""},
  };
  for (auto &each : all) {
    if (!(*each.to = PyUnicode_InternFromString(each.text))) return false;
  }
  return true;
}

class Ref {  // owns
 public:
  explicit Ref(PyObject *object = nullptr) : object_(object) {}
  static Ref to(PyObject *object) {
    Py_XINCREF(object);
    return Ref(object);
  }
  Ref(Ref &&other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref &operator=(Ref &&other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() { Py_XDECREF(object_); }
  PyObject *get() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  PyObject *object_;
};

Ref attribute(PyObject *object, PyObject *name) { return Ref(PyObject_GetAttr(object, name)); }

bool is_none(PyObject *object) { return object == nullptr || object == Py_None; }

void assign(PyObject *&to, PyObject *object) {
  Py_XINCREF(object);
  PyObject *old = std::exchange(to, object);
  Py_XDECREF(old);
}

bool call(PyObject *object, PyObject *method, PyObject *argument = nullptr) {
  return bool(Ref(PyObject_CallMethodObjArgs(object, method, argument, nullptr)));
}

uint32_t number(const char *at) {
  auto byte = reinterpret_cast<const unsigned char *>(at);
  return uint32_t(byte[0]) << 24 | uint32_t(byte[1]) << 16 | uint32_t(byte[2]) << 8 | byte[3];
}

double now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return double(time.tv_sec) + 1e-9 * double(time.tv_nsec);
}

// --- texts that pass ---------------------------------------------------------------------------------

bool is_digit(char c) { return c >= '0' && c <= '9'; }

uint64_t masked_hash(string_view text) {
  uint64_t hash = text.size();
  for (char c : text) hash = (hash ^ uint64_t(is_digit(c) ? '0' : c)) * 0x100000001b3;
  return hash;
}

struct Text {
  std::string pattern;                            // its free digits are 0
  std::vector<std::pair<uint32_t, uint32_t>> free;  // where they are
  Ref plan;

  bool matches(string_view text) const {
    if (text.size() != pattern.size()) return false;
    size_t at = 0;
    for (auto [start, end] : free) {
      if (memcmp(text.data() + at, pattern.data() + at, start - at) != 0) return false;
      for (at = start; at < end; ++at) {
        if (!is_digit(text[at])) return false;
      }
    }
    return memcmp(text.data() + at, pattern.data() + at, text.size() - at) == 0;
  }
};

struct Texts {
  PyObject_HEAD
  std::vector<Text> *texts;
  std::unordered_multimap<uint64_t, size_t> *by_hash;
};

PyObject *texts_new(PyTypeObject *type, PyObject *, PyObject *) {
  auto make = reinterpret_cast<allocfunc>(PyType_GetSlot(type, Py_tp_alloc));
  auto self = reinterpret_cast<Texts *>(make(type, 0));
  if (!self) return nullptr;
  self->texts = new std::vector<Text>;
  self->by_hash = new std::unordered_multimap<uint64_t, size_t>;
  return reinterpret_cast<PyObject *>(self);
}

void texts_dealloc(PyObject *object) {
  auto self = reinterpret_cast<Texts *>(object);
  delete self->texts;
  delete self->by_hash;
  PyTypeObject *type = Py_TYPE(object);
  reinterpret_cast<freefunc>(PyType_GetSlot(type, Py_tp_free))(object);
  Py_DECREF(type);
}

// The text's place among the known ones, or -1. recent: the place to look first.
ssize_t find_text(const Texts *known, string_view text, size_t recent) {
  if (recent < known->texts->size() && (*known->texts)[recent].matches(text)) return ssize_t(recent);
  auto [from, to] = known->by_hash->equal_range(masked_hash(text));
  for (; from != to; ++from) {
    if ((*known->texts)[from->second].matches(text)) return ssize_t(from->second);
  }
  return -1;
}

PyObject *texts_learn(PyObject *object, PyObject *arguments) {
  auto self = reinterpret_cast<Texts *>(object);
  const char *data;
  Py_ssize_t size;
  PyObject *spans, *plan;
  if (!PyArg_ParseTuple(arguments, "y#O!O", &data, &size, &PyTuple_Type, &spans, &plan)) {
    return nullptr;
  }
  Text text{{data, size_t(size)}, {}, Ref::to(plan)};
  for (Py_ssize_t n = 0; n < PyTuple_Size(spans); ++n) {
    int start, end;
    if (!PyArg_ParseTuple(PyTuple_GetItem(spans, n), "ii", &start, &end)) return nullptr;
    text.free.emplace_back(start, end);
  }
  if (find_text(self, text.pattern, 0) < 0) {
    self->by_hash->emplace(masked_hash(text.pattern), self->texts->size());
    self->texts->push_back(std::move(text));
  }
  Py_RETURN_NONE;
}

PyObject *texts_clear(PyObject *object, PyObject *) {
  auto self = reinterpret_cast<Texts *>(object);
  self->texts->clear();
  self->by_hash->clear();
  Py_RETURN_NONE;
}

PyObject *texts_knows(PyObject *object, PyObject *argument) {
  char *data;
  Py_ssize_t size;
  if (PyBytes_AsStringAndSize(argument, &data, &size) < 0) return nullptr;
  auto self = reinterpret_cast<Texts *>(object);
  return PyBool_FromLong(find_text(self, {data, size_t(size)}, SIZE_MAX) >= 0);
}

// --- the pool, the ends --------------------------------------------------------------------------------

struct Counters {
  PyObject_HEAD
  long long lent, exchanges, opened, failed, waits;
  double waited;
};

struct PoolEnd {
  PyObject_HEAD
  PyObject *pool, *idle, *lent, *waiting, *counters;
  long long size, queue;
  char alarmed;
};

struct TextEnd {  // `prepared.PreparedText`
  PyObject_HEAD
  PyObject *name, *body, *result;
  char retired;
};

struct StatementEnd {  // `prepared.RelayedStatement`
  PyObject_HEAD
  PyObject *body, *result, *text, *text_profile;
};

struct End {
  PyObject_HEAD
  int fd;       // reads and writes the socket; -1: the transport does
  char unsent;  // the transport may hold bytes that are still to be sent
  PyObject *write, *unsent_size;
  PyObject *poller;  // that watches it now
  PyObject *(*readable)(PyObject *, PyObject *);
};

struct Poller {
  PyObject_HEAD
  int fd;
  bool turning;
  std::vector<PyObject *> *left;  // during this turn; events may still name them
};

struct BackendEnd;

struct ClientEnd : End {
  char armed;       // the session sleeps until its client says something, and has nothing else to do
  char waiting;     // ... with `data` for a backend
  char first;       // the type of the message that began the exchange
  double since;     // when it began to wait
  long long passed;  // statements that the session has not been told of
  size_t recent;
  PyObject *profile, *matter, *pool, *texts, *statements;  // as armed
  PyObject *data;
  PyObject *parsed;  // the unnamed statement that its exchange makes, a PreparedStatement
  PyObject *made;    // ... and the last one that was made here
  PyObject *key;     // the name of the statement that was bound last
  std::string *name;
  BackendEnd *backend;         // that its exchange is with
};

struct BackendEnd : End {
  ClientEnd *client;  // whose exchange it has
  PyObject *pool, *profile, *unnamed, *prepared, *closing, *recent, *buffer;
  Py_ssize_t bulk_left;
  long long heard;
  double idle_since;
  int cancels;
  char untrusted, expired, stale;
};

PyTypeObject *client_type, *backend_type, *pool_type, *counters_type, *texts_type, *text_type,
    *statement_type, *poller_type;

PyObject *as_object(void *object) { return static_cast<PyObject *>(object); }

bool has_unsent(End *end) {
  if (!end->unsent) return false;
  Ref size(PyObject_CallNoArgs(end->unsent_size));
  end->unsent = !size || PyLong_AsLong(size.get()) != 0;
  PyErr_Clear();
  return end->unsent;
}

// Sends, or leaves to the transport what the socket does not take just now.
bool emit(End *end, const char *data, size_t size) {
  if (end->fd >= 0 && !has_unsent(end)) {
    ssize_t sent;
    do {
      sent = send(end->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent > 0) data += sent, size -= size_t(sent);
    if (!size) return true;
  }
  end->unsent = 1;
  Ref rest(PyBytes_FromStringAndSize(data, Py_ssize_t(size)));
  return rest && Ref(PyObject_CallFunctionObjArgs(end->write, rest.get(), nullptr));
}

// --- what an exchange is ---------------------------------------------------------------------------------

struct Bound {
  size_t start, name_end, end;
  Ref relayed;  // the RelayedStatement
};

struct Exchange {
  long long statements = 0;
  const Text *parsed = nullptr;  // what an unnamed Parse in it is about
  string_view parse;             // ... and its body behind the name
  size_t count = 0;
  Bound binds[kMostBinds];
};

// The statement as backends know it, if they do.
TextEnd *text_of(StatementEnd *statement) {
  bool is_text = statement->text && PyObject_TypeCheck(statement->text, text_type);
  return is_text ? reinterpret_cast<TextEnd *>(statement->text) : nullptr;
}

// Whether the client's Bind of `name` may pass: as `Shortcut._read_batch` has it.
bool find_bound(ClientEnd *client, string_view name, Bound &bound) {
  if (!client->key || *client->name != name) {
    Ref key(PyUnicode_DecodeUTF8(name.data(), Py_ssize_t(name.size()), "strict"));
    if (!key) return false;
    assign(client->key, key.get());
    *client->name = name;
  }
  PyObject *found = PyDict_GetItemWithError(client->statements, client->key);
  if (!found) return false;
  Ref relayed = attribute(found, names.relayed), plan = attribute(found, names.plan);
  Ref passing = attribute(found, names.passing);
  if (is_none(plan.get()) || passing.get() != plan.get()) return false;
  if (!relayed || !PyObject_TypeCheck(relayed.get(), statement_type)) return false;
  auto statement = reinterpret_cast<StatementEnd *>(relayed.get());
  if (is_none(statement->result)) return false;
  if (auto text = text_of(statement)) {
    if (statement->text_profile != client->matter || text->retired) return false;
    if (!is_none(text->result) && text->result != statement->result &&
        PyObject_RichCompareBool(text->result, statement->result, Py_EQ) != 1) {
      return false;
    }
  }
  bound.relayed = std::move(relayed);
  return true;
}

const Text *known_text(ClientEnd *client, string_view text) {
  auto known = reinterpret_cast<Texts *>(client->texts);
  ssize_t place = find_text(known, text, client->recent);
  if (place < 0) return nullptr;
  client->recent = size_t(place);
  return &(*known->texts)[client->recent];
}

// Whether `data` is one whole simple Query whose text is known; or Binds of named statements, or of
// one that is parsed without a name before, with what follows them up to one Sync.
bool read_exchange(ClientEnd *client, string_view data, Exchange &exchange) {
  if (data.size() < 6) return false;
  if (data[0] == 'Q') {
    if (data.size() != 1 + size_t(number(data.data() + 1)) || data.back() != 0) return false;
    exchange.statements = 1;
    return known_text(client, data.substr(5, data.size() - 6)) != nullptr;
  }
  size_t at = 0;
  bool bound = false;
  while (data.size() - at >= 5) {
    char kind = data[at];
    size_t length = number(data.data() + at + 1), end = at + 1 + length;
    if (length < 4 || end > data.size()) return false;
    string_view body = data.substr(at + 5, length - 4);
    if (kind == 'B') {
      if (body.size() < 2 || body[0] || exchange.count == kMostBinds) return false;
      size_t name_end = body.find('\0', 1);
      if (name_end == string_view::npos) return false;
      if (name_end == 1) {
        if (!exchange.parsed) return false;
      } else {
        Bound &named = exchange.binds[exchange.count++];
        named.start = at, named.name_end = at + 5 + name_end, named.end = end;
        if (!find_bound(client, body.substr(1, name_end - 1), named)) return false;
      }
      bound = true;
    } else if (kind == 'D') {
      if (body.size() != 2 || body[0] != 'P' || body[1] || !bound) return false;
    } else if (kind == 'E') {
      if (body.size() != 5 || body[0] || !bound) return false;
      ++exchange.statements;
    } else if (kind == 'P') {
      size_t text_end = body.find('\0', 1);
      if (body.empty() || body[0] || exchange.parsed || text_end == string_view::npos) return false;
      exchange.parse = body.substr(1);
      if (!(exchange.parsed = known_text(client, body.substr(1, text_end - 1)))) return false;
    } else {
      return kind == 'S' && end == data.size() && length == 4 && (bound || exchange.parsed);
    }
    at = end;
  }
  return false;
}

// Whether the backend has the statement; it is then the one to close last.
bool uses(BackendEnd *backend, TextEnd *text) {
  if (PyDict_Contains(backend->prepared, text->name) != 1) return false;
  if (PySet_Size(backend->closing) && PySet_Contains(backend->closing, text->name)) return false;
  auto object = reinterpret_cast<PyObject *>(text);
  if (backend->recent == object) return true;
  assign(backend->recent, object);
  return call(backend->prepared, names.move_to_end, text->name);
}

// The exchange with the backend's names for its statements. False where it lacks one.
bool rename(BackendEnd *backend, string_view data, Exchange &exchange, std::string &out) {
  size_t kept = 0;
  out.clear();
  for (size_t n = 0; n < exchange.count; ++n) {
    Bound &bound = exchange.binds[n];
    char *own = nullptr;
    Py_ssize_t size = 0;
    if (backend->unnamed != bound.relayed.get() || exchange.parsed) {
      TextEnd *text = text_of(reinterpret_cast<StatementEnd *>(bound.relayed.get()));
      if (!text || !uses(backend, text)) return false;
      if (PyBytes_AsStringAndSize(text->name, &own, &size) < 0) return false;
    }
    size_t length = bound.end - bound.start - 1 - (bound.name_end - bound.start - 6) + size_t(size);
    const char head[] = {'B', char(length >> 24), char(length >> 16), char(length >> 8),
                         char(length), 0};
    out.append(data.substr(kept, bound.start - kept)).append(head, sizeof head);
    if (size) out.append(own, size_t(size));
    kept = bound.name_end;
  }
  out.append(data.substr(kept));
  return true;
}

// Whether the backend can take the client's exchange as it is.
bool suits(BackendEnd *backend, ClientEnd *client) {
  return backend->fd >= 0 && !backend->client && !backend->stale &&
         backend->profile == client->profile && !backend->bulk_left && backend->buffer &&
         PyBytes_Size(backend->buffer) == 0;
}

std::string renamed;

// The unnamed statement that the exchange makes: the last one, where it was made of the same.
Ref make_parsed(ClientEnd *client, const Exchange &exchange) {
  PyObject *last = PyDict_GetItemWithError(client->statements, names.unnamed);
  string_view parse = exchange.parse;
  if (last && last == client->made) {
    Ref plan = attribute(last, names.plan), relayed = attribute(last, names.relayed);
    char *body;
    Py_ssize_t size;
    if (plan.get() == exchange.parsed->plan.get() && relayed &&
        PyObject_TypeCheck(relayed.get(), statement_type)) {
      auto statement = reinterpret_cast<StatementEnd *>(relayed.get());
      if (PyBytes_AsStringAndSize(statement->body, &body, &size) < 0) return Ref();
      if (string_view(body, size_t(size)) == parse && is_none(statement->result) &&
          is_none(statement->text)) {
        return Ref::to(last);
      }
    }
  }
  Ref body(PyBytes_FromStringAndSize(parse.data(), Py_ssize_t(parse.size())));
  return Ref(PyObject_CallMethodObjArgs(as_object(client), names.parsed,
                                        exchange.parsed->plan.get(), body.get(), nullptr));
}

// Gives the backend, which is lent already, the exchange.
bool begin(ClientEnd *client, BackendEnd *backend, const Exchange &exchange, string_view data) {
  if (data[0] == 'Q' && PyDict_Contains(client->statements, names.unnamed) == 1 &&
      PyDict_DelItem(client->statements, names.unnamed) < 0) {
    return false;
  }
  if (exchange.parsed) {
    Ref parsed = make_parsed(client, exchange);
    if (!parsed) return false;
    assign(client->parsed, parsed.get());
    assign(client->made, parsed.get());
  }
  client->first = data[0];
  Py_INCREF(as_object(client));
  backend->client = client;
  Py_INCREF(as_object(backend));
  client->backend = backend;
  if (data[0] != 'B') assign(backend->unnamed, Py_None);
  return emit(backend, data.data(), data.size());
}

void part(ClientEnd *client, BackendEnd *backend) {
  client->backend = nullptr;
  backend->client = nullptr;
  assign(client->parsed, nullptr);
  Py_DECREF(as_object(client));
  Py_DECREF(as_object(backend));
}

// 1: dealt with. 0: nothing was done. -1: a Python error.
int take(ClientEnd *client, string_view data) {
  Exchange exchange;
  auto pool = reinterpret_cast<PoolEnd *>(client->pool);
  auto counters = reinterpret_cast<Counters *>(pool->counters);
  if (!read_exchange(client, data, exchange)) return 0;
  Py_ssize_t idle = PyList_Size(pool->idle), waiting = PyObject_Size(pool->waiting);
  if (idle > 0) {
    if (waiting) return 0;
    Ref last = Ref::to(PyList_GetItem(pool->idle, idle - 1));
    auto backend = reinterpret_cast<BackendEnd *>(last.get());
    if (!backend || !suits(backend, client)) return 0;
    if (exchange.count) {
      if (!rename(backend, data, exchange, renamed)) return 0;
      data = renamed;
    }
    if (PyList_SetSlice(pool->idle, idle - 1, idle, nullptr) < 0) return -1;
    if (PySet_Add(pool->lent, last.get()) < 0) return -1;
    ++counters->lent;
    client->passed += exchange.statements;
    return begin(client, backend, exchange, data) ? 1 : -1;
  }
  if (!pool->alarmed || waiting >= pool->queue || PySet_Size(pool->lent) < pool->size) return 0;
  Ref kept(PyBytes_FromStringAndSize(data.data(), Py_ssize_t(data.size())));
  if (!kept || !call(pool->waiting, names.append, as_object(client))) return -1;
  assign(client->data, kept.get());
  client->first = data[0];
  client->since = now();
  client->waiting = 1;
  ++counters->waits;
  return 1;
}

// Lends the backend to the client that waits longest, if that one waits here. As `take`.
int serve(PoolEnd *pool, BackendEnd *backend) {
  Ref first(PySequence_GetItem(pool->waiting, 0));
  if (!first) return -1;
  if (!PyObject_TypeCheck(first.get(), client_type)) return 0;
  auto client = reinterpret_cast<ClientEnd *>(first.get());
  if (!client->waiting || !client->armed || !suits(backend, client)) return 0;
  char *bytes;
  Py_ssize_t size;
  if (PyBytes_AsStringAndSize(client->data, &bytes, &size) < 0) return -1;
  string_view data(bytes, size_t(size));
  Exchange exchange;
  if (!read_exchange(client, data, exchange)) return 0;
  if (exchange.count) {
    if (!rename(backend, data, exchange, renamed)) return 0;
    data = renamed;
  }
  if (!call(pool->waiting, names.popleft)) return -1;
  auto counters = reinterpret_cast<Counters *>(pool->counters);
  ++counters->lent;
  counters->waited += now() - client->since;
  client->passed += exchange.statements;
  client->waiting = 0;
  bool begun = begin(client, backend, exchange, data);
  assign(client->data, nullptr);
  return begun ? 1 : -1;
}

// The backend has answered and keeps nothing: to whoever waits, or back among the idle.
bool rest(PoolEnd *pool, BackendEnd *backend) {
  ++reinterpret_cast<Counters *>(pool->counters)->exchanges;
  bool sound = !backend->cancels && !backend->untrusted && !backend->expired;
  Py_ssize_t waiting = PyObject_Size(pool->waiting);
  if (sound && !waiting) {
    backend->idle_since = 0;
    return PySet_Discard(pool->lent, as_object(backend)) >= 0 &&
           PyList_Append(pool->idle, as_object(backend)) == 0;
  }
  if (sound) {
    int served = serve(pool, backend);
    if (served) return served > 0;
    PyErr_Clear();
  }
  return call(pool->pool, names.give_back, as_object(backend));
}

// What the exchange parsed without a name is known from here on, as `Shortcut._finish` has it.
bool keep_parsed(ClientEnd *client, BackendEnd *backend) {
  if (!client->parsed) return true;
  Ref relayed = attribute(client->parsed, names.relayed);
  assign(backend->unnamed, relayed.get());
  return relayed && PyDict_SetItem(client->statements, names.unnamed, client->parsed) == 0;
}

// Whether an answer is whole, plain and leaves no transaction open.
bool is_plain(const char *data, size_t size) {
  if (size < kReady || memcmp(data + size - kReady, "Z\0\0\0\5I", kReady) != 0) return false;
  size_t at = 0, end = size - kReady;
  while (at < end) {
    switch (data[at]) {
      case '1': case '2': case 'n': case 'T': case 'D': case 'C': case 'I': case 's': case 'N':
        break;
      default:
        return false;
    }
    if (end - at < 5) return false;
    at += 1 + size_t(number(data + at + 1));
  }
  return at == end;
}

// --- arrivals ------------------------------------------------------------------------------------------

// Bytes in `arrived`; 0: there are none, or the connection's end has been told.
ssize_t read_some(End *end) {
  if (end->fd < 0) return 0;
  ssize_t size;
  do {
    size = recv(end->fd, arrived, kArrival, MSG_DONTWAIT);
  } while (size < 0 && errno == EINTR);
  if (size > 0) return size;
  if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return 0;
  if (size == 0) return call(as_object(end), names.at_end) ? 0 : -1;
  Ref number(PyLong_FromLong(errno));
  return number && call(as_object(end), names.broken, number.get()) ? 0 : -1;
}

PyObject *done(bool well) {
  if (!well) return nullptr;
  Py_RETURN_NONE;
}

bool hand_over(End *end, size_t size) {
  Ref data(PyBytes_FromStringAndSize(arrived, Py_ssize_t(size)));
  return data && call(as_object(end), names.data_received, data.get());
}

PyObject *client_readable(PyObject *object, PyObject *) {
  auto client = reinterpret_cast<ClientEnd *>(object);
  ssize_t size = read_some(client);
  if (size <= 0) return done(size == 0);
  if (client->armed && !client->backend && !client->waiting && !has_unsent(client)) {
    int taken = take(client, {arrived, size_t(size)});
    if (taken) return done(taken > 0);
    PyErr_Clear();
  }
  return done(hand_over(client, size_t(size)));
}

PyObject *backend_readable(PyObject *object, PyObject *) {
  auto backend = reinterpret_cast<BackendEnd *>(object);
  ssize_t size = read_some(backend);
  if (size <= 0) return done(size == 0);
  if (backend->client) {
    if (!is_plain(arrived, size_t(size))) {
      if (!call(object, names.unfold)) return nullptr;
    } else {
      ++backend->heard;
      Ref client = Ref::to(as_object(backend->client)), pool = Ref::to(backend->pool);
      if (!keep_parsed(backend->client, backend)) return nullptr;
      part(backend->client, backend);
      bool sent = emit(reinterpret_cast<End *>(client.get()), arrived, size_t(size));
      return done(rest(reinterpret_cast<PoolEnd *>(pool.get()), backend) && sent);
    }
  }
  return done(hand_over(backend, size_t(size)));
}

PyObject *past_frames(PyObject *, PyObject *arguments) {
  Py_buffer data;
  Py_ssize_t at;
  int kind;
  if (!PyArg_ParseTuple(arguments, "y*ni", &data, &at, &kind)) return nullptr;
  auto bytes = static_cast<const char *>(data.buf);
  while (at + 5 < data.len && bytes[at] == char(kind)) at += 1 + Py_ssize_t(number(bytes + at + 1));
  PyBuffer_Release(&data);
  return PyLong_FromSsize_t(at);
}

// --- who watches them --------------------------------------------------------------------------------

constexpr int kMostEvents = 64;

PyObject *poller_new(PyTypeObject *type, PyObject *, PyObject *) {
  auto make = reinterpret_cast<allocfunc>(PyType_GetSlot(type, Py_tp_alloc));
  auto self = reinterpret_cast<Poller *>(make(type, 0));
  if (!self) return nullptr;
  self->left = new std::vector<PyObject *>;
  self->fd = epoll_create1(EPOLL_CLOEXEC);
  if (self->fd >= 0) return reinterpret_cast<PyObject *>(self);
  Py_DECREF(reinterpret_cast<PyObject *>(self));
  return PyErr_SetFromErrno(PyExc_OSError);
}

void poller_dealloc(PyObject *object) {
  auto self = reinterpret_cast<Poller *>(object);
  if (self->fd >= 0) close(self->fd);
  delete self->left;
  PyTypeObject *type = Py_TYPE(object);
  reinterpret_cast<freefunc>(PyType_GetSlot(type, Py_tp_free))(object);
  Py_DECREF(type);
}

// How long a turn may go on, in nanoseconds: then whatever else the event loop has to do has its turn.
constexpr int64_t kLongestTurn = 500'000;

int64_t nanoseconds() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * int64_t(1'000'000'000) + time.tv_nsec;
}

void take_events(Poller *self, const epoll_event *events, int count) {
  self->turning = true;
  for (int n = 0; n < count; ++n) {
    auto end = static_cast<End *>(events[n].data.ptr);
    if (!end->poller) continue;  // it has left since
    Ref said(end->readable(as_object(end), nullptr));
    if (!said) PyErr_WriteUnraisable(as_object(end));
  }
  self->turning = false;
  while (!self->left->empty()) {
    Ref gone(self->left->back());
    self->left->pop_back();
  }
}

// What was just sent woke others, who want this processor: they get it, and by the time that it comes
// back there is often more to take. Going to sleep in the event loop and being woken from there
// would cost as much again as the exchange.
PyObject *poller_turn(PyObject *object, PyObject *) {
  auto self = reinterpret_cast<Poller *>(object);
  epoll_event events[kMostEvents];
  int64_t end = nanoseconds() + kLongestTurn;
  int count = epoll_wait(self->fd, events, kMostEvents, 0);
  while (count > 0) {
    take_events(self, events, count);
    if (nanoseconds() > end) break;
    PyThreadState *state = PyEval_SaveThread();
    sched_yield();
    PyEval_RestoreThread(state);
    count = epoll_wait(self->fd, events, kMostEvents, 0);
  }
  Py_RETURN_NONE;
}

PyObject *end_watch(PyObject *object, PyObject *argument) {
  auto end = reinterpret_cast<End *>(object);
  if (!PyObject_TypeCheck(argument, poller_type)) {
    PyErr_SetString(PyExc_TypeError, "a Poller watches");
    return nullptr;
  }
  if (end->poller || end->fd < 0) Py_RETURN_NONE;
  epoll_event event{EPOLLIN | EPOLLRDHUP, {end}};
  if (epoll_ctl(reinterpret_cast<Poller *>(argument)->fd, EPOLL_CTL_ADD, end->fd, &event) < 0) {
    return PyErr_SetFromErrno(PyExc_OSError);
  }
  assign(end->poller, argument);
  Py_INCREF(object);
  Py_RETURN_NONE;
}

PyObject *end_ignore(PyObject *object, PyObject *) {
  auto end = reinterpret_cast<End *>(object);
  if (!end->poller) Py_RETURN_NONE;
  Ref held(std::exchange(end->poller, nullptr));
  auto poller = reinterpret_cast<Poller *>(held.get());
  epoll_ctl(poller->fd, EPOLL_CTL_DEL, end->fd, nullptr);
  if (poller->turning) {
    poller->left->push_back(object);
  } else {
    Py_DECREF(object);
  }
  Py_RETURN_NONE;
}

// --- for Python ----------------------------------------------------------------------------------------

PyObject *end_open(PyObject *object, PyObject *arguments) {
  auto end = reinterpret_cast<End *>(object);
  PyObject *write, *unsent_size;
  int fd;
  if (!PyArg_ParseTuple(arguments, "iOO", &fd, &write, &unsent_size)) return nullptr;
  assign(end->write, write);
  assign(end->unsent_size, unsent_size);
  end->fd = fd;
  end->unsent = 1;
  Py_RETURN_NONE;
}

PyObject *end_shut(PyObject *object, PyObject *) {
  auto end = reinterpret_cast<End *>(object);
  Ref ignored(end_ignore(object, nullptr));
  if (end->fd >= 0) close(std::exchange(end->fd, -1));
  Py_RETURN_NONE;
}

PyObject *client_arm(PyObject *object, PyObject *arguments) {
  auto client = reinterpret_cast<ClientEnd *>(object);
  PyObject *profile, *matter, *pool, *texts, *statements;
  if (!PyArg_ParseTuple(arguments, "OOO!O!O!", &profile, &matter, pool_type, &pool, texts_type,
                        &texts, &PyDict_Type, &statements)) {
    return nullptr;
  }
  assign(client->profile, profile);
  assign(client->matter, matter);
  assign(client->pool, pool);
  assign(client->texts, texts);
  assign(client->statements, statements);
  client->armed = 1;
  Py_RETURN_NONE;
}

PyObject *client_leave(PyObject *object, PyObject *) {
  auto client = reinterpret_cast<ClientEnd *>(object);
  client->armed = 0;
  if (client->waiting) {
    client->waiting = 0;
    Ref data(std::exchange(client->data, nullptr));
    return Py_BuildValue("OOO", data.get(), Py_None, Py_None);
  }
  if (!client->backend) Py_RETURN_NONE;
  Ref backend = Ref::to(as_object(client->backend));
  Ref parsed = Ref::to(client->parsed ? client->parsed : Py_None);
  part(client, client->backend);
  return Py_BuildValue("y#OO", &client->first, Py_ssize_t(1), backend.get(), parsed.get());
}

PyObject *client_take_passed(PyObject *object, PyObject *) {
  auto client = reinterpret_cast<ClientEnd *>(object);
  return PyLong_FromLongLong(std::exchange(client->passed, 0));
}

int pool_init(PyObject *object, PyObject *arguments, PyObject *) {
  auto self = reinterpret_cast<PoolEnd *>(object);
  PyObject *pool, *idle, *lent, *waiting, *counters;
  if (!PyArg_ParseTuple(arguments, "OO!O!OO!LL", &pool, &PyList_Type, &idle, &PySet_Type, &lent,
                        &waiting, counters_type, &counters, &self->size, &self->queue)) {
    return -1;
  }
  assign(self->pool, pool);
  assign(self->idle, idle);
  assign(self->lent, lent);
  assign(self->waiting, waiting);
  assign(self->counters, counters);
  return 0;
}

int backend_init(PyObject *object, PyObject *, PyObject *) {
  auto self = reinterpret_cast<BackendEnd *>(object);
  self->readable = backend_readable;
  self->fd = -1;
  self->unsent = 1;
  return 0;
}

int nothing_init(PyObject *, PyObject *, PyObject *) { return 0; }

int client_init(PyObject *object, PyObject *, PyObject *) {
  auto self = reinterpret_cast<ClientEnd *>(object);
  if (!self->name) self->name = new std::string;
  self->readable = client_readable;
  self->fd = -1;
  self->unsent = 1;
  return 0;
}

// --- the types -------------------------------------------------------------------------------------------

// The places of the objects that each type holds.
template <typename T>
std::vector<PyObject **> held(T *self);

template <>
std::vector<PyObject **> held(TextEnd *self) {
  return {&self->name, &self->body, &self->result};
}

template <>
std::vector<PyObject **> held(StatementEnd *self) {
  return {&self->body, &self->result, &self->text, &self->text_profile};
}

template <>
std::vector<PyObject **> held(PoolEnd *self) {
  return {&self->pool, &self->idle, &self->lent, &self->waiting, &self->counters};
}

template <>
std::vector<PyObject **> held(ClientEnd *self) {
  return {&self->write, &self->unsent_size, &self->poller, &self->profile, &self->matter,
          &self->pool,  &self->texts,       &self->statements, &self->data,
          &self->parsed, &self->made,       &self->key, reinterpret_cast<PyObject **>(&self->backend)};
}

template <>
std::vector<PyObject **> held(BackendEnd *self) {
  return {&self->write, &self->unsent_size, &self->poller, &self->pool, &self->profile, &self->unnamed,
          &self->prepared, &self->closing,     &self->recent, &self->buffer,
          reinterpret_cast<PyObject **>(&self->client)};
}

template <typename T>
int traverse(PyObject *object, visitproc visit, void *arg) {
  Py_VISIT(Py_TYPE(object));
  for (PyObject **each : held(reinterpret_cast<T *>(object))) Py_VISIT(*each);
  return 0;
}

template <typename T>
int clear(PyObject *object) {
  for (PyObject **each : held(reinterpret_cast<T *>(object))) {
    Py_XDECREF(std::exchange(*each, nullptr));
  }
  return 0;
}

template <typename T>
void dealloc(PyObject *object) {
  PyTypeObject *type = Py_TYPE(object);
  PyObject_GC_UnTrack(object);
  if constexpr (std::is_base_of_v<End, T>) {
    auto end = reinterpret_cast<End *>(object);
    if (end->fd >= 0) close(end->fd);
  }
  if constexpr (std::is_same_v<ClientEnd, T>) delete reinterpret_cast<ClientEnd *>(object)->name;
  clear<T>(object);
  reinterpret_cast<freefunc>(PyType_GetSlot(type, Py_tp_free))(object);
  Py_DECREF(type);
}

void plain_dealloc(PyObject *object) {
  PyTypeObject *type = Py_TYPE(object);
  reinterpret_cast<freefunc>(PyType_GetSlot(type, Py_tp_free))(object);
  Py_DECREF(type);
}

#define MEMBER(owner, field, type) {#field, type, offsetof(owner, field), 0, nullptr}

PyMemberDef kCounterMembers[] = {
    MEMBER(Counters, lent, T_LONGLONG),   MEMBER(Counters, exchanges, T_LONGLONG),
    MEMBER(Counters, opened, T_LONGLONG), MEMBER(Counters, failed, T_LONGLONG),
    MEMBER(Counters, waits, T_LONGLONG),  MEMBER(Counters, waited, T_DOUBLE),
    {nullptr, 0, 0, 0, nullptr}};

PyMemberDef kTextMembers[] = {
    MEMBER(TextEnd, name, T_OBJECT), MEMBER(TextEnd, body, T_OBJECT),
    MEMBER(TextEnd, result, T_OBJECT), MEMBER(TextEnd, retired, T_BOOL),
    {nullptr, 0, 0, 0, nullptr}};

PyMemberDef kStatementMembers[] = {
    MEMBER(StatementEnd, body, T_OBJECT), MEMBER(StatementEnd, result, T_OBJECT),
    MEMBER(StatementEnd, text, T_OBJECT), MEMBER(StatementEnd, text_profile, T_OBJECT),
    {nullptr, 0, 0, 0, nullptr}};

PyMemberDef kPoolMembers[] = {MEMBER(PoolEnd, alarmed, T_BOOL), {nullptr, 0, 0, 0, nullptr}};

PyMemberDef kClientMembers[] = {
    {"fd", T_INT, offsetof(ClientEnd, fd), READONLY, nullptr},
    MEMBER(ClientEnd, unsent, T_BOOL),
    MEMBER(ClientEnd, armed, T_BOOL),
    MEMBER(ClientEnd, since, T_DOUBLE),
    {nullptr, 0, 0, 0, nullptr}};

PyMemberDef kBackendMembers[] = {
    {"fd", T_INT, offsetof(BackendEnd, fd), READONLY, nullptr},
    {"client", T_OBJECT, offsetof(BackendEnd, client), READONLY, nullptr},
    MEMBER(BackendEnd, unsent, T_BOOL),
    MEMBER(BackendEnd, pool, T_OBJECT),
    MEMBER(BackendEnd, profile, T_OBJECT),
    MEMBER(BackendEnd, unnamed, T_OBJECT),
    MEMBER(BackendEnd, prepared, T_OBJECT),
    MEMBER(BackendEnd, closing, T_OBJECT),
    MEMBER(BackendEnd, recent, T_OBJECT),
    {"_buffer", T_OBJECT, offsetof(BackendEnd, buffer), 0, nullptr},
    {"_bulk_left", T_PYSSIZET, offsetof(BackendEnd, bulk_left), 0, nullptr},
    MEMBER(BackendEnd, heard, T_LONGLONG),
    MEMBER(BackendEnd, idle_since, T_DOUBLE),
    MEMBER(BackendEnd, cancels, T_INT),
    MEMBER(BackendEnd, untrusted, T_BOOL),
    MEMBER(BackendEnd, expired, T_BOOL),
    MEMBER(BackendEnd, stale, T_BOOL),
    {nullptr, 0, 0, 0, nullptr}};

constexpr const char *kOpen =
    "open(fd, write, unsent_size): reads and writes by `fd`, which is its own from here on";
constexpr const char *kWatch = "watch(poller): from now on arrivals are taken";
constexpr const char *kIgnore = "ignore(): until it is watched again, they are not";
constexpr const char *kShut = "shut(): closes its descriptor; the transport's stays";

PyMethodDef kClientMethods[] = {
    {"open", end_open, METH_VARARGS, kOpen},
    {"shut", end_shut, METH_NOARGS, kShut},
    {"watch", end_watch, METH_O, kWatch},
    {"ignore", end_ignore, METH_NOARGS, kIgnore},
    {"readable", client_readable, METH_NOARGS, "readable(): something has come"},
    {"arm", client_arm, METH_VARARGS,
     "arm(profile, matter, pool, texts, statements): exchanges may pass until it leaves"},
    {"leave", client_leave, METH_NOARGS,
     "leave() -> None | (data, backend, parsed)\n\n"
     "Exchanges pass no more. The one under way is the caller's: its first byte, its backend and the\n"
     "unnamed statement that it makes; or the whole of it and None, while it waits for a backend."},
    {"take_passed", client_take_passed, METH_NOARGS,
     "take_passed() -> statements that have passed since this was asked last"},
    {nullptr, nullptr, 0, nullptr}};

PyMethodDef kBackendMethods[] = {
    {"open", end_open, METH_VARARGS, kOpen},
    {"shut", end_shut, METH_NOARGS, kShut},
    {"watch", end_watch, METH_O, kWatch},
    {"ignore", end_ignore, METH_NOARGS, kIgnore},
    {"readable", backend_readable, METH_NOARGS, "readable(): something has come"},
    {nullptr, nullptr, 0, nullptr}};

PyMethodDef kTextsMethods[] = {
    {"learn", texts_learn, METH_VARARGS,
     "learn(text, free, plan): a text that passes; free: (start, end) of the digits, 0 in it, that\n"
     "may be others"},
    {"knows", texts_knows, METH_O, "knows(text) -> whether it passes"},
    {"clear", texts_clear, METH_NOARGS, "clear(): forgets them"},
    {nullptr, nullptr, 0, nullptr}};

template <typename T>
PyTypeObject *make_type(PyObject *module, const char *name, PyMemberDef *members,
                        PyMethodDef *methods, initproc init) {
  PyType_Slot slots[] = {{Py_tp_dealloc, reinterpret_cast<void *>(dealloc<T>)},
                         {Py_tp_traverse, reinterpret_cast<void *>(traverse<T>)},
                         {Py_tp_clear, reinterpret_cast<void *>(clear<T>)},
                         {Py_tp_new, reinterpret_cast<void *>(PyType_GenericNew)},
                         {Py_tp_init, reinterpret_cast<void *>(init)},
                         {Py_tp_members, members},
                         {Py_tp_methods, methods},
                         {0, nullptr}};
  PyType_Spec spec = {name, sizeof(T), 0,
                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots};
  PyObject *type = PyType_FromSpec(&spec);
  if (type && PyModule_AddObjectRef(module, strrchr(name, '.') + 1, type) < 0) return nullptr;
  return reinterpret_cast<PyTypeObject *>(type);
}

PyTypeObject *make_plain_type(PyObject *module, const char *name, size_t size, PyType_Slot *slots) {
  PyType_Spec spec = {name, int(size), 0, Py_TPFLAGS_DEFAULT, slots};
  PyObject *type = PyType_FromSpec(&spec);
  if (type && PyModule_AddObjectRef(module, strrchr(name, '.') + 1, type) < 0) return nullptr;
  return reinterpret_cast<PyTypeObject *>(type);
}

PyMethodDef kFunctions[] = {
    {"past_frames", past_frames, METH_VARARGS,
     "past_frames(data, at, kind): where the frames of this kind end that begin at `at`; past the\n"
     "data's end where the last one is not whole"},
    {nullptr, nullptr, 0, nullptr}};

PyMethodDef kNoMethods[] = {{nullptr, nullptr, 0, nullptr}};

PyType_Slot kCountersSlots[] = {{Py_tp_dealloc, reinterpret_cast<void *>(plain_dealloc)},
                                {Py_tp_new, reinterpret_cast<void *>(PyType_GenericNew)},
                                {Py_tp_members, kCounterMembers},
                                {0, nullptr}};

PyType_Slot kTextsSlots[] = {{Py_tp_dealloc, reinterpret_cast<void *>(texts_dealloc)},
                             {Py_tp_new, reinterpret_cast<void *>(texts_new)},
                             {Py_tp_methods, kTextsMethods},
                             {0, nullptr}};

PyMemberDef kPollerMembers[] = {{"fd", T_INT, offsetof(Poller, fd), READONLY, nullptr},
                                {nullptr, 0, 0, 0, nullptr}};

PyMethodDef kPollerMethods[] = {
    {"turn", poller_turn, METH_NOARGS, "turn(): takes what has arrived"},
    {nullptr, nullptr, 0, nullptr}};

PyType_Slot kPollerSlots[] = {{Py_tp_dealloc, reinterpret_cast<void *>(poller_dealloc)},
                              {Py_tp_new, reinterpret_cast<void *>(poller_new)},
                              {Py_tp_members, kPollerMembers},
                              {Py_tp_methods, kPollerMethods},
                              {0, nullptr}};

PyModuleDef kModule = {PyModuleDef_HEAD_INIT, "proxy.engines._lane", nullptr, -1, kFunctions,
                       nullptr, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__lane() {
  PyObject *module = PyModule_Create(&kModule);
  if (!module || !intern_names()) return nullptr;
  counters_type =
      make_plain_type(module, "proxy.engines._lane.Counters", sizeof(Counters), kCountersSlots);
  poller_type =
      make_plain_type(module, "proxy.engines._lane.Poller", sizeof(Poller), kPollerSlots);
  texts_type = make_plain_type(module, "proxy.engines._lane.Texts", sizeof(Texts), kTextsSlots);
  pool_type = make_type<PoolEnd>(module, "proxy.engines._lane.PoolEnd", kPoolMembers, kNoMethods,
                                 pool_init);
  client_type = make_type<ClientEnd>(module, "proxy.engines._lane.ClientEnd", kClientMembers,
                                     kClientMethods, client_init);
  backend_type = make_type<BackendEnd>(module, "proxy.engines._lane.BackendEnd", kBackendMembers,
                                       kBackendMethods, backend_init);
  text_type = make_type<TextEnd>(module, "proxy.engines._lane.TextEnd", kTextMembers, kNoMethods,
                                 nothing_init);
  statement_type = make_type<StatementEnd>(module, "proxy.engines._lane.StatementEnd",
                                           kStatementMembers, kNoMethods, nothing_init);
  if (!poller_type || !text_type || !statement_type || !counters_type || !texts_type || !pool_type || !client_type || !backend_type) return nullptr;
  return module;
}
