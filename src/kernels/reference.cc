// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "kernels/reference.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace ulysses::kernels {
namespace {

template <typename T>
T readAs(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

/// A binary format of 16 bits, described by its exponent and mantissa widths.
struct Format16 {
  int exponentBits, mantissaBits;
  int bias() const { return (1 << (exponentBits - 1)) - 1; }
  int largestExponent() const { return (1 << exponentBits) - 1; }
};
constexpr Format16 kFloat16{5, 10};
constexpr Format16 kBfloat16{8, 7};

double widen(uint16_t bits, Format16 format) {
  const int mantissa = bits & ((1 << format.mantissaBits) - 1);
  const int exponent = (bits >> format.mantissaBits) & format.largestExponent();
  const double sign = bits & 0x8000 ? -1.0 : 1.0;
  if (exponent == format.largestExponent()) {
    return mantissa ? std::numeric_limits<double>::quiet_NaN() : sign * std::numeric_limits<double>::infinity();
  }
  const int hidden = exponent ? 1 << format.mantissaBits : 0;
  const int power = (exponent ? exponent : 1) - format.bias() - format.mantissaBits;
  return sign * std::ldexp(mantissa + hidden, power);
}

/// By the definition: as a multiple of the last place at that size, rounded by the C library, half to even.
uint16_t narrow(double value, Format16 format) {
  const int sign = std::signbit(value) ? 0x8000 : 0;
  const int infinity = format.largestExponent() << format.mantissaBits;
  if (std::isnan(value)) return static_cast<uint16_t>(sign | infinity | 1 << (format.mantissaBits - 1));
  if (std::isinf(value)) return static_cast<uint16_t>(sign | infinity);
  if (value == 0) return static_cast<uint16_t>(sign);
  const int exponent = std::max(std::ilogb(value), 1 - format.bias());
  const int places = static_cast<int>(std::nearbyint(std::ldexp(std::fabs(value), format.mantissaBits - exponent)));
  // A mantissa rounded up to the next power of two carries into the exponent by this same addition.
  const int bits = ((exponent + format.bias() - 1) << format.mantissaBits) + places;
  return static_cast<uint16_t>(sign | std::min(bits, infinity));
}

double addAs(DataType type, double a, double b) {
  return type == DataType::F64 ? a + b : static_cast<double>(static_cast<float>(a) + static_cast<float>(b));
}

void writeAs(DataType type, double value, std::byte* to) {
  const float single = static_cast<float>(value);
  const uint16_t half = narrow(value, type == DataType::F16 ? kFloat16 : kBfloat16);
  if (type == DataType::F64) {
    std::memcpy(to, &value, sizeof value);
  } else if (type == DataType::F32) {
    std::memcpy(to, &single, sizeof single);
  } else {
    std::memcpy(to, &half, sizeof half);
  }
}

}  // namespace

double elementReference(const std::byte* from, DataType type) noexcept {
  if (type == DataType::F64) return readAs<double>(from);
  if (type == DataType::F32) return static_cast<double>(readAs<float>(from));
  return widen(readAs<uint16_t>(from), type == DataType::F16 ? kFloat16 : kBfloat16);
}

void copyRowsReference(const RowCopy& copy) noexcept {
  for (int64_t row = 0; row < copy.rows; ++row) {
    for (int64_t at = 0; at < copy.rowBytes; ++at) {
      copy.dst[row * copy.dstStride + at] = copy.src[row * copy.srcStride + at];
    }
  }
}

void mergeRowsReference(const RowMerge& merge) noexcept {
  for (const RowPiece& piece : merge.pieces)
    copyRowsReference({piece.dst, merge.dstStride, piece.src, piece.srcStride, merge.rows, piece.bytes});
}

void sumRowsReference(const RowSum& sum) noexcept {
  const int64_t bytes = sizeOf(sum.type);
  if (sum.sources.size() == 1) {
    const SourceRows& only = sum.sources[0];
    return copyRowsReference({sum.dst, sum.dstStride, only.data, only.stride, sum.rows, sum.elements * bytes});
  }
  for (int64_t row = 0; row < sum.rows; ++row) {
    for (int64_t at = 0; at < sum.elements * bytes; at += bytes) {
      double total = elementReference(sum.sources[0].data + row * sum.sources[0].stride + at, sum.type);
      for (const SourceRows& source : sum.sources.subspan(1)) {
        total = addAs(sum.type, total, elementReference(source.data + row * source.stride + at, sum.type));
      }
      writeAs(sum.type, total, sum.dst + row * sum.dstStride + at);
    }
  }
}

}  // namespace ulysses::kernels
