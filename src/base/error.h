// Error and Result: how every folder reports what can happen in life.
//
// A function that may fail returns Result<T>. An Error is a code, which decides the HTTP status and
// the gRPC code in exactly one place each, and a message for people. No exception crosses a folder;
// what only a bug can break is a DK_ASSERT (base/assert.h). Errors are values, free of threads.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace dkron {

enum class ErrorCode {
  Ok = 0,           // Only inside outcome records; never inside an Error.
  InvalidArgument,  // The caller's input is wrong (400).
  NotFound,         // (404)
  Conflict,         // State forbids it: has dependents, already running, wrong revision (409).
  TooLarge,         // A size limit (413).
  Unavailable,      // No leader, no quorum, shutting down, disk full: try again (503).
  OutcomeUnknown,   // Proposed, but nobody knows whether it was committed (503).
  Overloaded,       // A named queue is full: try later (429 or 503).
  Timeout,          // (504)
  Canceled,         // The owner went away.
  Io,               // The operating system said no (500).
  Corrupt,          // Bytes from disk or network are not what they must be (500).
  Internal,         // Everything else (500).
  Unsupported,      // The one who was asked does not know how (501).
};

// Lower-case words, for logs and JSON ("invalid argument", "not found" ...).
std::string_view to_string(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::Internal;
  std::string message;
};

template <class T = void>
using Result = tl::expected<T, Error>;

// `return fail(ErrorCode::NotFound, "no such job");` in any function that returns a Result.
inline tl::unexpected<Error> fail(ErrorCode code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}
inline tl::unexpected<Error> fail(Error error) {
  return tl::unexpected<Error>(std::move(error));
}

// An Io error "<what>: <strerror(errno_value)>"; ENOSPC and EDQUOT become Unavailable.
tl::unexpected<Error> fail_errno(std::string_view what, int errno_value);

}  // namespace dkron
