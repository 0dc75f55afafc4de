// What becomes of what arrives at an end, and the one epoll that watches them all.

#pragma once

#include "_lane_exchange.h"

#include <sched.h>
#include <sys/epoll.h>
#include <unistd.h>

namespace {

constexpr size_t kArrival = 1 << 18;  // bytes read at once

char arrived[kArrival];  // what was just read; only the loop's thread reads, and holds the GIL

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

// How long a turn may go on, in seconds: then whatever else the event loop has to do has its turn.
constexpr double kLongestTurn = 0.0005;

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
  double end = now() + kLongestTurn;
  int count = epoll_wait(self->fd, events, kMostEvents, 0);
  while (count > 0) {
    take_events(self, events, count);
    if (now() > end) break;
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

}  // namespace
