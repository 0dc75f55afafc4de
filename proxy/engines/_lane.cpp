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

#include "_lane_arrivals.h"

#include <structmember.h>

#pragma GCC diagnostic ignored "-Winvalid-offsetof"

namespace {

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
