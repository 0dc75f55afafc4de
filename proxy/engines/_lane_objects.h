// The few things about Python's objects that the lane needs: names, references, calls.

#pragma once

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>

#include <time.h>

#include <cstdint>
#include <utility>

namespace {

struct Names {
  PyObject *data_received, *unfold, *at_end, *broken, *give_back, *popleft, *append, *move_to_end;
  PyObject *relayed, *plan, *passing;
  PyObject *parsed, *unnamed;
} names;

bool intern_names() {
  struct {
    PyObject **to;
    const char *text;
  } all[] = {
      {&names.data_received, "data_received"}, {&names.unfold, "unfold"},
      {&names.at_end, "at_end"},               {&names.broken, "broken"},
      {&names.give_back, "give_back"},         {&names.popleft, "popleft"},
      {&names.append, "append"},               {&names.move_to_end, "move_to_end"},
      {&names.relayed, "relayed"},             {&names.plan, "plan"},
      {&names.passing, "passing"},
      {&names.parsed, "parsed"},               {&names.unnamed, ""},
  };
  for (auto &each : all) {
    if (!(*each.to = PyUnicode_InternFromString(each.text))) return false;
  }
  return true;
}

class Ref {  // owns
 public:
  explicit Ref(PyObject *object = nullptr) : object_(object) {}
  static Ref to(PyObject *object) {
    Py_XINCREF(object);
    return Ref(object);
  }
  Ref(Ref &&other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref &operator=(Ref &&other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() { Py_XDECREF(object_); }
  PyObject *get() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  PyObject *object_;
};

Ref attribute(PyObject *object, PyObject *name) { return Ref(PyObject_GetAttr(object, name)); }

bool is_none(PyObject *object) { return object == nullptr || object == Py_None; }

void assign(PyObject *&to, PyObject *object) {
  Py_XINCREF(object);
  PyObject *old = std::exchange(to, object);
  Py_XDECREF(old);
}

bool call(PyObject *object, PyObject *method, PyObject *argument = nullptr) {
  return bool(Ref(PyObject_CallMethodObjArgs(object, method, argument, nullptr)));
}

uint32_t number(const char *at) {
  auto byte = reinterpret_cast<const unsigned char *>(at);
  return uint32_t(byte[0]) << 24 | uint32_t(byte[1]) << 16 | uint32_t(byte[2]) << 8 | byte[3];
}

double now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return double(time.tv_sec) + 1e-9 * double(time.tv_nsec);
}

}  // namespace
