// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <exception>
#include <string>
#include <utility>

namespace ulysses {

/// Every result, its public name and text: one list makes the enum and the strings.
#define ULYSSES_RESULT_LIST(X)                             \
  X(Success, 0, "no error")                                \
  X(InvalidArgument, 1, "invalid argument")                \
  X(InvalidUsage, 2, "invalid usage")                      \
  X(Mismatch, 3, "ranks passed different calls")           \
  X(RemoteInvalid, 4, "a peer's call was invalid")         \
  X(RemoteLost, 5, "a peer was lost")                      \
  X(Timeout, 6, "deadline passed")                         \
  X(Aborted, 7, "communicator was aborted")                \
  X(OutOfMemory, 8, "out of memory")                       \
  X(SystemError, 9, "system call failed")                  \
  X(NotSupported, 10, "not supported")                     \
  X(InternalError, 11, "internal error, please report it") \
  X(InProgress, 12, "operations are in progress")          \
  X(Corrupted, 13, "bytes were damaged on their way")

/// Values are those of ulyssesResult_t (static_assert in api/translate.h). The data path returns it; set-up throws
/// Error.
enum class [[nodiscard]] Result : int32_t{
#define ULYSSES_ENUMERATOR(name, value, text) name = value,
    ULYSSES_RESULT_LIST(ULYSSES_ENUMERATOR)
#undef ULYSSES_ENUMERATOR
};

/// Constant text of a result; "unknown result" for a value outside the list.
const char* textOf(Result result) noexcept;
/// Its name as in the public header, without prefix ("Timeout").
const char* nameOf(Result result) noexcept;

/// Thrown by set-up code only; api/guard.h turns it into a result and a text.
class Error : public std::exception {
 public:
  Error(Result result, std::string message) : result_(result), message_(std::move(message)) {}
  Result result() const noexcept { return result_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  Result result_;
  std::string message_;
};

}  // namespace ulysses
