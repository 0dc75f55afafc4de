// What the lane must know of the pool, of the two ends of an exchange and of prepared statements:
// the members that both sides need, and how an end sends.

#pragma once

#include "_lane_objects.h"

#include <errno.h>
#include <sys/socket.h>

#include <string>
#include <vector>

namespace {

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

}  // namespace
