// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "base/own_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "base/format.h"

namespace ulysses {
namespace {

bool isPlain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

std::string plainName(std::string_view name) {
  std::string plain(name);
  for (char& c : plain)
    if (!isPlain(c)) c = '_';
  if (!plain.empty() && plain[0] == '.') plain[0] = '_';  // neither hidden nor a way up
  return plain;
}

std::string valueOf(char place, const FilePlaces& places) {
  switch (place) {
    case 'h':
      return plainName(places.host);
    case 'p':
      return std::to_string(places.pid);
    case 'r':
      return places.rank < 0 ? "%r" : std::to_string(places.rank);
    case 'c':
      return places.comm.empty() ? "%c" : plainName(places.comm);
    case '%':
      return "%";
    default:
      return {'%', place};
  }
}

std::string problemWith(int fd) {
  struct stat file {};
  if (fstat(fd, &file) != 0) return std::strerror(errno);
  if (S_ISCHR(file.st_mode)) return "";
  if (!S_ISREG(file.st_mode)) return "it is not a regular file";
  return file.st_uid == geteuid() ? "" : formatText("it belongs to user {}", file.st_uid);
}

}  // namespace

std::string expandFileName(std::string_view pattern, const FilePlaces& places) {
  std::string name;
  for (size_t i = 0; i < pattern.size(); ++i)
    if (pattern[i] == '%' && i + 1 < pattern.size())
      name += valueOf(pattern[++i], places);
    else
      name += pattern[i];
  return name;
}

UniqueFd openOwnFile(const std::string& name, Existing existing, std::string& problem) {
  // Not blocking: a pipe that nobody reads must not hold the program up before it is refused.
  const int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_APPEND;
  UniqueFd fd(open(name.c_str(), flags, 0600));
  if (!fd)
    problem = errno == ELOOP ? "it is a symbolic link" : std::strerror(errno);
  else
    problem = problemWith(fd.get());
  // Only what proved to be ours is emptied.
  if (problem.empty() && existing == Existing::Replace && ftruncate(fd.get(), 0) != 0) problem = std::strerror(errno);
  return problem.empty() ? std::move(fd) : UniqueFd();
}

}  // namespace ulysses
