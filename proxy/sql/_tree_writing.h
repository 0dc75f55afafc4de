// The text of a syntax tree's ordinary nodes: names, columns, literals, operators, brackets, aliases, tables
// and calls. They are most of what a tree's writer is asked for, and need no thought; whatever is out of the
// ordinary in one of them, and all other nodes, is asked of sqlglot's own generator.

#pragma once

#include <cstring>
#include <exception>
#include <string>
#include <unordered_map>
#include <vector>

#include "_tree.h"

namespace {

// other: the node is out of the ordinary. failed: an error is set.
enum class Told { kWritten, kOther, kFailed };

struct Way;
using Writer = Told (*)(PyObject *generator, PyObject *node, const Way &way, std::string &out);

// How nodes of a type are written. generic: the generator's own method. word: an operator, blanks around it.
struct Way {
  Writer writer;
  PyObject *generic;
  std::string word;
};

std::unordered_map<PyTypeObject *, Way> ways;
PyObject *reserved;
PyTypeObject *table_alias_type, *dot_type;

// A reference of one's own: the generator may change the tree while a part of it is written.
class Held {
 public:
  explicit Held(PyObject *object) : object_(object) {}
  Held(const Held &) = delete;
  Held &operator=(const Held &) = delete;
  ~Held() { Py_XDECREF(object_); }
  PyObject *get() const { return object_; }

