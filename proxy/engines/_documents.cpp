// What is taken out of a document, and how two of them compare: the inner loops of `engines/duck/documents.py`.
//
// Why it exists: `->`, `->>`, `@>` and comparisons of jsonb are asked of every row of a table, and
// Python needs some 10 us for each. DuckDB's own functions read numbers as floats and write a document
// anew; what stands in a document is handed out here as it stands there.
//
// What it promises: the answers of the Python beside it. The texts are documents already, since only
// casts make them; what is none is an error, never read past its end.

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>

#include "_document_variants.h"

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

struct Api {
  void *(*data_chunk_get_vector)(void *, uint64_t);
  uint64_t (*data_chunk_get_size)(void *);
  void *(*vector_get_data)(void *);
  uint64_t *(*vector_get_validity)(void *);
  void (*vector_ensure_validity_writable)(void *);
  void (*vector_assign_string_element_len)(void *, uint64_t, const char *, uint64_t);
  void *(*list_vector_get_child)(void *);
  int (*list_vector_reserve)(void *, uint64_t);
  int (*list_vector_set_size)(void *, uint64_t);
  void (*scalar_function_set_error)(void *, const char *);
};
Api api;
constexpr size_t kFunctions = sizeof(Api) / sizeof(void *);

struct String {  // duckdb_string_t
  uint32_t size;
  char inlined[12];

  Span span() const {
    const char *found = inlined;
    if (size > sizeof inlined) memcpy(&found, inlined + 4, sizeof found);
    return {found, found + size};
  }
};

struct Entry {  // duckdb_list_entry
  uint64_t offset, length;
};

bool valid(const uint64_t *mask, uint64_t row) { return !mask || (mask[row / 64] >> (row % 64) & 1); }

class Column {
 public:
  Column(void *chunk, uint64_t index) : vector(api.data_chunk_get_vector(chunk, index)) {
    data_ = api.vector_get_data(vector);
    mask_ = api.vector_get_validity(vector);
  }
  explicit Column(void *of) : vector(of) {
    data_ = api.vector_get_data(vector);
    mask_ = api.vector_get_validity(vector);
  }

  bool there(uint64_t row) const { return valid(mask_, row); }
  Span text(uint64_t row) const { return static_cast<const String *>(data_)[row].span(); }
  template <class T>
  const T &at(uint64_t row) const { return static_cast<const T *>(data_)[row]; }

  void *vector;

 private:
  void *data_;
  uint64_t *mask_;
};

void put_null(void *output, uint64_t row) {
  api.vector_ensure_validity_writable(output);
  api.vector_get_validity(output)[row / 64] &= ~(uint64_t{1} << (row % 64));
}

void put(void *output, uint64_t row, Span found, bool text) {
  if (!found.there()) return put_null(output, row);
  if (text) {
    if (*found.at == 'n') return put_null(output, row);
    if (*found.at == '"') {
      std::string raw;
      meaning(found, raw);
      return api.vector_assign_string_element_len(output, row, raw.data(), raw.size());
    }
  }
  api.vector_assign_string_element_len(output, row, found.at, found.size());
}

// Calls `one(row)` for every row, and tells DuckDB what it raises.
template <class One>
void for_rows(void *info, void *chunk, One one) {
  try {
    uint64_t rows = api.data_chunk_get_size(chunk);
    for (uint64_t row = 0; row < rows; row++) one(row);
  } catch (const std::exception &error) {
    api.scalar_function_set_error(info, error.what());
  }
}

template <bool text>
void by_name(void *info, void *chunk, void *output) {
  Column documents(chunk, 0), names(chunk, 1);
  for_rows(info, chunk, [&](uint64_t row) {
    if (!documents.there(row) || !names.there(row)) return put_null(output, row);
    Span name = names.text(row);
    put(output, row, member(documents.text(row), name.at, name.size()), text);
  });
}

template <bool text>
void by_number(void *info, void *chunk, void *output) {
  Column documents(chunk, 0), numbers(chunk, 1);
  for_rows(info, chunk, [&](uint64_t row) {
    if (!documents.there(row) || !numbers.there(row)) return put_null(output, row);
    put(output, row, element(documents.text(row), numbers.at<int64_t>(row)), text);
  });
}

