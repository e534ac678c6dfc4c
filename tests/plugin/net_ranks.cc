// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "net_ranks.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>

#if defined(__SANITIZE_ADDRESS__)
/// UCX 1.13.1 leaks 100 bytes of a connection that it cannot make because the peer's shared memory is gone: an address
/// and a table that libuct itself allocates. What we would forget of UCX's (workers, endpoints) is allocated elsewhere.
extern "C" const char* __lsan_default_suppressions() {  // NOLINT(bugprone-reserved-identifier)
  return "leak:libuct.so\n";
}
/// Nothing is written about it: a test looks at what is.
extern "C" const char* __lsan_default_options() {  // NOLINT(bugprone-reserved-identifier)
  return "print_suppressions=0";
}
#endif

namespace ulysses::nccl_test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kMaxMessage = 4096;

std::mutex logMutex;
std::vector<std::string> logLines;

void keepLine(nccl::LogLevel level, unsigned long, const char*, int, const char* format, ...) {
  char line[1024];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  const std::lock_guard lock(logMutex);
  logLines.emplace_back((level == nccl::LogLevel::Warn ? "WARN " : "INFO ") + std::string(line));
}

double factor() { return isSanitized() ? 6 : 1; }

/// The wires between all ranks: wires[i][j] is i's end of the pair with j.
std::vector<std::vector<int>> makeWires(size_t ranks) {
  std::vector<std::vector<int>> wires(ranks, std::vector<int>(ranks, -1));
  for (size_t i = 0; i < ranks; ++i)
    for (size_t j = i + 1; j < ranks; ++j) {
      int pair[2];
      if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) throw std::runtime_error("socketpair");
      wires[i][j] = pair[0];
      wires[j][i] = pair[1];
    }
  return wires;
}

int runRank(int index, const std::vector<int>& wires, const Setting& setting, const std::function<void(Rank&)>& body) {
  setenv("UCX_TLS", setting.transports.c_str(), 1);
  try {
    Rank rank(index, wires, setting.version);
    body(rank);
    rank.close();
    return 0;
  } catch (const Failed& failed) {
    fprintf(stderr, "rank %d, version %d, UCX_TLS=%s: %s\n", index, setting.version, setting.transports.c_str(),
            failed.text.c_str());
  } catch (const std::exception& error) {
    fprintf(stderr, "rank %d: %s\n", index, error.what());
  }
  for (const std::string& line : logged()) fprintf(stderr, "  log: %s\n", line.c_str());
  return 1;
}

