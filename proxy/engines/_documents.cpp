// What is taken out of a document, and how two of them compare: the inner loops of `duck_documents.py`.
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

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

constexpr int kDeepest = 1000;

struct Span {
  const char *at;
  const char *end;

  bool there() const { return at != nullptr; }
  size_t size() const { return static_cast<size_t>(end - at); }
};
constexpr Span kNothing{nullptr, nullptr};

[[noreturn]] void broken() { throw std::runtime_error("a document that is none"); }
[[noreturn]] void too_deep() { throw std::runtime_error("\x1f" "54001\x1fstack depth limit exceeded\x1f\x1f"); }

const char *blank(const char *at, const char *end) {
  while (at < end && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r')) at++;
  if (at == end) broken();
  return at;
}

// Behind the string that begins at `at`.
const char *behind_string(const char *at, const char *end) {
  for (at++; at < end; at++) {
    if (*at == '"') return at + 1;
    if (*at == '\\') at++;
  }
  broken();
}

// Behind the value that begins at `at`.
const char *behind(const char *at, const char *end) {
  if (*at == '"') return behind_string(at, end);
  if (*at != '{' && *at != '[') {
    while (at < end && !strchr(",]} \n\t\r", *at)) at++;
    return at;
  }
  for (int depth = 0; at < end;) {
    char c = *at;
    if (c == '"') {
      at = behind_string(at, end);
      continue;
    }
    at++;
    if (c == '{' || c == '[') depth++;
    if ((c == '}' || c == ']') && --depth == 0) return at;
  }
  broken();
}

// Walks over the parts of an object or an array: `next` gives one after another.
class Parts {
 public:
  Parts(const char *at, const char *end) : end_(end), object_(*at == '{') { at_ = blank(at + 1, end); }

  bool next() {
    if (*at_ == '}' || *at_ == ']') return false;
    if (*at_ == ',') at_ = blank(at_ + 1, end_);
    if (object_) {
      key.at = at_;
      key.end = at_ = behind_string(at_, end_);
      at_ = blank(at_, end_);
      at_ = blank(at_ + 1, end_);
    }
    value.at = at_;
    value.end = at_ = behind(at_, end_);
    at_ = blank(at_, end_);
    return true;
  }

  Span key{}, value{};

 private:
  const char *at_, *end_;
  bool object_;
};

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  broken();
}

uint32_t unit(const char *&at, const char *end) {
  if (end - at < 4) broken();
  uint32_t made = 0;
  for (int i = 0; i < 4; i++) made = made * 16 + static_cast<uint32_t>(hex(*at++));
  return made;
}

void put_point(uint32_t point, std::string &out) {
  if (point < 0x80) {
    out += static_cast<char>(point);
    return;
  }
  if (point < 0x800) {
    out += static_cast<char>(0xC0 | point >> 6);
  } else {
    if (point < 0x10000) {
      out += static_cast<char>(0xE0 | point >> 12);
    } else {
      out += static_cast<char>(0xF0 | point >> 18);
      out += static_cast<char>(0x80 | (point >> 12 & 0x3F));
    }
    out += static_cast<char>(0x80 | (point >> 6 & 0x3F));
  }
  out += static_cast<char>(0x80 | (point & 0x3F));
}

// What a string in quotes means; any: it may hold the character of number 0.
void meaning(Span quoted, std::string &out, bool any = false) {
  const char *at = quoted.at + 1, *end = quoted.end - 1;
  while (at < end) {
    const char *from = at;
    while (at < end && *at != '\\') at++;
    out.append(from, static_cast<size_t>(at - from));
    if (at == end) break;
    at++;
    char escape = *at++;
    switch (escape) {
      case 'b': out += '\b'; break;
      case 'f': out += '\f'; break;
      case 'n': out += '\n'; break;
      case 'r': out += '\r'; break;
      case 't': out += '\t'; break;
      case 'u': {
        uint32_t point = unit(at, end);
        if (point == 0 && !any)
          throw std::runtime_error("\x1f" "22P05\x1funsupported Unicode escape sequence\x1f"
                                   "\\u0000 cannot be converted to text.\x1f");
        if (point >= 0xD800 && point < 0xDC00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
          at += 2;
          point = 0x10000 + ((point - 0xD800) << 10) + (unit(at, end) - 0xDC00);
        }
        put_point(point, out);
        break;
      }
      default: out += escape;
    }
  }
}

