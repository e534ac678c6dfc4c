// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace ulysses::nccl {

/// A CUDA context of NCCL's, for the pulse: UCX copies from and to a GPU in whatever context is current, and a thread
/// of ours has none. The driver is loaded when the first is asked for; null objects where there is none.
class CudaContext {
 public:
  CudaContext() noexcept = default;
  /// The one that is current on the calling thread.
  static CudaContext ofThisThread() noexcept;
  explicit operator bool() const noexcept { return context_ != nullptr; }

  /// Makes it current on this thread as long as the object lives; a null one changes nothing.
  class Current {
   public:
    explicit Current(const CudaContext& context) noexcept;
    ~Current();
    Current(const Current&) = delete;
    Current& operator=(const Current&) = delete;

   private:
    bool pushed_;
  };

 private:
  void* context_ = nullptr;  // CUcontext
};

}  // namespace ulysses::nccl
