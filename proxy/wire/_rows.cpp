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

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

constexpr int kHeader = 7;                // 'D', int32 length, int16 number of columns
constexpr int kWidest = 48;               // bytes of a formatted value: a decimal of 38 digits

// How a column's values are given, one letter each.
enum Kind : char {
  kRagged = 'r',  // values: int32 offsets, n + 1; bytes: what they point into
  kFixed = 'f',   // values: cells of `extra` bytes
  kInt8 = 'b', kInt16 = 'h', kInt32 = 'i', kInt64 = 'q',
  kUint8 = 'B', kUint16 = 'H', kUint32 = 'I', kUint64 = 'Q',
  kFloat = 'e', kDouble = 'd',  // shortest text
  kDecimal = 'n',               // 128 bits; extra: digits behind the point
  kDate = 'D',                  // int32 days since 1970
  kTimestamp = 't',             // int64 microseconds since 1970
  kTimestampUtc = 'u',          // ... with +00 behind it
};

struct Column {
  Kind kind;
  const char *values;  // of the first row
  const char *bytes;
  const char *nulls;  // a byte each, not 0 where NULL; nullptr: none is
  int64_t extra;
  // The last day that was written.
  int64_t day = INT64_MIN;
  char day_text[10];
};

void put16(char *at, uint16_t v) {
  v = __builtin_bswap16(v);
  memcpy(at, &v, 2);
}

void put32(char *at, uint32_t v) {
  v = __builtin_bswap32(v);
  memcpy(at, &v, 4);
}

template <typename T>
T at(const char *values, int64_t i) {
  T v;
  memcpy(&v, values + i * sizeof(T), sizeof(T));
  return v;
}

struct Pairs {
  char text[200];
  constexpr Pairs() : text() {
    for (int i = 0; i < 100; i++) {
      text[2 * i] = static_cast<char>('0' + i / 10);
      text[2 * i + 1] = static_cast<char>('0' + i % 10);
    }
  }
};
constexpr Pairs kPairs;

void two(char *out, uint32_t v) { memcpy(out, kPairs.text + 2 * v, 2); }

template <typename T>
char *integer(char *out, T v) {
  return std::to_chars(out, out + kWidest, v).ptr;
}

// `digits` digits of v, zeros in front.
void padded(char *out, uint64_t v, int digits) {
  for (int i = digits; i-- > 0; v /= 10) out[i] = static_cast<char>('0' + v % 10);
}

constexpr uint64_t kTen18 = 1000000000000000000ULL;

struct Powers {
  unsigned __int128 of[39];
  constexpr Powers() : of() {
    unsigned __int128 p = 1;
    for (int i = 0; i < 39; i++, p *= 10) of[i] = p;
  }
};
constexpr Powers kPowers;

// A number of up to 38 digits.
char *wide(char *out, unsigned __int128 v) {
  if (v < kTen18) return integer(out, static_cast<uint64_t>(v));
  out = wide(out, v / kTen18);
  padded(out, static_cast<uint64_t>(v % kTen18), 18);
  return out + 18;
}

char *decimal(char *out, __int128 v, int scale) {
  unsigned __int128 size = v;
  if (v < 0) {
    *out++ = '-';
    size = -size;
  }
  if (scale == 0) return wide(out, size);
  unsigned __int128 fraction;
  if ((size >> 64) == 0 && scale < 19) {
    auto small = static_cast<uint64_t>(size), power = static_cast<uint64_t>(kPowers.of[scale]);
    out = integer(out, small / power);
    fraction = small % power;
  } else {
    out = wide(out, size / kPowers.of[scale]);
    fraction = size % kPowers.of[scale];
  }
  *out++ = '.';
  int left = scale;
  for (; left > 18; left -= 18, fraction /= kTen18) {
    padded(out + left - 18, static_cast<uint64_t>(fraction % kTen18), 18);
  }
  padded(out, static_cast<uint64_t>(fraction), left);
  return out + scale;
}

// Exponents from -4 to below `fixed` are written without `e`. nullptr: out of the ordinary.
template <typename T>
char *shortest(char *out, T v, int fixed, T half_way) {
  if (std::isnan(v)) {
    memcpy(out, "NaN", 3);
    return out + 3;
  }
  if (std::signbit(v)) {
    *out++ = '-';
    v = -v;
  }
  if (std::isinf(v)) {
    memcpy(out, "Infinity", 8);
    return out + 8;
  }
  if (v == 0) {
    *out++ = '0';
    return out;
  }
  // From here on the shortest digits may lie half-way to a neighbour, which Postgres avoids.
  if (v >= half_way) return nullptr;
  char text[40];
  char *end = std::to_chars(text, text + sizeof text, v, std::chars_format::scientific).ptr;
  char *e = end;
  while (*--e != 'e') {
  }
  int exponent = 0;
  for (char *p = e + 2; p < end; p++) exponent = 10 * exponent + (*p - '0');
  if (e[1] == '-') exponent = -exponent;
  int digits = e == text + 1 ? 1 : static_cast<int>(e - text) - 1;
  if (exponent < -4 || exponent >= fixed) {  // as to_chars writes it: two digits at least
    memcpy(out, text, end - text);
    return out + (end - text);
  }
  if (digits > 1) memmove(text + 1, text + 2, digits - 1);
  if (exponent < 0) {
    memcpy(out, "0.0000", 6);
    out += 1 - exponent;
    memcpy(out, text, digits);
    return out + digits;
  }
  if (digits <= exponent + 1) {
    memcpy(out, text, digits);
    memset(out + digits, '0', exponent + 1 - digits);
    return out + exponent + 1;
  }
  memcpy(out, text, exponent + 1);
  out += exponent + 1;
  *out++ = '.';
  memcpy(out, text + exponent + 1, digits - exponent - 1);
  return out + digits - exponent - 1;
}