/// The exit status of a child; none by the deadline: it is killed.
int statusOf(pid_t child, Clock::time_point deadline) {
  int status = 0;
  while (waitpid(child, &status, WNOHANG) == 0) {
    if (Clock::now() > deadline) {
      kill(child, SIGKILL);
      waitpid(child, &status, 0);
      return -1;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return status;
}

}  // namespace

void failAt(const char* file, int line, const std::string& what) {
  throw Failed{std::string(file) + ":" + std::to_string(line) + ": " + what};
}

void waitFor(const char* what, const std::function<bool()>& isTrue, double seconds) {
  const auto deadline = Clock::now() + std::chrono::duration<double>(seconds * factor());
  for (int round = 0; !isTrue(); ++round) {
    if (Clock::now() > deadline) throw Failed{std::string("waited in vain: ") + what};
    if (round > 100) std::this_thread::sleep_for(std::chrono::microseconds(20));
  }
}

Rank::Rank(int index, std::vector<int> wires, int version)
    : index_(index), version_(version), wires_(std::move(wires)) {
  reopen();
}

void Rank::reopen() {
  library_ = std::make_unique<Library>("libnccl-net-ulysses.so");
  net_ = library_->net(version_);
  NET_OK(net_->init(keepLine));
}

void Rank::close() {
  if (net_) NET_OK(net_->finalize());
  net_.reset();
  library_.reset();
}

void Rank::tell(int peer, std::span<const char> bytes) {
  NET_EQ(send(wires_[static_cast<size_t>(peer)], bytes.data(), bytes.size(), MSG_NOSIGNAL),
         static_cast<ssize_t>(bytes.size()));
}

std::string Rank::hear(int peer) {
  char bytes[kMaxMessage];
  pollfd wire{.fd = wires_[static_cast<size_t>(peer)], .events = POLLIN, .revents = 0};
  NET_EQ(poll(&wire, 1, static_cast<int>(20'000 * factor())), 1);
  const ssize_t n = recv(wire.fd, bytes, sizeof bytes, 0);
  NET_CHECK(n > 0);
  return {bytes, static_cast<size_t>(n)};
}

void Rank::meet(int peer) {
  tell(peer, std::span("here", 4));
  NET_CHECK(hear(peer) == "here");
}

pid_t Rank::pidOf(int peer) {
  const std::string mine = std::to_string(getpid());
  tell(peer, mine);
  return std::stoi(hear(peer));
}

void* Rank::finishConnect(void* handle, int device) {
  void* comm = nullptr;
  void* deviceComm = &comm;
  waitFor("connect", [&] {
    NET_OK(net_->connect(device, handle, &comm, &deviceComm));
    NET_CHECK(deviceComm == nullptr);
    return comm != nullptr;
  });
  return comm;
}

void* Rank::finishAccept(void* listener) {
  void* comm = nullptr;
  void* deviceComm = &comm;
  waitFor("accept", [&] {
    NET_OK(net_->accept(listener, &comm, &deviceComm));
    NET_CHECK(deviceComm == nullptr);
    return comm != nullptr;
  });
  return comm;
}

void* Rank::connectTo(int peer, int device) {
  std::string handle = hear(peer);
  NET_EQ(handle.size(), nccl::kHandleBytes);
  return finishConnect(handle.data(), device);
}

Link Rank::acceptFrom(int peer, int device) {
  Link link;
  char handle[nccl::kHandleBytes];
  NET_OK(net_->listen(device, handle, &link.listener));
  tell(peer, handle);
  link.comm = finishAccept(link.listener);
  return link;
}

void* Rank::isend(void* comm, void* data, size_t bytes, int tag) {
  void* request = nullptr;
  waitFor("isend", [&] {
    request = reinterpret_cast<void*>(1);
    NET_OK(net_->isend(comm, data, bytes, tag, nullptr, &request));
    NET_CHECK(request != reinterpret_cast<void*>(1));
    return request != nullptr;
  });
  return request;
}

void* Rank::irecv(void* comm, std::vector<void*> data, std::vector<size_t> sizes, std::vector<int> tags) {
  void* request = nullptr;
  std::vector<void*> mhandles(data.size(), nullptr);
  waitFor("irecv", [&] {
    request = reinterpret_cast<void*>(1);  // NCCL's mark of a receive whose completion is optional
    NET_OK(net_->irecv(comm, static_cast<int>(data.size()), data.data(), sizes.data(), tags.data(), mhandles.data(),
                       &request));
    NET_CHECK(request != reinterpret_cast<void*>(1));
    return request != nullptr;
  });
  return request;
}

Completed Rank::complete(void* request, int parts, double seconds) {
  Completed completed;
  std::vector<int> sizes(static_cast<size_t>(parts) + 1, -7);
  int done = 0;
  waitFor(
      "test",
      [&] {
        completed.result = net_->test(request, &done, sizes.data());
        return done != 0 || completed.result != NcclResult::Success;
      },
      seconds);
  NET_EQ(sizes.back(), -7);  // exactly as many as there are receives
  sizes.pop_back();
  completed.sizes = sizes;
  return completed;
}

NcclResult Rank::sendUntilError(void* comm) {
  char byte = 1;
  NcclResult result = NcclResult::Success;
  waitFor("a send to fail", [&] {
    result = complete(isend(comm, &byte, 1, 0)).result;
    return result != NcclResult::Success;
  });
  return result;
}

void Rank::completeOk(void* request, std::vector<int> sizes) {
  const Completed completed = complete(request, static_cast<int>(sizes.size()));
  NET_OK(completed.result);
  for (size_t i = 0; i < sizes.size(); ++i) NET_EQ(completed.sizes[i], sizes[i]);
}

bool isSanitized() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return true;
#else
  return false;
#endif
}

void runRanks(const Setting& setting, int ranks, const std::function<void(Rank&)>& body, int mayDie, double seconds) {
  const auto wires = makeWires(static_cast<size_t>(ranks));
  std::vector<pid_t> children;
  for (int index = 0; index < ranks; ++index) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) exit(runRank(index, wires[static_cast<size_t>(index)], setting, body));
    children.push_back(child);
  }
  for (const auto& ends : wires)
    for (const int end : ends)
      if (end >= 0) ::close(end);
  const auto deadline = Clock::now() + std::chrono::milliseconds(static_cast<int64_t>(1000 * seconds * factor()));
  for (int index = 0; index < ranks; ++index) {
    const int status = statusOf(children[static_cast<size_t>(index)], deadline);
    if (index == mayDie) continue;
    EXPECT_NE(status, -1) << "rank " << index << " was not done by the deadline";
    EXPECT_EQ(status, 0) << "rank " << index << " ended with status " << status;
  }
}

std::vector<char> pattern(size_t bytes, unsigned seed) {
  std::vector<char> made(bytes);
  unsigned state = seed * 2654435761u + 1;
  for (char& byte : made) byte = static_cast<char>((state = state * 1664525u + 1013904223u) >> 24);
  return made;
}

std::vector<std::string> logged() {
  const std::lock_guard lock(logMutex);
  return logLines;
}

}  // namespace ulysses::nccl_test
