// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "attention/delta.h"

#include "attention/element.h"
#include "attention/strides.h"

namespace ulysses::attention {
namespace {

struct Half {
  static double load(uint16_t bits) { return fromHalf(bits); }
};
struct Bfloat {
  static double load(uint16_t bits) { return fromBfloat(bits); }
};
struct Plain {
  template <typename Real>
  static double load(Real value) {
    return static_cast<double>(value);
  }
};

/// The caller's tensors may be unaligned.
template <typename Kind, typename Element>
double at(const Element* element) {
  Element value;
  std::memcpy(&value, element, sizeof value);
  return Kind::load(value);
}

/// In float64, of which four sums run side by side: the same order on every machine.
template <typename Kind, typename Element>
double dot(const Element* a, const Element* b, int64_t count) {
  double sums[4] = {};
  int64_t d = 0;
  for (; d + 4 <= count; d += 4)
    for (int64_t lane = 0; lane < 4; ++lane) sums[lane] += at<Kind>(a + d + lane) * at<Kind>(b + d + lane);
  for (; d < count; ++d) sums[0] += at<Kind>(a + d) * at<Kind>(b + d);
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

template <typename Kind, typename Element>
void fill(const Request& request, float* delta) {
  const ulyssesAttentionTensor_t &o = request.tensors.output, &dO = request.tensors.outputGradient;
  const ulyssesStrides_t x = stridesOf(request, Role::Output, o.layout, o.strides);
  const ulyssesStrides_t y = stridesOf(request, Role::OutputGradient, dO.layout, dO.strides);
  const int64_t heads = request.geometry.heads;
  const int64_t perGroup = request.geometry.kvHeads == 0 ? 1 : heads / request.geometry.kvHeads;
  const auto* const out = static_cast<const Element*>(o.data);
  const auto* const gradient = static_cast<const Element*>(dO.data);
  for (int64_t s = 0; s < request.split.tokenCount; ++s)
    for (int64_t b = 0; b < request.geometry.batch; ++b)
      for (int64_t h = 0; h < heads; ++h) {
        const int64_t group = h / perGroup, head = h % perGroup;
        *delta++ = static_cast<float>(dot<Kind>(
            out + s * x.sequence + b * x.batch + group * x.group + head * x.head,
            gradient + s * y.sequence + b * y.batch + group * y.group + head * y.head, request.tensors.vHeadDim));
      }
}

}  // namespace

void computeDelta(const Request& request, float* delta) {
  switch (request.tensors.dtype) {
    case ulyssesFloat64:
      return fill<Plain, double>(request, delta);
    case ulyssesFloat32:
      return fill<Plain, float>(request, delta);
    case ulyssesFloat16:
      return fill<Half, uint16_t>(request, delta);
    default:
      return fill<Bfloat, uint16_t>(request, delta);
  }
}

}  // namespace ulysses::attention
