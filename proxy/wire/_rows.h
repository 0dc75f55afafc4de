// Values to the bytes of DataRow messages: what `_rows.cpp` and `engines/_small.cpp` share.
//
// What it promises: the bytes are those of the encoders of `encoders/`. Here are only the ordinary
// values of a few types; at a value out of the ordinary `write_rows` gives up and names the column.

#pragma once

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace hatidata {


constexpr int kHeader = 7;                // 'D', int32 length, int16 number of columns
constexpr int kWidest = 48;               // bytes of a formatted value: a decimal of 38 digits

// How a column's values are given and what becomes of them, one letter each.
enum Kind : char {
  kRagged = 'r',  // values: int32 offsets, n + 1; bytes: what they point into
  kFixed = 'f',   // values: cells of `extra` bytes
  kString = 's',  // DuckDB's strings, the same in both formats
  // Text:
  kBool = 'o',
  kInt8 = 'b', kInt16 = 'h', kInt32 = 'i', kInt64 = 'q',
  kUint8 = 'B', kUint16 = 'H', kUint32 = 'I', kUint64 = 'Q',
  kFloat = 'e', kDouble = 'd',  // shortest
  kDecimal16 = '1', kDecimal32 = '2', kDecimal64 = '3', kDecimal = 'n',  // extra: the scale
  kDate = 'D',          // int32 days since 1970
  kTimestamp = 't',     // int64 microseconds since 1970
  kTimestampUtc = 'u',  // ... with +00 behind it
  // Binary:
  kByte = 'y',
  kSwapped16 = 'W', kSwapped32 = 'L', kSwapped64 = 'X',  // numbers, the highest byte first
  kDateBinary = 'E', kTimestampBinary = 'T',             // since 2000
};

struct Column {
  Kind kind;
  const char *values;  // of the first row
  const char *bytes;
  const char *nulls = nullptr;         // a byte each, not 0 where NULL; nullptr: none is
  const uint64_t *validity = nullptr;  // a bit each, not 0 where not NULL; nullptr: none is
  int64_t extra;

  bool is_null(int64_t i) const {
    if (nulls) return nulls[i] != 0;
    return validity && !(validity[i / 64] >> (i % 64) & 1);
  }
  // The last day that was written.
  int64_t day = INT64_MIN;
  char day_text[10];
};

inline void put16(char *at, uint16_t v) {
  v = __builtin_bswap16(v);
  memcpy(at, &v, 2);
}

inline void put32(char *at, uint32_t v) {
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

inline void two(char *out, uint32_t v) { memcpy(out, kPairs.text + 2 * v, 2); }

template <typename T>
char *integer(char *out, T v) {
  return std::to_chars(out, out + kWidest, v).ptr;
}

// `digits` digits of v, zeros in front.
inline void padded(char *out, uint64_t v, int digits) {
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
inline char *wide(char *out, unsigned __int128 v) {
  if (v < kTen18) return integer(out, static_cast<uint64_t>(v));
  out = wide(out, v / kTen18);
  padded(out, static_cast<uint64_t>(v % kTen18), 18);
  return out + 18;
}

inline char *decimal(char *out, __int128 v, int scale) {
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
inline char *date(char *out, int64_t days, Column &column) {
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

inline char *timestamp(char *out, int64_t micros, Column &column) {
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

constexpr int kInline = 12;  // bytes of a DuckDB string that its 16 hold themselves

// A DuckDB string: nullptr where it has a zero byte, which no Postgres text can hold.
inline char *string(char *out, const char *given) {
  auto size = at<uint32_t>(given, 0);
  const char *text = size <= kInline ? given + 4 : at<const char *>(given, 1);
  if (memchr(text, 0, size)) return nullptr;
  memcpy(out, text, size);
  return out + size;
}

inline char *put64(char *out, uint64_t v) {
  v = __builtin_bswap64(v);
  memcpy(out, &v, 8);
  return out + 8;
}

constexpr int64_t kEpoch = 10957;  // 2000-01-01

// Writes one value; nullptr where it is out of the ordinary.
inline char *value(char *out, Column &c, int64_t i) {
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
    case kString: return string(out, c.values + 16 * i);
    case kBool: *out = c.values[i] ? 't' : 'f'; return out + 1;
    case kByte: *out = c.values[i] ? 1 : 0; return out + 1;
    case kSwapped16: put16(out, at<uint16_t>(c.values, i)); return out + 2;
    case kSwapped32: put32(out, at<uint32_t>(c.values, i)); return out + 4;
    case kSwapped64: return put64(out, at<uint64_t>(c.values, i));
    case kDecimal16: return decimal(out, at<int16_t>(c.values, i), static_cast<int>(c.extra));
    case kDecimal32: return decimal(out, at<int32_t>(c.values, i), static_cast<int>(c.extra));
    case kDecimal64: return decimal(out, at<int64_t>(c.values, i), static_cast<int>(c.extra));
    case kDecimal: return decimal(out, at<__int128>(c.values, i), static_cast<int>(c.extra));
    case kDate: {
      int64_t days = at<int32_t>(c.values, i);
      return days < kFirstDay || days >= kEndOfDays ? nullptr : date(out, days, c);
    }
    case kDateBinary: {
      int64_t days = at<int32_t>(c.values, i);
      if (days < kFirstDay || days >= kEndOfDays) return nullptr;
      put32(out, static_cast<uint32_t>(days - kEpoch));
      return out + 4;
    }
    case kTimestampBinary: {
      int64_t micros = at<int64_t>(c.values, i);
      if (micros < kFirstDay * kDay || micros >= kEndOfDays * kDay) return nullptr;
      return put64(out, static_cast<uint64_t>(micros - kEpoch * kDay));
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
inline int64_t item(const Column &c) {
  switch (c.kind) {
    case kBool: case kByte: case kInt8: case kUint8: return 1;
    case kInt16: case kUint16: case kDecimal16: case kSwapped16: return 2;
    case kRagged: case kInt32: case kUint32: case kDecimal32: case kSwapped32: return 4;
    case kFloat: case kDate: case kDateBinary: return 4;
    case kInt64: case kUint64: case kDecimal64: case kSwapped64: case kDouble: return 8;
    case kTimestamp: case kTimestampUtc: case kTimestampBinary: return 8;
    case kDecimal: case kString: return 16;
    case kFixed: return c.extra;
  }
  return 0;
}

// Writes n messages; returns their end, or nullptr and the column that stopped it.
inline char *write_rows(char *out, int64_t n, std::vector<Column> &columns, size_t &stopped) {
  for (int64_t i = 0; i < n; i++) {
    char *start = out;
    *out = 'D';
    put16(out + 5, static_cast<uint16_t>(columns.size()));
    out += kHeader;
    for (size_t k = 0; k < columns.size(); k++) {
      Column &c = columns[k];
      if (c.is_null(i)) {
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

}  // namespace hatidata
