// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <ucp/api/ucp.h>

#include <array>
#include <memory>
#include <vector>

#include "abi/common.h"

namespace ulysses::nccl {

inline constexpr int kMaxReceives = 8;  // of a group

class Connection;
struct Request;

/// One message of a request.
struct Part {
  Request* request = nullptr;
  bool isUnderWay = false;
  void* ucx = nullptr;  // UCX's request, to cancel it
  const std::byte* data = nullptr;
  size_t bytes = 0;  // posted, then what really came
  int tag = 0;
};

/// What NCCL gets from isend and irecv and gives to test.
struct Request {
  Connection* connection = nullptr;
  int parts = 0;
  int left = 0;         // parts that are not complete
  bool failed = false;  // a part ended with an error; the connection has the reason
  Request* next = nullptr;
  std::array<Part, kMaxReceives> part;
};

/// The requests of a connection: 32 for each receive of a group, made in slabs when they are first needed.
class RequestPool {
 public:
  /// Null: all are in use. May throw bad_alloc.
  Request* take(Connection* connection, int parts) {
    if (!free_ && !grow()) return nullptr;
    Request* const request = free_;
    free_ = request->next;
    request->connection = connection;
    request->parts = request->left = parts;
    request->failed = false;
    ++taken_;
    return request;
  }
  void giveBack(Request* request) noexcept {
    request->next = free_;
    free_ = request;
    --taken_;
  }
  int taken() const noexcept { return taken_; }
  template <typename Visit>
  void forEach(Visit&& visit) {
    for (const auto& slab : slabs_)
      for (Request& request : *slab) visit(request);
  }

 private:
  using Slab = std::array<Request, kMaxRequests>;
  static constexpr size_t kSlabs = kMaxReceives;

  bool grow() {
    if (slabs_.size() == kSlabs) return false;
    slabs_.push_back(std::make_unique<Slab>());
    for (Request& request : *slabs_.back()) {
      for (Part& part : request.part) part.request = &request;
      request.next = free_;
      free_ = &request;
    }
    return true;
  }

  std::vector<std::unique_ptr<Slab>> slabs_;
  Request* free_ = nullptr;
  int taken_ = 0;
};

}  // namespace ulysses::nccl
