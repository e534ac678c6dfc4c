// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "connection.h"

#include <exception>
#include <mutex>

#include "errors.h"
#include "transport.h"

namespace ulysses::nccl {

Connection::Connection(ControlSocket control, const NetDevice& device)
    : control_(std::move(control)), transport_(transportOf(device)), pointers_(pointersOf(device)) {}

NcclResult Connection::test(Request& request, int* done, int* sizes) noexcept {
  const InPlugin inPlugin;
  const std::lock_guard lock(lock_);
  ++touched_;
  if (request.left > 0 && worker_) worker_->progress();
  shutDownIfFailed();
  *done = request.left == 0 && !request.failed;
  if (!*done) return failure_ == Result::Success ? NcclResult::Success : ncclResultOf(failure_);
  if (sizes)
    for (int i = 0; i < request.parts; ++i) sizes[i] = static_cast<int>(request.part[static_cast<size_t>(i)].bytes);
  pool_.giveBack(&request);
  return NcclResult::Success;
}

void Connection::release(const void* data, size_t bytes) noexcept {
  const std::lock_guard lock(lock_);
  if (underWay_ == 0 || !isUsed(data, bytes)) return;
  fail(Result::InvalidUsage, "memory was deregistered with {} messages under way: the connection is given up",
       underWay_);
  shutDownIfFailed();
}

void Connection::useCuda() noexcept {
  const std::lock_guard lock(lock_);
  if (!cuda_) cuda_ = CudaContext::ofThisThread();
}

bool Connection::isUsed(const void* data, size_t bytes) noexcept {
  const auto* const begin = static_cast<const std::byte*>(data);
  bool used = false;
  pool_.forEach([&](const Request& request) {
    for (const Part& part : request.part)
      used = used || (part.isUnderWay && part.data < begin + bytes && begin < part.data + part.bytes);
  });
  return used;
}

Connection::Visit Connection::visit() noexcept {
  constexpr int kPatience = 16;
  std::unique_lock lock(lock_, std::defer_lock);
  // In use: NCCL moves it on. But not for ever, as a peer that is gone is seen here only.
  if (!lock.try_lock()) {
    if (++missed_ < kPatience) return Visit::Moved;
    lock.lock();
  }
  missed_ = 0;
  const CudaContext::Current current(cuda_);
  Visit visit = Visit::Quiet;
  try {
    visit = visitLocked();
  } catch (const std::exception& error) {
    fail(Result::SystemError, "looking after a connection failed: {}", error.what());
  }
  shutDownIfFailed();
  return visit;
}

Connection::Visit Connection::visitLocked() {
  if (!worker_) return Visit::Finished;
  const bool idle = touched_ == seen_;
  seen_ = touched_;
  bool moved = !idle;
  for (int round = 0; idle && round < 64 && worker_->progress(); ++round) moved = true;
  if (readControl()) moved = true;
  if (look()) return Visit::Finished;
  return moved ? Visit::Moved : Visit::Quiet;
}

bool Connection::readControl() {
  const size_t before = control_.waiting();
  control_.move();
  if (control_.waiting() == before) return false;
  onRecords();
  return true;
}

void Connection::progressAll() noexcept {
  constexpr int kRounds = 10'000;
  for (int round = 0; round < kRounds && worker_->progress(); ++round) {
  }
}

void Connection::tellFailure(fmt::string_view text, fmt::format_args arguments) noexcept {
  try {
    const std::string line = ulysses::detail::formatArguments(text, arguments);
    // A peer that leaves when nothing is under way is no news: ranks end in any order.
    log::message(pool_.taken() > 0 ? log::Level::Warn : log::Level::Info, log::Subsystem::Path, "{}", line);
  } catch (const std::exception&) {  // out of memory: the result is told, its text is lost
  }
}

}  // namespace ulysses::nccl
