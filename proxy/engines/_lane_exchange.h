// Which exchanges pass: how one is read, given to a backend, kept waiting for one, and ended.

#pragma once

#include "_lane_ends.h"
#include "_lane_texts.h"

namespace {

constexpr size_t kMostBinds = 16;  // of one exchange
constexpr size_t kReady = 6;       // bytes of ReadyForQuery

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

}  // namespace
