// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The NCCL net plugin as NCCL sees it: a shared object, opened at run time, with a table for each version of the
// interface. `Net` is any of the tables, by the newest one's functions.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "abi/common.h"

namespace ulysses::nccl_test {

using nccl::NcclResult;

inline constexpr int kVersions[] = {8, 9, 10, 11, 12};

/// What all versions tell of a device.
struct Device {
  std::string name;
  std::string pciPath;  // empty: null
  uint64_t guid = 0;
  int ptrSupport = 0, regIsGlobal = 0, forceFlush = 0, speed = 0, port = 0, maxComms = 0, maxRecvs = 0;
  int netDeviceType = -1, netDeviceVersion = -1;
  float latency = -1;
  size_t maxP2pBytes = 0;          // since version 9
  int fused = 0, fusedFirst = -1;  // since version 9
  int maxMultiRequestSize = 0;     // since version 11
  int railId = 0, planeId = 0;     // since version 12
};

class Net {
 public:
  virtual ~Net() = default;
  virtual const char* name() const = 0;
  virtual NcclResult init(nccl::DebugLogger log) = 0;
  virtual NcclResult devices(int* count) = 0;
  virtual NcclResult properties(int device, Device& properties) = 0;
  virtual NcclResult listen(int device, void* handle, void** comm) = 0;
  virtual NcclResult connect(int device, void* handle, void** comm, void** deviceComm) = 0;
  virtual NcclResult accept(void* listenComm, void** comm, void** deviceComm) = 0;
  virtual NcclResult regMr(void* comm, void* data, size_t bytes, int type, void** mhandle) = 0;
  virtual NcclResult regMrDmaBuf(void* comm, void* data, size_t bytes, int type, void** mhandle) = 0;
  virtual NcclResult deregMr(void* comm, void* mhandle) = 0;
  virtual NcclResult isend(void* comm, void* data, size_t bytes, int tag, void* mhandle, void** request) = 0;
  virtual NcclResult irecv(void* comm, int n, void** data, size_t* sizes, int* tags, void** mhandles,
                           void** request) = 0;
  virtual NcclResult iflush(void* comm, int n, void** data, int* sizes, void** mhandles, void** request) = 0;
  virtual NcclResult test(void* request, int* done, int* sizes) = 0;
  virtual NcclResult closeSend(void* comm) = 0;
  virtual NcclResult closeRecv(void* comm) = 0;
  virtual NcclResult closeListen(void* comm) = 0;
  /// Of the context of the last init; success where a version has none. `null`: with a null context.
  virtual NcclResult finalize(bool null = false) = 0;
};

/// The plugin, opened as NCCL opens it.
class Library {
 public:
  /// A name for the loader's search path, or an absolute path. Throws std::runtime_error with the loader's words.
  explicit Library(const std::string& name);
  ~Library();
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  std::unique_ptr<Net> net(int version) const;
  void* symbol(const std::string& name) const;  // null: none

 private:
  void* handle_;
};

}  // namespace ulysses::nccl_test
