// A small statement from its parameters to its DataRow messages, in three calls.
//
// Why it exists: a point query costs DuckDB less than Python needs for the eighty calls of the C API
// and the writing of a few values around it. This is that way, without a Python object on it.
//
// What it promises: the bytes are those of the encoders, the errors DuckDB's own. What is not surely
// small and ordinary - a parameter of another type, more than `kFewRows` rows, a value out of the
// ordinary, a column of another type than last time - is handed back as it is, with nothing lost.

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>

#include <string>

#include "../wire/_rows.h"

namespace {

using namespace hatidata;

struct Result {  // duckdb_result
  uint64_t column_count, row_count, rows_changed;
  void *columns;
  char *error_message;
  void *internal_data;
};

// DuckDB's C API, as `setup` was told where it is. The order is that of `small.py`.
struct Api {
  int (*bind_boolean)(void *, uint64_t, bool);
  int (*bind_int16)(void *, uint64_t, int16_t);
  int (*bind_int32)(void *, uint64_t, int32_t);
  int (*bind_int64)(void *, uint64_t, int64_t);
  int (*bind_double)(void *, uint64_t, double);
  int (*bind_varchar_length)(void *, uint64_t, const char *, uint64_t);
  int (*pending_prepared_streaming)(void *, void **);
  void (*destroy_pending)(void **);
  int (*execute_pending)(void *, Result *);
  void (*destroy_result)(Result *);
  const char *(*result_error)(Result *);
  uint64_t (*column_count)(Result *);
  int (*column_type)(Result *, uint64_t);
  void *(*column_logical_type)(Result *, uint64_t);
  void (*destroy_logical_type)(void **);
  uint8_t (*decimal_width)(void *);
  uint8_t (*decimal_scale)(void *);
  void *(*fetch_chunk)(Result);
  void (*destroy_data_chunk)(void **);
  uint64_t (*data_chunk_get_size)(void *);
  void *(*data_chunk_get_vector)(void *, uint64_t);
  void *(*vector_get_data)(void *);
  uint64_t *(*vector_get_validity)(void *);
};
Api api;
constexpr size_t kFunctions = sizeof(Api) / sizeof(void *);

constexpr uint64_t kFewRows = 48;  // as FEW_ROWS

PyObject *setup(PyObject *, PyObject *addresses) {
  if (!PyList_Check(addresses) || PyList_Size(addresses) != kFunctions) {
    PyErr_SetString(PyExc_ValueError, "not the functions that are needed");
    return nullptr;
  }
  for (size_t i = 0; i < kFunctions; i++) {
    void *address = PyLong_AsVoidPtr(PyList_GetItem(addresses, i));
    if (address == nullptr) return nullptr;
    memcpy(reinterpret_cast<char *>(&api) + i * sizeof address, &address, sizeof address);
  }
  Py_RETURN_NONE;
}

// Binds one value by its type's OID; false where that is not for here, or failed.
bool bind(void *prepared, uint64_t index, long oid, PyObject *value) {
  switch (oid) {
    case 16:
      return PyBool_Check(value) && !api.bind_boolean(prepared, index, value == Py_True);
    case 20: case 21: case 23: {
      if (!PyLong_Check(value)) return false;
      int overflow;
      long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
      if (overflow) return false;
      if (oid == 20) return !api.bind_int64(prepared, index, number);
      if (oid == 23) {
        return number == static_cast<int32_t>(number) &&
               !api.bind_int32(prepared, index, static_cast<int32_t>(number));
      }
      return number == static_cast<int16_t>(number) &&
             !api.bind_int16(prepared, index, static_cast<int16_t>(number));
    }
    case 701:
      return PyFloat_Check(value) && !api.bind_double(prepared, index, PyFloat_AsDouble(value));
    case 25: case 1043: {
      if (!PyUnicode_Check(value)) return false;
      Py_ssize_t size;
      const char *text = PyUnicode_AsUTF8AndSize(value, &size);
      if (text == nullptr) {
        PyErr_Clear();
        return false;
      }
      return !api.bind_varchar_length(prepared, index, text, size);
    }
    default: return false;
  }
}

PyObject *pend(PyObject *, PyObject *args) {
  PyObject *handle, *values;
  if (!PyArg_ParseTuple(args, "OO!", &handle, &PyList_Type, &values)) return nullptr;
  void *prepared = PyLong_AsVoidPtr(handle);
  if (prepared == nullptr && PyErr_Occurred()) return nullptr;
  for (Py_ssize_t i = 0; i < PyList_Size(values); i++) {
    PyObject *pair = PyList_GetItem(values, i);
    if (!PyTuple_Check(pair) || PyTuple_Size(pair) != 2) Py_RETURN_NONE;
    long oid = PyLong_AsLong(PyTuple_GetItem(pair, 0));
    if (!bind(prepared, i + 1, oid, PyTuple_GetItem(pair, 1))) Py_RETURN_NONE;
  }
  void *pending = nullptr;
  int failed;
  Py_BEGIN_ALLOW_THREADS
  failed = api.pending_prepared_streaming(prepared, &pending);
  if (failed) api.destroy_pending(&pending);
  Py_END_ALLOW_THREADS
  if (failed) Py_RETURN_NONE;
  return PyLong_FromVoidPtr(pending);
}

PyObject *drop(PyObject *, PyObject *handle) {
  void *pending = PyLong_AsVoidPtr(handle);
  if (pending == nullptr && PyErr_Occurred()) return nullptr;
  Py_BEGIN_ALLOW_THREADS
  api.destroy_pending(&pending);
  Py_END_ALLOW_THREADS
  Py_RETURN_NONE;
}

// What a column of the result must be, and what becomes of it.
struct Expected {
  int32_t type, width, scale, kind;
};

bool as_expected(Result &result, const Expected *columns, size_t count) {
  if (api.column_count(&result) != count) return false;
  for (size_t i = 0; i < count; i++) {
    if (api.column_type(&result, i) != columns[i].type) return false;
    if (!columns[i].width) continue;
    void *type = api.column_logical_type(&result, i);
    bool same = api.decimal_width(type) == columns[i].width &&
                api.decimal_scale(type) == columns[i].scale;
    api.destroy_logical_type(&type);
    if (!same) return false;
  }
  return true;
}

// Writes a chunk's rows; false where a value is out of the ordinary.
bool write(void *chunk, uint64_t n, const Expected *expected, size_t count, std::vector<char> &out) {
  std::vector<Column> columns(count);
  size_t most = n * (kHeader + count * (4 + kWidest));
  for (size_t k = 0; k < count; k++) {
    Column &c = columns[k];
    void *vector = api.data_chunk_get_vector(chunk, k);
    c.kind = static_cast<Kind>(expected[k].kind);
    c.values = static_cast<const char *>(api.vector_get_data(vector));
    c.validity = api.vector_get_validity(vector);
    c.extra = expected[k].scale;
    if (c.kind != kString) continue;
    for (uint64_t i = 0; i < n; i++) {
      if (!c.is_null(i)) most += at<uint32_t>(c.values + 16 * i, 0);
    }
  }
  if (most > INT32_MAX) return false;
  out.resize(most);
  size_t stopped;
  char *end = write_rows(out.data(), n, columns, stopped);
  if (end == nullptr) return false;
  out.resize(end - out.data());
  return true;
}

PyObject *answer(PyObject *, PyObject *args) {
  PyObject *handle;
  const char *layout;
  Py_ssize_t size;
  if (!PyArg_ParseTuple(args, "Oy#", &handle, &layout, &size)) return nullptr;
  void *pending = PyLong_AsVoidPtr(handle);
  if (pending == nullptr && PyErr_Occurred()) return nullptr;
  std::vector<Expected> expected(size / sizeof(Expected));
  memcpy(expected.data(), layout, expected.size() * sizeof(Expected));
  Result result{};
  void *first = nullptr, *second = nullptr;
  uint64_t rows = 0;
  bool written = false, failed, ended = false;
  std::vector<char> out;
  std::string error;
  Py_BEGIN_ALLOW_THREADS
  failed = api.execute_pending(pending, &result);
  api.destroy_pending(&pending);
  if (!failed && as_expected(result, expected.data(), expected.size())) {
    first = api.fetch_chunk(result);
    rows = first ? api.data_chunk_get_size(first) : 0;
    if (first && rows <= kFewRows) second = api.fetch_chunk(result);
    ended = !first || (rows <= kFewRows && !second);
    failed = ended && api.result_error(&result);
    written = ended && !failed &&
              (!first || write(first, rows, expected.data(), expected.size(), out));
  }
  if (failed) {
    const char *said = api.result_error(&result);
    error = said ? said : "";
  }
  if (failed || written) {
    if (first) api.destroy_data_chunk(&first);
    api.destroy_result(&result);
  }
  Py_END_ALLOW_THREADS
  if (failed) return PyBytes_FromStringAndSize(error.data(), error.size());
  if (written) {
    PyObject *messages = PyBytes_FromStringAndSize(out.data(), out.size());
    return Py_BuildValue("Nn", messages, static_cast<Py_ssize_t>(rows));
  }
  return Py_BuildValue("y#KKO", reinterpret_cast<char *>(&result), sizeof result,
                       reinterpret_cast<unsigned long long>(first),
                       reinterpret_cast<unsigned long long>(second), ended ? Py_True : Py_False);
}

PyMethodDef kMethods[] = {
    {"setup", setup, METH_O, "setup(addresses): where the functions of `Api` are"},
    {"pend", pend, METH_VARARGS,
     "pend(prepared, values) -> pending | None\n\n"
     "Binds (OID, value) for each of $1..$n and readies the statement on its snapshot. None: not for\n"
     "here, nothing has happened."},
    {"drop", drop, METH_O, "drop(pending): it does not run"},
    {"answer", answer, METH_VARARGS,
     "answer(pending, layout) -> (DataRow messages, rows) | (result, first, second, ended) | bytes\n\n"
     "Runs it, with the GIL released. layout: an `Expected` for each column. What could not be\n"
     "answered is handed back: the result, its first two chunks or 0, and whether no more follow.\n"
     "Bytes are DuckDB's error."},
    {nullptr, nullptr, 0, nullptr}};

PyModuleDef kModule = {PyModuleDef_HEAD_INIT, "proxy.engines._small", nullptr, 0, kMethods,
                       nullptr, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__small() { return PyModule_Create(&kModule); }
