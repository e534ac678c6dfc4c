// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "comm/launch/pmi.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/check.h"
#include "base/env.h"

namespace ulysses {

UniqueFd Pmi::socketFromEnvironment() {
  const char* value = env::text("PMI_FD");
  char* end = nullptr;
  errno = 0;
  const long fd = value ? std::strtol(value, &end, 10) : -1;
  struct stat status {};
  require(value && *end == '\0' && errno == 0 && fd >= 0 && fd <= (1 << 20) &&
              fstat(static_cast<int>(fd), &status) == 0 && S_ISSOCK(status.st_mode),
          "environment variable PMI_FD={}: want the descriptor of a socket to the launcher, as mpirun of MPICH or srun "
          "leave it open; start this process by them, or unset PMI_FD, PMI_RANK and PMI_SIZE",
          value ? value : "");
  UniqueFd socket(fcntl(static_cast<int>(fd), F_DUPFD_CLOEXEC, 0));
  if (!socket) raiseErrno("duplicating PMI_FD");
  return socket;
}

Pmi::Pmi(UniqueFd socket, Deadline deadline) : socket_(std::move(socket)), owner_(getpid()) {
  // MPI may have said init here before: launchers answer it again.
  ask("cmd=init pmi_version=1 pmi_subversion=1", "response_to_init", deadline);
  ask("cmd=get_maxes", "maxes", deadline);
  mostValueBytes_ = reply_.number("vallen_max").value_or(0);
  ask("cmd=get_my_kvsname", "my_kvsname", deadline);
  space_ = reply_.find("kvsname").value_or("");
  if (space_.empty()) fail(Result::SystemError, "has no name for its key space: " + line_);
}

Pmi::~Pmi() {
  constexpr int kFarewellMs = 1000;
  if (broken_ || getpid() != owner_) return;
  try {
    ask("cmd=finalize", "finalize_ack", Deadline::inMs(kFarewellMs));
  } catch (const std::exception&) {  // MPI has said it before us, or the launcher is gone
  }
}

void Pmi::publish(const std::string& key, const std::string& value, Deadline deadline) {
  if (static_cast<int>(value.size()) >= mostValueBytes_)
    raise(Result::SystemError, "the launcher's PMI keeps values below {} bytes, {} are needed; use ULYSSES_ROOT",
          mostValueBytes_, value.size() + 1);
  ask(formatText("cmd=put kvsname={} key={} value={}", space_, key, value), "put_result", deadline);
  barrier(deadline);
}

/// Values are there for others after a barrier.
std::string Pmi::lookUp(const std::string& key, Deadline deadline) {
  barrier(deadline);
  ask(formatText("cmd=get kvsname={} key={}", space_, key), "get_result", deadline);
  return std::string(reply_.find("value").value_or(""));
}

void Pmi::barrier(Deadline deadline) {
  try {
    ask("cmd=barrier_in", "barrier_out", deadline);
  } catch (const Error& error) {
    if (error.result() != Result::Timeout) throw;
    raise(
        Result::Timeout,
        "not all ranks came to the launcher's PMI barrier before the deadline, and PMI does not tell which are "
        "missing; "
        "look which did not start or did not make a communicator, or raise init_timeout_ms (ULYSSES_INIT_TIMEOUT_MS)");
  }
}

void Pmi::ask(const std::string& request, const char* answer, Deadline deadline) {
  if (broken_)
    raise(Result::SystemError,
          "the connection to the launcher's PMI is out of step after an earlier failure; end this "
          "process, or use ULYSSES_ROOT");
  send(request + "\n", deadline);
  receive(deadline);
  const auto parsed = PmiReply::parse(line_);
  if (!parsed || parsed->command() != answer)
    fail(Result::SystemError, formatText("answered '{:.200}' instead of cmd={}", parsed ? line_ : "?", answer));
  reply_ = *parsed;
  if (reply_.find("rc") && reply_.number("rc") != 0)  // in step: this was the answer
    raise(Result::SystemError, "the launcher's PMI refused: {:.200}", line_);
}

void Pmi::send(const std::string& line, Deadline deadline) {
  for (size_t sent = 0; sent < line.size();) {
    const ssize_t moved = ::send(socket_.get(), line.data() + sent, line.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (moved > 0) sent += static_cast<size_t>(moved);
    if (moved > 0 || errno == EINTR) continue;
    if (errno != EAGAIN) fail(Result::SystemError, formatText("cannot be written to: {}", std::strerror(errno)));
    if (deadline.passed()) fail(Result::Timeout, "takes no request");
    pollfd room{socket_.get(), POLLOUT, 0};
    poll(&room, 1, deadline.leftMs(100));
  }
}

/// Reads byte by byte would cost a call each; nothing comes after the answer's line, so more than it is an error.
void Pmi::receive(Deadline deadline) {
  line_.clear();
  std::array<char, kLongestPmiLine + 1> bytes;
  for (size_t filled = 0;;) {
    const ssize_t moved = recv(socket_.get(), bytes.data() + filled, bytes.size() - filled, MSG_DONTWAIT);
    if (moved == 0) fail(Result::SystemError, "closed the connection");
    if (moved < 0 && errno != EAGAIN && errno != EINTR)
      fail(Result::SystemError, formatText("cannot be read from: {}", std::strerror(errno)));
    filled += moved > 0 ? static_cast<size_t>(moved) : 0;
    const std::string_view text(bytes.data(), filled);
    if (const size_t end = text.find('\n'); end != std::string_view::npos) {
      if (end + 1 != filled) fail(Result::SystemError, "sent more than one line at once");
      line_ = text.substr(0, end);
      return;
    }
    if (filled == bytes.size()) fail(Result::SystemError, formatText("sent a line beyond {} bytes", kLongestPmiLine));
    if (deadline.passed()) fail(Result::Timeout, "did not answer before the deadline");
    pollfd more{socket_.get(), POLLIN, 0};
    poll(&more, 1, deadline.leftMs(100));
  }
}

void Pmi::fail(Result result, const std::string& what) {
  broken_ = true;
  raise(result, "the launcher's PMI (PMI_FD) {}", what);
}

}  // namespace ulysses
