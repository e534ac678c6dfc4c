// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Named places where a test can make this rank fail. They are there in builds with the Meson option fault_points only;
// elsewhere nothing is left of them.
#pragma once

namespace ulysses {

#if defined(ULYSSES_FAULT_POINTS)
/// Does here what the environment asks for: ULYSSES_TEST_POINT is `name:action` or `name:action:n`, for the n-th time
/// that this process comes to that place. Actions: kill, stop, abort, segv, exit (code 7), a number of milliseconds to
/// sleep, or `fail`, for which this returns true and the place fails as its comment says.
bool faultPoint(const char* name) noexcept;
#else
constexpr bool faultPoint(const char* /*name*/) noexcept { return false; }
#endif

}  // namespace ulysses
