// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// This library's errors: thrown inside, a result and a text outside.
#pragma once
#include <fmt/core.h>

#include <exception>
#include <string>

#include "ulysses_attention.h"

namespace ulysses::attention {

namespace detail {
std::string formatArguments(fmt::string_view text, fmt::format_args arguments);
}  // namespace detail

template <typename... Args>
std::string formatText(fmt::format_string<Args...> text, Args&&... args) {
  return detail::formatArguments(text, fmt::make_format_args(args...));
}

class Failure : public std::exception {
 public:
  Failure(ulyssesResult_t result, std::string text) : result_(result), text_(std::move(text)) {}
  ulyssesResult_t result() const noexcept { return result_; }
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  ulyssesResult_t result_;
  std::string text_;
};

template <typename... Args>
[[noreturn]] void raise(ulyssesResult_t result, fmt::format_string<Args...> text, Args&&... args) {
  throw Failure(result, formatText(text, std::forward<Args>(args)...));
}

/// A caller's argument must satisfy `condition`; the text names the parameter, its value and the remedy.
template <typename... Args>
void require(bool condition, fmt::format_string<Args...> text, Args&&... args) {
  if (!condition) raise(ulyssesInvalidArgument, text, std::forward<Args>(args)...);
}

/// Throws what a function of libulysses_coll says, unless it is success.
void requireSuccess(ulyssesResult_t result);

/// The calling thread's last error text.
std::string& threadError();

/// Every extern "C" function is `return guard([&] { ... })`: nothing is thrown across the C ABI.
template <typename Fn>
ulyssesResult_t guard(Fn&& fn) noexcept {
  try {
    fn();
    return ulyssesSuccess;
  } catch (const Failure& failure) {
    threadError() = failure.what();
    return failure.result();
  } catch (const std::bad_alloc&) {
    threadError() = "out of memory";  // short enough to need none
    return ulyssesOutOfMemory;
  } catch (const std::exception& error) {
    threadError() = error.what();
    return ulyssesInternalError;
  }
}

}  // namespace ulysses::attention
