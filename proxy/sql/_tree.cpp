// The inner loops over a syntax tree: its nodes listed (`listing.py`), rules applied to them
// (`postgres.apply`), its ordinary nodes written (`reading.py`, by `_tree_writing.h`).
//
// Why it exists: a plan that is not in the cache begins with a walk over all of its tree and ends with
// writing it. Those are dearer than all the rest beside sqlglot's own parsing.
//
// What it promises: the lists are those that `listing.py` makes without it, in the same order, however
// deep the tree is; texts are those of sqlglot's generator, which is asked for all that is not ordinary.
// Of nodes it reads attributes only, so that nothing but that generator changes a tree meanwhile.

#include <exception>
#include <vector>

#include "_tree.h"
#include "_tree_writing.h"

namespace {

PyObject *looked_at;  // the names of columns that are never plain

struct Lists {
  PyObject *nodes, *names, *columns, *by_kind;
};

// Names in lower case are most of them; `names` need not be looked at by their letters then.
bool is_plain_lower(PyObject *text) {
  Py_ssize_t size;
  const char *at = PyUnicode_AsUTF8AndSize(text, &size);
  if (at == nullptr) {
    PyErr_Clear();
    return false;
  }
  for (const char *end = at + size; at != end; at++) {
    if (static_cast<unsigned char>(*at) >= 0x80 || (*at >= 'A' && *at <= 'Z')) return false;
  }
  return true;
}

// 1: a column written `a` or `t.a`, of no name that is looked at; 0: not; -1: an error.
int is_plain(PyObject *args) {
  Py_ssize_t size = PyDict_Size(args);
  if (size > 2) return 0;
  if (size == 2) {
    PyObject *table = PyDict_GetItemWithError(args, table_word);
    if (table == nullptr) return PyErr_Occurred() ? -1 : 0;
    if (Py_TYPE(table) != identifier_type) return 0;
  }
  PyObject *name = PyDict_GetItemWithError(args, this_word);
  if (name == nullptr) return PyErr_Occurred() ? -1 : 0;
  if (Py_TYPE(name) != identifier_type) return 0;
  PyObject *inner = PyObject_GetAttr(name, args_word);
  if (inner == nullptr) return -1;
  PyObject *text = PyDict_GetItemWithError(inner, this_word);
  Py_DECREF(inner);  // the node keeps it
  if (text == nullptr) return PyErr_Occurred() ? -1 : 0;
  int found;
  if (is_plain_lower(text)) {
    found = PySet_Contains(looked_at, text);
  } else {
    PyObject *lower = PyObject_CallMethodObjArgs(text, lower_word, nullptr);
    if (lower == nullptr) return -1;
    found = PySet_Contains(looked_at, lower);
    Py_DECREF(lower);
  }
  return found < 0 ? -1 : !found;
}

bool put_by_kind(PyObject *by_kind, PyObject *node) {
  PyObject *kind = reinterpret_cast<PyObject *>(Py_TYPE(node));
  PyObject *list = PyDict_GetItemWithError(by_kind, kind);
  if (list != nullptr) return PyList_Append(list, node) == 0;
  if (PyErr_Occurred() || (list = PyList_New(0)) == nullptr) return false;
  bool done = PyList_Append(list, node) == 0 && PyDict_SetItem(by_kind, kind, list) == 0;
  Py_DECREF(list);
  return done;
}

// The values that are nodes or lists go to the end of `open`, the last one first. They are borrowed:
// their nodes keep them.
void push(std::vector<PyObject *> &open, std::vector<PyObject *> &some) {
  open.insert(open.end(), some.rbegin(), some.rend());
  some.clear();
}

bool walk(PyObject *tree, const Lists &lists) {
  std::vector<PyObject *> open{tree}, some;
  while (!open.empty()) {
    PyObject *value = open.back();
    open.pop_back();
    PyTypeObject *kind = Py_TYPE(value);
    if (kind == identifier_type) {
      if (PyList_Append(lists.names, value) < 0) return false;
      continue;
    }
    if (kind == &PyList_Type) {
      for (Py_ssize_t i = 0, size = PyList_Size(value); i < size; i++) {
        some.push_back(PyList_GetItem(value, i));
      }
      push(open, some);
      continue;
    }
    if (value == Py_None || kind == &PyBool_Type || kind == &PyUnicode_Type || kind == name_type ||
        !PyType_IsSubtype(kind, node_type)) {
      continue;
    }
    PyObject *args = nullptr;
    if (kind == column_type) {
      if ((args = PyObject_GetAttr(value, args_word)) == nullptr) return false;
      int plain = is_plain(args);
      if (plain) {
        bool done = plain > 0 && PyList_Append(lists.columns, value) == 0;
        PyObject *key, *name;
        Py_ssize_t at = 0;
        while (done && PyDict_Next(args, &at, &key, &name)) {
          done = PyList_Append(lists.names, name) == 0;
        }
        Py_DECREF(args);
        if (!done) return false;
        continue;
      }
    }
    if (PyList_Append(lists.nodes, value) < 0 || !put_by_kind(lists.by_kind, value)) {
      Py_XDECREF(args);
      return false;
    }
    if (kind == literal_type) continue;
    if (args == nullptr && (args = PyObject_GetAttr(value, args_word)) == nullptr) return false;
    PyObject *key, *argument;
    Py_ssize_t at = 0;
    while (PyDict_Next(args, &at, &key, &argument)) some.push_back(argument);
    push(open, some);
    Py_DECREF(args);
  }
  return true;
}

PyObject *list_nodes(PyObject *, PyObject *given) {
  PyObject *tree;
  Lists lists;
  if (!PyArg_ParseTuple(given, "OO!O!O!O!", &tree, &PyList_Type, &lists.nodes, &PyList_Type,
                        &lists.names, &PyList_Type, &lists.columns, &PyDict_Type, &lists.by_kind)) {
    return nullptr;
  }
  try {
    if (!walk(tree, lists)) return nullptr;
  } catch (const std::exception &) {
    return PyErr_NoMemory();
  }
  Py_RETURN_NONE;
}

// Children are kept by their parents and `tree` by the caller, so that nothing is freed meanwhile.
bool loosen(PyObject *tree) {
  std::vector<PyObject *> open{tree};
  while (!open.empty()) {
    PyObject *value = open.back();
    open.pop_back();
    PyTypeObject *kind = Py_TYPE(value);
    if (kind == &PyList_Type) {
      for (Py_ssize_t i = 0, size = PyList_Size(value); i < size; i++) {
        open.push_back(PyList_GetItem(value, i));
      }
      continue;
    }
    if (value == Py_None || kind == &PyBool_Type || kind == &PyUnicode_Type || kind == name_type ||
        !PyType_IsSubtype(kind, node_type)) {
      continue;
    }
    if (PyObject_SetAttr(value, parent_word, Py_None) < 0) return false;
    if (kind == identifier_type || kind == literal_type) continue;
    PyObject *args = PyObject_GetAttr(value, args_word);
    if (args == nullptr) return false;
    PyObject *key, *argument;
    Py_ssize_t at = 0;
    while (PyDict_Next(args, &at, &key, &argument)) open.push_back(argument);
    Py_DECREF(args);
  }
  return true;
}

PyObject *take_apart(PyObject *, PyObject *tree) {
  try {
    if (!loosen(tree)) return nullptr;
  } catch (const std::exception &) {
    return PyErr_NoMemory();
  }
  Py_RETURN_NONE;
}

PyObject *uncommon_names(PyObject *, PyObject *names) {
  PyObject *found = PyList_New(0);
  if (found == nullptr) return nullptr;
  for (Py_ssize_t i = 0, size = PyList_Size(names); i < size; i++) {
    PyObject *name = PyList_GetItem(names, i);
    PyObject *args = PyObject_GetAttr(name, args_word);
    PyObject *text = args ? PyDict_GetItemWithError(args, this_word) : nullptr;
    bool done = args != nullptr;
    if (done && (text == nullptr || !PyUnicode_Check(text) || !is_plain_lower(text))) {
      done = !PyErr_Occurred() && PyList_Append(found, name) == 0;
    }
    Py_XDECREF(args);
    if (!done) {
      Py_DECREF(found);
      return nullptr;
    }
  }
  return found;
}

// --- rules -----------------------------------------------------------------------------------------

// What a rule made takes the place that its node had, as `parent.set(key, made, index=index)`.
bool replace(PyObject *parent, PyObject *key, PyObject *made, PyObject *index) {
  PyObject *set = PyObject_GetAttr(parent, set_word);
  if (set == nullptr) return false;
  PyObject *given = PyTuple_Pack(2, key, made);
  PyObject *named = PyDict_New();
  PyObject *done = nullptr;
  if (given != nullptr && named != nullptr && PyDict_SetItem(named, index_word, index) == 0) {
    done = PyObject_Call(set, given, named);
  }
  Py_XDECREF(named);
  Py_XDECREF(given);
  Py_DECREF(set);
  Py_XDECREF(done);
  return done != nullptr;
}

// `tree` is the caller's own reference, and that to the new tree is the answer; null: an error.
PyObject *apply_to(PyObject *node, PyObject *rule, PyObject *tree) {
  // The rule may put the node into a new one, which changes its parent: note it before.
  PyObject *parent = PyObject_GetAttr(node, parent_word);
  PyObject *key = PyObject_GetAttr(node, key_word);
  PyObject *index = PyObject_GetAttr(node, index_word);
  PyObject *made = parent && key && index ? PyObject_CallFunctionObjArgs(rule, node, nullptr) : nullptr;
  bool done = made != nullptr;
  if (done && made != Py_None && made != node) {
    if (parent != Py_None) {
      done = replace(parent, key, made, index);
    } else {
      Py_INCREF(made);
      Py_DECREF(tree);
      tree = made;
      done = PyObject_SetAttr(made, parent_word, Py_None) == 0;
    }
  }
  Py_XDECREF(made);
  Py_XDECREF(index);
  Py_XDECREF(key);
  Py_XDECREF(parent);
  if (done) return tree;
  Py_DECREF(tree);
  return nullptr;
}

PyObject *apply_rules(PyObject *, PyObject *given) {
  PyObject *tree, *nodes, *rules;
  if (!PyArg_ParseTuple(given, "OO!O!", &tree, &PyList_Type, &nodes, &PyDict_Type, &rules)) {
    return nullptr;
  }
  Py_INCREF(tree);
  for (Py_ssize_t i = PyList_Size(nodes); i-- > 0;) {
    PyObject *node = PyList_GetItem(nodes, i);
    if (node == nullptr) break;  // a rule has shortened the list
    PyObject *rule = PyDict_GetItemWithError(rules, reinterpret_cast<PyObject *>(Py_TYPE(node)));
    if (rule == nullptr) {
      if (PyErr_Occurred()) break;
      continue;
    }
    Py_INCREF(node);
    Py_INCREF(rule);
    tree = apply_to(node, rule, tree);
    Py_DECREF(rule);
    Py_DECREF(node);
    if (tree == nullptr) return nullptr;
  }
  if (!PyErr_Occurred()) return tree;
  Py_DECREF(tree);
  return nullptr;
}

// --- Python --------------------------------------------------------------------------------------

PyObject *setup(PyObject *, PyObject *given) {
  if (!PyArg_ParseTuple(given, "O!O!O!O!O!O!", &PyType_Type, &column_type, &PyType_Type,
                        &identifier_type, &PyType_Type, &literal_type, &PyType_Type, &node_type,
                        &PyType_Type, &name_type, &PySet_Type, &looked_at)) {
    return nullptr;
  }
  for (PyObject *kept : {reinterpret_cast<PyObject *>(column_type),
                         reinterpret_cast<PyObject *>(identifier_type),
                         reinterpret_cast<PyObject *>(literal_type),
                         reinterpret_cast<PyObject *>(node_type),
                         reinterpret_cast<PyObject *>(name_type), looked_at}) {
    Py_INCREF(kept);
  }
  Py_RETURN_NONE;
}

using Fast = PyObject *(*)(PyObject *, PyObject *const *, Py_ssize_t);

PyCFunction method(Fast function) {  // as METH_FASTCALL says
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

PyMethodDef kMethods[] = {
    {"setup", setup, METH_VARARGS,
     "setup(Column, Identifier, Literal, Expr, DType, looked_at): to be called first"},
    {"list_nodes", list_nodes, METH_VARARGS,
     "list_nodes(tree, nodes, names, columns, by_kind): fills the lists and the dict"},
    {"take_apart", take_apart, METH_O,
     "take_apart(tree): none of its nodes has a parent any more"},
    {"uncommon_names", uncommon_names, METH_O,
     "uncommon_names(identifiers) -> list\n\nThose that are not surely in lower case."},
    {"apply_rules", apply_rules, METH_VARARGS,
     "apply_rules(tree, nodes, rules) -> tree\n\nThe last nodes come first; as `postgres.apply`."},
    {"writers", writers, METH_VARARGS,
     "writers({type: (way, the generator's own method, word, keys)}, methods, {DType: name}, reserved,"
     " DECIMAL, TableAlias, Dot, DataTypeParam, TableFromRows, Limit)\n\n"
     "How `node_sql` writes the ordinary nodes of a type."},
    {"node_sql", method(node_sql), METH_FASTCALL, "node_sql(generator, node) -> str"},
    {nullptr, nullptr, 0, nullptr}};

PyModuleDef kModule = {PyModuleDef_HEAD_INIT, "proxy.sql._tree", nullptr, 0, kMethods,
                       nullptr, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__tree() {
  return intern_words() ? PyModule_Create(&kModule) : nullptr;
}
