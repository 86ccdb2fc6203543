#include "rpc/status.h"

#include <grpcpp/support/status.h>

#include "rpc/calls.h"

namespace dkron::rpc {
namespace {

constexpr ErrorCode kCodes[] = {ErrorCode::InvalidArgument, ErrorCode::NotFound,
                                ErrorCode::Conflict,        ErrorCode::TooLarge,
                                ErrorCode::Unavailable,     ErrorCode::OutcomeUnknown,
                                ErrorCode::Overloaded,      ErrorCode::Timeout,
                                ErrorCode::Canceled,        ErrorCode::Io,
                                ErrorCode::Corrupt,         ErrorCode::Internal,
                                ErrorCode::Unsupported};

// Leaders of the original repeat a run that ends with UNAVAILABLE, RESOURCE_EXHAUSTED,
// DEADLINE_EXCEEDED, ABORTED or INTERNAL, so only what was surely not done may have those.
grpc::StatusCode status_code(const Error& error) {
  switch (error.code) {
    case ErrorCode::Unavailable:
      if (error.message == kNotTheLeader || error.message == kServerIsNotLeader) break;
      return grpc::StatusCode::UNAVAILABLE;
    case ErrorCode::Overloaded: return grpc::StatusCode::RESOURCE_EXHAUSTED;
    case ErrorCode::Canceled: return grpc::StatusCode::CANCELLED;
    case ErrorCode::Unsupported: return grpc::StatusCode::UNIMPLEMENTED;
    default: break;
  }
  return grpc::StatusCode::UNKNOWN;
}

ErrorCode code_of_other(grpc::StatusCode code, bool has_reached_peer) {
  switch (code) {
    case grpc::StatusCode::UNAVAILABLE:
      return has_reached_peer ? ErrorCode::OutcomeUnknown : ErrorCode::Unavailable;
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    case grpc::StatusCode::CANCELLED: return ErrorCode::OutcomeUnknown;
    case grpc::StatusCode::INVALID_ARGUMENT: return ErrorCode::InvalidArgument;
    case grpc::StatusCode::FAILED_PRECONDITION: return ErrorCode::Conflict;
    case grpc::StatusCode::RESOURCE_EXHAUSTED: return ErrorCode::Overloaded;
    case grpc::StatusCode::UNIMPLEMENTED: return ErrorCode::Unsupported;
    default: return ErrorCode::Internal;
  }
}

}  // namespace

ErrorCode parse_error_code(std::string_view word) {
  for (const ErrorCode code : kCodes) {
    if (to_string(code) == word) return code;
  }
  return ErrorCode::Internal;
}

grpc::Status to_status(const Error& error, std::string_view text) {
  return {status_code(error), text.empty() ? error.message : std::string(text)};
}

Error to_error(const grpc::Status& status, const Failure& failure) {
  Error error;
  error.message = failure.text.empty() ? status.error_message() : failure.text;
  error.code = failure.code_word.empty()
                   ? code_of_other(status.error_code(), failure.has_reached_peer)
                   : parse_error_code(failure.code_word);
  if (error.message.empty() && error.code == ErrorCode::Unsupported)
    error.message = "the node does not know this call";
  return error;
}

}  // namespace dkron::rpc
