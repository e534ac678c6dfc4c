// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "attention/flash/flash.h"

#include <new>

#include "attention/flash/types.h"

namespace ulysses::attention {
namespace {

/// The functions of an element type; NULL for one that is not computed here.
struct Type {
  size_t (*bytes)(const ulyssesLocalAttention_t&);
  void (*compute)(const ulyssesLocalAttention_t&);
};

Type typeOf(ulyssesDataType_t dtype) {
  switch (dtype) {
    case ulyssesFloat32:
      return {bytesFloat32, computeFloat32};
    case ulyssesFloat16:
      return {bytesFloat16, computeFloat16};
    case ulyssesBfloat16:
      return {bytesBfloat16, computeBfloat16};
    default:
      return {nullptr, nullptr};
  }
}

}  // namespace

size_t flashWorkspaceBytes(const ulyssesLocalAttention_t& problem) noexcept {
  const Type type = typeOf(problem.dtype);
  if (!type.bytes || problem.heads == 0) return 0;
  ulyssesLocalAttention_t counted = problem;
  counted.workspace = nullptr;
  return type.bytes(counted);
}

ulyssesResult_t flashAttention(const ulyssesLocalAttention_t& problem) noexcept {
  const Type type = typeOf(problem.dtype);
  if (!type.compute) return ulyssesNotSupported;
  if (problem.heads == 0) return ulyssesSuccess;
  if (problem.threads < 1 || problem.workspaceBytes < flashWorkspaceBytes(problem)) return ulyssesInvalidArgument;
  try {
    type.compute(problem);
    return ulyssesSuccess;
  } catch (const std::bad_alloc&) {
    return ulyssesOutOfMemory;
  }
}

}  // namespace ulysses::attention
