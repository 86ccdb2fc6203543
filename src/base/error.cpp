#include "base/error.h"

#include <cerrno>
#include <system_error>

namespace dkron {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::Ok: return "ok";
    case ErrorCode::InvalidArgument: return "invalid argument";
    case ErrorCode::NotFound: return "not found";
    case ErrorCode::Conflict: return "conflict";
    case ErrorCode::TooLarge: return "too large";
    case ErrorCode::Unavailable: return "unavailable";
    case ErrorCode::OutcomeUnknown: return "outcome unknown";
    case ErrorCode::Overloaded: return "overloaded";
    case ErrorCode::Timeout: return "timeout";
    case ErrorCode::Canceled: return "canceled";
    case ErrorCode::Io: return "input/output error";
    case ErrorCode::Corrupt: return "corrupt";
    case ErrorCode::Internal: return "internal";
    case ErrorCode::Unsupported: return "unsupported";
  }
  return "internal";
}

tl::unexpected<Error> fail_errno(std::string_view what, int errno_value) {
  const bool full = errno_value == ENOSPC || errno_value == EDQUOT;
  std::string message(what);
  message += ": ";
  message += std::generic_category().message(errno_value);
  return fail(full ? ErrorCode::Unavailable : ErrorCode::Io, std::move(message));
}

}  // namespace dkron
