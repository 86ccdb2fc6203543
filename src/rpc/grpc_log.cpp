#include "rpc/grpc_log.h"

#include <grpc/support/log.h>

#include <mutex>

#include "base/log.h"

namespace dkron::rpc {
namespace {

void write_line(gpr_log_func_args* line) {
  if (line->severity == GPR_LOG_SEVERITY_DEBUG) return;
  log::debug("rpc: message of the library", {{"text", line->message}});
}

}  // namespace

void redirect_grpc_log() {
  static std::once_flag once;
  std::call_once(once, [] { gpr_set_log_function(write_line); });
}

}  // namespace dkron::rpc
