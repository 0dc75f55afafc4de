// How a document is read: where its values begin and end, what its strings mean, what its parts are.
// Nothing is copied but what is asked for; nothing is read past the end.

#pragma once

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>

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

}  // namespace
