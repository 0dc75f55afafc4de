// Documents written as Postgres stores them in jsonb: the inner loop of `engines/duck/jsonb.py`.
//
// Why it exists: every document that becomes a jsonb is read and written anew, which costs Python
// some 10 us each. This is called by DuckDB itself, in its threads, without the interpreter.
//
// What it promises: the text is that of `proxy.wire.decoders.documents.jsonb_text`. What is no
// document, or out of the ordinary (a huge exponent, a lone surrogate, deep nesting), is given to
// the slow way, which has the errors too.

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace {

constexpr int kDeepest = 200;
constexpr int kWidestExponent = 400;

class Document {
 public:
  // Whether [at, end) is an ordinary document; then `out` is its text.
  bool write(const char *from, const char *to) {
    at_ = from;
    end_ = to;
    out.clear();
    blank();
    if (!value(0)) return false;
    blank();
    return at_ == end_;
  }

  std::string out;

 private:
  struct Member {
    std::string key;  // without escapes
    size_t begin, end;  // of `"key": value` in `out`
  };

  const char *at_, *end_;

  void blank() {
    while (at_ < end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r')) at_++;
  }

  bool next(char wanted) {
    if (at_ == end_ || *at_ != wanted) return false;
    at_++;
    return true;
  }

  bool word(const char *wanted, size_t size) {
    if (static_cast<size_t>(end_ - at_) < size || memcmp(at_, wanted, size)) return false;
    at_ += size;
    out.append(wanted, size);
    return true;
  }

  bool value(int depth) {
    if (at_ == end_ || depth > kDeepest) return false;
    switch (*at_) {
      case '{': return object(depth);
      case '[': return array(depth);
      case '"': return string(nullptr);
      case 't': return word("true", 4);
      case 'f': return word("false", 5);
      case 'n': return word("null", 4);
      default: return number();
    }
  }

  bool array(int depth) {
    at_++;
    out += '[';
    blank();
    if (next(']')) {
      out += ']';
      return true;
    }
    for (;;) {
      blank();
      if (!value(depth + 1)) return false;
      blank();
      if (next(']')) break;
      if (!next(',')) return false;
      out += ", ";
    }
    out += ']';
    return true;
  }

  static bool before(const std::string &a, const std::string &b) {
    if (a.size() != b.size()) return a.size() < b.size();
    return memcmp(a.data(), b.data(), a.size()) < 0;
  }

  bool object(int depth) {
    at_++;
    out += '{';
    blank();
    if (next('}')) {
      out += '}';
      return true;
    }
    std::vector<Member> members;
    bool sorted = true;
    size_t first = out.size();
    for (;;) {
      blank();
      members.push_back({std::string(), out.size(), 0});
      std::string key;
      if (at_ == end_ || *at_ != '"' || !string(&key)) return false;
      blank();
      if (!next(':')) return false;
      out += ": ";
      blank();
      if (!value(depth + 1)) return false;
      Member &last = members.back();
      last.key = std::move(key);
      last.end = out.size();
      if (members.size() > 1 && !before(members[members.size() - 2].key, last.key)) sorted = false;
      blank();
      if (next('}')) break;
      if (!next(',')) return false;
      out += ", ";
    }
    if (!sorted) arrange(members, first);
    out += '}';
    return true;
  }

  void arrange(std::vector<Member> &members, size_t first) {
    std::stable_sort(members.begin(), members.end(),
                     [](const Member &a, const Member &b) { return before(a.key, b.key); });
    std::string made;
    for (size_t i = 0; i < members.size(); i++) {
      if (i + 1 < members.size() && members[i].key == members[i + 1].key) continue;  // the last wins
      if (!made.empty()) made += ", ";
      made.append(out, members[i].begin, members[i].end - members[i].begin);
    }
    out.replace(first, std::string::npos, made);
  }

  static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  }

  bool unit(uint32_t &made) {
    if (end_ - at_ < 4) return false;
    made = 0;
    for (int i = 0; i < 4; i++) {
      int digit = hex(*at_++);
      if (digit < 0) return false;
      made = made * 16 + digit;
    }
    return true;
  }

  void put(unsigned char c) {
    static const char kHex[] = "0123456789abcdef";
    switch (c) {
      case '"': out += "\\\""; return;
      case '\\': out += "\\\\"; return;
      case '\b': out += "\\b"; return;
      case '\f': out += "\\f"; return;
      case '\n': out += "\\n"; return;
      case '\r': out += "\\r"; return;
      case '\t': out += "\\t"; return;
    }
    if (c < 0x20) {
      out += "\\u00";
      out += kHex[c >> 4];
      out += kHex[c & 15];
    } else {
      out += static_cast<char>(c);
    }
  }

  // A string; what it means is appended to `raw` too where that is wanted.
  bool string(std::string *raw) {
    at_++;
    out += '"';
    for (;;) {
      const char *from = at_;
      while (at_ < end_ && *at_ != '"' && *at_ != '\\' && static_cast<unsigned char>(*at_) >= 0x20) at_++;
      if (at_ == end_ || static_cast<unsigned char>(*at_) < 0x20) return false;
      out.append(from, at_ - from);
      if (raw) raw->append(from, at_ - from);
      if (*at_++ == '"') break;
      if (at_ == end_) return false;
      char escape = *at_++, plain;
      switch (escape) {
        case '"': case '\\': case '/': plain = escape; break;
        case 'b': plain = '\b'; break;
        case 'f': plain = '\f'; break;
        case 'n': plain = '\n'; break;
        case 'r': plain = '\r'; break;
        case 't': plain = '\t'; break;
        case 'u': {
          uint32_t point, low;
          if (!unit(point) || point == 0) return false;
          if (point >= 0xD800 && point < 0xE000) {
            if (point >= 0xDC00 || end_ - at_ < 6 || at_[0] != '\\' || at_[1] != 'u') return false;
            at_ += 2;
            if (!unit(low) || low < 0xDC00 || low >= 0xE000) return false;
            point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
          }
          character(point, raw);
          continue;
        }
        default: return false;
      }
      put(static_cast<unsigned char>(plain));
      if (raw) *raw += plain;
    }
    out += '"';
    return true;
  }

  void character(uint32_t point, std::string *raw) {
    if (point < 0x80) {
      put(static_cast<unsigned char>(point));
      if (raw) *raw += static_cast<char>(point);
      return;
    }
    char bytes[4];
    int n = 0;
    if (point < 0x800) {
      bytes[n++] = static_cast<char>(0xC0 | point >> 6);
    } else {
      if (point < 0x10000) {
        bytes[n++] = static_cast<char>(0xE0 | point >> 12);
      } else {
        bytes[n++] = static_cast<char>(0xF0 | point >> 18);
        bytes[n++] = static_cast<char>(0x80 | (point >> 12 & 0x3F));
      }
      bytes[n++] = static_cast<char>(0x80 | (point >> 6 & 0x3F));
    }
    bytes[n++] = static_cast<char>(0x80 | (point & 0x3F));
    out.append(bytes, n);
    if (raw) raw->append(bytes, n);
  }

  static bool digit(char c) { return c >= '0' && c <= '9'; }

  const char *digits() {
    const char *from = at_;
    while (at_ < end_ && digit(*at_)) at_++;
    return from;
  }

  bool number() {
    const char *from = at_;
    bool negative = next('-');
    const char *whole = digits();
    if (at_ == whole || (*whole == '0' && at_ - whole > 1)) return false;
    const char *whole_end = at_, *part = at_, *part_end = at_;
    if (next('.')) {
      part = digits();
      part_end = at_;
      if (part == part_end) return false;
    }
    auto zeros = [](const char *a, const char *b) { return std::all_of(a, b, [](char c) { return c == '0'; }); };
    bool zero = zeros(whole, whole_end) && zeros(part, part_end);
    if (at_ == end_ || (*at_ != 'e' && *at_ != 'E')) {
      if (negative && zero) from++;
      out.append(from, at_ - from);
      return true;
    }
    at_++;
    bool down = false;
    if (at_ < end_ && (*at_ == '+' || *at_ == '-')) down = *at_++ == '-';
    const char *power = digits();
    if (at_ == power) return false;
    int exponent = 0;
    for (const char *c = power; c < at_; c++) {
      exponent = exponent * 10 + (*c - '0');
      if (exponent > kWidestExponent) return false;
    }
    std::string all(whole, whole_end - whole);
    all.append(part, part_end - part);
    int64_t scale = (part_end - part) - (down ? -exponent : exponent);
    if (zero && scale < 0) {
      out += '0';
      return true;
    }
    all.erase(0, all.find_first_not_of('0'));
    if (zero) all.clear();
    if (scale < 0) {
      all.append(static_cast<size_t>(-scale), '0');
      scale = 0;
    }
    size_t behind = static_cast<size_t>(scale);
    if (all.size() <= behind) all.insert(0, behind + 1 - all.size(), '0');
    if (negative && !zero) out += '-';
    out.append(all, 0, all.size() - behind);
    if (behind) {
      out += '.';
      out.append(all, all.size() - behind, behind);
    }
    return true;
  }
};

// --- DuckDB's casts ------------------------------------------------------------------------------

// DuckDB's C API and the slow way, as `setup` was told where they are.
struct Api {
  void *(*vector_get_data)(void *);
  uint64_t *(*vector_get_validity)(void *);
  void (*vector_ensure_validity_writable)(void *);
  void (*vector_assign_string_element_len)(void *, uint64_t, const char *, uint64_t);
  bool (*slow)(void *info, uint64_t row, const char *text, uint64_t size, void *output);
};
Api api;
constexpr size_t kFunctions = sizeof(Api) / sizeof(void *);

struct String {  // duckdb_string_t
  uint32_t size;
  char inlined[12];

  const char *text() const {
    if (size <= sizeof inlined) return inlined;
    const char *found;
    memcpy(&found, inlined + 4, sizeof found);
    return found;
  }
};

bool cast(void *info, uint64_t count, void *input, void *output) {
  try {
    Document document;
    const String *strings = static_cast<const String *>(api.vector_get_data(input));
    const uint64_t *valid = api.vector_get_validity(input);
    for (uint64_t i = 0; i < count; i++) {
      if (valid && !(valid[i / 64] >> (i % 64) & 1)) {
        api.vector_ensure_validity_writable(output);
        api.vector_get_validity(output)[i / 64] &= ~(uint64_t{1} << (i % 64));
        continue;
      }
      const String &given = strings[i];
      const char *text = given.text();
      if (document.write(text, text + given.size)) {
        api.vector_assign_string_element_len(output, i, document.out.data(), document.out.size());
      } else if (!api.slow(info, i, text, given.size, output)) {
        return false;
      }
    }
    return true;
  } catch (const std::exception &) {  // memory
    return false;
  }
}

// --- Python --------------------------------------------------------------------------------------

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
  return PyLong_FromVoidPtr(reinterpret_cast<void *>(&cast));
}

PyObject *written(PyObject *, PyObject *text) {
  Py_ssize_t size;
  const char *from = PyUnicode_AsUTF8AndSize(text, &size);
  if (from == nullptr) return nullptr;
  Document document;
  if (!document.write(from, from + size)) Py_RETURN_NONE;
  return PyUnicode_FromStringAndSize(document.out.data(), document.out.size());
}

PyMethodDef kMethods[] = {
    {"setup", setup, METH_O, "setup(addresses) -> address of the cast to jsonb"},
    {"written", written, METH_O, "written(text) -> str | None\n\nNone: it is for the slow way."},
    {nullptr, nullptr, 0, nullptr}};

PyModuleDef kModule = {PyModuleDef_HEAD_INIT, "proxy.engines._jsonb", nullptr, 0, kMethods,
                       nullptr, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__jsonb() { return PyModule_Create(&kModule); }