 private:
  PyObject *object_;
};

bool is_node(PyObject *value) { return value != nullptr && PyType_IsSubtype(Py_TYPE(value), node_type); }

// One of a node's arguments, borrowed; null where there is none.
PyObject *argument(PyObject *args, PyObject *key) { return PyDict_GetItemWithError(args, key); }

bool is_empty(PyObject *value) {
  return value == nullptr || value == Py_None || (PyList_CheckExact(value) && PyList_Size(value) == 0);
}

Told append(PyObject *text, std::string &out) {
  Py_ssize_t size;
  const char *at = text == nullptr ? nullptr : PyUnicode_AsUTF8AndSize(text, &size);
  if (at != nullptr) out.append(at, size);
  Py_XDECREF(text);
  return at == nullptr ? Told::kFailed : Told::kWritten;
}

Told write(PyObject *generator, PyObject *node, std::string &out) {
  auto found = ways.find(Py_TYPE(node));
  if (found == ways.end()) {
    return append(PyObject_CallMethodObjArgs(generator, sql_word, node, nullptr), out);
  }
  const size_t before = out.size();
  const Told told = found->second.writer(generator, node, found->second, out);
  if (told != Told::kOther) return told;
  PyErr_Clear();
  out.resize(before);
  return append(PyObject_CallFunctionObjArgs(found->second.generic, generator, node, nullptr), out);
}

Told write_name(PyObject *, PyObject *node, const Way &, std::string &out) {
  Held args(PyObject_GetAttr(node, args_word));
  if (args.get() == nullptr) return Told::kFailed;
  PyObject *text = argument(args.get(), this_word);
  PyObject *quoted = argument(args.get(), quoted_word);
  if (text == nullptr || !PyUnicode_CheckExact(text)) return Told::kOther;
  Py_ssize_t size;
  const char *at = PyUnicode_AsUTF8AndSize(text, &size);
  if (at == nullptr) return Told::kOther;
  if (quoted != nullptr && quoted != Py_None && quoted != Py_False) {
    if (quoted != Py_True || memchr(at, '"', size) != nullptr) return Told::kOther;
    out += '"';
    out.append(at, size);
    out += '"';
    return Told::kWritten;
  }
  if (size == 0 || (*at >= '0' && *at <= '9')) return Told::kOther;
  for (const char *one = at, *end = at + size; one != end; one++) {
    bool common = (*one >= 'a' && *one <= 'z') || *one == '_' || (*one >= '0' && *one <= '9');
    if (!common) return Told::kOther;
  }
  if (PySet_Contains(reserved, text) != 0) return Told::kOther;
  out.append(at, size);
  return Told::kWritten;
}

// As `write_name`, of what must be an identifier.
Told write_only_name(PyObject *name, const Way &way, std::string &out) {
  if (name == nullptr || Py_TYPE(name) != identifier_type) return Told::kOther;
  return write_name(nullptr, name, way, out);
}

Told write_column(PyObject *, PyObject *node, const Way &way, std::string &out) {
  Held args(PyObject_GetAttr(node, args_word));
  if (args.get() == nullptr) return Told::kFailed;
  PyObject *table = argument(args.get(), table_word);
  if (PyDict_Size(args.get()) != (table == nullptr ? 1 : 2)) return Told::kOther;
  if (table != nullptr) {
    Told told = write_only_name(table, way, out);
    if (told != Told::kWritten) return told;
    out += '.';
  }
  return write_only_name(argument(args.get(), this_word), way, out);
}

Told write_literal(PyObject *, PyObject *node, const Way &, std::string &out) {
  Held args(PyObject_GetAttr(node, args_word));
  if (args.get() == nullptr) return Told::kFailed;
  PyObject *text = argument(args.get(), this_word);
  PyObject *is_text = argument(args.get(), is_string_word);
  if (text == nullptr || !PyUnicode_CheckExact(text)) return Told::kOther;
  Py_ssize_t size;
  const char *at = PyUnicode_AsUTF8AndSize(text, &size);
  if (at == nullptr) return Told::kOther;
  if (is_text == Py_False && size != 0) {
    out.append(at, size);
    return Told::kWritten;
  }
  if (is_text != Py_True || memchr(at, '\'', size) != nullptr) return Told::kOther;
  out += '\'';
  out.append(at, size);
  out += '\'';
  return Told::kWritten;
}

Told write_operation(PyObject *generator, PyObject *node, const Way &, std::string &out);

// Whether a node is an operator between two nodes and nothing else; its sides and its word.
bool is_operation(PyObject *node, PyObject *&left, PyObject *&right, const std::string *&word) {
  auto found = ways.find(Py_TYPE(node));
  if (found == ways.end() || found->second.writer != write_operation) return false;
  Held args(PyObject_GetAttr(node, args_word));
  if (args.get() == nullptr || PyDict_Size(args.get()) != 2) return false;
  left = argument(args.get(), this_word);
  right = argument(args.get(), expression_word);
  word = &found->second.word;
  return is_node(left) && is_node(right);
}

// A chain of operators has any length: what is open of it is kept here, not in calls.
Told write_operation(PyObject *generator, PyObject *node, const Way &, std::string &out) {
  PyObject *left, *right;
  const std::string *word;
  if (!is_operation(node, left, right, word)) return Told::kOther;
  struct Open {
    PyObject *node;  // null: the word is to be written
    const std::string *word;
  };
  std::vector<Open> open;
  const auto put = [&open](PyObject *one, const std::string *said) {
    Py_XINCREF(one);
    open.push_back({one, said});
  };
  put(node, nullptr);
  Told told = Told::kWritten;
  while (!open.empty()) {
    Open next = open.back();
    open.pop_back();
    if (next.node == nullptr) {
      out += *next.word;
      continue;
    }
    if (told == Told::kWritten) {
      if (is_operation(next.node, left, right, word)) {
        put(right, nullptr);
        put(nullptr, word);
        put(left, nullptr);
      } else {
        told = write(generator, next.node, out);
      }
    }
    Py_DECREF(next.node);
  }
  return told;
}

Told write_brackets(PyObject *generator, PyObject *node, const Way &, std::string &out) {
  Held args(PyObject_GetAttr(node, args_word));
  if (args.get() == nullptr) return Told::kFailed;
  PyObject *inner = argument(args.get(), this_word);
  if (PyDict_Size(args.get()) != 1 || !is_node(inner)) return Told::kOther;
  out += '(';
  Told told = write(generator, inner, out);
  out += ')';
  return told;
}

Told write_alias(PyObject *generator, PyObject *node, const Way &, std::string &out) {
  Held args(PyObject_GetAttr(node, args_word));
  if (args.get() == nullptr) return Told::kFailed;
  PyObject *inner = argument(args.get(), this_word);
  PyObject *alias = argument(args.get(), alias_word);
  if (PyDict_Size(args.get()) != 2 || !is_node(inner) || alias == nullptr ||
      Py_TYPE(alias) != identifier_type) {
    return Told::kOther;
  }
  Told told = write(generator, inner, out);
  if (told != Told::kWritten) return told;
  out += " AS ";
  return write(generator, alias, out);
}

// `t`, `s.t`, `d.s.t`, with an alias that names no columns.
Told write_table(PyObject *, PyObject *node, const Way &way, std::string &out) {
  Held args(PyObject_GetAttr(node, args_word));
  if (args.get() == nullptr) return Told::kFailed;
  PyObject *key, *value;
  Py_ssize_t at = 0, filled = 0;
  while (PyDict_Next(args.get(), &at, &key, &value)) filled += !is_empty(value);
  PyObject *alias = argument(args.get(), alias_word);
  filled -= !is_empty(alias);
  for (PyObject *part : {catalog_word, db_word, this_word}) {
    filled -= !is_empty(argument(args.get(), part));
  }
  if (filled != 0) return Told::kOther;
  for (PyObject *part : {catalog_word, db_word, this_word}) {
    PyObject *name = argument(args.get(), part);
    if (part != this_word && is_empty(name)) continue;
    Told told = write_only_name(name, way, out);
    if (told != Told::kWritten) return told;
    if (part != this_word) out += '.';
  }
  if (is_empty(alias)) return Told::kWritten;
  if (Py_TYPE(alias) != table_alias_type) return Told::kOther;
  Held named(PyObject_GetAttr(alias, args_word));
  if (named.get() == nullptr) return Told::kFailed;
  PyObject *columns = argument(named.get(), columns_word);
  if (!is_empty(columns) || PyDict_Size(named.get()) != (columns == nullptr ? 1 : 2)) {
    return Told::kOther;
  }
  out += " AS ";
  return write_only_name(argument(named.get(), this_word), way, out);
}

// A function's name is written in capitals.
Told write_call(PyObject *generator, PyObject *node, const Way &, std::string &out) {
  Held parent(PyObject_GetAttr(node, parent_word));
  if (parent.get() == nullptr || Py_TYPE(parent.get()) == dot_type) return Told::kOther;
  Held args(PyObject_GetAttr(node, args_word));
  if (args.get() == nullptr) return Told::kFailed;
  PyObject *name = argument(args.get(), this_word);
  PyObject *given = argument(args.get(), expressions_word);
  if (PyDict_Size(args.get()) != 2 || name == nullptr || !PyUnicode_CheckExact(name) ||
      given == nullptr || !PyList_CheckExact(given)) {
    return Told::kOther;
  }
  for (Py_ssize_t i = 0; i < PyList_Size(given); i++) {
    if (!is_node(PyList_GetItem(given, i))) return Told::kOther;
  }
  Py_ssize_t size;
  const char *at = PyUnicode_AsUTF8AndSize(name, &size);
  if (at == nullptr) return Told::kOther;
  for (const char *end = at + size; at != end; at++) {
    if (static_cast<unsigned char>(*at) >= 0x80) return Told::kOther;
    out += *at >= 'a' && *at <= 'z' ? static_cast<char>(*at - 'a' + 'A') : *at;
  }
  out += '(';
  for (Py_ssize_t i = 0; i < PyList_Size(given); i++) {
    Held one(Py_NewRef(PyList_GetItem(given, i)));
    if (i != 0) out += ", ";
    Told told = write(generator, one.get(), out);
    if (told != Told::kWritten) return told;
  }
  out += ')';
  return Told::kWritten;
}

PyObject *node_sql(PyObject *, PyObject *const *given, Py_ssize_t count) {
  if (count != 2) return PyErr_Format(PyExc_TypeError, "node_sql takes a generator and a node");
  std::string out;
  try {
    if (write(given[0], given[1], out) != Told::kWritten) return nullptr;
  } catch (const std::exception &) {
    return PyErr_NoMemory();
  }
  return PyUnicode_FromStringAndSize(out.data(), out.size());
}

PyObject *writers(PyObject *, PyObject *given) {
  PyObject *ordinary;
  if (!PyArg_ParseTuple(given, "O!O!O!O!", &PyDict_Type, &ordinary, &PySet_Type, &reserved,
                        &PyType_Type, &table_alias_type, &PyType_Type, &dot_type)) {
    return nullptr;
  }
  for (PyObject *kept : {reserved, reinterpret_cast<PyObject *>(table_alias_type),
                         reinterpret_cast<PyObject *>(dot_type)}) {
    Py_INCREF(kept);
  }
  static const std::unordered_map<std::string, Writer> kWriters = {
      {"name", write_name},         {"column", write_column}, {"literal", write_literal},
      {"brackets", write_brackets}, {"alias", write_alias},   {"table", write_table},
      {"call", write_call},         {"operation", write_operation}};
  PyObject *kind, *told;
  Py_ssize_t at = 0;
  while (PyDict_Next(ordinary, &at, &kind, &told)) {
    const char *name, *word;
    PyObject *generic;
    if (!PyArg_ParseTuple(told, "sOs", &name, &generic, &word)) return nullptr;
    Py_INCREF(kind);
    Py_INCREF(generic);
    auto writer = kWriters.find(name);
    if (writer == kWriters.end()) return PyErr_Format(PyExc_KeyError, "no nodes are written as %s", name);
    ways[reinterpret_cast<PyTypeObject *>(kind)] = {writer->second, generic, word};
  }
  Py_RETURN_NONE;
}

}  // namespace
