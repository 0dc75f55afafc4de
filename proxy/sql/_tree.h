// What the parts of `_tree.cpp` know of sqlglot: its classes, and the words that its nodes are read by.

#pragma once

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>

namespace {

// What `setup` was given: sqlglot's classes.
PyTypeObject *column_type, *identifier_type, *literal_type, *node_type, *name_type;

PyObject *args_word, *this_word, *table_word, *lower_word, *parent_word, *quoted_word,
    *is_string_word, *key_word, *index_word, *set_word, *sql_word, *alias_word, *db_word,
    *catalog_word, *expression_word, *expressions_word, *columns_word, *nested_word, *to_word,
    *with_word, *distinct_word, *from_word, *joins_word, *where_word, *group_word, *having_word,
    *order_word, *limit_word;

struct Word {
  PyObject **kept;
  const char *text;
};

bool intern_words() {
  for (const Word &word : {Word{&args_word, "args"}, {&this_word, "this"}, {&table_word, "table"},
                           {&lower_word, "lower"}, {&parent_word, "parent"}, {&quoted_word, "quoted"},
                           {&is_string_word, "is_string"}, {&key_word, "arg_key"},
                           {&index_word, "index"}, {&set_word, "set"}, {&sql_word, "sql"},
                           {&alias_word, "alias"}, {&db_word, "db"}, {&catalog_word, "catalog"},
                           {&expression_word, "expression"}, {&expressions_word, "expressions"},
                           {&columns_word, "columns"}, {&nested_word, "nested"}, {&to_word, "to"},
                           {&with_word, "with_"}, {&distinct_word, "distinct"}, {&from_word, "from_"},
                           {&joins_word, "joins"}, {&where_word, "where"}, {&group_word, "group"},
                           {&having_word, "having"}, {&order_word, "order"},
                           {&limit_word, "limit"}}) {
    if ((*word.kept = PyUnicode_InternFromString(word.text)) == nullptr) return false;
  }
  return true;
}

}  // namespace
