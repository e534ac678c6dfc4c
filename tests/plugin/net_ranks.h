// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// A test of two or more processes. The test's own process never opens the plugin, so each rank begins with a fresh one.
#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "net.h"

namespace ulysses::nccl_test {

/// In a rank: the test fails, with this text.
struct Failed {
  std::string text;
};
[[noreturn]] void failAt(const char* file, int line, const std::string& what);
#define NET_CHECK(condition)                                                        \
  do {                                                                              \
    if (!(condition)) ::ulysses::nccl_test::failAt(__FILE__, __LINE__, #condition); \
  } while (false)
template <typename A, typename B>
void checkEqual(const A& a, const B& b, const char* what, const char* file, int line) {
  if (static_cast<long long>(a) == static_cast<long long>(b)) return;
  failAt(file, line,
         std::string(what) + ": " + std::to_string(static_cast<long long>(a)) + " and " +
             std::to_string(static_cast<long long>(b)));
}
#define NET_EQ(a, b) ::ulysses::nccl_test::checkEqual(a, b, #a " == " #b, __FILE__, __LINE__)
#define NET_OK(call) NET_EQ(call, ::ulysses::nccl_test::NcclResult::Success)

/// Polls until it is true; fails the rank after ten seconds (more under sanitizers).
void waitFor(const char* what, const std::function<bool()>& isTrue, double seconds = 10);

struct Link {
  void* listener = nullptr;
  void* comm = nullptr;
};

struct Completed {
  NcclResult result = NcclResult::Success;
  std::vector<int> sizes;
};

/// One rank of a test, in its process.
class Rank {
 public:
  Rank(int index, std::vector<int> wires, int version);
  int index() const { return index_; }
  Net& net() { return *net_; }
  Library& library() { return *library_; }
  /// Opens the plugin again.
  void reopen();
  void close();

  void tell(int peer, std::span<const char> bytes);
  std::string hear(int peer);
  /// Both ranks were here.
  void meet(int peer);
  pid_t pidOf(int peer);

  /// The receiving end listens and tells `peer` the handle, which connects; blocks until it is there.
  void* connectTo(int peer, int device = 0);
  Link acceptFrom(int peer, int device = 0);
  void* finishConnect(void* handle, int device = 0);
  void* finishAccept(void* listener);

  /// Asks until there is a request.
  void* isend(void* comm, void* data, size_t bytes, int tag);
  void* irecv(void* comm, std::vector<void*> data, std::vector<size_t> sizes, std::vector<int> tags);
  /// Tests until it is done or an error.
  Completed complete(void* request, int parts = 1, double seconds = 10);
  /// Sends one byte after the other until one fails: isend never does, the test of its request does.
  NcclResult sendUntilError(void* comm);
  void completeOk(void* request, std::vector<int> sizes);

 private:
  int index_, version_;
  std::vector<int> wires_;  // [ranks], to each other rank
  std::unique_ptr<Library> library_;
  std::unique_ptr<Net> net_;
};

struct Setting {
  int version = 12;
  std::string transports = "tcp,self";
};

/// Whether the machine is slowed down by a sanitizer.
bool isSanitized();

/// Runs `body` in `ranks` processes, with the plugin opened and initialised; fails the test when one fails, crashes or
/// is not done by the deadline. A rank that `mayDie` may end as it will.
void runRanks(const Setting& setting, int ranks, const std::function<void(Rank&)>& body, int mayDie = -1,
              double seconds = 60);

/// Bytes that tell which message they are of, and where.
std::vector<char> pattern(size_t bytes, unsigned seed);
/// Lines that the plugin gave to the logger in this process, so far: its progress threads may add to them meanwhile.
std::vector<std::string> logged();

}  // namespace ulysses::nccl_test
