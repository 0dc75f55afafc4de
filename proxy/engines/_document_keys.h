// How two jsonb compare: bytes that sort as Postgres sorts them, and whether one contains another.

#pragma once

#include "_document_reading.h"

#include <cstdint>
#include <string>

namespace {

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

}  // namespace
