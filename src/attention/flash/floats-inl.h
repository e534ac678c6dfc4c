// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// One instruction set's vectors of floats, and how they are read from and written to tensors. Compiled once per
// instruction set, hence no #pragma once. Everything is in an unnamed namespace: bf16.cc compiles these files with
// more instructions than the other sources do, and nothing of it may be linked into them.
#if defined(ULYSSES_ATTENTION_FLOATS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ULYSSES_ATTENTION_FLOATS_INL_H_
#undef ULYSSES_ATTENTION_FLOATS_INL_H_
#else
#define ULYSSES_ATTENTION_FLOATS_INL_H_
#endif

#include <cstdint>
#include <cstring>
#include <limits>

#include "hwy/highway.h"
#include "kernels/half.h"

// bf16.cc has instructions that Highway 1.0.3 does not know. Only intrinsics give them: no compiler makes them of
// floats.
#undef ULYSSES_FLASH_BEFORE_NAMESPACE
#if defined(ULYSSES_FLASH_BFLOAT16) && HWY_TARGET == HWY_AVX3
#define ULYSSES_FLASH_BEFORE_NAMESPACE()            \
  HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",avx512bf16") \
  static_assert(true, "a semicolon follows")
#else
#define ULYSSES_FLASH_BEFORE_NAMESPACE() HWY_BEFORE_NAMESPACE()
#endif

ULYSSES_FLASH_BEFORE_NAMESPACE();
namespace ulysses::attention::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::CappedTag<float, 16>;
using Words = hn::RebindToUnsigned<Floats>;
using Vec = hn::Vec<Floats>;
constexpr int64_t kLanes = hn::MaxLanes(Floats());
constexpr float kInfinity = std::numeric_limits<float>::infinity();

HWY_INLINE Vec all(float value) { return hn::Set(Floats(), value); }
HWY_INLINE Vec load(const float* from) { return hn::LoadU(Floats(), from); }
HWY_INLINE void store(Vec value, float* to) { hn::StoreU(value, Floats(), to); }

constexpr int64_t roundUp(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }
constexpr int64_t roundDown(int64_t value, int64_t unit) { return value / unit * unit; }

/// Elements of a tensor of float32.
struct Float32 {
  using Stored = float;
  static HWY_INLINE Vec widen(const float* from) { return load(from); }
  static HWY_INLINE void narrow(Vec value, float* to) { store(value, to); }
};

#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128

template <float (*kWiden)(uint16_t), uint16_t (*kNarrow)(float)>
struct LoopHalf {
  using Stored = uint16_t;
  static HWY_INLINE Vec widen(const uint16_t* from) {
    float wide[kLanes];
    for (int64_t i = 0; i < kLanes; ++i) wide[i] = kWiden(from[i]);
    return load(wide);
  }
  static HWY_INLINE void narrow(Vec value, uint16_t* to) {
    float wide[kLanes];
    store(value, wide);
    for (int64_t i = 0; i < kLanes; ++i) to[i] = kNarrow(wide[i] == wide[i] ? wide[i] : kQuietNan);
  }
  static constexpr float kQuietNan = std::numeric_limits<float>::quiet_NaN();
};
using Bfloat16 = LoopHalf<kernels::floatFromBfloat16, kernels::bfloat16FromFloat>;
using Float16 = LoopHalf<kernels::floatFromFloat16, kernels::float16FromFloat>;

#else

using Shorts = hn::Rebind<uint16_t, Floats>;

/// Rounds to nearest even by hand: Highway 1.0.3 truncates.
struct Bfloat16 {
  using Stored = uint16_t;
  static HWY_INLINE Vec widen(const uint16_t* from) {
    return hn::BitCast(Floats(), hn::ShiftLeft<16>(hn::PromoteTo(Words(), hn::LoadU(Shorts(), from))));
  }
  static HWY_INLINE void narrow(Vec value, uint16_t* to) {
    const auto bits = hn::BitCast(Words(), value);
    const auto isOdd = hn::And(hn::ShiftRight<16>(bits), hn::Set(Words(), 1u));
    const auto rounded = hn::ShiftRight<16>(hn::Add(bits, hn::Add(isOdd, hn::Set(Words(), 0x7FFFu))));
    const auto isNan = hn::RebindMask(Words(), hn::IsNaN(value));
    hn::StoreU(hn::TruncateTo(Shorts(), hn::IfThenElse(isNan, hn::Set(Words(), 0x7FC0u), rounded)), Shorts(), to);
  }
};

struct Float16 {
  using Stored = uint16_t;
  using Halves = hn::Rebind<hwy::float16_t, Floats>;
  static HWY_INLINE Vec widen(const uint16_t* from) {
    return hn::PromoteTo(Floats(), hn::BitCast(Halves(), hn::LoadU(Shorts(), from)));
  }
  static HWY_INLINE void narrow(Vec value, uint16_t* to) {
    hn::StoreU(hn::BitCast(Shorts(), hn::DemoteTo(Halves(), value)), Shorts(), to);
  }
};

#endif

/// Where kCount elements can be read: at `from` when they are there, else in `part`, where zeros follow those that are.
template <int64_t kCount, class Stored>
HWY_INLINE const Stored* padded(const Stored* from, int64_t there, Stored (&part)[kCount]) {
  if (HWY_LIKELY(there >= kCount)) return from;
  std::memset(part, 0, sizeof part);
  if (there > 0) std::memcpy(part, from, static_cast<size_t>(there) * sizeof(Stored));
  return part;
}

/// A vector of elements, of which only the first `there` exist; the others are 0.
template <class Element>
HWY_INLINE Vec widenPart(const typename Element::Stored* from, int64_t there) {
  typename Element::Stored part[kLanes];
  return Element::widen(padded<kLanes>(from, there, part));
}

/// to[i] = round(from[i] * factor) for i < count. `from` is readable to a whole vector.
template <class Element>
HWY_INLINE void writeRow(const float* from, float factor, typename Element::Stored* to, int64_t count) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) Element::narrow(hn::Mul(load(from + i), all(factor)), to + i);
  if (i == count) return;
  typename Element::Stored part[kLanes];
  Element::narrow(hn::Mul(load(from + i), all(factor)), part);
  std::memcpy(to + i, part, static_cast<size_t>(count - i) * sizeof part[0]);
}

/// 2^x to 2 units in the last place; 0 below 2^-126. x is at most 127, or NaN, which stays NaN.
HWY_INLINE Vec exp2(Vec x) {
  // Adding it leaves round(x) + 127 in the lowest bits: the exponent of 2^round(x).
  const Vec magic = all(12582912.0f + 127.0f);
  const Vec shifted = hn::Add(x, magic);
  const Vec rest = hn::Sub(x, hn::Sub(shifted, magic));
  // Minimax for the relative error on [-1/2, 1/2]: 1.9e-9.
  Vec power = all(1.534581243e-04f);
  power = hn::MulAdd(power, rest, all(1.339993090e-03f));
  power = hn::MulAdd(power, rest, all(9.618489072e-03f));
  power = hn::MulAdd(power, rest, all(5.550328642e-02f));
  power = hn::MulAdd(power, rest, all(2.402264625e-01f));
  power = hn::MulAdd(power, rest, all(6.931471825e-01f));
  power = hn::MulAdd(power, rest, all(1.0f));
  const Vec scale = hn::BitCast(Floats(), hn::ShiftLeft<23>(hn::BitCast(Words(), shifted)));
  return hn::IfThenZeroElse(hn::Lt(x, all(-126.0f)), hn::Mul(power, scale));
}

}  // namespace
}  // namespace ulysses::attention::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