template <bool text>
void by_path(void *info, void *chunk, void *output) {
  Column documents(chunk, 0), paths(chunk, 1);
  Column steps(api.list_vector_get_child(paths.vector));
  for_rows(info, chunk, [&](uint64_t row) {
    if (!documents.there(row) || !paths.there(row)) return put_null(output, row);
    Span found = trimmed(documents.text(row));
    const Entry &path = paths.at<Entry>(row);
    for (uint64_t i = path.offset; found.there() && i < path.offset + path.length; i++) {
      Span name = steps.there(i) ? steps.text(i) : kNothing;
      found = name.there() ? step(found, name.at, name.size()) : kNothing;
    }
    put(output, row, found, text);
  });
}

void key(void *info, void *chunk, void *output) {
  Column documents(chunk, 0);
  std::string made;
  for_rows(info, chunk, [&](uint64_t row) {
    if (!documents.there(row)) return put_null(output, row);
    made.clear();
    put_document(documents.text(row), made);
    api.vector_assign_string_element_len(output, row, made.data(), made.size());
  });
}

template <void (*write)(Span, std::string &, int)>
void written(void *info, void *chunk, void *output) {
  Column documents(chunk, 0);
  std::string made;
  for_rows(info, chunk, [&](uint64_t row) {
    if (!documents.there(row)) return put_null(output, row);
    made.clear();
    write(trimmed(documents.text(row)), made, 0);
    api.vector_assign_string_element_len(output, row, made.data(), made.size());
  });
}

void put_variant(void *output, uint64_t row, Span found, bool text) {
  if (text && found.there() && kind_of(*found.at) == kNumber && (memchr(found.at, 'e', found.size()) || memchr(found.at, 'E', found.size()))) {
    std::string plain;
    put_plain_number(found, plain);
    return api.vector_assign_string_element_len(output, row, plain.data(), plain.size());
  }
  put(output, row, found, text);
}

template <bool text>
void by_steps(void *info, void *chunk, void *output) {
  Column documents(chunk, 0), paths(chunk, 1);
  for_rows(info, chunk, [&](uint64_t row) {
    if (!documents.there(row) || !paths.there(row)) return put_null(output, row);
    put_variant(output, row, at_steps(documents.text(row), paths.text(row)), text);
  });
}

void by_place(void *info, void *chunk, void *output) {
  Column documents(chunk, 0), places(chunk, 1);
  for_rows(info, chunk, [&](uint64_t row) {
    if (!documents.there(row) || !places.there(row)) return put_null(output, row);
    int64_t place = places.at<int64_t>(row);
    put(output, row, place < 0 ? kNothing : element(documents.text(row), place), false);
  });
}

void put_or_null(const Column &values, uint64_t row, std::string &out) {
  if (values.there(row)) {
    put_minified(trimmed(values.text(row)), out);
  } else {
    out += "null";
  }
}

void of_list(void *info, void *chunk, void *output) {
  Column lists(chunk, 0);
  Column values(api.list_vector_get_child(lists.vector));
  std::string made;
  for_rows(info, chunk, [&](uint64_t row) {
    if (!lists.there(row)) return put_null(output, row);
    const Entry &list = lists.at<Entry>(row);
    made = "[";
    for (uint64_t i = list.offset; i < list.offset + list.length; i++) {
      if (i > list.offset) made += ',';
      put_or_null(values, i, made);
    }
    made += ']';
    api.vector_assign_string_element_len(output, row, made.data(), made.size());
  });
}

void of_members(void *info, void *chunk, void *output) {
  Column keys(chunk, 0), lists(chunk, 1);
  Column names(api.list_vector_get_child(keys.vector)), values(api.list_vector_get_child(lists.vector));
  std::string made, last;
  for_rows(info, chunk, [&](uint64_t row) {
    if (!keys.there(row) || !lists.there(row)) return put_null(output, row);
    const Entry &named = keys.at<Entry>(row), &list = lists.at<Entry>(row);
    made = "{";
    for (uint64_t i = 0; i < named.length; i++) {
      Span span = names.text(named.offset + i);
      std::string name(span.at, span.size());
      if (i && name == last) throw std::runtime_error("Duplicate field key '" + name + "'");
      if (i) made += ',';
      put_quoted(name, made);
      made += ':';
      put_or_null(values, list.offset + i, made);
      last.swap(name);
    }
    made += '}';
    api.vector_assign_string_element_len(output, row, made.data(), made.size());
  });
}

