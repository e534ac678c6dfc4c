// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// For leaving_test.cc, as a program that is not linked with the library: opens it, leaves communicators, an operation
// and a rendezvous alive, closes it and ends in order. The exit code tells what went wrong.
#include <dlfcn.h>
#include <unistd.h>

#include <cstdint>

#include "ulysses_coll.h"

namespace {

enum Code { kRight = 0, kUsage = 10, kNotOpened, kNoFunction, kNotMade, kNotStarted, kNotClosed, kGone, kUnusable };

template <typename Function>
bool find(void* library, const char* name, Function** function) {
  *function = reinterpret_cast<Function*>(dlsym(library, name));
  return *function != nullptr;
}

struct Functions {
  decltype(ulyssesGetUniqueId)* getUniqueId;
  decltype(ulyssesCommInitAll)* initAll;
  decltype(ulyssesMemAlloc)* memAlloc;
  decltype(ulyssesScatterHeadsStart)* start;
  decltype(ulyssesCommCount)* count;

  bool findAll(void* library) {
    return find(library, "ulyssesGetUniqueId", &getUniqueId) && find(library, "ulyssesCommInitAll", &initAll) &&
           find(library, "ulyssesMemAlloc", &memAlloc) && find(library, "ulyssesScatterHeadsStart", &start) &&
           find(library, "ulyssesCommCount", &count);
  }
};

/// Rank 0 alone calls: the operation stays outstanding.
bool startOne(const Functions& functions, ulyssesComm_t comm, void* memory) {
  ulyssesGeometry_t geometry = ULYSSES_GEOMETRY_INITIALIZER;
  geometry.sequence = 2;
  geometry.heads = 2;
  ulyssesTensor_t tensor = {};
  tensor.input = memory;
  tensor.output = static_cast<char*>(memory) + 4096;
  tensor.headDim = 16;
  tensor.dtype = ulyssesInt32;
  ulyssesRequest_t request = {};
  return functions.start(&geometry, &tensor, 1, comm, nullptr, &request) == ulyssesSuccess;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return kUsage;
  void* library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return kNotOpened;
  Functions functions{};
  if (!functions.findAll(library)) return kNoFunction;
  ulyssesComm_t comms[2] = {};
  ulyssesUniqueId_t id;
  void* memory = nullptr;
  if (functions.initAll(comms, 2, nullptr) != ulyssesSuccess || functions.getUniqueId(&id) != ulyssesSuccess ||
      functions.memAlloc(&memory, 8192) != ulyssesSuccess)
    return kNotMade;
  if (!startOne(functions, comms[0], memory)) return kNotStarted;
  if (dlclose(library) != 0) return kNotClosed;
  usleep(20'000);  // its threads run on meanwhile
  if (dlopen(argv[1], RTLD_NOW | RTLD_NOLOAD) == nullptr) return kGone;
  int n = 0;
  return functions.count(comms[1], &n) == ulyssesSuccess && n == 2 ? kRight : kUnusable;
}
