// What is a VARIANT's own: its order, documents without blanks, and where its paths lead.

#pragma once

#include "_document_keys.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>

namespace {

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

}  // namespace
