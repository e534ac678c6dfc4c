// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "python_peer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "error.h"

namespace ulysses::perf {
namespace {

constexpr int kReadyS = 120, kMeasureS = 600;

// Whatever the tool blocks for itself a child must not inherit.
[[noreturn]] void runProgram(const std::vector<std::string>& command, int input, int output) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  dup2(input, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  const int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);
  dup2(nothing, STDERR_FILENO);
  std::vector<char*> words(command.size() + 1, nullptr);
  std::transform(command.begin(), command.end(), words.begin(),
                 [](const std::string& word) { return const_cast<char*>(word.c_str()); });
  execvp(words[0], words.data());
  _exit(127);
}

}  // namespace

PythonPeer::PythonPeer(const std::vector<std::string>& command) {
  int in[2], out[2];
  if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) throwErrno("pipe2");
  pid_ = fork();
  if (pid_ < 0) throwErrno("fork of " + command.front());
  if (pid_ == 0) runProgram(command, in[0], out[1]);
  close(in[0]);
  close(out[1]);
  input_ = in[1];
  output_ = out[0];
}

PythonPeer::PythonPeer(PythonPeer&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      input_(std::exchange(other.input_, -1)),
      output_(std::exchange(other.output_, -1)),
      buffered_(std::move(other.buffered_)) {}

PythonPeer::~PythonPeer() {
  if (pid_ < 0) return;
  close(input_);
  close(output_);
  kill(pid_, SIGTERM);
  waitpid(pid_, nullptr, 0);
}

std::string PythonPeer::waitReady() {
  try {
    const std::string line = readLine(kReadyS);
    return line == "ready" ? "" : line;
  } catch (const RunError& error) {
    return error.what();
  }
}

std::string PythonPeer::measure(int iterations) {
  const std::string line = fmt::format("go {}\n", iterations);
  if (write(input_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) throwErrno("write to a peer");
  return readLine(kMeasureS);
}

std::string PythonPeer::readLine(int timeoutS) {
  for (;;) {
    if (const size_t end = buffered_.find('\n'); end != std::string::npos) {
      std::string line = buffered_.substr(0, end);
      buffered_.erase(0, end + 1);
      return line;
    }
    pollfd event{output_, POLLIN, 0};
    if (poll(&event, 1, timeoutS * 1000) <= 0) throw RunError(fmt::format("no answer in {} s", timeoutS));
    char bytes[4096];
    const ssize_t got = read(output_, bytes, sizeof bytes);
    if (got <= 0) throw RunError("it ended without a word; run the command by hand to see why");
    buffered_.append(bytes, static_cast<size_t>(got));
  }
}

}  // namespace ulysses::perf
