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

// How nodes of a type are written. generic: the generator's own method. word: an operator, blanks around it,
// what stands before the only argument, or a function's name. keys: a function's arguments, in order.
struct Way {
  Writer writer;
  PyObject *generic;
  std::string word;
  PyObject *keys;
};

std::unordered_map<PyTypeObject *, Way> ways;
std::unordered_map<PyObject *, std::string> type_names;  // by exp.DType
PyObject *methods, *reserved, *decimal;
PyTypeObject *table_alias_type, *dot_type, *size_type, *rows_type, *limit_type;

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

// How many of a node's arguments say anything.
Py_ssize_t filled(PyObject *args) {
  PyObject *key, *value;
  Py_ssize_t at = 0, found = 0;
  while (PyDict_Next(args, &at, &key, &value)) found += !is_empty(value);
  return found;
}

bool are_nodes(PyObject *list) {
  if (!PyList_CheckExact(list)) return false;
  for (Py_ssize_t i = 0; i < PyList_Size(list); i++) {
    if (!is_node(PyList_GetItem(list, i))) return false;
  }
  return true;
}

// A text of sqlglot's, which may have halves of characters, as `taken_out` gives them back.
Told append(PyObject *text, std::string &out) {
  Held kept(text);
  if (text == nullptr) return Told::kFailed;
  Py_ssize_t size;
  if (const char *at = PyUnicode_AsUTF8AndSize(text, &size); at != nullptr) {
    out.append(at, size);
    return Told::kWritten;
  }
  PyErr_Clear();
  Held bytes(PyUnicode_AsEncodedString(text, "utf-8", "surrogatepass"));
  char *at;
  if (bytes.get() == nullptr || PyBytes_AsStringAndSize(bytes.get(), &at, &size) < 0) {
    return Told::kFailed;
  }
  out.append(at, size);
  return Told::kWritten;
}

PyObject *taken_out(const std::string &out) {
  return PyUnicode_DecodeUTF8(out.data(), out.size(), "surrogatepass");
}

// Nodes within nodes take up the stack, which Python counts for its own calls alone.
class Level {
 public:
  Level() { depth_++; }
  ~Level() { depth_--; }
  Level(const Level &) = delete;
  Level &operator=(const Level &) = delete;
  bool too_deep() const { return depth_ > 2000; }

 private:
  static thread_local int depth_;
};

thread_local int Level::depth_ = 0;