bool is(Span quoted, const char *key, size_t size) {
  if (!memchr(quoted.at, '\\', quoted.size()))
    return quoted.size() == size + 2 && !memcmp(quoted.at + 1, key, size);
  std::string raw;
  meaning(quoted, raw);
  return raw.size() == size && !memcmp(raw.data(), key, size);
}

// --- parts of a document -------------------------------------------------------------------------

Span member(Span document, const char *key, size_t size) {
  const char *at = blank(document.at, document.end);
  Span found = kNothing;
  if (*at != '{') return found;
  for (Parts parts(at, document.end); parts.next();)
    if (is(parts.key, key, size)) found = parts.value;  // of several, the last
  return found;
}

Span element(Span document, int64_t index) {
  const char *at = blank(document.at, document.end);
  if (*at != '[') return kNothing;
  if (index < 0) {
    int64_t count = 0;
    for (Parts parts(at, document.end); parts.next();) count++;
    if ((index += count) < 0) return kNothing;
  }
  for (Parts parts(at, document.end); parts.next();)
    if (index-- == 0) return parts.value;
  return kNothing;
}

// One step of a path: a member by its name, an element by its number.
Span step(Span document, const char *name, size_t size) {
  if (*blank(document.at, document.end) != '[') return member(document, name, size);
  size_t i = size && (*name == '-' || *name == '+');
  if (i == size || size > 11) return kNothing;
  int64_t index = 0;
  for (; i < size; i++) {
    if (name[i] < '0' || name[i] > '9') return kNothing;
    index = index * 10 + (name[i] - '0');
  }
  return element(document, *name == '-' ? -index : index);
}

// --- comparing -----------------------------------------------------------------------------------

enum Kind : char { kNull, kString, kNumber, kBool, kArray = 0x10, kObject };

Kind kind_of(char first) {
  switch (first) {
    case 'n': return kNull;
    case '"': return kString;
    case 't': case 'f': return kBool;
    case '[': return kArray;
    case '{': return kObject;
    default: return kNumber;
  }
}

void put_count(uint32_t count, std::string &out) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(count >> shift);
}

// A number's digits without zeros around them; its value is 0.digits times ten to the power of `before`.
struct Number {
  bool negative = false;
  std::string digits;
  int64_t before = 0;

  explicit Number(Span text) {
    const char *at = text.at;
    if ((negative = *at == '-')) at++;
    bool behind_point = false;
    for (; at < text.end && *at != 'e' && *at != 'E'; at++) {
      if (*at == '.') {
        behind_point = true;
      } else if (*at < '0' || *at > '9') {
        broken();
      } else if (digits.empty() && *at == '0') {
        if (behind_point) before--;
      } else {
        digits += *at;
        if (!behind_point) before++;
      }
    }
    if (at < text.end) before += exponent(at + 1, text.end);
    while (!digits.empty() && digits.back() == '0') digits.pop_back();
  }

 private:
  static int64_t exponent(const char *at, const char *end) {
    bool down = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+')) at++;
    if (at == end) broken();
    int64_t made = 0;
    for (; at < end; at++) {
      if (*at < '0' || *at > '9') broken();
      if (made < 100000000) made = made * 10 + (*at - '0');
    }
    return down ? -made : made;
  }
};

// Its sign, where its point is, its digits.
void put_number(Span text, std::string &out) {
  Number number(text);
  if (number.digits.empty()) {
    out += '\1';
    return;
  }
  uint32_t where = static_cast<uint32_t>(number.before + 0x40000000);
  out += number.negative ? '\0' : '\2';
  put_count(number.negative ? ~where : where, out);
  for (char digit : number.digits)
    out += number.negative ? static_cast<char>('0' + ('9' - digit)) : digit;
  out += number.negative ? '\xff' : '\0';
}

void put_string(Span quoted, std::string &out) {
  meaning(quoted, out);
  out += '\0';
}

void put_key(Span value, std::string &out, int depth);

void put_parts(const char *at, const char *end, std::string &out, int depth) {
  size_t place = out.size();
  uint32_t count = 0;
  bool object = *at == '{';
  put_count(0, out);
  for (Parts parts(at, end); parts.next(); count++) {
    if (object) {
      out += static_cast<char>(kString);
      put_string(parts.key, out);
    }
    put_key(parts.value, out, depth + 1);
  }
  std::string told;
  put_count(count, told);
  out.replace(place, 4, told);
}

