// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// A vector of elements as floats to add up: load widens it, round narrows it, to nearest even. bfloat16 is written out
// because Highway 1.0.3 truncates to it.
#if defined(ULYSSES_KERNELS_ELEMENT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ULYSSES_KERNELS_ELEMENT_INL_H_
#undef ULYSSES_KERNELS_ELEMENT_INL_H_
#else
#define ULYSSES_KERNELS_ELEMENT_INL_H_
#endif

#include "kernels/half.h"
#include "kernels/lines-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ulysses::kernels::HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128

/// One element after another; the compiler may still use the baseline's vectors.
template <typename T, typename Value, Value (*kWiden)(T), T (*kNarrow)(Value)>
struct LoopElement {
  static constexpr int64_t kBytes = sizeof(T);
  static constexpr int kCount = kVec / kBytes;
  struct Sum {
    Value values[kCount];
  };
  static HWY_INLINE Sum load(const std::byte* from) {
    T narrow[kCount];
    std::memcpy(narrow, from, sizeof narrow);
    Sum sum;
    for (int i = 0; i < kCount; ++i) sum.values[i] = kWiden(narrow[i]);
    return sum;
  }
  static HWY_INLINE Sum add(const Sum& a, const Sum& b) {
    Sum sum;
    for (int i = 0; i < kCount; ++i) sum.values[i] = a.values[i] + b.values[i];
    return sum;
  }
  static HWY_INLINE BytesVec round(const Sum& sum) {
    T narrow[kCount];
    for (int i = 0; i < kCount; ++i) narrow[i] = kNarrow(sum.values[i]);
    BytesVec value;
    std::memcpy(&value, narrow, sizeof narrow);
    return value;
  }
};
template <typename T>
inline T same(T value) {
  return value;
}
template <typename T>
using PlainElement = LoopElement<T, T, same<T>, same<T>>;
using Bfloat16Element = LoopElement<uint16_t, float, floatFromBfloat16, bfloat16FromFloat>;
using Float16Element = LoopElement<uint16_t, float, floatFromFloat16, float16FromFloat>;

#else

/// F32 and F64: added as they are.
template <typename T>
struct PlainElement {
  using Tag = hn::Repartition<T, Bytes>;
  using Sum = hn::Vec<Tag>;
  static constexpr int64_t kBytes = sizeof(T);
  static HWY_INLINE Sum load(const std::byte* from) { return hn::BitCast(Tag(), loadVec(from)); }
  static HWY_INLINE Sum add(Sum a, Sum b) { return hn::Add(a, b); }
  static HWY_INLINE BytesVec round(Sum sum) { return hn::BitCast(Bytes(), sum); }
};

using Floats = hn::Repartition<float, Bytes>;
using FloatsVec = hn::Vec<Floats>;
using Words = hn::Repartition<uint32_t, Bytes>;
using WordsVec = hn::Vec<Words>;

/// The even and the odd 16-bit elements of a vector, widened apart: no shuffle, and they meet again in round.
struct FloatPair {
  FloatsVec even, odd;
};
HWY_INLINE FloatPair addPair(FloatPair a, FloatPair b) { return {hn::Add(a.even, b.even), hn::Add(a.odd, b.odd)}; }

struct Bfloat16Element {
  using Sum = FloatPair;
  static constexpr int64_t kBytes = 2;
  static HWY_INLINE Sum load(const std::byte* from) {
    const WordsVec both = hn::BitCast(Words(), loadVec(from));
    const WordsVec odd = hn::And(both, hn::Set(Words(), 0xFFFF0000u));
    return {hn::BitCast(Floats(), hn::ShiftLeft<16>(both)), hn::BitCast(Floats(), odd)};
  }
  static HWY_INLINE Sum add(Sum a, Sum b) { return addPair(a, b); }
  static HWY_INLINE BytesVec round(Sum sum) {
    const WordsVec odd = hn::And(roundHigh(sum.odd), hn::Set(Words(), 0xFFFF0000u));
    return hn::BitCast(Bytes(), hn::Or(odd, hn::ShiftRight<16>(roundHigh(sum.even))));
  }

 private:
  /// The upper 16 bits become the bfloat16. Adding half of the last place carries into the exponent, up to infinity, as
  /// it should. It cannot carry a NaN into something else: the lower 16 bits of a NaN that came of bfloat16s are zero.
  static HWY_INLINE WordsVec roundHigh(FloatsVec value) {
    const WordsVec bits = hn::BitCast(Words(), value);
    const WordsVec isOdd = hn::And(hn::ShiftRight<16>(bits), hn::Set(Words(), 1u));
    return hn::Add(bits, hn::Add(isOdd, hn::Set(Words(), 0x7FFFu)));
  }
};

/// Highway uses the hardware's conversions on all targets that are left here; its emulation on others truncates.
struct Float16Element {
  using Sum = FloatPair;  // here: lower and upper half
  using Tag = hn::Repartition<hwy::float16_t, Bytes>;
  using HalfTag = hn::Half<Tag>;
  static constexpr int64_t kBytes = 2;
  static HWY_INLINE Sum load(const std::byte* from) {
    const auto* values = reinterpret_cast<const hwy::float16_t*>(from);
    return {hn::PromoteTo(Floats(), hn::LoadU(HalfTag(), values)),
            hn::PromoteTo(Floats(), hn::LoadU(HalfTag(), values + hn::MaxLanes(HalfTag())))};
  }
  static HWY_INLINE Sum add(Sum a, Sum b) { return addPair(a, b); }
  static HWY_INLINE BytesVec round(Sum sum) {
    using Shorts = hn::Repartition<uint16_t, Bytes>;
    const hn::Half<Shorts> half;
    const auto lower = hn::BitCast(half, hn::DemoteTo(HalfTag(), sum.even));
    const auto upper = hn::BitCast(half, hn::DemoteTo(HalfTag(), sum.odd));
    return hn::BitCast(Bytes(), hn::Combine(Shorts(), upper, lower));
  }
};

#endif

}  // namespace ulysses::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
