// DataRow messages, a row at a time, out of columns: the inner loop of `rows.py`.
//
// Why it exists: array kernels walk a result once per column and step, and the joining of columns
// into rows alone costs as much as all that comes before it. Compiled, one walk writes the ordinary
// numbers, dates and timestamps as text straight into the message, beside cells that the encoders of
// `encoders/` have made.
//
// What it promises: the bytes are those of the encoders. Here are only the ordinary values of a few
// types; at a value out of the ordinary it gives up and names the column, which then goes the other
// way. Everything works without this module, at the speed of the kernels.

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>

#include "_rows.h"

namespace {

using namespace hatidata;

struct Buffers {
  std::vector<Py_buffer> held;

  // The bytes of a buffer, of which `size` must be there; nullptr with an exception.
  const char *of(PyObject *object, int64_t size) {
    Py_buffer view;
    if (PyObject_GetBuffer(object, &view, PyBUF_SIMPLE)) return nullptr;
    held.push_back(view);
    if (view.len < size) {
      PyErr_SetString(PyExc_ValueError, "a column's buffer is too short");
      return nullptr;
    }
    return static_cast<const char *>(view.buf);
  }

  ~Buffers() {
    for (Py_buffer &view : held) PyBuffer_Release(&view);
  }
};

// Fills in a column from (kind, values, first item, nulls, bytes, extra); how many bytes its cells
// may take, or -1 with an exception.
int64_t read_column(PyObject *given, int64_t n, Column &c, Buffers &buffers) {
  char kind;
  Py_ssize_t first;
  long long extra;
  PyObject *values, *nulls, *bytes;
  if (!PyArg_ParseTuple(given, "cOnOOL", &kind, &values, &first, &nulls, &bytes, &extra)) return -1;
  c.kind = static_cast<Kind>(kind);
  c.extra = extra;
  int64_t width = item(c);
  if ((width <= 0 && c.kind != kFixed) || first < 0 || extra < 0 || (c.kind == kDecimal && extra > 38)) {
    PyErr_SetString(PyExc_ValueError, "no such column");
    return -1;
  }
  int64_t items = first + n + (c.kind == kRagged ? 1 : 0);
  if ((c.values = buffers.of(values, items * width)) == nullptr) return -1;
  c.values += first * width;
  c.nulls = nullptr;
  if (nulls != Py_None && (c.nulls = buffers.of(nulls, n)) == nullptr) return -1;
  if (c.kind == kFixed) return n * extra;
  if (c.kind != kRagged) return n * kWidest;
  int64_t from = at<int32_t>(c.values, 0), end = at<int32_t>(c.values, n);
  if ((c.bytes = buffers.of(bytes, end)) == nullptr) return -1;
  return end - from;
}

PyObject *data_rows(PyObject *, PyObject *args) {
  Py_ssize_t n, limit;
  PyObject *given;
  if (!PyArg_ParseTuple(args, "nO!n", &n, &PyList_Type, &given, &limit)) return nullptr;
  std::vector<Column> columns(PyList_Size(given));
  Buffers buffers;
  int64_t most = n * (kHeader + 4 * static_cast<int64_t>(columns.size()));
  for (size_t k = 0; k < columns.size(); k++) {
    int64_t size = read_column(PyList_GetItem(given, k), n, columns[k], buffers);
    if (size < 0) return nullptr;
    most += size;
  }
  if (most > limit) Py_RETURN_NONE;
  PyObject *message = PyByteArray_FromStringAndSize(nullptr, most);
  if (message == nullptr) return nullptr;
  char *start = PyByteArray_AsString(message), *end;
  size_t stopped = 0;
  Py_BEGIN_ALLOW_THREADS
  end = write_rows(start, n, columns, stopped);
  Py_END_ALLOW_THREADS
  if (end == nullptr) {
    Py_DECREF(message);
    return PyLong_FromSize_t(stopped);
  }
  if (PyByteArray_Resize(message, end - start)) {
    Py_DECREF(message);
    return nullptr;
  }
  return message;
}

PyMethodDef kMethods[] = {
    {"data_rows", data_rows, METH_VARARGS,
     "data_rows(n, columns, limit) -> bytearray | int | None\n\n"
     "n DataRow messages. A column is (kind, values, first item, nulls, bytes, extra): see `Kind`.\n"
     "An int is the column that has a value out of the ordinary; None: it might be over the limit,\n"
     "in bytes, which is at most 2 GiB."},
    {nullptr, nullptr, 0, nullptr}};

PyModuleDef kModule = {PyModuleDef_HEAD_INIT, "proxy.wire._rows", nullptr, 0, kMethods,
                       nullptr, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__rows() { return PyModule_Create(&kModule); }