void put_key(Span value, std::string &out, int depth) {
  if (depth > kDeepest) too_deep();
  Kind kind = kind_of(*value.at);
  out += static_cast<char>(kind);
  switch (kind) {
    case kNull: break;
    case kString: put_string(value, out); break;
    case kNumber: put_number(value, out); break;
    case kBool: out += *value.at == 't' ? '\1' : '\0'; break;
    default: put_parts(value.at, value.end, out, depth);
  }
}

// The whole document: a scalar is an array of one element that comes before an array of one.
void put_document(Span document, std::string &out) {
  const char *at = blank(document.at, document.end);
  Span value{at, behind(at, document.end)};
  Kind kind = kind_of(*at);
  if (kind == kObject) {
    put_key(value, out, 0);
    return;
  }
  out += static_cast<char>(kArray);
  if (kind != kArray) {
    put_count(1, out);
    out += '\0';
    put_key(value, out, 0);
    return;
  }
  std::string parts;
  put_parts(at, value.end, parts, 0);
  out.append(parts, 0, 4);
  out += '\1';
  out.append(parts, 4, std::string::npos);
}

Span trimmed(Span document) {
  const char *at = blank(document.at, document.end);
  return {at, behind(at, document.end)};
}

// --- VARIANT ---------------------------------------------------------------------------------------

constexpr char kNumberFirst = 1, kBoolNext = 2, kStringNext = 3, kArrayNext = 4, kObjectNext = 5,
               kNullLast = 6, kEnd = 0;

using Members = std::map<std::string, Span>;

// An object's members by what their names mean; of several of a name, the last.
Members members_of(Span object) {
  Members found;
  for (Parts parts(object.at, object.end); parts.next();) {
    std::string name;
    meaning(parts.key, name, true);
    found[name] = parts.value;
  }
  return found;
}

// Bytes that go on: a zero among them is not the end.
void put_bytes(const std::string &raw, std::string &out) {
  for (char c : raw) {
    out += c;
    if (c == '\0') out += '\xff';
  }
  out.append(2, '\0');
}

void put_variant_key(Span value, std::string &out, int depth) {
  if (depth > kDeepest) too_deep();
  switch (kind_of(*value.at)) {
    case kNull: out += kNullLast; break;
    case kBool: out += kBoolNext; out += *value.at == 't' ? '\1' : '\0'; break;
    case kNumber: out += kNumberFirst; put_number(value, out); break;
    case kString: {
      std::string raw;
      meaning(value, raw, true);
      out += kStringNext;
      put_bytes(raw, out);
      break;
    }
    case kArray:
      out += kArrayNext;
      for (Parts parts(value.at, value.end); parts.next();) put_variant_key(parts.value, out, depth + 1);
      out += kEnd;
      break;
    case kObject:
      out += kObjectNext;
      for (const auto &[name, member] : members_of(value)) {
        out += '\1';
        put_bytes(name, out);
        put_variant_key(member, out, depth + 1);
      }
      out += kEnd;
  }
}

constexpr size_t kDigits = 38;  // of the widest NUMBER

void put_plain_number(Span text, std::string &out) {
  Number number(text);
  const std::string &digits = number.digits;
  if (digits.empty()) {
    out += '0';
    return;
  }
  if (number.negative) out += '-';
  int64_t size = static_cast<int64_t>(digits.size()), before = number.before;
  int64_t most = static_cast<int64_t>(kDigits);
  if (before > most || std::max(size, before) - std::min<int64_t>(before, 0) > most) {
    out += digits[0];
    if (size > 1) out.append(1, '.').append(digits, 1, std::string::npos);
    out += before - 1 < 0 ? "e-" : "e+";
    std::string power = std::to_string(before - 1 < 0 ? 1 - before : before - 1);
    if (power.size() < 2) out += '0';
    out += power;
  } else if (before <= 0) {
    out += "0.";
    out.append(static_cast<size_t>(-before), '0').append(digits);
  } else if (size <= before) {
    out.append(digits).append(static_cast<size_t>(before - size), '0');
  } else {
    out.append(digits, 0, static_cast<size_t>(before)).append(1, '.');
    out.append(digits, static_cast<size_t>(before), std::string::npos);
  }
}

