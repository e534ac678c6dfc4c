// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace ulysses::test {

inline void check(cudaError_t result, const char* what) {
  if (result != cudaSuccess) throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(result));
}

/// Memory of the current device, freed at the end.
class DeviceBuffer {
 public:
  explicit DeviceBuffer(std::size_t bytes) {
    void* data = nullptr;
    check(cudaMalloc(&data, bytes == 0 ? 1 : bytes), "cudaMalloc");
    data_.reset(static_cast<std::byte*>(data));
  }
  std::byte* data() const { return data_.get(); }
  template <typename T>
  T* as() const {
    return reinterpret_cast<T*>(data_.get());
  }

 private:
  struct Free {
    void operator()(std::byte* data) const { cudaFree(data); }
  };
  std::unique_ptr<std::byte, Free> data_;
};

template <typename T>
DeviceBuffer upload(const T* from, std::size_t n) {
  DeviceBuffer buffer(n * sizeof(T));
  if (n != 0) check(cudaMemcpy(buffer.data(), from, n * sizeof(T), cudaMemcpyHostToDevice), "cudaMemcpy to the device");
  return buffer;
}
template <typename T>
DeviceBuffer upload(const std::vector<T>& from) {
  return upload(from.data(), from.size());
}

}  // namespace ulysses::test
