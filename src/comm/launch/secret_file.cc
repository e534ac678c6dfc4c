// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "comm/launch/secret_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/unique_fd.h"
#include "comm/bootstrap/hmac.h"

namespace ulysses {
namespace {

constexpr size_t kLeastBytes = 32, kMostBytes = 4096;
constexpr mode_t kOthers = S_IRWXG | S_IRWXO;

/// Of the open file, so that nobody can change it in between.
void requirePrivate(const std::string& path, const struct stat& status) {
  require(S_ISREG(status.st_mode), "ULYSSES_SECRET_FILE={}: is not a plain file", path);
  require(status.st_uid == geteuid(), "ULYSSES_SECRET_FILE={}: belongs to user {}, not to this one ({}); make your own",
          path, status.st_uid, geteuid());
  require(
      (status.st_mode & kOthers) == 0,
      "ULYSSES_SECRET_FILE={}: has mode {:04o}, others can use it; chmod 600 it, and make a new secret if it was like "
      "that for long",
      path, status.st_mode & 07777u);
}

}  // namespace

Secret readSecretFile(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  require(static_cast<bool>(file),
          "ULYSSES_SECRET_FILE={}: cannot be opened: {}; make it with 'umask 077; head -c 32 /dev/urandom > FILE', the "
          "same at all ranks",
          path, std::strerror(errno));
  struct stat status {};
  if (fstat(file.get(), &status) != 0) raiseErrno("fstat of ULYSSES_SECRET_FILE");
  requirePrivate(path, status);
  std::array<std::byte, kMostBytes + 1> bytes;
  size_t filled = 0;
  ssize_t got = 0;
  while (filled < bytes.size() && (got = read(file.get(), bytes.data() + filled, bytes.size() - filled)) > 0)
    filled += static_cast<size_t>(got);
  if (got < 0) raiseErrno("read of ULYSSES_SECRET_FILE");
  require(
      filled >= kLeastBytes && filled <= kMostBytes,
      "ULYSSES_SECRET_FILE={}: holds {} bytes, want {}..{}; make it with 'umask 077; head -c 32 /dev/urandom > FILE'",
      path, filled == bytes.size() ? static_cast<size_t>(status.st_size) : filled, kLeastBytes, kMostBytes);
  return hmac({}, "ulysses secret file", {std::span(bytes).first(filled)});
}

}  // namespace ulysses