constexpr int64_t kFirstDay = -719162, kEndOfDays = 2932897;  // 0001-01-01, 10000-01-01
constexpr int64_t kDay = 86400000000;

// The proleptic Gregorian date, by eras of 400 years that begin in March.
char *date(char *out, int64_t days, Column &column) {
  if (days != column.day) {
    uint32_t shifted = static_cast<uint32_t>(days + 719468);
    uint32_t era = shifted / 146097, doe = shifted % 146097;
    uint32_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    uint32_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    uint32_t day = doy - (153 * mp + 2) / 5 + 1, month = mp < 10 ? mp + 3 : mp - 9;
    uint32_t year = yoe + era * 400 + (month <= 2);
    char *text = column.day_text;
    two(text, year / 100);
    two(text + 2, year % 100);
    text[4] = text[7] = '-';
    two(text + 5, month);
    two(text + 8, day);
    column.day = days;
  }
  memcpy(out, column.day_text, 10);
  return out + 10;
}

char *timestamp(char *out, int64_t micros, Column &column) {
  int64_t days = micros / kDay - (micros % kDay < 0);
  if (days < kFirstDay || days >= kEndOfDays) return nullptr;
  int64_t time = micros - days * kDay;
  uint32_t second = static_cast<uint32_t>(time / 1000000), fraction = time % 1000000;
  out = date(out, days, column);
  *out = ' ';
  two(out + 1, second / 3600);
  two(out + 4, second / 60 % 60);
  two(out + 7, second % 60);
  out[3] = out[6] = ':';
  out += 9;
  if (fraction) {
    *out++ = '.';
    padded(out, fraction, 6);
    out += 6;
    while (out[-1] == '0') out--;
  }
  return out;
}

// Writes one value; nullptr where it is out of the ordinary.
char *value(char *out, Column &c, int64_t i) {
  switch (c.kind) {
    case kRagged: {
      int32_t from = at<int32_t>(c.values, i), size = at<int32_t>(c.values, i + 1) - from;
      memcpy(out, c.bytes + from, size);
      return out + size;
    }
    case kFixed:
      memcpy(out, c.values + i * c.extra, c.extra);
      return out + c.extra;
    case kInt8: return integer(out, static_cast<int>(at<int8_t>(c.values, i)));
    case kInt16: return integer(out, static_cast<int>(at<int16_t>(c.values, i)));
    case kInt32: return integer(out, at<int32_t>(c.values, i));
    case kInt64: return integer(out, at<int64_t>(c.values, i));
    case kUint8: return integer(out, static_cast<unsigned>(at<uint8_t>(c.values, i)));
    case kUint16: return integer(out, static_cast<unsigned>(at<uint16_t>(c.values, i)));
    case kUint32: return integer(out, at<uint32_t>(c.values, i));
    case kUint64: return integer(out, at<uint64_t>(c.values, i));
    case kFloat: return shortest(out, at<float>(c.values, i), 6, 16777216.0f);
    case kDouble: return shortest(out, at<double>(c.values, i), 15, 9007199254740992.0);
    case kDecimal: return decimal(out, at<__int128>(c.values, i), static_cast<int>(c.extra));
    case kDate: {
      int64_t days = at<int32_t>(c.values, i);
      return days < kFirstDay || days >= kEndOfDays ? nullptr : date(out, days, c);
    }
    case kTimestamp: return timestamp(out, at<int64_t>(c.values, i), c);
    case kTimestampUtc:
      if ((out = timestamp(out, at<int64_t>(c.values, i), c)) == nullptr) return nullptr;
      memcpy(out, "+00", 3);
      return out + 3;
  }
  return nullptr;
}

// Bytes of one item of `values`; 0 for an unknown kind.
int64_t item(const Column &c) {
  switch (c.kind) {
    case kInt8: case kUint8: return 1;
    case kInt16: case kUint16: return 2;
    case kRagged: case kInt32: case kUint32: case kFloat: case kDate: return 4;
    case kInt64: case kUint64: case kDouble: case kTimestamp: case kTimestampUtc: return 8;
    case kDecimal: return 16;
    case kFixed: return c.extra;
  }
  return 0;
}

// Writes n messages; returns their end, or nullptr and the column that stopped it.
char *write_rows(char *out, int64_t n, std::vector<Column> &columns, size_t &stopped) {
  for (int64_t i = 0; i < n; i++) {
    char *start = out;
    *out = 'D';
    put16(out + 5, static_cast<uint16_t>(columns.size()));
    out += kHeader;
    for (size_t k = 0; k < columns.size(); k++) {
      Column &c = columns[k];
      if (c.nulls && c.nulls[i]) {
        put32(out, UINT32_MAX);
        out += 4;
        continue;
      }
      char *end = value(out + 4, c, i);
      if (end == nullptr) {
        stopped = k;
        return nullptr;
      }
      put32(out, static_cast<uint32_t>(end - out - 4));
      out = end;
    }
    put32(start + 1, static_cast<uint32_t>(out - start - 1));
  }
  return out;
}

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