Told write(PyObject *generator, PyObject *node, std::string &out) {
  const Level level;
  if (level.too_deep()) {
    PyErr_SetString(PyExc_RecursionError, "a tree is too deep to be written");
    return Told::kFailed;
  }
  Held kept(Py_NewRef(node));
  auto found = ways.find(Py_TYPE(node));
  if (found == ways.end()) {
    // Its method is called as the generator would, without a further call in depth.
    PyObject *method = PyDict_GetItemWithError(methods, reinterpret_cast<PyObject *>(Py_TYPE(node)));
    return append(method != nullptr
                      ? PyObject_CallFunctionObjArgs(method, generator, node, nullptr)
                      : PyObject_CallMethodObjArgs(generator, sql_word, node, nullptr),
                  out);
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
  Held name(Py_NewRef(alias));
  Told told = write(generator, inner, out);
  if (told != Told::kWritten) return told;
  out += " AS ";
  return write(generator, name.get(), out);
}

// `t`, `s.t`, `d.s.t`, with an alias that names no columns.
Told write_table(PyObject *, PyObject *node, const Way &way, std::string &out) {
  Held args(PyObject_GetAttr(node, args_word));
  if (args.get() == nullptr) return Told::kFailed;
  PyObject *alias = argument(args.get(), alias_word);
  Py_ssize_t unknown = filled(args.get()) - !is_empty(alias);
  for (PyObject *part : {catalog_word, db_word, this_word}) {
    unknown -= !is_empty(argument(args.get(), part));
  }
  if (unknown != 0) return Told::kOther;
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

Told write_each(PyObject *generator, PyObject *nodes, const char *between, std::string &out) {
  Held list(Py_NewRef(nodes));
  for (Py_ssize_t i = 0; i < PyList_Size(list.get()); i++) {
    Held one(Py_NewRef(PyList_GetItem(list.get(), i)));
    if (i != 0) out += between;
    Told told = write(generator, one.get(), out);
    if (told != Told::kWritten) return told;
  }
  return Told::kWritten;
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
      given == nullptr || !are_nodes(given)) {
    return Told::kOther;
  }
  Py_ssize_t size;
  const char *at = PyUnicode_AsUTF8AndSize(name, &size);
  if (at == nullptr) return Told::kOther;
  for (const char *end = at + size; at != end; at++) {
    if (static_cast<unsigned char>(*at) >= 0x80) return Told::kOther;
    out += *at >= 'a' && *at <= 'z' ? static_cast<char>(*at - 'a' + 'A') : *at;
  }
  out += '(';
  Told told = write_each(generator, given, ", ", out);
  out += ')';
  return told;
}

// A function that the parser knows and the generator has no method for.
Told write_function(PyObject *generator, PyObject *node, const Way &way, std::string &out) {
  Held args(PyObject_GetAttr(node, args_word));
  if (args.get() == nullptr) return Told::kFailed;
  for (Py_ssize_t i = 0, size = PyTuple_Size(way.keys); i < size; i++) {
    PyObject *value = argument(args.get(), PyTuple_GetItem(way.keys, i));
    bool plain = value == nullptr || value == Py_None || Py_TYPE(value) == &PyBool_Type ||
                 (PyList_CheckExact(value) ? are_nodes(value) : is_node(value));
    if (!plain) return Told::kOther;
  }
  out += way.word;
  out += '(';
  const size_t opened = out.size();
  for (Py_ssize_t i = 0, size = PyTuple_Size(way.keys); i < size; i++) {
    Held value(Py_XNewRef(argument(args.get(), PyTuple_GetItem(way.keys, i))));
    bool is_list = value.get() != nullptr && PyList_CheckExact(value.get());
    if (is_list ? PyList_Size(value.get()) == 0 : !is_node(value.get())) continue;
    if (out.size() != opened) out += ", ";
    Told told = is_list ? write_each(generator, value.get(), ", ", out)
                        : write(generator, value.get(), out);
    if (told != Told::kWritten) return told;
  }
  out += ')';
  return Told::kWritten;
}

// A type without parts, and DECIMAL(p, s).
Told write_type(PyObject *, PyObject *node, const Way &, std::string &out) {
  Held args(PyObject_GetAttr(node, args_word));
  if (args.get() == nullptr) return Told::kFailed;
  PyObject *kind = argument(args.get(), this_word);
  PyObject *sizes = argument(args.get(), expressions_word);
  PyObject *nested = argument(args.get(), nested_word);
  auto name = type_names.find(kind);
  bool sized = !is_empty(sizes);
  if (name == type_names.end() || (sized && (kind != decimal || !PyList_CheckExact(sizes))) ||
      (nested != nullptr && nested != Py_None && nested != Py_False) ||
      filled(args.get()) != 1 + (nested == Py_False) + sized) {
    return Told::kOther;
  }
  out += name->second;
  if (!sized) return Told::kWritten;
  for (Py_ssize_t i = 0; i < PyList_Size(sizes); i++) {
    PyObject *size = PyList_GetItem(sizes, i);
    if (Py_TYPE(size) != size_type) return Told::kOther;
    Held of(PyObject_GetAttr(size, args_word));
    if (of.get() == nullptr) return Told::kFailed;
    PyObject *number = argument(of.get(), this_word);
    if (filled(of.get()) != 1 || is_empty(number) || Py_TYPE(number) != literal_type) {
      return Told::kOther;
    }
    out += i == 0 ? "(" : ", ";
    Told told = write_literal(nullptr, number, {}, out);
    if (told != Told::kWritten) return told;
  }
  out += ')';
  return Told::kWritten;
}

Told write_cast(PyObject *generator, PyObject *node, const Way &, std::string &out) {
  Held args(PyObject_GetAttr(node, args_word));
  if (args.get() == nullptr) return Told::kFailed;
  PyObject *value = argument(args.get(), this_word), *to = argument(args.get(), to_word);
  if (!is_node(value) || !is_node(to) || filled(args.get()) != 2) return Told::kOther;
  Held kind(Py_NewRef(to));  // what is written first may change the node
  out += "CAST(";
  Told told = write(generator, value, out);
  if (told != Told::kWritten) return told;
  out += " AS ";
  told = write(generator, kind.get(), out);
  out += ')';
  return told;
}

// What has a word before its only argument: FROM, WHERE, HAVING, NOT.
Told write_clause(PyObject *generator, PyObject *node, const Way &way, std::string &out) {
  Held args(PyObject_GetAttr(node, args_word));
  if (args.get() == nullptr) return Told::kFailed;
  PyObject *inner = argument(args.get(), this_word);
  if (PyDict_Size(args.get()) != 1 || !is_node(inner)) return Told::kOther;
  out += way.word;
  return write(generator, inner, out);
}

// A query of the common clauses, each of which is written with a blank before it.
Told write_select(PyObject *generator, PyObject *node, const Way &, std::string &out) {
  Held args(PyObject_GetAttr(node, args_word));
  if (args.get() == nullptr) return Told::kFailed;
  Held outputs(Py_XNewRef(argument(args.get(), expressions_word)));
  Held joins(Py_XNewRef(argument(args.get(), joins_word)));
  if (is_empty(outputs.get()) || !are_nodes(outputs.get())) return Told::kOther;
  if (!is_empty(joins.get()) && !are_nodes(joins.get())) return Told::kOther;
  PyObject *source = argument(args.get(), from_word);
  if (!is_empty(source)) {
    Held from(PyObject_GetAttr(source, args_word));
    if (from.get() == nullptr) return Told::kFailed;
    PyObject *first = argument(from.get(), this_word);
    if (first == nullptr || Py_TYPE(first) == rows_type) return Told::kOther;
  }
  Py_ssize_t unknown = filled(args.get()) - 1 - !is_empty(joins.get());
  for (PyObject *word : {with_word, distinct_word, from_word, where_word, group_word, having_word,
                         order_word, limit_word}) {
    PyObject *clause = argument(args.get(), word);
    if (!is_empty(clause) && !is_node(clause)) return Told::kOther;
    unknown -= !is_empty(clause);
  }
  PyObject *limit = argument(args.get(), limit_word);
  if (unknown != 0 || (!is_empty(limit) && Py_TYPE(limit) != limit_type)) return Told::kOther;
  Told told = Told::kWritten;
  const auto clause = [&](PyObject *word) {
    Held one(Py_XNewRef(argument(args.get(), word)));
    if (told == Told::kWritten && !is_empty(one.get())) told = write(generator, one.get(), out);
    return !is_empty(one.get());
  };
  if (clause(with_word)) out += ' ';
  out += "SELECT ";
  if (clause(distinct_word)) out += ' ';
  if (told == Told::kWritten) told = write_each(generator, outputs.get(), ", ", out);
  clause(from_word);
  if (told == Told::kWritten && !is_empty(joins.get())) {
    told = write_each(generator, joins.get(), "", out);
  }
  for (PyObject *word : {where_word, group_word, having_word, order_word, limit_word}) clause(word);
  return told;
}

PyObject *node_sql(PyObject *, PyObject *const *given, Py_ssize_t count) {
  if (count != 2) return PyErr_Format(PyExc_TypeError, "node_sql takes a generator and a node");
  std::string out;
  try {
    if (write(given[0], given[1], out) != Told::kWritten) return nullptr;
  } catch (const std::exception &) {
    return PyErr_NoMemory();
  }
  return taken_out(out);
}

PyObject *writers(PyObject *, PyObject *given) {
  PyObject *ordinary, *types;
  if (!PyArg_ParseTuple(given, "O!O!O!O!OO!O!O!O!O!", &PyDict_Type, &ordinary, &PyDict_Type,
                        &methods, &PyDict_Type, &types, &PySet_Type, &reserved, &decimal, &PyType_Type, &table_alias_type,
                        &PyType_Type, &dot_type, &PyType_Type, &size_type, &PyType_Type, &rows_type,
                        &PyType_Type, &limit_type)) {
    return nullptr;
  }
  Py_INCREF(given);  // it has all of them
  static const std::unordered_map<std::string, Writer> kWriters = {
      {"name", write_name},         {"column", write_column},       {"literal", write_literal},
      {"brackets", write_brackets}, {"alias", write_alias},         {"table", write_table},
      {"call", write_call},         {"operation", write_operation}, {"function", write_function},
      {"type", write_type},         {"cast", write_cast},           {"clause", write_clause},
      {"select", write_select}};
  PyObject *kind, *told;
  Py_ssize_t at = 0;
  while (PyDict_Next(ordinary, &at, &kind, &told)) {
    const char *name, *word;
    PyObject *generic, *keys;
    if (!PyArg_ParseTuple(told, "sOsO!", &name, &generic, &word, &PyTuple_Type, &keys)) {
      return nullptr;
    }
    auto writer = kWriters.find(name);
    if (writer == kWriters.end()) return PyErr_Format(PyExc_KeyError, "no nodes are written as %s", name);
    ways[reinterpret_cast<PyTypeObject *>(kind)] = {writer->second, generic, word, keys};
  }
  at = 0;
  while (PyDict_Next(types, &at, &kind, &told)) {
    const char *name = PyUnicode_AsUTF8AndSize(told, nullptr);
    if (name == nullptr) return nullptr;
    type_names[kind] = name;
  }
  Py_RETURN_NONE;
}

}  // namespace