void put_same(Span value, std::string &out, int) { put_minified(value, out); }

template <uint64_t whole>
void within(void *info, void *chunk, void *output) {
  Column documents(chunk, whole), parts(chunk, 1 - whole);
  bool *answers = static_cast<bool *>(api.vector_get_data(output));
  for_rows(info, chunk, [&](uint64_t row) {
    if (!documents.there(row) || !parts.there(row)) return put_null(output, row);
    answers[row] = contains(trimmed(documents.text(row)), trimmed(parts.text(row)), 0, true);
  });
}

template <bool text>
void elements(void *info, void *chunk, void *output) {
  Column documents(chunk, 0);
  Entry *entries = static_cast<Entry *>(api.vector_get_data(output));
  std::vector<Span> found;
  for_rows(info, chunk, [&](uint64_t row) {
    entries[row] = {found.size(), 0};
    if (!documents.there(row)) return put_null(output, row);
    Span document = trimmed(documents.text(row));
    if (*document.at != '[')
      throw std::runtime_error(*document.at == '{'
                                   ? "\x1f" "22023\x1f" "cannot extract elements from an object\x1f\x1f"
                                   : "\x1f" "22023\x1f" "cannot extract elements from a scalar\x1f\x1f");
    for (Parts parts(document.at, document.end); parts.next();) found.push_back(parts.value);
    entries[row].length = found.size() - entries[row].offset;
  });
  try {
    api.list_vector_reserve(output, found.size());
    api.list_vector_set_size(output, found.size());
    void *child = api.list_vector_get_child(output);
    for (uint64_t i = 0; i < found.size(); i++) put(child, i, found[i], text);
  } catch (const std::exception &error) {
    api.scalar_function_set_error(info, error.what());
  }
}

// --- Python --------------------------------------------------------------------------------------

using Function = void (*)(void *, void *, void *);
constexpr Function kGiven[] = {by_name<false>, by_name<true>, by_number<false>, by_number<true>,
                               by_path<false>, by_path<true>, key, within<0>, within<1>,
                               elements<false>, elements<true>,
                               written<put_variant_key>, written<put_plain>, by_steps<false>,
                               by_steps<true>, by_place, written<put_same>, of_list, of_members};

PyObject *setup(PyObject *, PyObject *addresses) {
  if (!PyList_Check(addresses) || PyList_Size(addresses) != kFunctions) {
    PyErr_SetString(PyExc_ValueError, "not the functions that are needed");
    return nullptr;
  }
  for (size_t i = 0; i < kFunctions; i++) {
    void *address = PyLong_AsVoidPtr(PyList_GetItem(addresses, static_cast<Py_ssize_t>(i)));
    if (address == nullptr) return nullptr;
    memcpy(reinterpret_cast<char *>(&api) + i * sizeof address, &address, sizeof address);
  }
  PyObject *made = PyList_New(0);
  for (Function one : kGiven) {
    PyObject *address = made ? PyLong_FromVoidPtr(reinterpret_cast<void *>(one)) : nullptr;
    if (address == nullptr || PyList_Append(made, address)) {
      Py_XDECREF(address);
      Py_XDECREF(made);
      return nullptr;
    }
    Py_DECREF(address);
  }
  return made;
}

PyMethodDef kMethods[] = {
    {"setup", setup, METH_O, "setup(addresses) -> addresses of the functions of duck/documents.py"},
    {nullptr, nullptr, 0, nullptr}};

PyModuleDef kModule = {PyModuleDef_HEAD_INIT, "proxy.engines._documents", nullptr, 0, kMethods,
                       nullptr, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__documents() { return PyModule_Create(&kModule); }
