// Between our errors and the status of a call: the one place that maps codes (base/error.h).
//
// A status is what the original's programs expect: UNKNOWN with a text, but for what they know to
// be worth another try. Beside it our nodes send the error's code, so that it arrives as it was.
// Pure functions, thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace grpc {
class Status;
}

namespace dkron::rpc {

// The word of to_string() back; Internal for unknown ones.
ErrorCode parse_error_code(std::string_view word);

// The status for others; `text` stands for the error's own when the original has another one.
grpc::Status to_status(const Error& error, std::string_view text = {});

// What is known about a failed call beside its status.
struct Failure {
  std::string code_word;          // Of a node of ours; empty: the answer is of others.
  std::string text;               // Instead of the status' text; empty: none.
  bool has_reached_peer = false;  // A connection was there for the call.
};
Error to_error(const grpc::Status& status, const Failure& failure);

}  // namespace dkron::rpc
