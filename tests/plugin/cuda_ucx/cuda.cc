// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Stands in for CUDA's driver: the stack of contexts that each thread has.
#include <vector>

namespace {

thread_local std::vector<void*> contexts;

}  // namespace

extern "C" {

int cuCtxGetCurrent(void** context) {
  *context = contexts.empty() ? nullptr : contexts.back();
  return 0;
}

int cuCtxPushCurrent_v2(void* context) {
  contexts.push_back(context);
  return 0;
}

int cuCtxPopCurrent_v2(void** context) {
  if (contexts.empty()) return 201;  // CUDA_ERROR_INVALID_CONTEXT
  *context = contexts.back();
  contexts.pop_back();
  return 0;
}

void ulyssesTestSetContext(void* context) { contexts = {context}; }
}
