// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// In place of CUDA's driver: what it says of the current GPU is what the test set.
#include <cstdio>
#include <cstdlib>

#define ULYSSES_TEST_EXPORT extern "C" __attribute__((visibility("default")))

namespace {
int current = -1;  // ordinal; -1: no context
[[gnu::constructor]] void noteLoading() { setenv("ULYSSES_TEST_DRIVER_LOADED", "1", 1); }
}  // namespace

ULYSSES_TEST_EXPORT void setCurrent(int ordinal);
ULYSSES_TEST_EXPORT int cuCtxGetCurrent(void** context);
ULYSSES_TEST_EXPORT int cuCtxGetDevice(int* device);
ULYSSES_TEST_EXPORT int cuDeviceGetPCIBusId(char* text, int length, int device);

void setCurrent(int ordinal) { current = ordinal; }

int cuCtxGetCurrent(void** context) {
  *context = current < 0 ? nullptr : &current;
  return 0;
}

int cuCtxGetDevice(int* device) {
  *device = current;
  return current < 0 ? 201 : 0;  // CUDA_ERROR_INVALID_CONTEXT
}

int cuDeviceGetPCIBusId(char* text, int length, int device) {
  std::snprintf(text, static_cast<unsigned>(length), "0000:%02X:00.0", 0x3a + device);
  return 0;
}
