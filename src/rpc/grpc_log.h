// gRPC's own log lines, in our log at debug level (its errors are told again by the failed call).
#pragma once

namespace dkron::rpc {

// Once per process, before anything of gRPC is used; further calls do nothing. Thread-safe.
void redirect_grpc_log();

}  // namespace dkron::rpc
