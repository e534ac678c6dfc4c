// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <new>
#include <string>

#include "base/check.h"
#include "ulysses_coll.h"

namespace ulysses::api {

/// The calling thread's last error text.
std::string& threadError();

inline ulyssesResult_t toPublic(Result result) { return static_cast<ulyssesResult_t>(result); }

inline ulyssesResult_t failed(Result result, const std::string& text) {
  threadError() = text;
  return toPublic(result);
}

/// Every extern "C" function is `return guard([&] { ...; return Result; })`: nothing is thrown across the C ABI.
template <typename Fn>
ulyssesResult_t guard(Fn&& fn) noexcept {
  try {
    return toPublic(fn());
  } catch (const Error& error) {
    return failed(error.result(), error.what());
  } catch (const std::bad_alloc&) {
    return failed(Result::OutOfMemory, "out of memory");  // short enough to need none
  } catch (const std::exception& error) {
    return failed(Result::InternalError, error.what());
  }
}

}  // namespace ulysses::api
