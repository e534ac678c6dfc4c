// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "net_end.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdarg>
#include <cstdio>
#include <ctime>

#include "abi/net_v12.h"
#include "error.h"

namespace ulysses::perf {
namespace {

using nccl::NcclResult;

constexpr int kPatienceMs = 60'000;
constexpr int kTag = 0;

double now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

void check(NcclResult result, const char* call) {
  if (result != NcclResult::Success)
    throw RunError(fmt::format("{} of the plugin failed: ncclResult_t {}; NCCL_DEBUG-like lines above tell more", call,
                               static_cast<int>(result)));
}

void show(nccl::LogLevel level, unsigned long, const char*, int, const char* format, ...) {
  if (level != nccl::LogLevel::Warn) return;
  va_list arguments;
  va_start(arguments, format);
  (void)std::vfprintf(stderr, format, arguments);
  va_end(arguments);
  (void)std::fputc('\n', stderr);
}

// Exactly that many bytes of one message; throws when the other process is gone or silent.
void hear(int fd, void* bytes, size_t size) {
  pollfd readable{.fd = fd, .events = POLLIN, .revents = 0};
  if (poll(&readable, 1, kPatienceMs) != 1 || recv(fd, bytes, size, 0) != static_cast<ssize_t>(size))
    throw RunError("the other process of the pair ended, or is stuck");
}

void tell(int fd, const void* bytes, size_t size) {
  if (::send(fd, bytes, size, MSG_NOSIGNAL) != static_cast<ssize_t>(size)) throwErrno("send");
}

}  // namespace

// The table of version 12, and what init gave.
struct NetEnd::Plugin {
  const nccl::NetV12* net = nullptr;
  void* context = nullptr;

  void* isend(void* comm, void* data, size_t bytes) const {
    void* request = nullptr;
    check(net->isend(comm, data, bytes, kTag, nullptr, nullptr, &request), "isend");
    return request;
  }
  void* irecv(void* comm, void* data, size_t bytes) const {
    void *request = nullptr, *mhandle = nullptr;
    int tag = kTag;
    check(net->irecv(comm, 1, &data, &bytes, &tag, &mhandle, nullptr, &request), "irecv");
    return request;
  }
  bool test(void* request) const {
    int done = 0;
    check(net->test(request, &done, nullptr), "test");
    return done != 0;
  }

  static Plugin& open(const std::string& name) {
    void* const library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library)
      throw RunError(fmt::format("{}: name its file with --plugin, or its folder in LD_LIBRARY_PATH", dlerror()));
    static Plugin plugin;
    plugin.net = static_cast<const nccl::NetV12*>(dlsym(library, "ncclNetPlugin_v12"));
    if (!plugin.net) throw RunError(fmt::format("{} offers no ncclNetPlugin_v12", name));
    nccl::CommConfig config{.trafficClass = nccl::kTrafficClassUndefined};
    check(plugin.net->init(&plugin.context, 1, &config, show, nullptr), "init");
    return plugin;
  }
};

NetEnd::NetEnd(const NetOptions& options, int index, int wire, int tasks)
    : plugin_(Plugin::open(options.plugin)),
      index_(index),
      wire_(wire),
      tasks_(tasks),
      buffer_(static_cast<size_t>(options.sizes.back())) {
  std::array<char, nccl::kHandleBytes> mine{}, theirs{};
  void* listener = nullptr;
  check(plugin_.net->listen(plugin_.context, 0, mine.data(), &listener), "listen");
  tell(wire_, mine.data(), mine.size());
  hear(wire_, theirs.data(), theirs.size());
  for (const double until = now() + 1e-3 * kPatienceMs; !send_ || !receive_;) {
    if (!send_) check(plugin_.net->connect(plugin_.context, 0, theirs.data(), &send_, nullptr), "connect");
    if (!receive_) check(plugin_.net->accept(listener, &receive_, nullptr), "accept");
    if (now() > until) throw RunError("the plugin made no connection within a minute");
  }
  check(plugin_.net->closeListen(listener), "closeListen");
}

void NetEnd::meet() const {
  char byte = 0;
  tell(wire_, &byte, 1);
  hear(wire_, &byte, 1);
}

void NetEnd::serve() {
  for (NetTask task;;) {
    hear(tasks_, &task, sizeof task);
    if (task.kind == NetTask::Kind::End) break;
    const double seconds = task.kind == NetTask::Kind::Latency ? latency(task) : bandwidth(task);
    tell(tasks_, &seconds, sizeof seconds);
  }
  check(plugin_.net->closeSend(send_), "closeSend");
  check(plugin_.net->closeRecv(receive_), "closeRecv");
  check(plugin_.net->finalize(plugin_.context), "finalize");
}

// Process 0 sends, process 1 receives, always from and into the same memory, as ucx_perftest does. Ends when the
// receiver has everything.
double NetEnd::bandwidth(const NetTask& task) {
  std::vector<void*> ring(static_cast<size_t>(task.depth), nullptr);
  const auto bytes = static_cast<size_t>(task.bytes);
  meet();
  const double begin = now();
  for (int64_t posted = 0, done = 0; done < task.count;) {
    void*& next = ring[static_cast<size_t>(posted % task.depth)];
    if (posted < task.count && posted - done < task.depth) {
      next = index_ == 0 ? plugin_.isend(send_, buffer_.data(), bytes) : plugin_.irecv(receive_, buffer_.data(), bytes);
      if (next) {
        ++posted;
        continue;
      }
    }
    while (done < posted && plugin_.test(ring[static_cast<size_t>(done % task.depth)])) ++done;
  }
  meet();
  return now() - begin;
}

// Half of a message there and back, on average. As in ucx_perftest a receive is posted when its message is on the way.
double NetEnd::latency(const NetTask& task) {
  const auto bytes = static_cast<size_t>(task.bytes);
  const auto finish = [&](void* request) {
    while (!plugin_.test(request)) {
    }
  };
  const auto send = [&] {
    void* request = nullptr;
    while (!request) request = plugin_.isend(send_, buffer_.data(), bytes);
    finish(request);
  };
  meet();
  const double begin = now();
  for (int64_t i = 0; i < task.count; ++i) {
    if (index_ == 0) send();
    finish(plugin_.irecv(receive_, buffer_.data(), bytes));
    if (index_ == 1) send();
  }
  return (now() - begin) / (2.0 * static_cast<double>(task.count));
}

}  // namespace ulysses::perf
