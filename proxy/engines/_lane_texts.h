// Texts of queries that pass, each known but for its free digits.

#pragma once

#include "_lane_objects.h"

#include <sys/types.h>

#include <cstring>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace {

using std::string_view;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

uint64_t masked_hash(string_view text) {
  uint64_t hash = text.size();
  for (char c : text) hash = (hash ^ uint64_t(is_digit(c) ? '0' : c)) * 0x100000001b3;
  return hash;
}

struct Text {
  std::string pattern;                            // its free digits are 0
  std::vector<std::pair<uint32_t, uint32_t>> free;  // where they are
  Ref plan;

  bool matches(string_view text) const {
    if (text.size() != pattern.size()) return false;
    size_t at = 0;
    for (auto [start, end] : free) {
      if (memcmp(text.data() + at, pattern.data() + at, start - at) != 0) return false;
      for (at = start; at < end; ++at) {
        if (!is_digit(text[at])) return false;
      }
    }
    return memcmp(text.data() + at, pattern.data() + at, text.size() - at) == 0;
  }
};

struct Texts {
  PyObject_HEAD
  std::vector<Text> *texts;
  std::unordered_multimap<uint64_t, size_t> *by_hash;
};

PyObject *texts_new(PyTypeObject *type, PyObject *, PyObject *) {
  auto make = reinterpret_cast<allocfunc>(PyType_GetSlot(type, Py_tp_alloc));
  auto self = reinterpret_cast<Texts *>(make(type, 0));
  if (!self) return nullptr;
  self->texts = new std::vector<Text>;
  self->by_hash = new std::unordered_multimap<uint64_t, size_t>;
  return reinterpret_cast<PyObject *>(self);
}

void texts_dealloc(PyObject *object) {
  auto self = reinterpret_cast<Texts *>(object);
  delete self->texts;
  delete self->by_hash;
  PyTypeObject *type = Py_TYPE(object);
  reinterpret_cast<freefunc>(PyType_GetSlot(type, Py_tp_free))(object);
  Py_DECREF(type);
}

// The text's place among the known ones, or -1. recent: the place to look first.
ssize_t find_text(const Texts *known, string_view text, size_t recent) {
  if (recent < known->texts->size() && (*known->texts)[recent].matches(text)) return ssize_t(recent);
  auto [from, to] = known->by_hash->equal_range(masked_hash(text));
  for (; from != to; ++from) {
    if ((*known->texts)[from->second].matches(text)) return ssize_t(from->second);
  }
  return -1;
}

PyObject *texts_learn(PyObject *object, PyObject *arguments) {
  auto self = reinterpret_cast<Texts *>(object);
  const char *data;
  Py_ssize_t size;
  PyObject *spans, *plan;
  if (!PyArg_ParseTuple(arguments, "y#O!O", &data, &size, &PyTuple_Type, &spans, &plan)) {
    return nullptr;
  }
  Text text{{data, size_t(size)}, {}, Ref::to(plan)};
  for (Py_ssize_t n = 0; n < PyTuple_Size(spans); ++n) {
    int start, end;
    if (!PyArg_ParseTuple(PyTuple_GetItem(spans, n), "ii", &start, &end)) return nullptr;
    text.free.emplace_back(start, end);
  }
  if (find_text(self, text.pattern, 0) < 0) {
    self->by_hash->emplace(masked_hash(text.pattern), self->texts->size());
    self->texts->push_back(std::move(text));
  }
  Py_RETURN_NONE;
}

PyObject *texts_clear(PyObject *object, PyObject *) {
  auto self = reinterpret_cast<Texts *>(object);
  self->texts->clear();
  self->by_hash->clear();
  Py_RETURN_NONE;
}

PyObject *texts_knows(PyObject *object, PyObject *argument) {
  char *data;
  Py_ssize_t size;
  if (PyBytes_AsStringAndSize(argument, &data, &size) < 0) return nullptr;
  auto self = reinterpret_cast<Texts *>(object);
  return PyBool_FromLong(find_text(self, {data, size_t(size)}, SIZE_MAX) >= 0);
}

}  // namespace
