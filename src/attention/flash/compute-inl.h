// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// A problem on the threads of its call, for one way to multiply.
#if defined(ULYSSES_ATTENTION_COMPUTE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ULYSSES_ATTENTION_COMPUTE_INL_H_
#undef ULYSSES_ATTENTION_COMPUTE_INL_H_
#else
#define ULYSSES_ATTENTION_COMPUTE_INL_H_
#endif

#include "attention/flash/backward-inl.h"
#include "attention/flash/forward-inl.h"

ULYSSES_FLASH_BEFORE_NAMESPACE();
namespace ulysses::attention::HWY_NAMESPACE {
namespace {

template <class Product>
size_t bytesFor(const ulyssesLocalAttention_t& problem) {
  return problem.backward ? Backward<Product>(problem).workspaceBytes() : Forward<Product>(problem).workspaceBytes();
}

template <class Pass>
void runPass(const ulyssesLocalAttention_t& problem) {
  Pass pass(problem);
  const auto workers = static_cast<int>(std::clamp<int64_t>(pass.items(), 1, problem.threads));
  runWorkers(workers, [&pass](int worker) { pass.work(worker); });
}

template <class Product>
void computeBy(const ulyssesLocalAttention_t& problem) {
  problem.backward ? runPass<Backward<Product>>(problem) : runPass<Forward<Product>>(problem);
}

}  // namespace
}  // namespace ulysses::attention::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
