// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "support/element.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

namespace ulysses::test {

namespace {

/// A binary floating-point format of 16 bits.
struct Format {
  int fractionBits;
  int minExponent;  // of the smallest normal number
  int maxExponent;
};
constexpr Format kHalf = {10, -14, 15};
constexpr Format kBfloat = {7, -126, 127};

double decode16(const Format& format, std::uint16_t bits) {
  const int exponentBits = 15 - format.fractionBits;
  const int fraction = bits & ((1 << format.fractionBits) - 1);
  const int exponent = (bits >> format.fractionBits) & ((1 << exponentBits) - 1);
  const double sign = (bits & 0x8000) != 0 ? -1.0 : 1.0;
  if (exponent == (1 << exponentBits) - 1) {
    if (fraction != 0) return std::numeric_limits<double>::quiet_NaN();
    return sign * std::numeric_limits<double>::infinity();
  }
  const int hidden = exponent == 0 ? 0 : 1 << format.fractionBits;
  const int scale = (exponent == 0 ? format.minExponent : exponent + format.minExponent - 1) - format.fractionBits;
  return sign * std::ldexp(hidden + fraction, scale);
}

/// Rounds by counting in units of the last place: ldexp and nearbyint are exact, so nothing is rounded twice.
std::uint16_t encode16(const Format& format, double value) {
  const auto sign = static_cast<std::uint16_t>(std::signbit(value) ? 0x8000 : 0);
  const int infinity = ((1 << (15 - format.fractionBits)) - 1) << format.fractionBits;
  if (std::isnan(value)) return static_cast<std::uint16_t>(sign | infinity | (1 << (format.fractionBits - 1)));
  const double size = std::fabs(value);
  if (std::isinf(size)) return static_cast<std::uint16_t>(sign | infinity);
  const int exponent = size == 0 ? format.minExponent : std::max(std::ilogb(size), format.minExponent);
  const auto units = static_cast<int>(std::nearbyint(std::ldexp(size, format.fractionBits - exponent)));
  // Units of a normal number carry the hidden bit, which adds 1 to the exponent field; so does a carry out of rounding.
  const int field = units + ((exponent - format.minExponent) << format.fractionBits);
  return static_cast<std::uint16_t>(sign | std::min(field, infinity));
}

template <typename T>
T load(const std::uint8_t* element) {
  T value;
  std::memcpy(&value, element, sizeof(T));
  return value;
}

template <typename T>
void store(T value, std::uint8_t* element) {
  std::memcpy(element, &value, sizeof(T));
}

double finiteValue(ulyssesDataType_t type, Rng* rng) {
  // A few large values that often cancel exactly, and small ones that get lost beside them: then order shows.
  const bool half = type == ulyssesFloat16;
  const double sign = rng->chance(50) ? 1 : -1;
  const std::int64_t choice = rng->between(0, 99);
  if (choice < 3) return sign * 0.0;
  if (choice < 33) return sign * (half ? 0x1p15 : std::ldexp(rng->pick({1.0, 1.5}), 40));
  const double fraction = 1 + static_cast<double>(rng->next() >> 12) * 0x1p-52;
  if (choice < 53)
    return sign * std::ldexp(fraction, static_cast<int>(half ? rng->between(-24, -10) : rng->between(-60, 0)));
  if (choice < 55)
    return sign * std::ldexp(std::fmin(fraction, 1.75), half ? 15 : (type == ulyssesFloat64 ? 1022 : 126));
  if (choice < 57) return sign * std::ldexp(fraction, half ? -24 : (type == ulyssesFloat64 ? -1060 : -132));
  return sign * std::ldexp(fraction, static_cast<int>(half ? rng->between(-3, 3) : rng->between(0, 20)));
}

}  // namespace

std::size_t bytesOf(ulyssesDataType_t type) {
  constexpr std::size_t kBytes[kDataTypes] = {8, 4, 2, 2, 1, 1, 1, 1, 4, 8};
  return kBytes[type];
}

const char* nameOf(ulyssesDataType_t type) {
  constexpr const char* kNames[kDataTypes] = {"f64",    "f32", "f16", "bf16", "f8e4m3",
                                              "f8e5m2", "i8",  "u8",  "i32",  "i64"};
  return kNames[type];
}

bool canSum(ulyssesDataType_t type) {
  return type == ulyssesFloat64 || type == ulyssesFloat32 || type == ulyssesFloat16 || type == ulyssesBfloat16;
}

void fillElement(Fill fill, ulyssesDataType_t type, Rng* rng, std::uint8_t* element) {
  if (fill == Fill::Bits) {
    const std::uint64_t bits = rng->next();
    std::memcpy(element, &bits, bytesOf(type));
  } else if (fill == Fill::SmallIntegers) {
    encode(type, static_cast<double>(rng->between(-4, 4)), element);
  } else {
    encode(type, finiteValue(type, rng), element);
  }
}

double decode(ulyssesDataType_t type, const std::uint8_t* element) {
  switch (type) {
    case ulyssesFloat64:
      return load<double>(element);
    case ulyssesFloat32:
      return load<float>(element);
    case ulyssesFloat16:
      return decode16(kHalf, load<std::uint16_t>(element));
    case ulyssesBfloat16:
      return decode16(kBfloat, load<std::uint16_t>(element));
    default:
      throw std::logic_error("not a type that can be summed");
  }
}

void encode(ulyssesDataType_t type, double value, std::uint8_t* element) {
  switch (type) {
    case ulyssesFloat64:
      return store(value, element);
    case ulyssesFloat32:
      return store(static_cast<float>(value), element);
    case ulyssesFloat16:
      return store(encode16(kHalf, value), element);
    case ulyssesBfloat16:
      return store(encode16(kBfloat, value), element);
    default:
      throw std::logic_error("not a type that can be summed");
  }
}

void sumElements(ulyssesDataType_t type, const std::vector<const std::uint8_t*>& terms, std::uint8_t* sum) {
  double wide = decode(type, terms.at(0));
  auto narrow = static_cast<float>(wide);
  for (std::size_t term = 1; term < terms.size(); ++term) {
    wide += decode(type, terms[term]);
    narrow += static_cast<float>(decode(type, terms[term]));
  }
  encode(type, type == ulyssesFloat64 ? wide : narrow, sum);
}

}  // namespace ulysses::test