void put_quoted(const std::string &raw, std::string &out) {
  static const char kHex[] = "0123456789abcdef";
  out += '"';
  for (char c : raw) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out += "\\u00";
          out += kHex[c >> 4];
          out += kHex[c & 15];
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

void put_plain(Span value, std::string &out, int depth) {
  if (depth > kDeepest) too_deep();
  bool first = true;
  switch (kind_of(*value.at)) {
    case kNumber: put_plain_number(value, out); break;
    case kString: {
      std::string raw;
      meaning(value, raw, true);
      put_quoted(raw, out);
      break;
    }
    case kArray:
      out += '[';
      for (Parts parts(value.at, value.end); parts.next(); first = false) {
        if (!first) out += ',';
        put_plain(parts.value, out, depth + 1);
      }
      out += ']';
      break;
    case kObject:
      out += '{';
      for (const auto &[name, member] : members_of(value)) {
        if (!first) out += ',';
        first = false;
        put_quoted(name, out);
        out += ':';
        put_plain(member, out, depth + 1);
      }
      out += '}';
      break;
    default: out.append(value.at, value.size());
  }
}

// A document without blanks.
void put_minified(Span value, std::string &out) {
  const char *from = value.at;
  for (const char *at = value.at; at < value.end;) {
    if (*at == '"') {
      at = behind_string(at, value.end);
    } else if (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r') {
      out.append(from, static_cast<size_t>(at - from));
      from = ++at;
    } else {
      at++;
    }
  }
  out.append(from, static_cast<size_t>(value.end - from));
}

// Where a path leads: $."a name".name["a name"]['a name'][0]
Span at_steps(Span document, Span path) {
  Span found = trimmed(document);
  const char *at = path.at, *end = path.end;
  if (at < end && *at == '$') at++;
  std::string name;
  while (at < end && found.there()) {
    bool bracket = *at == '[';
    if (!bracket && *at != '.') throw std::runtime_error("a path into a VARIANT that is none");
    at++;
    name.clear();
    if (at < end && (*at == '"' || *at == '\'')) {
      char quote = *at++;
      while (at < end && *at != quote) {
        if (*at == '\\' && at + 1 < end) at++;
        name += *at++;
      }
      if (at++ == end) throw std::runtime_error("a path into a VARIANT that is none");
      found = member(found, name.data(), name.size());
    } else if (bracket) {
      while (at < end && *at != ']') name += *at++;
      if (name.empty() || name.size() > 18 || name.find_first_not_of("0123456789") != std::string::npos)
        return kNothing;
      found = element(found, std::stoll(name));
    } else {
      while (at < end && *at != '.' && *at != '[') name += *at++;
      found = member(found, name.data(), name.size());
    }
    if (bracket && (at == end || *at++ != ']'))
      throw std::runtime_error("a path into a VARIANT that is none");
  }
  return found;
}

bool same_scalar(Span a, Span b) {
  Kind kind = kind_of(*a.at);
  if (kind != kind_of(*b.at) || kind >= kArray) return false;
  std::string left, right;
  put_key(a, left, 0);
  put_key(b, right, 0);
  return left == right;
}

bool contains(Span a, Span b, int depth, bool top) {
  if (depth > kDeepest) too_deep();
  Kind left = kind_of(*a.at), right = kind_of(*b.at);
  if (top && left == kArray && right < kArray) {
    for (Parts parts(a.at, a.end); parts.next();)
      if (same_scalar(parts.value, b)) return true;
    return false;
  }
  if (left != right) return false;
  if (right < kArray) return same_scalar(a, b);
  if (right == kObject) {
    for (Parts wanted(b.at, b.end); wanted.next();) {
      std::string key;
      meaning(wanted.key, key);
      Span own = member(a, key.data(), key.size());
      if (!own.there() || !contains(own, wanted.value, depth + 1, false)) return false;
    }
    return true;
  }
  for (Parts wanted(b.at, b.end); wanted.next();) {
    bool found = false;
    for (Parts own(a.at, a.end); !found && own.next();)
      found = contains(own.value, wanted.value, depth + 1, false);
    if (!found) return false;
  }
  return true;
}

// --- DuckDB's functions --------------------------------------------------------------------------

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
    {"setup", setup, METH_O, "setup(addresses) -> addresses of the functions of duck_documents"},
    {nullptr, nullptr, 0, nullptr}};

PyModuleDef kModule = {PyModuleDef_HEAD_INIT, "proxy.engines._documents", nullptr, 0, kMethods,
                       nullptr, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__documents() { return PyModule_Create(&kModule); }
